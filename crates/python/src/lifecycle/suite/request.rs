//! Who asks for which fixture.

use rayon::prelude::*;

use super::super::{FileId, FunctionRef, Lifecycle, Value, kept};
use super::Suite;
use crate::facts::{BindingKind, ExprKind, MODULE, Name, ParameterKind};

/// One request of a fixture by a test or another fixture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Request {
    /// The fixture, by its place in [`Suite::fixtures`].
    pub fixture: usize,
    /// The parameter by its index; none for `usefixtures`, `getfixturevalue` and `autouse`.
    pub parameter: Option<u32>,
}

/// Requests of all tests and fixtures, by their places in [`Suite::tests`] and [`Suite::fixtures`].
#[derive(Debug, Default)]
pub struct Graph {
    /// Of each test.
    pub of_tests: Vec<Vec<Request>>,
    /// Of each fixture.
    pub of_fixtures: Vec<Vec<Request>>,
}

/// Files that `pytest_plugins` or `-p` name.
pub(super) fn plugins(life: &Lifecycle) -> Vec<FileId> {
    let mut found = Vec::new();
    for &file in life.files_with("pytest_plugins") {
        let facts = life.facts(file);
        for &binding in facts.scopes[MODULE.index()].get("pytest_plugins").into_iter().flatten() {
            let BindingKind::Value { value, .. } = facts.binding(binding).kind else { continue };
            facts.descend(value, &mut |id| {
                if let ExprKind::Str(name) = &facts.expr(id).kind {
                    found.extend(life.modules().find(name, file));
                }
            });
        }
    }
    let flags = life.settings().pytest.option("addopts").unwrap_or_default();
    let words: Vec<&str> = flags.split_whitespace().collect();
    if let Some(first) = life.files().next() {
        for pair in words.windows(2) {
            if pair[0] == "-p" {
                found.extend(life.modules().find(pair[1], first));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

impl Suite {
    /// Who asks for what; made once.
    pub fn graph(&self, life: &Lifecycle) -> &Graph {
        kept::once(&self.graph, || {
            let autouse: Vec<usize> =
                (0..self.fixtures.len()).filter(|&index| self.fixtures[index].autouse).collect();
            let of_tests = self
                .tests
                .par_iter()
                .map(|test| {
                    let mut found = self.requests(life, test.function, &test.given);
                    let marked = test.uses.iter().filter_map(|name| self.visible(life, test.function, name));
                    let always = autouse.iter().copied().filter(|&index| {
                        self.visible(life, test.function, &self.fixtures[index].name) == Some(index)
                    });
                    for fixture in marked.chain(always) {
                        if !found.iter().any(|request| request.fixture == fixture) {
                            found.push(Request { fixture, parameter: None });
                        }
                    }
                    found
                })
                .collect();
            let of_fixtures =
                self.fixtures.par_iter().map(|fixture| self.requests(life, fixture.function, &[])).collect();
            Graph { of_tests, of_fixtures }
        })
    }

    /// What a function asks for by parameters and `getfixturevalue`.
    fn requests(&self, life: &Lifecycle, function: FunctionRef, given: &[Name]) -> Vec<Request> {
        let facts = life.facts(function.file);
        let of = facts.function(function.id);
        let mut found = Vec::new();
        for (index, param) in of.params.iter().enumerate() {
            let plain = matches!(param.kind, ParameterKind::Positional | ParameterKind::KeywordOnly);
            if !plain || param.default.is_some() || given.contains(&param.name) {
                continue;
            }
            if let Some(fixture) = self.visible(life, function, &param.name) {
                found.push(Request { fixture, parameter: Some(index as u32) });
            }
        }
        facts.body_exprs(function.id, &mut |id| {
            if let ExprKind::Call { func, args, .. } = &facts.expr(id).kind
                && let ExprKind::Attribute { attr, .. } = &facts.expr(*func).kind
                && attr == "getfixturevalue"
                && let Some(ExprKind::Str(name)) = args.first().map(|&arg| &facts.expr(arg).kind)
                && let Some(fixture) = self.visible(life, function, name)
            {
                found.push(Request { fixture, parameter: None });
            }
        });
        found
    }

    /// The fixture of this name that a function sees: its class's, its file's, one imported there, those of the nearest
    /// `conftest.py`, those of plugins.
    pub fn visible(&self, life: &Lifecycle, from: FunctionRef, name: &str) -> Option<usize> {
        let named = self.named(name);
        let own = |file: FileId| {
            let class = life.facts(from.file).function(from.id).class;
            named
                .iter()
                .copied()
                .filter(|&index| {
                    let function = self.fixtures[index].function;
                    let of = life.facts(function.file).function(function.id);
                    function.file == file
                        && function != from
                        && (of.class.is_none() || (file == from.file && of.class == class))
                })
                .max_by_key(|&index| {
                    let function = self.fixtures[index].function;
                    (life.facts(file).function(function.id).class.is_some(), index)
                })
        };
        let at = |file: FileId| own(file).or_else(|| self.imported(life, file, from, name));
        if let Some(found) = at(from.file) {
            return Some(found);
        }
        let mut here = life.facts(from.file).path.as_str();
        loop {
            let folder = here.rfind('/').map_or("", |slash| &here[..slash]);
            let conftest =
                if folder.is_empty() { "conftest.py".to_owned() } else { format!("{folder}/conftest.py") };
            if let Some(found) = life.file(&conftest).and_then(at) {
                return Some(found);
            }
            if folder.is_empty() {
                break;
            }
            here = folder;
        }
        self.plugins.iter().find_map(|&file| own(file))
    }

    fn imported(&self, life: &Lifecycle, file: FileId, from: FunctionRef, name: &str) -> Option<usize> {
        let facts = life.facts(file);
        let bound = facts.scopes[MODULE.index()].get(name).is_some_and(|bindings| {
            bindings
                .iter()
                .any(|&binding| matches!(facts.binding(binding).kind, BindingKind::ImportFrom { .. }))
        });
        if !bound && facts.stars.is_empty() {
            return None;
        }
        life.module_member(file, name).iter().find_map(|value| match value {
            Value::Function(function) if *function != from => self.fixture(*function),
            _ => None,
        })
    }
}
