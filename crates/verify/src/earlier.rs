//! The tree as it was before a change that it has already.

use std::io;
use std::path::{Path, PathBuf};

use loopmend_model::Patch;
use thiserror::Error;

use crate::place::{Place, PrepareError, Workspace};
use crate::sandbox::Unconfined;

/// A copy of a tree without a change; thrown away when dropped.
#[derive(Debug)]
pub struct Earlier {
    copy: Workspace,
}

/// Why there is none.
#[derive(Debug, Error)]
pub enum EarlierError {
    /// The tree could not be copied.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// A file could not be put back.
    #[error("put `{path}` back in a copy: {source}")]
    Write {
        /// Path in the project.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

impl Earlier {
    /// Copies the tree, and puts in the copy every file of the change back to what it was.
    pub fn of(tree: &Path, change: &Patch) -> Result<Self, EarlierError> {
        let copy = Unconfined::default().prepare(tree, None)?;
        for file in &change.files {
            let fails = |source| EarlierError::Write { path: file.path.clone(), source };
            match &file.before {
                Some(text) => copy.write(&file.path, text.as_bytes()).map_err(fails)?,
                None => std::fs::remove_file(copy.root().join(&file.path)).map_err(fails)?,
            }
        }
        Ok(Self { copy })
    }

    /// Its folder.
    pub fn root(&self) -> PathBuf {
        self.copy.root()
    }
}
