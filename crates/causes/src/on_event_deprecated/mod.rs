//! Start-up and shutdown as separate, deprecated event handlers instead of one lifespan.

mod changes;
mod plan;
mod text;
mod warned;
mod write;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{ExprRef, Lifecycle};

use crate::lifespan::{App, Framework, Handler, Phase, apps, with_routers};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};
use warned::is_meant_to_warn;

/// See [`PAGE`].
pub struct OnEventDeprecated;

const PAGE: Page = Page {
    title: "Start-up and shutdown are separate, deprecated event handlers",
    what: "`@app.on_event`, `add_event_handler` and `on_startup=`/`on_shutdown=` register start-up and shutdown code as functions \
that know nothing of each other. Nothing ties shutdown to how far start-up came: when start-up fails, no shutdown handler runs, \
and what was opened before the failure stays open. FastAPI and Starlette deprecate them in favour of one lifespan, a function \
with start-up before its `yield` and shutdown after it; Starlette 1.0 has removed its own.",
    log: "main.py:14: DeprecationWarning:\n        on_event is deprecated, use lifespan event handlers instead.\n\
DeprecationWarning: The on_startup and on_shutdown parameters are deprecated, and they will be removed on version 1.0.\n\
AttributeError: 'Starlette' object has no attribute 'on_event'",
    wrong: "app = FastAPI()\n\n\n@app.on_event(\"startup\")\nasync def open_pool():\n    app.state.pool = await asyncpg.create_pool(DSN)\n\n\n\
@app.on_event(\"shutdown\")\nasync def close_pool():\n    await app.state.pool.close()",
    right: "@asynccontextmanager\nasync def lifespan(app: FastAPI):\n    app.state.pool = await asyncpg.create_pool(DSN)\n    try:\n        yield\n\
    finally:\n        await app.state.pool.close()\n\n\napp = FastAPI(lifespan=lifespan)",
    unless: "The installed FastAPI has no lifespan (before 0.93). aiohttp's `on_startup` and `on_cleanup` are not deprecated. A mounted \
sub-application is left alone: its start-up is not run by the outer one, with either form. Handlers that are registered under a \
condition, in a loop, or by several functions are told, not moved. All handlers of an application move together, those of its \
routers and of other modules too, since a lifespan makes the application ignore the rest. A start-up that fails still fails.",
    prevent: "Turn the warning into an error in the test suite: `-W error:on_event:DeprecationWarning`.",
    symptoms: &[
        "fastapi-on-event",
        "starlette-on-event",
        "starlette-on-startup-params",
        "starlette-on-event-attr",
        "uvicorn-startup-failed",
        "uvicorn-shutdown-failed",
    ],
};

impl Cause for OnEventDeprecated {
    fn slug(&self) -> &'static str {
        "on-event-deprecated"
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        if life.settings().version("fastapi").is_some_and(|version| !version.at_least(&[0, 93])) {
            return;
        }
        let apps = apps(life);
        for (index, app) in apps.iter().enumerate() {
            if concerns(app)
                && !is_meant_to_warn(life, app.call.file)
                && (app.lifespan.is_none() || app.handlers.is_empty() && routers_run(life))
            {
                let handlers: Vec<Handler> =
                    with_routers(life, &apps, index).into_iter().map(|(_, handler)| handler).collect();
                if let Some(first) =
                    handlers.iter().find(|at| at.phase == Phase::Startup).or(handlers.first())
                {
                    report.add(found(life, &apps, index, &handlers, first));
                }
            }
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let apps = apps(life);
        let made = found.detail::<ExprRef>().copied();
        let Some(index) = apps.iter().position(|app| Some(app.call) == made) else {
            return Err(Declined::because("the application was not found again"));
        };
        let mut mend = convert(life, &apps, index)?;
        mend.applicability = found.applicability;
        Ok(mend)
    }
}

fn concerns(app: &App) -> bool {
    matches!(app.framework, Framework::FastApi | Framework::Starlette | Framework::StarletteRouter)
}

/// Whether handlers of routers run beside a lifespan of the application (`FastAPI` from 0.112.3 on).
fn routers_run(life: &Lifecycle) -> bool {
    life.settings().version("fastapi").is_none_or(|version| version.at_least(&[0, 112, 3]))
}

fn convert(life: &Lifecycle, apps: &[App], index: usize) -> Result<Mend, Declined> {
    if apps[index].lifespan.is_some() {
        return crate::lifespan_and_on_event::merge(life, apps, index);
    }
    let mut plan = plan::plan(life, apps, index)?;
    write::write(life, &mut plan)
}

fn found(life: &Lifecycle, apps: &[App], index: usize, handlers: &[Handler], first: &Handler) -> Found {
    let app = &apps[index];
    let name = app.name.as_deref().unwrap_or("the application");
    let many = if handlers.len() == 1 { "a handler" } else { "handlers" };
    let message = format!(
        "`{name}` starts and stops by {many} registered apart from each other, a form that is deprecated: when start-up fails, \
         no shutdown runs. One lifespan holds both."
    );
    let mut found = Found::new("on-event-deprecated", first.spot(life), message);
    let mut rest: Vec<&Handler> =
        handlers.iter().filter(|at| at.registration != first.registration).collect();
    rest.sort_by_key(|at| at.phase != Phase::Shutdown);
    let mut places: Vec<(Spot, String)> = rest
        .iter()
        .map(|at| {
            let when = if at.phase == Phase::Startup { "at start" } else { "at shutdown" };
            (at.spot(life), format!("registered here to run {when}"))
        })
        .collect();
    places
        .insert(places.len().min(1), (Spot::expr(life, app.call), "the application is made here".to_owned()));
    found.related = places;
    found.functions = handlers.iter().flat_map(|at| at.functions.iter().copied()).collect();
    found.names = ["on_event", "add_event_handler", "on_startup", "on_shutdown"].map(str::to_owned).to_vec();
    found.detail = Some(std::sync::Arc::new(app.call));
    found.applicability = match convert(life, apps, index) {
        Ok(mend) => mend.applicability,
        Err(_) => Applicability::Advice,
    };
    found
}
