//! `get-event-loop`: the current loop is asked for where no loop runs.

mod implicit;
mod set;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::catalogue::Binds;
use loopmend_python::facts::{Slot, StmtKind};
use loopmend_python::lifecycle::{
    FunctionRef, Ground, HandleKind, Lifecycle, LoopAct, LoopHandle, Root, RunKind,
};

use crate::closed_too_late::is_hook;
use crate::own_loop::{in_turn, make_current, to_one, to_run};
use crate::thread::only_in_threads;
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

/// The cause.
pub struct GetEventLoop;

const PAGE: Page = Page {
    title: "The current event loop is asked for where none runs",
    what: "`asyncio.get_event_loop()` outside a coroutine used to make a loop when there was none. Python 3.12 warns about that, 3.14 raises. \
In every version it raises after an `asyncio.run()` in the same thread, and in any thread but the main one; and a loop that the \
program itself set and closed comes back closed. `asyncio.ensure_future()` and `asyncio.gather()` ask for it by themselves.",
    log: "RuntimeError: There is no current event loop in thread 'MainThread'.\nDeprecationWarning: There is no current event loop",
    wrong: "def mean(database):\n    loop = asyncio.get_event_loop()\n    return loop.run_until_complete(load_mean(database))",
    right: "def mean(database):\n    return asyncio.run(load_mean(database))",
    unless: "In an `async def`, and in callbacks that a loop calls, the call is right: it gives the running loop. Where the same entry of the program sets a loop \
with `asyncio.set_event_loop()` first, or asks inside `try`, nothing is said. A library's helper that nothing in the tree calls is only \
told with `--pedantic`: its callers decide whether a loop runs.",
    prevent: "Start programs with `asyncio.run(main())`; inside coroutines use `asyncio.get_running_loop()`, which never makes a loop.",
    symptoms: &["no-current-loop-in-thread", "no-current-loop-deprecation", "event-loop-closed"],
};

struct Detail {
    handle: LoopHandle,
}

impl Cause for GetEventLoop {
    fn slug(&self) -> &'static str {
        "get-event-loop"
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        let current: Vec<&LoopHandle> =
            life.loops().iter().filter(|handle| handle.kind == HandleKind::Current).collect();
        let set = set::loops_set(life);
        for handle in &current {
            if !set::is_set_for(life, &set, handle.function)
                && let Some(found) = judge(life, handle, current.len())
            {
                report.add(found);
            }
        }
        for call in implicit::calls(life, &current) {
            let function = FunctionRef { file: call.file, id: life.facts(call.file).function_of(call.id) };
            if !set::is_set_for(life, &set, function) {
                report.add(implicit::found(life, call, function));
            }
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let detail = found
            .detail::<Detail>()
            .ok_or_else(|| Declined::because("run the coroutine with asyncio.run() instead"))?;
        if in_turn(life, &detail.handle)
            && let Ok(mend) = to_one(life, &detail.handle)
        {
            return Ok(mend);
        }
        let mut mend = Mend::new(found.applicability);
        let Err(reason) = to_run(life, &detail.handle, &mut mend) else { return Ok(mend) };
        if let Ok(mend) = to_one(life, &detail.handle) {
            return Ok(mend);
        }
        let mut mend = Mend::new(found.applicability);
        make_current(life, &detail.handle, &mut mend).map_err(|_| reason)?;
        Ok(mend)
    }
}

/// Whether something made while no loop runs belongs to the loop that is current by then, so that it would not do on a new one:
/// a future, and before Python 3.10 a lock or a queue.
fn others_have_it(life: &Lifecycle) -> bool {
    let at_first_use = life.settings().python_at_least(3, 10);
    life.sites().iter().any(|site| {
        let binds = life.resource(site).is_some_and(|resource| {
            resource.binds == Binds::Construction
                || !at_first_use && resource.binds == Binds::FirstUse && resource.library == "asyncio"
        });
        let facts = life.facts(site.call.file);
        binds
            && !site.gives.ends_with("Loop")
            && !facts.function(facts.function_of(site.call.id)).is_async
            && !life.grounds(site.function).iter().any(Ground::runs_loop)
    })
}

