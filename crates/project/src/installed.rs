//! What an environment has installed, by the names of its folders alone: no file of a package is opened.

use std::fs;
use std::path::{Path, PathBuf};

use crate::distribution::Versions;
use crate::python_range::{Minor, minor};

/// An environment's interpreter and packages.
#[derive(Debug, Default)]
pub(crate) struct Installed {
    pub interpreter: Option<Minor>,
    pub versions: Versions,
}

/// The environment that counts: the given one, else the tree's own `.venv` or `venv`.
pub(crate) fn installed(root: &Path, given: Option<&Path>) -> Option<Installed> {
    let given = given.filter(|folder| folder.is_dir()).map(Path::to_owned);
    let folder = given.or_else(|| {
        [".venv", "venv"]
            .iter()
            .map(|name| root.join(name))
            .find(|folder| folder.join("pyvenv.cfg").is_file())
    })?;
    let configured = fs::read_to_string(folder.join("pyvenv.cfg")).ok().and_then(|text| version_in(&text));
    let libraries = libraries(&folder);
    let interpreter = configured.or(match libraries.as_slice() {
        [(only, _)] => *only,
        _ => None,
    });
    let mut installed = Installed { interpreter, versions: Versions::default() };
    for (python, library) in libraries {
        if python.is_none() || interpreter.is_none() || python == interpreter {
            add_library(&library, &mut installed.versions);
        }
    }
    Some(installed)
}

/// `version = 3.12.4` (venv) or `version_info = 3.12.4.final.0` (virtualenv, uv).
fn version_in(config: &str) -> Option<Minor> {
    config.lines().find_map(|line| {
        let (key, value) = line.split_once('=')?;
        matches!(key.trim(), "version" | "version_info").then(|| minor(value.trim()))?
    })
}

/// The folders of installed packages, with the Python that each is for, sorted.
fn libraries(environment: &Path) -> Vec<(Option<Minor>, PathBuf)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(environment.join("lib")).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with("python") || name.starts_with("pypy") {
            found.push((minor(&name), entry.path().join("site-packages")));
        }
    }
    if found.is_empty() {
        found.push((None, environment.join("Lib").join("site-packages")));
    }
    found.retain(|(_, folder)| folder.is_dir());
    found.sort();
    found
}

/// Adds `name-1.2.dist-info` and `name-1.2-py3.12.egg-info`.
fn add_library(folder: &Path, versions: &mut Versions) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        let Some(stem) = name.strip_suffix(".dist-info").or_else(|| name.strip_suffix(".egg-info")) else {
            continue;
        };
        // An interrupted uninstall leaves `~ame-1.2.dist-info`.
        if let Some((name, rest)) = stem.split_once('-').filter(|(name, _)| !name.starts_with('~')) {
            versions.add(name, rest.split("-py").next().unwrap_or(rest));
        }
    }
}
