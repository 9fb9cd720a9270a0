//! Equal incidents are counted, not repeated.

use std::hash::{Hash, Hasher};

use loopmend_model::{Frame, Incident, Raised, Subject};
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};
use serde::{Serialize, Serializer};

use crate::block::capped;

/// Distinct incidents kept; further ones are only counted.
const DISTINCT: usize = 10_000;
/// Bytes that the incidents kept may take.
const WEIGHT: usize = 24 << 20;
/// Kinds of incidents left out that are told apart.
const KINDS: usize = 50;
/// Characters of a test's name by which it is known again.
const NAME: usize = 500;

/// Incidents in the order of their first appearance.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    incidents: Vec<Incident>,
    known: FxHashMap<u64, usize>,
    tests: FxHashSet<String>,
    /// Those of a known symptom have room of their own: a flood of other errors does not push them out.
    telling: Room,
    other: Room,
    left_out: LeftOut,
}

/// What is kept of one sort.
#[derive(Debug, Default)]
struct Room {
    incidents: usize,
    bytes: usize,
}

/// Incidents that were not kept because there were too many different ones: they are only counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// How many in all.
    pub count: usize,
    /// How many of each exception, or of each symptom where none was raised; the most frequent first. What is beyond
    /// the first 50 names has none here.
    #[serde(serialize_with = "by_name")]
    pub kinds: Vec<(String, usize)>,
}

fn by_name<S: Serializer>(kinds: &[(String, usize)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(kinds.iter().map(|(kind, count)| (kind, count)))
}

impl LeftOut {
    fn add(&mut self, incident: &Incident) {
        self.count += incident.count;
        let raised = incident.exceptions.last().map(|raised| &raised.kind).filter(|kind| !kind.is_empty());
        let Some(kind) = raised.or(incident.symptoms.first()) else { return };
        if let Some((_, count)) = self.kinds.iter_mut().find(|(known, _)| known == kind) {
            *count += incident.count;
        } else if self.kinds.len() < KINDS {
            self.kinds.push((kind.clone(), incident.count));
        }
    }
}

impl Room {
    /// Takes an incident of this size in, if there is room.
    fn take(&mut self, bytes: usize) -> bool {
        let fits = self.incidents < DISTINCT / 2 && self.bytes + bytes <= WEIGHT / 2;
        if fits {
            self.incidents += 1;
            self.bytes += bytes;
        }
        fits
    }
}

impl Fold {
    /// Adds an incident or counts it.
    pub fn add(&mut self, incident: Incident) {
        if let Some(test) = &incident.test
            && self.tests.len() < DISTINCT
        {
            self.tests.insert(capped(test, NAME).to_owned());
        }
        let key = fingerprint(&incident);
        if let Some(index) = self.known.get(&key) {
            self.incidents[*index].count += incident.count;
            return;
        }
        let room = if incident.symptoms.is_empty() { &mut self.other } else { &mut self.telling };
        if room.take(weight(&incident)) {
            self.known.insert(key, self.incidents.len());
            self.incidents.push(incident);
        } else {
            self.left_out.add(&incident);
        }
    }

    /// All of them, and none any more.
    pub fn take(&mut self) -> Vec<Incident> {
        self.known.clear();
        let mut incidents = std::mem::take(&mut self.incidents);
        incidents.sort_by_key(|incident| incident.lines.0);
        incidents
    }

    /// What was only counted.
    pub fn left_out(mut self) -> LeftOut {
        self.left_out.kinds.sort_by(|left, right| right.1.cmp(&left.1).then_with(|| left.0.cmp(&right.0)));
        self.left_out
    }

    /// Whether an incident of this test was seen.
    pub fn has_test(&self, name: &str) -> bool {
        self.tests.contains(capped(name, NAME))
    }
}

/// What makes two incidents the same: symptoms, kinds, frames, subjects, and the messages where no frame tells more.
fn fingerprint(incident: &Incident) -> u64 {
    let mut state = FxHasher::default();
    incident.symptoms.hash(&mut state);
    incident.service.hash(&mut state);
    for raised in &incident.exceptions {
        raised.kind.hash(&mut state);
        raised.frames.hash(&mut state);
        (raised.link as u8).hash(&mut state);
        if raised.frames.is_empty() {
            normal(&raised.message).hash(&mut state);
        }
    }
    incident.created.hash(&mut state);
    incident.subjects.hash(&mut state);
    if incident.exceptions.is_empty() {
        for message in &incident.messages {
            normal(message).hash(&mut state);
        }
    }
    state.finish()
}

/// Bytes that an incident takes, roughly.
fn weight(incident: &Incident) -> usize {
    let frames = |frames: &[Frame]| -> usize {
        frames
            .iter()
            .map(|frame| {
                size_of::<Frame>()
                    + frame.path.len()
                    + frame.function.len()
                    + frame.source.as_ref().map_or(0, String::len)
            })
            .sum()
    };
    let texts =
        |texts: &[String]| -> usize { texts.iter().map(|text| size_of::<String>() + text.len()).sum() };
    let raised: usize = incident
        .exceptions
        .iter()
        .map(|raised| {
            size_of::<Raised>()
                + raised.kind.len()
                + raised.message.len()
                + frames(&raised.frames)
                + texts(&raised.notes)
        })
        .sum();
    let subjects: usize =
        incident.subjects.iter().map(|subject| size_of::<Subject>() + subject.name.len()).sum();
    size_of::<Incident>()
        + raised
        + subjects
        + frames(&incident.created)
        + texts(&incident.symptoms)
        + texts(&incident.messages)
}

/// The text without addresses, numbers and times.
fn normal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut number = false;
    for word in text.chars() {
        let digit = word.is_ascii_digit() || number && word.is_ascii_hexdigit() || number && word == 'x';
        if digit {
            if !number {
                out.push('#');
            }
        } else {
            out.push(word);
        }
        number = digit;
    }
    out
}
