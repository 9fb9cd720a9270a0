//! The three ways in which a close runs without its object.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_python::facts::{ExprKind, Facts, Handler, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, StmtRef};

use super::{Detail, Gap, Shape};
use crate::startup::{
    Initial, Open, close_calls, close_calls_elsewhere, initial, is_guarded, may_fail, opens,
};

/// What is found for the openings of a function, one for each `try`.
pub(super) fn in_function(life: &Lifecycle, function: FunctionRef) -> Vec<Detail> {
    let facts = life.facts(function.file);
    if facts.function(function.id).name.starts_with("test") {
        return Vec::new();
    }
    let mut opens = opens(life, function, None);
    opens.retain(|open| open.binds);
    let mut found: BTreeMap<(u8, StmtId), (Shape, Vec<Gap>)> = BTreeMap::new();
    for open in &opens {
        if let Some((statement, gaps)) = inside(life, open) {
            let entry = (0, statement);
            found.entry(entry).or_insert((Shape::Inside(statement), Vec::new())).1.extend(gaps);
        } else if let Some((statement, gaps)) = swallowed(life, open) {
            let entry = (1, statement);
            found.entry(entry).or_insert((Shape::Swallowed(statement), Vec::new())).1.extend(gaps);
        } else if open.kept(life) {
            let gaps = called(life, open, &opens);
            if !gaps.is_empty() {
                let entry = (2, facts.function(function.id).body[0]);
                found.entry(entry).or_insert((Shape::Called, Vec::new())).1.extend(gaps);
            }
        }
    }
    let mut details: Vec<Detail> = found
        .into_values()
        .filter(|(_, gaps)| !gaps.is_empty())
        .map(|(shape, mut gaps)| {
            gaps.sort_by_key(|gap| gap.call);
            Detail { function, shape, gaps }
        })
        .collect();
    details.sort_by_key(|detail| detail.gaps[0].call);
    details
}

/// The opening stands in a `try` whose `finally` closes it untested.
fn inside(life: &Lifecycle, open: &Open) -> Option<(StmtId, Vec<Gap>)> {
    let file = open.function.file;
    let facts = life.facts(file);
    let (statement, finally) =
        facts.ancestors(open.stmt).find_map(|(outer, slot)| match (&facts.stmt(outer).kind, slot) {
            (StmtKind::Try { finally, .. }, Slot::Body) if !finally.is_empty() => Some((outer, finally)),
            _ => None,
        })?;
    let closes: Vec<(StmtRef, ExprRef)> = close_calls(life, file, finally, open)
        .into_iter()
        .filter(|(stmt, call)| !is_guarded(life, *stmt, *call, Some(statement)))
        .collect();
    if closes.is_empty() || !may_be_unset(life, open, statement) {
        return None;
    }
    let gaps = gaps(life, open, closes, statement, &BTreeSet::new());
    (!gaps.is_empty()).then_some((statement, gaps))
}

/// A handler around the opening goes on without it, and what follows closes it untested.
fn swallowed(life: &Lifecycle, open: &Open) -> Option<(StmtId, Vec<Gap>)> {
    let file = open.function.file;
    let facts = life.facts(file);
    // A loop tries again until it is there.
    if life.in_loop(open.call) {
        return None;
    }
    let statement =
        facts.ancestors(open.stmt).find_map(|(outer, slot)| match (&facts.stmt(outer).kind, slot) {
            (StmtKind::Try { handlers, .. }, Slot::Body)
                if handlers.iter().any(|handler| goes_on(facts, handler)) =>
            {
                Some(outer)
            }
            _ => None,
        })?;
    let end = facts.stmt(statement).range.end();
    let body = &facts.function(open.function.id).body;
    let here = close_calls(life, file, body, open)
        .into_iter()
        .filter(|(stmt, _)| facts.stmt(stmt.id).range.start() >= end);
    let elsewhere = if open.kept(life) { close_calls_elsewhere(life, open) } else { Vec::new() };
    let closes: Vec<(StmtRef, ExprRef)> = here
        .chain(elsewhere)
        .filter(|(stmt, call)| !is_guarded(life, *stmt, *call, None) && !in_test(life, *stmt))
        .collect();
    let closers = functions_of(life, &closes);
    let gaps = gaps(life, open, closes, statement, &closers);
    (!gaps.is_empty()).then_some((statement, gaps))
}

