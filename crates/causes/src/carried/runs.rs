//! Runs by the loop that they run, and what runs under each.

use std::collections::BTreeSet;

use loopmend_python::facts::{BindingKind, MODULE, Name};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Lookup, Root, Run, RunKind, Value};
use rayon::prelude::*;

use super::process::{Process, in_tests};

/// Which loop a run runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LoopId {
    /// A new one for each call of this run.
    Fresh(ExprRef),
    /// The one that this expression makes.
    Made(ExprRef),
    /// The thread's current one, which `get_event_loop()` gives.
    Current,
}

/// One run and what it runs.
#[derive(Clone, Debug)]
pub struct Started {
    /// The run.
    pub run: Run,
    /// The run itself, where this is a call of a function that runs what it is handed.
    pub inside: Option<Run>,
    /// Its loop.
    pub id: LoopId,
    /// The functions that run under it.
    pub reach: BTreeSet<FunctionRef>,
    /// Where in a process it stands.
    pub process: Process,
}

impl Started {
    /// Whether a server runs its own loop here, to the end of the program.
    pub fn serves(&self) -> bool {
        self.run.kind == RunKind::Serve
    }

    /// The expression that gives a new loop each time it runs; none for a loop that stays.
    pub fn birth(&self) -> Option<ExprRef> {
        match self.id {
            _ if self.serves() => None,
            LoopId::Fresh(call) | LoopId::Made(call) => Some(call),
            LoopId::Current => None,
        }
    }

    /// Whether a call stands in what is run, or in a function that runs under it.
    pub fn holds(&self, life: &Lifecycle, expr: ExprRef) -> bool {
        let facts = life.facts(expr.file);
        self.reach.contains(&FunctionRef { file: expr.file, id: facts.function_of(expr.id) })
            || (expr.file == self.run.call.file
                && facts.expr(self.run.call.id).range.contains_range(facts.expr(expr.id).range)
                && expr != self.run.call)
    }
}

/// All runs of the program proper: not of tests, servers, runners, threads.
pub fn started(life: &Lifecycle) -> Vec<Started> {
    let mut found: Vec<Started> = life
        .runs()
        .par_iter()
        .filter(|run| {
            matches!(run.kind, RunKind::Fresh | RunKind::OnLoop | RunKind::Serve) && run.argument.is_some()
        })
        .flat_map_iter(|run| {
            let through = through(life, run);
            if through.is_empty() {
                vec![(run.clone(), None)]
            } else {
                through.into_iter().map(|step| (step, Some(run.clone()))).collect()
            }
        })
        .filter_map(|(run, inside)| start(life, run, inside))
        .collect();
    found.sort_by_key(|started| started.run.call);
    found
}

/// Runs that stand in a function, calls of functions that run what they are handed among them.
pub fn steps_in(life: &Lifecycle, function: FunctionRef) -> Vec<Run> {
    started(life)
        .into_iter()
        .filter(|started| started.run.function == function && !started.serves())
        .map(|started| started.run)
        .collect()
}

fn start(life: &Lifecycle, run: Run, inside: Option<Run>) -> Option<Started> {
    if in_tests(life, run.function) || life.facts(run.call.file).function(run.function.id).is_async {
        return None;
    }
    let roots = life.roots(run.function);
    let threaded = roots.iter().any(|root| matches!(root, Root::Thread(..)));
    if threaded || roots.iter().all(|root| matches!(root, Root::Test(_) | Root::Fixture(_) | Root::Exit(_))) {
        return None;
    }
    let mut reach = BTreeSet::new();
    for &coroutine in &run.coroutines {
        if !reach.contains(&coroutine) {
            reach.extend(life.reachable(coroutine));
        }
    }
    reach.retain(|function| function.id != MODULE);
    let id = if inside.is_some() { LoopId::Fresh(run.call) } else { loop_of(life, &run) };
    Some(Started { id, reach, process: Process::of(life, &roots), inside, run })
}

/// The calls of a function that runs the coroutine it is handed, each on a loop of its own: `run_sync(work())`.
fn through(life: &Lifecycle, run: &Run) -> Vec<Run> {
    let Some(argument) = run.argument else { return Vec::new() };
    let facts = life.facts(run.call.file);
    let fresh = match loop_of(life, run) {
        LoopId::Fresh(_) => run.kind == RunKind::Fresh,
        LoopId::Made(site) => site.file == run.call.file && facts.function_of(site.id) == run.function.id,
        LoopId::Current => false,
    };
    let Some(name) = facts.name_of(argument.id).filter(|_| fresh) else { return Vec::new() };
    let of = facts.function(run.function.id);
    let Some(index) = of.params.iter().position(|param| param.name == *name) else { return Vec::new() };
    let handed = match life.lookup(argument, name) {
        Lookup::Bound(scope, ids) => {
            scope == run.function
                && ids.iter().all(|&id| matches!(facts.binding(id).kind, BindingKind::Parameter(_)))
        }
        _ => false,
    };
    if !handed || !of.decorators.is_empty() {
        return Vec::new();
    }
    life.call_sites(run.function)
        .into_iter()
        .filter_map(|site| {
            let given = life.argument_for(&site, run.function, index)?;
            let function = FunctionRef {
                file: site.call.file,
                id: life.facts(site.call.file).function_of(site.call.id),
            };
            Some(Run {
                call: site.call,
                function,
                kind: RunKind::Fresh,
                path: Name::new_static("asyncio.run"),
                receiver: None,
                argument: Some(given),
                coroutines: life.coroutines_in(given),
            })
        })
        .collect()
}

fn loop_of(life: &Lifecycle, run: &Run) -> LoopId {
    if matches!(run.kind, RunKind::Fresh | RunKind::Serve) {
        return LoopId::Fresh(run.call);
    }
    let made = run.receiver.and_then(|receiver| {
        let sites: Vec<ExprRef> = life.infer(receiver).iter().filter_map(Value::site).collect();
        let calls = |paths| sites.iter().find(|&&site| life.calls_any(site, paths)).copied();
        // A new loop is made only where the thread has none yet, and stays then.
        if calls(&["asyncio.get_event_loop", "asyncio.get_running_loop"]).is_some() {
            return None;
        }
        calls(&["asyncio.new_event_loop", "uvloop.new_event_loop"])
    });
    made.map_or(LoopId::Current, LoopId::Made)
}
