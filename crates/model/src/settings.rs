//! What a project's configuration, lock files and environment say.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// Everything read beside the source.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The Python versions the project supports, as far as known.
    pub python: PythonRange,
    /// Version of each distribution by its normalised name (`pytest-asyncio`).
    pub versions: BTreeMap<String, (Version, VersionSource)>,
    /// What pytest really reads.
    pub pytest: PytestSettings,
    /// Resources that `[tool.loopmend.resources]` adds.
    pub resources: Vec<UserResource>,
    /// Causes never reported (`[tool.loopmend] ignore`).
    pub ignore: Vec<String>,
    /// The command that shows what the program does (`[tool.loopmend] run`).
    pub run: Option<String>,
    /// Services of this machine that a proof's runs may reach, as `HOST:PORT` (`[tool.loopmend] services`).
    pub services: Vec<String>,
}

/// Supported Python versions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PythonRange {
    /// Lowest supported `(major, minor)`: from `requires-python`, else the interpreter's own version.
    pub min: Option<(u8, u8)>,
    /// Highest supported.
    pub max: Option<(u8, u8)>,
    /// The interpreter of the environment that was found.
    pub interpreter: Option<(u8, u8)>,
}

/// A release version: numbers only are compared, a pre-release counts as lower.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Version {
    /// The release numbers.
    pub release: Vec<u64>,
    /// `a1`, `rc2`, `.dev0`: it comes before the release.
    pub pre: bool,
    /// As written.
    pub text: String,
}

/// Where a version was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VersionSource {
    /// Installed in the environment.
    Installed,
    /// In a lock file.
    Locked,
    /// Pinned with `==` in the project's requirements.
    Pinned,
}

/// Settings of pytest and its asyncio plugin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PytestSettings {
    /// The file that pytest reads its options from, in the project.
    pub file: Option<String>,
    /// All options of its section.
    pub options: BTreeMap<String, String>,
}

/// A constructor that the user's configuration describes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserResource {
    /// Qualified path that users write.
    pub constructor: String,
    /// Methods that end it, best first.
    pub close: Vec<String>,
    /// Whether they are awaited.
    pub close_awaited: bool,
    /// Whether the constructor is awaited.
    pub acquire_awaited: bool,
    /// `async`, `sync` or `none`.
    pub context_manager: String,
    /// Whether it ties itself to the loop.
    pub binds: bool,
}

impl Settings {
    /// The version of a distribution, by its normalised name.
    pub fn version(&self, distribution: &str) -> Option<&Version> {
        self.versions.get(distribution).map(|(version, _)| version)
    }

    /// Whether every supported Python is at least this one; unknown is no.
    pub fn python_at_least(&self, major: u8, minor: u8) -> bool {
        self.python.min.is_some_and(|min| min >= (major, minor))
    }
}

impl Version {
    /// Reads `1.2.3`, `2.0.0rc1`, `0.21.2.post1`; `None` where no number leads.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim().trim_start_matches('v');
        let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
        let release: Vec<u64> = text[..end]
            .split('.')
            .filter(|part| !part.is_empty())
            .map_while(|part| part.parse().ok())
            .collect();
        if release.is_empty() {
            return None;
        }
        let rest = text[end..].trim_start_matches(['.', '-', '_']);
        let pre = ["a", "b", "c", "rc", "dev", "pre"].iter().any(|tag| rest.starts_with(tag));
        Some(Self { release, pre, text: text.to_owned() })
    }

    /// Whether it is at least the given release.
    pub fn at_least(&self, release: &[u64]) -> bool {
        let width = self.release.len().max(release.len());
        let number = |list: &[u64], index: usize| list.get(index).copied().unwrap_or(0);
        for index in 0..width {
            match number(&self.release, index).cmp(&number(release, index)) {
                Ordering::Greater => return true,
                Ordering::Less => return false,
                Ordering::Equal => {}
            }
        }
        !self.pre
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl PytestSettings {
    /// An option's value, trimmed.
    pub fn option(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(|value| value.trim())
    }
}
