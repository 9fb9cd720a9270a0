//! `loop-stopped`: a loop that drives a coroutine to its end is stopped before that.

mod mend;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{
    FunctionRef, HandleKind, Lifecycle, LoopAct, LoopHandle, LoopOperation, Run, RunKind,
};

use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

/// The cause.
pub struct LoopStopped;

const PAGE: Page = Page {
    title: "A loop is stopped before its coroutine is done",
    what: "`asyncio.run()` and `run_until_complete()` drive the loop until one coroutine is done. `loop.stop()`, mostly handed to a signal \
handler, ends the loop at once: the call raises, the coroutine is left where it stands, and its cleanup does not run in order.",
    log: "RuntimeError: Event loop stopped before Future completed.",
    wrong: "async def main():\n    loop = asyncio.get_running_loop()\n    loop.add_signal_handler(signal.SIGTERM, loop.stop)\n    await feed()\n\n\nasyncio.run(main())",
    right: "async def main():\n    loop = asyncio.get_running_loop()\n    task = asyncio.current_task()\n    loop.add_signal_handler(signal.SIGTERM, task.cancel)\n    \
with contextlib.suppress(asyncio.CancelledError):\n        await feed()\n\n\nasyncio.run(main())",
    unless: "With `run_forever()` the loop is ended by `stop()`: that is right (what must follow it is another matter).",
    prevent: "Let the main coroutine end: an `asyncio.Event` that it waits for, or a cancellation of its task.",
    symptoms: &["loop-stopped-before-future", "task-destroyed-pending", "task-destroyed-detail"],
};

/// What the mend needs.
pub(super) struct Detail {
    handle: LoopHandle,
    stops: Vec<LoopOperation>,
    run: Run,
}

impl Cause for LoopStopped {
    fn slug(&self) -> &'static str {
        "loop-stopped"
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        for handle in life.loops() {
            let stops: Vec<LoopOperation> = handle.acts(&LoopAct::Stop).cloned().collect();
            if stops.is_empty() || handle.does(&LoopAct::Forever) {
                continue;
            }
            if let Some(run) = driven_by(life, handle) {
                report.add(found(life, handle, stops, run));
            }
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let detail = found.detail::<Detail>().ok_or_else(mend::by_hand)?;
        let mut mend = Mend::new(found.applicability);
        mend::cancel_instead(life, detail, &mut mend)?;
        Ok(mend)
    }
}

/// The run that waits for a coroutine on the loop that a handle is.
fn driven_by<'l>(life: &'l Lifecycle, handle: &LoopHandle) -> Option<&'l Run> {
    let forever = |run: &Run| run.path.ends_with("run_forever");
    match handle.kind {
        HandleKind::Made | HandleKind::Current if handle.does(&LoopAct::Run) => {
            handle.acts(&LoopAct::Run).find_map(|act| life.run_at(act.at))
        }
        HandleKind::Made => None,
        HandleKind::Running | HandleKind::Current => {
            if life.runs().iter().any(forever) {
                return None;
            }
            let around = coroutine_around(life, handle.function);
            if around.is_none() && handle.kind == HandleKind::Current {
                return None;
            }
            let reaching = life.runs_reaching(around.unwrap_or(handle.function));
            reaching
                .into_iter()
                .map(|index| &life.runs()[index])
                .find(|run| matches!(run.kind, RunKind::Fresh | RunKind::OnLoop | RunKind::Runner))
                .or_else(|| only_run(life).filter(|_| around.is_none()))
        }
    }
}

/// The one run of a program that has no other: a loop that runs is that run's, however its callers got there.
fn only_run(life: &Lifecycle) -> Option<&Run> {
    match life.runs() {
        [run] if run.kind == RunKind::Fresh && !run.coroutines.is_empty() => Some(run),
        _ => None,
    }
}

/// The coroutine that a function is, or stands in.
fn coroutine_around(life: &Lifecycle, function: FunctionRef) -> Option<FunctionRef> {
    let facts = life.facts(function.file);
    let id = facts.functions_around(function.id).find(|&id| facts.function(id).is_async)?;
    Some(FunctionRef { file: function.file, id })
}

fn found(life: &Lifecycle, handle: &LoopHandle, stops: Vec<LoopOperation>, run: &Run) -> Found {
    let first = &stops[0];
    let mut found = Found::new(
        "loop-stopped",
        Spot::expr(life, first.at),
        "the loop is stopped here while it drives a coroutine to its end: the run raises `Event loop stopped before Future completed`",
    );
    found.applicability = Applicability::Unsafe;
    found.related.push((Spot::expr(life, run.call), "this run waits for the coroutine".to_owned()));
    for stop in &stops[1..] {
        found.related.push((Spot::expr(life, stop.at), "stopped here too".to_owned()));
    }
    found.functions.extend(stops.iter().map(|stop| stop.function));
    found.functions.extend(&run.coroutines);
    found.functions.push(run.function);
    found.functions.sort_unstable();
    found.functions.dedup();
    found.functions.retain(|function| !function.is_module());
    found.detail = Some(Arc::new(Detail { handle: handle.clone(), stops, run: run.clone() }));
    found
}
