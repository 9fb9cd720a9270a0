//! The test suite: fixtures, tests, and the loop that each of them runs on.
//!
//! pytest-asyncio has changed what decides that loop several times, so every answer here depends on its version, which is
//! read and never guessed: up to 0.22 it is the `event_loop` fixture's scope; 0.23 has the mark's `scope`; 0.24 `loop_scope` and
//! `asyncio_default_fixture_loop_scope`; 0.26 `asyncio_default_test_loop_scope`; 1.0 has no `event_loop` any more.

mod fixture;
mod holding;
mod mark;
mod options;
mod plugin;
mod request;
mod test;

use rustc_hash::FxHashMap;

use super::{FunctionRef, Lifecycle, kept};
use crate::facts::Name;

pub use fixture::{Fixture, FixtureMaker};
pub use holding::Holding;
pub use mark::{Level, Mark};
pub(super) use options::pytest_options;
pub use plugin::{AsyncioMode, AsyncioPlugin};
pub use request::{Graph, Request};
pub use test::{LoopHook, Test};

/// How long pytest keeps a fixture, or pytest-asyncio a loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Scope {
    /// For one test.
    Function,
    /// For the tests of a class.
    Class,
    /// For those of a module.
    Module,
    /// For those of a package.
    Package,
    /// For all.
    Session,
}

/// One loop of pytest-asyncio: two things run on the same when these are equal and the place is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TestLoop {
    /// How long it lives.
    pub scope: Scope,
    /// The project's own `event_loop` fixture that makes it, by its place in [`Suite::fixtures`].
    pub made_by: Option<usize>,
}

/// Fixtures and tests of the tree.
#[derive(Debug)]
pub struct Suite {
    /// pytest-asyncio as installed and configured.
    pub plugin: AsyncioPlugin,
    /// All fixtures, in the order of files and of the text.
    pub fixtures: Vec<Fixture>,
    /// All tests.
    pub tests: Vec<Test>,
    /// Hooks that mark tests when they are collected.
    pub hooks: Vec<LoopHook>,
    by_function: FxHashMap<FunctionRef, usize>,
    by_name: FxHashMap<Name, Vec<usize>>,
    plugins: Vec<super::FileId>,
    graph: std::sync::OnceLock<Graph>,
}

impl Scope {
    /// From pytest's word.
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "function" => Self::Function,
            "class" => Self::Class,
            "module" => Self::Module,
            "package" => Self::Package,
            "session" => Self::Session,
            _ => return None,
        })
    }

    /// pytest's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Class => "class",
            Self::Module => "module",
            Self::Package => "package",
            Self::Session => "session",
        }
    }
}

impl Lifecycle {
    /// The test suite.
    pub fn suite(&self) -> &Suite {
        kept::once(&self.suite, || Suite::read(self))
    }
}

impl Suite {
    fn read(life: &Lifecycle) -> Self {
        let fixtures = fixture::read(life);
        let (tests, hooks) = test::read(life);
        let plugin = AsyncioPlugin::read(life, &fixtures, &tests);
        let mut by_name: FxHashMap<Name, Vec<usize>> = FxHashMap::default();
        for (index, fixture) in fixtures.iter().enumerate() {
            by_name.entry(fixture.name.clone()).or_default().push(index);
        }
        let by_function =
            fixtures.iter().enumerate().map(|(index, fixture)| (fixture.function, index)).collect();
        let plugins = request::plugins(life);
        let graph = std::sync::OnceLock::new();
        Self { plugin, fixtures, tests, hooks, by_function, by_name, plugins, graph }
    }

    /// The fixture that a function is, by its place in [`Suite::fixtures`].
    pub fn fixture(&self, function: FunctionRef) -> Option<usize> {
        self.by_function.get(&function).copied()
    }

    /// Fixtures of this name anywhere in the tree.
    pub fn named(&self, name: &str) -> &[usize] {
        self.by_name.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether pytest-asyncio runs this fixture.
    pub fn runs_fixture(&self, index: usize) -> bool {
        let fixture = &self.fixtures[index];
        fixture.is_async
            && self.plugin.used
            && (fixture.maker == FixtureMaker::Asyncio || self.plugin.mode != AsyncioMode::Strict)
    }

    /// Whether pytest-asyncio runs this test.
    pub fn runs_test(&self, index: usize) -> bool {
        let test = &self.tests[index];
        test.is_async
            && self.plugin.used
            && (test.asyncio.is_some()
                || self.plugin.mode == AsyncioMode::Auto
                || self.hooks.iter().any(|hook| hook.mark.path == mark::ASYNCIO))
    }

    /// The loop that a fixture runs on, where that is known.
    pub fn fixture_loop(&self, life: &Lifecycle, index: usize) -> Option<TestLoop> {
        if !self.runs_fixture(index) {
            return None;
        }
        let fixture = &self.fixtures[index];
        if self.at_least(&[0, 24])? {
            let scope = fixture.loop_scope.or(self.plugin.fixture_default).or(fixture.scope)?;
            return self.scoped(life, fixture.function, scope);
        }
        if self.at_least(&[0, 23])? {
            return self.scoped(life, fixture.function, fixture.scope?);
        }
        self.scoped(life, fixture.function, Scope::Function)
    }

    /// The loop that a test runs on, where that is known.
    pub fn test_loop(&self, life: &Lifecycle, index: usize) -> Option<TestLoop> {
        if !self.runs_test(index) {
            return None;
        }
        let test = &self.tests[index];
        if !self.at_least(&[0, 23])? {
            return self.scoped(life, test.function, Scope::Function);
        }
        let hook = self.hooks.iter().find(|hook| hook.mark.path == mark::ASYNCIO);
        let mark = match hook {
            Some(hook) if hook.first || test.asyncio.is_none() => Some(&hook.mark),
            _ => test.asyncio.as_ref(),
        };
        if mark.is_some_and(|mark| mark.dynamic) {
            return None;
        }
        let scope = mark.and_then(|mark| mark.scope).or(self.plugin.test_default).unwrap_or(Scope::Function);
        self.scoped(life, test.function, scope)
    }

    /// Whether pytest-asyncio is at least this release. Where nothing tells, 0.24 is taken for it in a tree without an `event_loop`
    /// fixture: what is a mismatch there is one in every release.
    pub fn at_least(&self, release: &[u64]) -> Option<bool> {
        let plain = self.named("event_loop").is_empty();
        self.plugin.at_least(release).or(plain.then_some(release <= [0, 24].as_slice()))
    }

    /// A loop of this scope seen from a function: the one for single tests is that of a visible `event_loop` fixture,
    /// where the plugin still asks for it.
    fn scoped(&self, life: &Lifecycle, from: FunctionRef, scope: Scope) -> Option<TestLoop> {
        if scope == Scope::Function
            && !self.at_least(&[1, 0])?
            && let Some(own) = self.visible(life, from, "event_loop")
        {
            return Some(TestLoop { scope: self.fixtures[own].scope?, made_by: Some(own) });
        }
        Some(TestLoop { scope, made_by: None })
    }
}
