//! How long an object is kept, and how often a place runs meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::RwLock;

use loopmend_python::facts::StmtKind;
use loopmend_python::lifecycle::{
    CallSite, ClassRef, ExprRef, Flow, FunctionRef, Lifecycle, Origin, Place, UseKind,
};

use super::process::{Process, in_tests, is_command};

const DEPTH: u8 = 5;
/// A class that more others inherit from is a framework's: nobody makes its objects in one place.
const HEIRS: usize = 60;

/// What keeps an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// The process: a global, a class, a cache, an application's state.
    Process,
    /// One call of this function, from this expression on.
    Function(FunctionRef, ExprRef),
    /// An object that nothing in the tree makes.
    Unknown,
}

/// How often a place runs while an owner lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repetition {
    /// Once.
    Once,
    /// Again and again, because of this expression.
    Many(ExprRef),
    /// Nothing in the tree calls it.
    Unknown,
}

/// Each instance of an owner, with the expression that makes it where it is an object of the tree's class.
pub fn owners(life: &Lifecycle, made: ExprRef, flow: &Flow) -> Vec<(Owner, Option<ExprRef>)> {
    let mut found = Vec::new();
    owners_within(life, made, flow, DEPTH, None, &mut found);
    found.sort_unstable();
    found.dedup();
    if found.iter().any(|(owner, _)| *owner != Owner::Unknown) {
        found.retain(|(owner, _)| *owner != Owner::Unknown);
    }
    found
}

fn owners_within(
    life: &Lifecycle,
    made: ExprRef,
    flow: &Flow,
    depth: u8,
    instance: Option<ExprRef>,
    found: &mut Vec<(Owner, Option<ExprRef>)>,
) {
    let facts = life.facts(made.file);
    let function = FunctionRef { file: made.file, id: facts.function_of(made.id) };
    let process = flow.places.iter().any(|place| matches!(place, Place::Global(..) | Place::Loose(..)));
    if function.is_module() || process || depth == 0 {
        found.push((Owner::Process, instance));
        return;
    }
    let mut kept = false;
    for place in &flow.places {
        if let Place::Attribute(class, _) = place {
            kept = true;
            instances(life, *class, depth, instance, found);
        }
    }
    if !kept {
        let mut seen = BTreeSet::new();
        for owner in tops(life, made, flow, &mut seen) {
            found.push((owner, instance));
        }
    }
}

/// Owners, each with the expression that makes it where it is an object of the tree's class.
type Owners = Vec<(Owner, Option<ExprRef>)>;

/// Owners of a class's objects that were found before, by how far they were looked for.
#[derive(Default)]
struct Known(RwLock<BTreeMap<(ClassRef, u8), Owners>>);

fn instances(
    life: &Lifecycle,
    class: ClassRef,
    depth: u8,
    outer: Option<ExprRef>,
    found: &mut Vec<(Owner, Option<ExprRef>)>,
) {
    let known = life.once(|_| Known::default());
    let kept = known.0.read().expect("no holder panics").get(&(class, depth)).cloned();
    let all = kept.unwrap_or_else(|| {
        let mut all = Vec::new();
        find_instances(life, class, depth, &mut all);
        all.sort_unstable();
        all.dedup();
        known.0.write().expect("no holder panics").insert((class, depth), all.clone());
        all
    });
    found.extend(all.into_iter().map(|(owner, instance)| (owner, outer.or(instance))));
}

fn find_instances(life: &Lifecycle, class: ClassRef, depth: u8, found: &mut Vec<(Owner, Option<ExprRef>)>) {
    let heirs = life.heirs(class);
    if heirs.len() > HEIRS {
        found.push((Owner::Unknown, None));
        return;
    }
    let mut any = false;
    for &heir in heirs.iter() {
        for call in life.flow(Origin::Class(heir), false).calls() {
            let function = FunctionRef { file: call.file, id: life.facts(call.file).function_of(call.id) };
            if in_tests(life, function) {
                continue;
            }
            any = true;
            let flow = life.flow_of(call);
            owners_within(life, call, &flow, depth - 1, Some(call), found);
        }
    }
    if !any {
        found.push((Owner::Unknown, None));
    }
}

