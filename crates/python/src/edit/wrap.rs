//! Blocks around statements: put on, taken off, moved in and out.

use ruff_python_ast::Stmt;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::block::{StatementRef, blocks_of};
use super::change::Edit;
use super::refused::Refused;
use super::snippet::{indented, last_level, lines_at};
use super::source::Source;

/// Puts a run of statements below `header` (`try:`, `async with x as y:`), one level deeper than the header's last
/// line, and after them each footer with its body (`("finally:", "await x.aclose()")`).
///
/// Comments directly above the first statement go inside; so do those at the end of a block, if the run ends it.
pub fn wrap_statements(
    source: &Source,
    run: impl Ranged,
    header: &str,
    footers: &[(&str, &str)],
) -> Result<Vec<Edit>, Refused> {
    let run = source.run_at(run)?;
    if source.joined(run.first).start != run.first.index || source.joined(run.last).end != run.last.index + 1
    {
        return Err(Refused::SharedLine);
    }
    let newline = source.newline();
    let indent = source.indent_of(run.first);
    let unit = source.unit_below(&indent).repeat(last_level(header) + 1);
    let head = indented(source, header, &indent);
    let mut foot = String::new();
    for (clause, body) in footers {
        let clause_indent = indent.clone() + &source.unit_below(&indent).repeat(last_level(clause) + 1);
        foot += &(indented(source, clause, &indent) + newline);
        foot += &(indented(source, body, &clause_indent) + newline);
    }
    let mut edits = Vec::new();
    if let Some(colon) = source.header_colon(run.first) {
        if run.first.index != 0 || run.last.index + 1 != run.last.body.len() {
            return Err(Refused::SharedLine);
        }
        let gap = TextRange::new(colon, run.first.start());
        edits.push(Edit::replacement(gap, format!("{newline}{head}{newline}{indent}{unit}")));
        let end = source.next_line(run.last.end());
        if !foot.is_empty() {
            edits.push(Edit::insertion(end, lines_at(source, end, &foot)));
        }
        return Ok(edits);
    }
    let lines = TextRange::new(source.comments_above(run.first), wrapped_end(source, run.last, &indent));
    edits.push(Edit::insertion(lines.start(), head + newline));
    edits.extend(indent_edits(source, lines, &indent, &unit));
    if !foot.is_empty() {
        edits.push(Edit::insertion(lines.end(), lines_at(source, lines.end(), &foot)));
    }
    Ok(edits)
}

/// The end of the lines that go with the last statement into a new block: comments at the end of its block too.
fn wrapped_end(source: &Source, last: StatementRef<'_>, indent: &str) -> TextSize {
    let mut end = source.lines_end(last);
    if last.owner.is_none() || last.next().is_some() {
        return end;
    }
    while end < source.end() {
        let line = source.line(end);
        if !line.strip_prefix(indent).is_some_and(|rest| rest.trim_start().starts_with('#')) {
            break;
        }
        end = source.next_line(end);
    }
    end
}

/// Puts the lines of a range one level deeper; lines inside strings and blank lines stay.
pub fn indent_lines(source: &Source, range: TextRange) -> Vec<Edit> {
    let indent = source.code_lines(range).first().map_or("", |&line| source.indent_at(line)).to_owned();
    indent_edits(source, range, &indent, source.unit_below(&indent))
}

fn indent_edits(source: &Source, range: TextRange, indent: &str, unit: &str) -> Vec<Edit> {
    source
        .code_lines(range)
        .into_iter()
        .map(|line| {
            // Behind the common indent, so that a block keeps one prefix even where tabs and spaces meet.
            let behind = if source.indent_at(line).starts_with(indent) { indent.len() as u32 } else { 0 };
            Edit::insertion(line + TextSize::new(behind), unit)
        })
        .collect()
}

