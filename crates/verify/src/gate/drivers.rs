//! What runs tests that are coroutine functions: without a mark, a mode or a test case made for it, they pass unrun.

use ruff_python_ast::Expr;

use super::code::last;
use super::reading::{Class, Function, Reading};
use super::rule::Rule;
use super::site::Site;
use super::suite::Test;

/// What runs a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Driver {
    /// It is no coroutine function.
    Itself,
    /// A mark, a decorator or a test case for coroutines.
    Known,
    /// Something may run it: a decorator or a base that is not known here.
    Unclear,
    /// Only a mode that takes every coroutine function for a test.
    Mode,
    /// A plain `unittest.TestCase`, which calls it and forgets the coroutine.
    Nobody,
}

const MARKS: [&str; 7] =
    ["asyncio", "anyio", "trio", "asyncio_cooperative", "tornado", "gen_test", "unittest_run_loop"];

/// What runs the test that a function is.
pub(super) fn of(reading: &Reading<'_>, function: &Function<'_>) -> Driver {
    if !function.node.is_async {
        return Driver::Itself;
    }
    let mut drivers = vec![marked(reading, None)];
    drivers.extend(function.node.decorator_list.iter().map(|one| decorated(reading, &one.expression)));
    let mut class = function.at.class;
    while let Some(index) = class {
        drivers.extend(by_class(reading, index, 8));
        class = reading.classes[index].at.class;
    }
    [Driver::Nobody, Driver::Known, Driver::Unclear]
        .into_iter()
        .find(|driver| drivers.contains(driver))
        .unwrap_or(Driver::Mode)
}

/// What a class runs its tests by: marks above and in it, and its bases.
fn by_class(reading: &Reading<'_>, index: usize, depth: u8) -> Vec<Driver> {
    let class = &reading.classes[index];
    let mut drivers = vec![marked(reading, Some(index))];
    drivers.extend(class.node.decorator_list.iter().map(|one| decorated(reading, &one.expression)));
    for base in class.node.bases() {
        let name = reading.dotted(base);
        let own = |known: &Class<'_>| known.node.name.as_str() == name;
        match reading.classes.iter().position(own) {
            Some(known) if known != index && depth > 0 => {
                drivers.extend(by_class(reading, known, depth - 1));
            }
            _ if last(&name).contains("Async") || last(&name).contains("AioHTTP") => {
                drivers.push(Driver::Known);
            }
            _ if name.starts_with("unittest.") && last(&name) == "TestCase" => drivers.push(Driver::Nobody),
            _ if matches!(last(&name), "object" | "ABC" | "Protocol") => {}
            _ => drivers.push(Driver::Unclear),
        }
    }
    drivers
}

/// What `pytestmark` says for a class, or for the module.
fn marked(reading: &Reading<'_>, class: Option<usize>) -> Driver {
    let here = reading.assigned.iter().filter(|assigned| {
        assigned.at.function.is_none()
            && assigned.at.class == class
            && matches!(assigned.target, Expr::Name(name) if name.id.as_str() == "pytestmark")
    });
    let drives = |mark: &Expr| decorated(reading, mark) == Driver::Known;
    let known = here.into_iter().any(|assigned| match assigned.value {
        Expr::List(list) => list.elts.iter().any(drives),
        Expr::Tuple(tuple) => tuple.elts.iter().any(drives),
        mark => drives(mark),
    });
    if known { Driver::Known } else { Driver::Mode }
}

fn decorated(reading: &Reading<'_>, decorator: &Expr) -> Driver {
    const NEUTRAL: [&str; 9] = [
        "patch",
        "skip",
        "given",
        "settings",
        "freeze",
        "fixture",
        "expectedFailure",
        "parametrize",
        "mark.",
    ];
    let resolved = reading.resolved(decorator);
    let name = resolved.trim_end_matches("()");
    let own = last(name);
    if MARKS.contains(&own) || own.contains("async") && !name.contains("mark.") {
        Driver::Known
    } else if NEUTRAL.iter().any(|word| name.contains(word)) {
        Driver::Mode
    } else {
        Driver::Unclear
    }
}

/// The site of a test that something ran and nothing does any more; `mode` where a mode runs whatever is a coroutine function.
pub(super) fn lost(then: &Test, now: &Test, mode: bool) -> Option<Site> {
    let unrun = match (then.driver, now.driver) {
        (Driver::Nobody, _) => false,
        (_, Driver::Nobody) => true,
        (Driver::Known, Driver::Mode) => !mode,
        _ => false,
    };
    unrun.then(|| Site {
        rule: Rule::SkippedTest,
        key: now.name.clone(),
        extent: None,
        path: now.path.clone(),
        line: now.line,
        message: format!(
            "nothing runs the coroutine function `{}` any more: its mark or its test case is gone",
            now.name
        ),
    })
}

/// Whether more tests carry what runs them than before: a mode that goes is then no loss.
pub(super) fn more_are_known(then: &[Test], now: &[Test]) -> bool {
    let known = |tests: &[Test]| tests.iter().filter(|test| test.driver == Driver::Known).count();
    known(now) > known(then)
}

/// Whether tests show that a mode runs them: some carry nothing that would.
pub(super) fn is_mode(tests: &[Test], path: &str) -> bool {
    tests.iter().any(|test| test.driver == Driver::Mode && test.path == path)
}
