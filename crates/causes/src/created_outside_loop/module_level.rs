//! An object that a module makes at its top level.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_model::Applicability;
use loopmend_python::catalogue::{Acquire, ContextManager};
use loopmend_python::edit::{
    Draft, Edit, ImportRequest, Source, import_edits, insert_after, replace_expr, replace_statement,
    wrap_statements,
};
use loopmend_python::facts::{BindingKind, ExprKind, MODULE, Name, StmtId, StmtKind, TextRange};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, Place, Repeat};

use super::bites::is_primitive;
use super::lazy;
use crate::carried::Object;
use crate::resource_never_closed::only_run;
use crate::second_run::closer::{free_name, reference};
use crate::second_run::mend::entered;
use crate::second_run::own_object;
use crate::{Declined, Mend};

/// A global that is bound to the object alone, once.
struct Global {
    file: FileId,
    name: Name,
    stmt: StmtId,
    reads: Vec<ExprRef>,
    /// Imports that bind it by name in other files.
    imported: Vec<Place>,
}

/// The change for an object that a module keeps in a global; `made` is the call at its top level that makes it.
pub fn mend(life: &Lifecycle, object: &Object, made: ExprRef) -> Result<Mend, Declined> {
    if is_primitive(life, &object.site) {
        return when_asked_for(life, &global(life, made)?, made);
    }
    let users: BTreeSet<FunctionRef> = object.touches.iter().map(|touch| touch.function).collect();
    let once = users.len() == 1 && users.iter().all(|&user| !matches!(life.repeat(user), Repeat::Many(_)));
    if once && let Ok(mend) = own_object::mend(life, object) {
        return Ok(mend);
    }
    let Err(reason) = in_the_run(life, object, made) else { return in_the_run(life, object, made) };
    if ended(life, object) {
        return when_asked_for(life, &global(life, made)?, made);
    }
    own_object::mend(life, object).map_err(|_| reason)
}

/// Whether a coroutine that something runs ends the object.
pub fn ended(life: &Lifecycle, object: &Object) -> bool {
    entered(life, object)
        || object.touches.iter().filter(|touch| touch.close).any(|touch| {
            let of = life.facts(touch.function.file).function(touch.function.id);
            let called =
                !life.call_sites(touch.function).is_empty() || !life.runs_reaching(touch.function).is_empty();
            of.is_async && (of.name.starts_with("__") || called)
        })
}

/// Whether a coroutine can open the object with `async with`.
pub fn can_enter(life: &Lifecycle, object: &Object) -> Result<(), Declined> {
    let entered = life.resource(&object.site).is_some_and(|resource| {
        resource.context_manager == ContextManager::Async
            && matches!(resource.acquire, Acquire::CallOrAsyncWith | Acquire::AwaitOrAsyncWith)
    });
    if entered {
        return Ok(());
    }
    Err(Declined::because(format!(
        "a `{}` has an owner that must be written by hand: make it in the coroutine that uses it, and end it there",
        object.class()
    )))
}

fn global(life: &Lifecycle, made: ExprRef) -> Result<Global, Declined> {
    let no = |reason: &str| Declined::because(reason.to_owned());
    let file = made.file;
    let facts = life.facts(file);
    let (stmt, target) = lazy::plain_assignment(facts, made)
        .ok_or_else(|| no("the module does more with the object than keep it: make it in a coroutine"))?;
    let name = facts.name_of(target).ok_or_else(|| no("the object is no plain global"))?.clone();
    let bound = own_object::bindings(facts, &name);
    if bound != 1 || facts.stmt(stmt).parent.is_some() || exported(life, file, &name) {
        return Err(no("the global is bound in several places, or is part of what the module exports"));
    }
    let (reads, imported) = life
        .reads_of_global(file, &name)
        .ok_or_else(|| no("the global's name is too common to see who reads it"))?;
    Ok(Global { file, name, stmt, reads, imported })
}

fn exported(life: &Lifecycle, file: FileId, name: &Name) -> bool {
    let facts = life.facts(file);
    facts.scopes[MODULE.index()].contains_key("__all__")
        && facts.exprs.iter().any(|expr| matches!(&expr.kind, ExprKind::Str(text) if **text == **name))
}

