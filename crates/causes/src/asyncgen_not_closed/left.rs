//! Generators that are left in the middle.

use loopmend_python::facts::{BindingKind, ExprKind, Facts, FunctionId, Parent, StmtId, StmtKind};
use loopmend_python::lifecycle::{
    ExprRef, FileId, Flow, FunctionRef, Kind, Lifecycle, Lookup, Place, StmtRef, Use, UseKind, Value,
};
use rayon::prelude::*;

use super::hold::{Hold, is_plain};
use super::owner::{Owner, owner_of_loop, owner_of_next};
use super::ways::{Way, Ways, ways};

/// A generator that holds something and is left before its end.
#[derive(Clone, Debug)]
pub(super) struct Left {
    /// The generator's function.
    pub generator: FunctionRef,
    /// What it holds.
    pub hold: Hold,
    /// The call that makes it.
    pub made: ExprRef,
    /// The `async for`, or the statement that takes one item.
    pub at: StmtRef,
    /// How it is left; empty where one item is taken.
    pub ways: Ways,
    /// A helper iterates it that it is given to.
    pub handed: bool,
    /// Something else than the function keeps it, or its frame does: it stays in the middle.
    pub kept: bool,
    /// A module keeps it for the whole program, which may be meant: the loop closes it at its own end.
    pub for_good: bool,
    /// What has to be wrapped; else why it is not.
    pub owner: Result<Owner, String>,
}

/// All of a tree, by generator.
pub(super) fn lefts(life: &Lifecycle) -> Vec<Left> {
    let of = |function: FunctionRef| {
        let mut found = Vec::new();
        let Some(hold) = Hold::of(life, function) else { return found };
        let node = life.facts(function.file).function(function.id);
        if node.class.is_some() && node.name == "__aiter__" {
            iterables(life, function, &hold, &mut found);
        }
        for site in life.call_sites(function) {
            of_call(life, function, &hold, site.call, &mut found);
        }
        found
    };
    generators(life).collect::<Vec<_>>().into_par_iter().flat_map_iter(of).collect()
}

/// Async generator functions without decorators that change them.
fn generators(life: &Lifecycle) -> impl Iterator<Item = FunctionRef> + '_ {
    life.files_where(|outline| outline.async_generators).into_iter().flat_map(move |file| {
        let functions = life.facts(file).functions.iter().enumerate();
        functions
            .filter(|(_, node)| node.is_async && node.is_generator)
            .map(move |(index, _)| FunctionRef { file, id: FunctionId::new(index) })
            .filter(move |&function| is_plain(life, function))
    })
}

fn of_call(life: &Lifecycle, generator: FunctionRef, hold: &Hold, made: ExprRef, found: &mut Vec<Left>) {
    let flow = life.flow_of(made);
    if is_closed(life, &flow) {
        return;
    }
    let mut loops: Vec<(ExprRef, StmtRef, Ways)> = Vec::new();
    let mut nexts: Vec<ExprRef> = Vec::new();
    for at in flow.uses.iter().filter(|at| !at.element) {
        match &at.kind {
            UseKind::Iterated(iter) => match async_for(life, *iter) {
                Some(stmt) => loops.push((*iter, stmt, ways(life, stmt.file, stmt.id))),
                None if is_call(life, *iter) => {}
                None => return,
            },
            UseKind::Method { name, call, .. } if name == "__anext__" || name == "asend" => nexts.push(*call),
            UseKind::Argument { call, .. } => match life.called_name(*call).as_deref() {
                Some("anext") => nexts.push(*call),
                Some("print" | "repr" | "isinstance" | "type" | "id") => {}
                // A library drives it, and may close it.
                _ => return,
            },
            _ => {}
        }
    }
    // What goes on with it elsewhere comes to its end.
    if loops.iter().any(|(iter, stmt, ways)| {
        !is_call(life, *iter) && ways.iter().all(|(_, way)| *way == Way::Passing) && !delegates(life, *stmt)
    }) && (loops.len() > 1 || !nexts.is_empty())
    {
        return;
    }
    let alone = loops.is_empty();
    for (iter, at, ways) in loops {
        if ways.is_empty() && !is_closed_early(life, at) {
            continue;
        }
        let owner = owner_of_loop(life, hold, &flow, made, iter, at);
        let handed = is_parameter(life, iter);
        let kept = stays(&flow);
        let for_good = is_global(life, &flow);
        found.push(Left { generator, hold: hold.clone(), made, at, ways, handed, kept, for_good, owner });
    }
    if let (true, [next]) = (alone, &nexts[..])
        && let Some(stmt) = life.facts(next.file).stmt_of(next.id)
        && !life.in_loop(*next)
        && !expects_end(life.facts(next.file), stmt)
        && !life.is_asserted_to_fail(*next)
    {
        let at = StmtRef { file: next.file, id: stmt };
        let owner = owner_of_next(life, hold, &flow, made, *next, at);
        let kept = stays(&flow);
        found.push(Left {
            generator,
            hold: hold.clone(),
            made,
            at,
            ways: Vec::new(),
            handed: false,
            kept,
            for_good: is_global(life, &flow),
            owner,
        });
    }
}

