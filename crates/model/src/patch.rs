//! A change to the tree.

use serde::{Deserialize, Serialize};

use crate::Applicability;

/// One change over one or several files, applied whole or not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Patch {
    /// In the order of their paths.
    pub files: Vec<FileChange>,
    /// The least trusted of the mends in it.
    pub applicability: Applicability,
}

/// One file before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Path in the project, with `/`.
    pub path: String,
    /// The text as read; `None` where the file is new.
    pub before: Option<String>,
    /// The text to write.
    pub after: String,
}

impl Patch {
    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}
