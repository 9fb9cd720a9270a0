//! What is said of objects that are carried from run to run.

use loopmend_python::facts::ExprKind;
use loopmend_python::lifecycle::{ExprRef, Lifecycle, Place};

use crate::carried::{Group, Object};
use crate::{Found, Spot};

/// The objects in words: "`AsyncClient` in `_client`".
pub fn objects(life: &Lifecycle, group: &Group) -> String {
    let list: Vec<String> = group.objects.iter().map(|carried| object(life, &carried.object)).collect();
    match list.as_slice() {
        [only] => only.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
        [] => String::new(),
    }
}

fn object(life: &Lifecycle, object: &Object) -> String {
    let class = object.class();
    match keeper(life, object) {
        Some(name) => format!("the `{class}` kept in `{name}`"),
        None => format!("the `{class}`"),
    }
}

/// The name that keeps an object longest.
pub fn keeper(life: &Lifecycle, object: &Object) -> Option<String> {
    let rank = |place: &&Place| match place {
        Place::Global(..) => 0,
        Place::Attribute(..) => 1,
        Place::Loose(..) => 2,
        Place::Local(..) => 3,
        Place::Parameter(..) => 4,
    };
    object.places.iter().min_by_key(rank).and_then(|place| match place {
        Place::Global(_, name) | Place::Local(_, name) => Some(name.to_string()),
        Place::Attribute(class, name) => {
            Some(format!("{}.{name}", life.facts(class.file).class(class.id).name))
        }
        Place::Loose(last, name) if name.starts_with('[') => Some(format!("{last}{name}")),
        Place::Loose(last, name) => Some(format!("{last}.{name}")),
        Place::Parameter(..) => None,
    })
}

/// The run that a finding is reported at: that inside the one function that many hand their coroutines to.
pub fn spoken(group: &Group, place: usize) -> ExprRef {
    let started = &group.runs[place];
    match &started.inside {
        Some(inside) if group.function().is_none() => inside.call,
        _ => started.run.call,
    }
}

/// The message of a finding.
pub fn message(life: &Lifecycle, group: &Group, place: usize) -> String {
    let objects = objects(life, group);
    let how = callee(life, spoken(group, place));
    let verb = if group.objects.len() > 1 { "belong" } else { "belongs" };
    match group.again() {
        _ if group.only_closed() => format!(
            "`{how}` starts a second event loop only to close {objects}, which {verb} to the loop of an earlier run; that loop is \
             closed by then, so the close fails or leaves its connections open"
        ),
        Some(_) => format!(
            "`{how}` runs again and again, each time on a new event loop, around {objects}, which {verb} to the loop of the \
             first run; the second run finds that loop closed"
        ),
        None => format!(
            "`{how}` starts a second event loop around {objects}, which {verb} to the loop of an earlier run; that loop is \
             closed by then"
        ),
    }
}

fn callee(life: &Lifecycle, call: ExprRef) -> String {
    let facts = life.facts(call.file);
    match facts.expr(call.id).kind {
        ExprKind::Call { func, .. } => {
            life.source(call.with(func)).lines().next().unwrap_or_default().to_owned()
        }
        _ => "asyncio.run".to_owned(),
    }
}

/// Fills in related places, functions and names.
pub fn places(life: &Lifecycle, group: &Group, place: usize, found: &mut Found) {
    for carried in &group.objects {
        let object = &carried.object;
        found
            .related
            .push((Spot::expr(life, object.site.call), format!("the `{}` is made here", object.class())));
        found.names.push(object.class().to_owned());
        found.names.push(object.site.gives.to_string());
        found.names.push(object.site.path.to_string());
        found
            .names
            .extend(keeper(life, object).map(|name| name.rsplit('.').next().unwrap_or(&name).to_owned()));
        found.functions.push(object.site.function);
        found.functions.extend(object.touches.iter().map(|touch| touch.function));
        if let Some((_, at)) = carried.again
            && at != spoken(group, place)
        {
            found.related.push((Spot::expr(life, at), "this makes it run again".to_owned()));
        }
    }
    for (index, started) in group.runs.iter().enumerate() {
        if let Some(inside) = &started.inside {
            let spot = Spot::expr(life, inside.call);
            if inside.call != spoken(group, place) && !found.related.iter().any(|(known, _)| *known == spot) {
                found.related.push((spot, "the loop is started here".to_owned()));
            }
            found.functions.push(inside.function);
        }
        if index != place {
            found
                .related
                .push((Spot::expr(life, started.run.call), "it is used under this run too".to_owned()));
        }
        found.functions.push(started.run.function);
        found.functions.extend(started.run.coroutines.iter().copied());
    }
    found.functions.sort_unstable();
    found.functions.dedup();
    found.names.sort();
    found.names.dedup();
    found.related.dedup();
}
