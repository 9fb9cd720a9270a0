//! The `await`, or the plain function that starts a task.

use loopmend_model::Applicability;
use loopmend_python::edit::{Draft, Refused, Source, add_await, insert_after, make_async, replace_expr};
use loopmend_python::facts::{ExprKind, MODULE, Parent, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, Origin, UseKind};

use super::callback::Callback;
use super::called::Called;
use crate::background::{Holder, attribute, import};
use crate::{Declined, Found, Mend};

/// Where the `await` can go.
enum Way {
    /// The function around is async.
    Await,
    /// At the top level of a module: the coroutine is run.
    Run,
    /// The function around becomes async, and these calls of it are awaited.
    Lift(FunctionRef, Vec<ExprRef>),
    /// It cannot.
    No,
}

fn way(life: &Lifecycle, called: &Called) -> Way {
    let facts = life.facts(called.call.file);
    let function = FunctionRef { file: called.call.file, id: facts.function_of(called.call.id) };
    let of = facts.function(function.id);
    if of.is_async {
        return Way::Await;
    }
    if function.id == MODULE {
        let in_class = facts.stmt_of(called.call.id).is_some_and(|stmt| facts.stmt(stmt).class.is_some());
        return if called.alone && !in_class { Way::Run } else { Way::No };
    }
    lift(life, function).map_or(Way::No, |calls| Way::Lift(function, calls))
}

/// The calls of a sync function, where each stands as a statement or assignment in an async one and nothing else names it.
fn lift(life: &Lifecycle, function: FunctionRef) -> Option<Vec<ExprRef>> {
    let facts = life.facts(function.file);
    let of = facts.function(function.id);
    if of.is_generator || of.name.starts_with("__") || !of.decorators.is_empty() || life.is_test(function) {
        return None;
    }
    let calls: Vec<ExprRef> = life.call_sites(function).into_iter().map(|site| site.call).collect();
    let fits = |call: &ExprRef| {
        let facts = life.facts(call.file);
        let in_async = facts.function(facts.function_of(call.id)).is_async;
        let stands = match facts.expr(call.id).parent {
            Parent::Stmt(stmt) => {
                matches!(
                    facts.stmt(stmt).kind,
                    StmtKind::Expr(_) | StmtKind::Assign { .. } | StmtKind::Return(_)
                )
            }
            _ => false,
        };
        in_async && stands
    };
    if calls.is_empty() || !calls.iter().all(fits) {
        return None;
    }
    let only_called = life.flow(Origin::Function(function), false).uses.iter().all(|at| match at.kind {
        UseKind::Called(call) => calls.contains(&call),
        _ => false,
    });
    let shared = of.class.is_some_and(|class| {
        let class = loopmend_python::lifecycle::ClassRef { file: function.file, id: class };
        life.heirs(class).len() > 1
            || life.ancestry(class).inside.len() > 1
            || !life.ancestry(class).outside.is_empty()
    });
    (only_called && !shared).then_some(calls)
}

/// The trust in the mend of a call.
pub(super) fn trust(life: &Lifecycle, called: &Called) -> Applicability {
    match way(life, called) {
        Way::Await => Applicability::Safe,
        Way::Run | Way::Lift(..) => Applicability::Unsafe,
        Way::No => Applicability::Advice,
    }
}

fn source_of(life: &Lifecycle, file: FileId) -> Result<Source, Declined> {
    let source = Source::parse(&life.facts(file).path, life.text(file).clone());
    if source.is_broken() {
        return Err(Declined::because("mend the syntax errors of the file first"));
    }
    Ok(source)
}

