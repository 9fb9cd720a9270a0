//! Objects that belong to a loop, with all that is done with them.

use std::collections::BTreeSet;
use std::sync::Arc;

use loopmend_python::catalogue::{Acquire, Binds, Resource};
use loopmend_python::facts::{ExprKind, Name, StmtKind};
use loopmend_python::lifecycle::{
    ExprRef, Flow, FunctionRef, Lifecycle, Origin, Place, Site, SiteKind, UseKind,
};

use super::lifespan::{Owner, owners};

/// Constructors whose object takes another's place: what is done with it is done with what it was given.
const DERIVED: usize = 3;

/// One object that breaks under a second loop.
#[derive(Clone, Debug)]
pub struct Object {
    /// Where it is made.
    pub site: Site,
    /// What is done with it.
    pub touches: Vec<Touch>,
    /// Functions after whose close the next use makes or opens a new one.
    pub renewed_by: BTreeSet<FunctionRef>,
    /// Where it is kept.
    pub places: Vec<Place>,
    /// It is made only where there is none yet.
    pub guarded: bool,
    /// All that becomes of it.
    flow: Arc<Flow>,
    /// It is one of asyncio's own, which since 3.10 belong to a loop only once they have waited.
    pub primitive: bool,
}

/// One thing done with an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Touch {
    /// The object there, or what was made of it.
    pub expr: ExprRef,
    /// In this function.
    pub function: FunctionRef,
    /// It is ended there.
    pub close: bool,
    /// What is done is done to another object that has this one (a session factory that has an engine).
    pub derived: bool,
}

impl Object {
    /// The object that a site makes, where the catalogue says that a second loop breaks it.
    pub fn of(life: &Lifecycle, site: &Site) -> Option<Self> {
        let resource = breaks(life, site)?;
        let awaited = matches!(resource.acquire, Acquire::Await | Acquire::AwaitOrAsyncWith);
        let flow = life.flow(Origin::Expr(site.call), awaited);
        let here = FunctionRef { file: site.call.file, id: site.function.id };
        let facts = life.facts(site.call.file);
        // What stays in one coroutine stays in one run.
        let leaves = flow.kept() || flow.uses.iter().any(|at| matches!(at.kind, UseKind::Returned(_)));
        if facts.function(here.id).is_async && !leaves {
            return None;
        }
        if resource.needs_running_loop_at_construction && here.is_module() {
            return None;
        }
        Some(Self::followed(life, site, resource))
    }

    /// The object that a site makes, whatever a second loop does to it.
    pub fn followed(life: &Lifecycle, site: &Site, resource: &Resource) -> Self {
        let awaited = matches!(resource.acquire, Acquire::Await | Acquire::AwaitOrAsyncWith);
        let flow = life.flow(Origin::Expr(site.call), awaited);
        let mut touches = Vec::new();
        collect(life, resource, &flow, false, DERIVED, &mut touches);
        touches.sort_unstable();
        touches.dedup();
        let guarded = guarded(life, site, &flow);
        Self {
            renewed_by: touches
                .iter()
                .filter(|touch| {
                    touch.close && (resource.reopens || guarded && resets(life, touch.function, &flow))
                })
                .map(|touch| touch.function)
                .collect(),
            guarded,
            touches,
            places: flow.places.clone(),
            flow,
            primitive: resource.library == "asyncio" && !is_stream(&resource.gives),
            site: site.clone(),
        }
    }

    /// Who keeps it, each with the owner's instance where it is an object of the tree's class.
    pub fn owners(&self, life: &Lifecycle) -> Vec<(Owner, Option<ExprRef>)> {
        owners(life, self.site.call, &self.flow)
    }

    /// The last part of its class.
    pub fn class(&self) -> &str {
        self.site.gives.rsplit('.').next().unwrap_or(&self.site.gives)
    }
}

/// What is known of a site's object, where a second loop breaks it.
pub fn breaks<'l>(life: &'l Lifecycle, site: &Site) -> Option<&'l Resource> {
    let resource = life.resource(site).filter(|_| site.kind == SiteKind::Resource)?;
    let bound = resource.breaks_in_second_run() && resource.binds != Binds::Never && !unbound(life, site);
    bound.then_some(resource)
}

/// Whether a function empties what keeps the object: binds it anew, takes it out, clears the cache.
fn resets(life: &Lifecycle, function: FunctionRef, flow: &Flow) -> bool {
    let facts = life.facts(function.file);
    let kept = |name: &Name| {
        flow.places.iter().any(|place| {
            matches!(place, Place::Global(_, at) | Place::Attribute(_, at) | Place::Loose(_, at) if at == name)
        })
    };
    let of = facts.function(function.id);
    let mut found = facts.bindings.iter().any(|binding| {
        binding.stmt.is_some_and(|stmt| facts.stmt(stmt).function == function.id)
            && (of.globals.contains(&binding.name)
                || binding.target.is_some_and(|at| facts.name_of(at).is_none()))
            && kept(&binding.name)
    });
    facts.body_exprs(function.id, &mut |id| {
        if let ExprKind::Attribute { attr, .. } = &facts.expr(id).kind {
            found |= matches!(attr.as_str(), "cache_clear" | "popitem" | "pop" | "clear");
        }
    });
    facts.walk(&of.body, &mut |stmt| found |= matches!(facts.stmt(stmt).kind, StmtKind::Delete(_)));
    found
}

fn is_stream(class: &str) -> bool {
    class.contains("Stream")
        || class.contains("Server")
        || class.contains("Transport")
        || class.contains("Process")
}

