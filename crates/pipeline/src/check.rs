//! Findings without a log.

use loopmend_fix::{detect, offered};
use loopmend_model::{Applicability, Finding, Note, Tree};
use loopmend_python::lifecycle::Lifecycle;

/// What a tree has.
#[derive(Debug)]
pub struct Checked {
    /// By path and line; doubtful ones among them.
    pub findings: Vec<Finding>,
    /// What could not be read.
    pub notes: Vec<Note>,
    /// What was read; to take it apart again takes a while where the tree is large.
    pub life: Lifecycle,
}

/// Looks for every cause of the shelf in a tree.
pub fn check(tree: &Tree) -> Checked {
    let life = Lifecycle::read(tree);
    let findings = once_each(offered(&life, &detect(&life)));
    Checked { findings, notes: notes(tree, &life), life }
}

/// Without those of an object that another finding tells more of: what is carried from run to run is closed by the mend of
/// that, and neither closing it nor leaving it open is the trouble.
fn once_each(findings: Vec<Finding>) -> Vec<Finding> {
    let carried: Vec<(String, u32, u32)> = findings
        .iter()
        .filter(|finding| finding.cause == "second-run" && finding.applicability != Applicability::Advice)
        .filter(|finding| !finding.doubtful)
        .flat_map(|finding| &finding.related)
        .map(|related| (related.path.clone(), related.line, related.column))
        .collect();
    let told = |finding: &Finding| {
        finding.cause == "resource-never-closed"
            && carried.iter().any(|(path, line, column)| {
                (path, line, column) == (&finding.path, &finding.line, &finding.column)
            })
    };
    findings.into_iter().filter(|finding| !told(finding)).collect()
}

/// The tree's notes and the syntax errors.
pub(crate) fn notes(tree: &Tree, life: &Lifecycle) -> Vec<Note> {
    let mut notes = tree.notes.clone();
    for file in life.files() {
        if let Some(error) = life.errors(file).first() {
            let line = life.facts(file).lines.line(error.range.start());
            notes.push(Note {
                path: Some(life.path(file).to_owned()),
                message: format!("line {line}: {}; read as far as possible", error.message),
            });
        }
    }
    notes
}
