//! `event-loop-fixture-override`: the project has an `event_loop` fixture of its own, or asks for the plugin's.

mod body;
mod requests;

use loopmend_model::Applicability;
use loopmend_python::edit::{Comments, delete_statement, replace_statement};
use loopmend_python::lifecycle::{FunctionRef, Lifecycle, Scope};
use ruff_text_size::Ranged;

use crate::suite::{Mismatch, Named, Preference, Rewrite, align, mismatches};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

/// The cause.
pub(crate) struct EventLoopFixtureOverride;

const SLUG: &str = "event-loop-fixture-override";
/// The fixture's name.
const NAME: &str = "event_loop";

static PAGE: Page = Page {
    title: "The event_loop fixture of pytest-asyncio is redefined or asked for",
    what: "Up to 0.22 a project's own `event_loop` fixture was the way to share one loop among tests. Since 0.23 pytest-asyncio warns of it, and \
           fixtures of wide scope run on other loops than the tests all the same; since 1.0 the fixture is not looked at any more, and a test that \
           asks for it without a fixture of that name fails. What relied on it breaks as in fixture-loop-scope.",
    log: r"
DeprecationWarning: The event_loop fixture provided by pytest-asyncio has been redefined in
tests/conftest.py:12
Replacing the event_loop fixture with a custom implementation is deprecated
",
    wrong: r#"
@pytest.fixture(scope="session")
def event_loop():
    loop = asyncio.get_event_loop_policy().new_event_loop()
    yield loop
    loop.close()


@pytest_asyncio.fixture(scope="session")
async def engine():
    connection = await asyncpg.connect(DSN)
    yield connection
    await connection.close()
"#,
    right: r#"
# pytest.ini: asyncio_default_fixture_loop_scope = session
#             asyncio_default_test_loop_scope = session


@pytest_asyncio.fixture(scope="session")
async def engine():
    connection = await asyncpg.connect(DSN)
    yield connection
    await connection.close()
"#,
    unless: "With pytest-asyncio up to 0.22 the override is right. While the version is not known it is only told of. An override that does more than \
             make and close a loop is left to you, as are plain functions that drive the loop themselves.",
    prevent: "Use `loop_scope` and the options for default scopes; for another kind of loop the `event_loop_policy` fixture.",
    symptoms: &[
        "pa-event-loop-redefined",
        "pa-event-loop-requested",
        "pa-event-loop-not-found",
        "pa-unclosed-event-loop",
        "pa-multiple-loops-requested",
        "pt-scope-mismatch",
        "unclosed-event-loop",
        "attached-different-loop-task",
        "attached-different-loop-cb",
        "asyncpg-another-operation",
        "event-loop-closed",
    ],
};

/// What a finding is about.
enum Detail {
    /// The project's own fixture.
    Override(Named),
    /// A function that asks for it where there is none.
    Request(FunctionRef),
}

impl Cause for EventLoopFixtureOverride {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        let suite = life.suite();
        if !suite.plugin.used || suite.plugin.at_least(&[0, 23]) == Some(false) {
            return;
        }
        let known = suite.plugin.at_least(&[0, 23]).is_some();
        let overrides = suite.named(NAME);
        let apart = if overrides.is_empty() { Vec::new() } else { mismatches(life) };
        for &index in overrides {
            report.add(overridden(life, index, &apart, known));
        }
        if !known {
            return;
        }
        for function in requests::requesting(life) {
            if suite.visible(life, function, NAME).is_none() {
                report.add(requested(life, function));
            }
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        if found.applicability == Applicability::Advice {
            return Err(Declined::because(
                "the version of pytest-asyncio is not known: up to 0.22 the fixture is right; from 0.23 on delete it and use `loop_scope`",
            ));
        }
        let mut rewrite = Rewrite::new(life);
        let mut mend = Mend::new(found.applicability);
        match found.detail::<Detail>() {
            Some(Detail::Override(named)) => rewrite = without_override(life, named, rewrite, &mut mend)?,
            Some(Detail::Request(function)) => requests::drop(life, &mut rewrite, *function)?,
            None => return Err(Declined::because("the fixture is not known")),
        }
        mend.declared.added.extend(["fixture", "asyncio", "get_running_loop"].map(str::to_owned));
        mend.declared.removed.push("fixture".to_owned());
        rewrite.into_mend(&mut mend);
        Ok(mend)
    }
}

