//! Names that handlers use, and what each means where a lifespan stands.

use std::collections::BTreeSet;

use loopmend_python::facts::{ExprId, ExprKind, FunctionId, MODULE, Name, Parent};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Lookup, Origin, UseKind};

use super::gather::Home;

/// Whether anything but its registration uses a function.
pub(crate) fn referenced(life: &Lifecycle, function: FunctionRef) -> bool {
    let used = life
        .flow(Origin::Function(function), false)
        .uses
        .iter()
        .any(|at| !matches!(at.kind, UseKind::Decorator(_) | UseKind::Stored(_) | UseKind::Dropped));
    if used {
        return true;
    }
    let facts = life.facts(function.file);
    let of = facts.function(function.id);
    if facts.loads.get(&of.name).is_some_and(|loads| {
        let scope = of.parent.unwrap_or(MODULE);
        !loads.is_empty() && !life.loads_of(function.file, scope, &of.name).is_empty()
    }) {
        return true;
    }
    // Patched or exported by a string.
    let module = facts.module.rsplit('.').next().unwrap_or(&facts.module);
    let dotted = format!("{module}.{}", of.name);
    life.files().any(|file| life.text(file).contains(&dotted))
        || facts.exprs.iter().any(|expr| {
            matches!(&expr.kind, ExprKind::Str(text) if **text == *of.name)
                && matches!(expr.parent, Parent::Expr(up) if matches!(facts.expr(up).kind, ExprKind::List(_) | ExprKind::Tuple(_)))
        })
}

pub(super) fn locals(life: &Lifecycle, function: FunctionRef) -> Vec<Name> {
    let facts = life.facts(function.file);
    let globals = &facts.function(function.id).globals;
    let mut names: Vec<Name> =
        facts.scopes[function.id.index()].keys().filter(|name| !globals.contains(name)).cloned().collect();
    names.sort_unstable();
    names
}

fn within(life: &Lifecycle, function: FunctionRef, scope: FunctionId) -> bool {
    let facts = life.facts(function.file);
    facts.functions_around(scope).any(|id| id == function.id)
}

/// Reads of names in a function and those inside it.
fn reads(life: &Lifecycle, function: FunctionRef) -> Vec<ExprRef> {
    let facts = life.facts(function.file);
    let range = facts.function(function.id).range;
    let mut found: Vec<ExprRef> = facts
        .exprs
        .iter()
        .enumerate()
        .filter(|(_, expr)| matches!(expr.kind, ExprKind::Name(_)) && range.contains_range(expr.range))
        .map(|(index, _)| ExprRef { file: function.file, id: ExprId::new(index) })
        .filter(|expr| within(life, function, facts.function_of(expr.id)))
        .collect();
    found.sort_unstable();
    found
}

/// Whether a function uses a name that is not its own.
pub(super) fn reads_free(life: &Lifecycle, function: FunctionRef, name: &Name) -> bool {
    let facts = life.facts(function.file);
    facts.function(function.id).globals.contains(name)
        || reads(life, function).into_iter().any(|expr| {
            facts.name_of(expr.id) == Some(name)
                && match life.lookup(expr, name) {
                    Lookup::Bound(scope, _) => !within(life, function, scope.id),
                    _ => true,
                }
        })
}

/// Names of functions around that a function uses, with the scope that binds each.
pub(super) fn free_names(life: &Lifecycle, function: FunctionRef) -> BTreeSet<(Name, FunctionRef)> {
    let facts = life.facts(function.file);
    reads(life, function)
        .into_iter()
        .filter_map(|expr| {
            let name = facts.name_of(expr.id)?;
            match life.lookup(expr, name) {
                Lookup::Bound(scope, _) if !within(life, function, scope.id) => Some((name.clone(), scope)),
                _ => None,
            }
        })
        .collect()
}

/// Whether a name of this scope means the same in the lifespan (the application is renamed).
pub(super) fn visible(life: &Lifecycle, home: &Home, name: &Name, scope: FunctionRef) -> bool {
    if home.aliases.contains(name) {
        return true;
    }
    if scope.is_module() {
        return scope.file == home.file;
    }
    Some(scope) != home.gone
        && scope.file == home.file
        && std::iter::successors(Some(home.scope.id), |&at| life.facts(home.file).function(at).parent)
            .any(|at| at == scope.id)
}
