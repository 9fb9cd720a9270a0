//! Settles a mend that was killed half-way: completes it, or takes it back.

use std::path::Path;

use thiserror::Error;

use crate::replace::{Change, ReplaceError, clear, content, put_back, replace_all};
use crate::state::{State, StateError};

/// What became of a mend that had been killed half-way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// How it ended.
    pub outcome: RecoverOutcome,
    /// The files that it is about.
    pub files: Vec<String>,
    /// Those that someone has changed since, which were left alone.
    pub changed: Vec<String>,
}

/// How a half-way mend ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecoverOutcome {
    /// All files have their new content.
    Completed,
    /// All files have their old content.
    TakenBack,
    /// A file was changed since by someone else, so all were left as they are.
    LeftAlone,
}

/// Why it could not be settled.
#[derive(Debug, Error)]
pub enum RecoverError {
    /// A file can be neither completed nor taken back.
    #[error("complete or take back an earlier mend, killed half-way, in `{path}`: {source}")]
    Stuck {
        /// Path in the project.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The journal can't be read.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Settles what an earlier command, killed half-way, left of this tree; `None` where there is nothing, or where
/// another process is at work and not dead. Cheap when there is nothing: every command may ask.
///
/// `state_home` stands for the user's state folder, as in [`ApplyOptions`](crate::ApplyOptions).
pub fn recover(root: &Path, state_home: Option<&Path>) -> Result<Option<Recovered>, RecoverError> {
    let state = match State::of(root, state_home) {
        Ok(state) if state.is_pending() => state,
        // Without a home nothing was ever written down.
        Ok(_) | Err(StateError::NoHome) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some(_lock) = state.lock()? else { return Ok(None) };
    recover_locked(&state)
}

pub(crate) fn recover_locked(state: &State) -> Result<Option<Recovered>, RecoverError> {
    if !state.is_pending() {
        return Ok(None);
    }
    let journal = state.load_pending()?;
    clear(&journal.changes);
    let mut changed = journal.lost.clone();
    let (mut open, mut done): (Vec<Change>, Vec<Change>) = (Vec::new(), Vec::new());
    for change in &journal.changes {
        match content(&change.target) {
            Ok(there) if there == change.after => done.push(change.clone()),
            Ok(there) if there == change.before => open.push(change.clone()),
            _ => changed.push(change.path.clone()),
        }
    }
    changed.sort();
    let mut files: Vec<String> = journal.changes.iter().map(|change| change.path.clone()).collect();
    files.extend(journal.lost);
    files.sort();
    let ended = |outcome, changed| Ok(Some(Recovered { outcome, files, changed }));
    if !changed.is_empty() {
        state.forget()?;
        return ended(RecoverOutcome::LeftAlone, changed);
    }
    match replace_all(&open, &|_| Ok(())) {
        Ok(()) => {
            state.finish(journal.undoes)?;
            ended(RecoverOutcome::Completed, changed)
        }
        Err(ReplaceError::Halfway { path, source }) => Err(RecoverError::Stuck { path, source }),
        Err(ReplaceError::PutBack { .. }) => {
            for change in done.iter().rev() {
                put_back(change)
                    .map_err(|source| RecoverError::Stuck { path: change.path.clone(), source })?;
            }
            state.forget()?;
            ended(RecoverOutcome::TakenBack, changed)
        }
    }
}
