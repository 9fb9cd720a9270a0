//! Calls that run, or only start, async work from plain code.

use loopmend_python::facts::{ExprKind, Parent, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Kind, Lifecycle, LoopAct, RunKind, Value};

/// One such call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Act {
    /// The call.
    pub call: ExprRef,
    /// The coroutine that it is given.
    pub work: ExprRef,
}

/// All of a function's own body, in the order of the text.
pub(super) fn acts(life: &Lifecycle, function: FunctionRef) -> Vec<Act> {
    let facts = life.facts(function.file);
    let mut found = Vec::new();
    facts.body_exprs(function.id, &mut |id| {
        found.extend(act(life, ExprRef { file: function.file, id }));
    });
    found
}

/// What an expression runs, where it does.
pub(super) fn act(life: &Lifecycle, call: ExprRef) -> Option<Act> {
    let ExprKind::Call { args, .. } = &life.facts(call.file).expr(call.id).kind else { return None };
    let work = call.with(*args.first()?);
    let is_coroutine =
        || matches!(life.facts(work.file).expr(work.id).kind, ExprKind::Call { .. } | ExprKind::Name(_));
    let runs = match life.called_name(call)?.as_str() {
        "run_until_complete" | "create_task" | "ensure_future" => is_coroutine(),
        "run" => is_coroutine() && life.calls_any(call, &["asyncio.run", "asyncio.Runner.run", "uvloop.run"]),
        _ => false,
    };
    runs.then_some(Act { call, work })
}

/// A coroutine that a statement makes and drops.
pub(super) fn dropped(life: &Lifecycle, call: ExprRef) -> bool {
    let facts = life.facts(call.file);
    let Parent::Stmt(stmt) = facts.expr(call.id).parent else { return false };
    if !matches!(facts.stmt(stmt).kind, StmtKind::Expr(_)) {
        return false;
    }
    let coroutine = life.infer(call).iter().any(|value| match value {
        Value::Coroutine(function, _) => life.facts(function.file).function(function.id).is_coroutine(),
        _ => false,
    });
    coroutine || closes(life, call).is_some_and(|awaited| awaited)
}

/// For a method of the catalogue that ends an object: whether it is awaited.
fn closes(life: &Lifecycle, call: ExprRef) -> Option<bool> {
    let ExprKind::Call { func, .. } = life.facts(call.file).expr(call.id).kind else { return None };
    let ExprKind::Attribute { value, ref attr } = life.facts(call.file).expr(func).kind else { return None };
    life.infer(call.with(value)).iter().find_map(|value| {
        let resource = life.catalogue().class(value.external_class()?)?;
        resource.ended_by(attr).map(|close| close.awaited)
    })
}

/// Classes of the catalogue whose objects a piece of work uses that it has not made itself.
pub(super) fn bound(life: &Lifecycle, work: ExprRef) -> Vec<String> {
    let facts = life.facts(work.file);
    let mut found = Vec::new();
    let mut functions = Vec::new();
    facts.descend(work.id, &mut |id| {
        let call = work.with(id);
        found.extend(resource(life, call, false));
        for callee in life.callees(call) {
            functions.extend(life.reachable(callee));
        }
    });
    for function in functions {
        let facts = life.facts(function.file);
        facts.body_exprs(function.id, &mut |id| {
            found.extend(resource(life, ExprRef { file: function.file, id }, true));
        });
    }
    found.dedup();
    found
}

/// The class of the catalogue that a method is called on; with `kept` only where the object is no local name's.
fn resource(life: &Lifecycle, call: ExprRef, kept: bool) -> Option<String> {
    let facts = life.facts(call.file);
    let ExprKind::Call { func, .. } = facts.expr(call.id).kind else { return None };
    let ExprKind::Attribute { value, .. } = facts.expr(func).kind else { return None };
    let local = match &facts.expr(value).kind {
        ExprKind::Name(name) => facts.scopes[facts.function_of(value).index()].contains_key(name),
        ExprKind::Attribute { .. } => false,
        _ => true,
    };
    if kept && local && facts.function_of(value) != loopmend_python::facts::MODULE {
        return None;
    }
    life.infer(call.with(value)).iter().find_map(|value| {
        let class = value.external_class()?;
        life.catalogue().class(class)?;
        (class != "asyncio.AbstractEventLoop").then(|| class.to_owned())
    })
}

/// Whether the loop that an act runs on has ended by then, or is another than the work's: none where nothing tells.
pub(super) fn has_ended(life: &Lifecycle, hook: FunctionRef, act: Act) -> Option<bool> {
    let inside = |function: FunctionRef| {
        function.file == hook.file
            && life.facts(hook.file).functions_around(function.id).any(|id| id == hook.id)
    };
    let closed_by_others = |call: ExprRef| {
        life.loops().iter().any(|handle| {
            handle.site == call && handle.acts(&LoopAct::Close).any(|close| !inside(close.function))
        })
    };
    if let ExprKind::Call { func, .. } = life.facts(act.call.file).expr(act.call.id).kind
        && let ExprKind::Attribute { value, .. } = life.facts(act.call.file).expr(func).kind
    {
        for value in life.infer(act.call.with(value)).iter() {
            if let Value::Instance(Kind::External(class), Some(made)) = value
                && class == "asyncio.AbstractEventLoop"
                && life.called_name(*made).as_deref() == Some("new_event_loop")
            {
                let own = FunctionRef { file: made.file, id: life.facts(made.file).function_of(made.id) };
                return Some(inside(own) || closed_by_others(*made));
            }
        }
    }
    let others: Vec<_> = life.runs().iter().filter(|run| !inside(run.function)).collect();
    if others.is_empty() {
        return None;
    }
    let ends = others.iter().any(|run| run.kind != RunKind::OnLoop)
        || life.loops().iter().any(|handle| closed_by_others(handle.site));
    Some(ends)
}
