//! From a loop made by hand to `asyncio.run`.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_python::edit::{ImportRequest, Source, import_edits};
use loopmend_python::facts::{ExprKind, Name, StmtId, StmtKind};
use loopmend_python::lifecycle::{
    ExprRef, FileId, FunctionRef, Kind, Lifecycle, LoopAct, LoopHandle, LoopOperation, Place, Repeat, Value,
};

use super::{Steps, newly_carried};
use crate::{Declined, Mend, one_run};

/// Puts `asyncio.run` in the place of each `run_until_complete` of a loop, and takes the loop away.
///
/// Declined where the loop is used for more than that, or where the runs share an object that is bound to it.
pub(crate) fn to_run(life: &Lifecycle, handle: &LoopHandle, mend: &mut Mend) -> Result<(), Declined> {
    let mut files = BTreeMap::new();
    instead(life, handle, Instead::Run, mend, &mut files)?;
    for (file, steps) in files {
        let wants = handle.acts(&LoopAct::Run).any(|act| act.at.file == file);
        let edits = steps.edits(life, file, wants)?;
        mend.edit(life, file, edits);
    }
    match newly_carried(life, mend) {
        Some(class) => Err(Declined::because(format!(
            "an object of `{class}` is opened in one run and used in another: put both in one coroutine and run that once with asyncio.run()"
        ))),
        None => Ok(()),
    }
}

/// What takes the place of `loop.run_until_complete(…)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Instead {
    /// `asyncio.run(…)`.
    Run,
    /// `await …`.
    Await,
}

/// The steps that take a loop away: each `run_until_complete` becomes something else, all housekeeping goes.
pub(crate) fn instead(
    life: &Lifecycle,
    handle: &LoopHandle,
    instead: Instead,
    mend: &mut Mend,
    files: &mut BTreeMap<FileId, Steps>,
) -> Result<(), Declined> {
    if handle.doubt {
        return Err(Declined::because(
            "the loop goes out of sight of the tree: run each piece of work with asyncio.run() by hand",
        ));
    }
    let mut runs: Vec<&LoopOperation> = Vec::new();
    let mut dropped: Vec<&LoopOperation> = Vec::new();
    for act in &handle.operations {
        match &act.kind {
            _ if act.handed => return Err(other_use(life, act)),
            LoopAct::Run if runs_shutdown(life, act.at) => dropped.push(act),
            LoopAct::Run => runs.push(act),
            LoopAct::Close | LoopAct::Set => dropped.push(act),
            LoopAct::Method(name) if is_shutdown(name) => {}
            _ => return Err(other_use(life, act)),
        }
    }
    if runs.is_empty() {
        return Err(Declined::because(
            "nothing is run to its end on this loop: keep the loop and close it once, after all that uses it",
        ));
    }
    if instead == Instead::Run {
        for act in &runs {
            runs_a_coroutine(life, act.at)?;
        }
        tasks_end_with_their_run(life, &runs)?;
        mend.declared.added.push("run".to_owned());
    }
    for act in &runs {
        let file = act.at.file;
        match instead {
            Instead::Await => await_run(life, act.at, files)?,
            Instead::Run => {
                let facts = life.facts(file);
                let ExprKind::Call { func, .. } = facts.expr(act.at.id).kind else { continue };
                let local = asyncio_in(life, file);
                files.entry(file).or_default().replace(facts.expr(func).range, format!("{local}.run"));
            }
        }
    }
    for act in &dropped {
        let stmt = plain_statement(life, act.at)?;
        files.entry(act.at.file).or_default().delete(life, act.at.file, stmt);
    }
    let direct = handle.operations.iter().any(|act| act.receiver == handle.site);
    if !direct {
        drop_binding(life, handle, mend, files)?;
    }
    drop_unsetting(life, handle, files);
    forget_names(life, handle, files);
    mend.declared.removed.extend(
        ["new_event_loop", "get_event_loop", "set_event_loop", "run_until_complete", "close"]
            .map(str::to_owned),
    );
    mend.declared.removed.extend(["shutdown_asyncgens", "shutdown_default_executor"].map(str::to_owned));
    mend.declared.moved = true;
    Ok(())
}

/// A run's call becomes an `await`.
pub(crate) fn await_run(
    life: &Lifecycle,
    call: ExprRef,
    files: &mut BTreeMap<FileId, Steps>,
) -> Result<(), Declined> {
    let run =
        life.run_at(call).ok_or_else(|| Declined::because("await the coroutine instead of running it"))?;
    let text = one_run::awaited_text(life, run)?;
    let range = life.facts(call.file).expr(call.id).range;
    let text = if needs_brackets(life, call) { format!("({text})") } else { text };
    files.entry(call.file).or_default().replace(range, text);
    Ok(())
}

