//! The signals set an event that the work waits for, or looks at.

use loopmend_python::edit::{ImportRequest, Source, add_keyword, add_parameter, add_positional};
use loopmend_python::facts::{ExprKind, Facts, Name, ParameterKind, StmtId, StmtKind, TextRange};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle};

use super::super::endless::Endless;
use super::super::turns::{Turns, turns};
use super::install::{Install, declare, local};
use super::{by_hand, drain};
use crate::own_loop::{Steps, asyncio_in, free_name};
use crate::{Declined, Mend};

const NAMES: &[&str] = &["stopping", "stop_requested", "shutdown_requested"];

/// The event that is waited for is set by the signals.
pub(super) fn set(
    life: &Lifecycle,
    endless: &Endless,
    receiver: ExprRef,
    signals: &'static [&'static str],
    mend: &mut Mend,
) -> Result<(), Declined> {
    let function = endless.function;
    let facts = life.facts(function.file);
    // A second one of it would take the signals from the first.
    if life.call_sites(function).iter().filter(|site| !in_test(life, site.call)).count() > 1 {
        return Err(by_hand());
    }
    let install = Install::new(life, function, signals);
    let text = life.source(receiver);
    let mut steps = Steps::default();
    if matches!(facts.expr(receiver.id).kind, ExprKind::Call { .. }) {
        let stopping = free_name(facts, function.id, NAMES);
        let lines = format!("{stopping} = {text}\n{}", install.handlers(life, &format!("{stopping}.set"))?);
        install.at_start(life, &mut steps, &lines)?;
        steps.replace(facts.expr(receiver.id).range, stopping);
        return finish(life, function.file, &steps, mend);
    }
    let lines = install.handlers(life, &format!("{text}.set"))?;
    match facts.scopes[function.id.index()].get(base(facts, receiver).ok_or_else(by_hand)?) {
        None => install.at_start(life, &mut steps, &lines)?,
        Some(bindings) => {
            let [binding] = bindings[..] else { return Err(by_hand()) };
            match facts.binding(binding).stmt {
                None => install.at_start(life, &mut steps, &lines)?,
                Some(stmt) if is_plain(facts, stmt) => install.behind(life, &mut steps, stmt, &lines),
                Some(_) => return Err(by_hand()),
            }
        }
    }
    finish(life, function.file, &steps, mend)
}

/// The name that `a.b.c` begins with.
fn base(facts: &Facts, expr: ExprRef) -> Option<&Name> {
    match &facts.expr(expr.id).kind {
        ExprKind::Name(name) => Some(name),
        ExprKind::Attribute { value, .. } => base(facts, expr.with(*value)),
        _ => None,
    }
}

fn in_test(life: &Lifecycle, call: ExprRef) -> bool {
    let function = FunctionRef { file: call.file, id: life.facts(call.file).function_of(call.id) };
    life.is_test(function) || life.is_fixture(function)
}

fn is_plain(facts: &Facts, stmt: StmtId) -> bool {
    matches!(facts.stmt(stmt).kind, StmtKind::Assign { .. } | StmtKind::AnnAssign { .. })
        && facts.stmt(stmt).parent.is_none()
}

/// An event takes the place of the future that never comes.
pub(super) fn instead(
    life: &Lifecycle,
    main: FunctionRef,
    endless: &Endless,
    value: ExprRef,
    signals: &'static [&'static str],
    mend: &mut Mend,
) -> Result<(), Declined> {
    let facts = life.facts(value.file);
    if !matches!(facts.expr(value.id).kind, ExprKind::Call { .. }) {
        return Err(by_hand());
    }
    let mut steps = Steps::default();
    let stopping = created(life, main, endless, signals, &mut steps)?;
    steps.replace(facts.expr(value.id).range, format!("{stopping}.wait()"));
    mend.declared.removed.extend(["Future", "create_future"].map(str::to_owned));
    finish(life, value.file, &steps, mend)
}

/// A `while True` becomes one that looks at the event, and its long sleeps end when that is set.
pub(super) fn looked_at(
    life: &Lifecycle,
    main: FunctionRef,
    endless: &Endless,
    signals: &'static [&'static str],
    mend: &mut Mend,
) -> Result<(), Declined> {
    let file = endless.function.file;
    if main.file != file || endless.way.iter().any(|(function, _)| function.file != file) {
        return Err(by_hand());
    }
    let facts = life.facts(file);
    let StmtKind::While { test, orelse, .. } = &facts.stmt(endless.stmt).kind else { return Err(by_hand()) };
    if !orelse.is_empty() {
        return Err(by_hand());
    }
    let range = facts.stmt(endless.stmt).range;
    let mut steps = Steps::default();
    let stopping = created(life, main, endless, signals, &mut steps)?;
    match turns(life, endless.function, endless.stmt) {
        Turns::Idle if !life.text(file)[range].contains('#') => {
            steps.replace(range, format!("await {stopping}.wait()"));
            mend.declared.removed.push("sleep".to_owned());
        }
        Turns::Idle => return Err(by_hand()),
        Turns::Blocks(calls) => {
            let [call] = calls[..] else { return Err(by_hand()) };
            drain::raced(life, endless, call, &stopping, &mut steps)?;
            mend.declared
                .added
                .extend(["create_task", "ensure_future", "done", "cancel", "result"].map(str::to_owned));
        }
        Turns::End(sleeps) => {
            steps.replace(facts.expr(*test).range, format!("not {stopping}.is_set()"));
            if !sleeps.is_empty() {
                wakes(life, file, &stopping, &sleeps, &mut steps, mend);
            }
        }
    }
    finish(life, file, &steps, mend)
}

