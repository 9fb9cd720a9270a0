//! Annotated source: the finding's place, and the other places that belong to it.

use annotate_snippets::{Group, Level};
use loopmend_model::{Applicability, Finding};

use crate::printable::printable_line;
use crate::source::{self, Mark};
use crate::tree::Opened;

pub fn full(findings: &[Finding], opened: &Opened) -> String {
    let mut out = String::new();
    for finding in findings {
        out.push_str(&report(finding, opened));
        out.push_str("\n\n");
    }
    out
}

/// One finding with its source.
fn report(finding: &Finding, opened: &Opened) -> String {
    let level = if finding.applicability == Applicability::Advice { Level::WARNING } else { Level::ERROR };
    let name = if finding.doubtful { "doubtful" } else { "found" };
    let title = level
        .with_name(name)
        .primary_title(printable_line(&finding.message).into_owned())
        .id(finding.cause.clone());
    let mut group = Group::with_title(title);
    let primary = Mark {
        line: finding.line,
        column: finding.column,
        end_line: finding.end_line,
        end_column: finding.end_column,
        label: "",
        primary: true,
    };
    let mut paths: Vec<&str> = vec![&finding.path];
    for related in &finding.related {
        if !paths.contains(&related.path.as_str()) {
            paths.push(&related.path);
        }
    }
    for path in paths {
        let marks: Vec<Mark> = (path == finding.path)
            .then_some(primary)
            .into_iter()
            .chain(
                finding
                    .related
                    .iter()
                    .filter(|related| related.path == path)
                    .map(|related| Mark::at(related.line, related.column, &related.message)),
            )
            .collect();
        let shown = printable_line(&opened.shown(path)).into_owned();
        let text = opened
            .file(path)
            .map(|file| &*file.text)
            .or_else(|| opened.tree.config(path).map(|config| &*config.text));
        if let Some(snippet) = text.and_then(|text| source::excerpt(&shown, text, &marks)) {
            group = group.element(snippet);
        }
    }
    let next = match finding.applicability {
        Applicability::Safe => "`loopmend fix` mends it",
        Applicability::Unsafe => {
            "`loopmend fix --unsafe` mends it, and so does `loopmend fix --log` with a log in which it bites"
        }
        Applicability::Advice => "no mend is sure here",
    };
    let help = format!("{next}; `loopmend explain {}` tells more", finding.cause);
    source::render(&[group.element(Level::HELP.message(help))])
}
