//! Cancels that something is closed behind.

use std::cell::LazyCell;

use loopmend_python::facts::{ExprKind, Facts, Parent, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Kind, Lifecycle, Task, Value};

use crate::background::{Link, Wait, closings};

/// A cancel that nothing waits behind.
#[derive(Clone, Debug)]
pub(super) struct Cancel {
    /// The call.
    pub(super) call: ExprRef,
    /// The function that it stands in.
    pub(super) function: FunctionRef,
    /// The statement behind which something should wait.
    pub(super) stmt: StmtId,
    /// What was cancelled: the task, or the collection that a loop goes through; none where it has no plain name.
    pub(super) handle: Option<(ExprRef, bool)>,
    /// What is closed behind it: a receiver, or the context of a `with`.
    pub(super) closed: ExprRef,
    /// What is closed is the loop.
    pub(super) is_loop: bool,
}

impl Cancel {
    /// How its function can wait, if it can.
    pub(super) fn waits(&self, life: &Lifecycle) -> Option<Wait> {
        self.handle?;
        let of = life.facts(self.function.file).function(self.function.id);
        if of.is_async {
            Some(Wait::Await)
        } else if self.is_loop && self.closed.file == self.call.file {
            Some(Wait::Run(life.source(self.closed).to_owned()))
        } else {
            None
        }
    }
}

/// The cancels of a task that something is closed behind.
pub(super) fn cancels(life: &Lifecycle, task: &Task) -> Vec<Cancel> {
    let mut found = Vec::new();
    let link = LazyCell::new(|| Link::of(life, task));
    for call in task.cancels() {
        let facts = life.facts(call.file);
        if !matches!(facts.expr(call.id).kind, ExprKind::Call { .. }) {
            continue;
        }
        let function = FunctionRef { file: call.file, id: facts.function_of(call.id) };
        let Some((stmt, handle)) = cancelled(facts, call) else { continue };
        if let Some((closed, is_loop)) = closed_behind(life, facts, &link, function, stmt) {
            found.push(Cancel { call, function, stmt, handle, closed, is_loop });
        }
    }
    found
}

/// The statement behind which all is cancelled, and what is.
fn cancelled(facts: &Facts, call: ExprRef) -> Option<(StmtId, Option<(ExprRef, bool)>)> {
    let ExprKind::Call { func, .. } = facts.expr(call.id).kind else { return None };
    let ExprKind::Attribute { value, .. } = facts.expr(func).kind else { return None };
    let stmt = facts.stmt_of(call.id)?;
    // `[task.cancel() for task in tasks]`.
    if let Some(up) = facts.parent_expr(call.id) {
        if let ExprKind::Comprehension { generators, .. } = &facts.expr(up).kind
            && let [(_, iter, _)] = &generators[..]
        {
            return Some((stmt, Some((call.with(*iter), true)).filter(|_| plain(facts, call.with(*iter)))));
        }
        return Some((stmt, None));
    }
    if !matches!(facts.expr(call.id).parent, Parent::Stmt(_))
        || !matches!(facts.stmt(stmt).kind, StmtKind::Expr(_))
    {
        return Some((stmt, None));
    }
    if let Some(name) = facts.name_of(value) {
        for (outer, slot) in facts.ancestors(stmt) {
            if let StmtKind::For { target, iter, .. } = &facts.stmt(outer).kind
                && slot == Slot::Body
                && facts.name_of(*target) == Some(name)
            {
                let iter = call.with(*iter);
                return Some((outer, Some((iter, true)).filter(|_| plain(facts, iter))));
            }
        }
    }
    let receiver = call.with(value);
    Some((stmt, Some((receiver, false)).filter(|_| plain(facts, receiver))))
}

/// Names, attributes, keys and `values()` or a copy of them: what can be written twice.
fn plain(facts: &Facts, expr: ExprRef) -> bool {
    match &facts.expr(expr.id).kind {
        ExprKind::Name(_) => true,
        ExprKind::Attribute { value, .. } => plain(facts, expr.with(*value)),
        ExprKind::Subscript { value, index } => {
            facts.key(*index).is_some() && plain(facts, expr.with(*value))
        }
        ExprKind::List(items) | ExprKind::Tuple(items) => {
            items.iter().all(|&item| plain(facts, expr.with(item)))
        }
        ExprKind::Call { func, args, keywords } => {
            let last = facts.dotted(*func).unwrap_or_default();
            let last = last.rsplit('.').next().unwrap_or_default();
            keywords.is_empty()
                && matches!(last, "values" | "list" | "tuple" | "set" | "copy")
                && args.iter().all(|&arg| plain(facts, expr.with(arg)))
        }
        _ => false,
    }
}

