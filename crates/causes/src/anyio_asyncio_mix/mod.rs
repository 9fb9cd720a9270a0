//! `anyio-asyncio-mix`: anyio runs the tests, pytest-asyncio their fixtures.

use std::collections::BTreeSet;

use loopmend_python::edit::{Edit, Refused};
use loopmend_python::facts::ExprKind;
use loopmend_python::lifecycle::{AsyncioMode, FixtureMaker, Holding, Lifecycle, Scope};

use crate::suite::{Named, Preference, Rewrite, Uses, align};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

/// The cause.
pub(crate) struct AnyioAsyncioMix;

const SLUG: &str = "anyio-asyncio-mix";

static PAGE: Page = Page {
    title: "anyio's plugin runs the tests and pytest-asyncio their fixtures",
    what: "Both plugins run async tests and fixtures, each on a loop of its own. In strict mode pytest-asyncio runs what \
           `pytest_asyncio.fixture` declares; a test marked `anyio` runs on anyio's loop, and a connection that the fixture opened belongs to \
           the other one.",
    log: r"
RuntimeError: Task <Task pending name='anyio.pytest_plugin' ...> got Future <Future pending> attached to a different loop
",
    wrong: "
pytestmark = pytest.mark.anyio


@pytest_asyncio.fixture
async def rooms():
    connection = await asyncpg.connect(DSN)
    yield Rooms(connection)
    await connection.close()
",
    right: "
pytestmark = pytest.mark.anyio


@pytest.fixture
async def rooms():
    connection = await asyncpg.connect(DSN)
    yield Rooms(connection)
    await connection.close()
",
    unless: "Suites where the two share no fixture are left alone, and those in auto mode, where pytest-asyncio takes the marked tests too.",
    prevent: "Choose one of the two plugins for all async tests and fixtures.",
    symptoms: &[
        "attached-different-loop-task",
        "attached-different-loop-cb",
        "asyncpg-another-operation",
        "anyio-runner-schedule",
        "anyio-scope-different-task",
        "event-loop-closed",
    ],
};

impl Cause for AnyioAsyncioMix {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        let suite = life.suite();
        if !suite.plugin.used
            || suite.plugin.mode != AsyncioMode::Strict
            || !suite.tests.iter().any(|test| test.anyio.is_some())
        {
            return;
        }
        let uses = Uses::of(life, suite);
        for (index, fixture) in suite.fixtures.iter().enumerate() {
            if !fixture.is_async || fixture.maker != FixtureMaker::Asyncio {
                continue;
            }
            let holding = suite.holding(life, index);
            let (sites, works) = match &holding {
                Holding::Nothing => continue,
                Holding::Objects { sites, works } => (sites.as_slice(), *works),
                Holding::Unknown => (&[][..], false),
            };
            let (tests, _) = uses.all(life, suite, index, works);
            let foreign: Vec<usize> = tests.into_iter().filter(|&test| by_anyio(life, test)).collect();
            let Some(&first) = foreign.first() else { continue };
            let name = |test: usize| {
                let function = suite.tests[test].function;
                life.facts(function.file).function(function.id).name.to_string()
            };
            let mut found = Found::new(
                SLUG,
                Spot::function(life, fixture.function),
                format!(
                    "pytest-asyncio runs fixture `{}`, but anyio runs `{}`{} that use{} it: what it holds belongs to another loop",
                    fixture.name,
                    name(first),
                    if foreign.len() > 1 {
                        format!(" and {} more", foreign.len() - 1)
                    } else {
                        String::new()
                    },
                    if foreign.len() > 1 { "" } else { "s" },
                ),
            );
            found.doubtful = holding == Holding::Unknown;
            found.names.push(fixture.name.to_string());
            found.functions.push(fixture.function);
            let marks: BTreeSet<_> = foreign
                .iter()
                .filter_map(|&test| suite.tests[test].anyio.as_ref())
                .map(|mark| mark.expr)
                .collect();
            for mark in marks.into_iter().take(3) {
                found.related.push((Spot::expr(life, mark), "anyio runs what is marked here".to_owned()));
            }
            for &test in &foreign {
                found.functions.push(suite.tests[test].function);
            }
            for &site in sites {
                if let Some(site) = life.site_at(site) {
                    found.names.push(site.gives.to_string());
                }
                found.related.push((Spot::expr(life, site), "what it holds is made here".to_owned()));
            }
            found.detail = Some(std::sync::Arc::new(Named::of(life, fixture.function)));
            report.add(found);
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let named = found.detail::<Named>().ok_or_else(|| Declined::because("the fixture is not known"))?;
        let suite = life.suite();
        let index = named
            .find(life)
            .and_then(|function| suite.fixture(function))
            .ok_or_else(|| Declined::because("the fixture can't be found again"))?;
        let uses = Uses::of(life, suite);
        let (tests, _) = uses.all(life, suite, index, true);
        let foreign: BTreeSet<usize> = tests.into_iter().filter(|&test| by_anyio(life, test)).collect();
        // All of pytest-asyncio's fixtures that these tests use, through others too.
        let group: BTreeSet<usize> = (0..suite.fixtures.len())
            .filter(|&other| {
                let fixture = &suite.fixtures[other];
                fixture.is_async
                    && fixture.maker == FixtureMaker::Asyncio
                    && !uses.all(life, suite, other, true).0.is_disjoint(&foreign)
            })
            .collect();
        let backend = suite
            .visible(life, named.find(life).unwrap_or(suite.fixtures[index].function), "anyio_backend")
            .map_or(Some(Scope::Module), |backend| suite.fixtures[backend].scope);
        let plain = group.iter().all(|&other| {
            let fixture = &suite.fixtures[other];
            fixture.scope.is_some()
                && fixture.scope <= backend
                && uses.all(life, suite, other, true).0.iter().all(|&test| by_anyio(life, test))
        });
        let mut mend = Mend::new(found.applicability);
        let mut rewrite = Rewrite::new(life);
        if plain {
            for &other in &group {
                let named = Named::of(life, suite.fixtures[other].function);
                rewrite.drop_fixture_keyword(&named, "loop_scope")?;
                rewrite.fixture_maker(&named, "pytest", "pytest_asyncio")?;
            }
        } else {
            remark(life, &foreign, &uses, &mut rewrite)?;
            for &other in &group {
                let named = Named::of(life, suite.fixtures[other].function);
                rewrite = align(&rewrite, &named, Preference::Narrow)?;
            }
        }
        mend.declared.added = ["fixture", "asyncio"].map(str::to_owned).to_vec();
        mend.declared.removed = ["fixture", "anyio"].map(str::to_owned).to_vec();
        rewrite.into_mend(&mut mend);
        Ok(mend)
    }
}

