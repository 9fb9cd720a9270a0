//! Bringing a fixture and those who use it to one loop: the fixture made anew for each test, or all on the wider loop.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_python::edit::Refused;
use loopmend_python::facts::ExprKind;
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Scope};

use super::rewrite::{Named, range_of};
use super::{Mismatch, MismatchKind, Rewrite, mismatches};
use crate::Declined;

/// Sets the default loop scope of fixtures, where that is unset and known, so that what was settled stays so.
pub(crate) fn settle_default(rewrite: &mut Rewrite<'_>) -> Result<(), Refused> {
    let life = rewrite.life();
    let suite = life.suite();
    let known = suite.plugin.version.is_some() && suite.plugin.at_least(&[0, 24]) == Some(true);
    if !known || suite.plugin.fixture_default.is_some() {
        return Ok(());
    }
    rewrite.option("asyncio_default_fixture_loop_scope", Scope::Function.word())?;
    for index in relying(&life) {
        if let Some(scope) = suite.fixtures[index].scope {
            rewrite.fixture_keyword(&name_of(&life, index), "loop_scope", scope.word())?;
        }
    }
    Ok(())
}

/// Fixtures whose loop follows their wide scope because nothing else is said.
pub(crate) fn relying(life: &Lifecycle) -> Vec<usize> {
    let suite = life.suite();
    (0..suite.fixtures.len())
        .filter(|&index| {
            let fixture = &suite.fixtures[index];
            suite.runs_fixture(index)
                && fixture.loop_scope.is_none()
                && fixture.scope.is_some_and(|scope| scope > Scope::Function)
        })
        .collect()
}

/// What the project shows that it wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Preference {
    /// A loop that is shared.
    Wide,
    /// Each test for itself, where that is cheap.
    Narrow,
}

/// Rounds in which changes may call for others.
const ROUNDS: usize = 6;

/// Extends `rewrite` so that the fixture of this name and all who use it run on one loop. `preference` is asked only where
/// nothing in the tree tells.
pub(crate) fn align<'l>(
    rewrite: &Rewrite<'l>,
    target: &Named,
    preference: Preference,
) -> Result<Rewrite<'l>, Declined> {
    let life = rewrite.life();
    let Some(mismatch) = mismatch_of(&life, target) else { return Ok(rewrite.clone()) };
    let wide_first =
        preference == Preference::Wide || wants_wide(&life, &mismatch) || !cheap(&life, &mismatch);
    let mut last = None;
    for wide in [wide_first, !wide_first] {
        let tried = if wide { widen(rewrite, target) } else { narrow(rewrite, target) };
        match tried {
            Ok(done) => return Ok(done),
            Err(declined) => last = last.or(Some(declined)),
        }
    }
    Err(last.unwrap_or_else(|| Declined::because("no setting of scopes fits all fixtures and tests")))
}

fn mismatch_of(life: &Lifecycle, target: &Named) -> Option<Mismatch> {
    mismatches(life).into_iter().find(|found| name_of(life, found.fixture) == *target)
}

fn name_of(life: &Lifecycle, fixture: usize) -> Named {
    Named::of(life, life.suite().fixtures[fixture].function)
}

/// Whether the project says itself that the fixture's loop is a shared one.
fn wants_wide(life: &Lifecycle, mismatch: &Mismatch) -> bool {
    let suite = life.suite();
    let fixture = &suite.fixtures[mismatch.fixture];
    let wide = |scope: Option<Scope>| scope.is_some_and(|scope| scope > Scope::Function);
    wide(fixture.loop_scope) || wide(suite.plugin.fixture_default) || wide(suite.plugin.test_default)
}

/// Makes the fixture, and what hangs on it, for each test.
fn narrow<'l>(rewrite: &Rewrite<'l>, target: &Named) -> Result<Rewrite<'l>, Declined> {
    let mut rewrite = rewrite.clone();
    let before: BTreeSet<Named> = all(&rewrite.life());
    let mut next = BTreeSet::from([target.clone()]);
    let mut done = BTreeSet::new();
    for _ in 0..ROUNDS {
        let life = rewrite.life();
        for named in next.iter().filter(|named| !done.contains(*named)) {
            let Some(index) = named.find(&life).and_then(|function| life.suite().fixture(function)) else {
                return Err(Declined::because("the fixture can't be found again"));
            };
            let fixture = &life.suite().fixtures[index];
            if fixture.call.is_some() {
                rewrite.drop_fixture_keyword(named, "scope")?;
                rewrite.drop_fixture_keyword(named, "loop_scope")?;
            }
            if fixture.is_async
                && life.suite().plugin.fixture_default.is_some_and(|scope| scope != Scope::Function)
            {
                rewrite.fixture_keyword(named, "loop_scope", "function")?;
            }
        }
        done.append(&mut next);
        let life = rewrite.life();
        next = dependents(&life, &done);
        next.extend(
            mismatches(&life)
                .iter()
                .map(|found| name_of(&life, found.fixture))
                .filter(|named| !before.contains(named) || linked(&life, named, &done)),
        );
        next.retain(|named| !done.contains(named));
        if next.is_empty() {
            return settled(rewrite, target, &before);
        }
    }
    Err(Declined::because("too many fixtures hang on this one to make each of them for each test"))
}

