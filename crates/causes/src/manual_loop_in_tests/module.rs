//! Tests of a module that run loops around a global of it.

use std::collections::BTreeSet;

use loopmend_python::facts::{ExprKind, MODULE, Name, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, RunKind};

/// One global that is, or is made of, the shared object.
#[derive(Clone, Debug)]
pub(super) struct Holder {
    /// Its name.
    pub name: Name,
    /// The statement that binds it.
    pub stmt: StmtId,
    /// Its value.
    pub value: ExprRef,
    /// It is the object itself, rather than made of it.
    pub is_object: bool,
}

/// One test that runs loops.
#[derive(Clone, Debug)]
pub(super) struct Test {
    /// The test.
    pub function: FunctionRef,
    /// Its runs.
    pub runs: Vec<ExprRef>,
}

/// An object of a module that its tests use under loops of their own.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    /// The module.
    pub file: FileId,
    /// Class of the object.
    pub gives: Name,
    /// The globals, the object first.
    pub holders: Vec<Holder>,
    /// The tests that use one of them.
    pub tests: Vec<Test>,
}

/// All of them, in order.
pub(super) fn shared(life: &Lifecycle) -> Vec<Shared> {
    let suite = life.suite();
    let files: BTreeSet<FileId> =
        suite.tests.iter().filter(|test| !test.is_async).map(|test| test.function.file).collect();
    let mut found = Vec::new();
    for site in life.sites() {
        if !site.function.is_module() || !files.contains(&site.call.file) {
            continue;
        }
        if !life.resource(site).is_some_and(loopmend_python::catalogue::Resource::breaks_in_second_run) {
            continue;
        }
        let file = site.call.file;
        let holders = holders(life, site.call);
        if holders.is_empty() {
            continue;
        }
        let tests: Vec<Test> = suite
            .tests
            .iter()
            .filter(|test| {
                test.function.file == file && !test.is_async && uses_any(life, test.function, &holders)
            })
            .filter_map(|test| {
                let runs: Vec<ExprRef> = life
                    .runs()
                    .iter()
                    .filter(|run| {
                        run.function == test.function
                            && run.kind == RunKind::Fresh
                            && run.path == "asyncio.run"
                    })
                    .map(|run| run.call)
                    .collect();
                (!runs.is_empty()).then_some(Test { function: test.function, runs })
            })
            .collect();
        if tests.len() > 1 {
            found.push(Shared { file, gives: site.gives.clone(), holders, tests });
        }
    }
    found
}

/// The globals of the module that hold what a call makes; none where it is not bound by one plain assignment.
fn holders(life: &Lifecycle, call: ExprRef) -> Vec<Holder> {
    let facts = life.facts(call.file);
    let mut found: Vec<Holder> = Vec::new();
    for &stmt in &facts.function(MODULE).body {
        let StmtKind::Assign { targets, value } = &facts.stmt(stmt).kind else { continue };
        let [target] = targets.as_ref() else { continue };
        let Some(name) = facts.name_of(*target) else { continue };
        let is_object = *value == call.id;
        let range = facts.expr(*value).range;
        let made_of = found.iter().any(|holder| {
            facts
                .loads
                .get(&holder.name)
                .into_iter()
                .flatten()
                .any(|&load| range.contains_range(facts.expr(load).range))
        });
        let bound = facts.scopes[MODULE.index()].get(name).map_or(0, <[_]>::len);
        if (is_object || (made_of && matches!(facts.expr(*value).kind, ExprKind::Call { .. }))) && bound == 1
        {
            found.push(Holder { name: name.clone(), stmt, value: call.with(*value), is_object });
        }
    }
    if found.first().is_some_and(|first| first.is_object) { found } else { Vec::new() }
}

/// Whether a function, or one inside it, reads one of these globals.
pub(super) fn uses_any(life: &Lifecycle, function: FunctionRef, holders: &[Holder]) -> bool {
    holders.iter().any(|holder| uses(life, function, &holder.name))
}

/// Whether a function, or one inside it, reads this global.
pub(super) fn uses(life: &Lifecycle, function: FunctionRef, name: &Name) -> bool {
    let range = life.facts(function.file).function(function.id).range;
    life.loads_of(function.file, MODULE, name)
        .iter()
        .any(|load| range.contains_range(life.facts(load.file).expr(load.id).range))
}

/// Whether a global is imported by another file.
pub(super) fn imported_elsewhere(life: &Lifecycle, of: FileId, name: &Name) -> bool {
    life.importers(of, name).next().is_some()
}