fn by_anyio(life: &Lifecycle, test: usize) -> bool {
    let suite = life.suite();
    suite.tests[test].is_async && suite.tests[test].anyio.is_some() && !suite.runs_test(test)
}

/// Marks these tests for pytest-asyncio, with all others that have the same mark.
fn remark(
    life: &Lifecycle,
    foreign: &BTreeSet<usize>,
    uses: &Uses,
    rewrite: &mut Rewrite<'_>,
) -> Result<(), Declined> {
    let suite = life.suite();
    let marks: BTreeSet<_> =
        foreign.iter().filter_map(|&test| suite.tests[test].anyio.as_ref()).map(|mark| mark.expr).collect();
    let marked: BTreeSet<usize> = (0..suite.tests.len())
        .filter(|&test| suite.tests[test].anyio.as_ref().is_some_and(|mark| marks.contains(&mark.expr)))
        .collect();
    let needs_anyio = suite.fixtures.iter().enumerate().any(|(index, fixture)| {
        fixture.is_async
            && fixture.maker == FixtureMaker::Pytest
            && !uses.all(life, suite, index, true).0.is_disjoint(&marked)
    });
    if needs_anyio {
        return Err(Declined::because(
            "some of these tests use fixtures of both plugins: declare all async fixtures with pytest_asyncio.fixture and mark the tests \
             `asyncio`, or declare all with pytest.fixture and mark them `anyio`",
        ));
    }
    for mark in marks.into_iter().rev() {
        let facts = life.facts(mark.file);
        let ExprKind::Attribute { ref attr, .. } = facts.expr(mark.id).kind else {
            return Err(Declined::because(
                "the mark `anyio` has arguments or another name: mark the tests `asyncio`",
            ));
        };
        let range = facts.expr(mark.id).range;
        let start = range.end() - ruff_text_size::TextSize::of(attr.as_str());
        let path = facts.path.clone();
        rewrite
            .step(&path, |_| {
                Ok::<_, Refused>(vec![Edit::replacement(
                    ruff_text_size::TextRange::new(start, range.end()),
                    "asyncio",
                )])
            })
            .map_err(Declined::from)?;
    }
    Ok(())
}
