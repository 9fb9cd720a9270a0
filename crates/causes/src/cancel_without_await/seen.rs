//! Whether a cancelled task has something to do when it sees the cancel, and whether it is given the time.

use loopmend_python::facts::{ExprKind, Facts, Handler, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Task};

use super::found_in::Cancel;

/// Waits that let every other task have its turn.
const TURNS: &[&str] = &["asyncio.sleep", "anyio.sleep", "anyio.lowlevel.checkpoint", "asyncio.wait"];

/// Context managers that hold nothing that could be closed under a task.
const BOUNDS: &[&str] = &["timeout", "timeout_at", "move_on_after", "fail_after", "suppress", "CancelScope"];

/// Whether the function sleeps between the cancel and the close, so that the task has seen it by then.
pub(super) fn given_a_turn(life: &Lifecycle, cancel: &Cancel) -> bool {
    let facts = life.facts(cancel.call.file);
    let here =
        cancel.closed.file == cancel.call.file && facts.function_of(cancel.closed.id) == cancel.function.id;
    let start = facts.expr(cancel.call.id).range.end();
    let end = facts.expr(cancel.closed.id).range.start();
    let mut found = false;
    if here && start < end {
        facts.body_exprs(cancel.function.id, &mut |id| {
            if let ExprKind::Await(inner) = facts.expr(id).kind {
                let range = facts.expr(id).range;
                let call = ExprRef { file: cancel.call.file, id: inner };
                found |= range.start() >= start
                    && range.end() <= end
                    && matches!(facts.expr(inner).kind, ExprKind::Call { .. })
                    && life.calls_any(call, TURNS);
            }
        });
    }
    found
}

/// Whether what the task runs does something when it is cancelled: it waits, or touches what is closed, in a `finally` or a
/// handler, or it leaves an `async with`. Of a library's object that may be so inside the library.
pub(super) fn has_cleanup(life: &Lifecycle, task: &Task, closed: ExprRef) -> bool {
    let of_library = life
        .infer(closed)
        .iter()
        .any(|value| value.external_class().is_some_and(|class| !class.starts_with("asyncio.")));
    if of_library || task.runs.is_empty() {
        return true;
    }
    let name = life.last_part(closed);
    task.runs.iter().any(|&run| {
        life.reachable(run).into_iter().any(|function| cleans_up(life, function, name.as_deref()))
    })
}

fn cleans_up(life: &Lifecycle, function: FunctionRef, name: Option<&str>) -> bool {
    let facts = life.facts(function.file);
    let of = facts.function(function.id);
    let mut found = false;
    if of.is_async {
        facts.walk(&of.body, &mut |stmt| {
            found |= match &facts.stmt(stmt).kind {
                StmtKind::With { is_async: true, items, .. } => items.iter().any(|item| {
                    let context = ExprRef { file: function.file, id: item.context };
                    !life.called_name(context).is_some_and(|called| BOUNDS.contains(&called.as_str()))
                }),
                StmtKind::Try { handlers, finally, .. } => {
                    matters(facts, finally, name)
                        || handlers
                            .iter()
                            .any(|handler| is_told(facts, handler) && matters(facts, &handler.body, name))
                }
                _ => false,
            };
        });
    }
    found
}

/// `except CancelledError`, `except BaseException`, `except:`.
fn is_told(facts: &Facts, handler: &Handler) -> bool {
    let Some(types) = handler.types else { return true };
    let mut found = false;
    facts.descend(types, &mut |id| {
        found |=
            facts.dotted(id).is_some_and(|name| name.ends_with("CancelledError") || name == "BaseException");
    });
    found
}

/// Whether a block waits, or touches what is closed.
fn matters(facts: &Facts, block: &[StmtId], name: Option<&str>) -> bool {
    let mut found = false;
    facts.walk_exprs(block, &mut |id| {
        found |= match &facts.expr(id).kind {
            ExprKind::Await(_) => true,
            ExprKind::Name(part) | ExprKind::Attribute { attr: part, .. } => Some(part.as_str()) == name,
            _ => false,
        };
    });
    facts.walk(block, &mut |stmt| {
        found |= matches!(
            facts.stmt(stmt).kind,
            StmtKind::With { is_async: true, .. } | StmtKind::For { is_async: true, .. }
        );
    });
    found
}
