//! What a thread does with a loop that runs in another.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_python::facts::{ExprId, ExprKind, Facts};
use loopmend_python::lifecycle::{
    ExprRef, FileId, FunctionRef, Ground, HandleKind, Kind, Lifecycle, LoopAct, LoopHandle, Root, Value,
};
use rayon::prelude::*;

use crate::thread::{given, has_no_loop, only_in_threads};

/// One call that needs the loop's own thread.
#[derive(Clone, Debug)]
pub(super) struct Misuse {
    /// The call.
    pub(super) call: ExprRef,
    /// What it does.
    pub(super) act: Act,
}

/// What a call does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Starts a task: its coroutine, and the loop where one is named.
    Task { coroutine: ExprRef, on: Option<ExprRef> },
    /// Asks for the thread's loop.
    Ask,
    /// Asks for it and runs a coroutine to its end: by its place in [`Lifecycle::loops`].
    Run(usize),
    /// A method of a loop that runs elsewhere, which only its own thread may call.
    Method { loop_: ExprRef, name: String },
    /// A method of a queue, an event or a future.
    Touch { method: ExprRef },
}

/// Functions that make a task on the running loop.
const TASKS: &[&str] = &["create_task", "ensure_future"];
/// Methods of a queue, an event or a future that wake those who wait.
const TOUCHES: &[&str] = &["put_nowait", "set", "clear", "set_result", "set_exception"];
/// Methods of a loop that only its own thread may call.
const LOOP_METHODS: &[&str] = &["call_soon", "call_later", "call_at", "create_task", "stop"];
/// Names without which no thread is started.
const STARTS: &[&str] = &["Thread", "Timer", "submit", "run_in_executor", "to_thread", "ThreadPoolExecutor"];
const LIBRARIES: &[&str] = &[
    "FileSystemEventHandler",
    "PatternMatchingEventHandler",
    "on_message",
    "Listener",
    "BackgroundScheduler",
];

/// All of the tree, by the function that they stand in.
pub(super) fn misuses(life: &Lifecycle) -> BTreeMap<FunctionRef, Vec<Misuse>> {
    let mut found: BTreeMap<FunctionRef, Vec<Misuse>> = BTreeMap::new();
    let threads = STARTS
        .iter()
        .chain(LIBRARIES)
        .any(|&name| life.files_with(name).iter().any(|&file| mentions(life.facts(file), name)));
    if !threads {
        return found;
    }
    let names = TASKS.iter().chain(LOOP_METHODS).chain(TOUCHES);
    let files: BTreeSet<FileId> = names.flat_map(|name| life.files_calling(name)).collect();
    let files: Vec<FileId> = files.into_iter().collect();
    let mut candidates: Vec<Misuse> = files.par_iter().flat_map_iter(|&file| written(life, file)).collect();
    candidates.extend(on_loops(life));
    let mut known: BTreeMap<FunctionRef, bool> = BTreeMap::new();
    for misuse in candidates {
        let facts = life.facts(misuse.call.file);
        let function = FunctionRef { file: misuse.call.file, id: facts.function_of(misuse.call.id) };
        let in_thread = *known.entry(function).or_insert_with(|| has_no_loop(life, function));
        if in_thread && !life.is_refusal_expected(misuse.call) {
            let list = found.entry(function).or_default();
            if !list.iter().any(|other| other.call == misuse.call) {
                list.push(misuse);
            }
        }
    }
    for misuse in from_outside(life) {
        let facts = life.facts(misuse.call.file);
        let function = FunctionRef { file: misuse.call.file, id: facts.function_of(misuse.call.id) };
        let list = found.entry(function).or_default();
        if !list.iter().any(|other| other.call == misuse.call) {
            list.push(misuse);
        }
    }
    for list in found.values_mut() {
        list.sort_by_key(|misuse| misuse.call);
    }
    found
}

fn mentions(facts: &Facts, name: &str) -> bool {
    facts.attributes.contains_key(name) || facts.loads.contains_key(name)
}

