//! `cross-loop-object`: one object is used under two loops that live at the same time.

mod blocking;
mod gather;
mod hand;
mod own_loops;
mod shared;
mod threaded;
mod unit;

use std::sync::Arc;

use loopmend_python::lifecycle::{FunctionRef, Lifecycle, Run};

use crate::second_run::words::keeper;
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

use shared::Shared;
use threaded::Threaded;

/// The cause.
pub struct CrossLoopObject;

const SLUG: &str = "cross-loop-object";

const PAGE: Page = Page {
    title: "One object is used under two event loops at the same time",
    what: "A thread that calls `asyncio.run()` has a loop of its own. A queue, lock, pool, engine or client that it shares with the loop of \
another thread belongs to one of them: to that which first had to wait for it, or first connected. The other one \
gets an error, or waits for ever, since nothing wakes it across threads.",
    log: "RuntimeError: <Queue at 0x7f... maxsize=2> is bound to a different event loop\n\
RuntimeError: Task <Task pending ...> got Future <Future pending ...> attached to a different loop",
    wrong: "def camera_thread(frames):\n    asyncio.run(camera(frames))\n\ndef main():\n    frames = asyncio.Queue(maxsize=2)\n    thread = threading.Thread(target=camera_thread, args=(frames,))\n    thread.start()\n    asyncio.run(upload(frames))\n    thread.join()",
    right: "async def both(frames):\n    await asyncio.gather(camera(frames), upload(frames))\n\ndef main():\n    frames = asyncio.Queue(maxsize=2)\n    asyncio.run(both(frames))",
    unless: "Objects that each run makes for itself, engines without a pool, `queue.Queue` and what is handed over with \
`run_coroutine_threadsafe()` are left alone. Where the thread's code blocks (`time.sleep`, a synchronous client), one loop for both would \
stop, so nothing is changed; nor where nothing waits for the thread, or where the thread is a class of its own.",
    prevent: "One loop for all that shares asyncio's objects. From another thread use `asyncio.run_coroutine_threadsafe(coroutine, loop)`, or pass data through `queue.Queue`.",
    symptoms: &[
        "bound-to-different-loop",
        "attached-different-loop-task",
        "attached-different-loop-cb",
        "future-belongs-to-different-loop",
        "asyncpg-another-operation",
        "event-loop-closed",
        "timeout-inside-task-aiohttp",
    ],
};

/// What a finding keeps for its mend.
struct Detail {
    own: Threaded,
    /// All runs in threads that share one of the objects.
    all: Vec<Threaded>,
    shared: Vec<Shared>,
}

impl Cause for CrossLoopObject {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        let threads = threaded::threaded(life);
        if threads.is_empty() {
            return;
        }
        let objects: Vec<_> = life.sites().iter().filter_map(|site| shared::followed(life, site)).collect();
        let shared: Vec<Vec<Shared>> = (0..threads.len())
            .map(|place| {
                objects
                    .iter()
                    .filter_map(|(object, uses)| shared::judge(life, object, uses, &threads, place))
                    .collect()
            })
            .collect();
        for (place, list) in shared.iter().enumerate() {
            if list.is_empty() {
                continue;
            }
            let sites = |list: &[Shared]| list.iter().map(|one| one.object.site.call).collect::<Vec<_>>();
            let mine = sites(list);
            let all = threads
                .iter()
                .zip(&shared)
                .filter(|(_, other)| sites(other).iter().any(|site| mine.contains(site)))
                .map(|(thread, _)| thread.clone())
                .collect();
            report.add(found(life, Detail { own: threads[place].clone(), all, shared: list.clone() }));
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let detail = found.detail::<Detail>().ok_or_else(|| {
            Declined::because("give each loop an object of its own, or run both on one loop")
        })?;
        if let Some(call) = detail.all.iter().find_map(|thread| blocking::blocking(life, &thread.reach)) {
            let at = Spot::expr(life, call).location(life);
            return Err(Declined::because(format!(
                "{}:{} blocks its thread, so that one loop for both would stop there: pass the data through a `queue.Queue`, or use `asyncio.run_coroutine_threadsafe`",
                at.path, at.line
            )));
        }
        if let Some(mend) = own_loops::mend(life, detail) {
            return mend;
        }
        hand::mend(life, detail).or_else(|reason| match gather::mend(life, detail) {
            Ok(mend) => Ok(mend),
            Err(other) => Err(if hand::fits(life, detail) { reason } else { other }),
        })
    }
}

/// Whether a run is that of a function that several callers hand their coroutines: the thread's is but one of them.
fn runs_what_it_is_given(life: &Lifecycle, run: &Run) -> bool {
    let Some(argument) = run.argument else { return false };
    let facts = life.facts(argument.file);
    facts
        .name_of(argument.id)
        .is_some_and(|name| facts.function(run.function.id).params.iter().any(|param| param.name == *name))
        && life.call_sites(run.function).len() > 1
}

fn found(life: &Lifecycle, detail: Detail) -> Found {
    let names: Vec<String> = detail
        .shared
        .iter()
        .map(|one| match keeper(life, &one.object) {
            Some(name) => format!("the `{}` in `{name}`", one.object.class()),
            None => format!("a `{}`", one.object.class()),
        })
        .collect();
    let run = &detail.own.run;
    let mut found = Found::new(
        SLUG,
        Spot::expr(life, run.call),
        format!(
            "this thread runs an event loop of its own and uses {}, which another loop uses at the same time",
            names.join(" and ")
        ),
    );
    found.doubtful = detail.shared.iter().all(|one| one.doubtful) || runs_what_it_is_given(life, run);
    found.functions.push(run.function);
    found.functions.extend(run.coroutines.iter().copied());
    let function = |at: &loopmend_python::lifecycle::ExprRef| FunctionRef {
        file: at.file,
        id: life.facts(at.file).function_of(at.id),
    };
    for one in &detail.shared {
        let object = &one.object;
        found
            .related
            .push((Spot::expr(life, object.site.call), format!("the `{}` is made here", object.class())));
        found.names.extend([
            object.class().to_owned(),
            object.site.gives.to_string(),
            object.site.path.to_string(),
        ]);
        found.functions.extend(one.here.iter().chain(&one.there).map(function));
        if let Some(&at) = one.there.first() {
            found.related.push((Spot::expr(life, at), "used under the other loop here".to_owned()));
        }
    }
    for &start in &detail.own.starts {
        if start != run.call {
            found.related.push((Spot::expr(life, start), "the thread is made here".to_owned()));
        }
        found.functions.push(function(&start));
    }
    found.functions.retain(|function| !function.is_module());
    found.functions.sort_unstable();
    found.functions.dedup();
    found.names.sort();
    found.names.dedup();
    found.detail = Some(Arc::new(detail));
    found
}