/// Engines whose driver or pool keeps nothing of a loop.
fn unbound(life: &Lifecycle, site: &Site) -> bool {
    let facts = life.facts(site.call.file);
    let ExprKind::Call { args, keywords, .. } = &facts.expr(site.call.id).kind else { return false };
    if site.gives != "sqlalchemy.ext.asyncio.AsyncEngine" {
        return false;
    }
    let null_pool = keywords.iter().any(|keyword| {
        keyword.name.as_deref() == Some("poolclass")
            && facts.dotted(keyword.value).is_some_and(|text| text.ends_with("NullPool"))
    });
    let url = args.first().copied().or_else(|| {
        keywords.iter().find(|keyword| keyword.name.as_deref() == Some("url")).map(|keyword| keyword.value)
    });
    null_pool
        || url.is_some_and(|url| {
            let text = text_of(life, site.call.with(url)).unwrap_or_default();
            ["aiosqlite", "+psycopg:", "+psycopg_async"].iter().any(|driver| text.contains(driver))
        })
}

/// The text of a constant string, also through a name.
fn text_of(life: &Lifecycle, expr: ExprRef) -> Option<String> {
    let facts = life.facts(expr.file);
    if let ExprKind::Str(text) = &facts.expr(expr.id).kind {
        return Some(text.to_string());
    }
    life.infer(expr).iter().find_map(|value| match value {
        loopmend_python::lifecycle::Value::Constant(at) => match &life.facts(at.file).expr(at.id).kind {
            ExprKind::Str(text) => Some(text.to_string()),
            _ => None,
        },
        _ => None,
    })
}

/// Whether a use of an object ends it, by its catalogue entry.
pub fn is_close(resource: &Resource, kind: &UseKind) -> bool {
    matches!(kind, UseKind::Method { name, .. } if resource.ended_by(name).is_some() || *name == "__aexit__")
}

fn collect(
    life: &Lifecycle,
    resource: &Resource,
    flow: &Flow,
    derived: bool,
    depth: usize,
    touches: &mut Vec<Touch>,
) {
    for at in &flow.uses {
        let function =
            FunctionRef { file: at.expr.file, id: life.facts(at.expr.file).function_of(at.expr.id) };
        let counts = matches!(
            at.kind,
            UseKind::Method { .. }
                | UseKind::Attribute { .. }
                | UseKind::Entered { .. }
                | UseKind::Awaited(_)
                | UseKind::Called(_)
                | UseKind::Iterated(_)
                | UseKind::Argument { .. }
                | UseKind::Other
        );
        if !counts
            || at.element && !derived && matches!(at.kind, UseKind::Method { .. } | UseKind::Attribute { .. })
        {
            continue;
        }
        if let UseKind::Argument { call, .. } = &at.kind
            && depth > 0
            && derives(life, *call)
        {
            let inner = life.flow_of(*call);
            if inner.kept()
                || life.facts(call.file).function(life.facts(call.file).function_of(call.id)).is_async
            {
                collect(life, resource, &inner, true, depth - 1, touches);
            }
        }
        touches.push(Touch {
            expr: at.expr,
            function,
            close: !derived && is_close(resource, &at.kind),
            derived,
        });
    }
}

/// Whether a call makes an object of what it is given: a class of a library, or a factory of such.
fn derives(life: &Lifecycle, call: ExprRef) -> bool {
    life.site_at(call).is_some()
        || life.callee_paths(call).iter().any(|path| {
            let last = path.rsplit('.').next().unwrap_or(path);
            last.ends_with("sessionmaker") || last.starts_with(|first: char| first.is_ascii_uppercase())
        })
}

/// Whether the site only runs where there is no object yet: a cache, `if x is None:`.
fn guarded(life: &Lifecycle, site: &Site, flow: &Flow) -> bool {
    const CACHES: &[&str] = &["lru_cache", "cache", "cached_property", "cached", "alru_cache"];
    if life.decorated(site.function, CACHES) {
        return true;
    }
    let facts = life.facts(site.call.file);
    let start = facts.expr(site.call.id).range.start();
    let inside = |at: &loopmend_python::lifecycle::Use, function: FunctionRef| {
        at.expr.file == function.file && facts_function(life, at.expr) == function
    };
    let asked = flow.uses.iter().any(|at| {
        inside(at, site.function)
            && facts.expr(at.expr.id).range.end() <= start
            && matches!(at.kind, UseKind::Tested | UseKind::Returned(_))
    });
    // `if key in POOLS: … else: POOLS[key] = make()`.
    let looked_up = facts.stmt_of(site.call.id).is_some_and(|stmt| {
        facts.ancestors(stmt).any(|(outer, _)| {
            let StmtKind::If { test, .. } = facts.stmt(outer).kind else { return false };
            let mut named = false;
            facts.descend(test, &mut |id| {
                named |= facts.name_of(id).is_some_and(|name| {
                    flow.places.iter().any(|place| matches!(place, Place::Global(_, known) if known == name))
                });
            });
            named
        })
    });
    if asked || looked_up {
        return true;
    }
    // The test may stand in the callers: `if pool is None: await connect()`.
    let calls = life.call_sites(site.function);
    !calls.is_empty()
        && calls.iter().all(|call| {
            let caller = facts_function(life, call.call);
            let facts = life.facts(call.call.file);
            let conditional = facts.stmt_of(call.call.id).is_some_and(|stmt| {
                facts.ancestors(stmt).any(|(outer, _)| matches!(facts.stmt(outer).kind, StmtKind::If { .. }))
            });
            conditional && flow.uses.iter().any(|at| at.kind == UseKind::Tested && inside(at, caller))
        })
}

fn facts_function(life: &Lifecycle, expr: ExprRef) -> FunctionRef {
    FunctionRef { file: expr.file, id: life.facts(expr.file).function_of(expr.id) }
}
