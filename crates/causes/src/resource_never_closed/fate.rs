//! What becomes of an object: whether it is ended, handed on, or left open, and by whom.

use std::collections::BTreeSet;

use loopmend_python::facts::{ExprKind, MODULE, Name, Parent, StmtId, StmtKind};
use loopmend_python::lifecycle::{
    ClassRef, ExprRef, FileId, Flow, FunctionRef, Leak, LeakKind, Lifecycle, Place, RunKind, UseKind,
};

use super::alive;
use super::closer::Closer;
use super::handed::{Handed, handed};
use super::owner;

/// One place where an object is left open.
#[derive(Clone, Debug)]
pub(super) struct Open {
    /// The call that gives the object to the one who leaves it open: the constructor, a factory, or the class that keeps it.
    pub(super) at: ExprRef,
    /// What ends what the call gives.
    pub(super) closer: Closer,
    /// Who keeps it.
    pub(super) keeper: Keeper,
    /// In which way it is left open.
    pub(super) how: How,
    /// Something was not followed, or closing may not matter.
    pub(super) doubtful: bool,
    /// Functions that use the object.
    pub(super) users: BTreeSet<FunctionRef>,
}

/// Who keeps an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Keeper {
    /// The function that made it.
    Function(FunctionRef),
    /// Objects of a class of the tree, in this attribute.
    Class(ClassRef, Name),
    /// A module.
    Module(FileId, Name),
    /// The cache of a function that makes it once for all its callers.
    Cache(FunctionRef),
    /// A framework's object: `app.state`, `app["pool"]`.
    State(Name),
}

/// In which way it is left open.
#[derive(Clone, Debug)]
pub(super) enum How {
    /// Nothing ends it.
    Never,
    /// What would end it is called by nobody: the function.
    Uncalled(FunctionRef),
    /// Some ways out of the function pass the end by.
    Some(Vec<Leak>),
    /// Exceptions pass the end by.
    Exceptions(Vec<Leak>),
}

const DEEPEST: usize = 5;
/// How many things that a module makes of the object are followed.
const MOST_DERIVED: usize = 16;

/// Decorators that keep what a function gave for its next callers.
const CACHES: &[&str] = &["lru_cache", "cache", "cached", "alru_cache"];

/// All places where what a call gives is left open.
pub(super) fn fate(life: &Lifecycle, at: ExprRef, closer: &Closer, seen: &mut Vec<ExprRef>) -> Vec<Open> {
    if seen.contains(&at) || seen.len() > DEEPEST || in_with(life, at) || alive::refused(life, at) {
        return Vec::new();
    }
    seen.push(at);
    let open = follow(life, at, closer, seen);
    seen.pop();
    open
}

/// `with f(…)`, `async with await f(…) as x`.
fn in_with(life: &Lifecycle, at: ExprRef) -> bool {
    let facts = life.facts(at.file);
    let mut id = at.id;
    loop {
        match facts.expr(id).parent {
            Parent::Stmt(stmt) => return matches!(facts.stmt(stmt).kind, StmtKind::With { .. }),
            Parent::Expr(up)
                if matches!(facts.expr(up).kind, ExprKind::Await(_) | ExprKind::IfElse { .. }) =>
            {
                id = up;
            }
            _ => return false,
        }
    }
}

