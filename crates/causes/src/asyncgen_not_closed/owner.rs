//! Which statements a generator has to be closed behind, and by which name.

use loopmend_python::facts::{BindingKind, ExprId, ExprKind, Name, Slot, StmtId, StmtKind, TextRange};
use loopmend_python::lifecycle::{ExprRef, FileId, Flow, FunctionRef, Lifecycle, StmtRef, UseKind, Value};

use super::hold::Hold;
use super::left::enclosing;
use super::uses::{Holder, awaited, holder, is_stored, leaves, level_with, simple};
use crate::background::free_local;

/// The statements to be wrapped.
#[derive(Clone, Debug)]
pub(super) struct Owner {
    /// Their file.
    pub file: FileId,
    /// From the first to the last, neighbours in one block.
    pub run: TextRange,
    /// The expression that makes it, where that stands in them, and what has to be called on it.
    pub fresh: Option<(TextRange, &'static str)>,
    /// They are a loop over it.
    pub is_loop: bool,
    /// The name that it has or gets.
    pub name: String,
}

const ITEM: &str = "what the generator yields is what it closes at its end, and the item is used behind the loop: \
make the generator an async context manager and enter that around all uses";

impl Owner {
    /// Of a loop over an object whose `__aiter__` is the generator.
    pub fn of_iterable(life: &Lifecycle, hold: &Hold, iter: ExprRef, at: StmtRef) -> Result<Self, String> {
        let owner = Self::fresh(life, iter, at.id, ".__aiter__()");
        if hold.lends && escapes(life, at) { Err(ITEM.to_owned()) } else { Ok(owner) }
    }

