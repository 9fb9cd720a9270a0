//! Work that is thrown away: a coroutine that is closed before it ran, or that moved to a thread which dies with the process.

use ruff_python_ast::visitor::{Visitor, walk_body, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, Stmt};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::{FxHashMap, FxHashSet};

use super::code::{last, truth};
use super::filters::site;
use super::reading::{Call, Reading};
use super::rule::Rule;
use super::site::Site;

/// What runs coroutines, and what throws them away, in one version of the tree.
#[derive(Default)]
pub(super) struct Work {
    coroutines: FxHashSet<String>,
    /// Functions of the same names that are none.
    plain: FxHashSet<String>,
    /// The function, and what it awaits or hands to the loop.
    runs: Vec<(String, String)>,
    closed: Vec<Closed>,
    /// What threads that die with the process run.
    threads: Vec<(String, Site)>,
}

struct Closed {
    function: String,
    /// What the name is bound to: a call; or what it was taken from.
    subject: String,
    /// The name of what is called.
    callee: Option<String>,
    site: Site,
}

const RUNNERS: [&str; 10] = [
    "create_task",
    "ensure_future",
    "gather",
    "wait_for",
    "shield",
    "run",
    "run_until_complete",
    "run_coroutine_threadsafe",
    "start_soon",
    "spawn",
];

impl Work {
    /// Takes in a file.
    pub fn see(&mut self, reading: &Reading<'_>) {
        for function in &reading.functions {
            let known = if function.node.is_async { &mut self.coroutines } else { &mut self.plain };
            known.insert(function.node.name.to_string());
        }
        let mut scan = Scan::default();
        scan.visit_body(reading.source.body());
        for awaited in &scan.awaited {
            self.runs.push((function_at(reading, awaited.range()), reading.code(*awaited)));
        }
        for call in &reading.calls {
            let own = last(&call.dotted);
            if RUNNERS.contains(&own) {
                for arg in &call.node.arguments.args {
                    let arg = arg.as_starred_expr().map_or(arg, |starred| &starred.value);
                    self.runs.push((function_at(reading, arg.range()), reading.code(arg)));
                }
            }
            if own == "close" && call.node.arguments.is_empty() {
                self.closed.extend(closed(reading, &scan, call));
            }
            if own == "Thread" && is_daemon(call.node) {
                let mut run = Scan::default();
                run.visit_expr(
                    call.node
                        .arguments
                        .find_keyword("target")
                        .map_or(&call.node.func, |target| &target.value),
                );
                let given =
                    call.node.arguments.find_keyword("args").and_then(|args| args.value.as_tuple_expr());
                let by_loop =
                    call.node.arguments.find_keyword("target").is_some_and(|target| {
                        matches!(reading.dotted(&target.value).as_str(), "asyncio.run")
                    });
                let inner = run.calls.iter().filter(|inner| {
                    matches!(last(&reading.dotted(&inner.func)), "run" | "run_until_complete")
                });
                let coroutines = inner
                    .filter_map(|inner| inner.arguments.args.first())
                    .chain(given.filter(|_| by_loop).and_then(|given| given.elts.first()));
                for coroutine in coroutines {
                    let message = "what was a task of this loop runs in a thread that dies with the process: neither its end nor its failure is seen";
                    self.threads.push((
                        reading.code(coroutine),
                        site(reading, Rule::DroppedWork, call.node, message),
                    ));
                }
            }
        }
    }

    /// What `after` throws away and `self` did not.
    pub fn lost(&self, after: &Self) -> Vec<Site> {
        let is_coroutine = |name: &String| {
            (self.coroutines.contains(name) || after.coroutines.contains(name))
                && !self.plain.contains(name)
                && !after.plain.contains(name)
        };
        let runs = |work: &Self, function: &str, subject: &str| {
            work.runs.iter().any(|(known, run)| known == function && run == subject)
        };
        let mut out = Vec::new();
        for one in &after.closed {
            let ran = runs(self, &one.function, &one.subject) && !runs(after, &one.function, &one.subject);
            let known =
                self.closed.iter().any(|then| then.function == one.function && then.subject == one.subject);
            if !known && (ran || one.callee.as_ref().is_some_and(is_coroutine)) {
                out.push(one.site.clone());
            }
        }
        for (coroutine, site) in &after.threads {
            let task = self.runs.iter().any(|(_, run)| run == coroutine);
            if task && !self.threads.iter().any(|(then, _)| then == coroutine) {
                out.push(site.clone());
            }
        }
        out
    }
}

