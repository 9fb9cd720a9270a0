//! The environment that the user has: named, activated, or beside the project.

use std::path::{Path, PathBuf};

use thiserror::Error;

use super::{Environment, ProbeError};

/// Why the user's environment can't be used.
#[derive(Debug, Error)]
pub enum OwnError {
    /// What was named does not run.
    #[error("use the Python that was named: {0}")]
    Named(ProbeError),
    /// What is activated does not run.
    #[error("use the environment in VIRTUAL_ENV: {0}")]
    Activated(ProbeError),
}

/// The user's environment: the Python that is named, else the activated environment, else one beside the project that works.
pub fn own(
    tree: &Path,
    named: Option<&Path>,
    activated: Option<&Path>,
) -> Result<Option<Environment>, OwnError> {
    if let Some(named) = named {
        let python = if named.is_dir() { python_of(named) } else { named.to_path_buf() };
        return Environment::of(&python, "named").map(Some).map_err(OwnError::Named);
    }
    if let Some(activated) = activated {
        return Environment::of(&python_of(activated), "activated").map(Some).map_err(OwnError::Activated);
    }
    let beside = [".venv", "venv", "env"].iter().map(|name| tree.join(name));
    let mut beside = beside.filter(|folder| folder.join("pyvenv.cfg").is_file());
    // One that was made for an interpreter which is gone is as good as none.
    Ok(beside.find_map(|folder| Environment::of(&python_of(&folder), "of the project").ok()))
}

fn python_of(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}
