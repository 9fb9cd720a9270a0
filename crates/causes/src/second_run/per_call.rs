//! Runs that must start once per call: each gets objects of its own, or ends what it used before its loop ends.

use std::collections::BTreeSet;

use loopmend_model::Applicability;
use loopmend_python::edit::{
    Edit, ImportRequest, Source, import_edits, insert_before, replace_expr, wrap_statements,
};
use loopmend_python::facts::{BindingKind, Definition, ExprKind, MODULE, StmtKind, TextRange};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, Lookup, Place, Run};

use super::closer::{After, Closer, closer, free_name, method};
use super::{own_attribute, own_object};
use crate::carried::{Group, Object};
use crate::{Declined, Mend};

/// Where a run's end is in the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// The end of this coroutine, which nothing but runs runs.
    Coroutine(FunctionRef),
    /// A coroutine put around what this run runs.
    Around(ExprRef),
}

/// Objects per run.
pub fn mend(life: &Lifecycle, group: &Group) -> Result<Mend, Declined> {
    if let [only] = group.objects.as_slice()
        && !group.serves()
        && let Ok(mend) =
            own_object::mend(life, &only.object).or_else(|_| own_attribute::mend(life, &only.object))
    {
        return Ok(mend);
    }
    let ends: BTreeSet<End> = (0..group.runs.len())
        .filter(|&index| !group.runs[index].serves())
        .map(|index| end(life, group, index))
        .collect();
    let mut drafts: Vec<(FileId, Vec<Edit>, Vec<ImportRequest>)> = Vec::new();
    let mut mend = Mend::new(Applicability::Unsafe);
    let mut helped: Vec<(FileId, Vec<Edit>)> = Vec::new();
    for end in &ends {
        let (file, function) = match *end {
            End::Coroutine(function) => (function.file, Some(function)),
            End::Around(call) => (call.file, None),
        };
        let mut lines = Vec::new();
        let mut imports = Vec::new();
        for carried in &group.objects {
            let used = group.runs.iter().enumerate().any(|(index, started)| {
                self::end(life, group, index) == *end
                    && carried.object.touches.iter().any(|touch| started.holds(life, touch.expr))
            });
            if !used {
                continue;
            }
            let closer = own_attribute(life, &carried.object, function)
                .map_or_else(|| closer(life, &carried.object, file, After::Usable), Ok)?;
            lines.push(closer.line);
            imports.extend(closer.import);
            mend.declared.added.extend(closer.added);
            if let Some(edits) = closer.edits
                && !helped.contains(&edits)
            {
                helped.push(edits);
            }
        }
        let source = Source::parse(&life.facts(file).path, life.text(file).to_string());
        let edits = match *end {
            End::Coroutine(function) => around_body(life, &source, function, &lines)?,
            End::Around(call) => {
                let run =
                    life.run_at(call).ok_or_else(|| Declined::because("the run is written in no place"))?;
                around_run(life, &source, run, &lines, &mut mend)?
            }
        };
        add(&mut drafts, file, edits, imports);
    }
    for (file, edits) in helped {
        add(&mut drafts, file, edits, Vec::new());
    }
    for (file, edits, imports) in drafts {
        let source = Source::parse(&life.facts(file).path, life.text(file).to_string());
        let now = source.with(&edits).map_err(loopmend_python::edit::Refused::from)?;
        let (more, _) = import_edits(&now, &imports);
        let now = now.with(&more).map_err(loopmend_python::edit::Refused::from)?;
        mend.rewrite(life, file, now.text());
    }
    mend.declared.added.sort();
    mend.declared.added.dedup();
    mend.notes.push("each run now opens its own connections, which costs a connection per call".to_owned());
    Ok(mend)
}

fn add(
    drafts: &mut Vec<(FileId, Vec<Edit>, Vec<ImportRequest>)>,
    file: FileId,
    edits: Vec<Edit>,
    imports: Vec<ImportRequest>,
) {
    match drafts.iter_mut().find(|(known, ..)| *known == file) {
        Some((_, list, requests)) => {
            for edit in edits {
                if !list.contains(&edit) {
                    list.push(edit);
                }
            }
            requests.extend(imports);
        }
        None => drafts.push((file, edits, imports)),
    }
}

/// Where the end of a run is.
fn end(life: &Lifecycle, group: &Group, index: usize) -> End {
    let started = &group.runs[index];
    let run = started.inside.as_ref().unwrap_or(&started.run);
    let handed = run.argument.is_some_and(|argument| is_parameter(life, argument));
    match run.coroutines.as_slice() {
        [only] if !handed && only_run(life, *only) => End::Coroutine(*only),
        _ => End::Around(run.call),
    }
}

