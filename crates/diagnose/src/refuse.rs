//! When the answer is to leave the tree alone.

use std::collections::BTreeSet;

use loopmend_causes::{Found, shelf};
use loopmend_model::{Incident, Refusal, RefusalCode};
use loopmend_python::lifecycle::{FileId, Lifecycle};

use crate::rule::named;
use crate::{Evidence, Ranked, Symptoms};

/// Whether a cause of the shelf knows this incident as one to leave alone.
pub(crate) fn refused_first(life: &Lifecycle, incident: &Incident) -> Option<Refusal> {
    shelf().iter().find_map(|cause| cause.refuse(incident, Some(life)))
}

/// The evidence's frames fit several files alike, and findings that are as likely stand in more than one of them.
pub(crate) fn ambiguous(
    life: &Lifecycle,
    evidence: &[Evidence<'_>],
    found: &[Found],
    ranked: &[Ranked],
) -> Option<Refusal> {
    let first = ranked.first()?;
    if first.placed {
        return None;
    }
    let (frame, files) = evidence.iter().flat_map(|evidence| &evidence.ambiguous).next()?;
    let among: BTreeSet<FileId> = ranked
        .iter()
        .filter(|other| other.points == first.points)
        .map(|other| found[other.index].spot.file)
        .filter(|file| files.contains(file))
        .collect();
    (among.len() > 1).then(|| several(life, &frame.path, files))
}

fn several(life: &Lifecycle, path: &str, files: &[FileId]) -> Refusal {
    let names: Vec<&str> = files.iter().take(4).map(|&file| life.facts(file).path.as_str()).collect();
    Refusal {
        code: RefusalCode::Ambiguous,
        message: format!(
            "`{path}` fits several files of this tree equally well ({}); run it on the folder that the log is from.",
            names.join(", ")
        ),
    }
}

/// Nothing in the tree explains the incidents: why, and what to do.
pub(crate) fn unexplained(
    life: &Lifecycle,
    evidence: &[Evidence<'_>],
    symptoms: &dyn Symptoms,
) -> Option<Refusal> {
    let refusal = |code, message: String| Some(Refusal { code, message });
    if evidence.is_empty() {
        return refusal(
            RefusalCode::NotOurs,
            "The log has no error of the event loop's life in it; nothing is changed.".to_owned(),
        );
    }
    if let Some(handler) = evidence.iter().find_map(|evidence| evidence.handler.as_ref()) {
        return refusal(
            RefusalCode::ProgramIsRight,
            format!(
                "The line is the program's own: {} catches the error and reports it (`{}`), and no place of this tree has a defect that \
would bring it there. Nothing is changed.",
                named(life, handler.function),
                handler.words
            ),
        );
    }
    let known = evidence
        .iter()
        .any(|evidence| evidence.incident.symptoms.iter().any(|id| !symptoms.causes(id).is_empty()));
    let in_tree = evidence.iter().any(Evidence::in_tree);
    if let Some((frame, files)) = evidence.iter().flat_map(|evidence| &evidence.ambiguous).next()
        && !in_tree
    {
        return Some(several(life, &frame.path, files));
    }
    if !in_tree && let Some(frame) = evidence.iter().flat_map(|evidence| &evidence.changed).next() {
        return refusal(
            RefusalCode::NoSource,
            format!(
                "This tree has a file like `{}`, but no `{}` in it: the log is of another version of the source, or of another program.",
                frame.path, frame.function
            ),
        );
    }
    if !in_tree && let Some(frame) = evidence.iter().flat_map(|evidence| &evidence.elsewhere).next() {
        return refusal(
            RefusalCode::NoSource,
            format!("`{}` is not in this tree; run it in the project that the log is from.", frame.path),
        );
    }
    if !in_tree && let Some(frame) = innermost(evidence) {
        return refusal(
            RefusalCode::ThirdPartyFile,
            format!(
                "Every frame is Python's own or an installed library's (the innermost is `{frame}`), and nothing in this tree explains it. \
Nothing is changed; see whether a newer version of the library helps."
            ),
        );
    }
    if known {
        return refusal(
            RefusalCode::ProgramIsRight,
            "The symptom is known, but no place of this tree has a defect that would print it. Nothing is changed.".to_owned(),
        );
    }
    refusal(
        RefusalCode::NotOurs,
        "The error is real, but it is not one of the event loop's life. Nothing is changed.".to_owned(),
    )
}

/// Path of the last frame of the first traceback.
fn innermost<'e>(evidence: &'e [Evidence<'_>]) -> Option<&'e str> {
    evidence
        .iter()
        .flat_map(|evidence| &evidence.incident.exceptions)
        .find_map(|raised| raised.frames.last())
        .map(|frame| frame.path.as_str())
}
