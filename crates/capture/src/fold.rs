//! Equal incidents are counted, not repeated.

use std::hash::{Hash, Hasher};

use loopmend_model::Incident;
use rustc_hash::{FxHashMap, FxHashSet, FxHasher};

/// Distinct incidents kept; further ones are only counted.
const DISTINCT: usize = 10_000;

/// Incidents in the order of their first appearance.
#[derive(Debug, Default)]
pub(crate) struct Fold {
    incidents: Vec<Incident>,
    known: FxHashMap<u64, usize>,
    tests: FxHashSet<String>,
    /// Incidents beyond the limit, of kinds that were not seen before it.
    pub dropped: usize,
}

impl Fold {
    /// Adds an incident or counts it.
    pub fn add(&mut self, incident: Incident) {
        if let Some(test) = &incident.test
            && self.tests.len() < DISTINCT
        {
            self.tests.insert(test.clone());
        }
        let key = fingerprint(&incident);
        if let Some(index) = self.known.get(&key) {
            self.incidents[*index].count += incident.count;
        } else if self.incidents.len() < DISTINCT {
            self.known.insert(key, self.incidents.len());
            self.incidents.push(incident);
        } else {
            self.dropped += incident.count;
        }
    }

    /// All of them, and none any more.
    pub fn take(&mut self) -> Vec<Incident> {
        self.known.clear();
        let mut incidents = std::mem::take(&mut self.incidents);
        incidents.sort_by_key(|incident| incident.lines.0);
        incidents
    }

    /// Whether an incident of this test was seen.
    pub fn has_test(&self, name: &str) -> bool {
        self.tests.contains(name)
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