/// Takes one level from the lines of a range; lines inside strings and blank lines stay.
pub fn dedent_lines(source: &Source, range: TextRange) -> Vec<Edit> {
    let lines = source.code_lines(range);
    let inner = lines.first().map_or("", |&line| source.indent_at(line)).to_owned();
    let outer = inner.strip_suffix(source.unit_below(&inner)).unwrap_or("").to_owned();
    dedent_edits(source, range, &inner, &outer)
}

fn dedent_edits(source: &Source, range: TextRange, inner: &str, outer: &str) -> Vec<Edit> {
    let edits = source.code_lines(range).into_iter().filter_map(|line| {
        let white = source.indent_at(line);
        let (from, to) = if white.starts_with(inner) && inner.starts_with(outer) {
            (outer.len(), inner.len())
        } else {
            (0, white.len().min(inner.len().saturating_sub(outer.len())))
        };
        let range = TextRange::new(line + TextSize::new(from as u32), line + TextSize::new(to as u32));
        (!range.is_empty()).then(|| Edit::deletion(range))
    });
    edits.collect()
}

/// Takes the header of a compound statement away and its body one level out. Comments above the header stay.
/// Refused where `else`, `except` and the like would be lost.
pub fn unwrap(source: &Source, statement: impl Ranged) -> Result<Vec<Edit>, Refused> {
    let found = source.statement_at(statement).ok_or(Refused::Missing("statement"))?;
    if blocks_of(found.stmt).len() > 1 {
        return Err(Refused::OtherClauses);
    }
    unwrap_first(source, found.range())
}

/// As [`unwrap`], but keeps the first block only and drops all other clauses: a `try` without its handlers.
pub fn unwrap_first(source: &Source, statement: impl Ranged) -> Result<Vec<Edit>, Refused> {
    let found = source.statement_at(statement).ok_or(Refused::Missing("statement"))?;
    let blocks = blocks_of(found.stmt);
    let body = *blocks.first().ok_or(Refused::Missing("block"))?;
    let (Some(first), Some(last)) = (body.first(), body.last()) else {
        return Err(Refused::Missing("block"));
    };
    if matches!(found.stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_) | Stmt::Match(_)) {
        return Err(Refused::Unsupported("a definition can't be unwrapped"));
    }
    let inside = source.statement_at(first).ok_or(Refused::Missing("block"))?;
    let last_inside = StatementRef { stmt: last, index: body.len() - 1, ..inside };
    let (outer, inner) = (source.indent_of(found), source.indent_of(inside));
    if source.joined(found).len() > 1 || source.header_colon(found).is_some() {
        return Err(Refused::SharedLine);
    }
    let end = source.lines_end(found);
    let mut edits = Vec::new();
    if source.header_colon(inside).is_some() {
        edits.push(Edit::deletion(TextRange::new(found.start(), first.start())));
        let below = source.next_line(last.end());
        if blocks.len() > 1 && below < end {
            edits.push(Edit::deletion(TextRange::new(below, end)));
        }
        return Ok(edits);
    }
    let body_start = inside_start(source, inside, found);
    let body_end = if blocks.len() > 1 { wrapped_end(source, last_inside, &inner) } else { end };
    edits.push(Edit::deletion(TextRange::new(source.first_line(found), body_start)));
    edits.extend(dedent_edits(source, TextRange::new(body_start, body_end), &inner, &outer));
    if body_end < end {
        edits.push(Edit::deletion(TextRange::new(body_end, end)));
    }
    Ok(edits)
}

/// The start of the first line below the header of a block: of its first comment or statement.
fn inside_start(source: &Source, first: StatementRef<'_>, owner: StatementRef<'_>) -> TextSize {
    let mut start = source.first_line(first);
    while let Some(above) = source.line_above(start) {
        let line = source.line(above).trim_start();
        if above <= owner.start() || source.in_string(above) || !(line.is_empty() || line.starts_with('#')) {
            break;
        }
        start = above;
    }
    start
}
