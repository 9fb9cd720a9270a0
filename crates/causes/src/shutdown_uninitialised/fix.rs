//! A `finally` for each object, or `None` first and a test before the close.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_model::Applicability;
use loopmend_python::edit::{Draft, Source};
use loopmend_python::facts::{ExprKind, Facts, StmtId, StmtKind, TextRange};
use loopmend_python::lifecycle::{ExprRef, FileId, Lifecycle, StmtRef};

use super::find::receiver;
use super::{Detail, Shape};
use crate::startup::{Initial, Open, close_calls, nest_in_try, opens};
use crate::{Declined, Mend};

pub(super) fn fix(life: &Lifecycle, detail: &Detail, applicability: Applicability) -> Result<Mend, Declined> {
    if let Shape::Inside(statement) = detail.shape
        && detail.gaps.iter().all(|gap| gap.initial == Initial::Unset)
        && let Some(mend) = nested(life, detail, statement, applicability)
    {
        return Ok(mend);
    }
    tested(life, detail, applicability)
}

/// The openings out of the common `try`, each with a `finally` of its own.
fn nested(
    life: &Lifecycle,
    detail: &Detail,
    statement: StmtId,
    applicability: Applicability,
) -> Option<Mend> {
    let file = detail.function.file;
    let facts = life.facts(file);
    let StmtKind::Try { body, finally, .. } = &facts.stmt(statement).kind else { return None };
    let mut pairs: Vec<(Open, StmtId)> = Vec::new();
    for open in opens(life, detail.function, None) {
        if !body.contains(&open.stmt) {
            continue;
        }
        let closes = close_calls(life, file, finally, &open);
        match closes[..] {
            [(stmt, _)] if finally.contains(&stmt.id) && is_plain(life, stmt) => pairs.push((open, stmt.id)),
            _ if detail.gaps.iter().any(|gap| gap.open.stmt == open.stmt) => return None,
            _ => {}
        }
    }
    let source = Source::parse(&facts.path, life.text(file).clone());
    let mut draft = Draft::new(&source);
    nest_in_try(life, &mut draft, file, statement, &pairs).ok()?;
    let mut mend = Mend::new(applicability);
    mend.declared.moved = true;
    mend.edit(life, file, draft.edits());
    Some(mend)
}

/// The object of a place or None, also where the place was never set.
fn asked(life: &Lifecycle, place: ExprRef) -> Option<String> {
    let facts = life.facts(place.file);
    let at = |id| life.source(place.with(id));
    match &facts.expr(place.id).kind {
        ExprKind::Attribute { value, attr } => Some(format!("getattr({}, \"{attr}\", None)", at(*value))),
        ExprKind::Subscript { value, index } => Some(format!("{}.get({})", at(*value), at(*index))),
        _ => None,
    }
}

