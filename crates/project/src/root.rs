//! Where a project begins.

use std::path::{Path, PathBuf};

const MARKERS: [&str; 5] = ["pyproject.toml", "setup.cfg", "setup.py", "pytest.ini", ".git"];

/// The project that a file or folder belongs to: the nearest folder, from it upwards, with `pyproject.toml`,
/// `setup.cfg`, `setup.py`, `pytest.ini` or `.git`; where there is none, the folder itself or the file's own.
pub fn find_root(path: &Path) -> PathBuf {
    let folder = own_folder(path);
    marked_root(&folder).unwrap_or(folder)
}

/// The nearest folder with one of the markers, from this one upwards.
pub(crate) fn marked_root(folder: &Path) -> Option<PathBuf> {
    // Links are kept as the user wrote them; only a relative path is made absolute, to have ancestors.
    let absolute = std::path::absolute(folder).ok()?;
    let found = absolute.ancestors().find(|folder| MARKERS.iter().any(|name| folder.join(name).exists()))?;
    if found == absolute { Some(folder.to_owned()) } else { Some(found.to_owned()) }
}

/// The folder itself, or the one that a file is in.
pub(crate) fn own_folder(path: &Path) -> PathBuf {
    if path.is_dir() {
        return path.to_owned();
    }
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}
