//! What start-up code gives and shutdown code needs: names of objects by which the two belong together.

use std::collections::BTreeSet;

use loopmend_python::facts::{BindingId, BindingKind, ExprId, ExprKind, Facts, Name, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, Lookup};

/// How many calls deep functions of the tree are looked into.
const DEEPEST: u32 = 2;

/// Methods that open an object which was made elsewhere.
const OPENING: &[&str] = &[
    "connect",
    "open",
    "start",
    "setup",
    "init",
    "initialize",
    "initialise",
    "startup",
    "__aenter__",
    "create_all",
];

/// What a run of statements gives.
#[derive(Clone, Debug, Default)]
pub(crate) struct Given {
    /// Keys that it binds or opens.
    pub keys: BTreeSet<String>,
    /// Of those, the targets that stay unbound where an error is swallowed: key and the text of the target.
    pub maybe: Vec<(String, ExprRef)>,
}

/// The key of an object: the last part of its receiver and its name (`state.pool`, `db.pool`); none for a function's own
/// locals.
pub(crate) fn key(life: &Lifecycle, expr: ExprRef) -> Option<String> {
    let facts = life.facts(expr.file);
    match &facts.expr(expr.id).kind {
        ExprKind::Name(name) => match life.lookup(expr, name) {
            Lookup::Bound(scope, bindings) if scope.is_module() => Some(global(facts, name, &bindings)),
            Lookup::Bound(scope, _) => {
                let own = facts.function_of(expr.id) == scope.id;
                (!own).then(|| format!("~{name}"))
            }
            Lookup::Member(..) | Lookup::Free => None,
        },
        ExprKind::Attribute { value, attr } => Some(format!("{}.{attr}", last(facts, *value)?)),
        ExprKind::Subscript { value, index } => {
            Some(format!("{}.{}", last(facts, *value)?, facts.key(*index)?))
        }
        _ => None,
    }
}

fn global(facts: &Facts, name: &Name, bindings: &[BindingId]) -> String {
    for &id in bindings {
        if let BindingKind::ImportFrom { module, name, .. } = &facts.binding(id).kind {
            return format!("{}.{name}", module.rsplit('.').next().unwrap_or(module));
        }
    }
    format!("{}.{name}", facts.module.rsplit('.').next().unwrap_or(&facts.module))
}

fn last(facts: &Facts, expr: ExprId) -> Option<String> {
    match &facts.expr(expr).kind {
        ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } => Some(name.to_string()),
        ExprKind::Subscript { index, .. } => facts.key(*index).map(|key| key.to_string()),
        ExprKind::Call { func, .. } => last(facts, *func),
        _ => None,
    }
}

/// What statements bind and open.
pub(crate) fn given(life: &Lifecycle, file: FileId, stmts: &[StmtId]) -> Given {
    let mut given = Given::default();
    collect(life, file, stmts, &mut given, DEEPEST, true);
    given
}

/// `own` says that `self` is the object of the code that is looked at from outside, not one that it calls a method of.
fn collect(life: &Lifecycle, file: FileId, stmts: &[StmtId], given: &mut Given, depth: u32, own: bool) {
    let facts = life.facts(file);
    let mut calls = Vec::new();
    facts.walk(stmts, &mut |id| {
        let targets: Vec<ExprId> = match &facts.stmt(id).kind {
            StmtKind::Assign { targets, .. } => targets.to_vec(),
            StmtKind::AnnAssign { target, value: Some(_), .. } => vec![*target],
            _ => Vec::new(),
        };
        for target in targets {
            let parts = match &facts.expr(target).kind {
                ExprKind::Tuple(items) | ExprKind::List(items) => items.to_vec(),
                _ => vec![target],
            };
            for part in parts {
                let part = ExprRef { file, id: part };
                if !own && of_self(life, part) {
                    continue;
                }
                let Some(key) = written(life, part) else { continue };
                if depth == DEEPEST && swallowed(facts, id) && !given.keys.contains(&key) {
                    given.maybe.push((key.clone(), part));
                }
                given.keys.insert(key);
            }
        }
        facts.stmt(id).exprs(&mut |expr| {
            facts.descend(expr, &mut |inner| {
                if matches!(facts.expr(inner).kind, ExprKind::Call { .. }) {
                    calls.push(ExprRef { file, id: inner });
                }
            });
        });
    });
    for call in calls {
        if let ExprKind::Call { func, .. } = facts.expr(call.id).kind
            && let ExprKind::Attribute { value, attr } = &facts.expr(func).kind
            && OPENING.contains(&attr.as_str())
            && (own || !of_self(life, call.with(*value)))
        {
            given.keys.extend(key(life, call.with(*value)));
        }
        if depth > 0 {
            for callee in life.callees(call) {
                let own = own && on_self(life, call);
                collect(life, callee.file, body(life, callee), given, depth - 1, own);
            }
        }
    }
}

