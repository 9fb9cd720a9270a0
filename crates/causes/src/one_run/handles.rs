//! Names that hold a loop only to run steps on it, and the statements that keep house for it.

use std::collections::BTreeSet;

use loopmend_python::facts::{ExprKind, Name, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, Lifecycle, RunKind};

use super::Region;
use crate::Declined;

/// What goes with the loops of a region.
#[derive(Clone, Debug, Default)]
pub struct Handles {
    /// The names.
    pub names: BTreeSet<Name>,
    /// Their statements: the making, `set_event_loop`, `shutdown_asyncgens`, `close`.
    pub stmts: Vec<StmtId>,
}

impl Handles {
    /// Of the runs of a region; declined where a loop is used for more.
    pub fn of(life: &Lifecycle, region: &Region) -> Result<Self, Declined> {
        let facts = life.facts(region.file);
        let mut found = Self::default();
        let more = || {
            Declined::because(
                "the loop is kept or used for more than running the steps: put the steps into one coroutine and run it once by hand",
            )
        };
        for run in region.runs.iter().filter(|run| run.kind == RunKind::OnLoop) {
            let receiver = run.receiver.ok_or_else(more)?;
            match &facts.expr(receiver.id).kind {
                ExprKind::Name(name) if facts.scopes[region.function.id.index()].contains_key(name) => {
                    found.names.insert(name.clone());
                }
                ExprKind::Call { .. } => {}
                _ => return Err(more()),
            }
        }
        for name in &found.names.clone() {
            for &id in &facts.scopes[region.function.id.index()][name] {
                let binding = facts.binding(id);
                let stmt = binding.stmt.ok_or_else(more)?;
                let StmtKind::Assign { targets, value } = &facts.stmt(stmt).kind else { return Err(more()) };
                let made = life.calls_any(
                    ExprRef { file: region.file, id: *value },
                    &["asyncio.new_event_loop", "asyncio.get_event_loop", "uvloop.new_event_loop"],
                );
                if targets.len() != 1 || !made {
                    return Err(more());
                }
                found.stmts.push(stmt);
            }
            for load in life.loads_of(region.file, region.function.id, name) {
                if facts.function_of(load.id) != region.function.id {
                    return Err(more());
                }
                found.use_of(life, region, load).ok_or_else(more)?;
            }
        }
        // `asyncio.set_event_loop(None)` and the like beside a named loop.
        if !found.names.is_empty() {
            for &call in &facts.calls {
                let at = ExprRef { file: region.file, id: call };
                if facts.function_of(call) == region.function.id
                    && life.calls_any(at, &["asyncio.set_event_loop"])
                    && let Some(stmt) = facts.stmt_of(call)
                    && matches!(facts.stmt(stmt).kind, StmtKind::Expr(value) if value == call)
                {
                    found.stmts.push(stmt);
                }
            }
        }
        found.stmts.sort_by_key(|&stmt| facts.stmt(stmt).range.start());
        found.stmts.dedup();
        Ok(found)
    }

    /// One read of the name: the receiver of a run of the region, or of housekeeping that goes.
    fn use_of(&mut self, life: &Lifecycle, region: &Region, load: ExprRef) -> Option<()> {
        let facts = life.facts(region.file);
        let up = facts.parent_expr(load.id)?;
        if let ExprKind::Call { .. } = facts.expr(up).kind {
            return life.calls_any(load.with(up), &["asyncio.set_event_loop"]).then_some(());
        }
        let ExprKind::Attribute { attr, .. } = &facts.expr(up).kind else { return None };
        let call = facts.parent_expr(up)?;
        let stmt = facts.stmt_of(call)?;
        match attr.as_str() {
            "close" => matches!(facts.stmt(stmt).kind, StmtKind::Expr(value) if value == call)
                .then(|| self.stmts.push(stmt)),
            "shutdown_asyncgens" | "shutdown_default_executor" => {
                let outer = facts.parent_expr(call)?;
                matches!(facts.stmt(stmt).kind, StmtKind::Expr(value) if value == outer)
                    .then(|| self.stmts.push(stmt))
            }
            "run_until_complete" => {
                let ours = region.runs.iter().any(|run| run.call.id == call);
                let keeps_house = life.source(load.with(call)).contains(".shutdown_");
                (ours || keeps_house).then_some(())
            }
            _ => None,
        }
    }
}
