//! `unretrieved-exception`: a task may fail and nobody looks at its result.

mod mend;
mod unseen;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{Lifecycle, Task};
use rayon::prelude::*;

use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

use unseen::{Unseen, unseen};

/// The cause.
pub struct UnretrievedException;

const SLUG: &str = "unretrieved-exception";

static PAGE: Page = Page {
    title: "A task fails and nobody looks at its result",
    what: "\
The exception of a task stays in the task until someone awaits it or asks for it. `asyncio.wait` only waits: it neither raises nor \
logs what the tasks raised. A done callback that only takes the task out of a set does not look either. Python speaks of \
it when the task is collected, maybe only at exit, and the program goes on as if the work had been done.",
    log: "\
Task exception was never retrieved
future: <Task finished name='Task-5' coro=<Dispatcher._deliver() done, defined at dispatcher.py:14> exception=DeliveryError('410')>",
    wrong: "\
task = asyncio.create_task(self._deliver(url))
self.running.add(task)
task.add_done_callback(self.running.discard)
...
await asyncio.wait(self.running)",
    right: "\
def log_failure(task):
    if not task.cancelled() and task.exception() is not None:
        log.error(\"background task failed\", exc_info=task.exception())

task = asyncio.create_task(self._deliver(url))
self.running.add(task)
task.add_done_callback(self.running.discard)
task.add_done_callback(log_failure)",
    unless: "\
The message may only follow another failure: a `gather` whose first task failed, or a program that ends with an error. Tasks that are \
awaited, gathered, asked for their result or exception, or that catch everything themselves, are left alone. The error in the task may be \
the real defect: the mend makes it seen, it does not hide it.",
    prevent: "\
Await tasks, gather them, or start them in a `TaskGroup` (Python 3.11+), which raises what they raise.",
    symptoms: &["task-exception-never-retrieved"],
};

impl Cause for UnretrievedException {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        let all = life.tasks().par_iter().filter_map(|task| Some(found(life, task, unseen(life, task)?)));
        for found in all.collect::<Vec<_>>() {
            report.add(found);
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let unseen =
            found.detail::<Unseen>().ok_or_else(|| Declined::because("the finding is not of this cause"))?;
        mend::mend(life, found, unseen)
    }
}

fn found(life: &Lifecycle, task: &Task, unseen: Unseen) -> Found {
    let name =
        task.runs.first().map(|&function| life.facts(function.file).function(function.id).qualname.clone());
    let what = name.as_deref().map_or_else(|| "the task".to_owned(), |name| format!("the task of `{name}`"));
    let message = match unseen.wait {
        Some(_) => format!(
            "{what} is only waited for with `asyncio.wait`, which does not raise what the task raised, and nothing looks at its result"
        ),
        None => format!(
            "nothing looks at the result of {what}: an exception in it is only seen when the task is collected"
        ),
    };
    let mut found = Found::new(SLUG, Spot::expr(life, task.call), message);
    found.applicability = if unseen.mendable(life) { Applicability::Unsafe } else { Applicability::Advice };
    found.doubtful = unseen.doubtful;
    found.functions = task.runs.clone();
    found.functions.push(task.function);
    found.names.extend(name);
    if let Some(wait) = unseen.wait {
        found.related.push((Spot::expr(life, wait), "waits, and does not look at the results".to_owned()));
    }
    for &function in &task.runs {
        found.related.push((Spot::function(life, function), "what the task runs".to_owned()));
    }
    found.detail = Some(Arc::new(unseen));
    found
}
