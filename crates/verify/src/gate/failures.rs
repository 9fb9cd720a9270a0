//! Failures of tasks that nobody looks at.

use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{CmpOp, Expr, Stmt, UnaryOp};
use ruff_text_size::Ranged;

use super::code::{last, truth};
use super::reading::{Call, Fate, Reading};
use super::rule::Rule;
use super::site::Site;
use super::swallowed::cancels_in;
use super::told::{Duty, is_silent, reads};

/// A key that begins so is of a wait for tasks at the end of things: news only where that wait told of failures before.
pub(super) const LAST_WAIT: &str = "last wait|";

/// Every such place of a file.
pub(super) fn sites(reading: &Reading<'_>, out: &mut Vec<Site>) {
    for call in &reading.calls {
        if let Some(message) = dropped(reading, call) {
            let key = match awaited(reading, call) {
                Some(tasks) if is_last(reading, call) => format!("{LAST_WAIT}{tasks}"),
                _ => format!("{}|{message}", reading.code(&*call.node.func)),
            };
            out.push(Site {
                rule: Rule::DroppedFailures,
                key,
                extent: None,
                path: reading.path.to_owned(),
                line: reading.line(call.node),
                message,
            });
        }
    }
}

fn dropped(reading: &Reading<'_>, call: &Call<'_>) -> Option<String> {
    match last(&call.dotted) {
        "gather" => {
            let kept = call.node.arguments.find_keyword("return_exceptions")?;
            let drops = truth(&kept.value) == Some(true)
                && !is_reported(reading, call)
                && !cancels_in(reading, call.at);
            drops.then(|| {
                "a `gather` that keeps exceptions as results, which nobody reports: look at each result, and log or raise those that are exceptions".to_owned()
            })
        }
        // `task.exception()` marks the exception as seen.
        "exception"
            if call.node.arguments.is_empty() && (call.fate != Fate::Used || is_callback(reading, call)) =>
        {
            let quiet = match call.fate {
                Fate::Dropped => true,
                Fate::Named(name) => !is_read_after(reading, call, name),
                // The body of a lambda given as a callback; a function that returns it gives it to somebody.
                Fate::Returned | Fate::Used => is_callback(reading, call),
            };
            quiet.then(|| "a task's exception is fetched only so that nobody is told of it".to_owned())
        }
        _ => None,
    }
}

/// The tasks of a `gather` whose failures are raised.
pub(super) fn raising(reading: &Reading<'_>) -> Vec<String> {
    let raises = reading.calls.iter().filter(|call| {
        last(&call.dotted) == "gather" && call.node.arguments.find_keyword("return_exceptions").is_none()
    });
    raises.filter_map(|call| awaited(reading, call)).collect()
}

/// What a `gather` waits for, where these are tasks that exist already.
fn awaited(reading: &Reading<'_>, call: &Call<'_>) -> Option<String> {
    let args = &call.node.arguments.args;
    let kept = |arg: &Expr| match arg {
        Expr::Starred(starred) => {
            starred.value.is_name_expr()
                || starred.value.is_attribute_expr()
                || starred.value.is_subscript_expr()
        }
        other => other.is_name_expr() || other.is_attribute_expr(),
    };
    let all = last(&call.dotted) == "gather" && !args.is_empty() && args.iter().all(kept);
    all.then(|| args.iter().map(|arg| reading.code(arg)).collect::<Vec<_>>().join(","))
}

/// Whether a call stands where things end: behind a `yield`, in a `finally`, or in a function that is named for it.
fn is_last(reading: &Reading<'_>, call: &Call<'_>) -> bool {
    const NAMES: [&str; 9] =
        ["stop", "close", "shutdown", "finish", "cleanup", "clean_up", "drain", "teardown", "exit"];
    let function = last(reading.function_name(call.at)).to_lowercase();
    let start = call.node.range().start();
    let in_finally = reading.tries.iter().any(|(node, _)| {
        node.finalbody.first().is_some_and(|first| first.range().start() <= start)
            && node.finalbody.last().is_some_and(|end| start <= end.range().end())
    });
    let mut yields = Yields { before: start, found: false };
    yields.visit_body(body_of(reading, call));
    in_finally || yields.found || NAMES.iter().any(|name| function.contains(name))
}

