//! Calls that ask for the current loop by themselves.

use loopmend_model::Applicability;
use loopmend_python::facts::{ExprId, ExprKind, Facts, Slot, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Ground, Lifecycle, LoopHandle, Root};

use crate::{Found, Spot};

const NAMES: [&str; 2] = ["ensure_future", "gather"];
const PATHS: [&str; 2] = ["asyncio.ensure_future", "asyncio.gather"];

/// Those that are given coroutines, in plain functions that run while no loop does. Where the function asks for the loop
/// in words, or is given one, that says more.
pub(super) fn calls(life: &Lifecycle, current: &[&LoopHandle]) -> Vec<ExprRef> {
    let mut found = Vec::new();
    for file in life.files_with_any(NAMES) {
        let facts = life.facts(file);
        for name in NAMES {
            for &read in facts.attributes.get(name).into_iter().chain(facts.loads.get(name)).flatten() {
                let Some(id) = facts.parent_expr(read) else { continue };
                let ExprKind::Call { func, args, keywords } = &facts.expr(id).kind else { continue };
                let function = FunctionRef { file, id: facts.function_of(id) };
                let of = facts.function(function.id);
                if *func != read
                    || of.is_async
                    || in_lambda(facts, id)
                    || takes_refusal(life, ExprRef { file, id })
                    || keywords.iter().any(|keyword| keyword.name.as_deref() == Some("loop"))
                    || !args.iter().any(|&arg| makes_coroutine(life, ExprRef { file, id: arg }))
                    || current.iter().any(|handle| handle.function == function)
                {
                    continue;
                }
                let call = ExprRef { file, id };
                if life.calls_any(call, &PATHS) && !runs_loop(life, function) {
                    found.push(call);
                }
            }
        }
    }
    found.sort_unstable();
    found
}

/// Whether an expression is the call of a coroutine function: a task or future brings its loop with it.
fn makes_coroutine(life: &Lifecycle, expr: ExprRef) -> bool {
    let callees = if matches!(life.facts(expr.file).expr(expr.id).kind, ExprKind::Call { .. }) {
        life.callees(expr)
    } else {
        Vec::new()
    };
    !callees.is_empty()
        && callees.iter().all(|&callee| life.facts(callee.file).function(callee.id).is_coroutine())
}

/// Whether what raises where no loop runs is taken: `with suppress(RuntimeError)`, `except RuntimeError`.
fn takes_refusal(life: &Lifecycle, call: ExprRef) -> bool {
    let facts = life.facts(call.file);
    let Some(stmt) = facts.stmt_of(call.id) else { return false };
    facts.ancestors(stmt).any(|(outer, slot)| match &facts.stmt(outer).kind {
        StmtKind::With { items, .. } => items.iter().any(|item| {
            let context = call.with(item.context);
            life.called_name(context).is_some_and(|name| name == "suppress")
                && life.source(context).contains("RuntimeError")
        }),
        StmtKind::Try { handlers, .. } => {
            slot == Slot::Body
                && handlers.iter().any(|handler| {
                    handler.types.is_none_or(|types| life.source(call.with(types)).contains("RuntimeError"))
                })
        }
        _ => false,
    })
}

/// Whether it is called later than it is written.
fn in_lambda(facts: &Facts, call: ExprId) -> bool {
    std::iter::successors(Some(call), |&at| facts.parent_expr(at))
        .any(|at| matches!(facts.expr(at).kind, ExprKind::Lambda(_)))
}

fn runs_loop(life: &Lifecycle, function: FunctionRef) -> bool {
    life.grounds(function).iter().any(|ground| {
        ground.runs_loop()
            || matches!(ground, Ground::Root(Root::Framework(..) | Root::Test(_) | Root::Fixture(_)))
    })
}

pub(super) fn found(life: &Lifecycle, call: ExprRef, function: FunctionRef) -> Found {
    let facts = life.facts(call.file);
    let name = match facts.expr(call.id).kind {
        ExprKind::Call { func, .. } => life.source(call.with(func)),
        _ => "",
    };
    let message = format!(
        "`{name}()` asks for the current loop, and no loop runs when this is called: Python 3.12 warns and 3.14 raises; call it in a coroutine that `asyncio.run()` runs"
    );
    let mut found = Found::new("get-event-loop", Spot::expr(life, call), message);
    found.applicability = Applicability::Advice;
    found.doubtful = life.grounds(function).iter().all(|ground| {
        matches!(ground, Ground::Root(Root::Uncalled(function))
            if life.facts(function.file).function(function.id).name != "main")
    });
    found.functions.push(function);
    found.functions.retain(|function| !function.is_module());
    found
}
