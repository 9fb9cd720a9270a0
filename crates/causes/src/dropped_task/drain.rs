//! Waiting at an application's shutdown for tasks that its handlers have started.

use loopmend_python::edit::{Draft, ImportRequest, Source, import_edits, insert_after, insert_before};
use loopmend_python::facts::{BindingKind, ExprKind, Facts, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, Root, Task};

use crate::background::{Stop, import, may_go_on};
use crate::lifespan::{App, Framework, apps};
use crate::{Declined, Mend, Spot};

/// Where an application waits for the tasks of its handlers.
#[derive(Clone, Debug)]
pub(super) struct Drain {
    /// The file of the task.
    file: FileId,
    /// The file of the shutdown.
    pub(super) shutdown: FileId,
    /// How the shutdown's file imports that of the task; none where they are one.
    import: Option<String>,
    cancel: bool,
    how: How,
}

#[derive(Clone, Debug)]
enum How {
    /// aiohttp: a context registered behind this statement on the application of this name.
    Context { behind: StmtId, app: String },
    /// Lines before this statement.
    Before(StmtId),
    /// Lines behind this statement.
    Behind(StmtId),
}

/// Name of the generator that aiohttp runs.
const FINISH: &str = "finish_background_tasks";

impl Drain {
    /// For a task that a request's handler starts, where the one application of the tree has a place for it.
    pub(super) fn of(life: &Lifecycle, task: &Task) -> Option<Self> {
        let all = apps(life);
        if all.is_empty() {
            return None;
        }
        let handled = life.roots(task.function).into_iter().any(|root| matches!(root, Root::Framework(..)));
        if !handled {
            return None;
        }
        let mut own =
            all.iter().filter(|app| !app.is_router() && app.mounted.is_none() && !of_tests(life, app));
        let app = own.next()?;
        if own.next().is_some() {
            return None;
        }
        let starts =
            app.startup().chain(app.shutdown()).any(|handler| handler.functions.contains(&task.function));
        if starts {
            return None;
        }
        let (shutdown, how) = place(life, app)?;
        let file = task.call.file;
        let import = if shutdown == file { None } else { Some(imported(life, shutdown, file)?) };
        Some(Self { file, shutdown, import, cancel: may_go_on(life, task), how })
    }

    /// Where it waits.
    pub(super) fn spot(&self, life: &Lifecycle) -> Spot {
        let stmt = match self.how {
            How::Context { behind: stmt, .. } | How::Before(stmt) | How::Behind(stmt) => stmt,
        };
        Spot::stmt(life, loopmend_python::lifecycle::StmtRef { file: self.shutdown, id: stmt })
    }

    /// Makes the change: `draft` is of the task's file, in which the set has the name `set` already.
    pub(super) fn carry_out(
        &self,
        life: &Lifecycle,
        mut draft: Draft,
        set: &str,
        task: ExprRef,
        mend: &mut Mend,
    ) -> Result<(), Declined> {
        let stop = Stop { handle: set.to_owned(), many: true, cancel: self.cancel, guarded: false };
        mend.declared.added.extend(stop.added());
        let facts = life.facts(self.shutdown);
        let source = Source::parse(&facts.path, life.text(self.shutdown).clone());
        // The statement, found again in the file of the set after the set has gone in.
        if let How::Context { behind, app } = &self.how {
            mend.declared.added.push("append".to_owned());
            let own = Source::parse(&life.facts(self.file).path, life.text(self.file).clone());
            let (lines, requests) = stop.lines(life, self.file, &own);
            let body = lines.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n");
            let generator = format!("async def {FINISH}(app):\n    yield\n{body}");
            let finish = self.local(&source, FINISH);
            let register = format!("{app}.cleanup_ctx.append({finish})");
            let at = facts.stmt(*behind).range;
            if let Some(module) = &self.import {
                let mut other = Draft::new(&source);
                other.step(|now| insert_after(now, at, &register))?;
                import(&mut other, &[ImportRequest::from(module, FINISH)])?;
                mend.edit(life, self.shutdown, other.edits());
            } else {
                let text = life.text(self.shutdown)[at].to_owned();
                draft.step(|now| insert_after(now, same(now, &text), &register))?;
            }
            let function = life.facts(task.file).function_of(task.id);
            let name = life.facts(task.file).function(function).qualname.clone();
            draft.step(|now| {
                let outer = name.split('.').next().unwrap_or_default();
                let after = now
                    .body()
                    .iter()
                    .find(|stmt| match stmt {
                        ruff_python_ast::Stmt::FunctionDef(node) => node.name.as_str() == outer,
                        ruff_python_ast::Stmt::ClassDef(node) => node.name.as_str() == outer,
                        _ => false,
                    })
                    .ok_or(loopmend_python::edit::Refused::Missing("function"))?;
                insert_after(now, after, &generator)
            })?;
            import(&mut draft, &requests)?;
            mend.edit(life, self.file, draft.edits());
            return Ok(());
        }
        let stop = Stop { handle: self.local(&source, set), ..stop };
        let (lines, mut requests) = stop.lines(life, self.shutdown, &source);
        let (How::Before(stmt) | How::Behind(stmt)) = self.how else { return Ok(()) };
        let at = facts.stmt(stmt).range;
        let text = life.text(self.shutdown)[at].to_owned();
        let before = matches!(self.how, How::Before(_));
        let put = |now: &Source, at| {
            if before { insert_before(now, at, &lines) } else { insert_after(now, at, &lines) }
        };
        if let Some(module) = &self.import {
            requests.push(ImportRequest::from(module, set));
            let mut other = Draft::new(&source);
            other.step(|now| put(now, at))?;
            import(&mut other, &requests)?;
            mend.edit(life, self.shutdown, other.edits());
        } else {
            draft.step(|now| put(now, same(now, &text)))?;
            import(&mut draft, &requests)?;
        }
        mend.edit(life, self.file, draft.edits());
        Ok(())
    }
}

