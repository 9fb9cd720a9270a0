//! What a thread runs on a loop of its own goes to the loop that runs where the thread is made.

use loopmend_model::Applicability;
use loopmend_python::edit::{
    Edit, ImportRequest, Source, add_keyword, add_parameter, add_positional, import_edits, insert_at_end,
    replace_expr,
};
use loopmend_python::facts::{Definition, ExprKind, Name, ParameterKind};
use loopmend_python::lifecycle::{
    ClassRef, ExprRef, FileId, FunctionRef, Lifecycle, Origin, RunKind, UseKind,
};

use super::Detail;
use super::threaded::{Threaded, keyword};
use crate::created_outside_loop::lazy;
use crate::one_run::options;
use crate::{Declined, Mend};

/// Whether the thread is made where a loop runs.
pub fn fits(life: &Lifecycle, detail: &Detail) -> bool {
    detail.own.starts.iter().all(|&start| lazy::in_loop(life, start))
}

/// `run_coroutine_threadsafe` in each thread.
pub fn mend(life: &Lifecycle, detail: &Detail) -> Result<Mend, Declined> {
    let mut mend = Mend::new(Applicability::Unsafe);
    let mut edits: Vec<(FileId, Vec<Edit>, Vec<ImportRequest>)> = Vec::new();
    for thread in &detail.all {
        hand_over(life, thread, &mut edits)?;
    }
    for (file, list, requests) in edits {
        let source = Source::parse(&life.facts(file).path, life.text(file).to_string());
        let now = source.with(&list).map_err(loopmend_python::edit::Refused::from)?;
        let (more, _) = import_edits(&now, &requests);
        let now = now.with(&more).map_err(loopmend_python::edit::Refused::from)?;
        mend.rewrite(life, file, now.text());
    }
    let names = ["run_coroutine_threadsafe", "result", "get_running_loop", "to_thread", "run_in_executor"];
    mend.declared.added.extend(names.map(str::to_owned));
    mend.declared.removed.extend(["run", "join"].map(str::to_owned));
    mend.declared.moved = true;
    mend.notes.push("the thread's coroutine now runs on the loop of the thread that made it".to_owned());
    Ok(mend)
}

fn hand_over(
    life: &Lifecycle,
    thread: &Threaded,
    edits: &mut Vec<(FileId, Vec<Edit>, Vec<ImportRequest>)>,
) -> Result<(), Declined> {
    let no = |reason: &str| Declined::because(reason.to_owned());
    let run = &thread.run;
    let target = run.function;
    let facts = life.facts(target.file);
    let of = facts.function(target.id);
    if thread.handed
        || run.kind != RunKind::Fresh
        || run.path != "asyncio.run"
        || !options(life, run).is_empty()
    {
        return Err(no(
            "the thread runs its loop in a way of its own: run its coroutine on the other loop by hand",
        ));
    }
    if thread.starts.is_empty() {
        return class_of_threads(life, thread, edits);
    }
    let [start] = thread.starts[..] else {
        return Err(no("the thread is made in several places: run its coroutine on the other loop by hand"));
    };
    if !lazy::in_loop(life, start) {
        return Err(no("no loop runs where the thread is made"));
    }
    let handed_once = life.call_sites(target).is_empty()
        && handed_uses(life, target) == 1
        && matches!(of.definition, Definition::Def(_))
        && of.decorators.is_empty()
        && of.params.iter().all(|param| param.default.is_none() && param.kind == ParameterKind::Positional);
    let taken = facts.scopes[target.id.index()].contains_key("loop")
        || facts
            .loads
            .get("loop")
            .is_some_and(|loads| loads.iter().any(|&load| facts.function_of(load) == target.id));
    if !handed_once || taken {
        return Err(no(
            "the thread's function is used in other ways too: hand it the loop by hand, and use `asyncio.run_coroutine_threadsafe`",
        ));
    }
    let argument = run.argument.ok_or_else(|| no("the run runs nothing that is written there"))?;

    // In the thread.
    let source = Source::parse(&facts.path, life.text(target.file).to_string());
    let (text, requests) = handed_to(life, run.call, argument, "loop");
    let mut own = replace_expr(&source, facts.expr(run.call.id).range, &text)?;
    own.extend(add_parameter(&source, of.range, "loop")?);
    add(edits, target.file, own, requests);

    // Where it is made.
    let there = Source::parse(&life.facts(start.file).path, life.text(start.file).to_string());
    let request = ImportRequest::module("asyncio");
    let (_, locals) = import_edits(&there, std::slice::from_ref(&request));
    let asyncio = locals.first().map_or("asyncio", String::as_str).to_owned();
    let given = format!("{asyncio}.get_running_loop()");
    let mut more = give(life, &there, start, &given)?;
    if life.called_name(start).as_deref() == Some("Thread") {
        waited(life, start, &asyncio, edits)?;
    } else if !awaited(life, start) {
        return Err(no(
            "nothing awaits the thread's end: await it, or run its coroutine as a task of the other loop",
        ));
    }
    more.sort_by_key(|edit| edit.range.start());
    add(edits, start.file, more, vec![request]);
    Ok(())
}

