//! A done callback that looks, or a look at what `asyncio.wait` gives.

use loopmend_python::edit::{Draft, Source, insert_after, insert_before, replace_statement};
use loopmend_python::facts::{Facts, MODULE, StmtKind};
use loopmend_python::lifecycle::Lifecycle;
use ruff_python_ast::Stmt;
use ruff_text_size::Ranged;

use super::unseen::{Unseen, alone, name};
use crate::background::{Holder, Plan, free_local, hold, import, logger};
use crate::{Declined, Found, Mend};

/// Name of the function that logs what a task failed with.
const CALLBACK: &str = "log_failure";

pub(super) fn mend(life: &Lifecycle, found: &Found, unseen: &Unseen) -> Result<Mend, Declined> {
    let mut mend = Mend::new(found.applicability);
    let file = unseen.call.file;
    let facts = life.facts(file);
    let dropped = facts
        .stmt_of(unseen.call.id)
        .filter(|&stmt| matches!(facts.stmt(stmt).kind, StmtKind::Expr(value) if value == unseen.call.id));
    let named = name(life, unseen.call);
    if named.is_none() && dropped.is_none() {
        return examined(life, unseen, mend);
    }
    if dropped.is_some()
        && let Some(task) = life.tasks().iter().find(|task| task.call == unseen.call)
        && let Some(plan) = Plan::of(life, task).filter(|plan| plan.closes.is_some() && plan.handle.is_some())
    {
        plan.carry_out(life, &mut mend)?;
        return Ok(mend);
    }
    let source = source_of(life, file)?;
    let (request, log) = logger(life, file, &source);
    let logging = |name: &str| {
        format!(
            "def {name}(task):\n    if not task.cancelled() and task.exception() is not None:\n        {log}.error(\"background task failed\", exc_info=task.exception())"
        )
    };
    let existing = facts.functions.iter().find(|of| {
        of.name.starts_with(CALLBACK)
            && of.parent == Some(MODULE)
            && life.text(file)[of.range] == logging(&of.name)
    });
    let callback = existing.map_or_else(|| free(facts), |of| of.name.to_string());
    let mut draft = Draft::new(&source);
    if let Some((stmt, name)) = named {
        let range = facts.stmt(stmt).range;
        draft.step(|now| insert_after(now, range, &format!("{name}.add_done_callback({callback})")))?;
    } else if dropped.is_some() {
        let holder = Holder::of(life, file);
        hold(life, &mut draft, unseen.call, &holder.name, Some(&callback))?;
        draft.step(|now| holder.define(now, None))?;
        mend.declared.added.extend(["set", "add"].map(str::to_owned));
    }
    draft.step(|now| {
        if existing.is_some() {
            return Ok(Vec::new());
        }
        let first =
            now.body().iter().find(|stmt| matches!(stmt, Stmt::FunctionDef(_) | Stmt::ClassDef(_))).or_else(
                || now.body().iter().find(|stmt| stmt.start() >= facts.expr(unseen.call.id).range.start()),
            );
        match first {
            Some(first) => insert_before(now, first, &logging(&callback)),
            None => Ok(Vec::new()),
        }
    })?;
    import(&mut draft, request.as_slice())?;
    mend.edit(life, file, draft.edits());
    mend.declared
        .added
        .extend(["add_done_callback", "cancelled", "exception", "error", "getLogger"].map(str::to_owned));
    Ok(mend)
}

/// A name for the callback that the file does not use.
fn free(facts: &Facts) -> String {
    let mut name = CALLBACK.to_owned();
    while facts.loads.contains_key(name.as_str()) || facts.scopes[0].contains_key(name.as_str()) {
        name.push('_');
    }
    name
}

/// Looks at the done tasks that a wait gives.
fn examined(life: &Lifecycle, unseen: &Unseen, mut mend: Mend) -> Result<Mend, Declined> {
    let by_hand =
        || Declined::because("look at `task.exception()` of each task that is done, and log or raise it");
    let wait = unseen.wait.ok_or_else(by_hand)?;
    let facts = life.facts(wait.file);
    let stmt = alone(facts, wait).ok_or_else(by_hand)?;
    let source = source_of(life, wait.file)?;
    let (request, log) = logger(life, wait.file, &source);
    let function = facts.stmt(stmt).function;
    let done = free_local(facts, function, &["done", "finished"]);
    let item = free_local(facts, function, &["task", "finished_task"]);
    let lines = format!(
        "{done}, _ = await {}\nfor {item} in {done}:\n    if not {item}.cancelled() and {item}.exception() is not None:\n        {log}.error(\"background task failed\", exc_info={item}.exception())",
        life.source(wait)
    );
    let mut draft = Draft::new(&source);
    draft.step(|now| replace_statement(now, facts.stmt(stmt).range, &lines))?;
    import(&mut draft, request.as_slice())?;
    mend.edit(life, wait.file, draft.edits());
    mend.declared.added.extend(["cancelled", "exception", "error", "getLogger"].map(str::to_owned));
    Ok(mend)
}

fn source_of(life: &Lifecycle, file: loopmend_python::lifecycle::FileId) -> Result<Source, Declined> {
    let source = Source::parse(&life.facts(file).path, life.text(file).clone());
    if source.is_broken() {
        return Err(Declined::because("mend the syntax errors of the file first"));
    }
    Ok(source)
}
