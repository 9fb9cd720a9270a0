//! What may fail after something was opened, and whether it is then closed.

use loopmend_python::facts::{ExprKind, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Kind, Lifecycle, Value};

use super::closing::{ends_in, ends_within};
use super::open::Open;

/// The statements after an opening, before `until`, that may fail as connections and migrations do: those that await, and
/// calls of functions whose name says that they migrate or check.
pub(crate) fn risks(life: &Lifecycle, open: &Open, until: Option<StmtId>) -> Vec<StmtId> {
    let facts = life.facts(open.function.file);
    let start = facts.stmt(open.stmt).range.end();
    let end = until.map(|stmt| facts.stmt(stmt).range.start());
    let mut found = Vec::new();
    facts.walk(&facts.function(open.function.id).body, &mut |stmt| {
        let node = facts.stmt(stmt);
        let later = node.range.start() >= start || (open.looped && stmt == open.stmt);
        if !later || end.is_some_and(|end| node.range.start() >= end) {
            return;
        }
        if may_fail(life, open.function, stmt) && !ends_in(life, open.function.file, stmt, open) {
            found.push(stmt);
        }
    });
    found.retain(|&risk| {
        // A handler of the opening's own failure, or the other branch, is not after it.
        let handles = facts.ancestors(risk).any(|(outer, slot)| {
            matches!(slot, Slot::Handler(_)) && facts.within(open.stmt, outer) && risk != open.stmt
        });
        let other_branch = facts.ancestors(risk).any(|(outer, slot)| {
            matches!(facts.stmt(outer).kind, StmtKind::If { .. } | StmtKind::Match { .. })
                && facts.ancestors(open.stmt).any(|(own, own_slot)| own == outer && own_slot != slot)
        });
        !handles && !other_branch
    });
    found
}

/// Whether an exception out of `risk` finds the object closed: by a handler or `finally` around it, in the function or around
/// each of its calls.
pub(crate) fn protected(life: &Lifecycle, open: &Open, risk: StmtId) -> bool {
    let file = open.function.file;
    let facts = life.facts(file);
    let here = facts.ancestors(risk).any(|(outer, slot)| {
        let StmtKind::Try { handlers, finally, .. } = &facts.stmt(outer).kind else { return false };
        matches!(slot, Slot::Body | Slot::Orelse)
            && (ends_within(life, file, finally, open)
                || handlers.iter().any(|handler| ends_within(life, file, &handler.body, open)))
    });
    here || guarded_by_callers(life, open, open.function, CALLERS)
}

/// How far out a caller may stand that ends what is opened.
const CALLERS: u8 = 4;

fn guarded_by_callers(life: &Lifecycle, open: &Open, function: FunctionRef, depth: u8) -> bool {
    if depth == 0 || !open.kept(life) {
        return false;
    }
    let sites = life.call_sites(function);
    !sites.is_empty()
        && sites.iter().all(|site| {
            let file = site.call.file;
            let facts = life.facts(file);
            let Some(stmt) = facts.stmt_of(site.call.id) else { return false };
            let around =
                facts.ancestors(stmt).filter(|(_, slot)| *slot == Slot::Body).any(|(outer, _)| match &facts
                    .stmt(outer)
                    .kind
                {
                    StmtKind::Try { handlers, finally, .. } => {
                        ends_within(life, file, finally, open)
                            || handlers.iter().any(|handler| ends_within(life, file, &handler.body, open))
                    }
                    StmtKind::With { items, .. } => {
                        items.iter().any(|item| leaving_ends(life, ExprRef { file, id: item.context }, open))
                    }
                    _ => false,
                });
            let caller = FunctionRef { file, id: facts.function_of(site.call.id) };
            around
                || pushed_before(life, open, caller, stmt)
                || guarded_by_callers(life, open, caller, depth - 1)
        })
}

/// Whether leaving a `with` of this object ends what is opened: its class's exit does, or what that calls.
fn leaving_ends(life: &Lifecycle, context: ExprRef, open: &Open) -> bool {
    life.infer(context).iter().any(|value| {
        let Value::Instance(Kind::Class(class), _) = value else { return false };
        let exits = ["__aexit__", "__exit__"].into_iter().filter_map(|name| life.method(*class, name));
        exits.flat_map(|exit| life.reachable(exit)).any(|function| {
            let body = &life.facts(function.file).function(function.id).body;
            ends_within(life, function.file, body, open)
        })
    })
}

/// `stack.push_async_callback(shutdown, app)` before the call, in the same function.
fn pushed_before(life: &Lifecycle, open: &Open, function: FunctionRef, before: StmtId) -> bool {
    let facts = life.facts(function.file);
    let end = facts.stmt(before).range.start();
    let mut found = false;
    facts.walk(&facts.function(function.id).body, &mut |stmt| {
        if facts.stmt(stmt).range.start() >= end || found {
            return;
        }
        let mut pushes = false;
        facts.stmt(stmt).exprs(&mut |expr| {
            facts.descend(expr, &mut |inner| {
                pushes |= matches!(&facts.expr(inner).kind, ExprKind::Attribute { attr, .. }
                    if attr.starts_with("push") || attr == "callback");
            });
        });
        found = pushes && ends_in(life, function.file, stmt, open);
    });
    found
}

/// Whether a statement itself awaits something that may fail, or runs a migration or check.
pub(crate) fn may_fail(life: &Lifecycle, function: FunctionRef, stmt: StmtId) -> bool {
    let facts = life.facts(function.file);
    let mut found = matches!(
        facts.stmt(stmt).kind,
        StmtKind::With { is_async: true, .. } | StmtKind::For { is_async: true, .. }
    );
    facts.stmt(stmt).exprs(&mut |expr| {
        facts.descend(expr, &mut |inner| match &facts.expr(inner).kind {
            ExprKind::Await(value) => {
                let call = ExprRef { file: function.file, id: *value };
                found |= !matches!(facts.expr(*value).kind, ExprKind::Call { .. })
                    || !life.calls_any(call, &["asyncio.sleep"]);
            }
            ExprKind::Call { func, .. } => {
                if let ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } = &facts.expr(*func).kind
                {
                    found |= name.contains("migrat") || name.contains("upgrade") || name == "create_all";
                }
            }
            _ => {}
        });
    });
    found
}