fn handed_uses(life: &Lifecycle, function: FunctionRef) -> usize {
    life.flow(Origin::Function(function), false)
        .uses
        .iter()
        .filter(|at| matches!(at.kind, UseKind::Argument { .. } | UseKind::Called(_)))
        .count()
}

/// The run's coroutine, given to another loop and waited for.
fn handed_to(life: &Lifecycle, run: ExprRef, argument: ExprRef, other: &str) -> (String, Vec<ImportRequest>) {
    let facts = life.facts(run.file);
    let call = format!("run_coroutine_threadsafe({}, {other}).result()", life.source(argument));
    if let ExprKind::Call { func, .. } = facts.expr(run.id).kind
        && let ExprKind::Attribute { value, .. } = facts.expr(func).kind
    {
        return (format!("{}.{call}", life.source(run.with(value))), Vec::new());
    }
    (call, vec![ImportRequest::from("asyncio", "run_coroutine_threadsafe")])
}

/// A subclass of `Thread` keeps the loop that it is made under.
fn class_of_threads(
    life: &Lifecycle,
    thread: &Threaded,
    edits: &mut Vec<(FileId, Vec<Edit>, Vec<ImportRequest>)>,
) -> Result<(), Declined> {
    let no = |reason: &str| Declined::because(reason.to_owned());
    let run = &thread.run;
    let file = run.function.file;
    let facts = life.facts(file);
    let of = facts.function(run.function.id);
    let class = of.class.ok_or_else(|| no("the thread is made by no class"))?;
    let class = ClassRef { file, id: class };
    let node = facts.class(class.id);
    let (Some(&init), Some(receiver)) = (node.methods.get("__init__"), of.receiver()) else {
        return Err(no(
            "the thread's class has no `__init__` that could keep the loop: run its coroutine on the other loop by hand",
        ));
    };
    let taken = node.members.contains_key("loop") || !life.self_writes(class, "loop").is_empty();
    let calls: Vec<ExprRef> = life.flow(Origin::Class(class), false).calls().collect();
    if taken || calls.is_empty() || life.heirs(class).len() > 1 {
        return Err(no(
            "the thread's class is used in other ways too: run its coroutine on the other loop by hand",
        ));
    }
    if !calls.iter().all(|&call| lazy::in_loop(life, call)) {
        return Err(no("no loop runs where the thread is made"));
    }
    let argument = run.argument.ok_or_else(|| no("the run runs nothing that is written there"))?;
    let source = Source::parse(&facts.path, life.text(file).to_string());
    let mut requests = vec![ImportRequest::module("asyncio")];
    let (_, locals) = import_edits(&source, &requests);
    let asyncio = locals.first().map_or("asyncio", String::as_str).to_owned();
    let (text, more) = handed_to(life, run.call, argument, &format!("{receiver}.loop"));
    requests.extend(more);
    let mut own = replace_expr(&source, facts.expr(run.call.id).range, &text)?;
    let init = facts.function(init);
    let receiver = init.receiver().map_or("self", Name::as_str);
    let body = source
        .function_at(init.range)
        .ok_or_else(|| Declined::from(loopmend_python::edit::Refused::Missing("function")))?;
    own.extend(insert_at_end(
        &source,
        &body.body,
        &format!("{receiver}.loop = {asyncio}.get_running_loop()"),
    )?);
    add(edits, file, own, requests);
    for call in calls {
        waited(life, call, &asyncio, edits)?;
    }
    Ok(())
}

