//! The effectful calls along each entry: what a root calls, and what that calls, in order.
//!
//! Code that moves into a function of its own, or out of one, runs as before; so sequences are compared from the roots:
//! module bodies, and functions that nothing in the tree is seen to call.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash as _, Hasher as _};

use loopmend_causes::Declared;
use loopmend_python::facts::{ExprId, FunctionId};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle};
use rustc_hash::{FxHashMap, FxHasher};

use crate::accept::Rejected;
use crate::effects::called;

/// A function that more others lead to is a root of its own.
const CALLERS: usize = 400;
/// Calls within calls beyond which nothing is compared.
const DEPTH: usize = 150;

/// A function, named so that it is found again in the changed tree.
type Key = (String, String);

/// Each function's calls, those of its lambdas among them.
type Calls = BTreeMap<Key, (FunctionRef, Vec<Step>)>;

/// One call.
#[derive(PartialEq, Eq)]
struct Step {
    /// The name, if the call is one to compare.
    name: Option<String>,
    /// Its name is declared: of functions that both trees have, it comes or goes with all that they call.
    declared: bool,
    callees: Vec<Key>,
}

/// The hash of a sequence of names; two sequences in a row are the hash of both.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Sequence {
    hash: u64,
    power: u64,
}

impl Sequence {
    const EMPTY: Self = Self { hash: 0, power: 1 };

    fn of(name: &str) -> Self {
        let mut hasher = FxHasher::default();
        name.hash(&mut hasher);
        Self { hash: hasher.finish() | 1, power: 0x9e37_79b9_7f4a_7c15 }
    }

    fn then(self, next: Self) -> Self {
        Self {
            hash: self.hash.wrapping_mul(next.power).wrapping_add(next.hash),
            power: self.power.wrapping_mul(next.power),
        }
    }
}

/// One tree's calls, as far as they were asked for.
struct Side<'l> {
    life: &'l Lifecycle,
    /// The other tree.
    other: &'l Lifecycle,
    skip: &'l [&'l str],
    calls: Calls,
    files: BTreeSet<FileId>,
    known: FxHashMap<Key, Sequence>,
}

impl<'l> Side<'l> {
    fn new(life: &'l Lifecycle, other: &'l Lifecycle, paths: &[&str], skip: &'l [&'l str]) -> Self {
        let (calls, files, known) = (Calls::new(), BTreeSet::new(), FxHashMap::default());
        let mut side = Self { life, other, skip, calls, files, known };
        for file in paths.iter().filter_map(|path| life.file(path)) {
            side.read(file);
        }
        side
    }

    fn read(&mut self, file: FileId) {
        if !self.files.insert(file) {
            return;
        }
        let facts = self.life.facts(file);
        let mut by_function: BTreeMap<FunctionId, Vec<ExprId>> = BTreeMap::new();
        for &call in &facts.calls {
            by_function.entry(facts.function_of(call)).or_default().push(call);
        }
        for index in 0..facts.functions.len() {
            let function = FunctionRef { file, id: FunctionId::new(index) };
            let calls = by_function.remove(&function.id).unwrap_or_default();
            let steps: Vec<Step> =
                calls.into_iter().map(|call| self.step(ExprRef { file, id: call })).collect();
            let (_, known) = self.calls.entry(self.key(function)).or_insert((function, Vec::new()));
            known.extend(steps);
        }
    }

    fn step(&self, call: ExprRef) -> Step {
        let name = called(self.life.facts(call.file), call.id);
        let declared = name.is_some_and(|name| self.skip.contains(&name));
        Step {
            name: name.filter(|_| !declared).map(str::to_owned),
            declared,
            callees: self.life.callees(call).into_iter().map(|callee| self.key(callee)).collect(),
        }
    }

    fn key(&self, function: FunctionRef) -> Key {
        let facts = self.life.facts(function.file);
        (facts.path.clone(), facts.function(function.id).qualname.clone())
    }

    /// Where the calls that lead to a function begin: itself, if nothing calls it.
    fn roots(&self, function: FunctionRef) -> BTreeSet<Key> {
        let mut roots = BTreeSet::new();
        let mut seen = BTreeSet::from([function]);
        let mut work = vec![function];
        while let Some(at) = work.pop() {
            let sites = self.life.call_sites(at);
            if sites.is_empty() || seen.len() > CALLERS {
                roots.insert(self.key(at));
                continue;
            }
            for site in sites {
                let id = self.life.facts(site.call.file).function_of(site.call.id);
                let caller = FunctionRef { file: site.call.file, id };
                if seen.insert(caller) {
                    work.push(caller);
                }
            }
        }
        if roots.is_empty() {
            roots.insert(self.key(function));
        }
        roots
    }

    /// What runs when a function runs.
    fn sequence(&mut self, key: &Key, open: &mut Vec<Key>) -> Sequence {
        if let Some(known) = self.known.get(key) {
            return *known;
        }
        if open.contains(key) || open.len() > DEPTH {
            return Sequence::EMPTY;
        }
        if let Some(file) = self.life.file(&key.0) {
            self.read(file);
        }
        let Some((_, steps)) = self.calls.remove(key) else { return Sequence::EMPTY };
        open.push(key.clone());
        let mut sequence = Sequence::EMPTY;
        for step in &steps {
            if let Some(name) = &step.name {
                sequence = sequence.then(Sequence::of(name));
            }
            for callee in step.callees.iter().filter(|callee| !step.declared || !has(self.other, callee)) {
                sequence = sequence.then(self.sequence(callee, open));
            }
        }
        open.pop();
        self.known.insert(key.clone(), sequence);
        sequence
    }
}

/// Along each entry that leads through a changed function, the same calls are made in the same order but for the
/// declared ones.
pub(crate) fn compare(
    before: &Lifecycle,
    after: &Lifecycle,
    paths: &[&str],
    declared: &Declared,
) -> Result<(), Rejected> {
    let skip: Vec<&str> = declared.added.iter().chain(&declared.removed).map(String::as_str).collect();
    let mut old = Side::new(before, after, paths, &skip);
    let mut new = Side::new(after, before, paths, &skip);
    let mut roots = BTreeSet::new();
    for (side, other) in [(&old, &new), (&new, &old)] {
        for (key, (function, steps)) in &side.calls {
            if other.calls.get(key).is_none_or(|(_, there)| there != steps) {
                roots.extend(side.roots(*function));
            }
        }
    }
    for root in roots {
        if has(before, &root)
            && has(after, &root)
            && old.sequence(&root, &mut Vec::new()) != new.sequence(&root, &mut Vec::new())
        {
            return Err(Rejected::Order { function: root.1 });
        }
    }
    Ok(())
}

fn has(life: &Lifecycle, key: &Key) -> bool {
    life.file(&key.0)
        .is_some_and(|file| life.facts(file).functions.iter().any(|function| function.qualname == key.1))
}
