//! Marks of tests: decorators, `pytestmark` of a class or module.

use super::super::{ClassRef, ExprRef, FunctionRef, Lifecycle, Value};
use super::Scope;
use crate::facts::{BindingKind, ExprKind, MODULE, Name};

/// Path of the mark that hands a test to pytest-asyncio.
pub(super) const ASYNCIO: &str = "pytest.mark.asyncio";

/// Where a mark stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// At the function.
    Function,
    /// At its class.
    Class,
    /// In `pytestmark` of the module.
    Module,
}

/// One mark as a test has it.
#[derive(Clone, Debug)]
pub struct Mark {
    /// Its path (`pytest.mark.asyncio`).
    pub path: Name,
    /// The expression where it is applied: the decorator, or the item of `pytestmark`.
    pub expr: ExprRef,
    /// The call that makes it, if it has arguments.
    pub call: Option<ExprRef>,
    /// `loop_scope=` or `scope=`.
    pub scope: Option<Scope>,
    /// It has a scope that can't be read.
    pub dynamic: bool,
    /// Where it stands.
    pub level: Level,
}

/// What a decorator or an item of `pytestmark` applies: its path, and the call that gives it arguments.
pub(super) fn applied(life: &Lifecycle, expr: ExprRef) -> Vec<(Name, Option<ExprRef>)> {
    applied_within(life, expr, 3)
}

fn applied_within(life: &Lifecycle, expr: ExprRef, depth: u8) -> Vec<(Name, Option<ExprRef>)> {
    let facts = life.facts(expr.file);
    if let ExprKind::Call { func, .. } = facts.expr(expr.id).kind {
        let values = life.infer(expr.with(func));
        return values.iter().filter_map(|value| Some((Name::new(value.path()?), Some(expr)))).collect();
    }
    let mut found = Vec::new();
    for value in life.infer(expr).iter() {
        match value {
            Value::External(path) | Value::Member(path, _) => found.push((path.clone(), None)),
            Value::Instance(_, Some(site)) if *site != expr && depth > 0 => {
                found.extend(applied_within(life, *site, depth - 1));
            }
            _ => {}
        }
    }
    found
}

/// The marks at one expression; a list or tuple has several.
pub(super) fn marks_at(life: &Lifecycle, expr: ExprRef, level: Level, found: &mut Vec<Mark>) {
    let facts = life.facts(expr.file);
    if let ExprKind::List(items) | ExprKind::Tuple(items) | ExprKind::Set(items) = &facts.expr(expr.id).kind {
        for &item in items {
            marks_at(life, expr.with(item), level, found);
        }
        return;
    }
    for (path, call) in applied(life, expr) {
        if !path.starts_with("pytest.mark.") {
            continue;
        }
        let (mut scope, mut dynamic) = (None, false);
        if let Some(call) = call {
            for word in ["scope", "loop_scope"] {
                if let Some(value) = keyword(life, call, word) {
                    scope = scope_of(life, value);
                    dynamic = scope.is_none();
                }
            }
        }
        found.push(Mark { path, expr, call, scope, dynamic, level });
    }
}

/// All marks of a test, the closest first.
pub(super) fn marks_of(life: &Lifecycle, function: FunctionRef) -> Vec<Mark> {
    let facts = life.facts(function.file);
    let of = facts.function(function.id);
    let at = |id| ExprRef { file: function.file, id };
    let mut found = Vec::new();
    for &decorator in of.decorators.iter().rev() {
        marks_at(life, at(decorator), Level::Function, &mut found);
    }
    if let Some(class) = of.class {
        for &class in &life.ancestry(ClassRef { file: function.file, id: class }).inside {
            marks_of_class(life, class, &mut found);
        }
    }
    if let Some(bindings) = facts.scopes[MODULE.index()].get("pytestmark") {
        for &binding in bindings {
            if let BindingKind::Value { value, .. } = facts.binding(binding).kind {
                marks_at(life, at(value), Level::Module, &mut found);
            }
        }
    }
    found
}

fn marks_of_class(life: &Lifecycle, class: ClassRef, found: &mut Vec<Mark>) {
    let facts = life.facts(class.file);
    let of = facts.class(class.id);
    let at = |id| ExprRef { file: class.file, id };
    for &decorator in of.decorators.iter().rev() {
        marks_at(life, at(decorator), Level::Class, found);
    }
    for &binding in of.members.get("pytestmark").into_iter().flatten() {
        if let BindingKind::Value { value, .. } = facts.binding(binding).kind {
            marks_at(life, at(value), Level::Class, found);
        }
    }
}

/// A keyword argument of a call.
pub(super) fn keyword(life: &Lifecycle, call: ExprRef, name: &str) -> Option<ExprRef> {
    match &life.facts(call.file).expr(call.id).kind {
        ExprKind::Call { keywords, .. } => keywords
            .iter()
            .find(|keyword| keyword.name.as_deref() == Some(name))
            .map(|keyword| call.with(keyword.value)),
        _ => None,
    }
}

/// The scope that an expression names.
pub(super) fn scope_of(life: &Lifecycle, expr: ExprRef) -> Option<Scope> {
    match life.infer(expr).as_ref() {
        [Value::Constant(at)] => match &life.facts(at.file).expr(at.id).kind {
            ExprKind::Str(word) => Scope::parse(word),
            _ => None,
        },
        _ => None,
    }
}
