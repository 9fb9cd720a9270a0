//! Calls that go with a hook.

use std::collections::BTreeSet;

use loopmend_python::facts::ExprKind;
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle};

use super::late::{Late, LateKind};

/// Getting, asking, setting and ending a loop, running on it, and ending what is not awaited there.
const PLUMBING: [&str; 11] = [
    "run_until_complete",
    "run",
    "create_task",
    "ensure_future",
    "get_event_loop",
    "get_running_loop",
    "new_event_loop",
    "set_event_loop",
    "is_running",
    "is_closed",
    "shutdown_asyncgens",
];

/// What a handler says that took it that no loop was there, and the end of the hook's own loop.
const WORDS: [&str; 7] = ["close", "print", "debug", "info", "warning", "error", "exception"];

/// Names of calls that stand in the hook and may be missing afterwards.
pub(super) fn gone(life: &Lifecycle, late: &Late) -> Vec<String> {
    let mut names = BTreeSet::new();
    if let Some(hook) = late.hook {
        called_in(life, hook, &mut |name| {
            if PLUMBING.contains(&name) || WORDS.contains(&name) {
                names.insert(name.to_owned());
            }
        });
    }
    for act in &late.acts {
        names.extend(life.called_name(act.call).filter(|name| PLUMBING.contains(&name.as_str())));
        // Branches that run the same work in two ways become one.
        names.extend(life.called_name(act.work));
    }
    match late.kind {
        LateKind::Exit(_) => names.insert("register".to_owned()),
        LateKind::Fixture(_) => names.insert("fixture".to_owned()),
        LateKind::Del(_) | LateKind::Finalize(_) => false,
    };
    names.into_iter().collect()
}

fn called_in(life: &Lifecycle, function: FunctionRef, take: &mut dyn FnMut(&str)) {
    let facts = life.facts(function.file);
    facts.body_exprs(function.id, &mut |id| {
        if matches!(facts.expr(id).kind, ExprKind::Call { .. })
            && let Some(name) = life.called_name(ExprRef { file: function.file, id })
        {
            take(&name);
        }
    });
}
