//! Statements that close what was opened.

use std::collections::BTreeSet;

use loopmend_python::facts::{ExprId, ExprKind, Facts, Name, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle, StmtRef};

use super::open::{ENDS, Open};
use super::place::{mentions, place_name};

/// Whether a statement itself (without its blocks) ends the object: by its own method, by a method handed to a stack, by `with`,
/// or by a function of the tree that does so.
pub(crate) fn ends_in(life: &Lifecycle, file: FileId, stmt: StmtId, open: &Open) -> bool {
    let names = open.names(life.facts(open.function.file));
    ends_named(life, file, stmt, &names, &open.ends, 2)
}

/// Whether a statement of a block, or of a block within, ends the object.
pub(crate) fn ends_within(life: &Lifecycle, file: FileId, block: &[StmtId], open: &Open) -> bool {
    let facts = life.facts(file);
    let mut found = false;
    facts.walk(block, &mut |stmt| found = found || ends_in(life, file, stmt, open));
    found
}

fn ends_named(
    life: &Lifecycle,
    file: FileId,
    stmt: StmtId,
    names: &BTreeSet<Name>,
    ends: &[String],
    depth: u8,
) -> bool {
    let facts = life.facts(file);
    if let StmtKind::For { iter, body, .. } = &facts.stmt(stmt).kind
        && names.iter().any(|name| mentions(facts, *iter, name))
    {
        let mut closes = false;
        facts.walk_exprs(body, &mut |expr| closes |= ends_by_method(facts, expr, ends).is_some());
        if closes {
            return true;
        }
    }
    let mut found = false;
    let mut calls = Vec::new();
    facts.stmt(stmt).exprs(&mut |expr| {
        facts.descend(expr, &mut |inner| {
            if let Some(receiver) = ends_by_method(facts, inner, ends) {
                found |= place_name(facts, receiver).is_some_and(|name| names.contains(&name));
            }
            match &facts.expr(inner).kind {
                ExprKind::Call { .. } => calls.push(inner),
                // `stack.push_async_callback(shutdown, app)`.
                ExprKind::Name(_) | ExprKind::Attribute { .. }
                    if facts.parent_expr(inner).is_some_and(|up| {
                        matches!(&facts.expr(up).kind, ExprKind::Call { args, .. } if args.contains(&inner))
                    }) =>
                {
                    calls.push(inner);
                }
                _ => {}
            }
        });
    });
    if let StmtKind::With { items, .. } = &facts.stmt(stmt).kind {
        found |= items.iter().any(|item| {
            let mut hit = false;
            facts.descend(item.context, &mut |inner| {
                hit |= place_name(facts, inner).is_some_and(|name| names.contains(&name))
                    && !matches!(
                        facts.parent_expr(inner).map(|up| &facts.expr(up).kind),
                        Some(ExprKind::Attribute { .. })
                    );
            });
            hit
        });
    }
    if found || depth == 0 {
        return found;
    }
    calls.into_iter().any(|call| {
        let at = ExprRef { file, id: call };
        let callees: Vec<FunctionRef> = match facts.expr(call).kind {
            ExprKind::Call { .. } => life.callees(at),
            _ => life.infer(at).iter().filter_map(loopmend_python::lifecycle::Value::function).collect(),
        };
        callees.into_iter().any(|callee| {
            let facts = life.facts(callee.file);
            let mut hit = false;
            facts.walk(&facts.function(callee.id).body, &mut |stmt| {
                hit = hit || ends_named(life, callee.file, stmt, names, ends, depth - 1);
            });
            hit
        })
    })
}

/// The receiver, where an expression is a method that ends: `x` of `x.close`.
fn ends_by_method(facts: &Facts, expr: ExprId, ends: &[String]) -> Option<ExprId> {
    let ExprKind::Attribute { value, attr } = &facts.expr(expr).kind else { return None };
    let plain = ends.iter().any(|end| end.as_str() == attr.as_str());
    if plain {
        return Some(*value);
    }
    // `bot.session.close`.
    if let ExprKind::Attribute { value: inner, attr: outer } = &facts.expr(*value).kind
        && ends.iter().any(|end| end.split_once('.') == Some((outer.as_str(), attr.as_str())))
    {
        return Some(*inner);
    }
    (ENDS.contains(&attr.as_str()) && !ends.is_empty()).then_some(*value)
}

