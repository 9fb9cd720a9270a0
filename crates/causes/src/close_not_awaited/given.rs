//! Plain functions that give a closing coroutine to their caller.

use std::collections::BTreeSet;

use loopmend_python::facts::{Definition, ExprId, ExprKind, Facts, Name, Outline, Parent, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle};

use super::dropped::{Closing, closing_coroutine, last_name};

/// How many functions one coroutine is followed through.
pub(super) const MOST: u8 = 3;

/// Names of the plain functions that return what a call of one of the wanted names gives.
pub(super) fn givers(life: &Lifecycle, wanted: impl Fn(&Name) -> bool) -> BTreeSet<Name> {
    let mut found: BTreeSet<Name> = BTreeSet::new();
    for _ in 0..MOST {
        let known = found.clone();
        let looked_for = |name: &Name| wanted(name) || known.contains(name);
        for file in life.files_where(|outline: &Outline| outline.handed.iter().any(&looked_for)) {
            let facts = life.facts(file);
            for &call in &facts.calls {
                let ExprKind::Call { func, .. } = facts.expr(call).kind else { continue };
                let Some(function) = facts
                    .name_of(func)
                    .or_else(|| attribute(facts, func))
                    .filter(|name| looked_for(name))
                    .and_then(|_| returner(facts, call))
                else {
                    continue;
                };
                found.insert(facts.function(function).name.clone());
            }
        }
        if found.len() == known.len() {
            break;
        }
    }
    found
}

fn attribute(facts: &Facts, func: ExprId) -> Option<&Name> {
    match &facts.expr(func).kind {
        ExprKind::Attribute { attr, .. } => Some(attr),
        _ => None,
    }
}

/// The plain function that returns a call, or the `gather` that it is given to.
fn returner(facts: &Facts, mut at: ExprId) -> Option<loopmend_python::facts::FunctionId> {
    loop {
        match facts.expr(at).parent {
            Parent::Stmt(stmt) => {
                let StmtKind::Return(Some(_)) = facts.stmt(stmt).kind else { return None };
                let function = facts.stmt(stmt).function;
                let of = facts.function(function);
                let plain = matches!(of.definition, Definition::Def(_)) && !of.is_async && !of.is_generator;
                return plain.then_some(function);
            }
            Parent::Expr(up) => match facts.expr(up).kind {
                ExprKind::Call { func, .. } if func != at && waits_for_all(facts, func) => at = up,
                _ => return None,
            },
            Parent::None => return None,
        }
    }
}

fn waits_for_all(facts: &Facts, func: ExprId) -> bool {
    matches!(last_name(facts, func), Some("gather" | "shield" | "wait_for"))
}

/// What a plain function gives to close, where that is all that it gives.
pub(super) fn given_close(life: &Lifecycle, function: FunctionRef, left: u8) -> Option<Closing> {
    let facts = life.facts(function.file);
    let of = facts.function(function.id);
    let left = left.checked_sub(1)?;
    if of.is_async || of.is_generator || !matches!(of.definition, Definition::Def(_)) {
        return None;
    }
    // A function whose last statement does not return may give `None` too, which can't be awaited.
    let last = of.body.last()?;
    if !matches!(facts.stmt(*last).kind, StmtKind::Return(_)) {
        return None;
    }
    let mut returned = Vec::new();
    facts.walk(&of.body, &mut |stmt| {
        if let StmtKind::Return(value) = facts.stmt(stmt).kind {
            returned.push(value);
        }
    });
    let mut closing: Option<Closing> = None;
    for value in returned {
        let next = close_in(life, ExprRef { file: function.file, id: value? }, left)?;
        closing.get_or_insert(next);
    }
    closing
}

fn close_in(life: &Lifecycle, value: ExprRef, left: u8) -> Option<Closing> {
    let facts = life.facts(value.file);
    let ExprKind::Call { func, args, .. } = &facts.expr(value.id).kind else { return None };
    if waits_for_all(facts, *func) {
        return args.iter().find_map(|&arg| close_in(life, value.with(arg), left));
    }
    closing_coroutine(life, value, left)
}
