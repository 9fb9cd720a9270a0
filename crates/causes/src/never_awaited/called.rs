//! Calls of coroutine functions whose coroutine nobody has, or that are used as if they were its result.

use loopmend_python::facts::{ExprId, ExprKind, Facts, Name, Outline, Parent, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, UseKind, Value};
use rayon::prelude::*;
use rustc_hash::FxHashSet;

use crate::close_not_awaited::is_dropped_close;

/// One such call.
#[derive(Clone, Debug)]
pub(super) struct Called {
    /// The call.
    pub(super) call: ExprRef,
    /// The function of the tree.
    pub(super) function: Option<FunctionRef>,
    /// As Python names the coroutine.
    pub(super) what: String,
    /// It stands as a statement; otherwise its value is used.
    pub(super) alone: bool,
}

/// Coroutine functions of the standard library that are called for what they do.
const LIBRARY: &[&str] = &[
    "asyncio.sleep",
    "asyncio.wait",
    "asyncio.wait_for",
    "asyncio.to_thread",
    "asyncio.Queue.put",
    "asyncio.Queue.get",
    "asyncio.Queue.join",
    "asyncio.Event.wait",
    "asyncio.Lock.acquire",
    "asyncio.Semaphore.acquire",
    "asyncio.Condition.wait",
];

/// Decorators that leave a function what it is.
const PLAIN: &[&str] = &[
    "staticmethod",
    "classmethod",
    "override",
    "abstractmethod",
    "final",
    "wraps",
    "overload",
    "asynccontextmanager",
];

/// Attributes that a coroutine has.
const OWN: &[&str] =
    &["send", "throw", "close", "cr_frame", "cr_running", "cr_await", "cr_code", "__await__", "__name__"];

/// All of the tree, in order.
pub(super) fn calls(life: &Lifecycle) -> Vec<Called> {
    let mut names: FxHashSet<&str> =
        life.files().flat_map(|file| &life.outline(file).coroutines).map(Name::as_str).collect();
    names.extend(LIBRARY.iter().filter_map(|path| path.rsplit('.').next()));
    let wanted = |outline: &Outline| {
        outline.alone.iter().any(|name| names.contains(name.as_str()))
            || outline.imports.iter().any(|import| {
                names.contains(import.name.as_str())
                    && import.alias.as_ref().is_some_and(|alias| outline.alone.contains(alias))
            })
    };
    life.files_where(wanted).into_par_iter().flat_map_iter(|file| of_file(life, file, &names)).collect()
}

fn of_file(life: &Lifecycle, file: FileId, names: &FxHashSet<&str>) -> Vec<Called> {
    let facts = life.facts(file);
    let mut found = Vec::new();
    for &id in &facts.calls {
        let ExprKind::Call { func, .. } = facts.expr(id).kind else { continue };
        let (ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. }) = &facts.expr(func).kind else {
            continue;
        };
        let renamed =
            matches!(facts.expr(func).kind, ExprKind::Name(_)) && facts.scopes[0].contains_key(name);
        if !names.contains(name.as_str()) && !renamed {
            continue;
        }
        let call = ExprRef { file, id };
        let Some(alone) = way(facts, call) else { continue };
        let Some((function, what)) = coroutine(life, call) else { continue };
        if is_dropped_close(life, call)
            || !alone && !used_as_result(life, facts, call)
            || expected(facts, facts.stmt_of(id))
            || life.never_runs(call)
        {
            continue;
        }
        found.push(Called { call, function, what, alone });
    }
    found
}

