//! What told of trouble before and does so no longer, though it is still there: a handler without its `raise`, a record at a
//! lower level, a call whose error a test now expects.

use ruff_python_ast::{ExceptHandler, Expr, Stmt};

use super::code::last;
use super::reading::Reading;
use super::returned;
use super::rule::Rule;
use super::site::Site;
use super::swallowed::{duty, types};
use super::told::Duty;

/// What tells in one version of the tree.
#[derive(Default)]
pub(super) struct Voices {
    handlers: Vec<Voice>,
    records: Vec<Voice>,
    calls: Vec<Voice>,
    endings: Vec<Voice>,
    settled: Vec<Voice>,
}

/// One thing that tells, or does not.
pub(super) struct Voice {
    /// What makes it the same one as another.
    pub key: String,
    pub tells: bool,
    pub path: String,
    pub line: u32,
}

impl Voices {
    /// Takes in a file.
    pub fn hear(&mut self, reading: &Reading<'_>, in_tests: bool) {
        let voice =
            |key: String, tells: bool, line: u32| Voice { key, tells, path: reading.path.to_owned(), line };
        for (node, at) in &reading.tries {
            for handler in &node.handlers {
                let ExceptHandler::ExceptHandler(handler) = handler;
                let types = types(reading, handler.type_.as_deref());
                if duty(&types) == Duty::Report {
                    let key = format!("{}|{}", last(reading.function_name(*at)), types.join(","));
                    self.handlers.push(voice(key, raises(&handler.body), reading.line(handler.range)));
                }
            }
        }
        if !in_tests {
            self.endings.extend(returned::endings(reading));
            self.settled.extend(returned::settled(reading));
        }
        for call in &reading.calls {
            let level = match last(&call.dotted) {
                "exception" | "error" | "critical" | "fatal" | "warning" | "warn" => true,
                "info" | "debug" | "trace" => false,
                _ if in_tests && reading.function_name(call.at).contains("test") => {
                    let key = format!("{}|{}", last(reading.function_name(call.at)), reading.code(call.node));
                    self.calls.push(voice(key, !call.at.expected, reading.line(call.node)));
                    continue;
                }
                _ => continue,
            };
            if let Some(text) = call.node.arguments.args.first()
                && (text.is_string_literal_expr() || text.is_f_string_expr())
            {
                self.records.push(voice(reading.code(text), level, reading.line(call.node)));
            }
        }
    }

    /// What told in `self` and does not in `after`.
    pub fn lost(&self, after: &Self) -> Vec<Site> {
        let mut out = Vec::new();
        let said = [
            (
                Rule::SwallowedException,
                &self.handlers,
                &after.handlers,
                "the handler raised the error again, and no longer does",
            ),
            (
                Rule::LogFilter,
                &self.records,
                &after.records,
                "what was logged at WARNING or above is logged at a lower level",
            ),
            (
                Rule::LoosenedAssertion,
                &self.calls,
                &after.calls,
                "the test now expects the error that this call raises",
            ),
            (
                Rule::SwallowedException,
                &self.endings,
                &after.endings,
                "an error was raised here; now nothing is given back, as if all was well",
            ),
            (
                Rule::SwallowedException,
                &self.settled,
                &after.settled,
                "who waits for this future got the error, and now gets nothing, as if all was well",
            ),
        ];
        for (rule, before, after, message) in said {
            for voice in after.iter().filter(|voice| !voice.tells) {
                let count = |voices: &[Voice], tells: bool| {
                    voices.iter().filter(|one| one.key == voice.key && one.tells == tells).count()
                };
                let fewer = count(before, true) > count(after, true);
                let quieter = count(before, false) < count(after, false);
                if fewer && quieter {
                    out.push(Site {
                        rule,
                        key: voice.key.clone(),
                        extent: None,
                        path: voice.path.clone(),
                        line: voice.line,
                        message: message.to_owned(),
                    });
                }
            }
        }
        out
    }
}

fn raises(body: &[Stmt]) -> bool {
    body.iter().any(|stmt| match stmt {
        Stmt::Raise(node) => !matches!(node.exc.as_deref(), Some(Expr::Call(call)) if matches!(&*call.func, Expr::Name(name) if name.id.as_str() == "SystemExit")),
        Stmt::FunctionDef(_) | Stmt::ClassDef(_) => false,
        other => loopmend_python::edit::blocks_of(other).into_iter().any(raises),
    })
}