/// Whether an `await` in an expression's place needs brackets around it.
pub(crate) fn needs_brackets(life: &Lifecycle, expr: ExprRef) -> bool {
    let facts = life.facts(expr.file);
    let Some(up) = facts.parent_expr(expr.id) else { return false };
    match &facts.expr(up).kind {
        ExprKind::Attribute { .. } | ExprKind::Await(_) => true,
        ExprKind::Subscript { value, .. } => *value == expr.id,
        ExprKind::Call { func, .. } => *func == expr.id,
        // `await` binds tighter than all operators but the power.
        ExprKind::Other(_) => life.source(expr.with(up)).contains("**"),
        _ => false,
    }
}

/// A task that one run starts must not be needed by the next: each run cancels what is left.
fn tasks_end_with_their_run(life: &Lifecycle, runs: &[&LoopOperation]) -> Result<(), Declined> {
    let places: Vec<ExprRef> = runs.iter().map(|act| act.at).collect();
    let once = places.iter().all(|&at| !life.in_loop(at))
        && life.repeat(runs[0].function) == Repeat::Once
        && (places.len() == 1 || life.exclusive(&places));
    if once {
        return Ok(());
    }
    let reached: BTreeSet<FunctionRef> = places
        .iter()
        .filter_map(|&at| life.run_at(at))
        .flat_map(|run| &run.coroutines)
        .flat_map(|&coroutine| life.reachable(coroutine))
        .collect();
    match life.tasks().iter().find(|task| reached.contains(&task.function) && !task.waited()) {
        Some(_) => Err(Declined::because(
            "a task that one run starts lives on in the next: put both in one coroutine and run that once with asyncio.run()",
        )),
        None => Ok(()),
    }
}

/// Names imported for the loop's sake alone go with it.
fn forget_names(life: &Lifecycle, handle: &LoopHandle, files: &mut BTreeMap<FileId, Steps>) {
    let sets = handle.acts(&LoopAct::Set).map(|act| act.at);
    for call in std::iter::once(handle.site).chain(sets) {
        let facts = life.facts(call.file);
        let ExprKind::Call { func, .. } = facts.expr(call.id).kind else { continue };
        let mut first = func;
        while let ExprKind::Attribute { value, .. } = facts.expr(first).kind {
            first = value;
        }
        if let (Some(name), Some(steps)) = (facts.name_of(first), files.get_mut(&call.file)) {
            steps.forget_import(name);
        }
    }
}

/// What the file calls `asyncio`.
pub(crate) fn asyncio_in(life: &Lifecycle, file: FileId) -> String {
    let source = Source::parse(&life.facts(file).path, life.text(file).clone());
    let (_, locals) = import_edits(&source, &[ImportRequest::module("asyncio")]);
    locals.into_iter().next().unwrap_or_else(|| "asyncio".to_owned())
}

fn other_use(life: &Lifecycle, act: &LoopOperation) -> Declined {
    let at = crate::Spot::expr(life, act.at).location(life);
    Declined::because(format!(
        "the loop is used for more than to run coroutines (`{}` in {}:{}): keep one loop for all of it and close it once, at the end",
        life.source(act.at).lines().next().unwrap_or_default(),
        at.path,
        at.line
    ))
}

fn is_shutdown(name: &Name) -> bool {
    matches!(name.as_str(), "shutdown_asyncgens" | "shutdown_default_executor")
}

/// `loop.run_until_complete(loop.shutdown_asyncgens())`, which `asyncio.run` does by itself.
pub(super) fn runs_shutdown(life: &Lifecycle, run: ExprRef) -> bool {
    let facts = life.facts(run.file);
    let ExprKind::Call { args, .. } = &facts.expr(run.id).kind else { return false };
    let Some(&argument) = args.first() else { return false };
    let ExprKind::Call { func, .. } = facts.expr(argument).kind else { return false };
    matches!(&facts.expr(func).kind, ExprKind::Attribute { attr, .. } if is_shutdown(attr))
}

/// `asyncio.run` takes a coroutine only.
fn runs_a_coroutine(life: &Lifecycle, run: ExprRef) -> Result<(), Declined> {
    let facts = life.facts(run.file);
    let not = || {
        Declined::because(
            "asyncio.run() takes a coroutine only: await the tasks in an `async def main()` and run that once",
        )
    };
    let ExprKind::Call { args, keywords, .. } = &facts.expr(run.id).kind else { return Err(not()) };
    let ([argument], []) = (&args[..], &keywords[..]) else { return Err(not()) };
    let argument = run.with(*argument);
    let future = life.infer(argument).iter().any(|value| {
        matches!(
            value,
            Value::Instance(Kind::External(_), _) | Value::None | Value::Constant(_) | Value::Literal(_)
        )
    });
    let called_future = matches!(facts.expr(argument.id).kind, ExprKind::Call { .. })
        && matches!(
            life.callee_paths(argument).first().map(|path| path.rsplit('.').next().unwrap_or(path)),
            Some(
                "gather"
                    | "ensure_future"
                    | "create_task"
                    | "shield"
                    | "create_future"
                    | "Future"
                    | "run_in_executor"
            )
        );
    if future || called_future { Err(not()) } else { Ok(()) }
}

