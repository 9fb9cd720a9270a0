//! `resource-never-closed`: a session, pool, client, engine, connection, writer or child is opened and not ended.

mod alive;
mod child;
mod closer;
mod edits;
mod fate;
mod finding;
mod handed;
mod keeper;
mod lent;
mod local;
mod mend;
mod module;
mod owner;
mod protocol;

use std::collections::BTreeSet;

use loopmend_python::catalogue::{Acquire, Binds, Resource};
use loopmend_python::facts::ExprKind;
use loopmend_python::lifecycle::{ExprRef, Lifecycle, Origin, Site, SiteKind, UseKind};
use rayon::prelude::*;

use crate::{Cause, Declined, Found, Mend, Page, Report};

pub(crate) use handed::takes_over;
pub(crate) use module::only_run;

use child::Abandoned;
use closer::Closer;
use fate::Open;

pub(crate) use owner::makers;

/// The cause.
pub struct ResourceNeverClosed;

const SLUG: &str = "resource-never-closed";

const PAGE: Page = Page {
    title: "A session, pool, client, connection or child is opened and never closed",
    what: "\
Something that holds sockets or a child process is opened, and on some way through the program nothing closes it: no close \
at all, a close that an early `return` passes by, a factory whose callers don't close, an owner that has no `close()` or \
whose `close()` nobody calls. When the loop has ended, the garbage collector finds the object: it can only complain \
(`Unclosed client session`), or it tries to close a transport on a loop that is closed (`Event loop is closed`). Pools of \
asyncpg say nothing, and the server keeps their connections until it times them out.",
    log: "\
Unclosed client session
client_session: <aiohttp.client.ClientSession object at 0x7f…>
Unclosed connector
connections: ['deque([(<aiohttp.client_proto.ResponseHandler object at 0x7f…>, 2531.60)])']",
    wrong: "\
async def fetch(url):
    session = aiohttp.ClientSession()
    async with session.get(url) as response:
        return await response.text()",
    right: "\
async def fetch(url):
    async with aiohttp.ClientSession() as session:
        async with session.get(url) as response:
            return await response.text()",
    unless: "\
What was handed in belongs to the caller, and what is given to a library that closes it (`ClientSession(connector=…)`) is \
the library's. Where an object goes out of sight, nothing is said. An engine or client of a server process that lives as \
long as the process is reported only with `--pedantic`, or where a log shows the symptom. Nothing is changed where the \
object may still be needed after the place that could close it.",
    prevent: "\
Open with `async with`, or give the class that opens an `async def close()` (or `__aenter__` and `__aexit__`) and call it in \
the `finally` of whoever makes the object. Run tests with `-W error::ResourceWarning` and `PYTHONDEVMODE=1`.",
    symptoms: &[
        "aiohttp-unclosed-session",
        "aiohttp-unclosed-connector",
        "aiohttp-unclosed-connection",
        "unclosed-transport",
        "unclosed-socket",
        "unclosed-streamwriter",
        "streamwriter-loop-is-closed",
        "stream-garbage-collected",
        "ignored-subprocess-del",
        "subprocess-still-running",
        "subprocess-loop-closed",
        "ignored-function-del",
        "redis-unclosed-connection",
        "redis-unclosed-client",
        "redis-del-loop-closed",
        "asyncpg-unclosed",
        "sa-gc-non-checked-in",
        "sa-exception-closing",
        "psycopg-unclosed",
        "aiosqlite-deleted",
        "aiomysql-unclosed",
        "pymongo-unclosed",
        "kafka-unclosed",
        "anyio-unclosed-memory-stream",
        "playwright-loop-closed",
        "event-loop-closed",
        "uvloop-unclosed-resource",
        "exc-ignored-generic",
    ],
};

/// What a finding keeps for its mend.
enum Detail {
    Open(Open),
    Abandoned(Abandoned),
}

impl Cause for ResourceNeverClosed {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        let all = life.sites().par_iter().flat_map_iter(|site| {
            let mut own = Report::default();
            match life.resource(site).filter(|resource| matters(resource, site)) {
                None => {}
                Some(resource) if closer::is_child(resource) => finding::child(life, site, &mut own),
                Some(resource) => {
                    for open in opens(life, site, resource) {
                        own.add(finding::open(life, site, open));
                    }
                }
            }
            own.into_found()
        });
        for found in all.collect::<Vec<_>>() {
            report.add(found);
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        match found.detail::<Detail>() {
            Some(Detail::Open(open)) => {
                let mut mend = mend::mend(life, open, found.applicability)?;
                for other in of_one_origin(life, open) {
                    if let Ok(more) = mend::mend(life, &other, found.applicability) {
                        mend::join(life, &mut mend, more);
                    }
                }
                Ok(mend)
            }
            Some(Detail::Abandoned(child)) => mend::wait_for_child(life, child, found.applicability),
            None => Err(Declined::because("the finding has no detail")),
        }
    }
}

