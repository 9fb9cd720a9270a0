//! What a log says.

use loopmend_diagnose::{Answer, candidates, diagnose_each};
use loopmend_model::{Candidate, Diagnosis, Incident, Note, Refusal, Tree};
use loopmend_python::lifecycle::Lifecycle;

use crate::symptoms::Catalogue;

/// What a log says, incident by incident.
#[derive(Debug, Default)]
pub struct Explanation {
    /// In the order of the log.
    pub incidents: Vec<ExplainedIncident>,
    /// What could not be read of the tree.
    pub notes: Vec<Note>,
}

/// One incident, explained.
#[derive(Debug)]
pub struct ExplainedIncident {
    /// What Python told.
    pub incident: Incident,
    /// Causes that the evidence allows, most likely first.
    pub candidates: Vec<Candidate>,
    /// The cause found in the tree, where a tree was read.
    pub diagnosis: Option<Diagnosis>,
    /// Why the tree is to be left alone, where it is.
    pub refused: Option<Refusal>,
}

/// Explains a log; with a tree beside it, each incident is diagnosed.
pub fn explain(log: &[u8], tree: Option<&Tree>) -> Explanation {
    explain_incidents(loopmend_capture::capture(log).incidents, tree)
}

/// The same for a log that was read before, perhaps one too long to be held in memory.
pub fn explain_incidents(incidents: Vec<Incident>, tree: Option<&Tree>) -> Explanation {
    let life = tree.map(Lifecycle::read);
    let found = life.as_ref().map(loopmend_fix::detect).unwrap_or_default();
    let notes =
        tree.zip(life.as_ref()).map(|(tree, life)| crate::check::notes(tree, life)).unwrap_or_default();
    let answers = match &life {
        Some(life) => diagnose_each(life, &incidents, &found, &Catalogue),
        None => incidents.iter().map(|_| Answer::default()).collect(),
    };
    let incidents = incidents
        .into_iter()
        .zip(answers)
        .map(|(incident, mut answer)| ExplainedIncident {
            candidates: candidates(&incident, &Catalogue),
            diagnosis: (!answer.diagnoses.is_empty()).then(|| answer.diagnoses.swap_remove(0)),
            refused: answer.refused,
            incident,
        })
        .collect();
    Explanation { incidents, notes }
}
