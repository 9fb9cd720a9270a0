//! What a plain function runs in threads and on its own loop, gathered on one loop.

use std::collections::BTreeSet;

use loopmend_model::Applicability;
use loopmend_python::edit::{
    Comments, Draft, Edit, ImportRequest, Source, delete_statement, import_edits, insert_before, make_async,
    remove_import_after, replace_expr, replace_statement,
};
use loopmend_python::facts::{Definition, ExprId, ExprKind, Facts, MODULE, Name, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, RunKind};

use super::Detail;
use super::unit::{Unit, unit};
use crate::carried::steps_in;
use crate::one_run::{awaited_text, options};
use crate::second_run::closer::free_name;
use crate::{Declined, Mend};

/// One run for all.
pub fn mend(life: &Lifecycle, detail: &Detail) -> Result<Mend, Declined> {
    let no = |reason: &str| Declined::because(reason.to_owned());
    let [first, ..] = detail.own.starts[..] else {
        return Err(no("the thread is a class of its own: run its coroutine on the other loop by hand"));
    };
    let facts = life.facts(first.file);
    let around = FunctionRef { file: first.file, id: facts.function_of(first.id) };
    let of = facts.function(around.id);
    if of.is_async || of.is_generator || matches!(of.definition, Definition::Lambda(_)) {
        return Err(no("a coroutine makes the thread: run what it runs as a task of the same loop"));
    }
    let mut units = Vec::new();
    for thread in &detail.all {
        units.push(unit(life, thread, around)?);
    }
    let block = facts.stmt(units[0].stmts[0]);
    let same =
        |stmt: &StmtId| facts.stmt(*stmt).parent == block.parent && facts.stmt(*stmt).slot == block.slot;
    if !units.iter().flat_map(|unit| &unit.stmts).all(same) {
        return Err(no("the threads are made in several blocks: gather their coroutines in one by hand"));
    }
    let main = main_run(life, around, &same)?;
    let covered: BTreeSet<usize> = detail.shared.iter().flat_map(|one| one.others.iter().copied()).collect();
    if covered.iter().any(|&index| main.as_ref().is_none_or(|main| main.call != life.runs()[index].call)) {
        return Err(no("the other loop is run in another function: run both coroutines on it by hand"));
    }
    write(life, around, &units, main.as_ref())
}

/// The run of the function that makes the threads.
struct Main {
    call: ExprRef,
    stmt: StmtId,
    /// The coroutine that it runs.
    text: String,
    argument: ExprId,
    /// The callee: `asyncio.run`.
    runner: String,
    /// What its value is bound to.
    bound: Option<String>,
}

fn main_run(
    life: &Lifecycle,
    around: FunctionRef,
    same: &dyn Fn(&StmtId) -> bool,
) -> Result<Option<Main>, Declined> {
    let facts = life.facts(around.file);
    let runs = steps_in(life, around);
    let run = match runs.as_slice() {
        [] => return Ok(None),
        [run] if run.kind == RunKind::Fresh && run.path == "asyncio.run" && options(life, run).is_empty() => {
            run
        }
        _ => {
            return Err(Declined::because(
                "the function runs its loop more than once, or in a way of its own",
            ));
        }
    };
    let unclear = || {
        Declined::because("the function's own run stands among other things: gather the coroutines by hand")
    };
    let stmt = facts.stmt_of(run.call.id).filter(|stmt| same(stmt)).ok_or_else(unclear)?;
    let bound = match &facts.stmt(stmt).kind {
        StmtKind::Expr(value) if *value == run.call.id => None,
        StmtKind::Assign { targets, value } if *value == run.call.id && targets.len() == 1 => {
            Some(life.source(run.call.with(targets[0])).to_owned())
        }
        _ => return Err(unclear()),
    };
    let argument = run.argument.filter(|at| at.file == around.file).ok_or_else(unclear)?;
    let ExprKind::Call { func, .. } = facts.expr(run.call.id).kind else { return Err(unclear()) };
    Ok(Some(Main {
        call: run.call,
        stmt,
        text: awaited_text(life, run)?.trim_start_matches("await ").to_owned(),
        argument: argument.id,
        runner: life.source(run.call.with(func)).to_owned(),
        bound,
    }))
}