/// Whether a call stands where its coroutine is lost (true) or may be used as a result (false).
fn way(facts: &Facts, call: ExprRef) -> Option<bool> {
    match facts.expr(call.id).parent {
        Parent::Stmt(stmt) => match &facts.stmt(stmt).kind {
            StmtKind::Expr(_) => Some(true),
            StmtKind::Assign { targets, .. } if targets.len() == 1 => {
                matches!(facts.expr(targets[0]).kind, ExprKind::Name(_)).then_some(false)
            }
            StmtKind::If { .. } | StmtKind::While { .. } | StmtKind::For { is_async: false, .. } => {
                Some(false)
            }
            _ => None,
        },
        Parent::Expr(up) => match &facts.expr(up).kind {
            ExprKind::Attribute { attr, .. } => (!OWN.contains(&attr.as_str())).then_some(false),
            ExprKind::Subscript { value, .. } => (*value == call.id).then_some(false),
            ExprKind::Not(_) => Some(false),
            _ => None,
        },
        Parent::None => None,
    }
}

/// The coroutine function that a call certainly calls.
fn coroutine(life: &Lifecycle, call: ExprRef) -> Option<(Option<FunctionRef>, String)> {
    let callee = life.callee(call);
    let mut found = None;
    for value in callee.iter() {
        let this = match value {
            Value::Function(function) | Value::Bound(function, _) => {
                let facts = life.facts(function.file);
                let of = facts.function(function.id);
                let plain = of.decorators.iter().all(|&decorator| {
                    let target = match &facts.expr(decorator).kind {
                        ExprKind::Call { func, .. } => *func,
                        _ => decorator,
                    };
                    facts
                        .dotted(target)
                        .is_some_and(|text| PLAIN.contains(&text.rsplit('.').next().unwrap_or_default()))
                });
                if !of.is_coroutine() || !plain || life.decorated(*function, &["asynccontextmanager"]) {
                    return None;
                }
                (Some(*function), of.qualname.clone())
            }
            Value::External(path) | Value::Member(path, _) if LIBRARY.contains(&path.as_str()) => {
                (None, path.rsplit('.').next().unwrap_or(path).to_owned())
            }
            _ => return None,
        };
        found.get_or_insert(this);
    }
    found
}

/// Whether the value of a call is used as what the coroutine would give, and never as a coroutine.
fn used_as_result(life: &Lifecycle, facts: &Facts, call: ExprRef) -> bool {
    let Parent::Stmt(stmt) = facts.expr(call.id).parent else { return true };
    if !matches!(facts.stmt(stmt).kind, StmtKind::Assign { .. }) {
        return true;
    }
    let mut used = false;
    let flow = life.flow_of(call);
    if flow.doubt || flow.kept() {
        return false;
    }
    for at in &flow.uses {
        match &at.kind {
            UseKind::Method { name, .. } | UseKind::Attribute { name, .. } => {
                if OWN.contains(&name.as_str()) {
                    return false;
                }
                used = true;
            }
            UseKind::Iterated(_) => used = true,
            UseKind::Other
                if life.facts(at.expr.file).parent_expr(at.expr.id).is_some_and(|up| {
                    matches!(life.facts(at.expr.file).expr(up).kind, ExprKind::Subscript { value, .. } if value == at.expr.id)
                }) =>
            {
                used = true;
            }
            UseKind::Stored(_) | UseKind::Tested => {}
            _ => return false,
        }
    }
    used
}

/// Whether a statement stands in a block that expects a warning or an error.
fn expected(facts: &Facts, stmt: Option<StmtId>) -> bool {
    let Some(stmt) = stmt else { return false };
    facts.ancestors(stmt).any(|(outer, _)| match &facts.stmt(outer).kind {
        StmtKind::With { items, .. } => items.iter().any(|item| {
            let target = match &facts.expr(item.context).kind {
                ExprKind::Call { func, .. } => *func,
                _ => item.context,
            };
            let last = dotted_last(facts, target);
            matches!(
                last.as_deref(),
                Some(
                    "raises"
                        | "warns"
                        | "assertRaises"
                        | "assertWarns"
                        | "catch_warnings"
                        | "deprecated_call"
                        | "suppress"
                )
            )
        }),
        _ => false,
    })
}

/// The last part of a dotted name.
pub(super) fn dotted_last(facts: &Facts, expr: ExprId) -> Option<String> {
    facts.dotted(expr).map(|text| text.rsplit('.').next().unwrap_or_default().to_owned())
}
