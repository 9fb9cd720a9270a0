//! A loop that stays open until its owner is done with it.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_python::facts::StmtKind;
use loopmend_python::lifecycle::{FileId, Lifecycle, LoopAct, LoopHandle, Reuse};

use super::Steps;
use crate::{Declined, Mend};

/// Takes the closes that come too early away, where a later one remains.
pub(crate) fn keep_open(
    life: &Lifecycle,
    handles: &[LoopHandle],
    reuses: &[Reuse],
    mend: &mut Mend,
) -> Result<(), Declined> {
    let early: BTreeSet<_> = reuses.iter().map(|reuse| reuse.close).collect();
    let remains = handles
        .iter()
        .flat_map(|handle| handle.acts(&LoopAct::Close))
        .any(|act| !early.contains(&act.at) && !act.handed);
    if !remains {
        return Err(Declined::because("no later close of the loop remains"));
    }
    let mut files: BTreeMap<FileId, Steps> = BTreeMap::new();
    for close in &early {
        let facts = life.facts(close.file);
        let stmt = facts
            .stmt_of(close.id)
            .filter(|&stmt| matches!(facts.stmt(stmt).kind, StmtKind::Expr(value) if value == close.id))
            .ok_or_else(|| Declined::because("the close stands inside another expression"))?;
        files.entry(close.file).or_default().delete(life, close.file, stmt);
    }
    for (file, steps) in files {
        let edits = steps.edits(life, file, false)?;
        mend.edit(life, file, edits);
    }
    mend.declared.removed.push("close".to_owned());
    mend.declared.moved = true;
    Ok(())
}