/// `await asyncio.sleep(delay)` ends when the event is set.
fn wakes(
    life: &Lifecycle,
    file: FileId,
    stopping: &str,
    sleeps: &[(StmtId, ExprRef)],
    steps: &mut Steps,
    mend: &mut Mend,
) {
    let facts = life.facts(file);
    let asyncio = asyncio_in(life, file);
    let contextlib = local(life, file, "contextlib");
    let error = if life.settings().python_at_least(3, 11) {
        "TimeoutError".to_owned()
    } else {
        format!("{asyncio}.TimeoutError")
    };
    for &(stmt, delay) in sleeps {
        let wait = format!("await {asyncio}.wait_for({stopping}.wait(), {})", life.source(delay));
        steps.replace(facts.stmt(stmt).range, wait);
        steps.wrap(life, file, stmt, format!("with {contextlib}.suppress({error}):"));
    }
    steps.import(ImportRequest::module("contextlib"));
    mend.declared.added.extend(["wait_for", "suppress"].map(str::to_owned));
    mend.declared.removed.push("sleep".to_owned());
}

/// Makes the event in the main coroutine and hands it down to the function that has the loop; gives its name.
fn created(
    life: &Lifecycle,
    main: FunctionRef,
    endless: &Endless,
    signals: &'static [&'static str],
    steps: &mut Steps,
) -> Result<String, Declined> {
    let file = main.file;
    let facts = life.facts(file);
    let functions = endless.functions();
    let stopping = NAMES
        .iter()
        .find(|name| {
            !facts.loads.contains_key(name)
                && functions.iter().all(|function| !facts.scopes[function.id.index()].contains_key(name))
        })
        .ok_or_else(by_hand)?;
    let install = Install::new(life, main, signals);
    let event = format!("{stopping} = {}.Event()", asyncio_in(life, file));
    let lines = format!("{event}\n{}", install.handlers(life, &format!("{stopping}.set"))?);
    install.at_start(life, steps, &lines)?;
    let source = Source::parse(&facts.path, life.text(file).clone());
    for (index, (_, call)) in endless.way.iter().enumerate() {
        let callee = functions[index + 1];
        // The names of the main function are seen in those that stand in it.
        if !facts.functions_around(callee.id).skip(1).any(|id| id == main.id) {
            hand_down(life, &source, *call, callee, stopping, steps)?;
        }
    }
    Ok((*stopping).to_owned())
}

/// A parameter more, given at the one call that there is.
fn hand_down(
    life: &Lifecycle,
    source: &Source,
    call: ExprRef,
    callee: FunctionRef,
    stopping: &str,
    steps: &mut Steps,
) -> Result<(), Declined> {
    let facts = life.facts(callee.file);
    let of = facts.function(callee.id);
    let sites = life.call_sites(callee);
    if sites.len() != 1 || sites[0].call != call || !of.decorators.is_empty() || overrides(life, callee) {
        return Err(by_hand());
    }
    let ExprKind::Call { args, keywords, .. } = &facts.expr(call.id).kind else { return Err(by_hand()) };
    let given = args.len() + usize::from(sites[0].bound);
    let in_order = keywords.is_empty()
        && given == of.params.len()
        && of.params.iter().all(|param| {
            param.default.is_none()
                && matches!(param.kind, ParameterKind::Positional | ParameterKind::PositionalOnly)
        })
        && args.iter().all(|&argument| !matches!(facts.expr(argument).kind, ExprKind::Starred(_)));
    let at: TextRange = facts.expr(call.id).range;
    let definition = source_range(facts, callee);
    let typed = of.params.iter().any(|param| param.annotation.is_some());
    let parameter = if typed {
        format!("{stopping}: {}.Event", asyncio_in(life, callee.file))
    } else {
        stopping.to_owned()
    };
    let mut edits = add_parameter(source, definition, &parameter)?;
    edits.extend(if in_order {
        add_positional(source, at, stopping)?
    } else {
        add_keyword(source, at, stopping, stopping)?
    });
    for edit in edits {
        steps.replace(edit.range, edit.content);
    }
    Ok(())
}

fn source_range(facts: &Facts, function: FunctionRef) -> TextRange {
    facts.function(function.id).range
}

/// Whether a method has another of its name above or below it.
fn overrides(life: &Lifecycle, function: FunctionRef) -> bool {
    let of = life.facts(function.file).function(function.id);
    let Some(class) = of.class else { return false };
    let class = loopmend_python::lifecycle::ClassRef { file: function.file, id: class };
    let named = |class: &loopmend_python::lifecycle::ClassRef| {
        life.facts(class.file).class(class.id).methods.contains_key(&of.name)
    };
    let above = life.ancestry(class).inside.iter().filter(|class| named(class)).count();
    let below = life.heirs(class).iter().filter(|class| named(class)).count();
    above > 1 || below > 1
}

fn finish(life: &Lifecycle, file: FileId, steps: &Steps, mend: &mut Mend) -> Result<(), Declined> {
    let edits = steps.edits(life, file, true)?;
    mend.edit(life, file, edits);
    declare(mend, &["Event", "set", "is_set", "wait"]);
    Ok(())
}