/// Where the object of a site is left open.
fn opens(life: &Lifecycle, site: &Site, resource: &Resource) -> Vec<Open> {
    if !live(life, site, resource)
        || handed::belongs_to_argument(life, site.call, &site.gives)
        || lent::borrows(life, site.call)
    {
        return Vec::new();
    }
    let closer = Closer::of_resource(life, resource);
    let silent = silent(life, resource);
    let mut opens = fate::fate(life, site.call, &closer, &mut Vec::new());
    opens.retain(|open| !protocol::has_transport(life, open.at));
    for open in &mut opens {
        open.doubtful |= silent;
    }
    opens
}

/// Objects left open that were made by this one, or that made this one: the session of an engine. Neither closes the other.
fn of_one_origin(life: &Lifecycle, open: &Open) -> Vec<Open> {
    let library = open.closer.path.split('.').next().unwrap_or_default();
    if library.is_empty() {
        return Vec::new();
    }
    let own = uses_of(life, open.at);
    let mut found = Vec::new();
    for site in life.sites().iter().filter(|site| site.call != open.at) {
        let Some(resource) = life.resource(site).filter(|resource| matters(resource, site)) else { continue };
        if !resource.gives.starts_with(library) || closer::is_child(resource) {
            continue;
        }
        let made_by = makers_of(life, site.call).iter().any(|maker| own.contains(maker));
        if !made_by {
            let theirs = uses_of(life, site.call);
            if !makers_of(life, open.at).iter().any(|maker| theirs.contains(maker)) {
                continue;
            }
        }
        found.extend(opens(life, site, resource).into_iter().filter(|other| !other.doubtful));
    }
    found
}

fn uses_of(life: &Lifecycle, at: ExprRef) -> BTreeSet<ExprRef> {
    fate::uses(life, &life.flow(Origin::Expr(at), true))
}

/// What a call calls: the factory, and the object whose method it is.
fn makers_of(life: &Lifecycle, call: ExprRef) -> Vec<ExprRef> {
    let facts = life.facts(call.file);
    let ExprKind::Call { func, .. } = facts.expr(call.id).kind else { return Vec::new() };
    match facts.expr(func).kind {
        ExprKind::Attribute { value, .. } => vec![call.with(func), call.with(value)],
        _ => vec![call.with(func)],
    }
}

/// Whether leaving it open matters. Loops, tasks and threads are other causes'.
fn matters(resource: &Resource, site: &Site) -> bool {
    site.kind == SiteKind::Resource
        && resource.must_close()
        && resource.acquire != Acquire::AsyncWith
        && !resource.gives.starts_with("concurrent.")
        && !matches!(
            resource.gives.as_str(),
            "asyncio.Future" | "asyncio.Task" | "asyncio.Runner" | "contextlib.AsyncExitStack"
        )
}

/// Whether it says nothing when it is left open, so that this may be meant. What the user's configuration names is not.
fn silent(life: &Lifecycle, resource: &Resource) -> bool {
    let own = life.settings().resources.iter().any(|own| own.constructor == resource.constructor);
    !own && matches!(resource.unclosed_says.as_str(), "nothing" | "unknown")
}

/// Whether the object comes to life: it is awaited, started or used where it has to be for that.
fn live(life: &Lifecycle, site: &Site, resource: &Resource) -> bool {
    let facts = life.facts(site.call.file);
    if no_pool(life, site.call) {
        return false;
    }
    match resource.acquire {
        Acquire::Await | Acquire::AwaitOrAsyncWith => {
            if facts
                .parent_expr(site.call.id)
                .is_some_and(|up| matches!(facts.expr(up).kind, ExprKind::Await(_)))
            {
                return true;
            }
            let flow = life.flow(Origin::Expr(site.call), false);
            flow.uses.iter().any(|at| matches!(at.kind, UseKind::Awaited(_) | UseKind::Argument { .. }))
        }
        Acquire::StartMethod => {
            let start = resource.start.as_ref().map_or("start", |start| start.method.as_str());
            life.flow(Origin::Expr(site.call), true).methods(start).next().is_some()
        }
        _ if resource.binds == Binds::FirstUse => {
            life.flow(Origin::Expr(site.call), true).uses.iter().any(|at| {
                matches!(
                    at.kind,
                    UseKind::Method { .. }
                        | UseKind::Argument { .. }
                        | UseKind::Attribute { .. }
                        | UseKind::Entered { .. }
                        | UseKind::Awaited(_)
                        | UseKind::Yielded(_)
                        | UseKind::Returned(_)
                )
            })
        }
        _ => true,
    }
}

/// An engine without a pool keeps nothing open.
fn no_pool(life: &Lifecycle, call: ExprRef) -> bool {
    let facts = life.facts(call.file);
    let ExprKind::Call { keywords, .. } = &facts.expr(call.id).kind else { return false };
    keywords.iter().any(|keyword| {
        keyword.name.as_ref().is_some_and(|name| name == "poolclass")
            && life.source(call.with(keyword.value)).ends_with("NullPool")
    })
}