/// `place = None` before the opening, where nothing else sets it first, and `if place is not None:` around each close.
fn tested(life: &Lifecycle, detail: &Detail, applicability: Applicability) -> Result<Mend, Declined> {
    let mut guards: BTreeMap<FileId, Vec<(TextRange, String)>> = BTreeMap::new();
    let mut presets: BTreeSet<String> = BTreeSet::new();
    let mut first: Option<StmtId> = None;
    let facts = life.facts(detail.function.file);
    for gap in &detail.gaps {
        if !is_plain(life, gap.stmt) {
            let place = life.source(gap.place);
            return Err(Declined::because(format!(
                "the close of `{place}` stands among other expressions; test there that it is not None, and set it to \
                 None before it is opened"
            )));
        }
        let closed = life.facts(gap.stmt.file);
        let Some(place) = receiver(life, gap.call) else { continue };
        let unset = gap.initial == Initial::Unset;
        let test = if detail.shape == Shape::Registered && unset {
            // No start-up need have come so far that it could set the place to None.
            asked(life, place).ok_or_else(|| {
                let place = life.source(place);
                Declined::because(format!(
                    "nothing asks whether `{place}` is there; set it to None where the module is loaded, and test that \
                     before the close"
                ))
            })?
        } else {
            life.source(place).to_owned()
        };
        let range = closed.stmt(gap.stmt.id).range;
        let list = guards.entry(gap.stmt.file).or_default();
        if !list.iter().any(|(known, _)| *known == range) {
            list.push((range, test));
        }
        if unset && detail.shape != Shape::Registered {
            presets.insert(life.source(gap.place).to_owned());
            // Before anything in the function may fail.
            let body = &facts.function(detail.function.id).body;
            let top = body.iter().copied().find(|&stmt| !is_preamble(facts, stmt)).unwrap_or(gap.open.stmt);
            let before = match detail.shape {
                Shape::Inside(statement) | Shape::Swallowed(statement) => statement,
                Shape::Called | Shape::Registered => top,
            };
            if first.is_none_or(|known| facts.stmt(before).range.start() < facts.stmt(known).range.start()) {
                first = Some(before);
            }
        }
    }
    let mut files: BTreeSet<FileId> = guards.keys().copied().collect();
    if first.is_some() {
        files.insert(detail.function.file);
    }
    let mut mend = Mend::new(applicability);
    for file in files {
        let source = Source::parse(&life.facts(file).path, life.text(file).clone());
        let mut draft = Draft::new(&source);
        // From the end of the file, so that the ranges before stay right.
        let mut steps: Vec<(TextRange, Option<String>)> =
            joined(life.text(file), guards.remove(&file).unwrap_or_default())
                .into_iter()
                .map(|(range, place)| (range, Some(place)))
                .collect();
        if let Some(first) = first
            && file == detail.function.file
        {
            steps.push((facts.stmt(first).range, None));
        }
        steps.sort_by_key(|(range, _)| std::cmp::Reverse(range.start()));
        for (range, place) in steps {
            match place {
                Some(place) => draft.step(|now| {
                    let header = format!("if {place} is not None:");
                    loopmend_python::edit::wrap_statements(now, range, &header, &[])
                })?,
                None => {
                    let lines: Vec<String> = presets.iter().map(|place| format!("{place} = None")).collect();
                    draft.step(|now| loopmend_python::edit::insert_before(now, range, &lines.join("\n")))?;
                }
            }
        }
        mend.edit(life, file, draft.edits());
    }
    Ok(mend)
}

/// The closes of one place that follow one another are put under one test.
fn joined(text: &str, mut closes: Vec<(TextRange, String)>) -> Vec<(TextRange, String)> {
    closes.sort_by_key(|(range, _)| range.start());
    let mut runs: Vec<(TextRange, String)> = Vec::new();
    for (range, place) in closes {
        if let Some((run, before)) = runs.last_mut()
            && *before == place
            && indent_of(text, *run) == indent_of(text, range)
            && text.get(run.end().to_usize()..range.start().to_usize()).is_some_and(|between| {
                between.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#'))
            })
        {
            *run = TextRange::new(run.start(), range.end());
            continue;
        }
        runs.push((range, place));
    }
    runs
}

/// What stands before a statement on its line.
fn indent_of(text: &str, range: TextRange) -> &str {
    let before = text.get(..range.start().to_usize()).unwrap_or_default();
    &before[before.rfind('\n').map_or(0, |at| at + 1)..]
}

/// Whether a statement is one call, awaited or not, and nothing else.
fn is_plain(life: &Lifecycle, stmt: StmtRef) -> bool {
    let facts = life.facts(stmt.file);
    let StmtKind::Expr(value) = facts.stmt(stmt.id).kind else { return false };
    let call = match facts.expr(value).kind {
        ExprKind::Await(inner) => inner,
        _ => value,
    };
    matches!(&facts.expr(call).kind, ExprKind::Call { func, .. }
        if matches!(facts.expr(*func).kind, ExprKind::Attribute { .. }))
}

/// A docstring, or `global`: what must stay first.
fn is_preamble(facts: &Facts, stmt: StmtId) -> bool {
    match facts.stmt(stmt).kind {
        StmtKind::Expr(value) => matches!(facts.expr(value).kind, ExprKind::Str(_)),
        StmtKind::Scope(_) => true,
        _ => false,
    }
}
