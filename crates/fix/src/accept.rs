//! Whether a changed tree is the old one without the defect.
#![allow(missing_docs)] // the fields of a rejection are named in its sentence

use std::collections::BTreeMap;
use std::fmt;

use loopmend_causes::{Declared, Found};
use loopmend_python::facts::{BindingKind, Definition, ExprKind, Facts, MODULE, Parent, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, Lookup, Value};

use crate::builtin::BUILTINS;
use crate::effects::{counts, order};

/// Why a mend is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rejected {
    /// The changed file does not parse.
    Broken { path: String, message: String },
    /// The finding is still there.
    StillFound,
    /// Another finding came up.
    NewFinding { cause: String, message: String },
    /// A module no longer binds a name that others use.
    Unbound { path: String, name: String },
    /// A name is read that nothing binds.
    Unknown { path: String, name: String },
    /// An effectful call came or went that the mend did not say.
    Effect { name: String, gone: bool },
    /// Calls of a function run in another order.
    Order { function: String },
    /// A function became async and this caller does not await it.
    NotAwaited { function: String, path: String, line: u32 },
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken { path, message } => write!(f, "{path} would not parse: {message}"),
            Self::StillFound => f.write_str("the defect would still be there"),
            Self::NewFinding { cause, message } => write!(f, "it would bring {cause}: {message}"),
            Self::Unbound { path, name } => {
                write!(f, "{path} would no longer define `{name}`, which is used elsewhere")
            }
            Self::Unknown { path, name } => write!(f, "{path} would read `{name}`, which nothing defines"),
            Self::Effect { name, gone: true } => write!(f, "a call of `{name}` would be lost"),
            Self::Effect { name, gone: false } => write!(f, "an unexpected call of `{name}` would be added"),
            Self::Order { function } => write!(f, "the calls in `{function}` would run in another order"),
            Self::NotAwaited { function, path, line } => {
                write!(f, "`{function}` would become async, and {path}:{line} does not await it")
            }
        }
    }
}

/// Compares a tree before and after a mend of `target` that changed the files at `paths`.
pub fn accept(
    before: &Lifecycle,
    after: &Lifecycle,
    paths: &[&str],
    target: &Found,
    found_before: &[Found],
    found_after: &[Found],
    declared: &Declared,
) -> Result<(), Rejected> {
    for path in paths {
        parses(before, after, path)?;
    }
    findings(before, after, target, found_before, found_after)?;
    for path in paths {
        bound(before, after, path, declared)?;
        known(before, after, path)?;
    }
    effects(before, after, paths, declared)?;
    awaited(before, after, paths)
}

fn parses(before: &Lifecycle, after: &Lifecycle, path: &str) -> Result<(), Rejected> {
    let errors = |life: &Lifecycle| life.file(path).map_or(0, |file| life.facts(file).errors.len());
    if errors(after) > errors(before)
        && let Some(error) = after.file(path).and_then(|file| after.facts(file).errors.first())
    {
        return Err(Rejected::Broken { path: path.to_owned(), message: error.message.clone() });
    }
    Ok(())
}

fn findings(
    before: &Lifecycle,
    after: &Lifecycle,
    target: &Found,
    found_before: &[Found],
    found_after: &[Found],
) -> Result<(), Rejected> {
    type Key<'k> = (&'k str, &'k str, &'k str);
    fn tally<'k>(
        life: &'k Lifecycle,
        found: &'k [Found],
    ) -> (BTreeMap<Key<'k>, usize>, BTreeMap<&'k str, usize>) {
        let (mut keys, mut causes) = (BTreeMap::new(), BTreeMap::new());
        for found in found {
            let path = life.facts(found.spot.file).path.as_str();
            *keys.entry((found.cause, path, found.message.as_str())).or_default() += 1;
            *causes.entry(found.cause).or_default() += 1;
        }
        (keys, causes)
    }
    let (keys_before, causes_before) = tally(before, found_before);
    let (keys_after, causes_after) = tally(after, found_after);
    let target_key = (target.cause, before.facts(target.spot.file).path.as_str(), target.message.as_str());
    let count = |keys: &BTreeMap<Key<'_>, usize>, key: &Key<'_>| keys.get(key).copied().unwrap_or(0);
    if count(&keys_after, &target_key) >= count(&keys_before, &target_key).max(1) {
        return Err(Rejected::StillFound);
    }
    for (key, &number) in &keys_after {
        if number <= count(&keys_before, key) {
            continue;
        }
        // A guess is no reason to leave a defect.
        let certain = found_after.iter().any(|found| {
            !found.doubtful
                && found.cause == key.0
                && found.message == key.2
                && after.facts(found.spot.file).path == key.1
        });
        if !certain {
            continue;
        }
        // The same finding in other words, since code moved, is none too many.
        let fewer = causes_after.get(key.0).copied().unwrap_or(0)
            < causes_before.get(key.0).copied().unwrap_or(0) + usize::from(key.0 != target.cause);
        if !fewer {
            return Err(Rejected::NewFinding { cause: key.0.to_owned(), message: key.2.to_owned() });
        }
    }
    Ok(())
}

