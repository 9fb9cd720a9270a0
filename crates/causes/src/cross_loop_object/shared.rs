//! Objects that are used under two loops which live at the same time.

use std::collections::BTreeSet;

use loopmend_python::facts::{ExprKind, ParameterKind};
use loopmend_python::lifecycle::{
    Argument, ExprRef, Flow, FunctionRef, Lifecycle, Origin, Root, Site, UseKind, Value,
};

use super::threaded::{Threaded, keyword};
use crate::carried::{Object, breaks, in_tests};

/// One object that a thread's loop and another one use.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The object.
    pub object: Object,
    /// Where it is used under the thread's loop.
    pub here: Vec<ExprRef>,
    /// Where it is used under another.
    pub there: Vec<ExprRef>,
    /// The runs of the other loops, by their place in the tree's list; none for a server's.
    pub others: BTreeSet<usize>,
    /// It needs a guess.
    pub doubtful: bool,
}

/// The object of a site, with all that is done with it in threads too.
pub fn followed(life: &Lifecycle, site: &Site) -> Option<(Object, Vec<ExprRef>)> {
    let resource = breaks(life, site).filter(|_| !in_tests(life, site.function))?;
    let object = Object::followed(life, site, resource);
    let mut uses: Vec<ExprRef> = object.touches.iter().map(|touch| touch.expr).collect();
    let mut seen = BTreeSet::new();
    let mut flows = vec![life.flow_of(site.call)];
    while let Some(flow) = flows.pop() {
        for (function, index) in handed(life, &flow, site.call) {
            if seen.insert((function, index)) {
                let inner = life.flow(Origin::Parameter(function, index), false);
                uses.extend(inner.uses.iter().filter(|at| counts(&at.kind)).map(|at| at.expr));
                flows.push(inner);
            }
        }
    }
    uses.sort_unstable();
    uses.dedup();
    Some((object, uses))
}

fn counts(kind: &UseKind) -> bool {
    matches!(
        kind,
        UseKind::Method { .. }
            | UseKind::Attribute { .. }
            | UseKind::Entered { .. }
            | UseKind::Awaited(_)
            | UseKind::Called(_)
            | UseKind::Iterated(_)
            | UseKind::Argument { .. }
    )
}

/// The parameters of thread functions that an object is given for.
fn handed(life: &Lifecycle, flow: &Flow, made: ExprRef) -> Vec<(FunctionRef, u32)> {
    let mut found = Vec::new();
    for at in &flow.uses {
        let UseKind::Argument { call, argument, .. } = &at.kind else { continue };
        let skipped = match life.called_name(*call).as_deref() {
            Some("Thread") => None,
            Some("to_thread" | "submit") => Some(1),
            Some("run_in_executor") => Some(2),
            _ => continue,
        };
        let Some(target) = target(life, *call) else { continue };
        let place = match (skipped, argument) {
            (Some(skipped), Argument::Position(place)) => place.checked_sub(skipped),
            (None, _) => keyword(life, *call, "args").and_then(|args| item(life, args, made)),
            _ => None,
        };
        let Some(place) = place else { continue };
        for value in life.infer(target).iter() {
            let (function, bound) = match value {
                Value::Function(function) => (*function, 0),
                Value::Bound(function, _) => (*function, 1),
                _ => continue,
            };
            let of = life.facts(function.file).function(function.id);
            let index = place + bound;
            let plain = of.params.get(index).is_some_and(|param| {
                matches!(param.kind, ParameterKind::Positional | ParameterKind::PositionalOnly)
            });
            if plain {
                found.push((function, u32::try_from(index).unwrap_or(u32::MAX)));
            }
        }
    }
    found
}

/// What a call hands to a thread.
pub fn target(life: &Lifecycle, call: ExprRef) -> Option<ExprRef> {
    let ExprKind::Call { args, .. } = &life.facts(call.file).expr(call.id).kind else { return None };
    let place = match life.called_name(call).as_deref()? {
        "Thread" => return keyword(life, call, "target"),
        "run_in_executor" => 1,
        _ => 0,
    };
    args.get(place).map(|&id| call.with(id))
}

/// The place of an object in a tuple or list that is written.
fn item(life: &Lifecycle, list: ExprRef, made: ExprRef) -> Option<usize> {
    let facts = life.facts(list.file);
    let (ExprKind::Tuple(items) | ExprKind::List(items)) = &facts.expr(list.id).kind else { return None };
    items.iter().position(|&item| {
        list.with(item) == made || life.infer(list.with(item)).iter().any(|value| value.site() == Some(made))
    })
}

/// The uses under a thread's loop and under others, where there are both.
pub fn judge(
    life: &Lifecycle,
    object: &Object,
    uses: &[ExprRef],
    threads: &[Threaded],
    place: usize,
) -> Option<Shared> {
    let own = &threads[place];
    let here: Vec<ExprRef> = uses.iter().copied().filter(|&at| own.holds(life, at)).collect();
    // Made under the thread's loop, each run has its own.
    if here.is_empty() || own.holds(life, object.site.call) && !object.guarded {
        return None;
    }
    let mut there = Vec::new();
    let mut others = BTreeSet::new();
    let mut doubtful = true;
    for (index, other) in threads.iter().enumerate() {
        if index == place || other.holds(life, object.site.call) && !object.guarded {
            continue;
        }
        if let Some(&at) = uses.iter().find(|&&at| other.holds(life, at)) {
            there.push(at);
            doubtful = false;
        }
    }
    for &at in uses {
        let facts = life.facts(at.file);
        let function = FunctionRef { file: at.file, id: facts.function_of(at.id) };
        let mut roots =
            if facts.function(function.id).is_async { life.roots(function) } else { BTreeSet::new() };
        // Given to a run where it is written: `asyncio.run(serve(queue))`.
        if let Some(index) = life.run_around(at) {
            roots.insert(Root::Run(index));
        }
        for root in roots {
            match root {
                Root::Run(index)
                    if threads.iter().all(|thread| thread.run.call != life.runs()[index].call)
                        && !in_tests(life, life.runs()[index].function) =>
                {
                    others.insert(index);
                    there.push(at);
                    doubtful = false;
                }
                Root::Framework(..) if !own.holds(life, at) => {
                    there.push(at);
                    doubtful = false;
                }
                _ => {}
            }
        }
    }
    // The same run in several threads.
    for &start in &own.starts {
        if life.in_loop(start) || own.starts.len() > 1 {
            there.push(start);
            doubtful = false;
        }
    }
    there.sort_unstable();
    there.dedup();
    (!there.is_empty()).then(|| Shared { object: object.clone(), here, there, others, doubtful })
}
