//! Puts new content in place of files, each at once: the content is written beside the file and flushed, then
//! renamed over it. At every moment, and after any crash, a file has its old or its new content, whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// One file before and after, in bytes; `None` is no file.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// Path in the project.
    pub path: String,
    /// The file itself, links followed.
    pub target: PathBuf,
    /// Content that it must have.
    pub before: Option<Vec<u8>>,
    /// Content that it gets.
    pub after: Option<Vec<u8>>,
    /// Folders that come and go with the file, outermost first.
    pub folders: Vec<PathBuf>,
    /// Where the new content waits, in the target's folder.
    pub waiting: PathBuf,
}

/// Why changes were not made.
#[derive(Debug)]
pub(crate) enum ReplaceError {
    /// All files are as they were.
    PutBack { path: String, source: io::Error },
    /// Some are not, because putting them back failed too.
    Halfway { path: String, source: io::Error },
}

/// Called before each file's turn with its index; an error stops the work there. Tests fail here.
pub(crate) type Turn<'a> = &'a dyn Fn(usize) -> io::Result<()>;

/// Makes all the changes, or none.
pub(crate) fn replace_all(changes: &[Change], turn: Turn<'_>) -> Result<(), ReplaceError> {
    let mut done = 0;
    let result = (|| {
        for change in changes {
            stage(change).map_err(|error| (change, error))?;
        }
        for (index, change) in changes.iter().enumerate() {
            turn(index).and_then(|()| replace(change)).map_err(|error| (change, error))?;
            done = index + 1;
        }
        Ok(())
    })();
    let Err((failed, source)) = result else { return Ok(()) };
    let path = failed.path.clone();
    clear(changes);
    for change in changes[..done].iter().rev() {
        if let Err(source) = put_back(change) {
            return Err(ReplaceError::Halfway { path: change.path.clone(), source });
        }
    }
    for change in &changes[done..] {
        if change.before.is_none() {
            remove_folders(change);
        }
    }
    Err(ReplaceError::PutBack { path, source })
}

/// A file's content; `None` where there is no file.
pub(crate) fn content(target: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(target) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes what waits, of this run or of one that was killed.
pub(crate) fn clear(changes: &[Change]) {
    for change in changes {
        // Most often there is none; one that stays does no harm to the tree's source.
        let _ = fs::remove_file(&change.waiting);
    }
}

/// Gives a changed file its old content again.
pub(crate) fn put_back(change: &Change) -> io::Result<()> {
    let back = Change { before: change.after.clone(), after: change.before.clone(), ..change.clone() };
    stage(&back)?;
    swap(&back)
}

/// Writes the new content beside the file.
fn stage(change: &Change) -> io::Result<()> {
    let Some(bytes) = &change.after else { return Ok(()) };
    for folder in &change.folders {
        match fs::create_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
    }
    match fs::remove_file(&change.waiting) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = File::options().write(true).create_new(true).open(&change.waiting)?;
    file.write_all(bytes)?;
    if let Ok(meta) = change.target.metadata() {
        keep_owner(&file, &meta);
        file.set_permissions(meta.permissions())?;
    }
    file.sync_all()
}

/// Puts the new content in the file's place, if it still has the old one.
fn replace(change: &Change) -> io::Result<()> {
    if content(&change.target)? != change.before {
        return Err(io::Error::other("it was changed meanwhile"));
    }
    swap(change)
}

fn swap(change: &Change) -> io::Result<()> {
    if change.after.is_some() {
        fs::rename(&change.waiting, &change.target)?;
    } else {
        fs::remove_file(&change.target)?;
        remove_folders(change);
    }
    flush_folder(&change.target);
    Ok(())
}

/// Removes the folders that came with the file, as far as they are empty.
fn remove_folders(change: &Change) {
    for folder in change.folders.iter().rev() {
        if fs::remove_dir(folder).is_err() {
            return;
        }
    }
}

#[cfg(unix)]
fn keep_owner(file: &File, meta: &fs::Metadata) {
    use std::os::unix::fs::{MetadataExt, fchown};
    let same = file.metadata().is_ok_and(|own| (own.uid(), own.gid()) == (meta.uid(), meta.gid()));
    if !same {
        // Only an administrator may give a file away; for others it becomes their own, as in every editor.
        let _ = fchown(file, Some(meta.uid()), Some(meta.gid()));
    }
}

#[cfg(not(unix))]
fn keep_owner(_file: &File, _meta: &fs::Metadata) {}

/// Makes the rename last through a loss of power, where the system can.
fn flush_folder(target: &Path) {
    if cfg!(unix)
        && let Some(folder) = target.parent()
    {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}