/// Fixtures that are kept longer than one of these, which they ask for.
fn dependents(life: &Lifecycle, done: &BTreeSet<Named>) -> BTreeSet<Named> {
    let suite = life.suite();
    let graph = suite.graph(life);
    let mut found = BTreeSet::new();
    for (user, requests) in graph.of_fixtures.iter().enumerate() {
        for request in requests {
            if done.contains(&name_of(life, request.fixture))
                && suite.fixtures[user].scope > suite.fixtures[request.fixture].scope
            {
                found.insert(name_of(life, user));
            }
        }
    }
    found
}

/// Whether one of these asks for the fixture of this name, or it for one of these.
fn linked(life: &Lifecycle, named: &Named, done: &BTreeSet<Named>) -> bool {
    let suite = life.suite();
    suite.graph(life).of_fixtures.iter().enumerate().any(|(user, requests)| {
        let user = name_of(life, user);
        requests.iter().any(|request| {
            let asked = name_of(life, request.fixture);
            (done.contains(&user) && asked == *named) || (user == *named && done.contains(&asked))
        })
    })
}

/// Puts the fixture and all who use it on the widest loop among them.
fn widen<'l>(rewrite: &Rewrite<'l>, target: &Named) -> Result<Rewrite<'l>, Declined> {
    let life = rewrite.life();
    let suite = life.suite();
    let mismatch = mismatch_of(&life, target).ok_or_else(|| Declined::because("it fits already"))?;
    let scope = widest(&life, &mismatch);
    let before = all(&life);
    if suite.at_least(&[0, 26]) == Some(true) && suite.plugin.version.is_some()
        || suite.plugin.test_default.is_some()
    {
        for both in [suite.plugin.fixture_default.is_none(), true] {
            let mut tried = rewrite.clone();
            tried.option("asyncio_default_test_loop_scope", scope.word())?;
            if both {
                tried.option("asyncio_default_fixture_loop_scope", scope.word())?;
            }
            let result = follow(tried, target, scope, "loop_scope", &before);
            if result.is_ok() || both {
                return result;
            }
        }
    }
    let keyword = match (suite.at_least(&[0, 24]), suite.at_least(&[0, 23])) {
        (Some(true), _) if suite.plugin.version.is_some() || suite.plugin.shown.is_some() => "loop_scope",
        (_, Some(true)) if suite.plugin.version.is_some() => "scope",
        (_, Some(false)) => {
            return Err(Declined::because(format!(
                "this pytest-asyncio has one loop for each test: give the tests an `event_loop` fixture with scope=\"{}\", or \
                 make the fixture for each test",
                scope.word()
            )));
        }
        _ => {
            return Err(Declined::because(
                "the version of pytest-asyncio is not known, and a shared loop is set differently in each",
            ));
        }
    };
    follow(rewrite.clone(), target, scope, keyword, &before)
}

/// The widest scope of the fixtures that take part.
fn widest(life: &Lifecycle, mismatch: &Mismatch) -> Scope {
    let suite = life.suite();
    let own = suite.fixtures[mismatch.fixture].scope;
    let loops = mismatch.tests.iter().filter_map(|&test| suite.test_loop(life, test)).map(|at| at.scope);
    let users = mismatch.fixtures.iter().filter_map(|&user| suite.fixtures[user].scope);
    let fixture_loop = mismatch.own.filter(|_| mismatch.kind == MismatchKind::Apart).map(|at| at.scope);
    own.into_iter().chain(fixture_loop).chain(loops).chain(users).max().unwrap_or(Scope::Session)
}

/// Sets the scopes of fixtures and marks until nothing is apart.
fn follow<'l>(
    mut rewrite: Rewrite<'l>,
    target: &Named,
    scope: Scope,
    keyword: &str,
    before: &BTreeSet<Named>,
) -> Result<Rewrite<'l>, Declined> {
    let mut touched: BTreeSet<Named> = BTreeSet::from([target.clone()]);
    for _ in 0..ROUNDS {
        let life = rewrite.life();
        let open: Vec<Mismatch> = mismatches(&life)
            .into_iter()
            .filter(|found| {
                let named = name_of(&life, found.fixture);
                touched.contains(&named) || !before.contains(&named)
            })
            .collect();
        if open.is_empty() {
            return settled(rewrite, target, before);
        }
        let suite = life.suite();
        let (mut fixtures, mut tests) = (BTreeSet::new(), BTreeSet::new());
        for found in &open {
            fixtures.insert(found.fixture);
            fixtures.extend(found.fixtures.iter().copied());
            tests.extend(found.tests.iter().copied());
        }
        let mut changed = false;
        for index in fixtures {
            let own = suite.fixture_loop(&life, index);
            if own.is_none_or(|own| own.scope == scope && own.made_by.is_none()) {
                continue;
            }
            if keyword != "loop_scope" {
                return Err(Declined::because(
                    "fixtures of single tests can't run on a shared loop in this version",
                ));
            }
            let named = name_of(&life, index);
            rewrite.fixture_keyword(&named, "loop_scope", scope.word())?;
            touched.insert(named);
            changed = true;
        }
        changed |= mark(&mut rewrite, &life, &tests, scope, keyword)?;
        if !changed {
            break;
        }
    }
    Err(Declined::because("no one scope fits all fixtures and tests that take part"))
}

