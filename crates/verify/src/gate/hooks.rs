//! Hooks to which errors are told, and whether they tell anybody.

use ruff_python_ast::Expr;
use ruff_text_size::Ranged;

use super::code::{is_constant, last};
use super::reading::Reading;
use super::told::{Duty, is_silent};

/// Whether a function, given by name or as a lambda, does nothing with what it is told.
pub(super) fn swallows(reading: &Reading<'_>, hook: &Expr) -> bool {
    match hook {
        Expr::Lambda(lambda) => {
            is_constant(&lambda.body)
                || lambda.body.as_call_expr().is_some_and(|call| {
                    let name = reading.dotted(&call.func);
                    call.arguments.is_empty() || matches!(last(&name), "debug" | "info" | "dict" | "list")
                })
        }
        Expr::Name(name) => {
            if let Some(function) = reading.function_named(name.id.as_str()) {
                return swallows_in(reading, function.node);
            }
            match reading.values.get(name.id.as_str()) {
                Some(Some(value)) if value.is_lambda_expr() => swallows(reading, value),
                _ => false,
            }
        }
        Expr::Attribute(attribute) => match &*attribute.value {
            Expr::Name(owner) if owner.id.as_str() == "self" || owner.id.as_str() == "cls" => reading
                .function_named(attribute.attr.as_str())
                .is_some_and(|function| swallows_in(reading, function.node)),
            _ => false,
        },
        Expr::Call(call) if last(&reading.dotted(&call.func)) == "partial" => {
            call.arguments.args.first().is_some_and(|function| swallows(reading, function))
        }
        Expr::Call(call) => last(&reading.dotted(&call.func)).ends_with("Mock"),
        _ => false,
    }
}

/// A hook tells where every way through it reports what it was given; any of its parameters will do.
fn swallows_in(reading: &Reading<'_>, function: &ruff_python_ast::StmtFunctionDef) -> bool {
    let mut names: Vec<&str> = function
        .parameters
        .iter_non_variadic_params()
        .map(|parameter| parameter.parameter.name.as_str())
        .filter(|name| !matches!(*name, "self" | "cls" | "loop"))
        .collect();
    names.extend(function.parameters.vararg.as_ref().map(|vararg| vararg.name.as_str()));
    // What is fetched from them stands for them: `exc = context.get("exception")`.
    for assigned in &reading.assigned {
        if let Expr::Name(target) = assigned.target
            && function.range.contains_range(assigned.target.range())
            && names.iter().any(|name| super::told::reads(assigned.value, name))
        {
            names.push(target.id.as_str());
        }
    }
    names.is_empty() && is_silent(reading, &function.body, None, Duty::Tell)
        || !names.is_empty()
            && names.iter().all(|name| is_silent(reading, &function.body, Some(name), Duty::Tell))
}
