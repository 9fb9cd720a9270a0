//! Errors that vanish: handlers, `suppress`, `return` in a `finally`, an `__exit__` that says "handled".

use ruff_python_ast::{ExceptHandler, Expr, Stmt};
use ruff_text_size::Ranged;

use super::code::{last, truth};
use super::reading::{At, Reading};
use super::rule::Rule;
use super::site::{Extent, Site};
use super::told::{Duty, body_reads, is_silent, reads};

/// Errors that carry all sorts of trouble, that of the loop among them.
const CARRIERS: [&str; 16] = [
    "BaseException",
    "Exception",
    "RuntimeError",
    "Warning",
    "RuntimeWarning",
    "ResourceWarning",
    "DeprecationWarning",
    "BaseExceptionGroup",
    "ExceptionGroup",
    "CancelledError",
    "InvalidStateError",
    "GeneratorExit",
    "AssertionError",
    "AttributeError",
    "SystemExit",
    "InterfaceError",
];

/// Every such place of a file.
pub(super) fn sites(reading: &Reading<'_>, out: &mut Vec<Site>) {
    for (node, at) in &reading.tries {
        for handler in &node.handlers {
            let ExceptHandler::ExceptHandler(handler) = handler;
            let types = types(reading, handler.type_.as_deref());
            let duty = duty(&types);
            let error = handler.name.as_ref().map(ruff_python_ast::Identifier::as_str);
            if !is_silent(reading, &handler.body, error, duty)
                || is_expected(reading, &types, &node.body, *at)
            {
                continue;
            }
            let shown = shown(&types);
            out.push(Site {
                message: format!("an `except {shown}` lets the error vanish: name the error, log it with its traceback and handle its absence, or raise it again"),
                ..site(reading, handler.range, *at, &types, &node.body, &reading.code_of(&handler.body))
            });
        }
        for stmt in leaving(&node.finalbody) {
            out.push(Site {
                message: "leaving a `finally` block this way drops the error that was on its way".to_owned(),
                ..site(reading, stmt.range(), *at, &[], &node.body, "finally")
            });
        }
    }
    for (node, at) in &reading.withs {
        for item in &node.items {
            if let Some(types) = suppressed(reading, &item.context_expr)
                && !is_expected(reading, &types, &node.body, *at)
            {
                out.push(Site {
                    message: format!("`suppress({})` lets the error vanish", types.join(", ")),
                    ..site(reading, item.range(), *at, &types, &node.body, "pass")
                });
            }
        }
    }
    for call in &reading.calls {
        // A `suppress` that is entered by an exit stack.
        if call.dotted.ends_with("enter_context")
            && let Some(types) = call.node.arguments.args.first().and_then(|arg| suppressed(reading, arg))
        {
            out.push(Site {
                message: format!("`suppress({})` lets every error after it vanish", types.join(", ")),
                ..site(reading, call.node.range(), call.at, &types, &[], "pass")
            });
        }
    }
    exits(reading, out);
}

fn site(
    reading: &Reading<'_>,
    range: ruff_text_size::TextRange,
    at: At,
    types: &[String],
    guarded: &[Stmt],
    body: &str,
) -> Site {
    let calls = guarded_calls(reading, guarded);
    let function = last(reading.function_name(at)).to_owned();
    Site {
        rule: Rule::SwallowedException,
        key: format!("{}|{body}|{}", types.join(","), reading.code_of(guarded)),
        extent: Some(Extent { function, types: types.to_vec(), guarded: calls }),
        path: reading.path.to_owned(),
        line: reading.line(range),
        message: String::new(),
    }
}

/// What a handler catches.
pub(super) fn types(reading: &Reading<'_>, of: Option<&Expr>) -> Vec<String> {
    match of {
        None => vec!["BaseException".to_owned()],
        Some(Expr::Tuple(tuple)) => tuple.elts.iter().flat_map(|class| types(reading, Some(class))).collect(),
        Some(Expr::Name(name))
            if matches!(reading.values.get(name.id.as_str()), Some(Some(Expr::Tuple(_)))) =>
        {
            let value = reading.values.get(name.id.as_str()).copied().flatten();
            match value {
                Some(Expr::Tuple(tuple)) => {
                    tuple.elts.iter().map(|class| last(&reading.dotted(class)).to_owned()).collect()
                }
                _ => Vec::new(),
            }
        }
        Some(class) => {
            let name = reading.resolved(class);
            vec![if name.is_empty() { "Exception".to_owned() } else { last(&name).to_owned() }]
        }
    }
}

