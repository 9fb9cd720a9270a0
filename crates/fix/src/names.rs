//! Names: what a module bound it still binds, and nothing is read that nothing binds.

use loopmend_causes::Declared;
use loopmend_python::facts::{BindingKind, ExprKind, Facts, MODULE};
use loopmend_python::lifecycle::{ExprRef, FileId, Lifecycle, Lookup, Value};

use crate::accept::Rejected;
use crate::builtin::BUILTINS;

/// Every name that a module bound is still bound, but for imports and declared ones that nothing uses.
pub(crate) fn bound(
    before: &Lifecycle,
    after: &Lifecycle,
    path: &str,
    declared: &Declared,
) -> Result<(), Rejected> {
    let (Some(old), Some(new)) = (before.file(path), after.file(path)) else { return Ok(()) };
    let (old_facts, new_facts) = (before.facts(old), after.facts(new));
    let mut names: Vec<_> = old_facts.scopes[MODULE.index()].keys().collect();
    names.sort_unstable();
    for name in names {
        if new_facts.scopes[MODULE.index()].contains_key(name) {
            continue;
        }
        let imported = old_facts.scopes[MODULE.index()][name].iter().all(|&id| {
            matches!(old_facts.binding(id).kind, BindingKind::Import { .. } | BindingKind::ImportFrom { .. })
        });
        let allowed = imported || declared.unbound.iter().any(|known| *known == format!("{path}:{name}"));
        if !allowed || used_elsewhere(after, new, name) {
            return Err(Rejected::Unbound { path: path.to_owned(), name: name.to_string() });
        }
    }
    Ok(())
}

fn used_elsewhere(life: &Lifecycle, of: FileId, name: &str) -> bool {
    if life.importers(of, name).next().is_some() {
        return true;
    }
    life.files_with(name).iter().copied().filter(|&file| file != of).any(|file| {
        let facts = life.facts(file);
        facts.attributes.get(name).into_iter().flatten().any(|&id| match facts.expr(id).kind {
            ExprKind::Attribute { value, .. } => {
                life.infer(ExprRef { file, id: value }).iter().any(|value| match value {
                    Value::Module(module) => life.modules().find(module, file) == Some(of),
                    _ => false,
                })
            }
            _ => false,
        })
    })
}

/// No name is read that nothing binds and that was not read so before.
pub(crate) fn known(before: &Lifecycle, after: &Lifecycle, path: &str) -> Result<(), Rejected> {
    let Some(new) = after.file(path) else { return Ok(()) };
    let facts = after.facts(new);
    if !facts.stars.is_empty() {
        return Ok(());
    }
    let old = before.file(path).map(|file| before.facts(file));
    let mut names: Vec<_> = facts.loads.keys().collect();
    names.sort_unstable();
    for name in names {
        if BUILTINS.contains(&name.as_str()) || name.is_empty() {
            continue;
        }
        let free = |life: &Lifecycle, file: FileId, facts: &Facts| {
            facts.loads.get(name).map_or(0, |loads| {
                loads.iter().filter(|&&id| life.lookup(ExprRef { file, id }, name) == Lookup::Free).count()
            })
        };
        let unknown = free(after, new, facts);
        let unknown_before =
            old.and_then(|old| before.file(path).map(|file| free(before, file, old))).unwrap_or(0);
        if unknown > unknown_before {
            return Err(Rejected::Unknown { path: path.to_owned(), name: name.to_string() });
        }
    }
    Ok(())
}
