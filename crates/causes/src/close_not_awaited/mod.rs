//! `close-not-awaited`: a close that is a coroutine is called and not awaited.

mod dropped;
mod given;
mod mend;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle};

use crate::closed_too_late::is_hook;
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

pub(crate) use dropped::is_dropped_close;
use dropped::{Dropped, dropped_closes};

/// The cause.
pub struct CloseNotAwaited;

const SLUG: &str = "close-not-awaited";

const PAGE: Page = Page {
    title: "A close that must be awaited is only called",
    what: "\
`close()`, `aclose()`, `dispose()`, `stop()` or `disconnect()` of this object is a coroutine function: calling it makes a \
coroutine and does nothing else. Without `await` the object stays open, and Python complains when the coroutine is \
collected. With `create_task(x.close())` the close is only planned; at shutdown the loop usually ends before it has run, \
and nothing is printed at all.",
    log: "\
app.py:30: RuntimeWarning: coroutine 'ClientSession.close' was never awaited
  session.close()
Unclosed client session
client_session: <aiohttp.client.ClientSession object at 0x7f…>",
    wrong: "\
async def main():
    session = aiohttp.ClientSession()
    try:
        await work(session)
    finally:
        session.close()",
    right: "\
async def main():
    session = aiohttp.ClientSession()
    try:
        await work(session)
    finally:
        await session.close()",
    unless: "\
`StreamWriter.close()`, `transport.close()`, `Server.close()` and `Pool.terminate()` are plain functions and right as they \
are. A function that returns `x.close()` for its caller to await is right. Where the call stands in a plain function whose \
callers can't await (`__del__`, `__exit__`, `atexit`), no keyword helps: the object needs an owner in a coroutine.",
    prevent: "\
Prefer `async with`, which can't forget. Run tests with `-W error::RuntimeWarning`, or `PYTHONASYNCIODEBUG=1` to see where \
the coroutine was made.",
    symptoms: &[
        "coroutine-never-awaited",
        "coroutine-method-never-awaited",
        "aiohttp-unclosed-session",
        "aiohttp-unclosed-connector",
        "unclosed-transport",
        "unclosed-socket",
        "redis-unclosed-connection",
        "redis-unclosed-client",
        "redis-del-loop-closed",
        "asyncpg-unclosed",
        "sa-gc-non-checked-in",
        "psycopg-unclosed",
        "aiomysql-unclosed",
        "pymongo-unclosed",
        "kafka-unclosed",
        "task-destroyed-pending",
        "ignored-function-del",
        "event-loop-closed",
    ],
};

impl Cause for CloseNotAwaited {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        for dropped in dropped_closes(life) {
            let facts = life.facts(dropped.call.file);
            let function = FunctionRef { file: dropped.call.file, id: facts.function_of(dropped.call.id) };
            if is_hook(life, function) {
                continue;
            }
            report.add(found(life, dropped));
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let dropped =
            found.detail::<Dropped>().ok_or_else(|| Declined::because("the finding has no detail"))?;
        mend::mend(life, dropped, found.applicability)
    }
}

fn found(life: &Lifecycle, dropped: Dropped) -> Found {
    let call = life.source(dropped.call).to_owned();
    let name = &dropped.what;
    let message = if dropped.scheduled {
        format!(
            "`{call}` is only scheduled, and nothing waits for the task: at shutdown the loop ends before `{name}` has run."
        )
    } else {
        format!("`{call}` makes the coroutine `{name}` and drops it: nothing is closed. It must be awaited.")
    };
    let facts = life.facts(dropped.call.file);
    let function = FunctionRef { file: dropped.call.file, id: facts.function_of(dropped.call.id) };
    let mut found = Found::new(SLUG, Spot::expr(life, dropped.outermost), message);
    found.doubtful = dropped.doubtful;
    found.silent = dropped.scheduled;
    let runs_async = facts.function(function.id).is_async;
    found.doubtful |= !runs_async && makes_plain(life);
    // A scheduled close is reported only where something ends, so that to wait for it is all that changes.
    found.applicability =
        if runs_async && !dropped.doubtful { Applicability::Safe } else { Applicability::Unsafe };
    if let Some(made) = dropped.made.filter(|made| *made != dropped.call) {
        found.related.push((Spot::expr(life, made), "made here".to_owned()));
    }
    found.functions = vec![function];
    found.functions.extend(dropped.method);
    found.names = names_of(name);
    found.names.push(name.clone());
    if let Some(receiver) = receiver_name(life, dropped.call) {
        found.names.push(receiver);
    }
    found.detail = Some(std::sync::Arc::new(dropped));
    found
}

/// Whether the tree replaces coroutine functions by plain ones while it runs: `if iscoroutinefunction(f): setattr(…)`.
fn makes_plain(life: &Lifecycle) -> bool {
    life.files_with("iscoroutinefunction").iter().any(|&file| life.facts(file).loads.contains_key("setattr"))
}

/// The class and the last two parts of a method's path: `ClientSession.close`.
fn names_of(path: &str) -> Vec<String> {
    let parts: Vec<&str> = path.split('.').collect();
    match parts[..] {
        [.., class, method] => vec![format!("{class}.{method}"), class.to_owned()],
        _ => Vec::new(),
    }
}

/// The name or attribute that the method is called on.
fn receiver_name(life: &Lifecycle, call: ExprRef) -> Option<String> {
    let text = life.source(call);
    let before = text.split('(').next()?;
    let mut parts = before.rsplit('.').skip(1);
    parts.next().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty())
}
