//! Calls that tell a function not to run its loop: `wait=False` for `if wait:`, `timeout=0` for `for _ in range(timeout):`.

use std::collections::BTreeSet;

use loopmend_python::facts::{BindingKind, ExprId, ExprKind, Facts, Function, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{CallSite, ExprRef, FunctionRef, Ground, Lifecycle, Lookup, Run};

/// Whether a loop runs below a call that lets the run happen.
pub(super) fn runs_below_loop(life: &Lifecycle, run: &Run) -> bool {
    let below = |function| life.grounds(function).iter().any(Ground::runs_loop);
    if !below(run.function) {
        return false;
    }
    let gates = gates(life, run);
    if gates.is_empty() {
        return true;
    }
    let sites = life.call_sites(run.function);
    let (refusing, letting): (Vec<&CallSite>, Vec<&CallSite>) =
        sites.iter().partition(|site| gates.iter().any(|&gate| refuses(life, site, run.function, gate)));
    if refusing.is_empty() {
        return true;
    }
    let callers: BTreeSet<FunctionRef> = letting
        .iter()
        .map(|site| {
            let facts = life.facts(site.call.file);
            FunctionRef { file: site.call.file, id: facts.function_of(site.call.id) }
        })
        .collect();
    callers.into_iter().any(below)
}

/// The parameters without which the run does not happen, by their place.
fn gates(life: &Lifecycle, run: &Run) -> Vec<usize> {
    let facts = life.facts(run.call.file);
    let params = &facts.function(run.function.id).params;
    let Some(stmt) = facts.stmt_of(run.call.id) else { return Vec::new() };
    facts
        .ancestors(stmt)
        .filter(|(_, slot)| *slot == Slot::Body)
        .filter_map(|(outer, _)| {
            let gate = match facts.stmt(outer).kind {
                StmtKind::If { test, .. } | StmtKind::While { test, .. } => test,
                StmtKind::For { iter, .. } => counted(facts, iter),
                _ => return None,
            };
            let name = facts.name_of(gate)?;
            is_parameter(life, run, run.call.with(gate))
                .then(|| params.iter().position(|param| param.name == *name))?
        })
        .collect()
}

/// What a loop goes by: `items`, or the `count` of `range(count)`.
fn counted(facts: &Facts, iter: ExprId) -> ExprId {
    match &facts.expr(iter).kind {
        ExprKind::Call { func, args, .. }
            if args.len() == 1 && facts.name_of(*func).is_some_and(|name| name == "range") =>
        {
            args[0]
        }
        _ => iter,
    }
}

fn is_parameter(life: &Lifecycle, run: &Run, read: ExprRef) -> bool {
    let facts = life.facts(read.file);
    facts.name_of(read.id).is_some_and(|name| match life.lookup(read, name) {
        Lookup::Bound(scope, ids) => {
            scope == run.function
                && ids.iter().all(|&id| matches!(facts.binding(id).kind, BindingKind::Parameter(_)))
        }
        _ => false,
    })
}

/// Whether a call gives nothing for a parameter, by itself or by the default.
fn refuses(life: &Lifecycle, site: &CallSite, function: FunctionRef, gate: usize) -> bool {
    if let Some(given) = life.argument_for(site, function, gate) {
        return is_nothing(life, given);
    }
    let ExprKind::Call { args, keywords, .. } = &life.facts(site.call.file).expr(site.call.id).kind else {
        return false;
    };
    let facts = life.facts(site.call.file);
    let spread = args.iter().any(|&arg| matches!(facts.expr(arg).kind, ExprKind::Starred(_)))
        || keywords.iter().any(|keyword| keyword.name.is_none());
    let default = life.facts(function.file).function(function.id).params[gate].default;
    !spread && default.is_some_and(|id| is_nothing(life, ExprRef { file: function.file, id }))
}

fn is_nothing(life: &Lifecycle, expr: ExprRef) -> bool {
    match &life.facts(expr.file).expr(expr.id).kind {
        ExprKind::Bool(truth) => !truth,
        ExprKind::Int(number) => *number == 0,
        ExprKind::None => true,
        ExprKind::List(items) | ExprKind::Tuple(items) => items.is_empty(),
        _ => false,
    }
}

/// Whether a plain function on the way returns before the run if a parameter says so: `if run_async: return server`. What
/// stands in a function after such a return is made only where it is passed.
pub(super) fn has_way_out(life: &Lifecycle, function: FunctionRef) -> bool {
    let facts = life.facts(function.file);
    facts.functions_around(function.id).any(|id| {
        let of = facts.function(id);
        let mut found = false;
        if !of.is_async {
            facts.walk(&of.body, &mut |stmt| found |= leaves_by_parameter(facts, of, stmt));
        }
        found
    })
}

fn leaves_by_parameter(facts: &Facts, of: &Function, stmt: StmtId) -> bool {
    let StmtKind::If { test, body, .. } = &facts.stmt(stmt).kind else { return false };
    facts.name_of(*test).is_some_and(|name| of.params.iter().any(|param| param.name == *name))
        && body.last().is_some_and(|&last| matches!(facts.stmt(last).kind, StmtKind::Return(_)))
}

/// Whether a call stands in a branch that a parameter with a default chooses: `if version is HTTP_3: …`.
pub(super) fn is_a_choice(life: &Lifecycle, call: ExprRef) -> bool {
    let facts = life.facts(call.file);
    let Some(stmt) = facts.stmt_of(call.id) else { return false };
    let of = facts.function(facts.function_of(call.id));
    !of.is_async
        && facts.ancestors(stmt).any(|(outer, slot)| {
            let StmtKind::If { test, .. } = facts.stmt(outer).kind else { return false };
            let mut chosen = false;
            facts.descend(test, &mut |id| {
                chosen |= facts.name_of(id).is_some_and(|name| {
                    of.params.iter().any(|param| param.default.is_some() && param.name == *name)
                });
            });
            // What a bare name lets happen is read at the calls.
            chosen && slot == Slot::Body && facts.name_of(test).is_none()
        })
}
