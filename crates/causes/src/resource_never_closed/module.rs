//! Objects that a module keeps: closed at the end of the one run that uses them.

use std::collections::BTreeSet;

use loopmend_python::edit::{
    ImportRequest, import_edits, insert_after, insert_at_end, insert_before, wrap_statements,
};
use loopmend_python::facts::{BindingKind, Definition, ExprKind, MODULE, Name, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, Origin, RunKind};

use super::closer::Closer;
use super::edits::Edits;
use super::fate;
use super::local;
use crate::Declined;
use crate::carried::Object;
use crate::second_run::closer::{After, closer, is_dict};

/// Closes the global at the end of the coroutine that is run. `close` is a function of the tree that does it already.
pub(super) fn close_in_run(
    edits: &mut Edits<'_>,
    file: FileId,
    name: &Name,
    made: ExprRef,
    closer: &Closer,
    close: Option<FunctionRef>,
) -> Result<(), Declined> {
    let life = edits.life;
    if close.is_none() && holds_many(life, file, name) {
        return close_shared(edits, name, made);
    }
    let users = users(life, made);
    let main = only_run(life, &users, name)?;
    if given_out(life, file, name) {
        return Err(Declined::because(format!(
            "`{name}` is what a run has returned, and its loop has ended by then: let one coroutine open, use and close it"
        )));
    }
    let (import, call) = match close {
        Some(function) => {
            let of = life.facts(function.file).function(function.id);
            if of.class.is_some() || !of.params.is_empty() || of.is_generator {
                return Err(Declined::because(format!("call `{}` at the end of the run", of.qualname)));
            }
            edits.adds(of.name.to_string());
            let awaiting = if of.is_async { "await " } else { "" };
            ((function.file, of.name.to_string()), format!("{awaiting}{}()", of.name))
        }
        None if always_bound(life, file, name) => {
            edits.closes(closer);
            ((file, name.to_string()), closer.statements(name))
        }
        None => {
            let function = closing_function(edits, file, name, made, closer, main)?;
            let awaiting = if closer.awaits() { "await " } else { "" };
            edits.adds(function.clone());
            let call = format!("{awaiting}{function}()");
            ((file, function), call)
        }
    };
    let (from, imported) = import;
    let call = if from == main.file {
        call
    } else {
        let module = edits.module_name(from, main.file);
        let source = edits.source(main.file);
        let (imports, locals) = import_edits(&source, &[ImportRequest::from(&module, &imported)]);
        edits.add(main.file, imports);
        call.replace(&imported, locals.first().map_or(imported.as_str(), String::as_str))
    };
    at_end_of(edits, main, &users, &call)
}

/// Closes what a cache or a dict keeps at the end of the coroutine that is run.
pub(super) fn close_shared(edits: &mut Edits<'_>, name: &Name, made: ExprRef) -> Result<(), Declined> {
    let life = edits.life;
    let users = users(life, made);
    let main = only_run(life, &users, name)?;
    let object = life
        .site_at(made)
        .and_then(|site| Object::of(life, site))
        .filter(|object| {
            life.decorated(object.site.function, &["lru_cache", "cache"]) || is_dict(life, made.file, name)
        })
        .ok_or_else(|| {
            Declined::because(format!("close all that `{name}` keeps by hand at the end of the last run"))
        })?;
    let closer = closer(life, &object, main.file, After::Gone)?;
    if let Some((file, added)) = closer.edits {
        edits.add(file, added);
    }
    if let Some(import) = closer.import {
        let (imports, _) = import_edits(&edits.source(main.file), &[import]);
        edits.add(main.file, imports);
    }
    for name in closer.added {
        edits.adds(name);
    }
    at_end_of(edits, main, &users, &closer.line)
}

/// Whether a global is a container of objects rather than one.
fn holds_many(life: &Lifecycle, file: FileId, name: &Name) -> bool {
    let facts = life.facts(file);
    is_dict(life, file, name)
        || facts.scopes[MODULE.index()].get(name).into_iter().flatten().any(|&id| {
            let BindingKind::Value { value, .. } = facts.binding(id).kind else { return false };
            match &facts.expr(value).kind {
                ExprKind::List(_) | ExprKind::Set(_) | ExprKind::Tuple(_) => true,
                ExprKind::Call { func, .. } => facts.dotted(*func).is_some_and(|text| {
                    let last = text.rsplit('.').next().unwrap_or(&text);
                    matches!(last, "list" | "set" | "defaultdict" | "OrderedDict" | "deque" | "WeakSet")
                }),
                _ => false,
            }
        })
}

