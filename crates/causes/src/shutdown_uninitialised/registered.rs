//! Handlers of a framework that runs those of the end although a start failed.

use std::collections::BTreeSet;

use loopmend_python::facts::{BindingKind, ExprId, ExprKind, Facts};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, StmtRef};

use super::find::gaps;
use super::{Detail, Shape};
use crate::lifespan::{App, Framework, Handler, apps};
use crate::startup::{Initial, Open, close_calls_elsewhere, is_guarded, may_fail, opens};

/// What the start handlers of such applications open and their end handlers close untested, one for each start handler.
pub(super) fn detect(life: &Lifecycle) -> Vec<Detail> {
    apps(life)
        .iter()
        .filter(|app| app.framework == Framework::Litestar)
        .flat_map(|app| of(life, app))
        .collect()
}

fn of(life: &Lifecycle, app: &App) -> Vec<Detail> {
    let ends: BTreeSet<FunctionRef> = app.shutdown().filter_map(Handler::function).collect();
    let starts: Vec<FunctionRef> = app.startup().filter_map(Handler::function).collect();
    let mut found = Vec::new();
    // Once a handler may fail, none of those after it need have run.
    let mut failing = false;
    for &function in &starts {
        let facts = life.facts(function.file);
        let mut list = Vec::new();
        for open in opens(life, function, None) {
            let mut before = failing || open.awaited;
            facts.walk(&facts.function(function.id).body, &mut |stmt| {
                before |= facts.stmt(stmt).range.start() < facts.stmt(open.stmt).range.start()
                    && may_fail(life, function, stmt);
            });
            if !(before && open.binds && open.kept(life)) {
                continue;
            }
            let Some(instead) = elsewhere(life, &open, &ends) else { continue };
            let mut found = gaps(life, &open, closes(life, &open, &ends), open.stmt, &ends);
            // A global's own module is known to the gap already.
            if facts.name_of(open.place.id).is_none() {
                for gap in &mut found {
                    gap.initial = instead;
                }
            }
            list.extend(found);
        }
        facts.walk(&facts.function(function.id).body, &mut |stmt| failing |= may_fail(life, function, stmt));
        if !list.is_empty() {
            list.sort_by_key(|gap| gap.call);
            found.push(Detail { function, shape: Shape::Registered, gaps: list });
        }
    }
    found
}

/// The untested closes in these functions.
fn closes(life: &Lifecycle, open: &Open, ends: &BTreeSet<FunctionRef>) -> Vec<(StmtRef, ExprRef)> {
    close_calls_elsewhere(life, open)
        .into_iter()
        .filter(|(stmt, call)| {
            let id = life.facts(stmt.file).stmt(stmt.id).function;
            ends.contains(&FunctionRef { file: stmt.file, id }) && !is_guarded(life, *stmt, *call, None)
        })
        .collect()
}

/// What the place holds by all but its opening: nothing, or None; no answer where that may be another object.
fn elsewhere(life: &Lifecycle, open: &Open, ends: &BTreeSet<FunctionRef>) -> Option<Initial> {
    let home = life.facts(open.function.file);
    let mut found = Initial::Unset;
    for name in open.names(home) {
        for &file in life.files_with(&name) {
            let facts = life.facts(file);
            for &id in facts.writes.get(&name).into_iter().flatten() {
                let binding = facts.binding(id);
                let function = FunctionRef { file, id: binding.function };
                if function == open.function || ends.contains(&function) || life.is_test(function) {
                    continue;
                }
                match binding.kind {
                    BindingKind::Value { value, .. } if matches!(facts.expr(value).kind, ExprKind::None) => {
                        found = Initial::None;
                    }
                    _ => return None,
                }
            }
            if (0..facts.exprs.len()).any(|index| keyed(facts, ExprId::new(index), &name)) {
                return None;
            }
        }
    }
    Some(found)
}

/// Whether an expression is a dictionary with an object under this key.
fn keyed(facts: &Facts, expr: ExprId, name: &str) -> bool {
    let ExprKind::Dict(items) = &facts.expr(expr).kind else { return false };
    items.iter().any(|&(key, value)| {
        let Some(key) = key else { return false };
        let none = matches!(facts.expr(value).kind, ExprKind::None);
        !none && matches!(&facts.expr(key).kind, ExprKind::Str(text) if format!("[{text}]") == name || &**text == name)
    })
}
