//! The thread speaks to the loop in the ways that are safe.

use loopmend_model::Applicability;
use loopmend_python::catalogue::Binds;
use loopmend_python::facts::{ExprKind, Facts, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, LoopAct, LoopHandle};

use super::blocked::blocked;
use super::loop_of::{Changes, loop_of};
use super::misuse::{Act, Misuse};
use crate::own_loop::{asyncio_in, to_run};
use crate::thread::{called_by_library, only_in_threads};
use crate::{Declined, Mend};

/// All that a function does to the loop, made safe.
pub(super) fn mended(
    life: &Lifecycle,
    function: FunctionRef,
    misuses: &[Misuse],
    applicability: Applicability,
) -> Result<Mend, Declined> {
    let mut mend = Mend::new(applicability);
    let runs: Vec<&LoopHandle> = misuses
        .iter()
        .filter_map(|misuse| match misuse.act {
            Act::Run(index) => Some(&life.loops()[index]),
            _ => None,
        })
        .collect();
    if !runs.is_empty() {
        if runs.len() < misuses.len() || runs.len() > 1 {
            return Err(Declined::because(
                "the thread runs coroutines and gives the loop other work too: run one coroutine with asyncio.run() in it, or hand the loop over",
            ));
        }
        runs_own(life, runs[0], &mut mend)?;
        return Ok(mend);
    }
    let mut changes = Changes::new();
    let mut known = None;
    let mut there = |changes: &mut Changes| -> Result<String, Declined> {
        if known.is_none() {
            known = Some(loop_of(life, function, changes)?);
        }
        Ok(known.clone().unwrap_or_default())
    };
    let file = function.file;
    let facts = life.facts(file);
    let asyncio = asyncio_in(life, file);
    let mut added = Vec::new();
    for misuse in misuses {
        let range = facts.expr(misuse.call.id).range;
        let text = match &misuse.act {
            Act::Task { coroutine, on } => {
                let on = match on {
                    Some(on) => life.source(*on).to_owned(),
                    None => there(&mut changes)?,
                };
                added.extend(["run_coroutine_threadsafe", "result", "call_soon_threadsafe"]);
                waited(life, function, misuse.call, *coroutine, &asyncio, &on)?
            }
            Act::Ask => there(&mut changes)?,
            Act::Run(_) => continue,
            Act::Method { loop_, name } => {
                added.extend(["call_soon_threadsafe", "run_coroutine_threadsafe", "result"]);
                safe(life, function, misuse.call, *loop_, name, &asyncio)?
            }
            Act::Touch { method } => {
                dropped(life, misuse.call)?;
                let on = there(&mut changes)?;
                added.push("call_soon_threadsafe");
                let arguments = arguments(life, misuse.call)?;
                let parts: Vec<&str> = std::iter::once(life.source(*method)).chain(arguments).collect();
                format!("{on}.call_soon_threadsafe({})", parts.join(", "))
            }
        };
        changes.entry(file).or_default().replace(range, text);
    }
    for (&file, steps) in &changes {
        mend.edit(life, file, steps.edits(life, file, true)?);
    }
    mend.declared.added.extend(added.into_iter().chain(["get_running_loop", "__init__"]).map(str::to_owned));
    mend.declared.removed.extend(
        ["create_task", "ensure_future", "get_event_loop", "call_soon", "call_later", "call_at", "stop"]
            .map(str::to_owned),
    );
    mend.declared.removed.extend(
        ["put_nowait", "set", "clear", "set_result", "set_exception", "get_running_loop"].map(str::to_owned),
    );
    mend.declared.moved = true;
    Ok(mend)
}

/// `asyncio.run(…)` in the thread, where what it runs shares nothing with the loop that runs elsewhere.
fn runs_own(life: &Lifecycle, handle: &LoopHandle, mend: &mut Mend) -> Result<(), Declined> {
    let coroutines = handle
        .acts(&LoopAct::Run)
        .filter_map(|act| life.run_at(act.at))
        .flat_map(|run| run.coroutines.iter().copied());
    let inside: std::collections::BTreeSet<FunctionRef> =
        coroutines.flat_map(|coroutine| life.reachable(coroutine)).collect();
    let shared = life.sites().iter().find(|site| {
        !inside.contains(&site.function)
            && site.function != handle.function
            && !only_in_threads(life, site.function)
            && life.resource(site).is_some_and(|resource| resource.binds != Binds::Never)
            && life.flow_of(site.call).uses.iter().any(|at| {
                let facts = life.facts(at.expr.file);
                inside.contains(&FunctionRef { file: at.expr.file, id: facts.function_of(at.expr.id) })
            })
    });
    if let Some(site) = shared {
        return Err(Declined::because(format!(
            "the coroutine uses the `{}` of another loop: hand that loop over and run it there, with asyncio.run_coroutine_threadsafe(…).result()",
            site.gives
        )));
    }
    to_run(life, handle, mend)
}

