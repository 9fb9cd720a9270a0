//! What the functions that threads run are given: `Thread(target=f, args=(a,))`, `executor.submit(f, a)`.

use super::{ExprRef, FileId, FunctionRef, Lifecycle};
use crate::facts::{ExprId, ExprKind, Facts};

/// Calls that run what they are given in a thread.
const STARTERS: [&str; 4] = ["Thread", "submit", "to_thread", "run_in_executor"];

/// A name that more than this mention says nothing.
const MENTIONS: usize = 16;

/// Files that start threads.
struct Starting(Vec<FileId>);

impl Starting {
    fn of(life: &Lifecycle) -> Self {
        let mut files: Vec<FileId> = STARTERS.iter().flat_map(|name| life.files_calling(name)).collect();
        files.sort_unstable();
        files.dedup();
        Self(files)
    }
}

impl Lifecycle {
    /// The arguments for a parameter (by place, counted without the receiver) at the calls that name the function as a
    /// thread's target or an executor's job; what the name stands for there is not looked at.
    pub(super) fn started_with(&self, function: FunctionRef, place: usize) -> Vec<(ExprRef, ExprRef)> {
        let name = &self.facts(function.file).function(function.id).name;
        let mut found = Vec::new();
        for &file in &self.once(Starting::of).0 {
            let facts = self.facts(file);
            for list in [facts.loads.get(name), facts.attributes.get(name)].into_iter().flatten() {
                if list.len() > MENTIONS {
                    return Vec::new();
                }
                for &target in list {
                    if let Some(argument) = argument(facts, target, place) {
                        found.push((ExprRef { file, id: target }, ExprRef { file, id: argument }));
                    }
                }
            }
        }
        found
    }
}

/// What the call that an expression is handed to gives its target at a place.
fn argument(facts: &Facts, target: ExprId, place: usize) -> Option<ExprId> {
    let call = facts.parent_expr(target)?;
    let ExprKind::Call { func, args, keywords } = &facts.expr(call).kind else { return None };
    let (ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. }) = &facts.expr(*func).kind else {
        return None;
    };
    let own = args.iter().position(|&arg| arg == target);
    let first = match (name.as_str(), own) {
        ("Thread", None) => {
            let named =
                |wanted: &str| keywords.iter().find(|keyword| keyword.name.as_deref() == Some(wanted));
            named("target").filter(|keyword| keyword.value == target)?;
            let (ExprKind::Tuple(items) | ExprKind::List(items)) = &facts.expr(named("args")?.value).kind
            else {
                return None;
            };
            return plain(facts, items, place);
        }
        ("submit" | "to_thread", Some(0)) => 1,
        ("run_in_executor", Some(1)) => 2,
        _ => return None,
    };
    plain(facts, args, first + place)
}

fn plain(facts: &Facts, items: &[ExprId], place: usize) -> Option<ExprId> {
    let starred = |&id: &ExprId| matches!(facts.expr(id).kind, ExprKind::Starred(_));
    (!items.iter().take(place + 1).any(starred)).then(|| items.get(place).copied()).flatten()
}
