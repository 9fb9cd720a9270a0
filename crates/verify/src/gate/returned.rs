//! Errors that were raised, or set on a future, where now something is given back as if all was well.

use loopmend_python::edit::blocks_of;
use ruff_python_ast::{ExceptHandler, Expr, Stmt};

use super::code::{last, truth};
use super::lost::Voice;
use super::reading::{Function, Reading};
use super::swallowed::types;

/// Ways through a file's functions that end in an error, or in nothing.
pub(super) fn endings(reading: &Reading<'_>) -> Vec<Voice> {
    let mut out = Vec::new();
    for function in &reading.functions {
        let mut ways = Ways { reading, function, out: &mut out };
        if let [first @ .., end] = &*function.node.body {
            let before = first.last().map(|stmt| reading.code(stmt)).unwrap_or_default();
            let tells = if raises(reading, end) {
                Some(true)
            } else if matches!(end, Stmt::Return(node) if is_nothing(node.value.as_deref())) {
                Some(false)
            } else {
                None
            };
            ways.add(tells, &format!("end|{before}"), end);
        }
        ways.body(&function.node.body);
    }
    out
}

/// What is set on futures: an error, or nothing.
pub(super) fn settled(reading: &Reading<'_>) -> Vec<Voice> {
    let mut out = Vec::new();
    for call in &reading.calls {
        let Expr::Attribute(func) = &*call.node.func else { continue };
        let tells = match func.attr.as_str() {
            "set_exception" => true,
            "set_result" if is_nothing(call.node.arguments.args.first()) => false,
            _ => continue,
        };
        let function = last(reading.function_name(call.at));
        let key = format!("{function}|{}", reading.code(&*func.value));
        out.push(Voice { key, tells, path: reading.path.to_owned(), line: reading.line(call.node) });
    }
    out
}

struct Ways<'r, 's> {
    reading: &'r Reading<'s>,
    function: &'r Function<'s>,
    out: &'r mut Vec<Voice>,
}

impl Ways<'_, '_> {
    fn add(&mut self, tells: Option<bool>, key: &str, end: &Stmt) {
        let Some(tells) = tells else { return };
        let name = self.function.node.name.as_str();
        if !tells && self.is_closing(end) {
            return;
        }
        self.out.push(Voice {
            key: format!("{name}|{key}"),
            tells,
            path: self.reading.path.to_owned(),
            line: self.reading.line(end),
        });
    }

    /// Whether it ends a function that may be called twice with no harm: what is closed already is closed.
    fn is_closing(&self, end: &Stmt) -> bool {
        const NAMES: [&str; 10] = [
            "close", "stop", "shutdown", "exit", "cleanup", "teardown", "release", "cancel", "start",
            "dispose",
        ];
        let name = self.function.node.name.as_str();
        let bare = !matches!(end, Stmt::Return(node) if node.value.as_ref().is_some_and(|value| !value.is_none_literal_expr()));
        bare && NAMES.iter().any(|word| name.contains(word))
    }

    fn body(&mut self, body: &[Stmt]) {
        for stmt in body {
            match stmt {
                Stmt::FunctionDef(_) | Stmt::ClassDef(_) => continue,
                Stmt::If(node) => {
                    self.block(&node.body, &format!("if {}", self.reading.code(&*node.test)));
                    for clause in &node.elif_else_clauses {
                        let key = match &clause.test {
                            Some(test) => format!("if {}", self.reading.code(test)),
                            None => format!("else {}", self.reading.code(&*node.test)),
                        };
                        self.block(&clause.body, &key);
                    }
                }
                Stmt::Try(node) => {
                    for ExceptHandler::ExceptHandler(handler) in &node.handlers {
                        let types = types(self.reading, handler.type_.as_deref());
                        self.block(&handler.body, &format!("except {}", types.join(",")));
                    }
                }
                _ => {}
            }
            for block in blocks_of(stmt) {
                self.body(block);
            }
        }
    }

    fn block(&mut self, body: &[Stmt], condition: &str) {
        let [first @ .., end] = body else { return };
        // Something else that is done is an answer; what was done before the error as well is none.
        let done = |stmts: &[Stmt]| -> String {
            let works = stmts.iter().filter(|stmt| !self.is_word(stmt));
            works.map(|stmt| self.reading.code(stmt)).collect::<Vec<_>>().join(";")
        };
        let (tells, done) = if raises(self.reading, end) {
            (Some(true), done(first))
        } else {
            match end {
                Stmt::Return(node) if is_nothing(node.value.as_deref()) => (Some(false), done(first)),
                Stmt::Continue(_) | Stmt::Break(_) => (Some(false), done(first)),
                _ if body.iter().all(|stmt| self.is_quiet_word(stmt)) => (Some(false), String::new()),
                _ => (None, String::new()),
            }
        };
        self.add(tells, &format!("{condition}|{done}"), end);
    }

    /// A docstring, a `pass`, a record in the log.
    fn is_word(&self, stmt: &Stmt) -> bool {
        self.level(stmt).is_some() || self.is_quiet_word(stmt)
    }

    fn is_quiet_word(&self, stmt: &Stmt) -> bool {
        match stmt {
            Stmt::Pass(_) => true,
            Stmt::Expr(node)
                if node.value.is_string_literal_expr() || node.value.is_ellipsis_literal_expr() =>
            {
                true
            }
            _ => self.level(stmt) == Some(false),
        }
    }

    /// Whether a record is at WARNING or above, where a statement is one.
    fn level(&self, stmt: &Stmt) -> Option<bool> {
        let call = stmt.as_expr_stmt()?.value.as_call_expr()?;
        match last(&self.reading.dotted(&call.func)) {
            "exception" | "error" | "critical" | "fatal" | "warning" | "warn" => Some(true),
            "info" | "debug" | "trace" | "print" => Some(false),
            _ => None,
        }
    }
}

/// Whether a statement raises what tells of trouble: an end of an iteration or of the program does not.
fn raises(reading: &Reading<'_>, stmt: &Stmt) -> bool {
    const OTHER: [&str; 6] = [
        "NotImplementedError",
        "StopIteration",
        "StopAsyncIteration",
        "SystemExit",
        "KeyboardInterrupt",
        "CancelledError",
    ];
    let Stmt::Raise(node) = stmt else { return false };
    let class = match node.exc.as_deref() {
        Some(Expr::Call(call)) => reading.dotted(&call.func),
        Some(class) => reading.dotted(class),
        None => String::new(),
    };
    !OTHER.contains(&last(&class))
}

/// Whether a value says nothing: none, `None`, `False`, something empty.
fn is_nothing(value: Option<&Expr>) -> bool {
    value.is_none_or(|value| match value {
        Expr::Dict(dict) => dict.items.is_empty(),
        other => truth(other) == Some(false),
    })
}
