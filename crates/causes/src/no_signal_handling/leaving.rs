//! How a loop that looks endless is left.

use loopmend_python::facts::{ExprKind, Facts, Slot, StmtId, StmtKind};

use super::answer::type_names;

/// Calls that end what stands below them after a time.
const TIMEOUTS: &[&str] = &["timeout", "timeout_at", "move_on_after", "fail_after", "move_on_at", "fail_at"];

/// Whether a loop may be left by more than an exception: by `break` or `return` that is no answer to a cancellation.
pub(super) fn leaves(facts: &Facts, outer: StmtId, body: &[StmtId]) -> bool {
    let mut found = false;
    facts.walk(body, &mut |stmt| {
        let out = match facts.stmt(stmt).kind {
            StmtKind::Return(_) => true,
            StmtKind::Break => {
                let around = facts.ancestors(stmt).find(|&(up, slot)| {
                    slot == Slot::Body
                        && matches!(facts.stmt(up).kind, StmtKind::While { .. } | StmtKind::For { .. })
                });
                around.is_some_and(|(up, _)| up == outer)
            }
            _ => false,
        };
        found |= out && !answers_a_cancellation(facts, stmt);
    });
    found
}

fn answers_a_cancellation(facts: &Facts, stmt: StmtId) -> bool {
    facts.ancestors(stmt).any(|(up, slot)| match (&facts.stmt(up).kind, slot) {
        (StmtKind::Try { handlers, .. }, Slot::Handler(index)) => {
            let types = handlers.get(index as usize).and_then(|handler| handler.types);
            types.is_some_and(|types| {
                let names = type_names(facts, types);
                !names.is_empty()
                    && names.iter().all(|name| {
                        matches!(name.as_str(), "CancelledError" | "KeyboardInterrupt" | "SystemExit")
                    })
            })
        }
        _ => false,
    })
}

/// Whether a statement stands below a limit of time.
pub(super) fn ends_after_a_time(facts: &Facts, stmt: StmtId) -> bool {
    facts.ancestors(stmt).any(|(up, _)| match &facts.stmt(up).kind {
        StmtKind::With { items, .. } => items.iter().any(|item| {
            let called = match facts.expr(item.context).kind {
                ExprKind::Call { func, .. } => facts.dotted(func),
                _ => None,
            };
            called.is_some_and(|name| TIMEOUTS.contains(&name.rsplit('.').next().unwrap_or_default()))
        }),
        _ => false,
    })
}
