//! `dropped-task`: the result of `create_task` is not kept.

mod drain;
mod weak;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::edit::{Draft, Source};
use loopmend_python::facts::{ExprKind, StmtKind};
use loopmend_python::lifecycle::{ExprRef, Lifecycle, Place, Task, TaskActKind};
use rayon::prelude::*;

use crate::background::{Holder, Plan, ends_all, hold, is_no_name, tasks_made};
use crate::close_not_awaited::is_dropped_close;
use crate::closed_too_late::is_hook;
use crate::no_loop_in_thread::is_from_outside;
use drain::Drain;

use crate::thread::has_no_loop;
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

/// The cause.
pub struct DroppedTask;

const SLUG: &str = "dropped-task";

static PAGE: Page = Page {
    title: "A task is started and nobody keeps it",
    what: "The event loop only holds tasks weakly. A task whose result of `create_task` is not kept can be collected while it \
           waits for something that only it keeps alive, and then its work stops in the middle. And nobody can wait for it: \
           at shutdown it is cancelled or closed under, and what it had left to do is lost.",
    log: "Task was destroyed but it is pending!\n\
          task: <Task pending name='Task-2' coro=<Mirror.run() done, defined at /srv/mirror/hub.py:26> wait_for=<Future cancelled>>",
    wrong: "async def create_order(request):\n    asyncio.create_task(audit(\"order-created\"))\n    return web.Response(status=201)",
    right: "background_tasks = set()\n\n\nasync def create_order(request):\n    task = asyncio.create_task(audit(\"order-created\"))\n    background_tasks.add(task)\n    task.add_done_callback(background_tasks.discard)\n    return web.Response(status=201)",
    unless: "A task that another reference keeps is left alone: an attribute, a global, a container, a `TaskGroup`, the caller that it \
             is returned to, or `gather` and `wait`. A local name of the coroutine that runs the whole program keeps it too.",
    prevent: "Start tasks in a `TaskGroup` (Python 3.11+), or in one place of the program that keeps a set of them and waits for \
              it at shutdown. ruff's `RUF006` finds the plain form.",
    symptoms: &["task-destroyed-pending", "task-destroyed-detail"],
};

/// How the task is lost.
#[derive(Clone, Copy, Debug)]
enum Lost {
    /// The call's value is dropped, or kept by a name that nobody reads.
    Here,
    /// Put into a weak container by this call.
    Weakly(ExprRef),
}

struct Detail {
    call: ExprRef,
    lost: Lost,
    /// Its end, where what it works with is closed while it runs.
    plan: Option<Plan>,
    /// Where an application waits for what its handlers started.
    drain: Option<Drain>,
}

impl Cause for DroppedTask {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        let lost = life.tasks().par_iter().filter_map(|task| {
            let lost = lost(life, task)?;
            let closes = task.coroutine.is_some_and(|coroutine| is_dropped_close(life, coroutine));
            // In a thread or a hook the call itself fails, or belongs to another thread.
            let elsewhere = || {
                has_no_loop(life, task.function)
                    || is_from_outside(life, task.call)
                    || is_hook(life, task.function)
            };
            (!closes && !elsewhere()).then_some((task, lost))
        });
        let lost: Vec<_> = lost.collect();
        if lost.is_empty() {
            return;
        }
        let ended = ends_all(life);
        let all = lost.into_par_iter().map(|(task, lost)| {
            let plan = Plan::of(life, task).filter(|plan| {
                !ended && plan.closes.is_some() && plan.handle.is_some() && matches!(lost, Lost::Here)
            });
            found(life, task, lost, plan)
        });
        for found in all.collect::<Vec<_>>() {
            report.add(found);
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let detail =
            found.detail::<Detail>().ok_or_else(|| Declined::because("the finding is not of this cause"))?;
        let file = detail.call.file;
        let source = Source::parse(&life.facts(file).path, life.text(file).clone());
        if source.is_broken() {
            return Err(Declined::because("mend the syntax errors of the file first"));
        }
        let mut draft = Draft::new(&source);
        if let Some(plan) = &detail.plan {
            let mut mend = Mend::new(found.applicability);
            plan.carry_out(life, &mut mend)?;
            return Ok(mend);
        }
        if let Lost::Weakly(put) = detail.lost {
            return weak::mend(life, found, detail.call, put);
        }
        let holder = Holder::of(life, file);
        hold(life, &mut draft, detail.call, &holder.name, None)?;
        draft.step(|now| holder.define(now, None))?;
        let mut mend = Mend::new(found.applicability);
        match &detail.drain {
            Some(drain) => drain.carry_out(life, draft, &holder.name, detail.call, &mut mend)?,
            None => mend.edit(life, file, draft.edits()),
        }
        mend.declared.added.extend(["set", "add", "add_done_callback"].map(str::to_owned));
        Ok(mend)
    }
}