/// Calls by their names, in functions that only threads run. What the call itself shows is asked first: who runs its function
/// is dear to know.
fn written(life: &Lifecycle, file: FileId) -> Vec<Misuse> {
    let facts = life.facts(file);
    let calls = |names: &'static [&'static str]| {
        names
            .iter()
            .flat_map(|&name| facts.attributes.get(name).into_iter().chain(facts.loads.get(name)))
            .flatten()
            .filter_map(|&id| facts.parent_expr(id).map(|call| (id, ExprRef { file, id: call })))
            .filter(
                |&(id, call)| matches!(facts.expr(call.id).kind, ExprKind::Call { func, .. } if func == id),
            )
    };
    let mut known: BTreeMap<FunctionRef, bool> = BTreeMap::new();
    let mut in_thread = |call: ExprRef| {
        let function = FunctionRef { file, id: facts.function_of(call.id) };
        *known.entry(function).or_insert_with(|| has_no_loop(life, function))
    };
    let mut found = Vec::new();
    for (_, call) in calls(TASKS) {
        let ExprKind::Call { args, keywords, .. } = &facts.expr(call.id).kind else { continue };
        if let Some(&coroutine) = args.first()
            && life.calls_any(call, &["asyncio.create_task", "asyncio.ensure_future"])
            && in_thread(call)
        {
            let on = keywords.iter().find(|keyword| keyword.name.as_deref() == Some("loop"));
            let on = on.map(|keyword| call.with(keyword.value));
            found.push(Misuse { call, act: Act::Task { coroutine: call.with(coroutine), on } });
        }
    }
    for (method, call) in calls(LOOP_METHODS) {
        let ExprKind::Attribute { value, attr } = &facts.expr(method).kind else { continue };
        if is_parameter(facts, *value) && in_thread(call) && is_given_loop(life, call.with(*value)) {
            found
                .push(Misuse { call, act: Act::Method { loop_: call.with(*value), name: attr.to_string() } });
        }
    }
    for (method, call) in calls(TOUCHES) {
        let ExprKind::Attribute { value, .. } = facts.expr(method).kind else { continue };
        let may_be = is_parameter(facts, value) || is_asyncios(life, call.with(value));
        if may_be && in_thread(call) && is_asyncios(life, call.with(value)) {
            found.push(Misuse { call, act: Act::Touch { method: call.with(method) } });
        }
    }
    found
}

/// Whether a name is a parameter of the function that it stands in.
fn is_parameter(facts: &Facts, receiver: ExprId) -> bool {
    let of = facts.function(facts.function_of(receiver));
    facts.name_of(receiver).is_some_and(|name| of.params.iter().any(|param| param.name == *name))
}

/// Where a receiver is a parameter of a thread's function: what it is given.
fn given_there(life: &Lifecycle, receiver: ExprRef) -> Vec<ExprRef> {
    let facts = life.facts(receiver.file);
    let function = FunctionRef { file: receiver.file, id: facts.function_of(receiver.id) };
    facts.name_of(receiver.id).map_or_else(Vec::new, |name| given(life, function, name))
}

/// Whether a receiver is a loop that a thread's function is given.
pub(super) fn is_given_loop(life: &Lifecycle, receiver: ExprRef) -> bool {
    let given = given_there(life, receiver);
    !given.is_empty() && given.into_iter().all(|at| is_loop(life, at))
}

/// Whether an expression is a loop.
pub(super) fn is_loop(life: &Lifecycle, at: ExprRef) -> bool {
    life.infer(at).iter().any(|value| value.external_class() == Some("asyncio.AbstractEventLoop"))
}

fn is_asyncios(life: &Lifecycle, receiver: ExprRef) -> bool {
    let given = given_there(life, receiver);
    if !given.is_empty() {
        return given.into_iter().all(|at| is_asyncios(life, at));
    }
    let values = life.infer(receiver);
    values.iter().filter(|value| !matches!(value, Value::None)).count() > 0
        && values.iter().filter(|value| !matches!(value, Value::None)).all(|value| {
            matches!(value, Value::Instance(Kind::External(class), _) if matches!(
                class.as_str(),
                "asyncio.Queue" | "asyncio.LifoQueue" | "asyncio.PriorityQueue" | "asyncio.Event" | "asyncio.Future"
            ))
        })
}

