//! A set that holds tasks.

use loopmend_python::edit::{Draft, Edit, Refused, Source, insert_after, insert_before};
use loopmend_python::facts::{BindingKind, ExprId, ExprKind, Facts, FunctionId, MODULE, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, Lifecycle};
use ruff_python_ast::Stmt;

/// The module-level set for tasks of a file.
#[derive(Clone, Debug)]
pub struct Holder {
    /// Its name.
    pub name: String,
    /// The file has it already.
    pub exists: bool,
}

impl Holder {
    /// The set of a file: one that it has for tasks, or a new one under a free name.
    pub fn of(life: &Lifecycle, file: FileId) -> Self {
        let facts = life.facts(file);
        if let Some(name) = existing(life, file, facts) {
            return Self { name, exists: true };
        }
        let private = facts
            .bindings
            .iter()
            .filter(|binding| binding.function == MODULE && binding.class.is_none())
            .any(|binding| {
                binding.name.starts_with('_') && matches!(binding.kind, BindingKind::Value { .. })
            });
        let wanted = if private { "_background_tasks" } else { "background_tasks" };
        let mut name = wanted.to_owned();
        while taken(facts, &name) {
            name.push('_');
        }
        Self { name, exists: false }
    }

    /// Puts the set's definition behind the module's first imports and constants; `before` is the start of the top-level
    /// statement that must come later.
    pub fn define(&self, now: &Source, before: Option<&str>) -> Result<Vec<Edit>, Refused> {
        if self.exists {
            return Ok(Vec::new());
        }
        let line = format!("{} = set()", self.name);
        let body = now.body();
        let region = body
            .iter()
            .position(|stmt| !is_head(stmt) || before.is_some_and(|text| now.slice(stmt).contains(text)))
            .unwrap_or(body.len());
        let last = body[..region].last();
        match (last, body.get(region)) {
            (Some(last @ (Stmt::Assign(_) | Stmt::AnnAssign(_))), _) => insert_after(now, last, &line),
            (Some(last), _) => {
                let mut edits = insert_after(now, last, &line)?;
                let blank = edits.last().map(|edit| Edit::insertion(edit.range.start(), now.newline()));
                edits.splice(0..0, blank);
                Ok(edits)
            }
            (None, Some(next)) => {
                let mut edits = insert_before(now, next, &line)?;
                let blank = now.newline().repeat(2);
                edits.extend(edits.first().map(|edit| Edit::insertion(edit.range.start(), blank)));
                Ok(edits)
            }
            (None, None) => Err(Refused::Missing("statement")),
        }
    }
}

/// Whether a statement belongs to a module's head: imports, also those under a condition or in a `try`, and constants.
fn is_head(stmt: &Stmt) -> bool {
    let imports = |body: &[Stmt]| body.iter().all(|inner| is_head(inner) || matches!(inner, Stmt::Pass(_)));
    match stmt {
        Stmt::Import(_) | Stmt::ImportFrom(_) | Stmt::Assign(_) | Stmt::AnnAssign(_) | Stmt::Expr(_) => true,
        Stmt::If(node) => {
            imports_something(&node.body)
                && imports(&node.body)
                && node.elif_else_clauses.iter().all(|clause| imports(&clause.body))
        }
        Stmt::Try(node) => {
            imports_something(&node.body)
                && [&node.body, &node.orelse, &node.finalbody].into_iter().all(|body| imports(body))
                && node
                    .handlers
                    .iter()
                    .all(|handler| handler.as_except_handler().is_some_and(|handler| imports(&handler.body)))
        }
        _ => false,
    }
}

fn imports_something(body: &[Stmt]) -> bool {
    body.iter().any(|stmt| match stmt {
        Stmt::Import(_) | Stmt::ImportFrom(_) => true,
        Stmt::Try(node) => imports_something(&node.body),
        _ => false,
    })
}

/// A set at module level that tasks of the file are already added to.
fn existing(life: &Lifecycle, file: FileId, facts: &Facts) -> Option<String> {
    facts
        .bindings
        .iter()
        .filter(|binding| binding.function == MODULE && binding.class.is_none())
        .find(|binding| {
            let value = match &binding.kind {
                BindingKind::Value { value, .. } => *value,
                _ => return false,
            };
            let is_set = matches!(&facts.expr(value).kind, ExprKind::Call { func, args, .. }
                if args.is_empty() && facts.name_of(*func).is_some_and(|name| name == "set"));
            is_set
                && life.tasks().iter().any(|task| {
                    task.acts.iter().any(|act| {
                        matches!(&act.kind, loopmend_python::lifecycle::TaskActKind::Kept(
                            loopmend_python::lifecycle::Place::Global(at, name)) if *at == file && *name == binding.name)
                    })
                })
        })
        .map(|binding| binding.name.to_string())
}

fn taken(facts: &Facts, name: &str) -> bool {
    facts.scopes.iter().any(|scope| scope.contains_key(name)) || facts.loads.contains_key(name)
}

