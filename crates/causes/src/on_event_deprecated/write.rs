//! Writing a planned lifespan into the files.

use loopmend_model::Applicability;
use loopmend_python::edit::{
    Draft, Edit, ImportRequest, Source, import_edits, insert_after, insert_before, remove_keyword,
    replace_statement, set_keyword,
};
use loopmend_python::facts::{BindingKind, Definition, ExprKind, MODULE, TextRange};
use loopmend_python::lifecycle::{CallSite, FunctionRef, Lifecycle};
use ruff_text_size::Ranged as _;

use super::changes::Changes;
use super::plan::{Part, Plan, Way};
use super::text::{annotation, annotation_of, free_name, lifespan, name_instead};
use crate::lifespan::{Handler, Registration, Step, circular, module_name, spaced, statement};
use crate::{Declined, Mend};

/// The mend that a plan is.
pub(super) fn write(life: &Lifecycle, plan: &mut Plan) -> Result<Mend, Declined> {
    let mut mend = Mend::new(Applicability::Safe);
    let mut changes = Changes::new(life);
    enter(life, plan, &mut changes)?;
    let name = free_name(life, plan);
    let annotated = annotation(life, plan);
    let home = changes.of(plan.main.home.file);
    let (source, mut requests) = (home.source.clone(), Vec::new());
    let snippet = lifespan(life, &plan.main, &source, &name, annotated.as_deref(), &mut requests)?;
    home.requests.extend(requests);
    match plan.way {
        Way::Before => before(life, plan, &name, &snippet, &mut changes)?,
        Way::Instead(registrar, site) => instead(life, plan, registrar, site, &name, &snippet, &mut changes)?,
        Way::Within(registrar) => within(life, plan, registrar, &name, &snippet, &mut changes)?,
    }
    let replaced = |handler: &&Handler| {
        let at = handler.registered_in;
        matches!(plan.way, Way::Instead(..)) || plan.entered.iter().any(|(registrar, ..)| *registrar == at)
    };
    let last = if matches!(plan.way, Way::Within(_)) { last(life, plan) } else { None };
    let handlers: Vec<&Handler> = plan
        .handlers
        .iter()
        .filter(|handler| !replaced(handler))
        .filter(|handler| {
            !last.is_some_and(|(number, _, goes)| {
                goes && plan.handlers[number].registration == handler.registration
            })
        })
        .collect();
    for handler in
        handlers.iter().filter(|handler| !matches!(handler.registration, Registration::Parameter(_)))
    {
        let file = handler.registered_in.file;
        let change = changes.of(file);
        if file != plan.main.home.file
            && let Some(name) = handler.receiver(life)
            && life.facts(file).scopes[MODULE.index()].get(&name).is_some_and(|bindings| {
                bindings
                    .iter()
                    .all(|&id| matches!(life.facts(file).binding(id).kind, BindingKind::ImportFrom { .. }))
            })
        {
            change.unused.push(name.to_string());
        }
    }
    changes.finish(&handlers, &plan.main.gathered.inlined, &mut mend)?;
    declare(life, plan, &mut mend);
    let late = plan.main.gathered.imports.iter().any(|(file, ..)| circular(life, plan.main.home.file, *file));
    if late || plan.app.doubt {
        mend.applicability = Applicability::Unsafe;
    }
    Ok(mend)
}

