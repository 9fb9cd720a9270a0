//! Tasks whose result nobody looks at.

use loopmend_python::facts::{ExprKind, Facts, Parent, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Task, TaskActKind};

/// A task whose result nobody looks at.
#[derive(Clone, Debug)]
pub(super) struct Unseen {
    /// The call that starts it.
    pub(super) call: ExprRef,
    /// The `asyncio.wait` that waits for it, whose result is dropped.
    pub(super) wait: Option<ExprRef>,
    /// It is not known that anything in it fails.
    pub(super) doubtful: bool,
}

impl Unseen {
    /// Whether there is a place to look from.
    pub(super) fn mendable(&self, life: &Lifecycle) -> bool {
        let facts = life.facts(self.call.file);
        name(life, self.call).is_some()
            || self.wait.is_some_and(|wait| alone(life.facts(wait.file), wait).is_some())
            || facts.stmt_of(self.call.id).is_some_and(
                |stmt| matches!(facts.stmt(stmt).kind, StmtKind::Expr(value) if value == self.call.id),
            )
    }
}

/// The statement that gives a task a name, and the name.
pub(super) fn name(life: &Lifecycle, call: ExprRef) -> Option<(StmtId, String)> {
    let facts = life.facts(call.file);
    let stmt = facts.stmt_of(call.id)?;
    let target = match &facts.stmt(stmt).kind {
        StmtKind::Assign { targets, value } if targets.len() == 1 && *value == call.id => targets[0],
        StmtKind::AnnAssign { target, value: Some(value), .. } if *value == call.id => *target,
        _ => return None,
    };
    let plain = match &facts.expr(target).kind {
        ExprKind::Name(_) => true,
        ExprKind::Attribute { .. } => facts.dotted(target).is_some(),
        ExprKind::Subscript { value, index } => facts.key(*index).is_some() && facts.dotted(*value).is_some(),
        _ => false,
    };
    plain.then(|| (stmt, life.source(call.with(target)).to_owned()))
}

/// The statement of an `await asyncio.wait(…)` whose result is dropped.
pub(super) fn alone(facts: &Facts, wait: ExprRef) -> Option<StmtId> {
    let up = facts.parent_expr(wait.id)?;
    match (&facts.expr(up).kind, facts.expr(up).parent) {
        (ExprKind::Await(_), Parent::Stmt(stmt)) if matches!(facts.stmt(stmt).kind, StmtKind::Expr(_)) => {
            Some(stmt)
        }
        _ => None,
    }
}

/// The task, where nobody looks at its result.
pub(super) fn unseen(life: &Lifecycle, task: &Task) -> Option<Unseen> {
    if task.handed() || task.runs.is_empty() {
        return None;
    }
    let mut wait = None;
    let mut cancelled = false;
    let mut forgotten = false;
    for act in &task.acts {
        match &act.kind {
            TaskActKind::Waited(at) => {
                let only_waits = life.calls_any(*at, &["asyncio.wait"]) && drops(life.facts(at.file), *at);
                if !only_waits {
                    return None;
                }
                wait.get_or_insert(*at);
            }
            TaskActKind::Asked(_) | TaskActKind::Handed => return None,
            TaskActKind::Callback(call) if looks(life, *call) => return None,
            TaskActKind::Callback(call) => forgotten |= forgets(life.facts(call.file), *call),
            TaskActKind::Cancelled(_) => cancelled = true,
            _ => {}
        }
    }
    if task.runs.iter().all(|&function| catches_all(life, function)) {
        return None;
    }
    // What only goes on until it is cancelled is for other causes.
    // What lets go of the task when it is done has asyncio log the exception at once.
    if wait.is_none()
        && (cancelled || forgotten || !task.runs.iter().any(|&function| can_fail(life, function)))
    {
        return None;
    }
    Some(Unseen { call: task.call, wait, doubtful: wait.is_none() || cancelled })
}

/// Whether the done tasks that `asyncio.wait` gives are not looked at.
fn drops(facts: &Facts, wait: ExprRef) -> bool {
    if alone(facts, wait).is_some() {
        return true;
    }
    let Some(up) = facts.parent_expr(wait.id) else { return false };
    let Parent::Stmt(stmt) = facts.expr(up).parent else { return false };
    let StmtKind::Assign { targets, .. } = &facts.stmt(stmt).kind else { return false };
    let [target] = targets[..] else { return false };
    let ExprKind::Tuple(items) = &facts.expr(target).kind else { return false };
    let function = facts.stmt(stmt).function;
    items.first().is_some_and(|&done| {
        facts.name_of(done).is_some_and(|name| {
            !facts
                .loads
                .get(name)
                .is_some_and(|loads| loads.iter().any(|&load| facts.function_of(load) == function))
        })
    })
}

