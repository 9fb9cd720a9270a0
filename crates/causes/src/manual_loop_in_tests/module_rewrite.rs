//! From loops by hand to async tests with a fixture.

use std::collections::BTreeSet;

use loopmend_python::catalogue::ContextManager;
use loopmend_python::edit::{
    Edit, ImportRequest, Source, add_decorator, add_parameter, import_edits, make_async, remove_import,
    replace_expr,
};
use loopmend_python::facts::{ExprKind, MODULE, TextRange};
use loopmend_python::lifecycle::{AsyncioMode, ExprRef, Lifecycle};

use super::module::{Holder, Shared, imported_elsewhere, uses};
use crate::suite::range_of;
use crate::{Declined, Mend};

/// Makes the globals fixtures, and the tests async.
pub(super) fn rewrite(life: &Lifecycle, shared: &Shared, mend: &mut Mend) -> Result<(), Declined> {
    let suite = life.suite();
    if !suite.plugin.used || suite.plugin.at_least(&[0, 17]) == Some(false) {
        return Err(Declined::because(
            "pytest-asyncio is not installed: with it (or anyio) make the tests async and the object a fixture",
        ));
    }
    check(life, shared)?;
    let facts = life.facts(shared.file);
    let source = Source::parse(&facts.path, life.text(shared.file).as_ref());
    let strict = suite.plugin.mode == AsyncioMode::Strict;
    let derived = shared.holders.iter().any(|holder| !holder.is_object);
    let mut requests = vec![ImportRequest::module("pytest_asyncio")];
    if strict || derived {
        requests.push(ImportRequest::module("pytest"));
    }
    let (mut edits, locals) = import_edits(&source, &requests);
    let plugin = locals.first().cloned().unwrap_or_default();
    let pytest = locals.get(1).cloned().unwrap_or_else(|| "pytest".to_owned());
    for (index, holder) in shared.holders.iter().enumerate() {
        let text = fixture(life, shared, holder, &plugin, &pytest)?;
        let follows =
            shared.holders[..index].iter().any(|before| adjacent(&source, life, shared, before, holder));
        edits.push(in_place(&source, facts.stmt(holder.stmt).range, &text, follows));
    }
    for test in &shared.tests {
        let range = facts.function(test.function.id).range;
        // Before `async`: both go in at the same place where there is no decorator.
        if strict {
            edits.extend(add_decorator(&source, range, &format!("@{pytest}.mark.asyncio"))?);
        }
        edits.extend(make_async(&source, range)?);
        for holder in shared.holders.iter().filter(|holder| uses(life, test.function, &holder.name)) {
            edits.extend(add_parameter(&source, range, &holder.name)?);
        }
        for &run in &test.runs {
            let argument = life.run_at(run).and_then(|run| run.argument);
            let argument = argument.ok_or_else(|| Declined::because("what is run can't be read"))?;
            let text = format!("await {}", source.slice(range_of(life, argument)));
            edits.extend(replace_expr(&source, range_of(life, run), &text)?);
        }
    }
    let mut after = source.with(&merged(edits))?;
    for module in modules(life, shared) {
        after = after.with(&remove_import(&after, &module))?;
    }
    mend.rewrite(life, shared.file, after.text());
    mend.declared.added.extend(["aclose", "close", "disconnect"].map(str::to_owned));
    Ok(())
}

/// The names by which the tests have asyncio.
fn modules(life: &Lifecycle, shared: &Shared) -> BTreeSet<String> {
    let runs = shared.tests.iter().flat_map(|test| &test.runs);
    runs.filter_map(|&run| {
        let ExprKind::Call { func, .. } = life.facts(run.file).expr(run.id).kind else { return None };
        life.source(run.with(func)).split('.').next().map(str::to_owned)
    })
    .collect()
}

/// Parameters added at one place come as one insertion.
fn merged(edits: Vec<Edit>) -> Vec<Edit> {
    let mut found: Vec<Edit> = Vec::new();
    for edit in edits {
        let same = found.iter_mut().find(|known| {
            known.range == edit.range
                && edit.range.is_empty()
                && !known.content.ends_with('\n')
                && !edit.content.ends_with('\n')
        });
        match same {
            Some(known)
                if !known.content.is_empty()
                    && !edit.content.starts_with([',', ' '])
                    && !known.content.ends_with([' ', ',']) =>
            {
                known.content.push_str(", ");
                known.content.push_str(&edit.content);
            }
            _ => found.push(edit),
        }
    }
    found
}

/// Whether the tests are all that uses the globals, each in a way that can be turned.
fn check(life: &Lifecycle, shared: &Shared) -> Result<(), Declined> {
    let facts = life.facts(shared.file);
    for holder in &shared.holders {
        if imported_elsewhere(life, shared.file, &holder.name) {
            return Err(Declined::because(format!(
                "`{}` is imported elsewhere: make it a fixture by hand",
                holder.name
            )));
        }
        for load in life.loads_of(shared.file, MODULE, &holder.name) {
            let range = range_of(life, load);
            let in_test =
                shared.tests.iter().any(|test| facts.function(test.function.id).range.contains_range(range));
            let in_holder =
                shared.holders.iter().any(|other| facts.stmt(other.stmt).range.contains_range(range));
            if !in_test && !in_holder {
                return Err(Declined::because(format!(
                    "`{}` is used outside the tests too: hand it to those who use it, and make it a fixture",
                    holder.name
                )));
            }
        }
    }
    for test in &shared.tests {
        let range = facts.function(test.function.id).range;
        let nested = life.runs().iter().any(|run| {
            run.call.file == shared.file
                && run.function != test.function
                && range.contains_range(range_of(life, run.call))
        });
        if nested {
            return Err(Declined::because(
                "a function inside a test runs a loop too: make it async, and await it",
            ));
        }
    }
    Ok(())
}

