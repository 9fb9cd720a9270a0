//! The close around the uses.

use std::collections::BTreeMap;

use loopmend_python::edit::{Draft, Edit, Refused, Source, replace_expr, wrap_statements};
use loopmend_python::facts::{StmtKind, TextRange};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, StmtRef, Value};
use ruff_text_size::TextSize;

use super::hold::{Hold, Refusal};
use super::left::{Left, is_closed};
use super::owner::{Owner, owner_of_loop};
use crate::background::{attribute, import};
use crate::{Declined, Found, Mend};

pub(super) fn mend(life: &Lifecycle, found: &Found, left: &Left) -> Result<Mend, Declined> {
    let name = &life.facts(left.generator.file).function(left.generator.id).name;
    match left.hold.refuses {
        Some(Refusal::Stubborn) => {
            return Err(Declined::because(format!(
                "`{name}` goes on when it is asked to end: let it raise what it catches at its `yield`, then close it"
            )));
        }
        Some(Refusal::Group) => {
            return Err(Declined::because(format!(
                "`{name}` yields inside a task group, whose end turns the close into a group of exceptions: let an async \
                 context manager hold the group and hand out the items, and enter that around the loop"
            )));
        }
        None => {}
    }
    let owner = left.owner.clone().map_err(Declined::because)?;
    let mut owners = vec![owner];
    inner(life, &left.hold, left.generator, &mut owners);
    let mut files: BTreeMap<FileId, Vec<Owner>> = BTreeMap::new();
    for owner in owners {
        let known = files.entry(owner.file).or_default();
        if !known.iter().any(|other| other.run == owner.run) {
            known.push(owner);
        }
    }
    let mut mend = Mend::new(found.applicability);
    let since = life.settings().python_at_least(3, 10);
    for (file, mut owners) in files {
        let source = Source::parse(&life.facts(file).path, life.text(file).clone());
        if source.is_broken() {
            return Err(Declined::because("mend the syntax errors of the file first"));
        }
        // From below, so that places above stay where they are.
        owners.sort_by_key(|owner| std::cmp::Reverse(owner.run.start()));
        let mut draft = Draft::new(&source);
        let (request, aclosing) = attribute(&source, "contextlib", "aclosing");
        for owner in &owners {
            if since {
                entered(&mut draft, owner, &aclosing)?;
            } else {
                finished(&mut draft, owner)?;
            }
            // It is made before what it was an argument of.
            mend.declared.moved |= owner.fresh.is_some() && !owner.is_loop;
            if owner.fresh.is_some_and(|(_, suffix)| !suffix.is_empty()) {
                mend.declared.added.push("__aiter__".to_owned());
            }
        }
        if since {
            import(&mut draft, &[request])?;
        }
        mend.edit(life, file, draft.edits());
    }
    mend.declared.added.push(if since { "aclosing" } else { "aclose" }.to_owned());
    Ok(mend)
}

/// `async with aclosing(…) as name:` around the statements.
fn entered(draft: &mut Draft, owner: &Owner, aclosing: &str) -> Result<(), Refused> {
    let name = &owner.name;
    let Some((range, suffix)) = owner.fresh else {
        return draft
            .step(|now| wrap_statements(now, owner.run, &format!("async with {aclosing}({name}):"), &[]));
    };
    let text = draft.source().slice(range).to_owned() + suffix;
    if text.contains('\n') {
        let run = assigned(draft, owner, range, &text)?;
        return draft.step(|now| wrap_statements(now, run, &format!("async with {aclosing}({name}):"), &[]));
    }
    draft.step(|now| replace_expr(now, range, name))?;
    let run = shifted(owner.run, 0, range.len(), name);
    draft.step(|now| wrap_statements(now, run, &format!("async with {aclosing}({text}) as {name}:"), &[]))
}

/// `try` and `finally` around the statements, for Pythons without `aclosing`.
fn finished(draft: &mut Draft, owner: &Owner) -> Result<(), Refused> {
    let run = match owner.fresh {
        Some((range, suffix)) => {
            let text = draft.source().slice(range).to_owned() + suffix;
            assigned(draft, owner, range, &text)?
        }
        None => owner.run,
    };
    let close = format!("await {}.aclose()", owner.name);
    draft.step(|now| wrap_statements(now, run, "try:", &[("finally:", &close)]))
}

/// Gives the generator its name before the statements; where they are then.
fn assigned(draft: &mut Draft, owner: &Owner, range: TextRange, text: &str) -> Result<TextRange, Refused> {
    let source = draft.source();
    let start = owner.run.start();
    let statement = source.statement_at_offset(start).ok_or(Refused::Missing("statement"))?;
    let indent = source.indent_of(statement);
    if !source.text()[..start.to_usize()].ends_with(&format!("\n{indent}")) {
        return Err(Refused::SharedLine);
    }
    let line = format!("{} = {text}{}{indent}", owner.name, source.newline());
    let run = shifted(owner.run, line.len(), range.len(), &owner.name);
    let edits = vec![Edit::insertion(start, line), Edit::replacement(range, owner.name.as_str())];
    draft.step(|_| Ok(edits))?;
    Ok(run)
}

/// Where a run is once text is put before it and a name in the place of an expression in it.
fn shifted(run: TextRange, before: usize, gone: TextSize, name: &str) -> TextRange {
    let before = TextSize::new(before as u32);
    TextRange::new(run.start() + before, run.end() + before + TextSize::of(name) - gone)
}

/// The loops of a generator over others that hold: closing it leaves those.
fn inner(life: &Lifecycle, hold: &Hold, generator: FunctionRef, owners: &mut Vec<Owner>) {
    for &(stmt, other) in &hold.inner {
        let at = StmtRef { file: generator.file, id: stmt };
        let facts = life.facts(at.file);
        let StmtKind::For { iter, .. } = facts.stmt(stmt).kind else { continue };
        let iter = ExprRef { file: at.file, id: iter };
        let Some(of) = Hold::of(life, other) else { continue };
        for value in life.infer(iter).iter() {
            let Value::Coroutine(function, made) = value else { continue };
            let flow = life.flow_of(*made);
            if *function == other
                && !is_closed(life, &flow)
                && let Ok(owner) = owner_of_loop(life, &of, &flow, *made, iter, at)
            {
                owners.push(owner);
            }
        }
        inner(life, &of, other, owners);
    }
}