fn follow(life: &Lifecycle, at: ExprRef, closer: &Closer, seen: &mut Vec<ExprRef>) -> Vec<Open> {
    let facts = life.facts(at.file);
    let Some(made) = facts.stmt_of(at.id) else { return Vec::new() };
    let function = FunctionRef { file: at.file, id: facts.function_of(at.id) };
    let flow = life.flow(loopmend_python::lifecycle::Origin::Expr(at), true);
    if handed(life, &flow, closer) == Handed::Away || alive::idle(&flow, closer) {
        return Vec::new();
    }
    let users: BTreeSet<FunctionRef> = uses(life, &flow)
        .into_iter()
        .map(|at| FunctionRef { file: at.file, id: life.facts(at.file).function_of(at.id) })
        .collect();
    let open = |keeper, how, doubtful| Open {
        at,
        closer: closer.clone(),
        keeper,
        how,
        doubtful: doubtful || flow.doubt,
        users: users.clone(),
    };
    let closes = closes(life, &flow, closer);
    let kept: Vec<&Place> = flow
        .places
        .iter()
        .filter(|place| !matches!(place, Place::Local(..) | Place::Parameter(..)))
        .collect();
    let class = kept.iter().find_map(|place| match place {
        Place::Attribute(class, name) => Some((*class, name.clone())),
        _ => None,
    });
    let global = kept.iter().find_map(|place| match place {
        Place::Global(file, name) if *file == at.file => Some((*file, name.clone())),
        _ => None,
    });
    if closes.is_empty() {
        if let Some((class, name)) = class {
            return owner::never(life, class, &name, closer, &open, seen);
        }
        if let Some((file, name)) = global {
            return in_doubt(life, &users)
                .map(|doubtful| open(Keeper::Module(file, name), How::Never, doubtful))
                .into_iter()
                .collect();
        }
        if let Some(Place::Loose(_, name)) = kept.first() {
            let generator = facts.function(function.id).is_generator;
            return vec![open(Keeper::State(name.clone()), How::Never, !generator)];
        }
        if !kept.is_empty() {
            return Vec::new();
        }
    }
    let returned = flow.uses.iter().any(|at| at.kind == UseKind::Returned(function));
    // All callers share the one object: none of them may close it at its own end.
    if returned && facts.function(function.id).class.is_none() && life.decorated(function, CACHES) {
        if !closes.is_empty() {
            return Vec::new();
        }
        return in_doubt(life, &users)
            .map(|doubtful| open(Keeper::Cache(function), How::Never, doubtful))
            .into_iter()
            .collect();
    }
    if let (Some((class, name)), false) = (&class, closes.is_empty()) {
        return owner::closed(life, *class, name, at, &flow, closer, seen);
    }
    if !kept.is_empty() {
        return match uncalled(life, &closes) {
            Some(close) => global
                .zip(in_doubt(life, &users))
                .map(|((file, name), doubtful)| {
                    open(Keeper::Module(file, name), How::Uncalled(close), doubtful)
                })
                .into_iter()
                .collect(),
            None => Vec::new(),
        };
    }
    if function.is_module() {
        return Vec::new();
    }
    let own: Vec<ExprRef> = closes
        .iter()
        .copied()
        .filter(|close| close.file == function.file && facts.function_of(close.id) == function.id)
        .collect();
    if own.len() < closes.len() && !returned {
        // Another function ends it: a callee, a callback.
        return Vec::new();
    }
    let openings: BTreeSet<StmtId> = alive::openings(&flow, closer)
        .filter(|at| at.file == function.file && facts.function_of(at.id) == function.id)
        .filter_map(|at| facts.stmt_of(at.id))
        .collect();
    let own_ends: BTreeSet<StmtId> = own.iter().filter_map(|close| facts.stmt_of(close.id)).collect();
    // What opens and closes in one call leaves nothing open.
    if !openings.is_empty() && openings.is_subset(&own_ends) {
        return Vec::new();
    }
    let made = openings.difference(&own_ends).next().copied().unwrap_or(made);
    let mut found = in_function(life, &flow, function, made, &own, returned, &open);
    if returned && found.is_empty() {
        for site in life.call_sites(function) {
            found.extend(fate(life, site.call, closer, seen));
        }
    }
    found
}

/// An object that a function keeps to itself, and perhaps gives to its callers.
fn in_function(
    life: &Lifecycle,
    flow: &Flow,
    function: FunctionRef,
    made: StmtId,
    closes: &[ExprRef],
    returned: bool,
    open: &dyn Fn(Keeper, How, bool) -> Open,
) -> Vec<Open> {
    let facts = life.facts(function.file);
    let here = |expr: ExprRef| expr.file == function.file && facts.function_of(expr.id) == function.id;
    let mut ends: BTreeSet<StmtId> = closes.iter().filter_map(|close| facts.stmt_of(close.id)).collect();
    let mut tests: BTreeSet<StmtId> = BTreeSet::new();
    for at in flow.uses.iter().filter(|at| here(at.expr)) {
        let Some(stmt) = facts.stmt_of(at.expr.id) else { continue };
        match &at.kind {
            UseKind::Returned(_) => {
                ends.insert(stmt);
            }
            UseKind::Tested | UseKind::Attribute { .. } | UseKind::Method { .. }
                if matches!(facts.stmt(stmt).kind, StmtKind::If { .. }) =>
            {
                tests.insert(stmt);
            }
            _ => {}
        }
    }
    // What has to be started is alive only then: where the start fails, nothing is open.
    let started = flow
        .uses
        .iter()
        .filter(|at| here(at.expr) && !at.element)
        .filter(|at| matches!(&at.kind, UseKind::Method { name, .. } if Closer::starts(name)))
        .find_map(|at| facts.stmt_of(at.expr.id).filter(|stmt| !ends.contains(stmt)));
    let made = started.unwrap_or(made);
    let ways =
        life.ends(facts, function.id, made, &|stmt| ends.contains(&stmt), &|stmt| tests.contains(&stmt));
    let keeper = Keeper::Function(function);
    let (plain, exceptional): (Vec<Leak>, Vec<Leak>) =
        ways.leaks.into_iter().partition(|leak| leak.kind != LeakKind::Exception);
    if closes.is_empty() {
        if returned {
            // Ways that return it are the callers'; the others leave it open.
            let returns: Vec<Leak> = plain.into_iter().filter(|leak| leak.kind == LeakKind::Return).collect();
            return if returns.is_empty() {
                Vec::new()
            } else {
                vec![open(keeper, How::Some(returns), false)]
            };
        }
        return vec![open(keeper, How::Never, plain.is_empty())];
    }
    if !plain.is_empty() {
        return vec![open(keeper, How::Some(plain), false)];
    }
    let generator = facts.function(function.id).is_generator;
    // A test that raises has failed anyway.
    if exceptional.is_empty() || generator || returned || life.is_test(function) {
        return Vec::new();
    }
    vec![open(keeper, How::Exceptions(exceptional), true)]
}

