//! Warnings and log records that are kept from being seen.

use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::Ranged;

use super::code::{last, number, string, truth};
use super::hooks::swallows;
use super::reading::Reading;
use super::rule::Rule;
use super::site::Site;

/// The level of WARNING: below and at it, nothing of the loop's trouble is kept back.
const WARNING: f64 = 30.0;

/// Every such place of a file.
pub(super) fn sites(reading: &Reading<'_>, out: &mut Vec<Site>) {
    for call in &reading.calls {
        let name = reading.dotted_call(&call.node.func);
        let arguments = &call.node.arguments;
        let mut add = |rule: Rule, message: &str| out.push(site(reading, rule, call.node, message));
        match last(&name) {
            "filterwarnings" | "simplefilter" if action(arguments.find_argument_value("action", 0)) => {
                add(Rule::WarningFilter, "a filter that keeps warnings from being seen");
            }
            "catch_warnings" if action(arguments.find_keyword("action").map(|keyword| &keyword.value)) => {
                add(Rule::WarningFilter, "a filter that keeps warnings from being seen");
            }
            "catch_warnings"
                if arguments
                    .find_keyword("record")
                    .is_some_and(|keyword| truth(&keyword.value) == Some(true))
                    && !reading.withs.iter().any(|(node, _)| {
                        node.items.iter().any(|item| {
                            item.optional_vars.is_some() && item.context_expr.range() == call.node.range()
                        })
                    }) =>
            {
                add(Rule::WarningFilter, "warnings are recorded, and nobody looks at the record");
            }
            "clear" if name.ends_with(".handlers.clear") => {
                add(Rule::LogFilter, "a logger loses its handlers");
            }
            "addHandler"
                if is_loop_logger(reading, &call.node.func)
                    && arguments.args.first().is_some_and(|handler| {
                        last(reading.dotted(handler).trim_end_matches("()")) == "NullHandler"
                    }) =>
            {
                add(Rule::LogFilter, "the loop's records go to a handler that throws them away");
            }
            "setLevel" => {
                if let Some(level) = arguments.args.first().and_then(|level| level_of(reading, level))
                    && level > WARNING
                {
                    add(
                        Rule::LogFilter,
                        "a logger's level is raised above WARNING: what it would tell is lost",
                    );
                }
            }
            "addFilter" if arguments.args.first().is_some_and(|filter| drops_records(reading, filter)) => {
                add(Rule::LogFilter, "a filter that drops log records");
            }
            "disable" if name == "logging.disable" || name.ends_with("logging.disable") => {
                let lifts =
                    arguments.args.first().is_some_and(|level| last(&reading.dotted(level)) == "NOTSET");
                if !lifts {
                    add(Rule::LogFilter, "logging is switched off");
                }
            }
            "basicConfig" => {
                let level =
                    arguments.find_keyword("level").and_then(|keyword| level_of(reading, &keyword.value));
                if level.is_some_and(|level| level > WARNING) {
                    add(Rule::LogFilter, "the level of all loggers is raised above WARNING");
                }
            }
            "ignore_logger" => {
                add(Rule::DroppedEvent, "a logger's records no longer reach the error tracker");
            }
            "set_exception_handler" | "register_unraisablehook"
                if arguments.args.first().is_some_and(|hook| swallows(reading, hook)) =>
            {
                add(Rule::SwallowingHook, "an exception handler of the loop that tells nobody");
            }
            _ => {}
        }
        keywords(reading, call.node, out);
    }
    for assigned in &reading.assigned {
        let target = reading.dotted(assigned.target);
        let attribute = last(&target);
        let mut add = |rule: Rule, message: &str| {
            let key = format!("{target}={}", reading.code(assigned.value));
            out.push(site(reading, rule, assigned.target, message).with_key(key));
        };
        match attribute {
            "unraisablehook" | "excepthook" if swallows(reading, assigned.value) => {
                add(Rule::SwallowingHook, "an exception hook that tells nobody");
            }
            "showwarning" | "_showwarning" | "_showwarnmsg" | "formatwarning" | "warn" | "warn_explicit"
                if target.contains("warnings.") && swallows(reading, assigned.value) =>
            {
                add(Rule::WarningFilter, "warnings are thrown away where they would be shown");
            }
            "disabled"
                if target.contains('.')
                    && truth(assigned.value) == Some(true)
                    && is_logger(reading, assigned.target) =>
            {
                add(Rule::LogFilter, "a logger is switched off");
            }
            "propagate"
                if target.contains('.')
                    && truth(assigned.value) == Some(false)
                    && is_logger(reading, assigned.target) =>
            {
                add(Rule::LogFilter, "a logger's records no longer reach the handlers");
            }
            "raiseExceptions"
                if target.ends_with("logging.raiseExceptions") && truth(assigned.value) == Some(false) =>
            {
                add(Rule::LogFilter, "failures of logging itself are no longer shown");
            }
            "handlers" | "filters" if matches!(assigned.value, Expr::List(list) if list.elts.is_empty()) => {
                add(Rule::LogFilter, "a logger loses its handlers");
            }
            _ => {}
        }
        if let Expr::Dict(_) = assigned.value {
            levels(reading, assigned.value, out);
        }
    }
    super::events::sites(reading, out);
}