/// Puts a call behind the last statement of a coroutine that uses the object, on every way.
fn at_end_of(
    edits: &mut Edits<'_>,
    main: FunctionRef,
    users: &BTreeSet<ExprRef>,
    call: &str,
) -> Result<(), Declined> {
    let life = edits.life;
    let run = statements(life, main, users)?;
    let facts = life.facts(main.file);
    let source = edits.source(main.file);
    // A `try` that is all of it takes the close into its `finally`.
    if let [only] = run[..]
        && let StmtKind::Try { finally, .. } = &facts.stmt(only).kind
        && !finally.is_empty()
        && let Some(found) = source.statement_at(facts.stmt(only).range)
        && let Some(node) = found.stmt.as_try_stmt()
    {
        return edits.try_add(main.file, insert_at_end(&source, &node.finalbody, call));
    }
    let (Some(&first), Some(&last)) = (run.first(), run.last()) else {
        return Err(Declined::because("the run does nothing with the object"));
    };
    let range = facts.stmt(first).range.cover(facts.stmt(last).range);
    edits.try_add(main.file, wrap_statements(&source, range, "try:", &[("finally:", call)]))
}

fn users(life: &Lifecycle, made: ExprRef) -> BTreeSet<ExprRef> {
    fate::uses(life, &life.flow(Origin::Expr(made), true))
}

fn function_of(life: &Lifecycle, expr: ExprRef) -> FunctionRef {
    FunctionRef { file: expr.file, id: life.facts(expr.file).function_of(expr.id) }
}

/// The coroutine function of the only run that uses the object.
pub(crate) fn only_run(
    life: &Lifecycle,
    users: &BTreeSet<ExprRef>,
    name: &str,
) -> Result<FunctionRef, Declined> {
    let functions: BTreeSet<FunctionRef> = users.iter().map(|&at| function_of(life, at)).collect();
    let mut runs = BTreeSet::new();
    for function in &functions {
        runs.extend(life.runs_reaching(*function));
    }
    let by_hand =
        |why: &str| Declined::because(format!("{why}: close `{name}` by hand at the end of the last run"));
    let mut runs = runs.into_iter();
    let (Some(index), None) = (runs.next(), runs.next()) else {
        return Err(by_hand("not one run of a loop, but none or several, use the object"));
    };
    let run = &life.runs()[index];
    if run.kind == RunKind::Serve || life.in_loop(run.call) {
        return Err(by_hand("the loop that uses the object is not run once by a coroutine of the tree"));
    }
    let [main] = run.coroutines[..] else {
        return Err(by_hand("the run is not of one coroutine of the tree"));
    };
    let of = life.facts(main.file).function(main.id);
    if !of.is_coroutine() || !matches!(of.definition, Definition::Def(_)) || life.call_sites(main).len() > 1 {
        return Err(by_hand("the coroutine that is run is used elsewhere too"));
    }
    Ok(main)
}

/// The statements of a function from the first to the last that uses the object, itself or through calls.
fn statements(
    life: &Lifecycle,
    main: FunctionRef,
    users: &BTreeSet<ExprRef>,
) -> Result<Vec<StmtId>, Declined> {
    let facts = life.facts(main.file);
    let body = &facts.function(main.id).body;
    let functions: BTreeSet<FunctionRef> =
        users.iter().map(|&at| function_of(life, at)).filter(|function| !function.is_module()).collect();
    let mut used: BTreeSet<usize> = BTreeSet::new();
    let mut note = |expr: ExprRef| {
        let mut at = facts.stmt_of(expr.id);
        while let Some(stmt) = at {
            if let Some(index) = body.iter().position(|&top| top == stmt) {
                used.insert(index);
                return;
            }
            at = facts.stmt(stmt).parent;
        }
    };
    // Local names that come of the object keep it in use.
    let mut derived = BTreeSet::new();
    for &at in users.iter().filter(|at| at.file == main.file && function_of(life, **at) == main) {
        note(at);
        local::derive(facts, at.id, &mut derived);
    }
    let mut known = usize::MAX;
    while known != derived.len() {
        known = derived.len();
        for name in derived.clone() {
            for load in life.loads_of(main.file, main.id, &name) {
                note(load);
                local::derive(facts, load.id, &mut derived);
            }
        }
    }
    for &(callee, call) in life.calls_from(main).iter() {
        if functions.contains(&callee) || life.reachable(callee).iter().any(|inner| functions.contains(inner))
        {
            note(call);
        }
    }
    let (Some(&first), Some(&last)) = (used.first(), used.last()) else {
        return Err(Declined::because(
            "the run uses the object in a way that was not followed: close it at the end of the run",
        ));
    };
    Ok(body[first..=last].to_vec())
}