/// The function's locals among names, each once, in order.
fn locals(life: &Lifecycle, around: FunctionRef, names: &[ExprId]) -> Vec<Name> {
    let facts = life.facts(around.file);
    let mut found: Vec<Name> = Vec::new();
    for name in names.iter().filter_map(|&id| facts.name_of(id)) {
        let local = around.id != MODULE && facts.scopes[around.id.index()].contains_key(name);
        let receiver = facts.function(around.id).receiver() == Some(name);
        if local && !receiver && !found.contains(name) {
            found.push(name.clone());
        }
    }
    found
}

fn between_is_free(facts: &Facts, first: StmtId, own: &BTreeSet<StmtId>, last: StmtId) -> bool {
    let (block, from) = facts.block_of(first);
    let to = block.iter().position(|&stmt| stmt == last).unwrap_or(from);
    block[from..=to].iter().all(|stmt| {
        let mut calls = false;
        facts.walk_exprs(&[*stmt], &mut |id| calls |= matches!(facts.expr(id).kind, ExprKind::Call { .. }));
        own.contains(stmt) || !calls
    })
}

fn write(
    life: &Lifecycle,
    around: FunctionRef,
    units: &[Unit],
    main: Option<&Main>,
) -> Result<Mend, Declined> {
    let no = |reason: &str| Declined::because(reason.to_owned());
    let facts = life.facts(around.file);
    let of = facts.function(around.id);
    let starts = |stmt: &&StmtId| {
        let range = facts.stmt(**stmt).range;
        life.text(around.file)[range.start().to_usize()..range.end().to_usize()].ends_with(".start()")
    };
    let mut own: BTreeSet<StmtId> = units.iter().flat_map(|unit| unit.stmts.iter().copied()).collect();
    own.extend(main.map(|main| main.stmt));
    let by_place = |stmt: &&StmtId| facts.stmt(**stmt).range.start();
    let first_start = own.iter().filter(starts).min_by_key(by_place).copied();
    let last = own.iter().max_by_key(by_place).copied();
    let (Some(first_start), Some(last)) = (first_start, last) else {
        return Err(no("the thread is not started where it is made"));
    };
    // With no run of its own, the function goes on at the first join.
    let place = match main {
        Some(main) => main.stmt,
        None => own
            .iter()
            .filter(|stmt| {
                facts.stmt(**stmt).range.start() > facts.stmt(first_start).range.start() && !starts(stmt)
            })
            .min_by_key(by_place)
            .copied()
            .filter(|stmt| !matches!(facts.stmt(*stmt).kind, StmtKind::Assign { .. }))
            .ok_or_else(|| no("nothing waits for the threads: gather their coroutines by hand"))?,
    };
    if !between_is_free(facts, first_start, &own, last)
        || main
            .is_some_and(|main| facts.stmt(main.stmt).range.start() < facts.stmt(first_start).range.start())
    {
        return Err(no(
            "the function does other things while the threads run: gather their coroutines by hand",
        ));
    }
    let daemons: Vec<&Unit> = units.iter().filter(|unit| unit.daemon).collect();
    let waited: Vec<&Unit> = units.iter().filter(|unit| !unit.daemon).collect();
    let source = Source::parse(&facts.path, life.text(around.file).to_string());
    let (_, imported) = import_edits(&source, &[ImportRequest::module("asyncio")]);
    let asyncio = imported.first().map_or("asyncio", String::as_str).to_owned();
    let mut requests = vec![ImportRequest::module("asyncio")];
    let body = body(&daemons, &waited, main, &asyncio, &mut requests)?;

    let mut names: Vec<ExprId> = units.iter().flat_map(|unit| unit.names.iter().copied()).collect();
    if let Some(main) = main {
        facts.descend(main.argument, &mut |id| names.push(id));
    }
    names.sort_by_key(|&id| facts.expr(id).range.start());
    let given: Vec<Name> = locals(life, around, &names);
    let base = if around.is_module() { "main".to_owned() } else { format!("{}_async", of.name) };
    let name = free_name(life, around.file, &base);
    let receiver = of.receiver().cloned();
    let arguments: Vec<&str> = given.iter().map(Name::as_str).collect();
    let parameters: Vec<&str> = receiver.iter().map(Name::as_str).chain(arguments.iter().copied()).collect();
    let text =
        format!("async def {name}({}):\n    {}\n", parameters.join(", "), body.replace('\n', "\n    "));
    let called = receiver.as_ref().map_or_else(|| name.clone(), |receiver| format!("{receiver}.{name}"));
    let runner = main.map_or_else(|| format!("{asyncio}.run"), |main| main.runner.clone());
    let call = format!("{runner}({called}({}))", arguments.join(", "));
    let statement = match main.and_then(|main| main.bound.as_ref()) {
        Some(bound) => format!("{bound} = {call}"),
        None => call,
    };

    let mut mend = Mend::new(Applicability::Unsafe);
    let mut edits = replace_statement(&source, facts.stmt(place).range, &statement)?;
    for &stmt in own.iter().filter(|&&stmt| stmt != place) {
        edits.extend(delete_statement(&source, facts.stmt(stmt).range, Comments::Delete)?);
    }
    let before = match of.definition {
        Definition::Def(stmt) => stmt,
        _ => facts.ancestors(place).last().map_or(place, |(outer, _)| outer),
    };
    if facts.stmt(before).parent.is_some() && facts.stmt(before).class.is_none() {
        return Err(no("the function is nested in another: gather the coroutines by hand"));
    }
    edits.extend(insert_before(&source, facts.stmt(before).range, &format!("{text}\n"))?);
    for thread in units.iter().filter_map(|unit| unit.target.as_ref()) {
        let there = life.facts(thread.run.function.file);
        let at = Source::parse(&there.path, life.text(thread.run.function.file).to_string());
        let mut list: Vec<Edit> = make_async(&at, there.function(thread.run.function.id).range)?;
        let now = awaited_text(life, &thread.run)?;
        list.extend(replace_expr(&at, there.expr(thread.run.call.id).range, &now)?);
        if thread.run.function.file == around.file {
            edits.extend(list);
        } else {
            mend.edit(life, thread.run.function.file, list);
        }
    }
    if around.is_module() {
        let gone = own.iter().filter(|&&stmt| stmt != place);
        let names = gone.filter_map(|&stmt| match &facts.stmt(stmt).kind {
            StmtKind::Assign { targets, .. } => facts.name_of(targets[0]),
            StmtKind::For { target, .. } => facts.name_of(*target),
            _ => None,
        });
        mend.declared.unbound.extend(names.map(|name| format!("{}:{name}", facts.path)));
    }
    let mut draft = Draft::new(&source);
    draft.step(|_| Ok(edits))?;
    draft.step(|now| Ok(import_edits(now, &requests).0))?;
    draft.step(|now| Ok(remove_import_after(now, &[], "threading")))?;
    draft.step(|now| Ok(remove_import_after(now, &[], "Thread")))?;
    mend.rewrite(life, around.file, draft.source().text());
    mend.declared.added.extend([
        name,
        "gather".to_owned(),
        "run".to_owned(),
        "create_task".to_owned(),
        "cancel".to_owned(),
        "suppress".to_owned(),
    ]);
    mend.declared.added.extend(units.iter().filter_map(|unit| {
        unit.target.as_ref().map(|thread| {
            life.facts(thread.run.function.file).function(thread.run.function.id).name.to_string()
        })
    }));
    mend.declared.removed.extend(["Thread", "start", "join", "run"].map(str::to_owned));
    mend.declared.moved = true;
    mend.notes.push("what ran in a thread now runs on the one loop, in turn with the rest".to_owned());
    Ok(mend)
}

