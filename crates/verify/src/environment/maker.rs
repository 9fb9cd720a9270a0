//! Makes environments with uv, in the sandbox: with a way out to package indexes, without home, credentials or this host.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy as _;
use thiserror::Error;

use super::installed::{self, Places};
use super::recipe::Recipe;
use super::store::{Kept, Key, Store};
use super::workbench::{Bench, StepError};
use super::{Environment, ProbeError, steps, uv};
use crate::place::PrepareError;
use crate::sandbox::Sandbox;

/// Changes where what an environment becomes would change for other reasons than its files.
const EDITION: &str = "1";

/// Whether source distributions may be built, which runs their code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Builds {
    /// They may, in the sandbox.
    #[default]
    Allowed,
    /// Only wheels are installed, and the project itself is not built.
    Never,
}

/// Makes environments.
pub struct Maker<'a> {
    /// The sandbox that building is confined to; without one it is done as the user.
    pub sandbox: Option<Sandbox>,
    /// What may be built.
    pub builds: Builds,
    /// The folder in which environments, uv and its cache are kept.
    pub cache: PathBuf,
    /// Told what takes long.
    pub say: &'a dyn Fn(&str),
    pub(crate) places: Places,
}

/// Why there is no environment.
#[derive(Debug, Error)]
pub enum MakeError {
    /// The system names no home.
    #[error("find a cache folder; set XDG_CACHE_HOME to a folder that can be written")]
    NoCache,
    /// No installed Python is one that the project allows.
    #[error("find a Python for the project, which asks for `{asked}`; installed: {installed}")]
    NoPython {
        /// As the project says it.
        asked: String,
        /// The versions that are there.
        installed: String,
    },
    /// A step failed.
    #[error("make the environment: {step} failed{}: {said}", .package.as_ref().map(|name| format!(" at `{name}`")).unwrap_or_default())]
    Step {
        /// What was done, in words.
        step: String,
        /// The package that is to blame, where the complaint names one.
        package: Option<String>,
        /// The last of what it said.
        said: String,
    },
    /// There is no uv, and none can be installed.
    #[error("make the environment: uv is not installed, and installing it failed: {0}")]
    NoUv(String),
    /// The copy of the tree could not be made.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// What was made does not run.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// The cache could not be read or written.
    #[error("keep the environment: {0}")]
    Io(#[from] io::Error),
}

impl MakeError {
    /// What the user can do.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NoPython { .. } => {
                "install one (`pyenv install`, `uv python install`), or name one with --python"
            }
            Self::NoUv(_) => "install it (`pip install uv`), or name an environment with --python",
            Self::Step { .. } => {
                "make the environment yourself and activate it, or name its Python with --python"
            }
            _ => return None,
        })
    }
}

impl<'a> Maker<'a> {
    /// A maker that keeps what it makes in the user's cache folder.
    pub fn new(sandbox: Option<Sandbox>, say: &'a dyn Fn(&str)) -> Result<Self, MakeError> {
        let places = etcetera::choose_base_strategy().map_err(|_| MakeError::NoCache)?;
        let cache = places.cache_dir().join("loopmend");
        Ok(Self { sandbox, builds: Builds::default(), cache, say, places: Places::of_user() })
    }

    /// The environment of a project, made from its files or kept from an earlier time.
    pub fn make(&self, tree: &Path) -> Result<Environment, MakeError> {
        let recipe = Recipe::read(tree);
        let mut failed = None;
        for python in self.pythons(&recipe) {
            match self.make_with(tree, &recipe, &python) {
                Ok(environment) => return Ok(environment),
                // What was pinned before a Python came out may have no wheel for it: the one before may do.
                Err(error @ MakeError::Step { .. }) => {
                    let (major, minor, _) = python.version;
                    (self.say)(&format!("with Python {major}.{minor}: {error}"));
                    failed.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(failed.unwrap_or_else(|| self.no_python(&recipe)))
    }

    /// Interpreters that the project allows: the pinned one, then the newest; each is asked only when its turn comes.
    fn pythons(&self, recipe: &Recipe) -> impl Iterator<Item = Environment> {
        let asked = recipe.asked.clone();
        let mut candidates = self.places.candidates();
        candidates.retain(|(minor, _)| asked.may_allow(*minor));
        let pinned = asked.pinned_minor();
        candidates.sort_by_key(|(minor, _)| pinned != Some(*minor));
        let mut given = BTreeSet::new();
        let fitting = candidates.into_iter().filter_map(move |(minor, path)| {
            let python = Some(path).filter(|_| !given.contains(&minor));
            let python = python.and_then(|path| Environment::of(&path, "installed").ok());
            let python = python.filter(|python| asked.allows(python.version))?;
            given.insert(minor);
            Some(python)
        });
        fitting.take(3)
    }

    fn no_python(&self, recipe: &Recipe) -> MakeError {
        let asked = recipe.asked.range.clone().unwrap_or_else(|| "any".to_owned());
        MakeError::NoPython { asked, installed: installed::shown(&self.places.candidates()) }
    }

    fn make_with(
        &self,
        tree: &Path,
        recipe: &Recipe,
        python: &Environment,
    ) -> Result<Environment, MakeError> {
        let kept = self.store().get(&self.key(tree, recipe, python), |folder| {
            (self.say)(&format!("making an environment ({}); it is kept for the next time", recipe.shown()));
            let uv = uv::find_or_install(self, python)?;
            let bench = Bench::new(self, tree, folder, python, &uv)?;
            steps::make(&bench, recipe, self.builds)?;
            bench.seal()?;
            Ok::<(), MakeError>(())
        })?;
        finished(kept, &recipe.shown(), tree)
    }

    /// The key of an environment: the files, the interpreter, and how it is made.
    fn key(&self, tree: &Path, recipe: &Recipe, python: &Environment) -> String {
        let (major, minor, patch) = python.version;
        let mut key = Key::default()
            .add("edition", EDITION.as_bytes())
            .add("builds", &[u8::from(self.builds == Builds::Allowed)])
            .add("python", format!("{major}.{minor}.{patch} {}", python.python.display()).as_bytes())
            // The project is installed by a link to where it is.
            .add("tree", if recipe.installable { tree.as_os_str().as_encoded_bytes() } else { b"" });
        for name in &recipe.files {
            key = key.add(name, &std::fs::read(tree.join(name)).unwrap_or_default());
        }
        key.finish()
    }

    pub(crate) fn store(&self) -> Store {
        Store::new(self.cache.join("environments"))
    }
}

/// The environment in a folder of the store.
pub(crate) fn finished(kept: Kept, origin: &str, tree: &Path) -> Result<Environment, MakeError> {
    let mut environment = Environment::of(&kept.folder.join("venv/bin/python"), origin)?;
    if kept.folder.join(steps::NOT_INSTALLED).is_file() {
        // Its modules are found where they are.
        let source = tree.join("src");
        let path = if source.is_dir() { source } else { tree.to_path_buf() };
        environment.variables.extend(path.to_str().map(|path| ("PYTHONPATH".to_owned(), path.to_owned())));
    }
    environment.kept = Some(kept.lock);
    Ok(environment)
}

impl From<StepError> for MakeError {
    fn from(error: StepError) -> Self {
        match error {
            StepError::Failed { step, said } => {
                Self::Step { package: steps::blamed(&said), said: steps::gist(&said), step }
            }
            StepError::NotRun { step, reason } => Self::Step { step, package: None, said: reason },
        }
    }
}
