//! Writing a planned lifespan into the files.

use loopmend_model::Applicability;
use loopmend_python::edit::{
    Draft, Edit, ImportRequest, Source, import_edits, insert_after, insert_before, remove_import,
    remove_keyword, replace_statement, set_keyword, shifted,
};
use loopmend_python::facts::{BindingKind, Definition, ExprKind, Facts, MODULE, TextRange};
use loopmend_python::lifecycle::{CallSite, FunctionRef, Lifecycle};
use ruff_text_size::Ranged as _;

use super::plan::{Plan, Way};
use crate::lifespan::{
    Framework, Handler, Registration, circular, compose, elsewhere, module_name, source, unregister,
    written_module,
};
use crate::{Declined, Mend};

/// The mend that a plan is.
pub(super) fn write(life: &Lifecycle, plan: &Plan) -> Result<Mend, Declined> {
    let mut mend = Mend::new(Applicability::Safe);
    let name = free_name(life, plan);
    let home = source(life, plan.home.file);
    let mut request = vec![ImportRequest::from("contextlib", "asynccontextmanager")];
    for (file, function) in
        plan.gathered.imports.iter().filter(|(file, _)| !circular(life, plan.home.file, *file))
    {
        request.push(ImportRequest::from(&written_module(life, plan.home.file, *file), function));
    }
    request.extend(plan.gathered.requests.iter().cloned());
    let (_, locals) = import_edits(&home, &request);
    if locals
        .iter()
        .skip(1)
        .zip(request.iter().skip(1))
        .any(|(local, wanted)| Some(local) != wanted.alias.as_ref().or(wanted.name.as_ref()))
    {
        return Err(Declined::because(
            "a handler of another module has the name of something here; gather the handlers in one lifespan by hand",
        ));
    }
    let snippet = lifespan(life, plan, &home, &name, &locals[0]);
    match plan.way {
        Way::Before => before(life, plan, &home, &name, &snippet, &request, &mut mend)?,
        Way::Instead(registrar, site) => {
            instead(life, plan, registrar, site, &name, &snippet, &request, &mut mend)?;
        }
        Way::Within(registrar) => within(life, plan, registrar, &home, &name, &snippet, &request, &mut mend)?,
    }
    if !matches!(plan.way, Way::Instead(..)) {
        elsewhere(life, plan.home.file, &handlers(plan), &plan.gathered.inlined, &mut mend)?;
    }
    declare(life, plan, &mut mend);
    Ok(mend)
}

/// A name for the lifespan that no scope around it uses, nor a function that it calls.
fn free_name(life: &Lifecycle, plan: &Plan) -> String {
    let taken = |name: &str| {
        [plan.home.file, plan.app.call.file].iter().any(|&file| {
            let facts = life.facts(file);
            facts.scopes.iter().any(|scope| scope.contains_key(name)) || facts.loads.contains_key(name)
        })
    };
    let own = format!("{}_lifespan", plan.home.parameter);
    ["lifespan", &own, "application_lifespan", "run_lifespan"]
        .into_iter()
        .find(|name| !taken(name))
        .unwrap_or("lifespan_of_application")
        .to_owned()
}

fn lifespan(life: &Lifecycle, plan: &Plan, home: &Source, name: &str, manager: &str) -> String {
    let annotation = annotation(life, plan).map(|text| format!(": {text}")).unwrap_or_default();
    let mut body = String::new();
    let mut imports = String::new();
    for (file, function) in
        plan.gathered.imports.iter().filter(|(file, _)| circular(life, plan.home.file, *file))
    {
        let module = module_name(life, plan.home.file, *file);
        imports.push_str(&format!("from {module} import {function}\n"));
    }
    if !imports.is_empty() {
        body.push_str(&imports);
        body.push('\n');
    }
    if !plan.gathered.globals.is_empty() {
        let names: Vec<&str> = plan.gathered.globals.iter().map(|name| name.as_str()).collect();
        body.push_str(&format!("global {}\n", names.join(", ")));
    }
    body.push_str(&compose(&plan.gathered.startup, &plan.gathered.shutdown, "yield"));
    let _ = home;
    format!("@{manager}\nasync def {name}({}{annotation}):\n{}\n", plan.home.parameter, shifted(&body, 1))
}

/// The class of the application as it is written there.
fn annotation(life: &Lifecycle, plan: &Plan) -> Option<String> {
    match plan.way {
        Way::Instead(registrar, _) | Way::Within(registrar) => {
            let facts = life.facts(registrar.file);
            let parameter =
                facts.function(registrar.id).params.iter().find(|param| param.name == plan.home.parameter)?;
            let annotation = facts.expr(parameter.annotation?).range;
            Some(life.text(registrar.file)[annotation].to_owned())
        }
        Way::Before => {
            let facts = life.facts(plan.app.call.file);
            let ExprKind::Call { func, .. } = facts.expr(plan.app.call.id).kind else { return None };
            let text = facts.dotted(func)?;
            (plan.app.framework == Framework::FastApi && !text.contains("self")).then_some(text)
        }
    }
}

