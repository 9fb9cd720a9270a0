//! The copy of a tree: capped in size, without what is not the project's own, without links that lead out of it.

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, lchown, symlink};
use std::path::{Component, Path, PathBuf};

use thiserror::Error;
use walkdir::{DirEntry, WalkDir};

/// How large a tree may be.
#[derive(Clone, Copy, Debug)]
pub struct Cap {
    /// Bytes of all files together.
    pub bytes: u64,
    /// Files and folders.
    pub entries: u64,
}

impl Default for Cap {
    fn default() -> Self {
        Self { bytes: 1 << 30, entries: 200_000 }
    }
}

/// A path of the tree that is not in the copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Relative to the root.
    pub path: PathBuf,
    /// Why.
    pub reason: Reason,
}

/// Why a path is not in the copy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Made by tools, or an environment: not the project's own.
    NotOwn,
    /// Keys and passwords, by its name.
    Secret,
    /// A link that leads out of the tree.
    LeadsOut,
    /// A socket, a pipe or a device.
    Special,
    /// Not readable for this user.
    Unreadable,
}

/// Why there is no copy.
#[derive(Debug, Error)]
pub enum CopyError {
    /// The tree is not a folder.
    #[error("copy the tree: `{0}` is not a folder")]
    NotAFolder(PathBuf),
    /// The tree is larger than the cap.
    #[error("copy the tree: it has more than {}; the largest part is `{largest}`", .0.shown(), largest = .1.display())]
    TooLarge(Exceeded, PathBuf),
    /// Reading or writing failed.
    #[error("copy `{}`: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// The part of the cap that was passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exceeded {
    /// So many bytes.
    Bytes(u64),
    /// So many files and folders.
    Entries(u64),
}

impl Exceeded {
    fn shown(self) -> String {
        match self {
            Self::Bytes(bytes) => format!("{} MiB", bytes >> 20),
            Self::Entries(entries) => format!("{entries} files"),
        }
    }
}

/// Names of what tools make and what is not needed to run.
const NOT_OWN: [&str; 13] = [
    ".git",
    ".hg",
    ".svn",
    ".venv",
    ".tox",
    ".nox",
    "node_modules",
    "__pycache__",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".hypothesis",
    ".eggs",
];

/// Names under which people keep what opens other doors, for a tree that is somebody's home.
const SECRET: [&str; 9] =
    [".ssh", ".gnupg", ".aws", ".azure", ".kube", ".netrc", ".pypirc", ".pgpass", ".git-credentials"];

/// Copies a tree into a folder that exists and is empty; `owner` becomes that of every file.
pub fn copy(tree: &Path, into: &Path, cap: Cap, owner: Option<u32>) -> Result<Vec<LeftOut>, CopyError> {
    if !tree.is_dir() {
        return Err(CopyError::NotAFolder(tree.to_path_buf()));
    }
    let mut copying = Copying { tree, into, owner, left_out: Vec::new() };
    let (mut bytes, mut entries) = (0, 0);
    let mut walk = WalkDir::new(tree).min_depth(1).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                copying.unreadable(error)?;
                continue;
            }
        };
        let is_folder = entry.file_type().is_dir();
        let is_secret = SECRET.iter().any(|name| entry.file_name() == *name);
        if is_secret || is_not_own(&entry) {
            let reason = if is_secret { Reason::Secret } else { Reason::NotOwn };
            copying.leave(entry.path().strip_prefix(tree).unwrap_or(entry.path()), reason);
            if is_folder {
                walk.skip_current_dir();
            }
            continue;
        }
        entries += 1;
        if entry.file_type().is_file() {
            bytes += entry.metadata().map_or(0, |meta| meta.len());
        }
        let exceeded = if bytes > cap.bytes {
            Some(Exceeded::Bytes(cap.bytes))
        } else {
            (entries > cap.entries).then_some(Exceeded::Entries(cap.entries))
        };
        if let Some(exceeded) = exceeded {
            return Err(CopyError::TooLarge(exceeded, largest(tree, exceeded)));
        }
        copying.take(&entry)?;
    }
    Ok(copying.left_out)
}

