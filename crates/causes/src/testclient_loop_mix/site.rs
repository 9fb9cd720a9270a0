//! Test clients of apps that hold an object of a test's loop.

use loopmend_python::facts::{ExprId, ExprKind, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Holding, Lifecycle, UseKind};

/// One call of `TestClient`.
#[derive(Clone, Debug)]
pub(super) struct Client {
    /// The call.
    pub call: ExprRef,
    /// The fixture or test that it stands in.
    pub function: FunctionRef,
    /// The fixture whose object is put into the app, by its place in the suite.
    pub given: usize,
    /// Where it is put in: the object on the right of the assignment.
    pub put: ExprRef,
    /// Requests made with the client.
    pub calls: Vec<ExprRef>,
    /// Something is done with it that has no async form here.
    pub other: bool,
}

const PATHS: &[&str] = &["fastapi.testclient.TestClient", "starlette.testclient.TestClient"];
const REQUESTS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options", "request"];

/// All of them, in order.
pub(super) fn clients(life: &Lifecycle) -> Vec<Client> {
    let suite = life.suite();
    if !suite.plugin.used {
        return Vec::new();
    }
    let mut found = Vec::new();
    for &file in life.files_with("TestClient") {
        let facts = life.facts(file);
        if !facts.loads.contains_key("TestClient") && !facts.attributes.contains_key("TestClient") {
            continue;
        }
        for &id in &facts.calls {
            let call = ExprRef { file, id };
            let ExprKind::Call { func, ref args, ref keywords } = facts.expr(id).kind else { continue };
            let (ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. }) = &facts.expr(func).kind
            else {
                continue;
            };
            if name != "TestClient" || !life.calls_any(call, PATHS) {
                continue;
            }
            let app = args.first().copied().or_else(|| {
                keywords
                    .iter()
                    .find(|keyword| keyword.name.as_deref() == Some("app"))
                    .map(|keyword| keyword.value)
            });
            let function = FunctionRef { file, id: facts.function_of(id) };
            let Some((given, put)) = app.and_then(|app| put_in(life, function, call.with(app))) else {
                continue;
            };
            let (calls, other) = uses(life, call);
            found.push(Client { call, function, given, put, calls, other });
        }
    }
    found
}

/// A fixture's object that a function puts into an app, or that another fixture which it asks for does.
fn put_in(life: &Lifecycle, function: FunctionRef, app: ExprRef) -> Option<(usize, ExprRef)> {
    let suite = life.suite();
    let graph = suite.graph(life);
    let name = life.source(app).to_owned();
    let of = |function: FunctionRef| {
        suite.fixture(function).map(|index| graph.of_fixtures[index].as_slice()).or_else(|| {
            let index = suite.tests.iter().position(|test| test.function == function)?;
            Some(graph.of_tests[index].as_slice())
        })
    };
    let mut places = vec![function];
    for request in of(function)? {
        places.push(suite.fixtures[request.fixture].function);
    }
    for place in places {
        let requests = of(place).unwrap_or_default();
        let facts = life.facts(place.file);
        let mut found = None;
        facts.walk(&facts.function(place.id).body, &mut |stmt| {
            let StmtKind::Assign { targets, value } = &facts.stmt(stmt).kind else { return };
            if !targets.iter().any(|&target| {
                is_of_app(life, ExprRef { file: place.file, id: target }, &name, place == function)
            }) {
                return;
            }
            for request in requests {
                let Some(parameter) = request.parameter else { continue };
                let param = &facts.function(place.id).params[parameter as usize].name;
                let holds = suite.runs_fixture(request.fixture)
                    && matches!(suite.holding(life, request.fixture), Holding::Objects { .. });
                if holds && mentions(life, place, *value, param) {
                    found.get_or_insert((request.fixture, ExprRef { file: place.file, id: *value }));
                }
            }
        });
        if found.is_some() {
            return found;
        }
    }
    None
}

/// `app.dependency_overrides[…]`, `app.state.x`, `app.state["x"]`, of this app by its text (in another function, of any).
fn is_of_app(life: &Lifecycle, target: ExprRef, app: &str, same: bool) -> bool {
    let facts = life.facts(target.file);
    let (ExprKind::Subscript { value: inner, .. } | ExprKind::Attribute { value: inner, .. }) =
        facts.expr(target.id).kind
    else {
        return false;
    };
    match &facts.expr(inner).kind {
        ExprKind::Attribute { value, attr } if attr == "dependency_overrides" || attr == "state" => {
            !same || life.source(target.with(*value)) == app
        }
        _ => false,
    }
}

/// Whether an expression, or the function that it names or is, reads a name of `function`.
fn mentions(life: &Lifecycle, function: FunctionRef, value: ExprId, name: &str) -> bool {
    let facts = life.facts(function.file);
    let range = facts.expr(value).range;
    let named = facts.name_of(value).and_then(|inner| {
        facts
            .functions
            .iter()
            .find(|of| of.name == *inner && of.parent == Some(function.id))
            .map(|of| of.range)
    });
    facts.loads.get(name).into_iter().flatten().any(|&load| {
        let at = facts.expr(load).range;
        range.contains_range(at) || named.is_some_and(|named| named.contains_range(at))
    })
}

/// Requests made with a client, and whether anything else is done with it.
fn uses(life: &Lifecycle, call: ExprRef) -> (Vec<ExprRef>, bool) {
    let flow = life.flow_of(call);
    let (mut calls, mut other) = (Vec::new(), flow.doubt);
    for at in &flow.uses {
        match &at.kind {
            UseKind::Method { name, call, .. } if REQUESTS.contains(&name.as_str()) => calls.push(*call),
            UseKind::Attribute { name, .. }
                if ["headers", "cookies", "base_url"].contains(&name.as_str()) => {}
            UseKind::Yielded(_)
            | UseKind::Returned(_)
            | UseKind::Entered { .. }
            | UseKind::Stored(_)
            | UseKind::Dropped
            | UseKind::Tested => {}
            _ => other = true,
        }
    }
    calls.sort_unstable();
    calls.dedup();
    (calls, other)
}