/// Awaits a call.
pub(super) fn awaited(life: &Lifecycle, found: &Found, called: &Called) -> Result<Mend, Declined> {
    let file = called.call.file;
    let source = source_of(life, file)?;
    let range = life.facts(file).expr(called.call.id).range;
    let mut mend = Mend::new(found.applicability);
    match way(life, called) {
        Way::Await => mend.edit(life, file, add_await(&source, range)?),
        Way::Run => {
            let (request, run) = attribute(&source, "asyncio", "run");
            let mut draft = Draft::new(&source);
            draft.step(|now| replace_expr(now, range, &format!("{run}({})", life.source(called.call))))?;
            import(&mut draft, &[request])?;
            mend.edit(life, file, draft.edits());
            mend.declared.added.push("run".to_owned());
        }
        Way::Lift(function, calls) => {
            let name = life.facts(function.file).function(function.id).name_range;
            let own = source.function_at(name).ok_or(Refused::Missing("function"))?;
            mend.edit(life, file, add_await(&source, range)?);
            mend.edit(life, file, make_async(&source, own)?);
            for call in calls {
                let other = source_of(life, call.file)?;
                let at = life.facts(call.file).expr(call.id).range;
                mend.edit(life, call.file, add_await(&other, at)?);
            }
            mend.declared.moved = true;
        }
        Way::No => {
            let facts = life.facts(file);
            let name = &facts.function(facts.function_of(called.call.id)).name;
            return Err(Declined::because(format!(
                "`{name}` is not async: make it so and await it where it is called, or start a task that something keeps"
            )));
        }
    }
    mend.notes.push(format!("`{}` now runs, and is waited for", called.what));
    Ok(mend)
}

/// Gives the callback a plain function that starts and keeps a task.
pub(super) fn started(life: &Lifecycle, found: &Found, callback: &Callback) -> Result<Mend, Declined> {
    if !callback.mendable(life) {
        return Err(Declined::because(format!(
            "give `{}` a plain function that starts `{}` as a task and keeps the task",
            callback.name, callback.what
        )));
    }
    let file = callback.call.file;
    let facts = life.facts(file);
    let source = source_of(life, file)?;
    let of = facts.function(callback.function.id);
    let method = of.class.is_some();
    let bare = of.name.trim_start_matches('_');
    let mut name =
        if method || of.name.starts_with('_') { format!("_start_{bare}") } else { format!("start_{bare}") };
    let taken = |name: &str| {
        facts.functions.iter().any(|function| function.name == *name)
            || facts.loads.contains_key(name)
            || facts.attributes.contains_key(name)
    };
    while taken(&name) {
        name.push('_');
    }
    let holder = Holder::of(life, file);
    let (request, create) = attribute(&source, "asyncio", "create_task");
    let given = extra_arguments(facts, callback);
    let own = of.receiver().filter(|_| method).map(|receiver| (*receiver).to_string());
    let params: Vec<String> = own.iter().cloned().chain(given.clone()).collect();
    let target =
        own.as_ref().map_or_else(|| of.name.to_string(), |receiver| format!("{receiver}.{}", of.name));
    let inner = given.clone().unwrap_or_default();
    let set = &holder.name;
    let function = format!(
        "def {name}({}):\n    task = {create}({target}({inner}))\n    {set}.add(task)\n    task.add_done_callback({set}.discard)",
        params.join(", ")
    );
    let argument = facts.expr(callback.argument.id).range;
    let replaced = match &facts.expr(callback.argument.id).kind {
        ExprKind::Attribute { value, .. } => {
            format!("{}.{name}", life.source(callback.argument.with(*value)))
        }
        _ => name,
    };
    let mut draft = Draft::new(&source);
    draft.step(|now| {
        let own = now.function_at(of.name_range).ok_or(Refused::Missing("function"))?;
        let mut edits = replace_expr(now, argument, &replaced)?;
        let stmt =
            now.statements_at(own.name.range).into_iter().next_back().ok_or(Refused::Missing("function"))?;
        edits.extend(insert_after(now, stmt, &function)?);
        Ok(edits)
    })?;
    draft.step(|now| holder.define(now, None))?;
    import(&mut draft, &[request])?;
    let mut mend = Mend::new(found.applicability);
    mend.edit(life, file, draft.edits());
    mend.declared.added.extend(["create_task", "add", "add_done_callback", "set"].map(str::to_owned));
    mend.declared.added.push(of.name.to_string());
    mend.notes.push(format!("`{}` now runs", callback.what));
    Ok(mend)
}

/// What the callback is called with: further arguments of the call that takes it, or the future.
fn extra_arguments(facts: &loopmend_python::facts::Facts, callback: &Callback) -> Option<String> {
    let ExprKind::Call { args, .. } = &facts.expr(callback.call.id).kind else { return None };
    if callback.name == "add_done_callback" {
        return Some("*args".to_owned());
    }
    let place = args.iter().position(|&arg| arg == callback.argument.id)?;
    (args.len() > place + 1).then(|| "*args".to_owned())
}
