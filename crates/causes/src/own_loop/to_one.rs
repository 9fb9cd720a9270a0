//! From several runs on a loop made by hand to one.

use loopmend_python::lifecycle::{ExprRef, Lifecycle, LoopAct, LoopHandle};

use super::to_run::runs_shutdown;
use crate::one_run::{Endings, Hoist, Region, merge};
use crate::{Declined, Mend};

/// Whether one function does several runs on the loop, one after the other.
pub(crate) fn in_turn(life: &Lifecycle, handle: &LoopHandle) -> bool {
    let runs: Vec<ExprRef> =
        handle.acts(&LoopAct::Run).filter(|act| !runs_shutdown(life, act.at)).map(|act| act.at).collect();
    runs.len() > 1
        && handle.acts(&LoopAct::Run).all(|act| act.function == handle.function)
        && !life.exclusive(&runs)
}

/// Makes one run of all the runs of a loop that one function does: what one of them opens is used in the next.
pub(crate) fn to_one(life: &Lifecycle, handle: &LoopHandle) -> Result<Mend, Declined> {
    let runs: Vec<ExprRef> = handle.acts(&LoopAct::Run).map(|act| act.at).collect();
    let function = handle.function;
    if runs.is_empty() || handle.acts(&LoopAct::Run).any(|act| act.function != function) {
        return Err(Declined::because(
            "the runs stand in several functions: put them into one coroutine and run that once",
        ));
    }
    // Tasks made before the run need its loop: they would stay outside.
    let facts = life.facts(function.file);
    let mut tasks = false;
    facts.body_exprs(function.id, &mut |id| {
        let call = ExprRef { file: function.file, id };
        tasks |= life.called_name(call).is_some_and(|name| {
            matches!(name.as_str(), "create_task" | "ensure_future" | "Future" | "create_future")
        });
    });
    if tasks {
        return Err(Declined::because(
            "tasks are made outside a coroutine: make and await them in one, and run that once",
        ));
    }
    let region = Region::around(life, function, &runs, &[], &Hoist::default())?;
    merge(life, &region, &Endings::default())
}
