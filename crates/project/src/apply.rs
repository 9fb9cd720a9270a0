//! Writes a patch into the tree: all of it, or nothing.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use loopmend_model::{FileChange, Patch};
use thiserror::Error;

use crate::decode::{Encoded, decode_config, decode_source};
use crate::dirty::{DirtyError, uncommitted};
use crate::place::{is_protected, place};
use crate::recover::{RecoverError, Recovered, recover_locked};
use crate::replace::{Change, ReplaceError, Turn, content, replace_all};
use crate::state::{State, StateError};

/// What may be written over.
#[derive(Clone, Debug, Default)]
pub struct ApplyOptions {
    /// Also files with changes that are not committed.
    pub allow_dirty: bool,
    /// Refuse links that lead out of the tree: for trees that their user did not choose.
    pub inside_only: bool,
    /// Where state is kept, in place of the user's state folder.
    pub state_home: Option<PathBuf>,
}

/// What was done.
#[derive(Debug, Default)]
pub struct Applied {
    /// Paths in the project, in the patch's order; files that it leaves as they are do not count.
    pub files: Vec<String>,
    /// An earlier mend that had been killed half-way was settled first.
    pub recovered: Option<Recovered>,
}

/// Why nothing was changed.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// A path that is not the project's.
    #[error("apply the patch: `{0}` is not a path in the project")]
    Outside(String),
    /// Two paths are one file, by a link.
    #[error("apply the patch: `{0}` and `{1}` are the same file")]
    Twice(String, String),
    /// Files are not what the patch was made for.
    #[error("apply the patch: changed since it was read: {}", .0.join(", "))]
    Changed(Vec<String>),
    /// Files have uncommitted changes.
    #[error("apply the patch: uncommitted changes in {}", .0.join(", "))]
    Dirty(Vec<String>),
    /// A file or its folder is protected.
    #[error("apply the patch: `{0}` or its folder is read-only")]
    ReadOnly(String),
    /// The new text needs a character that the file's encoding lacks, or the old one does not come back as it was.
    #[error("apply the patch: `{path}` can't be written back in its encoding, {encoding}")]
    Encoding {
        /// Path in the project.
        path: String,
        /// Its encoding.
        encoding: &'static str,
    },
    /// Another process is at it.
    #[error("apply the patch: another loopmend is changing this project")]
    Busy,
    /// Writing failed; all files are as they were.
    #[error("write `{path}`: {source}; nothing was changed")]
    Write {
        /// Path in the project.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// Writing failed, and putting back failed too.
    #[error("write the patch, and to put `{path}` back: {source}")]
    Halfway {
        /// Path in the project.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// Git does not say.
    #[error(transparent)]
    Git(#[from] DirtyError),
    /// An earlier mend could not be settled.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// There is no place for the journal.
    #[error(transparent)]
    State(#[from] StateError),
}

impl ApplyError {
    /// What the user can do.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Changed(_) => "run the command again",
            Self::Dirty(_) => "commit them, or use --allow-dirty",
            Self::Git(_) => "mend git's complaint, or use --allow-dirty",
            Self::ReadOnly(_) => "make it writable first",
            Self::Busy => "wait for it to end",
            Self::Halfway { .. } => {
                "free what is in the way, then run any loopmend command: it completes the patch or takes it back"
            }
            Self::Encoding { .. } => "convert the file to UTF-8 first",
            _ => return None,
        })
    }
}

/// Applies a patch to the tree at this root.
///
/// Every file must still be what the patch was made for. Encoding, byte order mark and permissions are kept, and a
/// link stays a link. Killed at any moment, each file is whole, and [`recover`](crate::recover()) settles the rest.
pub fn apply(root: &Path, patch: &Patch, options: &ApplyOptions) -> Result<Applied, ApplyError> {
    apply_in_turns(root, patch, options, &|_| Ok(()))
}