fn handlers(plan: &Plan) -> Vec<&Handler> {
    plan.handlers.iter().collect()
}

/// The edits that give the application its lifespan instead of lists of handlers.
fn give(life: &Lifecycle, plan: &Plan, source: &Source, value: &str) -> Result<Vec<Edit>, Declined> {
    let facts = life.facts(plan.app.call.file);
    let ExprKind::Call { func, .. } = facts.expr(plan.app.call.id).kind else {
        return Err(Declined::because("the application could not be read"));
    };
    let func = facts.expr(func).range;
    let mut draft = Draft::new(source);
    for keyword in ["on_startup", "on_shutdown"] {
        draft.step(|now| remove_keyword(now, func, keyword))?;
    }
    draft.step(|now| set_keyword(now, func, "lifespan", value))?;
    Ok(draft.edits())
}

fn before(
    life: &Lifecycle,
    plan: &Plan,
    home: &Source,
    name: &str,
    snippet: &str,
    request: &[ImportRequest],
    mend: &mut Mend,
) -> Result<(), Declined> {
    let file = plan.home.file;
    let call = life.facts(plan.app.call.file).expr(plan.app.call.id).range;
    let statements = home.statements_at(call);
    let target = if plan.home.scope.is_module() { statements.first() } else { statements.last() };
    let Some(target) = target.map(ruff_text_size::Ranged::range) else {
        return Err(Declined::because("the place where the application is made could not be read"));
    };
    let mut edits = insert_before(home, target, &spaced(home, target, snippet))?;
    edits.extend(give(life, plan, home, name)?);
    edits.extend(unregister(life, home, file, &handlers(plan), &plan.gathered.inlined, &[])?);
    let mut draft = Draft::new(home);
    draft.step(|_| Ok(edits))?;
    draft.step(|now| Ok(import_edits(now, request).0))?;
    mend.edit(life, file, draft.edits());
    Ok(())
}

/// The snippet with the blank lines that a definition at the top level wants above it.
fn spaced(source: &Source, target: TextRange, snippet: &str) -> String {
    let Some(found) = source.statement_at(target) else { return snippet.to_owned() };
    let start = source.comments_above(found);
    let (above, _) = source.blank_above(start);
    let wanted = if found.owner.is_none() { 2usize } else { 1 };
    if start.to_u32() == 0 || (found.owner.is_some() && found.index == 0) {
        return snippet.to_owned();
    }
    "\n".repeat(wanted.saturating_sub(above)) + snippet
}

#[expect(clippy::too_many_arguments, reason = "one step of writing, split from its caller")]
fn instead(
    life: &Lifecycle,
    plan: &Plan,
    registrar: FunctionRef,
    site: CallSite,
    name: &str,
    snippet: &str,
    request: &[ImportRequest],
    mend: &mut Mend,
) -> Result<(), Declined> {
    let facts = life.facts(registrar.file);
    let Definition::Def(def) = facts.function(registrar.id).definition else {
        return Err(Declined::because("the function that registers could not be read"));
    };
    let def = facts.stmt(def).range;
    let made = life.facts(plan.app.call.file);
    let call_range = made.expr(plan.app.call.id).range;
    let call_stmt = made.stmt_of(site.call.id).map(|stmt| made.stmt(stmt).range);
    let Some(call_stmt) = call_stmt else {
        return Err(Declined::because("the call that registers could not be read"));
    };
    if registrar.file == plan.app.call.file {
        let source = source(life, registrar.file);
        let late = plan.app.function.is_module() && def.start() > call_range.start();
        let mut gone = vec![call_stmt];
        let mut edits = if late {
            gone.push(def);
            let top = source.statements_at(call_range).first().map(ruff_text_size::Ranged::range);
            let target = top.ok_or_else(|| Declined::because("the application could not be read"))?;
            insert_before(&source, target, &spaced(&source, target, snippet))?
        } else {
            replace_statement(&source, def, snippet)?
        };
        edits.extend(unregister(life, &source, registrar.file, &[], &[], &gone)?);
        edits.extend(give(life, plan, &source, name)?);
        let mut draft = Draft::new(&source);
        draft.step(|_| Ok(edits))?;
        draft.step(|now| Ok(import_edits(now, request).0))?;
        mend.edit(life, registrar.file, draft.edits());
        return Ok(());
    }
    let there = source(life, registrar.file);
    let mut draft = Draft::new(&there);
    draft.step(|now| replace_statement(now, def, snippet))?;
    draft.step(|now| Ok(import_edits(now, request).0))?;
    mend.edit(life, registrar.file, draft.edits());
    let here = source(life, plan.app.call.file);
    let (value, import, old) = imported(life, made, site, registrar, name);
    let imports: Vec<ImportRequest> = import.into_iter().collect();
    let value = match imports.is_empty() {
        true => value,
        false => import_edits(&here, &imports).1.remove(0),
    };
    let mut edits = unregister(life, &here, plan.app.call.file, &[], &[], &[call_stmt])?;
    edits.extend(give(life, plan, &here, &value)?);
    let mut draft = Draft::new(&here);
    draft.step(|_| Ok(edits))?;
    draft.step(|now| Ok(import_edits(now, &imports).0))?;
    if let Some(old) = old {
        draft.step(|now| Ok(remove_import(now, &old)))?;
    }
    mend.edit(life, plan.app.call.file, draft.edits());
    Ok(())
}

