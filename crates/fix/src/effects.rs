//! Effectful calls of a tree: by name, and in their order in each function.

use std::collections::BTreeMap;

use loopmend_python::facts::{BindingKind, ExprId, ExprKind, Facts, MODULE};
use loopmend_python::lifecycle::Lifecycle;

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

fn called(facts: &Facts, call: ExprId) -> Option<&str> {
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
pub(crate) fn counts(life: &Lifecycle, paths: &[&str]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for file in paths.iter().filter_map(|path| life.file(path)) {
        let facts = life.facts(file);
        for name in facts.calls.iter().filter_map(|&call| called(facts, call)) {
            *counts.entry(name.to_owned()).or_default() += 1;
        }
    }
    counts
}

/// The names called in each function, in source order, without those to skip.
pub(crate) fn order(
    life: &Lifecycle,
    paths: &[&str],
    skip: &[&str],
) -> BTreeMap<(String, String), Vec<String>> {
    let mut orders: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for file in paths.iter().filter_map(|path| life.file(path)) {
        let facts = life.facts(file);
        for &call in &facts.calls {
            if let Some(name) = called(facts, call).filter(|name| !skip.contains(name)) {
                let function = facts.function(facts.function_of(call));
                orders
                    .entry((facts.path.clone(), function.qualname.clone()))
                    .or_default()
                    .push(name.to_owned());
            }
        }
    }
    orders
}
