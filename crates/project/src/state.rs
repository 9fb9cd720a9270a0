//! Where what a mend needs to be completed or taken back is kept: in the user's state folder, one folder for
//! each tree, so that the tree itself changes by the patch and nothing else.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use sha2::{Digest, Sha256};
use thiserror::Error;

/// Why the state folder is of no use.
#[derive(Debug, Error)]
pub enum StateError {
    /// The system names no home.
    #[error("find a state folder; set XDG_STATE_HOME to a folder that can be written")]
    NoHome,
    /// The tree is not there.
    #[error("find the project `{}`: {source}", .path.display())]
    NoRoot {
        /// The tree.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It can't be read or written.
    #[error("keep the state in `{}`: {source}; set XDG_STATE_HOME to a folder that can be written", .path.display())]
    Unusable {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// One tree's state.
#[derive(Debug)]
pub(crate) struct State {
    /// The tree, canonical.
    pub root: PathBuf,
    /// Its state folder, which may not exist yet.
    pub folder: PathBuf,
    /// A name for the tree, in hexadecimal digits.
    pub key: String,
}

/// Held while the tree is changed; the system lets go of it when the process ends, however it ends.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl State {
    /// The state of a tree, below the given home or the user's own.
    pub fn of(root: &Path, home: Option<&Path>) -> Result<Self, StateError> {
        let root =
            root.canonicalize().map_err(|source| StateError::NoRoot { path: root.to_owned(), source })?;
        let home = if let Some(home) = home {
            home.to_owned()
        } else {
            let places = etcetera::choose_base_strategy().map_err(|_| StateError::NoHome)?;
            places.state_dir().unwrap_or_else(|| places.data_dir())
        };
        let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
        let key = digest[..8].iter().fold(String::new(), |key, byte| format!("{key}{byte:02x}"));
        Ok(Self { folder: home.join("loopmend").join(&key), root, key })
    }

    /// Makes the folder and takes the lock; `None` while another process has it.
    pub fn lock(&self) -> Result<Option<Lock>, StateError> {
        make_private(&self.folder).map_err(|source| self.unusable(&self.folder, source))?;
        let path = self.folder.join("lock");
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(|source| self.unusable(&path, source))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Lock { _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(source)) => Err(self.unusable(&path, source)),
        }
    }

    /// The system's error as ours.
    #[expect(clippy::unused_self, reason = "reads as a question to the state")]
    pub fn unusable(&self, path: &Path, source: io::Error) -> StateError {
        StateError::Unusable { path: path.to_owned(), source }
    }
}

/// Makes a folder that only its user may read: it holds source.
pub(crate) fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}
