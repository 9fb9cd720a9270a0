//! An object that every run makes for itself: `async with` in each coroutine that uses it, in place of the global or
//! attribute.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_model::Applicability;
use loopmend_python::catalogue::{Acquire, ContextManager};
use loopmend_python::edit::{
    Comments, Draft, Edit, ImportRequest, Source, delete_statement, import_edits, replace_statement,
    wrap_statements,
};
use loopmend_python::facts::{
    BindingKind, ExprKind, Facts, MODULE, Name, StmtId, StmtKind, TextRange, TextSize,
};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle};

use super::closer::{free_name, reference};
use crate::carried::Object;
use crate::{Declined, Mend};

/// Gives each coroutine that uses a module's global object one of its own.
pub fn mend(life: &Lifecycle, object: &Object) -> Result<Mend, Declined> {
    let no = |reason: &str| Declined::because(reason.to_owned());
    let resource = life.resource(&object.site).ok_or_else(|| no("nothing is known of the object"))?;
    let entered = resource.context_manager == ContextManager::Async
        && matches!(resource.acquire, Acquire::Call | Acquire::CallOrAsyncWith);
    if !entered || object.guarded || !object.site.function.is_module() {
        return Err(no("the object is not one that a coroutine can simply enter"));
    }
    // One lock for each call guards nothing, and nobody else waits at one queue for each call.
    if object.site.path.starts_with("asyncio.") {
        return Err(no("its users share it to wait for each other"));
    }
    let home = object.site.call.file;
    let facts = life.facts(home);
    let stmt = facts.stmt_of(object.site.call.id).ok_or_else(|| no("the object is made in no statement"))?;
    let name = global(life, object, stmt).ok_or_else(|| no("the object is not a plain global"))?;

    // All that is done with it is done in coroutines, by its name.
    let mut users: BTreeMap<FunctionRef, Vec<ExprRef>> = BTreeMap::new();
    for touch in &object.touches {
        let of = life.facts(touch.function.file).function(touch.function.id);
        if touch.derived || touch.close || !of.is_coroutine() {
            return Err(no("the object is used outside coroutines, or ended by hand"));
        }
        users.entry(touch.function).or_default().push(touch.expr);
    }
    let known: BTreeSet<ExprRef> = object.touches.iter().map(|touch| touch.expr).collect();
    if named_elsewhere(life, home, &name, &known) || users.is_empty() {
        return Err(no("the object is named in other places too"));
    }
    let make = life.source(object.site.call).to_owned();
    let one = users.len() == 1 && users.keys().all(|function| function.file == home);
    let plain = name.trim_matches('_');
    let factory = free_name(life, home, &format!("make_{plain}"));

    let mut mend = Mend::new(Applicability::Unsafe);
    let mut drafts: BTreeMap<FileId, (Draft, Vec<ImportRequest>, Vec<String>)> = BTreeMap::new();
    let files: BTreeSet<FileId> = users.keys().map(|function| function.file).chain([home]).collect();
    for file in files {
        let source = Source::parse(&life.facts(file).path, life.text(file).to_string());
        drafts.insert(file, (Draft::new(&source), Vec::new(), Vec::new()));
    }
    // From the end of each file, so that ranges before stay.
    for (function, touches) in users.iter().rev() {
        let Some((draft, imports, unused)) = drafts.get_mut(&function.file) else { continue };
        let (expr, import) = if one {
            (make.clone(), None)
        } else {
            let (expr, import) = reference(life, function.file, home, &factory)?;
            (format!("{expr}()"), import)
        };
        if function.file != home
            && touches.iter().all(|touch| life.facts(function.file).name_of(touch.id).is_some())
        {
            unused.push(name.to_string());
        } else {
            imports.extend(import);
        }
        let local = local_name(life, *function, &name);
        wrap(life, draft, *function, touches, &expr, &local)?;
    }
    if let Some((draft, ..)) = drafts.get_mut(&home) {
        let source = draft.source().clone();
        let range = facts.stmt(stmt).range;
        // Users stand below the global in their module, or in others: its own range is as it was.
        let edits = if one {
            delete_statement(&source, range, Comments::Delete)?
        } else {
            let text = format!("def {factory}():\n    return {make}");
            spaced(&source, range, &text)?
        };
        draft.step(|_| Ok(edits))?;
    }
    for (file, (mut draft, imports, unused)) in drafts {
        if !imports.is_empty() {
            let (edits, _) = import_edits(draft.source(), &imports);
            draft.step(|_| Ok(edits))?;
        }
        if !unused.is_empty() {
            let edits = imported_instead(life, file, home, draft.source(), &name, &factory);
            draft.step(|_| Ok(edits))?;
        }
        mend.rewrite(life, file, draft.source().text());
    }
    mend.declared.unbound.push(format!("{}:{name}", facts.path));
    let last = object.site.path.rsplit('.').next().unwrap_or_default().to_owned();
    mend.declared.added.extend([factory, last.clone()]);
    mend.declared.removed.push(last);
    mend.declared.moved = true;
    mend.notes.push("each run now opens its own connections, which costs a connection per call".to_owned());
    Ok(mend)
}