/// `asyncio.run_coroutine_threadsafe(…).result()`: what the coroutine raises is raised in the thread.
fn waited(
    life: &Lifecycle,
    function: FunctionRef,
    call: ExprRef,
    coroutine: ExprRef,
    asyncio: &str,
    on: &str,
) -> Result<String, Declined> {
    dropped(life, call)?;
    if life.coroutines_in(coroutine).is_empty()
        && !matches!(life.facts(call.file).expr(coroutine.id).kind, ExprKind::Call { .. })
    {
        return Err(Declined::because(
            "give the coroutine to the loop with asyncio.run_coroutine_threadsafe(coroutine, loop)",
        ));
    }
    let coroutine = life.source(coroutine);
    if called_by_library(life, function) || !only_in_threads(life, function) {
        // The library's thread, or the main one, has more to do than to wait, and asyncio reports a task that fails.
        return Ok(format!("{on}.call_soon_threadsafe({on}.create_task, {coroutine})"));
    }
    if let Some(place) = blocked(life, function) {
        let at = crate::Spot::expr(life, place).location(life);
        return Err(Declined::because(format!(
            "the loop is blocked in {}:{} until the thread ends: await that in asyncio.to_thread() first, then use asyncio.run_coroutine_threadsafe()",
            at.path, at.line
        )));
    }
    Ok(format!("{asyncio}.run_coroutine_threadsafe({coroutine}, {on}).result()"))
}

/// The safe form of a method of a loop that runs elsewhere.
fn safe(
    life: &Lifecycle,
    function: FunctionRef,
    call: ExprRef,
    on: ExprRef,
    name: &str,
    asyncio: &str,
) -> Result<String, Declined> {
    // A loop that this very function asks for is put right together with that.
    let on = life.source(on);
    let arguments: Vec<&str> = arguments(life, call)?.collect();
    match name {
        "create_task" => {
            let facts = life.facts(call.file);
            let ExprKind::Call { args, .. } = &facts.expr(call.id).kind else { unreachable!("it is a call") };
            let &[coroutine] = &args[..] else {
                return Err(Declined::because(
                    "give the coroutine to the loop with asyncio.run_coroutine_threadsafe(coroutine, loop)",
                ));
            };
            waited(life, function, call, call.with(coroutine), asyncio, on)
        }
        "call_soon" => {
            dropped(life, call)?;
            Ok(format!("{on}.call_soon_threadsafe({})", arguments.join(", ")))
        }
        _ => {
            dropped(life, call)?;
            let method = format!("{on}.{name}");
            let parts: Vec<&str> = std::iter::once(method.as_str()).chain(arguments).collect();
            Ok(format!("{on}.call_soon_threadsafe({})", parts.join(", ")))
        }
    }
}

/// Arguments as written; a method that is handed over takes them by place only.
fn arguments(life: &Lifecycle, call: ExprRef) -> Result<impl Iterator<Item = &str>, Declined> {
    let facts = life.facts(call.file);
    match &facts.expr(call.id).kind {
        ExprKind::Call { args, keywords, .. } if keywords.is_empty() => {
            Ok(args.iter().map(move |&id| life.source(call.with(id))))
        }
        _ => Err(Declined::because(
            "loop.call_soon_threadsafe() takes no keywords of the callback: give it a functools.partial",
        )),
    }
}

/// Nothing may need what the call gave.
fn dropped(life: &Lifecycle, call: ExprRef) -> Result<(), Declined> {
    let facts = life.facts(call.file);
    let alone = facts
        .stmt_of(call.id)
        .is_some_and(|stmt| matches!(facts.stmt(stmt).kind, StmtKind::Expr(value) if value == call.id));
    if alone || is_lambda(facts, call) {
        Ok(())
    } else {
        Err(Declined::because(
            "the thread needs what the call gives: take the result of asyncio.run_coroutine_threadsafe() there by hand",
        ))
    }
}

fn is_lambda(facts: &Facts, call: ExprRef) -> bool {
    let function = facts.function_of(call.id);
    matches!(facts.function(function).definition, loopmend_python::facts::Definition::Lambda(_))
        && facts.parent_expr(call.id).is_none()
}
