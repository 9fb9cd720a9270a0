//! A start that fails halfway leaves open what it had opened.

mod apart;
mod fix;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::facts::{ExprKind, Facts, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{FunctionRef, Lifecycle, StmtRef};

use crate::resource_never_closed::takes_over;
use crate::startup::{Open, Phase, Phases, opens, protected, risks};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

/// The cause.
pub struct PartialStartupLeak;

const SLUG: &str = "partial-startup-leak";

static PAGE: Page = Page {
    title: "A start that fails halfway leaves open what it had opened",
    what: "Start-up opens several things in a row. When a later one fails (a database that is down, a migration, a first \
           `ping`), the earlier ones stay open: no framework runs the shutdown of a start-up that did not finish, and a \
           lifespan that raises before its `yield` never comes to the lines after it. The connection stays at the server \
           until the process ends, and each restart by a supervisor or test adds one.",
    log: "asyncpg.exceptions.InvalidCatalogNameError: database \"orders\" does not exist\n\
          Unclosed client session\n\
          client_session: <aiohttp.client.ClientSession object at 0x7fdbe77e1750>",
    wrong: "@asynccontextmanager\n\
            async def lifespan(app):\n    \
                app.state.redis = redis.from_url(URL)\n    \
                await app.state.redis.ping()\n    \
                app.state.db = await asyncpg.create_pool(DSN)    # fails: redis stays open\n    \
                yield\n    \
                await app.state.db.close()\n    \
                await app.state.redis.aclose()",
    right: "@asynccontextmanager\n\
            async def lifespan(app):\n    \
                app.state.redis = redis.from_url(URL)\n    \
                try:\n        \
                    await app.state.redis.ping()\n        \
                    app.state.db = await asyncpg.create_pool(DSN)\n        \
                    try:\n            \
                        yield\n        \
                    finally:\n            \
                        await app.state.db.close()\n    \
                finally:\n        \
                    await app.state.redis.aclose()",
    unless: "A single resource needs no unwinding, and what is opened by `async with` or handed to an `AsyncExitStack` has it \
             already. The start still fails: the error is passed on, never swallowed. Objects that open at first use and are \
             not used during start-up (an `httpx.AsyncClient`, an engine) hold nothing yet and are only reported with \
             `--pedantic`.",
    prevent: "Open with `async with`, or enter everything into one `contextlib.AsyncExitStack`, so that opening and closing \
              stand together.",
    symptoms: &[
        "aiohttp-unclosed-session",
        "aiohttp-unclosed-connector",
        "aiohttp-detail-line",
        "redis-unclosed-connection",
        "redis-unclosed-client",
        "unclosed-transport",
        "unclosed-socket",
        "unclosed-streamwriter",
        "asyncpg-unclosed",
        "aiomysql-unclosed",
        "psycopg-unclosed",
        "pymongo-unclosed",
        "kafka-unclosed",
        "uvicorn-startup-failed",
    ],
};

/// Errors under which those of connections fall.
const WIDE: &[&str] = &["OSError", "Exception", "BaseException", "ConnectionError"];

/// What a finding hands to its fix.
struct Detail {
    phase: Phase,
    /// Everything that the function opens at start-up.
    opens: Vec<Open>,
    /// What stays open: indices of `opens`.
    leaky: Vec<usize>,
    /// The last statement that may fail.
    last: StmtId,
}

impl Cause for PartialStartupLeak {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        let mut phases = Phases::new(life);
        for (function, phase) in phases.starters() {
            if let Some(found) = detect_in(life, function, phase) {
                report.add(found);
            }
        }
        for found in apart::detect(life) {
            report.add(found);
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        if let Some(detail) = found.detail::<apart::Apart>() {
            return apart::fix(life, detail);
        }
        let detail = found.detail::<Detail>().ok_or_else(|| Declined::because("nothing is known of it"))?;
        fix::fix(life, detail, found.applicability)
    }
}

fn detect_in(life: &Lifecycle, function: FunctionRef, phase: Phase) -> Option<Found> {
    let until = match phase {
        Phase::Lifespan(yields) => Some(yields),
        _ => None,
    };
    let opens: Vec<Open> = opens(life, function, until)
        .into_iter()
        .filter(|open| matches!(phase, Phase::Lifespan(_)) || open.kept(life))
        .collect();
    // What another of them takes over is ended with that.
    let taken = |open: &Open| {
        opens
            .iter()
            .any(|other| other.call != open.call && takes_over(life, other.call, open.place, &open.class))
    };
    let opens: Vec<Open> = opens.iter().filter(|open| !taken(open)).cloned().collect();
    if opens.is_empty() {
        return None;
    }
    let mut leaky = Vec::new();
    let mut last: Option<StmtId> = None;
    let mut quiet = true;
    let facts = life.facts(function.file);
    for (index, open) in opens.iter().enumerate() {
        let from = open.live.unwrap_or(open.stmt);
        let open_risks: Vec<StmtId> = risks(life, open, until)
            .into_iter()
            .filter(|&risk| {
                let start = facts.stmt(risk).range.start();
                start > facts.stmt(from).range.start() || (open.looped && risk == open.stmt)
            })
            .filter(|&risk| !protected(life, open, risk) && !is_survived(facts, risk))
            .collect();
        // Only another opening makes it a start that fails halfway.
        let second = open.looped
            || opens
                .iter()
                .enumerate()
                .any(|(other, later)| other != index && open_risks.contains(&later.stmt))
            || (!open_risks.is_empty()
                && opens
                    .iter()
                    .enumerate()
                    .any(|(other, later)| other != index && !life.exclusive(&[open.call, later.call])))
            || open_risks.iter().any(|&risk| opens_by_call(life, function, risk));
        if open_risks.is_empty() || !second {
            continue;
        }
        quiet &= open.live.is_none();
        leaky.push(index);
        for risk in open_risks {
            let end = facts.stmt(risk).range.end();
            if last.is_none_or(|known| facts.stmt(known).range.end() < end) {
                last = Some(risk);
            }
        }
    }
    if !quiet {
        leaky.retain(|&index| opens[index].live.is_some());
    }
    let last = last?;
    let &first = leaky.first()?;
    let open = &opens[first];
    let place = life.source(open.place);
    let name = &facts.function(function.id).name;
    let other = opens
        .iter()
        .rev()
        .find(|other| other.awaited && other.stmt != open.stmt && !life.exclusive(&[open.call, other.call]));
    let failing = other.map_or_else(
        || "what follows fails".to_owned(),
        |other| format!("`{}` can't be opened", life.source(other.place)),
    );
    let message = format!(
        "`{name}` opens `{place}` and goes on; when {failing}, nothing closes `{place}`, since no shutdown \
         follows a start that failed"
    );
    let mut found = Found::new(SLUG, Spot::expr(life, open.call), message);
    found.applicability = Applicability::Safe;
    found.doubtful = quiet || phase == Phase::Opener && life.call_sites(function).is_empty();
    let stmt = |id| Spot::stmt(life, StmtRef { file: function.file, id });
    found.related.push((stmt(last), "what may fail after it".to_owned()));
    found.related.push((Spot::function(life, function), "runs at start-up".to_owned()));
    match phase {
        Phase::Called(caller, call) => {
            found.related.push((Spot::expr(life, call), "called here at start-up".to_owned()));
            found.functions.push(caller);
        }
        Phase::Handler(at) => found.related.push((Spot::expr(life, at), "registered here".to_owned())),
        _ => {}
    }
    found.functions.insert(0, function);
    for open in &opens {
        found.names.push(open.class.clone());
        found.names.extend(open.names(facts).iter().map(ToString::to_string));
    }
    found.names.dedup();
    found.detail = Some(Arc::new(Detail { phase, opens, leaky, last }));
    Some(found)
}

/// Whether a start goes on when a statement fails: a handler takes the errors of connections, and what stops the service later
/// closes what is open.
fn is_survived(facts: &Facts, risk: StmtId) -> bool {
    facts.ancestors(risk).any(|(outer, slot)| {
        let StmtKind::Try { handlers, .. } = &facts.stmt(outer).kind else { return false };
        slot == Slot::Body
            && handlers.iter().any(|handler| {
                let mut takes = handler.types.is_none();
                let mut look = |id| takes |= facts.dotted(id).is_some_and(|name| WIDE.contains(&&*name));
                if let Some(types) = handler.types {
                    look(types);
                    facts.descend(types, &mut look);
                }
                let mut goes_on = true;
                facts.walk(&handler.body, &mut |stmt| {
                    goes_on &= !matches!(facts.stmt(stmt).kind, StmtKind::Raise { .. } | StmtKind::Return(_));
                    facts.stmt(stmt).exprs(&mut |expr| {
                        goes_on &= !matches!(facts.expr(expr).kind, ExprKind::Call { func, .. }
                            if facts.dotted(func).is_some_and(|name| name.ends_with("exit")));
                    });
                });
                takes && goes_on
            })
    })
}

/// Whether a statement calls a function of the tree that opens something to keep.
fn opens_by_call(life: &Lifecycle, function: FunctionRef, stmt: StmtId) -> bool {
    let facts = life.facts(function.file);
    let mut calls = Vec::new();
    facts.stmt(stmt).exprs(&mut |expr| {
        facts.descend(expr, &mut |inner| {
            if matches!(facts.expr(inner).kind, ExprKind::Call { .. }) {
                calls.push(loopmend_python::lifecycle::ExprRef { file: function.file, id: inner });
            }
        });
    });
    calls.into_iter().any(|call| {
        life.callees(call)
            .into_iter()
            .any(|callee| callee != function && opens(life, callee, None).iter().any(|open| open.kept(life)))
    })
}
