//! What the text does with a generator, or with its item.

use loopmend_python::facts::{ExprId, ExprKind, Facts, Name, Parent, StmtId, StmtKind};
use loopmend_python::lifecycle::ExprRef;

/// What a fresh generator is given to.
pub(super) enum Holder {
    /// A local name.
    Name(Name),
    /// An argument, or the receiver, of this call.
    Call(ExprId),
    None,
}

pub(super) fn holder(facts: &Facts, made: ExprRef) -> Holder {
    match facts.expr(made.id).parent {
        Parent::Stmt(stmt) => match &facts.stmt(stmt).kind {
            StmtKind::Assign { targets, value } if *value == made.id => match targets[..] {
                [target] => facts.name_of(target).map_or(Holder::None, |name| Holder::Name(name.clone())),
                _ => Holder::None,
            },
            StmtKind::AnnAssign { target, value: Some(value), .. } if *value == made.id => {
                facts.name_of(*target).map_or(Holder::None, |name| Holder::Name(name.clone()))
            }
            _ => Holder::None,
        },
        Parent::Expr(up) => match &facts.expr(up).kind {
            ExprKind::Call { args, keywords, .. }
                if args.contains(&made.id) || keywords.iter().any(|keyword| keyword.value == made.id) =>
            {
                Holder::Call(up)
            }
            ExprKind::Attribute { .. } => {
                match facts.parent_expr(up).map(|call| (call, &facts.expr(call).kind)) {
                    Some((call, ExprKind::Call { func, .. })) if *func == up => Holder::Call(call),
                    _ => Holder::None,
                }
            }
            _ => Holder::None,
        },
        Parent::None => Holder::None,
    }
}

pub(super) fn awaited(facts: &Facts, call: ExprId) -> bool {
    facts.parent_expr(call).is_some_and(|up| matches!(facts.expr(up).kind, ExprKind::Await(_)))
}

pub(super) fn simple(facts: &Facts, stmt: StmtId) -> bool {
    matches!(
        facts.stmt(stmt).kind,
        StmtKind::Expr(_)
            | StmtKind::Assign { .. }
            | StmtKind::AnnAssign { .. }
            | StmtKind::AugAssign { .. }
            | StmtKind::Return(_)
            | StmtKind::Assert(_)
    )
}

/// The statement of `made`'s block that holds `stmt`.
pub(super) fn level_with(facts: &Facts, stmt: StmtId, made: StmtId) -> Option<StmtId> {
    let (block, _) = facts.block_of(made);
    std::iter::once(stmt).chain(facts.ancestors(stmt).map(|(outer, _)| outer)).find(|at| block.contains(at))
}

/// `self.source = rows`: kept beside, and nothing else.
pub(super) fn is_stored(facts: &Facts, load: ExprId) -> bool {
    let Parent::Stmt(stmt) = facts.expr(load).parent else { return false };
    match &facts.stmt(stmt).kind {
        StmtKind::Assign { targets, value } => {
            *value == load
                && targets.iter().all(|&target| matches!(facts.expr(target).kind, ExprKind::Attribute { .. }))
        }
        _ => false,
    }
}

/// Whether a name is given away bare: returned, yielded, kept by another name, an attribute or a container.
pub(super) fn leaves(facts: &Facts, load: ExprId) -> bool {
    let mut at = load;
    loop {
        match facts.expr(at).parent {
            Parent::Expr(up) => match facts.expr(up).kind {
                ExprKind::Tuple(_) | ExprKind::List(_) | ExprKind::Dict(_) | ExprKind::Set(_) => at = up,
                ExprKind::Yield(_) => return true,
                _ => return false,
            },
            Parent::Stmt(stmt) => {
                return match &facts.stmt(stmt).kind {
                    StmtKind::Return(_) => true,
                    StmtKind::Assign { value, .. } => *value == at,
                    StmtKind::AnnAssign { value, .. } => *value == Some(at),
                    _ => false,
                };
            }
            Parent::None => return false,
        }
    }
}
