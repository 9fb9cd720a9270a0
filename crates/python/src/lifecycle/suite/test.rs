//! Tests, and the hooks that mark them.

use super::super::{ClassRef, ExprRef, FunctionRef, Lifecycle};
use super::mark::{ASYNCIO, Level, Mark, marks_at, marks_of};
use crate::facts::{ExprId, ExprKind, Facts, FunctionId, MODULE, Name};

/// One test.
#[derive(Clone, Debug)]
pub struct Test {
    /// The function.
    pub function: FunctionRef,
    /// `async def`.
    pub is_async: bool,
    /// The closest `asyncio` mark.
    pub asyncio: Option<Mark>,
    /// It has a mark of another plugin that runs async tests.
    pub foreign: bool,
    /// The closest `anyio` mark.
    pub anyio: Option<Mark>,
    /// Fixtures that `usefixtures` names.
    pub uses: Vec<Name>,
    /// Parameters that `parametrize` gives, rather than a fixture.
    pub given: Vec<Name>,
}

const FOREIGN: &[&str] = &[
    "pytest.mark.trio",
    "pytest.mark.twisted",
    "pytest.mark.curio",
    "pytest.mark.gen_test",
    "pytest.mark.asyncio_cooperative",
];

impl Test {
    /// Whether another plugin than pytest-asyncio runs it in strict mode.
    pub fn driven_elsewhere(&self) -> bool {
        self.foreign || (self.anyio.is_some() && self.asyncio.is_none())
    }
}

/// A `pytest_collection_modifyitems` that marks tests.
#[derive(Clone, Debug)]
pub struct LoopHook {
    /// The hook.
    pub function: FunctionRef,
    /// The mark that it adds.
    pub mark: Mark,
    /// It comes before the tests' own marks (`append=False`).
    pub first: bool,
}

/// All tests and hooks of the tree.
pub(super) fn read(life: &Lifecycle) -> (Vec<Test>, Vec<LoopHook>) {
    let (mut tests, mut hooks) = (Vec::new(), Vec::new());
    let patterns = life.settings().pytest.option("python_files").unwrap_or("test_*.py *_test.py").to_owned();
    let patterns: Vec<&str> = patterns.split_whitespace().collect();
    const HOOKS: [&str; 2] = ["pytest_collection_modifyitems", "pytest_itemcollected"];
    let hooking = life.files_with_any(HOOKS);
    for file in life.files() {
        let collected = collects(&patterns, life.path(file));
        if !collected && hooking.binary_search(&file).is_err() {
            continue;
        }
        let facts = life.facts(file);
        for index in 1..facts.functions.len() {
            let function = FunctionRef { file, id: FunctionId::new(index) };
            let of = facts.function(function.id);
            if HOOKS.contains(&of.name.as_str()) {
                hooks.extend(hook(life, function));
            } else if collected && of.name.starts_with("test") && is_test(life, function) {
                tests.push(test(life, function));
            }
        }
    }
    (tests, hooks)
}

fn collects(patterns: &[&str], path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    patterns.iter().any(|pattern| match pattern.split_once('*') {
        None => name == *pattern,
        Some((start, end)) => {
            let end = end.rsplit('*').next().unwrap_or(end);
            name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
        }
    })
}

fn is_test(life: &Lifecycle, function: FunctionRef) -> bool {
    let facts = life.facts(function.file);
    let of = facts.function(function.id);
    if of.parent != Some(MODULE) {
        return false;
    }
    let Some(class) = of.class else { return true };
    if life.suite_class(ClassRef { file: function.file, id: class }) {
        return false;
    }
    facts.class(class).name.starts_with("Test")
        || !life.heirs(ClassRef { file: function.file, id: class }).is_empty()
}

impl Lifecycle {
    /// Whether a class is one of unittest's cases.
    pub fn suite_class(&self, class: ClassRef) -> bool {
        self.ancestry(class)
            .outside
            .iter()
            .any(|path| path.ends_with("TestCase") || path.starts_with("unittest."))
    }
}

fn test(life: &Lifecycle, function: FunctionRef) -> Test {
    let marks = marks_of(life, function);
    let (mut uses, mut given) = (Vec::new(), Vec::new());
    for mark in &marks {
        let Some(call) = mark.call else { continue };
        let facts = life.facts(call.file);
        let ExprKind::Call { args, keywords, .. } = &facts.expr(call.id).kind else { continue };
        if mark.path == "pytest.mark.usefixtures" {
            for &arg in args {
                strings(facts, arg, &mut uses);
            }
        } else if mark.path == "pytest.mark.parametrize"
            && !keywords.iter().any(|keyword| keyword.name.as_deref() == Some("indirect"))
            && let Some(&first) = args.first()
        {
            strings(facts, first, &mut given);
        }
    }
    let closest = |path: &str| marks.iter().find(|mark| mark.path == path).cloned();
    Test {
        function,
        is_async: life.facts(function.file).function(function.id).is_async,
        asyncio: closest(ASYNCIO),
        foreign: marks.iter().any(|mark| FOREIGN.contains(&mark.path.as_str())),
        anyio: closest("pytest.mark.anyio"),
        uses,
        given,
    }
}

/// The names in a string (`"a, b"`), or in a list of strings.
fn strings(facts: &Facts, expr: ExprId, found: &mut Vec<Name>) {
    facts.descend(expr, &mut |id| {
        if let ExprKind::Str(names) = &facts.expr(id).kind {
            found.extend(names.split(',').map(|name| Name::new(name.trim())));
        }
    });
}

fn hook(life: &Lifecycle, function: FunctionRef) -> Option<LoopHook> {
    let facts = life.facts(function.file);
    let (mut marks, mut first) = (Vec::new(), false);
    facts.body_exprs(function.id, &mut |id| match &facts.expr(id).kind {
        ExprKind::Attribute { attr, .. } if attr == "asyncio" => {
            let up = facts
                .parent_expr(id)
                .filter(|&up| matches!(facts.expr(up).kind, ExprKind::Call { func, .. } if func == id));
            marks_at(
                life,
                ExprRef { file: function.file, id: up.unwrap_or(id) },
                Level::Function,
                &mut marks,
            );
        }
        ExprKind::Call { keywords, .. } => {
            first |= keywords.iter().any(|keyword| {
                keyword.name.as_deref() == Some("append")
                    && matches!(facts.expr(keyword.value).kind, ExprKind::Bool(false))
            });
        }
        _ => {}
    });
    let mark = marks.into_iter().find(|mark| mark.path == ASYNCIO)?;
    Some(LoopHook { function, mark, first })
}