/// Every name that a module bound is still bound, but for imports and declared ones that nothing uses.
fn bound(before: &Lifecycle, after: &Lifecycle, path: &str, declared: &Declared) -> Result<(), Rejected> {
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
    life.files().filter(|&file| file != of).any(|file| {
        let facts = life.facts(file);
        let imported = facts.bindings.iter().any(|binding| match &binding.kind {
            BindingKind::ImportFrom { level, module, name: imported } => {
                imported == name && life.imported_file(file, *level, module) == Some(of)
            }
            _ => false,
        });
        imported
            || facts.attributes.get(name).into_iter().flatten().any(|&id| match facts.expr(id).kind {
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
fn known(before: &Lifecycle, after: &Lifecycle, path: &str) -> Result<(), Rejected> {
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

fn effects(
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
    if declared.moved {
        return Ok(());
    }
    let skip: Vec<&str> = declared.added.iter().chain(&declared.removed).map(String::as_str).collect();
    let old = order(before, paths, &skip);
    let new = order(after, paths, &skip);
    for (function, calls) in &old {
        if let Some(now) = new.get(function)
            && now != calls
        {
            return Err(Rejected::Order { function: function.1.clone() });
        }
    }
    Ok(())
}

/// Every function that became async is awaited, run or handed on wherever it is called.
fn awaited(before: &Lifecycle, after: &Lifecycle, paths: &[&str]) -> Result<(), Rejected> {
    for path in paths {
        let (Some(old), Some(new)) = (before.file(path), after.file(path)) else { continue };
        for (index, function) in after.facts(new).functions.iter().enumerate().skip(1) {
            if !function.is_async || !matches!(function.definition, Definition::Def(_)) {
                continue;
            }
            let was_sync = before.facts(old).functions.iter().any(|other| {
                other.qualname == function.qualname
                    && !other.is_async
                    && matches!(other.definition, Definition::Def(_))
            });
            if !was_sync {
                continue;
            }
            let of = FunctionRef { file: new, id: loopmend_python::facts::FunctionId::new(index) };
            for site in after.call_sites(of) {
                let facts = after.facts(site.call.file);
                let dropped = match facts.expr(site.call.id).parent {
                    Parent::Expr(up) => !matches!(
                        facts.expr(up).kind,
                        ExprKind::Await(_)
                            | ExprKind::Call { .. }
                            | ExprKind::Starred(_)
                            | ExprKind::List(_)
                            | ExprKind::Tuple(_)
                            | ExprKind::Comprehension { .. }
                    ),
                    Parent::Stmt(stmt) => !matches!(
                        facts.stmt(stmt).kind,
                        StmtKind::With { is_async: true, .. }
                            | StmtKind::For { is_async: true, .. }
                            | StmtKind::Return(_)
                    ),
                    Parent::None => true,
                };
                if dropped {
                    return Err(Rejected::NotAwaited {
                        function: function.qualname.clone(),
                        path: facts.path.clone(),
                        line: facts.lines.line(facts.expr(site.call.id).range.start()),
                    });
                }
            }
        }
    }
    Ok(())
}