fn shown(types: &[String]) -> String {
    if types.len() == 1 { types[0].clone() } else { format!("({})", types.join(", ")) }
}

pub(super) fn duty(types: &[String]) -> Duty {
    if types.iter().any(|class| CARRIERS.contains(&class.as_str())) { Duty::Report } else { Duty::Answer }
}

fn suppressed(reading: &Reading<'_>, expr: &Expr) -> Option<Vec<String>> {
    let call = expr.as_call_expr()?;
    let name = reading.resolved(&call.func);
    (last(&name) == "suppress").then(|| {
        let args = &call.arguments.args;
        let starred = args.iter().any(Expr::is_starred_expr);
        let classes = args.iter().flat_map(|arg| types(reading, Some(arg)));
        if starred { vec!["Exception".to_owned()] } else { classes.collect() }
    })
}

/// Whether the error is one that the guarded code is written to bring about, so that it tells nothing.
fn is_expected(reading: &Reading<'_>, types: &[String], guarded: &[Stmt], at: At) -> bool {
    let calls = guarded_calls(reading, guarded);
    let calls_one_of = |names: &[&str]| calls.iter().any(|call| names.contains(&call.as_str()));
    let all = |names: &[&str]| !types.is_empty() && types.iter().all(|class| names.contains(&class.as_str()));
    let one = guarded.len() == 1;
    if all(&["CancelledError"]) {
        return guarded.iter().all(|stmt| is_wait(reading, stmt)) && cancels_in(reading, at)
            || is_told_to_end(reading, at);
    }
    if all(&["TimeoutError"]) {
        let limited = calls_one_of(&["wait_for", "timeout", "timeout_at", "move_on_after", "fail_after"]);
        return one && limited && calls_one_of(&["wait", "shield", "join"]) && calls.len() <= 3;
    }
    if all(&["RuntimeError"]) {
        return one && calls == ["get_running_loop"];
    }
    if all(&["KeyboardInterrupt"]) {
        return calls_one_of(&["run", "run_until_complete", "run_forever", "run_app"]);
    }
    one && (all(&["QueueEmpty", "Empty"]) && calls_one_of(&["get_nowait"])
        || all(&["QueueFull", "Full"]) && calls_one_of(&["put_nowait"])
        || all(&["NotImplementedError"]) && calls_one_of(&["add_signal_handler", "remove_signal_handler"])
        || all(&["ProcessLookupError"]) && calls_one_of(&["kill", "terminate", "send_signal", "killpg"])
        || all(&["StopIteration", "StopAsyncIteration"])
            && calls_one_of(&["next", "anext", "__anext__", "asend"])
        || all(&["FileNotFoundError"]) && calls_one_of(&["unlink", "remove", "rmtree"]))
        || all(&["ImportError", "ModuleNotFoundError"])
            && guarded.iter().all(|stmt| stmt.is_import_stmt() || stmt.is_import_from_stmt())
}

/// Whether a statement does nothing but wait for something.
fn is_wait(reading: &Reading<'_>, stmt: &Stmt) -> bool {
    let value = match stmt {
        Stmt::Expr(node) => &node.value,
        Stmt::Assign(node) => &node.value,
        _ => return false,
    };
    value.is_await_expr()
        || value.as_call_expr().is_some_and(|call| last(&reading.dotted(&call.func)) == "run_until_complete")
}

