//! Unwinding, written into the source.

use loopmend_python::edit::{
    Comments, Draft, Refused, Source, delete_statement, insert_after, take_statement, unwrap_first,
    wrap_statements,
};
use loopmend_python::facts::{Slot, StmtId, StmtKind, TextRange};
use loopmend_python::lifecycle::{FileId, Lifecycle};
use ruff_text_size::Ranged;

use super::open::Open;

/// The call that closes what an opening opened, as its function would write it.
pub(crate) fn close_text(life: &Lifecycle, open: &Open) -> String {
    let wait = if open.close.awaited { "await " } else { "" };
    format!("{wait}{}.{}()", life.source(open.place), open.close.method)
}

fn range_of(life: &Lifecycle, file: FileId, stmt: StmtId) -> TextRange {
    life.facts(file).stmt(stmt).range
}

/// Puts `try` around what comes after an opening, up to the statement `last` (or, in the block of the opening, what holds it),
/// and closes the object where that fails: `except BaseException: await place.close(); raise`. The openings stand in one
/// block, in source order; later ones are nested in earlier.
pub(crate) fn unwind(
    life: &Lifecycle,
    draft: &mut Draft,
    opens: &[Open],
    last: StmtId,
) -> Result<(), Refused> {
    let mut inner = false;
    for open in opens.iter().rev() {
        let file = open.function.file;
        let opened = range_of(life, file, open.stmt);
        let facts = life.facts(file);
        let block = facts.stmt(open.stmt).parent;
        let last = std::iter::once(last)
            .chain(facts.ancestors(last).map(|(stmt, _)| stmt))
            .find(|&stmt| facts.stmt(stmt).parent == block)
            .ok_or(Refused::NotOneBlock)?;
        let footer = format!("{}\nraise", close_text(life, open));
        draft.step(|now| {
            let opened = now.statement_at(opened).ok_or(Refused::Missing("statement"))?;
            let first = opened.next().ok_or(Refused::Missing("statement"))?;
            let end = if inner { first.range() } else { range_of(life, file, last) };
            let run = first.range().cover(if inner { inner_end(now, opened.range(), end) } else { end });
            wrap_statements(now, run, "try:", &[("except BaseException:", &footer)])
        })?;
        inner = true;
    }
    Ok(())
}

/// The end of a run that starts behind an opening and ends with the `try` put in for a later opening.
fn inner_end(now: &Source, opened: TextRange, fallback: TextRange) -> TextRange {
    let Some(opened) = now.statement_at(opened) else { return fallback };
    opened.body[opened.index + 1..]
        .iter()
        .find(|stmt| stmt.is_try_stmt() && now.slice(*stmt).contains("except BaseException:"))
        .map_or(fallback, Ranged::range)
}

/// One opening and the statement that closes it, for [`nest`].
#[derive(Clone, Copy, Debug)]
struct Pair<'o> {
    open: &'o Open,
    close: StmtId,
}

/// Puts each closing statement into a `finally` of its own that starts right after the opening: the openings stand in one
/// block with the `yield` (or what holds it), the closes after it or in the `finally` of a `try` around it.
pub(crate) fn nest(
    life: &Lifecycle,
    draft: &mut Draft,
    pairs: &[(Open, StmtId)],
    middle: StmtId,
) -> Result<(), Refused> {
    let Some((first, _)) = pairs.first() else { return Ok(()) };
    let file = first.function.file;
    let facts = life.facts(file);
    let block = facts.stmt(first.stmt).parent;
    if pairs.iter().any(|(open, _)| facts.stmt(open.stmt).parent != block) {
        return Err(Refused::NotOneBlock);
    }
    let outer = std::iter::once(middle)
        .chain(facts.ancestors(middle).map(|(stmt, _)| stmt))
        .find(|&stmt| facts.stmt(stmt).parent == block)
        .ok_or(Refused::NotOneBlock)?;
    let pairs: Vec<Pair<'_>> = pairs.iter().map(|(open, close)| Pair { open, close: *close }).collect();
    for pair in pairs.iter().rev() {
        let text = life.text(file)[range_of(life, file, pair.close)].to_owned();
        let opened = range_of(life, file, pair.open.stmt);
        let start = range_of(life, file, outer).start();
        // Where the close stands now: in the block behind the middle, or in the `finally` of the statement in the middle.
        let mut taken = String::new();
        let mut until = 0;
        draft.step(|now| {
            let opened = now.statement_at(opened).ok_or(Refused::Missing("statement"))?;
            let body = opened.body;
            let behind = body.iter().position(|stmt| {
                stmt.start() > opened.end()
                    && !stmt.is_try_stmt()
                    && now.slice(stmt) == text
                    && stmt.start() >= start
            });
            if let Some(index) = behind {
                taken = take_statement(now, &body[index])?;
                until = index - 1;
                let inner = body.iter().rposition(|stmt| stmt.is_try_stmt() && stmt.end() > start);
                if let Some(inner) = inner
                    && inner > index
                {
                    until = inner - 1;
                }
                return delete_statement(now, &body[index], Comments::Delete);
            }
            let (index, held) = body
                .iter()
                .enumerate()
                .find_map(|(index, stmt)| {
                    let finally = &stmt.as_try_stmt()?.finalbody;
                    let held = finally.iter().find(|inner| now.slice(*inner) == text)?;
                    Some((index, held))
                })
                .ok_or(Refused::Missing("close"))?;
            taken = take_statement(now, held)?;
            let Some(statement) = body[index].as_try_stmt() else { return Err(Refused::Missing("close")) };
            if statement.finalbody.len() == 1 {
                if !statement.handlers.is_empty() || !statement.orelse.is_empty() {
                    return Err(Refused::OtherClauses);
                }
                until = index + statement.body.len() - 1;
                return unwrap_first(now, &body[index]);
            }
            until = index;
            delete_statement(now, held, Comments::Delete)
        })?;
        draft.step(|now| {
            let opened = now.statement_at(opened).ok_or(Refused::Missing("statement"))?;
            let first = opened.next().ok_or(Refused::Missing("statement"))?;
            let last = opened.body.get(until).ok_or(Refused::Missing("statement"))?;
            wrap_statements(now, first.range().cover(last.range()), "try:", &[("finally:", taken.trim_end())])
        })?;
    }
    Ok(())
}