fn is_daemon(call: &ExprCall) -> bool {
    call.arguments.find_keyword("daemon").is_some_and(|daemon| truth(&daemon.value) == Some(true))
}

/// The own name of the innermost function around a place.
fn function_at(reading: &Reading<'_>, range: TextRange) -> String {
    let mut around = reading.functions.iter().filter(|function| function.node.range().contains_range(range));
    around.next_back().map(|function| function.node.name.to_string()).unwrap_or_default()
}

fn closed(reading: &Reading<'_>, scan: &Scan<'_>, call: &Call<'_>) -> Option<Closed> {
    let Expr::Attribute(func) = &*call.node.func else { return None };
    let range = call.node.range();
    if scan.awaited.iter().any(|awaited| awaited.range() == range) || scan.refusing.contains(&range) {
        return None;
    }
    let function = function_at(reading, range);
    let (subject, callee) = match &*func.value {
        Expr::Call(made) => (reading.code(made), Some(&*made.func)),
        Expr::Name(name) => {
            let name = name.id.as_str();
            let mut bound = reading.assigned.iter().filter(|assigned| {
                assigned.at.function == call.at.function
                    && matches!(assigned.target, Expr::Name(target) if target.id.as_str() == name)
            });
            match (bound.next(), bound.next()) {
                (Some(assigned), None) => {
                    let made = assigned.value.as_call_expr()?;
                    let body = call
                        .at
                        .function
                        .map_or(reading.source.body(), |index| &reading.functions[index].node.body);
                    let mut inside = Scan::default();
                    inside.visit_body(body);
                    let uses = inside.loads.get(name).copied().unwrap_or_default();
                    let closes =
                        inside.calls.iter().filter(|one| reading.code(*one) == reading.code(call.node));
                    if uses != closes.count() {
                        return None;
                    }
                    (reading.code(made), Some(&*made.func))
                }
                (None, _) => {
                    let from = scan
                        .loops
                        .iter()
                        .rev()
                        .find(|(target, _, body)| *target == name && body.contains_range(range));
                    (from.map_or_else(|| name.to_owned(), |(_, iter, _)| reading.code(*iter)), None)
                }
                _ => return None,
            }
        }
        _ => return None,
    };
    let message = "a coroutine that is closed before it ran: its warning is gone, and its work is not done";
    Some(Closed {
        function,
        subject,
        callee: callee.map(|callee| last(&reading.dotted(callee)).to_owned()),
        site: site(reading, Rule::DroppedWork, call.node, message),
    })
}

/// What is awaited, called, read and looped over in some code.
#[derive(Default)]
struct Scan<'s> {
    awaited: Vec<&'s Expr>,
    calls: Vec<&'s ExprCall>,
    loads: FxHashMap<&'s str, usize>,
    loops: Vec<(&'s str, &'s Expr, TextRange)>,
    /// Statements right before a `raise`: who is refused learns it by the error.
    refusing: Vec<TextRange>,
}

impl<'s> Visitor<'s> for Scan<'s> {
    fn visit_body(&mut self, body: &'s [Stmt]) {
        for pair in body.windows(2) {
            if pair[1].is_raise_stmt() {
                self.refusing.push(pair[0].range());
            }
        }
        walk_body(self, body);
    }

    fn visit_stmt(&mut self, stmt: &'s Stmt) {
        if let Stmt::For(node) = stmt
            && let Expr::Name(target) = &*node.target
        {
            self.loops.push((target.id.as_str(), &node.iter, node.range()));
        }
        walk_stmt(self, stmt);
    }

    fn visit_expr(&mut self, expr: &'s Expr) {
        match expr {
            Expr::Await(awaited) => self.awaited.push(&awaited.value),
            Expr::Call(call) => self.calls.push(call),
            Expr::Name(name) if name.ctx.is_load() => {
                *self.loads.entry(name.id.as_str()).or_default() += 1;
            }
            _ => {}
        }
        walk_expr(self, expr);
    }
}