/// The function is called in a `try` whose `finally` calls another that closes untested.
fn called(life: &Lifecycle, open: &Open, opens: &[Open]) -> Vec<Gap> {
    let first_await =
        opens.iter().find(|other| other.awaited || other.live.is_some_and(|live| live != other.stmt));
    let facts = life.facts(open.function.file);
    let can_fail_before = open.awaited
        || first_await
            .is_some_and(|first| facts.stmt(first.stmt).range.start() < facts.stmt(open.stmt).range.start());
    if !can_fail_before {
        return Vec::new();
    }
    let mut closes: BTreeMap<ExprRef, StmtRef> = BTreeMap::new();
    let elsewhere = close_calls_elsewhere(life, open);
    if elsewhere.is_empty() {
        return Vec::new();
    }
    for site in life.call_sites(open.function) {
        let facts = life.facts(site.call.file);
        let Some(stmt) = facts.stmt_of(site.call.id) else { continue };
        for (outer, slot) in facts.ancestors(stmt) {
            let StmtKind::Try { finally, .. } = &facts.stmt(outer).kind else { continue };
            if slot != Slot::Body || finally.is_empty() {
                continue;
            }
            let mut calls = Vec::new();
            facts.walk(finally, &mut |inner| {
                facts.stmt(inner).exprs(&mut |expr| {
                    facts.descend(expr, &mut |id| {
                        if matches!(facts.expr(id).kind, ExprKind::Call { .. }) {
                            calls.push((inner, site.call.with(id)));
                        }
                    });
                });
            });
            for (inner, call) in calls {
                let at = StmtRef { file: site.call.file, id: inner };
                if is_guarded(life, at, call, Some(outer)) {
                    continue;
                }
                for callee in life.callees(call) {
                    for (stmt, close) in &elsewhere {
                        let of =
                            FunctionRef { file: stmt.file, id: life.facts(stmt.file).stmt(stmt.id).function };
                        if of == callee && !is_guarded(life, *stmt, *close, None) {
                            closes.insert(*close, *stmt);
                        }
                    }
                }
            }
        }
    }
    let closes: Vec<(StmtRef, ExprRef)> = closes.into_iter().map(|(call, stmt)| (stmt, call)).collect();
    let closers = functions_of(life, &closes);
    gaps(life, open, closes, open.stmt, &closers)
}

/// The closes whose place holds no object before the opening.
pub(super) fn gaps(
    life: &Lifecycle,
    open: &Open,
    closes: Vec<(StmtRef, ExprRef)>,
    before: StmtId,
    closers: &BTreeSet<FunctionRef>,
) -> Vec<Gap> {
    closes
        .into_iter()
        .filter_map(|(stmt, call)| {
            let place = open.place_like(life, receiver(life, call)?);
            let initial = initial(life, open, place, before, closers);
            (initial != Initial::Set).then(|| Gap { open: open.clone(), place, stmt, call, initial })
        })
        .collect()
}

/// What a method is called on.
pub(super) fn receiver(life: &Lifecycle, call: ExprRef) -> Option<ExprRef> {
    let facts = life.facts(call.file);
    let ExprKind::Call { func, .. } = &facts.expr(call.id).kind else { return None };
    let ExprKind::Attribute { value, .. } = &facts.expr(*func).kind else { return None };
    Some(call.with(*value))
}

fn functions_of(life: &Lifecycle, closes: &[(StmtRef, ExprRef)]) -> BTreeSet<FunctionRef> {
    closes
        .iter()
        .map(|(stmt, _)| FunctionRef { file: stmt.file, id: life.facts(stmt.file).stmt(stmt.id).function })
        .collect()
}

fn in_test(life: &Lifecycle, stmt: StmtRef) -> bool {
    let function = FunctionRef { file: stmt.file, id: life.facts(stmt.file).stmt(stmt.id).function };
    life.is_test(function) || life.is_fixture(function)
}

/// Whether something in the body of the `try` may fail before the object is there.
fn may_be_unset(life: &Lifecycle, open: &Open, statement: StmtId) -> bool {
    let facts = life.facts(open.function.file);
    if open.awaited || facts.stmt(open.stmt).parent != Some(statement) {
        return true;
    }
    let StmtKind::Try { body, .. } = &facts.stmt(statement).kind else { return false };
    let mut found = false;
    facts.walk(body, &mut |stmt| {
        found |= facts.stmt(stmt).range.start() < facts.stmt(open.stmt).range.start()
            && (may_fail(life, open.function, stmt)
                || matches!(facts.stmt(stmt).kind, StmtKind::Return(_) | StmtKind::Raise { .. }));
    });
    found
}

/// Whether a handler ends by going on: it neither raises, nor leaves, nor gives another object.
fn goes_on(facts: &Facts, handler: &Handler) -> bool {
    let mut leaves = false;
    facts.walk(&handler.body, &mut |stmt| {
        leaves |= matches!(
            facts.stmt(stmt).kind,
            StmtKind::Raise { .. } | StmtKind::Return(_) | StmtKind::Continue | StmtKind::Break
        );
        facts.stmt(stmt).exprs(&mut |expr| {
            facts.descend(expr, &mut |inner| {
                if let ExprKind::Call { func, .. } = &facts.expr(inner).kind {
                    let called = facts.dotted(*func).unwrap_or_default();
                    leaves |=
                        matches!(called.as_str(), "sys.exit" | "exit" | "quit" | "os._exit" | "os.abort");
                }
            });
        });
    });
    !leaves
}
