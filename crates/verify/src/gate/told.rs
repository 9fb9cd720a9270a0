//! Whether every way through a handler tells of the error: raises, reports it, hands it on, or does something else instead.

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Expr, ExprCall, Stmt};

use super::code::{is_constant, last, number};
use super::reading::Reading;

/// How much a handler of an error has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Duty {
    /// The error is of a kind that carries all sorts of trouble: raise, report with the traceback, or hand it on.
    Report,
    /// It is a hook, to which errors are told: a word at WARNING or above that names what it was given will do.
    Tell,
    /// The error is named precisely: anything that is done about it will do.
    Answer,
}

/// Whether there is a way through `body` on which nothing is told.
pub(super) fn is_silent(reading: &Reading<'_>, body: &[Stmt], error: Option<&str>, duty: Duty) -> bool {
    let paths = Teller { reading, error, duty }.body(body, false);
    paths.silent || paths.falls == Some(false)
}

struct Teller<'r, 's> {
    reading: &'r Reading<'s>,
    error: Option<&'r str>,
    duty: Duty,
}

/// The ways out of some statements.
#[derive(Clone, Copy)]
struct Paths {
    /// Whether all was told on the ways that reach the end; none where no way does.
    falls: Option<bool>,
    /// Some way leaves before the end and has told nothing.
    silent: bool,
}

impl Teller<'_, '_> {
    fn body(&self, body: &[Stmt], told: bool) -> Paths {
        let mut paths = Paths { falls: Some(told), silent: false };
        for stmt in body {
            let Some(told) = paths.falls else { break };
            let next = self.stmt(stmt, told);
            paths = Paths { falls: next.falls, silent: paths.silent || next.silent };
        }
        paths
    }

    fn stmt(&self, stmt: &Stmt, told: bool) -> Paths {
        let goes_on = |told: bool| Paths { falls: Some(told), silent: false };
        let leaves = |told: bool| Paths { falls: None, silent: !told };
        match stmt {
            Stmt::Raise(node) => {
                leaves(told || !node.exc.as_deref().is_some_and(|raised| self.is_quiet(raised)))
            }
            Stmt::Return(node) => {
                let answered = node.value.as_deref().is_some_and(|value| {
                    self.tells(value)
                        || self.names_error(value)
                        || self.duty == Duty::Answer && !is_constant(value)
                });
                leaves(told || answered)
            }
            Stmt::Break(_) | Stmt::Continue(_) => leaves(told),
            Stmt::If(node) => {
                let mut ways = vec![self.body(&node.body, told)];
                let mut exhaustive = false;
                for clause in &node.elif_else_clauses {
                    exhaustive |= clause.test.is_none();
                    ways.push(self.body(&clause.body, told));
                }
                // A retry that gives up in the end: the last attempt's error is raised.
                let retries = !self.names_error(&node.test)
                    && node.body.last().is_some_and(Stmt::is_raise_stmt)
                    && self.duty == Duty::Answer;
                if !exhaustive {
                    ways.push(goes_on(told || retries));
                }
                joined(&ways)
            }
            Stmt::With(node) => {
                let told = told || node.items.iter().any(|item| self.tells(&item.context_expr));
                self.body(&node.body, told)
            }
            Stmt::Try(node) => {
                let tried = self.body(&node.body, told);
                let mut ways = vec![tried];
                for handler in &node.handlers {
                    let ruff_python_ast::ExceptHandler::ExceptHandler(handler) = handler;
                    ways.push(self.body(&handler.body, told));
                }
                let ways = joined(&ways);
                match ways.falls {
                    Some(told) => {
                        let last = self.body(&node.finalbody, told);
                        Paths { falls: last.falls, silent: ways.silent || last.silent }
                    }
                    None => ways,
                }
            }
            Stmt::For(node) => {
                // It may run no time, but then there is nothing to tell of either.
                let inner = self.body(&node.body, told);
                Paths { falls: Some(inner.falls.unwrap_or(told) || told), silent: false }
            }
            Stmt::While(node) => goes_on(self.body(&node.body, told).falls.unwrap_or(told)),
            Stmt::Match(node) => {
                let ways: Vec<Paths> = node.cases.iter().map(|case| self.body(&case.body, told)).collect();
                joined(&ways)
            }
            Stmt::Expr(node) => goes_on(told || self.tells(&node.value)),
            Stmt::Assign(node) => {
                let kept = node.targets.iter().any(|target| !is_underscore(target));
                goes_on(told || self.tells(&node.value) || kept && self.answers(&node.value))
            }
            Stmt::AnnAssign(node) => {
                let value = node.value.as_deref();
                goes_on(told || value.is_some_and(|value| self.tells(value) || self.answers(value)))
            }
            Stmt::AugAssign(node) => {
                goes_on(told || self.duty == Duty::Answer || self.names_error(&node.value))
            }
            _ => goes_on(told),
        }
    }

    /// Whether binding a name to this value does something about the error.
    fn answers(&self, value: &Expr) -> bool {
        self.names_error(value) && !matches!(value, Expr::Call(call) if self.is_look(call))
            || self.duty == Duty::Answer
    }

