//! `default-loop-scope-unset`: pytest-asyncio is left to guess on which loop async fixtures run.

use loopmend_model::Applicability;
use loopmend_python::lifecycle::Lifecycle;

use crate::suite::{Rewrite, option_spot, relying, settle_default};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

/// The cause.
pub(crate) struct DefaultLoopScopeUnset;

const SLUG: &str = "default-loop-scope-unset";
const OPTION: &str = "asyncio_default_fixture_loop_scope";

static PAGE: Page = Page {
    title: "The default loop scope of async fixtures is not configured",
    what: "From 0.24 on pytest-asyncio warns at every start while `asyncio_default_fixture_loop_scope` is not set: today an async \
           fixture then runs on the loop of its caching scope, one day it will be the loop of the single test. The option \
           only counts in the one file that pytest reads: `pytest.ini` before `pyproject.toml` before `tox.ini` before \
           `setup.cfg`.",
    log: r#"
PytestDeprecationWarning: The configuration option "asyncio_default_fixture_loop_scope" is unset.
The event loop scope for asynchronous fixtures will default to the fixture caching scope.
"#,
    wrong: "
# pyproject.toml
# [tool.pytest.ini_options]
# asyncio_mode = \"auto\"
",
    right: "
# pyproject.toml
# [tool.pytest.ini_options]
# asyncio_mode = \"auto\"
# asyncio_default_fixture_loop_scope = \"function\"
",
    unless: "Before 0.24 the option is unknown and would itself be warned of, and while the version is not known nothing is said. Fixtures of wide \
             scope that rely on the unset default are given the `loop_scope` that they have today; where a scope can't be read, \
             it is left to you.",
    prevent: "Set the option when pytest-asyncio is added to a project.",
    symptoms: &["pa-fixture-loop-scope-unset"],
};

impl Cause for DefaultLoopScopeUnset {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        let settings = life.settings();
        let set = settings.pytest.option(OPTION).is_some()
            || settings.pytest.option("addopts").is_some_and(|flags| flags.contains(OPTION));
        if set || settings.version("pytest-asyncio").is_none() {
            return;
        }
        let suite = life.suite();
        if suite.plugin.at_least(&[0, 24]) != Some(true) {
            return;
        }
        let first = (0..suite.fixtures.len())
            .find(|&index| suite.runs_fixture(index))
            .map(|index| suite.fixtures[index].function)
            .or_else(|| {
                let index = (0..suite.tests.len()).find(|&index| suite.runs_test(index))?;
                Some(suite.tests[index].function)
            });
        let Some(first) = first else { return };
        let spot = option_spot(life, OPTION).unwrap_or_else(|| Spot::function(life, first));
        let wide = relying(life);
        let file = settings.pytest.file.as_deref().unwrap_or("the configuration of pytest");
        let mut found = Found::new(
            SLUG,
            spot,
            format!(
                "`{OPTION}` is not set in {file}: pytest-asyncio {} warns at every start, and a later one will run async fixtures on another \
                 loop than today",
                suite.plugin.version.as_ref().map_or(String::new(), ToString::to_string)
            ),
        );
        let unread = (0..suite.fixtures.len())
            .any(|index| suite.runs_fixture(index) && suite.fixtures[index].scope.is_none());
        found.applicability = if unread { Applicability::Advice } else { Applicability::Safe };
        for index in wide {
            let fixture = &suite.fixtures[index];
            found.related.push((
                Spot::function(life, fixture.function),
                format!("`{}` relies on the default: its loop follows its scope", fixture.name),
            ));
        }
        report.add(found);
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        if found.applicability == Applicability::Advice {
            return Err(Declined::because(format!(
                "the scope of a fixture can't be read: set `{OPTION}`, and `loop_scope` at the fixtures that need more than one test's loop"
            )));
        }
        let mut rewrite = Rewrite::new(life);
        settle_default(&mut rewrite)?;
        let mut mend = Mend::new(found.applicability);
        rewrite.into_mend(&mut mend);
        Ok(mend)
    }
}