/// Makes lifespans of the functions that did nothing but register, and enters them in the main one.
fn enter(life: &Lifecycle, plan: &mut Plan, changes: &mut Changes<'_>) -> Result<(), Declined> {
    let mut names = Vec::new();
    let mut steps: Vec<(usize, Step)> = Vec::new();
    for (registrar, site, part) in &plan.entered {
        let name = name_instead(life, plan, *registrar, &names);
        let change = changes.of(registrar.file);
        let mut requests = Vec::new();
        let source = change.source.clone();
        let annotated = annotation_of(life, *registrar, &part.home.parameter);
        let snippet = lifespan(life, part, &source, &name, annotated.as_deref(), &mut requests)?;
        change.requests.extend(requests);
        change.edits.extend(replace_statement(&source, definition(life, *registrar)?, &snippet)?);
        let value = uncall(life, *registrar, *site, &name, changes)?;
        let gathered = &part.gathered;
        let step = Step {
            text: format!("async with {value}({}):\n", plan.main.home.parameter),
            gives: gathered.startup.iter().flat_map(|step| step.gives.iter().cloned()).collect(),
            context: true,
            handler: part.before,
            ..Step::default()
        };
        steps.push((part.before, step));
        names.push(name);
    }
    for (at, step) in steps {
        let startup = &mut plan.main.gathered.startup;
        let place =
            startup.iter().position(|other| !other.context && other.handler >= at).unwrap_or(startup.len());
        startup.insert(place, step);
    }
    Ok(())
}

fn definition(life: &Lifecycle, function: FunctionRef) -> Result<TextRange, Declined> {
    let facts = life.facts(function.file);
    match facts.function(function.id).definition {
        Definition::Def(def) => Ok(facts.stmt(def).range),
        _ => Err(Declined::because("the function that registers could not be read")),
    }
}

/// Takes the call of a function away that becomes a lifespan; gives the expression by which the caller's file names that.
fn uncall(
    life: &Lifecycle,
    registrar: FunctionRef,
    site: CallSite,
    name: &str,
    changes: &mut Changes<'_>,
) -> Result<String, Declined> {
    let made = life.facts(site.call.file);
    let Some(stmt) = made.stmt_of(site.call.id) else {
        return Err(Declined::because("the call that registers could not be read"));
    };
    let change = changes.of(site.call.file);
    change.gone.push(made.stmt(stmt).range);
    if registrar.file == site.call.file {
        return Ok(name.to_owned());
    }
    let ExprKind::Call { func, .. } = made.expr(site.call.id).kind else { return Ok(name.to_owned()) };
    match &made.expr(func).kind {
        ExprKind::Attribute { value, .. } => Ok(format!("{}.{name}", life.source(site.call.with(*value)))),
        ExprKind::Name(local) => {
            let written = made.bindings.iter().find_map(|binding| match &binding.kind {
                BindingKind::ImportFrom { level, module, .. } if binding.name == *local => {
                    Some(format!("{}{module}", ".".repeat(*level as usize)))
                }
                _ => None,
            });
            let module = written.unwrap_or_else(|| module_name(life, site.call.file, registrar.file));
            let request = ImportRequest::from(&module, name);
            let value = import_edits(&change.source, std::slice::from_ref(&request)).1.remove(0);
            change.requests.push(request);
            change.unused.push(local.to_string());
            Ok(value)
        }
        _ => Err(Declined::because("how the function that registers is called was not understood")),
    }
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
    name: &str,
    snippet: &str,
    changes: &mut Changes<'_>,
) -> Result<(), Declined> {
    let change = changes.of(plan.main.home.file);
    let target = target(life, plan, &change.source)?;
    change.edits.extend(insert_before(&change.source, target, &spaced(&change.source, target, snippet))?);
    change.edits.extend(give(life, plan, &change.source, name)?);
    Ok(())
}

/// The statement that a lifespan goes before: the one that makes the application, or that of the module which holds it.
fn target(life: &Lifecycle, plan: &Plan, source: &Source) -> Result<TextRange, Declined> {
    let call = life.facts(plan.app.call.file).expr(plan.app.call.id).range;
    let statements = source.statements_at(call);
    let found = if plan.main.home.scope.is_module() { statements.first() } else { statements.last() };
    found
        .map(ruff_text_size::Ranged::range)
        .ok_or_else(|| Declined::because("the place where the application is made could not be read"))
}

