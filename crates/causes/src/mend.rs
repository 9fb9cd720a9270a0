//! The change that a cause proposes.

use loopmend_model::Applicability;
use loopmend_python::edit::{Edit, difference};
use loopmend_python::lifecycle::{FileId, Lifecycle};

/// A change over one or several files.
#[derive(Clone, Debug)]
pub struct Mend {
    /// The trust in it; that of the finding where nothing speaks against it.
    pub applicability: Applicability,
    /// Edits by path: Python files and configuration.
    pub edits: Vec<(String, Vec<Edit>)>,
    /// What the change does to effectful calls, so that the comparison of the whole lifecycle lets it through.
    pub declared: Declared,
    /// What the user should know of it: a handler that now runs, latency that it costs.
    pub notes: Vec<String>,
}

/// Effects that a change has on purpose.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    /// Last names of calls that are new (`close`, `gather`, `cancel`).
    pub added: Vec<String>,
    /// Last names of calls that are gone (`run`, `on_event`, `close`).
    pub removed: Vec<String>,
    /// Calls that run in another order, or under another entry, than before.
    pub moved: bool,
    /// Names that are no longer bound at the top of a module: `path:name`.
    pub unbound: Vec<String>,
}

/// Why a finding is not mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declined {
    /// One sentence, with what to do by hand.
    pub reason: String,
}

impl Declined {
    /// For a reason.
    pub fn because(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl<T: std::error::Error> From<T> for Declined {
    fn from(error: T) -> Self {
        Self { reason: format!("the source could not be edited: {error}") }
    }
}

impl Mend {
    /// An empty mend of this trust.
    pub fn new(applicability: Applicability) -> Self {
        Self { applicability, edits: Vec::new(), declared: Declared::default(), notes: Vec::new() }
    }

    /// Adds edits of a Python file.
    pub fn edit(&mut self, life: &Lifecycle, file: FileId, edits: Vec<Edit>) {
        self.edit_path(life.facts(file).path.clone(), edits);
    }

    /// Adds edits of a file by its path.
    pub fn edit_path(&mut self, path: String, edits: Vec<Edit>) {
        if edits.is_empty() {
            return;
        }
        match self.edits.iter_mut().find(|(known, _)| *known == path) {
            Some((_, list)) => list.extend(edits),
            None => self.edits.push((path, edits)),
        }
    }

    /// Takes the whole new text of a Python file; only the differing lines become edits.
    pub fn rewrite(&mut self, life: &Lifecycle, file: FileId, after: &str) {
        let edits = difference(life.text(file), after);
        self.edit(life, file, edits);
    }
}
