//! Names and versions of distributions, as metadata, lock files and requirements write them.

use std::collections::BTreeMap;

use loopmend_model::Version;

/// A name in the form that all spellings of it share (PEP 503).
pub(crate) fn normalised(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    for part in name.split(['-', '_', '.']).filter(|part| !part.is_empty()) {
        if !plain.is_empty() {
            plain.push('-');
        }
        plain.extend(part.chars().map(|c| c.to_ascii_lowercase()));
    }
    plain
}

/// The versions that one source gives. What it gives twice and differently is unknown.
#[derive(Debug, Default)]
pub(crate) struct Versions {
    known: BTreeMap<String, Option<Version>>,
}

impl Versions {
    /// Takes a version down; one that is none is passed over.
    pub fn add(&mut self, name: &str, version: &str) {
        let (name, Some(version)) = (normalised(name), Version::parse(version)) else { return };
        if name.is_empty() {
            return;
        }
        let known = self.known.entry(name).or_insert_with(|| Some(version.clone()));
        if known.as_ref().is_some_and(|known| *known != version) {
            *known = None;
        }
    }

    /// Takes down what a requirement (PEP 508) pins with `==`.
    pub fn add_requirement(&mut self, requirement: &str) {
        let requirement = requirement.split(';').next().unwrap_or(requirement).trim();
        let end = requirement
            .find(|c: char| !(c.is_ascii_alphanumeric() || "-_.".contains(c)))
            .unwrap_or(requirement.len());
        let (name, rest) = requirement.split_at(end);
        let rest = rest.trim_start();
        let rest = match rest.strip_prefix('[') {
            Some(extras) => extras.split_once(']').map_or("", |(_, rest)| rest),
            None => rest,
        };
        self.add_specifier(name, rest.trim().trim_start_matches('(').trim_end_matches(')'));
    }

    /// Takes down what a specifier set pins with `==`.
    pub fn add_specifier(&mut self, name: &str, specifiers: &str) {
        for specifier in specifiers.split(',') {
            if let Some(version) = specifier.trim().strip_prefix("==") {
                let version = version.trim_start_matches('=').trim();
                if !version.contains('*') {
                    self.add(name, version);
                }
            }
        }
    }

    /// What is known, by normalised name.
    pub fn into_known(self) -> impl Iterator<Item = (String, Version)> {
        self.known.into_iter().filter_map(|(name, version)| Some((name, version?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_one_however_spelt() {
        assert_eq!(normalised("Pytest_AsyncIO"), "pytest-asyncio");
        assert_eq!(normalised("zope.-interface"), "zope-interface");
    }

    #[test]
    fn requirements_that_pin() {
        let mut versions = Versions::default();
        for requirement in [
            "httpx==0.27.0",
            "Uvicorn[standard] == 0.30.1 ; python_version >= '3.9'",
            "redis>=5",
            "aiohttp==3.*",
            "anyio (==4.4.0)",
            "starlette~=0.37,==0.37.2",
            "twice==1.0",
            "twice==2.0",
            "same==1.0",
            "same==1.0",
            "odd===1.2",
            "name @ https://example.org/x-1.0.zip",
            "",
        ] {
            versions.add_requirement(requirement);
        }
        let known: Vec<String> =
            versions.into_known().map(|(name, version)| format!("{name} {version}")).collect();
        assert_eq!(
            known,
            ["anyio 4.4.0", "httpx 0.27.0", "odd 1.2", "same 1.0", "starlette 0.37.2", "uvicorn 0.30.1"]
        );
    }
}
