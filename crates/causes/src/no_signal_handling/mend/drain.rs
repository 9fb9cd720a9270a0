//! A loop that waits for its next job without a limit stops waiting when it is told to, and finishes the job in hand.

use loopmend_python::facts::{ExprKind, Facts, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, Lifecycle};

use super::super::endless::Endless;
use super::by_hand;
use crate::Declined;
use crate::own_loop::{Steps, asyncio_in, free_name};

/// The wait for the next job ends when the event is set; a job that came is worked on to its end.
pub(super) fn raced(
    life: &Lifecycle,
    endless: &Endless,
    call: ExprRef,
    stopping: &str,
    steps: &mut Steps,
) -> Result<(), Declined> {
    let facts = life.facts(call.file);
    let stmt = facts.stmt_of(call.id).ok_or_else(by_hand)?;
    let StmtKind::Assign { targets, value } = &facts.stmt(stmt).kind else { return Err(by_hand()) };
    let ([target], ExprKind::Await(awaited)) = (&targets[..], &facts.expr(*value).kind) else {
        return Err(by_hand());
    };
    if *awaited != call.id || !breaks_out(facts, stmt, endless.stmt) || !works(facts, endless.stmt) {
        return Err(by_hand());
    }
    let asyncio = asyncio_in(life, call.file);
    let name = |wanted: &[&str]| free_name(facts, endless.function.id, wanted);
    let (waiting, stopped) = (name(&["waiting", "next_job"]), name(&["stopped", "told_to_stop"]));
    let source = life.source(call);
    let result = format!("{} = {waiting}.result()", life.source(call.with(*target)));
    steps.before(
        life,
        call.file,
        endless.stmt,
        format!("{stopped} = {asyncio}.create_task({stopping}.wait())"),
    );
    steps.before(
        life,
        call.file,
        stmt,
        format!(
            "{waiting} = {asyncio}.ensure_future({source})\n\
             await {asyncio}.wait({{{waiting}, {stopped}}}, return_when={asyncio}.FIRST_COMPLETED)\n\
             if not {waiting}.done():\n    {waiting}.cancel()\n    await {asyncio}.wait({{{waiting}}})\n    break"
        ),
    );
    steps.replace(facts.stmt(stmt).range, result);
    Ok(())
}

/// Whether a `break` in a statement's place leaves the loop and runs nothing else.
fn breaks_out(facts: &Facts, stmt: StmtId, outer: StmtId) -> bool {
    for (up, _) in facts.ancestors(stmt) {
        match &facts.stmt(up).kind {
            _ if up == outer => return true,
            StmtKind::Try { finally, .. } if finally.is_empty() => {}
            StmtKind::With { .. } => {}
            _ => return false,
        }
    }
    false
}

/// Whether the loop awaits more than its next job: what a cancellation would cut in two.
fn works(facts: &Facts, stmt: StmtId) -> bool {
    let mut awaits = 0;
    facts.walk_exprs(&[stmt], &mut |id| {
        awaits += usize::from(matches!(facts.expr(id).kind, ExprKind::Await(_)));
    });
    awaits > 1
}