/// The calls whose end ends the object, where it is handed up by `return`.
fn tops(life: &Lifecycle, made: ExprRef, flow: &Flow, seen: &mut BTreeSet<FunctionRef>) -> Vec<Owner> {
    let facts = life.facts(made.file);
    let function = FunctionRef { file: made.file, id: facts.function_of(made.id) };
    let returned = flow.uses.iter().any(|at| at.kind == UseKind::Returned(function));
    if !returned || !seen.insert(function) {
        return vec![Owner::Function(function, made)];
    }
    if life.decorated(function, &["lru_cache", "cache", "cached_property", "cached", "alru_cache"]) {
        return vec![Owner::Process];
    }
    let mut found = Vec::new();
    for CallSite { call, .. } in life.call_sites(function) {
        // What a run gives back belongs to the function that runs it.
        let outer = life.run_around(call).map_or(call, |index| life.runs()[index].call);
        found.extend(tops(life, outer, flow, seen));
    }
    if found.is_empty() { vec![Owner::Function(function, made)] } else { found }
}

/// How often an expression runs while the owner lives.
pub fn repetition(life: &Lifecycle, at: ExprRef, owner: Owner) -> Repetition {
    repeated(life, at, owner, &mut BTreeSet::new())
}

fn repeated(life: &Lifecycle, at: ExprRef, owner: Owner, seen: &mut BTreeSet<FunctionRef>) -> Repetition {
    let facts = life.facts(at.file);
    let function = FunctionRef { file: at.file, id: facts.function_of(at.id) };
    let owned_here = match owner {
        Owner::Function(of, made) if of == function => Some(made),
        _ => None,
    };
    if life.in_loop(at) && owned_here.is_none_or(|made| !shares_loop(life, at, made)) {
        return Repetition::Many(at);
    }
    if owned_here.is_some() || function.is_module() || !seen.insert(function) {
        return Repetition::Once;
    }
    let of = facts.function(function.id);
    let mut command = false;
    for &decorator in &of.decorators {
        let decorator = ExprRef { file: function.file, id: decorator };
        if is_command(life, decorator) {
            command = true;
        } else if life.registers(decorator) {
            return Repetition::Many(decorator);
        }
    }
    if command {
        return Repetition::Once;
    }
    // A cloud function is called once for each event.
    if let [event, context, ..] = &*of.params
        && event.name == "event"
        && context.name == "context"
        && of.class.is_none()
    {
        return Repetition::Many(at);
    }
    let mut callers: Vec<ExprRef> = life.call_sites(function).into_iter().map(|site| site.call).collect();
    let mut unknown = true;
    for used in &life.flow(Origin::Function(function), false).uses {
        match used.kind {
            UseKind::Called(call) if !callers.contains(&call) => callers.push(call),
            UseKind::Argument { call, .. } => {
                let paths = life.callee_paths(call);
                let last = life.called_name(call);
                // Each process is one of its own, with all that its module keeps.
                if last.is_some_and(|name| name.rsplit('.').next() == Some("Process")) {
                    unknown = false;
                    continue;
                }
                if life.run_at(call).is_some()
                    || paths.iter().any(|path| {
                        matches!(
                            path.rsplit('.').next(),
                            Some("register" | "signal" | "Thread" | "Timer" | "partial" | "wraps")
                        )
                    })
                {
                    unknown = false;
                } else if !in_tests(
                    life,
                    FunctionRef { file: call.file, id: life.facts(call.file).function_of(call.id) },
                ) {
                    return Repetition::Many(call);
                }
            }
            _ => {}
        }
    }
    callers.retain(|call| {
        !in_tests(life, FunctionRef { file: call.file, id: life.facts(call.file).function_of(call.id) })
    });
    callers.sort_unstable();
    for (index, &left) in callers.iter().enumerate() {
        for &right in &callers[index + 1..] {
            if !life.exclusive(&[left, right]) && meet(life, left, right) {
                return Repetition::Many(right);
            }
        }
    }
    for &caller in &callers {
        match repeated(life, caller, owner, seen) {
            Repetition::Many(at) => return Repetition::Many(at),
            Repetition::Once => unknown = false,
            Repetition::Unknown => {}
        }
    }
    if unknown { Repetition::Unknown } else { Repetition::Once }
}

fn meet(life: &Lifecycle, left: ExprRef, right: ExprRef) -> bool {
    let process = |at: ExprRef| {
        let function = FunctionRef { file: at.file, id: life.facts(at.file).function_of(at.id) };
        Process::of(life, &life.roots(function))
    };
    process(left).meets(&process(right)) == super::process::Meeting::Sure
}

/// Whether the innermost loop around a place has the other one in its body too.
fn shares_loop(life: &Lifecycle, at: ExprRef, made: ExprRef) -> bool {
    let facts = life.facts(at.file);
    let Some(stmt) = facts.stmt_of(at.id) else { return false };
    let range = facts.expr(made.id).range;
    facts
        .ancestors(stmt)
        .find(|(outer, _)| matches!(facts.stmt(*outer).kind, StmtKind::For { .. } | StmtKind::While { .. }))
        .is_some_and(|(outer, _)| facts.stmt(outer).range.contains_range(range))
}
