//! The mend: `async with`, `try` and `finally`, or a close of the owner that its makers call.

use loopmend_model::Applicability;
use loopmend_python::edit::{apply, insert_after, insert_before};
use loopmend_python::facts::{ExprKind, Parent, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, LeakKind, Lifecycle, Origin, UseKind};

use super::child::Abandoned;
use super::closer::Closer;
use super::edits::Edits;
use super::fate::{How, Keeper, Open};
use super::{keeper, local, module};
use crate::{Declined, Mend};

const DEEPEST: usize = 4;

pub(super) fn mend(life: &Lifecycle, open: &Open, applicability: Applicability) -> Result<Mend, Declined> {
    let mut edits = Edits::new(life, applicability);
    match (&open.keeper, &open.how) {
        (Keeper::Function(function), How::Some(leaks))
            if life.returns(*function).iter().any(|value| value.site() == Some(open.at)) =>
        {
            before_leaks(&mut edits, open, *function, leaks)?;
        }
        (Keeper::Module(file, name), how) => {
            let close = match how {
                How::Uncalled(function) => Some(*function),
                _ => None,
            };
            module::close_in_run(&mut edits, *file, name, open.at, &open.closer, close)?;
        }
        (Keeper::Cache(factory), _) => {
            let of = life.facts(factory.file).function(factory.id);
            module::close_shared(&mut edits, &of.name, open.at)?;
        }
        (Keeper::Class(class, name), _) => {
            keeper::close_in_class(&mut edits, *class, name, open.at, &open.closer, 0)?;
        }
        (Keeper::Function(_) | Keeper::State(_), _) => maker(&mut edits, open.at, &open.closer, 0)?,
    }
    edits.moves();
    Ok(edits.finish())
}

/// Adds the edits of another mend, where they go together.
pub(super) fn join(life: &Lifecycle, mend: &mut Mend, more: Mend) {
    let mut joined = mend.clone();
    for (path, edits) in more.edits {
        joined.edit_path(path, edits);
    }
    let fits = joined
        .edits
        .iter()
        .all(|(path, edits)| life.file(path).is_some_and(|file| apply(life.text(file), edits).is_ok()));
    if !fits {
        return;
    }
    joined.declared.added.extend(more.declared.added);
    joined.declared.removed.extend(more.declared.removed);
    joined.declared.moved |= more.declared.moved;
    joined.notes.extend(more.notes);
    *mend = joined;
}

/// What a call's value is given to.
pub(super) enum Target {
    /// A name.
    Name(String),
    /// `self.x` of a method, or another attribute or key.
    Place(ExprRef),
    /// The callers.
    Returned,
}

/// The statement around a call, and what the call's value (or the item of it that is the object) is given to.
pub(super) fn target(life: &Lifecycle, call: ExprRef, item: Option<u32>) -> Option<(StmtId, Target)> {
    let facts = life.facts(call.file);
    let mut at = call.id;
    if let Some(up) = facts.parent_expr(at)
        && matches!(facts.expr(up).kind, ExprKind::Await(_))
    {
        at = up;
    }
    let Parent::Stmt(stmt) = facts.expr(at).parent else { return None };
    let target = match &facts.stmt(stmt).kind {
        StmtKind::Return(_) => return Some((stmt, Target::Returned)),
        StmtKind::Assign { targets, value } if *value == at && targets.len() == 1 => targets[0],
        StmtKind::AnnAssign { target, value: Some(value), .. } if *value == at => *target,
        _ => return None,
    };
    let target = match (&facts.expr(target).kind, item) {
        (ExprKind::Tuple(items) | ExprKind::List(items), Some(item)) => *items.get(item as usize)?,
        (ExprKind::Tuple(_) | ExprKind::List(_), None) => return None,
        _ => target,
    };
    match &facts.expr(target).kind {
        ExprKind::Name(name) => Some((stmt, Target::Name(name.to_string()))),
        ExprKind::Attribute { .. } | ExprKind::Subscript { .. } => {
            Some((stmt, Target::Place(call.with(target))))
        }
        _ => None,
    }
}

