//! The rules of the ranking. Each asks one thing of a finding and the evidence, and gives points with a reason in words.

use loopmend_causes::{Found, cause};
use loopmend_model::SubjectKind;
use loopmend_python::facts::{FunctionId, TextSize};
use loopmend_python::lifecycle::{FunctionRef, Lifecycle};

use crate::{Evidence, Symptoms};

/// What a rule gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Points {
    /// How much it speaks for the finding.
    pub points: u32,
    /// It names the place, and not only the kind of trouble.
    pub place: bool,
    /// Why, in words.
    pub reason: String,
}

type Rule = fn(&Lifecycle, &Evidence<'_>, &Found, &dyn Symptoms) -> Option<Points>;

/// All rules, in the order in which their reasons are told.
pub const RULES: &[Rule] = &[
    symptom,
    unclosed,
    creation,
    subject_place,
    subject_name,
    nearest_frame,
    handler,
    other_frame,
    exact_line,
    fixture,
];

/// The symptom is one that this cause produces.
pub(crate) fn symptom(
    _: &Lifecycle,
    evidence: &Evidence<'_>,
    found: &Found,
    symptoms: &dyn Symptoms,
) -> Option<Points> {
    let known: &[&str] = match (&found.symptoms[..], cause(found.cause)) {
        ([], Some(of)) => of.page().symptoms,
        (own, _) => own,
    };
    let mut best: Option<(u32, String)> = None;
    for (number, symptom) in evidence.incident.symptoms.iter().enumerate() {
        let listed = symptoms.causes(symptom).iter().position(|slug| *slug == found.cause);
        let own = known.contains(&symptom.as_str());
        let points = match (listed, own) {
            (Some(place), true) => 46u32.saturating_sub(place as u32 * 2),
            (Some(place), false) => 40u32.saturating_sub(place as u32 * 3),
            (None, true) => 34,
            (None, false) => continue,
        };
        let points = points
            .saturating_sub(number as u32 * 2)
            .saturating_sub(if symptoms.general(symptom) { 12 } else { 0 })
            .max(6);
        if best.as_ref().is_none_or(|(known, _)| *known < points) {
            let message = evidence.incident.messages.get(number).cloned().unwrap_or_else(|| symptom.clone());
            best = Some((points, format!("it can print `{}`", shorten(&message))));
        }
    }
    best.map(|(points, reason)| Points { points, place: false, reason })
}

/// What is printed is what an object of this class prints when it is left open.
fn unclosed(life: &Lifecycle, evidence: &Evidence<'_>, found: &Found, _: &dyn Symptoms) -> Option<Points> {
    let (class, says) = found.names.iter().find_map(|name| {
        let resource = life.catalogue().class(name)?;
        Some((name, resource.unclosed_says.as_str()))
    })?;
    let pieces: Vec<&str> = says
        .split(['…', ';', '('])
        .map(|piece| piece.trim().trim_start_matches("ResourceWarning: "))
        .filter(|piece| piece.len() >= LEAST)
        .collect();
    let told = |piece: &&str| {
        let incident = evidence.incident;
        incident.messages.iter().any(|message| message.contains(piece))
            || incident.exceptions.iter().any(|raised| raised.message.contains(piece))
    };
    pieces.iter().any(told).then(|| Points {
        points: 12,
        place: false,
        reason: format!("it is what a `{class}` prints that is left open"),
    })
}

/// Characters that a part of a message needs to be known again.
const LEAST: usize = 12;

/// The creation stack names the place.
fn creation(life: &Lifecycle, evidence: &Evidence<'_>, found: &Found, _: &dyn Symptoms) -> Option<Points> {
    let hit = evidence.created.iter().find(|(function, _)| takes_part(life, found, *function))?;
    Some(Points {
        points: 40,
        place: true,
        reason: format!("the creation stack goes through {}", named(life, hit.0)),
    })
}

/// The task or coroutine of the message is one that takes part.
fn subject_place(
    life: &Lifecycle,
    evidence: &Evidence<'_>,
    found: &Found,
    _: &dyn Symptoms,
) -> Option<Points> {
    let hit = evidence.subjects.iter().find(|(function, _)| takes_part(life, found, *function))?;
    Some(Points {
        points: 40,
        place: true,
        reason: format!("the message names the coroutine {}", named(life, hit.0)),
    })
}

/// The message names a coroutine, class or attribute of the finding.
fn subject_name(
    life: &Lifecycle,
    evidence: &Evidence<'_>,
    found: &Found,
    _: &dyn Symptoms,
) -> Option<Points> {
    for subject in &evidence.incident.subjects {
        if subject.kind == SubjectKind::Fixture {
            continue;
        }
        let by_function =
            matches!(subject.kind, SubjectKind::Task | SubjectKind::Coroutine | SubjectKind::Function)
                && found.functions.iter().any(|function| {
                    life.facts(function.file).function(function.id).qualname
                        == subject.name.replace("<locals>.", "")
                });
        // `Redis.__del__` is told of an object of that class.
        let name = subject.name.strip_suffix(".__del__").unwrap_or(&subject.name);
        let by_name = found.names.iter().any(|known| same_name(known, name));
        if by_function || by_name {
            return Some(Points {
                points: 30,
                place: true,
                reason: format!("the message is about `{}`", subject.name),
            });
        }
    }
    None
}

/// Whether two dotted names are of one thing, each as far as it goes: `aiohttp.ClientSession` and `ClientSession`, but not the
/// `close` of two classes. A class may be printed with another module than it is imported from.
fn same_name(left: &str, right: &str) -> bool {
    let end = |long: &str, short: &str| {
        long.strip_suffix(short).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    let last = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
    let class = |name: &str| name.trim_start_matches('_').starts_with(char::is_uppercase);
    end(left, right) || end(right, left) || (last(left) == last(right) && class(&last(left)))
}

/// The frame of the tree nearest to the error is in a function that takes part.
fn nearest_frame(
    life: &Lifecycle,
    evidence: &Evidence<'_>,
    found: &Found,
    _: &dyn Symptoms,
) -> Option<Points> {
    let (function, _) = evidence.frames.first()?;
    if own_function(life, found) == *function {
        return Some(Points {
            points: 34,
            place: true,
            reason: format!("the error comes out of {}, where it is", named(life, *function)),
        });
    }
    takes_part(life, found, *function).then(|| Points {
        points: 28,
        place: true,
        reason: format!("the error comes out of {}, which takes part", named(life, *function)),
    })
}

/// The line is printed by a handler that runs when a function that takes part runs.
fn handler(life: &Lifecycle, evidence: &Evidence<'_>, found: &Found, _: &dyn Symptoms) -> Option<Points> {
    let function = evidence.handler.as_ref()?.function;
    let runs = takes_part(life, found, function)
        || found.functions.iter().any(|&part| !part.is_module() && life.reachable(part).contains(&function));
    runs.then(|| Points {
        points: 26,
        place: true,
        reason: format!("the line is printed by {}, which runs with it", named(life, function)),
    })
}

/// Another frame of the tree is in a function that takes part.
fn other_frame(life: &Lifecycle, evidence: &Evidence<'_>, found: &Found, _: &dyn Symptoms) -> Option<Points> {
    let hits: Vec<FunctionRef> = evidence
        .frames
        .iter()
        .skip(1)
        .map(|(function, _)| *function)
        .filter(|function| takes_part(life, found, *function))
        .collect();
    let first = hits.first()?;
    let points = 12 + 3 * (hits.len() as u32 - 1).min(3);
    Some(Points {
        points,
        place: true,
        reason: format!("{} is on the way to the error", named(life, *first)),
    })
}

/// A frame stands on one of its own lines.
fn exact_line(life: &Lifecycle, evidence: &Evidence<'_>, found: &Found, _: &dyn Symptoms) -> Option<Points> {
    let spots = std::iter::once(&found.spot).chain(found.related.iter().map(|(spot, _)| spot));
    for spot in spots {
        let facts = life.facts(spot.file);
        let lines = facts.lines.line(spot.range.start())..=facts.lines.line(spot.range.end());
        if let Some((function, line)) = evidence
            .frames
            .iter()
            .chain(&evidence.created)
            .chain(&evidence.subjects)
            .find(|(function, line)| function.file == spot.file && lines.contains(line))
        {
            return Some(Points {
                points: 14,
                place: true,
                reason: format!("line {line} of {} is one of its places", life.facts(function.file).path),
            });
        }
    }
    None
}

/// The test or fixture that the report names takes part.
fn fixture(life: &Lifecycle, evidence: &Evidence<'_>, found: &Found, _: &dyn Symptoms) -> Option<Points> {
    if let Some(name) =
        evidence.named(SubjectKind::Fixture).find(|name| found.names.iter().any(|known| known == name))
    {
        return Some(Points {
            points: 26,
            place: true,
            reason: format!("the report names the fixture `{name}`"),
        });
    }
    let test = evidence.incident.test.as_deref()?;
    let test = test.rsplit("::").next().unwrap_or(test);
    let test = test.split('[').next().unwrap_or(test);
    let test = test.rsplit('.').next().unwrap_or(test);
    let hit =
        found.functions.iter().any(|function| life.facts(function.file).function(function.id).name == test);
    hit.then(|| Points { points: 16, place: true, reason: format!("the test `{test}` takes part") })
}

fn own_function(life: &Lifecycle, found: &Found) -> FunctionRef {
    let facts = life.facts(found.spot.file);
    let id: FunctionId = facts.function_at(found.spot.range.start() + TextSize::new(0));
    FunctionRef { file: found.spot.file, id }
}

fn takes_part(life: &Lifecycle, found: &Found, function: FunctionRef) -> bool {
    if function.is_module() && !found.functions.contains(&function) {
        // The module's own body is on the way to everything: it counts only where the finding is at the top level.
        return own_function(life, found) == function;
    }
    found.functions.contains(&function)
        || own_function(life, found) == function
        || found.related.iter().any(|(spot, _)| {
            spot.file == function.file
                && life.facts(spot.file).function_at(spot.range.start()) == function.id
                && !function.is_module()
        })
}

pub(crate) fn named(life: &Lifecycle, function: FunctionRef) -> String {
    let facts = life.facts(function.file);
    if function.is_module() {
        format!("the top level of {}", facts.path)
    } else {
        format!("`{}` in {}", facts.function(function.id).qualname, facts.path)
    }
}

fn shorten(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    if line.chars().count() > 100 { line.chars().take(99).chain(['…']).collect() } else { line.to_owned() }
}
