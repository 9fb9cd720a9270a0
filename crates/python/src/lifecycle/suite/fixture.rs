//! Fixtures.

use super::super::{ExprRef, FunctionRef, Lifecycle};
use super::Scope;
use super::mark::{applied, keyword, scope_of};
use crate::facts::{ExprKind, FunctionId, Name};

/// Who makes a fixture of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FixtureMaker {
    /// `pytest.fixture`.
    Pytest,
    /// `pytest_asyncio.fixture`.
    Asyncio,
}

/// One fixture.
#[derive(Clone, Debug)]
pub struct Fixture {
    /// The function.
    pub function: FunctionRef,
    /// The name that tests ask for it by.
    pub name: Name,
    /// Its decorator.
    pub decorator: ExprRef,
    /// The decorator's call, if it has arguments.
    pub call: Option<ExprRef>,
    /// Who makes it.
    pub maker: FixtureMaker,
    /// How long it is kept; none where that can't be read.
    pub scope: Option<Scope>,
    /// `loop_scope=` as given.
    pub loop_scope: Option<Scope>,
    /// Every test that sees it has it.
    pub autouse: bool,
    /// `async def`.
    pub is_async: bool,
    /// It has a `yield`.
    pub is_generator: bool,
}

/// All fixtures of the tree.
pub(super) fn read(life: &Lifecycle) -> Vec<Fixture> {
    let mut found = Vec::new();
    for file in life.files_with_any(["fixture", "yield_fixture", "async_fixture"]) {
        let facts = life.facts(file);
        for index in 1..facts.functions.len() {
            let function = FunctionRef { file, id: FunctionId::new(index) };
            found.extend(fixture_of(life, function));
        }
    }
    found
}

fn fixture_of(life: &Lifecycle, function: FunctionRef) -> Option<Fixture> {
    let facts = life.facts(function.file);
    let of = facts.function(function.id);
    for &decorator in &of.decorators {
        let decorator = ExprRef { file: function.file, id: decorator };
        for (path, call) in applied(life, decorator) {
            let maker = match path.as_str() {
                "pytest.fixture" | "pytest.yield_fixture" | "_pytest.fixtures.fixture" => {
                    FixtureMaker::Pytest
                }
                "pytest_asyncio.fixture" | "pytest_asyncio.plugin.fixture" => FixtureMaker::Asyncio,
                _ => continue,
            };
            let given = |name| call.and_then(|call| keyword(life, call, name));
            let literal = |expr: ExprRef| match &life.facts(expr.file).expr(expr.id).kind {
                ExprKind::Str(text) => Some(Name::new(text)),
                _ => None,
            };
            return Some(Fixture {
                function,
                name: given("name").and_then(literal).unwrap_or_else(|| of.name.clone()),
                decorator,
                call,
                maker,
                scope: given("scope").map_or(Some(Scope::Function), |value| scope_of(life, value)),
                loop_scope: given("loop_scope").and_then(|value| scope_of(life, value)),
                autouse: given("autouse").is_some_and(|value| {
                    !matches!(life.facts(value.file).expr(value.id).kind, ExprKind::Bool(false))
                }),
                is_async: of.is_async,
                is_generator: of.is_generator,
            });
        }
    }
    None
}
