//! aiohttp's handlers registered apart: when a later one fails, nothing closes what an earlier one opened.

use std::collections::BTreeSet;

use loopmend_model::Applicability;
use loopmend_python::edit::{Draft, Edit, insert_before};
use loopmend_python::facts::{ExprKind, Facts, MODULE, Name, TextRange};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle};

use crate::lifespan::{App, Framework, Handler, Phase, Registration, apps, source, spaced, statement};
use crate::startup::{Open, close_calls_elsewhere, opens};
use crate::{Declined, Found, Mend, Spot};

use super::SLUG;

/// What a finding hands to its fix: the application.
pub(super) struct Apart(ExprRef);

/// What is found for the applications of the tree.
pub(super) fn detect(life: &Lifecycle) -> Vec<Found> {
    apps(life).iter().filter_map(|app| found(life, app)).collect()
}

fn found(life: &Lifecycle, app: &App) -> Option<Found> {
    if app.framework != Framework::Aiohttp {
        return None;
    }
    let handlers: Vec<(&Handler, FunctionRef)> =
        app.startup().filter_map(|handler| Some((handler, handler.function()?))).collect();
    let closers: BTreeSet<FunctionRef> =
        app.shutdown().flat_map(|handler| handler.functions.iter().copied()).collect();
    handlers.iter().enumerate().find_map(|(at, (handler, function))| {
        let (later, failing) = handlers[at + 1..].iter().find_map(|(later, next)| {
            let failing = opens(life, *next, None).into_iter().find(|open| open.fails_at().is_some())?;
            (next != function).then_some((*later, failing))
        })?;
        let open = opens(life, *function, None)
            .into_iter()
            .find(|open| open.live.is_some() && open.kept(life) && closed_by(life, open, &closers))?;
        let message = format!(
            "`{}` opens `{}`; when `{}` of a later handler can't be opened, nothing closes it: aiohttp runs no `on_cleanup` \
             after a start that failed",
            life.facts(function.file).function(function.id).name,
            life.source(open.place),
            life.source(failing.place),
        );
        let mut found = Found::new(SLUG, Spot::expr(life, open.call), message);
        found.related.push((Spot::expr(life, failing.call), "what may fail after it".to_owned()));
        found.related.push((handler.spot(life), "registered here".to_owned()));
        found.related.push((later.spot(life), "the later handler".to_owned()));
        found.functions.extend([*function, failing.function]);
        for open in [&open, &failing] {
            found.names.push(open.class.clone());
            let facts = life.facts(open.function.file);
            found.names.extend(open.names(facts).iter().map(ToString::to_string));
        }
        found.detail = Some(std::sync::Arc::new(Apart(app.call)));
        found.applicability = contexts(life, app).map_or(Applicability::Advice, |mend| mend.applicability);
        Some(found)
    })
}

fn closed_by(life: &Lifecycle, open: &Open, closers: &BTreeSet<FunctionRef>) -> bool {
    close_calls_elsewhere(life, open).into_iter().any(|(stmt, _)| {
        closers.contains(&FunctionRef { file: stmt.file, id: life.facts(stmt.file).stmt(stmt.id).function })
    })
}

/// One cleanup context of all: aiohttp closes nothing of its own after a start that failed, other contexts neither.
pub(super) fn fix(life: &Lifecycle, detail: &Apart) -> Result<Mend, Declined> {
    let apps = apps(life);
    let app = apps
        .iter()
        .find(|app| app.call == detail.0)
        .ok_or_else(|| Declined::because("the application was not found again"))?;
    contexts(life, app)
}

