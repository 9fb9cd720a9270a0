//! The file on disk that a path in the project stands for.

use std::path::{Component, Path, PathBuf};

/// Where a change goes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// The file itself, links followed.
    pub target: PathBuf,
    /// Folders above it that do not exist yet, outermost first.
    pub missing: Vec<PathBuf>,
}

/// Finds the place of a path in a canonical root; `None` where it can't be one of the project's.
pub(crate) fn place(root: &Path, path: &str) -> Option<Place> {
    let relative = Path::new(path);
    let plain = relative.components().all(|part| matches!(part, Component::Normal(_)));
    if !plain || path.is_empty() {
        return None;
    }
    let full = root.join(relative);
    if let Ok(target) = full.canonicalize() {
        return Some(Place { target, missing: Vec::new() });
    }
    if full.is_symlink() {
        return None; // A link to nothing.
    }
    let above = full.ancestors().skip(1).find(|folder| folder.is_dir())?;
    let below = full.strip_prefix(above).ok()?;
    let mut folder = above.canonicalize().ok()?;
    let target = folder.join(below);
    let mut missing = Vec::new();
    for part in below.parent().into_iter().flat_map(Path::components) {
        folder.push(part);
        missing.push(folder.clone());
    }
    Some(Place { target, missing })
}

/// Whether this process may not write the file, or put its new content into the folder: by its rights, or since the
/// file system is read-only. An administrator may write files that are marked read-only; their mode is kept.
pub(crate) fn is_protected(target: &Path) -> bool {
    let folder = target.ancestors().skip(1).find(|folder| folder.is_dir());
    (target.exists() && !may_write(target)) || folder.is_some_and(|folder| !may_write(folder))
}

#[cfg(unix)]
fn may_write(path: &Path) -> bool {
    use rustix::fs::{Access, AtFlags, CWD, accessat};
    accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS).is_ok()
}

#[cfg(not(unix))]
fn may_write(path: &Path) -> bool {
    // The attribute means nothing on a folder.
    path.is_dir() || path.metadata().is_ok_and(|meta| !meta.permissions().readonly())
}
