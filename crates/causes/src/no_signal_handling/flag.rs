//! Events, futures and flags that nothing sets.

use loopmend_python::facts::{ExprKind, Name};
use loopmend_python::lifecycle::{
    ExprRef, FileId, FunctionRef, Ground, Kind, Lifecycle, Root, Task, UseKind, Value,
};

use super::endless::goes_out_of_sight;

/// Whether an expression is an `asyncio.Event` of the tree that nothing sets.
pub(super) fn is_unset(life: &Lifecycle, expr: ExprRef) -> bool {
    made(life, expr, "asyncio.Event").is_some_and(|site| !told(life, site, "set"))
}

/// The event of `while not event.is_set()`, where nothing sets it.
pub(super) fn unset_event(life: &Lifecycle, test: ExprRef) -> Option<ExprRef> {
    let facts = life.facts(test.file);
    let ExprKind::Not(call) = facts.expr(test.id).kind else { return None };
    let ExprKind::Call { func, .. } = facts.expr(call).kind else { return None };
    let ExprKind::Attribute { value, attr } = &facts.expr(func).kind else { return None };
    let event = test.with(*value);
    (attr == "is_set" && is_unset(life, event)).then_some(event)
}

/// Whether an expression is a future of the tree that nothing ends.
pub(super) fn unset_future(life: &Lifecycle, expr: ExprRef) -> bool {
    made(life, expr, "asyncio.Future").is_some_and(|site| {
        life.calls_any(site, &["asyncio.Future", "asyncio.AbstractEventLoop.create_future"])
            && !["set_result", "set_exception", "cancel"].into_iter().any(|name| told(life, site, name))
    })
}

/// The one call that makes what an expression is.
fn made(life: &Lifecycle, expr: ExprRef, class: &str) -> Option<ExprRef> {
    let values = life.infer(expr);
    let mut sites = values.iter().filter(|value| !matches!(value, Value::None)).map(|value| match value {
        Value::Instance(Kind::External(of), Some(site)) if of == class => Some(*site),
        _ => None,
    });
    let site = sites.next()??;
    sites.next().is_none().then_some(site)
}

/// Whether a method of an object is called or handed over in what runs, or the object goes out of sight.
fn told(life: &Lifecycle, site: ExprRef, method: &str) -> bool {
    let flow = life.flow_of(site);
    flow.doubt
        || flow.uses.iter().any(|at| match &at.kind {
            UseKind::Method { name, call, .. } => name == method && runs(life, *call),
            UseKind::Attribute { name, expr } => {
                name == method && runs(life, *expr) && !answers_a_signal(life, *expr)
            }
            kind => goes_out_of_sight(kind),
        })
}

/// Whether something calls the function that an expression stands in.
fn runs(life: &Lifecycle, at: ExprRef) -> bool {
    let function = FunctionRef { file: at.file, id: life.facts(at.file).function_of(at.id) };
    is_called(life, function)
}

/// Whether a method is handed to the signals: whether that is an answer to SIGTERM is another question.
fn answers_a_signal(life: &Lifecycle, handed: ExprRef) -> bool {
    let facts = life.facts(handed.file);
    let by = facts.parent_expr(handed.id).and_then(|call| life.called_name(handed.with(call)));
    matches!(by.as_deref(), Some("add_signal_handler" | "signal"))
}

/// Whether a task of a coroutine is cancelled in what runs, but for a place behind the one that waits for it.
pub(super) fn told_to_end(life: &Lifecycle, waited: ExprRef, run: FunctionRef) -> bool {
    let place = |at: ExprRef| {
        let facts = life.facts(at.file);
        (at.file, facts.function_of(at.id), facts.expr(at.id).range.start())
    };
    let (file, function, start) = place(waited);
    life.tasks().iter().filter(|task| task.runs.contains(&run)).flat_map(Task::cancels).any(|cancel| {
        let (in_file, in_function, at) = place(cancel);
        let behind = in_file == file && in_function == function && at > start;
        !behind && runs(life, cancel)
    })
}

/// Whether anything runs a function but a test or a signal.
pub(super) fn is_called(life: &Lifecycle, function: FunctionRef) -> bool {
    let alone = |ground: &Ground| match ground {
        Ground::Root(Root::Uncalled(_) | Root::Test(_) | Root::Fixture(_)) => true,
        Ground::Callback(by) | Ground::Root(Root::Framework(_, by)) => {
            matches!(life.last_part(*by).as_deref(), Some("add_signal_handler" | "signal"))
        }
        // A coroutine that nothing in the tree calls either.
        Ground::Coroutine(coroutine) => life
            .roots(*coroutine)
            .iter()
            .all(|root| matches!(root, Root::Uncalled(_) | Root::Test(_) | Root::Fixture(_))),
        Ground::Root(_) => false,
    };
    !life.grounds(function).iter().all(alone)
}

/// Whether `self.running` (or `not self.stopped`) is a flag that only functions change which nothing calls.
pub(super) fn never_cleared(life: &Lifecycle, test: ExprRef) -> bool {
    let facts = life.facts(test.file);
    let id = match facts.expr(test.id).kind {
        ExprKind::Not(inner) => inner,
        _ => test.id,
    };
    let ExprKind::Attribute { value, attr } = &facts.expr(id).kind else { return false };
    let Some(class) = life.receiver_class(test.with(*value)) else { return false };
    let known = life.self_writes(class, attr);
    let around = FunctionRef { file: test.file, id: facts.function_of(test.id) };
    let fine = known.iter().all(|&(file, id)| {
        let binding = life.facts(file).binding(id);
        let function = FunctionRef { file, id: binding.function };
        let inside = life.facts(file).function(function.id);
        function == around || inside.name == "__init__" || function.is_module() || !is_called(life, function)
    });
    fine && !known.is_empty() && !written_elsewhere(life, attr, known.len())
}

fn written_elsewhere(life: &Lifecycle, attr: &Name, known: usize) -> bool {
    let written = |&file: &FileId| life.facts(file).writes.get(attr).map_or(0, <[_]>::len);
    let all: usize = life.files_with(attr).iter().map(written).sum();
    all > known
}