/// One more argument for the thread's function.
fn give(life: &Lifecycle, source: &Source, start: ExprRef, given: &str) -> Result<Vec<Edit>, Declined> {
    let facts = life.facts(start.file);
    let range = facts.expr(start.id).range;
    let ExprKind::Call { args, keywords, .. } = &facts.expr(start.id).kind else { return Ok(Vec::new()) };
    let unclear = keywords.iter().any(|keyword| keyword.name.as_deref().is_none_or(|name| name == "kwargs"))
        || args.iter().any(|&arg| matches!(facts.expr(arg).kind, ExprKind::Starred(_)));
    if unclear {
        return Err(Declined::because("the thread is given its arguments in a way that was not followed"));
    }
    if life.called_name(start).as_deref() != Some("Thread") {
        return Ok(add_positional(source, range, given)?);
    }
    let Some(list) = keyword(life, start, "args") else {
        if args.len() > 3 {
            return Err(Declined::because("the thread is given its arguments by position"));
        }
        return Ok(add_keyword(source, range, "args", &format!("({given},)"))?);
    };
    let (ExprKind::Tuple(items) | ExprKind::List(items)) = &facts.expr(list.id).kind else {
        return Err(Declined::because("the thread's arguments are not written where it is made"));
    };
    let Some(&last) = items.last() else {
        return Ok(replace_expr(source, facts.expr(list.id).range, &format!("({given},)"))?);
    };
    // `(frames,)` needs its comma no more.
    if let ([_], ExprKind::Tuple(_)) = (&items[..], &facts.expr(list.id).kind)
        && !life.source(list).contains('\n')
    {
        let text = format!("({}, {given})", life.source(list.with(last)));
        return Ok(vec![Edit::replacement(facts.expr(list.id).range, text)]);
    }
    Ok(vec![Edit::insertion(facts.expr(last).range.end(), format!(", {given}"))])
}

/// Makes sure that coroutines wait for the thread without stopping the loop.
fn waited(
    life: &Lifecycle,
    start: ExprRef,
    asyncio: &str,
    edits: &mut Vec<(FileId, Vec<Edit>, Vec<ImportRequest>)>,
) -> Result<(), Declined> {
    let mut waits = false;
    for at in &life.flow_of(start).uses {
        let facts = life.facts(at.expr.file);
        let function = FunctionRef { file: at.expr.file, id: facts.function_of(at.expr.id) };
        match &at.kind {
            UseKind::Attribute { name, .. } if name == "join" => waits = true,
            UseKind::Method { name, .. } if name == "is_alive" => {
                waits |= facts.function(function.id).is_async;
            }
            UseKind::Method { name, call, .. } if name == "join" => {
                if !facts.function(function.id).is_async {
                    if lazy::in_loop(life, *call) {
                        return Err(Declined::because(
                            "a plain function waits for the thread while the loop runs, which would stop the thread's coroutine too",
                        ));
                    }
                    continue;
                }
                waits = true;
                let ExprKind::Call { args, .. } = &facts.expr(call.id).kind else { continue };
                let rest =
                    args.iter().fold(String::new(), |text, &arg| text + ", " + life.source(call.with(arg)));
                let thread = life.source(at.expr);
                let text = if life.settings().python.min.is_some_and(|min| min < (3, 9)) {
                    if !rest.is_empty() {
                        return Err(Declined::because("the thread is waited for with a time limit"));
                    }
                    format!("await {asyncio}.get_running_loop().run_in_executor(None, {thread}.join)")
                } else {
                    format!("await {asyncio}.to_thread({thread}.join{rest})")
                };
                let source = Source::parse(&facts.path, life.text(at.expr.file).to_string());
                let list = replace_expr(&source, facts.expr(call.id).range, &text)?;
                add(edits, at.expr.file, list, vec![ImportRequest::module("asyncio")]);
            }
            _ => {}
        }
    }
    if waits {
        return Ok(());
    }
    Err(Declined::because(
        "no coroutine waits for the thread, so that the loop may end before its coroutine does: run it as a task of that loop",
    ))
}

fn awaited(life: &Lifecycle, call: ExprRef) -> bool {
    let facts = life.facts(call.file);
    facts.parent_expr(call.id).is_some_and(|up| match &facts.expr(up).kind {
        ExprKind::Await(_) => true,
        // `await gather(to_thread(f), work())`
        ExprKind::Call { .. } => awaited(life, call.with(up)),
        _ => false,
    })
}

fn add(
    edits: &mut Vec<(FileId, Vec<Edit>, Vec<ImportRequest>)>,
    file: FileId,
    more: Vec<Edit>,
    requests: Vec<ImportRequest>,
) {
    match edits.iter_mut().find(|(known, ..)| *known == file) {
        Some((_, list, known)) => {
            for edit in more {
                if !list.contains(&edit) {
                    list.push(edit);
                }
            }
            known.extend(requests);
        }
        None => edits.push((file, more, requests)),
    }
}
