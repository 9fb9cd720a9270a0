//! Which way a group of carried objects is mended.

use loopmend_python::facts::StmtKind;
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Place};

use super::closer::{After, Closer, closer, method};
use super::per_call;
use crate::carried::{Group, Object, Owner, Repetition, repetition};
use crate::one_run::{Endings, Hoist, Region, merge};
use crate::{Declined, Mend};

/// One run for all the steps, where they stand in one function; else each run gets objects of its own.
pub fn mend(life: &Lifecycle, group: &Group) -> Result<Mend, Declined> {
    merged(life, group).or_else(|merged| {
        per_call::mend(life, group).map_err(|own| if group.again().is_some() { own } else { merged })
    })
}

/// One run for all the steps.
pub fn merged(life: &Lifecycle, group: &Group) -> Result<Mend, Declined> {
    if group.serves() {
        return Err(Declined::because(
            "a server runs the second loop: make what it uses in its lifespan, and what the first run uses inside that run",
        ));
    }
    let mut calls: Vec<ExprRef> = group.runs.iter().map(|started| started.run.call).collect();
    let (function, hoist) = match group.function() {
        Some(function) => (function, Hoist::default()),
        None => {
            let functions: Vec<FunctionRef> = group.runs.iter().map(|started| started.run.function).collect();
            let (target, hoist) = Hoist::common(life, &functions).ok_or_else(|| {
                Declined::because(
                    "the runs stand in several functions: make these coroutines, await them in turn from one, and run that once",
                )
            })?;
            calls.retain(|call| life.facts(call.file).function_of(call.id) == target.id);
            calls.extend(hoist.calls_in(life, target).iter().map(|run| run.call));
            (target, hoist)
        }
    };
    let mut owned = Vec::new();
    for carried in &group.objects {
        for (owner, _) in &carried.object.owners(life) {
            match owner {
                Owner::Function(of, made) if *of == function => owned.push(*made),
                // What outlives the function must not meet it twice.
                _ => {
                    if let Repetition::Many(_) = repeats(life, function, *owner) {
                        return Err(Declined::because(
                            "the function that starts the runs is called again and again: make what it uses inside the coroutine with `async with`",
                        ));
                    }
                }
            }
        }
    }
    let region = Region::around(life, function, &calls, &owned, &hoist)?;
    if let [only] = region.runs.as_slice()
        && !region.repeats(life, only.call)
    {
        return Err(Declined::because(
            "the function has one run, which others call again: make what it uses inside the coroutine with `async with`",
        ));
    }
    merge(life, &region, &endings(life, group, &region))
}

/// How often a function is called while an owner lives.
fn repeats(life: &Lifecycle, function: FunctionRef, owner: Owner) -> Repetition {
    let facts = life.facts(function.file);
    let Some(&first) = facts.function(function.id).body.first() else { return Repetition::Once };
    let mut at = None;
    facts.stmt(first).exprs(&mut |expr| at = at.or(Some(expr)));
    // The first statement of the body stands in no loop of the function.
    at.map_or(Repetition::Once, |id| repetition(life, ExprRef { file: function.file, id }, owner))
}