fn overridden(life: &Lifecycle, index: usize, apart: &[Mismatch], known: bool) -> Found {
    let suite = life.suite();
    let fixture = &suite.fixtures[index];
    let gone = suite.plugin.at_least(&[1, 0]) == Some(true);
    let version = suite.plugin.version.as_ref().map_or(String::new(), |version| format!(" {version}"));
    let mut message = match (known, gone) {
        (false, _) => "the suite has its own `event_loop` fixture; pytest-asyncio 0.23 and later deprecate it and 1.0 ignores it, but \
                       its version is not known here"
            .to_owned(),
        (true, true) => format!("pytest-asyncio{version} does not look at the `event_loop` fixture any more"),
        (true, false) => {
            format!("pytest-asyncio{version} deprecates the suite's own `event_loop` fixture: it makes only the loop of single tests")
        }
    };
    let mut found = Found::new(SLUG, Spot::function(life, fixture.function), String::new());
    found.applicability = if known { Applicability::Unsafe } else { Applicability::Advice };
    found.doubtful = !known;
    found.functions.push(fixture.function);
    found.names.push(NAME.to_owned());
    for mismatch in apart {
        let user = &suite.fixtures[mismatch.fixture];
        if suite.visible(life, user.function, NAME) != Some(index) {
            continue;
        }
        if found.related.is_empty() {
            message.push_str(&format!("; `{}` and the tests that use it run on different loops", user.name));
        }
        found
            .related
            .push((Spot::function(life, user.function), "runs on another loop than its users".to_owned()));
        found.functions.push(user.function);
        found.names.push(user.name.to_string());
        found.functions.extend(mismatch.tests.iter().map(|&test| suite.tests[test].function));
    }
    found.message = message;
    found.detail = Some(std::sync::Arc::new(Detail::Override(Named::of(life, fixture.function))));
    found
}

fn requested(life: &Lifecycle, function: FunctionRef) -> Found {
    let suite = life.suite();
    let name = &life.facts(function.file).function(function.id).name;
    let what = if suite.plugin.at_least(&[1, 0]) == Some(true) {
        "does not exist any more"
    } else {
        "is deprecated"
    };
    let version = suite.plugin.version.as_ref().map_or(String::new(), |version| format!(" {version}"));
    let mut found = Found::new(
        SLUG,
        Spot::function(life, function),
        format!("`{name}` asks for the `event_loop` fixture, which {what} in pytest-asyncio{version}"),
    );
    found.functions.push(function);
    found.names.push(NAME.to_owned());
    found.symptoms = vec!["pa-event-loop-requested", "pa-event-loop-not-found"];
    found.detail = Some(std::sync::Arc::new(Detail::Request(function)));
    found
}

fn without_override<'l>(
    life: &'l Lifecycle,
    named: &Named,
    mut rewrite: Rewrite<'l>,
    mend: &mut Mend,
) -> Result<Rewrite<'l>, Declined> {
    let suite = life.suite();
    let function = named.find(life).ok_or_else(|| Declined::because("the fixture can't be found again"))?;
    let index = suite.fixture(function).ok_or_else(|| Declined::because("it is no fixture"))?;
    let scope = suite.fixtures[index].scope.unwrap_or(Scope::Session);
    let policy = body::policy(life, function)?;
    for user in requests::requesting(life) {
        if suite.visible(life, user, NAME) == Some(index) {
            requests::drop(life, &mut rewrite, user)?;
        }
    }
    rewrite.step(&named.path, |source| {
        let found = source
            .function_named(&named.qualname)
            .ok_or(loopmend_python::edit::Refused::Missing("fixture"))?
            .range();
        match &policy {
            Some(policy) => {
                let pytest = body::pytest_of(life, function);
                let fixture = format!(
                    "@{pytest}.fixture(scope=\"session\")\ndef event_loop_policy():\n    return {policy}()"
                );
                replace_statement(source, found, &fixture)
            }
            None => delete_statement(source, found, Comments::Delete),
        }
    })?;
    for name in body::imports_of(life, function) {
        rewrite.tidy_import(&named.path, &name)?;
    }
    mend.declared.unbound.push(format!("{}:{}", named.path, named.qualname));
    mend.declared.removed.extend(body::calls_of(life, function));
    mend.declared.moved = true;
    if policy.is_some() {
        mend.declared.added.push("EventLoopPolicy".to_owned());
    }
    let after = rewrite.life();
    let preference = if scope > Scope::Function && after.suite().at_least(&[0, 24]) == Some(true) {
        Preference::Wide
    } else {
        Preference::Narrow
    };
    let mut open: Vec<Named> = mismatches(&after)
        .iter()
        .map(|found| Named::of(&after, after.suite().fixtures[found.fixture].function))
        .collect();
    while let Some(next) = open.pop() {
        rewrite = align(&rewrite, &next, preference)?;
    }
    Ok(rewrite)
}
