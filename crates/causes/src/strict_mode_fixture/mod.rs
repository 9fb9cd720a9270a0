//! `strict-mode-fixture`: an async fixture that nobody runs.

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{AsyncioMode, FixtureMaker, Lifecycle};

use crate::suite::{Named, Preference, Rewrite, Uses, align, asks_for_backend};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

/// The cause.
pub(crate) struct StrictModeFixture;

const SLUG: &str = "strict-mode-fixture";

static PAGE: Page = Page {
    title: "An async fixture is declared with pytest.fixture while pytest-asyncio is in strict mode",
    what: "pytest does not run async fixtures itself. In strict mode, which is the default, pytest-asyncio only runs those that are \
           declared with `pytest_asyncio.fixture`; the test is handed the coroutine or the async generator instead of its value.",
    log: r"
AttributeError: 'async_generator' object has no attribute 'fetchval'
PytestRemovedIn9Warning: 'test_enabled' requested an async fixture 'connection', with no plugin or hook that handled it.
",
    wrong: "
@pytest.fixture
async def connection():
    connection = await asyncpg.connect(DSN)
    yield connection
    await connection.close()
",
    right: "
@pytest_asyncio.fixture
async def connection():
    connection = await asyncpg.connect(DSN)
    yield connection
    await connection.close()
",
    unless: "Where anyio (or another plugin) drives the tests that use it, plain `pytest.fixture` is right, as it is in auto mode.",
    prevent: "Set `asyncio_mode = auto` where all of a suite is asyncio, or always use `pytest_asyncio.fixture`.",
    symptoms: &[
        "pa-strict-async-fixture",
        "pt-async-fixture-unhandled",
        "async-gen-object-no-attr",
        "await-wasnt-used",
    ],
};

impl Cause for StrictModeFixture {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        let suite = life.suite();
        if !suite.plugin.used || suite.plugin.mode != AsyncioMode::Strict {
            return;
        }
        let plain: Vec<usize> = (0..suite.fixtures.len())
            .filter(|&index| {
                suite.fixtures[index].is_async && suite.fixtures[index].maker == FixtureMaker::Pytest
            })
            .collect();
        if plain.is_empty() {
            return;
        }
        let uses = Uses::of(life, suite);
        for index in plain {
            let fixture = &suite.fixtures[index];
            let (tests, fixtures) = uses.all(life, suite, index, true);
            let foreign = tests.iter().any(|&test| suite.tests[test].driven_elsewhere())
                || fixtures.iter().chain([&index]).any(|&user| asks_for_backend(life, user));
            if tests.is_empty() || foreign {
                continue;
            }
            let all = tests.iter().all(|&test| suite.runs_test(test));
            // A suite of its own loops may handle async fixtures by a hook of its own.
            if !tests.iter().any(|&test| suite.runs_test(test)) && suite.plugin.version.is_none() {
                continue;
            }
            let mut found = Found::new(
                SLUG,
                Spot::function(life, fixture.function),
                format!(
                    "async fixture `{}` is declared with pytest.fixture, which pytest-asyncio does not run in strict mode: tests are \
                     handed {} instead of its value",
                    fixture.name,
                    if fixture.is_generator { "an async generator" } else { "a coroutine" }
                ),
            );
            found.applicability = if all && suite.plugin.version.is_some() {
                Applicability::Safe
            } else {
                Applicability::Unsafe
            };
            found.functions.push(fixture.function);
            found.names.push(fixture.name.to_string());
            for &test in &tests {
                found.functions.push(suite.tests[test].function);
            }
            for &test in tests.iter().take(3) {
                let spot = Spot::function(life, suite.tests[test].function);
                found.related.push((spot, "uses it".to_owned()));
            }
            found.detail = Some(std::sync::Arc::new(Named::of(life, fixture.function)));
            report.add(found);
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let named = found.detail::<Named>().ok_or_else(|| Declined::because("the fixture is not known"))?;
        let mut rewrite = Rewrite::new(life);
        rewrite.fixture_maker(named, "pytest_asyncio", "pytest")?;
        let rewrite = align(&rewrite, named, Preference::Narrow)?;
        let mut mend = Mend::new(found.applicability);
        mend.declared.added = ["fixture", "asyncio"].map(str::to_owned).to_vec();
        mend.declared.removed = ["fixture".to_owned()].to_vec();
        rewrite.into_mend(&mut mend);
        Ok(mend)
    }
}
