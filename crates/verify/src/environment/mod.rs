//! The Python that runs: found, or made from the project's own files.
//!
//! Start with [`Environment::of`] (one that exists), [`own`] (which of the user's a project is
//! run with) and [`Maker`] (one made from the project's files).

mod installed;
mod interpreter;
mod layer;
mod links;
mod maker;
mod needs;
mod own;
mod recipe;
mod site;
mod steps;
mod store;
mod uv;
mod workbench;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use interpreter::{Interpreter, ProbeError};
pub use maker::{Builds, MakeError, Maker};
pub use needs::{needs, suite_needs};
pub use own::{OwnError, own};

/// An environment of Python.
#[derive(Clone, Debug)]
pub struct Environment {
    /// The interpreter to call.
    pub python: PathBuf,
    /// Its version.
    pub version: (u8, u8, u8),
    /// Where it comes from, for the proof.
    pub origin: String,
    /// Folders in which its programs are found, first ones first.
    pub path: Vec<PathBuf>,
    /// Files and folders that it consists of, to be read only.
    pub readable: Vec<PathBuf>,
    /// Folders outside it that its packages are in, such as a project installed by a link to it.
    pub linked: Vec<PathBuf>,
    /// Links on the way to the interpreter: where each is, and what it says.
    pub links: Vec<(PathBuf, PathBuf)>,
    /// Variables that make programs use it.
    pub variables: Vec<(String, String)>,
    /// Folders of packages that are seen through this one.
    pub(crate) below: Vec<PathBuf>,
    /// Keep what was made from being thrown away while it is in use.
    pub(crate) kept: Option<Arc<File>>,
    pub(crate) kept_below: Option<Arc<File>>,
}

impl Environment {
    /// The environment that an interpreter belongs to.
    pub fn of(python: &Path, origin: &str) -> Result<Self, ProbeError> {
        let interpreter = Interpreter::probe(python)?;
        let prefix = virtual_prefix(python);
        // What only passes calls on, such as a shim, is not what runs.
        let python = if prefix.is_some() { absolute(python) } else { interpreter.program.clone() };
        let (links, end) = links::follow(&python);
        let mut readable = shown(&interpreter.base);
        readable.extend(prefix.iter().cloned());
        let linked = prefix.as_deref().map(links::led_to).unwrap_or_default();
        // An interpreter that lies apart from its own library.
        if !readable.iter().any(|folder| end.starts_with(folder)) {
            readable.push(end);
        }
        let path = python.parent().map(Path::to_path_buf).into_iter().collect();
        let variables = prefix
            .iter()
            .filter_map(|prefix| Some(("VIRTUAL_ENV".to_owned(), prefix.to_str()?.to_owned())))
            .collect();
        Ok(Self {
            python,
            version: interpreter.version,
            origin: origin.to_owned(),
            path,
            readable,
            linked,
            links,
            variables,
            below: Vec::new(),
            kept: None,
            kept_below: None,
        })
    }

    /// The distributions in it by their normalised names, with their versions.
    pub fn distributions(&self) -> BTreeMap<String, String> {
        site::distributions(&self.packages())
    }

    /// The folders in which its packages are installed.
    pub fn packages(&self) -> Vec<PathBuf> {
        let (major, minor, _) = self.version;
        let Some(prefix) = self.python.parent().and_then(Path::parent) else { return self.below.clone() };
        let mut folders = vec![prefix.join(format!("lib/python{major}.{minor}/site-packages"))];
        if prefix == Path::new("/usr") {
            // Debian keeps what the system and its user install apart.
            folders.push(format!("/usr/local/lib/python{major}.{minor}/dist-packages").into());
            folders.push("/usr/lib/python3/dist-packages".into());
        }
        folders.retain(|folder| folder.is_dir());
        folders.extend(self.below.iter().cloned());
        folders
    }
}

/// The root of the virtual environment that an interpreter is in.
fn virtual_prefix(python: &Path) -> Option<PathBuf> {
    let prefix = absolute(python).parent()?.parent()?.to_path_buf();
    prefix.join("pyvenv.cfg").is_file().then_some(prefix)
}

/// The absolute path, links kept: an environment is the one whose link is called.
fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}

/// The parts of an installation that a run may see: all of it, unless the user's home lies in it.
fn shown(base: &Path) -> Vec<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    let holds_home = !home.as_os_str().is_empty() && (home.starts_with(base) || base == home.join(".local"));
    if !holds_home {
        return vec![base.to_path_buf()];
    }
    ["bin", "lib", "lib64", "include"]
        .iter()
        .map(|name| base.join(name))
        .filter(|path| path.is_dir())
        .collect()
}
