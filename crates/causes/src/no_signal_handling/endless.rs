//! Where a coroutine goes on until the process is ended.

use std::collections::BTreeSet;

use loopmend_python::facts::{ExprId, ExprKind, Facts, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Kind, Lifecycle, StmtRef, UseKind, Value};

use super::flag;
use super::leaving::{ends_after_a_time, leaves};
use super::waited::{given, waited_runs};

/// The statement that never ends, and the way to it.
#[derive(Clone, Debug)]
pub(super) struct Endless {
    /// The calls that lead to it, from the main coroutine on: the function and the awaited call in it.
    pub(super) way: Vec<(FunctionRef, ExprRef)>,
    /// The function that it stands in.
    pub(super) function: FunctionRef,
    /// The statement.
    pub(super) stmt: StmtId,
    /// What it is.
    pub(super) kind: EndlessKind,
}

/// What never ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum EndlessKind {
    /// `while True`.
    Loop,
    /// Waits for an event, or goes on until it is set, and nothing sets it: the expression for it.
    Event(ExprRef),
    /// Waits for a future made there (`await asyncio.Future()`): the awaited expression.
    Future(ExprRef),
    /// Anything else: a server, tasks, messages without an end.
    Work,
}

/// Calls of libraries that end only when their task is cancelled or the process is.
const FOREVER: &[&str] =
    &["serve_forever", "wait_for_termination", "sleep_forever", "run_forever", "consume_forever"];
/// Methods that give messages without an end.
const MESSAGES: &[&str] = &["listen", "messages", "iterator", "subscribe", "changes", "stream"];
/// Classes that give messages without an end when they are iterated.
const CONSUMERS: &[&str] = &["AIOKafkaConsumer", "QueueIterator", "Subscription", "PubSub"];

/// The first statement of a coroutine that never ends.
pub(super) fn endless(life: &Lifecycle, function: FunctionRef) -> Option<Endless> {
    search(life, function, &mut BTreeSet::new())
}

fn search(life: &Lifecycle, function: FunctionRef, seen: &mut BTreeSet<FunctionRef>) -> Option<Endless> {
    if !seen.insert(function) {
        return None;
    }
    let facts = life.facts(function.file);
    let mut stmts = Vec::new();
    facts.walk(&facts.function(function.id).body, &mut |stmt| stmts.push(stmt));
    stmts.into_iter().find_map(|stmt| {
        let found = at(life, function, stmt, seen)?;
        (!ends_after_a_time(facts, stmt)).then_some(found)
    })
}

fn at(
    life: &Lifecycle,
    function: FunctionRef,
    stmt: StmtId,
    seen: &mut BTreeSet<FunctionRef>,
) -> Option<Endless> {
    let facts = life.facts(function.file);
    let here = |kind| Some(Endless { way: Vec::new(), function, stmt, kind });
    match &facts.stmt(stmt).kind {
        StmtKind::While { test, body, .. } => {
            if leaves(facts, stmt, body) || !awaits(facts, body) {
                return None;
            }
            let test = ExprRef { file: function.file, id: *test };
            if is_true(facts, test.id) {
                return here(EndlessKind::Loop);
            }
            if let Some(event) = flag::unset_event(life, test) {
                return here(EndlessKind::Event(event));
            }
            if flag::never_cleared(life, test) { here(EndlessKind::Work) } else { None }
        }
        StmtKind::For { is_async: true, iter, body, .. } => {
            let iter = ExprRef { file: function.file, id: *iter };
            let on = without_end(life, iter, seen) && !leaves(facts, stmt, body);
            if on { here(EndlessKind::Work) } else { None }
        }
        StmtKind::With { items, body, .. } => {
            let group = items.iter().any(|item| {
                let context = ExprRef { file: function.file, id: item.context };
                matches!(life.last_part(context).as_deref(), Some("TaskGroup"))
            });
            let mut on = false;
            if group && !mentions(facts, body, "cancel") {
                facts.walk_exprs(body, &mut |id| {
                    let call = ExprRef { file: function.file, id };
                    if matches!(facts.expr(id).kind, ExprKind::Call { .. })
                        && life.called_name(call).as_deref() == Some("create_task")
                    {
                        on |= given(life, call).into_iter().any(|run| search(life, run, seen).is_some());
                    }
                });
            }
            if on { here(EndlessKind::Work) } else { None }
        }
        _ => {
            let mut found = None;
            facts.stmt(stmt).exprs(&mut |expr| {
                facts.descend(expr, &mut |id| {
                    if found.is_none()
                        && let ExprKind::Await(value) = facts.expr(id).kind
                    {
                        found = waited(life, function, stmt, value, seen);
                    }
                });
            });
            found
        }
    }
}

