//! The text of blocks, taken to be put elsewhere.

use ruff_python_ast::{Stmt, StmtFunctionDef};
use ruff_text_size::{Ranged, TextRange};

use super::block::docstring;
use super::snippet::taken;
use super::source::Source;

/// The body of a function as a snippet, without its docstring: comments in, lines inside strings as they are.
/// Empty where there is nothing but a docstring.
pub fn take_body(source: &Source, function: &StmtFunctionDef) -> String {
    match docstring(&function.body) {
        Some(_) => take_block(source, &function.body[1..]),
        None => take_block(source, &function.body),
    }
}

/// A block, or the rest of one, as a snippet; with the comments above it and at its end.
pub fn take_block(source: &Source, body: &[Stmt]) -> String {
    let (Some(first), Some(last)) = (body.first(), body.last()) else { return String::new() };
    let Some(first) = source.statement_at(first) else { return String::new() };
    let Some(last) = source.statement_at(last) else { return String::new() };
    if source.header_colon(first).is_some() || source.joined(first).start != first.index {
        return source.slice(TextRange::new(first.start(), last.end())).to_owned() + "\n";
    }
    let indent = source.indent_of(first);
    let mut start = source.comments_above(first);
    while first.owner.is_some() && first.index == 0 {
        let Some(above) = source.line_above(start) else { break };
        let line = source.line(above);
        if !line.strip_prefix(indent.as_str()).is_some_and(|rest| rest.starts_with('#')) {
            break;
        }
        start = above;
    }
    let mut end = source.lines_end(last);
    while end < source.end() && first.owner.is_some() {
        let line = source.line(end);
        if !line.strip_prefix(indent.as_str()).is_some_and(|rest| rest.trim_start().starts_with('#')) {
            break;
        }
        end = source.next_line(end);
    }
    taken(source, TextRange::new(start, end), &indent)
}
