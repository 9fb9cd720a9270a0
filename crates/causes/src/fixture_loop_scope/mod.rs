//! `fixture-loop-scope`: a fixture is kept longer than its loop lives, or used on another loop.

mod words;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::Lifecycle;

use crate::suite::{
    Mismatch, MismatchKind, Named, Preference, Rewrite, align, mismatches, option_spot, settle_default,
};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

/// The cause.
pub(crate) struct FixtureLoopScope;

const SLUG: &str = "fixture-loop-scope";

static PAGE: Page = Page {
    title: "A fixture and the tests that use it run on different event loops",
    what: "pytest keeps a fixture for its `scope`; pytest-asyncio runs it on the loop of its loop scope; each test runs on the loop \
           of its own loop scope, which is the single test unless something says otherwise. A pool, client or server that a \
           fixture of wide scope opens belongs to the fixture's loop. Used in a test on another loop it fails; asked for a \
           loop that does not live as long as the fixture is kept, pytest does not even set it up. What decides the loop has \
           changed with nearly every release of pytest-asyncio: up to 0.22 the scope of the `event_loop` fixture, in 0.23 \
           the fixture's scope and the mark's `scope`, from 0.24 on `loop_scope` and \
           `asyncio_default_fixture_loop_scope`, from 0.26 on `asyncio_default_test_loop_scope` too.",
    log: r"
RuntimeError: Task <Task pending name='Task-4' coro=<test_total() running at tests/test_store.py:18>> got Future <Future pending> attached to a different loop
ScopeMismatch: You tried to access the function scoped fixture _function_event_loop with a module scoped request object.
",
    wrong: r#"
@pytest_asyncio.fixture(scope="session")
async def pool():
    async with asyncpg.create_pool(DSN) as pool:
        yield pool


async def test_total(pool):
    assert await pool.fetchval("select 1") == 1
"#,
    right: r#"
@pytest_asyncio.fixture
async def pool():
    async with asyncpg.create_pool(DSN) as pool:
        yield pool


async def test_total(pool):
    assert await pool.fetchval("select 1") == 1
"#,
    unless: "Fixtures of wide scope that hold plain data are left alone, as are engines without a pool (`NullPool`), and suites where an \
             `event_loop` fixture of the same scope is what this version of pytest-asyncio reads. Where no one scope \
             fits all that takes part, it is said and nothing is changed.",
    prevent: "Keep fixtures that hold connections function-scoped, or set `asyncio_default_fixture_loop_scope` and \
              `asyncio_default_test_loop_scope` to the same scope.",
    symptoms: &[
        "attached-different-loop-task",
        "attached-different-loop-cb",
        "event-loop-closed",
        "bound-to-different-loop",
        "asyncpg-another-operation",
        "pt-scope-mismatch",
        "pa-multiple-loops-requested",
        "task-destroyed-pending",
        "transport-closing",
        "pa-error-cleaning-loop",
        "sa-exception-closing",
        "pymongo-async-different-loop",
        "aiohttp-app-different-loop",
    ],
};

impl Cause for FixtureLoopScope {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        let all = mismatches(life);
        for mismatch in all.iter().filter(|mismatch| !follows(life, mismatch, &all)) {
            // There the override is what has to go: event-loop-fixture-override says so.
            let suite = life.suite();
            let function = suite.fixtures[mismatch.fixture].function;
            let overridden = suite.visible(life, function, "event_loop").is_some();
            if overridden && suite.plugin.at_least(&[0, 23]) != Some(false) {
                continue;
            }
            report.add(found(life, mismatch));
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let named = found.detail::<Named>().ok_or_else(|| Declined::because("the fixture is not known"))?;
        let mut rewrite = align(&Rewrite::new(life), named, Preference::Narrow)?;
        if life.suite().fixtures.iter().all(|fixture| fixture.scope.is_some()) {
            settle_default(&mut rewrite)?;
        }
        let mut mend = Mend::new(found.applicability);
        mend.declared.added = ["fixture", "asyncio"].map(str::to_owned).to_vec();
        mend.declared.removed = ["fixture".to_owned()].to_vec();
        rewrite.into_mend(&mut mend);
        Ok(mend)
    }
}

/// Whether a mismatch is only part of another: the fixture is made of one on the same loop, and those who use it use that too.
fn follows(life: &Lifecycle, mismatch: &Mismatch, all: &[Mismatch]) -> bool {
    let requests = &life.suite().graph(life).of_fixtures[mismatch.fixture];
    all.iter().any(|other| {
        other.own == mismatch.own
            && requests.iter().any(|request| request.fixture == other.fixture)
            && mismatch.tests.iter().all(|test| other.tests.contains(test))
    })
}

fn found(life: &Lifecycle, mismatch: &Mismatch) -> Found {
    let suite = life.suite();
    let fixture = &suite.fixtures[mismatch.fixture];
    let spot = Spot::function(life, fixture.function);
    let mut found = Found::new(SLUG, spot, words::message(life, mismatch));
    found.applicability = Applicability::Unsafe;
    found.doubtful = mismatch.doubtful;
    found.names.push(fixture.name.to_string());
    found.functions.push(fixture.function);
    for &test in &mismatch.tests {
        found.functions.push(suite.tests[test].function);
    }
    for &user in &mismatch.fixtures {
        found.functions.push(suite.fixtures[user].function);
    }
    for &site in &mismatch.sites {
        if let Some(site) = life.site_at(site) {
            found.names.push(site.gives.to_string());
        }
        found.related.push((Spot::expr(life, site), "what it holds is made here".to_owned()));
    }
    for &test in mismatch.tests.iter().take(3) {
        let function = suite.tests[test].function;
        let words = match suite.test_loop(life, test) {
            Some(own) => format!("runs on {}", words::loop_of(own.scope)),
            None => "uses it".to_owned(),
        };
        found.related.push((Spot::function(life, function), words));
    }
    if let Some(spot) = option_spot(life, "asyncio_default_fixture_loop_scope") {
        found.related.push((spot, "the options that pytest reads".to_owned()));
    }
    if mismatch.kind == MismatchKind::Outlives {
        found.symptoms = vec!["pt-scope-mismatch", "pa-multiple-loops-requested"];
    }
    found.detail = Some(std::sync::Arc::new(Named::of(life, fixture.function)));
    found
}
