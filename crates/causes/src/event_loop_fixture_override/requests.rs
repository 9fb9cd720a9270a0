//! Functions that ask for `event_loop`.

use loopmend_python::edit::{ImportRequest, Refused, import_edits, remove_parameter, replace_expr};
use loopmend_python::lifecycle::{FunctionRef, Lifecycle};
use ruff_text_size::Ranged;

use super::NAME;
use crate::Declined;
use crate::suite::{Named, Rewrite};

/// Tests and fixtures with a parameter of that name, in order.
pub(super) fn requesting(life: &Lifecycle) -> Vec<FunctionRef> {
    let suite = life.suite();
    let tests = suite
        .tests
        .iter()
        .filter(|test| !test.given.iter().any(|name| name == NAME))
        .map(|test| test.function);
    let fixtures = suite.fixtures.iter().map(|fixture| fixture.function);
    let mut found: Vec<FunctionRef> = tests
        .chain(fixtures)
        .filter(|function| {
            let of = life.facts(function.file).function(function.id);
            of.params.iter().any(|param| param.name == NAME && param.default.is_none())
        })
        .collect();
    found.sort_unstable();
    found
}

/// Takes the parameter away; where its value is used, the running loop takes its place.
pub(super) fn drop(
    life: &Lifecycle,
    rewrite: &mut Rewrite<'_>,
    function: FunctionRef,
) -> Result<(), Declined> {
    let facts = life.facts(function.file);
    let of = facts.function(function.id);
    let uses = life.loads_of(function.file, function.id, &NAME.into()).len();
    if uses > 0 && !of.is_async {
        return Err(Declined::because(format!(
            "`{}` drives the loop itself: make it an async function, and await what it runs on `event_loop`",
            of.name
        )));
    }
    let named = Named::of(life, function);
    let mut asyncio = String::from("asyncio");
    if uses > 0 {
        rewrite.step(&named.path, |source| {
            let (edits, locals) = import_edits(source, &[ImportRequest::module("asyncio")]);
            asyncio = locals.into_iter().next().unwrap_or(asyncio.clone());
            Ok(edits)
        })?;
        let running = format!("{asyncio}.get_running_loop()");
        for _ in 0..uses {
            rewrite.step(&named.path, |source| {
                let found = source.function_named(&named.qualname).ok_or(Refused::Missing("function"))?;
                let name = found
                    .body
                    .iter()
                    .flat_map(|stmt| source.tokens_in(stmt.range()))
                    .map(Ranged::range)
                    .find(|range| {
                        source.slice(*range) == NAME
                            && source.expr_at(*range).is_some_and(ruff_python_ast::Expr::is_name_expr)
                    })
                    .ok_or(Refused::Missing("use of the loop"))?;
                replace_expr(source, name, &running)
            })?;
        }
    }
    rewrite.step(&named.path, |source| {
        let found = source.function_named(&named.qualname).ok_or(Refused::Missing("function"))?;
        remove_parameter(source, found.range(), NAME)
    })?;
    Ok(())
}
