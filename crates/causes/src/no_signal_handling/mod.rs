//! `no-signal-handling`: a program that goes on until it is told to stop has no path from SIGTERM to its cleanup.

mod answer;
mod endless;
mod flag;
mod forever;
mod handled;
mod leaving;
mod mend;
mod stake;
mod starter;
mod turns;
mod waited;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{FunctionRef, Ground, Lifecycle, Root, Run, RunKind, StmtRef, Value};

use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};
use endless::{Endless, endless};
use handled::{Handled, handled, in_main_thread};
use stake::Stake;

/// The cause.
pub struct NoSignalHandling;

const PAGE: Page = Page {
    title: "SIGTERM ends the program without its cleanup",
    what: "`docker stop`, Kubernetes, systemd and every other supervisor end a program with SIGTERM, and kill it some ten seconds later. Python \
does nothing about SIGTERM by itself: the process is gone at once, no `finally` runs, no `async with` is left, buffers, leases and \
half-done jobs stay as they are. Ctrl-C is another matter: since Python 3.11 `asyncio.run()` turns it into a cancellation.",
    log: "worker exited with code 143\nMain process exited, code=killed, status=15/TERM",
    wrong: "async def main():\n    store = await connect()\n    try:\n        while True:\n            await store.save_batch()\n            await asyncio.sleep(1)\n    finally:\n        await store.release_lease()\n\n\nasyncio.run(main())",
    right: "async def main():\n    loop = asyncio.get_running_loop()\n    stopping = asyncio.Event()\n    for signum in (signal.SIGTERM, signal.SIGINT):\n        loop.add_signal_handler(signum, stopping.set)\n    \
store = await connect()\n    try:\n        while not stopping.is_set():\n            await store.save_batch()\n            await asyncio.sleep(1)\n    finally:\n        await store.release_lease()\n\n\nasyncio.run(main())",
    unless: "Programs that end by themselves, and those that have nothing to clean up; where all that is left open is a library's client or server, whose end the process's is too, it is only told with `--pedantic`. Servers and frameworks that take the signals themselves: \
uvicorn, hypercorn, gunicorn, `aiohttp.web.run_app`, Celery, arq, FastStream, aiogram and others. Whatever answers SIGTERM already, by \
`add_signal_handler`, `signal.signal` or `anyio.open_signal_receiver`. Threads: signals reach the main thread only. A loop that takes the cancellation and goes on is only told of.",
    prevent: "Give every service one `asyncio.Event` that SIGTERM and SIGINT set, wait for it in the main coroutine, and let `finally` do the rest within \
the ten seconds that a container has.",
    symptoms: &["killed-by-sigterm"],
};

/// What the mend needs.
enum Detail {
    /// A coroutine that never ends.
    Coroutine { main: FunctionRef, run: Run, endless: Endless, handled: Handled },
    /// `loop.run_forever()`.
    Forever { run: Run },
}

impl Cause for NoSignalHandling {
    fn slug(&self) -> &'static str {
        "no-signal-handling"
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn shows_by_cleanup(&self) -> bool {
        true
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        for run in life.runs() {
            let found =
                if run.path.ends_with("run_forever") { forever::judge(life, run) } else { judge(life, run) };
            if let Some(found) = found {
                report.add(found);
            }
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        match found.detail::<Detail>() {
            Some(Detail::Coroutine { main, run, endless, handled }) => {
                mend::answered(life, *main, run, endless, handled, found.applicability)
            }
            Some(Detail::Forever { run }) => forever::stopped(life, run, found.applicability),
            None => Err(mend::by_hand()),
        }
    }
}

fn judge(life: &Lifecycle, run: &Run) -> Option<Found> {
    if !matches!(run.kind, RunKind::Fresh | RunKind::Runner | RunKind::OnLoop)
        || matches!(run.path.as_str(), "asgiref.sync.async_to_sync" | "anyio.run")
    {
        return None;
    }
    let [main] = run.coroutines[..] else { return None };
    let direct =
        life.infer(run.argument?).iter().any(|value| matches!(value, Value::Coroutine(of, _) if *of == main));
    if !direct {
        return None;
    }
    let endless = endless(life, main)?;
    if !in_main_thread(life, run) {
        return None;
    }
    let stake = stake::at_stake(life, main, run, &endless)?;
    let handled = handled(life, run);
    if handled == Handled::Terminate {
        return None;
    }
    let stmt = StmtRef { file: endless.function.file, id: endless.stmt };
    let mut found = Found::new(
        "no-signal-handling",
        Spot::function(life, main),
        "it runs until the process is told to stop, and nothing answers SIGTERM: the process is killed without its cleanup",
    );
    found.related.push((Spot::stmt(life, stmt), "it goes on here without an end".to_owned()));
    found.related.push((stake.spot, stake.words.to_owned()));
    found.related.push((Spot::expr(life, run.call), "it is run here".to_owned()));
    found.functions = endless.functions();
    found.functions.extend(starter::starters(life, run));
    found.detail = Some(Arc::new(Detail::Coroutine { main, run: run.clone(), endless, handled }));
    complete(life, run, &stake, &mut found);
    Some(found)
}

fn complete(life: &Lifecycle, run: &Run, stake: &Stake, found: &mut Found) {
    found.applicability = Applicability::Unsafe;
    found.silent = true;
    found.doubtful = stake.light || !is_program(life, run);
    if !run.function.is_module() {
        found.functions.push(run.function);
    }
    found.functions.sort_unstable();
    found.functions.dedup();
}

/// Whether a run is seen to be a program's own: not a helper that others may call from anywhere.
fn is_program(life: &Lifecycle, run: &Run) -> bool {
    life.grounds(run.function).iter().all(|ground| match ground {
        Ground::Root(Root::Uncalled(function)) => {
            let name = &life.facts(function.file).function(function.id).name;
            ["main", "cli", "run", "start", "serve", "worker", "entrypoint", "launch"]
                .iter()
                .any(|part| name.contains(part))
        }
        _ => true,
    })
}
