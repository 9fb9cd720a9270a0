//! `async` and `await` put on and taken off.

use ruff_python_ast::token::{TokenKind, parenthesized_range};
use ruff_python_ast::{AnyNodeRef, Expr, ExprRef, OperatorPrecedence, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::change::Edit;
use super::refused::Refused;
use super::source::Source;

/// Makes a `def`, `with` or `for` asynchronous. Nothing to do where it is.
pub fn make_async(source: &Source, statement: impl Ranged) -> Result<Vec<Edit>, Refused> {
    let found = source.statement_at(statement).ok_or(Refused::Missing("statement"))?;
    let (done, start) = match found.stmt {
        Stmt::FunctionDef(node) => {
            let from = node.decorator_list.last().map_or(node.start(), Ranged::end);
            let header = source.tokens_in(TextRange::new(from, node.name.start().max(from)));
            let keyword = header.iter().find(|token| token.kind() == TokenKind::Def);
            (node.is_async, keyword.ok_or(Refused::Missing("def"))?.start())
        }
        Stmt::With(node) => (node.is_async, node.start()),
        Stmt::For(node) => (node.is_async, node.start()),
        _ => return Err(Refused::Missing("def, with or for")),
    };
    Ok(if done { Vec::new() } else { vec![Edit::insertion(start, "async ")] })
}

/// Takes `async` from a `def`, `with` or `for`. Nothing to do where there is none.
pub fn make_sync(source: &Source, statement: impl Ranged) -> Result<Vec<Edit>, Refused> {
    let found = source.statement_at(statement).ok_or(Refused::Missing("statement"))?;
    let (asynchronous, from) = match found.stmt {
        Stmt::FunctionDef(node) => {
            (node.is_async, node.decorator_list.last().map_or(node.start(), Ranged::end))
        }
        Stmt::With(node) => (node.is_async, node.start()),
        Stmt::For(node) => (node.is_async, node.start()),
        _ => return Err(Refused::Missing("def, with or for")),
    };
    if !asynchronous {
        return Ok(Vec::new());
    }
    let tokens = source.tokens_in(TextRange::new(from, found.range().end()));
    let index = tokens.iter().position(|token| token.kind() == TokenKind::Async);
    match index.map(|index| (tokens.get(index), tokens.get(index + 1))) {
        Some((Some(keyword), Some(next))) => {
            Ok(vec![Edit::deletion(TextRange::new(keyword.start(), next.start()))])
        }
        _ => Err(Refused::Missing("async")),
    }
}

/// Puts `await ` before an expression, with the brackets that it needs. Nothing to do where it is awaited.
pub fn add_await(source: &Source, expr: impl Ranged) -> Result<Vec<Edit>, Refused> {
    let range = expr.range();
    let exprs = source.exprs_at(range);
    let index = exprs.iter().position(|expr| expr.range() == range).ok_or(Refused::Missing("expression"))?;
    let (expr, parent) = (exprs[index], index.checked_sub(1).map(|index| exprs[index]));
    if expr.is_await_expr() || parent.is_some_and(Expr::is_await_expr) {
        return Ok(Vec::new());
    }
    let brackets = brackets_around(source, expr, parent);
    let whole = brackets.unwrap_or(range);
    let loose = OperatorPrecedence::from_expr(expr) < OperatorPrecedence::CallAttribute;
    // `(f()).x` has its brackets already: the await goes inside them, unless what is in them is loose.
    let (start, end, inner) = match brackets {
        Some(_) if !loose => (range.start(), range.end(), false),
        Some(_) => (whole.start(), whole.end(), false),
        None => (range.start(), range.end(), loose),
    };
    let outer = (loose || brackets.is_none()) && parent.is_some_and(|parent| binds_tighter(parent, range));
    let opening = format!("{}await {}", if outer { "(" } else { "" }, if inner { "(" } else { "" });
    let closing = format!("{}{}", if inner { ")" } else { "" }, if outer { ")" } else { "" });
    let mut edits = vec![Edit::insertion(start, opening)];
    if !closing.is_empty() {
        edits.push(Edit::insertion(end, closing));
    }
    Ok(edits)
}

/// Takes `await` from an await expression, or from around an awaited one. Nothing to do where there is none.
pub fn remove_await(source: &Source, expr: impl Ranged) -> Result<Vec<Edit>, Refused> {
    let range = expr.range();
    let exprs = source.exprs_at(range);
    let index = exprs.iter().position(|expr| expr.range() == range).ok_or(Refused::Missing("expression"))?;
    let outer =
        if exprs[index].is_await_expr() { exprs.get(index) } else { exprs.get(index.wrapping_sub(1)) };
    let Some(Expr::Await(node)) = outer else { return Ok(Vec::new()) };
    let inside =
        brackets_around(source, &node.value, Some(&Expr::Await(node.clone()))).unwrap_or(node.value.range());
    Ok(vec![Edit::deletion(TextRange::new(node.start(), inside.start()))])
}

fn brackets_around(source: &Source, expr: &Expr, parent: Option<&Expr>) -> Option<TextRange> {
    let tokens = source.parsed().tokens();
    let range = expr.range();
    let parent = match parent {
        // The brackets of a call are its own, not its only argument's.
        Some(Expr::Call(call)) if call.arguments.range().contains_range(range) => {
            AnyNodeRef::from(&call.arguments)
        }
        Some(parent) => AnyNodeRef::from(parent),
        None => AnyNodeRef::from(source.statement_at(range)?.stmt),
    };
    parenthesized_range(ExprRef::from(expr), parent, tokens)
}

/// Whether a parent would take only a part of `await x` for its own.
pub(super) fn binds_tighter(parent: &Expr, child: TextRange) -> bool {
    match parent {
        Expr::Attribute(node) => node.value.range() == child,
        Expr::Subscript(node) => node.value.range() == child,
        Expr::Call(node) => node.func.range() == child,
        _ => false,
    }
}
