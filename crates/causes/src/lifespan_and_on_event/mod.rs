//! Handlers that a lifespan silences.

mod merge;

use std::collections::BTreeSet;
use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{ExprRef, Lifecycle};

use crate::lifespan::{App, Framework, Handler, Phase, apps, given_by, with_routers};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

pub(crate) use merge::merge;

/// The cause.
pub struct LifespanAndOnEvent;

const PAGE: Page = Page {
    title: "A lifespan is given, so the other start-up and shutdown handlers never run",
    what: "An application that is given `lifespan=` runs that and nothing else: its `@app.on_event`, `add_event_handler` and \
`on_startup=` handlers are ignored, without an error. What they should have set is missing at the first request. It often happens \
half-way through a migration, or when handlers stand in another module than the application.",
    log: "  File \"/app/geo/main.py\", line 45, in country\n    if code not in app.state.countries:\n\
AttributeError: 'State' object has no attribute 'countries'",
    wrong: "@asynccontextmanager\nasync def lifespan(app: FastAPI):\n    async with asyncpg.create_pool(DSN) as app.state.pool:\n        yield\n\n\n\
app = FastAPI(lifespan=lifespan)\n\n\n@app.on_event(\"startup\")    # never runs\nasync def load_countries():\n    \
app.state.countries = await app.state.pool.fetch(COUNTRIES)",
    right: "@asynccontextmanager\nasync def lifespan(app: FastAPI):\n    async with asyncpg.create_pool(DSN) as app.state.pool:\n        \
app.state.countries = await app.state.pool.fetch(COUNTRIES)\n        yield\n\n\napp = FastAPI(lifespan=lifespan)",
    unless: "Handlers of another application object, which runs its own life. A lifespan that is a class, yields in several places, is \
shared by several applications or comes from a library is not written into: it is told what to move. Handlers that never ran now \
run, which the patch says; a handler that only repeats what the lifespan does is removed.",
    prevent: "Keep one place for start-up and shutdown: the lifespan. Turn the `on_event` warning into an error in the test suite.",
    symptoms: &[
        "starlette-state-attr",
        "fastapi-on-event",
        "starlette-on-event",
        "starlette-on-startup-params",
    ],
};

impl Cause for LifespanAndOnEvent {
    fn slug(&self) -> &'static str {
        "lifespan-and-on-event"
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        let apps = apps(life);
        for (index, app) in apps.iter().enumerate() {
            if app.lifespan.is_some() && !silenced(life, &apps, index).is_empty() {
                report.add(found(life, &apps, index));
            }
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let apps = apps(life);
        let made = found.detail::<ExprRef>().copied();
        let Some(index) = apps.iter().position(|app| Some(app.call) == made) else {
            return Err(Declined::because("the application was not found again"));
        };
        let mut mend = merge(life, &apps, index)?;
        mend.applicability = found.applicability;
        Ok(mend)
    }
}

/// Handlers that never run: the application's own, and before version 0.112.3 those of its routers.
fn silenced(life: &Lifecycle, apps: &[App], index: usize) -> Vec<Handler> {
    let app = &apps[index];
    if !matches!(app.framework, Framework::FastApi | Framework::Starlette | Framework::StarletteRouter) {
        return Vec::new();
    }
    let routers_run = life.settings().version("fastapi").is_none_or(|version| version.at_least(&[0, 112, 3]));
    with_routers(life, apps, index)
        .into_iter()
        .filter(|(owner, _)| *owner == index || !routers_run)
        .map(|(_, handler)| handler)
        .collect()
}

fn found(life: &Lifecycle, apps: &[App], index: usize) -> Found {
    let app = &apps[index];
    let handlers = silenced(life, apps, index);
    let named: BTreeSet<String> = handlers
        .iter()
        .flat_map(|handler| &handler.functions)
        .map(|function| format!("`{}`", life.facts(function.file).function(function.id).name))
        .collect();
    let who = match named.len() {
        0 => "its handlers".to_owned(),
        _ => named.into_iter().collect::<Vec<_>>().join(", "),
    };
    let name = app.name.as_deref().unwrap_or("the application");
    let message = format!(
        "`{name}` is given a lifespan, so {who} never run: a lifespan replaces all other handlers, without an error."
    );
    let first = handlers.iter().find(|at| at.phase == Phase::Startup).unwrap_or(&handlers[0]);
    let mut found = Found::new("lifespan-and-on-event", first.spot(life), message);
    found.silent = true;
    found.related.push((Spot::expr(life, app.call), "the application is given its lifespan here".to_owned()));
    found.related.extend(
        handlers
            .iter()
            .filter(|at| at.registration != first.registration)
            .map(|at| (at.spot(life), "ignored too".to_owned())),
    );
    found.functions = handlers.iter().flat_map(|at| at.functions.iter().copied()).collect();
    let keys = found.functions.iter().flat_map(|&function| given_by(life, function, true).keys);
    let attributes: BTreeSet<String> = keys
        .filter_map(|key| key.rsplit('.').next().map(|name| name.trim_matches(['[', ']', '~']).to_owned()))
        .collect();
    found.names = attributes.into_iter().collect();
    found.applicability = match merge(life, apps, index) {
        Ok(_) => Applicability::Unsafe,
        Err(_) => Applicability::Advice,
    };
    found.detail = Some(Arc::new(app.call));
    found
}
