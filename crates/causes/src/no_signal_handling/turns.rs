//! How soon a loop comes round to look at an event.

use loopmend_python::facts::{ExprId, ExprKind, Facts, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle};

/// What stands in the way of a loop's next turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Turns {
    /// It does nothing but sleep.
    Idle,
    /// Each turn ends by itself, but for these sleeps, which may be long: the statement and the delay.
    End(Vec<(StmtId, ExprRef)>),
    /// It waits for something without a limit: for these awaited calls, as far as they stand in the loop itself.
    Blocks(Vec<ExprRef>),
}

/// Seconds that a turn may take without being looked at.
const SHORT: f64 = 2.0;

/// Calls that wait for something to come.
const WAITS: &[&str] = &[
    "getone",
    "receive",
    "receive_json",
    "receive_text",
    "recv",
    "accept",
    "readline",
    "readuntil",
    "readexactly",
    "next_msg",
    "next_message",
    "anext",
    "__anext__",
    "wait",
    "join",
    "get_event",
    "next_event",
    "wait_closed",
];
/// Commands that wait on the server as long as they are told, by their place of the time in seconds.
const COMMANDS: &[(&str, usize)] = &[
    ("blpop", 1),
    ("brpop", 1),
    ("bzpopmin", 1),
    ("bzpopmax", 1),
    ("brpoplpush", 2),
    ("blmove", 2),
    ("blmpop", 0),
];

/// How a `while` of a function comes round.
pub(super) fn turns(life: &Lifecycle, function: FunctionRef, stmt: StmtId) -> Turns {
    let facts = life.facts(function.file);
    let StmtKind::While { body, .. } = &facts.stmt(stmt).kind else { return Turns::Blocks(Vec::new()) };
    if let [only] = body[..]
        && sleep(life, function, only).is_some()
    {
        return Turns::Idle;
    }
    let mut sleeps = Vec::new();
    let mut iterates = false;
    let mut blocks = Vec::new();
    facts.walk(body, &mut |inner| {
        iterates |= matches!(facts.stmt(inner).kind, StmtKind::For { is_async: true, .. });
        if let Some(delay) = sleep(life, function, inner) {
            if seconds(life, delay).is_none_or(|known| known > SHORT) {
                sleeps.push((inner, delay));
            }
            return;
        }
        facts.stmt(inner).exprs(&mut |expr| {
            facts.descend(expr, &mut |id| {
                if let ExprKind::Await(value) = facts.expr(id).kind {
                    let value = ExprRef { file: function.file, id: value };
                    if may_block(life, value) {
                        blocks.push(value);
                    }
                }
            });
        });
    });
    if iterates {
        Turns::Blocks(Vec::new())
    } else if blocks.is_empty() {
        Turns::End(sleeps)
    } else {
        Turns::Blocks(blocks)
    }
}

/// The delay of a statement that is nothing but `await asyncio.sleep(delay)`.
fn sleep(life: &Lifecycle, function: FunctionRef, stmt: StmtId) -> Option<ExprRef> {
    let facts = life.facts(function.file);
    let StmtKind::Expr(value) = facts.stmt(stmt).kind else { return None };
    let ExprKind::Await(call) = facts.expr(value).kind else { return None };
    let call = ExprRef { file: function.file, id: call };
    let ExprKind::Call { args, keywords, .. } = &facts.expr(call.id).kind else { return None };
    if !life.calls_any(call, &["asyncio.sleep"]) {
        return None;
    }
    let delay = args.first().copied().or_else(|| keywords.first().map(|keyword| keyword.value))?;
    Some(call.with(delay))
}

fn may_block(life: &Lifecycle, value: ExprRef) -> bool {
    let facts = life.facts(value.file);
    let ExprKind::Call { args, .. } = &facts.expr(value.id).kind else { return true };
    let callees = life.callees(value);
    if !callees.is_empty() {
        return callees
            .into_iter()
            .any(|callee| life.reachable(callee).into_iter().any(|at| waits_inside(life, at)));
    }
    let Some(name) = life.called_name(value) else { return true };
    if let Some(&(_, place)) = COMMANDS.iter().find(|(command, _)| *command == name) {
        let limit = keyword(facts, value.id, &["timeout"]).or_else(|| args.get(place).copied());
        return limit.is_none_or(|limit| !is_short(life, value.with(limit), 1.0));
    }
    let milliseconds = ["block", "timeout_ms"];
    if let Some(limit) = keyword(facts, value.id, &milliseconds) {
        return !is_short(life, value.with(limit), 1000.0);
    }
    if let Some(limit) = keyword(facts, value.id, &["timeout"]) {
        return !is_short(life, value.with(limit), 1.0);
    }
    match name.as_str() {
        "wait_for" => args.get(1).is_none_or(|&limit| !is_short(life, value.with(limit), 1.0)),
        "sleep" => args
            .first()
            .is_none_or(|&delay| seconds(life, value.with(delay)).is_none_or(|known| known > SHORT)),
        "get" => args.is_empty(),
        "gather" => args.iter().any(|&inner| {
            matches!(facts.expr(inner).kind, ExprKind::Call { .. }) && may_block(life, value.with(inner))
        }),
        _ => WAITS.contains(&name.as_str()),
    }
}

fn waits_inside(life: &Lifecycle, function: FunctionRef) -> bool {
    let facts = life.facts(function.file);
    if !facts.function(function.id).is_async {
        return false;
    }
    let mut found = false;
    facts.walk(&facts.function(function.id).body, &mut |stmt| {
        found |= matches!(facts.stmt(stmt).kind, StmtKind::For { is_async: true, .. });
    });
    facts.body_exprs(function.id, &mut |id| {
        if let ExprKind::Await(value) = facts.expr(id).kind {
            let value = ExprRef { file: function.file, id: value };
            if life.callees(value).is_empty() && life.called_name(value).as_deref() != Some("sleep") {
                found |= matches!(facts.expr(value.id).kind, ExprKind::Call { .. }) && may_block(life, value);
            }
        }
    });
    found
}

fn keyword(facts: &Facts, call: ExprId, names: &[&str]) -> Option<ExprId> {
    let ExprKind::Call { keywords, .. } = &facts.expr(call).kind else { return None };
    keywords
        .iter()
        .find(|keyword| keyword.name.as_ref().is_some_and(|name| names.contains(&name.as_str())))
        .map(|keyword| keyword.value)
}

/// Whether a limit is one, and no long one; what is not written out is taken as one.
fn is_short(life: &Lifecycle, limit: ExprRef, unit: f64) -> bool {
    match life.facts(limit.file).expr(limit.id).kind {
        ExprKind::None => false,
        _ => seconds(life, limit).is_none_or(|known| known > 0.0 && known / unit <= 5.0),
    }
}

/// A number as it is written, or of a constant of the tree.
fn seconds(life: &Lifecycle, expr: ExprRef) -> Option<f64> {
    let number = |at: ExprRef| life.source(at).replace('_', "").parse::<f64>().ok();
    number(expr).or_else(|| {
        let values = life.infer(expr);
        match values[..] {
            [loopmend_python::lifecycle::Value::Constant(at)] => number(at),
            _ => None,
        }
    })
}
