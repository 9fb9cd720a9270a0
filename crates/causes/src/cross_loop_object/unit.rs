//! One thread that a plain function makes, as the coroutine that takes its place.

use std::collections::BTreeSet;

use loopmend_python::facts::{Definition, ExprId, ExprKind, Facts, ParameterKind, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Origin, RunKind, UseKind};

use super::shared::target;
use super::threaded::{Threaded, keyword};
use crate::Declined;
use crate::one_run::options;

/// One thread that becomes a coroutine.
pub struct Unit {
    /// The coroutine, as written in the function that makes the thread.
    pub text: String,
    /// Names in it.
    pub names: Vec<ExprId>,
    /// Statements that make, start and join the thread.
    pub stmts: Vec<StmtId>,
    /// The thread ends with the program, whatever it does.
    pub daemon: bool,
    /// The function whose run becomes an `await`.
    pub target: Option<Threaded>,
}

/// What a thread of a function becomes.
pub fn unit(life: &Lifecycle, thread: &Threaded, around: FunctionRef) -> Result<Unit, Declined> {
    let no = |reason: &str| Declined::because(reason.to_owned());
    let [start] = thread.starts[..] else {
        return Err(no("the thread is made in several places: gather the coroutines by hand"));
    };
    let facts = life.facts(around.file);
    let here = FunctionRef { file: start.file, id: life.facts(start.file).function_of(start.id) };
    let many = comprehension(facts, start.id);
    let plain = life.called_name(start).as_deref() == Some("Thread");
    if here != around || !plain || life.in_loop(start) && many.is_none() {
        return Err(no(
            "the threads are made in several functions or in a loop: gather their coroutines by hand",
        ));
    }
    let stmts = match many {
        Some(list) => list_statements(life, start.with(list)),
        None => thread_statements(life, start),
    };
    let stmts = stmts.ok_or_else(|| {
        no("more is done with the thread than to start and join it: gather the coroutines by hand")
    })?;
    let daemon = keyword(life, start, "daemon")
        .is_some_and(|at| matches!(facts.expr(at.id).kind, ExprKind::Bool(true)));
    let joined =
        stmts.len() > 2 || stmts.len() == 2 && !matches!(facts.stmt(stmts[0]).kind, StmtKind::Assign { .. });
    let run = &thread.run;
    let argument = run.argument.ok_or_else(|| no("the run runs nothing that is written there"))?;
    let mut names = Vec::new();
    let lambda =
        matches!(life.facts(run.call.file).function(run.function.id).definition, Definition::Lambda(_));
    let (text, target) = if thread.handed || lambda && run.function.file == around.file {
        facts.descend(argument.id, &mut |id| names.push(id));
        (life.source(argument).to_owned(), None)
    } else {
        let target = target(life, start).ok_or_else(|| no("the thread's function is not known"))?;
        becomes_coroutine(life, thread)?;
        let given = match keyword(life, start, "args") {
            None => String::new(),
            Some(list) => match &facts.expr(list.id).kind {
                ExprKind::Tuple(items) | ExprKind::List(items) => {
                    items.iter().for_each(|&item| facts.descend(item, &mut |id| names.push(id)));
                    items.iter().map(|&item| life.source(list.with(item))).collect::<Vec<_>>().join(", ")
                }
                _ => return Err(no("the thread's arguments are not written where it is made")),
            },
        };
        if keyword(life, start, "kwargs").is_some() {
            return Err(no("the thread is given keywords: gather the coroutines by hand"));
        }
        facts.descend(target.id, &mut |id| names.push(id));
        (format!("{}({given})", life.source(target)), Some(thread.clone()))
    };
    let text = match many {
        Some(list) => {
            let rest = many_of(life, start, list, &mut names);
            format!("*({text} {rest})")
        }
        None => text,
    };
    Ok(Unit { text, names, stmts, daemon: daemon && !joined, target })
}

/// The statements that make, start and join a thread, where nothing else is done with it.
fn thread_statements(life: &Lifecycle, start: ExprRef) -> Option<Vec<StmtId>> {
    let facts = life.facts(start.file);
    let stmt = facts.stmt_of(start.id)?;
    if let StmtKind::Expr(_) = facts.stmt(stmt).kind {
        // `Thread(…).start()`
        let chained = facts.parent_expr(start.id).is_some_and(
            |up| matches!(&facts.expr(up).kind, ExprKind::Attribute { attr, .. } if attr == "start"),
        );
        return chained.then(|| vec![stmt]);
    }
    let StmtKind::Assign { targets, value } = &facts.stmt(stmt).kind else { return None };
    let [target] = **targets else { return None };
    let name = facts.name_of(target).filter(|_| *value == start.id)?;
    let function = facts.function_of(start.id);
    if facts.scopes[function.index()].get(name)?.len() != 1 {
        return None;
    }
    let mut stmts = vec![stmt];
    for load in life.loads_of(start.file, function, name) {
        let at = facts.stmt_of(load.id)?;
        let attribute = facts.parent_expr(load.id)?;
        let ExprKind::Attribute { attr, .. } = &facts.expr(attribute).kind else { return None };
        let call = facts.parent_expr(attribute)?;
        let plain = matches!(&facts.expr(call).kind, ExprKind::Call { args, keywords, .. } if args.is_empty() && keywords.is_empty());
        let alone = matches!(facts.stmt(at).kind, StmtKind::Expr(value) if value == call);
        if !plain || !alone || !matches!(attr.as_str(), "start" | "join") {
            return None;
        }
        stmts.push(at);
    }
    stmts.sort_by_key(|&at| facts.stmt(at).range.start());
    (stmts.len() >= 2).then_some(stmts)
}

