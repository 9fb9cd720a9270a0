//! A start that has no answer for a server that is down, though the routes have one.

mod answer;
mod driver;
mod fix;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::facts::{Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{FunctionRef, Lifecycle};

use crate::startup::{Open, Phase, Phases, opens};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

/// The cause.
pub struct StartupErrorUnhandled;

const SLUG: &str = "startup-error-unhandled";

static PAGE: Page = Page {
    title: "Start-up has no answer for a server that is down",
    what: "The start opens a connection and lets its error out, so the service does not come up at all while the server is \
           away. The routes are written for that case: they test for `None` and answer 503 or \"degraded\", but never get the \
           chance, since the start itself fails first.",
    log: "  File \"/app/src/main.py\", line 19, in lifespan\n    \
              app.state.db_pool = await asyncpg.create_pool(database_url())\n\
          ConnectionRefusedError: [Errno 111] Connect call failed ('127.0.0.1', 5432)\n\
          ERROR:    Application startup failed. Exiting.",
    wrong: "@asynccontextmanager\n\
            async def lifespan(app):\n    \
                app.state.db_pool = await asyncpg.create_pool(DSN)\n    \
                yield\n    \
                await app.state.db_pool.close()",
    right: "@asynccontextmanager\n\
            async def lifespan(app):\n    \
                app.state.db_pool = None\n    \
                try:\n        \
                    app.state.db_pool = await asyncpg.create_pool(DSN)\n    \
                except (OSError, asyncpg.PostgresError):\n        \
                    logger.exception(\"db_pool could not be opened at startup; going on without it\")\n    \
                yield\n    \
                if app.state.db_pool is not None:\n        \
                    await app.state.db_pool.close()",
    unless: "To fail fast is a decision: where no route has an answer for the absence, the error is left to end the start. Where \
             only some have one, the error is logged and passed on, and only when a log shows that it happens.",
    prevent: "Decide for each resource whether the service can serve without it, and write that down in the start-up code: a \
              `try` for the driver's own connection errors, or none.",
    symptoms: &["uvicorn-startup-failed", "uvicorn-lifespan-exception", "connection-failed"],
};

/// What a finding hands to its fix.
struct Detail {
    open: Open,
    phase: Phase,
    /// Every reader has an answer for `None`.
    answered: bool,
}

impl Cause for StartupErrorUnhandled {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        let mut phases = Phases::new(life);
        for (function, phase) in phases.starters() {
            if matches!(phase, Phase::Enter | Phase::Opener) {
                continue;
            }
            let until = match phase {
                Phase::Lifespan(yields) => Some(yields),
                _ => None,
            };
            for open in opens(life, function, until) {
                if let Some(found) = detect_one(life, open, phase) {
                    report.add(found);
                }
            }
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let detail = found.detail::<Detail>().ok_or_else(|| Declined::because("nothing is known of it"))?;
        fix::fix(life, detail)
    }
}

fn detect_one(life: &Lifecycle, open: Open, phase: Phase) -> Option<Found> {
    let failing = open.fails_at();
    if failing.is_none() || open.looped || !open.kept(life) || driver::driver_of(&open.class).is_none() {
        return None;
    }
    if failing.is_some_and(|stmt| is_handled(life, open.function, stmt))
        || handled_by_callers(life, open.function, 3)
    {
        return None;
    }
    let readers = answer::readers(life, &open);
    let answered: Vec<FunctionRef> =
        readers.iter().filter(|(_, tested)| **tested).map(|(function, _)| *function).collect();
    let first = *answered.first()?;
    let all = answered.len() == readers.len();
    let facts = life.facts(open.function.file);
    let name = &facts.function(open.function.id).name;
    let place = life.source(open.place);
    let reader = &life.facts(first.file).function(first.id).name;
    let message = if all {
        format!(
            "`{name}` lets a connection error of `{place}` end the start, though `{reader}` has an answer for when it is not \
             there"
        )
    } else {
        format!(
            "`{name}` lets a connection error of `{place}` out with no word of its own; `{reader}` has an answer for when it \
             is not there, others have not"
        )
    };
    let mut found = Found::new(SLUG, Spot::expr(life, open.call), message);
    found.applicability = Applicability::Unsafe;
    found.doubtful = !all;
    found.related.push((Spot::function(life, open.function), "runs at start-up".to_owned()));
    found.related.push((Spot::function(life, first), "answers without it".to_owned()));
    found.functions.push(open.function);
    found.names = open.names(facts).iter().map(ToString::to_string).collect();
    found.detail = Some(Arc::new(Detail { open, phase, answered: all }));
    Some(found)
}

/// Whether some handler stands around a statement.
fn is_handled(life: &Lifecycle, function: FunctionRef, stmt: StmtId) -> bool {
    let facts = life.facts(function.file);
    facts.ancestors(stmt).any(|(outer, slot)| match &facts.stmt(outer).kind {
        StmtKind::Try { handlers, .. } => !handlers.is_empty() && slot == Slot::Body,
        StmtKind::With { items, .. } => items.iter().any(|item| {
            life.last_part(loopmend_python::lifecycle::ExprRef { file: function.file, id: item.context })
                .as_deref()
                == Some("suppress")
        }),
        _ => false,
    })
}

fn handled_by_callers(life: &Lifecycle, function: FunctionRef, depth: u8) -> bool {
    depth > 0
        && life.call_sites(function).into_iter().any(|site| {
            let facts = life.facts(site.call.file);
            let caller = FunctionRef { file: site.call.file, id: facts.function_of(site.call.id) };
            !life.is_test(caller)
                && (facts.stmt_of(site.call.id).is_some_and(|stmt| is_handled(life, caller, stmt))
                    || handled_by_callers(life, caller, depth - 1))
        })
}