/// The expressions that end the object.
pub(super) fn closes(life: &Lifecycle, flow: &Flow, closer: &Closer) -> Vec<ExprRef> {
    let mut found = Vec::new();
    for at in &flow.uses {
        match &at.kind {
            UseKind::Method { name, call, .. }
                if closer.ended_by(name)
                    || closer.with != super::closer::With::No
                        && matches!(&**name, "__aexit__" | "__exit__") =>
            {
                found.push(*call);
            }
            UseKind::Attribute { name, expr } => {
                let facts = life.facts(expr.file);
                if closer.ended_by(name) {
                    found.push(*expr);
                } else if let Some(up) = facts.parent_expr(expr.id)
                    && let ExprKind::Attribute { attr, .. } = &facts.expr(up).kind
                    && closer.part(name, attr)
                {
                    found.push(expr.with(up));
                }
            }
            UseKind::Argument { call, .. } if asked_for_end(life, *call, closer) => found.push(*call),
            UseKind::Called(call) if closer.ended_by("__call__") => found.push(*call),
            UseKind::Entered { .. } if closer.with != super::closer::With::No => found.push(at.expr),
            _ => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// `getattr(object, "aclose", None)`: what it gives is called where the library has it.
fn asked_for_end(life: &Lifecycle, call: ExprRef, closer: &Closer) -> bool {
    let facts = life.facts(call.file);
    let ExprKind::Call { func, args, .. } = &facts.expr(call.id).kind else { return false };
    facts.name_of(*func).is_some_and(|name| name == "getattr")
        && args.get(1).is_some_and(
            |&name| matches!(&facts.expr(name).kind, ExprKind::Str(name) if closer.ended_by(name)),
        )
}

/// The function that ends the object, where all such functions are called by nobody in the tree.
fn uncalled(life: &Lifecycle, closes: &[ExprRef]) -> Option<FunctionRef> {
    let mut found = None;
    for close in closes {
        let facts = life.facts(close.file);
        let function = FunctionRef { file: close.file, id: facts.function_of(close.id) };
        if function.id == MODULE || mentioned(life, function) {
            return None;
        }
        found.get_or_insert(function);
    }
    found
}

/// Whether anything in the tree names a function, or something outside may call it.
pub(super) fn mentioned(life: &Lifecycle, function: FunctionRef) -> bool {
    let of = life.facts(function.file).function(function.id);
    let inner = of.parent.is_some_and(|parent| parent != MODULE);
    if !of.decorators.is_empty() || inner || of.name.starts_with('<') || of.name.starts_with("__") {
        return true;
    }
    if of.name.starts_with("test") || of.name == "main" {
        return true;
    }
    life.files_with(&of.name).iter().any(|&file| {
        let facts = life.facts(file);
        [facts.loads.get(&of.name), facts.attributes.get(&of.name)].into_iter().flatten().flatten().any(
            |&at| {
                // A method's own recursion is no call from elsewhere.
                FunctionRef { file, id: facts.function_of(at) } != function
            },
        )
    })
}

/// Expressions that are the object, or what a module makes of it when it is imported: the session factory of an engine,
/// the collection of a client.
pub(super) fn uses(life: &Lifecycle, flow: &Flow) -> BTreeSet<ExprRef> {
    let mut found: BTreeSet<ExprRef> = flow.uses.iter().map(|at| at.expr).collect();
    let mut work: Vec<ExprRef> = found.iter().copied().collect();
    let mut followed: BTreeSet<ExprRef> = BTreeSet::new();
    while let Some(at) = work.pop() {
        let facts = life.facts(at.file);
        let Some(stmt) = facts.stmt_of(at.id).filter(|&stmt| facts.stmt(stmt).function == MODULE) else {
            continue;
        };
        let (StmtKind::Assign { value, .. } | StmtKind::AnnAssign { value: Some(value), .. }) =
            facts.stmt(stmt).kind
        else {
            continue;
        };
        let value = at.with(value);
        if value == at || followed.len() > MOST_DERIVED || !followed.insert(value) {
            continue;
        }
        for next in &life.flow(loopmend_python::lifecycle::Origin::Expr(value), false).uses {
            if found.insert(next.expr) {
                work.push(next.expr);
            }
        }
    }
    found
}

/// Whether closing an object that a module keeps is in doubt: not where one run of a fresh loop, which ends while the object
/// is alive, runs the functions that use it. Where several runs do, or one is repeated, each but the first finds it on
/// another loop, which is another cause's matter: none.
fn in_doubt(life: &Lifecycle, users: &BTreeSet<FunctionRef>) -> Option<bool> {
    let runs: BTreeSet<usize> = users.iter().flat_map(|&user| life.runs_reaching(user)).collect();
    let runs: Vec<_> =
        runs.into_iter().map(|run| &life.runs()[run]).filter(|run| run.kind != RunKind::Serve).collect();
    match runs[..] {
        [] => Some(true),
        [run] if !life.in_loop(run.call) => Some(false),
        _ => None,
    }
}