/// The global that the site's statement binds, where it binds it alone, once, at the top of the module.
fn global(life: &Lifecycle, object: &Object, stmt: StmtId) -> Option<Name> {
    let facts = life.facts(object.site.call.file);
    let node = facts.stmt(stmt);
    let (target, value) = match &node.kind {
        StmtKind::Assign { targets, value } if targets.len() == 1 => (targets[0], *value),
        StmtKind::AnnAssign { target, value: Some(value), .. } => (*target, *value),
        _ => return None,
    };
    let name = facts.name_of(target)?;
    let once = bindings(facts, name) == 1;
    (node.parent.is_none() && once && value == object.site.call.id).then(|| name.clone())
}

/// How often a module gives a global a value.
pub fn bindings(facts: &Facts, name: &Name) -> usize {
    facts.scopes[MODULE.index()].get(name).map_or(0, |ids| {
        ids.iter().filter(|&&id| !matches!(facts.binding(id).kind, BindingKind::Declared { .. })).count()
    })
}

/// Whether the name is read where the object is not used, imported by what does not use it, or exported by `__all__`.
fn named_elsewhere(life: &Lifecycle, home: FileId, name: &Name, known: &BTreeSet<ExprRef>) -> bool {
    let facts = life.facts(home);
    let read =
        |file: FileId, scope| life.loads_of(file, scope, name).iter().any(|load| !known.contains(load));
    if read(home, MODULE) {
        return true;
    }
    if facts.scopes[MODULE.index()].contains_key("__all__") {
        let listed =
            facts.exprs.iter().any(|expr| matches!(&expr.kind, ExprKind::Str(text) if **text == **name));
        if listed {
            return true;
        }
    }
    life.files_with(name).iter().copied().filter(|&file| file != home).any(|file| {
        let other = life.facts(file);
        let imported = other.bindings.iter().any(|binding| {
            matches!(&binding.kind, BindingKind::ImportFrom { name: wanted, module, .. }
                if wanted == name && life.modules().find(module, file) == Some(home))
        });
        imported && (read(file, MODULE) || !known.iter().any(|expr| expr.file == file))
    })
}

/// The factory imported where the object was: `from clients import client` is `from clients import make_client`.
fn imported_instead(
    life: &Lifecycle,
    file: FileId,
    home: FileId,
    source: &Source,
    name: &str,
    factory: &str,
) -> Vec<Edit> {
    let facts = life.facts(file);
    let Ok(pattern) = regex::Regex::new(&format!(r"\b{}(\s+as\s+\w+)?\b", regex::escape(name))) else {
        return Vec::new();
    };
    let mut edits = Vec::new();
    for binding in &facts.bindings {
        if let BindingKind::ImportFrom { name: imported, module, .. } = &binding.kind
            && imported == name
            && life.modules().find(module, file) == Some(home)
            && let Some(stmt) = binding.stmt
        {
            // Imports stand above the coroutines that changed: their ranges are as they were.
            let range = facts.stmt(stmt).range;
            let text = source.slice(range);
            let from = text.find("import").map_or(0, |at| at + "import".len());
            if let Some(hit) = pattern.find(&text[from..]) {
                let start = range.start().to_u32() + (from + hit.start()) as u32;
                let end = range.start().to_u32() + (from + hit.end()) as u32;
                edits.push(Edit::replacement(TextRange::new(start.into(), end.into()), factory));
            }
        }
    }
    edits
}

