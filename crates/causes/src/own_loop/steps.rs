//! Changes of one file, made from its end to its start so that places above stay where they are.

use loopmend_python::edit::{
    Comments, Draft, Edit, ImportRequest, Refused, Source, delete_statement, import_edits,
    remove_import_after, unwrap_first,
};
use loopmend_python::facts::{Slot, StmtId, StmtKind, TextRange, TextSize};
use loopmend_python::lifecycle::{FileId, Lifecycle};
use ruff_text_size::Ranged;

/// What is to be done in one file.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    list: Vec<(TextSize, Step)>,
    forgotten: Vec<String>,
    imports: Vec<ImportRequest>,
}

#[derive(Clone, Debug)]
enum Step {
    Delete,
    Unwrap,
    DropFinally,
    Replace(TextRange, String),
    Before(String),
    Wrap(String),
    After(String),
}

impl Steps {
    /// Takes a statement away.
    pub(crate) fn delete(&mut self, life: &Lifecycle, file: FileId, stmt: StmtId) {
        let at = life.facts(file).stmt(stmt).range.start();
        if !self.list.iter().any(|(known, step)| *known == at && matches!(step, Step::Delete)) {
            self.list.push((at, Step::Delete));
        }
    }

    /// Takes the header of a statement away and its block one level out.
    pub(crate) fn unwrap(&mut self, life: &Lifecycle, file: FileId, stmt: StmtId) {
        self.list.push((life.facts(file).stmt(stmt).range.start(), Step::Unwrap));
    }

    /// Puts text in the place of a range.
    pub(crate) fn replace(&mut self, range: TextRange, text: impl Into<String>) {
        self.list.push((range.start(), Step::Replace(range, text.into())));
    }

    /// Puts statements before one.
    pub(crate) fn before(
        &mut self,
        life: &Lifecycle,
        file: FileId,
        stmt: StmtId,
        snippet: impl Into<String>,
    ) {
        self.list.push((life.facts(file).stmt(stmt).range.start(), Step::Before(snippet.into())));
    }

    /// Puts statements behind one.
    pub(crate) fn after(&mut self, life: &Lifecycle, file: FileId, stmt: StmtId, snippet: impl Into<String>) {
        self.list.push((life.facts(file).stmt(stmt).range.start(), Step::After(snippet.into())));
    }

    /// Takes a name's import away, if nothing else uses it.
    pub(crate) fn forget_import(&mut self, name: &str) {
        self.forgotten.push(name.to_owned());
    }

    /// Puts a statement below a header.
    pub(crate) fn wrap(&mut self, life: &Lifecycle, file: FileId, stmt: StmtId, header: impl Into<String>) {
        self.list.push((life.facts(file).stmt(stmt).range.start(), Step::Wrap(header.into())));
    }

    /// Imports something, once all else is done.
    pub(crate) fn import(&mut self, request: ImportRequest) {
        self.imports.push(request);
    }

    /// The edits, with `asyncio` imported if the text of any step needs it.
    pub(crate) fn edits(
        &self,
        life: &Lifecycle,
        file: FileId,
        wants_asyncio: bool,
    ) -> Result<Vec<Edit>, Refused> {
        let facts = life.facts(file);
        let source = Source::parse(&facts.path, life.text(file).clone());
        let mut list = self.collapse(life, file);
        // At one place: what comes behind first, then the statement itself, then what goes before it.
        list.sort_by_key(|(at, step)| {
            let rank = match step {
                Step::After(_) => 0,
                Step::Replace(..) => 1,
                Step::Before(_) => 3,
                _ => 2,
            };
            (std::cmp::Reverse(*at), rank)
        });
        let mut draft = Draft::new(&source);
        for (at, step) in &list {
            draft.step(|now| apply_step(now, *at, step))?;
        }
        if wants_asyncio {
            draft.step(|now| Ok(import_edits(now, &[ImportRequest::module("asyncio")]).0))?;
        }
        if !self.imports.is_empty() {
            draft.step(|now| Ok(import_edits(now, &self.imports).0))?;
        }
        for name in &self.forgotten {
            draft.step(|now| Ok(remove_import_after(now, &[], name)))?;
        }
        Ok(draft.edits())
    }

    /// A `finally` of which nothing would remain goes as a whole, and a `try` that has no other clause with it.
    fn collapse(&self, life: &Lifecycle, file: FileId) -> Vec<(TextSize, Step)> {
        let facts = life.facts(file);
        let deleted: Vec<TextSize> =
            self.list.iter().filter(|(_, step)| matches!(step, Step::Delete)).map(|(at, _)| *at).collect();
        let is_deleted = |stmt: &StmtId| deleted.contains(&facts.stmt(*stmt).range.start());
        let mut list = self.list.clone();
        for stmt in &facts.stmts {
            let StmtKind::Try { handlers, orelse, finally, .. } = &stmt.kind else { continue };
            if finally.is_empty() || !finally.iter().all(is_deleted) {
                continue;
            }
            debug_assert!(finally.iter().all(|&inner| facts.stmt(inner).slot == Slot::Finally));
            let gone: Vec<TextSize> = finally.iter().map(|&inner| facts.stmt(inner).range.start()).collect();
            list.retain(|(at, step)| !(matches!(step, Step::Delete) && gone.contains(at)));
            let step =
                if handlers.is_empty() && orelse.is_empty() { Step::Unwrap } else { Step::DropFinally };
            list.push((stmt.range.start(), step));
        }
        list
    }
}

fn apply_step(now: &Source, at: TextSize, step: &Step) -> Result<Vec<Edit>, Refused> {
    let found = || now.statement_at_offset(at).ok_or(Refused::Missing("statement"));
    match step {
        Step::Delete => delete_statement(now, TextRange::at(at, 1.into()), Comments::Keep),
        Step::Unwrap => unwrap_first(now, found()?),
        Step::DropFinally => drop_finally(now, at),
        Step::Replace(range, text) => Ok(vec![Edit::replacement(*range, text.clone())]),
        Step::Wrap(header) => loopmend_python::edit::wrap_statements(now, found()?.range(), header, &[]),
        Step::Before(snippet) => loopmend_python::edit::insert_before(now, found()?, snippet),
        Step::After(snippet) => loopmend_python::edit::insert_after(now, found()?, snippet),
    }
}

fn drop_finally(now: &Source, at: TextSize) -> Result<Vec<Edit>, Refused> {
    let found = now.statement_at_offset(at).ok_or(Refused::Missing("try"))?;
    let node = found.stmt.as_try_stmt().ok_or(Refused::Missing("try"))?;
    let last = (node.orelse.last().map(Ranged::end))
        .or_else(|| node.handlers.last().map(Ranged::end))
        .ok_or(Refused::Missing("handler"))?;
    let finally = node.finalbody.last().map(Ranged::end).ok_or(Refused::Missing("finally"))?;
    Ok(vec![Edit::deletion(TextRange::new(now.line_end(last), now.line_end(finally)))])
}
