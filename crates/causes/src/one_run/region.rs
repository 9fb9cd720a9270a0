//! The statements that one run is to hold.

use loopmend_python::facts::{ExprKind, Facts, MODULE, Slot, StmtId, StmtKind, TextRange};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, Run};

use super::Hoist;
use crate::Declined;
use crate::carried::steps_in;

/// Neighbouring statements of one block.
#[derive(Clone, Debug)]
pub struct Region {
    /// The file.
    pub file: FileId,
    /// The function around.
    pub function: FunctionRef,
    /// The statements, in order.
    pub stmts: Vec<StmtId>,
    /// All runs in them.
    pub runs: Vec<Run>,
    /// Functions that are called in them and become coroutines.
    pub hoisted: Vec<FunctionRef>,
    /// They are left by `return`, so what stands in their place returns too.
    pub returns: bool,
}

impl Region {
    /// The statements from the first to the last of these runs, loops around them whole.
    pub fn around(
        life: &Lifecycle,
        function: FunctionRef,
        runs: &[ExprRef],
        owned: &[ExprRef],
        hoist: &Hoist,
    ) -> Result<Self, Declined> {
        let facts = life.facts(function.file);
        let mut anchors = Vec::new();
        for &call in runs {
            let stmt =
                facts.stmt_of(call.id).ok_or_else(|| Declined::because("a run stands in no statement"))?;
            anchors.push(anchor(facts, stmt, owned, function));
        }
        let mut stmts = common(facts, &anchors).ok_or_else(|| {
            Declined::because(
                "the runs stand in no common block: write one coroutine that awaits them in turn",
            )
        })?;
        let leaves = |stmts: &[StmtId]| {
            let mut found = false;
            facts.walk(stmts, &mut |stmt| found |= matches!(facts.stmt(stmt).kind, StmtKind::Return(_)));
            found
        };
        let returns = leaves(&stmts);
        if returns {
            let (block, _) = facts.block_of(stmts[0]);
            if facts.stmt(stmts[0]).parent.is_some() && !closed_block(facts, stmts[0]) {
                return Err(Declined::because(
                    "the statements between the runs return from the middle of the function: put them into one coroutine by hand and run that once",
                ));
            }
            let first = block.iter().position(|&stmt| stmt == stmts[0]).unwrap_or(0);
            stmts = block[first..].to_vec();
        }
        let mut region = Self {
            file: function.file,
            function,
            stmts,
            runs: Vec::new(),
            hoisted: hoist.functions.clone(),
            returns,
        };
        let range = region.range(life);
        let mut runs = steps_in(life, function);
        runs.extend(hoist.calls_in(life, function));
        runs.retain(|run| range.contains_range(facts.expr(run.call.id).range));
        runs.sort_by_key(|run| run.call);
        region.runs = runs;
        region.check(life)?;
        Ok(region)
    }

    /// From the first statement's start to the last one's end.
    pub fn range(&self, life: &Lifecycle) -> TextRange {
        let facts = life.facts(self.file);
        let first = facts.stmt(self.stmts[0]).range;
        self.stmts.last().map_or(first, |&last| first.cover(facts.stmt(last).range))
    }

    /// Whether a loop of the region runs an expression again and again.
    pub fn repeats(&self, life: &Lifecycle, expr: ExprRef) -> bool {
        let facts = life.facts(self.file);
        let range = self.range(life);
        let within = facts.stmt_of(expr.id).is_some_and(|stmt| {
            std::iter::once(stmt).chain(facts.ancestors(stmt).map(|(outer, _)| outer)).any(|outer| {
                matches!(facts.stmt(outer).kind, StmtKind::For { .. } | StmtKind::While { .. })
                    && range.contains_range(facts.stmt(outer).range)
            })
        });
        within || life.in_loop(expr) && facts.stmt_of(expr.id).is_some_and(|stmt| self.stmts.contains(&stmt))
    }

