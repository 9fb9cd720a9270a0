//! The coroutines behind what a coroutine waits for.

use std::collections::BTreeMap;
use std::sync::Arc;

use loopmend_python::facts::ExprKind;
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, TaskActKind};

/// The coroutines that a call is given, or tasks of them.
pub(super) fn given(life: &Lifecycle, call: ExprRef) -> Vec<FunctionRef> {
    let facts = life.facts(call.file);
    let ExprKind::Call { args, .. } = &facts.expr(call.id).kind else { return Vec::new() };
    let mut found: Vec<FunctionRef> = args
        .iter()
        .map(|&id| match facts.expr(id).kind {
            ExprKind::Starred(value) => value,
            _ => id,
        })
        .flat_map(|id| life.coroutines_in(call.with(id)))
        .collect();
    found.extend(WaitedTasks::of(life).at(call));
    found
}

/// The coroutines that an awaited value is, or that it is a task of.
pub(super) fn waited_runs(life: &Lifecycle, value: ExprRef) -> impl Iterator<Item = FunctionRef> {
    let wait = life.facts(value.file).parent_expr(value.id).map_or(value, |up| value.with(up));
    life.coroutines_in(value).into_iter().chain(WaitedTasks::of(life).at(wait))
}

/// What runs in the tasks that are waited for at a place.
struct WaitedTasks(BTreeMap<ExprRef, Vec<FunctionRef>>);

impl WaitedTasks {
    fn of(life: &Lifecycle) -> Arc<Self> {
        life.once(|life| {
            let mut found: BTreeMap<ExprRef, Vec<FunctionRef>> = BTreeMap::default();
            for task in life.tasks() {
                for act in &task.acts {
                    if let TaskActKind::Waited(at) = act.kind {
                        found.entry(at).or_default().extend(&task.runs);
                    }
                }
            }
            Self(found)
        })
    }

    fn at(&self, place: ExprRef) -> Vec<FunctionRef> {
        self.0.get(&place).cloned().unwrap_or_default()
    }
}
