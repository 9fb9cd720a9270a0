//! From `TestClient` to `AsyncClient`.

use std::collections::BTreeSet;

use loopmend_python::edit::{
    Edit, ImportRequest, Refused, Source, add_await, add_decorator, import_edits, make_async,
    replace_statement, wrap_statements,
};
use loopmend_python::facts::{ExprKind, MODULE, StmtKind, TextRange};
use loopmend_python::lifecycle::{AsyncioMode, ExprRef, FixtureMaker, FunctionRef, Lifecycle};
use ruff_text_size::Ranged;

use super::site::Client;
use crate::Declined;
use crate::suite::{Named, Rewrite, range_of};

/// Puts the `AsyncClient` in the `TestClient`'s place, and awaits what is asked of it.
pub(super) fn rewrite(life: &Lifecycle, client: &Client, changed: &mut Rewrite<'_>) -> Result<(), Declined> {
    if client.other {
        return Err(Declined::because(
            "the client is used in a way that has no plain async form (a websocket, a stream, or handed on): use httpx.AsyncClient with \
             ASGITransport, or let the app make the object in its own lifespan",
        ));
    }
    let mut functions: BTreeSet<FunctionRef> = BTreeSet::from([client.function]);
    for call in &client.calls {
        functions.insert(FunctionRef { file: call.file, id: life.facts(call.file).function_of(call.id) });
    }
    for &function in &functions {
        let known = life.suite().fixture(function).is_some()
            || life.suite().tests.iter().any(|test| test.function == function);
        if !known || function.id == MODULE {
            return Err(Declined::because(
                "requests are made outside tests and fixtures: await them with httpx.AsyncClient by hand",
            ));
        }
    }
    // From behind, so that the ranges of what stands before stay.
    for &call in client.calls.iter().rev() {
        let path = life.facts(call.file).path.clone();
        let around = range_of(life, call).contains_range(range_of(life, client.call));
        if call < client.call && call.file == client.call.file && !around {
            return Err(Declined::because("the client is used above the place where it is made"));
        }
        changed.step(&path, |source| add_await(source, range_of(life, call)))?;
    }
    construct(life, client, changed)?;
    for &function in functions.iter().rev() {
        asynchronous(life, function, changed)?;
    }
    let path = life.facts(client.call.file).path.clone();
    changed.step(&path, |source| {
        let requests =
            [ImportRequest::from("httpx", "ASGITransport"), ImportRequest::from("httpx", "AsyncClient")];
        Ok(import_edits(source, &requests).0)
    })?;
    let facts = life.facts(client.call.file);
    if let ExprKind::Call { func, .. } = facts.expr(client.call.id).kind {
        let text = life.source(client.call.with(func));
        changed.tidy_import(&path, text.split('.').next().unwrap_or(text))?;
    }
    Ok(())
}

fn construct(life: &Lifecycle, client: &Client, changed: &mut Rewrite<'_>) -> Result<(), Declined> {
    let call = client.call;
    let facts = life.facts(call.file);
    let path = facts.path.clone();
    let range = range_of(life, call);
    let app = app_of(life, call);
    let made = async_client(life, call, &app)?;
    let stmt =
        facts.stmt_of(call.id).ok_or_else(|| Declined::because("the client stands in no statement"))?;
    let at = facts.stmt(stmt).range;
    match &facts.stmt(stmt).kind {
        StmtKind::With { items, is_async: false, .. }
            if items.len() == 1 && facts.expr(items[0].context).range == range =>
        {
            let name = items[0].target.map_or("", |target| life.source(call.with(target)));
            let lifespan = format!("{app}.router.lifespan_context({app})");
            let header = if name.is_empty() {
                format!("async with {lifespan}, {made}:")
            } else {
                format!("async with {lifespan}, {made} as {name}:")
            };
            let end = items[0].target.map_or(range.end(), |target| range_of(life, call.with(target)).end());
            changed.step(&path, |source| {
                let found =
                    source.statement_at(TextRange::empty(at.start())).ok_or(Refused::Missing("with"))?;
                let colon = source
                    .tokens_in(TextRange::new(end, found.range().end()))
                    .iter()
                    .find(|token| source.slice(token.range()) == ":")
                    .ok_or(Refused::Missing("colon"))?
                    .range();
                Ok(vec![Edit::replacement(TextRange::new(found.range().start(), colon.end()), header)])
            })?;
        }
        StmtKind::Expr(value) if matches!(facts.expr(*value).kind, ExprKind::Yield(Some(inner)) if inner == call.id) =>
        {
            let name = free_name(life, client.function);
            let text = format!("async with {made} as {name}:\n    yield {name}");
            changed.step(&path, |source| replace_statement(source, at, &text))?;
        }
        StmtKind::Return(Some(inner))
            if *inner == call.id && life.suite().fixture(client.function).is_some() =>
        {
            let name = free_name(life, client.function);
            let text = format!("async with {made} as {name}:\n    yield {name}");
            changed.step(&path, |source| replace_statement(source, at, &text))?;
        }
        StmtKind::Assign { targets, value } if *value == call.id && targets.len() == 1 => {
            let name = life.source(call.with(targets[0])).to_owned();
            if facts.name_of(targets[0]).is_none() {
                return Err(Declined::because(
                    "the client is kept in an attribute: close it yourself, and use httpx.AsyncClient",
                ));
            }
            changed.step(&path, |source| wrap_rest(source, at, &format!("async with {made} as {name}:")))?;
        }
        _ => {
            return Err(Declined::because(
                "the client is made in the middle of an expression: use httpx.AsyncClient by hand",
            ));
        }
    }
    Ok(())
}

