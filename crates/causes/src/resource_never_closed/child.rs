//! Child processes: one that times out must be killed and then waited for.

use loopmend_python::facts::{ExprId, ExprKind, Facts, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Origin, UseKind};

/// A handler of a time-out after which nobody waits for the child.
#[derive(Clone, Debug)]
pub(super) struct Abandoned {
    /// The call that starts the child.
    pub(super) site: ExprRef,
    /// The child as the handler names it.
    pub(super) child: String,
    /// The statement of the handler's block that kills it.
    pub(super) kill: Option<StmtId>,
    /// The call of `kill` or `terminate`.
    pub(super) killing: Option<ExprId>,
    /// The first statement of the handler's block.
    pub(super) first: StmtId,
    /// The child has pipes.
    pub(super) pipes: bool,
}

/// What becomes of a child.
pub(super) enum Child {
    /// It is waited for, or was not followed.
    Fine,
    /// Nothing waits for it.
    NeverWaited,
    /// It is abandoned after a time-out.
    Abandoned(Abandoned),
}

pub(super) fn child(life: &Lifecycle, site: ExprRef) -> Child {
    let facts = life.facts(site.file);
    let function = FunctionRef { file: site.file, id: facts.function_of(site.id) };
    let flow = life.flow(Origin::Expr(site), true);
    let mut waits: Vec<ExprId> = Vec::new();
    let mut kills: Vec<ExprId> = Vec::new();
    for at in &flow.uses {
        match &at.kind {
            UseKind::Method { name, call, .. } => {
                let here = call.file == function.file && facts.function_of(call.id) == function.id;
                match name.as_str() {
                    "wait" | "communicate" if !here => return Child::Fine,
                    "wait" | "communicate" => waits.push(call.id),
                    "kill" | "terminate" | "send_signal" if here => kills.push(call.id),
                    _ => {}
                }
            }
            UseKind::Argument { .. }
            | UseKind::Returned(_)
            | UseKind::Yielded(_)
            | UseKind::Entered { .. } => {
                return Child::Fine;
            }
            _ => {}
        }
    }
    if flow.doubt || flow.kept() || function.is_module() {
        return Child::Fine;
    }
    if waits.is_empty() {
        return Child::NeverWaited;
    }
    for &wait in &waits {
        let Some((handler, after)) = timed_out(life, site, wait) else { continue };
        let later = waits.iter().any(|&other| {
            other != wait
                && facts.stmt_of(other).is_some_and(|stmt| {
                    handler.iter().any(|&top| facts.within(stmt, top))
                        || after.iter().any(|&top| facts.within(stmt, top))
                })
        });
        if later {
            continue;
        }
        let Some(child) = receiver(life, site, wait) else { continue };
        let killing = kills.iter().copied().find(|&kill| {
            facts.stmt_of(kill).is_some_and(|stmt| handler.iter().any(|&top| facts.within(stmt, top)))
        });
        let kill = killing
            .and_then(|kill| facts.stmt_of(kill))
            .and_then(|stmt| handler.iter().copied().find(|&top| facts.within(stmt, top)));
        // A handler that neither kills nor leaves may go round and wait again.
        if kill.is_none() && !leaves(facts, &handler) {
            continue;
        }
        let Some(&first) = handler.first() else { continue };
        return Child::Abandoned(Abandoned { site, child, kill, killing, first, pipes: pipes(facts, site) });
    }
    Child::Fine
}

fn leaves(facts: &Facts, block: &[StmtId]) -> bool {
    block
        .last()
        .is_some_and(|&last| matches!(facts.stmt(last).kind, StmtKind::Return(_) | StmtKind::Raise { .. }))
}

/// For a wait under a time limit: the block that handles the time-out, and the statements that run after it.
fn timed_out(life: &Lifecycle, site: ExprRef, wait: ExprId) -> Option<(Vec<StmtId>, Vec<StmtId>)> {
    let facts = life.facts(site.file);
    let stmt = facts.stmt_of(wait)?;
    let mut limited = false;
    let mut at = wait;
    while let Some(up) = facts.parent_expr(at) {
        if let ExprKind::Call { func, .. } = facts.expr(up).kind {
            limited |= last_name(facts, func) == Some("wait_for");
        }
        at = up;
    }
    for (outer, slot) in facts.ancestors(stmt) {
        match &facts.stmt(outer).kind {
            StmtKind::With { items, .. } => {
                limited |= items.iter().any(|item| match facts.expr(item.context).kind {
                    ExprKind::Call { func, .. } => {
                        matches!(
                            last_name(facts, func),
                            Some("timeout" | "timeout_at" | "fail_after" | "move_on_after")
                        )
                    }
                    _ => false,
                });
            }
            StmtKind::Try { handlers, finally, .. }
                if limited && slot == loopmend_python::facts::Slot::Body =>
            {
                let handler = handlers.iter().find(|handler| match handler.types {
                    None => true,
                    Some(types) => {
                        let mut named = false;
                        facts.descend(types, &mut |part| {
                            named |= matches!(
                                last_name(facts, part),
                                Some("TimeoutError" | "Exception" | "BaseException")
                            );
                        });
                        named
                    }
                })?;
                let mut after: Vec<StmtId> = finally.to_vec();
                if !leaves(facts, &handler.body) {
                    let mut from = outer;
                    loop {
                        let (block, index) = facts.block_of(from);
                        after.extend_from_slice(&block[index + 1..]);
                        match facts.stmt(from).parent {
                            Some(up) => from = up,
                            None => break,
                        }
                    }
                }
                for (up, slot) in facts.ancestors(outer) {
                    if let StmtKind::Try { finally, .. } = &facts.stmt(up).kind
                        && slot != loopmend_python::facts::Slot::Finally
                    {
                        after.extend_from_slice(finally);
                    }
                }
                return Some((handler.body.to_vec(), after));
            }
            _ => {}
        }
    }
    None
}

fn last_name(facts: &Facts, expr: ExprId) -> Option<&str> {
    match &facts.expr(expr).kind {
        ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } => Some(name),
        _ => None,
    }
}

fn receiver(life: &Lifecycle, site: ExprRef, wait: ExprId) -> Option<String> {
    let facts = life.facts(site.file);
    let ExprKind::Call { func, .. } = facts.expr(wait).kind else { return None };
    let ExprKind::Attribute { value, .. } = facts.expr(func).kind else { return None };
    Some(life.source(site.with(value)).to_owned())
}

fn pipes(facts: &Facts, site: ExprRef) -> bool {
    let ExprKind::Call { keywords, .. } = &facts.expr(site.id).kind else { return false };
    keywords.iter().any(|keyword| last_name(facts, keyword.value) == Some("PIPE"))
}
