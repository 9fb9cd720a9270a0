//! Threads that make their loop by hand: first that becomes `asyncio.run`, then the rest is as for any thread.

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::edit::apply;
use loopmend_python::lifecycle::{Lifecycle, LoopAct, LoopHandle, RunKind};

use super::{CrossLoopObject, Detail};
use crate::own_loop::to_run;
use crate::{Cause, Declined, Mend, Report};

/// The change in two steps; none where no thread makes its loop by hand.
pub fn mend(life: &Lifecycle, detail: &Detail) -> Option<Result<Mend, Declined>> {
    let mut handles: Vec<&LoopHandle> = Vec::new();
    for thread in detail.all.iter().filter(|thread| thread.run.kind == RunKind::OnLoop) {
        let handle = life
            .loops()
            .iter()
            .find(|handle| handle.acts(&LoopAct::Run).any(|act| act.at == thread.run.call));
        match handle {
            Some(handle) => handles.push(handle),
            None => {
                return Some(Err(Declined::because(
                    "the thread's loop was not followed: run its coroutine on the other loop by hand",
                )));
            }
        }
    }
    (!handles.is_empty()).then(|| in_two_steps(life, detail, &handles))
}

fn in_two_steps(life: &Lifecycle, detail: &Detail, handles: &[&LoopHandle]) -> Result<Mend, Declined> {
    let mut first = Mend::new(Applicability::Unsafe);
    for handle in handles {
        to_run(life, handle, &mut first)?;
    }
    let changed = |life: &Lifecycle, mend: &Mend| -> Result<Vec<(String, Arc<str>)>, Declined> {
        let mut texts = Vec::new();
        for (path, edits) in &mend.edits {
            let file =
                life.file(path).ok_or_else(|| Declined::because("the loop is made in no Python file"))?;
            let text = apply(life.text(file), edits).map_err(loopmend_python::edit::Refused::from)?;
            texts.push((path.clone(), Arc::from(text)));
        }
        Ok(texts)
    };
    let mut texts = changed(life, &first)?;
    let again = life.with_changes(&texts);
    let name = |life: &Lifecycle, detail: &Detail| {
        let facts = life.facts(detail.own.run.function.file);
        (facts.path.clone(), facts.function(detail.own.run.function.id).qualname.clone())
    };
    let wanted = name(life, detail);
    let mut report = Report::default();
    CrossLoopObject.detect(&again, &mut report);
    let found = report
        .into_found()
        .into_iter()
        .find(|found| {
            found.detail::<Detail>().is_some_and(|detail| {
                name(&again, detail) == wanted
                    && detail.all.iter().all(|thread| thread.run.kind == RunKind::Fresh)
            })
        })
        .ok_or_else(|| {
            Declined::because(
                "the thread's loop does more than run one coroutine: run that on the other loop by hand",
            )
        })?;
    let second = CrossLoopObject.fix(&again, &found)?;
    for (path, text) in changed(&again, &second)? {
        match texts.iter_mut().find(|(known, _)| *known == path) {
            Some(known) => known.1 = text,
            None => texts.push((path, text)),
        }
    }
    let mut mend = Mend::new(second.applicability);
    for (path, text) in texts {
        if let Some(file) = life.file(&path) {
            mend.rewrite(life, file, &text);
        }
    }
    mend.declared = second.declared;
    mend.declared.added.extend(first.declared.added);
    mend.declared.removed.extend(first.declared.removed);
    mend.declared
        .removed
        .extend(["new_event_loop", "set_event_loop", "run_until_complete", "close"].map(str::to_owned));
    mend.declared.unbound.extend(first.declared.unbound);
    mend.notes = second.notes;
    Ok(mend)
}