/// The list comprehension that makes a thread for each of something.
fn comprehension(facts: &Facts, start: ExprId) -> Option<ExprId> {
    let up = facts.parent_expr(start)?;
    match &facts.expr(up).kind {
        ExprKind::Comprehension { elements, generators, lazy: false }
            if **elements == [start] && generators.len() == 1 =>
        {
            Some(up)
        }
        _ => None,
    }
}

/// The `for … in …` of a comprehension as written; its own names are no longer among `names`.
fn many_of(life: &Lifecycle, start: ExprRef, list: ExprId, names: &mut Vec<ExprId>) -> String {
    let facts = life.facts(start.file);
    let ExprKind::Comprehension { generators, .. } = &facts.expr(list).kind else { return String::new() };
    let mut own = BTreeSet::new();
    for (target, iter, conditions) in generators {
        facts.descend(*target, &mut |id| own.extend(facts.name_of(id)));
        facts.descend(*iter, &mut |id| names.push(id));
        conditions.iter().for_each(|&condition| facts.descend(condition, &mut |id| names.push(id)));
    }
    names.retain(|&id| facts.name_of(id).is_none_or(|name| !own.contains(name)));
    let from = facts.expr(start.id).range.end().to_usize();
    let to = facts.expr(list).range.end().to_usize();
    life.text(start.file)[from..to].trim_end_matches(']').split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The statements that make a list of threads, start and join each, where nothing else is done with them.
fn list_statements(life: &Lifecycle, list: ExprRef) -> Option<Vec<StmtId>> {
    let facts = life.facts(list.file);
    let stmt = facts.stmt_of(list.id)?;
    let StmtKind::Assign { targets, value } = &facts.stmt(stmt).kind else { return None };
    let [target] = **targets else { return None };
    let name = facts.name_of(target).filter(|_| *value == list.id)?;
    let mut stmts = vec![stmt];
    for load in life.loads_of(list.file, facts.function_of(list.id), name) {
        let at = facts.stmt_of(load.id)?;
        let StmtKind::For { iter, body, target, is_async: false, orelse } = &facts.stmt(at).kind else {
            return None;
        };
        let [only] = **body else { return None };
        let StmtKind::Expr(call) = facts.stmt(only).kind else { return None };
        let text = life.source(list.with(call));
        let one = facts.name_of(*target)?;
        let known = text == format!("{one}.start()") || text == format!("{one}.join()");
        if *iter != load.id || !orelse.is_empty() || !known {
            return None;
        }
        stmts.push(at);
    }
    stmts.sort_by_key(|&at| facts.stmt(at).range.start());
    (stmts.len() >= 2).then_some(stmts)
}

/// Whether a thread's function can be a coroutine: it does little more than its run, and only the thread runs it.
fn becomes_coroutine(life: &Lifecycle, thread: &Threaded) -> Result<(), Declined> {
    let no = |reason: &str| Declined::because(reason.to_owned());
    let run = &thread.run;
    let facts = life.facts(run.function.file);
    let of = facts.function(run.function.id);
    let uses = life.flow(Origin::Function(run.function), false);
    let handed = uses
        .uses
        .iter()
        .filter(|at| matches!(at.kind, UseKind::Argument { .. } | UseKind::Called(_)))
        .count();
    let plain = matches!(of.definition, Definition::Def(_))
        && of.decorators.is_empty()
        && of.params.iter().all(|param| !matches!(param.kind, ParameterKind::Args | ParameterKind::Kwargs))
        && handed == 1
        && life.call_sites(run.function).is_empty()
        && run.kind == RunKind::Fresh
        && run.path == "asyncio.run"
        && options(life, run).is_empty()
        && steps_in_thread(life, run.function) == 1;
    if !plain {
        return Err(no(
            "the thread's function is used in other ways too, or runs its loop in a way of its own: gather the coroutines by hand",
        ));
    }
    let own = facts.expr(run.call.id).range;
    let mut other = false;
    facts.body_exprs(run.function.id, &mut |id| {
        if matches!(facts.expr(id).kind, ExprKind::Call { .. })
            && !own.contains_range(facts.expr(id).range)
            && !facts.expr(id).range.contains_range(own)
        {
            let name = life.called_name(ExprRef { file: run.function.file, id });
            other |= !matches!(
                name.as_deref(),
                Some(
                    "print" | "info" | "debug" | "warning" | "error" | "exception" | "append" | "str" | "len"
                )
            );
        }
    });
    if other {
        return Err(no(
            "the thread's function does more than run its loop, which would stop the other loop: use `asyncio.run_coroutine_threadsafe`",
        ));
    }
    Ok(())
}

fn steps_in_thread(life: &Lifecycle, function: FunctionRef) -> usize {
    life.runs().iter().filter(|run| run.function == function).count()
}
