//! Findings without a log.

use loopmend_fix::{detect, offered};
use loopmend_model::{Finding, Note, Tree};
use loopmend_python::lifecycle::Lifecycle;

/// What a tree has.
#[derive(Debug, Default)]
pub struct Checked {
    /// By path and line; doubtful ones among them.
    pub findings: Vec<Finding>,
    /// What could not be read.
    pub notes: Vec<Note>,
}

/// Looks for every cause of the shelf in a tree.
pub fn check(tree: &Tree) -> Checked {
    let life = Lifecycle::read(tree);
    let findings = offered(&life, &detect(&life));
    Checked { findings, notes: notes(tree, &life) }
}

/// The tree's notes and the syntax errors.
pub(crate) fn notes(tree: &Tree, life: &Lifecycle) -> Vec<Note> {
    let mut notes = tree.notes.clone();
    for file in life.files() {
        let facts = life.facts(file);
        if let Some(error) = facts.errors.first() {
            let line = facts.lines.line(error.range.start());
            notes.push(Note {
                path: Some(facts.path.clone()),
                message: format!("line {line}: {}; read as far as possible", error.message),
            });
        }
    }
    notes
}