/// Loops over objects whose `__aiter__` is the generator.
fn iterables(life: &Lifecycle, generator: FunctionRef, hold: &Hold, found: &mut Vec<Left>) {
    for file in life.files_where(|outline| outline.async_loops) {
        let facts = life.facts(file);
        for (index, stmt) in facts.stmts.iter().enumerate() {
            let StmtKind::For { is_async: true, iter, .. } = stmt.kind else { continue };
            let iter = ExprRef { file, id: iter };
            let values = life.infer(iter);
            let own = |value: &Value| match value {
                Value::Instance(Kind::Class(class), _) => life.method(*class, "__aiter__") == Some(generator),
                _ => false,
            };
            if !values.iter().all(own) {
                continue;
            }
            let at = StmtRef { file, id: StmtId::new(index) };
            let ways = ways(life, file, at.id);
            if ways.is_empty() {
                continue;
            }
            let owner = Owner::of_iterable(life, hold, iter, at);
            let hold = hold.clone();
            let (handed, kept, for_good) = (false, false, false);
            found.push(Left { generator, hold, made: iter, at, ways, handed, kept, for_good, owner });
        }
    }
}

/// Whether something closes it: `aclosing(…)`, `aclose()`, or a stack that is given its `aclose`.
pub(super) fn is_closed(life: &Lifecycle, flow: &Flow) -> bool {
    flow.uses.iter().any(|Use { kind, .. }| match kind {
        UseKind::Method { name, .. } | UseKind::Attribute { name, .. } => name == "aclose",
        UseKind::Argument { call, .. } => life.called_name(*call).as_deref() == Some("aclosing"),
        UseKind::Entered { is_async, .. } => *is_async,
        _ => false,
    })
}

/// Whether a name, an attribute or a frame refers to it once it is left.
fn stays(flow: &Flow) -> bool {
    flow.kept() || flow.places.iter().any(|place| matches!(place, Place::Local(..)))
}

/// Whether a module keeps it, by a name or in a container.
fn is_global(life: &Lifecycle, flow: &Flow) -> bool {
    flow.places.iter().any(|place| matches!(place, Place::Global(..)))
        || flow.uses.iter().any(|at| {
            let facts = life.facts(at.expr.file);
            at.element
                && facts.name_of(at.expr.id).is_some_and(
                    |name| matches!(life.lookup(at.expr, name), Lookup::Bound(scope, _) if scope.is_module()),
                )
        })
}

/// The `async for` that iterates this.
fn async_for(life: &Lifecycle, iter: ExprRef) -> Option<StmtRef> {
    let facts = life.facts(iter.file);
    let Parent::Stmt(stmt) = facts.expr(iter.id).parent else { return None };
    matches!(facts.stmt(stmt).kind, StmtKind::For { is_async: true, .. })
        .then_some(StmtRef { file: iter.file, id: stmt })
}

fn is_call(life: &Lifecycle, expr: ExprRef) -> bool {
    matches!(life.facts(expr.file).expr(expr.id).kind, ExprKind::Call { .. })
}

/// Whether a function iterates what it is given.
fn is_parameter(life: &Lifecycle, iter: ExprRef) -> bool {
    let facts = life.facts(iter.file);
    facts.name_of(iter.id).is_some_and(|name| {
        facts.scopes[facts.function_of(iter.id).index()].get(name).is_some_and(|ids| {
            ids.iter().any(|&id| matches!(facts.binding(id).kind, BindingKind::Parameter(_)))
        })
    })
}

/// Whether a loop hands on what it is given: its function is a generator that yields in it.
fn delegates(life: &Lifecycle, at: StmtRef) -> bool {
    let facts = life.facts(at.file);
    let StmtKind::For { body, .. } = &facts.stmt(at.id).kind else { return false };
    let mut found = false;
    facts.walk_exprs(body, &mut |id| found |= matches!(facts.expr(id).kind, ExprKind::Yield(_)));
    found
}

/// Whether the generator that a loop stands in is closed in the middle by who iterates it.
fn is_closed_early(life: &Lifecycle, at: StmtRef) -> bool {
    let function = enclosing(life, at.file, at.id);
    delegates(life, at)
        && is_plain(life, function)
        && life.call_sites(function).iter().any(|site| is_closed(life, &life.flow_of(site.call)))
}

/// The function that a statement stands in.
pub(super) fn enclosing(life: &Lifecycle, file: FileId, stmt: StmtId) -> FunctionRef {
    FunctionRef { file, id: life.facts(file).stmt(stmt).function }
}

/// Whether a `try` around a statement takes the end of the iteration.
fn expects_end(facts: &Facts, stmt: StmtId) -> bool {
    facts.ancestors(stmt).any(|(outer, _)| match &facts.stmt(outer).kind {
        StmtKind::Try { handlers, .. } => handlers.iter().any(|handler| {
            handler.types.is_some_and(|types| {
                let mut found = false;
                facts.descend(types, &mut |id| {
                    found |= facts.dotted(id).is_some_and(|name| name.ends_with("StopAsyncIteration"));
                });
                found
            })
        }),
        _ => false,
    })
}
