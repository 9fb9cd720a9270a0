//! What starts a program as a process of its own: the tests and scripts in whose log its end is told.

use loopmend_python::facts::{ExprKind, Facts, FunctionId};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Run};

const STARTS: &[&str] = &["Popen", "create_subprocess_exec", "create_subprocess_shell", "spawn"];
const STOPS: &[&str] = &["send_signal", "terminate", "SIGTERM"];

/// The functions that start the program of a run, and those beside them that end it.
pub(super) fn starters(life: &Lifecycle, run: &Run) -> Vec<FunctionRef> {
    let program = life.facts(run.call.file);
    let module = program.module.strip_suffix(".__main__").unwrap_or(&program.module);
    let name = program.path.rsplit('/').next().unwrap_or_default();
    let names = |text: &str| {
        let tail = text.rsplit('/').next().unwrap_or(text);
        text == module || tail == name || text.ends_with(&format!("-m {module}"))
    };
    let mut found = Vec::new();
    for file in life.files_with_any(STARTS.iter().copied()) {
        let facts = life.facts(file);
        let starts = |call: &ExprRef| started(facts, *call, &names);
        let calls = STARTS
            .iter()
            .flat_map(|&word| facts.attributes.get(word).into_iter().chain(facts.loads.get(word)))
            .flatten()
            .filter_map(|&id| facts.parent_expr(id))
            .map(|id| ExprRef { file, id });
        let starting: Vec<FunctionId> = calls.filter(starts).map(|call| facts.function_of(call.id)).collect();
        if starting.is_empty() {
            continue;
        }
        found.extend(starting.into_iter().chain(stopping(facts)).map(|id| FunctionRef { file, id }));
    }
    found.retain(|function: &FunctionRef| !function.is_module());
    found
}

fn started(facts: &Facts, call: ExprRef, names: &dyn Fn(&str) -> bool) -> bool {
    let ExprKind::Call { args, .. } = &facts.expr(call.id).kind else { return false };
    let mut found = false;
    for &argument in args {
        facts.descend(argument, &mut |id| {
            found |= matches!(&facts.expr(id).kind, ExprKind::Str(text) if names(text));
        });
    }
    found
}

fn stopping(facts: &Facts) -> impl Iterator<Item = FunctionId> + '_ {
    STOPS.iter().filter_map(|&word| facts.attributes.get(word)).flatten().map(|&id| facts.function_of(id))
}
