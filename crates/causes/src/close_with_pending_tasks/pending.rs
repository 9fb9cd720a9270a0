//! Tasks that may not be done when a loop ends.

use std::collections::BTreeSet;

use loopmend_python::facts::{ExprKind, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, LoopHandle, LoopOperation, Task};

/// A task that nothing waits for.
pub(super) struct Pending<'l> {
    pub(super) task: &'l Task,
    /// It never ends by itself.
    pub(super) endless: bool,
}

/// The tasks on a loop that nothing ends before the loop does; none where all are cancelled by `all_tasks()`.
pub(super) fn pending<'l>(life: &'l Lifecycle, handle: &LoopHandle, end: &LoopOperation) -> Vec<Pending<'l>> {
    let mut inside: BTreeSet<FunctionRef> = BTreeSet::new();
    let operations: BTreeSet<ExprRef> = handle.operations.iter().map(|act| act.at).collect();
    for run in life.runs().iter().filter(|run| operations.contains(&run.call)) {
        for &coroutine in &run.coroutines {
            inside.extend(life.reachable(coroutine));
        }
    }
    let mut found: Vec<Pending<'l>> = Vec::new();
    // A task's coroutine may start tasks itself.
    loop {
        let before = found.len();
        for task in life.tasks() {
            let here = operations.contains(&task.call) || inside.contains(&task.function);
            let known = found.iter().any(|pending| pending.task.call == task.call);
            if !here || known {
                continue;
            }
            for &run in &task.runs {
                inside.extend(life.reachable(run));
            }
            if task.waited() || task.cancels().next().is_some() || task.handed() {
                continue;
            }
            let endless = task.runs.iter().any(|&run| never_ends(life, run));
            found.push(Pending { task, endless });
        }
        if found.len() == before {
            break;
        }
    }
    let mut around = inside;
    around.insert(end.function);
    around.extend(life.reachable(end.function));
    around.extend(handle.operations.iter().map(|act| act.function));
    if around.iter().any(|&function| gathers_all(life, function)) { Vec::new() } else { found }
}

fn gathers_all(life: &Lifecycle, function: FunctionRef) -> bool {
    let facts = life.facts(function.file);
    let named = facts.attributes.contains_key("all_tasks") || facts.loads.contains_key("all_tasks");
    let mut found = false;
    if named {
        facts.body_exprs(function.id, &mut |id| {
            found |= matches!(&facts.expr(id).kind, ExprKind::Attribute { attr: name, .. } | ExprKind::Name(name)
                if name == "all_tasks");
        });
    }
    found
}

/// Whether a coroutine has a loop without a way out: `while True` with no `break` or `return` in it.
fn never_ends(life: &Lifecycle, function: FunctionRef) -> bool {
    let facts = life.facts(function.file);
    let mut found = false;
    facts.walk(&facts.function(function.id).body, &mut |stmt| {
        let StmtKind::While { test, body, .. } = &facts.stmt(stmt).kind else { return };
        if !matches!(facts.expr(*test).kind, ExprKind::Bool(true) | ExprKind::Int(1)) {
            return;
        }
        let mut leaves = false;
        facts.walk(body, &mut |inner| {
            leaves |= matches!(facts.stmt(inner).kind, StmtKind::Return(_))
                || matches!(facts.stmt(inner).kind, StmtKind::Break)
                    && !facts.ancestors(inner).take_while(|(outer, _)| *outer != stmt).any(|(outer, _)| {
                        matches!(facts.stmt(outer).kind, StmtKind::For { .. } | StmtKind::While { .. })
                    });
        });
        found |= !leaves;
    });
    found
}