/// The statement that is nothing but this call.
fn plain_statement(life: &Lifecycle, call: ExprRef) -> Result<StmtId, Declined> {
    let facts = life.facts(call.file);
    facts
        .stmt_of(call.id)
        .filter(|&stmt| matches!(facts.stmt(stmt).kind, StmtKind::Expr(value) if value == call.id))
        .ok_or_else(|| {
            Declined::because("the loop is closed inside another expression: close it once, at the end")
        })
}

/// Takes the assignment that keeps the loop away, and imports of its name elsewhere.
fn drop_binding(
    life: &Lifecycle,
    handle: &LoopHandle,
    mend: &mut Mend,
    files: &mut BTreeMap<FileId, Steps>,
) -> Result<(), Declined> {
    let site = handle.site;
    let facts = life.facts(site.file);
    let kept = || {
        Declined::because(
            "the loop is kept in a way that can't be taken apart: run the work with asyncio.run() by hand",
        )
    };
    let stmt = facts.stmt_of(site.id).ok_or_else(kept)?;
    let plain = match &facts.stmt(stmt).kind {
        StmtKind::Assign { targets, value } => targets.len() == 1 && *value == site.id,
        StmtKind::AnnAssign { value, .. } => *value == Some(site.id),
        _ => false,
    };
    let in_try = facts.ancestors(stmt).any(|(outer, slot)| {
        matches!(&facts.stmt(outer).kind, StmtKind::Try { handlers, .. } if !handlers.is_empty())
            && slot == loopmend_python::facts::Slot::Body
    });
    if !plain || in_try {
        return Err(kept());
    }
    for place in &handle.places {
        match place {
            Place::Global(file, name) if *file == site.file => {
                if facts.scopes[0].get(name).is_some_and(|bindings| bindings.len() > 1) {
                    return Err(kept());
                }
                if handle.function.is_module() {
                    mend.declared.unbound.push(format!("{}:{name}", facts.path));
                }
                for &other in life.files_with(name) {
                    if other != *file && imports(life, other, *file, name) {
                        files.entry(other).or_default().forget_import(name);
                    }
                }
            }
            Place::Local(..) | Place::Global(..) => {}
            Place::Attribute(class, name) => {
                if life.self_writes(*class, name).len() > 1 {
                    return Err(kept());
                }
            }
            Place::Parameter(..) | Place::Loose(..) => return Err(kept()),
        }
    }
    files.entry(site.file).or_default().delete(life, site.file, stmt);
    Ok(())
}

fn imports(life: &Lifecycle, file: FileId, from: FileId, name: &Name) -> bool {
    let facts = life.facts(file);
    facts.scopes[0].get(name).is_some_and(|bindings| {
        bindings.iter().any(|&id| match &facts.binding(id).kind {
            loopmend_python::facts::BindingKind::ImportFrom { level, module, name: imported } => {
                imported == name && (*level > 0 || life.modules().find(module, file) == Some(from))
            }
            _ => false,
        })
    })
}

/// `asyncio.set_event_loop(None)` beside the loop's close has nothing left to undo.
fn drop_unsetting(life: &Lifecycle, handle: &LoopHandle, files: &mut BTreeMap<FileId, Steps>) {
    if !handle.does(&LoopAct::Set) {
        return;
    }
    let touched: Vec<FileId> = files.keys().copied().collect();
    for file in touched {
        let facts = life.facts(file);
        for &id in &facts.calls {
            let call = ExprRef { file, id };
            let ExprKind::Call { args, .. } = &facts.expr(id).kind else { continue };
            let none = args.len() == 1 && matches!(facts.expr(args[0]).kind, ExprKind::None);
            let near = handle
                .operations
                .iter()
                .any(|act| act.at.file == file && facts.function_of(act.at.id) == facts.function_of(id));
            if none
                && near
                && life.calls_any(call, &["asyncio.set_event_loop"])
                && let Ok(stmt) = plain_statement(life, call)
                && let Some(steps) = files.get_mut(&file)
            {
                steps.delete(life, file, stmt);
            }
        }
    }
}
