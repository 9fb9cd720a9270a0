//! Handlers into a lifespan that is there.

use std::collections::BTreeSet;

use loopmend_model::Applicability;
use loopmend_python::edit::{Draft, import_edits, insert_at_start, remove_keyword, replace_statement};
use loopmend_python::facts::{ExprKind, MODULE, Name, StmtKind};
use loopmend_python::lifecycle::{FunctionRef, Lifecycle, StmtRef};

use crate::lifespan::{
    App, Handler, Home, Lifespan, Phase, compose, elsewhere, gather, given_by, imports, referenced, source,
    unregister, with_routers,
};
use crate::{Declined, Mend};

/// Moves all handlers of an application and its routers into its lifespan: start-up before the `yield`, after all that the
/// lifespan has opened, shutdown behind it.
pub(crate) fn merge(life: &Lifecycle, apps: &[App], index: usize) -> Result<Mend, Declined> {
    let app = &apps[index];
    let Some(lifespan) = &app.lifespan else {
        return Err(Declined::because("the application has no lifespan"));
    };
    let (generator, yielded) = place(life, lifespan)?;
    let shared = apps.iter().enumerate().any(|(other, app)| {
        other != index && app.lifespan.as_ref().is_some_and(|other| other.generator() == Some(generator))
    });
    if shared {
        return Err(Declined::because(
            "several applications share the lifespan; give this one a lifespan of its own and move its handlers into it",
        ));
    }
    let handlers: Vec<Handler> =
        with_routers(life, apps, index).into_iter().map(|(_, handler)| handler).collect();
    let all: Vec<&Handler> = handlers.iter().collect();
    let (repeated, silent): (Vec<&Handler>, Vec<&Handler>) =
        all.iter().copied().partition(|handler| repeats(life, generator, handler, &all));
    let home = home(life, app, generator, &silent)?;
    let gathered = gather(life, &home, &silent)?;
    let mut inlined = gathered.inlined.clone();
    inlined
        .extend(repeated.iter().filter_map(|handler| handler.function()).filter(|&at| !referenced(life, at)));

    let here = source(life, generator.file);
    let (requests, mut late) = imports(life, generator.file, &here, &gathered)?;
    if !late.is_empty() {
        late.push('\n');
    }
    let known = &life.facts(generator.file).function(generator.id).globals;
    let globals: Vec<&str> =
        gathered.globals.iter().filter(|name| !known.contains(name)).map(Name::as_str).collect();
    if !globals.is_empty() {
        late.extend(["global ", &globals.join(", "), "\n"]);
    }
    let facts = life.facts(generator.file);
    let range = facts.stmt(yielded.id).range;
    let snippet = compose(&gathered.startup, &gathered.shutdown, here.slice(range));
    let mut edits = unregister(life, &here, generator.file, &all, &inlined, &[])?;
    let untouched = gathered.startup.is_empty() && gathered.shutdown.is_empty();
    if !untouched {
        edits.extend(replace_statement(&here, range, &snippet)?);
    }
    if !late.is_empty()
        && let Some(def) = here.function_at(facts.function(generator.id).name_range)
    {
        edits.extend(insert_at_start(&here, &def.body, &late)?);
    }
    let mut mend = Mend::new(Applicability::Unsafe);
    if app.call.file == generator.file {
        edits.extend(without_lists(life, app)?);
    } else {
        mend.edit(life, app.call.file, without_lists(life, app)?);
    }
    let mut draft = Draft::new(&here);
    draft.step(|_| Ok(edits))?;
    draft.step(|now| Ok(import_edits(now, &requests).0))?;
    mend.edit(life, generator.file, draft.edits());
    elsewhere(life, generator.file, &all, &inlined, &mut mend)?;
    declare(life, &gathered.added, &inlined, &silent, &repeated, &mut mend);
    Ok(mend)
}

/// The generator function of a lifespan and its one `yield`, a statement of its own.
fn place(life: &Lifecycle, lifespan: &Lifespan) -> Result<(FunctionRef, StmtRef), Declined> {
    let Some(generator) = lifespan.generator() else {
        return Err(Declined::because(
            "the lifespan is no function of this project; move the handlers' work into it by hand",
        ));
    };
    let yields = lifespan.yields(life);
    let [yielded] = yields[..] else {
        return Err(Declined::because(
            "the lifespan yields in several places; move the handlers into it by hand",
        ));
    };
    let facts = life.facts(generator.file);
    match facts.stmt(yielded.id).kind {
        StmtKind::Expr(value) if matches!(facts.expr(value).kind, ExprKind::Yield(_)) => {
            Ok((generator, yielded))
        }
        _ => Err(Declined::because(
            "the lifespan uses what its `yield` gives; move the handlers into it by hand",
        )),
    }
}