    /// Whether evaluating an expression tells of the error.
    fn tells(&self, expr: &Expr) -> bool {
        let mut calls = Calls { found: Vec::new(), yields: false };
        calls.visit_expr(expr);
        calls.found.into_iter().any(|call| self.call_tells(call)) || calls.yields && self.duty == Duty::Answer
    }

    fn call_tells(&self, call: &ExprCall) -> bool {
        let dotted = self.reading.dotted(&call.func);
        let name = last(&dotted);
        let arguments = &call.arguments;
        let named = arguments.args.iter().any(|arg| self.names_error(arg))
            || arguments.keywords.iter().any(|keyword| self.names_error(&keyword.value));
        let traced = arguments
            .find_keyword("exc_info")
            .is_some_and(|keyword| super::code::truth(&keyword.value) != Some(false));
        match name {
            "exception" if !arguments.args.is_empty() => true,
            "debug" | "info" | "trace" | "isinstance" | "str" | "repr" | "type" | "len" | "format"
            | "sleep" => false,
            "log" => {
                let level =
                    arguments.args.first().map(|level| self.reading.dotted(level)).unwrap_or_default();
                let high = ["ERROR", "CRITICAL", "WARNING", "WARN", "FATAL"].contains(&last(&level));
                high && (traced || named && self.duty == Duty::Answer)
            }
            "error" | "critical" | "fatal" | "warning" | "warn" => {
                traced || self.duty == Duty::Answer || named && self.duty == Duty::Tell
            }
            "print_exc" | "print_exception" | "print_last" => true,
            "capture_exception" | "call_exception_handler" | "default_exception_handler" => true,
            "excepthook" | "__excepthook__" | "__unraisablehook__" => true,
            "fail" if dotted.starts_with("pytest") || dotted.starts_with("self") => true,
            "exit" | "_exit" => !Self::is_clean_exit(call),
            "skip" | "xfail" | "skipTest" | "importorskip" => false,
            "print" => {
                named && self.duty == Duty::Answer
                    || arguments.args.iter().any(|arg| self.tells_traceback(arg))
            }
            "write" => {
                arguments.args.iter().any(|arg| self.tells_traceback(arg))
                    || self.duty == Duty::Answer && named
            }
            _ => named || self.duty == Duty::Answer && !matches!(name, "suppress" | "nullcontext"),
        }
    }

    fn tells_traceback(&self, expr: &Expr) -> bool {
        let mut calls = Calls { found: Vec::new(), yields: false };
        calls.visit_expr(expr);
        calls
            .found
            .iter()
            .any(|call| matches!(last(&self.reading.dotted(&call.func)), "format_exc" | "format_exception"))
    }

    /// Whether a call only looks at the error.
    fn is_look(&self, call: &ExprCall) -> bool {
        matches!(last(&self.reading.dotted(&call.func)), "str" | "repr" | "isinstance" | "type" | "len")
    }

    fn is_clean_exit(call: &ExprCall) -> bool {
        call.arguments
            .args
            .first()
            .is_none_or(|status| matches!(status, Expr::NoneLiteral(_)) || number(status) == Some(0.0))
    }

    /// Whether raising this ends the matter instead of telling of it.
    fn is_quiet(&self, raised: &Expr) -> bool {
        let (class, call) = match raised {
            Expr::Call(call) => (self.reading.dotted(&call.func), Some(call)),
            other => (self.reading.dotted(other), None),
        };
        match last(&class) {
            "SystemExit" => call.is_none_or(Self::is_clean_exit),
            "SkipTest" | "Skipped" | "StopIteration" | "StopAsyncIteration" | "GeneratorExit" => true,
            _ => false,
        }
    }

    fn names_error(&self, expr: &Expr) -> bool {
        let Some(error) = self.error else { return false };
        let mut reads = Reads { name: error, found: false };
        reads.visit_expr(expr);
        reads.found
    }
}

fn is_underscore(target: &Expr) -> bool {
    matches!(target, Expr::Name(name) if name.id.as_str() == "_")
}

fn joined(ways: &[Paths]) -> Paths {
    let silent = ways.iter().any(|way| way.silent);
    let falls = ways.iter().filter_map(|way| way.falls).reduce(|one, other| one && other);
    Paths { falls, silent }
}

struct Calls<'a> {
    found: Vec<&'a ExprCall>,
    yields: bool,
}

impl<'a> Visitor<'a> for Calls<'a> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => self.found.push(call),
            Expr::Yield(_) | Expr::YieldFrom(_) => self.yields = true,
            // What it calls, it calls later.
            Expr::Lambda(_) => return,
            _ => {}
        }
        walk_expr(self, expr);
    }
}

struct Reads<'n> {
    name: &'n str,
    found: bool,
}

impl<'a> Visitor<'a> for Reads<'_> {
    fn visit_expr(&mut self, expr: &'a Expr) {
        if matches!(expr, Expr::Name(name) if name.id.as_str() == self.name) {
            self.found = true;
        }
        walk_expr(self, expr);
    }
}

/// Whether an expression reads a name.
pub(super) fn reads(expr: &Expr, name: &str) -> bool {
    let mut reads = Reads { name, found: false };
    reads.visit_expr(expr);
    reads.found
}

/// Whether some statements read a name.
pub(super) fn body_reads(body: &[Stmt], name: &str) -> bool {
    let mut reads = Reads { name, found: false };
    reads.visit_body(body);
    reads.found
}
