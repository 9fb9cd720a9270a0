//! Effectful calls of a tree, by name.

use std::collections::BTreeMap;

use loopmend_causes::Declared;
use loopmend_python::facts::{BindingKind, ExprId, ExprKind, Facts, MODULE};
use loopmend_python::lifecycle::Lifecycle;

use crate::accept::Rejected;

/// Calls that only compute.
const PURE: &[&str] = &[
    "len",
    "str",
    "int",
    "float",
    "bool",
    "list",
    "dict",
    "set",
    "tuple",
    "frozenset",
    "sorted",
    "isinstance",
    "issubclass",
    "hasattr",
    "getattr",
    "repr",
    "type",
    "range",
    "enumerate",
    "zip",
    "min",
    "max",
    "sum",
    "any",
    "all",
    "iter",
    "super",
    "format",
    "join",
    "cast",
    "asynccontextmanager",
    "suppress",
    "done",
    "cancelled",
];

/// The last name of what a call calls, unless it only computes.
pub(crate) fn called(facts: &Facts, call: ExprId) -> Option<&str> {
    let ExprKind::Call { func, .. } = &facts.expr(call).kind else { return None };
    let name = match &facts.expr(*func).kind {
        ExprKind::Name(name) => imported(facts, name).unwrap_or(name),
        ExprKind::Attribute { attr: name, .. } => name.as_str(),
        _ => return None,
    };
    (!PURE.contains(&name)).then_some(name)
}

/// What a name stands for that the module imports under another: `run` for `go` of `from asyncio import run as go`.
fn imported<'f>(facts: &'f Facts, name: &str) -> Option<&'f str> {
    let [binding] = facts.scopes[MODULE.index()].get(name)?[..] else { return None };
    match &facts.binding(binding).kind {
        BindingKind::ImportFrom { name: imported, .. } => Some(imported),
        _ => None,
    }
}

/// How often each name is called in these files.
fn counts(life: &Lifecycle, paths: &[&str]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for file in paths.iter().filter_map(|path| life.file(path)) {
        let facts = life.facts(file);
        for name in facts.calls.iter().filter_map(|&call| called(facts, call)) {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// No call came or went but the declared ones.
pub(crate) fn counted(
    before: &Lifecycle,
    after: &Lifecycle,
    paths: &[&str],
    declared: &Declared,
) -> Result<(), Rejected> {
    let old = counts(before, paths);
    let new = counts(after, paths);
    for (name, &count) in &old {
        if new.get(name).copied().unwrap_or(0) < count && !declared.removed.iter().any(|known| known == name)
        {
            return Err(Rejected::Effect { name: name.clone(), gone: true });
        }
    }
    for (name, &count) in &new {
        if old.get(name).copied().unwrap_or(0) < count && !declared.added.iter().any(|known| known == name) {
            return Err(Rejected::Effect { name: name.clone(), gone: false });
        }
    }
    Ok(())
}