/// `get_lock()` in the place of each `lock`.
fn when_asked_for(life: &Lifecycle, global: &Global, made: ExprRef) -> Result<Mend, Declined> {
    let no = |reason: &str| Declined::because(reason.to_owned());
    let name = &global.name;
    let accessor = lazy::accessor(name);
    let accessor = free_name(life, global.file, &accessor);
    let mut reads = global.reads.clone();
    let mut imports = Vec::new();
    for place in &global.imported {
        let (file, scope, local) = match place {
            Place::Global(file, local) => (*file, MODULE, local),
            Place::Local(function, local) => (function.file, function.id, local),
            _ => return Err(no("the global is imported in a way that was not followed")),
        };
        if local != name || scope != MODULE || life.facts(file).package {
            return Err(no("the global is imported under another name, or handed on by a package"));
        }
        if !life.reads_of_global(file, local).is_some_and(|(_, again)| again.is_empty()) {
            return Err(no("the global is handed on from module to module"));
        }
        reads.extend(life.loads_of(file, MODULE, local));
        imports.push((file, import_of(life, file, global)?));
    }
    let runs: BTreeSet<usize> = reads
        .iter()
        .flat_map(|read| {
            let id = life.facts(read.file).function_of(read.id);
            life.runs_reaching(FunctionRef { file: read.file, id })
        })
        .collect();
    if runs.len() > 1 || runs.iter().any(|&index| life.in_loop(life.runs()[index].call)) {
        return Err(no("several runs of a loop use it: make one for each run, inside its coroutine"));
    }
    if reads.is_empty() || !reads.iter().all(|&read| lazy::in_loop(life, read)) {
        return Err(no(
            "the global is read where no loop runs too: make the object in a coroutine and pass it on",
        ));
    }
    let mut edits: BTreeMap<FileId, Vec<Edit>> = BTreeMap::new();
    let sources: BTreeMap<FileId, Source> = reads
        .iter()
        .map(|read| read.file)
        .chain(imports.iter().map(|(file, _)| *file))
        .chain([global.file])
        .map(|file| (file, Source::parse(&life.facts(file).path, life.text(file).to_string())))
        .collect();
    for &read in &reads {
        let facts = life.facts(read.file);
        let now = match facts.expr(read.id).kind {
            ExprKind::Attribute { value, .. } => format!("{}.{accessor}()", life.source(read.with(value))),
            _ => format!("{accessor}()"),
        };
        let list = replace_expr(&sources[&read.file], facts.expr(read.id).range, &now)?;
        edits.entry(read.file).or_default().extend(list);
    }
    for (file, range) in imports {
        edits.entry(file).or_default().push(Edit::replacement(range, accessor.as_str()));
    }
    let source = &sources[&global.file];
    let range = life.facts(global.file).stmt(global.stmt).range;
    let home = edits.entry(global.file).or_default();
    home.extend(replace_statement(source, range, &format!("{name} = None"))?);
    home.extend(insert_after(
        source,
        range,
        &spaced(source, range, &lazy::function(&accessor, name, life.source(made))),
    )?);
    let mut mend = Mend::new(Applicability::Safe);
    for (file, list) in edits {
        mend.edit(life, file, list);
    }
    mend.declared.added.push(accessor);
    mend.declared.moved = true;
    Ok(mend)
}

/// A definition with blank lines below it where a statement follows directly.
fn spaced(source: &Source, range: TextRange, text: &str) -> String {
    let follows = source
        .statement_at(range)
        .is_some_and(|found| found.next().is_some() && source.blank_below(source.lines_end(found)).0 < 2);
    if follows { format!("{text}\n\n") } else { text.to_owned() }
}

/// Where a file names the global in the import that binds it.
fn import_of(life: &Lifecycle, file: FileId, global: &Global) -> Result<TextRange, Declined> {
    let facts = life.facts(file);
    let unclear = || Declined::because("the global is imported in a way that was not followed");
    let stmt = facts
        .bindings
        .iter()
        .find_map(|binding| match &binding.kind {
            BindingKind::ImportFrom { level, module, name }
                if *name == global.name && life.imported_file(file, *level, module) == Some(global.file) =>
            {
                binding.stmt
            }
            _ => None,
        })
        .ok_or_else(unclear)?;
    let range = facts.stmt(stmt).range;
    let text = &life.text(file)[range.start().to_usize()..range.end().to_usize()];
    let from = text.find("import").ok_or_else(unclear)? + "import".len();
    let pattern =
        regex::Regex::new(&format!(r"\b{}\b", regex::escape(&global.name))).map_err(|_| unclear())?;
    let hit = pattern.find(&text[from..]).ok_or_else(unclear)?;
    let start = range.start().to_u32() + (from + hit.start()) as u32;
    Ok(TextRange::new(start.into(), (start + hit.len() as u32).into()))
}

