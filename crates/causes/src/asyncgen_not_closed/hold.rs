//! What an async generator holds while it stands at a `yield`.

use loopmend_python::facts::{ExprId, ExprKind, Facts, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Value};

/// Generators that iterate each other are followed this far.
const DEPTH: usize = 4;

/// Scopes that must be left in the task that entered them.
const SCOPES: &[&str] = &[
    "anyio.move_on_after",
    "anyio.move_on_at",
    "anyio.fail_after",
    "anyio.fail_at",
    "anyio.CancelScope",
    "anyio.open_cancel_scope",
];

/// Groups wrap the `GeneratorExit` of a close in a group of exceptions, which `aclose()` then raises.
const GROUPS: &[&str] = &["asyncio.TaskGroup", "anyio.create_task_group", "trio.open_nursery"];

/// Context managers that hold nothing, or nothing that a late end would hurt.
const HARMLESS: &[&str] =
    &["suppress", "nullcontext", "open", "catch_warnings", "redirect_stdout", "localcontext"];

/// What would be ended by closing the generator.
#[derive(Clone, Debug)]
pub(super) struct Hold {
    /// The expression or statement, in words of the source.
    pub what: String,
    /// The first `yield` inside it.
    pub yielded: ExprRef,
    /// Only sync code waits to be run, which a late end may not hurt.
    pub weak: bool,
    /// Why `aclose()` does not end it.
    pub refuses: Option<Refusal>,
    /// What it yields is what it holds.
    pub lends: bool,
    /// Its own `async for` loops over generators that hold, with the call that each iterates.
    pub inner: Vec<(StmtId, FunctionRef)>,
}

/// Why a generator can't be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It yields inside a task group.
    Group,
    /// It goes on when it is asked to end.
    Stubborn,
}

impl Hold {
    /// Of a function; none where it is no async generator, or holds nothing.
    pub fn of(life: &Lifecycle, function: FunctionRef) -> Option<Self> {
        of_within(life, function, DEPTH)
    }
}

fn of_within(life: &Lifecycle, function: FunctionRef, depth: usize) -> Option<Hold> {
    let facts = life.facts(function.file);
    let node = facts.function(function.id);
    if !(node.is_async && node.is_generator) {
        return None;
    }
    let mut hold: Option<Hold> = None;
    facts.body_exprs(function.id, &mut |id| {
        let ExprKind::Yield(given) = facts.expr(id).kind else { return };
        let Some(stmt) = facts.stmt_of(id) else { return };
        let yielded = ExprRef { file: function.file, id };
        let mut entry = |what: String, weak: bool| {
            let hold = hold.get_or_insert_with(|| Hold {
                what: what.clone(),
                yielded,
                weak,
                refuses: None,
                lends: false,
                inner: Vec::new(),
            });
            if hold.weak && !weak {
                (hold.what, hold.yielded, hold.weak) = (what, yielded, false);
            }
        };
        let mut refuses = None;
        let mut lends = false;
        let mut inner = Vec::new();
        for (outer, slot) in facts.ancestors(stmt) {
            match &facts.stmt(outer).kind {
                StmtKind::With { is_async, items, .. } => {
                    for item in items {
                        let context = ExprRef { file: function.file, id: item.context };
                        let weak = match weight(life, context, *is_async) {
                            Weight::None => continue,
                            Weight::Weak => true,
                            Weight::Firm => false,
                        };
                        entry(life.source(context).lines().next().unwrap_or_default().to_owned(), weak);
                        if calls(life, context, GROUPS) {
                            refuses = Some(Refusal::Group);
                        }
                        lends |= given.is_some_and(|given| is_entered(facts, item.target, given, context));
                    }
                }
                StmtKind::Try { handlers, finally, .. } => {
                    if slot == Slot::Finally {
                        refuses = Some(Refusal::Stubborn);
                    }
                    if slot != Slot::Finally && !finally.is_empty() {
                        entry("finally".to_owned(), !awaits(facts, finally));
                    }
                    if slot != Slot::Body {
                        continue;
                    }
                    for handler in handlers {
                        if !takes_exit(facts, handler.types) {
                            continue;
                        }
                        if awaits(facts, &handler.body) {
                            entry("except".to_owned(), false);
                        }
                        if !handler.body.iter().any(|&last| {
                            matches!(facts.stmt(last).kind, StmtKind::Raise { .. } | StmtKind::Return(_))
                        }) {
                            refuses = Some(Refusal::Stubborn);
                        }
                    }
                }
                StmtKind::For { is_async: true, iter, target, .. } if slot == Slot::Body && depth > 0 => {
                    let iter = ExprRef { file: function.file, id: *iter };
                    for value in life.infer(iter).iter() {
                        if let Value::Coroutine(other, _) = value
                            && *other != function
                            && let Some(of) = of_within(life, *other, depth - 1)
                        {
                            entry(life.source(iter).lines().next().unwrap_or_default().to_owned(), of.weak);
                            refuses = refuses.or(of.refuses);
                            lends |= of.lends && given.is_some_and(|given| same_name(facts, given, *target));
                            inner.push((outer, *other));
                        }
                    }
                }
                _ => {}
            }
        }
        if let Some(hold) = &mut hold {
            hold.refuses = hold.refuses.or(refuses);
            hold.lends |= lends;
            for found in inner {
                if !hold.inner.contains(&found) {
                    hold.inner.push(found);
                }
            }
        }
    });
    hold
}

