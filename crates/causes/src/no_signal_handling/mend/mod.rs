//! A path from the signals to the end of the main coroutine.

mod cancel;
mod drain;
mod event;
mod install;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Run};

use super::answer::answers_interrupt;
use super::endless::{Endless, EndlessKind};
use super::handled::Handled;
use crate::{Declined, Mend};

pub(super) use install::{Install, declare};

/// What to do where no edit is sure.
pub(super) fn by_hand() -> Declined {
    Declined::because(
        "let SIGTERM set an asyncio.Event (loop.add_signal_handler) that the main coroutine waits for, so that its cleanup runs",
    )
}

/// The main coroutine ends on SIGTERM, and what stands behind or around its work runs.
pub(super) fn answered(
    life: &Lifecycle,
    main: FunctionRef,
    run: &Run,
    endless: &Endless,
    handled: &Handled,
    applicability: Applicability,
) -> Result<Mend, Declined> {
    if let Handled::Interrupt(calls) = handled {
        return install::terminate_too(life, calls, applicability);
    }
    called_by_runs_alone(life, main)?;
    if !matches!(endless.kind, EndlessKind::Event(_)) && endless.has_another(life) {
        return Err(Declined::because(
            "what stands behind it waits for tasks that never end either: cancel them there, and let SIGTERM set an event that the main coroutine waits for",
        ));
    }
    let signals = signals(life, run.call);
    let mut mend = Mend::new(applicability);
    let by_event = match &endless.kind {
        EndlessKind::Event(receiver) => event::set(life, endless, *receiver, signals, &mut mend),
        EndlessKind::Future(value) => event::instead(life, main, endless, *value, signals, &mut mend),
        EndlessKind::Loop => event::looked_at(life, main, endless, signals, &mut mend),
        EndlessKind::Work => Err(by_hand()),
    };
    if by_event.is_ok() {
        return Ok(mend);
    }
    // Tasks may wait for that event as well: they would not end with the main coroutine.
    if matches!(endless.kind, EndlessKind::Event(_)) {
        return Err(by_hand());
    }
    let mut mend = Mend::new(applicability);
    cancel::takes_a_cancellation(life, endless)?;
    match answers_interrupt(life, run.call) {
        Some(stmt) => cancel::as_interrupt(life, run, stmt, &mut mend)?,
        None => cancel::cancelled(life, main, endless, signals, &mut mend)?,
    }
    Ok(mend)
}

/// The signals to answer: Ctrl-C is left to a program that has its own answer.
pub(super) fn signals(life: &Lifecycle, run: ExprRef) -> &'static [&'static str] {
    if answers_interrupt(life, run).is_some() { &["SIGTERM"] } else { &["SIGTERM", "SIGINT"] }
}

/// Handlers belong into the coroutine that a run runs: elsewhere it may be awaited beside others, or in a thread.
fn called_by_runs_alone(life: &Lifecycle, main: FunctionRef) -> Result<(), Declined> {
    let elsewhere = life.call_sites(main).into_iter().find(|site| {
        let facts = life.facts(site.call.file);
        let caller = FunctionRef { file: site.call.file, id: facts.function_of(site.call.id) };
        life.run_around(site.call).is_none()
            && !life.is_test(caller)
            && !life.is_fixture(caller)
            && !handed_to_run(life, site.call)
    });
    match elsewhere {
        Some(site) => Err(Declined::because(format!(
            "`{}` is awaited by other coroutines too: answer SIGTERM in the one that the program starts with",
            life.source(site.call)
        ))),
        None => Ok(()),
    }
}

/// Whether a coroutine is made by this call for a run that has it by another name: `coro = main(); asyncio.run(coro)`.
fn handed_to_run(life: &Lifecycle, call: ExprRef) -> bool {
    life.flow_of(call).uses.iter().any(|at| {
        matches!(&at.kind, loopmend_python::lifecycle::UseKind::Argument { call, .. } if life.run_at(*call).is_some())
            || matches!(&at.kind, loopmend_python::lifecycle::UseKind::Method { call, .. } if life.run_at(*call).is_some())
    })
}
