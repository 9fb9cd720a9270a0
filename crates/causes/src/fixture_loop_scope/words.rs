//! What is said of a mismatch.

use loopmend_python::lifecycle::{Lifecycle, Scope};

use crate::suite::{Mismatch, MismatchKind};

/// A loop by its scope.
pub(super) fn loop_of(scope: Scope) -> &'static str {
    match scope {
        Scope::Function => "a loop of its own",
        Scope::Class => "the loop of its class",
        Scope::Module => "the loop of its module",
        Scope::Package => "the loop of its package",
        Scope::Session => "the loop of the session",
    }
}

/// What is wrong and why it bites.
pub(super) fn message(life: &Lifecycle, mismatch: &Mismatch) -> String {
    let suite = life.suite();
    let fixture = &suite.fixtures[mismatch.fixture];
    let scope = fixture.scope.unwrap_or(Scope::Function).word();
    let name = &fixture.name;
    let version = match &suite.plugin.version {
        Some(version) => format!(" (pytest-asyncio {version})"),
        None => " (the version of pytest-asyncio is not known here)".to_owned(),
    };
    let own = mismatch.own.map_or(Scope::Function, |own| own.scope);
    match mismatch.kind {
        MismatchKind::Outlives => format!(
            "fixture `{name}` is kept for the {scope}, but the loop it runs on lives only for the {}: pytest can't set it up{version}",
            own.word()
        ),
        MismatchKind::Passed => format!(
            "fixture `{name}` is kept for the {scope} and what it holds ties itself to the loop of the first test that uses it; \
             {} tests run on loops of their own{version}",
            mismatch.tests.len()
        ),
        MismatchKind::Apart => format!(
            "fixture `{name}` runs on {}, but {} on another loop: what it holds belongs to a loop that is not theirs{version}",
            loop_of(own).replace("its", "the"),
            users(life, mismatch)
        ),
    }
}

fn users(life: &Lifecycle, mismatch: &Mismatch) -> String {
    let suite = life.suite();
    let name = |function: loopmend_python::lifecycle::FunctionRef| {
        life.facts(function.file).function(function.id).name.to_string()
    };
    let mut names: Vec<String> =
        mismatch.tests.iter().map(|&test| name(suite.tests[test].function)).collect();
    names.extend(mismatch.fixtures.iter().map(|&user| suite.fixtures[user].name.to_string()));
    match names.as_slice() {
        [one] => format!("`{one}`, which uses it, runs"),
        [one, rest @ ..] => format!("`{one}` and {} more that use it run", rest.len()),
        [] => "its users run".to_owned(),
    }
}
