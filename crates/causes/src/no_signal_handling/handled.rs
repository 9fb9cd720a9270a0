//! Signals that the program, or what runs it, answers already.

use std::collections::BTreeSet;

use loopmend_python::facts::{BindingKind, ExprKind, Facts, MODULE};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Ground, Lifecycle, Root, Run};

use super::flag;
use crate::thread::only_in_threads;

/// Which signals have a path to an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Handled {
    /// None.
    Nothing,
    /// Only SIGINT, by these calls.
    Interrupt(Vec<ExprRef>),
    /// SIGTERM too, or it can't be told.
    Terminate,
}

/// Names by which signals are answered.
const INSTALLERS: &[&str] =
    &["add_signal_handler", "open_signal_receiver", "sigwait", "sigtimedwait", "set_wakeup_fd"];

/// Which signals are answered in what runs with a run.
pub(super) fn handled(life: &Lifecycle, run: &Run) -> Handled {
    let running = running_with(life, run);
    let files: BTreeSet<FileId> = running.iter().map(|function| function.file).collect();
    let mut interrupts = Vec::new();
    for &file in &files {
        let facts = life.facts(file);
        for call in installing(life, file) {
            let function = FunctionRef { file, id: facts.function_of(call.id) };
            if !around(facts, function, &running) {
                if flag::is_called(life, function) {
                    return Handled::Terminate;
                }
                continue;
            }
            if says(life, file, "SIGTERM") || !says(life, file, "SIGINT") {
                return Handled::Terminate;
            }
            interrupts.push(call);
        }
        for &id in &facts.calls {
            let call = ExprRef { file, id };
            let function = FunctionRef { file, id: facts.function_of(id) };
            if running.contains(&function) && answers(life, call) {
                return Handled::Terminate;
            }
        }
    }
    // What is imported may answer them in a way that was not followed.
    for file in files.iter().flat_map(|&file| imported(life, file)) {
        let facts = life.facts(file);
        let installs = installing(life, file)
            .any(|call| flag::is_called(life, FunctionRef { file, id: facts.function_of(call.id) }));
        if installs {
            return Handled::Terminate;
        }
    }
    if interrupts.is_empty() { Handled::Nothing } else { Handled::Interrupt(interrupts) }
}

/// The functions that run in the life of a run: what leads to it, what it reaches.
fn running_with(life: &Lifecycle, run: &Run) -> BTreeSet<FunctionRef> {
    let mut above = BTreeSet::from([run.function]);
    let mut work = vec![run.function];
    while let Some(at) = work.pop() {
        for site in life.call_sites(at) {
            let facts = life.facts(site.call.file);
            let caller = FunctionRef { file: site.call.file, id: facts.function_of(site.call.id) };
            if above.insert(caller) {
                work.push(caller);
            }
        }
    }
    above.insert(FunctionRef::module(run.call.file));
    let starts = above.into_iter().chain(run.coroutines.iter().copied());
    starts.flat_map(|function| life.reachable(function)).collect()
}

/// Whether a function runs, or stands in one that does: a handler's own function is only handed over.
fn around(facts: &Facts, function: FunctionRef, running: &BTreeSet<FunctionRef>) -> bool {
    let mut at = Some(function.id);
    while let Some(id) = at {
        if running.contains(&FunctionRef { file: function.file, id }) {
            return true;
        }
        at = facts.function(id).parent;
        if at == Some(MODULE) {
            return false;
        }
    }
    false
}

fn installing(life: &Lifecycle, file: FileId) -> impl Iterator<Item = ExprRef> + '_ {
    let facts = life.facts(file);
    let named = INSTALLERS
        .iter()
        .flat_map(move |&name| facts.attributes.get(name).into_iter().chain(facts.loads.get(name)))
        .flatten()
        .map(move |&id| ExprRef { file, id: facts.parent_expr(id).unwrap_or(id) });
    let plain = facts
        .attributes
        .get("signal")
        .into_iter()
        .chain(facts.loads.get("signal"))
        .flatten()
        .filter_map(move |&id| facts.parent_expr(id))
        .map(move |id| ExprRef { file, id })
        .filter(move |&call| {
            matches!(facts.expr(call.id).kind, ExprKind::Call { .. })
                && life.calls_any(call, &["signal.signal"])
        });
    named.chain(plain)
}

/// Whether a file names a signal.
fn says(life: &Lifecycle, file: FileId, signal: &str) -> bool {
    let facts = life.facts(file);
    facts.attributes.contains_key(signal)
        || facts.loads.contains_key(signal)
        || life.text(file).contains(&format!("\"{signal}\""))
        || life.text(file).contains(&format!("'{signal}'"))
}

/// Whether a call is one of a library that takes SIGTERM itself.
fn answers(life: &Lifecycle, call: ExprRef) -> bool {
    let entry = life.callee_paths(call).into_iter().any(|path| {
        life.catalogue().entry(&path).is_some_and(|entry| entry.handles_signals && !entry.command_line)
    });
    entry
        || matches!(
            life.called_name(call).as_deref(),
            Some("start_polling" | "run_polling" | "run_webhook" | "run_app")
        )
}

fn imported(life: &Lifecycle, file: FileId) -> Vec<FileId> {
    let facts = life.facts(file);
    facts
        .bindings
        .iter()
        .filter_map(|binding| match &binding.kind {
            BindingKind::ImportFrom { level, module, .. } => life.imported_file(file, *level, module),
            BindingKind::Import { module } => life.modules().find(module, file),
            _ => None,
        })
        .collect()
}

/// Whether a run is one of a program's own main thread, as far as the tree shows.
pub(super) fn in_main_thread(life: &Lifecycle, run: &Run) -> bool {
    const COMMANDS: &[&str] =
        &["command", "main", "callback", "group", "cli", "pass_context", "option", "argument"];
    !only_in_threads(life, run.function)
        && life.grounds(run.function).iter().all(|ground| match ground {
            Ground::Root(Root::Module(_) | Root::Uncalled(_)) => true,
            Ground::Root(Root::Framework(_, by)) => match life.last_part(*by) {
                Some(name) => COMMANDS.contains(&name.as_str()) || name == "Process",
                None => false,
            },
            _ => false,
        })
}
