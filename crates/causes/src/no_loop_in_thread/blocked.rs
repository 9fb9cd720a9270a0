//! Whether the loop's own thread waits for the thread that waits for the loop.

use loopmend_python::facts::{ExprKind, Facts, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Ground, Kind, Lifecycle, Origin, Value};

use crate::thread::{class_of, is_thread, starts};

/// A place where the loop is blocked until a thread ends: a coroutine that the thread waits for would never run.
pub(super) fn blocked(life: &Lifecycle, function: FunctionRef) -> Option<ExprRef> {
    let calls = starts(life, function);
    if let Some(&call) = calls.iter().find(|&&call| in_executors_block(life, call)) {
        return Some(call);
    }
    let mut files: Vec<FileId> = calls.into_iter().map(|call| call.file).collect();
    files.push(function.file);
    if let Some(class) = class_of(life, function) {
        let made = life.flow(Origin::Class(class), false);
        files.extend(made.uses.iter().map(|at| at.expr.file));
    }
    files.sort_unstable();
    files.dedup();
    files.into_iter().find_map(|file| {
        let facts = life.facts(file);
        let waits = ["join", "shutdown", "result"].into_iter().filter_map(|name| facts.attributes.get(name));
        waits.flatten().map(|&id| ExprRef { file, id }).find(|&at| waits_for_thread(life, at))
    })
}

/// Whether an attribute is called on a thread or an executor's future, where a loop runs.
fn waits_for_thread(life: &Lifecycle, at: ExprRef) -> bool {
    let facts = life.facts(at.file);
    let ExprKind::Attribute { value, attr } = &facts.expr(at.id).kind else { return false };
    let Some(call) = facts.parent_expr(at.id) else { return false };
    let ExprKind::Call { func, args, .. } = &facts.expr(call).kind else { return false };
    let awaited = facts.parent_expr(call).is_some_and(|up| matches!(facts.expr(up).kind, ExprKind::Await(_)));
    if *func != at.id || awaited || !runs_loop(life, at) {
        return false;
    }
    let values = life.infer(at.with(*value));
    values.iter().any(|value| match value {
        Value::Instance(Kind::Class(class), _) => is_thread(life, *class),
        Value::Unknown => attr == "join" && args.is_empty(),
        other => other
            .external_class()
            .is_some_and(|class| class.starts_with("threading.") || class.starts_with("concurrent.futures.")),
    })
}

fn runs_loop(life: &Lifecycle, at: ExprRef) -> bool {
    let function = FunctionRef { file: at.file, id: life.facts(at.file).function_of(at.id) };
    life.grounds(function).iter().any(Ground::runs_loop)
}

/// Whether a job is handed to an executor whose block waits for it, in a coroutine.
fn in_executors_block(life: &Lifecycle, call: ExprRef) -> bool {
    let facts = life.facts(call.file);
    let submits = matches!(life.called_name(call).as_deref(), Some("submit" | "map"));
    submits
        && runs_loop(life, call)
        && facts.stmt_of(call.id).is_some_and(|stmt| {
            facts.ancestors(stmt).any(|(up, _)| match &facts.stmt(up).kind {
                StmtKind::With { items, is_async: false, .. } => {
                    items.iter().any(|item| is_executor(facts, call.with(item.context)))
                }
                _ => false,
            })
        })
}

fn is_executor(facts: &Facts, context: ExprRef) -> bool {
    let ExprKind::Call { func, .. } = facts.expr(context.id).kind else { return false };
    facts.dotted(func).is_some_and(|name| name.ends_with("Executor"))
}