/// The name of the object in a coroutine: the global's, without underscores where that is free there.
fn local_name(life: &Lifecycle, function: FunctionRef, name: &Name) -> String {
    let facts = life.facts(function.file);
    let plain = name.trim_matches('_').to_lowercase();
    let taken = facts.scopes[function.id.index()].contains_key(plain.as_str())
        || *name != plain && facts.scopes[MODULE.index()].contains_key(plain.as_str());
    if taken || plain.is_empty() { format!("own_{plain}") } else { plain }
}

/// The statements from the first use to the last of the body in `async with`.
pub fn wrap(
    life: &Lifecycle,
    draft: &mut Draft,
    function: FunctionRef,
    touches: &[ExprRef],
    make: &str,
    local: &str,
) -> Result<(), Declined> {
    let facts = life.facts(function.file);
    let body = &facts.function(function.id).body;
    let holds = |stmt: StmtId| {
        touches.iter().any(|touch| facts.stmt(stmt).range.contains_range(facts.expr(touch.id).range))
    };
    let first = body.iter().position(|&stmt| holds(stmt));
    let last = body.iter().rposition(|&stmt| holds(stmt));
    let (Some(first), Some(mut last)) = (first, last) else {
        return Err(Declined::because("the object is used in no statement of the coroutine's body"));
    };
    // What is made of the object and not awaited there may need it later.
    let lazy = touches.iter().any(|touch| !settled(life, *touch));
    if lazy {
        last = body.len() - 1;
    }
    let range = facts.stmt(body[first]).range.cover(facts.stmt(body[last]).range);
    let mut edits: Vec<Edit> =
        touches.iter().map(|touch| Edit::replacement(facts.expr(touch.id).range, local)).collect();
    edits.retain(|edit| draft.source().slice(edit.range) != local);
    let grown: i64 = edits
        .iter()
        .map(|edit| {
            i64::from(TextSize::of(edit.content.as_str()).to_u32()) - i64::from(edit.range.len().to_u32())
        })
        .sum();
    draft.step(|_| Ok(edits))?;
    let end = u32::try_from(i64::from(range.end().to_u32()) + grown).unwrap_or(range.end().to_u32());
    let range = TextRange::new(range.start(), end.into());
    draft.step(|now| wrap_statements(now, range, &format!("async with {make} as {local}:"), &[]))?;
    Ok(())
}

/// Whether what a use gives is awaited where it stands, so that nothing of it needs the object later.
fn settled(life: &Lifecycle, touch: ExprRef) -> bool {
    let facts = life.facts(touch.file);
    let mut at = touch.id;
    while let Some(up) = facts.parent_expr(at) {
        match facts.expr(up).kind {
            ExprKind::Await(_) => return true,
            ExprKind::Attribute { .. } | ExprKind::Call { .. } => at = up,
            _ => return false,
        }
    }
    false
}

/// A definition in the place of a statement, with two blank lines on either side.
fn spaced(source: &Source, range: TextRange, text: &str) -> Result<Vec<Edit>, Declined> {
    let found = source.statement_at(range).ok_or(loopmend_python::edit::Refused::Missing("statement"))?;
    let newline = source.newline();
    let (above, _) = source.blank_above(source.comments_above(found));
    let (below, _) = source.blank_below(source.lines_end(found));
    let mut edits = replace_statement(source, range, text)?;
    if found.previous().is_some() && above < 2 {
        edits.push(Edit::insertion(source.comments_above(found), newline.repeat(2 - above)));
    }
    if found.next().is_some() && below < 2 {
        edits.push(Edit::insertion(source.lines_end(found), newline.repeat(2 - below)));
    }
    Ok(edits)
}
