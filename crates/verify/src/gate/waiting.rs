//! Changes that only wait longer, or more often.

use loopmend_python::edit::Source;
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_parameters, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, Parameters, Stmt};
use ruff_text_size::{Ranged, TextRange};

use super::change::Change;
use super::code::{last, number, squeezed};
use super::rule::Rule;
use super::site::Site;

/// The site of a change whose only effect is a longer wait; none where it does anything else, or nothing.
pub(super) fn alone(changes: &[Change]) -> Option<Site> {
    let mut longer = None;
    for change in changes {
        if is_prose(&change.path) {
            continue;
        }
        let (Some(before), Some(after)) = (&change.before, &change.after) else { return None };
        if before == after {
            continue;
        }
        let (then, now) = if change.path.ends_with(".py") {
            (python(&change.path, before), python(&change.path, after))
        } else {
            (lines(before), lines(after))
        };
        if then.rest != now.rest {
            return None;
        }
        let grown = now.waits.iter().zip(&then.waits).find(|(now, then)| now.0 > then.0);
        let added =
            || now.sleeps.iter().find(|(code, _)| !then.sleeps.iter().any(|(known, _)| known == code));
        let line = grown.map(|(now, _)| now.1).or_else(|| added().map(|(_, line)| *line));
        longer = longer.or(line.map(|line| (change.path.clone(), line)));
    }
    longer.map(|(path, line)| Site {
        rule: Rule::LongerWait,
        key: String::new(),
        extent: None,
        path,
        line,
        message: "nothing changes but how long or how often is waited: the cause is still there".to_owned(),
    })
}

fn is_prose(path: &str) -> bool {
    [".md", ".rst", ".txt"].iter().any(|ending| path.ends_with(ending)) && !path.contains("requirements")
}

/// A text in two parts: how long it waits, and all else.
#[derive(Default)]
struct Parts {
    /// Seconds or times, and the line; endless is infinite.
    waits: Vec<(f64, u32)>,
    /// Sleeps that are statements of their own.
    sleeps: Vec<(String, u32)>,
    rest: Vec<String>,
}

fn python(path: &str, text: &str) -> Parts {
    let source = Source::parse(path, text);
    let mut finder = Finder::default();
    finder.visit_body(source.body());
    let line =
        |range: TextRange| u32::try_from(source.position(range.start()).line.get()).unwrap_or(u32::MAX);
    let mut parts = Parts {
        waits: finder.waits.iter().map(|(value, range)| (*value, line(*range))).collect(),
        sleeps: finder
            .left_out
            .iter()
            .filter(|(_, sleep)| *sleep)
            .map(|(range, _)| (squeezed(source.slice(*range)), line(*range)))
            .collect(),
        rest: Vec::new(),
    };
    for token in source.parsed().tokens() {
        let range = token.range();
        let skipped = token.kind().is_trivia()
            || range.is_empty()
            || source.slice(range).trim().is_empty()
            || finder.left_out.iter().any(|(left_out, _)| left_out.contains_range(range))
            || finder.waits.iter().any(|(_, wait)| wait.contains_range(range));
        if !skipped {
            parts.rest.push(source.slice(range).to_owned());
        }
    }
    parts
}

/// Whether a name speaks of a wait.
fn waits(name: &str) -> bool {
    let name = name.to_lowercase();
    ["timeout", "time_out", "deadline", "grace", "retries", "retry", "attempts", "max_wait", "max_tries"]
        .iter()
        .any(|word| name.contains(word))
}

#[derive(Default)]
struct Finder {
    waits: Vec<(f64, TextRange)>,
    /// Imports, and sleeps (true).
    left_out: Vec<(TextRange, bool)>,
}

impl Finder {
    fn wait(&mut self, value: &Expr) {
        if let Some(length) = number(value).or_else(|| value.is_none_literal_expr().then_some(f64::INFINITY))
        {
            self.waits.push((length, value.range()));
        }
    }

    fn call(&mut self, call: &ExprCall) {
        let name = match &*call.func {
            Expr::Attribute(attribute) => attribute.attr.as_str(),
            Expr::Name(name) => name.id.as_str(),
            _ => "",
        };
        let position = match name {
            "wait_for" => Some(1),
            "timeout" | "timeout_at" | "fail_after" | "move_on_after" | "sleep" | "Timeout" | "join"
            | "flaky" => Some(0),
            _ => None,
        };
        if let Some(value) = position.and_then(|position| call.arguments.args.get(position)) {
            self.wait(value);
        }
        for keyword in &call.arguments.keywords {
            if keyword.arg.as_ref().is_some_and(|arg| waits(arg.as_str())) || name.ends_with("Timeout") {
                self.wait(&keyword.value);
            }
        }
    }
}

impl<'a> Visitor<'a> for Finder {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        match stmt {
            Stmt::Import(_) | Stmt::ImportFrom(_) => self.left_out.push((stmt.range(), false)),
            Stmt::Expr(node) => {
                let value = node.value.as_await_expr().map_or(&*node.value, |awaited| &awaited.value);
                // `loop.run_until_complete(asyncio.sleep(1))`
                let value = match value {
                    Expr::Call(call) if last(&text_of(&call.func)) == "run_until_complete" => {
                        call.arguments.args.first().unwrap_or(value)
                    }
                    other => other,
                };
                if let Expr::Call(call) = value
                    && matches!(&*call.func, Expr::Attribute(attribute) if attribute.attr.as_str() == "sleep")
                    && call.arguments.args.first().and_then(number).is_some()
                {
                    self.left_out.push((stmt.range(), true));
                    return;
                }
            }
            Stmt::Assign(node) if node.targets.iter().any(|target| waits(last(&text_of(target)))) => {
                self.wait(&node.value);
            }
            Stmt::AnnAssign(node) => {
                if let Some(value) = &node.value
                    && waits(last(&text_of(&node.target)))
                {
                    self.wait(value);
                }
            }
            _ => {}
        }
        walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        match expr {
            Expr::Call(call) => self.call(call),
            Expr::Dict(dict) => {
                for item in &dict.items {
                    if item.key.as_ref().and_then(super::code::string).is_some_and(waits) {
                        self.wait(&item.value);
                    }
                }
            }
            _ => {}
        }
        walk_expr(self, expr);
    }

    fn visit_parameters(&mut self, parameters: &'a Parameters) {
        for parameter in parameters.iter_non_variadic_params() {
            if let Some(value) = &parameter.default
                && waits(parameter.parameter.name.as_str())
            {
                self.wait(value);
            }
        }
        walk_parameters(self, parameters);
    }
}

fn text_of(target: &Expr) -> String {
    match target {
        Expr::Name(name) => name.id.to_string(),
        Expr::Attribute(attribute) => attribute.attr.to_string(),
        _ => String::new(),
    }
}

/// The same of a configuration: `timeout = 60`, `--timeout=60`, `--reruns 3`.
fn lines(text: &str) -> Parts {
    let mut parts = Parts::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if !waits(line) {
            parts.rest.push(line.to_owned());
            continue;
        }
        let mut rest = String::new();
        let mut digits = String::new();
        for c in line.chars().chain([' ']) {
            if c.is_ascii_digit() || c == '.' && !digits.is_empty() {
                digits.push(c);
                continue;
            }
            if !digits.is_empty() {
                let line = u32::try_from(index + 1).unwrap_or(u32::MAX);
                parts.waits.push((digits.parse().unwrap_or(0.0), line));
                digits.clear();
                rest.push('#');
            }
            rest.push(c);
        }
        parts.rest.push(rest);
    }
    parts
}
