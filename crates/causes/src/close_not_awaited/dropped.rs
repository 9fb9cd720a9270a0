//! Calls of closing coroutines whose value nobody awaits.

use std::collections::BTreeSet;

use loopmend_python::facts::{BindingKind, ExprId, ExprKind, Facts, Name, Parent, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Kind, Lifecycle, Origin, UseKind, Value};

use super::given::{MOST, given_close, givers};

/// One such call.
#[derive(Clone, Debug)]
pub(super) struct Dropped {
    /// The call of the close.
    pub(super) call: ExprRef,
    /// What has to be awaited: the call, or the `gather` around it.
    pub(super) awaitable: ExprRef,
    /// What is dropped: the same, or the `create_task(…)` around it.
    pub(super) outermost: ExprRef,
    /// The close as Python names it: `aiohttp.ClientSession.close`, `Store.close`.
    pub(super) what: String,
    /// The method, where it is of the tree.
    pub(super) method: Option<FunctionRef>,
    /// Where the object is made.
    pub(super) made: Option<ExprRef>,
    /// It is given to `create_task` or `ensure_future`.
    pub(super) scheduled: bool,
    /// The receiver may be something else too.
    pub(super) doubtful: bool,
}

/// Words that name an end.
const ENDINGS: [&str; 16] = [
    "close",
    "aclose",
    "stop",
    "shutdown",
    "cleanup",
    "disconnect",
    "teardown",
    "dispose",
    "terminate",
    "exit",
    "aexit",
    "finish",
    "finalize",
    "release",
    "quit",
    "disconnected",
];

/// First words of names that speak of an end and do not make it: `set_exit`, `should_close`.
const ABOUT: [&str; 10] = ["set", "get", "is", "has", "should", "can", "request", "check", "test", "wait"];

/// Whether a function's name says that it ends something.
pub(super) fn says_end(name: &str) -> bool {
    let mut words = name.trim_start_matches('_').split('_');
    let about = words.clone().next().is_some_and(|first| ABOUT.contains(&first));
    !about && words.any(|word| ENDINGS.contains(&word))
}

/// All of the tree, in order.
pub(super) fn dropped_closes(life: &Lifecycle) -> Vec<Dropped> {
    let catalogue: BTreeSet<&str> = life
        .catalogue()
        .resources()
        .iter()
        .flat_map(|resource| resource.close.iter().chain(&resource.close_also))
        .filter(|close| close.awaited)
        .map(|close| close.method.rsplit('.').next().unwrap_or(&close.method))
        .collect();
    let mut found = Vec::new();
    let ends = |name: &Name| catalogue.contains(name.as_str()) || *name == "__aexit__" || says_end(name);
    let givers = givers(life, ends);
    let wanted = |name: &Name| ends(name) || givers.contains(name);
    for file in life.files_where(|outline| outline.alone.iter().chain(&outline.handed).any(wanted)) {
        let facts = life.facts(file);
        let mut names: Vec<&Name> =
            facts.attributes.keys().chain(facts.loads.keys()).filter(|name| wanted(name)).collect();
        names.sort_unstable();
        names.dedup();
        for name in names {
            let reads = facts.attributes.get(name).into_iter().chain(facts.loads.get(name)).flatten();
            for &read in reads {
                found.extend(dropped_call(life, file, facts, read));
            }
        }
    }
    found.sort_by_key(|dropped| dropped.call);
    found
}

/// Whether a call is such a close.
pub(crate) fn is_dropped_close(life: &Lifecycle, call: ExprRef) -> bool {
    let facts = life.facts(call.file);
    match facts.expr(call.id).kind {
        ExprKind::Call { func, .. } => {
            facts.dotted(func).is_none_or(|text| says_end(text.rsplit('.').next().unwrap_or(&text)))
                && dropped_call(life, call.file, facts, func).is_some()
        }
        _ => false,
    }
}

fn dropped_call(life: &Lifecycle, file: FileId, facts: &Facts, read: ExprId) -> Option<Dropped> {
    let call = facts.parent_expr(read)?;
    if !matches!(facts.expr(call).kind, ExprKind::Call { func, .. } if func == read) {
        return None;
    }
    let call = ExprRef { file, id: call };
    let way = way_out(life, call)?;
    let close = closing_coroutine(life, call, MOST)?;
    if way.scheduled {
        let function = FunctionRef { file, id: facts.function_of(call.id) };
        if !facts.function(function.id).is_async || !at_the_end(life, function, way.stmt) {
            return None;
        }
    }
    Some(Dropped {
        call,
        awaitable: call.with(way.awaitable),
        outermost: call.with(way.outermost),
        what: close.what,
        method: close.method,
        made: close.made,
        scheduled: way.scheduled,
        doubtful: close.doubtful,
    })
}

