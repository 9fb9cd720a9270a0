//! What a fix tells: the cause, the patch or why there is none, and what is left.

use std::fmt::Write as _;

use loopmend_model::{Applicability, Diagnosis, Finding, Patch, Proof, Refusal};
use loopmend_pipeline::Mended;
use serde::Serialize;

use crate::diff;
use crate::explain;
use crate::log::Log;
use crate::printable::printable_line;
use crate::style::{self, paint};
use crate::talk::Talk;
use crate::tree::Opened;

/// What programs read; fields may be added.
#[derive(Serialize)]
pub struct Report<'a> {
    diagnosis: Option<&'a Diagnosis>,
    diagnoses: &'a [Diagnosis],
    refused: Option<&'a Refusal>,
    patch: Option<PatchReport<'a>>,
    left: Vec<Left<'a>>,
    remaining: &'a [Finding],
    proof: Option<&'a Proof>,
}

#[derive(Serialize)]
struct PatchReport<'a> {
    applied: bool,
    applicability: Applicability,
    files: Vec<&'a str>,
    added: usize,
    removed: usize,
    diff: String,
}

#[derive(Serialize)]
struct Left<'a> {
    path: Option<&'a str>,
    message: &'a str,
}

/// The object for programs.
pub fn json<'a>(
    mended: &'a Mended,
    patch: Option<&'a Patch>,
    applied: bool,
    proof: Option<&'a Proof>,
) -> Report<'a> {
    Report {
        diagnosis: mended.diagnosis.as_ref(),
        diagnoses: &mended.diagnoses,
        refused: mended.refused.as_ref(),
        patch: patch.map(|patch| {
            let diff = diff::of(patch);
            PatchReport {
                applied,
                applicability: patch.applicability,
                files: patch.files.iter().map(|file| file.path.as_str()).collect(),
                added: diff.added,
                removed: diff.removed,
                diff: diff.text,
            }
        }),
        left: mended
            .left
            .iter()
            .map(|note| Left { path: note.path.as_deref(), message: &note.message })
            .collect(),
        remaining: &mended.remaining,
        proof,
    }
}

/// One line for each thing said.
pub fn concise(mended: &Mended, patch: Option<&Patch>, applied: bool, opened: &Opened) -> String {
    let mut out = String::new();
    for diagnosis in &mended.diagnoses {
        let place = diagnosis
            .locations
            .first()
            .map(|place| format!("{}:{}:{}: ", opened.shown(&place.path), place.line, place.column))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "{}{} {}",
            printable_line(&place),
            diagnosis.cause,
            printable_line(&diagnosis.title)
        );
    }
    if let Some(refused) = &mended.refused {
        let _ = writeln!(out, "refused: {}", printable_line(&refused.message));
    }
    for file in patch.iter().flat_map(|patch| &patch.files) {
        let verb = if applied { "changed" } else { "would change" };
        let _ = writeln!(out, "{verb}: {}", printable_line(&opened.shown(&file.path)));
    }
    out
}

/// The whole story.
pub fn full(
    mended: &Mended,
    patch: Option<&Patch>,
    applied: bool,
    opened: &Opened,
    log: Option<&Log>,
) -> String {
    let mut out = String::new();
    let shown: &[Diagnosis] = match (&mended.diagnosis, log) {
        (Some(diagnosis), Some(_)) => std::slice::from_ref(diagnosis),
        _ => &mended.diagnoses,
    };
    for diagnosis in shown {
        out.push_str(&explain::diagnosis(diagnosis, opened));
        out.push('\n');
    }
    if let Some(patch) = patch {
        let diff = diff::of(patch);
        out.push_str(&diff.coloured());
        out.push('\n');
        let size = format!("+{} -{} in {}", diff.added, diff.removed, files(patch));
        if applied {
            let _ =
                writeln!(out, "{} ({size}). `loopmend undo` takes it back.", paint(style::GOOD, "Mended"));
            if patch.applicability == Applicability::Unsafe {
                let _ = writeln!(out, "Read the diff: this mend changes more than the defect alone.");
            }
        } else {
            let _ = writeln!(out, "{} ({size}).", paint(style::WARNING, "Nothing was changed"));
        }
    } else if mended.refused.is_none() {
        out.push_str(&without_patch(mended, opened, log));
    }
    if let Some(refused) = &mended.refused {
        let _ = writeln!(
            out,
            "{} {}",
            paint(style::WARNING, "Nothing was changed:"),
            printable_line(&refused.message)
        );
    }
    out
}

fn without_patch(mended: &Mended, opened: &Opened, log: Option<&Log>) -> String {
    match log {
        Some(_) if mended.diagnosis.is_some() => {
            format!(
                "{} no mend is sure to keep what the program does.\n",
                paint(style::WARNING, "Nothing was changed:")
            )
        }
        Some(log) => format!(
            "{} no cause of an error in {} is in {}.\n",
            paint(style::WARNING, "Nothing was changed:"),
            printable_line(log.title()),
            printable_line(&opened.title())
        ),
        None if mended.remaining.is_empty() => {
            format!("{} in {}.\n", paint(style::GOOD, "Nothing to mend"), opened.title())
        }
        None => format!("{} no mend is safe here.\n", paint(style::WARNING, "Nothing was changed:")),
    }
}

/// Says what was not mended, and why.
pub fn left(mended: &Mended, talk: Talk) {
    talk.notes(&mended.left);
    let remaining = mended.remaining.len();
    if remaining > 0 {
        let noun = if remaining == 1 { "finding is" } else { "findings are" };
        let unsafe_ones =
            mended.remaining.iter().any(|finding| finding.applicability == Applicability::Unsafe);
        let more = if unsafe_ones { ", `--unsafe` mends more" } else { "" };
        talk.say(format_args!("{remaining} {noun} left: `loopmend check` shows them{more}."));
    }
}

fn files(patch: &Patch) -> String {
    match patch.files.as_slice() {
        [file] => printable_line(&file.path).into_owned(),
        files => format!("{} files", files.len()),
    }
}

/// Says which line of the project's CI keeps what was mended from coming back.
pub fn prevention(opened: &Opened, talk: Talk) {
    if let Some(run) = loopmend_project::test_runs(&opened.root).into_iter().next() {
        talk.say(format_args!(
            "{} {}:{}: `{}` in place of `{}` fails when it comes back (loopmend explain prevention)",
            paint(style::HELP, "to keep it away:"),
            printable_line(&opened.shown(&run.path)),
            run.line,
            printable_line(&run.after),
            printable_line(&run.before)
        ));
    }
}
