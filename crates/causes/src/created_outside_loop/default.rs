//! An object that is the default of a parameter.

use loopmend_model::Applicability;
use loopmend_python::catalogue::Acquire;
use loopmend_python::edit::{Edit, Source, insert_at_start, insert_before, replace_expr};
use loopmend_python::facts::{ExprKind, Facts, Name, Parameter, ParameterKind, StmtKind};
use loopmend_python::lifecycle::{ClassRef, ExprRef, FunctionRef, Lifecycle, Repeat, Site};

use super::bites::is_primitive;
use super::class_level::is_def;
use super::module_level::can_enter;
use super::{Detail, lazy};
use crate::second_run::closer::free_name;
use crate::{Declined, Mend};

/// The parameter whose default a site is.
pub fn parameter(life: &Lifecycle, site: &Site) -> Option<(FunctionRef, usize)> {
    let facts = life.facts(site.call.file);
    facts.functions.iter().enumerate().find_map(|(id, function)| {
        let index = function.params.iter().position(|param| param.default == Some(site.call.id))?;
        let id = loopmend_python::facts::FunctionId::new(id);
        Some((FunctionRef { file: site.call.file, id }, index))
    })
}

/// The change for a default.
pub fn mend(life: &Lifecycle, detail: &Detail, of: (FunctionRef, usize)) -> Result<Mend, Declined> {
    let no = |reason: &str| Declined::because(reason.to_owned());
    let (function, index) = of;
    let site = &detail.object.site;
    let facts = life.facts(function.file);
    let node = facts.function(function.id);
    if !is_def(facts, function) || node.is_generator {
        return Err(no("the function is a lambda or a generator: make the object in a coroutine"));
    }
    if node.class.is_some_and(|class| in_class(facts, site.call, class)) {
        return Err(no("the default is made of what only the class body has"));
    }
    let param = &node.params[index];
    let make = life.source(site.call).to_owned();
    let source = Source::parse(&facts.path, life.text(function.file).to_string());
    let mut mend = Mend::new(Applicability::Unsafe);
    let mut edits = vec![Edit::replacement(facts.expr(site.call.id).range, "None")];
    let inside = runs_in_loop(life, function);
    if is_primitive(life, site) {
        if !inside {
            return Err(no(
                "the function runs where no loop does: make the object in a coroutine and pass it in",
            ));
        }
        edits.extend(shared(life, &source, function, param, &make, &mut mend)?);
    } else if let Some(read) = kept_and_given(life, function, &param.name) {
        let kept = life.source(read);
        let now = format!("{kept} or {make}");
        edits.extend(replace_expr(&source, facts.expr(read.id).range, &now)?);
    } else if life.resource(site).is_some_and(|resource| resource.acquire == Acquire::Call) && inside {
        edits.extend(at_start(life, &source, function, &fallback(&param.name, &make))?);
    } else if node.is_coroutine() && node.decorators.is_empty() {
        can_enter(life, &detail.object)?;
        let call = again(life, function, param);
        let body = format!(
            "if {0} is None:\n    async with {make} as {0}:\n        return await {call}",
            param.name
        );
        edits.extend(at_start(life, &source, function, &body)?);
        mend.declared.added.push(node.name.to_string());
    } else {
        return Err(no(
            "the object needs an owner that closes it: open it in a coroutine with `async with` and pass it in",
        ));
    }
    mend.edit(life, function.file, edits);
    mend.declared.moved = true;
    Ok(mend)
}

fn fallback(name: &str, make: &str) -> String {
    format!("if {name} is None:\n    {name} = {make}")
}

fn in_class(facts: &Facts, call: ExprRef, class: loopmend_python::facts::ClassId) -> bool {
    let mut found = false;
    facts.descend(call.id, &mut |id| {
        found |= facts.name_of(id).is_some_and(|name| facts.class(class).members.contains_key(name));
    });
    found
}

/// Whether a function only runs while a loop does.
fn runs_in_loop(life: &Lifecycle, function: FunctionRef) -> bool {
    let grounds = life.grounds(function);
    !grounds.is_empty() && grounds.iter().all(loopmend_python::lifecycle::Ground::runs_loop)
}