/// Whether nothing keeps the task.
fn lost(life: &Lifecycle, task: &Task) -> Option<Lost> {
    if task.dropped() || thrown_away(life, task.call) {
        return Some(Lost::Here);
    }
    if task.handed() || task.waited() {
        return None;
    }
    let mut weak = None;
    let mut local = None;
    for act in &task.acts {
        match &act.kind {
            TaskActKind::KeptWeakly(call) => weak = Some(*call),
            TaskActKind::Kept(Place::Local(function, _)) => local = Some(*function),
            TaskActKind::Callback(_) => {}
            _ => return None,
        }
    }
    if let Some(call) = weak {
        return Some(Lost::Weakly(call));
    }
    // A local name keeps it as long as its function runs: long, where the function waits for something after.
    let function = local?;
    let facts = life.facts(function.file);
    let of = facts.function(function.id);
    let start = facts.expr(task.call.id).range.end();
    let plain = function == task.function
        && matches!(facts.stmt_of(task.call.id).map(|stmt| &facts.stmt(stmt).kind),
            Some(StmtKind::Assign { value, .. }) if *value == task.call.id);
    let mut waits = of.is_generator;
    facts.body_exprs(function.id, &mut |id| {
        waits |= matches!(facts.expr(id).kind, ExprKind::Await(_)) && facts.expr(id).range.start() > start;
    });
    let runs_all = life.runs().iter().any(|run| run.coroutines.contains(&function));
    (plain && (life.in_loop(task.call) || !waits && !runs_all)).then_some(Lost::Here)
}

/// `_ = create_task(…)`, and a list of tasks that is no one's: nobody means to have them.
fn thrown_away(life: &Lifecycle, call: ExprRef) -> bool {
    let facts = life.facts(call.file);
    let Some(stmt) = facts.stmt_of(call.id) else { return false };
    let whole = tasks_made(facts, call.id).unwrap_or(call.id);
    match &facts.stmt(stmt).kind {
        StmtKind::Expr(value) => *value == whole && whole != call.id,
        StmtKind::Assign { targets, value } => *value == whole && is_no_name(facts, targets),
        _ => false,
    }
}

fn found(life: &Lifecycle, task: &Task, lost: Lost, plan: Option<Plan>) -> Found {
    let name =
        task.runs.first().map(|&function| life.facts(function.file).function(function.id).qualname.clone());
    let what = name.as_deref().map_or_else(|| "the task".to_owned(), |name| format!("the task of `{name}`"));
    let message = match lost {
        Lost::Here => format!(
            "nothing keeps {what}: the loop holds tasks only weakly, so it may be collected before it is done, and nobody can wait for it at shutdown"
        ),
        Lost::Weakly(_) => {
            format!("{what} is only in a weak container: it may be collected before it is done")
        }
    };
    let mut found = Found::new(SLUG, Spot::expr(life, task.call), message);
    found.applicability = match (lost, &plan) {
        (Lost::Weakly(_), _) => Applicability::Unsafe,
        (Lost::Here, Some(_)) => Applicability::Unsafe,
        (Lost::Here, None) => Applicability::Safe,
    };
    found.silent = true;
    found.functions = task.runs.clone();
    found.functions.push(task.function);
    found.names.extend(name);
    for &function in &task.runs {
        found.related.push((Spot::function(life, function), "what the task runs".to_owned()));
    }
    if let Lost::Weakly(call) = lost {
        found.related.insert(0, (Spot::expr(life, call), "held weakly here".to_owned()));
    }
    if let Some(spot) = plan.as_ref().and_then(|plan| plan.closes) {
        found
            .related
            .insert(0, (spot, "what it works with is closed here, while it may still run".to_owned()));
    }
    let drain = if plan.is_none() && matches!(lost, Lost::Here) { Drain::of(life, task) } else { None };
    if let Some(drain) = &drain {
        found.applicability = Applicability::Unsafe;
        found
            .related
            .push((drain.spot(life), "at its shutdown the application should wait for it".to_owned()));
    }
    found.detail = Some(Arc::new(Detail { call: task.call, lost, plan, drain }));
    found
}
