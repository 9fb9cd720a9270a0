//! Taking handlers and their registrations out of a file.

use std::collections::BTreeSet;

use loopmend_python::edit::{
    Comments, Draft, Edit, Source, decorators_of, delete_statements, remove_decorator, remove_import,
};
use loopmend_python::facts::{BindingKind, Definition, MODULE, TextRange};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle};
use ruff_text_size::Ranged;

use super::gather::statement;
use super::handler::{Handler, Registration};
use crate::{Declined, Mend};

/// The file's source.
pub(crate) fn source(life: &Lifecycle, file: FileId) -> Source {
    Source::parse(&life.facts(file).path, life.text(file).clone())
}

/// Edits of one file that take the registrations of these handlers away, with the definitions that were inlined; statements
/// in `also` go too.
pub(crate) fn unregister(
    life: &Lifecycle,
    source: &Source,
    file: FileId,
    handlers: &[&Handler],
    inlined: &[FunctionRef],
    also: &[TextRange],
) -> Result<Vec<Edit>, Declined> {
    let facts = life.facts(file);
    let mut gone: BTreeSet<(u32, u32)> = also.iter().map(|range| bounds(*range)).collect();
    let mut edits = Vec::new();
    for handler in handlers.iter().filter(|handler| handler.registered_in.file == file) {
        match handler.registration {
            Registration::Decorator(decorator) => {
                let Some(function) = handler.function() else { continue };
                if inlined.contains(&function) {
                    if let Definition::Def(stmt) = facts.function(function.id).definition {
                        gone.insert(bounds(facts.stmt(stmt).range));
                    }
                } else {
                    edits.extend(undecorate(life, source, function, decorator));
                }
            }
            Registration::Call(_) => match statement(life, handler) {
                Some(stmt) => {
                    gone.insert(bounds(facts.stmt(stmt).range));
                }
                None => {
                    return Err(Declined::because(
                        "a registration stands inside another expression; move its handler by hand",
                    ));
                }
            },
            Registration::Parameter(_) => {}
        }
    }
    edits.extend(delete_all(source, &gone)?);
    Ok(edits)
}

fn bounds(range: TextRange) -> (u32, u32) {
    (range.start().to_u32(), range.end().to_u32())
}

fn undecorate(life: &Lifecycle, source: &Source, function: FunctionRef, decorator: ExprRef) -> Vec<Edit> {
    let facts = life.facts(function.file);
    let range = facts.expr(decorator.id).range;
    decorators_of(source, facts.function(function.id).name_range)
        .iter()
        .find(|known| known.range().contains_range(range))
        .map_or_else(Vec::new, |known| remove_decorator(source, known))
}

/// Deletes statements; neighbours go as one run.
fn delete_all(source: &Source, gone: &BTreeSet<(u32, u32)>) -> Result<Vec<Edit>, Declined> {
    let mut edits = Vec::new();
    let mut run: Option<(TextRange, usize, TextRange)> = None;
    let mut take = |run: Option<(TextRange, usize, TextRange)>| -> Result<(), Declined> {
        if let Some((range, ..)) = run {
            edits.extend(delete_statements(source, range, Comments::Delete)?);
        }
        Ok(())
    };
    for &(start, end) in gone {
        let range = TextRange::new(start.into(), end.into());
        let Some(found) = source.statement_at(range) else { continue };
        let block = found.body.first().map_or(range, Ranged::range);
        run = match run {
            Some((known, index, same)) if same == block && found.index == index + 1 => {
                Some((known.cover(range), found.index, block))
            }
            other => {
                take(other)?;
                Some((range, found.index, block))
            }
        };
    }
    take(run)?;
    Ok(edits)
}

/// Takes registrations in files other than the lifespan's away.
pub(crate) fn elsewhere(
    life: &Lifecycle,
    home: FileId,
    handlers: &[&Handler],
    inlined: &[FunctionRef],
    mend: &mut Mend,
) -> Result<(), Declined> {
    let files: BTreeSet<FileId> =
        handlers.iter().map(|handler| handler.registered_in.file).filter(|&file| file != home).collect();
    for file in files {
        let facts = life.facts(file);
        let source = source(life, file);
        let edits = unregister(life, &source, file, handlers, inlined, &[])?;
        let mut draft = Draft::new(&source);
        draft.step(|_| Ok(edits))?;
        let here = handlers.iter().filter(|handler| handler.registered_in.file == file);
        let names: BTreeSet<_> = here.filter_map(|handler| handler.receiver(life)).collect();
        for name in names {
            let imported = facts.scopes[MODULE.index()].get(&name).is_some_and(|bindings| {
                bindings.iter().all(|&id| matches!(facts.binding(id).kind, BindingKind::ImportFrom { .. }))
            });
            if imported {
                draft.step(|now| Ok(remove_import(now, &name)))?;
            }
        }
        mend.edit(life, file, draft.edits());
    }
    Ok(())
}

/// The snippet with the blank lines that a definition wants above it.
pub(crate) fn spaced(source: &Source, target: TextRange, snippet: &str) -> String {
    let Some(found) = source.statement_at(target) else { return snippet.to_owned() };
    let start = source.comments_above(found);
    let (above, _) = source.blank_above(start);
    let wanted = if found.owner.is_none() { 2usize } else { 1 };
    if start.to_u32() == 0 || (found.owner.is_some() && found.index == 0) {
        return snippet.to_owned();
    }
    "\n".repeat(wanted.saturating_sub(above)) + snippet
}
