//! `close-with-pending-tasks`: a loop made by hand is closed while tasks on it are not done.

mod pending;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{Ground, HandleKind, Lifecycle, LoopAct, LoopHandle, LoopOperation};

use crate::own_loop::{drain, in_turn, to_one, to_run};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};
use pending::{Pending, pending};

/// The cause.
pub struct CloseWithPendingTasks;

const PAGE: Page = Page {
    title: "A loop is closed while its tasks are pending",
    what: "`run_until_complete(main())` ends when `main` does, and `run_forever()` when the loop is stopped: neither waits for the other \
tasks. After `loop.close()` those can never go on. When they are collected, Python says so, and their `finally` blocks run without a loop.",
    log: "Task was destroyed but it is pending!\ntask: <Task pending name='Task-2' coro=<consume() running at app.py:8> wait_for=<Future pending>>",
    wrong: "loop = asyncio.new_event_loop()\nloop.create_task(consume())\nloop.run_until_complete(main())\nloop.close()",
    right: "async def run():\n    consumer = asyncio.create_task(consume())\n    try:\n        await main()\n    finally:\n        consumer.cancel()\n        \
with contextlib.suppress(asyncio.CancelledError):\n            await consumer\n\n\nasyncio.run(run())",
    unless: "Where the program cancels and gathers `asyncio.all_tasks()`, or waits for its tasks, nothing is said. A task that ends by itself may be \
done by then: that is only told with `--pedantic`.",
    prevent: "`asyncio.run()` cancels what is left and waits for it. With `run_forever()`, cancel and gather all tasks before `close()`.",
    symptoms: &["task-destroyed-pending", "task-destroyed-detail", "no-running-loop", "event-loop-closed"],
};

struct Detail {
    handle: LoopHandle,
    end: LoopOperation,
}

impl Cause for CloseWithPendingTasks {
    fn slug(&self) -> &'static str {
        "close-with-pending-tasks"
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        for handle in life.loops().iter().filter(|handle| handle.kind != HandleKind::Running) {
            let Some(end) = end_of(handle) else { continue };
            if life.grounds(end.function).iter().any(Ground::runs_loop) {
                continue;
            }
            let tasks = pending(life, handle, end);
            if !tasks.is_empty() {
                report.add(found(life, handle, end, &tasks));
            }
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let detail = found
            .detail::<Detail>()
            .ok_or_else(|| Declined::because("cancel and gather all tasks before the loop is closed"))?;
        if in_turn(life, &detail.handle)
            && let Ok(mend) = to_one(life, &detail.handle)
        {
            return Ok(mend);
        }
        let mut mend = Mend::new(found.applicability);
        if to_run(life, &detail.handle, &mut mend).is_ok() {
            mend.notes.push(
                "asyncio.run() cancels the tasks that are left and waits for them before it closes the loop"
                    .to_owned(),
            );
            return Ok(mend);
        }
        if let Ok(mend) = to_one(life, &detail.handle) {
            return Ok(mend);
        }
        let mut mend = Mend::new(found.applicability);
        drain(life, &detail.handle, &detail.end, &mut mend)?;
        Ok(mend)
    }
}

/// Where the loop's life ends: its close, or the `run_forever` of a loop that is stopped and never closed.
fn end_of(handle: &LoopHandle) -> Option<&LoopOperation> {
    let runs = handle.does(&LoopAct::Run) || handle.does(&LoopAct::Forever);
    let closes: Vec<&LoopOperation> = handle.acts(&LoopAct::Close).filter(|act| !act.handed).collect();
    match closes[..] {
        [] => handle.acts(&LoopAct::Forever).next().filter(|_| handle.does(&LoopAct::Stop)),
        [.., last] => runs.then_some(last),
    }
}

fn found(life: &Lifecycle, handle: &LoopHandle, end: &LoopOperation, tasks: &[Pending<'_>]) -> Found {
    let names: Vec<String> = tasks
        .iter()
        .flat_map(|pending| &pending.task.runs)
        .map(|function| life.facts(function.file).function(function.id).name.to_string())
        .collect();
    let what = match names.first() {
        Some(name) => format!("the task of `{name}`"),
        None => "a task".to_owned(),
    };
    let how = if end.kind == LoopAct::Close { "closed" } else { "stopped and left" };
    let mut found = Found::new(
        "close-with-pending-tasks",
        Spot::expr(life, end.at),
        format!(
            "the loop is {how} here while {what} is still pending: it is destroyed without being cancelled"
        ),
    );
    found.applicability = Applicability::Unsafe;
    found.doubtful = !tasks.iter().any(|pending| pending.endless);
    for pending in tasks {
        found.related.push((
            Spot::expr(life, pending.task.call),
            "the task is started here, and nothing waits for it".to_owned(),
        ));
        found.functions.extend(&pending.task.runs);
        found.functions.push(pending.task.function);
    }
    for act in handle.acts(&LoopAct::Stop) {
        found.related.push((Spot::expr(life, act.at), "the loop is stopped here".to_owned()));
        found.functions.push(act.function);
    }
    found.functions.push(end.function);
    found.functions.sort_unstable();
    found.functions.dedup();
    found.functions.retain(|function| !function.is_module());
    found.names = names;
    found.detail = Some(Arc::new(Detail { handle: handle.clone(), end: end.clone() }));
    found
}
