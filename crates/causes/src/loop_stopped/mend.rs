//! The task is cancelled where the loop was stopped.

use loopmend_python::edit::{ImportRequest, Source, import_edits};
use loopmend_python::facts::{ExprKind, Facts, StmtId, StmtKind, TextRange};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, LoopOperation, RunKind};

use super::Detail;
use crate::own_loop::{Steps, asyncio_in, free_name};
use crate::{Declined, Mend};

/// What to do where no edit is sure.
pub(super) fn by_hand() -> Declined {
    Declined::because(
        "let the main coroutine wait for an asyncio.Event that the handler sets, instead of stopping the loop",
    )
}

/// Cancels the task that the run waits for, in the place of each `stop`, and lets that end the wait.
pub(super) fn cancel_instead(life: &Lifecycle, detail: &Detail, mend: &mut Mend) -> Result<(), Declined> {
    let owner = detail.handle.function;
    let facts = life.facts(owner.file);
    if detail.stops.iter().any(|stop| !inside(facts, owner, stop)) {
        return Err(by_hand());
    }
    let source = Source::parse(&facts.path, life.text(owner.file).clone());
    let asyncio = asyncio_in(life, owner.file);
    let (_, locals) = import_edits(&source, &[ImportRequest::module("contextlib")]);
    let contextlib = locals.first().map_or("contextlib", String::as_str);
    let task = free_name(facts, owner.id, &["task", "main_task", "running"]);
    let first = detail
        .stops
        .iter()
        .filter_map(|stop| level(life, owner, stop.at))
        .min_by_key(|&stmt| facts.stmt(stmt).range.start())
        .ok_or_else(by_hand)?;

    let mut steps = Steps::default();
    let waiting = if facts.function(owner.id).is_async {
        if !detail.run.coroutines.contains(&owner) {
            return Err(by_hand());
        }
        steps.before(life, owner.file, first, format!("{task} = {asyncio}.current_task()"));
        mend.declared.added.push("current_task".to_owned());
        waits(life, owner, first).ok_or_else(by_hand)?
    } else {
        // `loop.run_until_complete(main())` in the same plain function.
        let run = &detail.run;
        let argument = run
            .argument
            .filter(|_| run.kind == RunKind::OnLoop && run.function == owner)
            .ok_or_else(by_hand)?;
        let receiver = run.receiver.ok_or_else(by_hand)?;
        let coroutine =
            matches!(facts.expr(argument.id).kind, ExprKind::Call { .. }) && !run.coroutines.is_empty();
        let stmt = level(life, owner, run.call).ok_or_else(by_hand)?;
        let plain = facts.stmt_of(run.call.id).is_some_and(
            |stmt| matches!(facts.stmt(stmt).kind, StmtKind::Expr(value) if value == run.call.id),
        );
        if !coroutine || !plain || facts.stmt(stmt).range.start() < facts.stmt(first).range.start() {
            return Err(by_hand());
        }
        steps.before(
            life,
            owner.file,
            first,
            format!("{task} = {}.create_task({})", life.source(receiver), life.source(argument)),
        );
        steps.replace(facts.expr(argument.id).range, task.clone());
        mend.declared.added.push("create_task".to_owned());
        facts.stmt_of(run.call.id).ok_or_else(by_hand)?
    };
    steps.wrap(life, owner.file, waiting, format!("with {contextlib}.suppress({asyncio}.CancelledError):"));
    for stop in &detail.stops {
        steps.replace(method(life, stop).ok_or_else(by_hand)?, format!("{task}.cancel"));
    }
    steps.import(ImportRequest::module("contextlib"));
    let edits = steps.edits(life, owner.file, true)?;
    mend.edit(life, owner.file, edits);
    mend.declared.added.extend(["cancel", "suppress"].map(str::to_owned));
    mend.declared.removed.push("stop".to_owned());
    mend.declared.moved = true;
    Ok(())
}

/// Whether a stop stands in the function, or in one that stands in it.
fn inside(facts: &Facts, owner: FunctionRef, stop: &LoopOperation) -> bool {
    stop.function.file == owner.file && facts.functions_around(stop.function.id).any(|id| id == owner.id)
}

/// The text `loop.stop` of a stop.
fn method(life: &Lifecycle, stop: &LoopOperation) -> Option<TextRange> {
    let facts = life.facts(stop.at.file);
    match facts.expr(stop.at.id).kind {
        ExprKind::Call { func, .. } => Some(facts.expr(func).range),
        _ if stop.handed => Some(facts.expr(stop.at.id).range),
        _ => None,
    }
}

/// The statement of the function's own block that an expression, perhaps of an inner function, stands in.
fn level(life: &Lifecycle, owner: FunctionRef, expr: ExprRef) -> Option<StmtId> {
    let facts = life.facts(owner.file);
    let mut at = facts.stmt_of(expr.id)?;
    loop {
        while let Some(up) = facts.stmt(at).parent {
            at = up;
        }
        let function = facts.stmt(at).function;
        if function == owner.id {
            return Some(at);
        }
        at = match facts.function(function).definition {
            loopmend_python::facts::Definition::Def(stmt) => stmt,
            loopmend_python::facts::Definition::Lambda(expr) => facts.stmt_of(expr)?,
            loopmend_python::facts::Definition::Module => return None,
        };
    }
}

/// The statement that waits for the work, after the handlers are in place: the first that never ends by itself, else the
/// last that awaits.
fn waits(life: &Lifecycle, owner: FunctionRef, first: StmtId) -> Option<StmtId> {
    let facts = life.facts(owner.file);
    let (block, place) = facts.block_of(first);
    let awaiting: Vec<StmtId> = block[place + 1..]
        .iter()
        .copied()
        .filter(|&stmt| {
            let mut awaits = matches!(
                facts.stmt(stmt).kind,
                StmtKind::With { is_async: true, .. } | StmtKind::For { is_async: true, .. }
            );
            facts.walk_exprs(&[stmt], &mut |id| awaits |= matches!(facts.expr(id).kind, ExprKind::Await(_)));
            awaits && !matches!(facts.stmt(stmt).kind, StmtKind::Function(_) | StmtKind::Class(..))
        })
        .collect();
    let long = |stmt: &&StmtId| {
        let mut found =
            matches!(facts.stmt(**stmt).kind, StmtKind::While { .. } | StmtKind::For { is_async: true, .. });
        facts.walk_exprs(&[**stmt], &mut |id| {
            let ExprKind::Await(value) = facts.expr(id).kind else { return };
            let call = ExprRef { file: owner.file, id: value };
            let endless = life.callees(call).iter().any(|&callee| runs_on(life, callee));
            found |= endless
                || matches!(
                    life.called_name(call).as_deref(),
                    Some(
                        "wait"
                            | "serve_forever"
                            | "run_forever"
                            | "join"
                            | "gather"
                            | "wait_closed"
                            | "idle"
                            | "serve"
                    )
                );
        });
        found
    };
    let chosen = awaiting.iter().find(long).or(awaiting.last()).copied()?;
    // What it binds would be missing after a cancellation.
    match facts.stmt(chosen).kind {
        StmtKind::Assign { .. } | StmtKind::AnnAssign { .. } | StmtKind::Return(Some(_)) => None,
        _ => Some(chosen),
    }
}

fn runs_on(life: &Lifecycle, function: FunctionRef) -> bool {
    let facts = life.facts(function.file);
    let mut found = false;
    facts.walk(&facts.function(function.id).body, &mut |stmt| {
        found |= matches!(facts.stmt(stmt).kind, StmtKind::While { .. });
    });
    found
}
