//! `second-run`: a loop-bound object that was used under one run of a loop is used under another.

pub(crate) mod closer;
pub(crate) mod mend;
pub(crate) mod own_attribute;
pub(crate) mod own_object;
mod per_call;
pub(crate) mod words;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::Lifecycle;

use crate::carried::{Group, carried};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

/// The cause.
pub struct SecondRun;

const PAGE: Page = Page {
    title: "An object that belongs to one event loop is used under a second one",
    what: "`asyncio.run`, `async_to_sync` and a new loop with `run_until_complete` each make a loop, run it and close it. A client, \
pool, engine or connection ties itself to the loop that it first ran on: its sockets are registered there, its futures are \
made there. A second run has another loop. What is left from the first (a kept-alive connection, a pooled one) still \
talks to the closed loop, so the first run works and the second fails, at a place inside the library that has nothing to \
do with the mistake.",
    log: "RuntimeError: Event loop is closed\n\
RuntimeError: Task <Task pending ...> got Future <Future pending ...> attached to a different loop\n\
asyncpg.exceptions._base.InterfaceError: cannot perform operation: another operation is in progress",
    wrong: "client = httpx.AsyncClient()\n\nasync def fetch(url):\n    return await client.get(url)\n\nfor url in urls:\n    print(asyncio.run(fetch(url)))",
    right: "async def fetch(client, url):\n    return await client.get(url)\n\nasync def main():\n    async with httpx.AsyncClient() as client:\n        for url in urls:\n            print(await fetch(client, url))\n\nasyncio.run(main())",
    unless: "Runs that share only plain data, or of which one process takes only one (branches, commands of a command line, separate \
programs), are left alone; so is a factory that gives each run an object of its own. Since Python 3.10 asyncio's own locks, \
events and queues belong to a loop only once they have waited: sharing one is reported as doubtful. Where the code \
between the runs leaves the function in several ways, the mend is left to you.",
    prevent: "One program, one `asyncio.run`. Where a synchronous framework must start a run for each call, open what the call needs \
inside the coroutine with `async with`, or dispose of it before the run ends.",
    symptoms: &[
        "event-loop-closed",
        "attached-different-loop-task",
        "attached-different-loop-cb",
        "bound-to-different-loop",
        "future-belongs-to-different-loop",
        "timeout-inside-task-aiohttp",
    ],
};

impl Cause for SecondRun {
    fn slug(&self) -> &'static str {
        "second-run"
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        for group in carried(life) {
            // Two ways of running are a cause of their own.
            if !group.mixed() {
                report.add(found(life, &group));
            }
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let group =
            found.detail::<Group>().ok_or_else(|| Declined::because("the finding is not this cause's"))?;
        mend::mend(life, group)
    }
}

fn found(life: &Lifecycle, group: &Group) -> Found {
    let place = group.again().unwrap_or(usize::from(group.runs.len() > 1));
    let call = words::spoken(group, place);
    let mut found = Found::new("second-run", Spot::expr(life, call), words::message(life, group, place));
    found.doubtful = group.doubtful();
    words::places(life, group, place, &mut found);
    if mend::mend(life, group).is_err() {
        found.applicability = Applicability::Advice;
    }
    found.detail = Some(Arc::new(group.clone()));
    found
}