/// As [`nest`], for openings that stand in the `try` itself whose `finally` closes them: each close goes into a `finally` of
/// its own inside; a `finally` that is left empty goes with its `try`.
pub(crate) fn nest_in_try(
    life: &Lifecycle,
    draft: &mut Draft,
    file: FileId,
    statement: StmtId,
    pairs: &[(Open, StmtId)],
) -> Result<(), Refused> {
    let facts = life.facts(file);
    let StmtKind::Try { body, handlers, orelse, finally } = &facts.stmt(statement).kind else {
        return Err(Refused::Missing("try"));
    };
    let all_go = finally.len() == pairs.len();
    if all_go && !(handlers.is_empty() && orelse.is_empty()) {
        return Err(Refused::OtherClauses);
    }
    if pairs.iter().any(|(open, _)| {
        facts.stmt(open.stmt).parent != Some(statement) || facts.stmt(open.stmt).slot != Slot::Body
    }) {
        return Err(Refused::NotOneBlock);
    }
    let before = draft.source().clone();
    let texts: Vec<String> = pairs
        .iter()
        .map(|(_, close)| take_statement(&before, range_of(life, file, *close)))
        .collect::<Result<_, _>>()?;
    if !all_go {
        for (_, close) in pairs.iter().rev() {
            let range = range_of(life, file, *close);
            draft.step(|now| delete_statement(now, range, Comments::Delete))?;
        }
    }
    let last = *body.last().ok_or(Refused::Missing("block"))?;
    for ((open, _), text) in pairs.iter().zip(&texts).rev() {
        let opened = range_of(life, file, open.stmt);
        if open.stmt == last {
            // Nothing comes after it in the `try`.
            return Err(Refused::Missing("statement"));
        }
        draft.step(|now| {
            let opened = now.statement_at(opened).ok_or(Refused::Missing("statement"))?;
            let first = opened.next().ok_or(Refused::Missing("statement"))?;
            let end = opened.body.last().map_or(first.end(), Ranged::end);
            wrap_statements(now, TextRange::new(first.start(), end), "try:", &[("finally:", text.trim_end())])
        })?;
    }
    if all_go {
        let start = range_of(life, file, statement).start();
        draft.step(|now| {
            let found = now.statement_at_offset(start).ok_or(Refused::Missing("try"))?;
            unwrap_first(now, found.range())
        })?;
    }
    Ok(())
}

/// Puts an exit stack around openings: each is handed to it as soon as it is open, and taken out again after `last`, when all
/// is well. `stack` is the stack's name, `class` the expression for its class.
pub(crate) fn stacked(
    life: &Lifecycle,
    draft: &mut Draft,
    opens: &[Open],
    last: StmtId,
    stack: &str,
    class: &str,
) -> Result<(), Refused> {
    let Some(first) = opens.first() else { return Ok(()) };
    let file = first.function.file;
    let facts = life.facts(file);
    let top = |stmt: StmtId| facts.ancestors(stmt).map(|(outer, _)| outer).last().unwrap_or(stmt);
    let (from, to) = (top(first.stmt), top(last));
    let to_range = range_of(life, file, to);
    draft.step(|now| insert_after(now, to_range, &format!("{stack}.pop_all()")))?;
    for open in opens.iter().rev() {
        let push = if open.close.awaited { "push_async_callback" } else { "callback" };
        let text = format!("{stack}.{push}({}.{})", life.source(open.place), open.close.method);
        let range = range_of(life, file, open.stmt);
        draft.step(|now| insert_after(now, range, &text))?;
    }
    let from_range = range_of(life, file, from);
    draft.step(|now| {
        let first = now.statement_at_offset(from_range.start()).ok_or(Refused::Missing("statement"))?;
        let outermost = now
            .statements_at(first.range())
            .into_iter()
            .find(|found| found.range().start() == from_range.start())
            .ok_or(Refused::Missing("statement"))?;
        let end = outermost.body[outermost.index..]
            .iter()
            .find(|stmt| now.slice(*stmt) == format!("{stack}.pop_all()"))
            .ok_or(Refused::Missing("statement"))?;
        wrap_statements(
            now,
            TextRange::new(outermost.start(), end.end()),
            &format!("async with {class}() as {stack}:"),
            &[],
        )
    })
}
