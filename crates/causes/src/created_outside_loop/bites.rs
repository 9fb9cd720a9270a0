//! When an object ties itself to a loop, and whether that goes wrong.

use std::collections::BTreeSet;

use loopmend_python::catalogue::{Acquire, Binds};
use loopmend_python::facts::ExprKind;
use loopmend_python::lifecycle::{FunctionRef, Lifecycle, Root, RunKind, Site, SiteKind};

use crate::carried::Object;

/// The first aiohttp whose constructors raise without a running loop; those before took the current loop.
const RAISES_SINCE: (&str, &[u64]) = ("aiohttp", &[3, 10]);

/// What an object does that is made without a running loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bite {
    /// It raises.
    Raises,
    /// It takes the loop that is current then.
    TakesAnother,
}

/// What the object of a site does where no loop runs; none where it only belongs to a loop once it is used.
pub fn bite(life: &Lifecycle, site: &Site) -> Option<Bite> {
    let resource = life.resource(site).filter(|_| site.kind == SiteKind::Resource)?;
    if given_loop(life, site) || made_on_a_loop(site) {
        return None;
    }
    if is_primitive(life, site) {
        return (!life.settings().python_at_least(3, 10)).then_some(Bite::TakesAnother);
    }
    let called =
        matches!(resource.acquire, Acquire::Call | Acquire::CallOrAsyncWith | Acquire::AwaitOrAsyncWith);
    let own = resource.library == "asyncio" && site.path != "asyncio.Future";
    if resource.binds != Binds::Construction || !called || own {
        return None;
    }
    match (resource.needs_running_loop_at_construction, resource.acquire) {
        // The call itself does nothing: awaiting it does.
        (true, Acquire::AwaitOrAsyncWith) => None,
        (true, _) => {
            let (library, since) = RAISES_SINCE;
            let older = resource.library == library
                && life.settings().version(library).is_some_and(|version| !version.at_least(since));
            Some(if older { Bite::TakesAnother } else { Bite::Raises })
        }
        (false, _) => Some(Bite::TakesAnother),
    }
}

/// Whether a site makes one of asyncio's own locks, events, queues.
pub fn is_primitive(life: &Lifecycle, site: &Site) -> bool {
    life.resource(site).is_some_and(|resource| {
        resource.library == "asyncio"
            && resource.binds == Binds::FirstUse
            && resource.acquire == Acquire::Call
            && resource.gives != "asyncio.Barrier"
    })
}

/// `loop=` says which loop.
fn given_loop(life: &Lifecycle, site: &Site) -> bool {
    let ExprKind::Call { keywords, .. } = &life.facts(site.call.file).expr(site.call.id).kind else {
        return false;
    };
    keywords.iter().any(|keyword| keyword.name.as_deref().is_none_or(|name| name == "loop"))
}

/// `loop.create_future()`.
fn made_on_a_loop(site: &Site) -> bool {
    site.path.starts_with("asyncio.AbstractEventLoop.")
}

/// Methods that wait, or may.
const WAITS: &[&str] = &["acquire", "get", "put", "wait", "wait_for", "join"];

impl Bite {
    /// Whether it needs a guess that this goes wrong with what is done with the object; none where it can't.
    pub fn doubt(self, life: &Lifecycle, object: &Object) -> Option<bool> {
        if self == Self::Raises {
            return Some(false);
        }
        let primitive = is_primitive(life, &object.site);
        if primitive && !object.touches.iter().any(|touch| waits(life, touch.expr)) {
            return None;
        }
        let python = life.settings().python;
        // What only an old Python does is a guess where another one is installed, or none is known.
        let other = primitive
            && (python.min.is_none() || python.interpreter.is_some_and(|version| version >= (3, 10)));
        match under(life, object) {
            Loop::Another => Some(other),
            Loop::Unknown => Some(true),
            Loop::Current => None,
        }
    }
}

/// Whether what stands around an object may wait.
fn waits(life: &Lifecycle, expr: loopmend_python::lifecycle::ExprRef) -> bool {
    let facts = life.facts(expr.file);
    match facts.parent_expr(expr.id).map(|up| &facts.expr(up).kind) {
        Some(ExprKind::Attribute { attr, .. }) => WAITS.contains(&attr.as_str()),
        Some(_) => true,
        // `async with lock:`
        None => facts.stmt_of(expr.id).is_some(),
    }
}

enum Loop {
    Another,
    Current,
    Unknown,
}

/// The loop that an object is used under.
fn under(life: &Lifecycle, object: &Object) -> Loop {
    let functions: BTreeSet<FunctionRef> = object.touches.iter().map(|touch| touch.function).collect();
    let mut current = false;
    for &function in &functions {
        for root in life.roots(function) {
            match root {
                Root::Run(index) => match life.runs()[index].kind {
                    RunKind::Fresh | RunKind::Runner => return Loop::Another,
                    RunKind::OnLoop => current = true,
                    RunKind::Serve => {}
                },
                Root::Test(test) if life.facts(test.file).function(test.id).is_async => {
                    return Loop::Another;
                }
                _ => {}
            }
        }
    }
    if current { Loop::Current } else { Loop::Unknown }
}
