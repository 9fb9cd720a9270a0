//! Where a task's life should end: before what it works with is closed.

use loopmend_python::facts::{ExprKind, Facts, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, StmtRef, Task};

use super::Link;
use crate::Spot;

/// Where the lines go that end a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// What follows in the block, from the first to the last statement, goes below `try:`, the lines into its `finally:`.
    Rest(StmtId, StmtId),
    /// Behind this statement, the last of its block.
    Behind(StmtId),
    /// Before this statement.
    Before(StmtId),
    /// A generator: what leads to the `yield` goes below `try:`, the lines into `finally:`, with what follows the `yield`.
    Yield {
        /// The first statement to go below `try:`.
        first: StmtId,
        /// The statement of the `yield`.
        last: StmtId,
        /// The statements behind it, to go into `finally:`.
        tail: Vec<StmtId>,
    },
}

/// An ending, and what is closed there.
#[derive(Clone, Debug)]
pub struct Closed {
    /// Where the lines go.
    pub ending: Ending,
    /// The statement of the block in which the task starts, or that holds its start.
    pub level: StmtId,
    /// The `with` or the close that ends what the task works with; none where only the function's life ends.
    pub closes: Option<Spot>,
}

/// Where what the task works with is closed in the function that starts it.
pub fn closed_around(life: &Lifecycle, task: &Task, link: &Link) -> Option<Closed> {
    let facts = life.facts(task.call.file);
    let mut level = facts.stmt_of(task.call.id)?;
    loop {
        if let Some(found) = closed_behind(life, facts, task.function, link, level) {
            return Some(found);
        }
        let stmt = facts.stmt(level);
        let up = stmt.parent?;
        if stmt.slot == Slot::Body {
            let spot = match &facts.stmt(up).kind {
                StmtKind::With { items, .. } => items
                    .iter()
                    .map(|item| (ExprRef { file: task.call.file, id: item.context }, item.target))
                    .find(|&(context, target)| link.works_inside(life, context, target))
                    .map(|(context, _)| Spot::expr(life, context)),
                StmtKind::Try { finally, .. } => link
                    .closings(life, task.function, finally)
                    .first()
                    .map(|closing| Spot::expr(life, closing.call)),
                _ => None,
            };
            if let Some(spot) = spot {
                let (block, index) = facts.block_of(level);
                let ending = match (block.get(index + 1), block.last()) {
                    (Some(&first), Some(&last)) => Ending::Rest(first, last),
                    _ => Ending::Behind(level),
                };
                return Some(Closed { ending, level, closes: Some(spot) });
            }
        }
        level = up;
    }
}

/// A close in what follows a statement in its block.
fn closed_behind(
    life: &Lifecycle,
    facts: &Facts,
    function: FunctionRef,
    link: &Link,
    level: StmtId,
) -> Option<Closed> {
    let (block, index) = facts.block_of(level);
    let rest = &block[index + 1..];
    for (place, &stmt) in rest.iter().enumerate() {
        let inner = match &facts.stmt(stmt).kind {
            StmtKind::Try { finally, .. } if !finally.is_empty() => &**finally,
            StmtKind::Try { .. } | StmtKind::With { .. } | StmtKind::For { .. } | StmtKind::While { .. } => {
                continue;
            }
            _ => std::slice::from_ref(&rest[place]),
        };
        let Some(closing) = link.closings(life, function, inner).into_iter().next() else { continue };
        let spot = Some(Spot::expr(life, closing.call));
        let yielded = rest[..place].iter().rposition(|&at| yields(facts, at));
        let tail = |from: usize| rest[from..].to_vec();
        let ending = match (&facts.stmt(stmt).kind, yielded) {
            (StmtKind::Try { finally, .. }, _) => Ending::Before(finally[0]),
            (_, Some(at)) if tail(at + 1).iter().all(|&stmt| simple(facts, stmt)) => {
                Ending::Yield { first: rest[0], last: rest[at], tail: tail(at + 1) }
            }
            _ => Ending::Before(stmt),
        };
        return Some(Closed { ending, level, closes: spot });
    }
    None
}

/// The end of a generator's life: the `yield` behind the start of a task.
pub fn yield_behind(life: &Lifecycle, task: &Task) -> Option<Closed> {
    let facts = life.facts(task.call.file);
    let level = facts.stmt_of(task.call.id)?;
    let (block, index) = facts.block_of(level);
    let rest = &block[index + 1..];
    let at = rest.iter().position(|&stmt| yields(facts, stmt))?;
    let ending = match &facts.stmt(rest[at]).kind {
        StmtKind::Try { finally, .. } if !finally.is_empty() => Ending::Before(finally[0]),
        StmtKind::Expr(_) | StmtKind::Assign { .. } => {
            let tail = &rest[at + 1..];
            let tail = if tail.iter().all(|&stmt| simple(facts, stmt)) { tail.to_vec() } else { Vec::new() };
            Ending::Yield { first: rest[0], last: rest[at], tail }
        }
        _ => Ending::Yield { first: rest[0], last: rest[at], tail: Vec::new() },
    };
    Some(Closed { ending, level, closes: None })
}

/// The outermost statement of a function's body that holds another.
pub fn outermost(life: &Lifecycle, function: FunctionRef, stmt: StmtId) -> StmtRef {
    let facts = life.facts(function.file);
    let id = facts.ancestors(stmt).map(|(outer, _)| outer).last().unwrap_or(stmt);
    StmtRef { file: function.file, id }
}

fn yields(facts: &Facts, stmt: StmtId) -> bool {
    let mut found = false;
    facts.walk_exprs(&[stmt], &mut |expr| found |= matches!(facts.expr(expr).kind, ExprKind::Yield(_)));
    found
}

fn simple(facts: &Facts, stmt: StmtId) -> bool {
    matches!(
        facts.stmt(stmt).kind,
        StmtKind::Expr(_)
            | StmtKind::If { .. }
            | StmtKind::For { .. }
            | StmtKind::Assign { .. }
            | StmtKind::Delete(_)
    )
}
