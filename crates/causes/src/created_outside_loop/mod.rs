//! `created-outside-loop`: an object that belongs to a loop is made while none runs.

mod asked;
mod bites;
mod class_level;
mod default;
pub(crate) mod lazy;
mod loading;
mod module_level;
mod outside;
mod plain_call;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::facts::StmtKind;
use loopmend_python::lifecycle::{Lifecycle, Place, Site};

use crate::carried::Object;
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

use bites::{Bite, bite};
use outside::{Outside, outside};

/// The cause.
pub struct CreatedOutsideLoop;

const SLUG: &str = "created-outside-loop";

const PAGE: Page = Page {
    title: "An object that belongs to an event loop is made while no loop runs",
    what: "Some objects tie themselves to a loop when they are made. A session or connector of aiohttp asks for the running loop and \
raises where there is none: at import, in a class body, in a default argument, in a plain function that runs before \
`asyncio.run()`. Before Python 3.10 asyncio's own locks, events, semaphores, conditions and queues took the current loop \
instead, as a channel of grpc or a future still does. `asyncio.run()` then runs another one, and the first time that such an object has to \
wait, its future belongs to the wrong loop.",
    log: "RuntimeError: no running event loop\n\
RuntimeError: Task <Task pending ...> got Future <Future pending> attached to a different loop",
    wrong: "session = aiohttp.ClientSession()\n\nasync def fetch(url):\n    async with session.get(url) as response:\n        return await response.json()",
    right: "async def fetch(url):\n    async with aiohttp.ClientSession() as session:\n        async with session.get(url) as response:\n            return await response.json()",
    unless: "SQLAlchemy's engines, clients of httpx and redis, and since Python 3.10 asyncio's own locks and queues belong to a loop only \
once they are used: made at import they are fine in a program with one loop. A plain function that only coroutines call runs \
inside the loop. What nothing in the tree calls is told with `--pedantic` only, or where a log names it: its callers decide \
whether a loop runs. So is what the module of a web application makes: some servers import it inside their loop.",
    prevent: "Make what belongs to a loop in a coroutine: with `async with` in `main()`, in an async factory, in a lifespan. Say \
`requires-python = \">=3.10\"` where locks and queues are made at import.",
    symptoms: &[
        "no-running-loop",
        "attached-different-loop-task",
        "attached-different-loop-cb",
        "no-current-loop-in-thread",
        "no-current-loop-deprecation",
        "timeout-inside-task-aiohttp",
        "future-belongs-to-different-loop",
    ],
};

/// What a finding keeps for its mend.
struct Detail {
    object: Object,
    outside: Outside,
    bite: Bite,
}

impl Cause for CreatedOutsideLoop {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        for site in life.sites() {
            let Some(bite) = bite(life, site) else { continue };
            let Some(outside) = outside(life, site) else { continue };
            let Some(resource) = life.resource(site) else { continue };
            let object = Object::followed(life, site, resource);
            let Some(doubtful) = bite.doubt(life, &object) else { continue };
            report.add(found(life, Detail { object, outside, bite }, doubtful));
        }
        for found in asked::all(life) {
            report.add(found);
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        if let Some(asked) = found.detail::<asked::Asked>() {
            return asked::mend(life, asked);
        }
        let detail = found
            .detail::<Detail>()
            .ok_or_else(|| Declined::because("make the object in a coroutine that the loop runs"))?;
        mend(life, detail)
    }
}

fn mend(life: &Lifecycle, detail: &Detail) -> Result<Mend, Declined> {
    if !detail.outside.at_import {
        return plain_call::mend(life, detail);
    }
    if let Some(of) = default::parameter(life, &detail.object.site) {
        return default::mend(life, detail, of);
    }
    if class_level::class_of(life, &detail.object.site).is_some() {
        return class_level::mend(life, detail);
    }
    let made = detail.object.site.call;
    module_level::mend(life, &detail.object, made)
        .or_else(|reason| plain_call::in_the_run(life, &detail.object, made).map_err(|_| reason))
}

fn found(life: &Lifecycle, detail: Detail, doubtful: bool) -> Found {
    let object = &detail.object;
    let class = object.class().to_owned();
    let place = placed(life, &object.site, &detail.outside);
    let message = match detail.bite {
        Bite::Raises => format!("`{class}` needs a running event loop when it is made, and {place}"),
        Bite::TakesAnother => format!(
            "`{class}` belongs to the loop that is current when it is made, and {place}: the loop that runs later is another one"
        ),
    };
    let mut found = Found::new(SLUG, Spot::expr(life, object.site.call), message);
    found.doubtful = doubtful || !detail.outside.sure;
    found.functions.push(object.site.function);
    found.functions.extend(object.touches.iter().map(|touch| touch.function));
    found.functions.sort_unstable();
    found.functions.dedup();
    found.names = vec![class, object.site.gives.to_string(), object.site.path.to_string()];
    found.names.extend(object.places.iter().filter_map(|place| match place {
        Place::Global(_, name) | Place::Attribute(_, name) => Some(name.to_string()),
        _ => None,
    }));
    found.names.sort();
    found.names.dedup();
    for &by in detail.outside.by.iter().take(2) {
        found.related.push((Spot::expr(life, by), "called here, while no loop runs".to_owned()));
    }
    let used = object.touches.iter().find(|touch| touch.function != object.site.function);
    if let Some(touch) = used {
        found.related.push((Spot::expr(life, touch.expr), "used here".to_owned()));
    }
    found.applicability = Applicability::Unsafe;
    found.detail = Some(Arc::new(detail));
    found
}

/// Where it is made, in words.
fn placed(life: &Lifecycle, site: &Site, outside: &Outside) -> String {
    let facts = life.facts(site.call.file);
    if !outside.at_import {
        let name = &facts.function(site.function.id).qualname;
        return format!("`{name}` makes it where no loop runs");
    }
    if let Some((function, index)) = default::parameter(life, site) {
        let of = life.facts(function.file).function(function.id);
        return format!(
            "the default of `{}` in `{}` is made once, at import, where none runs",
            of.params[index].name, of.qualname
        );
    }
    let in_class = facts.stmt_of(site.call.id).is_some_and(|stmt| {
        std::iter::once(stmt)
            .chain(facts.ancestors(stmt).map(|(outer, _)| outer))
            .any(|at| matches!(facts.stmt(at).kind, StmtKind::Class(..)))
    });
    if in_class {
        "this class makes it in its body, where none runs".to_owned()
    } else {
        "this module makes it at its top level, where none runs".to_owned()
    }
}
