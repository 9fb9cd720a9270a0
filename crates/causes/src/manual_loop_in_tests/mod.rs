//! `manual-loop-in-tests`: tests run loops by hand around an object that they share.

mod case;
mod case_rewrite;
mod module;
mod module_rewrite;

use loopmend_python::facts::ExprKind;
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle};

use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

/// The cause.
pub(crate) struct ManualLoopInTests;

const SLUG: &str = "manual-loop-in-tests";

static PAGE: Page = Page {
    title: "Tests run loops by hand around an object that they share",
    what: "Each `asyncio.run`, and each loop that a `setUp` makes and a `tearDown` closes, is a loop of its own. A client of the module or class \
           belongs to the loop of the first test that uses it; from the second test on its connections belong to a closed loop.",
    log: r"
RuntimeError: Event loop is closed
RuntimeError: Task <Task pending ...> got Future <Future pending> attached to a different loop
",
    wrong: r#"
client = httpx.AsyncClient(base_url=URL)


def test_get():
    assert asyncio.run(client.get("/1")).status_code == 200


def test_missing():
    assert asyncio.run(client.get("/99")).status_code == 404
"#,
    right: r#"
@pytest_asyncio.fixture
async def client():
    async with httpx.AsyncClient(base_url=URL) as client:
        yield client


async def test_get(client):
    assert (await client.get("/1")).status_code == 200


async def test_missing(client):
    assert (await client.get("/99")).status_code == 404
"#,
    unless: "Tests of a plain interface that itself runs a loop are left alone, as are tests that share nothing. Where neither pytest-asyncio nor \
             unittest runs the tests, or the object is used outside them too, it is left to you.",
    prevent: "Write async tests and async fixtures; with unittest use `IsolatedAsyncioTestCase`.",
    symptoms: &[
        "event-loop-closed",
        "attached-different-loop-task",
        "attached-different-loop-cb",
        "bound-to-different-loop",
        "no-current-event-loop",
        "unclosed-event-loop",
        "pa-unclosed-event-loop",
        "pa-error-cleaning-loop",
    ],
};

/// What a finding is about.
enum Detail {
    /// Tests of a module.
    Module(module::Shared),
    /// A class of unittest.
    Case(case::Case),
}

impl Cause for ManualLoopInTests {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        for shared in module::shared(life) {
            report.add(module_found(life, shared));
        }
        for case in case::cases(life) {
            report.add(case_found(life, case));
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let mut mend = Mend::new(found.applicability);
        match found.detail::<Detail>() {
            Some(Detail::Module(shared)) => module_rewrite::rewrite(life, shared, &mut mend)?,
            Some(Detail::Case(case)) => case_rewrite::rewrite(life, case, &mut mend)?,
            None => return Err(Declined::because("the tests are not known")),
        }
        mend.declared.moved = true;
        mend.declared.added.extend(["fixture", "addAsyncCleanup"].map(str::to_owned));
        mend.declared.removed.extend(
            ["run", "run_until_complete", "new_event_loop", "set_event_loop", "get_event_loop", "close"]
                .map(str::to_owned),
        );
        Ok(mend)
    }
}

fn module_found(life: &Lifecycle, shared: module::Shared) -> Found {
    let first = &shared.holders[0];
    let mut found = Found::new(
        SLUG,
        Spot { file: shared.file, range: life.facts(shared.file).stmt(first.stmt).range },
        format!(
            "{} tests each run a loop of their own around `{}`, which belongs to the loop of the first that uses it",
            shared.tests.len(),
            first.name
        ),
    );
    found.names.push(shared.gives.to_string());
    found.names.extend(shared.holders.iter().map(|holder| holder.name.to_string()));
    for test in &shared.tests {
        found.functions.push(test.function);
        for &run in &test.runs {
            found.functions.extend(run_by(life, run));
            if found.related.len() < 3 {
                found.related.push((Spot::expr(life, run), "runs a loop of its own".to_owned()));
            }
        }
    }
    found.detail = Some(std::sync::Arc::new(Detail::Module(shared)));
    found
}

fn case_found(life: &Lifecycle, case: case::Case) -> Found {
    let facts = life.facts(case.class.file);
    let name = &facts.class(case.class.id).name;
    let mut found = Found::new(
        SLUG,
        Spot::expr(life, case.shared[0].value),
        format!(
            "`{name}` makes a loop for each test, but shares `{}` among them: it belongs to the loop of the first test that uses it",
            case.shared[0].name
        ),
    );
    found.names.extend(case.shared.iter().map(|shared| shared.name.to_string()));
    found.names.push(name.to_string());
    found.functions = case.methods.clone();
    found.related.push((Spot::class(life, case.class), "its tests run their loops by hand".to_owned()));
    for &run in &case.runs {
        found.functions.extend(run_by(life, run));
    }
    for &run in case.runs.iter().take(2) {
        found.related.push((Spot::expr(life, run), "runs on the test's own loop".to_owned()));
    }
    found.detail = Some(std::sync::Arc::new(Detail::Case(case)));
    found
}

/// The functions of the tree whose coroutines a call is given to run.
fn run_by(life: &Lifecycle, run: ExprRef) -> Vec<FunctionRef> {
    match &life.facts(run.file).expr(run.id).kind {
        ExprKind::Call { args, .. } => {
            args.iter().flat_map(|&arg| life.coroutines_in(run.with(arg))).collect()
        }
        _ => Vec::new(),
    }
}