/// What is closed behind a statement: in its function, around it, or by who called the function.
fn closed_behind(
    life: &Lifecycle,
    facts: &Facts,
    link: &LazyCell<Link, impl FnOnce() -> Link>,
    function: FunctionRef,
    stmt: StmtId,
) -> Option<(ExprRef, bool)> {
    let body = &facts.function(function.id).body;
    let end = facts.stmt(stmt).range.end();
    for closing in closings(life, function, body) {
        if facts.expr(closing.call.id).range.start() < end || excluded(facts, stmt, closing.stmt) {
            continue;
        }
        let is_loop = is_loop(life, closing.receiver);
        if is_loop || link.works_with(life, closing.receiver) {
            return Some((closing.receiver, is_loop));
        }
    }
    for (outer, slot) in facts.ancestors(stmt) {
        if slot != Slot::Body {
            continue;
        }
        if let StmtKind::With { items, .. } = &facts.stmt(outer).kind {
            let entered = items
                .iter()
                .map(|item| (ExprRef { file: function.file, id: item.context }, item.target))
                .find(|&(context, target)| link.works_inside(life, context, target));
            if let Some((context, _)) = entered {
                return Some((context, false));
            }
        }
    }
    // `await writer.stop()`, then `await pool.close()`.
    for site in life.call_sites(function) {
        let other = life.facts(site.call.file);
        let Some(at) = other.stmt_of(site.call.id) else { continue };
        let caller = FunctionRef { file: site.call.file, id: other.stmt(at).function };
        if caller == function {
            continue;
        }
        let (block, index) = other.block_of(at);
        let closing = closings(life, caller, &block[index + 1..])
            .into_iter()
            .find(|closing| link.works_with(life, closing.receiver) || is_loop(life, closing.receiver));
        if let Some(closing) = closing {
            return Some((closing.receiver, is_loop(life, closing.receiver)));
        }
    }
    None
}

/// Whether the second statement is not reached from the first: they stand in branches of which one runs, or the way from
/// the first leaves the function or loop before.
fn excluded(facts: &Facts, left: StmtId, right: StmtId) -> bool {
    let mut level = left;
    loop {
        let (block, index) = facts.block_of(level);
        let leaves = block[index + 1..].iter().take_while(|&&stmt| !facts.within(right, stmt)).any(|&stmt| {
            matches!(
                facts.stmt(stmt).kind,
                StmtKind::Return(_) | StmtKind::Raise { .. } | StmtKind::Break | StmtKind::Continue
            )
        });
        if leaves && !in_finally_around(facts, level, right) {
            return true;
        }
        if block.iter().any(|&stmt| facts.within(right, stmt)) {
            break;
        }
        match facts.stmt(level).parent {
            Some(up) => level = up,
            None => break,
        }
    }
    facts.ancestors(left).any(|(outer, slot)| {
        matches!(facts.stmt(outer).kind, StmtKind::If { .. } | StmtKind::Match { .. })
            && facts.ancestors(right).any(|(other, there)| other == outer && there != slot)
    })
}

/// Whether the second statement stands in a `finally` around the first.
fn in_finally_around(facts: &Facts, left: StmtId, right: StmtId) -> bool {
    facts.ancestors(left).any(|(outer, slot)| {
        matches!(facts.stmt(outer).kind, StmtKind::Try { .. })
            && slot != Slot::Finally
            && facts.ancestors(right).any(|(other, there)| other == outer && there == Slot::Finally)
    })
}

fn is_loop(life: &Lifecycle, expr: ExprRef) -> bool {
    life.infer(expr).iter().any(|value| {
        matches!(value, Value::Instance(Kind::External(class), _) if class == "asyncio.AbstractEventLoop")
    })
}