/// The key of a target; a name that `global` hands to the module is the module's.
fn written(life: &Lifecycle, target: ExprRef) -> Option<String> {
    let facts = life.facts(target.file);
    let ExprKind::Name(name) = &facts.expr(target.id).kind else { return key(life, target) };
    let function = facts.function(facts.function_of(target.id));
    if function.globals.contains(name) {
        return Some(global(facts, name, &[]));
    }
    function.nonlocals.contains(name).then(|| format!("~{name}"))
}

fn body(life: &Lifecycle, function: FunctionRef) -> &[StmtId] {
    &life.facts(function.file).function(function.id).body
}

/// Whether a statement stands in a `try` that goes on after an error.
fn swallowed(facts: &Facts, stmt: StmtId) -> bool {
    facts.ancestors(stmt).any(|(outer, slot)| match &facts.stmt(outer).kind {
        StmtKind::Try { handlers, .. } if slot == Slot::Body => handlers.iter().any(|handler| {
            !handler.body.last().is_some_and(|&last| matches!(facts.stmt(last).kind, StmtKind::Raise { .. }))
        }),
        _ => false,
    })
}

/// Keys of all objects that statements name.
pub(crate) fn named(life: &Lifecycle, file: FileId, stmts: &[StmtId]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    name_all(life, file, stmts, &mut found, DEEPEST, true);
    found
}

fn name_all(
    life: &Lifecycle,
    file: FileId,
    stmts: &[StmtId],
    found: &mut BTreeSet<String>,
    depth: u32,
    own: bool,
) {
    let facts = life.facts(file);
    let mut exprs = Vec::new();
    facts.walk_exprs(stmts, &mut |expr| exprs.push(ExprRef { file, id: expr }));
    for expr in exprs {
        match facts.expr(expr.id).kind {
            ExprKind::Name(_) | ExprKind::Attribute { .. } | ExprKind::Subscript { .. }
                if own || !of_self(life, expr) =>
            {
                found.extend(key(life, expr));
            }
            ExprKind::Call { .. } if depth > 0 => {
                for callee in life.callees(expr) {
                    let own = own && on_self(life, expr);
                    name_all(life, callee.file, body(life, callee), found, depth - 1, own);
                }
            }
            _ => {}
        }
    }
}

/// What running a function gives; for a method of an object that is known by a key of its own, without the object's
/// attributes (`own` is false).
pub(crate) fn given_by(life: &Lifecycle, function: FunctionRef, own: bool) -> Given {
    let mut given = Given::default();
    collect(life, function.file, body(life, function), &mut given, DEEPEST - 1, own);
    given
}

/// Keys of all objects that a function names.
pub(crate) fn named_by(life: &Lifecycle, function: FunctionRef, own: bool) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    name_all(life, function.file, body(life, function), &mut found, DEEPEST - 1, own);
    found
}

/// Whether an expression is `self` or something of it.
fn of_self(life: &Lifecycle, expr: ExprRef) -> bool {
    let facts = life.facts(expr.file);
    match facts.expr(expr.id).kind {
        ExprKind::Name(_) => life.receiver_class(expr).is_some(),
        ExprKind::Attribute { value, .. } | ExprKind::Subscript { value, .. } => {
            of_self(life, expr.with(value))
        }
        _ => false,
    }
}

/// Whether a call is one of a method of `self`.
fn on_self(life: &Lifecycle, call: ExprRef) -> bool {
    let facts = life.facts(call.file);
    let ExprKind::Call { func, .. } = facts.expr(call.id).kind else { return false };
    match facts.expr(func).kind {
        ExprKind::Attribute { value, .. } => life.receiver_class(call.with(value)).is_some(),
        _ => false,
    }
}