fn endings(life: &Lifecycle, group: &Group, region: &Region) -> Endings {
    let facts = life.facts(region.file);
    let closes = |call: ExprRef| {
        let below = region.runs.iter().find(|run| run.call == call).map_or(&[][..], |run| &run.coroutines);
        let mut involved = group
            .runs
            .iter()
            .enumerate()
            .filter(|(_, started)| started.run.call == call || below.contains(&started.run.function))
            .peekable();
        involved.peek().is_some()
            && involved.all(|(place, started)| {
                let mut touching = group.objects.iter().filter(|carried| {
                    carried.object.touches.iter().any(|touch| started.holds(life, touch.expr))
                });
                touching.clone().next().is_some() && touching.all(|carried| carried.closing.contains(&place))
            })
    };
    let closing = region
        .stmts
        .iter()
        .copied()
        .filter(|&stmt| match facts.stmt(stmt).kind {
            StmtKind::Expr(value) => closes(ExprRef { file: region.file, id: value }),
            _ => false,
        })
        .collect();
    let opening = region.stmts.iter().copied().rev().find(|&stmt| {
        let range = facts.stmt(stmt).range;
        group.objects.iter().any(|carried| {
            let site = carried.object.site.call;
            site.file == region.file && range.contains_range(facts.expr(site.id).range)
                || !carried.object.guarded
                    && matches!(
                        facts.stmt(stmt).kind,
                        StmtKind::Expr(_) | StmtKind::Assign { .. } | StmtKind::AnnAssign { .. }
                    )
                    && region.runs.iter().any(|run| {
                        range.contains_range(facts.expr(run.call.id).range)
                            && run.coroutines.iter().any(|&coroutine| {
                                life.reachable(coroutine).contains(&carried.object.site.function)
                            })
                    })
        })
    });
    let mut endings = Endings { closing, opening, ..Endings::default() };
    for carried in &group.objects {
        let object = &carried.object;
        let ended = object.touches.iter().any(|touch| touch.close) || entered(life, object);
        if !ended
            && let Ok(closer) = local(life, object, region)
                .or_else(|| held(life, object, region))
                .map_or_else(|| closer(life, object, region.file, After::Gone), Ok)
        {
            endings.lines.push(closer.line);
            endings.imports.extend(closer.import);
            endings.edits.extend(closer.edits);
            endings.added.extend(closer.added);
        }
    }
    endings
}

/// A local of the function that holds the object, ended by its name.
pub fn local(life: &Lifecycle, object: &Object, region: &Region) -> Option<Closer> {
    let name = object.places.iter().find_map(|place| match place {
        Place::Local(function, name) if *function == region.function => Some(name),
        _ => None,
    })?;
    let kept = object
        .places
        .iter()
        .any(|place| matches!(place, Place::Global(..) | Place::Attribute(..) | Place::Loose(..)));
    if kept {
        return None;
    }
    let close = method(life, life.resource(&object.site)?)?;
    let wait = if close.awaited { "await " } else { "" };
    Some(Closer {
        line: format!("{wait}{name}.{}()", close.method),
        import: None,
        edits: None,
        added: vec![close.method],
    })
}

/// A public attribute of an object that a name of the region's scope holds: `await store.pool.close()`.
fn held(life: &Lifecycle, object: &Object, region: &Region) -> Option<Closer> {
    let attribute = object.places.iter().find_map(|place| match place {
        Place::Attribute(_, name) if !name.starts_with('_') => Some(name),
        _ => None,
    })?;
    let [(_, Some(instance))] = object.owners(life)[..] else { return None };
    let flow = life.flow_of(instance);
    let name = flow.places.iter().find_map(|place| match place {
        Place::Local(function, name) if *function == region.function => Some(name),
        Place::Global(file, name) if *file == region.file => Some(name),
        _ => None,
    })?;
    // Made by one of the steps, so that it is there when they end.
    let made = region.runs.iter().any(|run| {
        run.coroutines.iter().any(|&coroutine| life.reachable(coroutine).contains(&object.site.function))
    });
    if !made || object.guarded {
        return None;
    }
    let close = method(life, life.resource(&object.site)?)?;
    let wait = if close.awaited { "await " } else { "" };
    let line = format!("{wait}{name}.{attribute}.{}()", close.method);
    Some(Closer { line, import: None, edits: None, added: vec![close.method] })
}

/// Whether the object itself is used as a context manager.
pub fn entered(life: &Lifecycle, object: &Object) -> bool {
    object.touches.iter().any(|touch| {
        let facts = life.facts(touch.expr.file);
        !touch.derived
            && facts.stmt_of(touch.expr.id).is_some_and(|stmt| match &facts.stmt(stmt).kind {
                StmtKind::With { items, .. } => items.iter().any(|item| item.context == touch.expr.id),
                _ => false,
            })
    })
}
