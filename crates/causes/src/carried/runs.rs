//! Runs by the loop that they run, and what runs under each.

use std::collections::BTreeSet;

use loopmend_python::facts::MODULE;
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Root, Run, RunKind};

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
    life.runs()
        .iter()
        .filter(|run| {
            matches!(run.kind, RunKind::Fresh | RunKind::OnLoop | RunKind::Serve) && run.argument.is_some()
        })
        .filter(|run| {
            !in_tests(life, run.function) && !life.facts(run.call.file).function(run.function.id).is_async
        })
        .filter_map(|run| {
            let roots = life.roots(run.function);
            let threaded = roots.iter().any(|root| matches!(root, Root::Thread(..)));
            if threaded
                || roots.iter().all(|root| matches!(root, Root::Test(_) | Root::Fixture(_) | Root::Exit(_)))
            {
                return None;
            }
            let mut reach = BTreeSet::new();
            for &coroutine in &run.coroutines {
                if !reach.contains(&coroutine) {
                    reach.extend(life.reachable(coroutine));
                }
            }
            reach.retain(|function| function.id != MODULE);
            Some(Started {
                id: loop_of(life, run),
                reach,
                process: Process::of(life, &roots),
                run: run.clone(),
            })
        })
        .collect()
}

fn loop_of(life: &Lifecycle, run: &Run) -> LoopId {
    if matches!(run.kind, RunKind::Fresh | RunKind::Serve) {
        return LoopId::Fresh(run.call);
    }
    let made = run.receiver.and_then(|receiver| {
        life.infer(receiver).iter().find_map(|value| {
            let site = value.site()?;
            life.calls_any(site, &["asyncio.new_event_loop", "uvloop.new_event_loop"]).then_some(site)
        })
    });
    made.map_or(LoopId::Current, LoopId::Made)
}