fn contexts(life: &Lifecycle, app: &App) -> Result<Mend, Declined> {
    let by_hand = |why: &str| {
        Declined::because(format!(
            "{why}; open all in one generator with a `try`/`finally` around what follows each opening, and append that to \
             `cleanup_ctx`"
        ))
    };
    if app.doubt || app.inspected.is_some() || app.contexts().next().is_some() {
        return Err(by_hand("not all that the application runs is known, or it has contexts already"));
    }
    let starts: Vec<&Handler> = app.startup().collect();
    let ends: Vec<&Handler> = app.shutdown().collect();
    if starts.len() != ends.len() || ends.iter().any(|end| end.phase != Phase::Cleanup) {
        return Err(by_hand("the handlers are not pairs"));
    }
    // Each start with the one end that closes all it opens.
    let mut pairs: Vec<(&Handler, usize)> = Vec::new();
    for start in &starts {
        let function = start.function().ok_or_else(|| by_hand("a handler is not known"))?;
        let kept: Vec<Open> =
            opens(life, function, None).into_iter().filter(|open| open.kept(life)).collect();
        let end = ends.iter().position(|end| {
            let closer = BTreeSet::from_iter(end.function());
            !kept.is_empty() && kept.iter().all(|open| closed_by(life, open, &closer))
        });
        match end {
            Some(end) if pairs.iter().all(|(_, known)| *known != end) => pairs.push((start, end)),
            _ => return Err(by_hand("the handlers are not pairs")),
        }
    }
    let file = starts[0].registered_in.file;
    let facts = life.facts(file);
    let text = source(life, file);
    let mut edits = Vec::new();
    let mut gone = Vec::new();
    let mut calls = Vec::new();
    let mut block = None;
    let mut first_range = None;
    let name = ["resources", "cleanup_context", "resources_context"]
        .into_iter()
        .find(|name| facts.scopes.iter().all(|scope| !scope.contains_key(name)))
        .ok_or_else(|| by_hand("the usual names are taken"))?;
    let mut mend = Mend::new(Applicability::Safe);
    for (start, end) in &pairs {
        let end = ends[*end];
        let (open, close) = (callee(life, start, file), callee(life, end, file));
        let (Some(open), Some(close)) = (open, close) else {
            return Err(by_hand("a handler is not a plain function of the module"));
        };
        let (Registration::Call(call), Some(value)) = (start.registration, start.value) else {
            return Err(by_hand("a handler is not registered by a statement"));
        };
        let ExprKind::Call { func, .. } = &facts.expr(call.id).kind else {
            return Err(by_hand("a handler is not registered by a statement"));
        };
        let ExprKind::Attribute { value: list, attr } = &facts.expr(*func).kind else {
            return Err(by_hand("a handler is not registered by a statement"));
        };
        let ExprKind::Attribute { value: owner, .. } = &facts.expr(*list).kind else {
            return Err(by_hand("a handler is not registered by a statement"));
        };
        let (Some(start_stmt), Some(end_stmt)) = (statement(life, start), statement(life, end)) else {
            return Err(by_hand("a handler is not registered by a statement"));
        };
        // Together or not at all.
        let block = *block.get_or_insert((start.registered_in, facts.stmt(start_stmt).parent));
        if [(start, start_stmt), (&end, end_stmt)]
            .iter()
            .any(|(handler, stmt)| (handler.registered_in, facts.stmt(*stmt).parent) != block)
        {
            return Err(by_hand("the handlers are registered in several places"));
        }
        if !(matches!(attr.as_str(), "append" | "extend") && named(facts, start) && named(facts, end)) {
            return Err(by_hand("a handler is not registered by a statement"));
        }
        let start_range = facts.stmt(start_stmt).range;
        if edits.is_empty() {
            first_range = Some(start_range);
            edits.push(Edit::replacement(
                facts.expr(call.id).range,
                format!("{}.cleanup_ctx.append({name})", life.source(call.with(*owner))),
            ));
        } else if first_range != Some(start_range) && !gone.contains(&start_range) {
            gone.push(start_range);
        }
        let end_range = facts.stmt(end_stmt).range;
        if !gone.contains(&end_range) {
            gone.push(end_range);
        }
        mend.declared.added.extend([life.source(value).to_owned(), last_name(&open), last_name(&close)]);
        calls.push((open, close));
    }
    let snippet = nested(name, &calls);
    // What is opened last is closed first; another order than that was the user's.
    if pairs.windows(2).any(|two| two[0].1 < two[1].1) {
        mend.applicability = Applicability::Unsafe;
    }
    mend.declared.moved = true;
    mend.declared.added.extend(["append".to_owned(), name.to_owned()]);
    mend.declared.removed.extend(["append", "extend"].map(str::to_owned));
    let first = edits[0].range;
    let holder = text
        .statements_at(first)
        .first()
        .map(ruff_text_size::Ranged::range)
        .ok_or_else(|| by_hand("the registration could not be read"))?;
    let mut draft = Draft::new(&text);
    // From the end of the file, so that the ranges before stay right.
    let mut steps: Vec<(TextRange, Option<Edit>)> = gone.into_iter().map(|range| (range, None)).collect();
    steps.extend(edits.into_iter().map(|edit| (edit.range, Some(edit))));
    steps.sort_by_key(|(range, _)| std::cmp::Reverse(range.start()));
    for (range, edit) in steps {
        draft.step(|now| match edit {
            Some(edit) => Ok(vec![edit]),
            None => {
                loopmend_python::edit::delete_statement(now, range, loopmend_python::edit::Comments::Delete)
            }
        })?;
    }
    draft.step(|now| {
        let at = now.statements_at(TextRange::empty(holder.start()));
        let holder = at.first().map_or(holder, ruff_text_size::Ranged::range);
        insert_before(now, holder, &spaced(now, holder, &snippet))
    })?;
    mend.edit(life, file, draft.edits());
    Ok(mend)
}