/// The calls in a block, nested blocks too, of a method that ends the object: `await app.state.redis.aclose()`.
pub(crate) fn close_calls(
    life: &Lifecycle,
    file: FileId,
    block: &[StmtId],
    open: &Open,
) -> Vec<(StmtRef, ExprRef)> {
    let facts = life.facts(file);
    let names = open.names(life.facts(open.function.file));
    let mut found = Vec::new();
    facts.walk(block, &mut |stmt| {
        facts.stmt(stmt).exprs(&mut |expr| {
            facts.descend(expr, &mut |inner| {
                if let ExprKind::Call { func, .. } = &facts.expr(inner).kind
                    && let Some(receiver) = ends_by_method(facts, *func, &open.ends)
                    && place_name(facts, receiver).is_some_and(|name| names.contains(&name))
                {
                    found.push((StmtRef { file, id: stmt }, ExprRef { file, id: inner }));
                }
            });
        });
    });
    found
}

/// The same in all other functions of the tree, for an object that outlives the function that opens it.
pub(crate) fn close_calls_elsewhere(life: &Lifecycle, open: &Open) -> Vec<(StmtRef, ExprRef)> {
    let names = open.names(life.facts(open.function.file));
    let home = life.facts(open.function.file);
    let own_class = home.function(open.function.id).class;
    let of_self = matches!(&home.expr(open.place.id).kind, ExprKind::Attribute { value, .. }
        if home.name_of(*value).is_some_and(|name| name == "self"));
    let bare_name = home.name_of(open.place.id).is_some();
    let mut found = Vec::new();
    for file in life.files_with_any(open.ends.iter().map(String::as_str)) {
        let facts = life.facts(file);
        for end in &open.ends {
            for &attribute in facts.attributes.get(end.as_str()).into_iter().flatten() {
                let ExprKind::Attribute { value, .. } = facts.expr(attribute).kind else { continue };
                if !place_name(facts, value).is_some_and(|name| names.contains(&name)) {
                    continue;
                }
                let function = FunctionRef { file, id: facts.function_of(attribute) };
                let call = facts.parent_expr(attribute);
                let (Some(call), Some(stmt)) = (call, facts.stmt_of(attribute)) else { continue };
                if function == open.function
                    || !matches!(facts.expr(call).kind, ExprKind::Call { func, .. } if func == attribute)
                {
                    continue;
                }
                let in_class = facts.function(function.id).class;
                let here_self = matches!(&facts.expr(value).kind, ExprKind::Attribute { value: receiver, .. }
                    if facts.name_of(*receiver).is_some_and(|name| name == "self"));
                if (of_self || here_self)
                    && !(of_self && here_self && file == open.function.file && in_class == own_class)
                {
                    continue;
                }
                if let Some(name) = facts.name_of(value) {
                    // A local of that function is another thing.
                    let local = facts.scopes[function.id.index()].contains_key(name)
                        && !facts.function(function.id).globals.contains(name);
                    if local || (bare_name && file != open.function.file && !imported(facts, name)) {
                        continue;
                    }
                }
                found.push((StmtRef { file, id: stmt }, ExprRef { file, id: call }));
            }
        }
    }
    found.sort_by_key(|(_, call)| *call);
    found.dedup();
    found
}

fn imported(facts: &Facts, name: &Name) -> bool {
    facts.scopes[0].contains_key(name)
}

/// Whether a close is only reached where the object is there: a condition that mentions it, a flag, or a handler around it.
pub(crate) fn is_guarded(life: &Lifecycle, stmt: StmtRef, call: ExprRef, within: Option<StmtId>) -> bool {
    let facts = life.facts(stmt.file);
    let mut at = call.id;
    while let Some(up) = facts.parent_expr(at) {
        if matches!(facts.expr(up).kind, ExprKind::IfElse { .. } | ExprKind::BoolOp { .. }) {
            return true;
        }
        at = up;
    }
    let mut inner = stmt.id;
    for (outer, slot) in facts.ancestors(stmt.id) {
        if Some(outer) == within {
            break;
        }
        match (&facts.stmt(outer).kind, slot) {
            (StmtKind::If { .. } | StmtKind::For { .. } | StmtKind::While { .. }, _) => return true,
            (StmtKind::Try { handlers, .. }, Slot::Body) if !handlers.is_empty() => return true,
            (StmtKind::With { items, .. }, _)
                if items.iter().any(|item| {
                    life.last_part(ExprRef { file: stmt.file, id: item.context }).as_deref()
                        == Some("suppress")
                }) =>
            {
                return true;
            }
            _ => {}
        }
        inner = outer;
    }
    // `if pool is None: return` before it.
    let (block, index) = facts.block_of(inner);
    let (own, place) = facts.block_of(stmt.id);
    block[..index].iter().chain(&own[..place]).any(|&before| match &facts.stmt(before).kind {
        StmtKind::If { body, .. } => body.last().is_some_and(|&last| {
            matches!(facts.stmt(last).kind, StmtKind::Return(_) | StmtKind::Raise { .. } | StmtKind::Continue)
        }),
        _ => false,
    })
}
