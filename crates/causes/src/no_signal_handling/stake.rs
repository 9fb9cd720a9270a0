//! What is lost when a process ends without its cleanup.

use loopmend_python::facts::{ExprKind, Facts, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Kind, Lifecycle, Run, StmtRef, Value};

use super::answer::type_names;
use super::endless::{Endless, endless};
use crate::Spot;

/// A cleanup that a SIGTERM skips.
pub(super) struct Stake {
    /// Where it is.
    pub(super) spot: Spot,
    /// What becomes of it.
    pub(super) words: &'static str,
    /// It only closes what the end of a process closes as well.
    pub(super) light: bool,
}

/// The first cleanup that a SIGTERM skips, one that the process's end does not do by itself before others.
pub(super) fn at_stake(life: &Lifecycle, main: FunctionRef, run: &Run, endless: &Endless) -> Option<Stake> {
    let mut found: Vec<Stake> = endless.steps(life).into_iter().flat_map(|step| around(life, step)).collect();
    if !found.iter().any(|stake| !stake.light) {
        found.extend(beside(life, main, endless));
    }
    if !found.iter().any(|stake| !stake.light) {
        found.extend(behind(life, run));
    }
    let best = found.iter().position(|stake| !stake.light).unwrap_or(0);
    (best < found.len()).then(|| found.swap_remove(best))
}

/// The cleanup around a statement of a function.
pub(super) fn around(life: &Lifecycle, step: StmtRef) -> Vec<Stake> {
    let facts = life.facts(step.file);
    let spot = |stmt| Spot::stmt(life, StmtRef { file: step.file, id: stmt });
    let mut found = Vec::new();
    for (up, slot) in facts.ancestors(step.id) {
        match &facts.stmt(up).kind {
            StmtKind::Try { handlers, finally, .. } if slot != Slot::Finally => {
                let answer = handlers.iter().find(|handler| {
                    handler.types.is_some_and(|types| {
                        type_names(facts, types).iter().any(|name| name == "CancelledError")
                    })
                });
                let answer = answer.and_then(|handler| handler.body.first()).filter(|&&first| {
                    !matches!(
                        facts.stmt(first).kind,
                        StmtKind::Raise { .. } | StmtKind::Pass | StmtKind::Break | StmtKind::Return(_)
                    )
                });
                if let Some(&first) = finally.first().or(answer) {
                    found.push(Stake { spot: spot(first), words: "this cleanup is skipped", light: false });
                }
            }
            StmtKind::With { items, .. } => {
                for item in items {
                    let context = ExprRef { file: step.file, id: item.context };
                    if let Some(light) = held(life, context) {
                        let spot = Spot::expr(life, context);
                        found.push(Stake { spot, words: "what is open here is not closed", light });
                    }
                }
            }
            _ => {}
        }
    }
    let outer = facts.ancestors(step.id).last().map_or(step.id, |(up, _)| up);
    let (block, place) = facts.block_of(outer);
    let after = block.get(place + 1..).unwrap_or_default().iter().copied().find(|&stmt| calls(facts, stmt));
    found.extend(after.map(|stmt| Stake { spot: spot(stmt), words: "this is never reached", light: false }));
    found
}

/// Whether a context manager holds something that needs an end, and if so whether the process's end is one: of a library's
/// client it is, of a lock on a server or a class of the tree it is not.
fn held(life: &Lifecycle, context: ExprRef) -> Option<bool> {
    const PASSING: &[&str] = &[
        "suppress",
        "timeout",
        "timeout_at",
        "TaskGroup",
        "create_task_group",
        "catch_warnings",
        "Lock",
        "Semaphore",
        "BoundedSemaphore",
        "nullcontext",
        "redirect_stdout",
        "redirect_stderr",
        "Runner",
    ];
    const KEPT: &[&str] =
        &["lock", "lease", "producer", "writer", "transaction", "tempdir", "temporarydirectory", "exitstack"];
    let facts = life.facts(context.file);
    let name = life.last_part(context)?;
    if PASSING.contains(&name.as_str()) {
        return None;
    }
    let own_lock = life.infer(context).iter().any(|value| {
        value
            .external_class()
            .is_some_and(|class| class.starts_with("asyncio.") || class.starts_with("threading."))
    });
    if own_lock && !matches!(facts.expr(context.id).kind, ExprKind::Call { .. }) {
        return name.to_lowercase().contains("server").then_some(true);
    }
    let lower = name.to_lowercase();
    let of_tree = matches!(facts.expr(context.id).kind, ExprKind::Call { .. })
        && !life.callees(context).is_empty()
        || life.infer(context).iter().any(|value| matches!(value, Value::Instance(Kind::Class(_), _)));
    Some(!of_tree && !KEPT.iter().any(|kept| lower.contains(kept)))
}

fn calls(facts: &Facts, stmt: StmtId) -> bool {
    let mut found = false;
    facts.walk_exprs(&[stmt], &mut |id| {
        let ExprKind::Call { func, .. } = facts.expr(id).kind else { return };
        let name = facts.dotted(func).unwrap_or_default();
        let last = name.rsplit('.').next().unwrap_or_default();
        found |= !matches!(last, "print" | "info" | "debug" | "warning" | "error" | "exit");
    });
    found && !matches!(facts.stmt(stmt).kind, StmtKind::Function(_) | StmtKind::Class(..))
}

/// Cleanup in the tasks that run beside.
fn beside(life: &Lifecycle, main: FunctionRef, endless_main: &Endless) -> Vec<Stake> {
    let on_the_way = endless_main.functions();
    life.reachable(main)
        .into_iter()
        .filter(|function| !on_the_way.contains(function))
        .filter(|function| life.facts(function.file).function(function.id).is_coroutine())
        .filter_map(|function| endless(life, function))
        .flat_map(|own| own.steps(life))
        .flat_map(|step| around(life, step))
        .collect()
}

/// Cleanup behind the run itself.
fn behind(life: &Lifecycle, run: &Run) -> Vec<Stake> {
    let facts = life.facts(run.call.file);
    let Some(stmt) = facts.stmt_of(run.call.id) else { return Vec::new() };
    let mut found = around(life, StmtRef { file: run.call.file, id: stmt });
    let exit = facts
        .attributes
        .get("register")
        .into_iter()
        .chain(facts.loads.get("register"))
        .flatten()
        .filter_map(|&id| facts.parent_expr(id))
        .map(|id| run.call.with(id))
        .find(|&call| life.calls_any(call, &["atexit.register"]));
    found.extend(exit.map(|call| Stake {
        spot: Spot::expr(life, call),
        words: "what is registered here does not run",
        light: false,
    }));
    found
}
