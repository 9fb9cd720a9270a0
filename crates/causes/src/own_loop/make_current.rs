//! A loop made and set where one was asked for.

use loopmend_python::facts::{ExprKind, StmtKind};
use loopmend_python::lifecycle::{Lifecycle, LoopAct, LoopHandle, Place, Repeat};

use super::Steps;
use super::to_run::asyncio_in;
use crate::{Declined, Mend};

/// Makes a loop with `new_event_loop()` and sets it, in the place of `get_event_loop()`: for programs that drive their loop by hand.
pub(crate) fn make_current(life: &Lifecycle, handle: &LoopHandle, mend: &mut Mend) -> Result<(), Declined> {
    let site = handle.site;
    let facts = life.facts(site.file);
    let not =
        || Declined::because("make the loop once with asyncio.new_event_loop(), where the program starts");
    let drives = handle.operations.iter().any(|act| matches!(act.kind, LoopAct::Run | LoopAct::Forever));
    if !drives || life.repeat(handle.function) != Repeat::Once {
        return Err(not());
    }
    let stmt = facts.stmt_of(site.id).ok_or_else(not)?;
    let StmtKind::Assign { targets, value } = &facts.stmt(stmt).kind else { return Err(not()) };
    let ([target], true) = (&targets[..], *value == site.id) else { return Err(not()) };
    if handle.places.iter().any(|place| matches!(place, Place::Loose(..))) {
        return Err(not());
    }
    let local = asyncio_in(life, site.file);
    let mut steps = Steps::default();
    steps.replace(facts.expr(site.id).range, format!("{local}.new_event_loop()"));
    let name = &life.text(site.file)[facts.expr(*target).range];
    steps.after(life, site.file, stmt, format!("{local}.set_event_loop({name})"));
    if let ExprKind::Call { func, .. } = facts.expr(site.id).kind
        && let Some(name) = facts.name_of(func)
    {
        steps.forget_import(name);
    }
    let edits = steps.edits(life, site.file, true)?;
    mend.edit(life, site.file, edits);
    mend.declared.added.extend(["new_event_loop", "set_event_loop"].map(str::to_owned));
    mend.declared.removed.push("get_event_loop".to_owned());
    Ok(())
}
