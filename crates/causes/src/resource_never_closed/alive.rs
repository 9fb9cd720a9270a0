//! Whether there is anything to close: objects that are never made, or that open nothing before a method of theirs is called.

use std::collections::BTreeSet;

use loopmend_python::facts::{ExprKind, Name, Parent, Slot, StmtKind};
use loopmend_python::lifecycle::{ClassRef, ExprRef, Flow, FunctionRef, Lifecycle, UseKind};

use super::closer::Closer;

/// Whether a test makes sure that making the object fails: it is all that is left to do in `with pytest.raises(…)`.
pub(super) fn refused(life: &Lifecycle, at: ExprRef) -> bool {
    if !life.is_asserted_to_fail(at) {
        return false;
    }
    let facts = life.facts(at.file);
    let mut id = at.id;
    let stmt = loop {
        match facts.expr(id).parent {
            Parent::Stmt(stmt) => break stmt,
            Parent::Expr(up) if matches!(facts.expr(up).kind, ExprKind::Await(_)) => id = up,
            _ => return false,
        }
    };
    facts.ancestors(stmt).next().is_some_and(|(outer, slot)| match &facts.stmt(outer).kind {
        StmtKind::With { body, .. } => slot == Slot::Body && body.last() == Some(&stmt),
        _ => false,
    })
}

/// The classes whose methods are the class's own: those that it is based on, and those that are based on it.
pub(super) fn family(life: &Lifecycle, class: ClassRef) -> BTreeSet<ClassRef> {
    let mut family: BTreeSet<ClassRef> = life.ancestry(class).inside.iter().copied().collect();
    family.extend(life.heirs(class).iter().copied());
    family
}

/// The methods of a class that open what it keeps, themselves or through each other; empty where making the object does, or
/// where they are not all seen.
pub(super) fn openers(
    life: &Lifecycle,
    class: ClassRef,
    at: ExprRef,
    flow: &Flow,
    kept: &Closer,
) -> Vec<Name> {
    let family = family(life, class);
    let own = |function: FunctionRef| {
        let of = life.facts(function.file).function(function.id);
        of.class.is_some_and(|id| family.contains(&ClassRef { file: function.file, id }))
    };
    let mut work: Vec<FunctionRef> = if kept.opened_by.is_empty() {
        vec![function_of(life, at)]
    } else {
        openings(flow, kept).map(|at| function_of(life, at)).collect()
    };
    let mut found: BTreeSet<FunctionRef> = BTreeSet::new();
    while let Some(function) = work.pop() {
        if !own(function) {
            return Vec::new();
        }
        if !found.insert(function) {
            continue;
        }
        let of = life.facts(function.file).function(function.id);
        if matches!(of.name.as_str(), "__init__" | "__new__" | "__post_init__") || !of.decorators.is_empty() {
            return Vec::new();
        }
        if handed_out(life, &family, &of.name) {
            return Vec::new();
        }
        for site in overridden(life, &family, &of.name).flat_map(|method| life.call_sites(method)) {
            let caller = function_of(life, site.call);
            if own(caller) {
                work.push(caller);
            }
        }
    }
    found.into_iter().map(|of| life.facts(of.file).function(of.id).name.clone()).collect()
}

/// The methods of a family that have this name: a base that calls its own calls the one that overrides it.
pub(super) fn overridden<'l>(
    life: &'l Lifecycle,
    family: &'l BTreeSet<ClassRef>,
    name: &'l Name,
) -> impl Iterator<Item = FunctionRef> + 'l {
    family.iter().filter_map(move |class| {
        let id = *life.facts(class.file).class(class.id).methods.get(name)?;
        Some(FunctionRef { file: class.file, id })
    })
}

/// Whether a class gives a method of its own away (`get_process(self.target)`), so that somebody else calls it.
pub(super) fn handed_out(life: &Lifecycle, family: &BTreeSet<ClassRef>, name: &str) -> bool {
    family.iter().any(|class| {
        let facts = life.facts(class.file);
        facts.attributes.get(name).into_iter().flatten().any(|&read| {
            let ExprKind::Attribute { value, .. } = facts.expr(read).kind else { return false };
            let called = facts
                .parent_expr(read)
                .is_some_and(|up| matches!(facts.expr(up).kind, ExprKind::Call { func, .. } if func == read));
            let given = facts
                .parent_expr(read)
                .is_some_and(|up| matches!(facts.expr(up).kind, ExprKind::Call { .. }));
            let function = facts.function_of(read);
            let method = facts.function(function);
            !called
                && given
                && method.class.is_some_and(|id| family.contains(&ClassRef { file: class.file, id }))
                && facts.name_of(value).is_some_and(|name| Some(name) == method.receiver())
        })
    })
}

/// Uses of an object that open what it keeps.
pub(super) fn openings<'f>(flow: &'f Flow, closer: &'f Closer) -> impl Iterator<Item = ExprRef> + 'f {
    let opens = |name: &str| closer.opened_by.iter().any(|method| method == name);
    flow.uses.iter().filter_map(move |at| {
        let open = match &at.kind {
            UseKind::Method { name, .. } | UseKind::Attribute { name, .. } => opens(name),
            UseKind::Entered { is_async, .. } => opens(if *is_async { "__aenter__" } else { "__enter__" }),
            UseKind::Called(_) => opens("__call__"),
            UseKind::Awaited(_) => opens("__await__"),
            UseKind::Iterated(_) => opens("__aiter__") || opens("__iter__"),
            _ => false,
        };
        open.then_some(at.expr)
    })
}

/// Whether nothing has the object open what it keeps, as far as it is followed.
pub(super) fn idle(flow: &Flow, closer: &Closer) -> bool {
    let away = |kind: &UseKind| matches!(kind, UseKind::Returned(_) | UseKind::Yielded(_));
    !closer.opened_by.is_empty()
        && openings(flow, closer).next().is_none()
        && !flow.uses.iter().any(|at| away(&at.kind))
}

/// Whether objects of a class enter themselves where somebody keeps them: `self.runner.register(self)`.
pub(super) fn registers(life: &Lifecycle, class: ClassRef) -> bool {
    family(life, class).into_iter().any(|of| {
        let facts = life.facts(of.file);
        facts.class(of.id).methods.values().any(|&id| {
            let Some(receiver) = facts.function(id).receiver() else { return false };
            life.loads_of(of.file, id, receiver).into_iter().any(|load| {
                facts
                    .parent_expr(load.id)
                    .is_some_and(|up| given_to_attribute(life, load, load.with(up), receiver))
            })
        })
    })
}

/// `self.attribute.method(self)`, where the tree's method keeps it.
fn given_to_attribute(life: &Lifecycle, object: ExprRef, call: ExprRef, receiver: &Name) -> bool {
    let facts = life.facts(call.file);
    let ExprKind::Call { func, args, .. } = &facts.expr(call.id).kind else { return false };
    let ExprKind::Attribute { value, .. } = facts.expr(*func).kind else { return false };
    let ExprKind::Attribute { value: root, .. } = facts.expr(value).kind else { return false };
    if facts.name_of(root) != Some(receiver) {
        return false;
    }
    let Some(place) = args.iter().position(|&arg| arg == object.id) else { return false };
    life.callees(call).into_iter().any(|callee| {
        let index = u32::try_from(place + 1).unwrap_or(u32::MAX);
        life.flow(loopmend_python::lifecycle::Origin::Parameter(callee, index), false).kept()
    })
}

fn function_of(life: &Lifecycle, at: ExprRef) -> FunctionRef {
    FunctionRef { file: at.file, id: life.facts(at.file).function_of(at.id) }
}