/// The body of the coroutine that has them all.
fn body(
    daemons: &[&Unit],
    waited: &[&Unit],
    main: Option<&Main>,
    asyncio: &str,
    requests: &mut Vec<ImportRequest>,
) -> Result<String, Declined> {
    let bound = main.is_some_and(|main| main.bound.is_some());
    let mut all: Vec<&str> = waited.iter().map(|unit| unit.text.as_str()).collect();
    all.extend(main.map(|main| main.text.as_str()));
    let work = match (all.as_slice(), bound) {
        ([only], true) if !only.starts_with('*') => format!("return await {only}"),
        ([only], false) if !only.starts_with('*') => format!("await {only}"),
        (_, true) => format!("*_, result = await {asyncio}.gather({})\nreturn result", all.join(", ")),
        (_, false) => format!("await {asyncio}.gather({})", all.join(", ")),
    };
    match daemons {
        [] => Ok(work),
        [one] if !all.is_empty() => {
            requests.push(ImportRequest::module("contextlib"));
            Ok(format!(
                "task = {asyncio}.create_task({})\ntry:\n    {}\nfinally:\n    task.cancel()\n    with contextlib.suppress({asyncio}.CancelledError):\n        await task",
                one.text,
                work.replace('\n', "\n    ")
            ))
        }
        _ => Err(Declined::because(
            "several threads end with the program: make them tasks that are cancelled by hand",
        )),
    }
}
