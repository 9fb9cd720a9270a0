//! Where the lifespan goes, and what becomes of the handlers.

use std::collections::BTreeSet;

use loopmend_python::facts::{Definition, ExprKind, MODULE, Name, StmtKind};
use loopmend_python::lifecycle::{CallSite, ExprRef, FunctionRef, Lifecycle, Origin, UseKind};

use crate::Declined;
use crate::lifespan::{App, Gathered, Handler, Home, Registration, gather, with_routers};

/// What is to be written.
#[derive(Debug)]
pub(super) struct Plan {
    /// The application.
    pub app: App,
    /// All handlers, in order.
    pub handlers: Vec<Handler>,
    /// The lifespan that the application is given.
    pub main: Part,
    /// Functions that did nothing but register and become lifespans of their own, which the main one enters.
    pub entered: Vec<(FunctionRef, CallSite, Part)>,
    /// How the main lifespan comes to the application.
    pub way: Way,
}

/// One lifespan.
#[derive(Debug)]
pub(super) struct Part {
    /// Where it goes.
    pub home: Home,
    /// What it holds.
    pub gathered: Gathered,
    /// Before how many of the main lifespan's handlers it is entered.
    pub before: usize,
}

/// How the lifespan comes to the application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// It is defined before the application is made, and given to it.
    Before,
    /// It stands in the place of a function that did nothing but register, and is given to the application.
    Instead(FunctionRef, CallSite),
    /// A function that does more than register puts it on the application.
    Within(FunctionRef),
}

/// Plans the lifespan of an application.
pub(super) fn plan(life: &Lifecycle, apps: &[App], index: usize) -> Result<Plan, Declined> {
    let app = apps[index].clone();
    if app.mounted.is_some() {
        return Err(Declined::because(
            "the application is mounted below another one, which does not run its start-up; open its resources in the \
             lifespan of the outer application",
        ));
    }
    if app.inspected.is_some() {
        return Err(Declined::because(
            "other code runs or reads the application's handlers itself; give it a lifespan and enter \
             `app.router.lifespan_context(app)` there",
        ));
    }
    let handlers: Vec<Handler> =
        with_routers(life, apps, index).into_iter().map(|(_, handler)| handler).collect();
    let all: Vec<&Handler> = handlers.iter().collect();
    let mut registrars: Vec<FunctionRef> = Vec::new();
    for handler in &all {
        let at = handler.registered_in;
        if at != app.function && !at.is_module() && !registrars.contains(&at) {
            registrars.push(at);
        }
    }
    let mut entered = Vec::new();
    let (main, way) = match registrars[..] {
        [] => (before(life, &app, &all)?, Way::Before),
        [only] if all.iter().all(|at| at.registered_in == only) => {
            registered_by(life, apps, index, only, &all)?
        }
        _ => {
            let own: Vec<&Handler> =
                all.iter().copied().filter(|at| !registrars.contains(&at.registered_in)).collect();
            for &registrar in &registrars {
                let its: Vec<&Handler> =
                    all.iter().copied().filter(|at| at.registered_in == registrar).collect();
                let Some((site, mut part)) = instead(life, &app, registrar, &its) else {
                    return Err(Declined::because(format!(
                        "`{}` registers handlers among other work; gather all handlers in one lifespan by hand",
                        life.facts(registrar.file).function(registrar.id).name
                    )));
                };
                part.before = all
                    .iter()
                    .take_while(|at| at.registered_in != registrar)
                    .filter(|at| !registrars.contains(&at.registered_in))
                    .count();
                entered.push((registrar, site, part));
            }
            (before(life, &app, &own)?, Way::Before)
        }
    };
    Ok(Plan { app, handlers, main, entered, way })
}

fn before(life: &Lifecycle, app: &App, handlers: &[&Handler]) -> Result<Part, Declined> {
    let mut aliases: BTreeSet<Name> = app.name.iter().cloned().collect();
    aliases.extend(handlers.iter().filter_map(|handler| handler.receiver(life)));
    let outer = Home {
        file: app.call.file,
        scope: FunctionRef::module(app.call.file),
        parameter: app.name.as_deref().unwrap_or("app").to_owned(),
        aliases,
        own: BTreeSet::new(),
        gone: None,
    };
    match gather(life, &outer, handlers) {
        Ok(gathered) => Ok(Part { home: outer, gathered, before: 0 }),
        Err(declined) if app.function.is_module() => Err(declined),
        Err(_) => {
            let inner = Home { scope: app.function, ..outer };
            let gathered = gather(life, &inner, handlers)?;
            Ok(Part { home: inner, gathered, before: 0 })
        }
    }
}