/// Wraps what follows a statement in its block, and takes the statement away.
fn wrap_rest(source: &Source, at: TextRange, header: &str) -> Result<Vec<Edit>, Refused> {
    let found = source.statement_at(TextRange::empty(at.start())).ok_or(Refused::Missing("statement"))?;
    let (Some(next), Some(last)) = (found.next(), found.body.last()) else {
        return Err(Refused::Missing("use of the client"));
    };
    let run = TextRange::new(next.start(), last.end());
    let wrapped = source.with(&wrap_statements(source, run, header, &[])?)?;
    let gone = loopmend_python::edit::delete_statement(&wrapped, at, loopmend_python::edit::Comments::Keep)?;
    Ok(loopmend_python::edit::difference(source.text(), wrapped.with(&gone)?.text()))
}

fn app_of(life: &Lifecycle, call: ExprRef) -> String {
    let facts = life.facts(call.file);
    match &facts.expr(call.id).kind {
        ExprKind::Call { args, keywords, .. } => args
            .first()
            .copied()
            .or_else(|| {
                keywords
                    .iter()
                    .find(|keyword| keyword.name.as_deref() == Some("app"))
                    .map(|keyword| keyword.value)
            })
            .map_or_else(|| "app".to_owned(), |app| life.source(call.with(app)).to_owned()),
        _ => "app".to_owned(),
    }
}

/// The `AsyncClient` with what the `TestClient` was given; its address and redirects are `TestClient`'s.
fn async_client(life: &Lifecycle, call: ExprRef, app: &str) -> Result<String, Declined> {
    let facts = life.facts(call.file);
    let quote = if life.text(call.file).matches('\'').count() > life.text(call.file).matches('"').count() {
        '\''
    } else {
        '"'
    };
    let ExprKind::Call { args, keywords, .. } = &facts.expr(call.id).kind else {
        return Err(Declined::because("it is no call"));
    };
    let mut transport = format!("app={app}");
    let mut base = format!("{quote}http://testserver{quote}");
    let mut more = String::new();
    if args.len() > 1 {
        base = life.source(call.with(args[1])).to_owned();
    }
    for keyword in keywords {
        let text = life.source(call.with(keyword.value));
        match keyword.name.as_deref() {
            Some("app") => {}
            Some("base_url") => base = text.to_owned(),
            Some("raise_server_exceptions") => transport.push_str(&format!(", raise_app_exceptions={text}")),
            Some(name @ ("headers" | "cookies" | "follow_redirects")) => {
                more.push_str(&format!(", {name}={text}"));
            }
            Some("backend" | "backend_options") => {}
            _ => {
                return Err(Declined::because(
                    "the client has arguments that httpx.AsyncClient does not know",
                ));
            }
        }
    }
    if !more.contains("follow_redirects=") {
        more.push_str(", follow_redirects=True");
    }
    Ok(format!("AsyncClient(transport=ASGITransport({transport}), base_url={base}{more})"))
}

fn free_name(life: &Lifecycle, function: FunctionRef) -> &'static str {
    let facts = life.facts(function.file);
    let taken = |name: &str| facts.scopes[function.id.index()].contains_key(name);
    if taken("client") { "async_client" } else { "client" }
}

/// Makes a test or fixture async, and lets pytest-asyncio run it.
fn asynchronous(life: &Lifecycle, function: FunctionRef, changed: &mut Rewrite<'_>) -> Result<(), Declined> {
    if life.facts(function.file).function(function.id).is_async {
        return Ok(());
    }
    let suite = life.suite();
    let named = Named::of(life, function);
    let strict = suite.plugin.mode == AsyncioMode::Strict;
    changed.step(&named.path, |source| {
        let found = source.function_named(&named.qualname).ok_or(Refused::Missing("function"))?.range();
        make_async(source, found)
    })?;
    match suite.fixture(function) {
        Some(index) if strict && suite.fixtures[index].maker == FixtureMaker::Pytest => {
            changed.fixture_maker(&named, "pytest_asyncio", "pytest")?;
        }
        None if strict
            && suite.tests.iter().any(|test| test.function == function && test.asyncio.is_none()) =>
        {
            let mut pytest = String::from("pytest");
            changed.step(&named.path, |source| {
                let (edits, locals) = import_edits(source, &[ImportRequest::module("pytest")]);
                pytest = locals.into_iter().next().unwrap_or(pytest.clone());
                Ok(edits)
            })?;
            changed.step(&named.path, |source| {
                let found =
                    source.function_named(&named.qualname).ok_or(Refused::Missing("function"))?.range();
                add_decorator(source, found, &format!("@{pytest}.mark.asyncio"))
            })?;
        }
        _ => {}
    }
    Ok(())
}
