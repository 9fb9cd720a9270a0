//! The text of the one run.

use std::collections::BTreeSet;

use loopmend_model::Applicability;
use loopmend_python::edit::{
    Comments, Draft, Edit, ImportRequest, Source, delete_statement, import_edits, insert_before,
    remove_import_after, unwrap_first, wrap_statements,
};
use loopmend_python::facts::{ExprKind, Facts, MODULE, Name, StmtId, StmtKind, TextRange, TextSize};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, Run, RunKind};

use super::handles::Handles;
use super::hoist::{body_of, is_step};
use super::shift::{Shift, apart, located};
use super::variables::Variables;
use super::{Hoist, Region, awaited};
use crate::carried::steps_in;
use crate::{Declined, Mend};

/// What ends the objects of a region.
#[derive(Clone, Debug, Default)]
pub struct Endings {
    /// Statements at the region's end that only end objects, in order.
    pub closing: Vec<StmtId>,
    /// Where no statement ends them: what to write (`await client.aclose()`), each a line.
    pub lines: Vec<String>,
    /// What those need to be imported.
    pub imports: Vec<ImportRequest>,
    /// Functions that they call, put in where the objects are kept.
    pub edits: Vec<(FileId, Vec<Edit>)>,
    /// Last names of the calls that they bring.
    pub added: Vec<String>,
    /// The last statement that makes one of the objects, where the region has it.
    pub opening: Option<StmtId>,
}