/// Whether a handler stands where it is registered: `append(f)`, `extend([f, g])`.
fn named(facts: &Facts, handler: &Handler) -> bool {
    let (Registration::Call(call), Some(value)) = (handler.registration, handler.value) else { return false };
    let ExprKind::Call { args, .. } = &facts.expr(call.id).kind else { return false };
    let [argument] = args[..] else { return false };
    argument == value.id
        || matches!(&facts.expr(argument).kind, ExprKind::List(items) | ExprKind::Tuple(items) if items.contains(&value.id))
}

/// The generator: what follows each opening stands in a `try` whose `finally` closes it.
fn nested(name: &str, calls: &[(String, String)]) -> String {
    let mut text = format!("async def {name}(app):\n");
    for (level, (open, _)) in calls.iter().enumerate() {
        let indent = "    ".repeat(level + 1);
        text.push_str(&format!("{indent}await {open}(app)\n{indent}try:\n"));
    }
    text.push_str(&format!("{}yield\n", "    ".repeat(calls.len() + 1)));
    for (level, (_, close)) in calls.iter().enumerate().rev() {
        let indent = "    ".repeat(level + 1);
        text.push_str(&format!("{indent}finally:\n{indent}    await {close}(app)\n"));
    }
    text + "\n\n"
}

fn last_name(dotted: &str) -> String {
    dotted.rsplit('.').next().unwrap_or(dotted).to_owned()
}

/// How the handler is called from the top of the module that registers it.
fn callee(life: &Lifecycle, handler: &Handler, file: loopmend_python::lifecycle::FileId) -> Option<String> {
    let value = handler.value?;
    let function = handler.function()?;
    let of = life.facts(function.file).function(function.id);
    let facts = life.facts(file);
    let dotted = (value.file == file).then(|| facts.dotted(value.id)).flatten()?;
    let root = Name::from(dotted.split('.').next()?);
    let local = !handler.registered_in.is_module()
        && facts.scopes[handler.registered_in.id.index()].contains_key(&root);
    (of.is_async && !of.is_generator && !local && facts.scopes[MODULE.index()].contains_key(&root))
        .then_some(dotted)
}
