//! What the code around a statement does with a cancellation, and with Ctrl-C.

use loopmend_python::facts::{ExprId, ExprKind, Facts, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, Lifecycle, StmtRef};

/// Last names of the classes that an `except` names.
pub(super) fn type_names(facts: &Facts, types: ExprId) -> Vec<String> {
    let list = match &facts.expr(types).kind {
        ExprKind::Tuple(items) => items.to_vec(),
        _ => vec![types],
    };
    list.into_iter()
        .filter_map(|id| facts.dotted(id))
        .map(|name| name.rsplit('.').next().unwrap_or_default().to_owned())
        .collect()
}

/// Whether an exception that a cancellation is would be taken and forgotten on the way: the statement that does it.
pub(super) fn swallows(life: &Lifecycle, step: StmtRef) -> Option<StmtId> {
    let facts = life.facts(step.file);
    let forgets = |stmt: StmtId| match &facts.stmt(stmt).kind {
        StmtKind::Try { handlers, .. } => handlers.iter().any(|handler| {
            let takes = handler.types.is_none_or(|types| {
                type_names(facts, types)
                    .iter()
                    .any(|name| matches!(name.as_str(), "CancelledError" | "BaseException"))
            });
            let mut goes = false;
            facts.walk(&handler.body, &mut |inner| {
                goes |= matches!(
                    facts.stmt(inner).kind,
                    StmtKind::Raise { .. } | StmtKind::Return(_) | StmtKind::Break
                );
            });
            takes && !goes
        }),
        _ => false,
    };
    // Inside the loop, or between it and a loop around it.
    let mut inner = None;
    if matches!(facts.stmt(step.id).kind, StmtKind::While { .. } | StmtKind::For { .. }) {
        facts.walk(&[step.id], &mut |stmt| {
            if forgets(stmt) {
                inner.get_or_insert(stmt);
            }
        });
    }
    inner
}

/// Whether a function's way to a statement has a handler for `CancelledError` of its own.
pub(super) fn catches(facts: &Facts, stmt: StmtId) -> Option<StmtId> {
    facts.ancestors(stmt).find_map(|(up, slot)| match &facts.stmt(up).kind {
        StmtKind::Try { handlers, .. } if slot == Slot::Body => handlers
            .iter()
            .any(|handler| {
                handler.types.is_none_or(|types| {
                    type_names(facts, types)
                        .iter()
                        .any(|name| matches!(name.as_str(), "CancelledError" | "BaseException"))
                })
            })
            .then_some(up),
        _ => None,
    })
}

/// The statement around a run by which a program answers Ctrl-C itself: `try` with `except KeyboardInterrupt`, or a `suppress`.
pub(super) fn answers_interrupt(life: &Lifecycle, at: ExprRef) -> Option<StmtId> {
    let facts = life.facts(at.file);
    let found = facts.ancestors(facts.stmt_of(at.id)?).find(|&(up, slot)| match &facts.stmt(up).kind {
        StmtKind::Try { handlers, .. } if slot == Slot::Body => handlers.iter().any(|handler| {
            handler
                .types
                .is_some_and(|types| type_names(facts, types).iter().any(|name| name == "KeyboardInterrupt"))
        }),
        StmtKind::With { items, .. } => items.iter().any(|item| {
            let ExprKind::Call { args, .. } = &facts.expr(item.context).kind else { return false };
            args.iter().any(|&arg| facts.dotted(arg).is_some_and(|name| name.ends_with("KeyboardInterrupt")))
        }),
        _ => false,
    });
    found.map(|(stmt, _)| stmt)
}