/// Whether the function has a signal cancel its task: being cancelled is how it is told to end.
fn is_told_to_end(reading: &Reading<'_>, at: At) -> bool {
    reading.calls_in(at.function).any(|call| {
        matches!(last(&call.dotted), "add_signal_handler" | "signal")
            && call.node.arguments.args.get(1).is_some_and(|handler| {
                let own = handler.as_name_expr().and_then(|name| reading.function_named(name.id.as_str()));
                own.map_or_else(|| reading.code(handler), |function| function.body.clone())
                    .contains(".cancel")
            })
    })
}

/// Whether the function cancels something itself.
pub(super) fn cancels_in(reading: &Reading<'_>, at: At) -> bool {
    reading.calls_in(at.function).any(|call| last(&call.dotted) == "cancel")
}

/// The names of the calls in some statements; ways to close are one.
fn guarded_calls(reading: &Reading<'_>, body: &[Stmt]) -> Vec<String> {
    let Some((first, last_one)) = body.first().zip(body.last()) else { return Vec::new() };
    let range = first.range().cover(ruff_text_size::Ranged::range(last_one));
    let inside = reading.calls.iter().filter(|call| range.contains_range(call.node.range()));
    inside
        .map(|call| match last(&call.dotted) {
            "aclose" => "close".to_owned(),
            "" => "?".to_owned(),
            name => name.to_owned(),
        })
        .collect()
}

/// Statements that leave a `finally` and so drop the error; those of loops and functions inside are their own.
fn leaving(body: &[Stmt]) -> Vec<&Stmt> {
    let mut found = Vec::new();
    for stmt in body {
        match stmt {
            Stmt::Return(_) | Stmt::Break(_) | Stmt::Continue(_) => found.push(stmt),
            Stmt::If(node) => {
                found.extend(leaving(&node.body));
                for clause in &node.elif_else_clauses {
                    found.extend(leaving(&clause.body));
                }
            }
            Stmt::With(node) => found.extend(leaving(&node.body)),
            Stmt::For(node) => {
                found.extend(leaving(&node.body).into_iter().filter(|stmt| stmt.is_return_stmt()));
            }
            Stmt::While(node) => {
                found.extend(leaving(&node.body).into_iter().filter(|stmt| stmt.is_return_stmt()));
            }
            Stmt::Try(node) => {
                found.extend(leaving(&node.body));
                found.extend(leaving(&node.finalbody));
            }
            _ => {}
        }
    }
    found
}

/// An `__exit__` that answers "handled" without telling of the error.
fn exits(reading: &Reading<'_>, out: &mut Vec<Site>) {
    for function in &reading.functions {
        let name = function.node.name.as_str();
        if !matches!(name, "__exit__" | "__aexit__") {
            continue;
        }
        let parameters: Vec<&str> = function
            .node
            .parameters
            .iter_non_variadic_params()
            .map(|parameter| parameter.parameter.name.as_str())
            .skip(1)
            .collect();
        let mut given = Vec::new();
        returns(&function.node.body, &mut given);
        for value in given {
            let judges = parameters.iter().any(|parameter| reads(value, parameter));
            let handled = truth(value) == Some(true)
                || judges && !value.is_call_expr() && !value.is_await_expr()
                || value.as_call_expr().is_some_and(|call| {
                    judges
                        && matches!(last(&reading.dotted(&call.func)), "issubclass" | "isinstance" | "bool")
                });
            let told = parameters.get(1).is_some_and(|error| {
                !is_silent(reading, &function.node.body, Some(error), Duty::Report)
                    && body_reads(&function.node.body, error)
            });
            if handled && !told {
                out.push(Site {
                    rule: Rule::SwallowedException,
                    key: format!("{name}|{}", reading.code(value)),
                    extent: None,
                    path: reading.path.to_owned(),
                    line: reading.line(value),
                    message: format!("`{name}` says that the error is handled, and nothing tells of it"),
                });
            }
        }
    }
}

/// What a function returns, functions inside it left out.
pub(super) fn returns<'s>(body: &'s [Stmt], out: &mut Vec<&'s Expr>) {
    for stmt in body {
        match stmt {
            Stmt::Return(node) => out.extend(node.value.as_deref()),
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            other => {
                for block in loopmend_python::edit::blocks_of(other) {
                    returns(block, out);
                }
            }
        }
    }
}