/// The lifespan that stands in the place of a function that did nothing but register.
fn instead(
    life: &Lifecycle,
    app: &App,
    registrar: FunctionRef,
    handlers: &[&Handler],
) -> Option<(CallSite, Part)> {
    let of = life.facts(registrar.file).function(registrar.id);
    let name = handlers.first()?.receiver(life)?;
    let site = only_registers(life, app, registrar, handlers)?;
    if of.params.len() != 1 || of.params[0].name != name {
        return None;
    }
    let home = Home {
        file: registrar.file,
        scope: FunctionRef::module(registrar.file),
        parameter: name.to_string(),
        aliases: BTreeSet::from([name]),
        own: BTreeSet::new(),
        gone: Some(registrar),
    };
    let gathered = gather(life, &home, handlers).ok()?;
    Some((site, Part { home, gathered, before: 0 }))
}

fn registered_by(
    life: &Lifecycle,
    apps: &[App],
    index: usize,
    registrar: FunctionRef,
    handlers: &[&Handler],
) -> Result<(Part, Way), Declined> {
    let app = &apps[index];
    if let Some((site, part)) = instead(life, app, registrar, handlers) {
        return Ok((part, Way::Instead(registrar, site)));
    }
    let others = app
        .included
        .iter()
        .any(|&(router, _)| apps[router].lifespan.is_some() || !apps[router].handlers.is_empty());
    if others || life.facts(registrar.file).function(registrar.id).is_async {
        return Err(Declined::because(
            "routers have a life of their own beside the function that registers handlers; gather all in one lifespan by hand",
        ));
    }
    let name = handlers.first().and_then(|handler| handler.receiver(life));
    let home = Home {
        file: registrar.file,
        scope: registrar,
        parameter: name.as_deref().unwrap_or("app").to_owned(),
        aliases: name.into_iter().collect(),
        own: BTreeSet::new(),
        gone: None,
    };
    let gathered = gather(life, &home, handlers)?;
    Ok((Part { home, gathered, before: 0 }, Way::Within(registrar)))
}

/// The one call of a function that does nothing but register handlers on an application.
fn only_registers(
    life: &Lifecycle,
    app: &App,
    registrar: FunctionRef,
    handlers: &[&Handler],
) -> Option<CallSite> {
    let facts = life.facts(registrar.file);
    let of = facts.function(registrar.id);
    if of.parent != Some(MODULE) || of.class.is_some() || of.is_async || !of.decorators.is_empty() {
        return None;
    }
    let only = of.body.iter().enumerate().all(|(index, &stmt)| match facts.stmt(stmt).kind {
        StmtKind::Function(function) => handlers
            .iter()
            .any(|handler| handler.functions.contains(&FunctionRef { file: registrar.file, id: function })),
        StmtKind::Expr(value) => {
            (index == 0 && matches!(facts.expr(value).kind, ExprKind::Str(_)))
                || handlers.iter().any(|handler| {
                    handler.registration == Registration::Call(ExprRef { file: registrar.file, id: value })
                })
        }
        StmtKind::Pass | StmtKind::Return(None) => true,
        _ => false,
    });
    let sites = life.call_sites(registrar);
    let [site] = sites[..] else { return None };
    let calling = life.facts(site.call.file);
    let stmt = calling.stmt_of(site.call.id)?;
    let caller = FunctionRef { file: site.call.file, id: calling.function_of(site.call.id) };
    let beside = caller == app.function;
    let whole = matches!(calling.stmt(stmt).kind, StmtKind::Expr(value) if value == site.call.id)
        && calling.stmt(stmt).parent.is_none();
    let mentioned = life
        .flow(Origin::Function(registrar), false)
        .uses
        .iter()
        .filter(|at| !matches!(at.kind, UseKind::Stored(_)))
        .count();
    (only && beside && whole && mentioned <= 1 && matches!(of.definition, Definition::Def(_))).then_some(site)
}
