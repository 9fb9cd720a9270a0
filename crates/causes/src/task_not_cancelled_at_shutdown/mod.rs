//! `task-not-cancelled-at-shutdown`: what a task works with is closed while the task still runs.

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{Lifecycle, Task};
use rayon::prelude::*;

use crate::background::{Plan, ends_all};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

/// The cause.
pub struct TaskNotCancelledAtShutdown;

const SLUG: &str = "task-not-cancelled-at-shutdown";

static PAGE: Page = Page {
    title: "A background task outlives what it works with",
    what: "\
A task is started beside a session, a pool or a connection, and at the end only that is closed: the task still runs and \
meets it closed. `asyncio.run` cancels tasks that are left over, but only after `main` has returned, that is after its \
`async with` blocks; what the task has to do in its own `finally` then fails.",
    log: "\
RuntimeError: Session is closed
asyncpg.exceptions._base.InterfaceError: pool is closed
Task exception was never retrieved",
    wrong: "\
async with aiohttp.ClientSession() as session:
    beat = asyncio.create_task(heartbeat(session))
    await work(session)",
    right: "\
async with aiohttp.ClientSession() as session:
    beat = asyncio.create_task(heartbeat(session))
    try:
        await work(session)
    finally:
        beat.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await beat",
    unless: "\
Tasks of a `TaskGroup`, tasks that something waits for or cancels, and tasks that do not work with what is closed are left \
alone. A task that ends by itself is waited for rather than cancelled.",
    prevent: "\
Whoever starts a task ends it: keep it, and in `finally`, before anything that it uses is closed, cancel it and wait for it. \
A `TaskGroup` (Python 3.11+) inside the `async with` of the resource does so by itself.",
    symptoms: &[
        "task-destroyed-pending",
        "task-destroyed-detail",
        "task-exception-never-retrieved",
        "unhandled-run-shutdown",
        "aiohttp-session-closed",
        "aiohttp-connector-closed",
        "asyncpg-pool-closing",
        "asyncpg-connection-closed",
        "httpx-client-closed",
        "event-loop-closed",
        "sa-connection-closed",
        "psycopg-pool-closed",
        "psycopg-connection-closed",
        "aiomysql-pool-closing",
        "anyio-closed-resource",
        "websockets-closed",
        "aiormq-channel-closed",
        "nats-closed",
        "grpc-channel-closed",
    ],
};

impl Cause for TaskNotCancelledAtShutdown {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        let left = life.tasks().par_iter().filter(|task| {
            !task.dropped() && !task.waited() && !task.handed() && task.cancels().next().is_none()
        });
        let all: Vec<_> = left
            .filter_map(|task| {
                let plan = Plan::of(life, task).filter(|plan| !plan.carried_out(life))?;
                Some(found(life, task, plan))
            })
            .collect();
        if !all.is_empty() && !ends_all(life) {
            for found in all {
                report.add(found);
            }
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let plan =
            found.detail::<Plan>().ok_or_else(|| Declined::because("the finding is not of this cause"))?;
        let mut mend = Mend::new(found.applicability);
        plan.carry_out(life, &mut mend)?;
        Ok(mend)
    }
}

fn found(life: &Lifecycle, task: &Task, plan: Plan) -> Found {
    let name =
        task.runs.first().map(|&function| life.facts(function.file).function(function.id).qualname.clone());
    let what = name.as_deref().map_or_else(|| "the task".to_owned(), |name| format!("the task of `{name}`"));
    let message = match plan.closes {
        Some(_) => format!(
            "{what} works with something that is closed while the task still runs: nothing cancels the task or waits for it before"
        ),
        None => format!(
            "{what} goes on after the code behind the `yield` has run: nothing cancels it or waits for it"
        ),
    };
    let mut found = Found::new(SLUG, Spot::expr(life, task.call), message);
    found.applicability = if plan.handle.is_some() { Applicability::Unsafe } else { Applicability::Advice };
    found.doubtful = plan.closes.is_none();
    found.functions = task.runs.clone();
    found.functions.push(task.function);
    found.functions.extend(plan.end());
    found.names.extend(name);
    if let Some(spot) = plan.closes {
        found.related.push((spot, "closed here, while the task runs".to_owned()));
    }
    for &function in &task.runs {
        found.related.push((Spot::function(life, function), "what the task runs".to_owned()));
    }
    found.detail = Some(Arc::new(plan));
    found
}