/// Closes what a call gives, where it is made.
pub(super) fn maker(
    edits: &mut Edits<'_>,
    call: ExprRef,
    closer: &Closer,
    depth: usize,
) -> Result<(), Declined> {
    let life = edits.life;
    if !edits.first(call) {
        return Ok(());
    }
    if closer.steps.is_empty() {
        return Err(Declined::because(format!(
            "`{}` has no method that could be called to close it",
            closer.class
        )));
    }
    if depth > DEEPEST {
        return Err(Declined::because(
            "too many owners stand between the object and the one who could close it",
        ));
    }
    let facts = life.facts(call.file);
    let function = FunctionRef { file: call.file, id: facts.function_of(call.id) };
    let Some((made, target)) = target(life, call, closer.item) else {
        return Err(Declined::because(format!(
            "the `{}` is made in the middle of an expression: give it a name and close it in a `finally`",
            closer.class
        )));
    };
    if awaited_later(life, call) {
        return Err(Declined::because(format!(
            "the name has the coroutine that opens the `{}`, not what it gives: await it where it is made, and close what it gives",
            closer.class
        )));
    }
    match target {
        Target::Name(name) => {
            let global = function.is_module()
                || facts.function(function.id).globals.iter().any(|known| *known == name);
            if global {
                let name = loopmend_python::facts::Name::new(&name);
                module::close_in_run(edits, call.file, &name, call, closer, None)
            } else {
                local::close_at_end(edits, function, made, &name, call, closer, true)
            }
        }
        Target::Place(place) => {
            let ExprKind::Attribute { value, attr } = &facts.expr(place.id).kind else {
                return local::close_after_yield(edits, function, made, place, closer);
            };
            match life.receiver_class(place.with(*value)) {
                Some(class) => {
                    let attr = attr.clone();
                    keeper::close_in_class(edits, class, &attr, call, closer, depth + 1)
                }
                None => local::close_after_yield(edits, function, made, place, closer),
            }
        }
        Target::Returned => {
            let sites = life.call_sites(function);
            if sites.is_empty() {
                return Err(Declined::because(format!(
                    "`{}` gives it to callers that are not in the tree: they have to close it",
                    facts.function(function.id).qualname
                )));
            }
            for site in sites {
                maker(edits, site.call, closer, depth + 1)?;
            }
            Ok(())
        }
    }
}

/// Whether what a call gives is awaited in another statement, which gives the object another name.
fn awaited_later(life: &Lifecycle, call: ExprRef) -> bool {
    life.flow(Origin::Expr(call), false).uses.iter().any(|at| {
        let UseKind::Awaited(wait) = at.kind else { return false };
        let facts = life.facts(wait.file);
        let stands_alone = matches!(facts.expr(wait.id).parent, Parent::Stmt(stmt)
            if matches!(facts.stmt(stmt).kind, StmtKind::Expr(_)));
        facts.stmt_of(wait.id) != life.facts(call.file).stmt_of(call.id) && !stands_alone
    })
}

/// Closes before each way out that does not give the object to the caller.
fn before_leaks(
    edits: &mut Edits<'_>,
    open: &Open,
    function: FunctionRef,
    leaks: &[loopmend_python::lifecycle::Leak],
) -> Result<(), Declined> {
    let life = edits.life;
    let facts = life.facts(function.file);
    let Some((_, Target::Name(name))) = target(life, open.at, open.closer.item) else {
        return Err(Declined::because(
            "the object has no name that could be closed: close it on the early ways out",
        ));
    };
    if open.closer.awaits() && !facts.function(function.id).is_async {
        return Err(needs_coroutine(&open.closer));
    }
    let source = edits.source(function.file);
    let made = facts.stmt_of(open.at.id);
    for leak in leaks {
        // Where opening it failed there is no such name.
        let perhaps = made.is_some_and(|made| {
            facts.ancestors(leak.stmt).any(|(outer, slot)| {
                matches!(slot, Slot::Handler(_) | Slot::Finally) && facts.within(made, outer)
            })
        });
        if perhaps {
            return Err(Declined::because(
                "the handler runs where the opening failed, too: open the object before the `try`, and close it in a handler of its own",
            ));
        }
        if !matches!(leak.kind, LeakKind::Return | LeakKind::Raise) {
            return Err(Declined::because(
                "the object stays open at the end of the function: close it there",
            ));
        }
        let close = open.closer.statements(&name);
        edits.try_add(function.file, insert_before(&source, facts.stmt(leak.stmt).range, &close))?;
    }
    edits.closes(&open.closer);
    Ok(())
}

/// Why a close can't stand in a plain function.
pub(super) fn needs_coroutine(closer: &Closer) -> Declined {
    Declined::because(format!(
        "the `{}` is made in a function that is not async and can't await its close: make it in the coroutine that uses it, and close it there",
        closer.class
    ))
}

/// After a time-out: kill the child, then wait for it.
pub(super) fn wait_for_child(
    life: &Lifecycle,
    child: &Abandoned,
    applicability: Applicability,
) -> Result<Mend, Declined> {
    let mut edits = Edits::new(life, applicability);
    let file = child.site.file;
    let facts = life.facts(file);
    let source = edits.source(file);
    let wait = if child.pipes { "communicate" } else { "wait" };
    let name = &child.child;
    edits.adds(wait.to_owned());
    match child.kill {
        Some(kill) => {
            let text = format!("await {name}.{wait}()");
            edits.try_add(file, insert_after(&source, facts.stmt(kill).range, &text))?;
        }
        None => {
            edits.adds("kill".to_owned());
            let text = format!("{name}.kill()\nawait {name}.{wait}()");
            edits.try_add(file, insert_before(&source, facts.stmt(child.first).range, &text))?;
        }
    }
    edits.moves();
    Ok(edits.finish())
}
