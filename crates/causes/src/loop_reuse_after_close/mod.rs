//! `loop-reuse-after-close`: a loop made by hand is used after its `close()`.

mod runner;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{HandleKind, Lifecycle, LoopAct, LoopHandle, Reuse};

use crate::own_loop::{in_turn, keep_open, to_one, to_run};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};
use runner::{Entered, entered_again, keep_for_owner};

/// The cause.
pub struct LoopReuseAfterClose;

const PAGE: Page = Page {
    title: "A loop is used after it was closed",
    what: "A loop that the program made itself with `asyncio.new_event_loop()` (or got from `asyncio.get_event_loop()`) is closed by one \
step, and a later step runs something on it. A closed loop can't be opened again: every `run_until_complete`, `create_task` \
and `call_soon` on it raises. Mostly the `close()` stands in the `finally` of a function or method that is called more than once.",
    log: "RuntimeError: Event loop is closed\nsys:1: RuntimeWarning: coroutine 'load' was never awaited",
    wrong: "loop = asyncio.new_event_loop()\n\n\ndef call(coro):\n    try:\n        return loop.run_until_complete(coro)\n    finally:\n        loop.close()\n\n\ncall(extract())\ncall(load())",
    right: "def call(coro):\n    return asyncio.run(coro)\n\n\ncall(extract())\ncall(load())",
    unless: "Each call that makes a loop of its own and closes that one is right. Where the program asks `loop.is_closed()` first, or the loop \
goes through a generator, nothing is said. Where an object opened in one run is used in the next (a pool, a client), separate runs would \
only move the fault: both belong in one coroutine, run once.",
    prevent: "Let `asyncio.run()` make and close the loop. Where one loop must serve many calls (`asyncio.Runner`), close it where its owner ends.",
    symptoms: &["event-loop-closed", "coroutine-never-awaited"],
};

struct Detail {
    handles: Vec<LoopHandle>,
    reuses: Vec<Reuse>,
}

impl Cause for LoopReuseAfterClose {
    fn slug(&self) -> &'static str {
        "loop-reuse-after-close"
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        let loops = life.loops();
        for handle in loops.iter().filter(|handle| handle.kind == HandleKind::Made) {
            add(life, report, &[handle]);
        }
        // All that is or becomes the current loop is one loop.
        let current: Vec<&LoopHandle> = loops
            .iter()
            .filter(|handle| {
                let set = handle.kind == HandleKind::Made && handle.does(&LoopAct::Set);
                let plain = !handle.does(&LoopAct::Asked) && !in_generator(life, handle);
                (set || handle.kind == HandleKind::Current) && plain
            })
            .collect();
        if current.iter().any(|handle| handle.kind == HandleKind::Current) {
            add(life, report, &current);
        }
        for entered in entered_again(life) {
            report.add(entered_found(life, entered));
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        if let Some(entered) = found.detail::<Entered>() {
            let mut mend = Mend::new(found.applicability);
            keep_for_owner(life, entered, &mut mend)?;
            return Ok(mend);
        }
        let detail = found
            .detail::<Detail>()
            .ok_or_else(|| Declined::because("close the loop once, after all that uses it"))?;
        if let [handle] = &detail.handles[..]
            && in_turn(life, handle)
            && let Ok(mend) = to_one(life, handle)
        {
            return Ok(mend);
        }
        let mut mend = Mend::new(found.applicability);
        let mut declined = None;
        for handle in &detail.handles {
            if let Err(reason) = to_run(life, handle, &mut mend) {
                declined = Some(reason);
                break;
            }
        }
        let Some(reason) = declined else { return Ok(mend) };
        if let [handle] = &detail.handles[..]
            && let Ok(mend) = to_one(life, handle)
        {
            return Ok(mend);
        }
        let mut mend = Mend::new(found.applicability);
        keep_open(life, &detail.handles, &detail.reuses, &mut mend).map_err(|_| reason)?;
        Ok(mend)
    }
}

fn entered_found(life: &Lifecycle, entered: Entered) -> Found {
    let name = &life.facts(entered.method.file).function(entered.method.id).name;
    let runner = life.source(entered.contexts[0]);
    let mut found = Found::new(
        "loop-reuse-after-close",
        Spot::expr(life, entered.contexts[0]),
        format!(
            "the end of this `with` closes `{runner}`; when `{name}` is called again, a closed runner refuses with `Runner is closed`"
        ),
    );
    found.applicability = Applicability::Unsafe;
    found.related.push((Spot::expr(life, entered.site), "the runner is made here, once".to_owned()));
    found.related.push((Spot::expr(life, entered.again), "called again here".to_owned()));
    found.functions.push(entered.method);
    found.symptoms = vec!["runner-closed", "event-loop-closed", "coroutine-never-awaited"];
    found.detail = Some(Arc::new(entered));
    found
}

fn in_generator(life: &Lifecycle, handle: &LoopHandle) -> bool {
    let generator = |function: loopmend_python::lifecycle::FunctionRef| {
        life.facts(function.file).function(function.id).is_generator
    };
    generator(handle.function) || handle.operations.iter().any(|act| generator(act.function))
}

fn add(life: &Lifecycle, report: &mut Report, handles: &[&LoopHandle]) {
    let reuses = life.reuses(handles);
    let Some(first) = reuses.iter().find(|reuse| reuse.certain).or(reuses.first()).cloned() else { return };
    let taking_part: Vec<LoopHandle> = handles
        .iter()
        .filter(|handle| {
            let has = |at| handle.operations.iter().any(|act| act.at == at);
            reuses.iter().any(|reuse| has(reuse.at) || has(reuse.close))
        })
        .map(|&handle| handle.clone())
        .collect();
    let written = life.source(first.close).trim_end_matches("()").trim_end_matches(".close").to_owned();
    let again = match first.second_call_of {
        Some(function) => {
            format!(" when `{}` is called again", life.facts(function.file).function(function.id).name)
        }
        None => String::new(),
    };
    let mut found = Found::new(
        "loop-reuse-after-close",
        Spot::expr(life, first.close),
        format!(
            "`{written}` is closed here and used after that{again}: a closed loop refuses everything with `Event loop is closed`"
        ),
    );
    found.applicability = Applicability::Unsafe;
    found.doubtful = !first.certain;
    for reuse in &reuses {
        found.related.push((Spot::expr(life, reuse.at), "used here after the close".to_owned()));
    }
    for handle in &taking_part {
        found.related.push((Spot::expr(life, handle.site), "the loop is made here".to_owned()));
        found.functions.extend(handle.operations.iter().map(|act| act.function));
    }
    for reuse in &reuses {
        if let Some(run) = life.run_at(reuse.at) {
            found.functions.extend(&run.coroutines);
        }
    }
    found.functions.sort_unstable();
    found.functions.dedup();
    found.functions.retain(|function| !function.is_module());
    found.symptoms = vec!["event-loop-closed", "coroutine-never-awaited"];
    found.detail = Some(Arc::new(Detail { handles: taking_part, reuses }));
    report.add(found);
}
