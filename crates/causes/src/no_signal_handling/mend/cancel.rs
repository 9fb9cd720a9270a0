//! The signals cancel the main task, as Ctrl-C does.

use loopmend_python::edit::ImportRequest;
use loopmend_python::facts::{Facts, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{FunctionRef, Lifecycle, Run, StmtRef};

use super::super::answer::{catches, swallows};
use super::super::endless::Endless;
use super::by_hand;
use super::install::{Install, declare, local};
use crate::own_loop::{Steps, asyncio_in, free_name};
use crate::{Declined, Mend, Spot};

/// SIGTERM does what Ctrl-C does, to which the program has an answer of its own.
///
/// A cancellation that the main coroutine took would keep `asyncio.run` from raising the `KeyboardInterrupt`.
pub(super) fn as_interrupt(
    life: &Lifecycle,
    run: &Run,
    answer: StmtId,
    mend: &mut Mend,
) -> Result<(), Declined> {
    let file = run.call.file;
    let signal = local(life, file, "signal");
    let mut steps = Steps::default();
    let line =
        format!("{signal}.signal({signal}.SIGTERM, lambda *_: {signal}.raise_signal({signal}.SIGINT))");
    steps.before(life, file, answer, line);
    steps.import(ImportRequest::module("signal"));
    mend.edit(life, file, steps.edits(life, file, false)?);
    declare(mend, &["raise_signal"]);
    Ok(())
}

/// Declined where the work takes a cancellation and goes on.
pub(super) fn takes_a_cancellation(life: &Lifecycle, endless: &Endless) -> Result<(), Declined> {
    for step in endless.steps(life) {
        if let Some(stmt) = swallows(life, step) {
            let at = Spot::stmt(life, StmtRef { file: step.file, id: stmt }).location(life);
            return Err(Declined::because(format!(
                "the `try` in {}:{} takes every cancellation and goes on: re-raise CancelledError there, then let SIGTERM cancel the main task",
                at.path, at.line
            )));
        }
    }
    Ok(())
}

/// The main task is cancelled, and what follows its work runs.
pub(super) fn cancelled(
    life: &Lifecycle,
    main: FunctionRef,
    endless: &Endless,
    signals: &'static [&'static str],
    mend: &mut Mend,
) -> Result<(), Declined> {
    let first = endless.steps(life).first().copied().ok_or_else(by_hand)?;
    let facts = life.facts(main.file);
    let install = Install::new(life, main, signals);
    let task = free_name(facts, main.id, &["task", "main_task", "running"]);
    let asyncio = asyncio_in(life, main.file);
    let mut steps = Steps::default();
    let handlers = install.handlers(life, &format!("{task}.cancel"))?;
    let lines = format!("{task} = {asyncio}.current_task()\n{handlers}");
    install.at_start(life, &mut steps, &lines)?;
    if let Some(stmt) = to_wrap(facts, first.id) {
        if binds(facts, stmt) {
            return Err(by_hand());
        }
        let contextlib = local(life, main.file, "contextlib");
        steps.wrap(life, main.file, stmt, format!("with {contextlib}.suppress({asyncio}.CancelledError):"));
        steps.import(ImportRequest::module("contextlib"));
    }
    let edits = steps.edits(life, main.file, true)?;
    mend.edit(life, main.file, edits);
    declare(mend, &["current_task", "cancel", "suppress"]);
    Ok(())
}

/// The statement that a cancellation ends; none where the coroutine takes it itself.
fn to_wrap(facts: &Facts, stmt: StmtId) -> Option<StmtId> {
    let mut at = out_of_loops(facts, stmt);
    while let Some(outer) = catches(facts, at) {
        let StmtKind::Try { handlers, .. } = &facts.stmt(outer).kind else { return None };
        let mut raises = false;
        for handler in handlers {
            facts.walk(&handler.body, &mut |inner| {
                raises |= matches!(facts.stmt(inner).kind, StmtKind::Raise { .. });
            });
        }
        if !raises {
            return None;
        }
        at = out_of_loops(facts, outer);
    }
    Some(at)
}

fn out_of_loops(facts: &Facts, stmt: StmtId) -> StmtId {
    facts
        .ancestors(stmt)
        .filter(|&(up, slot)| {
            slot == Slot::Body && matches!(facts.stmt(up).kind, StmtKind::While { .. } | StmtKind::For { .. })
        })
        .last()
        .map_or(stmt, |(up, _)| up)
}

/// Whether a statement binds what would be missing after a cancellation.
fn binds(facts: &Facts, stmt: StmtId) -> bool {
    let StmtKind::Assign { targets, .. } = &facts.stmt(stmt).kind else { return false };
    targets.iter().any(|&target| facts.name_of(target).is_none_or(|name| facts.loads.contains_key(name)))
}
