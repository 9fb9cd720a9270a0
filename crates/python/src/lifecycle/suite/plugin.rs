//! pytest-asyncio as it is installed and configured.

use loopmend_model::Version;

use super::super::Lifecycle;
use super::mark::keyword;
use super::{Fixture, FixtureMaker, Scope, Test};

/// `asyncio_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsyncioMode {
    /// All async tests and fixtures are its own.
    Auto,
    /// Only what is marked.
    Strict,
    /// Up to 0.18: marked tests, all async fixtures.
    Legacy,
}

/// pytest-asyncio in this project.
#[derive(Clone, Debug)]
pub struct AsyncioPlugin {
    /// Anything shows that the suite uses it.
    pub used: bool,
    /// The version installed, locked or pinned.
    pub version: Option<Version>,
    /// The release that the tree shows it has at least: an option or keyword that came with it.
    pub shown: Option<&'static [u64]>,
    /// How it chooses what is its own.
    pub mode: AsyncioMode,
    /// `asyncio_default_fixture_loop_scope`, where the plugin knows it.
    pub fixture_default: Option<Scope>,
    /// `asyncio_default_test_loop_scope`, where the plugin knows it.
    pub test_default: Option<Scope>,
}

impl AsyncioPlugin {
    pub(super) fn read(life: &Lifecycle, fixtures: &[Fixture], tests: &[Test]) -> Self {
        let settings = life.settings();
        let version = settings.version("pytest-asyncio").cloned();
        let option = |name| settings.pytest.option(name);
        let marked = tests.iter().filter_map(|test| test.asyncio.as_ref());
        let marked_with = |word| {
            marked.clone().any(|mark| mark.call.is_some_and(|call| keyword(life, call, word).is_some()))
        };
        let shown: Option<&'static [u64]> = if option("asyncio_default_test_loop_scope").is_some() {
            Some(&[0, 26])
        } else if option("asyncio_default_fixture_loop_scope").is_some()
            || fixtures.iter().any(|fixture| fixture.loop_scope.is_some())
            || marked_with("loop_scope")
        {
            Some(&[0, 24])
        } else if marked_with("scope") {
            Some(&[0, 23])
        } else {
            None
        };
        let mut plugin = Self {
            used: version.is_some()
                || shown.is_some()
                || option("asyncio_mode").is_some()
                || fixtures.iter().any(|fixture| fixture.maker == FixtureMaker::Asyncio)
                || marked.clone().next().is_some(),
            version,
            shown,
            mode: AsyncioMode::Strict,
            fixture_default: None,
            test_default: None,
        };
        let flags = option("addopts").unwrap_or_default();
        let flag = flags.split_whitespace().find_map(|word| word.strip_prefix("--asyncio-mode="));
        plugin.mode = match flag.or_else(|| option("asyncio_mode")) {
            Some("auto") => AsyncioMode::Auto,
            Some("legacy") => AsyncioMode::Legacy,
            Some(_) => AsyncioMode::Strict,
            None if plugin.at_least(&[0, 19]) == Some(false) => AsyncioMode::Legacy,
            None => AsyncioMode::Strict,
        };
        if plugin.at_least(&[0, 24]) == Some(true) {
            plugin.fixture_default = option("asyncio_default_fixture_loop_scope").and_then(Scope::parse);
        }
        if plugin.at_least(&[0, 26]) == Some(true) {
            plugin.test_default = option("asyncio_default_test_loop_scope").and_then(Scope::parse);
        }
        plugin
    }

    /// Whether it is at least this release; none where nothing tells.
    pub fn at_least(&self, release: &[u64]) -> Option<bool> {
        match (&self.version, self.shown) {
            (Some(version), _) => Some(version.at_least(release)),
            (None, Some(shown)) if shown >= release => Some(true),
            _ => None,
        }
    }
}
