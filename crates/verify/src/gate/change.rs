//! A change of a tree, whoever made it.

use diffy::patch_set::{FileOperation, ParseOptions, PatchKind, PatchSet};
use loopmend_model::Patch;
use thiserror::Error;

/// One file before and after; renamed files are one that goes and one that comes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Path in the project, with `/`.
    pub path: String,
    /// Its text before; none where it is new.
    pub before: Option<String>,
    /// Its text after; none where it is deleted.
    pub after: Option<String>,
}

/// Why a unified patch can't be read as a change of a tree.
#[derive(Debug, Error)]
pub enum PatchError {
    /// It is no unified patch.
    #[error("read the patch: {0}")]
    Unread(String),
    /// It does not fit the tree.
    #[error("apply the patch to `{path}`: {message}")]
    Unfit {
        /// The file.
        path: String,
        /// What does not fit.
        message: String,
    },
}

/// The changes that one of the program's own patches makes.
pub fn changes_of(patch: &Patch) -> Vec<Change> {
    let change = |file: &loopmend_model::FileChange| Change {
        path: file.path.clone(),
        before: file.before.clone(),
        after: Some(file.after.clone()),
    };
    patch.files.iter().map(change).collect()
}

/// The changes that a unified patch (git's, or plain `diff -u`) makes to a tree, of which `read` gives the files.
pub fn changes_of_diff(diff: &str, read: &dyn Fn(&str) -> Option<String>) -> Result<Vec<Change>, PatchError> {
    let git = diff.lines().any(|line| line.starts_with("diff --git "));
    let options = if git { ParseOptions::gitdiff() } else { ParseOptions::unidiff() };
    let mut changes = Vec::new();
    for file in PatchSet::parse(diff, options) {
        let file = file.map_err(|error| PatchError::Unread(error.to_string()))?;
        let prefixed = git || prefixed(file.operation());
        let operation = file.operation().strip_prefix(usize::from(prefixed));
        let (from, to) = match &operation {
            FileOperation::Create(path) => (None, Some(path.to_string())),
            FileOperation::Delete(path) => (Some(path.to_string()), None),
            FileOperation::Modify { original, modified } => {
                (Some(original.to_string()), Some(modified.to_string()))
            }
            FileOperation::Rename { from, to } => (Some(from.to_string()), Some(to.to_string())),
            FileOperation::Copy { from: _, to } => (None, Some(to.to_string())),
        };
        let before = from.as_deref().and_then(read);
        let base = match &operation {
            FileOperation::Copy { from, .. } => read(from).unwrap_or_default(),
            _ => before.clone().unwrap_or_default(),
        };
        let path = to.clone().or_else(|| from.clone()).unwrap_or_default();
        let after = match file.patch() {
            PatchKind::Text(patch) => diffy::apply(&base, patch)
                .map_err(|error| PatchError::Unfit { path: path.clone(), message: error.to_string() })?,
            // What is no text can't hold what is looked for here.
            PatchKind::Binary(_) => base,
        };
        match (from, to) {
            (Some(from), Some(to)) if from == to => {
                changes.push(Change { path, before, after: Some(after) });
            }
            (from, to) => {
                if let Some(from) = from {
                    changes.push(Change { path: from, before, after: None });
                }
                if let Some(to) = to {
                    changes.push(Change { path: to, before: None, after: Some(after) });
                }
            }
        }
    }
    Ok(changes)
}

/// Whether the paths of a plain patch carry git's `a/` and `b/`.
fn prefixed(operation: &FileOperation<'_, str>) -> bool {
    match operation {
        FileOperation::Modify { original, modified } => {
            original.starts_with("a/") && modified.starts_with("b/")
        }
        FileOperation::Create(path) => path.starts_with("b/"),
        FileOperation::Delete(path) => path.starts_with("a/"),
        FileOperation::Rename { from, to } | FileOperation::Copy { from, to } => {
            from.starts_with("a/") && to.starts_with("b/")
        }
    }
}
