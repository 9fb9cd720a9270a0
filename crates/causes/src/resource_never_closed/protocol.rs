//! Transports that their protocol has: the loop gives them to its `connection_made`.

use loopmend_python::facts::{ExprKind, StmtKind};
use loopmend_python::lifecycle::{ExprRef, Lifecycle};

/// Whether of `transport, protocol = await …` only the protocol is used: it closes the transport, or who has it does.
pub(super) fn has_transport(life: &Lifecycle, at: ExprRef) -> bool {
    let facts = life.facts(at.file);
    let Some(stmt) = facts.stmt_of(at.id) else { return false };
    let StmtKind::Assign { targets, value } = &facts.stmt(stmt).kind else { return false };
    let awaited = matches!(facts.expr(*value).kind, ExprKind::Await(inner) if inner == at.id);
    let [target] = targets[..] else { return false };
    let ExprKind::Tuple(pair) = &facts.expr(target).kind else { return false };
    let [transport, protocol] = pair[..] else { return false };
    let function = facts.function_of(at.id);
    let read = |id| {
        facts.name_of(id).map(|name| {
            facts.loads.get(name).into_iter().flatten().any(|&load| facts.function_of(load) == function)
        })
    };
    awaited && read(transport) == Some(false) && read(protocol) != Some(false)
}
