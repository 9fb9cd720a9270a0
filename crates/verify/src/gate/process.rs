//! What is done to the process, to the loop and to libraries so that nothing is seen of trouble.

use ruff_python_ast::Expr;

use super::code::{is_constant, last, number, root, string, truth};
use super::filters::site;
use super::hooks::swallows;
use super::reading::Reading;
use super::rule::Rule;
use super::site::Site;

/// Methods whose replacement by something that does nothing takes a lifecycle's end away.
const ENDS: [&str; 14] = [
    "close",
    "aclose",
    "stop",
    "shutdown",
    "disconnect",
    "dispose",
    "wait_closed",
    "is_closed",
    "_check_closed",
    "_check_running",
    "shutdown_asyncgens",
    "call_exception_handler",
    "default_exception_handler",
    "call_soon",
];

/// Every such place of a file. In tests, doubles may stand for what they like.
pub(super) fn sites(reading: &Reading<'_>, in_tests: bool, out: &mut Vec<Site>) {
    for call in &reading.calls {
        let name = call.dotted.as_str();
        let arguments = &call.node.arguments;
        let mut add = |rule: Rule, message: &str| out.push(site(reading, rule, call.node, message));
        match last(name) {
            "_exit" if name == "os._exit" => add(
                Rule::HardExit,
                "`os._exit` ends the process without any clean-up, and without telling of it",
            ),
            "abort" if name == "os.abort" => {
                add(Rule::HardExit, "`os.abort` ends the process without any clean-up");
            }
            "kill"
                if arguments.args.first().is_some_and(|pid| reading.dotted(pid) == "os.getpid()")
                    && arguments
                        .args
                        .get(1)
                        .is_some_and(|signal| reading.dotted(signal).ends_with("SIGKILL")) =>
            {
                add(Rule::HardExit, "the process kills itself: no clean-up, and nothing is told");
            }
            "redirect_stderr" => add(Rule::HiddenOutput, "standard error goes where nobody reads it"),
            "dup2" if arguments.args.get(1).is_some_and(is_standard_error) => {
                add(Rule::HiddenOutput, "standard error goes where nobody reads it");
            }
            "close" if name == "sys.stderr.close" => add(Rule::HiddenOutput, "standard error is closed"),
            "set_debug" if arguments.args.first().is_some_and(|value| truth(value) == Some(false)) => {
                add(Rule::DebugOff, "the loop's debug mode is switched off");
            }
            "stop" if name == "tracemalloc.stop" => add(Rule::DebugOff, "tracemalloc is switched off"),
            "disable" | "freeze" if name == format!("gc.{}", last(name)) => {
                add(
                    Rule::HiddenOutput,
                    "with the collector off, what it would tell of leaked objects is never told",
                );
            }
            "apply" if name.starts_with("nest_asyncio") => {
                add(Rule::PatchedLibrary, "`nest_asyncio` replaces the loop's own checks");
            }
            "pop" | "unsetenv" | "delenv"
                if arguments.args.first().is_some_and(|name| string(name).is_some_and(is_debug_variable)) =>
            {
                add(Rule::DebugOff, "what makes Python tell of creation sites is switched off");
            }
            "setdefault" | "putenv" | "setenv" => {
                if let [name, value, ..] = &*arguments.args
                    && let Some((rule, message)) = variable(string(name), value)
                {
                    add(rule, message);
                }
            }
            "setattr" if !in_tests && arguments.args.len() == 3 => {
                let method = arguments.args.get(1).and_then(string).unwrap_or_default();
                if is_replaced(reading, &arguments.args[0], method, &arguments.args[2]) {
                    add(Rule::PatchedLibrary, "a method of a library is replaced so that it tells nothing");
                }
            }
            "setattr" | "object" if in_tests => {
                if let [.., method, value] = &*arguments.args
                    && string(method).is_some_and(|method| {
                        let owner =
                            arguments.args.first().map(|owner| reading.dotted(owner)).unwrap_or_default();
                        last(method).starts_with("__")
                            || owner.starts_with("asyncio") && ENDS.contains(&last(method))
                    })
                    && swallows(reading, value)
                {
                    add(Rule::PatchedLibrary, "a method of a library is replaced so that it tells nothing");
                }
            }
            _ => {}
        }
        if arguments.args.iter().any(|arg| matches!(reading.dotted(arg).as_str(), "os._exit" | "os.abort")) {
            out.push(site(reading, Rule::HardExit, call.node, "the process is ended without any clean-up"));
        }
        for keyword in &arguments.keywords {
            let Some(name) = keyword.arg.as_ref().map(ruff_python_ast::Identifier::as_str) else { continue };
            if name == "stderr" && last(&reading.dotted(&keyword.value)) == "DEVNULL" {
                out.push(site(
                    reading,
                    Rule::HiddenOutput,
                    keyword,
                    "what the child says on standard error is thrown away",
                ));
            }
            if name == "debug"
                && truth(&keyword.value) == Some(false)
                && matches!(last(call.dotted.as_str()), "run" | "Runner")
            {
                out.push(site(reading, Rule::DebugOff, keyword, "the loop's debug mode is switched off"));
            }
        }
    }
    for assigned in &reading.assigned {
        let target = reading.dotted(assigned.target);
        let mut add = |rule: Rule, message: &str| {
            let mut found = site(reading, rule, assigned.target, message);
            found.key = format!("{target}={}", reading.code(assigned.value));
            out.push(found);
        };
        if target == "sys.stderr" && !restores(reading, assigned.value) {
            add(Rule::HiddenOutput, "standard error goes where nobody reads it");
        }
        if let Expr::Subscript(subscript) = assigned.target
            && reading.dotted(&subscript.value).ends_with("environ")
            && let Some((rule, message)) = variable(string(&subscript.slice), assigned.value)
        {
            add(rule, message);
        }
        if let Expr::Attribute(attribute) = assigned.target
            && is_replaced(reading, &attribute.value, attribute.attr.as_str(), assigned.value)
            && (!in_tests || attribute.attr.as_str().starts_with("__"))
        {
            add(Rule::PatchedLibrary, "a method is replaced so that it does nothing and tells nothing");
        }
    }
    for (target, _) in &reading.deleted {
        match target {
            Expr::Attribute(attribute) if attribute.attr.as_str() == "__del__" => {
                out.push(site(
                    reading,
                    Rule::PatchedLibrary,
                    *target,
                    "a finaliser is taken away: what it would tell is lost",
                ));
            }
            Expr::Subscript(subscript) if string(&subscript.slice).is_some_and(is_debug_variable) => {
                out.push(site(
                    reading,
                    Rule::DebugOff,
                    *target,
                    "what makes Python tell of creation sites is switched off",
                ));
            }
            _ => {}
        }
    }
}