struct Copying<'a> {
    tree: &'a Path,
    into: &'a Path,
    owner: Option<u32>,
    left_out: Vec<LeftOut>,
}

impl Copying<'_> {
    fn take(&mut self, entry: &DirEntry) -> Result<(), CopyError> {
        let Ok(relative) = entry.path().strip_prefix(self.tree) else { return Ok(()) };
        match self.taken(entry, relative) {
            Ok(None) => Ok(()),
            Ok(Some(reason)) => {
                self.leave(relative, reason);
                Ok(())
            }
            Err(source) => Err(CopyError::Io { path: entry.path().to_path_buf(), source }),
        }
    }

    /// Makes the copy of one entry, or gives the reason why there is none.
    fn taken(&self, entry: &DirEntry, relative: &Path) -> io::Result<Option<Reason>> {
        let (from, to) = (entry.path(), self.into.join(relative));
        let kind = entry.file_type();
        if kind.is_dir() {
            fs::create_dir(&to)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(from)?;
            if !stays_in(relative, &target) {
                return Ok(Some(Reason::LeadsOut));
            }
            symlink(target, &to)?;
        } else if kind.is_file() {
            match plain_copy(from, &to) {
                Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                    return Ok(Some(Reason::Unreadable));
                }
                done => done?,
            }
        } else {
            return Ok(Some(Reason::Special));
        }
        if let Some(owner) = self.owner {
            lchown(&to, Some(owner), Some(owner))?;
        }
        Ok(None)
    }

    fn leave(&mut self, relative: &Path, reason: Reason) {
        self.left_out.push(LeftOut { path: relative.to_path_buf(), reason });
    }

    fn unreadable(&mut self, error: walkdir::Error) -> Result<(), CopyError> {
        let path = error.path().unwrap_or(self.tree).to_path_buf();
        let source = error.into_io_error().unwrap_or_else(|| io::Error::other("a loop of links"));
        match path.strip_prefix(self.tree) {
            Ok(relative) if source.kind() == io::ErrorKind::PermissionDenied => {
                let relative = relative.to_path_buf();
                self.leave(&relative, Reason::Unreadable);
                Ok(())
            }
            _ => Err(CopyError::Io { path, source }),
        }
    }
}

/// The content and the mode, without what makes a program run as somebody else.
fn plain_copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    let mode = fs::metadata(from)?.permissions().mode();
    // The owner must be able to write a patch, and to throw the copy away.
    fs::set_permissions(to, fs::Permissions::from_mode((mode & 0o777) | 0o600))
}

fn is_not_own(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    if NOT_OWN.iter().any(|other| name == *other) {
        return true;
    }
    entry.file_type().is_dir() && entry.path().join("pyvenv.cfg").is_file()
}

/// Whether a link at this place of the tree, followed by name alone, ends in the tree.
fn stays_in(link: &Path, target: &Path) -> bool {
    let mut depth = link.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::ParentDir if depth > 0 => depth -= 1,
            Component::CurDir => {}
            _ => return false,
        }
    }
    true
}

/// The entry at the top of the tree that holds the most.
fn largest(tree: &Path, exceeded: Exceeded) -> PathBuf {
    let weight = |path: &Path| -> u64 {
        let own = WalkDir::new(path).into_iter().filter_entry(|entry| !is_not_own(entry)).flatten();
        match exceeded {
            Exceeded::Bytes(_) => own.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum(),
            Exceeded::Entries(_) => own.count() as u64,
        }
    };
    let tops = fs::read_dir(tree).into_iter().flatten().flatten().map(|entry| entry.path());
    let heaviest = tops.max_by_key(|path| weight(path)).unwrap_or_else(|| tree.to_path_buf());
    heaviest.strip_prefix(tree).map(Path::to_path_buf).unwrap_or(heaviest)
}

#[cfg(test)]
mod tests;
