//! What a project's environment is made from: which of its files say it, and what they ask for.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use toml::{Table, Value};

use super::installed::Asked;

/// How an environment is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// As `uv.lock` says.
    Uv,
    /// As another tool's lock says, which that tool exports.
    Exported(Exporter),
    /// From lists of requirements.
    Requirements(Vec<String>),
    /// From what the project says of itself, in words that uv reads.
    Declared,
    /// From what only the project's own build can say.
    Built,
    /// Nothing says anything.
    Bare,
}

/// A tool that reads its own lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exporter {
    Poetry,
    Pdm,
    Pipenv,
}

/// What is to be installed, and from which files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Recipe {
    pub kind: Kind,
    /// Every file that has a say, relative to the tree, sorted.
    pub files: Vec<String>,
    pub extras: Vec<String>,
    pub groups: Vec<String>,
    /// The project itself can be installed.
    pub installable: bool,
    pub asked: Asked,
}

/// Extras and groups with such a word in their name are not for running the program or its suite.
const NOT_FOR_RUNNING: [&str; 14] = [
    "doc", "lint", "format", "style", "typing", "mypy", "release", "publish", "deploy", "build", "bench",
    "profil", "gpu", "cuda",
];

fn is_for_running(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    !NOT_FOR_RUNNING.iter().any(|word| name.contains(word))
}

impl Recipe {
    /// Reads the tree.
    pub fn read(tree: &Path) -> Self {
        let is = |name: &str| tree.join(name).is_file();
        let text = |name: &str| fs::read_to_string(tree.join(name)).unwrap_or_default();
        let pyproject: Table = text("pyproject.toml").parse().unwrap_or_default();
        let project = pyproject.get("project").and_then(Value::as_table);
        let poetry = pyproject.get("tool").and_then(|tool| tool.get("poetry")).and_then(Value::as_table);
        let requirements = requirements(tree);
        let dynamic = project.and_then(|project| project.get("dynamic")).and_then(Value::as_array);
        let says_dependencies = project.is_some()
            && !dynamic.is_some_and(|names| names.iter().any(|name| name.as_str() == Some("dependencies")));
        let builds = pyproject.contains_key("build-system") || is("setup.py") || is("setup.cfg");

        let kind = if is("uv.lock") {
            Kind::Uv
        } else if is("poetry.lock") {
            Kind::Exported(Exporter::Poetry)
        } else if is("pdm.lock") {
            Kind::Exported(Exporter::Pdm)
        } else if is("Pipfile.lock") {
            Kind::Exported(Exporter::Pipenv)
        } else if says_dependencies
            && (has_dependencies(project) || !requirements.iter().any(|name| is_main(name)))
        {
            Kind::Declared
        } else if !requirements.is_empty() {
            Kind::Requirements(requirements.clone())
        } else if builds {
            Kind::Built
        } else {
            Kind::Bare
        };

        let mut files: BTreeSet<String> = BTreeSet::new();
        let fixed = [
            "pyproject.toml",
            "uv.lock",
            "uv.toml",
            "poetry.lock",
            "pdm.lock",
            "Pipfile.lock",
            "Pipfile",
            "setup.cfg",
            "setup.py",
            ".python-version",
        ];
        files.extend(fixed.iter().filter(|name| is(name)).map(|name| (*name).to_owned()));
        if matches!(kind, Kind::Requirements(_) | Kind::Declared | Kind::Built) {
            for name in &requirements {
                included(tree, name, &mut files);
            }
        }
        let mut extras = names(project.and_then(|project| project.get("optional-dependencies")));
        extras.extend(names(poetry.and_then(|poetry| poetry.get("extras"))));
        extras.extend(extras_of_setup_cfg(&text("setup.cfg")));
        extras.sort();
        extras.dedup();
        let groups = names(pyproject.get("dependency-groups"));
        let range = project
            .and_then(|project| project.get("requires-python"))
            .or_else(|| poetry?.get("dependencies")?.get("python"))
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or_else(|| setting(&text("setup.cfg"), "python_requires"));
        let pinned = text(".python-version").lines().next().map(|line| line.trim().to_owned());
        Self {
            kind,
            files: files.into_iter().collect(),
            extras,
            groups,
            installable: builds
                || (project.is_some()
                    && pyproject.get("tool").and_then(|tool| tool.get("uv")?.get("package"))
                        != Some(&Value::Boolean(false))
                    && is_package(tree)),
            asked: Asked { range, pinned: pinned.filter(|pinned| !pinned.is_empty()) },
        }
    }

