//! How a function in a thread comes by the loop that runs elsewhere.

use std::collections::BTreeMap;

use loopmend_python::edit::{Source, add_keyword, add_parameter, add_positional};
use loopmend_python::facts::{Definition, ExprKind, Facts, ParameterKind, StmtId, StmtKind};
use loopmend_python::lifecycle::{
    ClassRef, ExprRef, FileId, FunctionRef, Ground, HandleKind, Lifecycle, LoopAct, Origin, Place,
};

use super::misuse::is_loop;
use crate::Declined;
use crate::own_loop::{Steps, asyncio_in, free_name};
use crate::thread::{class_of, given, is_thread, only_in_threads, starts};

/// Changes by file.
pub(super) type Changes = BTreeMap<FileId, Steps>;

fn by_hand() -> Declined {
    Declined::because(
        "hand the running loop over where the thread is made (asyncio.get_running_loop()), and give it work with asyncio.run_coroutine_threadsafe() or loop.call_soon_threadsafe()",
    )
}

/// The expression for the loop in a function, with what makes it true.
pub(super) fn loop_of(
    life: &Lifecycle,
    function: FunctionRef,
    changes: &mut Changes,
) -> Result<String, Declined> {
    if let Some(text) = at_hand(life, function) {
        return Ok(text);
    }
    if let Some(outer) = coroutine_around(life, function) {
        return closed_over(life, function, outer, changes);
    }
    match class_of(life, function) {
        Some(class) => kept_by_object(life, function, class, changes),
        None => handed_over(life, function, changes),
    }
}

/// A loop that the function can name already.
fn at_hand(life: &Lifecycle, function: FunctionRef) -> Option<String> {
    let facts = life.facts(function.file);
    let of = facts.function(function.id);
    let given_one = of.params.iter().find(|param| {
        let given = given(life, function, &param.name);
        !given.is_empty() && given.into_iter().all(|at| is_loop(life, at))
    });
    if let Some(param) = given_one {
        return Some(param.name.to_string());
    }
    let family =
        class_of(life, function).map(|class| life.ancestry(class).inside.clone()).unwrap_or_default();
    let outside = life.loops().iter().filter(|handle| {
        let runs =
            handle.kind != HandleKind::Made || handle.does(&LoopAct::Run) || handle.does(&LoopAct::Forever);
        runs && !only_in_threads(life, handle.function)
    });
    outside.flat_map(|handle| &handle.places).find_map(|place| match place {
        Place::Attribute(class, name) if family.contains(class) => {
            of.receiver().map(|receiver| format!("{receiver}.{name}"))
        }
        Place::Parameter(at, index) if *at == function => {
            of.params.get(*index as usize).map(|param| param.name.to_string())
        }
        Place::Local(at, name)
            if at.file == function.file
                && facts.functions_around(function.id).skip(1).any(|id| id == at.id) =>
        {
            Some(name.to_string())
        }
        Place::Global(file, name)
            if *file == function.file && !facts.scopes[function.id.index()].contains_key(name) =>
        {
            Some(name.to_string())
        }
        _ => None,
    })
}

/// The coroutine whose body a function is defined in.
fn coroutine_around(life: &Lifecycle, function: FunctionRef) -> Option<FunctionRef> {
    let facts = life.facts(function.file);
    let id = facts.functions_around(function.id).skip(1).find(|&id| facts.function(id).is_async)?;
    Some(FunctionRef { file: function.file, id })
}

fn closed_over(
    life: &Lifecycle,
    function: FunctionRef,
    outer: FunctionRef,
    changes: &mut Changes,
) -> Result<String, Declined> {
    let file = function.file;
    let facts = life.facts(file);
    let mut at = function.id;
    while facts.function(at).parent != Some(outer.id) {
        at = facts.function(at).parent.ok_or_else(by_hand)?;
    }
    let stmt = match facts.function(at).definition {
        Definition::Def(stmt) => stmt,
        Definition::Lambda(expr) => facts.stmt_of(expr).ok_or_else(by_hand)?,
        Definition::Module => return Err(by_hand()),
    };
    let name = free_name(facts, outer.id, &["loop", "main_loop"]);
    let line = format!("{name} = {}.get_running_loop()", asyncio_in(life, file));
    changes.entry(file).or_default().before(life, file, stmt, line);
    Ok(name)
}

/// The object keeps the loop that runs when it is made.
fn kept_by_object(
    life: &Lifecycle,
    function: FunctionRef,
    class: ClassRef,
    changes: &mut Changes,
) -> Result<String, Declined> {
    let facts = life.facts(class.file);
    let receiver = facts.function(function.id).receiver().ok_or_else(by_hand)?;
    let decorated = !facts.function(function.id).decorators.is_empty();
    let calls: Vec<ExprRef> = life.flow(Origin::Class(class), false).calls().collect();
    if decorated || calls.is_empty() || !calls.iter().all(|&call| a_loop_runs(life, call)) {
        return Err(by_hand());
    }
    let name = ["loop", "main_loop", "event_loop"]
        .into_iter()
        .find(|name| {
            life.self_writes(class, name).is_empty()
                && !facts.class(class.id).members.contains_key(*name)
                && !facts.attributes.contains_key(name)
        })
        .ok_or_else(by_hand)?;
    let value = format!("{}.get_running_loop()", asyncio_in(life, class.file));
    let steps = changes.entry(class.file).or_default();
    if let Some(&init) = facts.class(class.id).methods.get("__init__") {
        let of = facts.function(init);
        let own = of.receiver().ok_or_else(by_hand)?;
        let line = format!("{own}.{name} = {value}");
        match of.body.iter().copied().find(|&stmt| calls_super(facts, stmt)) {
            Some(stmt) => steps.after(life, class.file, stmt, line),
            None => steps.before(life, class.file, *of.body.first().ok_or_else(by_hand)?, line),
        }
    } else {
        if life.ancestry(class).inside.len() > 1 {
            return Err(by_hand());
        }
        let first = first_method(facts, class).ok_or_else(by_hand)?;
        let bare = facts.class(class.id).bases.is_empty();
        if !bare && !is_thread(life, class) && life.ancestry(class).outside.is_empty() {
            return Err(by_hand());
        }
        let head = if bare {
            format!("def __init__(self):\n    self.{name} = {value}\n\n")
        } else {
            format!(
                "def __init__(self, *args, **kwargs):\n    super().__init__(*args, **kwargs)\n    self.{name} = {value}\n\n"
            )
        };
        steps.before(life, class.file, first, head);
    }
    Ok(format!("{receiver}.{name}"))
}