fn judge(life: &Lifecycle, handle: &LoopHandle, count: usize) -> Option<Found> {
    let facts = life.facts(handle.site.file);
    let stmt = facts.stmt_of(handle.site.id)?;
    let guarded = facts.ancestors(stmt).any(|(outer, slot)| {
        matches!(&facts.stmt(outer).kind, StmtKind::Try { handlers, .. } if !handlers.is_empty())
            && slot == Slot::Body
            && facts.block_of(stmt).1 == 0
    });
    // What is wrong with a hook is when it runs.
    if guarded
        || handle.does(&LoopAct::Asked)
        || only_in_threads(life, handle.function)
        || is_hook(life, handle.function)
    {
        return None;
    }
    let grounds = life.grounds(handle.function);
    if grounds.iter().any(Ground::runs_loop) {
        return None;
    }
    // Setup and teardown on this loop around an `asyncio.run` of the same function are one program in two styles.
    // Behind such a run the call itself raises.
    let start = facts.expr(handle.site.id).range.start();
    let behind = life.runs().iter().any(|run| {
        run.kind == RunKind::Fresh
            && run.function == handle.function
            && facts.expr(run.call.id).range.end() <= start
            && !life.exclusive(&[run.call, handle.site])
    });
    let mixed = !behind
        && life.runs().iter().any(|run| {
            run.kind == RunKind::Fresh
                && handle
                    .operations
                    .iter()
                    .any(|act| act.function == run.function && act.kind == LoopAct::Run)
        });
    if mixed {
        return None;
    }
    let drives = handle.does(&LoopAct::Run) || handle.does(&LoopAct::Forever);
    let threads = grounds.iter().any(|ground| matches!(ground, Ground::Root(Root::Thread(..))));
    let own = life.facts(handle.function.file).function(handle.function.id);
    let called = grounds.iter().any(|ground| !matches!(ground, Ground::Root(Root::Uncalled(_))));
    let named_main = grounds.iter().any(|ground| {
        matches!(ground, Ground::Root(Root::Uncalled(function))
            if matches!(life.facts(function.file).function(function.id).name.as_str(), "main" | "cli" | "run_main"))
    });
    let why = if threads {
        "a thread of its own has no event loop, so the call raises"
    } else if life.runs().iter().any(|run| run.kind == RunKind::Fresh) {
        "after an `asyncio.run()` there is no current loop any more and the call raises; it never makes one from Python 3.14 on"
    } else {
        "no loop runs when this is called: Python 3.12 warns and 3.14 raises"
    };
    let mut found = Found::new(
        "get-event-loop",
        Spot::expr(life, handle.site),
        format!("`{}`: {why}", life.source(handle.site)),
    );
    found.doubtful = !(called || named_main) || !drives;
    let alone = count == 1
        && life.runs().iter().all(|run| handle.operations.iter().any(|act| act.at == run.call))
        && handle.operations.iter().all(|act| matches!(act.kind, LoopAct::Run | LoopAct::Close));
    let one = handle.acts(&LoopAct::Run).count() == 1;
    found.applicability =
        if alone && one && !others_have_it(life) { Applicability::Safe } else { Applicability::Unsafe };
    for act in &handle.operations {
        if matches!(act.kind, LoopAct::Run | LoopAct::Forever | LoopAct::Close) {
            found.related.push((Spot::expr(life, act.at), "the loop is used here".to_owned()));
        }
        found.functions.push(act.function);
    }
    found.functions.push(handle.function);
    found.functions.sort_unstable();
    found.functions.dedup();
    found.functions.retain(|function| !function.is_module());
    found.names.push(own.name.to_string());
    found.detail = Some(Arc::new(Detail { handle: handle.clone() }));
    Some(found)
}
