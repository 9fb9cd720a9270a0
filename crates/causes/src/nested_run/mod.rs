//! `nested-run`: a loop is run in a thread whose loop runs already.

mod chain;
mod refused;

use std::collections::BTreeMap;
use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::facts::{ExprKind, Slot, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, Lifecycle, LoopAct, LoopHandle, Run, RunKind};

use crate::own_loop::{Instead, Steps, await_run, instead};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};
use chain::Chain;
use refused::{has_way_out, is_a_choice, runs_below_loop};

/// The cause.
pub struct NestedRun;

const PAGE: Page = Page {
    title: "A loop is run while one runs already",
    what: "`asyncio.run()` and `run_until_complete()` start a loop and wait for it. In a thread whose loop runs already (below a coroutine, a web \
handler, a callback) they raise, and the coroutine that was made for them is never awaited. Mostly a plain function wraps a coroutine \
for plain callers, and a coroutine calls it.",
    log: "RuntimeError: asyncio.run() cannot be called from a running event loop\nsys:1: RuntimeWarning: coroutine 'load_rate' was never awaited",
    wrong: "def current_rate(name):\n    return asyncio.run(load_rate(name))\n\n\nasync def convert(request):\n    rate = current_rate(\"eur\")",
    right: "async def current_rate(name):\n    return await load_rate(name)\n\n\nasync def convert(request):\n    rate = await current_rate(\"eur\")",
    unless: "A function that asks first whether a loop runs, or that runs in a thread of its own (`asyncio.to_thread`, an executor, a plain route of \
FastAPI) is right. Where plain callers need the function too, the coroutine's call goes to a thread.",
    prevent: "Offer the coroutine itself, and a plain function only at the program's edge. `nest_asyncio` hides the fault and lets a loop wait for itself.",
    symptoms: &[
        "asyncio-run-from-running",
        "loop-already-running",
        "cannot-run-while-another-running",
        "runner-run-from-running",
        "coroutine-never-awaited",
    ],
};

struct Detail {
    run: Run,
    chain: Chain,
}

impl Cause for NestedRun {
    fn slug(&self) -> &'static str {
        "nested-run"
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        for run in life.runs() {
            if !matches!(run.kind, RunKind::Fresh | RunKind::OnLoop | RunKind::Runner)
                || asks_first(life, run)
            {
                continue;
            }
            if !runs_below_loop(life, run) {
                continue;
            }
            report.add(found(life, run));
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let detail = found
            .detail::<Detail>()
            .ok_or_else(|| Declined::because("await the coroutine instead of running it"))?;
        let mut mend = Mend::new(found.applicability);
        let mut files: BTreeMap<FileId, Steps> = BTreeMap::new();
        let Err(reason) = awaiting(life, detail, &mut mend, &mut files) else {
            finish(life, &mut mend, files)?;
            return Ok(mend);
        };
        let mut mend = Mend::new(found.applicability);
        let mut files = BTreeMap::new();
        detail.chain.to_thread(life, &detail.run, &mut mend, &mut files).map_err(|_| reason)?;
        finish(life, &mut mend, files)?;
        Ok(mend)
    }
}

fn finish(life: &Lifecycle, mend: &mut Mend, files: BTreeMap<FileId, Steps>) -> Result<(), Declined> {
    for (file, steps) in files {
        let edits = steps.edits(life, file, false)?;
        mend.edit(life, file, edits);
    }
    Ok(())
}

