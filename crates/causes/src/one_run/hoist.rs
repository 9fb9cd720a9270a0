//! Steps that stand in functions of their own: these become coroutines, and the function that calls them all awaits them.

use std::collections::BTreeSet;

use loopmend_python::edit::{Edit, Source, make_async};
use loopmend_python::facts::{Definition, Name};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Origin, Run, RunKind, UseKind};

use super::{Region, awaited};
use crate::Declined;
use crate::carried::steps_in;

/// Functions that become coroutines, below the one function that has the region.
#[derive(Clone, Debug, Default)]
pub struct Hoist {
    /// They, in the order of the text.
    pub functions: Vec<FunctionRef>,
}

impl Hoist {
    /// The function from which all these run functions are called, each only from there, and those between.
    pub fn common(life: &Lifecycle, functions: &[FunctionRef]) -> Option<(FunctionRef, Self)> {
        let ways: Vec<Vec<FunctionRef>> = functions.iter().map(|&function| way(life, function)).collect();
        let target = ways.first()?.iter().copied().find(|at| ways.iter().all(|way| way.contains(at)))?;
        let mut between: BTreeSet<FunctionRef> = BTreeSet::new();
        for way in &ways {
            between.extend(way.iter().take_while(|&&at| at != target));
        }
        let functions: Vec<FunctionRef> = between.into_iter().collect();
        let one_file = functions.iter().all(|function| function.file == target.file);
        (one_file && !functions.is_empty()).then_some((target, Self { functions }))
    }

    /// Calls of these functions in another, as steps that are awaited.
    pub fn calls_in(&self, life: &Lifecycle, caller: FunctionRef) -> Vec<Run> {
        let mut found = Vec::new();
        for &function in &self.functions {
            for site in life.call_sites(function) {
                let at = FunctionRef {
                    file: site.call.file,
                    id: life.facts(site.call.file).function_of(site.call.id),
                };
                if at == caller {
                    found.push(step(at, site.call, function));
                }
            }
        }
        found
    }

    /// The edits that make the functions coroutines.
    pub fn edits(&self, life: &Lifecycle, source: &Source) -> Result<Vec<Edit>, Declined> {
        let mut edits = Vec::new();
        for &function in &self.functions {
            let facts = life.facts(function.file);
            edits.extend(make_async(source, facts.function(function.id).range)?);
            let runs = steps_in(life, function).into_iter().chain(self.calls_in(life, function));
            for run in runs {
                edits.extend(awaited(life, source, &run)?);
            }
        }
        Ok(edits)
    }
}

/// The whole body of a function, as the place of its loop's handles.
pub fn body_of(life: &Lifecycle, function: FunctionRef) -> Region {
    let facts = life.facts(function.file);
    Region {
        file: function.file,
        function,
        stmts: facts.function(function.id).body.to_vec(),
        runs: steps_in(life, function),
        hoisted: Vec::new(),
        returns: false,
    }
}

/// A call of a function that becomes a coroutine.
fn step(caller: FunctionRef, call: ExprRef, function: FunctionRef) -> Run {
    Run {
        call,
        function: caller,
        kind: RunKind::Fresh,
        path: Name::new_static("asyncio.run"),
        receiver: None,
        argument: Some(call),
        coroutines: vec![function],
    }
}

/// Whether a step is the call of such a function rather than a run.
pub fn is_step(run: &Run) -> bool {
    run.argument == Some(run.call)
}

/// A function, the one that calls it, and so on, as long as there is just one and the function can become a coroutine.
fn way(life: &Lifecycle, function: FunctionRef) -> Vec<FunctionRef> {
    let mut way = vec![function];
    let mut at = function;
    while let Some(up) = only_caller(life, at).filter(|up| !way.contains(up)) {
        way.push(up);
        at = up;
    }
    way
}

fn only_caller(life: &Lifecycle, function: FunctionRef) -> Option<FunctionRef> {
    let of = life.facts(function.file).function(function.id);
    let plain = matches!(of.definition, Definition::Def(_))
        && !of.is_async
        && !of.is_generator
        && of.decorators.is_empty()
        && !of.name.starts_with("__");
    if !plain {
        return None;
    }
    let callers: BTreeSet<FunctionRef> = life
        .call_sites(function)
        .iter()
        .map(|site| FunctionRef {
            file: site.call.file,
            id: life.facts(site.call.file).function_of(site.call.id),
        })
        .collect();
    let handed = life.flow(Origin::Function(function), false).uses.iter().any(|at| match at.kind {
        UseKind::Called(call) => !callers
            .contains(&FunctionRef { file: call.file, id: life.facts(call.file).function_of(call.id) }),
        UseKind::Stored(_) => false,
        _ => true,
    });
    match callers.into_iter().collect::<Vec<_>>().as_slice() {
        [only] if !handed => Some(*only),
        _ => None,
    }
}
