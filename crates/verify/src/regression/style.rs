//! How a project writes its tests.

use std::collections::BTreeMap;

use loopmend_python::lifecycle::AsyncioMode;

use crate::case::Case;
use crate::reproduce::{has_pytest, is_test};

/// The project's way of tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// What runs them.
    pub runner: Runner,
    /// Their folder, with `/` at its end; empty for the root.
    pub folder: String,
    /// Files are named `x_test.py` rather than `test_x.py`.
    pub suffixed: bool,
}

/// What runs the tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    /// pytest, with what runs its async tests.
    Pytest(Async),
    /// The standard library's.
    Unittest,
}

/// What runs async tests of pytest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Async {
    /// pytest-asyncio, without a mark.
    Auto,
    /// pytest-asyncio, marked.
    Marked,
    /// anyio's plugin, marked.
    Anyio,
    /// Nothing: the test runs its own loop.
    None,
}

impl Style {
    /// Read from the tests that are there; of a tree without any, where pytest is installed, pytest's own.
    pub fn of(case: &Case<'_>) -> Option<Self> {
        let mut folders: BTreeMap<&str, usize> = BTreeMap::new();
        let (mut suffixed, mut unittest, mut tests) = (0, 0, 0);
        for file in &case.tree.files {
            let (folder, name) =
                file.path.rsplit_once('/').map_or(("", file.path.as_str()), |(folder, name)| (folder, name));
            if !is_test(&file.path) || !(name.starts_with("test_") || name.ends_with("_test.py")) {
                continue;
            }
            tests += 1;
            *folders.entry(folder).or_default() += 1;
            suffixed += usize::from(name.ends_with("_test.py"));
            unittest += usize::from(file.text.contains("TestCase)"));
        }
        let pytest = has_pytest(case);
        if tests == 0 && !pytest {
            return None;
        }
        let folder = folders
            .iter()
            .max_by_key(|(folder, count)| (**count, std::cmp::Reverse(folder.len())))
            .map(|(folder, _)| *folder);
        let folder = folder.map_or_else(
            || "tests/".to_owned(),
            |folder| if folder.is_empty() { String::new() } else { format!("{folder}/") },
        );
        let runner = if pytest && (tests == 0 || unittest * 2 <= tests) {
            Runner::Pytest(Async::of(case))
        } else {
            Runner::Unittest
        };
        Some(Self { runner, folder, suffixed: tests > 0 && suffixed * 2 > tests })
    }

    /// The path of a file of tests about something.
    pub fn path(&self, about: &str) -> String {
        if self.suffixed {
            format!("{}{about}_test.py", self.folder)
        } else {
            format!("{}test_{about}.py", self.folder)
        }
    }
}

impl Async {
    fn of(case: &Case<'_>) -> Self {
        let suite = case.life.suite();
        if suite.tests.iter().any(|test| test.is_async && test.anyio.is_some()) {
            return Self::Anyio;
        }
        let installed = case.tree.settings.version("pytest-asyncio").is_some();
        if installed && suite.plugin.mode == AsyncioMode::Auto {
            return Self::Auto;
        }
        if installed || suite.tests.iter().any(|test| test.is_async && test.asyncio.is_some()) {
            return Self::Marked;
        }
        Self::None
    }
}