/// What all calls share is made in a function of the module; what one call has alone, in that call.
fn shared(
    life: &Lifecycle,
    source: &Source,
    function: FunctionRef,
    param: &Parameter,
    make: &str,
    mend: &mut Mend,
) -> Result<Vec<Edit>, Declined> {
    if life.repeat(function) == Repeat::Once {
        return at_start(life, source, function, &fallback(&param.name, make));
    }
    let facts = life.facts(function.file);
    let plain = param.name.trim_matches('_');
    let kept = free_name(life, function.file, &format!("_default_{plain}"));
    let accessor = free_name(life, function.file, &format!("_get_default_{plain}"));
    let mut edits = at_start(life, source, function, &fallback(&param.name, &format!("{accessor}()")))?;
    let node = facts.function(function.id);
    let loopmend_python::facts::Definition::Def(def) = node.definition else {
        return Err(Declined::because("the function is a lambda"));
    };
    let mut top = def;
    loop {
        top = facts.ancestors(top).last().map_or(top, |(outer, _)| outer);
        let owner = facts.stmt(top).function;
        match facts.function(owner).definition {
            loopmend_python::facts::Definition::Def(outer) => top = outer,
            _ => break,
        }
    }
    let text = format!("{kept} = None\n\n\n{}\n\n", lazy::function(&accessor, &kept, make));
    edits.extend(insert_before(source, facts.stmt(top).range, &text)?);
    mend.declared.added.push(accessor);
    Ok(edits)
}

fn at_start(
    life: &Lifecycle,
    source: &Source,
    function: FunctionRef,
    text: &str,
) -> Result<Vec<Edit>, Declined> {
    let range = life.facts(function.file).function(function.id).range;
    let node = source
        .function_at(range)
        .ok_or_else(|| Declined::from(loopmend_python::edit::Refused::Missing("function")))?;
    Ok(insert_at_start(source, &node.body, text)?)
}

/// The one read of the attribute that keeps the parameter, where a coroutine gives it to what then owns it.
fn kept_and_given(life: &Lifecycle, function: FunctionRef, param: &Name) -> Option<ExprRef> {
    let facts = life.facts(function.file);
    let node = facts.function(function.id);
    let class = ClassRef { file: function.file, id: node.class? };
    let receiver = node.receiver()?;
    let mut attribute = None;
    for &stmt in &node.body {
        if let StmtKind::Assign { targets, value } = &facts.stmt(stmt).kind
            && let [target] = **targets
            && facts.name_of(*value) == Some(param)
            && let ExprKind::Attribute { value: on, attr } = &facts.expr(target).kind
            && facts.name_of(*on) == Some(receiver)
        {
            attribute = Some(attr.clone());
        }
    }
    let attribute = attribute?;
    if life.self_writes(class, &attribute).len() != 1
        || life.loads_of(function.file, function.id, param).len() != 1
    {
        return None;
    }
    let reads = life.reads_of_attribute(class, &attribute)?;
    let [read] = reads[..] else { return None };
    let there = life.facts(read.file);
    let by = there.function_of(read.id);
    let call = there.parent_expr(read.id)?;
    let ExprKind::Call { func, keywords, .. } = &there.expr(call).kind else { return None };
    let owned = *func != read.id
        && life.site_at(read.with(call)).is_some()
        && keywords
            .iter()
            .all(|keyword| keyword.name.as_deref().is_some_and(|name| !matches!(name, "connector_owner")));
    (read.file == function.file && owned && there.function(by).is_async && !life.in_loop(read))
        .then_some(read)
}

/// The call of a function with all that it was given.
fn again(life: &Lifecycle, function: FunctionRef, own: &Parameter) -> String {
    let facts = life.facts(function.file);
    let node = facts.function(function.id);
    let receiver = node.receiver();
    let mut named = false;
    let given: Vec<String> = node
        .params
        .iter()
        .skip(usize::from(receiver.is_some()))
        .map(|param| {
            let name = &param.name;
            named |= param.name == own.name;
            match param.kind {
                ParameterKind::Args => format!("*{name}"),
                ParameterKind::Kwargs => format!("**{name}"),
                ParameterKind::KeywordOnly => format!("{name}={name}"),
                _ => name.to_string(),
            }
        })
        .collect();
    let called =
        receiver.map_or_else(|| node.name.to_string(), |receiver| format!("{receiver}.{}", node.name));
    format!("{called}({})", given.join(", "))
}