pub(crate) fn apply_in_turns(
    root: &Path,
    patch: &Patch,
    options: &ApplyOptions,
    turn: Turn<'_>,
) -> Result<Applied, ApplyError> {
    if patch.is_empty() {
        return Ok(Applied::default());
    }
    let state = State::of(root, options.state_home.as_deref())?;
    let Some(_lock) = state.lock()? else { return Err(ApplyError::Busy) };
    let recovered = recover_locked(&state)?;

    let mut changes = changes_of(&state, patch, options)?;
    changes.retain(|change| change.before != change.after);
    if !options.allow_dirty {
        refuse_uncommitted(&state.root, &changes)?;
    }
    let files = changes.iter().map(|change| change.path.clone()).collect();
    if !changes.is_empty() {
        state.begin(&changes, None)?;
        match replace_all(&changes, turn) {
            Ok(()) => state.finish(None)?,
            Err(ReplaceError::PutBack { path, source }) => {
                state.forget()?;
                return Err(ApplyError::Write { path, source });
            }
            Err(ReplaceError::Halfway { path, source }) => return Err(ApplyError::Halfway { path, source }),
        }
    }
    Ok(Applied { files, recovered })
}

/// The patch as bytes at places on disk, each checked against what is there.
fn changes_of(state: &State, patch: &Patch, options: &ApplyOptions) -> Result<Vec<Change>, ApplyError> {
    let mut changes: Vec<Change> = Vec::new();
    let mut differing = Vec::new();
    let mut targets: BTreeMap<PathBuf, String> = BTreeMap::new();
    for (index, file) in patch.files.iter().enumerate() {
        let name = &file.path;
        let place = place(&state.root, name).ok_or_else(|| ApplyError::Outside(name.clone()))?;
        if options.inside_only && !place.target.starts_with(&state.root) {
            return Err(ApplyError::Outside(name.clone()));
        }
        if let Some(other) = targets.insert(place.target.clone(), name.clone()) {
            return Err(ApplyError::Twice(other, name.clone()));
        }
        let there =
            content(&place.target).map_err(|source| ApplyError::Write { path: name.clone(), source })?;
        let Some(encoded) = encoding_of(file, there.as_deref()) else {
            differing.push(name.clone());
            continue;
        };
        if is_protected(&place.target) {
            return Err(ApplyError::ReadOnly(name.clone()));
        }
        let fails = || ApplyError::Encoding { path: name.clone(), encoding: encoded.name() };
        if file.before.as_deref().map(|before| encoded.bytes_of(before)) != there.clone().map(Some) {
            return Err(fails());
        }
        let mut change = state.change(index, name, place.target, place.missing);
        change.before = there;
        change.after = Some(encoded.bytes_of(&file.after).ok_or_else(fails)?);
        changes.push(change);
    }
    if differing.is_empty() { Ok(changes) } else { Err(ApplyError::Changed(differing)) }
}

/// How the file on disk is encoded; `None` where it is not what the patch was made for.
fn encoding_of(file: &FileChange, there: Option<&[u8]>) -> Option<Encoded> {
    match (&file.before, there) {
        (None, None) => Some(Encoded::UTF8),
        (Some(before), Some(bytes)) => {
            let extension = Path::new(&file.path).extension();
            let python = extension.is_some_and(|extension| extension == "py" || extension == "pyw");
            let decode = if python { decode_source } else { decode_config };
            decode(bytes).ok().filter(|(text, _)| text == before).map(|(_, encoded)| encoded)
        }
        _ => None,
    }
}

fn refuse_uncommitted(root: &Path, changes: &[Change]) -> Result<(), ApplyError> {
    // Git is asked for the files themselves: behind a link it sees only the link.
    let own: Vec<(String, &Change)> = changes
        .iter()
        .filter(|change| change.before.is_some())
        .filter_map(|change| {
            let path =
                change.target.strip_prefix(root).ok()?.to_str()?.replace(std::path::MAIN_SEPARATOR, "/");
            Some((path, change))
        })
        .collect();
    let asked: Vec<String> = own.iter().map(|(path, _)| path.clone()).collect();
    let dirty = uncommitted(root, &asked)?;
    let named: Vec<String> = own
        .into_iter()
        .filter(|(path, _)| dirty.contains(path))
        .map(|(_, change)| change.path.clone())
        .collect();
    if named.is_empty() { Ok(()) } else { Err(ApplyError::Dirty(named)) }
}
