//! Statements put in, taken out, replaced and moved.

use ruff_python_ast::Stmt;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::block::{StatementRef, docstring, is_placeholder};
use super::change::Edit;
use super::refused::Refused;
use super::snippet::{indented, lines_at, taken};
use super::source::Source;

/// What becomes of the comments directly above a statement that goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comments {
    /// They stay where they are.
    Keep,
    /// They go with it.
    Delete,
}

/// Puts a snippet before a statement, above the comments that are directly above it.
pub fn insert_before(source: &Source, statement: impl Ranged, snippet: &str) -> Result<Vec<Edit>, Refused> {
    let found = source.statement_at(statement).ok_or(Refused::Missing("statement"))?;
    let (indent, newline) = (source.indent_of(found), source.newline());
    let text = indented(source, snippet, &indent) + newline;
    if let Some(colon) = source.header_colon(found) {
        if found.index != 0 {
            return Err(Refused::SharedLine);
        }
        let gap = TextRange::new(colon, found.start());
        return Ok(vec![Edit::replacement(gap, format!("{newline}{text}{indent}"))]);
    }
    if source.joined(found).start != found.index {
        return Err(Refused::SharedLine);
    }
    let at = source.comments_above(found);
    let blank = blank_lines(snippet) + missing_blank(found, snippet, Side::Before);
    Ok(vec![Edit::insertion(at, text + &newline.repeat(blank))])
}

/// Puts a snippet behind a statement, below its lines.
pub fn insert_after(source: &Source, statement: impl Ranged, snippet: &str) -> Result<Vec<Edit>, Refused> {
    let found = source.statement_at(statement).ok_or(Refused::Missing("statement"))?;
    if source.joined(found).end != found.index + 1 {
        return Err(Refused::SharedLine);
    }
    let (indent, newline) = (source.indent_of(found), source.newline());
    let text = indented(source, snippet, &indent) + newline;
    let mut edits = Vec::new();
    if let (Some(colon), Some(first)) = (source.header_colon(found), found.body.first()) {
        edits.push(Edit::replacement(TextRange::new(colon, first.start()), format!("{newline}{indent}")));
    }
    let at = source.lines_end(found);
    let above = newline.repeat(missing_blank(found, snippet, Side::After));
    let below = newline.repeat(blank_lines(snippet));
    edits.push(Edit::insertion(at, lines_at(source, at, &format!("{above}{text}{below}"))));
    Ok(edits)
}

/// Puts a snippet at the start of a block, behind its docstring; a lone `pass` or `...` gives way.
pub fn insert_at_start(source: &Source, body: &[Stmt], snippet: &str) -> Result<Vec<Edit>, Refused> {
    let first = body.first().ok_or(Refused::Missing("block"))?;
    if let [only] = body
        && is_placeholder(only)
    {
        return replace_statement(source, only, snippet);
    }
    let owner = source.statement_at(first).and_then(|found| found.owner);
    let documented = owner.is_none_or(|owner| owner.is_function_def_stmt() || owner.is_class_def_stmt());
    match docstring(body).filter(|_| documented) {
        Some(_) if body.len() == 2 && is_placeholder(&body[1]) => {
            replace_statement(source, &body[1], snippet)
        }
        Some(docstring) => insert_after(source, docstring, snippet),
        None => insert_before(source, first, snippet),
    }
}

/// Puts a snippet at the end of a block; a lone `pass` or `...` gives way.
pub fn insert_at_end(source: &Source, body: &[Stmt], snippet: &str) -> Result<Vec<Edit>, Refused> {
    match body {
        [only] if is_placeholder(only) => replace_statement(source, only, snippet),
        [first, only] if is_placeholder(only) && docstring(body).is_some_and(|text| text == first) => {
            replace_statement(source, only, snippet)
        }
        [.., last] => insert_after(source, last, snippet),
        [] => Err(Refused::Missing("block")),
    }
}

/// Puts a snippet in the place of a statement; comments above it and behind it stay.
pub fn replace_statement(
    source: &Source,
    statement: impl Ranged,
    snippet: &str,
) -> Result<Vec<Edit>, Refused> {
    replace_statements(source, statement, snippet)
}

/// Puts a snippet in the place of a run of statements; comments above the first and behind the last stay.
pub fn replace_statements(source: &Source, run: impl Ranged, snippet: &str) -> Result<Vec<Edit>, Refused> {
    let run = source.run_at(run)?;
    let indent = source.indent_of(run.first);
    let text = indented(source, snippet, &indent);
    let code = text.strip_prefix(indent.as_str()).unwrap_or(&text);
    let (first, last) = (run.first.index, run.last.index);
    let range = TextRange::new(run.first.start(), run.last.end());
    let joined = source.joined(run.first).start != first || source.joined(run.last).end != last + 1;
    let compound = is_several_lines_or_compound(snippet);
    if joined && compound {
        return Err(Refused::SharedLine);
    }
    if let Some(colon) = source.header_colon(run.first)
        && compound
    {
        let gap = TextRange::new(colon, run.first.start());
        let newline = source.newline();
        return Ok(vec![Edit::replacement(gap.cover(range), format!("{newline}{indent}{code}"))]);
    }
    Ok(vec![Edit::replacement(range, code)])
}

