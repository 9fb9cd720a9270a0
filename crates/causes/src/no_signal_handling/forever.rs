//! `loop.run_forever()`: SIGTERM is to stop the loop.

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::edit::ImportRequest;
use loopmend_python::facts::{ExprKind, StmtKind};
use loopmend_python::lifecycle::{ExprRef, Lifecycle, LoopAct, Run, StmtRef};

use super::handled::{Handled, handled, in_main_thread};
use super::mend::{Install, by_hand, declare, signals};
use super::{Detail, complete, stake, starter};
use crate::own_loop::Steps;
use crate::{Declined, Found, Mend, Spot};

/// A run that nothing but an exception ends, with cleanup behind it.
pub(super) fn judge(life: &Lifecycle, run: &Run) -> Option<Found> {
    let facts = life.facts(run.call.file);
    let stmt = StmtRef { file: run.call.file, id: facts.stmt_of(run.call.id)? };
    let stake = stake::around(life, stmt).into_iter().find(|stake| !stake.light)?;
    if !in_main_thread(life, run) || stopped_somewhere(life) || handled(life, run) != Handled::Nothing {
        return None;
    }
    let mut found = Found::new(
        "no-signal-handling",
        Spot::expr(life, run.call),
        "the loop runs until the process is told to stop, and nothing answers SIGTERM: the process is killed without its cleanup",
    );
    found.related.push((stake.spot, stake.words.to_owned()));
    found.functions = starter::starters(life, run);
    found.detail = Some(Arc::new(Detail::Forever { run: run.clone() }));
    complete(life, run, &stake, &mut found);
    Some(found)
}

/// Whether something stops a loop: the program has a way to its end then.
fn stopped_somewhere(life: &Lifecycle) -> bool {
    let by_handle = life.loops().iter().any(|handle| handle.does(&LoopAct::Stop));
    by_handle
        || life.files_with("stop").iter().any(|&file| {
            let facts = life.facts(file);
            facts.attributes.get("stop").into_iter().flatten().any(|&id| {
                let ExprKind::Attribute { value, .. } = facts.expr(id).kind else { return false };
                life.source(ExprRef { file, id: value }).to_lowercase().contains("loop")
            })
        })
}

/// SIGTERM stops the loop, and what stands behind the run ends the rest.
pub(super) fn stopped(life: &Lifecycle, run: &Run, applicability: Applicability) -> Result<Mend, Declined> {
    let facts = life.facts(run.call.file);
    let file = run.call.file;
    let stmt = facts.stmt_of(run.call.id).ok_or_else(by_hand)?;
    let receiver = run.receiver.ok_or_else(by_hand)?;
    let plain = matches!(facts.stmt(stmt).kind, StmtKind::Expr(value) if value == run.call.id);
    let named = matches!(facts.expr(receiver.id).kind, ExprKind::Name(_) | ExprKind::Attribute { .. });
    if !plain || !named {
        return Err(by_hand());
    }
    if !ends_tasks(life, run) {
        return Err(Declined::because(
            "after a stop the tasks on the loop are still pending: cancel and await them behind run_forever(), then let SIGTERM call loop.stop",
        ));
    }
    let on = life.source(receiver).to_owned();
    let install = Install::on(run.function, signals(life, run.call), on.clone());
    let lines = install.handlers(life, &format!("{on}.stop"))?;
    let mut steps = Steps::default();
    steps.before(life, file, stmt, lines);
    steps.import(ImportRequest::module("signal"));
    let mut mend = Mend::new(applicability);
    mend.edit(life, file, steps.edits(life, file, false)?);
    declare(&mut mend, &["stop"]);
    Ok(mend)
}

/// Whether the function of the run cancels tasks, or there are none.
fn ends_tasks(life: &Lifecycle, run: &Run) -> bool {
    let facts = life.facts(run.call.file);
    let mut cancels = false;
    facts.body_exprs(run.function.id, &mut |id| {
        cancels |= matches!(&facts.expr(id).kind, ExprKind::Attribute { attr, .. } if attr == "cancel")
            || matches!(&facts.expr(id).kind, ExprKind::Attribute { attr: name, .. } | ExprKind::Name(name) if name == "all_tasks");
    });
    cancels || life.tasks().iter().all(|task| task.function.file != run.call.file)
}
