//! `testclient-loop-mix`: `TestClient` runs the app on a loop of its own, with objects of the test's loop in it.

mod rewrite;
mod site;

use loopmend_python::lifecycle::{ExprRef, Lifecycle};

use crate::suite::Rewrite;
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};
use site::{Client, clients};

/// The cause.
pub(crate) struct TestclientLoopMix;

const SLUG: &str = "testclient-loop-mix";

static PAGE: Page = Page {
    title: "TestClient runs the app on another loop than the objects that a test gives it",
    what: "Starlette's TestClient (FastAPI's too) runs the application on a loop of its own, in another thread. A pool that an async \
           fixture made belongs to the test's loop; put into the app by `dependency_overrides` or `app.state` it is used on the \
           client's loop, and fails or hangs. An `httpx.AsyncClient` over `ASGITransport` calls the app on the test's own loop.",
    log: r"
RuntimeError: Task <Task pending name='anyio.from_thread.BlockingPortal._call_func' ...> got Future <Future pending> attached to a different loop
asyncpg.exceptions._base.InterfaceError: cannot perform operation: another operation is in progress
",
    wrong: "
@pytest_asyncio.fixture
async def client(pool):
    app.dependency_overrides[get_pool] = lambda: pool
    yield TestClient(app)
    app.dependency_overrides.clear()


async def test_sum(client):
    response = client.get(\"/sum/4\")
    assert response.json() == {\"sum\": 10}
",
    right: "
@pytest_asyncio.fixture
async def client(pool):
    app.dependency_overrides[get_pool] = lambda: pool
    async with AsyncClient(transport=ASGITransport(app=app), base_url=\"http://testserver\", follow_redirects=True) as client:
        yield client
    app.dependency_overrides.clear()


async def test_sum(client):
    response = await client.get(\"/sum/4\")
    assert response.json() == {\"sum\": 10}
",
    unless: "Plain tests whose app makes its own resources are left alone: there TestClient is right. Where a test opens a websocket or streams, \
             nothing is changed. `AsyncClient` runs no lifespan: where the TestClient did (as a `with` block), it is entered beside it.",
    prevent: "Use `httpx.AsyncClient` with `ASGITransport` in async tests, or let the app's own lifespan make what it uses.",
    symptoms: &[
        "attached-different-loop-task",
        "attached-different-loop-cb",
        "asyncpg-another-operation",
        "event-loop-closed",
        "bound-to-different-loop",
        "sa-exception-closing",
        "pymongo-async-different-loop",
    ],
};

impl Cause for TestclientLoopMix {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        for client in clients(life) {
            report.add(found(life, &client));
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let call = found.detail::<ExprRef>().ok_or_else(|| Declined::because("the client is not known"))?;
        let client = clients(life)
            .into_iter()
            .find(|client| client.call == *call)
            .ok_or_else(|| Declined::because("the client can't be found again"))?;
        let mut changed = Rewrite::new(life);
        rewrite::rewrite(life, &client, &mut changed)?;
        let mut mend = Mend::new(found.applicability);
        mend.declared.added = ["AsyncClient", "ASGITransport", "fixture", "asyncio", "lifespan_context"]
            .map(str::to_owned)
            .to_vec();
        mend.declared.removed = ["TestClient", "fixture"].map(str::to_owned).to_vec();
        mend.declared.moved = true;
        mend.notes.push(
            "AsyncClient runs the app on the test's own loop; it runs no lifespan by itself".to_owned(),
        );
        changed.into_mend(&mut mend);
        Ok(mend)
    }
}

fn found(life: &Lifecycle, client: &Client) -> Found {
    let suite = life.suite();
    let fixture = &suite.fixtures[client.given];
    let mut found = Found::new(
        SLUG,
        Spot::expr(life, client.call),
        format!(
            "TestClient runs the app on a loop of its own, but `{}` that is put into the app belongs to the loop of the tests",
            fixture.name
        ),
    );
    found.functions = vec![client.function, fixture.function];
    found.names = vec!["TestClient".to_owned(), fixture.name.to_string()];
    for call in &client.calls {
        let function = life.facts(call.file).function_of(call.id);
        found.functions.push(loopmend_python::lifecycle::FunctionRef { file: call.file, id: function });
    }
    found.functions.dedup();
    found
        .related
        .push((Spot::expr(life, client.put), format!("`{}` is put into the app here", fixture.name)));
    found.related.push((Spot::function(life, fixture.function), "made on the loop of the test".to_owned()));
    for &call in client.calls.iter().take(2) {
        found.related.push((Spot::expr(life, call), "the app uses it on the client's loop".to_owned()));
    }
    found.detail = Some(std::sync::Arc::new(client.call));
    found
}