/// A local name that a function does not use: `wanted`, else with something before it.
pub fn free_local(facts: &Facts, function: FunctionId, wanted: &[&str]) -> String {
    let used = |name: &str| {
        facts.scopes[function.index()].contains_key(name)
            || facts.scopes[MODULE.index()].contains_key(name)
            || facts
                .loads
                .get(name)
                .is_some_and(|loads| loads.iter().any(|&load| facts.function_of(load) == function))
    };
    if let Some(free) = wanted.iter().find(|name| !used(name)) {
        return (*free).to_owned();
    }
    let mut name = format!("{}_", wanted.first().copied().unwrap_or("task"));
    while used(&name) {
        name.push('_');
    }
    name
}

/// The list or set that a comprehension makes of what a call gives.
pub fn tasks_made(facts: &Facts, call: ExprId) -> Option<ExprId> {
    let up = facts.parent_expr(call)?;
    matches!(&facts.expr(up).kind, ExprKind::Comprehension { elements, lazy: false, .. } if elements[..] == [call])
        .then_some(up)
}

/// Whether a value is given no name but `_`, which nothing reads.
pub fn is_no_name(facts: &Facts, targets: &[ExprId]) -> bool {
    let [target] = targets[..] else { return false };
    let function = facts.function_of(target);
    facts.name_of(target).is_some_and(|name| {
        *name == "_"
            && function != MODULE
            && !facts
                .loads
                .get(name)
                .is_some_and(|loads| loads.iter().any(|&id| facts.function_of(id) == function))
    })
}

/// Lets a set hold the task that a dropped call starts: names it where it has no name, adds it, and lets it go when done.
/// `callback` is a further done callback.
pub fn hold(
    life: &Lifecycle,
    draft: &mut Draft,
    call: ExprRef,
    set: &str,
    callback: Option<&str>,
) -> Result<(), crate::Declined> {
    let facts = life.facts(call.file);
    let Some(stmt) = facts.stmt_of(call.id) else {
        return Err(crate::Declined::because("keep the task in a set by hand: its statement was not found"));
    };
    let function = facts.stmt(stmt).function;
    let text = life.text(call.file);
    let stmt_range = facts.stmt(stmt).range;
    let call_range = facts.expr(call.id).range;
    let several = tasks_made(facts, call.id);
    let unnamed = match &facts.stmt(stmt).kind {
        StmtKind::Assign { targets, value } if is_no_name(facts, targets) => Some(*value),
        StmtKind::Expr(value) if several == Some(*value) => Some(*value),
        _ => None,
    };
    if let Some(value) = unnamed {
        let name = free_local(facts, function, &["task", "background_task", "started"]);
        // Lines of a call over several lines stay as they are.
        let indent: String = text[..stmt_range.start().to_usize()]
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .take_while(|c| c.is_whitespace())
            .collect();
        let value_text = text[facts.expr(value).range].replace(&format!("\n{indent}"), "\n");
        let mut lines =
            vec![format!("{set}.add({name})"), format!("{name}.add_done_callback({set}.discard)")];
        lines.extend(callback.map(|callback| format!("{name}.add_done_callback({callback})")));
        let snippet = if several == Some(value) {
            format!("for {name} in {value_text}:\n    {}", lines.join("\n    "))
        } else {
            format!("{name} = {value_text}\n{}", lines.join("\n"))
        };
        draft.step(|now| loopmend_python::edit::replace_statement(now, stmt_range, &snippet))?;
        return Ok(());
    }
    match &facts.stmt(stmt).kind {
        StmtKind::Expr(_) => {
            let name = free_local(facts, function, &["task", "background_task", "started"]);
            // What follows the call: nothing, or a chained `.add_done_callback(…)`.
            let rest = &text[loopmend_python::facts::TextRange::new(call_range.end(), stmt_range.end())];
            let chained = rest.trim_start().starts_with('.');
            let start = if chained { &text[call_range] } else { &text[stmt_range] };
            let mut lines =
                format!("{name} = {start}\n{set}.add({name})\n{name}.add_done_callback({set}.discard)");
            if chained {
                lines += &format!("\n{name}{}", rest.trim());
            }
            if let Some(callback) = callback {
                lines += &format!("\n{name}.add_done_callback({callback})");
            }
            // The call's own lines stay as they are, with the comment behind them.
            let behind = lines[format!("{name} = {start}\n").len()..].to_owned();
            draft.step(|now| {
                let mut edits = insert_after(now, stmt_range, &behind)?;
                if chained {
                    edits.push(Edit::deletion(loopmend_python::facts::TextRange::new(
                        call_range.end(),
                        stmt_range.end(),
                    )));
                }
                edits.insert(0, Edit::insertion(stmt_range.start(), format!("{name} = ")));
                Ok(edits)
            })?;
        }
        StmtKind::Assign { targets, .. } if targets.len() == 1 => {
            let Some(name) = facts.dotted(targets[0]) else {
                return Err(crate::Declined::because("keep the task in a set by hand: it has no plain name"));
            };
            let lines = format!("{set}.add({name})\n{name}.add_done_callback({set}.discard)");
            draft.step(|now| insert_after(now, stmt_range, &lines))?;
        }
        _ => {
            return Err(crate::Declined::because(
                "keep the task by hand, in a set that outlives the function, until it is done",
            ));
        }
    }
    Ok(())
}
