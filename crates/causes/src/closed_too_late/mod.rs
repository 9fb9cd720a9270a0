//! `closed-too-late`: a hook closes an async object when the object's loop has ended.

mod act;
mod convert;
mod gone;
mod late;
mod mend;
mod named;
mod settle;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{FunctionRef, Lifecycle};

use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

pub(crate) use late::is_hook;
use late::{Late, LateKind, lates, stays_plain};

/// The cause.
pub(crate) struct ClosedTooLate;

const SLUG: &str = "closed-too-late";

static PAGE: Page = Page {
    title: "A hook closes an async object when its loop has ended",
    what: "\
`__del__`, `atexit`, `weakref.finalize` and the teardown of a plain fixture run when the loop that the object belongs to is \
closed, or while none runs. What they start there is refused, or runs on another loop, and the object stays open.",
    log: "\
Exception ignored in atexit callback: <function _close at 0x7fa03d675e40>
Traceback (most recent call last):
  File \"/app/db.py\", line 15, in _close
    _loop.run_until_complete(_pool.close())
RuntimeError: Event loop is closed
sys:1: RuntimeWarning: coroutine 'Pool.close' was never awaited",
    wrong: "\
class Client:
    def __init__(self):
        self.session = aiohttp.ClientSession()

    def __del__(self):
        asyncio.get_event_loop().run_until_complete(self.session.close())


async def main():
    client = Client()
    await client.fetch()",
    right: "\
class Client:
    def __init__(self):
        self.session = aiohttp.ClientSession()

    async def close(self):
        await self.session.close()


async def main():
    client = Client()
    try:
        await client.fetch()
    finally:
        await client.close()",
    unless: "\
A hook that only warns or ends plain things is left alone; so is one whose loop is still open when it runs, as where a thread \
runs one loop for the whole process. Nothing is changed where the object's makers are not in the tree or use it after the loop, \
where the hook is called elsewhere too, and for `weakref.finalize`.",
    prevent: "Open async objects with `async with`, or close them in a `finally` of the coroutine that opened them.",
    symptoms: &[
        "ignored-function-del",
        "ignored-deallocator-314",
        "atexit-error",
        "event-loop-closed",
        "no-running-loop",
        "no-current-loop-in-thread",
        "coroutine-never-awaited",
        "aiohttp-unclosed-session",
        "aiohttp-unclosed-connector",
        "attached-different-loop-task",
        "executor-shutdown-called",
        "executor-cannot-schedule",
    ],
};

impl Cause for ClosedTooLate {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        for late in lates(life) {
            report.add(found(life, late));
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let late =
            found.detail::<Late>().ok_or_else(|| Declined::because("the finding is not of this cause"))?;
        mend::mend(life, found, late)
    }
}

fn found(life: &Lifecycle, late: Late) -> Found {
    let name = late.hook.map(|hook| life.facts(hook.file).function(hook.id).qualname.clone());
    let name = name.unwrap_or_else(|| "what is registered".to_owned());
    let when = match late.kind {
        LateKind::Del(_) => "when the object is collected",
        LateKind::Exit(_) => "when the interpreter ends",
        LateKind::Finalize(_) => "when the object has been collected",
        LateKind::Fixture(_) => "after the test's loop has ended",
    };
    let first = late.acts[0];
    let message = format!(
        "`{name}` runs {when}: the loop that `{}` belongs to is gone by then, and it is not done",
        life.source(first.work).lines().next().unwrap_or_default()
    );
    let mut found = Found::new(SLUG, Spot::expr(life, first.call), message);
    found.doubtful = late.doubtful;
    found.applicability = match late.kind {
        LateKind::Finalize(_) => Applicability::Advice,
        LateKind::Fixture(index) if stays_plain(life, index).is_some() => Applicability::Advice,
        _ => Applicability::Unsafe,
    };
    match late.kind {
        LateKind::Exit(register) | LateKind::Finalize(register) => {
            found.related.push((Spot::expr(life, register), "registered here".to_owned()));
        }
        LateKind::Del(class) => {
            found.related.push((Spot::class(life, class), "the class".to_owned()));
            found.names.push(life.facts(class.file).class(class.id).name.to_string());
        }
        LateKind::Fixture(index) => {
            let fixture = &life.suite().fixtures[index];
            found.related.push((Spot::function(life, fixture.function), "the fixture".to_owned()));
            found.names.push(fixture.name.to_string());
        }
    }
    if let Some(hook) = late.hook {
        found.functions.push(hook);
        found.names.push(name);
    }
    for act in &late.acts {
        let facts = life.facts(act.call.file);
        found.functions.push(FunctionRef { file: act.call.file, id: facts.function_of(act.call.id) });
        found.functions.extend(life.callees(act.work));
    }
    found.functions.retain(|function| !function.is_module());
    found.functions.sort_unstable();
    found.functions.dedup();
    found.names.extend(late.classes.iter().cloned());
    found.detail = Some(Arc::new(late));
    found
}