    fn check(&self, life: &Lifecycle) -> Result<(), Declined> {
        let facts = life.facts(self.file);
        let of = facts.function(self.function.id);
        if of.is_async || of.is_generator {
            return Err(Declined::because(
                "the runs stand in a generator or a coroutine: write one coroutine by hand",
            ));
        }
        let mut trouble = None;
        facts.walk(&self.stmts, &mut |stmt| match &facts.stmt(stmt).kind {
            StmtKind::Break | StmtKind::Continue if !self.inner_loop(facts, stmt) => {
                trouble = Some("a `break` or `continue` between the runs belongs to a loop around them");
            }
            StmtKind::Try { handlers, .. } => {
                let interrupted = handlers.iter().any(|handler| {
                    handler.types.is_some_and(|types| {
                        let mut found = false;
                        facts.descend(types, &mut |id| {
                            found |= matches!(&facts.expr(id).kind,
                                ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } if name == "KeyboardInterrupt");
                        });
                        found
                    })
                });
                if interrupted {
                    trouble = Some("a handler of KeyboardInterrupt stands between the runs; a coroutine is cancelled instead");
                }
            }
            StmtKind::Scope(_) => trouble = Some("a `global` or `nonlocal` statement stands between the runs"),
            _ => {}
        });
        facts.walk_exprs(&self.stmts, &mut |id| {
            if let ExprKind::Comprehension { lazy: true, .. } = facts.expr(id).kind
                && self
                    .runs
                    .iter()
                    .any(|run| facts.expr(id).range.contains_range(facts.expr(run.call.id).range))
            {
                trouble = Some("a run stands in a generator expression");
            }
        });
        match trouble {
            Some(reason) => Err(Declined::because(format!(
                "{reason}: put the steps into one coroutine by hand and run that once"
            ))),
            None => Ok(()),
        }
    }

    fn inner_loop(&self, facts: &Facts, stmt: StmtId) -> bool {
        let range = facts.stmt(self.stmts[0]).range.cover(facts.stmt(self.stmts[self.stmts.len() - 1]).range);
        facts
            .ancestors(stmt)
            .find(|(outer, slot)| {
                matches!(facts.stmt(*outer).kind, StmtKind::For { .. } | StmtKind::While { .. })
                    && *slot == Slot::Body
            })
            .is_some_and(|(outer, _)| range.contains_range(facts.stmt(outer).range))
    }
}

/// The outermost loop around a statement that none of the owned objects is made in, else the statement.
fn anchor(facts: &Facts, stmt: StmtId, owned: &[ExprRef], function: FunctionRef) -> StmtId {
    facts
        .ancestors(stmt)
        .filter(|(outer, slot)| {
            matches!(facts.stmt(*outer).kind, StmtKind::For { .. } | StmtKind::While { .. })
                && *slot == Slot::Body
                && !owned.iter().any(|made| {
                    made.file == function.file
                        && facts.stmt(*outer).range.contains_range(facts.expr(made.id).range)
                })
        })
        .last()
        .map_or(stmt, |(outer, _)| outer)
}

/// The statements of the innermost common block, from the first that holds an anchor to the last.
fn common(facts: &Facts, anchors: &[StmtId]) -> Option<Vec<StmtId>> {
    // Each anchor's way out: the statement at each level with the block that it stands in.
    let ways: Vec<Vec<StmtId>> = anchors
        .iter()
        .map(|&anchor| std::iter::once(anchor).chain(facts.ancestors(anchor).map(|(stmt, _)| stmt)).collect())
        .collect();
    for &level in ways.first()? {
        let (block, _) = facts.block_of(level);
        let mut places = Vec::new();
        for way in &ways {
            let place = way.iter().find_map(|stmt| block.iter().position(|at| at == stmt));
            match place {
                Some(place) => places.push(place),
                None => break,
            }
        }
        if places.len() == ways.len() {
            let from = *places.iter().min()?;
            let to = *places.iter().max()?;
            return Some(block[from..=to].to_vec());
        }
    }
    None
}

/// Whether the end of a block is the end of the function: nothing runs after it.
fn closed_block(facts: &Facts, stmt: StmtId) -> bool {
    let mut at = stmt;
    loop {
        let Some(up) = facts.stmt(at).parent else { return facts.stmt(at).function != MODULE };
        if !matches!(facts.stmt(up).kind, StmtKind::If { .. } | StmtKind::With { .. }) {
            return false;
        }
        let (block, index) = facts.block_of(up);
        if index + 1 != block.len() {
            return false;
        }
        at = up;
    }
}
