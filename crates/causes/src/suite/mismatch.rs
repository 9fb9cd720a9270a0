//! Fixtures whose objects are used on another loop than their own.

use std::collections::BTreeSet;

use loopmend_python::lifecycle::{ExprRef, Holding, Lifecycle, Scope, Suite, TestLoop};

/// How a fixture and its loop do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum MismatchKind {
    /// It is kept longer than its loop lives; pytest refuses to set it up.
    Outlives,
    /// Those who use it run on another loop.
    Apart,
    /// It is no coroutine itself, and what it holds goes from one test's loop to the next's.
    Passed,
}

/// One fixture that does not fit its loop or its users' loops.
#[derive(Clone, Debug)]
pub(crate) struct Mismatch {
    /// The fixture, by its place in the suite.
    pub fixture: usize,
    /// How.
    pub kind: MismatchKind,
    /// The loop it runs on; none for a plain function.
    pub own: Option<TestLoop>,
    /// Tests on another loop.
    pub tests: Vec<usize>,
    /// Fixtures on another loop.
    pub fixtures: Vec<usize>,
    /// Calls that make what it holds.
    pub sites: Vec<ExprRef>,
    /// What it holds is not known.
    pub doubtful: bool,
}

/// All mismatches of the tree, in the order of the fixtures.
pub(crate) fn mismatches(life: &Lifecycle) -> Vec<Mismatch> {
    let suite = life.suite();
    if !suite.plugin.used || suite.fixtures.is_empty() {
        return Vec::new();
    }
    let uses = Uses::of(life, suite);
    (0..suite.fixtures.len()).filter_map(|index| mismatch(life, suite, &uses, index)).collect()
}

fn mismatch(life: &Lifecycle, suite: &Suite, uses: &Uses, index: usize) -> Option<Mismatch> {
    let fixture = &suite.fixtures[index];
    let scope = fixture.scope?;
    if uses.tests[index].is_empty() && uses.fixtures[index].is_empty() {
        return None;
    }
    if !suite.runs_fixture(index) {
        return passed(life, suite, uses, index);
    }
    let own = suite.fixture_loop(life, index)?;
    if own.scope < scope {
        let (tests, fixtures) = uses.all(life, suite, index, true);
        let found = Mismatch {
            fixture: index,
            kind: MismatchKind::Outlives,
            own: Some(own),
            tests: tests.into_iter().collect(),
            fixtures: fixtures.into_iter().collect(),
            sites: Vec::new(),
            doubtful: false,
        };
        return (!found.tests.is_empty()).then_some(found);
    }
    let holding = suite.holding(life, index);
    let (sites, works, doubtful) = match holding {
        Holding::Nothing => return None,
        Holding::Objects { sites, works } => (sites, works, false),
        Holding::Unknown => (Vec::new(), false, true),
    };
    let (tests, fixtures) = uses.all(life, suite, index, works);
    let tests: Vec<usize> = tests
        .into_iter()
        .filter(|&test| suite.test_loop(life, test).is_some_and(|other| other != own))
        .collect();
    let fixtures: Vec<usize> = fixtures
        .into_iter()
        .filter(|&user| suite.fixture_loop(life, user).is_some_and(|other| other != own))
        .collect();
    if tests.is_empty() && fixtures.is_empty() {
        return None;
    }
    Some(Mismatch {
        fixture: index,
        kind: MismatchKind::Apart,
        own: Some(own),
        tests,
        fixtures,
        sites,
        doubtful,
    })
}

/// A plain fixture that is kept while the loops of its users come and go.
fn passed(life: &Lifecycle, suite: &Suite, uses: &Uses, index: usize) -> Option<Mismatch> {
    let fixture = &suite.fixtures[index];
    let scope = fixture.scope?;
    if fixture.is_async || scope == Scope::Function {
        return None;
    }
    let Holding::Objects { sites, .. } = suite.holding(life, index) else { return None };
    let (tests, _) = uses.all(life, suite, index, false);
    let tests: Vec<usize> = tests
        .into_iter()
        .filter(|&test| suite.test_loop(life, test).is_some_and(|other| other.scope < scope))
        .collect();
    (tests.len() > 1).then_some(Mismatch {
        fixture: index,
        kind: MismatchKind::Passed,
        own: None,
        tests,
        fixtures: Vec::new(),
        sites,
        doubtful: false,
    })
}

/// Direct users of each fixture; `true` where they are given its value.
pub(crate) struct Uses {
    tests: Vec<Vec<(usize, bool)>>,
    fixtures: Vec<Vec<(usize, bool)>>,
}

impl Uses {
    /// Read from the graph of requests.
    pub fn of(life: &Lifecycle, suite: &Suite) -> Self {
        let graph = suite.graph(life);
        let mut uses = Self {
            tests: vec![Vec::new(); suite.fixtures.len()],
            fixtures: vec![Vec::new(); suite.fixtures.len()],
        };
        for (user, requests) in graph.of_tests.iter().enumerate() {
            for request in requests {
                uses.tests[request.fixture].push((user, request.parameter.is_some()));
            }
        }
        for (user, requests) in graph.of_fixtures.iter().enumerate() {
            for request in requests {
                uses.fixtures[request.fixture].push((user, request.parameter.is_some()));
            }
        }
        uses
    }

    /// Tests and fixtures that use what a fixture holds, also through what other fixtures make of it. With `any` those
    /// too that only have it set up.
    pub fn all(
        &self,
        life: &Lifecycle,
        suite: &Suite,
        index: usize,
        any: bool,
    ) -> (BTreeSet<usize>, BTreeSet<usize>) {
        let (mut tests, mut fixtures) = (BTreeSet::new(), BTreeSet::new());
        let mut work = vec![index];
        while let Some(at) = work.pop() {
            tests.extend(self.tests[at].iter().filter(|(_, given)| *given || any).map(|(user, _)| *user));
            for &(user, given) in &self.fixtures[at] {
                if (given || any) && fixtures.insert(user) && (any || suite.hands_over(life, user)) {
                    work.push(user);
                }
            }
        }
        (tests, fixtures)
    }
}

/// Whether a fixture asks for anyio's backend, and so is anyio's.
pub(crate) fn asks_for_backend(life: &Lifecycle, index: usize) -> bool {
    let function = life.suite().fixtures[index].function;
    life.facts(function.file).function(function.id).params.iter().any(|param| param.name == "anyio_backend")
}
