//! Expressions replaced and local names changed.

use ruff_python_ast::visitor::source_order::{SourceOrderVisitor, TraversalSignal, walk_body};
use ruff_python_ast::{AnyNodeRef, Expr, OperatorPrecedence, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::asyncness::binds_tighter;
use super::change::Edit;
use super::refused::Refused;
use super::source::Source;

/// Puts `text` in the place of an expression, in brackets where its new place needs them.
pub fn replace_expr(source: &Source, expr: impl Ranged, text: &str) -> Result<Vec<Edit>, Refused> {
    let range = expr.range();
    let exprs = source.exprs_at(range);
    let index = exprs.iter().position(|expr| expr.range() == range).ok_or(Refused::Missing("expression"))?;
    if source.slice(range) == text {
        return Ok(Vec::new());
    }
    let parsed = ruff_python_parser::parse_expression(text);
    let new = parsed.as_ref().ok().map(|parsed| OperatorPrecedence::from_expr(parsed.expr()));
    let loose = match (new, index.checked_sub(1).map(|index| exprs[index])) {
        (Some(new), Some(parent)) => match parent {
            Expr::Attribute(_) | Expr::Subscript(_) | Expr::Call(_) => {
                binds_tighter(parent, range) && new < OperatorPrecedence::CallAttribute
            }
            Expr::Await(_) => new < OperatorPrecedence::CallAttribute,
            Expr::BinOp(_) | Expr::UnaryOp(_) | Expr::Compare(_) | Expr::BoolOp(_) | Expr::If(_) => {
                new <= OperatorPrecedence::from_expr(parent)
            }
            Expr::Starred(_) => new < OperatorPrecedence::BitOr,
            _ => new <= OperatorPrecedence::Assign,
        },
        _ => false,
    };
    // Brackets that stand around the old expression serve the new one.
    let before = source.tokens_before(range.start()).iter().rev().find(|token| !token.kind().is_trivia());
    let bracketed = before.is_some_and(|token| token.kind() == ruff_python_ast::token::TokenKind::Lpar)
        && source.text()[range.end().to_usize()..].trim_start().starts_with(')');
    let text = if loose && !bracketed { format!("({text})") } else { text.to_owned() };
    Ok(vec![Edit::replacement(range, text)])
}

/// Gives a local variable of a function another name, in the functions inside it too.
///
/// Refused for parameters, `global` and `nonlocal` names, imports, names not bound here, and where the new name
/// is used in the function already.
pub fn rename_local(
    source: &Source,
    function: impl Ranged,
    old: &str,
    new: &str,
) -> Result<Vec<Edit>, Refused> {
    let function = source.function_at(function).ok_or(Refused::Missing("function"))?;
    if old == new {
        return Ok(Vec::new());
    }
    let mut names = Names { old, new, places: Vec::new(), bound: false, foreign: false, taken: false };
    walk_body(&mut names, &function.body);
    if names.taken || function.parameters.includes(new) {
        return Err(Refused::Exists(new.to_owned()));
    }
    if names.foreign || !names.bound || function.parameters.includes(old) {
        return Err(Refused::NotLocal(old.to_owned()));
    }
    names.places.sort_by_key(ruff_text_size::Ranged::start);
    names.places.dedup();
    Ok(names.places.into_iter().map(|range| Edit::replacement(range, new)).collect())
}

struct Names<'n> {
    old: &'n str,
    new: &'n str,
    places: Vec<TextRange>,
    bound: bool,
    foreign: bool,
    taken: bool,
}

impl Names<'_> {
    fn binding(&mut self, identifier: &ruff_python_ast::Identifier) {
        self.taken |= identifier.as_str() == self.new;
        if identifier.as_str() == self.old {
            self.bound = true;
            self.places.push(identifier.range());
        }
    }
}

impl<'a> SourceOrderVisitor<'a> for Names<'_> {
    fn enter_node(&mut self, node: AnyNodeRef<'a>) -> TraversalSignal {
        match node {
            AnyNodeRef::ExprName(name) => {
                self.taken |= name.id.as_str() == self.new;
                if name.id.as_str() == self.old {
                    self.bound |= !name.ctx.is_load();
                    self.places.push(name.range());
                }
            }
            AnyNodeRef::StmtFunctionDef(function) => self.binding(&function.name),
            AnyNodeRef::StmtClassDef(class) => self.binding(&class.name),
            AnyNodeRef::ExceptHandlerExceptHandler(handler) => {
                if let Some(name) = &handler.name {
                    self.binding(name);
                }
            }
            AnyNodeRef::PatternMatchAs(pattern) => {
                if let Some(name) = &pattern.name {
                    self.binding(name);
                }
            }
            AnyNodeRef::PatternMatchStar(pattern) => {
                if let Some(name) = &pattern.name {
                    self.binding(name);
                }
            }
            AnyNodeRef::PatternMatchMapping(pattern) => {
                if let Some(name) = &pattern.rest {
                    self.binding(name);
                }
            }
            AnyNodeRef::StmtGlobal(node) => {
                self.foreign |= node.names.iter().any(|name| name.as_str() == self.old);
            }
            AnyNodeRef::StmtNonlocal(node) => {
                for name in node.names.iter().filter(|name| name.as_str() == self.old) {
                    self.places.push(name.range());
                }
            }
            AnyNodeRef::Alias(alias) => {
                let bound = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                let bound = bound.split('.').next().unwrap_or(bound);
                self.foreign |= bound == self.old;
                self.taken |= bound == self.new;
            }
            // A parameter of this name, inside, is another variable.
            AnyNodeRef::Parameter(parameter) => self.foreign |= parameter.name.as_str() == self.old,
            _ => {}
        }
        TraversalSignal::Traverse
    }
}

/// Whether a name occurs in a block: read, bound or passed on.
pub fn mentions(body: &[Stmt], name: &str) -> bool {
    let mut names =
        Names { old: name, new: "", places: Vec::new(), bound: false, foreign: false, taken: false };
    walk_body(&mut names, body);
    !names.places.is_empty() || names.foreign
}
