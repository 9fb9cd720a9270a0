//! Objects and the runs that they are carried between, joined where they meet.

use std::collections::BTreeSet;

use loopmend_python::lifecycle::{ClassRef, ExprRef, FunctionRef, Kind, Lifecycle, Root, RunKind, Value};
use rayon::prelude::*;

use super::lifespan::{Owner, Repetition, repetition};
use super::object::Object;
use super::process::Meeting;
use super::runs::{LoopId, Started, started};

/// One object with the runs that it is carried between.
#[derive(Clone, Debug)]
pub struct Carried {
    /// The object.
    pub object: Object,
    /// The runs, by their place in the group's list.
    pub runs: BTreeSet<usize>,
    /// The run that happens again while the object lives, and what repeats it.
    pub again: Option<(usize, ExprRef)>,
    /// Runs that only end it.
    pub closing: BTreeSet<usize>,
    /// It needs a guess.
    pub doubtful: bool,
}

/// Objects that share runs.
#[derive(Clone, Debug)]
pub struct Group {
    /// The objects.
    pub objects: Vec<Carried>,
    /// The runs, in the order of files and text.
    pub runs: Vec<Started>,
}

impl Group {
    /// Whether it has both runs of a fresh loop and runs of a loop that stays.
    pub fn mixed(&self) -> bool {
        let kinds: BTreeSet<RunKind> = self.runs.iter().map(|started| started.run.kind).collect();
        kinds.contains(&RunKind::Fresh) && kinds.contains(&RunKind::OnLoop)
    }

    /// The run that happens again, by its place.
    pub fn again(&self) -> Option<usize> {
        self.objects.iter().find_map(|carried| carried.again).map(|(index, _)| index)
    }

    /// Whether a server runs one of its loops.
    pub fn serves(&self) -> bool {
        self.runs.iter().any(Started::serves)
    }

    /// Whether all objects are only guessed to be carried.
    pub fn doubtful(&self) -> bool {
        self.objects.iter().all(|carried| carried.doubtful)
    }

    /// Whether all that later runs do is end the objects.
    pub fn only_closed(&self) -> bool {
        self.objects.iter().all(|carried| {
            carried.again.is_none()
                && carried.runs.len() - carried.closing.len() <= 1
                && !carried.closing.is_empty()
        })
    }

    /// The one function that all its runs stand in.
    pub fn function(&self) -> Option<FunctionRef> {
        let first = self.runs.first()?.run.function;
        self.runs.iter().all(|started| started.run.function == first).then_some(first)
    }
}

/// All objects of the tree that are carried from one run to another, grouped.
pub fn carried(life: &Lifecycle) -> Vec<Group> {
    struct Kept(Vec<Group>);
    life.once(|life| Kept(find(life))).0.clone()
}

fn find(life: &Lifecycle) -> Vec<Group> {
    let breaks = |site: &&loopmend_python::lifecycle::Site| {
        life.resource(site).is_some_and(loopmend_python::catalogue::Resource::breaks_in_second_run)
    };
    if life.runs().is_empty() || !life.sites().iter().any(|site| breaks(&site)) {
        return Vec::new();
    }
    let runs = started(life);
    if runs.is_empty() {
        return Vec::new();
    }
    let sites = life.sites().par_iter().filter(breaks);
    let sites = sites.filter(|site| !super::process::in_tests(life, site.function));
    let found = sites.filter_map(|site| judge(life, Object::of(life, site)?, &runs)).collect();
    join(found, &runs)
}

