//! An object that a plain function makes before the loop runs.

use loopmend_model::Applicability;
use loopmend_python::edit::{Edit, Source, insert_after};
use loopmend_python::facts::{Definition, ExprKind, MODULE, Name, StmtKind};
use loopmend_python::lifecycle::{ClassRef, ExprRef, FunctionRef, Lifecycle, Place};

use super::bites::is_primitive;
use super::{Detail, lazy, module_level};
use crate::carried::{Object, steps_in};
use crate::one_run::{Endings, Hoist, Region, merge};
use crate::second_run::{mend as endings, own_attribute};
use crate::{Declined, Mend};

/// How many calls lead from where the object is made to where the loop is run.
const DEPTH: u8 = 4;

/// The change for an object of a plain function.
pub fn mend(life: &Lifecycle, detail: &Detail) -> Result<Mend, Declined> {
    let object = &detail.object;
    let made = outermost(life, object.site.call, DEPTH);
    let Err(reason) = made.and_then(|made| in_the_run(life, object, made)) else {
        return in_the_run(life, object, outermost(life, object.site.call, DEPTH)?);
    };
    if let Ok(mend) = when_asked_for(life, object) {
        return Ok(mend);
    }
    if let Ok(made) = outermost(life, object.site.call, DEPTH)
        && life.facts(made.file).function_of(made.id) == MODULE
        && let Ok(mend) = module_level::mend(life, object, made)
    {
        return Ok(mend);
    }
    if is_primitive(life, &object.site) {
        return Err(reason);
    }
    own_attribute::mend(life, object).map_err(|_| reason)
}

/// The call, up the one way that leads to the making, that stands in a function that runs a loop after it, or in a module.
fn outermost(life: &Lifecycle, made: ExprRef, depth: u8) -> Result<ExprRef, Declined> {
    let function = FunctionRef { file: made.file, id: life.facts(made.file).function_of(made.id) };
    if function.is_module() || !runs_after(life, made).is_empty() {
        return Ok(made);
    }
    let calls = life.call_sites(function);
    let [site] = calls.as_slice() else {
        return Err(Declined::because(
            "the function that makes the object is called in several places, or by code outside the tree: make the object in a coroutine",
        ));
    };
    if depth == 0 {
        return Err(Declined::because(
            "the object is made far from the run: make it in the coroutine that is run",
        ));
    }
    outermost(life, site.call, depth - 1)
}

/// Runs of the same function that start after a call, or around it.
fn runs_after(life: &Lifecycle, made: ExprRef) -> Vec<ExprRef> {
    let facts = life.facts(made.file);
    let start = facts.expr(made.id).range.start();
    let function = FunctionRef { file: made.file, id: facts.function_of(made.id) };
    steps_in(life, function)
        .iter()
        .map(|run| run.call)
        .filter(|call| facts.expr(call.id).range.end() > start)
        .collect()
}

/// What is done from the making on goes into the coroutine that is run.
pub fn in_the_run(life: &Lifecycle, object: &Object, made: ExprRef) -> Result<Mend, Declined> {
    let no = |reason: &str| Declined::because(reason.to_owned());
    let facts = life.facts(made.file);
    let function = FunctionRef { file: made.file, id: facts.function_of(made.id) };
    let mut anchors = runs_after(life, made);
    if anchors.is_empty() {
        return Err(no("the object is made where no run follows: make it in the coroutine that is run"));
    }
    anchors.push(made);
    let region = Region::around(life, function, &anchors, &[made], &Hoist::default())?;
    let mut defines = false;
    facts.walk(&region.stmts, &mut |stmt| {
        defines |= matches!(
            facts.stmt(stmt).kind,
            StmtKind::Function(_) | StmtKind::Class(..) | StmtKind::Import(_) | StmtKind::ImportFrom { .. }
        );
    });
    if function.id == MODULE && (defines || used_by_others(life, &region)) {
        return Err(no(
            "the module makes the object for all its functions: make it in the coroutine that is run and pass it on",
        ));
    }
    let mut ending = Endings { opening: facts.stmt_of(made.id), ..Endings::default() };
    let ended = object.touches.iter().any(|touch| touch.close) || endings::entered(life, object);
    let closes = life.resource(&object.site).is_some_and(loopmend_python::catalogue::Resource::must_close);
    if !ended
        && closes
        && let Some(closer) = endings::local(life, object, &region)
    {
        ending.lines.push(closer.line);
        ending.added.extend(closer.added);
    }
    merge(life, &region, &ending)
}

