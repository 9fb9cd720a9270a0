//! Findings and evidence, joined and ranked.

use loopmend_causes::{Found, cause};
use loopmend_model::{Diagnosis, Incident, Location, Refusal};
use loopmend_python::lifecycle::Lifecycle;

use crate::refuse::{ambiguous, refused_first, unexplained};
use crate::rule::{RULES, symptom};
use crate::stranger::strangers;
use crate::{Evidence, Symptoms};

/// A finding with what the evidence says of it.
#[derive(Clone, Debug)]
pub struct Ranked {
    /// Its place in the list of findings.
    pub index: usize,
    /// How much speaks for it.
    pub points: u32,
    /// The evidence names its place, and not only the kind of trouble.
    pub placed: bool,
    /// Why, in words.
    pub reasons: Vec<String>,
    /// The symptoms that it explains.
    pub symptoms: Vec<String>,
}

/// The answer to a log.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Most likely first.
    pub diagnoses: Vec<Diagnosis>,
    /// The findings that the diagnoses are, by their place in the list of findings.
    pub ranked: Vec<Ranked>,
    /// The answer is to leave the tree alone.
    pub refused: Option<Refusal>,
}

/// Joins incidents with the findings of a tree.
pub fn diagnose(
    life: &Lifecycle,
    incidents: &[Incident],
    found: &[Found],
    symptoms: &dyn Symptoms,
) -> Answer {
    let evidence: Vec<Evidence<'_>> =
        incidents.iter().map(|incident| Evidence::new(life, incident)).collect();
    let judged = judged(life, &evidence);
    let open: Vec<&Incident> = incidents
        .iter()
        .zip(&judged)
        .filter(|(_, refused)| refused.is_none())
        .map(|(incident, _)| incident)
        .collect();
    let ranked = rank(life, &open, found, symptoms);
    if ranked.is_empty() {
        let refused = judged.into_iter().flatten().next().or_else(|| unexplained(life, &evidence, symptoms));
        return Answer { refused, ..Answer::default() };
    }
    let refused = ambiguous(life, &evidence, found, &ranked);
    let diagnoses = ranked.iter().map(|ranked| described(life, &found[ranked.index], ranked)).collect();
    Answer { diagnoses, ranked, refused }
}

/// The same for each incident alone; whose program speaks is judged by all of them.
pub fn diagnose_each(
    life: &Lifecycle,
    incidents: &[Incident],
    found: &[Found],
    symptoms: &dyn Symptoms,
) -> Vec<Answer> {
    let evidence: Vec<Evidence<'_>> =
        incidents.iter().map(|incident| Evidence::new(life, incident)).collect();
    judged(life, &evidence)
        .into_iter()
        .zip(incidents)
        .map(|(refused, incident)| match refused {
            Some(_) => Answer { refused, ..Answer::default() },
            None => diagnose(life, std::slice::from_ref(incident), found, symptoms),
        })
        .collect()
}

/// The incidents that are not refused one by one: neither another program's nor known as ones to leave alone.
pub fn open<'i>(life: &Lifecycle, incidents: &'i [Incident]) -> Vec<&'i Incident> {
    let evidence: Vec<Evidence<'i>> =
        incidents.iter().map(|incident| Evidence::new(life, incident)).collect();
    let judged = judged(life, &evidence);
    incidents
        .iter()
        .zip(judged)
        .filter(|(_, refused)| refused.is_none())
        .map(|(incident, _)| incident)
        .collect()
}

fn judged(life: &Lifecycle, evidence: &[Evidence<'_>]) -> Vec<Option<Refusal>> {
    strangers(evidence)
        .into_iter()
        .zip(evidence)
        .map(|(stranger, evidence)| refused_first(life, evidence.incident).or(stranger))
        .collect()
}

/// Points of a symptom that many errors print: without a place they are nothing.
const FAINT: u32 = 22;

/// The findings that the evidence speaks for, most likely first.
pub fn rank(
    life: &Lifecycle,
    incidents: &[&Incident],
    found: &[Found],
    symptoms: &dyn Symptoms,
) -> Vec<Ranked> {
    let evidence: Vec<Evidence<'_>> =
        incidents.iter().map(|incident| Evidence::new(life, incident)).collect();
    let mut ranked: Vec<Ranked> = Vec::new();
    for (index, found) in found.iter().enumerate() {
        let mut total = Ranked { index, points: 0, placed: false, reasons: Vec::new(), symptoms: Vec::new() };
        for (number, evidence) in evidence.iter().enumerate() {
            let points: Vec<_> =
                RULES.iter().filter_map(|rule| rule(life, evidence, found, symptoms)).collect();
            let kind = symptom(life, evidence, found, symptoms).map_or(0, |points| points.points);
            let placed = points.iter().any(|points| points.place);
            let weak = kind <= FAINT || evidence.handler.is_some();
            if kind == 0 || (!placed && (weak || !evidence.is_near(life, found))) {
                // Its kind of trouble is not what is printed here, or what is printed says little by itself: many errors
                // print it, or the program itself does, where it has caught it, or it comes out of another part of the tree.
                continue;
            }
            let sum = points.iter().map(|points| points.points).sum::<u32>();
            // What was printed first is nearer to the cause.
            let sum = sum.saturating_sub(2 * number.min(4) as u32);
            total.placed |= points.iter().any(|points| points.place);
            if sum > total.points {
                total.points = sum;
                total.reasons = points.into_iter().map(|points| points.reason).collect();
            }
            for symptom in &evidence.incident.symptoms {
                if !total.symptoms.contains(symptom) {
                    total.symptoms.push(symptom.clone());
                }
            }
        }
        // What needs a guess, or an exception that passes by, counts only where the evidence names its place.
        if total.points > 0 && (total.placed || !(found.doubtful || found.unwinding)) {
            ranked.push(total);
        }
    }
    if ranked.iter().any(|ranked| ranked.placed) {
        // Where the evidence names a place, others are only mentioned if their own kind is printed too.
        ranked.retain(|ranked| ranked.placed || ranked.points >= 40);
    }
    ranked.sort_by(|left, right| {
        (right.placed, right.points).cmp(&(left.placed, left.points)).then(left.index.cmp(&right.index))
    });
    ranked
}

/// A finding as a diagnosis, with nothing but itself to speak for it.
pub fn alone(life: &Lifecycle, found: &Found) -> Diagnosis {
    let mut locations: Vec<Location> = vec![found.spot.location(life)];
    for (spot, _) in &found.related {
        let location = spot.location(life);
        if !locations.contains(&location) {
            locations.push(location);
        }
    }
    Diagnosis {
        cause: found.cause.to_owned(),
        title: cause(found.cause).map_or(found.cause, |cause| cause.page().title).to_owned(),
        reasons: vec![found.message.clone()],
        symptoms: Vec::new(),
        locations,
    }
}

/// A finding as a diagnosis, with its reasons.
pub fn described(life: &Lifecycle, found: &Found, ranked: &Ranked) -> Diagnosis {
    let mut diagnosis = alone(life, found);
    diagnosis.reasons.extend(ranked.reasons.iter().cloned());
    diagnosis.symptoms.clone_from(&ranked.symptoms);
    diagnosis
}