/// The whole chain becomes async: the run an `await`, each plain function on the way a coroutine, each call awaited.
fn awaiting(
    life: &Lifecycle,
    detail: &Detail,
    mend: &mut Mend,
    files: &mut BTreeMap<FileId, Steps>,
) -> Result<(), Declined> {
    detail.chain.make_async(life, files)?;
    match handle_of(life, &detail.run) {
        Some(handle) => instead(life, handle, Instead::Await, mend, files)?,
        None if detail.run.kind == RunKind::OnLoop => {
            return Err(Declined::because("await the coroutine instead of running it on a loop"));
        }
        None => {
            for run in life.runs().iter().filter(|run| run.function == detail.run.function) {
                await_run(life, run.call, files)?;
                forget_runner(life, run, files);
            }
        }
    }
    mend.declared.removed.extend(["run", "run_until_complete"].map(str::to_owned));
    mend.declared.moved = true;
    Ok(())
}

fn forget_runner(life: &Lifecycle, run: &Run, files: &mut BTreeMap<FileId, Steps>) {
    let facts = life.facts(run.call.file);
    let ExprKind::Call { func, .. } = facts.expr(run.call.id).kind else { return };
    let mut first = func;
    while let ExprKind::Attribute { value, .. } = facts.expr(first).kind {
        first = value;
    }
    if let (Some(name), Some(steps)) = (facts.name_of(first), files.get_mut(&run.call.file)) {
        steps.forget_import(name);
    }
}

fn handle_of<'l>(life: &'l Lifecycle, run: &Run) -> Option<&'l LoopHandle> {
    life.loops().iter().find(|handle| handle.acts(&LoopAct::Run).any(|act| act.at == run.call))
}

/// `if loop.is_running()`, `try: asyncio.get_running_loop()`: it looks before it runs.
fn asks_first(life: &Lifecycle, run: &Run) -> bool {
    let facts = life.facts(run.call.file);
    let mut asks = false;
    facts.body_exprs(run.function.id, &mut |id| {
        if let ExprKind::Attribute { attr: name, .. } | ExprKind::Name(name) = &facts.expr(id).kind {
            let looks = name == "is_running"
                || matches!(name.as_str(), "get_running_loop" | "_get_running_loop" | "get_event_loop" | "current_task")
                    && facts.stmt_of(id).is_some_and(|stmt| {
                        facts.ancestors(stmt).any(|(outer, slot)| {
                            slot == Slot::Body
                                && matches!(&facts.stmt(outer).kind, StmtKind::Try { handlers, .. } if !handlers.is_empty())
                        })
                    });
            asks |= looks;
        }
    });
    asks
}

fn found(life: &Lifecycle, run: &Run) -> Found {
    let chain = Chain::above(life, run);
    let name = &life.facts(run.function.file).function(run.function.id).name;
    let message = match chain.entered.first() {
        Some((caller, _)) if run.function != *caller => format!(
            "`{name}` runs a loop here, and the coroutine `{}` calls it: a loop runs already in that thread, so it raises",
            life.facts(caller.file).function(caller.id).name
        ),
        _ => format!("a loop is run here inside `{name}`, below a loop that runs already, so it raises"),
    };
    let mut found = Found::new("nested-run", Spot::expr(life, run.call), message);
    found.applicability = Applicability::Unsafe;
    found.doubtful = chain.plain.iter().any(|&plain| has_way_out(life, plain))
        || std::iter::once(&run.call).chain(&chain.between).any(|&call| is_a_choice(life, call));
    for (_, call) in &chain.entered {
        found.related.push((Spot::expr(life, *call), "called here while a loop runs".to_owned()));
    }
    found.functions.push(run.function);
    found.functions.extend(chain.plain.iter().copied());
    found.functions.extend(chain.entered.iter().map(|(caller, _)| *caller));
    found.functions.extend(&run.coroutines);
    found.functions.sort_unstable();
    found.functions.dedup();
    found.functions.retain(|function| !function.is_module());
    found.names = run
        .coroutines
        .iter()
        .map(|function| life.facts(function.file).function(function.id).name.to_string())
        .collect();
    found.detail = Some(Arc::new(Detail { run: run.clone(), chain }));
    found
}

/// A call of a plain function of the chain.
pub(super) type Entered = (loopmend_python::lifecycle::FunctionRef, ExprRef);
