//! What goes into the coroutine by name, and what comes out of it.

use std::collections::BTreeSet;

use loopmend_python::facts::{
    BindingId, BindingKind, ExprId, Facts, MODULE, Name, Slot, StmtId, StmtKind, TextRange,
};
use loopmend_python::lifecycle::{ExprRef, Lifecycle, Lookup};

use super::Region;
use crate::Declined;

/// Names on the border of a region.
#[derive(Clone, Debug, Default)]
pub struct Variables {
    /// Read inside, bound outside; in order of their first read.
    pub parameters: Vec<Name>,
    /// Bound inside, read after; in order of their binding.
    pub results: Vec<Name>,
    /// Of a module: bound inside, read by functions of it or of others.
    pub globals: Vec<Name>,
}

impl Variables {
    /// Of a region; names in `without` go away.
    pub fn of(life: &Lifecycle, region: &Region, without: &BTreeSet<Name>) -> Result<Self, Declined> {
        let facts = life.facts(region.file);
        let range = region.range(life);
        let function = region.function;
        let receiver = facts.function(function.id).receiver().cloned();
        let mut found = Self::default();
        let mut first_read: Vec<(u32, Name)> = Vec::new();
        let scope = &facts.scopes[function.id.index()];
        let mut names: Vec<&Name> = scope.keys().collect();
        names.sort();
        for name in names {
            if without.contains(name) || receiver.as_ref() == Some(name) {
                continue;
            }
            let bindings = &scope[name];
            let bound: BTreeSet<usize> =
                bindings.iter().filter(|&&id| binds_within(facts, id, range)).map(|id| id.index()).collect();
            let loads = life.loads_of(region.file, function.id, name);
            let outer = |load: &ExprRef| match life.lookup(*load, name) {
                Lookup::Bound(_, ids) => ids.iter().any(|id| !bound.contains(&id.index())),
                _ => false,
            };
            let (inner_loads, outer_loads): (Vec<ExprRef>, Vec<ExprRef>) =
                loads.iter().partition(|load| range.contains_range(facts.expr(load.id).range));
            let changed = bindings.iter().any(|&id| {
                bound.contains(&id.index()) && matches!(facts.binding(id).kind, BindingKind::Changed(_))
            });
            let has_outer = bindings.iter().any(|id| !bound.contains(&id.index()));
            let needs = inner_loads.iter().any(outer) || changed && has_outer;
            let read = inner_loads.iter().map(|load| facts.expr(load.id).range.start().to_u32()).min();
            if needs && (function.id != MODULE || !bound.is_empty() || nested_only(facts, bindings)) {
                first_read.push((read.unwrap_or(u32::MAX), name.clone()));
            }
            if bound.is_empty() {
                continue;
            }
            let reached = outer_loads.iter().any(|load| match life.lookup(*load, name) {
                Lookup::Bound(_, ids) => ids.iter().any(|id| bound.contains(&id.index())),
                _ => false,
            });
            if !reached {
                continue;
            }
            if function.id == MODULE && outer_loads.iter().any(|load| facts.function_of(load.id) != MODULE) {
                if needs {
                    return Err(Declined::because(format!(
                        "`{name}` is changed between the runs and read elsewhere: put the steps into one coroutine by hand"
                    )));
                }
                found.globals.push(name.clone());
                continue;
            }
            let definite = needs
                || bindings.iter().any(|&id| {
                    bound.contains(&id.index())
                        && facts.binding(id).stmt.is_some_and(|stmt| always(life, region, stmt))
                });
            if !definite && !region.returns {
                return Err(Declined::because(format!(
                    "`{name}` is bound on some ways between the runs only and needed after them: put the steps into one coroutine by hand"
                )));
            }
            found.results.push(name.clone());
        }
        let place = |name: &Name| {
            scope[name]
                .iter()
                .filter_map(|&id| facts.binding(id).target)
                .map(|target| start(facts, target))
                .min()
        };
        found.results.sort_by_key(place);
        first_read.sort();
        found.parameters = first_read.into_iter().map(|(_, name)| name).collect();
        Ok(found)
    }
}

fn start(facts: &Facts, expr: ExprId) -> u32 {
    facts.expr(expr).range.start().to_u32()
}

/// Whether a binding takes place in a range: its target, or for a definition or import its statement.
fn binds_within(facts: &Facts, id: BindingId, range: TextRange) -> bool {
    let binding = facts.binding(id);
    match (binding.target, binding.stmt) {
        (Some(target), _) => range.contains_range(facts.expr(target).range),
        (None, Some(stmt)) => range.contains_range(facts.stmt(stmt).range),
        (None, None) => false,
    }
}

/// Names of a module that are bound in a block of it only (`if __name__ == "__main__":`), not at its top.
fn nested_only(facts: &Facts, bindings: &[BindingId]) -> bool {
    bindings.iter().all(|&id| {
        let binding = facts.binding(id);
        matches!(
            binding.kind,
            BindingKind::Value { .. } | BindingKind::Item { .. } | BindingKind::Enter { .. }
        ) && binding.stmt.is_some_and(|stmt| facts.stmt(stmt).parent.is_some())
    })
}

/// Whether a statement of the region runs on every way through it.
fn always(life: &Lifecycle, region: &Region, stmt: StmtId) -> bool {
    let facts = life.facts(region.file);
    let mut at = stmt;
    while !region.stmts.contains(&at) {
        let node = facts.stmt(at);
        let Some(up) = node.parent else { return false };
        let certain = match &facts.stmt(up).kind {
            StmtKind::With { .. } => true,
            StmtKind::Try { handlers, .. } => node.slot == Slot::Finally || handlers.is_empty(),
            _ => false,
        };
        if !certain {
            return false;
        }
        at = up;
    }
    // A `with` or `for` of the region binds its target: only `with` always does.
    !matches!(facts.stmt(stmt).kind, StmtKind::For { .. } | StmtKind::If { .. } | StmtKind::While { .. })
}
