//! The missing `await`, and what has to become async for it.

use std::collections::BTreeSet;

use loopmend_model::Applicability;
use loopmend_python::edit::{Edit, Source, add_await, make_async, remove_import_after};
use loopmend_python::facts::{Definition, ExprKind};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, Origin, UseKind, Value};

use super::dropped::{Dropped, only_imported};
use crate::{Declined, Mend};

/// How many functions may become async for one `await`.
const MOST: usize = 4;

pub(super) fn mend(
    life: &Lifecycle,
    dropped: &Dropped,
    applicability: Applicability,
) -> Result<Mend, Declined> {
    let file = dropped.call.file;
    let facts = life.facts(file);
    let mut edits: Vec<(FileId, Edit)> = Vec::new();
    let source = Source::parse(&facts.path, life.text(file).clone());
    if dropped.outermost == dropped.awaitable {
        let range = facts.expr(dropped.awaitable.id).range;
        edits.extend(add_await(&source, range)?.into_iter().map(|edit| (file, edit)));
    } else {
        // `create_task(x.close())` becomes `await x.close()`.
        let outer = facts.expr(dropped.outermost.id).range;
        let text = format!("await {}", life.source(dropped.awaitable));
        edits.push((file, Edit::replacement(outer, text)));
    }
    let function = FunctionRef { file, id: facts.function_of(dropped.call.id) };
    let mut changed = BTreeSet::new();
    become_async(life, function, &mut changed, &mut edits)?;
    if dropped.scheduled {
        let own: Vec<Edit> =
            edits.iter().filter(|(at, _)| *at == file).map(|(_, edit)| edit.clone()).collect();
        if only_imported(facts, "asyncio") {
            edits.extend(remove_import_after(&source, &own, "asyncio").into_iter().map(|edit| (file, edit)));
        }
    }
    let mut mend = Mend::new(applicability);
    for (file, edit) in edits {
        mend.edit(life, file, vec![edit]);
    }
    if dropped.scheduled {
        mend.declared.removed = vec!["create_task".to_owned(), "ensure_future".to_owned()];
    }
    mend.declared.moved = true;
    if !changed.is_empty() {
        let names: Vec<String> = changed
            .iter()
            .map(|function| life.facts(function.file).function(function.id).qualname.clone())
            .collect();
        mend.notes.push(format!("`{}` is async now, and its callers await it", names.join("`, `")));
    }
    Ok(mend)
}

/// Makes a function async with all its callers, where every one of them is found and can await.
fn become_async(
    life: &Lifecycle,
    function: FunctionRef,
    changed: &mut BTreeSet<FunctionRef>,
    edits: &mut Vec<(FileId, Edit)>,
) -> Result<(), Declined> {
    let facts = life.facts(function.file);
    let of = facts.function(function.id);
    if of.is_async || changed.contains(&function) {
        return Ok(());
    }
    let name = &of.qualname;
    let Definition::Def(stmt) = of.definition else {
        return Err(Declined::because(
            "the close is called outside any function: call and await it in the coroutine that opened the object",
        ));
    };
    if of.name.starts_with("__") && of.name.ends_with("__") {
        return Err(Declined::because(format!(
            "`{name}` can't await: close the object in a coroutine (an async `close()` or `__aexit__`), not here"
        )));
    }
    let hook = of.decorators.len() == 1 && life.decorated(function, &["on_event"]);
    if of.is_generator || !of.decorators.is_empty() && !hook {
        return Err(Declined::because(format!(
            "`{name}` is not async and its decorators or `yield` decide how it is called: await the close in a coroutine"
        )));
    }
    if changed.len() == MOST {
        return Err(Declined::because(
            "too many functions would have to become async: await the close by hand",
        ));
    }
    if let Some(class) = of.class {
        let class = loopmend_python::lifecycle::ClassRef { file: function.file, id: class };
        let ancestry = life.ancestry(class);
        let (family, outside) = (&ancestry.inside, &ancestry.outside);
        let overrides =
            family.iter().skip(1).copied().chain(life.heirs(class).iter().copied()).any(|other| {
                other != class && life.facts(other.file).class(other.id).methods.contains_key(&of.name)
            });
        if overrides || !outside.is_empty() {
            return Err(Declined::because(format!(
                "`{name}` overrides another method or belongs to a framework's class: make it async by hand, with its callers"
            )));
        }
    }
    changed.insert(function);
    let source = Source::parse(&facts.path, life.text(function.file).clone());
    let range = facts.stmt(stmt).range;
    edits.extend(make_async(&source, range)?.into_iter().map(|edit| (function.file, edit)));
    let sites = life.call_sites(function);
    if !hook && sites.is_empty() && !registered_as_hook(life, function) {
        return Err(Declined::because(format!(
            "`{name}` is not async, and no call of it was found that could await it: make it async by hand"
        )));
    }
    if escapes(life, function) || other_calls(life, function, &sites.iter().map(|site| site.call).collect()) {
        return Err(Declined::because(format!(
            "`{name}` is not async and is used in ways that were not all found: make it async by hand, with its callers"
        )));
    }
    for site in sites {
        let at = life.facts(site.call.file);
        let caller = FunctionRef { file: site.call.file, id: at.function_of(site.call.id) };
        let text = Source::parse(&at.path, life.text(site.call.file).clone());
        let range = at.expr(site.call.id).range;
        edits.extend(add_await(&text, range)?.into_iter().map(|edit| (site.call.file, edit)));
        become_async(life, caller, changed, edits)?;
    }
    Ok(())
}

/// Frameworks take plain and async functions for these.
fn registered_as_hook(life: &Lifecycle, function: FunctionRef) -> bool {
    life.flow(Origin::Function(function), false).uses.iter().any(|at| match &at.kind {
        UseKind::Argument { call, .. } => is_hook_call(life, *call),
        _ => false,
    })
}

fn is_hook_call(life: &Lifecycle, call: ExprRef) -> bool {
    let text = life.source(call);
    text.contains("add_event_handler") || text.contains("on_shutdown=")
}

/// Whether the function is used as a value other than by a hook that takes async functions too.
fn escapes(life: &Lifecycle, function: FunctionRef) -> bool {
    let flow = life.flow(Origin::Function(function), false);
    flow.doubt
        || flow.uses.iter().any(|at| match &at.kind {
            UseKind::Argument { call, .. } => !is_hook_call(life, *call),
            UseKind::Called(_) | UseKind::Stored(_) | UseKind::Decorator(_) => false,
            _ => true,
        })
}

/// Whether something of the function's name is called that may be it, and is not among the calls found.
fn other_calls(life: &Lifecycle, function: FunctionRef, known: &BTreeSet<ExprRef>) -> bool {
    let of = life.facts(function.file).function(function.id);
    if of.class.is_none() {
        return false;
    }
    life.files_with(&of.name).iter().any(|&file| {
        let facts = life.facts(file);
        facts.attributes.get(&of.name).into_iter().flatten().any(|&read| {
            let called = facts
                .parent_expr(read)
                .filter(|&up| matches!(facts.expr(up).kind, ExprKind::Call { func, .. } if func == read))
                .is_some_and(|call| known.contains(&ExprRef { file, id: call }));
            !called
                && life.infer(ExprRef { file, id: read }).iter().any(|value| match value {
                    Value::Unknown => true,
                    Value::Bound(other, _) => *other == function,
                    _ => false,
                })
        })
    })
}
