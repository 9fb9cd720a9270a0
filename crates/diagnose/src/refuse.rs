//! When the answer is to leave the tree alone.

use loopmend_causes::shelf;
use loopmend_model::{Incident, Refusal, RefusalCode};
use loopmend_python::lifecycle::Lifecycle;

use crate::{Evidence, Symptoms};

/// Whether a cause of the shelf knows this incident as one to leave alone.
pub(crate) fn refused_first(life: &Lifecycle, incident: &Incident) -> Option<Refusal> {
    shelf().iter().find_map(|cause| cause.refuse(incident, Some(life)))
}

/// Nothing in the tree explains the incidents: why, and what to do.
pub(crate) fn unexplained(
    life: &Lifecycle,
    incidents: &[Incident],
    symptoms: &dyn Symptoms,
) -> Option<Refusal> {
    let evidence: Vec<Evidence<'_>> =
        incidents.iter().map(|incident| Evidence::new(life, incident)).collect();
    let refusal = |code, message: String| Some(Refusal { code, message });
    if evidence.is_empty() {
        return refusal(
            RefusalCode::NotOurs,
            "The log has no error of the event loop's life in it; nothing is changed.".to_owned(),
        );
    }
    let lifecycle =
        incidents.iter().any(|incident| incident.symptoms.iter().any(|id| !symptoms.causes(id).is_empty()));
    if let Some(frame) = evidence.iter().flat_map(|evidence| &evidence.ambiguous).next() {
        return refusal(
            RefusalCode::Ambiguous,
            format!(
                "`{}` fits several files of this tree equally well; name the folder that the log is from.",
                frame.path
            ),
        );
    }
    let in_tree = evidence.iter().any(Evidence::in_tree);
    if !in_tree && let Some(frame) = evidence.iter().flat_map(|evidence| &evidence.elsewhere).next() {
        return refusal(
            RefusalCode::NoSource,
            format!("`{}` is not in this tree; run it in the project that the log is from.", frame.path),
        );
    }
    if !in_tree && evidence.iter().any(|evidence| evidence.library > 0) {
        return refusal(
            RefusalCode::ThirdPartyFile,
            "Every frame is Python's own or an installed library's, and nothing in this tree explains it; nothing is changed.".to_owned(),
        );
    }
    if lifecycle {
        return refusal(
            RefusalCode::ProgramIsRight,
            "The symptom is known, but no place of this tree has a defect that would print it; nothing is changed.".to_owned(),
        );
    }
    refusal(
        RefusalCode::NotOurs,
        "The error is real, but it is not one of the event loop's life; nothing is changed.".to_owned(),
    )
}