/// The object opened around all that the program's one run does.
fn in_the_run(life: &Lifecycle, object: &Object, made: ExprRef) -> Result<Mend, Declined> {
    let no = |reason: &str| Declined::because(reason.to_owned());
    can_enter(life, object)?;
    let global = global(life, made)?;
    if !global.imported.is_empty() {
        return Err(no("other modules import the object by its name: open it in a coroutine and pass it on"));
    }
    if object.touches.iter().any(|touch| touch.close) || entered(life, object) {
        return Err(no("the object is ended by hand: make it in the coroutine that ends it"));
    }
    let users: BTreeSet<ExprRef> = global.reads.iter().copied().collect();
    if !users.iter().all(|&read| lazy::in_loop(life, read)) {
        return Err(no("the object is used where no loop runs too"));
    }
    let main = only_run(life, &users, &global.name)?;
    let facts = life.facts(main.file);
    let body = &facts.function(main.id).body;
    let documented = body.first().is_some_and(|&first| match facts.stmt(first).kind {
        StmtKind::Expr(value) => matches!(facts.expr(value).kind, ExprKind::Str(_)),
        _ => false,
    });
    let (Some(&first), Some(&last)) = (body.get(usize::from(documented)), body.last()) else {
        return Err(no("the run does nothing"));
    };
    let plain = global.name.trim_matches('_').to_lowercase();
    let opener = free_name(life, global.file, &format!("open_{plain}"));
    let (expr, import) = reference(life, main.file, global.file, &opener)?;

    let range = facts.stmt(first).range.cover(facts.stmt(last).range);
    let mut drafts: BTreeMap<FileId, Draft> = BTreeMap::new();
    for file in [main.file, global.file] {
        let source = Source::parse(&life.facts(file).path, life.text(file).to_string());
        drafts.entry(file).or_insert_with(|| Draft::new(&source));
    }
    let make = life.source(made);
    let name = &global.name;
    let text = format!(
        "async def {opener}():\n    global {name}\n    async with {make} as {name}:\n        yield\n"
    );
    let there = life.facts(global.file).stmt(global.stmt).range;
    // The later of two changes in one file first, so that ranges before stay.
    let guard = |drafts: &mut BTreeMap<FileId, Draft>| -> Result<(), Declined> {
        let draft = drafts.get_mut(&main.file).ok_or_else(|| no("the run stands in no file"))?;
        draft.step(|now| wrap_statements(now, range, &format!("async with {expr}():"), &[]))?;
        Ok(())
    };
    let keep = |drafts: &mut BTreeMap<FileId, Draft>| -> Result<(), Declined> {
        let draft = drafts.get_mut(&global.file).ok_or_else(|| no("the object stands in no file"))?;
        let request = [ImportRequest::from("contextlib", "asynccontextmanager")];
        let (_, locals) = import_edits(draft.source(), &request);
        let decorator = locals.first().map_or("asynccontextmanager", String::as_str).to_owned();
        draft.step(|now| {
            let mut edits = replace_statement(now, there, &format!("{name} = None"))?;
            edits.extend(insert_after(now, there, &spaced(now, there, &format!("@{decorator}\n{text}")))?);
            Ok(edits)
        })?;
        draft.step(|now| Ok(import_edits(now, &request).0))?;
        Ok(())
    };
    if main.file == global.file && there.start() > range.start() {
        keep(&mut drafts)?;
        guard(&mut drafts)?;
    } else {
        guard(&mut drafts)?;
        keep(&mut drafts)?;
    }
    if let (Some(import), Some(draft)) = (import, drafts.get_mut(&main.file)) {
        draft.step(|now| Ok(import_edits(now, &[import]).0))?;
    }
    let mut mend = Mend::new(Applicability::Unsafe);
    for (file, draft) in drafts {
        mend.rewrite(life, file, draft.source().text());
    }
    mend.declared.added.push(opener);
    mend.declared.moved = true;
    Ok(mend)
}