impl Reading<'_> {
    /// The dotted name of what is called, through names that are bound once.
    pub(super) fn dotted_call(&self, func: &Expr) -> String {
        match func {
            Expr::Attribute(attribute) => format!("{}.{}", self.resolved(&attribute.value), attribute.attr),
            other => self.resolved(other),
        }
    }
}

pub(super) fn site(
    reading: &Reading<'_>,
    rule: Rule,
    at: impl ruff_text_size::Ranged,
    message: &str,
) -> Site {
    let range = at.range();
    Site {
        rule,
        key: reading.code(range),
        extent: None,
        path: reading.path.to_owned(),
        line: reading.line(range),
        message: message.to_owned(),
    }
}

/// Whether a warning filter's action hides.
fn action(action: Option<&Expr>) -> bool {
    action.and_then(string).is_some_and(|action| action.trim_start().starts_with("ignore"))
}

fn is_logger(reading: &Reading<'_>, target: &Expr) -> bool {
    let Expr::Attribute(attribute) = target else { return false };
    let owner = reading.resolved(&attribute.value).to_lowercase();
    owner.contains("getlogger") || owner.contains("log")
}

/// Whether a method is called on asyncio's logger.
fn is_loop_logger(reading: &Reading<'_>, func: &Expr) -> bool {
    let Expr::Attribute(attribute) = func else { return false };
    let value = match &*attribute.value {
        Expr::Name(name) => reading.values.get(name.id.as_str()).copied().flatten(),
        other => Some(other),
    };
    value.and_then(Expr::as_call_expr).is_some_and(|call| {
        call.arguments
            .args
            .first()
            .and_then(string)
            .is_some_and(|name| name == "asyncio" || name.starts_with("asyncio."))
    })
}

/// A log level's number.
fn level_of(reading: &Reading<'_>, level: &Expr) -> Option<f64> {
    if let Some(value) = number(level) {
        return Some(value);
    }
    if let Expr::BinOp(binary) = level {
        return Some(level_of(reading, &binary.left)? + level_of(reading, &binary.right)?);
    }
    let name = string(level).map_or_else(|| reading.dotted(level), str::to_owned);
    Some(match last(&name).to_uppercase().as_str() {
        "CRITICAL" | "FATAL" => 50.0,
        "ERROR" => 40.0,
        "WARNING" | "WARN" => 30.0,
        "INFO" => 20.0,
        "DEBUG" => 10.0,
        "NOTSET" => 0.0,
        _ => return None,
    })
}

/// Levels in a configuration as `dictConfig` takes it, and in keywords of servers.
fn levels(reading: &Reading<'_>, value: &Expr, out: &mut Vec<Site>) {
    let Expr::Dict(dict) = value else { return };
    for item in &dict.items {
        let key = item.key.as_ref().and_then(string).unwrap_or_default();
        if key == "level" && level_of(reading, &item.value).is_some_and(|level| level > WARNING) {
            out.push(site(reading, Rule::LogFilter, value, "a logger's level is raised above WARNING"));
        }
        levels(reading, &item.value, out);
    }
}

