//! The whole change that ends a task before what it works with.

use loopmend_python::edit::{
    Comments, Draft, Edit, ImportRequest, Refused, Source, delete_statements, import_edits, insert_after,
    insert_at_end, insert_before, replace_expr, take_statement, wrap_statements,
};
use loopmend_python::facts::{ExprId, ExprKind, Facts, StmtId, TextRange};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, Task};

use super::ending::{Closed, closed_around, yield_behind};
use super::{Elsewhere, Ending, Handle, Link, Stop, closed_elsewhere};
use crate::{Declined, Mend, Spot};

/// Where and how a task should be ended.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The call that starts it.
    pub call: ExprRef,
    /// What is closed while it runs; none where only a generator's life ends.
    pub closes: Option<Spot>,
    /// How it is named there; none where it has no name that reaches there.
    pub handle: Option<Handle>,
    /// Cancelled, rather than waited for.
    pub cancel: bool,
    place: Where,
}

#[derive(Clone, Debug)]
enum Where {
    Here(Ending, StmtId),
    There(Elsewhere),
}

/// Calls that wait for something that may never come.
const ENDLESS: &[&str] = &[
    "wait",
    "get",
    "serve_forever",
    "run_forever",
    "serve",
    "recv",
    "read",
    "readline",
    "accept",
    "listen",
    "subscribe",
    "create_future",
    "consume",
    "poll",
];

impl Plan {
    /// For a task that nothing ends; none where nothing that it works with is seen to be closed.
    pub fn of(life: &Lifecycle, task: &Task) -> Option<Self> {
        let link = Link::of(life, task);
        let cancel = may_go_on(life, task);
        if let Some(closed) = closed_around(life, task, &link) {
            return Some(Self::here(life, task, closed, cancel));
        }
        if let Some(there) = closed_elsewhere(life, task, &link) {
            return Some(Self {
                call: task.call,
                closes: Some(there.closes),
                handle: Some(there.handle.clone()),
                cancel,
                place: Where::There(there),
            });
        }
        let facts = life.facts(task.call.file);
        let managed = facts.function(task.function.id).is_generator
            && (life.decorated(task.function, &["asynccontextmanager"]) || life.is_fixture(task.function));
        if managed && let Some(closed) = yield_behind(life, task) {
            return Some(Self::here(life, task, closed, cancel));
        }
        None
    }

    fn here(life: &Lifecycle, task: &Task, closed: Closed, cancel: bool) -> Self {
        // At the very end of the block nothing else runs beside it: its work is waited for.
        let cancel = cancel && !matches!(closed.ending, Ending::Behind(_));
        Self {
            call: task.call,
            closes: closed.closes,
            handle: Handle::of(life, task, closed.level),
            cancel,
            place: Where::Here(closed.ending, closed.level),
        }
    }

    /// The function that ends what the task works with, where it is another than the one that starts the task.
    pub fn end(&self) -> Option<FunctionRef> {
        match &self.place {
            Where::There(there) => Some(there.function),
            Where::Here(..) => None,
        }
    }

    /// Whether the function that ends what the task works with cancels it already, by the name that it has there.
    pub fn carried_out(&self, life: &Lifecycle) -> bool {
        let (Some(handle), Some(end)) = (&self.handle, self.end()) else { return false };
        let facts = life.facts(end.file);
        facts.attributes.get("cancel").into_iter().flatten().any(|&read| {
            facts.function_of(read) == end.id
                && matches!(facts.expr(read).kind, ExprKind::Attribute { value, .. }
                    if life.source(ExprRef { file: end.file, id: value }) == handle.text)
        })
    }

    /// Makes the change.
    pub fn carry_out(&self, life: &Lifecycle, mend: &mut Mend) -> Result<(), Declined> {
        let Some(handle) = &self.handle else {
            return Err(Declined::because(
                "keep the tasks in a list; before what they work with is closed, cancel them and wait for them",
            ));
        };
        let file = match &self.place {
            Where::Here(..) => self.call.file,
            Where::There(there) => there.function.file,
        };
        let source = Source::parse(&life.facts(file).path, life.text(file).clone());
        if source.is_broken() {
            return Err(Declined::because("mend the syntax errors of the file first"));
        }
        let stop = Stop {
            handle: handle.text.clone(),
            many: handle.many,
            cancel: self.cancel,
            guarded: matches!(&self.place, Where::There(there) if there.guarded),
        };
        let (lines, requests) = stop.lines(life, file, &source);
        let mut draft = Draft::new(&source);
        match &self.place {
            Where::Here(ending, level) => self.end_here(life, &mut draft, handle, ending, *level, &lines)?,
            Where::There(there) => end_there(life, &mut draft, there, &lines)?,
        }
        import(&mut draft, &requests)?;
        mend.edit(life, file, draft.edits());
        mend.declared.added.extend(stop.added());
        // Where the coroutine is awaited instead, nothing starts it.
        let facts = life.facts(self.call.file);
        if matches!(self.place, Where::Here(Ending::Behind(_), _))
            && self.alone(facts, handle).is_some()
            && let ExprKind::Call { func, .. } = &facts.expr(self.call.id).kind
            && let Some(name) = facts.dotted(*func)
        {
            mend.declared.removed.extend(name.rsplit('.').next().map(str::to_owned));
        }
        if handle.unnamed && handle.many {
            mend.declared.added.push("append".to_owned());
        }
        mend.declared.moved |= matches!(self.place, Where::Here(Ending::Yield { .. }, _));
        Ok(())
    }