/// Makes one run of a region.
pub fn merge(life: &Lifecycle, region: &Region, endings: &Endings) -> Result<Mend, Declined> {
    let facts = life.facts(region.file);
    let source = Source::parse(&facts.path, life.text(region.file).to_string());
    let mut handles = Handles::of(life, region)?;
    for &function in &region.hoisted {
        handles.stmts.extend(Handles::of(life, &body_of(life, function))?.stmts);
    }
    handles.stmts.sort_by_key(|&stmt| facts.stmt(stmt).range.start());
    let variables = Variables::of(life, region, &handles.names)?;
    let name = name(life, region)?;
    let mut mend = Mend::new(Applicability::Unsafe);

    // Runs become awaits, housekeeping goes.
    let mut edits = Vec::new();
    let gone = |expr: ExprRef| facts.stmt_of(expr.id).is_some_and(|stmt| handles.stmts.contains(&stmt));
    for run in region.runs.iter().filter(|run| !gone(run.call)) {
        edits.extend(awaited(life, &source, run)?);
    }
    let hoist = Hoist { functions: region.hoisted.clone() };
    edits.extend(hoist.edits(life, &source)?);
    let mut slept = false;
    let mut sleeps = Vec::new();
    facts.walk_exprs(&region.stmts, &mut |id| {
        let call = ExprRef { file: region.file, id };
        if let ExprKind::Call { func, .. } = facts.expr(id).kind
            && life.calls_any(call, &["time.sleep"])
        {
            sleeps.push((id, func));
        }
    });
    let mut requests = Vec::new();
    let below: Vec<Run> = region.hoisted.iter().flat_map(|&function| steps_in(life, function)).collect();
    let fresh =
        region.runs.iter().chain(&below).find(|run| {
            run.kind == RunKind::Fresh && run.path != "asgiref.sync.async_to_sync" && !is_step(run)
        });
    let runner = fresh.and_then(|run| match facts.expr(run.call.id).kind {
        ExprKind::Call { func, .. } => Some(life.source(run.call.with(func)).to_owned()),
        _ => None,
    });
    let bridge = bridge(life, region);
    if runner.is_none() && bridge.is_none() || !sleeps.is_empty() {
        requests.push(ImportRequest::module("asyncio"));
    }
    requests.extend(endings.imports.iter().cloned());
    for (file, more) in &endings.edits {
        if *file == region.file {
            edits.extend(more.iter().cloned());
        } else {
            mend.edit(life, *file, more.clone());
        }
    }
    let (imports, locals) = import_edits(&source, &requests);
    let asyncio = locals
        .first()
        .filter(|_| requests[0].module == "asyncio")
        .cloned()
        .unwrap_or_else(|| "asyncio".to_owned());
    for (id, func) in sleeps {
        slept = true;
        edits.push(Edit::insertion(facts.expr(id).range.start(), "await "));
        edits.push(Edit::replacement(facts.expr(func).range, format!("{asyncio}.sleep")));
    }
    let runner = runner.unwrap_or_else(|| format!("{asyncio}.run"));
    let mut options: Vec<String> = region
        .runs
        .iter()
        .filter(|run| run.kind == RunKind::Fresh && !is_step(run))
        .flat_map(|run| awaited::options(life, run))
        .collect();
    options.dedup();
    let counts = region
        .runs
        .iter()
        .filter(|run| run.kind == RunKind::Fresh && !is_step(run) && !awaited::options(life, run).is_empty())
        .count();
    if options.len() > 1 && counts > 1 {
        return Err(Declined::because(
            "the runs are given different options: put the steps into one coroutine by hand",
        ));
    }

    let mut draft = Draft::new(&source);
    let mut shift = Shift::default();
    step(&mut draft, &mut shift, edits)?;
    // From the last to the first, so that ranges before stay.
    for &stmt in handles.stmts.iter().rev() {
        let range = shift.range(facts.stmt(stmt).range);
        let now = draft.source();
        let lone = now.statement_at(range).is_some_and(|found| {
            found.is_only() && facts.stmt(stmt).slot == loopmend_python::facts::Slot::Finally
        });
        let outer = facts.stmt(stmt).parent;
        let edits = match outer {
            Some(outer) if lone && plain_try(facts, outer) => {
                unwrap_first(now, shift.range(facts.stmt(outer).range))?
            }
            _ => delete_statement(now, range, Comments::Delete)?,
        };
        step(&mut draft, &mut shift, edits)?;
    }
    let kept: Vec<StmtId> =
        region.stmts.iter().copied().filter(|stmt| !handles.stmts.contains(stmt)).collect();
    let (Some(&first), Some(&last)) = (kept.first(), kept.last()) else {
        return Err(Declined::because("nothing would be left to run"));
    };
    let whole = located(draft.source(), shift.range(facts.stmt(first).range.cover(facts.stmt(last).range)));
    let body = guarded_body(life, region, endings, &draft, &shift, &kept, &variables)?;
    let now = draft.source();
    let run = now.run_at(whole)?;
    if now.header_colon(run.first).is_some()
        || now.joined(run.first).start != run.first.index
        || now.joined(run.last).end != run.last.index + 1
    {
        return Err(Declined::because(
            "the steps share a line with other statements: write one coroutine by hand",
        ));
    }
    let lines = now.lines_of_run(run);

    // The call in their place.
    let of = facts.function(region.function.id);
    let receiver = of.receiver().cloned();
    let arguments: Vec<&str> = variables.parameters.iter().map(Name::as_str).collect();
    let called = receiver.as_ref().map_or_else(|| name.clone(), |receiver| format!("{receiver}.{name}"));
    let rest = options.iter().fold(String::new(), |text, option| text + ", " + option);
    let anyio = fresh.is_some_and(|run| run.path == "anyio.run");
    let start = if let Some(bridge) = bridge {
        format!("{bridge}({called})({})", arguments.join(", "))
    } else if anyio {
        let given = arguments.iter().fold(called.clone(), |text, name| text + ", " + name);
        format!("{runner}({given}{rest})")
    } else {
        format!("{runner}({called}({}){rest})", arguments.join(", "))
    };
    let results: Vec<&str> = variables.results.iter().map(Name::as_str).collect();
    let statement = if region.returns {
        format!("return {start}")
    } else if results.is_empty() {
        start
    } else {
        format!("{} = {start}", results.join(", "))
    };
    let indent = now.indent_of(run.first);
    let replaced = Edit::replacement(lines, format!("{indent}{statement}{}", now.newline()));

    // The coroutine before the function.
    let parameters: Vec<&str> = receiver.iter().map(Name::as_str).chain(arguments.iter().copied()).collect();
    let mut text = format!("async def {name}({}):\n", parameters.join(", "));
    if !variables.globals.is_empty() {
        let names: Vec<&str> = variables.globals.iter().map(Name::as_str).collect();
        text += &format!("    global {}\n", names.join(", "));
    }
    text += &indent_snippet(&body);
    let before =
        if region.function.id == MODULE { top(facts, first) } else { definition(facts, region.function)? };
    let before = TextRange::empty(shift.range(facts.stmt(before).range).start());
    let mut edits = apart(now, before);
    edits.extend(insert_before(now, before, &(text + "\n"))?);
    edits.push(replaced);
    draft.step(|_| Ok(edits))?;
    if !imports.is_empty() {
        let (again, _) = import_edits(draft.source(), &requests);
        draft.step(|_| Ok(again))?;
    }
    if slept {
        let edits = remove_import_after(draft.source(), &[], "time");
        draft.step(|_| Ok(edits))?;
        mend.declared.added.push("sleep".to_owned());
        mend.declared.removed.push("sleep".to_owned());
    }
    mend.rewrite(life, region.file, draft.source().text());
    if region.function.id == MODULE {
        let range = region.range(life);
        let moved = |name: &&Name| {
            !variables.results.contains(name)
                && facts.scopes[MODULE.index()][*name].iter().all(|&id| {
                    facts.binding(id).stmt.is_some_and(|stmt| {
                        range.contains_range(facts.stmt(stmt).range) || handles.stmts.contains(&stmt)
                    })
                })
        };
        let gone =
            facts.scopes[MODULE.index()].keys().filter(moved).map(|name| format!("{}:{name}", facts.path));
        mend.declared.unbound.extend(gone);
        mend.declared.unbound.sort();
    }
    declare(life, region, endings, &name, &mut mend);
    Ok(mend)
}

