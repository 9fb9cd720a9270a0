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
    /// Where the lifespan goes.
    pub home: Home,
    /// What it holds.
    pub gathered: Gathered,
    /// How it comes to the application.
    pub way: Way,
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
    let handlers: Vec<Handler> =
        with_routers(life, apps, index).into_iter().map(|(_, handler)| handler).collect();
    let registrars: BTreeSet<FunctionRef> = handlers
        .iter()
        .map(|handler| handler.registered_in)
        .filter(|&at| at != app.function && !at.is_module())
        .collect();
    let all: Vec<&Handler> = handlers.iter().collect();
    let registrar = registrars.first().copied();
    let (home, gathered, way) = match registrar {
        None => before(life, &app, &all)?,
        Some(registrar) if registrars.len() == 1 && all.iter().all(|at| at.registered_in == registrar) => {
            registered_by(life, apps, index, registrar, &all)?
        }
        Some(_) => {
            return Err(Declined::because(
                "handlers are registered by several functions; gather them in one lifespan by hand",
            ));
        }
    };
    Ok(Plan { app, handlers, home, gathered, way })
}

fn before(life: &Lifecycle, app: &App, handlers: &[&Handler]) -> Result<(Home, Gathered, Way), Declined> {
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
        Ok(gathered) => Ok((outer, gathered, Way::Before)),
        Err(declined) if app.function.is_module() => Err(declined),
        Err(_) => {
            let inner = Home { scope: app.function, ..outer };
            let gathered = gather(life, &inner, handlers)?;
            Ok((inner, gathered, Way::Before))
        }
    }
}

fn registered_by(
    life: &Lifecycle,
    apps: &[App],
    index: usize,
    registrar: FunctionRef,
    handlers: &[&Handler],
) -> Result<(Home, Gathered, Way), Declined> {
    let app = &apps[index];
    let facts = life.facts(registrar.file);
    let of = facts.function(registrar.id);
    let Some(name) = handlers.first().and_then(|handler| handler.receiver(life)) else {
        return Err(Declined::because(
            "how the handlers are registered was not understood; move them by hand",
        ));
    };
    let aliases = BTreeSet::from([name.clone()]);
    if let Some(site) = only_registers(life, app, registrar, handlers)
        && of.params.len() == 1
        && of.params[0].name == name
    {
        let home = Home {
            file: registrar.file,
            scope: FunctionRef::module(registrar.file),
            parameter: name.to_string(),
            aliases: aliases.clone(),
            own: BTreeSet::new(),
            gone: Some(registrar),
        };
        if let Ok(gathered) = gather(life, &home, handlers) {
            return Ok((home, gathered, Way::Instead(registrar, site)));
        }
    }
    let others = app
        .included
        .iter()
        .any(|&(router, _)| apps[router].lifespan.is_some() || !apps[router].handlers.is_empty());
    if others || of.is_async {
        return Err(Declined::because(
            "routers have a life of their own beside the function that registers handlers; gather all in one lifespan by hand",
        ));
    }
    let home = Home {
        file: registrar.file,
        scope: registrar,
        parameter: name.to_string(),
        aliases,
        own: BTreeSet::new(),
        gone: None,
    };
    let gathered = gather(life, &home, handlers)?;
    Ok((home, gathered, Way::Within(registrar)))
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
    let whole = matches!(calling.stmt(stmt).kind, StmtKind::Expr(value) if value == site.call.id);
    let mentioned = life
        .flow(Origin::Function(registrar), false)
        .uses
        .iter()
        .filter(|at| !matches!(at.kind, UseKind::Stored(_)))
        .count();
    (only && beside && whole && mentioned <= 1 && matches!(of.definition, Definition::Def(_))).then_some(site)
}
