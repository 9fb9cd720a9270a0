//! `cancel-without-await`: a task is cancelled and something is closed before the task has seen it.

mod found_in;
mod mend;
mod seen;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::facts::{BindingKind, ExprKind};
use loopmend_python::lifecycle::{ExprRef, Lifecycle, Task};
use rayon::prelude::*;

use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

use found_in::{Cancel, cancels};
use seen::{given_a_turn, has_cleanup};

/// The cause.
pub struct CancelWithoutAwait;

const SLUG: &str = "cancel-without-await";

static PAGE: Page = Page {
    title: "A task is cancelled and nobody waits until it has ended",
    what: "\
`task.cancel()` only asks: the task sees the `CancelledError` when the loop runs it next. If its connection, session or loop \
is closed before, its own `finally` meets a closed connection, or the task is destroyed while it is pending.",
    log: "\
Task was destroyed but it is pending!
task: <Task cancelling name='Task-1' coro=<Bot.presence() done, defined at bot.py:18> wait_for=<Future cancelled>>",
    wrong: "\
async def stop(self):
    self._task.cancel()
    await self._connection.close()",
    right: "\
async def stop(self):
    self._task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await self._task
    await self._connection.close()",
    unless: "\
A task that something waits for after the cancel is left alone, and so is a cancel after which nothing is closed: \
`asyncio.run` then gives the task its time. A `stop()` that is not async is mended only where it runs the loop by hand.",
    prevent: "Write the cancel and the wait as one step, or let a `TaskGroup` (Python 3.11+) do both.",
    symptoms: &[
        "task-destroyed-pending",
        "task-destroyed-detail",
        "task-exception-never-retrieved",
        "asyncpg-connection-closed",
        "asyncpg-pool-closing",
        "aiohttp-session-closed",
        "event-loop-closed",
        "httpx-client-closed",
        "anyio-closed-resource",
    ],
};

impl Cause for CancelWithoutAwait {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        // Who has the coroutine itself may close that.
        let taken_apart = |task: &Task| task.flow.methods("get_coro").next().is_some();
        let tasks = life.tasks().par_iter();
        let all = tasks
            .filter(|task| !task.waited() && !task.flow_doubt() && !taken_apart(task))
            .flat_map_iter(|task| cancels(life, task).into_iter().map(|cancel| found(life, task, cancel)));
        for found in all.collect::<Vec<_>>() {
            report.add(found);
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let cancel =
            found.detail::<Cancel>().ok_or_else(|| Declined::because("the finding is not of this cause"))?;
        mend::mend(life, found, cancel)
    }
}

fn found(life: &Lifecycle, task: &Task, cancel: Cancel) -> Found {
    let name =
        task.runs.first().map(|&function| life.facts(function.file).function(function.id).qualname.clone());
    let what = name.as_deref().map_or_else(|| "the task".to_owned(), |name| format!("the task of `{name}`"));
    let closed = life.source(cancel.closed);
    let message = format!(
        "{what} is only asked to end: `{closed}` is closed before the task has seen it, for nothing waits for the task in between"
    );
    let mut found = Found::new(SLUG, Spot::expr(life, cancel.call), message);
    found.applicability =
        if cancel.waits(life).is_some() { Applicability::Unsafe } else { Applicability::Advice };
    // The task sees its `CancelledError` at the stream that it waits for, closed or not.
    found.doubtful = stays_in_memory(life, cancel.closed)
        || !cancel.is_loop && (given_a_turn(life, &cancel) || !has_cleanup(life, task, cancel.closed));
    found.functions = task.runs.clone();
    found.functions.push(cancel.function);
    found.functions.push(task.function);
    found.functions.sort_unstable();
    found.functions.dedup();
    found.names.extend(name);
    found.related.push((Spot::expr(life, cancel.closed), "closed here".to_owned()));
    found.related.push((Spot::expr(life, task.call), "the task is started here".to_owned()));
    for &function in &task.runs {
        found.related.push((Spot::function(life, function), "what the task runs".to_owned()));
    }
    found.detail = Some(Arc::new(cancel));
    found
}

/// Whether what is closed is one end of a stream in memory.
fn stays_in_memory(life: &Lifecycle, closed: ExprRef) -> bool {
    let facts = life.facts(closed.file);
    let (ExprKind::Attribute { attr: name, .. } | ExprKind::Name(name)) = &facts.expr(closed.id).kind else {
        return false;
    };
    let local = facts.scopes[facts.function_of(closed.id).index()].get(name);
    facts.writes.get(name).into_iter().chain(local).flatten().any(|&id| match facts.binding(id).kind {
        BindingKind::Value { value, .. } => life
            .called_name(closed.with(value))
            .is_some_and(|called| called.ends_with("create_memory_object_stream")),
        _ => false,
    })
}
