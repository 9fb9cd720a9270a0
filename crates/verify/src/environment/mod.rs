//! The Python that runs: found, or made from the project's own files.

use std::path::PathBuf;

/// An environment of Python.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// The interpreter to call.
    pub python: PathBuf,
    /// Folders in which its programs are found, first ones first.
    pub path: Vec<PathBuf>,
    /// Files and folders that it consists of, to be read only.
    pub readable: Vec<PathBuf>,
    /// Variables that make programs use it.
    pub variables: Vec<(String, String)>,
}