    fn fresh(life: &Lifecycle, made: ExprRef, stmt: StmtId, suffix: &'static str) -> Self {
        let facts = life.facts(made.file);
        let name = free_local(facts, facts.stmt(stmt).function, &["stream", "items", "generator"]);
        Self {
            file: made.file,
            run: facts.stmt(stmt).range,
            fresh: Some((facts.expr(made.id).range, suffix)),
            is_loop: matches!(facts.stmt(stmt).kind, StmtKind::For { .. }),
            name,
        }
    }
}

/// Of a loop that is left.
pub(super) fn owner_of_loop(
    life: &Lifecycle,
    hold: &Hold,
    flow: &Flow,
    made: ExprRef,
    iter: ExprRef,
    at: StmtRef,
) -> Result<Owner, String> {
    if hold.lends && escapes(life, at) {
        return Err(ITEM.to_owned());
    }
    let facts = life.facts(iter.file);
    let function = enclosing(life, at.file, at.id);
    match &facts.expr(iter.id).kind {
        ExprKind::Call { .. } if made == iter || !flow.kept() => Ok(Owner::fresh(life, iter, at.id, "")),
        ExprKind::Name(name) => {
            let own = &facts.scopes[function.id.index()];
            let Some(bindings) = own.get(name) else { return Err(elsewhere(name)) };
            match facts.binding(bindings[0]).kind {
                BindingKind::Parameter(_) if bindings.len() == 1 => handed(life, flow, made),
                _ => named(life, flow, function, name, Some((iter, at.id))),
            }
        }
        _ => Err(elsewhere(life.source(iter))),
    }
}

/// Of a statement that takes one item.
pub(super) fn owner_of_next(
    life: &Lifecycle,
    hold: &Hold,
    flow: &Flow,
    made: ExprRef,
    next: ExprRef,
    at: StmtRef,
) -> Result<Owner, String> {
    let facts = life.facts(next.file);
    let function = enclosing(life, at.file, at.id);
    let mut owner = match holder(facts, made) {
        Holder::Name(name)
            if facts.stmt(at.id).function == facts.function_of(made.id) && made.file == at.file =>
        {
            named(life, flow, function, &name, None)?
        }
        Holder::Call(_) if made.file == at.file && simple(facts, at.id) => {
            Owner::fresh(life, made, at.id, "")
        }
        _ => return Err("the generator is made in another place than the one that takes its item".to_owned()),
    };
    if !hold.lends {
        return Ok(owner);
    }
    // The item lives as long as the generator: all its uses go inside.
    let StmtKind::Assign { targets, .. } = &facts.stmt(at.id).kind else { return Err(ITEM.to_owned()) };
    let [target] = targets[..] else { return Err(ITEM.to_owned()) };
    let Some(item) = facts.name_of(target) else { return Err(ITEM.to_owned()) };
    let loads = life.loads_of(at.file, function.id, item);
    if loads.iter().any(|&load| leaves(facts, load.id)) {
        return Err(ITEM.to_owned());
    }
    for load in loads {
        let Some(stmt) = facts.stmt_of(load.id) else { continue };
        let Some(level) = level_with(facts, stmt, at.id) else { return Err(ITEM.to_owned()) };
        owner.run = owner.run.cover(facts.stmt(level).range);
    }
    Ok(owner)
}

/// A generator that is made in a call's arguments, or by a local name that is given to one: its end is there.
fn handed(life: &Lifecycle, flow: &Flow, made: ExprRef) -> Result<Owner, String> {
    let facts = life.facts(made.file);
    let Some(stmt) = facts.stmt_of(made.id) else { return Err(elsewhere(life.source(made))) };
    match holder(facts, made) {
        Holder::Call(call) if simple(facts, stmt) && awaited(facts, call) => {
            Ok(Owner::fresh(life, made, stmt, ""))
        }
        Holder::Name(name) => named(life, flow, enclosing(life, made.file, stmt), &name, None),
        _ => Err("what made the generator does not wait for who iterates it: close it there with `aclose()`"
            .to_owned()),
    }
}

/// A local name: from its first use to its last.
fn named(
    life: &Lifecycle,
    flow: &Flow,
    function: FunctionRef,
    name: &Name,
    only: Option<(ExprRef, StmtId)>,
) -> Result<Owner, String> {
    let file = function.file;
    let facts = life.facts(file);
    let goes_on = flow.uses.iter().any(|at| match &at.kind {
        UseKind::Iterated(expr) => {
            matches!(life.facts(expr.file).expr(expr.id).kind, ExprKind::Attribute { .. })
        }
        UseKind::Method { name, .. } => {
            (name == "__anext__" || name == "asend")
                && matches!(life.facts(at.expr.file).expr(at.expr.id).kind, ExprKind::Attribute { .. })
        }
        UseKind::Returned(of) | UseKind::Yielded(of) => *of == function,
        _ => false,
    });
    if goes_on {
        return Err(elsewhere(name));
    }
    let owner = |run| Ok(Owner { file, run, fresh: None, is_loop: false, name: name.to_string() });
    let Some(bindings) = facts.scopes[function.id.index()].get(name) else { return Err(elsewhere(name)) };
    let loads: Vec<ExprId> = life
        .loads_of(file, function.id, name)
        .into_iter()
        .map(|load| load.id)
        .filter(|&load| !is_stored(facts, load))
        .collect();
    let generators = |expr: ExprRef| {
        life.infer(expr).iter().all(|value| match value {
            Value::Coroutine(of, _) => {
                let of = life.facts(of.file).function(of.id);
                of.is_async && of.is_generator
            }
            _ => false,
        })
    };
    if loads.iter().any(|&load| facts.function_of(load) != function.id || leaves(facts, load))
        || !loads.iter().all(|&load| generators(ExprRef { file, id: load }))
    {
        return Err(elsewhere(name));
    }
    if let Some((iter, stmt)) = only
        && loads == [iter.id]
    {
        return owner(facts.stmt(stmt).range);
    }
    let made = match bindings[..] {
        [binding] => facts.binding(binding).stmt,
        _ => None,
    };
    let Some(made) = made else { return Err(elsewhere(name)) };
    let mut levels = Vec::new();
    for &load in &loads {
        let level = facts.stmt_of(load).and_then(|stmt| level_with(facts, stmt, made));
        levels.push(level.ok_or_else(|| elsewhere(name))?);
    }
    levels.sort_by_key(|&level| facts.stmt(level).range.start());
    let (Some(&first), Some(&last)) = (levels.first(), levels.last()) else { return Err(elsewhere(name)) };
    owner(facts.stmt(first).range.cover(facts.stmt(last).range))
}

/// Whether a loop's item is used behind the loop, or given away in it.
fn escapes(life: &Lifecycle, at: StmtRef) -> bool {
    let facts = life.facts(at.file);
    let StmtKind::For { target, .. } = facts.stmt(at.id).kind else { return false };
    let Some(name) = facts.name_of(target) else { return true };
    life.loads_of(at.file, facts.stmt(at.id).function, name).into_iter().any(|load| {
        let inside = facts.stmt_of(load.id).is_some_and(|stmt| {
            facts.ancestors(stmt).any(|(outer, slot)| outer == at.id && slot == Slot::Body)
        });
        let later = facts.expr(load.id).range.start() > facts.stmt(at.id).range.end();
        (inside && leaves(facts, load.id)) || later
    })
}

fn elsewhere(name: &str) -> String {
    format!(
        "`{name}` is used in more than one place: close it with `await {name}.aclose()` where its last use ends"
    )
}