/// Takes a statement out. A block's only statement leaves `pass`; blank lines around it become one run.
pub fn delete_statement(
    source: &Source,
    statement: impl Ranged,
    comments: Comments,
) -> Result<Vec<Edit>, Refused> {
    delete_statements(source, statement, comments)
}

/// Takes a run of statements out, as [`delete_statement`] does with one.
pub fn delete_statements(
    source: &Source,
    run: impl Ranged,
    comments: Comments,
) -> Result<Vec<Edit>, Refused> {
    let run = source.run_at(run)?;
    let (first, last) = (run.first, run.last);
    let whole_block = first.owner.is_some() && first.index == 0 && last.index + 1 == last.body.len();
    if whole_block {
        let start = match comments {
            Comments::Delete if source.header_colon(first).is_none() => source.comments_above(first),
            _ => first.start(),
        };
        let text = if start < first.start() { source.indent_of(first) + "pass" } else { "pass".to_owned() };
        return Ok(vec![Edit::replacement(TextRange::new(start, last.end()), text)]);
    }
    let (from, to) = (source.joined(first), source.joined(last));
    if from.start != first.index || to.end != last.index + 1 || source.header_colon(first).is_some() {
        return Ok(vec![Edit::deletion(match (last.next(), first.previous()) {
            (Some(next), _) if to.end > last.index + 1 => TextRange::new(first.start(), next.start()),
            (_, Some(previous)) => TextRange::new(previous.end(), last.end()),
            _ => TextRange::new(first.start(), last.end()),
        })]);
    }
    let start = match comments {
        Comments::Delete => source.comments_above(first),
        Comments::Keep => source.first_line(first),
    };
    Ok(vec![Edit::deletion(with_blank_lines(
        source,
        TextRange::new(start, source.lines_end(last)),
        first,
        last,
    ))])
}

/// Whole lines and as many of the blank lines around them as are one too many when they go.
fn with_blank_lines(
    source: &Source,
    lines: TextRange,
    first: StatementRef<'_>,
    last: StatementRef<'_>,
) -> TextRange {
    let (above, _) = source.blank_above(lines.start());
    let (below, below_end) = source.blank_below(lines.end());
    let keep = if first.index == 0 && above == 0 {
        0
    } else if last.next().is_none() || below_end == source.end() {
        below
    } else {
        above.max(below)
    };
    let mut surplus = above + below - keep.min(above + below);
    let (mut start, mut end) = (lines.start(), lines.end());
    for _ in 0..below.min(surplus) {
        end = source.next_line(end);
        surplus -= 1;
    }
    for _ in 0..surplus {
        start = source.line_above(start).unwrap_or(start);
    }
    TextRange::new(start, end)
}

/// Moves a statement with its comments and decorators to stand before another one.
pub fn move_statement(
    source: &Source,
    statement: impl Ranged,
    before: impl Ranged,
) -> Result<Vec<Edit>, Refused> {
    let found = source.statement_at(statement).ok_or(Refused::Missing("statement"))?;
    let target = source.statement_at(before).ok_or(Refused::Missing("statement"))?;
    if found.range().contains_range(target.range()) {
        return Err(Refused::Unsupported("a statement can't be moved into itself"));
    }
    let snippet = take_statement(source, found.range())?;
    let mut edits = insert_before(source, target.range(), &snippet)?;
    edits.extend(delete_statement(source, found.range(), Comments::Delete)?);
    Ok(edits)
}

/// The lines of a run as a snippet: comments, decorators and all, to be put elsewhere.
pub fn take_statement(source: &Source, run: impl Ranged) -> Result<String, Refused> {
    let run = source.run_at(run)?;
    if source.header_colon(run.first).is_some() || source.joined(run.first).start != run.first.index {
        return Ok(source.slice(TextRange::new(run.first.start(), run.last.end())).to_owned() + "\n");
    }
    if source.joined(run.last).end != run.last.index + 1 {
        return Err(Refused::SharedLine);
    }
    Ok(taken(source, source.lines_of_run(run), &source.indent_of(run.first)))
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Side {
    Before,
    After,
}

/// Blank lines that a definition wants between itself and its neighbour and that the snippet does not bring.
fn missing_blank(neighbour: StatementRef<'_>, snippet: &str, side: Side) -> usize {
    let code = snippet.lines().find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or("");
    let definition = ["def ", "async def ", "class ", "@"].iter().any(|start| code.starts_with(start));
    let wanted = match (definition, neighbour.owner) {
        (true, None) => 2,
        (true, Some(_)) => 1,
        (false, _) => 0,
    };
    let has = match side {
        Side::Before => blank_lines(snippet),
        Side::After => snippet.lines().take_while(|line| line.trim().is_empty()).count(),
    };
    wanted.max(has) - has
}

/// Blank lines at the end of a snippet, which stay there.
fn blank_lines(snippet: &str) -> usize {
    let ends = snippet.len() - snippet.trim_end_matches('\n').len();
    ends.saturating_sub(1)
}

fn is_several_lines_or_compound(snippet: &str) -> bool {
    let parsed = Source::parse("", snippet);
    let compound = parsed.body().iter().any(ruff_python_ast::helpers::is_compound_statement);
    parsed.body().len() > 1 || compound || TextSize::of(snippet.trim()) == TextSize::new(0)
}
