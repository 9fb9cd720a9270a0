//! The Pythons that are installed, newest first; none is ever downloaded.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::str::FromStr as _;

use pep440_rs::{Version, VersionSpecifiers};

/// Where to look.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places {
    /// Folders of programs.
    pub path: Vec<PathBuf>,
    /// Folders of installations, each named for its version.
    pub versions: Vec<PathBuf>,
}

impl Places {
    /// Those of this user.
    pub fn of_user() -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
        let variable =
            |name: &str, other: &str| std::env::var_os(name).map_or_else(|| home.join(other), PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self {
            path: std::env::split_paths(&path).collect(),
            versions: vec![
                variable("PYENV_ROOT", ".pyenv").join("versions"),
                variable("XDG_DATA_HOME", ".local/share").join("uv/python"),
            ],
        }
    }

    /// The interpreters by their minor version as their names tell it, newest first.
    pub fn candidates(&self) -> Vec<(u8, PathBuf)> {
        let mut found = BTreeSet::new();
        for folder in &self.path {
            let names = fs::read_dir(folder).into_iter().flatten().flatten();
            for entry in names {
                let name = entry.file_name();
                let minor = name
                    .to_str()
                    .and_then(|name| name.strip_prefix("python3."))
                    .and_then(|minor| minor.parse().ok());
                // A shim only passes on, and may have nothing to pass on to.
                if let Some(minor) = minor.filter(|_| !folder.ends_with("shims")) {
                    found.insert((minor, entry.path()));
                }
            }
        }
        for folder in &self.versions {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                let name = entry.file_name();
                let python = entry.path().join("bin/python3");
                if let Some(minor) = name.to_str().and_then(minor_of).filter(|_| python.is_file()) {
                    found.insert((minor, python));
                }
            }
        }
        found.into_iter().rev().collect()
    }
}

/// The minor version in a name such as `3.12.1` or `cpython-3.12.1-linux-x86_64-gnu`; none for a pre-release or another kind.
fn minor_of(name: &str) -> Option<u8> {
    let version = match name.strip_prefix("cpython-") {
        Some(rest) => rest.split('-').next()?,
        None => name,
    };
    let mut parts = version.split('.');
    let (major, minor, patch) = (parts.next()?, parts.next()?, parts.next().unwrap_or("0"));
    (major == "3" && patch.bytes().all(|byte| byte.is_ascii_digit())).then(|| minor.parse().ok())?
}

/// What a project asks of its Python.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// As `requires-python` says it.
    pub range: Option<String>,
    /// As `.python-version` says it.
    pub pinned: Option<String>,
}

impl Asked {
    pub fn allows(&self, version: (u8, u8, u8)) -> bool {
        let version = Version::new([version.0, version.1, version.2].map(u64::from));
        let Some(range) = &self.range else { return true };
        // A range that nobody can read forbids nothing.
        VersionSpecifiers::from_str(&plain_range(range)).map_or(true, |range| range.contains(&version))
    }

    /// Whether any release of a minor version could be allowed.
    pub fn may_allow(&self, minor: u8) -> bool {
        [0, 5, 12, 25, 99].iter().any(|patch| self.allows((3, minor, *patch)))
    }

    pub fn pinned_minor(&self) -> Option<u8> {
        self.pinned.as_deref()?.strip_prefix("3.")?.split('.').next()?.parse().ok()
    }
}

/// Poetry's `^3.9` and `~3.9` in the words of everybody else.
fn plain_range(range: &str) -> String {
    let clause = |clause: &str| {
        let clause = clause.trim();
        if let Some(version) = clause.strip_prefix('^') {
            let major: u32 =
                version.split('.').next().and_then(|major| major.trim().parse().ok()).unwrap_or(3);
            return format!(">={version},<{}", major + 1);
        }
        if let Some(version) = clause.strip_prefix('~').filter(|rest| !rest.starts_with('=')) {
            return format!(
                "~={}",
                if version.matches('.').count() > 1 { version.to_owned() } else { format!("{version}.0") }
            );
        }
        clause.to_owned()
    };
    range.split(',').map(clause).collect::<Vec<_>>().join(",")
}

/// The folder that holds a candidate, for messages.
pub(crate) fn shown(candidates: &[(u8, PathBuf)]) -> String {
    let mut minors: Vec<String> = candidates.iter().map(|(minor, _)| format!("3.{minor}")).collect();
    minors.dedup();
    if minors.is_empty() { "none".to_owned() } else { minors.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_comes_first_and_pre_releases_never() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for version in [
            "3.9.18",
            "3.12.1",
            "3.13.0",
            "3.14.0rc1",
            "3.15-dev",
            "2.7.18",
            "pypy3.10-7.3",
            "cpython-3.11.9-linux-x86_64-gnu",
        ] {
            fs::create_dir_all(root.join("versions").join(version).join("bin")).unwrap();
            fs::write(root.join("versions").join(version).join("bin/python3"), "").unwrap();
        }
        fs::create_dir(root.join("bin")).unwrap();
        for name in ["python3.10", "python3", "python3.10-config", "python2.7"] {
            fs::write(root.join("bin").join(name), "").unwrap();
        }
        let places = Places { path: vec![root.join("bin")], versions: vec![root.join("versions")] };
        let minors: Vec<u8> = places.candidates().iter().map(|(minor, _)| *minor).collect();
        assert_eq!(minors, [13, 12, 11, 10, 9]);
    }

    #[test]
    fn ranges_of_all_tools_are_read() {
        let allows =
            |range: &str, version| Asked { range: Some(range.to_owned()), pinned: None }.allows(version);
        assert!(allows(">=3.8", (3, 13, 0)) && !allows(">=3.8,<3.13", (3, 13, 0)));
        assert!(allows("^3.9", (3, 12, 1)) && !allows("^3.9", (3, 8, 18)));
        assert!(allows("~3.11", (3, 11, 7)) && !allows("~3.11", (3, 12, 0)));
        assert!(allows("==3.11.*", (3, 11, 7)) && !allows("!=3.11.7", (3, 11, 7)));
        assert!(allows("whatever", (3, 11, 7)));
        let asked = Asked { range: Some(">=3.11.4,<3.12".to_owned()), pinned: Some("3.11".to_owned()) };
        assert!(asked.may_allow(11) && !asked.may_allow(12) && asked.pinned_minor() == Some(11));
    }
}