/// Whether functions of the module or other modules read what a region of its top level binds.
fn used_by_others(life: &Lifecycle, region: &Region) -> bool {
    let facts = life.facts(region.file);
    let range = region.range(life);
    facts.scopes[MODULE.index()].iter().any(|(name, ids)| {
        let bound = ids.iter().any(|&id| {
            facts.binding(id).stmt.is_some_and(|stmt| range.contains_range(facts.stmt(stmt).range))
        });
        bound
            && life.reads_of_global(region.file, name).is_none_or(|(reads, imported)| {
                !imported.is_empty()
                    || reads.iter().any(|read| {
                        read.file != region.file || !range.contains_range(facts.expr(read.id).range)
                    })
            })
    })
}

/// A property that makes what `__init__` made, when it is first asked for.
fn when_asked_for(life: &Lifecycle, object: &Object) -> Result<Mend, Declined> {
    let no = |reason: &str| Declined::because(reason.to_owned());
    let init = object.site.function;
    let facts = life.facts(init.file);
    let of = facts.function(init.id);
    let (Some(id), Some(receiver)) = (of.class, of.receiver()) else {
        return Err(no("the object is kept in no attribute"));
    };
    let class = ClassRef { file: init.file, id };
    let (stmt, target) = lazy::plain_assignment(facts, object.site.call)
        .filter(|_| of.name == "__init__" && !object.guarded)
        .ok_or_else(|| no("the object is no plain attribute"))?;
    let ExprKind::Attribute { value, attr } = &facts.expr(target).kind else {
        return Err(no("the object is no plain attribute"));
    };
    let elsewhere = object.places.iter().any(|place| match place {
        Place::Attribute(at, name) => *at != class || name != attr,
        Place::Global(..) | Place::Loose(..) => true,
        _ => false,
    });
    let slots = facts.class(id).members.contains_key("__slots__");
    if facts.name_of(*value) != Some(receiver) || facts.stmt(stmt).parent.is_some() || elsewhere || slots {
        return Err(no("the object is kept in other places too"));
    }
    if !is_primitive(life, &object.site) && !module_level::ended(life, object) {
        return Err(no("nothing closes the object: open it in a coroutine with `async with`"));
    }
    let kept = Name::new(format!("_{}", attr.trim_start_matches('_')));
    let kept = if kept == *attr { Name::new(format!("_own{attr}")) } else { kept };
    let taken = facts.class(id).members.contains_key(attr)
        || facts.class(id).members.contains_key(&kept)
        || !life.self_writes(class, &kept).is_empty();
    let writes = life.self_writes(class, attr);
    let reads =
        life.reads_of_attribute(class, attr).ok_or_else(|| no("the attribute's name is too common"))?;
    if taken || life.heirs(class).len() > 1 || writes.iter().any(|(file, _)| *file != init.file) {
        return Err(no("the attribute is bound in other places too"));
    }
    if reads.is_empty() || !reads.iter().all(|&read| lazy::in_loop(life, read)) {
        return Err(no("the attribute is read where no loop runs too"));
    }
    let (make, stored) = own_attribute::constructor(life, object, init, receiver)?;
    let source = Source::parse(&facts.path, life.text(init.file).to_string());
    let Definition::Def(def) = of.definition else { return Err(no("the object is made in a lambda")) };
    let mut edits = Vec::new();
    for (_, id) in writes {
        let Some(target) = facts.binding(id).target else { continue };
        let range = facts.expr(target).range;
        let start = range.end() - loopmend_python::facts::TextSize::of(attr.as_str());
        edits.push(Edit::replacement(
            loopmend_python::facts::TextRange::new(start, range.end()),
            kept.as_str(),
        ));
    }
    edits.push(Edit::replacement(facts.expr(object.site.call.id).range, "None"));
    if !stored.is_empty() {
        edits.extend(loopmend_python::edit::insert_before(
            &source,
            facts.stmt(stmt).range,
            &stored.join("\n"),
        )?);
    }
    edits.extend(insert_after(
        &source,
        facts.stmt(def).range,
        &lazy::property(attr, receiver, &kept, &make),
    )?);
    let mut mend = Mend::new(Applicability::Unsafe);
    mend.edit(life, init.file, edits);
    mend.declared.moved = true;
    Ok(mend)
}