    /// The files in words, for the proof.
    pub fn shown(&self) -> String {
        match &self.kind {
            Kind::Uv => "made from uv.lock".to_owned(),
            Kind::Exported(Exporter::Poetry) => "made from poetry.lock".to_owned(),
            Kind::Exported(Exporter::Pdm) => "made from pdm.lock".to_owned(),
            Kind::Exported(Exporter::Pipenv) => "made from Pipfile.lock".to_owned(),
            Kind::Requirements(names) => format!("made from {}", names.join(", ")),
            Kind::Declared => "made from pyproject.toml".to_owned(),
            Kind::Built => "made from the project's own build".to_owned(),
            Kind::Bare => "made without packages: no file of the project names any".to_owned(),
        }
    }
}

/// Whether the project says that it needs anything.
fn has_dependencies(project: Option<&Table>) -> bool {
    let some = |name: &str| {
        project.and_then(|project| project.get(name)).is_some_and(|value| match value {
            Value::Array(names) => !names.is_empty(),
            Value::Table(names) => !names.is_empty(),
            _ => false,
        })
    };
    some("dependencies") || some("optional-dependencies")
}

/// Whether uv would find something to install: a project without a build system is one only by its packages.
fn is_package(tree: &Path) -> bool {
    tree.join("src").is_dir()
}

fn names(table: Option<&Value>) -> Vec<String> {
    let keys = table.and_then(Value::as_table).into_iter().flat_map(|table| table.keys());
    keys.filter(|name| is_for_running(name)).cloned().collect()
}

/// The names below `[options.extras_require]`.
fn extras_of_setup_cfg(text: &str) -> Vec<String> {
    let inside = text.lines().skip_while(|line| line.trim() != "[options.extras_require]").skip(1);
    let inside = inside.take_while(|line| !line.trim_start().starts_with('['));
    let keys = inside
        .filter(|line| !line.starts_with([' ', '\t', '#', ';']))
        .filter_map(|line| line.split_once('='));
    keys.map(|(key, _)| key.trim().to_owned()).filter(|name| is_for_running(name)).collect()
}

/// A setting of an INI file, on one line.
fn setting(text: &str, name: &str) -> Option<String> {
    let value = text.lines().filter_map(|line| line.split_once('=')).find(|(key, _)| key.trim() == name)?.1;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

fn is_main(name: &str) -> bool {
    name.ends_with("requirements.txt") || name.ends_with("requirements.in")
}

/// Lists of requirements at the root and in `requirements/`, those for running the program and its suite.
fn requirements(tree: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for (folder, prefix) in [(tree.to_path_buf(), ""), (tree.join("requirements"), "requirements/")] {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else { continue };
            let Some(stem) = name.strip_suffix(".txt") else { continue };
            if (prefix.is_empty() && !stem.contains("requirements"))
                || !entry.path().is_file()
                || !is_for_running(stem)
            {
                continue;
            }
            found.push(format!("{prefix}{name}"));
        }
    }
    if found.is_empty() && tree.join("requirements.in").is_file() {
        found.push("requirements.in".to_owned());
    }
    found.sort();
    // Constraints bind only where a list names them.
    found.retain(|name| !name.contains("constraint"));
    found
}

/// The list, and every one that it names.
fn included(tree: &Path, name: &str, files: &mut BTreeSet<String>) {
    if !files.insert(name.to_owned()) {
        return;
    }
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    for line in fs::read_to_string(tree.join(name)).unwrap_or_default().lines() {
        let mut words = line.split([' ', '=', '\t']).filter(|word| !word.is_empty());
        let (Some("-r" | "--requirement" | "-c" | "--constraint"), Some(other)) =
            (words.next(), words.next())
        else {
            continue;
        };
        let path = if folder.is_empty() { other.to_owned() } else { format!("{folder}/{other}") };
        let mut parts: Vec<&str> = Vec::new();
        for part in path.split('/').filter(|part| *part != ".") {
            if part == ".." && parts.pop().is_some() {
                continue;
            }
            parts.push(part);
        }
        let path = parts.join("/");
        if !path.starts_with("..") && tree.join(&path).is_file() {
            included(tree, &path, files);
        }
    }
}

#[cfg(test)]
mod tests;