fn calls_super(facts: &Facts, stmt: StmtId) -> bool {
    let StmtKind::Expr(value) = facts.stmt(stmt).kind else { return false };
    let ExprKind::Call { func, .. } = facts.expr(value).kind else { return false };
    matches!(&facts.expr(func).kind, ExprKind::Attribute { attr, .. } if attr == "__init__")
}

fn first_method(facts: &Facts, class: ClassRef) -> Option<StmtId> {
    let stmts =
        facts.class(class.id).methods.values().filter_map(|&id| match facts.function(id).definition {
            Definition::Def(stmt) => Some(stmt),
            _ => None,
        });
    stmts.min_by_key(|&stmt| facts.stmt(stmt).range.start())
}

/// Whether a loop runs where a call stands.
fn a_loop_runs(life: &Lifecycle, call: ExprRef) -> bool {
    let facts = life.facts(call.file);
    let function = FunctionRef { file: call.file, id: facts.function_of(call.id) };
    let grounds = life.grounds(function);
    !grounds.is_empty() && grounds.iter().all(Ground::runs_loop)
}

/// The function takes the loop as its last argument, from each call that starts a thread of it.
fn handed_over(life: &Lifecycle, function: FunctionRef, changes: &mut Changes) -> Result<String, Declined> {
    let file = function.file;
    let facts = life.facts(file);
    let of = facts.function(function.id);
    let calls = starts(life, function);
    let plain =
        of.params.iter().all(|param| param.default.is_none() && param.kind == ParameterKind::Positional);
    if calls.is_empty() || !plain || !of.decorators.is_empty() || !life.call_sites(function).is_empty() {
        return Err(by_hand());
    }
    let name = free_name(facts, function.id, &["loop", "main_loop"]);
    let source = Source::parse(&facts.path, life.text(file).clone());
    let typed = of.params.iter().any(|param| param.annotation.is_some());
    let parameter =
        if typed { format!("{name}: {}.AbstractEventLoop", asyncio_in(life, file)) } else { name.clone() };
    let steps = changes.entry(file).or_default();
    for edit in add_parameter(&source, of.range, &parameter)? {
        steps.replace(edit.range, edit.content);
    }
    for call in calls {
        if !a_loop_runs(life, call) || !names(life, call, function) {
            return Err(by_hand());
        }
        give(life, call, changes)?;
    }
    Ok(name)
}

/// Whether the call that starts the thread has the function itself as its target.
fn names(life: &Lifecycle, call: ExprRef, function: FunctionRef) -> bool {
    let facts = life.facts(call.file);
    let ExprKind::Call { args, keywords, .. } = &facts.expr(call.id).kind else { return false };
    args.iter().copied().chain(keywords.iter().map(|keyword| keyword.value)).any(|id| {
        matches!(facts.expr(id).kind, ExprKind::Name(_) | ExprKind::Attribute { .. })
            && life.infer(call.with(id)).iter().any(|value| value.function() == Some(function))
    })
}

/// One argument more for the target of a thread or of an executor's job.
fn give(life: &Lifecycle, call: ExprRef, changes: &mut Changes) -> Result<(), Declined> {
    let facts = life.facts(call.file);
    let ExprKind::Call { keywords, .. } = &facts.expr(call.id).kind else { return Err(by_hand()) };
    let value = format!("{}.get_running_loop()", asyncio_in(life, call.file));
    let source = Source::parse(&facts.path, life.text(call.file).clone());
    let range = facts.expr(call.id).range;
    let edits = match life.called_name(call).as_deref() {
        Some("Thread") => match keywords.iter().find(|keyword| keyword.name.as_deref() == Some("args")) {
            None => add_keyword(&source, range, "args", &format!("({value},)"))?,
            Some(keyword) => {
                let (ExprKind::Tuple(items) | ExprKind::List(items)) = &facts.expr(keyword.value).kind else {
                    return Err(by_hand());
                };
                let mut list: Vec<&str> = items.iter().map(|&id| life.source(call.with(id))).collect();
                list.push(&value);
                let text = if list.len() == 1 {
                    format!("({},)", list[0])
                } else {
                    format!("({})", list.join(", "))
                };
                let steps = changes.entry(call.file).or_default();
                steps.replace(facts.expr(keyword.value).range, text);
                return Ok(());
            }
        },
        Some("submit" | "run_in_executor" | "to_thread") if keywords.is_empty() => {
            add_positional(&source, range, &value)?
        }
        _ => return Err(by_hand()),
    };
    let steps = changes.entry(call.file).or_default();
    for edit in edits {
        steps.replace(edit.range, edit.content);
    }
    Ok(())
}