struct WayOut {
    awaitable: ExprId,
    outermost: ExprId,
    scheduled: bool,
    stmt: StmtId,
}

/// From a call outwards to the statement that drops its value; none where anything else becomes of it.
fn way_out(life: &Lifecycle, call: ExprRef) -> Option<WayOut> {
    let facts = life.facts(call.file);
    let (mut at, mut awaitable, mut outermost) = (call.id, call.id, call.id);
    let mut scheduled = false;
    // The value is an item of a container that is being built, which only `gather` and the like would run.
    let mut item = false;
    let mut generator = false;
    loop {
        let up = match facts.expr(at).parent {
            Parent::Stmt(stmt) => {
                return match facts.stmt(stmt).kind {
                    StmtKind::Expr(_) if !generator => Some(WayOut { awaitable, outermost, scheduled, stmt }),
                    StmtKind::Return(Some(_)) if !item && !scheduled => {
                        let function = facts.stmt(stmt).function;
                        let of = facts.function(function);
                        // What an async function returns is not awaited for it; its callers would have to await twice.
                        (of.is_coroutine()
                            && !awaited_twice(life, FunctionRef { file: call.file, id: function }))
                        .then_some(WayOut { awaitable, outermost, scheduled, stmt })
                    }
                    _ => None,
                };
            }
            Parent::Expr(up) => up,
            Parent::None => return None,
        };
        match &facts.expr(up).kind {
            ExprKind::BoolOp { values, .. } if values.last() == Some(&at) => {}
            ExprKind::IfElse { test, .. } if *test != at => {}
            ExprKind::List(_) | ExprKind::Tuple(_) | ExprKind::Set(_) | ExprKind::Starred(_) => item = true,
            ExprKind::Comprehension { elements, lazy, .. } if elements.contains(&at) => {
                item = true;
                generator |= lazy;
            }
            ExprKind::Call { func, args, .. } if *func != at && args.contains(&at) => {
                match last_name(facts, *func)? {
                    "gather" | "shield" | "wait_for" if !scheduled => {
                        awaitable = up;
                        outermost = up;
                        item = false;
                        generator = false;
                    }
                    "create_task" | "ensure_future" if !scheduled && !item && args.first() == Some(&at) => {
                        if in_task_group(life, call.with(*func)) {
                            return None;
                        }
                        scheduled = true;
                        outermost = up;
                    }
                    _ => return None,
                }
            }
            _ => return None,
        }
        at = up;
    }
}

pub(super) fn last_name(facts: &Facts, func: ExprId) -> Option<&str> {
    match &facts.expr(func).kind {
        ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } => Some(name),
        _ => None,
    }
}

/// A task group waits for its tasks.
fn in_task_group(life: &Lifecycle, func: ExprRef) -> bool {
    let ExprKind::Attribute { value, .. } = life.facts(func.file).expr(func.id).kind else { return false };
    let text = life.source(func.with(value));
    if text == "asyncio" || text.contains("loop") {
        return false;
    }
    !life.infer(func.with(value)).iter().any(|value| match value {
        Value::Module(_) => true,
        Value::Instance(Kind::External(class), _) => class == "asyncio.AbstractEventLoop",
        _ => false,
    })
}

fn awaited_twice(life: &Lifecycle, function: FunctionRef) -> bool {
    life.call_sites(function).iter().any(|site| {
        let facts = life.facts(site.call.file);
        facts
            .parent_expr(site.call.id)
            .filter(|&up| matches!(facts.expr(up).kind, ExprKind::Await(_)))
            .and_then(|up| facts.parent_expr(up))
            .is_some_and(|outer| matches!(facts.expr(outer).kind, ExprKind::Await(_)))
    })
}

pub(super) struct Closing {
    what: String,
    method: Option<FunctionRef>,
    made: Option<ExprRef>,
    doubtful: bool,
}