    fn end_here(
        &self,
        life: &Lifecycle,
        draft: &mut Draft,
        handle: &Handle,
        ending: &Ending,
        level: StmtId,
        lines: &str,
    ) -> Result<(), Declined> {
        let facts = life.facts(self.call.file);
        let range = |stmt: StmtId| facts.stmt(stmt).range;
        let mut start = self.named(facts, handle);
        if let Ending::Behind(_) = ending
            && let Some(coroutine) = self.alone(facts, handle)
        {
            // Nothing runs beside it: the coroutine is awaited where it stands.
            let text = life.source(self.call.with(coroutine)).to_owned();
            let call = facts.expr(self.call.id).range;
            draft.step(|now| replace_expr(now, call, &format!("await {text}")))?;
            return Ok(());
        }
        let list = (handle.unnamed && handle.many).then(|| format!("{} = []", handle.text));
        match ending {
            Ending::Rest(first, last) => draft.step(|now| {
                let run = TextRange::new(range(*first).start(), range(*last).end());
                start.extend(wrap_statements(now, run, "try:", &[("finally:", lines)])?);
                Ok(start)
            })?,
            Ending::Behind(stmt) => draft.step(|now| {
                start.extend(insert_after(now, range(*stmt), lines)?);
                Ok(start)
            })?,
            Ending::Before(stmt) => draft.step(|now| {
                start.extend(insert_before(now, range(*stmt), lines)?);
                Ok(start)
            })?,
            Ending::Yield { first, last, tail } => {
                let mut lines = lines.to_owned();
                if let (Some(&from), Some(&to)) = (tail.first(), tail.last()) {
                    let run = TextRange::new(range(from).start(), range(to).end());
                    lines = format!("{lines}\n{}", take_statement(draft.source(), run)?);
                    draft.step(|now| delete_statements(now, run, Comments::Delete))?;
                }
                draft.step(|now| {
                    let run = TextRange::new(range(*first).start(), range(*last).end());
                    start.extend(wrap_statements(now, run, "try:", &[("finally:", &lines)])?);
                    Ok(start)
                })?;
            }
        }
        if let Some(list) = list {
            draft.step(|now| insert_before(now, range(level), &list))?;
        }
        Ok(())
    }

    /// The coroutine of a task that has no name and nothing else to it.
    fn alone(&self, facts: &Facts, handle: &Handle) -> Option<ExprId> {
        if !handle.unnamed || handle.many {
            return None;
        }
        match &facts.expr(self.call.id).kind {
            ExprKind::Call { args, keywords, .. } if keywords.is_empty() && args.len() == 1 => Some(args[0]),
            _ => None,
        }
    }

    /// The edits that give an unnamed task its name.
    fn named(&self, facts: &Facts, handle: &Handle) -> Vec<Edit> {
        let range = facts.expr(self.call.id).range;
        if let Some((at, text)) = &handle.naming {
            return vec![Edit::replacement(*at, text.clone())];
        }
        match (handle.unnamed, handle.many) {
            (false, _) => Vec::new(),
            (true, false) => vec![Edit::insertion(range.start(), format!("{} = ", handle.text))],
            (true, true) => vec![
                Edit::insertion(range.start(), format!("{}.append(", handle.text)),
                Edit::insertion(range.end(), ")"),
            ],
        }
    }
}

fn end_there(life: &Lifecycle, draft: &mut Draft, there: &Elsewhere, lines: &str) -> Result<(), Declined> {
    let facts = life.facts(there.function.file);
    let before = facts.stmt(there.before).range;
    draft.step(|now| {
        let mut edits = insert_before(now, before, lines)?;
        if let Some(init) = there.declare {
            let line = format!("{} = None", there.handle.text);
            let function =
                now.function_at(facts.function(init.id).name_range).ok_or(Refused::Missing("constructor"))?;
            edits.extend(insert_at_end(now, &function.body, &line)?);
        }
        Ok(edits)
    })?;
    Ok(())
}

/// Adds imports to a draft.
pub fn import(draft: &mut Draft, requests: &[ImportRequest]) -> Result<(), Declined> {
    draft.step(|now| Ok(import_edits(now, requests).0))?;
    Ok(())
}

/// Whether a task may go on for as long as the program does: then it is cancelled, else its work is waited for.
pub fn may_go_on(life: &Lifecycle, task: &Task) -> bool {
    task.runs.is_empty()
        || task.runs.iter().any(|&function| {
            life.goes_on(function)
                || life.reachable(function).into_iter().any(|at| {
                    let facts = life.facts(at.file);
                    let mut found = false;
                    facts.body_exprs(at.id, &mut |id| {
                        if let ExprKind::Call { func, .. } = facts.expr(id).kind
                            && let ExprKind::Attribute { attr, .. } = &facts.expr(func).kind
                        {
                            found |= ENDLESS.contains(&attr.as_str())
                                && facts.parent_expr(id).is_some_and(|up| {
                                    matches!(facts.expr(up).kind, ExprKind::Await(_) | ExprKind::Call { .. })
                                });
                        }
                    });
                    found
                })
        })
}

/// Whether some code of the tree ends all tasks of a loop at once.
pub fn ends_all(life: &Lifecycle) -> bool {
    life.files_with("all_tasks").iter().any(|&file: &FileId| {
        let facts = life.facts(file);
        let asks = facts.attributes.contains_key("all_tasks") || facts.loads.contains_key("all_tasks");
        asks && facts.attributes.contains_key("cancel")
    })
}
