//! `mixed-run-styles`: one program runs some steps with `loop.run_until_complete` and others with `asyncio.run`.

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{Lifecycle, RunKind};

use crate::carried::{Group, carried};
use crate::second_run::{mend, words};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

/// The cause.
pub struct MixedRunStyles;

const PAGE: Page = Page {
    title: "Some steps run on a loop of their own, others under asyncio.run",
    what: "`loop.run_until_complete` runs a step on the loop that it is called on, `asyncio.run` always makes another. A program \
that opens a pool or a session with the first and works with the second has two loops, and what was opened on one does \
not work on the other.",
    log: "RuntimeError: Timeout context manager should be used inside a task\n\
RuntimeError: Task <Task pending ...> got Future <Future pending ...> attached to a different loop\n\
asyncpg.exceptions._base.InterfaceError: cannot perform operation: another operation is in progress",
    wrong: "loop = asyncio.get_event_loop()\nsession = loop.run_until_complete(open_session())\nasyncio.run(work(session))\nloop.run_until_complete(session.close())",
    right: "async def main():\n    session = await open_session()\n    try:\n        await work(session)\n    finally:\n        await session.close()\n\nasyncio.run(main())",
    unless: "Two separate programs may each have a style; so may the branches of which one process takes only one, as for old versions of \
Python. Steps that share no object of the loop do no harm.",
    prevent: "One coroutine for the whole program, with setup, work and teardown in `try`/`finally`, and one `asyncio.run` around it.",
    symptoms: &[
        "timeout-inside-task-aiohttp",
        "attached-different-loop-task",
        "attached-different-loop-cb",
        "event-loop-closed",
        "bound-to-different-loop",
        "future-belongs-to-different-loop",
    ],
};

impl Cause for MixedRunStyles {
    fn slug(&self) -> &'static str {
        "mixed-run-styles"
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        for group in carried(life) {
            if group.mixed() {
                report.add(found(life, &group));
            }
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let group =
            found.detail::<Group>().ok_or_else(|| Declined::because("the finding is not this cause's"))?;
        mend::merged(life, group)
    }
}

fn found(life: &Lifecycle, group: &Group) -> Found {
    let place = group.runs.iter().position(|started| started.run.kind == RunKind::Fresh).unwrap_or(0);
    let message = format!(
        "this run has a loop of its own, other steps run on the loop that they call `run_until_complete` on, and {} goes from \
         one to the other",
        words::objects(life, group)
    );
    let mut found = Found::new("mixed-run-styles", Spot::expr(life, group.runs[place].run.call), message);
    found.doubtful = group.doubtful();
    words::places(life, group, place, &mut found);
    // The runs say more than where the object is made.
    let made = group.objects.len();
    let split = made.min(found.related.len());
    found.related.rotate_left(split);
    if mend::merged(life, group).is_err() {
        found.applicability = Applicability::Advice;
    }
    found.detail = Some(Arc::new(group.clone()));
    found
}
