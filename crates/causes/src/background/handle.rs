//! How code names a task, or the collection that holds it.

use loopmend_python::facts::{ExprId, ExprKind, Facts, StmtId, StmtKind, TextRange};
use loopmend_python::lifecycle::{ExprRef, Lifecycle, Task};

use super::holder::{is_no_name, tasks_made};

/// The expression for a task in the function that starts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handle {
    /// The expression; for a task that has no name yet, the name that it should be given.
    pub text: String,
    /// It is a collection of tasks.
    pub many: bool,
    /// The call stands as a statement and has to be given the name, or put into the list of this name, first.
    pub unnamed: bool,
    /// What gives it its name where it has none that can be used: the text, and the place that it goes to.
    pub naming: Option<(TextRange, String)>,
    /// Its outermost name (`self`, `app`, `task`).
    pub base: Option<String>,
}

impl Handle {
    /// Of a task, for code after the statement `level` that holds (or is) the statement of the call.
    pub fn of(life: &Lifecycle, task: &Task, level: StmtId) -> Option<Self> {
        let facts = life.facts(task.call.file);
        let stmt = facts.stmt_of(task.call.id)?;
        if let Some(found) = container(life, facts, task) {
            return Some(found);
        }
        if let Some(found) = thrown_away(facts, task, stmt) {
            return (stmt == level).then_some(found);
        }
        match &facts.stmt(stmt).kind {
            StmtKind::Assign { targets, value } if targets.len() == 1 => {
                assigned(life, facts, task, stmt, level, targets[0], *value)
            }
            StmtKind::AnnAssign { target, value: Some(value), .. } => {
                assigned(life, facts, task, stmt, level, *target, *value)
            }
            StmtKind::Expr(value) if *value == task.call.id => {
                let many = stmt != level;
                let wanted: &[&str] = if many {
                    &["tasks", "background_tasks"]
                } else {
                    &["task", "background_task", "started"]
                };
                let text = super::free_local(facts, facts.stmt(stmt).function, wanted);
                Some(Self { base: Some(text.clone()), text, many, unnamed: true, naming: None })
            }
            _ => None,
        }
    }
}

/// `_ = create_task(…)`, and tasks made by a comprehension that is a statement, or `_`.
fn thrown_away(facts: &Facts, task: &Task, stmt: StmtId) -> Option<Handle> {
    let several = tasks_made(facts, task.call.id);
    let whole = several.unwrap_or(task.call.id);
    let wanted: &[&str] = if several.is_some() {
        &["tasks", "background_tasks"]
    } else {
        &["task", "background_task", "started"]
    };
    let text = super::free_local(facts, facts.stmt(stmt).function, wanted);
    let naming = match &facts.stmt(stmt).kind {
        StmtKind::Assign { targets, value } if *value == whole && is_no_name(facts, targets) => {
            (facts.expr(targets[0]).range, text.clone())
        }
        StmtKind::Expr(value) if *value == whole && several.is_some() => {
            (TextRange::empty(facts.stmt(stmt).range.start()), format!("{text} = "))
        }
        _ => return None,
    };
    Some(Handle {
        base: Some(text.clone()),
        text,
        many: several.is_some(),
        unnamed: false,
        naming: Some(naming),
    })
}

fn named(life: &Lifecycle, facts: &Facts, target: ExprRef, many: bool) -> Option<Handle> {
    let mut base = target.id;
    loop {
        match &facts.expr(base).kind {
            ExprKind::Name(name) => {
                return Some(Handle {
                    text: life.source(target).to_owned(),
                    many,
                    unnamed: false,
                    naming: None,
                    base: Some(name.to_string()),
                });
            }
            ExprKind::Attribute { value, .. } => base = *value,
            ExprKind::Subscript { value, index } => {
                facts.key(*index)?;
                base = *value;
            }
            _ => return None,
        }
    }
}

fn assigned(
    life: &Lifecycle,
    facts: &Facts,
    task: &Task,
    stmt: StmtId,
    level: StmtId,
    target: ExprId,
    value: ExprId,
) -> Option<Handle> {
    let target_ref = task.call.with(target);
    if value == task.call.id {
        // `jobs[name] = create_task(…)`: one of many.
        if let ExprKind::Subscript { value, index } = &facts.expr(target).kind
            && (facts.key(*index).is_none() || life.in_loop(task.call))
        {
            let mut handle = named(life, facts, task.call.with(*value), true)?;
            handle.text += ".values()";
            return Some(handle);
        }
        if life.in_loop(task.call) {
            return None;
        }
        let local = matches!(facts.expr(target).kind, ExprKind::Name(_));
        if stmt != level && local {
            return None;
        }
        return named(life, facts, target_ref, false);
    }
    match (&facts.expr(value).kind, &facts.expr(target).kind) {
        (ExprKind::Tuple(values), ExprKind::Tuple(targets)) if values.len() == targets.len() => {
            let index = values.iter().position(|&at| at == task.call.id)?;
            named(life, facts, task.call.with(targets[index]), false)
        }
        (ExprKind::List(items) | ExprKind::Set(items) | ExprKind::Tuple(items), _)
            if items.contains(&task.call.id) =>
        {
            (stmt == level).then(|| named(life, facts, target_ref, true))?
        }
        (ExprKind::Comprehension { elements, lazy: false, .. }, _)
            if elements.last() == Some(&task.call.id) =>
        {
            let mut handle = (stmt == level).then(|| named(life, facts, target_ref, true))??;
            if elements.len() == 2 {
                handle.text += ".values()";
            }
            Some(handle)
        }
        (ExprKind::Dict(items), _) if items.iter().any(|(_, value)| *value == task.call.id) => {
            let mut handle = (stmt == level).then(|| named(life, facts, target_ref, true))??;
            handle.text += ".values()";
            Some(handle)
        }
        _ => None,
    }
}

/// `tasks.append(create_task(…))`, or `tasks.add(task)` later on in the same function.
fn container(life: &Lifecycle, facts: &Facts, task: &Task) -> Option<Handle> {
    for at in &task.flow.uses {
        let loopmend_python::lifecycle::UseKind::Argument { call, starred: false, .. } = at.kind else {
            continue;
        };
        if at.element || call.file != task.call.file || facts.function_of(call.id) != task.function.id {
            continue;
        }
        if let ExprKind::Call { func, .. } = facts.expr(call.id).kind
            && let ExprKind::Attribute { value, attr } = &facts.expr(func).kind
            && matches!(attr.as_str(), "append" | "add")
        {
            return named(life, facts, call.with(*value), true);
        }
    }
    None
}