fn keywords(reading: &Reading<'_>, call: &ruff_python_ast::ExprCall, out: &mut Vec<Site>) {
    for keyword in &call.arguments.keywords {
        let Some(name) = keyword.arg.as_ref().map(ruff_python_ast::Identifier::as_str) else { continue };
        let level = || level_of(reading, &keyword.value).is_some_and(|level| level > WARNING);
        let found = match name {
            "log_level" if level() => {
                Some((Rule::LogFilter, "the server's log level is raised above WARNING"))
            }
            "lifespan" if string(&keyword.value) == Some("off") => Some((
                Rule::ErrorsNotRaised,
                "the server no longer runs the application's start-up and shutdown",
            )),
            "raise_server_exceptions" | "raise_app_exceptions" if truth(&keyword.value) == Some(false) => {
                Some((Rule::ErrorsNotRaised, "errors of the application are no longer raised in the test"))
            }
            "ignore_errors" if !is_empty(&keyword.value) && is_tracker(reading, call) => {
                Some((Rule::DroppedEvent, "errors that are no longer sent to the error tracker"))
            }
            "sample_rate"
                if number(&keyword.value).is_some_and(|rate| rate < 1.0) && is_tracker(reading, call) =>
            {
                Some((Rule::DroppedEvent, "only a part of the errors is sent to the error tracker"))
            }
            "event_level" if matches!(keyword.value, Expr::NoneLiteral(_)) => {
                Some((Rule::DroppedEvent, "logged errors are no longer sent to the error tracker"))
            }
            "excepthook" | "exception_handler" | "unraisablehook" if swallows(reading, &keyword.value) => {
                Some((Rule::SwallowingHook, "an exception handler that tells nobody"))
            }
            _ => None,
        };
        if let Some((rule, message)) = found {
            let found = site(reading, rule, keyword, message);
            // However the client of the test is told so.
            let key = if rule == Rule::ErrorsNotRaised { rule.name().to_owned() } else { found.key.clone() };
            out.push(found.with_key(key));
        }
    }
    for argument in &call.arguments.args {
        levels(reading, argument, out);
    }
}

fn is_empty(value: &Expr) -> bool {
    matches!(value, Expr::List(list) if list.elts.is_empty())
        || matches!(value, Expr::Tuple(tuple) if tuple.elts.is_empty())
        || value.is_none_literal_expr()
}

fn is_tracker(reading: &Reading<'_>, call: &ruff_python_ast::ExprCall) -> bool {
    let name = reading.dotted(&call.func);
    last(&name) == "init" || name.to_lowercase().contains("client") && name.contains("sentry")
}

/// Whether a log filter lets some records vanish: one that only adds to them says true always.
fn drops_records(reading: &Reading<'_>, filter: &Expr) -> bool {
    let value = match filter {
        Expr::Name(name) => match reading.values.get(name.id.as_str()) {
            Some(Some(value)) => value,
            _ => filter,
        },
        other => other,
    };
    match value {
        Expr::Lambda(lambda) => truth(&lambda.body) != Some(true),
        Expr::Name(name) => {
            reading.function_named(name.id.as_str()).is_none_or(|function| !says_true(&function.node.body))
        }
        Expr::Call(call) => {
            let name = reading.dotted(&call.func);
            let class = reading.classes.iter().find(|class| class.node.name.as_str() == last(&name));
            let filter = class.and_then(|class| {
                class
                    .node
                    .body
                    .iter()
                    .filter_map(Stmt::as_function_def_stmt)
                    .find(|method| method.name.as_str() == "filter")
            });
            filter.is_none_or(|method| !says_true(&method.body))
        }
        _ => true,
    }
}

/// Whether all that a function returns is true.
fn says_true(body: &[Stmt]) -> bool {
    let mut returns = Vec::new();
    super::swallowed::returns(body, &mut returns);
    !returns.is_empty() && returns.iter().all(|value| truth(value) == Some(true))
}