/// Whether a done callback looks at the result: it is not known, or asks for it.
fn looks(life: &Lifecycle, call: ExprRef) -> bool {
    let facts = life.facts(call.file);
    let ExprKind::Call { args, .. } = &facts.expr(call.id).kind else { return true };
    let Some(&given) = args.first() else { return true };
    if forgets(facts, call) || facts.dotted(given).is_some_and(|name| name.ends_with(".set")) {
        return false;
    }
    if let ExprKind::Lambda(lambda) = facts.expr(given).kind {
        return asks(life, FunctionRef { file: call.file, id: lambda });
    }
    let values = life.infer(call.with(given));
    let mut known = false;
    for value in values.iter() {
        let Some(function) = value.function() else { return true };
        known = true;
        if life.reachable(function).into_iter().any(|at| asks(life, at)) {
            return true;
        }
    }
    !known
}

/// Whether a done callback takes the task out of what holds it.
fn forgets(facts: &Facts, call: ExprRef) -> bool {
    let ExprKind::Call { args, .. } = &facts.expr(call.id).kind else { return false };
    args.first().is_some_and(|&given| {
        matches!(&facts.expr(given).kind, ExprKind::Attribute { attr, .. }
            if matches!(attr.as_str(), "discard" | "remove"))
    })
}

fn asks(life: &Lifecycle, function: FunctionRef) -> bool {
    let facts = life.facts(function.file);
    let mut found = false;
    facts.body_exprs(function.id, &mut |id| {
        found |= matches!(&facts.expr(id).kind, ExprKind::Attribute { attr, .. }
            if matches!(attr.as_str(), "exception" | "result"));
    });
    found
}

/// Whether something in a function, or in what it calls, is seen to fail: it raises, or awaits more than asyncio's own.
fn can_fail(life: &Lifecycle, function: FunctionRef) -> bool {
    life.reachable(function).into_iter().any(|at| {
        let facts = life.facts(at.file);
        let mut found = false;
        facts.walk(&facts.function(at.id).body, &mut |stmt| {
            found |= matches!(facts.stmt(stmt).kind, StmtKind::Raise { exc: Some(_), .. });
        });
        facts.body_exprs(at.id, &mut |id| {
            if let ExprKind::Await(value) = facts.expr(id).kind
                && !found
            {
                let call = ExprRef { file: at.file, id: value };
                found = life.callees(call).is_empty()
                    && !life.callee_paths(call).iter().any(|path| path.starts_with("asyncio."));
            }
        });
        found
    })
}

/// Whether all that a function does stands in a `try` that catches every `Exception`, or cannot fail.
fn catches_all(life: &Lifecycle, function: FunctionRef) -> bool {
    let facts = life.facts(function.file);
    caught(facts, &facts.function(function.id).body)
}

fn caught(facts: &Facts, block: &[StmtId]) -> bool {
    block.iter().all(|&stmt| match &facts.stmt(stmt).kind {
        StmtKind::Try { handlers, .. } => handlers.iter().any(|handler| match handler.types {
            None => true,
            Some(types) => {
                let names = match &facts.expr(types).kind {
                    ExprKind::Tuple(items) => items.to_vec(),
                    _ => vec![types],
                };
                names.iter().any(|&name| {
                    facts
                        .dotted(name)
                        .is_some_and(|text| matches!(text.as_str(), "Exception" | "BaseException"))
                })
            }
        }),
        StmtKind::While { body, orelse, .. } | StmtKind::For { body, orelse, is_async: false, .. } => {
            caught(facts, body) && caught(facts, orelse)
        }
        StmtKind::If { body, orelse, .. } => caught(facts, body) && caught(facts, orelse),
        StmtKind::Expr(value) => harmless(facts, *value),
        StmtKind::Assign { value, .. } => harmless(facts, *value),
        StmtKind::Return(value) => value.is_none_or(|value| harmless(facts, value)),
        StmtKind::Raise { .. } | StmtKind::With { .. } | StmtKind::Assert(_) | StmtKind::For { .. } => false,
        _ => true,
    })
}

/// Whether an expression is a constant, a name, a sleep or a log record.
fn harmless(facts: &Facts, expr: loopmend_python::facts::ExprId) -> bool {
    let mut fine = true;
    facts.descend(expr, &mut |id| {
        if let ExprKind::Call { func, .. } = facts.expr(id).kind {
            let last = facts.dotted(func).unwrap_or_default();
            let last = last.rsplit('.').next().unwrap_or_default();
            fine &= matches!(
                last,
                "sleep"
                    | "debug"
                    | "info"
                    | "warning"
                    | "error"
                    | "exception"
                    | "print"
                    | "time"
                    | "monotonic"
                    | "wait"
            );
        }
    });
    fine
}
