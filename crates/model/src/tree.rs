//! The user's source as text: what `project` reads and the pure steps work on.

use std::sync::Arc;

use crate::Settings;

/// The Python files of a project and what its configuration says.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// Sorted by path.
    pub files: Vec<SourceFile>,
    /// Configuration that a fix may have to edit (`pyproject.toml`, `pytest.ini`, `setup.cfg`, `tox.ini`, requirements).
    pub configs: Vec<ConfigFile>,
    /// What was read from configuration, lock files and the environment.
    pub settings: Settings,
    /// What could not be read, and why.
    pub notes: Vec<Note>,
}

/// One Python file.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path in the project, with `/`.
    pub path: String,
    /// Decoded text, line ends as they are.
    pub text: Arc<str>,
}

/// One configuration file.
#[derive(Clone, Debug)]
pub struct ConfigFile {
    /// Path in the project, with `/`.
    pub path: String,
    /// Decoded text.
    pub text: Arc<str>,
}

/// Something a user should know of, that stopped nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The file it is about, if one.
    pub path: Option<String>,
    /// One sentence.
    pub message: String,
}

impl Tree {
    /// The file at this path.
    pub fn file(&self, path: &str) -> Option<&SourceFile> {
        self.files.binary_search_by(|file| file.path.as_str().cmp(path)).ok().map(|index| &self.files[index])
    }

    /// The configuration file at this path.
    pub fn config(&self, path: &str) -> Option<&ConfigFile> {
        self.configs.iter().find(|config| config.path == path)
    }
}
