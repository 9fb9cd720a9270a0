//! The unwinding: `finally` where the function itself closes, `except BaseException` where others do, an exit stack for many.

use loopmend_model::Applicability;
use loopmend_python::edit::{Draft, ImportRequest, Refused, Source, import_edits};
use loopmend_python::facts::{Facts, StmtId, StmtKind};
use loopmend_python::lifecycle::Lifecycle;

use super::Detail;
use crate::startup::{Open, Phase, close_calls, nest, stacked, unwind};
use crate::{Declined, Mend};

pub(super) fn fix(life: &Lifecycle, detail: &Detail, applicability: Applicability) -> Result<Mend, Declined> {
    let leaky: Vec<Open> = detail.leaky.iter().map(|&index| detail.opens[index].clone()).collect();
    let Some(first) = leaky.first() else { return Err(Declined::because("nothing stays open")) };
    let file = first.function.file;
    let facts = life.facts(file);
    let source = Source::parse(&facts.path, life.text(file).clone());
    if let Phase::Lifespan(yields) = detail.phase
        && leaky.len() <= 3
        && let Some(draft) = nested(life, &source, detail, &leaky, yields)
    {
        let mut mend = Mend::new(applicability);
        mend.declared.moved = true;
        mend.edit(life, file, draft.edits());
        return Ok(mend);
    }
    let mut mend = Mend::new(applicability);
    let one_block = leaky
        .iter()
        .all(|open| facts.stmt(open.stmt).parent == facts.stmt(first.stmt).parent && !open.looped)
        && std::iter::once(detail.last)
            .chain(facts.ancestors(detail.last).map(|(stmt, _)| stmt))
            .any(|stmt| facts.stmt(stmt).parent == facts.stmt(first.stmt).parent);
    let mut draft = Draft::new(&source);
    if one_block && leaky.len() <= 2 {
        unwind(life, &mut draft, &leaky, detail.last)?;
        mend.declared.added = leaky.iter().map(|open| last_name(&open.close.method)).collect();
    } else {
        let (_, names) = import_edits(&source, &[ImportRequest::from("contextlib", "AsyncExitStack")]);
        let class = names.first().map_or("AsyncExitStack", String::as_str);
        let stack = free_name(facts, first);
        stacked(life, &mut draft, &leaky, detail.last, stack, class)?;
        draft.step(|now| Ok(import_edits(now, &[ImportRequest::from("contextlib", "AsyncExitStack")]).0))?;
        mend.declared.added =
            ["AsyncExitStack", "push_async_callback", "callback", "pop_all"].map(str::to_owned).to_vec();
    }
    mend.edit(life, file, draft.edits());
    Ok(mend)
}

fn last_name(method: &str) -> String {
    method.rsplit('.').next().unwrap_or(method).to_owned()
}

fn free_name(facts: &Facts, open: &Open) -> &'static str {
    let scope = &facts.scopes[open.function.id.index()];
    ["stack", "opened", "exit_stack"].into_iter().find(|name| !scope.contains_key(name)).unwrap_or("_stack")
}

/// The lifespan with a `finally` for each opening, where the function itself closes them after its `yield`.
fn nested(
    life: &Lifecycle,
    source: &Source,
    detail: &Detail,
    leaky: &[Open],
    yields: StmtId,
) -> Option<Draft> {
    let file = leaky.first()?.function.file;
    let facts = life.facts(file);
    let mut pairs: Vec<(Open, StmtId)> = Vec::new();
    for (index, open) in detail.opens.iter().enumerate() {
        match own_close(life, open, yields) {
            Some(close) => pairs.push((open.clone(), close)),
            None if detail.leaky.contains(&index) => return None,
            None => {}
        }
    }
    // The last opening keeps the `finally` that it has.
    let held = |close: StmtId| facts.stmt(close).parent.is_some();
    while pairs.len() > leaky.len() && pairs.last().is_some_and(|(_, close)| held(*close)) {
        pairs.pop();
    }
    let mut draft = Draft::new(source);
    let done: Result<(), Refused> = nest(life, &mut draft, &pairs, yields);
    done.ok().map(|()| draft)
}

/// The statement after the `yield` that closes the object and does nothing else; at the level of the openings, or in the
/// `finally` of the `try` around the `yield`.
fn own_close(life: &Lifecycle, open: &Open, yields: StmtId) -> Option<StmtId> {
    let facts = life.facts(open.function.file);
    let body = &facts.function(open.function.id).body;
    let after = facts.stmt(yields).range.end();
    let calls: Vec<_> = close_calls(life, open.function.file, body, open)
        .into_iter()
        .filter(|(stmt, _)| facts.stmt(stmt.id).range.start() >= after)
        .collect();
    let [(stmt, _)] = calls[..] else { return None };
    if !matches!(facts.stmt(stmt.id).kind, StmtKind::Expr(_)) {
        return None;
    }
    let mut calls_in = 0;
    facts.stmt(stmt.id).exprs(&mut |expr| {
        facts.descend(expr, &mut |inner| {
            calls_in +=
                u32::from(matches!(facts.expr(inner).kind, loopmend_python::facts::ExprKind::Call { .. }));
        });
    });
    if calls_in != 1 {
        return None;
    }
    // `if redis is not None: await redis.aclose()` goes as a whole.
    let mut at = stmt.id;
    if let Some(outer) = facts.stmt(at).parent
        && let StmtKind::If { body, orelse, .. } = &facts.stmt(outer).kind
        && body.len() == 1
        && orelse.is_empty()
    {
        at = outer;
    }
    let level = facts.stmt(open.stmt).parent;
    let place = facts.stmt(at).parent;
    let in_finally = place.is_some_and(|outer| {
        facts.stmt(outer).parent == level
            && facts.within(yields, outer)
            && matches!(&facts.stmt(outer).kind, StmtKind::Try { finally, .. } if finally.contains(&at))
    });
    (place == level || in_finally).then_some(at)
}
