//! All tasks of a loop cancelled and waited for before it is closed.

use loopmend_python::edit::Source;
use loopmend_python::facts::{Definition, Facts, MODULE, Name, StmtId, StmtKind};
use loopmend_python::lifecycle::{FileId, Lifecycle, LoopAct, LoopHandle, LoopOperation};

use super::Steps;
use super::to_run::asyncio_in;
use crate::background::logger;
use crate::{Declined, Mend};

/// Puts a coroutine that cancels and gathers all tasks into the file, and runs it before the loop's close (or behind
/// the `run_forever` of a loop that is never closed). Tasks that fail meanwhile are logged.
pub(crate) fn drain(
    life: &Lifecycle,
    handle: &LoopHandle,
    end: &LoopOperation,
    mend: &mut Mend,
) -> Result<(), Declined> {
    let file = end.at.file;
    let facts = life.facts(file);
    let stmt = facts
        .stmt_of(end.at.id)
        .filter(|&stmt| matches!(facts.stmt(stmt).kind, StmtKind::Expr(value) if value == end.at.id))
        .ok_or_else(|| {
            Declined::because("cancel and gather asyncio.all_tasks(loop) before the loop is closed: it ends inside another expression")
        })?;
    let source = Source::parse(&facts.path, life.text(file).clone());
    let receiver = life.source(end.receiver).to_owned();
    let asyncio = asyncio_in(life, file);
    let (request, log) = logger(life, file, &source);
    let name = free_name(facts, &["cancel_tasks", "cancel_all_tasks", "cancel_pending_tasks"]);
    let coroutine = format!(
        "async def {name}():\n    tasks = {asyncio}.all_tasks() - {{{asyncio}.current_task()}}\n    for task in tasks:\n        task.cancel()\n    \
for result in await {asyncio}.gather(*tasks, return_exceptions=True):\n        if isinstance(result, Exception):\n            \
{log}.error(\"task failed while it was cancelled\", exc_info=result)"
    );
    let mut steps = Steps::default();
    let lines = format!(
        "{receiver}.run_until_complete({name}())\n{receiver}.run_until_complete({receiver}.shutdown_asyncgens())"
    );
    if end.kind == LoopAct::Close {
        steps.before(life, file, stmt, lines);
    } else {
        steps.after(life, file, stmt, format!("{lines}\n{receiver}.close()"));
        mend.declared.added.push("close".to_owned());
    }
    // In a script's own lines the coroutine stands before all that is done with the loop.
    let first = handle
        .operations
        .iter()
        .filter(|act| act.function == end.function && end.function.is_module())
        .filter_map(|act| facts.stmt_of(act.at.id))
        .chain([stmt])
        .map(|stmt| top_of(life, file, stmt))
        .min_by_key(|&top| facts.stmt(top).range.start())
        .unwrap_or(stmt);
    steps.before(life, file, first, coroutine);
    if let Some(request) = request {
        steps.import(request);
    }
    let edits = steps.edits(life, file, true)?;
    mend.edit(life, file, edits);
    mend.declared.added.extend(
        [
            "cancel",
            "gather",
            "all_tasks",
            "current_task",
            "isinstance",
            "error",
            "getLogger",
            "run_until_complete",
            "shutdown_asyncgens",
        ]
        .map(str::to_owned),
    );
    mend.declared.added.push(name);
    Ok(())
}

/// The statement of the module that a statement stands in.
fn top_of(life: &Lifecycle, file: FileId, stmt: StmtId) -> StmtId {
    let facts = life.facts(file);
    let mut at = stmt;
    loop {
        if let Some(up) = facts.stmt(at).parent {
            at = up;
            continue;
        }
        let function = facts.stmt(at).function;
        match facts.function(function).definition {
            Definition::Def(def) => at = def,
            Definition::Lambda(expr) => match facts.stmt_of(expr) {
                Some(outer) => at = outer,
                None => return at,
            },
            Definition::Module => return at,
        }
    }
}

fn free_name(facts: &Facts, wanted: &[&str]) -> String {
    let taken = |name: &str| {
        facts.scopes[MODULE.index()].contains_key(name) || facts.loads.contains_key(&Name::new(name))
    };
    wanted
        .iter()
        .find(|name| !taken(name))
        .map_or_else(|| format!("_{}", wanted[0]), |name| (*name).to_owned())
}
