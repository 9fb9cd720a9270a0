//! Ends in other functions than the one that starts a task: an owner's `close`, an application's shutdown handler.

use loopmend_python::facts::{BindingKind, ExprKind, StmtId, StmtKind};
use loopmend_python::lifecycle::{ClassRef, FunctionRef, Lifecycle, Place, Task, TaskActKind};

use super::ending::outermost;
use super::{Handle, Link};
use crate::Spot;
use crate::lifespan::apps;

/// An end in another function.
#[derive(Clone, Debug)]
pub struct Elsewhere {
    /// The function.
    pub function: FunctionRef,
    /// The statement that the lines go before.
    pub before: StmtId,
    /// The expression for the task there.
    pub handle: Handle,
    /// The task may not have been started: it is `None` then.
    pub guarded: bool,
    /// The attribute has to be set to `None` at the end of this constructor first.
    pub declare: Option<FunctionRef>,
    /// The close that comes too early.
    pub closes: Spot,
}

/// Names of methods that end an object, best first.
const ENDS: &[&str] = &[
    "aclose",
    "close",
    "stop",
    "shutdown",
    "disconnect",
    "cleanup",
    "teardown",
    "dispose",
    "finish",
    "on_shutdown",
    "__aexit__",
    "asyncTearDown",
];

/// The end of a task that its owner, or an application's start-up, has started.
pub fn closed_elsewhere(life: &Lifecycle, task: &Task, link: &Link) -> Option<Elsewhere> {
    by_owner(life, task, link).or_else(|| by_application(life, task, link))
}

fn by_owner(life: &Lifecycle, task: &Task, link: &Link) -> Option<Elsewhere> {
    let (class, attr) = task.acts.iter().find_map(|act| match &act.kind {
        TaskActKind::Kept(Place::Attribute(class, attr)) => Some((*class, attr.clone())),
        _ => None,
    })?;
    let facts = life.facts(task.call.file);
    let handle = Handle::of(life, task, facts.stmt_of(task.call.id)?)?;
    let receiver = facts.function(task.function.id).receiver()?.to_string();
    let rest = handle.text.strip_prefix(&receiver)?.to_owned();
    let (method, closing) = ENDS.iter().find_map(|name| {
        let method = life.method(class, name)?;
        let of = life.facts(method.file).function(method.id);
        if !of.is_async || method == task.function {
            return None;
        }
        let closing = link.closings(life, method, &of.body).into_iter().next()?;
        Some((method, closing))
    })?;
    let of = life.facts(method.file).function(method.id);
    let own = of.receiver()?.to_string();
    let before = outermost(life, method, closing.stmt).id;
    let (may_be_none, declared) = initial(life, class, &attr);
    let init = life.method(class, "__init__").filter(|init| *init != task.function);
    let asks = asks_first(life, method, closing.stmt);
    let (guarded, declare) = match (handle.many, declared, may_be_none) {
        (true, ..) => (false, None),
        (false, true, none) => (none, None),
        // Set by the start only: so is what is closed without asking.
        (false, false, _) if !asks => (false, None),
        (false, false, _) => (true, init),
    };
    if guarded && !declared && declare.is_none() {
        return None;
    }
    Some(Elsewhere {
        function: method,
        before,
        handle: Handle { text: format!("{own}{rest}"), base: Some(own), ..handle },
        guarded,
        declare,
        closes: Spot::expr(life, closing.call),
    })
}

/// Whether an attribute may be `None` before the start, and whether it is set at all before.
fn initial(life: &Lifecycle, class: ClassRef, attr: &str) -> (bool, bool) {
    let mut none = false;
    let mut declared = false;
    for (file, id) in life.self_writes(class, attr) {
        let facts = life.facts(file);
        let binding = facts.binding(id);
        let in_init = facts.function(binding.function).name == "__init__"
            || binding.stmt.is_some_and(|stmt| facts.function(facts.stmt(stmt).function).name == "__init__");
        declared |= in_init;
        if let BindingKind::Value { value, .. } = binding.kind {
            none |= matches!(facts.expr(value).kind, ExprKind::None);
        }
    }
    let facts = life.facts(class.file);
    if let Some(ids) = facts.class(class.id).members.get(attr) {
        for &id in ids {
            if let BindingKind::Value { value, .. } = facts.binding(id).kind {
                declared = true;
                none |= matches!(facts.expr(value).kind, ExprKind::None);
            }
        }
    }
    (none, declared)
}

/// Whether the close stands under a condition.
fn asks_first(life: &Lifecycle, function: FunctionRef, stmt: StmtId) -> bool {
    let facts = life.facts(function.file);
    std::iter::once(stmt)
        .chain(facts.ancestors(stmt).map(|(outer, _)| outer))
        .any(|outer| matches!(facts.stmt(outer).kind, StmtKind::If { .. }))
}

fn by_application(life: &Lifecycle, task: &Task, link: &Link) -> Option<Elsewhere> {
    let loose = task
        .acts
        .iter()
        .any(|act| matches!(act.kind, TaskActKind::Kept(Place::Loose(..) | Place::Global(..))));
    if !loose {
        return None;
    }
    let facts = life.facts(task.call.file);
    let handle = Handle::of(life, task, facts.stmt_of(task.call.id)?)?;
    let apps = apps(life);
    let app =
        apps.iter().find(|app| app.startup().any(|handler| handler.functions.contains(&task.function)))?;
    let (function, closing) =
        app.shutdown().filter_map(crate::lifespan::Handler::function).find_map(|function| {
            let of = life.facts(function.file).function(function.id);
            let closing = link.closings(life, function, &of.body).into_iter().next()?;
            of.is_async.then_some((function, closing))
        })?;
    // The start's parameter is the end's parameter; a name of the module means the same only in the same file.
    let base = handle.base.clone()?;
    let start = facts.function(task.function.id);
    let end = life.facts(function.file).function(function.id);
    let text = match start.params.iter().position(|param| param.name == *base) {
        Some(0) => {
            let name = &end.params.first()?.name;
            format!("{name}{}", handle.text.strip_prefix(&base)?)
        }
        Some(_) => return None,
        None if function.file == task.call.file => handle.text.clone(),
        None => return None,
    };
    Some(Elsewhere {
        function,
        before: outermost(life, function, closing.stmt).id,
        handle: Handle { text, ..handle },
        guarded: false,
        declare: None,
        closes: Spot::expr(life, closing.call),
    })
}