/// What is called, where it is certainly or possibly a coroutine function that ends something, or a plain function that
/// gives such a coroutine. So many plain functions are followed.
pub(super) fn closing_coroutine(life: &Lifecycle, call: ExprRef, left: u8) -> Option<Closing> {
    let mut closing: Option<Closing> = None;
    let mut doubtful = false;
    for value in life.callee(call).iter() {
        let next = match value {
            Value::Member(path, made) => {
                let (class, method) = owner_and_method(life, path)?;
                let awaited = method == "__aexit__"
                    || life.catalogue().class(class).and_then(|of| of.ended_by(method))?.awaited;
                if !awaited {
                    return None;
                }
                Closing { what: path.to_string(), method: None, made: *made, doubtful: false }
            }
            Value::Function(function) | Value::Bound(function, _) => {
                let facts = life.facts(function.file);
                let of = facts.function(function.id);
                if !plain_decorators(life, *function) {
                    return None;
                }
                if of.is_coroutine() {
                    if !says_end(&of.name) {
                        return None;
                    }
                    Closing {
                        what: of.qualname.clone(),
                        method: Some(*function),
                        made: value.site(),
                        doubtful: false,
                    }
                } else {
                    given_close(life, *function, left)?
                }
            }
            Value::None => continue,
            Value::Unknown => {
                doubtful = receiver_unknown(life, call);
                continue;
            }
            _ => return None,
        };
        closing = Some(closing.map_or(next, |known| known));
    }
    closing.map(|mut closing| {
        closing.doubtful |= doubtful;
        closing
    })
}

/// Whether the object that a method is called on was not resolved; that it may be `None` is no doubt.
fn receiver_unknown(life: &Lifecycle, call: ExprRef) -> bool {
    let facts = life.facts(call.file);
    let ExprKind::Call { func, .. } = facts.expr(call.id).kind else { return true };
    let ExprKind::Attribute { value, .. } = facts.expr(func).kind else { return true };
    life.infer(call.with(value)).contains(&Value::Unknown)
}

/// `aiogram.Bot.session.close` is the method `session.close` of `aiogram.Bot`.
fn owner_and_method<'p>(life: &Lifecycle, path: &'p str) -> Option<(&'p str, &'p str)> {
    path.rmatch_indices('.')
        .map(|(at, _)| (&path[..at], &path[at + 1..]))
        .find(|(class, _)| life.catalogue().class(class).is_some())
}

/// Decorators that leave a coroutine function what it is.
fn plain_decorators(life: &Lifecycle, function: FunctionRef) -> bool {
    let facts = life.facts(function.file);
    let of = facts.function(function.id);
    of.decorators.is_empty()
        || life.decorated(function, &["override", "abstractmethod", "staticmethod", "classmethod", "final"])
            && of.decorators.len() == 1
}

/// Whether a statement belongs to the end of something: a `finally`, what follows a `yield`, a function that is named or
/// registered as a hook of the end.
fn at_the_end(life: &Lifecycle, function: FunctionRef, stmt: StmtId) -> bool {
    let facts = life.facts(function.file);
    let of = facts.function(function.id);
    if says_end(of.name.trim_matches('_')) || facts.ancestors(stmt).any(|(_, slot)| slot == Slot::Finally) {
        return true;
    }
    if of.is_generator {
        let mut yielded = false;
        facts.body_exprs(function.id, &mut |expr| {
            yielded |= matches!(facts.expr(expr).kind, ExprKind::Yield(_))
                && facts.expr(expr).range.end() < facts.stmt(stmt).range.start();
        });
        return yielded;
    }
    if of.decorators.iter().any(|&decorator| {
        let text = life.source(ExprRef { file: function.file, id: decorator });
        text.contains("shutdown") || text.contains("cleanup") || text.contains("stop")
    }) {
        return true;
    }
    life.flow(Origin::Function(function), false).uses.iter().any(|at| match at.kind {
        UseKind::Argument { call, .. } => {
            let text = life.source(call);
            text.contains("on_shutdown") || text.contains("on_cleanup") || text.contains("\"shutdown\"")
        }
        _ => false,
    })
}

/// Whether a name of a file is bound by an import only.
pub(super) fn only_imported(facts: &Facts, name: &str) -> bool {
    facts
        .bindings
        .iter()
        .filter(|binding| binding.name == *name)
        .all(|binding| matches!(binding.kind, BindingKind::Import { .. } | BindingKind::ImportFrom { .. }))
}
