//! An object that `__init__` keeps in an attribute and that every run makes for itself: `async with` in each coroutine
//! method that uses it.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_model::Applicability;
use loopmend_python::catalogue::{Acquire, ContextManager};
use loopmend_python::edit::{
    Comments, Draft, Edit, Source, apply, delete_statement, insert_after, replace_statement,
};
use loopmend_python::facts::{Definition, ExprKind, Facts, Name, StmtId, StmtKind};
use loopmend_python::lifecycle::{ClassRef, ExprRef, FunctionRef, Lifecycle, Place};

use super::own_object::wrap;
use crate::carried::Object;
use crate::{Declined, Mend};

/// Gives each coroutine method that uses an attribute's object one of its own.
pub fn mend(life: &Lifecycle, object: &Object) -> Result<Mend, Declined> {
    let no = |reason: &str| Declined::because(reason.to_owned());
    let resource = life.resource(&object.site).ok_or_else(|| no("nothing is known of the object"))?;
    let entered = resource.context_manager == ContextManager::Async
        && matches!(resource.acquire, Acquire::Call | Acquire::CallOrAsyncWith);
    let init = object.site.function;
    let file = init.file;
    let facts = life.facts(file);
    let of = facts.function(init.id);
    let (Some(class), Some(receiver)) = (of.class, of.receiver()) else {
        return Err(no("the object is kept in no attribute"));
    };
    if !entered || object.guarded || of.name != "__init__" {
        return Err(no("the object is not one that a coroutine can simply enter"));
    }
    let stmt = facts.stmt_of(object.site.call.id).ok_or_else(|| no("the object is made in no statement"))?;
    let name =
        attribute(facts, receiver, object, stmt).ok_or_else(|| no("the object is not a plain attribute"))?;
    let class = ClassRef { file, id: class };
    let elsewhere = object.places.iter().any(|place| match place {
        Place::Attribute(at, kept) => *at != class || *kept != name,
        _ => true,
    });
    if elsewhere {
        return Err(no("the object is kept in other places too"));
    }
    let mut users: BTreeMap<FunctionRef, Vec<ExprRef>> = BTreeMap::new();
    for touch in &object.touches {
        let method = life.facts(touch.function.file).function(touch.function.id);
        let own = touch.function.file == file && method.class == Some(class.id) && method.is_coroutine();
        if touch.derived || touch.close || !own {
            return Err(no("the object is used outside the class's coroutines, or ended by hand"));
        }
        users.entry(touch.function).or_default().push(touch.expr);
    }
    let known: BTreeSet<ExprRef> = object.touches.iter().map(|touch| touch.expr).collect();
    let read_elsewhere = facts.attributes.get(&name).into_iter().flatten().any(|&id| {
        let at = ExprRef { file, id };
        facts.stmt_of(id) != Some(stmt) && !known.contains(&at)
    });
    if users.is_empty() || read_elsewhere {
        return Err(no("the attribute is read in other places too"));
    }

    let (make, stored) = constructor(life, object, init, receiver)?;
    let factory = format!("_make_{}", name.trim_matches('_'));
    if facts.class(class.id).members.contains_key(factory.as_str()) {
        return Err(no("the name of the factory is taken"));
    }
    let inline = users.len() == 1 && !make.contains('\n');
    let source = Source::parse(&facts.path, life.text(file).to_string());
    let mut draft = Draft::new(&source);
    for (function, touches) in users.iter().rev() {
        let receiver = facts.function(function.id).receiver().map_or("self", |name| name.as_str());
        let expr = if inline { make.clone() } else { format!("{receiver}.{factory}()") };
        let plain = name.trim_matches('_');
        let taken = facts.scopes[function.id.index()].contains_key(plain);
        let local = if taken { format!("own_{plain}") } else { plain.to_owned() };
        wrap(life, &mut draft, *function, touches, &expr, &local)?;
    }
    let range = facts.stmt(stmt).range;
    if !inline {
        let Definition::Def(def) = of.definition else { return Err(no("the object is made in a lambda")) };
        let body = format!("def {factory}({receiver}):\n    return {make}");
        let edits = insert_after(draft.source(), facts.stmt(def).range, &format!("\n{body}"))?;
        draft.step(|_| Ok(edits))?;
    }
    let edits = if stored.is_empty() {
        delete_statement(draft.source(), range, Comments::Delete)?
    } else {
        replace_statement(draft.source(), range, &stored.join("\n"))?
    };
    draft.step(|_| Ok(edits))?;
    let mut mend = Mend::new(Applicability::Unsafe);
    mend.rewrite(life, file, draft.source().text());
    let last = object.site.path.rsplit('.').next().unwrap_or_default().to_owned();
    mend.declared.added.extend([factory, last.clone()]);
    mend.declared.removed.push(last);
    mend.declared.moved = true;
    mend.notes.push("each run now opens its own connections, which costs a connection per call".to_owned());
    Ok(mend)
}

