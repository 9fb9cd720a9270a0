//! Decorators and their arguments.

use ruff_python_ast::{Decorator, Expr, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::arguments::{add_keyword, remove_keyword, set_keyword};
use super::change::Edit;
use super::refused::Refused;
use super::source::Source;

/// The decorators of the function or class at a range, outermost first.
pub fn decorators_of(source: &Source, definition: impl Ranged) -> &[Decorator] {
    match source.statement_at(definition).map(|found| found.stmt) {
        Some(Stmt::FunctionDef(node)) => &node.decorator_list,
        Some(Stmt::ClassDef(node)) => &node.decorator_list,
        _ => &[],
    }
}

/// Puts a decorator (`"@asynccontextmanager"`) above all others. Nothing to do where it is there.
pub fn add_decorator(
    source: &Source,
    definition: impl Ranged,
    decorator: &str,
) -> Result<Vec<Edit>, Refused> {
    let found = source.statement_at(definition).ok_or(Refused::Missing("definition"))?;
    let known = match found.stmt {
        Stmt::FunctionDef(node) => &node.decorator_list,
        Stmt::ClassDef(node) => &node.decorator_list,
        _ => return Err(Refused::Missing("definition")),
    };
    if known.iter().any(|known| source.slice(known) == decorator) {
        return Ok(Vec::new());
    }
    let line = format!("{}{decorator}{}", source.indent_of(found), source.newline());
    Ok(vec![Edit::insertion(source.first_line(found), line)])
}

/// Takes a decorator away with its lines and the comment behind it.
pub fn remove_decorator(source: &Source, decorator: &Decorator) -> Vec<Edit> {
    let lines = TextRange::new(source.line_start(decorator.start()), source.next_line(decorator.end()));
    vec![Edit::deletion(lines)]
}

/// Puts another decorator, with its `@`, in the place of one.
pub fn replace_decorator(decorator: &Decorator, text: &str) -> Vec<Edit> {
    vec![Edit::replacement(decorator, text)]
}

/// Adds `name=value` to a decorator; one without brackets gets them.
pub fn add_decorator_keyword(
    source: &Source,
    decorator: &Decorator,
    name: &str,
    value: &str,
) -> Result<Vec<Edit>, Refused> {
    match &decorator.expression {
        Expr::Call(call) => add_keyword(source, call, name, value),
        other => Ok(vec![Edit::insertion(other.end(), format!("({name}={value})"))]),
    }
}

/// Adds `name=value` to a decorator, or gives the keyword this value.
pub fn set_decorator_keyword(
    source: &Source,
    decorator: &Decorator,
    name: &str,
    value: &str,
) -> Result<Vec<Edit>, Refused> {
    match &decorator.expression {
        Expr::Call(call) => set_keyword(source, call, name, value),
        _ => add_decorator_keyword(source, decorator, name, value),
    }
}

/// Takes a keyword from a decorator; when it was the last argument, the brackets go too.
pub fn remove_decorator_keyword(
    source: &Source,
    decorator: &Decorator,
    name: &str,
) -> Result<Vec<Edit>, Refused> {
    let Expr::Call(call) = &decorator.expression else { return Ok(Vec::new()) };
    let only = call.arguments.len() == 1 && call.arguments.find_keyword(name).is_some();
    if only && !source.comments().intersects(call.arguments.range()) {
        return Ok(vec![Edit::deletion(call.arguments.range())]);
    }
    remove_keyword(source, call, name)
}