fn fixture(
    life: &Lifecycle,
    shared: &Shared,
    holder: &Holder,
    plugin: &str,
    pytest: &str,
) -> Result<String, Declined> {
    let facts = life.facts(shared.file);
    let name = &holder.name;
    if !holder.is_object {
        let range = range_of(life, holder.value);
        let of: Vec<&str> = shared
            .holders
            .iter()
            .filter(|other| {
                life.loads_of(shared.file, MODULE, &other.name)
                    .iter()
                    .any(|&load| range.contains_range(range_of(life, load)))
            })
            .map(|other| other.name.as_str())
            .collect();
        let value = life.source(holder.value);
        return Ok(format!("@{pytest}.fixture\ndef {name}({}):\n    return {value}", of.join(", ")));
    }
    let site = life.site_at(holder.value).ok_or_else(|| Declined::because("the object is not known"))?;
    let resource = life.resource(site).ok_or_else(|| Declined::because("the object is not known"))?;
    let (value, hoisted) = hoist(life, holder.value);
    let made = if resource.context_manager == ContextManager::Async {
        format!("    async with {value} as {name}:\n        yield {name}")
    } else {
        let close = life
            .close_of(site)
            .ok_or_else(|| Declined::because("it is not known how the object is closed"))?;
        let wait = if close.awaited { "await " } else { "" };
        format!("    {name} = {value}\n    yield {name}\n    {wait}{name}.{}()", close.method)
    };
    let mut text = String::new();
    for (constant, value) in hoisted {
        if facts.scopes[MODULE.index()].contains_key(constant.as_str()) {
            return Err(Declined::because(format!("`{constant}` is a name of the module already")));
        }
        text.push_str(&format!("{constant} = {value}\n"));
    }
    if !text.is_empty() {
        text.push_str("\n\n");
    }
    text.push_str(&format!("@{plugin}.fixture\nasync def {name}():\n{made}"));
    Ok(text)
}

/// The constructor's text with arguments that call something as constants of the module, so that they still run once.
fn hoist(life: &Lifecycle, call: ExprRef) -> (String, Vec<(String, String)>) {
    let facts = life.facts(call.file);
    let mut text = life.source(call).to_owned();
    let start = range_of(life, call).start();
    let ExprKind::Call { args, keywords, .. } = &facts.expr(call.id).kind else { return (text, Vec::new()) };
    let calls = |expr| {
        let mut found = false;
        facts.descend(expr, &mut |id| found |= matches!(facts.expr(id).kind, ExprKind::Call { .. }));
        found
    };
    let mut given: Vec<(String, TextRange)> = Vec::new();
    for (index, &arg) in args.iter().enumerate() {
        if calls(arg) {
            given.push((format!("ARGUMENT_{}", index + 1), facts.expr(arg).range));
        }
    }
    for keyword in keywords.iter().filter(|keyword| calls(keyword.value)) {
        if let Some(name) = &keyword.name {
            given.push((name.to_uppercase(), facts.expr(keyword.value).range));
        }
    }
    given.sort_by_key(|(_, range)| range.start());
    let mut hoisted = Vec::new();
    for (name, range) in given.into_iter().rev() {
        let inner = (range - start).to_std_range();
        hoisted.push((name.clone(), text[inner.clone()].to_owned()));
        text.replace_range(inner, &name);
    }
    hoisted.reverse();
    (text, hoisted)
}

fn adjacent(source: &Source, life: &Lifecycle, shared: &Shared, before: &Holder, holder: &Holder) -> bool {
    let facts = life.facts(shared.file);
    let gap = TextRange::new(facts.stmt(before.stmt).range.end(), facts.stmt(holder.stmt).range.start());
    source.slice(gap).trim().is_empty()
}

/// A definition in the place of a statement, with two blank lines on both sides.
fn in_place(source: &Source, range: TextRange, text: &str, follows: bool) -> Edit {
    let newline = source.newline();
    let all = source.text();
    let before = &all[..range.start().to_usize()];
    let after = &all[range.end().to_usize()..];
    let blank = |part: &str| part.chars().take_while(|c| c.is_whitespace()).filter(|&c| c == '\n').count();
    let above = before.chars().rev().take_while(|c| c.is_whitespace()).filter(|&c| c == '\n').count();
    let plain = !text.starts_with('@');
    let missing_above = if plain || before.trim().is_empty() { 0 } else { 3_usize.saturating_sub(above) };
    let missing_below = if after.trim().is_empty() { 0 } else { 3_usize.saturating_sub(blank(after)) };
    // A definition directly above has put its blank lines already.
    let missing_above = if follows { 0 } else { missing_above };
    let text = text.replace('\n', newline);
    Edit::replacement(
        range,
        format!("{}{text}{}", newline.repeat(missing_above), newline.repeat(missing_below)),
    )
}
