//! Code that a constant keeps from running.

use super::{ExprRef, FileId, Lifecycle};
use crate::facts::{BindingKind, ExprId, ExprKind, MODULE, Name, Slot, StmtKind, word};

/// How many modules a constant is followed through.
const IMPORTS: usize = 3;

impl Lifecycle {
    /// Whether a constant keeps a place from running: `if False:`, `if TYPE_CHECKING:`, or a module's constant that is set once
    /// (`IS_SYNC = False`, as in code of which an async and a sync edition are made).
    pub fn never_runs(&self, at: ExprRef) -> bool {
        let facts = self.facts(at.file);
        facts.stmt_of(at.id).is_some_and(|stmt| {
            facts.ancestors(stmt).any(|(outer, slot)| {
                let StmtKind::If { test, .. } = facts.stmt(outer).kind else { return false };
                let runs_if = match slot {
                    Slot::Body => true,
                    Slot::Orelse => false,
                    _ => return false,
                };
                self.constant_truth(at.with(test)) == Some(!runs_if)
            })
        })
    }

    /// What a condition always is, where constants tell.
    fn constant_truth(&self, test: ExprRef) -> Option<bool> {
        let facts = self.facts(test.file);
        match &facts.expr(test.id).kind {
            ExprKind::Not(inner) => self.constant_truth(test.with(*inner)).map(|truth| !truth),
            ExprKind::BoolOp { or, values } => {
                let mut all = true;
                for &value in values {
                    match self.constant_truth(test.with(value)) {
                        Some(truth) if truth == *or => return Some(*or),
                        Some(_) => {}
                        None => all = false,
                    }
                }
                all.then_some(!*or)
            }
            ExprKind::Name(name) if name == "TYPE_CHECKING" => Some(false),
            ExprKind::Attribute { attr, .. } if attr == "TYPE_CHECKING" => Some(false),
            ExprKind::Name(name) => {
                let shadowed = facts.scopes.iter().skip(1).any(|scope| scope.contains_key(name));
                if shadowed { None } else { self.constant_of(test.file, name, IMPORTS) }
            }
            _ => literal(facts, test.id),
        }
    }

    /// The truth of a module's constant that is bound once, by a literal or by an import of such a one.
    fn constant_of(&self, file: FileId, name: &Name, left: usize) -> Option<bool> {
        let facts = self.facts(file);
        let [only] = facts.scopes[MODULE.index()].get(name)?[..] else { return None };
        let written = word(name);
        let mut writers = self.files_with(name).iter().filter(|&&other| self.outline(other).writes(written));
        let set_elsewhere = writers.any(|&other| self.facts(other).writes.contains_key(name));
        if set_elsewhere {
            return None;
        }
        match &facts.binding(only).kind {
            BindingKind::Value { value, path } if path.is_empty() => literal(facts, *value),
            BindingKind::ImportFrom { level, module, name } if left > 0 => {
                self.constant_of(self.imported_file(file, *level, module)?, name, left - 1)
            }
            _ => None,
        }
    }
}

fn literal(facts: &crate::facts::Facts, id: ExprId) -> Option<bool> {
    match facts.expr(id).kind {
        ExprKind::Bool(truth) => Some(truth),
        _ => None,
    }
}