fn home(
    life: &Lifecycle,
    app: &App,
    generator: FunctionRef,
    handlers: &[&Handler],
) -> Result<Home, Declined> {
    let facts = life.facts(generator.file);
    let of = facts.function(generator.id);
    let parameter = of.params.get(usize::from(of.class.is_some())).map(|param| param.name.clone());
    let scope = FunctionRef { file: generator.file, id: of.parent.unwrap_or(MODULE) };
    let mut aliases: BTreeSet<Name> = app.name.iter().cloned().collect();
    aliases.extend(handlers.iter().filter_map(|handler| handler.receiver(life)));
    // A global of that name is seen from the lifespan as it is.
    let seen = |name: &Name| {
        let global = facts.scopes[MODULE.index()].contains_key(name);
        let around = facts.scopes[scope.id.index()].contains_key(name);
        (global || around) && Some(name) != parameter.as_ref()
    };
    aliases.retain(|name| !seen(name));
    let Some(parameter) = parameter else {
        return Err(Declined::because(
            "the lifespan takes no application; move the handlers into it by hand",
        ));
    };
    let globals = &of.globals;
    let own = facts.scopes[generator.id.index()]
        .keys()
        .filter(|name| !globals.contains(name) && **name != parameter)
        .cloned()
        .collect();
    Ok(Home { file: generator.file, scope, parameter: parameter.to_string(), aliases, own, gone: None })
}

/// Whether a handler only does again what the lifespan does: start-up that sets what the lifespan sets, and its shutdown.
fn repeats(life: &Lifecycle, generator: FunctionRef, handler: &Handler, all: &[&Handler]) -> bool {
    let known = given_by(life, generator, true).keys;
    let sets = |handler: &Handler| -> BTreeSet<String> {
        handler.functions.iter().flat_map(|&function| given_by(life, function, true).keys).collect()
    };
    let repeated = |handler: &Handler| {
        let keys = sets(handler);
        handler.phase == Phase::Startup && !keys.is_empty() && keys.is_subset(&known)
    };
    if handler.phase == Phase::Startup {
        return repeated(handler);
    }
    let gone: BTreeSet<String> = all.iter().filter(|at| repeated(at)).flat_map(|at| sets(at)).collect();
    let kept: BTreeSet<String> =
        all.iter().filter(|at| at.phase == Phase::Startup && !repeated(at)).flat_map(|at| sets(at)).collect();
    let names: BTreeSet<String> = handler
        .functions
        .iter()
        .flat_map(|&function| crate::lifespan::named_by(life, function, true))
        .collect();
    !names.is_disjoint(&gone) && names.is_disjoint(&kept)
}

/// Takes `on_startup=` and `on_shutdown=` from the call that makes the application.
fn without_lists(life: &Lifecycle, app: &App) -> Result<Vec<loopmend_python::edit::Edit>, Declined> {
    let facts = life.facts(app.call.file);
    let ExprKind::Call { func, .. } = facts.expr(app.call.id).kind else { return Ok(Vec::new()) };
    let func = facts.expr(func).range;
    let source = source(life, app.call.file);
    let mut draft = Draft::new(&source);
    for keyword in ["on_startup", "on_shutdown"] {
        draft.step(|now| remove_keyword(now, func, keyword))?;
    }
    Ok(draft.edits())
}

fn declare(
    life: &Lifecycle,
    added: &[String],
    inlined: &[FunctionRef],
    silent: &[&Handler],
    repeated: &[&Handler],
    mend: &mut Mend,
) {
    let name = |function: &FunctionRef| life.facts(function.file).function(function.id).name.to_string();
    mend.declared.moved = true;
    mend.declared.removed = ["on_event", "add_event_handler", "append", "extend"].map(str::to_owned).to_vec();
    mend.declared.added = added.to_vec();
    for function in inlined {
        let facts = life.facts(function.file);
        if facts.function(function.id).parent == Some(MODULE) {
            mend.declared.unbound.push(format!("{}:{}", facts.path, name(function)));
        }
    }
    for handler in repeated {
        for function in &handler.functions {
            let facts = life.facts(function.file);
            facts.body_exprs(function.id, &mut |expr| {
                if let ExprKind::Call { func, .. } = facts.expr(expr).kind
                    && let ExprKind::Name(called) | ExprKind::Attribute { attr: called, .. } =
                        &facts.expr(func).kind
                {
                    mend.declared.removed.push(called.to_string());
                }
            });
        }
    }
    let names = |handlers: &[&Handler]| -> Vec<String> {
        let all: BTreeSet<String> =
            handlers.iter().flat_map(|at| at.functions.iter().map(|at| format!("`{}`", name(at)))).collect();
        all.into_iter().collect()
    };
    if !silent.is_empty() {
        mend.notes.push(format!("What never ran now runs with the lifespan: {}.", names(silent).join(", ")));
    }
    if !repeated.is_empty() {
        mend.notes
            .push(format!("Removed, since the lifespan does the same: {}.", names(repeated).join(", ")));
    }
}
