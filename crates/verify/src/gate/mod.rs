//! The gate: a patch that only makes trouble invisible is refused by name, whoever made it.
//!
//! Pure: texts before and after go in, [`Suppression`]s come out. Both versions are parsed and compared as syntax, so a test
//! or a handler that only moved, or was renamed, is no news. It reads changed files only, and never judges whether a patch
//! mends anything: that is seen by running it.
//!
//! Start with [`suppressions`]. Each kind of suppression has its file; `reading` is one walk over a file, `told` the
//! question whether every way through a handler tells of its error.

mod assertions;
mod change;
mod claim;
mod code;
mod config;
mod drivers;
mod events;
mod failures;
mod filters;
mod hooks;
mod lost;
mod parametrized;
mod process;
mod reading;
mod returned;
mod rule;
mod site;
mod skipped;
mod strictness;
mod suite;
mod swallowed;
mod told;
mod waiting;
mod work;

use std::fmt;

use loopmend_python::edit::Source;
use serde::Serialize;

use reading::Reading;
use site::Site;

pub use change::{Change, PatchError, changes_of, changes_of_diff};
pub use rule::Rule;

/// One reason to refuse a patch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suppression {
    /// What it does.
    pub rule: Rule,
    /// The file, with `/`.
    pub path: String,
    /// The line after the change; before it, for what is gone.
    pub line: u32,
    /// One sentence.
    pub message: String,
}

impl fmt::Display for Suppression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}: {}", self.path, self.line, self.rule, self.message)
    }
}

/// What a change suppresses that was not suppressed before; nothing where it may pass.
pub fn suppressions(changes: &[Change]) -> Vec<Suppression> {
    let before = Version::of(changes, |change| change.before.as_deref());
    let after = Version::of(changes, |change| change.after.as_deref());
    let (then, now) = (before.seen(), after.seen());
    let mut found = site::new(&then.sites, now.sites);
    found.retain(|site| !skipped::is_of_new_test(site, &then.tests, &now.tests));
    found.retain(|site| {
        site.key
            .strip_prefix(failures::LAST_WAIT)
            .is_none_or(|tasks| then.raising.iter().any(|known| known == tasks))
    });
    found.extend(suite::deleted(&then.tests, &now.tests, now.mode));
    // What one test with parameters does at one of its sets is still asserted.
    let kept: Vec<_> = then
        .asserted
        .iter()
        .filter(|one| {
            let test = then.tests.iter().find(|test| test.name == one.function && test.path == one.path);
            test.is_none_or(|test| parametrized::holding(test, &now.tests).is_none())
        })
        .cloned()
        .collect();
    found.extend(assertions::loosened(&kept, &now.asserted));
    let mut strict = site::new(&now.strict, then.strict);
    if drivers::more_are_known(&then.tests, &now.tests) {
        strict.retain(|site| site.key != config::MODE);
    }
    found.extend(strict);
    found.extend(then.voices.lost(&now.voices));
    found.extend(then.work.lost(&now.work));
    found.extend(waiting::alone(changes));
    let mut out: Vec<Suppression> = found
        .into_iter()
        .map(|site| Suppression { rule: site.rule, path: site.path, line: site.line, message: site.message })
        .collect();
    out.sort_by(|left, right| (&left.path, left.line, left.rule).cmp(&(&right.path, right.line, right.rule)));
    out.dedup();
    // The assertions of a test that is gone are gone with it: its name says enough.
    let gone: Vec<String> =
        out.iter().filter(|one| one.rule == Rule::DeletedTest).map(|one| one.path.clone()).collect();
    let in_gone = |one: &Suppression| {
        one.rule == Rule::LoosenedAssertion
            && one.message.ends_with("is no longer asserted")
            && gone.contains(&one.path)
    };
    out.retain(|one| !in_gone(one));
    out
}

/// One version of the changed files.
struct Version<'c> {
    python: Vec<(&'c str, Source)>,
    other: Vec<(&'c str, &'c str)>,
}

/// What one version holds of what matters here.
#[derive(Default)]
struct Seen {
    sites: Vec<Site>,
    strict: Vec<Site>,
    tests: Vec<suite::Test>,
    asserted: Vec<assertions::Asserted>,
    /// What is gathered so that failures are raised.
    raising: Vec<String>,
    voices: lost::Voices,
    work: work::Work,
    /// Whether a configuration says that every coroutine function is a test.
    mode: bool,
}

impl<'c> Version<'c> {
    fn of(changes: &'c [Change], text: impl Fn(&'c Change) -> Option<&'c str>) -> Self {
        let mut version = Self { python: Vec::new(), other: Vec::new() };
        for change in changes {
            let Some(text) = text(change) else { continue };
            if change.path.ends_with(".py") || change.path.ends_with(".pyi") {
                version.python.push((&change.path, Source::parse(&change.path, text)));
            } else {
                version.other.push((&change.path, text));
            }
        }
        version
    }

    fn seen(&self) -> Seen {
        let mut seen = Seen::default();
        for (path, source) in &self.python {
            let reading = Reading::of(path, source);
            let in_tests = suite::is_test_path(path);
            swallowed::sites(&reading, &mut seen.sites);
            failures::sites(&reading, &mut seen.sites);
            seen.raising.extend(failures::raising(&reading));
            seen.voices.hear(&reading, in_tests);
            seen.work.see(&reading);
            filters::sites(&reading, &mut seen.sites);
            process::sites(&reading, in_tests, &mut seen.sites);
            silenced(&reading, &mut seen.sites);
            debug(&reading, &mut seen.strict);
            if in_tests {
                skipped::sites(&reading, &mut seen.sites);
                seen.tests.extend(suite::tests(&reading));
                seen.asserted.extend(assertions::of(&reading));
            }
        }
        for (path, text) in &self.other {
            config::sites(path, text, &mut seen.sites);
            seen.strict.extend(config::strict(path, text));
            seen.mode |= seen.strict.iter().any(|site| site.key == config::MODE);
        }
        seen
    }
}

/// Comments that silence this program's findings.
fn silenced(reading: &Reading<'_>, out: &mut Vec<Site>) {
    for range in reading.source.comments() {
        let text = reading.source.slice(range);
        if text.contains("loopmend: ignore") || text.contains("loopmend:ignore") {
            out.push(filters::site(
                reading,
                Rule::SilencedFinding,
                range,
                "a finding of loopmend is silenced",
            ));
        }
    }
}

/// Debug modes that are on: they are missed where they are gone.
fn debug(reading: &Reading<'_>, out: &mut Vec<Site>) {
    let is_true = |value: &ruff_python_ast::Expr| code::truth(value) == Some(true);
    for call in &reading.calls {
        let name = code::last(&call.dotted);
        let keyword =
            call.node.arguments.find_keyword("debug").is_some_and(|keyword| is_true(&keyword.value));
        let on = keyword && matches!(name, "run" | "Runner") && call.dotted.starts_with("asyncio")
            || name == "set_debug" && call.node.arguments.args.first().is_some_and(is_true)
            || call.dotted == "tracemalloc.start";
        if on {
            let mut site = filters::site(
                reading,
                Rule::DebugOff,
                call.node,
                "a debug mode was on here and is no longer",
            );
            site.key = "debug".to_owned();
            out.push(site);
        }
    }
}
