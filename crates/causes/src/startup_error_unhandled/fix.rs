//! A handler for the driver's own connection errors: going on without the object where every reader can, else logging and
//! passing the error on.

use std::collections::BTreeSet;

use loopmend_model::Applicability;
use loopmend_python::edit::{Draft, ImportRequest, Source, import_edits, insert_before, wrap_statements};
use loopmend_python::facts::{ExprKind, StmtId, StmtKind, TextRange};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, StmtRef};

use super::Detail;
use super::driver::driver_of;
use crate::background::logger;
use crate::startup::{
    Initial, Open, Phase, close_calls, close_calls_elsewhere, close_text, initial, is_guarded, opens,
    place_name,
};
use crate::{Declined, Mend};

pub(super) fn fix(life: &Lifecycle, detail: &Detail) -> Result<Mend, Declined> {
    let open = &detail.open;
    let file = open.function.file;
    let facts = life.facts(file);
    let source = Source::parse(&facts.path, life.text(file).clone());
    let driver = driver_of(&open.class).ok_or_else(|| {
        Declined::because(format!("the connection errors of `{}` are not known", open.class))
    })?;
    let mut requests = Vec::new();
    let mut errors: Vec<String> = Vec::new();
    if driver.os_error {
        errors.push("OSError".to_owned());
    }
    if let Some((module, error)) = driver.error {
        let request =
            if driver.by_module { ImportRequest::module(module) } else { ImportRequest::from(module, error) };
        let (_, locals) = import_edits(&source, std::slice::from_ref(&request));
        let local = locals.first().cloned().unwrap_or_else(|| error.to_owned());
        errors.push(if driver.by_module { format!("{local}.{error}") } else { local });
        requests.push(request);
    }
    let errors = match &errors[..] {
        [one] => one.clone(),
        several => format!("({})", several.join(", ")),
    };
    let (request, log) = logger(life, file, &source);
    requests.extend(request);
    let name = place_name(facts, open.place.id)
        .map_or_else(String::new, |name| name.trim_matches(['[', ']']).to_owned());
    let mut mend = Mend::new(Applicability::Unsafe);
    mend.declared.added = vec!["exception".to_owned(), "getLogger".to_owned()];
    let mut edits = Edits { life, mend, file, source };
    if detail.answered {
        edits.go_on(detail, &errors, &log, &name, &requests)?;
        edits.mend.notes.push(format!(
            "The service now starts without `{}` and logs why; it does not try again later.",
            life.source(open.place)
        ));
    } else {
        let text = source_quoted(&edits.source, &format!("{name} could not be opened at startup"));
        let body = format!("{log}.exception({text})\nraise");
        let range = facts.stmt(open.fails_at().unwrap_or(open.stmt)).range;
        let mut draft = Draft::new(&edits.source);
        draft.step(|now| wrap_statements(now, range, "try:", &[(&format!("except {errors}:"), &body)]))?;
        draft.step(|now| Ok(import_edits(now, &requests).0))?;
        edits.mend.edit(life, file, draft.edits());
    }
    Ok(edits.mend)
}

fn source_quoted(source: &Source, text: &str) -> String {
    source.quoted(text)
}

struct Edits<'l> {
    life: &'l Lifecycle,
    mend: Mend,
    file: FileId,
    source: Source,
}

impl Edits<'_> {
    fn go_on(
        &mut self,
        detail: &Detail,
        errors: &str,
        log: &str,
        name: &str,
        requests: &[ImportRequest],
    ) -> Result<(), Declined> {
        let life = self.life;
        let open = &detail.open;
        let facts = life.facts(self.file);
        let body = body_of(life, detail)?;
        let closes = unguarded(life, open);
        let closers: BTreeSet<FunctionRef> = closes
            .iter()
            .map(|(stmt, _)| FunctionRef {
                file: stmt.file,
                id: life.facts(stmt.file).stmt(stmt.id).function,
            })
            .collect();
        let mut presets = Vec::new();
        let mut undone = Vec::new();
        for place in std::iter::once(open.place).chain(open.aliases.iter().copied()) {
            let Some(stmt) = facts.stmt_of(place.id) else { continue };
            let range = facts.stmt(stmt).range;
            let none = format!("{} = None", life.source(place));
            if !open.awaited {
                if range.start() < body.end() {
                    undone.push(none);
                }
            } else if body.contains_range(range)
                && initial(life, open, place, open.stmt, &closers) == Initial::Unset
            {
                presets.push(none);
            }
        }
        // By file, from the end.
        let mut steps: Vec<(FileId, TextRange, Step)> = Vec::new();
        let message =
            self.source.quoted(&format!("{name} could not be opened at startup; going on without it"));
        let mut handler = format!("{log}.exception({message})");
        if !open.awaited {
            // The object is there, half open.
            handler.push_str(&format!("\n{}\n{}", close_text(life, open), undone.join("\n")));
            self.mend.declared.added.push(open.close.method.clone());
        }
        steps.push((self.file, body, Step::Try(handler)));
        if !presets.is_empty() {
            steps.push((self.file, facts.stmt(open.stmt).range, Step::Before(presets.join("\n"))));
        }
        for (stmt, place) in closes {
            steps.push((stmt.file, life.facts(stmt.file).stmt(stmt.id).range, Step::Guard(place)));
        }
        steps.sort_by_key(|(file, range, step)| {
            (*file, std::cmp::Reverse(range.start()), matches!(step, Step::Before(_)))
        });
        let files: BTreeSet<FileId> = steps.iter().map(|(file, ..)| *file).collect();
        for file in files {
            let source = Source::parse(&life.facts(file).path, life.text(file).clone());
            let mut draft = Draft::new(&source);
            for (_, range, step) in steps.iter().filter(|(of, ..)| *of == file) {
                match step {
                    Step::Guard(place) => {
                        let header = format!("if {place} is not None:");
                        draft.step(|now| wrap_statements(now, *range, &header, &[]))?;
                    }
                    Step::Try(handler) => {
                        let except = format!("except {errors}:");
                        draft.step(|now| wrap_statements(now, *range, "try:", &[(&except, handler)]))?;
                    }
                    Step::Before(text) => draft.step(|now| {
                        let found = now
                            .statements_at(TextRange::empty(range.start()))
                            .into_iter()
                            .next_back()
                            .map_or(*range, |found| ruff_text_size::Ranged::range(&found));
                        insert_before(now, found, text)
                    })?,
                }
            }
            if file == self.file {
                draft.step(|now| Ok(import_edits(now, requests).0))?;
            }
            self.mend.edit(life, file, draft.edits());
        }
        Ok(())
    }
}