struct Yields {
    before: ruff_text_size::TextSize,
    found: bool,
}

impl<'a> Visitor<'a> for Yields {
    fn visit_expr(&mut self, expr: &'a Expr) {
        self.found |= expr.is_yield_expr() && expr.range().end() < self.before;
        ruff_python_ast::visitor::walk_expr(self, expr);
    }
}

/// Whether a call is all that a lambda does, be it on a condition: `lambda done: done.cancelled() or done.exception()`.
fn is_callback(reading: &Reading<'_>, call: &Call<'_>) -> bool {
    reading.lambdas.iter().any(|(lambda, _)| match &*lambda.body {
        Expr::Call(body) => body.range() == call.node.range(),
        Expr::BoolOp(body) => body.values.iter().any(|value| value.range() == call.node.range()),
        Expr::If(body) => body.body.range() == call.node.range() || body.orelse.range() == call.node.range(),
        _ => false,
    })
}

/// Whether the function reads a name after a call.
fn is_read_after(reading: &Reading<'_>, call: &Call<'_>, name: &str) -> bool {
    if name == "_" {
        return false;
    }
    let body = body_of(reading, call);
    let mut uses = Uses { name, after: call.node.range().end(), found: false };
    uses.visit_body(body);
    uses.found
}

fn body_of<'s>(reading: &Reading<'s>, call: &Call<'s>) -> &'s [Stmt] {
    call.at.function.map_or(reading.source.body(), |index| &reading.functions[index].node.body)
}

struct Uses<'n> {
    name: &'n str,
    after: ruff_text_size::TextSize,
    found: bool,
}

impl<'a> Visitor<'a> for Uses<'_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if let Expr::Name(name) = expr
            && name.ctx.is_load()
            && name.id.as_str() == self.name
            && name.range.start() >= self.after
        {
            self.found = true;
        }
        ruff_python_ast::visitor::walk_expr(self, expr);
    }
}

/// Whether the exceptions among the results are told of, or handed to somebody else.
fn is_reported(reading: &Reading<'_>, call: &Call<'_>) -> bool {
    match call.fate {
        Fate::Dropped => false,
        Fate::Returned => true,
        // `for result in await gather(…)`, or an argument of another call.
        Fate::Used => looks_at(reading, call, None),
        Fate::Named(name) => is_read_after(reading, call, name) && looks_at(reading, call, Some(name)),
    }
}

/// Whether results are looked through for exceptions that are then told of, or leave the function whole.
fn looks_at(reading: &Reading<'_>, call: &Call<'_>, results: Option<&str>) -> bool {
    let mut names: Vec<&str> = results.into_iter().collect();
    // The failures among them: `errors = [result for result in results if isinstance(result, Exception)]`.
    for assigned in &reading.assigned {
        if let Expr::Name(target) = assigned.target
            && assigned.at.function == call.at.function
            && names.iter().any(|name| reads(assigned.value, name))
            && keeps_failures(reading, assigned.value)
        {
            names.push(target.id.as_str());
        }
    }
    let mut looks = Looks { reading, call, results: names, told: false };
    looks.visit_body(body_of(reading, call));
    looks.told
}

/// Whether a value made of results still holds the failures among them.
fn keeps_failures(reading: &Reading<'_>, value: &Expr) -> bool {
    let filters = match value {
        Expr::ListComp(comprehension) => &comprehension.generators,
        Expr::SetComp(comprehension) => &comprehension.generators,
        Expr::Generator(comprehension) => &comprehension.generators,
        _ => return true,
    };
    filters.iter().flat_map(|generator| &generator.ifs).all(|test| {
        let code = reading.code(test);
        code.contains("isinstance(")
            && !code.contains("not isinstance(")
            && (code.contains("Exception") || code.contains("Error"))
    })
}

