//! Whether the readers of a resource have an answer for its absence.

use std::collections::BTreeMap;

use loopmend_python::facts::{BindingKind, Comparison, ExprId, ExprKind, Facts, Name, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Value};

use crate::startup::{Open, close_calls, place_name};

/// The functions that read what an opening keeps, each with whether it tests for `None`. Those that open or close it, and
/// tests, are not among them.
pub(super) fn readers(life: &Lifecycle, open: &Open) -> BTreeMap<FunctionRef, bool> {
    let home = life.facts(open.function.file);
    let mut found: BTreeMap<FunctionRef, bool> = BTreeMap::new();
    for place in std::iter::once(open.place).chain(open.aliases.iter().copied()) {
        let Some(name) = place_name(home, place.id) else { continue };
        match &home.expr(place.id).kind {
            ExprKind::Name(global) => {
                let own = home.scopes[open.function.id.index()].contains_key(global)
                    && !home.function(open.function.id).globals.contains(global);
                if !own {
                    global_reads(life, open, global, &mut found);
                }
            }
            ExprKind::Attribute { value, .. } => {
                let receiver = life.last_part(place.with(*value)).unwrap_or_default();
                attribute_reads(life, open, &receiver, &name, &mut found);
            }
            ExprKind::Subscript { .. } => key_reads(life, open, &name, &mut found),
            _ => {}
        }
    }
    found
}

fn global_reads(life: &Lifecycle, open: &Open, name: &Name, found: &mut BTreeMap<FunctionRef, bool>) {
    let home = open.function.file;
    for load in life.loads_of(home, loopmend_python::facts::MODULE, name) {
        read(life, open, load, name, found);
    }
    for file in life.files_with(name).iter().copied().filter(|&file| file != home) {
        let facts = life.facts(file);
        for &attribute in facts.attributes.get(name).into_iter().flatten() {
            let ExprKind::Attribute { value, .. } = facts.expr(attribute).kind else { continue };
            let is_module = life.infer(ExprRef { file, id: value }).iter().any(|value| match value {
                Value::Module(module) => life.modules().find(module, file) == Some(home),
                _ => false,
            });
            if is_module {
                read(life, open, ExprRef { file, id: attribute }, name, found);
            }
        }
    }
}

fn attribute_reads(
    life: &Lifecycle,
    open: &Open,
    receiver: &str,
    name: &Name,
    found: &mut BTreeMap<FunctionRef, bool>,
) {
    for &file in life.files_with(name) {
        let facts = life.facts(file);
        for &attribute in facts.attributes.get(name).into_iter().flatten() {
            let ExprKind::Attribute { value, .. } = facts.expr(attribute).kind else { continue };
            let at = ExprRef { file, id: attribute };
            if life.last_part(at.with(value)).as_deref() == Some(receiver) {
                read(life, open, at, name, found);
            }
        }
        for call in named_reads(facts, name) {
            read(life, open, ExprRef { file, id: call }, name, found);
        }
    }
}

fn key_reads(life: &Lifecycle, open: &Open, name: &Name, found: &mut BTreeMap<FunctionRef, bool>) {
    for &file in life.files_with(name) {
        let facts = life.facts(file);
        for &subscript in facts.keys.get(name).into_iter().flatten() {
            read(life, open, ExprRef { file, id: subscript }, name, found);
        }
        for call in named_reads(facts, name) {
            read(life, open, ExprRef { file, id: call }, name, found);
        }
    }
}

/// `getattr(x, "name", None)`, `x.get("name")`, `x.get(KEY)`.
fn named_reads(facts: &Facts, name: &Name) -> Vec<ExprId> {
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    let calls = facts.loads.get("getattr").into_iter().chain(facts.attributes.get("get")).flatten();
    calls
        .filter_map(|&func| {
            let call = facts.parent_expr(func)?;
            let ExprKind::Call { func: called, args, .. } = &facts.expr(call).kind else { return None };
            let index = usize::from(matches!(facts.expr(*called).kind, ExprKind::Name(_)));
            let given = &facts.expr(*args.get(index)?).kind;
            let same = match given {
                ExprKind::Str(text) => **text == *bare,
                ExprKind::Name(key) | ExprKind::Attribute { attr: key, .. } => {
                    index == 0 && key.as_str() == bare && name.starts_with('[')
                }
                _ => false,
            };
            (*called == func && same).then_some(call)
        })
        .collect()
}

/// Notes one read: its function, and whether that tests what it read.
fn read(life: &Lifecycle, open: &Open, at: ExprRef, name: &Name, found: &mut BTreeMap<FunctionRef, bool>) {
    let facts = life.facts(at.file);
    let function = FunctionRef { file: at.file, id: facts.function_of(at.id) };
    if function == open.function
        || function.is_module()
        || life.is_test(function)
        || life.is_fixture(function)
        || is_target(facts, at.id)
        || !close_calls(life, at.file, &facts.function(function.id).body, open).is_empty()
    {
        return;
    }
    let tested = tests_for_none(life, function, at, name);
    let entry = found.entry(function).or_insert(false);
    *entry |= tested;
}

fn is_target(facts: &Facts, expr: ExprId) -> bool {
    facts.stmt_of(expr).is_some_and(|stmt| match &facts.stmt(stmt).kind {
        StmtKind::Assign { targets, .. } => targets.contains(&expr),
        StmtKind::AnnAssign { target, .. } | StmtKind::AugAssign { target, .. } => *target == expr,
        StmtKind::Delete(targets) => targets.contains(&expr),
        _ => false,
    })
}

/// Whether a function tests what it reads at `at`, there or by the local name that it gives it.
fn tests_for_none(life: &Lifecycle, function: FunctionRef, at: ExprRef, name: &Name) -> bool {
    let facts = life.facts(at.file);
    let local = facts.bindings.iter().find_map(|binding| match &binding.kind {
        BindingKind::Value { value, path } if path.is_empty() && binding.function == function.id => {
            (*value == at.id).then(|| binding.name.clone())
        }
        _ => None,
    });
    let is_it = |expr: ExprId| {
        expr == at.id
            || place_name(facts, expr).as_ref() == Some(name)
            || (local.is_some() && facts.name_of(expr) == local.as_ref())
    };
    let mut found = false;
    facts.walk(&facts.function(function.id).body, &mut |stmt| {
        let node = facts.stmt(stmt);
        if let StmtKind::If { test, .. } = node.kind {
            let bare = match facts.expr(test).kind {
                ExprKind::Not(inner) => inner,
                _ => test,
            };
            found |= is_it(bare);
        }
        node.exprs(&mut |expr| {
            facts.descend(expr, &mut |inner| match &facts.expr(inner).kind {
                ExprKind::Compare { left, rest } => {
                    let none = rest.iter().any(|(operator, right)| {
                        matches!(operator, Comparison::Is | Comparison::IsNot)
                            && matches!(facts.expr(*right).kind, ExprKind::None)
                    });
                    found |= none && is_it(*left);
                }
                ExprKind::IfElse { test, .. } => found |= is_it(*test),
                _ => {}
            });
        });
    });
    found
}
