//! A file kept in a tree's state folder, for a later command.

use std::fs;
use std::path::{Path, PathBuf};

use crate::state::{State, StateError, make_private};

/// Keeps a text for the tree under a name, in place of what was kept there; gives its path.
pub fn keep(root: &Path, name: &str, text: &str) -> Result<PathBuf, StateError> {
    let state = State::of(root, None)?;
    let path = state.folder.join(name);
    // Two commands may keep theirs at once; each is whole.
    let part = state.folder.join(format!("{name}.{}", std::process::id()));
    let kept = make_private(&state.folder)
        .and_then(|()| fs::write(&part, text))
        .and_then(|()| fs::rename(&part, &path));
    kept.map_err(|source| state.unusable(&path, source))?;
    Ok(path)
}