/// How the file of the application names the lifespan that stands in the place of the function it calls: the expression, the
/// import it needs, and the name whose import goes.
fn imported(
    life: &Lifecycle,
    made: &Facts,
    site: CallSite,
    registrar: FunctionRef,
    name: &str,
) -> (String, Option<ImportRequest>, Option<String>) {
    let ExprKind::Call { func, .. } = made.expr(site.call.id).kind else {
        return (name.to_owned(), None, None);
    };
    match &made.expr(func).kind {
        ExprKind::Attribute { value, .. } => {
            (format!("{}.{name}", life.source(site.call.with(*value))), None, None)
        }
        ExprKind::Name(local) => {
            let written = made.bindings.iter().find_map(|binding| match &binding.kind {
                BindingKind::ImportFrom { level, module, .. } if binding.name == *local => {
                    Some(format!("{}{module}", ".".repeat(*level as usize)))
                }
                _ => None,
            });
            let module = written.unwrap_or_else(|| module_name(life, site.call.file, registrar.file));
            (name.to_owned(), Some(ImportRequest::from(&module, name)), Some(local.to_string()))
        }
        _ => (name.to_owned(), None, None),
    }
}

#[expect(clippy::too_many_arguments, reason = "one step of writing, split from its caller")]
fn within(
    life: &Lifecycle,
    plan: &Plan,
    registrar: FunctionRef,
    home: &Source,
    name: &str,
    snippet: &str,
    request: &[ImportRequest],
    mend: &mut Mend,
) -> Result<(), Declined> {
    let facts = life.facts(registrar.file);
    let statements: Vec<TextRange> = plan
        .handlers
        .iter()
        .filter_map(|handler| crate::lifespan::statement(life, handler))
        .map(|stmt| facts.stmt(stmt).range)
        .collect();
    let Some(last) = statements.iter().max_by_key(|range| range.end()) else {
        return Err(Declined::because("the registrations could not be read"));
    };
    let whole = format!("{snippet}\n{}.router.lifespan_context = {name}\n", plan.home.parameter);
    let lone = home.statement_at(*last).is_some_and(|found| found.next().is_none());
    let inlined = &plan.gathered.inlined;
    // What is put in stands behind the last registration, so that the block never becomes empty.
    let mut edits = unregister(life, home, registrar.file, &handlers(plan), inlined, &[])?;
    let _ = lone;
    edits.extend(insert_after(home, *last, &whole)?);
    let mut draft = Draft::new(home);
    draft.step(|_| Ok(edits))?;
    draft.step(|now| Ok(import_edits(now, request).0))?;
    mend.edit(life, registrar.file, draft.edits());
    Ok(())
}

fn declare(life: &Lifecycle, plan: &Plan, mend: &mut Mend) {
    let declared = &mut mend.declared;
    declared.moved = true;
    declared.removed = ["on_event", "add_event_handler", "append", "extend"].map(str::to_owned).to_vec();
    declared.added.clone_from(&plan.gathered.added);
    let mut unbound: Vec<FunctionRef> = plan.gathered.inlined.clone();
    if let Way::Instead(registrar, _) = plan.way {
        unbound.push(registrar);
        declared.removed.push(life.facts(registrar.file).function(registrar.id).name.to_string());
    }
    for function in unbound {
        let facts = life.facts(function.file);
        let of = facts.function(function.id);
        if of.parent == Some(MODULE) {
            declared.unbound.push(format!("{}:{}", facts.path, of.name));
        }
    }
    let several = plan.gathered.shutdown.len() > 1;
    if several {
        mend.notes.push(
            "Shutdown now undoes start-up in reverse order, and only what start-up has opened.".to_owned(),
        );
    }
    if plan.handlers.iter().any(|handler| matches!(handler.registration, Registration::Parameter(_))) {
        declared.removed.extend(["on_startup".to_owned(), "on_shutdown".to_owned()]);
    }
}
