//! A diagnosis with its source: why this cause, and where.

use std::fmt::Write as _;

use annotate_snippets::{Group, Level};
use loopmend_model::Diagnosis;

use crate::printable::printable_line;
use crate::source::{self, Mark};
use crate::style::{self, paint};
use crate::tree::Opened;

/// The diagnosis as text: its title over the annotated source, then the reasons.
pub fn diagnosis(diagnosis: &Diagnosis, opened: &Opened) -> String {
    let title = Level::ERROR
        .with_name("cause")
        .primary_title(printable_line(&diagnosis.title).into_owned())
        .id(diagnosis.cause.clone());
    let mut group = Group::with_title(title);
    let mut paths: Vec<&str> = Vec::new();
    for location in &diagnosis.locations {
        if !paths.contains(&location.path.as_str()) {
            paths.push(&location.path);
        }
    }
    for path in paths {
        let marks: Vec<Mark> = diagnosis
            .locations
            .iter()
            .enumerate()
            .filter(|(_, location)| location.path == path)
            .map(|(index, location)| {
                let label = if index == 0 { "here" } else { "" };
                Mark { primary: index == 0, ..Mark::at(location.line, location.column, label) }
            })
            .collect();
        let text = opened
            .file(path)
            .map(|file| &*file.text)
            .or_else(|| opened.tree.config(path).map(|config| &*config.text));
        let shown = printable_line(&opened.shown(path)).into_owned();
        if let Some(snippet) = text.and_then(|text| source::excerpt(&shown, text, &marks)) {
            group = group.element(snippet);
        }
    }
    let mut out = source::render(&[group]);
    out.push('\n');
    for reason in &diagnosis.reasons {
        let _ = writeln!(out, "  {} {}", paint(style::DIM, "because:"), printable_line(reason));
    }
    out
}

/// What a symptom means, in one sentence.
pub fn meaning(symptom: &str) -> Option<&'static str> {
    loopmend_capture::symptom(symptom).map(|symptom| symptom.means)
}