enum Weight {
    None,
    Weak,
    Firm,
}

fn weight(life: &Lifecycle, context: ExprRef, is_async: bool) -> Weight {
    let last = match life.facts(context.file).expr(context.id).kind {
        ExprKind::Call { .. } => life.called_name(context),
        _ => None,
    };
    let file = last.as_deref() == Some("open") && is_async;
    if !file && last.is_some_and(|name| HARMLESS.contains(&name.as_str())) {
        return Weight::None;
    }
    if is_async || calls(life, context, SCOPES) { Weight::Firm } else { Weight::Weak }
}

/// Whether a context manager is made by one of these.
fn calls(life: &Lifecycle, context: ExprRef, paths: &[&str]) -> bool {
    match life.facts(context.file).expr(context.id).kind {
        ExprKind::Call { .. } => life.calls_any(context, paths),
        _ => life
            .infer(context)
            .iter()
            .any(|value| value.external_class().is_some_and(|class| paths.contains(&class))),
    }
}

/// Whether what is yielded is what `with … as target` gave.
fn is_entered(facts: &Facts, target: Option<ExprId>, given: ExprId, context: ExprRef) -> bool {
    match target {
        Some(target) => same_name(facts, given, target),
        // `async with session: yield session`.
        None => same_name(facts, given, context.id),
    }
}

fn same_name(facts: &Facts, left: ExprId, right: ExprId) -> bool {
    facts.name_of(left).is_some() && facts.name_of(left) == facts.name_of(right)
}

/// `except:`, `except BaseException`, `except GeneratorExit`, also in a tuple.
fn takes_exit(facts: &Facts, types: Option<ExprId>) -> bool {
    let Some(types) = types else { return true };
    let exit = |id: ExprId| {
        facts.dotted(id).is_some_and(|name| matches!(name.as_str(), "BaseException" | "GeneratorExit"))
    };
    match &facts.expr(types).kind {
        ExprKind::Tuple(items) => items.iter().any(|&item| exit(item)),
        _ => exit(types),
    }
}

pub(super) fn awaits(facts: &Facts, block: &[StmtId]) -> bool {
    let mut found = false;
    facts.walk_exprs(block, &mut |id| found |= matches!(facts.expr(id).kind, ExprKind::Await(_)));
    facts.walk(block, &mut |stmt| {
        found |= matches!(
            facts.stmt(stmt).kind,
            StmtKind::With { is_async: true, .. } | StmtKind::For { is_async: true, .. }
        );
    });
    found
}

/// Whether a function's yields may be told of its items: its decorators leave it the generator that it is.
pub(super) fn is_plain(life: &Lifecycle, function: FunctionRef) -> bool {
    let facts = life.facts(function.file);
    facts.function(function.id).decorators.iter().all(|&decorator| {
        facts.dotted(decorator).is_some_and(|name| {
            let last = name.rsplit('.').next().unwrap_or(&name);
            matches!(
                last,
                "staticmethod" | "classmethod" | "override" | "abstractmethod" | "final" | "typechecked"
            )
        })
    })
}
