//! A file of the tree. Its outline is always there; its facts come when somebody asks.

use std::sync::{Arc, OnceLock};

use super::module;
use crate::facts::{Facts, Name, Outline};

/// One Python file.
#[derive(Debug)]
pub(super) struct File {
    /// Path in the tree, with `/`.
    pub path: String,
    /// Dotted name of the module.
    pub module: Name,
    /// It is a package's `__init__.py`.
    pub package: bool,
    /// The text.
    pub text: Arc<str>,
    /// What is known at once.
    pub outline: Outline,
    facts: OnceLock<Facts>,
}

impl File {
    /// Reads a file; its facts too where the outline says that they will be asked for.
    pub fn read(path: &str, text: &Arc<str>, wanted: impl FnOnce(&Outline) -> bool) -> Self {
        let (module, package) = module::name(path);
        let (outline, facts) = crate::facts::read(path, &module, package, text, wanted);
        Self {
            path: path.to_owned(),
            module: Name::new(&module),
            package,
            text: Arc::clone(text),
            outline,
            facts: facts.map_or_else(OnceLock::new, OnceLock::from),
        }
    }

    /// The facts.
    pub fn facts(&self) -> &Facts {
        self.facts.get_or_init(|| crate::facts::lower(&self.path, &self.module, self.package, &self.text))
    }
}