fn is_parameter(life: &Lifecycle, expr: ExprRef) -> bool {
    let facts = life.facts(expr.file);
    let Some(name) = facts.name_of(expr.id) else { return false };
    match life.lookup(expr, name) {
        Lookup::Bound(scope, ids) => {
            ids.iter().any(|&id| matches!(life.facts(scope.file).binding(id).kind, BindingKind::Parameter(_)))
        }
        _ => false,
    }
}

/// Whether no coroutine awaits a function: only runs run it.
fn only_run(life: &Lifecycle, function: FunctionRef) -> bool {
    let of = life.facts(function.file).function(function.id);
    matches!(of.definition, Definition::Def(_))
        && !of.is_generator
        && life.call_sites(function).iter().all(|site| {
            let facts = life.facts(site.call.file);
            let awaited = facts
                .parent_expr(site.call.id)
                .is_some_and(|up| matches!(facts.expr(up).kind, ExprKind::Await(_)));
            !awaited && !facts.function(facts.function_of(site.call.id)).is_async
        })
}

/// An attribute of the object whose method the run runs: ended where it stands, made anew when next asked for.
fn own_attribute(life: &Lifecycle, object: &Object, function: Option<FunctionRef>) -> Option<Closer> {
    let function = function?;
    let of = life.facts(function.file).function(function.id);
    let receiver = of.receiver()?;
    let class = of.class?;
    let name = object.places.iter().find_map(|place| match place {
        Place::Attribute(at, name) if at.file == function.file && at.id == class => Some(name),
        _ => None,
    })?;
    if object.places.iter().any(|place| matches!(place, Place::Global(..))) {
        return None;
    }
    let resource = life.resource(&object.site)?;
    let close = method(life, resource)?;
    let wait = if close.awaited { "await " } else { "" };
    let target = format!("{receiver}.{name}");
    let ends = format!("{wait}{target}.{}()", close.method);
    let line = match (object.guarded, resource.reopens) {
        (false, true) => ends,
        (true, true) => format!("if {target} is not None:\n    {ends}"),
        (true, false) => format!("if {target} is not None:\n    {ends}\n    {target} = None"),
        (false, false) => return None,
    };
    Some(Closer { line, import: None, edits: None, added: vec![close.method] })
}

/// The body of a coroutine in `try`, the lines in its `finally`.
fn around_body(
    life: &Lifecycle,
    source: &Source,
    function: FunctionRef,
    lines: &[String],
) -> Result<Vec<Edit>, Declined> {
    let facts = life.facts(function.file);
    let body = &facts.function(function.id).body;
    let documented = body.first().is_some_and(|&first| match facts.stmt(first).kind {
        StmtKind::Expr(value) => matches!(facts.expr(value).kind, ExprKind::Str(_)),
        _ => false,
    });
    let body = &body[usize::from(documented)..];
    let (Some(&first), Some(&last)) = (body.first(), body.last()) else {
        return Err(Declined::because("the coroutine has no body to guard"));
    };
    let range = facts.stmt(first).range.cover(facts.stmt(last).range);
    Ok(wrap_statements(source, range, "try:", &[("finally:", &lines.join("\n"))])?)
}

/// A coroutine around what a run runs, before the function that the run stands in.
fn around_run(
    life: &Lifecycle,
    source: &Source,
    run: &Run,
    lines: &[String],
    mend: &mut Mend,
) -> Result<Vec<Edit>, Declined> {
    let facts = life.facts(run.call.file);
    let unclear = || {
        Declined::because(
            "what is run is not written at the run: end the object in the coroutine that it runs",
        )
    };
    let argument = run.argument.filter(|argument| argument.file == run.call.file).ok_or_else(unclear)?;
    if matches!(run.path.as_str(), "asgiref.sync.async_to_sync" | "anyio.run") {
        return Err(unclear());
    }
    let name = free_name(life, run.call.file, "run_and_close");
    let body = lines.join("\n").replace('\n', "\n        ");
    let text = format!(
        "async def {name}(coroutine):\n    try:\n        return await coroutine\n    finally:\n        {body}\n"
    );
    let of = facts.function(run.function.id);
    let mut at = match of.definition {
        Definition::Def(stmt) => stmt,
        _ => facts.stmt_of(run.call.id).ok_or_else(unclear)?,
    };
    // At the top of the module: methods and nested functions reach it there too.
    let mut owner = run.function.id;
    loop {
        at = facts.ancestors(at).last().map_or(at, |(outer, _)| outer);
        let up = facts.stmt(at).function;
        if up == MODULE || up == owner {
            break;
        }
        owner = up;
        match facts.function(up).definition {
            Definition::Def(stmt) => at = stmt,
            _ => break,
        }
    }
    let mut edits = insert_before(source, facts.stmt(at).range, &format!("{text}\n"))?;
    let range: TextRange = facts.expr(argument.id).range;
    edits.extend(replace_expr(source, range, &format!("{name}({})", life.source(argument)))?);
    mend.declared.added.push(name);
    Ok(edits)
}