enum Step {
    /// `if place is not None:` around it.
    Guard(String),
    /// The handler's body.
    Try(String),
    /// Lines before it.
    Before(String),
}

/// From the opening to the last start-up statement that needs the object.
fn body_of(life: &Lifecycle, detail: &Detail) -> Result<TextRange, Declined> {
    let open = &detail.open;
    let facts = life.facts(open.function.file);
    let until = match detail.phase {
        Phase::Lifespan(yields) => Some(yields),
        _ => None,
    };
    let names = open.names(facts);
    let end = until.map(|stmt| facts.stmt(stmt).range.start());
    let first = open.fails_at().unwrap_or(open.stmt);
    let level = facts.stmt(first).parent;
    let mut last = first;
    let mut needing = Vec::new();
    facts.walk(&facts.function(open.function.id).body, &mut |stmt| {
        let node = facts.stmt(stmt);
        if node.range.start() < facts.stmt(first).range.end()
            || end.is_some_and(|end| node.range.start() >= end)
        {
            return;
        }
        let mut mentions = false;
        node.exprs(&mut |expr| {
            facts.descend(expr, &mut |inner| {
                mentions |= place_name(facts, inner).is_some_and(|name| names.contains(&name));
            });
        });
        if mentions && !is_alias(facts, stmt, open) {
            needing.push(stmt);
        }
    });
    for stmt in needing {
        if is_guarded(life, StmtRef { file: open.function.file, id: stmt }, open.call, None) {
            continue;
        }
        let holds = |kind: &StmtKind| {
            matches!(kind, StmtKind::Assign { targets, .. }
                if targets.iter().any(|&target| facts.name_of(target).is_none()))
        };
        if holds(&facts.stmt(stmt).kind) || matches!(facts.stmt(stmt).kind, StmtKind::Return(_)) {
            return Err(Declined::because(format!(
                "start-up makes other things of `{}` and keeps them; give each of them an answer for its absence, then go on \
                 without it where the connection fails",
                life.source(open.place)
            )));
        }
        let top = std::iter::once(stmt)
            .chain(facts.ancestors(stmt).map(|(outer, _)| outer))
            .find(|&outer| facts.stmt(outer).parent == level);
        if let Some(top) = top
            && facts.stmt(top).range.end() > facts.stmt(last).range.end()
        {
            last = top;
        }
    }
    let range = facts.stmt(first).range.cover(facts.stmt(last).range);
    let others = opens(life, open.function, until)
        .into_iter()
        .any(|other| other.stmt != open.stmt && range.contains_range(facts.stmt(other.stmt).range));
    if others {
        return Err(Declined::because(format!(
            "other things are opened between `{}` and its use at start-up; put its opening and that use next to each other first",
            life.source(open.place)
        )));
    }
    Ok(range)
}

/// `app.state.pool = pool`.
fn is_alias(facts: &loopmend_python::facts::Facts, stmt: StmtId, open: &Open) -> bool {
    match &facts.stmt(stmt).kind {
        StmtKind::Assign { targets, .. } => {
            targets.iter().any(|target| open.aliases.iter().any(|alias| alias.id == *target))
        }
        _ => false,
    }
}

/// The closes that do not ask whether there is an object, with its place as written there.
fn unguarded(life: &Lifecycle, open: &Open) -> Vec<(StmtRef, String)> {
    let file = open.function.file;
    let body = &life.facts(file).function(open.function.id).body;
    let here = close_calls(life, file, body, open);
    let elsewhere = close_calls_elsewhere(life, open);
    let mut found: Vec<(StmtRef, String)> = Vec::new();
    for (stmt, call) in here.into_iter().chain(elsewhere) {
        let facts = life.facts(stmt.file);
        let function = FunctionRef { file: stmt.file, id: facts.stmt(stmt.id).function };
        if is_guarded(life, stmt, call, None) || life.is_test(function) || life.is_fixture(function) {
            continue;
        }
        let ExprKind::Call { func, .. } = facts.expr(call.id).kind else { continue };
        let ExprKind::Attribute { value, .. } = facts.expr(func).kind else { continue };
        let place = life.source(ExprRef { file: stmt.file, id: value }).to_owned();
        if !found.iter().any(|(known, _)| *known == stmt) {
            found.push((stmt, place));
        }
    }
    found
}
