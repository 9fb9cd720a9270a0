//! How an `async for` is left before its generator has ended.

use loopmend_python::facts::{ExprKind, Facts, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle};

/// One way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Break,
    Return,
    Raise,
    /// A function that is called may raise.
    Passing,
}

impl Way {
    pub fn word(self) -> &'static str {
        match self {
            Self::Break => "`break`",
            Self::Return => "`return`",
            Self::Raise => "`raise`",
            Self::Passing => "an exception out of its body",
        }
    }
}

/// Ways out, each with its statement.
pub(super) type Ways = Vec<(StmtId, Way)>;

/// The ways out of a loop that its own text has; an exception that a call raises only where there is no other.
pub(super) fn ways(life: &Lifecycle, file: FileId, stmt: StmtId) -> Ways {
    let facts = life.facts(file);
    let StmtKind::For { body, .. } = &facts.stmt(stmt).kind else { return Vec::new() };
    let mut found = Vec::new();
    written(facts, body, false, false, &mut found);
    if found.is_empty()
        && let Some(call) = raising(life, file, body).or_else(|| expected(facts, file, stmt, body))
        && let Some(stmt) = facts.stmt_of(call.id)
    {
        found.push((stmt, Way::Passing));
    }
    found
}

fn written(facts: &Facts, block: &[StmtId], nested: bool, caught: bool, found: &mut Ways) {
    for &id in block {
        match &facts.stmt(id).kind {
            StmtKind::Break if !nested => found.push((id, Way::Break)),
            StmtKind::Return(_) => found.push((id, Way::Return)),
            StmtKind::Raise { .. } if !caught => found.push((id, Way::Raise)),
            StmtKind::For { body, orelse, .. } | StmtKind::While { body, orelse, .. } => {
                written(facts, body, true, caught, found);
                written(facts, orelse, nested, caught, found);
            }
            StmtKind::Try { body, handlers, orelse, finally } => {
                written(facts, body, nested, caught || !handlers.is_empty(), found);
                for handler in handlers {
                    written(facts, &handler.body, nested, caught, found);
                }
                written(facts, orelse, nested, caught, found);
                written(facts, finally, nested, caught, found);
            }
            StmtKind::Function(_) | StmtKind::Class(..) => {}
            _ => facts.stmt(id).blocks(&mut |_, inner| written(facts, inner, nested, caught, found)),
        }
    }
}

/// The first call in a block of a function of the tree that has a `raise`, or calls one that has.
fn raising(life: &Lifecycle, file: FileId, block: &[StmtId]) -> Option<ExprRef> {
    let facts = life.facts(file);
    let mut calls = Vec::new();
    facts.walk_exprs(block, &mut |id| {
        if matches!(facts.expr(id).kind, ExprKind::Call { .. }) {
            calls.push(ExprRef { file, id });
        }
    });
    calls.into_iter().find(|&call| {
        life.callees(call)
            .into_iter()
            .any(|callee| life.reachable(callee).into_iter().any(|function| raises(life, function)))
    })
}

/// The first call in a loop's body, where a `try` around the loop takes what it may raise and the function goes on.
fn expected(facts: &Facts, file: FileId, at: StmtId, body: &[StmtId]) -> Option<ExprRef> {
    let taken = facts.ancestors(at).any(|(outer, slot)| match &facts.stmt(outer).kind {
        StmtKind::Try { handlers, .. } => {
            slot == Slot::Body
                && handlers.iter().any(|handler| {
                    let cancelled = handler
                        .types
                        .and_then(|types| facts.dotted(types))
                        .is_some_and(|name| name.ends_with("CancelledError"));
                    !cancelled && !leaves(facts, &handler.body)
                })
        }
        _ => false,
    });
    let mut first = None;
    if taken {
        facts.walk_exprs(body, &mut |id| {
            let call = matches!(facts.expr(id).kind, ExprKind::Call { .. });
            first = first.or_else(|| call.then_some(ExprRef { file, id }));
        });
    }
    first
}

/// Whether a handler hands on what it takes.
fn leaves(facts: &Facts, block: &[StmtId]) -> bool {
    block.last().is_some_and(|&last| matches!(facts.stmt(last).kind, StmtKind::Raise { .. }))
}

fn raises(life: &Lifecycle, function: FunctionRef) -> bool {
    let facts = life.facts(function.file);
    let mut found = false;
    facts.walk(&facts.function(function.id).body, &mut |stmt| {
        found |= matches!(facts.stmt(stmt).kind, StmtKind::Raise { exc: Some(_), .. });
    });
    found
}
