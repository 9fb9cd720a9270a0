//! `no-loop-in-thread`: a thread that runs no loop uses the interface of one.

mod blocked;
mod loop_of;
mod mend;
mod misuse;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{FunctionRef, Lifecycle};

use crate::thread::starts;
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};
pub(crate) use misuse::is_from_outside;
use misuse::{Act, Misuse, misuses};

/// The cause.
pub struct NoLoopInThread;

const PAGE: Page = Page {
    title: "A thread without a loop uses the loop's interface",
    what: "A loop runs in one thread, and only that thread may touch it. In another thread `asyncio.create_task()` finds no running loop, \
`asyncio.get_event_loop()` raises, and `loop.call_soon()`, `queue.put_nowait()`, `event.set()` or `future.set_result()` change the loop behind its back: \
debug mode raises, and without it the callback waits until something else wakes the loop, which may be never.",
    log: "RuntimeError: There is no current event loop in thread 'ThreadPoolExecutor-0_0'.\n\
RuntimeError: no running event loop\n\
RuntimeError: Non-thread-safe operation invoked on an event loop other than the current one",
    wrong: "class Watcher(threading.Thread):\n    def __init__(self, hub):\n        super().__init__()\n        self.hub = hub\n\n    def run(self):\n        for price in source():\n            asyncio.create_task(self.hub.send(price))",
    right: "class Watcher(threading.Thread):\n    def __init__(self, hub):\n        super().__init__()\n        self.loop = asyncio.get_running_loop()\n        self.hub = hub\n\n    def run(self):\n        for price in source():\n            \
asyncio.run_coroutine_threadsafe(self.hub.send(price), self.loop).result()",
    unless: "A thread that makes and runs a loop of its own is right, and so is a function that coroutines call as well as threads: there it can't be told. \
What asks inside `try` for a loop and goes on without one is left alone. Where the thread's loop can't be handed over (the thread is made where no loop runs, its function is \
called from elsewhere too), or a coroutine waits for the thread in a blocking way, the place is only told.",
    prevent: "Hand `asyncio.get_running_loop()` to what starts a thread, and let the thread speak to it only through \
`asyncio.run_coroutine_threadsafe()` and `loop.call_soon_threadsafe()`. Run the tests with `PYTHONASYNCIODEBUG=1`.",
    symptoms: &[
        "no-current-loop-in-thread",
        "no-running-loop",
        "non-thread-safe",
        "coroutine-never-awaited",
        "future-invalid-state",
        "exception-in-thread",
    ],
};

/// What the mend needs.
struct Detail {
    function: FunctionRef,
    misuses: Vec<Misuse>,
}

impl Cause for NoLoopInThread {
    fn slug(&self) -> &'static str {
        "no-loop-in-thread"
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        for (function, misuses) in misuses(life) {
            report.add(found(life, function, misuses));
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let detail = found.detail::<Detail>().ok_or_else(|| {
            Declined::because("give the loop work from a thread with asyncio.run_coroutine_threadsafe()")
        })?;
        mend::mended(life, detail.function, &detail.misuses, found.applicability)
    }
}

fn found(life: &Lifecycle, function: FunctionRef, misuses: Vec<Misuse>) -> Found {
    let first = &misuses[0];
    let text = life.source(first.call).lines().next().unwrap_or_default();
    let why = match first.act {
        Act::Task { on: None, .. } => {
            "runs in a thread that has no running loop: it raises, and the coroutine is never awaited"
        }
        Act::Ask | Act::Run(_) => "runs in a thread that has no loop: it raises",
        Act::Task { .. } | Act::Method { .. } | Act::Touch { .. } => {
            "runs in another thread than the loop: it is not thread-safe and does not wake the loop"
        }
    };
    let mut found = Found::new("no-loop-in-thread", Spot::expr(life, first.call), format!("`{text}` {why}"));
    for misuse in &misuses[1..] {
        found.related.push((Spot::expr(life, misuse.call), "the same here".to_owned()));
    }
    for call in starts(life, function) {
        found.related.push((Spot::expr(life, call), "the thread is started here".to_owned()));
    }
    found.functions = vec![function];
    for misuse in &misuses {
        if let Act::Task { coroutine, .. } = misuse.act {
            found.functions.extend(life.coroutines_in(coroutine));
        }
    }
    found.functions.sort_unstable();
    found.functions.dedup();
    found.applicability = Applicability::Unsafe;
    found.silent = misuses.iter().all(|misuse| matches!(misuse.act, Act::Method { .. } | Act::Touch { .. }));
    found.detail = Some(Arc::new(Detail { function, misuses }));
    found
}
