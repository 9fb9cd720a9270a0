//! What a name means where it stands.

use super::{ClassRef, ExprRef, FileId, FunctionRef, Lifecycle};
use crate::facts::{BindingId, Facts, FunctionId, MODULE, Name, StmtId, StmtKind};

/// Where a name is bound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// In a function's scope (or the module's), by these bindings that may reach the place.
    Bound(FunctionRef, Vec<BindingId>),
    /// In the body of a class.
    Member(ClassRef, Vec<BindingId>),
    /// Nowhere in the file: a builtin, or brought in by a star import.
    Free,
}

impl Lifecycle {
    /// What a bare name means at an expression that reads it.
    pub fn lookup(&self, expr: ExprRef, name: &str) -> Lookup {
        let facts = self.facts(expr.file);
        let stmt = facts.stmt_of(expr.id);
        let function = stmt.map_or(MODULE, |stmt| facts.stmt(stmt).function);
        if let Some(class) = stmt.and_then(|stmt| facts.stmt(stmt).class)
            && let Some(bindings) = facts.class(class).members.get(name)
        {
            return Lookup::Member(ClassRef { file: expr.file, id: class }, bindings.clone());
        }
        match owner(facts, function, name) {
            None => Lookup::Free,
            Some(scope) => {
                let all = &facts.scopes[scope.index()][name];
                let bindings = match stmt {
                    Some(stmt) if scope == function => reaching(facts, all, stmt, expr),
                    _ => all.to_vec(),
                };
                Lookup::Bound(FunctionRef { file: expr.file, id: scope }, bindings)
            }
        }
    }

    /// Whether a name at an expression is the receiver (`self`) of the method around it; gives the class.
    pub fn receiver_class(&self, expr: ExprRef) -> Option<ClassRef> {
        let facts = self.facts(expr.file);
        let name = facts.name_of(expr.id)?;
        let mut at = facts.function_of(expr.id);
        loop {
            let function = facts.function(at);
            if facts.scopes[at.index()].contains_key(name) {
                let class = function.class?;
                let is_static = function
                    .decorators
                    .iter()
                    .any(|&decorator| facts.dotted(decorator).as_deref() == Some("staticmethod"));
                return (function.receiver() == Some(name) && !is_static)
                    .then_some(ClassRef { file: expr.file, id: class });
            }
            at = function.parent?;
        }
    }

    /// All reads of a name that mean a given scope's name, in the file.
    pub fn loads_of(&self, file: FileId, scope: FunctionId, name: &Name) -> Vec<ExprRef> {
        let facts = self.facts(file);
        let Some(loads) = facts.loads.get(name) else { return Vec::new() };
        loads
            .iter()
            .copied()
            .filter(|&load| {
                let stmt = facts.stmt_of(load);
                let in_class = stmt
                    .and_then(|stmt| facts.stmt(stmt).class)
                    .is_some_and(|class| facts.class(class).members.contains_key(name));
                !in_class && owner(facts, facts.function_of(load), name) == Some(scope)
            })
            .map(|id| ExprRef { file, id })
            .collect()
    }
}

/// The scope that a name belongs to when read in a function: its own, that of a function around it, the module's.
pub(super) fn owner(facts: &Facts, function: FunctionId, name: &str) -> Option<FunctionId> {
    let mut at = Some(function);
    while let Some(id) = at {
        if facts.scopes[id.index()].contains_key(name)
            && !facts.function(id).globals.iter().any(|global| global == name)
        {
            return Some(id);
        }
        at = facts.function(id).parent;
    }
    None
}

/// The bindings of one scope that may reach a place in the same function: the last one that always runs before it, those
/// in branches between, and in a loop those that come round again.
fn reaching(facts: &Facts, all: &[BindingId], at: StmtId, expr: ExprRef) -> Vec<BindingId> {
    if all.len() == 1 {
        return all.to_vec();
    }
    let place = facts.expr(expr.id).range.start();
    let loops: Vec<StmtId> = std::iter::once(at)
        .chain(facts.ancestors(at).map(|(stmt, _)| stmt))
        .filter(|&stmt| matches!(facts.stmt(stmt).kind, StmtKind::For { .. } | StmtKind::While { .. }))
        .collect();
    let mut reached: Vec<BindingId> = Vec::new();
    for &id in all {
        let Some(stmt) = facts.binding(id).stmt else {
            reached.push(id);
            continue;
        };
        let before =
            facts.stmt(stmt).range.start() < place && (stmt != at || binds_before(facts, stmt, place));
        let round = loops.iter().any(|&outer| facts.within(stmt, outer));
        if !before && !round {
            continue;
        }
        if before && dominates(facts, stmt, at) {
            // It always runs before the place: what was bound earlier is gone, unless a loop brings it round.
            reached.retain(|&earlier| {
                facts.binding(earlier).stmt.is_some_and(|earlier| {
                    loops.iter().any(|&outer| {
                        facts.within(earlier, outer) && facts.stmt(earlier).range.start() > place
                    })
                })
            });
        }
        reached.push(id);
    }
    if reached.is_empty() { all.to_vec() } else { reached }
}

/// A statement's own targets are bound after its value is read, but before a body it may have.
fn binds_before(facts: &Facts, stmt: StmtId, place: ruff_text_size::TextSize) -> bool {
    let mut body_start = None;
    facts.stmt(stmt).blocks(&mut |_, block| {
        if body_start.is_none() {
            body_start = block.first().map(|&first| facts.stmt(first).range.start());
        }
    });
    body_start.is_some_and(|start| place >= start)
}

/// Whether `first` runs on every way to `then`, for statements of one function with `first` before `then` in the text.
fn dominates(facts: &Facts, first: StmtId, then: StmtId) -> bool {
    if facts.within(then, first) {
        return true;
    }
    let parent = facts.stmt(first).parent;
    let slot = facts.stmt(first).slot;
    // `first` stands in a block that `then` is in too, or in a body that is always entered (`with`, `try`'s finally).
    let shared = std::iter::once((then, facts.stmt(then).slot, facts.stmt(then).parent))
        .chain(facts.ancestors(then).map(|(stmt, _)| (stmt, facts.stmt(stmt).slot, facts.stmt(stmt).parent)))
        .any(|(_, then_slot, then_parent)| then_parent == parent && then_slot == slot);
    if shared {
        return true;
    }
    match parent {
        Some(up) => {
            let always = match facts.stmt(up).kind {
                StmtKind::With { .. } => true,
                StmtKind::Try { .. } => slot == crate::facts::Slot::Finally,
                _ => false,
            };
            always && dominates(facts, up, then)
        }
        None => false,
    }
}