struct Looks<'r, 's> {
    reading: &'r Reading<'s>,
    call: &'r Call<'s>,
    results: Vec<&'r str>,
    told: bool,
}

impl Looks<'_, '_> {
    /// Whether an expression is the results, or made of them.
    fn is_results(&self, expr: &Expr) -> bool {
        if self.results.is_empty() {
            return expr.range().contains_range(self.call.node.range());
        }
        self.results.iter().any(|name| reads(expr, name))
    }

    /// `isinstance(result, Exception)`: the name of the result, and whether it is the other way round.
    fn asks(&self, test: &Expr) -> Option<(String, bool)> {
        match test {
            Expr::UnaryOp(unary) if unary.op == UnaryOp::Not => {
                self.asks(&unary.operand).map(|(name, inverted)| (name, !inverted))
            }
            Expr::BoolOp(bool_op) => bool_op.values.iter().find_map(|value| self.asks(value)),
            Expr::Call(call) if last(&self.reading.dotted(&call.func)) == "isinstance" => {
                let subject = call.arguments.args.first()?;
                Some((self.reading.code(subject), false))
            }
            Expr::Compare(compare) if matches!(&*compare.ops, [CmpOp::IsNot]) => {
                Some((self.reading.code(&*compare.left), false))
            }
            _ => None,
        }
    }
}

impl<'a> Visitor<'a> for Looks<'_, '_> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            // Any question in the body of a loop over results (or over a list made of them) whose answer is told.
            Stmt::For(node) => {
                for inner in &node.body {
                    self.visit_stmt(inner);
                }
                let whole = self.is_results(&node.iter);
                let name = node.target.as_name_expr().map(|name| name.id.as_str());
                if whole
                    && name.is_some_and(|name| !is_silent(self.reading, &node.body, Some(name), Duty::Report))
                {
                    self.told = true;
                }
                return;
            }
            Stmt::If(node) => {
                if let Some((name, inverted)) = self.asks(&node.test) {
                    let branch = if inverted {
                        node.elif_else_clauses.last().map(|clause| &clause.body)
                    } else {
                        Some(&node.body)
                    };
                    if branch
                        .is_some_and(|branch| !is_silent(self.reading, branch, Some(&name), Duty::Report))
                    {
                        self.told = true;
                    }
                }
                // `if any(isinstance(result, Exception) for result in results): raise …`
                let asks_all =
                    self.is_results(&node.test) && self.reading.code(&*node.test).contains("isinstance(");
                self.told |= asks_all && node.body.iter().any(Stmt::is_raise_stmt);
            }
            Stmt::Return(node) => {
                // Handed to the caller as they are; not where they were sorted out.
                if let Some(value) = &node.value
                    && (matches!(&**value, Expr::Name(name) if self.results.contains(&name.id.as_str()))
                        || value.as_call_expr().is_some_and(|call| {
                            !self.results.is_empty()
                                && call.arguments.args.iter().any(|arg| self.is_results(arg))
                        }))
                {
                    self.told = true;
                }
            }
            Stmt::Expr(node) => {
                // Given whole to another function: `report(results)`.
                if let Expr::Call(call) =
                    node.value.as_await_expr().map_or(&*node.value, |awaited| &awaited.value)
                    && !matches!(last(&self.reading.dotted(&call.func)), "print" | "debug" | "info")
                    && call.arguments.args.iter().any(|arg| {
                        matches!(arg, Expr::Name(name) if self.results.contains(&name.id.as_str()))
                            || self.results.is_empty() && self.is_results(arg)
                    })
                {
                    self.told = true;
                }
            }
            Stmt::Raise(node) => {
                if let Some(raised) = &node.exc
                    && !self.results.is_empty()
                    && self.is_results(raised)
                {
                    self.told = true;
                }
            }
            _ => {}
        }
        walk_stmt(self, stmt);
    }
}
