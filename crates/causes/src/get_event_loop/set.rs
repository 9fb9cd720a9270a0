//! Where the program makes a loop the current one by itself.

use std::collections::BTreeSet;

use loopmend_python::facts::ExprKind;
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Root};

/// A call of `set_event_loop` with a loop, and where the calls that lead to it begin.
pub(super) struct Set {
    function: FunctionRef,
    roots: BTreeSet<Root>,
}

/// All of the tree.
pub(super) fn loops_set(life: &Lifecycle) -> Vec<Set> {
    let mut found = Vec::new();
    for &file in life.files_with("set_event_loop") {
        let facts = life.facts(file);
        if !facts.attributes.contains_key("set_event_loop") && !facts.loads.contains_key("set_event_loop") {
            continue;
        }
        for &id in &facts.calls {
            let call = ExprRef { file, id };
            let sets = matches!(&facts.expr(id).kind, ExprKind::Call { args, .. }
                if args.len() == 1 && !matches!(facts.expr(args[0]).kind, ExprKind::None));
            if sets && life.calls_any(call, &["asyncio.set_event_loop"]) {
                let function = FunctionRef { file, id: facts.function_of(id) };
                found.push(Set { function, roots: life.roots(function) });
            }
        }
    }
    found
}

/// Whether one of them may have run, in the same thread, before a function does.
pub(super) fn is_set_for(life: &Lifecycle, sets: &[Set], function: FunctionRef) -> bool {
    if sets.is_empty() {
        return false;
    }
    let own = life.roots(function);
    sets.iter().any(|set| {
        // What a module does when it is loaded is done before all else.
        set.function.is_module()
            || set.function == function
            || set.roots.iter().any(|root| own.contains(root) || may_come_first(life, root))
    })
}

/// Whether others may call it before anything: neither a test nor a thread, nor a program of its own.
fn may_come_first(life: &Lifecycle, root: &Root) -> bool {
    match root {
        Root::Uncalled(function) => {
            let name = &life.facts(function.file).function(function.id).name;
            !matches!(name.as_str(), "main" | "cli" | "run_main")
        }
        _ => false,
    }
}
