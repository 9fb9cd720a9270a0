//! Calls that are meant to fail.

use super::{ExprRef, Lifecycle};
use crate::facts::{ExprId, ExprKind, Facts, Slot, StmtKind};

impl Lifecycle {
    /// Whether a test makes sure that this fails: it stands in `with pytest.raises(…)`, `with self.assertRaises(…)`.
    pub fn is_asserted_to_fail(&self, at: ExprRef) -> bool {
        self.surrounded(at, &|facts, stmt, slot| match (stmt, slot) {
            (StmtKind::With { items, .. }, Slot::Body) => items.iter().any(|item| {
                called(facts, item.context)
                    .is_some_and(|name| name == "raises" || name.starts_with("assertRaises"))
            }),
            _ => false,
        })
    }

    /// Whether the program expects that a loop may refuse this: a test makes sure of it, or a handler for `RuntimeError` takes
    /// it and does not raise again.
    pub fn is_refusal_expected(&self, at: ExprRef) -> bool {
        self.is_asserted_to_fail(at)
            || self.surrounded(at, &|facts, stmt, slot| match (stmt, slot) {
                (StmtKind::Try { handlers, .. }, Slot::Body) => handlers.iter().any(|handler| {
                    let mut named = false;
                    if let Some(types) = handler.types {
                        let mut look = |id: ExprId| {
                            let facts = facts.dotted(id);
                            named |= facts.is_some_and(|name| name.ends_with("RuntimeError"));
                        };
                        look(types);
                        facts.descend(types, &mut look);
                    }
                    let mut raises = false;
                    facts.walk(&handler.body, &mut |id| {
                        raises |= matches!(facts.stmt(id).kind, StmtKind::Raise { .. });
                    });
                    named && !raises
                }),
                _ => false,
            })
    }

    fn surrounded(&self, at: ExprRef, test: &dyn Fn(&Facts, &StmtKind, Slot) -> bool) -> bool {
        let facts = self.facts(at.file);
        facts.stmt_of(at.id).is_some_and(|stmt| {
            facts.ancestors(stmt).any(|(up, slot)| test(facts, &facts.stmt(up).kind, slot))
        })
    }
}

/// The last name of what an expression calls.
fn called(facts: &Facts, id: ExprId) -> Option<String> {
    let ExprKind::Call { func, .. } = facts.expr(id).kind else { return None };
    let dotted = facts.dotted(func)?;
    Some(dotted.rsplit('.').next().unwrap_or(&dotted).to_owned())
}