/// How the region's runs are bridged, where all are by `async_to_sync`.
fn bridge(life: &Lifecycle, region: &Region) -> Option<String> {
    let facts = life.facts(region.file);
    let mut name = None;
    for run in &region.runs {
        if run.path != "asgiref.sync.async_to_sync" {
            return None;
        }
        let ExprKind::Call { func, .. } = facts.expr(run.call.id).kind else { return None };
        if let ExprKind::Call { func: inner, .. } = facts.expr(func).kind {
            name = Some(life.source(run.call.with(inner)).to_owned());
        }
    }
    name
}

fn declare(life: &Lifecycle, region: &Region, endings: &Endings, name: &str, mend: &mut Mend) {
    let last = |text: &str| text.rsplit('.').next().unwrap_or(text).to_owned();
    mend.declared.added.push(name.to_owned());
    mend.declared.added.extend(["run".to_owned(), "async_to_sync".to_owned()]);
    mend.declared.added.extend(endings.added.iter().cloned());
    for run in &region.runs {
        mend.declared.removed.push(last(&run.path));
        // A helper of the project that runs what it is handed.
        if let ExprKind::Call { func, .. } = life.facts(region.file).expr(run.call.id).kind {
            mend.declared.removed.push(last(life.source(run.call.with(func))));
        }
    }
    mend.declared.removed.extend(
        [
            "new_event_loop",
            "get_event_loop",
            "set_event_loop",
            "close",
            "shutdown_asyncgens",
            "shutdown_default_executor",
            "run_until_complete",
        ]
        .map(str::to_owned),
    );
    mend.declared.moved = true;
    mend.declared.added.sort();
    mend.declared.added.dedup();
    mend.declared.removed.sort();
    mend.declared.removed.dedup();
}