fn is_standard_error(target: &Expr) -> bool {
    number(target) == Some(2.0)
        || target.as_call_expr().is_some_and(|call| {
            matches!(&*call.func, Expr::Attribute(attribute) if attribute.attr.as_str() == "fileno" && format!("{:?}", attribute.value).contains("stderr"))
        })
}

/// Whether standard error gets back what it was, or a wrapper around what it is.
fn restores(reading: &Reading<'_>, value: &Expr) -> bool {
    let name = reading.resolved(value);
    if name == "sys.__stderr__" || name == "sys.stderr" || name == "sys.stdout" {
        return true;
    }
    match value {
        Expr::Call(call) => {
            call.arguments.args.iter().any(|arg| reading.resolved(arg).contains("sys.stderr"))
        }
        Expr::Name(name) => {
            let name = name.id.as_str().to_lowercase();
            name.contains("old") || name.contains("saved") || name.contains("orig") || name.contains("prev")
        }
        _ => false,
    }
}

pub(super) fn is_debug_variable(name: &str) -> bool {
    matches!(name, "PYTHONASYNCIODEBUG" | "PYTHONDEVMODE" | "PYTHONTRACEMALLOC")
}

/// What setting an environment variable to this value hides.
fn variable(name: Option<&str>, value: &Expr) -> Option<(Rule, &'static str)> {
    let value = string(value)?;
    match name? {
        "PYTHONWARNINGS" if value.contains("ignore") => {
            Some((Rule::WarningFilter, "warnings are kept from being seen by the environment"))
        }
        name if is_debug_variable(name) && matches!(value, "" | "0") => {
            Some((Rule::DebugOff, "what makes Python tell of creation sites is switched off"))
        }
        _ => None,
    }
}

/// Whether a method of something that is not this file's own is replaced by something that does nothing.
fn is_replaced(reading: &Reading<'_>, owner: &Expr, method: &str, value: &Expr) -> bool {
    let root = root(owner).unwrap_or_default();
    let foreign = reading.names.is_imported(root);
    let dunder = method.starts_with("__") && method.ends_with("__");
    let function = match value {
        Expr::Lambda(_) => true,
        Expr::Name(name) => reading.function_named(name.id.as_str()).is_some(),
        Expr::Call(call) => call.arguments.args.iter().any(|arg| {
            arg.is_lambda_expr()
                || matches!(arg, Expr::Attribute(attribute) if attribute.attr.as_str() == method)
        }),
        _ => false,
    };
    // `_ProactorBasePipeTransport.__del__ = quiet(…)`, `Transport.__del__ = None`.
    if dunder && !matches!(method, "__doc__" | "__name__" | "__wrapped__" | "__all__" | "__version__") {
        return function
            || value.is_none_literal_expr()
            || matches!(value, Expr::Call(_)) && method == "__del__";
    }
    let empty = match value {
        Expr::Lambda(lambda) => is_constant(&lambda.body),
        _ => swallows(reading, value) && function,
    };
    ENDS.contains(&method) && (empty || foreign && function)
}