/// The attribute that the site's statement binds, at the top of `__init__`.
fn attribute(facts: &Facts, receiver: &Name, object: &Object, stmt: StmtId) -> Option<Name> {
    let node = facts.stmt(stmt);
    let (target, value) = match &node.kind {
        StmtKind::Assign { targets, value } if targets.len() == 1 => (targets[0], *value),
        StmtKind::AnnAssign { target, value: Some(value), .. } => (*target, *value),
        _ => return None,
    };
    let ExprKind::Attribute { value: of, attr } = &facts.expr(target).kind else { return None };
    let own = facts.name_of(*of) == Some(receiver) && node.parent.is_none() && value == object.site.call.id;
    own.then(|| attr.clone())
}

/// The constructor's text with the parameters of `__init__` as attributes, and the statements that keep those that are not
/// kept yet.
pub fn constructor(
    life: &Lifecycle,
    object: &Object,
    init: FunctionRef,
    receiver: &Name,
) -> Result<(String, Vec<String>), Declined> {
    let facts = life.facts(init.file);
    let of = facts.function(init.id);
    let mut kept: BTreeMap<Name, Name> = BTreeMap::new();
    facts.walk(&of.body, &mut |stmt| {
        if let StmtKind::Assign { targets, value } = &facts.stmt(stmt).kind
            && let [target] = **targets
            && let ExprKind::Attribute { value: on, attr } = &facts.expr(target).kind
            && facts.name_of(*on) == Some(receiver)
            && let Some(name) = facts.name_of(*value)
        {
            kept.entry(name.clone()).or_insert_with(|| attr.clone());
        }
    });
    let call = facts.expr(object.site.call.id).range;
    let mut edits = Vec::new();
    let mut stored = Vec::new();
    let mut trouble = false;
    facts.descend(object.site.call.id, &mut |id| {
        let Some(name) = facts.name_of(id) else {
            trouble |= matches!(facts.expr(id).kind, ExprKind::Lambda(_) | ExprKind::Comprehension { .. });
            return;
        };
        if name == receiver || !facts.scopes[init.id.index()].contains_key(name) {
            return;
        }
        let bound = &facts.scopes[init.id.index()][name];
        if !of.params.iter().any(|param| param.name == *name) || bound.len() != 1 {
            trouble = true;
            return;
        }
        let attr = kept.entry(name.clone()).or_insert_with(|| {
            let attr = Name::new(format!("_{}", name.trim_start_matches('_')));
            stored.push(format!("{receiver}.{attr} = {name}"));
            attr
        });
        let range = facts.expr(id).range;
        edits.push(Edit::replacement(range - call.start(), format!("{receiver}.{attr}")));
    });
    if trouble {
        return Err(Declined::because(
            "the object is made of what only `__init__` has: make it inside the coroutine with `async with`",
        ));
    }
    let text = apply(life.source(object.site.call), &edits).map_err(loopmend_python::edit::Refused::from)?;
    // Lines below the first lose the indent of `__init__`'s body.
    let line = life.text(init.file)[..call.start().to_usize()].rfind('\n').map_or(0, |at| at + 1);
    let indent: String = life.text(init.file)[line..]
        .chars()
        .take_while(|character| matches!(character, ' ' | '\t'))
        .collect();
    let text = text.replace(&format!("\n{indent}"), "\n    ");
    Ok((text, stored))
}
