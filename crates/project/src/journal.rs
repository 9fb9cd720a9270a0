//! What is about to be done, written down before it is done.
//!
//! A tree's state folder holds `pending` while files are changed, and the last fixes in `fixes`, by number. Both
//! have the same form: `journal.json` and the contents as files. A folder appears and moves by one rename, so
//! it is whole or not there.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::place::place;
use crate::replace::Change;
use crate::state::{State, StateError, make_private};

/// Fixes that can be taken back, one after the other.
const KEPT: usize = 10;

/// What a journal says; contents are beside it.
#[derive(Debug, Serialize, Deserialize)]
struct Record {
    /// Of this form.
    format: u32,
    /// The number of the fix that is taken back, in an undo.
    undoes: Option<u64>,
    files: Vec<FileRecord>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FileRecord {
    path: String,
    existed: bool,
    exists: bool,
    /// How many of the folders above it come and go with it.
    folders: usize,
}

/// A journal as read.
#[derive(Debug)]
pub(crate) struct Journal {
    pub changes: Vec<Change>,
    pub undoes: Option<u64>,
    /// Paths that no longer lead to a file of the project.
    pub lost: Vec<String>,
}

impl State {
    fn pending(&self) -> PathBuf {
        self.folder.join("pending")
    }

    fn fixes(&self) -> PathBuf {
        self.folder.join("fixes")
    }

    /// Whether a mend was begun and not finished.
    pub fn is_pending(&self) -> bool {
        self.pending().exists()
    }

    /// A change to a path, given its place.
    pub fn change(&self, index: usize, path: &str, target: PathBuf, folders: Vec<PathBuf>) -> Change {
        let waiting = target.with_file_name(format!(".loopmend-{}-{index}.tmp", self.key));
        Change { path: path.to_owned(), target, before: None, after: None, folders, waiting }
    }

    /// Writes down what is about to be done.
    pub fn begin(&self, changes: &[Change], undoes: Option<u64>) -> Result<(), StateError> {
        let folder = self.folder.join("new");
        let write = || -> io::Result<()> {
            remove_all(&folder)?;
            remove_all(&self.folder.join("done"))?;
            make_private(&folder)?;
            for (index, change) in changes.iter().enumerate() {
                for (content, side) in [(&change.before, "before"), (&change.after, "after")] {
                    if let Some(bytes) = content {
                        write_flushed(&folder.join(format!("{index}.{side}")), bytes)?;
                    }
                }
            }
            let files = changes.iter().map(|change| FileRecord {
                path: change.path.clone(),
                existed: change.before.is_some(),
                exists: change.after.is_some(),
                folders: change.folders.len(),
            });
            let record = Record { format: 1, undoes, files: files.collect() };
            write_flushed(&folder.join("journal.json"), &serde_json::to_vec_pretty(&record)?)?;
            fs::rename(&folder, self.pending())?;
            flush(&self.folder);
            Ok(())
        };
        write().map_err(|source| self.unusable(&folder, source))
    }

    /// Reads what was about to be done.
    pub fn load_pending(&self) -> Result<Journal, StateError> {
        self.load(&self.pending())
    }

    /// Reads a fix that was done.
    pub fn load_fix(&self, number: u64) -> Result<Journal, StateError> {
        self.load(&self.fixes().join(format!("{number:06}")))
    }

    fn load(&self, folder: &Path) -> Result<Journal, StateError> {
        let read = || -> io::Result<Journal> {
            let record: Record = serde_json::from_slice(&fs::read(folder.join("journal.json"))?)?;
            if record.format != 1 {
                return Err(io::Error::other("it was written by a newer version of this program"));
            }
            let mut journal = Journal { changes: Vec::new(), undoes: record.undoes, lost: Vec::new() };
            for (index, file) in record.files.into_iter().enumerate() {
                let Some(found) = place(&self.root, &file.path) else {
                    journal.lost.push(file.path);
                    continue;
                };
                let mut folders: Vec<PathBuf> =
                    found.target.ancestors().skip(1).take(file.folders).map(Path::to_owned).collect();
                folders.reverse();
                let mut change = self.change(index, &file.path, found.target, folders);
                let content = |side: &str| fs::read(folder.join(format!("{index}.{side}")));
                change.before = file.existed.then(|| content("before")).transpose()?;
                change.after = file.exists.then(|| content("after")).transpose()?;
                journal.changes.push(change);
            }
            Ok(journal)
        };
        read().map_err(|source| self.unusable(folder, source))
    }

    /// What was begun is done: a fix becomes the last one, an undo takes its fix off the list.
    pub fn finish(&self, undoes: Option<u64>) -> Result<(), StateError> {
        if let Some(number) = undoes {
            let folder = self.fixes().join(format!("{number:06}"));
            remove_all(&folder).map_err(|source| self.unusable(&folder, source))?;
            return self.forget();
        }
        let keep = || -> io::Result<()> {
            make_private(&self.fixes())?;
            let numbers = self.fix_numbers();
            let next = numbers.last().map_or(1, |last| last + 1);
            fs::rename(self.pending(), self.fixes().join(format!("{next:06}")))?;
            for old in numbers.iter().rev().skip(KEPT - 1) {
                remove_all(&self.fixes().join(format!("{old:06}")))?;
            }
            Ok(())
        };
        keep().map_err(|source| self.unusable(&self.fixes(), source))
    }

    /// What was begun was taken back, or is left as it is.
    pub fn forget(&self) -> Result<(), StateError> {
        let done = self.folder.join("done");
        remove_all(&done)
            .and_then(|()| fs::rename(self.pending(), &done))
            .and_then(|()| remove_all(&done))
            .map_err(|source| self.unusable(&done, source))
    }

    /// The number of the last fix.
    pub fn last_fix(&self) -> Option<u64> {
        self.fix_numbers().last().copied()
    }

    fn fix_numbers(&self) -> Vec<u64> {
        let entries = fs::read_dir(self.fixes()).into_iter().flatten().flatten();
        let mut numbers: Vec<u64> =
            entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
        numbers.sort_unstable();
        numbers
    }
}

fn write_flushed(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn flush(folder: &Path) {
    if cfg!(unix) {
        let _ = File::open(folder).and_then(|folder| folder.sync_all());
    }
}

fn remove_all(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