/// Whether an object is carried between runs.
fn judge(life: &Lifecycle, object: Object, runs: &[Started]) -> Option<Carried> {
    // What a server's framework calls runs under the server's loop.
    let served = runs.iter().any(Started::serves)
        && object.touches.iter().any(|touch| {
            life.facts(touch.function.file).function(touch.function.id).is_async
                && served(life, touch.function)
        });
    let uses = |run: &Started| {
        run.serves() && served || object.touches.iter().any(|touch| run.holds(life, touch.expr))
    };
    let makes = |run: &Started| run.holds(life, object.site.call);
    let using: BTreeSet<usize> = (0..runs.len()).filter(|&index| uses(&runs[index])).collect();
    let making: BTreeSet<usize> = (0..runs.len()).filter(|&index| makes(&runs[index])).collect();
    if using.is_empty() {
        return None;
    }
    // A run that ends it, so that the next use has a new one, leaves nothing behind.
    let ends = |index: usize| !object.renewed_by.is_disjoint(&runs[index].reach);
    // Every run makes its own, unless it only looks for one that is there.
    let own = |index: &usize| making.contains(index) && !object.guarded;
    let all: Vec<usize> = using.union(&making).copied().collect();
    let pairs = all.iter().enumerate().any(|(place, left)| {
        all[place + 1..].iter().any(|right| {
            runs[*left].id != runs[*right].id
                && !(own(left) && own(right))
                && runs[*left].process.meets(&runs[*right].process) != Meeting::Never
        })
    });
    // No owner lives longer than the process: what is not repeated in that is not repeated.
    let repeats = |&index: &usize| {
        !own(&index)
            && !ends(index)
            && runs[index]
                .birth()
                .is_some_and(|birth| repetition(life, birth, Owner::Process) != Repetition::Once)
    };
    if !pairs && !all.iter().any(repeats) {
        return None;
    }
    let mut together = BTreeSet::new();
    let mut again = None;
    let mut doubtful = true;
    for (owner, instance) in object.owners(life) {
        if let Owner::Function(function, _) = owner
            && life.facts(function.file).function(function.id).is_async
        {
            continue;
        }
        let mine: BTreeSet<usize> = match instance {
            Some(instance) => {
                let flow = life.flow_of(instance);
                // Its own methods may start the run, around `self`.
                let methods = class_of(life, instance);
                all.iter()
                    .copied()
                    .filter(|&index| {
                        let function = runs[index].run.function;
                        let of = life.facts(function.file).function(function.id);
                        of.class.is_some_and(|id| methods.contains(&ClassRef { file: function.file, id }))
                            || flow.uses.iter().any(|at| runs[index].holds(life, at.expr))
                    })
                    .collect()
            }
            None => all.iter().copied().collect(),
        };
        let shared: Vec<usize> =
            mine.iter().copied().filter(|index| !own(index) || making.len() < mine.len()).collect();
        for (place, &left) in shared.iter().enumerate() {
            for &right in &shared[place + 1..] {
                // A server is the last to run.
                let apart = own(&left) && own(&right)
                    || (ends(left) || runs[left].serves()) && (ends(right) || runs[right].serves());
                if apart || runs[left].id == runs[right].id {
                    continue;
                }
                if life.exclusive(&[runs[left].run.call, runs[right].run.call]) {
                    continue;
                }
                match runs[left].process.meets(&runs[right].process) {
                    Meeting::Sure => doubtful = false,
                    Meeting::Perhaps => {}
                    Meeting::Never => continue,
                }
                together.extend([left, right]);
            }
        }
        for &index in &mine {
            if own(&index) || ends(index) {
                continue;
            }
            let Some(birth) = runs[index].birth() else { continue };
            match repetition(life, birth, owner) {
                Repetition::Many(at) => {
                    doubtful = owner == Owner::Unknown && doubtful;
                    together.insert(index);
                    again = again.or(Some((index, at)));
                }
                Repetition::Unknown if owner == Owner::Process || owner == Owner::Unknown => {
                    together.insert(index);
                    again = again.or(Some((index, birth)));
                }
                _ => {}
            }
        }
    }
    if together.is_empty() {
        return None;
    }
    let closing = together
        .iter()
        .copied()
        .filter(|&index| {
            let mut touched =
                object.touches.iter().filter(|touch| runs[index].holds(life, touch.expr)).peekable();
            touched.peek().is_some() && touched.all(|touch| touch.close)
        })
        .collect();
    let late = object.primitive && life.settings().python.min.is_none_or(|min| min >= (3, 10));
    Some(Carried { doubtful: doubtful || late, object, runs: together, again, closing })
}

/// Whether a framework that serves calls a function.
fn served(life: &Lifecycle, function: FunctionRef) -> bool {
    life.roots(function).iter().any(|root| match root {
        Root::Framework(_, at) => !super::process::is_command(life, *at),
        _ => false,
    })
}

/// The class that an expression makes an object of, with its bases.
fn class_of(life: &Lifecycle, instance: ExprRef) -> BTreeSet<ClassRef> {
    life.infer(instance)
        .iter()
        .filter_map(|value| match value {
            Value::Instance(Kind::Class(class), _) => Some(life.ancestry(*class).inside.clone()),
            _ => None,
        })
        .flatten()
        .collect()
}

/// Joins objects that share a run, those that are sure apart from those that are guessed.
fn join(found: Vec<Carried>, runs: &[Started]) -> Vec<Group> {
    let mut sets: Vec<(BTreeSet<usize>, Vec<Carried>)> = Vec::new();
    for carried in found {
        let mut all = carried.runs.clone();
        let mut list = vec![carried];
        let mut rest = Vec::new();
        for (set, objects) in sets {
            if objects[0].doubtful == list[0].doubtful && !set.is_disjoint(&all) {
                all.extend(set);
                list.splice(0..0, objects);
            } else {
                rest.push((set, objects));
            }
        }
        rest.push((all, list));
        sets = rest;
    }
    let mut groups: Vec<Group> = sets
        .into_iter()
        .map(|(set, mut objects)| {
            let order: Vec<usize> = set.into_iter().collect();
            let place = |index: usize| order.iter().position(|&at| at == index).unwrap_or(0);
            for carried in &mut objects {
                carried.runs = carried.runs.iter().map(|&index| place(index)).collect();
                carried.closing = carried.closing.iter().map(|&index| place(index)).collect();
                carried.again = carried.again.map(|(index, at)| (place(index), at));
            }
            objects.sort_by_key(|carried| carried.object.site.call);
            Group { objects, runs: order.iter().map(|&index| runs[index].clone()).collect() }
        })
        .collect();
    groups.sort_by_key(|group| group.runs.first().map(|started| started.run.call));
    // A guess about runs that a sure finding names adds nothing.
    let sure: BTreeSet<LoopId> = groups
        .iter()
        .filter(|group| !group.doubtful())
        .flat_map(|group| group.runs.iter().map(|run| run.id))
        .collect();
    groups.retain(|group| !group.doubtful() || !group.runs.iter().all(|run| sure.contains(&run.id)));
    groups
}