/// Whether a module binds a name when it is imported, once and to the object.
fn always_bound(life: &Lifecycle, file: FileId, name: &Name) -> bool {
    let facts = life.facts(file);
    let bindings = facts.scopes[MODULE.index()].get(name);
    let mut all = bindings.into_iter().flatten().map(|&id| facts.binding(id)).peekable();
    all.peek().is_some()
        && all.all(|binding| {
            binding.function == MODULE
                && binding.stmt.is_some_and(|stmt| {
                    facts.stmt(stmt).function == MODULE && facts.stmt(stmt).parent.is_none()
                })
                && matches!(binding.kind, BindingKind::Value { value, .. } if !matches!(facts.expr(value).kind, ExprKind::None))
        })
}

/// Whether a global is only ever what a run of a loop returns: `client = asyncio.run(main())`.
fn given_out(life: &Lifecycle, file: FileId, name: &Name) -> bool {
    let facts = life.facts(file);
    let mut values = facts.scopes[MODULE.index()]
        .get(name)
        .into_iter()
        .flatten()
        .filter_map(|&id| match facts.binding(id).kind {
            BindingKind::Value { value, .. } => Some(value),
            _ => None,
        })
        .filter(|&value| !matches!(facts.expr(value).kind, ExprKind::None))
        .peekable();
    let is_run = |value| life.runs().iter().any(|run| run.call == ExprRef { file, id: value });
    values.peek().is_some() && values.all(is_run)
}

/// Adds `close_name()` to the module and gives its name.
fn closing_function(
    edits: &mut Edits<'_>,
    file: FileId,
    name: &Name,
    made: ExprRef,
    closer: &Closer,
    main: FunctionRef,
) -> Result<String, Declined> {
    let life = edits.life;
    let facts = life.facts(file);
    let function = format!("close_{}", name.trim_matches('_').to_lowercase());
    if facts.scopes[MODULE.index()].contains_key(function.as_str()) {
        return Err(Declined::because(format!("call a function that closes `{name}` at the end of the run")));
    }
    edits.closes(closer);
    let keyword = if closer.awaits() { "async def" } else { "def" };
    let close: String =
        closer.statements(name).lines().fold(String::new(), |text, line| text + "        " + line + "\n");
    let text = format!(
        "{keyword} {function}():\n    global {name}\n    if {name} is not None:\n{close}        {name} = None\n"
    );
    let source = edits.source(file);
    // Behind the function that opens it, or at the end of the module.
    let mut outer = facts.function_of(made.id);
    while let Some(parent) = facts.function(outer).parent.filter(|&parent| parent != MODULE) {
        outer = parent;
    }
    let at = match facts.function(outer).definition {
        Definition::Def(stmt) if facts.function(outer).class.is_none() && made.file == file => Some(stmt),
        _ => facts.function(MODULE).body.last().copied(),
    };
    let stmt = at.ok_or_else(|| Declined::because("the module is empty"))?;
    // The end of the coroutine that is run is written anew.
    let place = facts.stmt(stmt).range;
    let wrapped = matches!(facts.function(main.id).definition, Definition::Def(own) if own == stmt);
    let written = if main.file == file && wrapped {
        insert_before(&source, place, &text)
    } else {
        insert_after(&source, place, &text)
    };
    edits.try_add(file, written)?;
    Ok(function)
}