/// Gives the tests that run on other loops the mark with this scope, where they have their mark from.
fn mark(
    rewrite: &mut Rewrite<'_>,
    life: &Lifecycle,
    tests: &BTreeSet<usize>,
    scope: Scope,
    keyword: &str,
) -> Result<bool, Refused> {
    let suite = life.suite();
    let mut marks: BTreeMap<String, BTreeSet<(ExprRef, bool)>> = BTreeMap::new();
    let mut modules = BTreeSet::new();
    for &index in tests {
        let test = &suite.tests[index];
        if suite.test_loop(life, index).is_none_or(|own| own.scope == scope && own.made_by.is_none()) {
            continue;
        }
        let path = life.facts(test.function.file).path.clone();
        match &test.asyncio {
            Some(mark) => {
                let at = mark.call.unwrap_or(mark.expr);
                marks.entry(life.facts(at.file).path.clone()).or_default().insert((at, mark.call.is_some()));
            }
            None => {
                modules.insert(path);
            }
        }
    }
    let changed = !marks.is_empty() || !modules.is_empty();
    for (path, marks) in marks {
        for (at, call) in marks.into_iter().rev() {
            let old = if keyword == "loop_scope" { "scope" } else { keyword };
            let has_old = call && has_keyword(life, at, old);
            rewrite.mark_keyword(
                &path,
                range_of(life, at),
                call,
                if has_old { old } else { keyword },
                scope.word(),
            )?;
        }
    }
    for path in modules {
        rewrite.mark_module(&path, keyword, scope.word())?;
    }
    Ok(changed)
}

fn has_keyword(life: &Lifecycle, call: ExprRef, name: &str) -> bool {
    match &life.facts(call.file).expr(call.id).kind {
        ExprKind::Call { keywords, .. } => {
            keywords.iter().any(|keyword| keyword.name.as_deref() == Some(name))
        }
        _ => false,
    }
}

fn all(life: &Lifecycle) -> BTreeSet<Named> {
    mismatches(life).iter().map(|found| name_of(life, found.fixture)).collect()
}

/// Takes a rewrite only where the fixture fits now and no other one came to be apart.
fn settled<'l>(
    rewrite: Rewrite<'l>,
    target: &Named,
    before: &BTreeSet<Named>,
) -> Result<Rewrite<'l>, Declined> {
    let life = rewrite.life();
    let open = all(&life);
    if open.contains(target) || !open.is_subset(before) {
        return Err(Declined::because("no one scope fits all fixtures and tests that take part"));
    }
    Ok(rewrite)
}

/// Whether a fixture may be made for each test without much cost and without a change of what tests see: it only opens
/// and closes what it holds.
fn cheap(life: &Lifecycle, mismatch: &Mismatch) -> bool {
    let fixture = &life.suite().fixtures[mismatch.fixture];
    !fixture.autouse && only_opens(life, fixture.function, &mut BTreeSet::new())
}

fn only_opens(life: &Lifecycle, function: FunctionRef, seen: &mut BTreeSet<FunctionRef>) -> bool {
    const OPENING: &[&str] = &[
        "ping",
        "connect",
        "open",
        "start",
        "setup",
        "initialize",
        "init",
        "aclose",
        "close",
        "wait_closed",
        "cleanup",
        "stop",
        "dispose",
        "disconnect",
        "terminate",
        "shutdown",
        "get",
        "getenv",
        "format",
        "run",
        "cancel",
    ];
    if !seen.insert(function) {
        return true;
    }
    let facts = life.facts(function.file);
    let mut fine = true;
    facts.body_exprs(function.id, &mut |id| {
        let ExprKind::Call { func, .. } = facts.expr(id).kind else { return };
        let call = ExprRef { file: function.file, id };
        if !fine || life.site_at(call).is_some() {
            return;
        }
        let name = match &facts.expr(func).kind {
            ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } => name.as_str(),
            _ => "",
        };
        let awaited =
            facts.parent_expr(id).is_some_and(|up| matches!(facts.expr(up).kind, ExprKind::Await(_)));
        let callees = life.callees(call);
        fine = OPENING.contains(&name)
            || if callees.is_empty() {
                !awaited
            } else {
                callees.iter().all(|&callee| only_opens(life, callee, seen))
            };
    });
    fine
}
