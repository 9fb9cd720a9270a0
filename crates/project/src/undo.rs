//! Takes the last fix back.

use std::io;
use std::path::Path;

use thiserror::Error;

use crate::place::is_protected;
use crate::recover::{RecoverError, Recovered, recover_locked};
use crate::replace::{Change, ReplaceError, content, replace_all};
use crate::state::{State, StateError};

/// What was taken back.
#[derive(Debug)]
pub struct Undone {
    /// Paths in the project.
    pub files: Vec<String>,
    /// An earlier mend that had been killed half-way was settled first.
    pub recovered: Option<Recovered>,
}

/// Why nothing was taken back; the tree is as it was.
#[derive(Debug, Error)]
pub enum UndoError {
    /// No fix is known of.
    #[error("undo: no fix of this project is known")]
    Nothing,
    /// Files were changed after the fix.
    #[error("undo: changed since the fix: {}", .0.join(", "))]
    Changed(Vec<String>),
    /// A file or its folder is protected.
    #[error("undo: `{0}` or its folder is read-only")]
    ReadOnly(String),
    /// Another process is at it.
    #[error("undo: another loopmend is changing this project")]
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
    #[error("undo, and to put `{path}` back: {source}")]
    Halfway {
        /// Path in the project.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// An earlier mend could not be settled.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// The state folder is of no use.
    #[error(transparent)]
    State(#[from] StateError),
}

impl UndoError {
    /// What the user can do.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::Changed(_) => "take your later changes back first, or undo by hand",
            Self::ReadOnly(_) => "make it writable first",
            Self::Busy => "wait for it to end",
            Self::Halfway { .. } => {
                "free what is in the way, then run any loopmend command: it completes the undo or takes it back"
            }
            _ => return None,
        })
    }
}

/// Takes the last fix of this tree back, if its files are still as it wrote them; else all are left alone.
///
/// `state_home` stands for the user's state folder, as in [`ApplyOptions`](crate::ApplyOptions).
pub fn undo(root: &Path, state_home: Option<&Path>) -> Result<Undone, UndoError> {
    let state = State::of(root, state_home)?;
    if state.last_fix().is_none() && !state.is_pending() {
        return Err(UndoError::Nothing);
    }
    let Some(_lock) = state.lock()? else { return Err(UndoError::Busy) };
    let recovered = recover_locked(&state)?;
    let number = state.last_fix().ok_or(UndoError::Nothing)?;
    let fix = state.load_fix(number)?;

    let mut differing = fix.lost;
    for change in &fix.changes {
        let there = content(&change.target);
        if !there.is_ok_and(|there| there == change.after) {
            differing.push(change.path.clone());
        }
    }
    if !differing.is_empty() {
        differing.sort();
        return Err(UndoError::Changed(differing));
    }
    if let Some(change) = fix.changes.iter().find(|change| is_protected(&change.target)) {
        return Err(UndoError::ReadOnly(change.path.clone()));
    }
    let changes: Vec<Change> = fix
        .changes
        .into_iter()
        .map(|change| Change { before: change.after, after: change.before, ..change })
        .collect();
    state.begin(&changes, Some(number))?;
    match replace_all(&changes, &|_| Ok(())) {
        Ok(()) => state.finish(Some(number))?,
        Err(ReplaceError::PutBack { path, source }) => {
            state.forget()?;
            return Err(UndoError::Write { path, source });
        }
        Err(ReplaceError::Halfway { path, source }) => return Err(UndoError::Halfway { path, source }),
    }
    Ok(Undone { files: changes.into_iter().map(|change| change.path).collect(), recovered })
}