fn instead(
    life: &Lifecycle,
    plan: &Plan,
    registrar: FunctionRef,
    site: CallSite,
    name: &str,
    snippet: &str,
    changes: &mut Changes<'_>,
) -> Result<(), Declined> {
    let def = definition(life, registrar)?;
    let call = life.facts(plan.app.call.file).expr(plan.app.call.id).range;
    let late =
        registrar.file == plan.app.call.file && plan.app.function.is_module() && def.start() > call.start();
    let change = changes.of(registrar.file);
    if late {
        // The lifespan must be there before the application is made.
        change.gone.push(def);
        let target = target(life, plan, &change.source)?;
        let edits = insert_before(&change.source, target, &spaced(&change.source, target, snippet))?;
        change.edits.extend(edits);
    } else {
        change.edits.extend(replace_statement(&change.source, def, snippet)?);
    }
    let value = uncall(life, registrar, site, name, changes)?;
    let change = changes.of(plan.app.call.file);
    change.edits.extend(give(life, plan, &change.source, &value)?);
    Ok(())
}

fn within(
    life: &Lifecycle,
    plan: &Plan,
    registrar: FunctionRef,
    name: &str,
    snippet: &str,
    changes: &mut Changes<'_>,
) -> Result<(), Declined> {
    let receiver = plan.handlers.first().and_then(|handler| handler.receiver_text(life));
    let (Some((_, range, goes)), Some(receiver)) = (last(life, plan), receiver) else {
        return Err(Declined::because("the registrations could not be read"));
    };
    let change = changes.of(registrar.file);
    let whole = format!("{snippet}\n{receiver}.router.lifespan_context = {name}\n");
    change.edits.extend(if goes {
        replace_statement(&change.source, range, &whole)?
    } else {
        insert_after(&change.source, range, &whole)?
    });
    Ok(())
}

/// The last registration in the text: its handler's place, its statement, and whether that goes.
fn last(life: &Lifecycle, plan: &Plan) -> Option<(usize, TextRange, bool)> {
    let statements = plan.handlers.iter().enumerate().filter_map(|(number, handler)| {
        let stmt = statement(life, handler)?;
        let inlined = handler.function().is_some_and(|at| plan.main.gathered.inlined.contains(&at));
        let goes = inlined || matches!(handler.registration, Registration::Call(_));
        Some((number, life.facts(handler.registered_in.file).stmt(stmt).range, goes))
    });
    statements.max_by_key(|(_, range, _)| range.end())
}

fn declare(life: &Lifecycle, plan: &Plan, mend: &mut Mend) {
    let declared = &mut mend.declared;
    declared.moved = true;
    declared.removed = ["on_event", "add_event_handler", "append", "extend"].map(str::to_owned).to_vec();
    let mut gone: Vec<FunctionRef> = Vec::new();
    let parts: Vec<&Part> =
        std::iter::once(&plan.main).chain(plan.entered.iter().map(|(_, _, part)| part)).collect();
    for part in &parts {
        declared.added.extend(part.gathered.added.iter().cloned());
        gone.extend(&part.gathered.inlined);
    }
    let mut registrars: Vec<FunctionRef> = plan.entered.iter().map(|(registrar, ..)| *registrar).collect();
    if let Way::Instead(registrar, _) = plan.way {
        registrars.push(registrar);
    }
    for registrar in registrars {
        gone.push(registrar);
        declared.removed.push(life.facts(registrar.file).function(registrar.id).name.to_string());
    }
    for (registrar, ..) in &plan.entered {
        declared.added.push(name_instead(life, plan, *registrar, &[]));
    }
    for function in gone {
        let facts = life.facts(function.file);
        let of = facts.function(function.id);
        if of.parent == Some(MODULE) {
            declared.unbound.push(format!("{}:{}", facts.path, of.name));
        }
    }
    if parts.iter().map(|part| part.gathered.shutdown.len()).sum::<usize>() > 1 {
        mend.notes.push(
            "Shutdown now undoes start-up in reverse order, and only what start-up has opened.".to_owned(),
        );
    }
}