/// The statements as a snippet, with what ends the objects in a `finally`.
fn guarded_body(
    life: &Lifecycle,
    region: &Region,
    endings: &Endings,
    draft: &Draft,
    shift: &Shift,
    kept: &[StmtId],
    variables: &Variables,
) -> Result<String, Declined> {
    let facts = life.facts(region.file);
    let mut inner = draft.clone();
    let mut shift = shift.clone();
    let closing: Vec<StmtId> = endings.closing.iter().copied().filter(|stmt| kept.contains(stmt)).collect();
    let mut last = kept.len();
    while last > 0 && closing.contains(&kept[last - 1]) {
        last -= 1;
    }
    let first = endings
        .opening
        .and_then(|opening| kept.iter().position(|&stmt| stmt == opening))
        .map_or(0, |at| at + 1);
    let ends: Vec<String> = kept[last..]
        .iter()
        .map(|&stmt| inner.source().slice(shift.range(facts.stmt(stmt).range)).to_owned())
        .chain(endings.lines.iter().cloned())
        .collect();
    let wraps = first < last && !ends.is_empty();

    // `x = await f()` at the end, with nothing but `x` wanted, is `return await f()`.
    let mut returned = variables.results.is_empty() || region.returns;
    if let ([only], Some(&end)) = (variables.results.as_slice(), kept[..last].last())
        && !region.returns
        && (wraps || last == kept.len())
        && let StmtKind::Assign { targets, value } = &facts.stmt(end).kind
        && targets.len() == 1
        && facts.name_of(targets[0]) == Some(only)
    {
        let value = shift.range(facts.expr(*value).range);
        let start = shift.range(facts.stmt(end).range).start();
        let edit = Edit::replacement(TextRange::new(start, value.start()), "return ");
        step(&mut inner, &mut shift, vec![edit])?;
        returned = true;
    }
    let range = |source: &Source, shift: &Shift, from: usize, to: usize| {
        let text = facts.stmt(kept[from]).range.cover(facts.stmt(kept[to - 1]).range);
        located(source, shift.range(text))
    };
    let names: Vec<&str> = variables.results.iter().map(Name::as_str).collect();
    let back = format!("return {}", names.join(", "));
    let all = range(inner.source(), &shift, 0, kept.len());
    if !wraps {
        let mut text = loopmend_python::edit::take_statement(inner.source(), all)?;
        // Nothing stands between making and ending: the lines come last.
        for line in &endings.lines {
            text = format!("{}\n{line}\n", text.trim_end_matches('\n'));
        }
        if !returned {
            text = format!("{}\n{back}\n", text.trim_end_matches('\n'));
        }
        return Ok(text);
    }
    let mut text = String::new();
    if first > 0 {
        text +=
            &loopmend_python::edit::take_statement(inner.source(), range(inner.source(), &shift, 0, first))?;
    }
    let mut middle =
        loopmend_python::edit::take_statement(inner.source(), range(inner.source(), &shift, first, last))?;
    if !returned {
        middle = format!("{}\n{back}\n", middle.trim_end_matches('\n'));
    }
    let middle = Source::parse("", middle);
    let whole = TextRange::new(TextSize::new(0), middle.end());
    let wrapped = wrap_statements(&middle, whole, "try:", &[("finally:", &ends.join("\n"))])?;
    text += middle.with(&wrapped).map_err(loopmend_python::edit::Refused::from)?.text();
    Ok(text)
}

/// A `try` with nothing but a `finally`.
fn plain_try(facts: &Facts, stmt: StmtId) -> bool {
    matches!(&facts.stmt(stmt).kind, StmtKind::Try { handlers, orelse, .. } if handlers.is_empty() && orelse.is_empty())
}

/// The statement of a module's top level that holds another.
fn top(facts: &Facts, stmt: StmtId) -> StmtId {
    facts.ancestors(stmt).last().map_or(stmt, |(outer, _)| outer)
}

fn definition(facts: &Facts, function: FunctionRef) -> Result<StmtId, Declined> {
    match facts.function(function.id).definition {
        loopmend_python::facts::Definition::Def(stmt) => Ok(stmt),
        _ => Err(Declined::because("the runs stand in a lambda: write one coroutine by hand")),
    }
}

/// A name for the coroutine: after the function it does the work of, `main` for a script.
fn name(life: &Lifecycle, region: &Region) -> Result<String, Declined> {
    let facts = life.facts(region.file);
    let of = facts.function(region.function.id);
    if life.decorated(region.function, &["staticmethod", "classmethod"]) {
        return Err(Declined::because(
            "the runs stand in a static or class method: write one coroutine by hand",
        ));
    }
    let taken: BTreeSet<&str> = match of.class {
        Some(class) => facts.class(class).members.keys().map(Name::as_str).collect(),
        None => facts.scopes.iter().flat_map(loopmend_python::facts::Named::keys).map(Name::as_str).collect(),
    };
    let base = if region.function.id == MODULE { "main".to_owned() } else { format!("{}_async", of.name) };
    let candidates = [base.clone(), "run_all".to_owned(), format!("{base}_steps"), format!("_{base}")];
    candidates
        .into_iter()
        .find(|name| !taken.contains(name.as_str()))
        .ok_or_else(|| Declined::because("no free name for the coroutine: write it by hand"))
}

fn indent_snippet(text: &str) -> String {
    let source = Source::parse("", text);
    let edits = loopmend_python::edit::indent_lines(&source, TextRange::new(TextSize::new(0), source.end()));
    let moved = source.with(&edits).map_or_else(|_| text.to_owned(), |now| now.text().to_owned());
    moved.trim_end_matches('\n').to_owned()
}

fn step(draft: &mut Draft, shift: &mut Shift, edits: Vec<Edit>) -> Result<(), Declined> {
    shift.edits.push(edits.clone());
    draft.step(|_| Ok(edits))?;
    Ok(())
}