impl Drain {
    /// The expression for a name of the task's file in the shutdown's file, once it is imported.
    fn local(&self, source: &Source, name: &str) -> String {
        let request = self.import.as_ref().map(|module| ImportRequest::from(module, name));
        request
            .and_then(|request| import_edits(source, &[request]).1.into_iter().next())
            .unwrap_or_else(|| name.to_owned())
    }
}

/// The place of the same text in a changed file.
fn same(now: &Source, text: &str) -> loopmend_python::facts::TextRange {
    let start = now.text().find(text).unwrap_or(0) as u32;
    loopmend_python::facts::TextRange::at(start.into(), (text.len() as u32).into())
}

fn of_tests(life: &Lifecycle, app: &App) -> bool {
    let path = &life.facts(app.call.file).path;
    path.contains("test") || life.is_test(app.function) || life.is_fixture(app.function)
}

fn place(life: &Lifecycle, app: &App) -> Option<(FileId, How)> {
    if app.framework == Framework::Aiohttp {
        let file = app.call.file;
        let facts = life.facts(file);
        let name = app.name.as_ref()?;
        let made = facts.stmt_of(app.call.id)?;
        let (block, index) = facts.block_of(made);
        let behind =
            block[index..].iter().rev().copied().find(|&stmt| registers(facts, stmt)).unwrap_or(made);
        return Some((file, How::Context { behind, app: name.to_string() }));
    }
    if let Some(lifespan) = &app.lifespan {
        let function = lifespan.generator()?;
        let [at] = lifespan.yields(life)[..] else { return None };
        return Some((function.file, behind_yield(life.facts(at.file), at.id)));
    }
    let function: FunctionRef = app.shutdown().find_map(crate::lifespan::Handler::function)?;
    let of = life.facts(function.file).function(function.id);
    let first = of.body.first().copied()?;
    of.is_async.then_some((function.file, How::Before(first)))
}

fn behind_yield(facts: &Facts, stmt: StmtId) -> How {
    for (outer, slot) in facts.ancestors(stmt) {
        match &facts.stmt(outer).kind {
            StmtKind::Try { finally, .. } if slot == Slot::Body && !finally.is_empty() => {
                return How::Before(finally[0]);
            }
            StmtKind::With { .. } => break,
            _ => {}
        }
    }
    How::Behind(stmt)
}

/// Whether a statement registers a context of aiohttp's.
fn registers(facts: &Facts, stmt: StmtId) -> bool {
    let mut found = false;
    facts.stmt(stmt).exprs(&mut |expr| {
        facts.descend(expr, &mut |id| {
            found |=
                matches!(&facts.expr(id).kind, ExprKind::Attribute { attr, .. } if attr == "cleanup_ctx");
        });
    });
    found
}

/// How one file imports from another: the module as it is written there.
fn imported(life: &Lifecycle, from: FileId, target: FileId) -> Option<String> {
    let facts = life.facts(from);
    facts.bindings.iter().find_map(|binding| {
        let BindingKind::ImportFrom { level, module, name } = &binding.kind else { return None };
        let dots = ".".repeat(*level as usize);
        let written = format!("{dots}{module}");
        let absolute = life.absolute_module(from, *level, module)?;
        if life.modules().find(&absolute, from) == Some(target) {
            return Some(written);
        }
        // `from app import routes`, `from . import routes`.
        let inner = format!("{absolute}.{name}");
        let joined = if module.is_empty() { format!("{dots}{name}") } else { format!("{written}.{name}") };
        (life.modules().find(&inner, from) == Some(target)).then_some(joined)
    })
}
