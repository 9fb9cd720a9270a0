//! Tests as they are collected, and those that are gone.

use ruff_python_ast::{Expr, Stmt};
use rustc_hash::{FxHashMap, FxHashSet};

use super::code::last;
use super::drivers::{self, Driver};
use super::parametrized;
use super::reading::{Function, Reading};
use super::rule::Rule;
use super::site::Site;

/// A test as pytest or unittest collects it.
pub(super) struct Test {
    /// `Class.name`, whatever the file.
    pub name: String,
    pub path: String,
    pub line: u32,
    /// Its body, squeezed, without `self.` and what tells sync from async.
    pub body: String,
    /// What runs it.
    pub driver: Driver,
    /// Its body at each of its sets of parameters.
    pub instances: Vec<String>,
    /// Its assertions.
    pub assertions: Vec<String>,
    /// How many sets of parameters it runs with, by the parameters' names.
    pub parameters: Vec<(String, Vec<String>)>,
}

/// Whether a file is a test file by its path.
pub(super) fn is_test_path(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.trim_end_matches(".py");
    stem.starts_with("test_")
        || stem.ends_with("_test")
        || matches!(stem, "conftest" | "tests" | "test")
        || path.split('/').rev().skip(1).any(|folder| matches!(folder, "tests" | "test" | "testing"))
}

/// Whether pytest or unittest would look into the file.
fn is_collected_path(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name.ends_with(".py") && (name.starts_with("test") || name.trim_end_matches(".py").ends_with("_test"))
}

/// The tests of a file.
pub(super) fn tests(reading: &Reading<'_>) -> Vec<Test> {
    if !is_collected_path(reading.path) {
        return Vec::new();
    }
    // What is defined twice under one name is there once: the last one.
    let mut lasts: FxHashMap<&str, usize> = FxHashMap::default();
    for (index, function) in reading.functions.iter().enumerate() {
        lasts.insert(function.name.as_str(), index);
    }
    reading
        .functions
        .iter()
        .enumerate()
        .filter(|(index, function)| lasts[function.name.as_str()] == *index && is_test(reading, function))
        .map(|(index, function)| Test {
            name: function.name.clone(),
            path: reading.path.to_owned(),
            line: reading.line(&function.node.name),
            body: function.body.replace("self.", "").replace("async ", ""),
            instances: parametrized::instances(reading, function),
            driver: drivers::of(reading, function),
            assertions: super::assertions::texts(reading, Some(index)),
            parameters: parameters(reading, function),
        })
        .collect()
}

fn is_test(reading: &Reading<'_>, function: &Function<'_>) -> bool {
    let name = function.node.name.as_str();
    if !name.starts_with("test") || function.at.function.is_some() || function.at.dead {
        return false;
    }
    let fixture =
        function.node.decorator_list.iter().any(|decorator| {
            reading.dotted(&decorator.expression).trim_end_matches("()").ends_with("fixture")
        });
    let collected = function.at.class.is_none_or(|class| {
        let class = &reading.classes[class];
        let case = class.node.bases().iter().any(|base| last(&reading.dotted(base)).contains("TestCase"));
        let inherits = !class.node.bases().is_empty();
        let init = class
            .node
            .body
            .iter()
            .any(|stmt| matches!(stmt, Stmt::FunctionDef(method) if method.name.as_str() == "__init__"));
        (class.node.name.as_str().starts_with("Test") && !init || case || inherits)
            && !class.at.dead
            && class.at.function.is_none()
    });
    !fixture && collected
}

/// `@pytest.mark.parametrize("n", [1, 2])`: the names, and each value.
fn parameters(reading: &Reading<'_>, function: &Function<'_>) -> Vec<(String, Vec<String>)> {
    function
        .node
        .decorator_list
        .iter()
        .filter_map(|decorator| {
            let call = decorator.expression.as_call_expr()?;
            if last(&reading.dotted(&call.func)) != "parametrize" {
                return None;
            }
            let names = reading.code(call.arguments.find_argument_value("argnames", 0)?);
            let values = match call.arguments.find_argument_value("argvalues", 1)? {
                Expr::List(list) => &list.elts,
                Expr::Tuple(tuple) => &tuple.elts,
                _ => return None,
            };
            Some((names, values.iter().map(|value| reading.code(value)).collect()))
        })
        .collect()
}

/// Tests that were there and are not any more, or are not run; `mode` where a configuration runs every coroutine function.
pub(super) fn deleted(before: &[Test], after: &[Test], mode: bool) -> Vec<Site> {
    let gone = |test: &Test, message: String| Site {
        rule: Rule::DeletedTest,
        key: test.name.clone(),
        extent: None,
        path: test.path.clone(),
        line: test.line,
        message,
    };
    let unrun =
        |then: &Test, now: &Test| drivers::lost(then, now, mode || drivers::is_mode(before, &then.path));
    let mut used: FxHashSet<usize> = FxHashSet::default();
    let mut missing = Vec::new();
    let mut out = Vec::new();
    for test in before {
        if let Some(now) = parametrized::holding(test, after) {
            out.extend(unrun(test, now));
            continue;
        }
        let same = |one: &&(usize, &Test)| one.1.name == test.name;
        let candidates: Vec<(usize, &Test)> =
            after.iter().enumerate().filter(|(index, _)| !used.contains(index)).collect();
        let found = candidates
            .iter()
            .filter(same)
            .find(|(_, one)| one.path == test.path)
            .or_else(|| candidates.iter().find(same));
        match found {
            Some((index, now)) => {
                used.insert(*index);
                out.extend(unrun(test, now));
                let lost = test.parameters.iter().find_map(|(names, values)| {
                    let (_, kept) = now.parameters.iter().find(|(known, _)| known == names)?;
                    values.iter().find(|value| !kept.contains(value))
                });
                if let Some(lost) = lost {
                    out.push(gone(test, format!("`{}` is no longer run with `{lost}`", test.name)));
                }
            }
            None => missing.push(test),
        }
    }
    let mut fresh: Vec<&Test> =
        after.iter().enumerate().filter(|(index, _)| !used.contains(index)).map(|(_, test)| test).collect();
    for test in missing {
        let own_name = |name: &str| last(name).to_owned();
        let position = fresh
            .iter()
            .position(|now| now.body == test.body)
            .or_else(|| {
                fresh.iter().position(|now| own_name(&now.name) == own_name(&test.name) && keeps(test, now))
            })
            .or_else(|| fresh.iter().position(|now| !test.assertions.is_empty() && keeps(test, now)));
        match position {
            Some(index) => {
                out.extend(unrun(test, fresh[index]));
                // One new test may stand for several that it holds: it stays for the next.
                if fresh[index].body == test.body {
                    fresh.swap_remove(index);
                }
            }
            None => out.push(gone(test, format!("the test `{}` is gone, or no longer collected", test.name))),
        }
    }
    out
}

/// Whether a test asserts all that another one does.
fn keeps(before: &Test, now: &Test) -> bool {
    before.assertions.iter().all(|assertion| now.assertions.contains(assertion))
}