/// What an `await` of a value never ends by.
fn waited(
    life: &Lifecycle,
    function: FunctionRef,
    stmt: StmtId,
    value: ExprId,
    seen: &mut BTreeSet<FunctionRef>,
) -> Option<Endless> {
    let facts = life.facts(function.file);
    let value = ExprRef { file: function.file, id: value };
    let here = |kind| Some(Endless { way: Vec::new(), function, stmt, kind });
    let ExprKind::Call { func, args, .. } = &facts.expr(value.id).kind else {
        if flag::unset_future(life, value) {
            return here(EndlessKind::Future(value));
        }
        let on = waited_runs(life, value)
            .any(|run| !flag::told_to_end(life, value, run) && search(life, run, seen).is_some());
        return if on { here(EndlessKind::Work) } else { None };
    };
    let name = life.called_name(value)?;
    if name == "wait"
        && args.is_empty()
        && let ExprKind::Attribute { value: receiver, .. } = facts.expr(*func).kind
        && flag::is_unset(life, value.with(receiver))
    {
        return here(EndlessKind::Event(value.with(receiver)));
    }
    if flag::unset_future(life, value) {
        return here(EndlessKind::Future(value));
    }
    let callees = life.callees(value);
    if let [callee] = callees[..] {
        let mut found = search(life, callee, seen)?;
        found.way.insert(0, (function, value));
        return Some(found);
    }
    if FOREVER.contains(&name.as_str()) {
        return here(EndlessKind::Work);
    }
    let mut goes_on =
        |run: FunctionRef| !flag::told_to_end(life, value, run) && search(life, run, seen).is_some();
    let on = match name.as_str() {
        "gather" => given(life, value).into_iter().any(&mut goes_on),
        "wait" | "shield" => {
            let runs = given(life, value);
            !runs.is_empty() && runs.into_iter().all(&mut goes_on)
        }
        _ => false,
    };
    if on { here(EndlessKind::Work) } else { None }
}

/// Whether an `async for` over it never ends.
fn without_end(life: &Lifecycle, iter: ExprRef, seen: &mut BTreeSet<FunctionRef>) -> bool {
    let facts = life.facts(iter.file);
    let class = life.infer(iter).iter().any(|value| {
        value
            .external_class()
            .is_some_and(|class| CONSUMERS.contains(&class.rsplit('.').next().unwrap_or(class)))
    });
    if class {
        return true;
    }
    if let ExprKind::Call { .. } = facts.expr(iter.id).kind {
        let callees = life.callees(iter);
        if callees.is_empty() {
            return life.called_name(iter).is_some_and(|name| MESSAGES.contains(&name.as_str()))
                && !matches!(life.infer(iter).first(), Some(Value::Instance(Kind::Class(_), _)));
        }
        return callees.into_iter().any(|callee| search(life, callee, seen).is_some());
    }
    matches!(&facts.expr(iter.id).kind, ExprKind::Attribute { attr, .. } if attr == "messages")
}

fn awaits(facts: &Facts, body: &[StmtId]) -> bool {
    let mut found = false;
    facts.walk(body, &mut |stmt| {
        found |= matches!(
            facts.stmt(stmt).kind,
            StmtKind::With { is_async: true, .. } | StmtKind::For { is_async: true, .. }
        );
    });
    facts.walk_exprs(body, &mut |id| found |= matches!(facts.expr(id).kind, ExprKind::Await(_)));
    found
}

fn mentions(facts: &Facts, body: &[StmtId], attribute: &str) -> bool {
    let mut found = false;
    facts.walk_exprs(body, &mut |id| {
        found |= matches!(&facts.expr(id).kind, ExprKind::Attribute { attr, .. } if attr == attribute);
    });
    found
}

fn is_true(facts: &Facts, test: ExprId) -> bool {
    matches!(facts.expr(test).kind, ExprKind::Bool(true) | ExprKind::Int(1))
}

impl Endless {
    /// The statement of a function on the way that leads to it, from the main coroutine on.
    pub(super) fn steps(&self, life: &Lifecycle) -> Vec<StmtRef> {
        let calls = self.way.iter().filter_map(|(_, call)| {
            let stmt = life.facts(call.file).stmt_of(call.id)?;
            Some(StmtRef { file: call.file, id: stmt })
        });
        calls.chain([StmtRef { file: self.function.file, id: self.stmt }]).collect()
    }

    /// Whether a statement behind one on the way never ends either.
    pub(super) fn has_another(&self, life: &Lifecycle) -> bool {
        self.functions().into_iter().zip(self.steps(life)).any(|(function, step)| {
            let facts = life.facts(step.file);
            let end = facts.stmt(step.id).range.end();
            let mut behind = Vec::new();
            facts.walk(&facts.function(function.id).body, &mut |stmt| {
                if facts.stmt(stmt).range.start() >= end {
                    behind.push(stmt);
                }
            });
            behind.into_iter().any(|stmt| at(life, function, stmt, &mut BTreeSet::from([function])).is_some())
        })
    }

    /// The functions on the way, the main coroutine first.
    pub(super) fn functions(&self) -> Vec<FunctionRef> {
        self.way.iter().map(|(function, _)| *function).chain([self.function]).collect()
    }
}

/// Whether a use of an object hands it on or changes it in a way that is not followed.
pub(super) fn goes_out_of_sight(kind: &UseKind) -> bool {
    matches!(kind, UseKind::Argument { .. } | UseKind::Yielded(_) | UseKind::Other)
}
