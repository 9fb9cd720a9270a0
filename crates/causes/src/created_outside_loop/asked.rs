//! `loop = asyncio.get_running_loop()` at a module's or a class's top level: no loop runs there, so it raises.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::edit::{Comments, Edit, Source, delete_statement};
use loopmend_python::facts::{Slot, StmtKind};
use loopmend_python::lifecycle::{
    ExprRef, FileId, FunctionRef, Ground, HandleKind, Lifecycle, LoopHandle, UseKind,
};

use super::SLUG;
use super::loading::{Loading, loading};
use crate::own_loop::asyncio_in;
use crate::{Declined, Found, Mend, Spot};

/// The call, for its mend.
pub(super) struct Asked(ExprRef);

pub(super) fn all(life: &Lifecycle) -> impl Iterator<Item = Found> + '_ {
    life.loops().iter().filter(|handle| raises(life, handle)).map(|handle| found(life, handle))
}

fn raises(life: &Lifecycle, handle: &LoopHandle) -> bool {
    let facts = life.facts(handle.site.file);
    let taken = facts.stmt_of(handle.site.id).is_none_or(|stmt| {
        facts.ancestors(stmt).any(|(outer, slot)| {
            slot == Slot::Body
                && matches!(facts.stmt(outer).kind, StmtKind::Try { .. } | StmtKind::With { .. })
        })
    });
    handle.kind == HandleKind::Running
        && handle.function.is_module()
        && !taken
        && life.calls_any(handle.site, &["asyncio.get_running_loop"])
        && loading(life, handle.site.file) == Loading::Outside
}

fn found(life: &Lifecycle, handle: &LoopHandle) -> Found {
    let call = life.source(handle.site);
    let mut found = Found::new(
        SLUG,
        Spot::expr(life, handle.site),
        format!(
            "`{call}` is called when the module is imported, where no loop runs: it raises; ask in the coroutine that needs the loop"
        ),
    );
    found.functions.extend(handle.operations.iter().map(|act| act.function));
    found.functions.retain(|function| !function.is_module());
    found.functions.sort_unstable();
    found.functions.dedup();
    found.applicability = Applicability::Unsafe;
    found.detail = Some(Arc::new(Asked(handle.site)));
    found
}

/// Each coroutine asks for itself.
pub(super) fn mend(life: &Lifecycle, asked: &Asked) -> Result<Mend, Declined> {
    let by_hand =
        || Declined::because("call asyncio.get_running_loop() in the coroutines that need the loop");
    let site = asked.0;
    let facts = life.facts(site.file);
    let stmt = facts.stmt_of(site.id).ok_or_else(by_hand)?;
    let kept = matches!(&facts.stmt(stmt).kind, StmtKind::Assign { targets, value } if targets.len() == 1 && *value == site.id);
    let flow = life.flow_of(site);
    if !kept || flow.doubt {
        return Err(by_hand());
    }
    let reads: BTreeSet<ExprRef> = flow
        .uses
        .iter()
        .filter(|at| at.expr != site && !matches!(at.kind, UseKind::Stored(_)))
        .map(|at| at.expr)
        .collect();
    let inside = |at: &ExprRef| {
        let function = FunctionRef { file: at.file, id: life.facts(at.file).function_of(at.id) };
        life.facts(at.file).function(function.id).is_async || life.all_grounds(function, Ground::runs_loop)
    };
    if reads.is_empty() || !reads.iter().all(inside) || reads.iter().any(|at| at.file != site.file) {
        return Err(by_hand());
    }
    let asyncio = asyncio_in(life, site.file);
    let mut edits: BTreeMap<FileId, Vec<Edit>> = BTreeMap::new();
    for at in reads {
        let range = life.facts(at.file).expr(at.id).range;
        let edit = Edit::replacement(range, format!("{asyncio}.get_running_loop()"));
        edits.entry(at.file).or_default().push(edit);
    }
    let source = Source::parse(&facts.path, life.text(site.file).clone());
    let gone = delete_statement(&source, facts.stmt(stmt).range, Comments::Keep)?;
    edits.entry(site.file).or_default().extend(gone);
    let mut mend = Mend::new(Applicability::Unsafe);
    for (file, edits) in edits {
        mend.edit(life, file, edits);
    }
    mend.declared.added.push("get_running_loop".to_owned());
    mend.declared.removed.push("get_running_loop".to_owned());
    mend.declared.moved = true;
    if let StmtKind::Assign { targets, .. } = &facts.stmt(stmt).kind
        && let Some(name) = facts.name_of(targets[0])
    {
        mend.declared.unbound.push(format!("{}:{name}", facts.path));
    }
    Ok(mend)
}