/// What is asked of the thread's own loop, and done with those of others.
fn on_loops(life: &Lifecycle) -> Vec<Misuse> {
    let mut found = Vec::new();
    for (index, handle) in life.loops().iter().enumerate() {
        let asked = handle.kind != HandleKind::Made && has_no_loop(life, handle.function);
        // A policy of the program's own may give every thread a loop.
        let by_policy = life.facts(handle.site.file).attributes.contains_key("set_event_loop_policy");
        if asked && (by_policy || life.is_refusal_expected(handle.site)) {
            continue;
        }
        if asked {
            let runs = handle.does(&LoopAct::Run);
            let act = if runs { Act::Run(index) } else { Act::Ask };
            if !handle.does(&LoopAct::Forever) {
                found.push(Misuse { call: handle.site, act });
            }
            if runs {
                continue;
            }
        }
        if handle.kind == HandleKind::Made && !runs_in_main(life, handle) {
            continue;
        }
        for act in handle.operations.iter().filter(|act| !act.handed) {
            let Some(name) = loop_method(&act.kind) else { continue };
            found.push(Misuse { call: act.at, act: Act::Method { loop_: act.receiver, name } });
        }
    }
    found
}

/// The method that is called, where only the loop's own thread may call it.
fn loop_method(act: &LoopAct) -> Option<String> {
    match act {
        LoopAct::Method(name) if LOOP_METHODS.contains(&name.as_str()) => Some(name.to_string()),
        LoopAct::Stop => Some("stop".to_owned()),
        _ => None,
    }
}

/// What the program does to a loop that a thread of its own runs, where it stands in no thread itself.
fn from_outside(life: &Lifecycle) -> Vec<Misuse> {
    let mut found = Vec::new();
    for handle in life.loops().iter().filter(|handle| handle.kind == HandleKind::Made) {
        let mut runs = handle.acts(&LoopAct::Forever).chain(handle.acts(&LoopAct::Run)).peekable();
        let in_thread = runs.peek().is_some()
            && runs.all(|act| {
                act.kind == LoopAct::Forever && (act.handed || only_in_threads(life, act.function))
            });
        if !in_thread {
            continue;
        }
        for act in handle.operations.iter().filter(|act| !act.handed) {
            let Some(name) = loop_method(&act.kind) else { continue };
            // What makes the loop and its thread may give it work before that begins.
            let early = act.function == handle.function || starts_thread(life, act.function);
            if !early && is_outside(life, act.function) {
                found.push(Misuse { call: act.at, act: Act::Method { loop_: act.receiver, name } });
            }
        }
    }
    found
}

/// Whether a call touches a loop that a thread runs, from where no thread is.
pub(crate) fn is_from_outside(life: &Lifecycle, call: ExprRef) -> bool {
    struct Calls(BTreeSet<ExprRef>);
    let all = life.once(|life| Calls(from_outside(life).into_iter().map(|misuse| misuse.call).collect()));
    all.0.contains(&call)
}

fn starts_thread(life: &Lifecycle, function: FunctionRef) -> bool {
    let facts = life.facts(function.file);
    let mut found = false;
    facts.body_exprs(function.id, &mut |id| {
        found |= matches!(&facts.expr(id).kind, ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } if *name == "Thread");
    });
    found
}

/// Whether the body of a module leads to a plain function, and no loop and no thread does.
fn is_outside(life: &Lifecycle, function: FunctionRef) -> bool {
    let grounds = life.grounds(function);
    let is = |ground: &Ground, module: bool| match ground {
        Ground::Root(Root::Module(_)) => true,
        Ground::Root(Root::Uncalled(_)) => !module,
        _ => false,
    };
    !life.facts(function.file).function(function.id).is_async
        && grounds.iter().any(|ground| is(ground, true))
        && grounds.iter().all(|ground| is(ground, false))
}

/// Whether a loop made by hand is run where no thread is seen to begin.
fn runs_in_main(life: &Lifecycle, handle: &LoopHandle) -> bool {
    let runs: BTreeSet<FunctionRef> = handle
        .operations
        .iter()
        .filter(|act| matches!(act.kind, LoopAct::Run | LoopAct::Forever))
        .map(|act| act.function)
        .collect();
    let handed = handle.operations.iter().any(|act| act.handed && act.kind == LoopAct::Forever);
    !runs.is_empty() && !handed && runs.iter().all(|&function| !only_in_threads(life, function))
}
