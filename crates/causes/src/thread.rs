//! Which functions run in threads that have no loop.

use std::collections::BTreeSet;

use loopmend_python::facts::{BindingKind, ExprKind, Facts};
use loopmend_python::lifecycle::{ClassRef, ExprRef, FunctionRef, Ground, Lifecycle, Origin, Place, Root};

/// Libraries that call what they are given from a thread of their own.
const CALLERS: &[&str] =
    &["pynput.", "sounddevice.", "pyaudio.", "keyboard.", "apscheduler.schedulers.background."];

/// Whether all that leads to a function begins in a thread, and none of it in a loop.
pub(crate) fn only_in_threads(life: &Lifecycle, function: FunctionRef) -> bool {
    life.all_grounds(function, |ground| matches!(ground, Ground::Root(root) if begins(life, root)))
}

/// Whether a function runs in threads alone, and none of them sets a loop of its own before.
pub(crate) fn has_no_loop(life: &Lifecycle, function: FunctionRef) -> bool {
    only_in_threads(life, function) && !has_own_loop(life, function)
}

/// Whether a thread sets a loop of its own before it comes to a function, or a helper that the function calls does.
fn has_own_loop(life: &Lifecycle, function: FunctionRef) -> bool {
    let mut around: BTreeSet<FunctionRef> = BTreeSet::from([function]);
    let mut work = vec![function];
    while let Some(at) = work.pop() {
        for site in life.call_sites(at) {
            let facts = life.facts(site.call.file);
            let caller = FunctionRef { file: site.call.file, id: facts.function_of(site.call.id) };
            if around.insert(caller) {
                work.push(caller);
            }
        }
    }
    let sets = |at: FunctionRef, paths: &[&str]| {
        let facts = life.facts(at.file);
        let named = ["set_event_loop", "new_event_loop"]
            .iter()
            .any(|&name| facts.attributes.contains_key(name) || facts.loads.contains_key(name));
        let mut found = false;
        if named {
            facts.body_exprs(at.id, &mut |id| {
                let call = ExprRef { file: at.file, id };
                found |= matches!(facts.expr(id).kind, ExprKind::Call { .. }) && life.calls_any(call, paths);
            });
        }
        found
    };
    around.into_iter().any(|at| sets(at, &["asyncio.set_event_loop", "asyncio.new_event_loop"]))
        || life.reachable(function).into_iter().any(|at| sets(at, &["asyncio.set_event_loop"]))
}

/// Whether a function is what a thread class runs: `run` of a class that is based on `threading.Thread`.
pub(crate) fn is_thread_run(life: &Lifecycle, function: FunctionRef) -> bool {
    let of = life.facts(function.file).function(function.id);
    of.name == "run" && class_of(life, function).is_some_and(|class| is_thread(life, class))
}

/// Whether a class is a thread.
pub(crate) fn is_thread(life: &Lifecycle, class: ClassRef) -> bool {
    life.ancestry(class)
        .outside
        .iter()
        .any(|base| matches!(base.as_str(), "threading.Thread" | "threading.Timer"))
}

/// The class that a method stands in.
pub(crate) fn class_of(life: &Lifecycle, function: FunctionRef) -> Option<ClassRef> {
    let id = life.facts(function.file).function(function.id).class?;
    Some(ClassRef { file: function.file, id })
}

fn begins(life: &Lifecycle, root: &Root) -> bool {
    match *root {
        Root::Thread(..) => true,
        Root::Uncalled(function) => {
            is_thread_run(life, function) || watches_files(life, function) || hears_messages(life, function)
        }
        Root::Framework(_, by) => {
            life.callee_paths(by).iter().any(|path| CALLERS.iter().any(|caller| path.starts_with(caller)))
        }
        _ => false,
    }
}

/// Whether a library calls a function from a thread of its own.
pub(crate) fn called_by_library(life: &Lifecycle, function: FunctionRef) -> bool {
    life.grounds(function).iter().any(|ground| match ground {
        Ground::Root(Root::Uncalled(root)) => !is_thread_run(life, *root),
        Ground::Root(Root::Framework(..)) => true,
        _ => false,
    })
}

/// A handler of watchdog, which its observer's thread calls.
fn watches_files(life: &Lifecycle, function: FunctionRef) -> bool {
    let name = &life.facts(function.file).function(function.id).name;
    (name.starts_with("on_") || name == "dispatch")
        && class_of(life, function).is_some_and(|class| {
            life.ancestry(class).outside.iter().any(|base| base.starts_with("watchdog."))
        })
}

/// A callback of paho's client, which its network thread calls, where the tree starts that: `client.on_message = …`.
fn hears_messages(life: &Lifecycle, function: FunctionRef) -> bool {
    imports(life.facts(function.file), "paho")
        && ["loop_start", "loop_forever"].iter().any(|name| !life.files_with(name).is_empty())
        && life
            .flow(Origin::Function(function), false)
            .places
            .iter()
            .any(|place| matches!(place, Place::Loose(_, name) if name.starts_with("on_")))
}

fn imports(facts: &Facts, package: &str) -> bool {
    facts.bindings.iter().any(|binding| match &binding.kind {
        BindingKind::Import { module } | BindingKind::ImportFrom { module, .. } => {
            module.split('.').next() == Some(package)
        }
        _ => false,
    })
}

/// The calls that start the threads in which a function runs.
pub(crate) fn starts(life: &Lifecycle, function: FunctionRef) -> Vec<ExprRef> {
    life.grounds(function)
        .into_iter()
        .filter_map(|ground| match ground {
            Ground::Root(Root::Thread(_, call)) => Some(call),
            _ => None,
        })
        .collect()
}

/// What a parameter of a function is given where threads of it are started: `Thread(target=f, args=(a, b))`, `submit(f, a, b)`.
pub(crate) fn given(life: &Lifecycle, function: FunctionRef, name: &str) -> Vec<ExprRef> {
    let of = life.facts(function.file).function(function.id);
    let Some(index) = of.params.iter().position(|param| param.name == name) else { return Vec::new() };
    let Some(index) = index.checked_sub(usize::from(of.receiver().is_some())) else { return Vec::new() };
    starts(life, function).into_iter().filter_map(|call| argument(life, call, index)).collect()
}

fn argument(life: &Lifecycle, call: ExprRef, index: usize) -> Option<ExprRef> {
    let facts = life.facts(call.file);
    let ExprKind::Call { args, keywords, .. } = &facts.expr(call.id).kind else { return None };
    let before = match life.called_name(call).as_deref() {
        Some("Thread" | "Timer") => {
            let list = keywords.iter().find(|keyword| keyword.name.as_deref() == Some("args"))?;
            let (ExprKind::Tuple(items) | ExprKind::List(items)) = &facts.expr(list.value).kind else {
                return None;
            };
            return items.get(index).map(|&id| call.with(id));
        }
        Some("run_in_executor") => 2,
        Some("submit" | "to_thread") => 1,
        _ => return None,
    };
    args.get(before + index).map(|&id| call.with(id))
}
