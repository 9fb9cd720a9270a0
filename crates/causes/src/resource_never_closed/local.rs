//! Objects that one function opens and uses: `async with`, or `try` and `finally`.

use std::collections::BTreeSet;

use loopmend_python::edit::{
    Comments, Draft, Edit, Source, delete_statement, indent_lines, insert_after, insert_at_end, unwrap_first,
    wrap_statements,
};
use loopmend_python::facts::{Definition, ExprId, ExprKind, Facts, MODULE, Name, Slot, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle};
use ruff_text_size::{Ranged, TextRange};

use super::closer::{Closer, With};
use super::edits::Edits;
use super::mend::needs_coroutine;
use crate::Declined;

/// Closes an object with a local name at the end of its use.
pub(super) fn close_at_end(
    edits: &mut Edits<'_>,
    function: FunctionRef,
    made: StmtId,
    name: &str,
    call: ExprRef,
    closer: &Closer,
    with: bool,
) -> Result<(), Declined> {
    let life = edits.life;
    let facts = life.facts(function.file);
    let is_async = facts.function(function.id).is_async;
    if closer.awaits() && !is_async {
        return Err(needs_coroutine(closer));
    }
    let uses = Uses::of(life, function, made, name, closer)?;
    let source = edits.source(function.file);
    let made_range = facts.stmt(made).range;
    let Some(last) = uses.last else {
        // Nothing is done with it after it was made.
        edits.closes(closer);
        return edits.try_add(function.file, insert_after(&source, made_range, &closer.statements(name)));
    };
    let (block, at) = facts.block_of(made);
    let mut after = last - at;
    let mut draft = Draft::new(&source);
    for close in uses.closes.iter().rev() {
        let mut gone = *close;
        // `if session is not None: await session.close()` goes as a whole.
        while let Some(up) = facts.stmt(gone).parent
            && let StmtKind::If { body, orelse, .. } = &facts.stmt(up).kind
            && orelse.is_empty()
            && body.iter().all(|inner| uses.closes.contains(inner) || *inner == gone)
        {
            gone = up;
        }
        if let Some(up) = facts.stmt(gone).parent
            && facts.stmt(gone).slot == Slot::Finally
            && let StmtKind::Try { body, handlers, finally, .. } = &facts.stmt(up).kind
            && finally.iter().all(|inner| uses.closes.contains(inner) || *inner == gone)
        {
            if !handlers.is_empty() {
                return Err(Declined::because(
                    "a `try` with handlers closes the object, but not on every way: move its opening into the `try`",
                ));
            }
            // The others of this `finally` go with it.
            if finally.first() != Some(&gone) {
                continue;
            }
            draft.step(|now| unwrap_first(now, facts.stmt(up).range))?;
            if block.contains(&up) {
                after += body.len() - 1;
            }
            continue;
        }
        draft.step(|now| delete_statement(now, facts.stmt(gone).range, Comments::Keep))?;
        if block.contains(&gone) && block.iter().position(|&stmt| stmt == gone).is_some_and(|at| at <= last) {
            after -= 1;
        }
    }
    if after == 0 {
        return Err(Declined::because("nothing but the close is done with the object"));
    }
    let with = with && context_manager(life, &uses, name, call, closer, is_async);
    draft.step(|now| {
        let first = now
            .statement_at_offset(made_range.start())
            .ok_or(loopmend_python::edit::Refused::Missing("statement"))?;
        let (from, to) = (first.index + 1, (first.index + after).min(first.body.len() - 1));
        let run = first.body[from].range().cover(first.body[to].range());
        if with {
            entered(now, facts, made, name, call, closer, run)
        } else {
            wrap_statements(now, run, "try:", &[("finally:", &closer.statements(name))])
        }
    })?;
    if uses.closes.is_empty() {
        if !with {
            edits.closes(closer);
        }
    } else {
        for name in &closer.ends {
            edits.removes(name.rsplit('.').next().unwrap_or(name).to_owned());
        }
        edits.removes("wait_closed".to_owned());
        if !with {
            edits.closes(closer);
        }
    }
    edits.add(function.file, draft.edits());
    Ok(())
}

/// Closes what a generator keeps in a framework's object, once the generator goes on after its `yield`.
pub(super) fn close_after_yield(
    edits: &mut Edits<'_>,
    function: FunctionRef,
    made: StmtId,
    place: ExprRef,
    closer: &Closer,
) -> Result<(), Declined> {
    let life = edits.life;
    let facts = life.facts(function.file);
    let (block, at) = facts.block_of(made);
    let Some(last) = last_yield(facts, block).filter(|&last| last > at) else {
        return Err(Declined::because(format!(
            "nothing here outlives the start-up: close `{}` where the application shuts down",
            life.source(place)
        )));
    };
    if closer.awaits() && !facts.function(function.id).is_async {
        return Err(needs_coroutine(closer));
    }
    let source = edits.source(function.file);
    let close = closer.statements(life.source(place));
    // A `try` that ends with the generator takes the close into its `finally`.
    if last == at + 1
        && let StmtKind::Try { finally, .. } = &facts.stmt(block[last]).kind
        && !finally.is_empty()
        && let Some(found) = source.statement_at(facts.stmt(block[last]).range)
        && let Some(node) = found.stmt.as_try_stmt()
    {
        edits.closes(closer);
        return edits.try_add(function.file, insert_at_end(&source, &node.finalbody, &close));
    }
    let run = facts.stmt(block[at + 1]).range.cover(facts.stmt(block[last]).range);
    edits.closes(closer);
    edits.try_add(function.file, wrap_statements(&source, run, "try:", &[("finally:", &close)]))
}

fn last_yield(facts: &Facts, block: &[StmtId]) -> Option<usize> {
    block.iter().rposition(|&stmt| {
        let mut found = false;
        facts.walk_exprs(&[stmt], &mut |expr| {
            found |= matches!(facts.expr(expr).kind, ExprKind::Yield(_) | ExprKind::YieldFrom(_));
        });
        found
    })
}

/// `name = f()` becomes `async with f() as name:` over the run.
fn entered(
    now: &Source,
    facts: &Facts,
    made: StmtId,
    name: &str,
    call: ExprRef,
    closer: &Closer,
    run: TextRange,
) -> Result<Vec<Edit>, loopmend_python::edit::Refused> {
    let stmt = facts.stmt(made).range;
    let mut value = facts.expr(call.id).range;
    // The `await` of a value that is entered, not of a call that is.
    if closer.with != With::AsyncCall
        && let Some(up) = facts.parent_expr(call.id)
        && matches!(facts.expr(up).kind, ExprKind::Await(_))
    {
        value = facts.expr(up).range;
    }
    let found = now.statement_at(stmt).ok_or(loopmend_python::edit::Refused::Missing("statement"))?;
    if now.header_colon(found).is_some() || now.joined(found).len() != 1 {
        return Err(loopmend_python::edit::Refused::SharedLine);
    }
    let keyword = if closer.with == With::Sync { "with" } else { "async with" };
    let mut edits = vec![
        Edit::replacement(TextRange::new(stmt.start(), value.start()), format!("{keyword} ")),
        Edit::replacement(TextRange::new(value.end(), stmt.end()), format!(" as {name}:")),
    ];
    let below = now.lines_end(found);
    let lines = TextRange::new(below, now.next_line(run.end()));
    edits.extend(indent_lines(now, lines));
    // A block does not begin with an empty line.
    let empty: usize =
        now.slice(lines).split_inclusive('\n').take_while(|line| line.trim().is_empty()).map(str::len).sum();
    edits.push(Edit::deletion(TextRange::at(below, ruff_text_size::TextSize::new(empty as u32))));
    Ok(edits)
}

/// Whether `async with` does what opening and closing by hand do.
fn context_manager(
    life: &Lifecycle,
    uses: &Uses,
    name: &str,
    call: ExprRef,
    closer: &Closer,
    is_async: bool,
) -> bool {
    let facts = life.facts(call.file);
    let simple = matches!(
        facts.stmt_of(call.id).map(|stmt| &facts.stmt(stmt).kind),
        Some(StmtKind::Assign { targets, .. }) if matches!(&facts.expr(targets[0]).kind, ExprKind::Name(own) if own == name)
    );
    let fits = match closer.with {
        With::No => false,
        With::Sync => true,
        With::Async | With::AsyncCall => is_async,
    };
    // Entering a connection of psycopg also commits when it is left.
    let commits = closer.path.starts_with("psycopg.");
    simple && fits && !commits && !uses.started && closer.owner.is_none()
}

/// What is done with a local object after it was made.
struct Uses {
    /// Index in the block of the last statement that needs it; none where there is none.
    last: Option<usize>,
    /// Statements that close it.
    closes: BTreeSet<StmtId>,
    /// A method is called that brings it to life.
    started: bool,
}

impl Uses {
    fn of(
        life: &Lifecycle,
        function: FunctionRef,
        made: StmtId,
        name: &str,
        closer: &Closer,
    ) -> Result<Self, Declined> {
        let facts = life.facts(function.file);
        let (block, at) = facts.block_of(made);
        let own = Name::new(name);
        let start = facts.stmt(made).range.end();
        let rebound = facts.scopes[function.id.index()].get(&own).into_iter().flatten().any(|&id| {
            let binding = facts.binding(id);
            binding.stmt.is_some_and(|stmt| {
                stmt != made
                    && facts.stmt(stmt).range.start() > start
                    && !matches!(
                        &binding.kind,
                        loopmend_python::facts::BindingKind::Value { value, .. } if matches!(facts.expr(*value).kind, ExprKind::None)
                    )
            })
        });
        if rebound {
            return Err(Declined::because(format!(
                "`{name}` is given another value later: close the first one before that"
            )));
        }
        let mut uses = Self { last: None, closes: BTreeSet::new(), started: false };
        let mut derived = siblings(facts, made, &own);
        let mut needed: Vec<ExprId> = Vec::new();
        let mut closing_top = None;
        for load in life.loads_of(function.file, function.id, &own) {
            if facts.expr(load.id).range.start() < start {
                continue;
            }
            let Some(top) = top_of(facts, load.id, block) else {
                return Err(Declined::because(format!(
                    "`{name}` is used outside the block that opens it: close it in a `finally` around both"
                )));
            };
            match closing_stmt(facts, load.id, closer) {
                Some(Ok(stmt)) => {
                    uses.closes.insert(stmt);
                    closing_top = closing_top.max(Some(top));
                    continue;
                }
                Some(Err(())) => {
                    return Err(Declined::because(format!(
                        "`{name}` is closed in a way that could not be moved: use `async with` by hand"
                    )));
                }
                None => {}
            }
            if let Some((method, _)) = method_of(facts, load.id) {
                uses.started |= Closer::starts(method);
            }
            if data_only(life, load, closer) {
                continue;
            }
            needed.push(load.id);
            uses.last = uses.last.max(Some(top));
            derive(facts, load.id, &mut derived);
        }
        // What was made of the object may need it while it is used.
        let mut known = usize::MAX;
        while known != derived.len() {
            known = derived.len();
            for name in derived.clone() {
                for load in life.loads_of(function.file, function.id, &name) {
                    if facts.expr(load.id).range.start() > start
                        && let Some(top) = top_of(facts, load.id, block)
                    {
                        uses.last = uses.last.max(Some(top));
                        derive(facts, load.id, &mut derived);
                    }
                }
            }
        }
        // The author's own close says how long it is needed.
        uses.last = match closing_top {
            Some(top) if uses.last.is_none_or(|last| last <= top) => Some(top),
            _ => uses.last,
        };
        if facts.function(function.id).is_generator
            && let Some(last) = last_yield(facts, block).filter(|&last| last > at)
        {
            uses.last = uses.last.max(Some(last));
        }
        uses.last = uses.last.filter(|&last| last > at);
        if needed.iter().any(|&object| outlived(life, function, object)) {
            return Err(Declined::because(format!(
                "a task that is still at work when the function ends uses `{name}`: close it where the task is awaited"
            )));
        }
        if let Some(method) = response_given_away(life, function, &needed) {
            return Err(Declined::because(format!(
                "what `{method}` gives is returned unread and needs the open `{}`: read it before it is closed",
                closer.class
            )));
        }
        Ok(uses)
    }
}

/// Index of the statement of a block that holds an expression, from inner functions too.
fn top_of(facts: &Facts, expr: ExprId, block: &[StmtId]) -> Option<usize> {
    let mut stmt = facts.stmt_of(expr)?;
    loop {
        let mut at = Some(stmt);
        while let Some(inner) = at {
            if let Some(index) = block.iter().position(|&top| top == inner) {
                return Some(index);
            }
            at = facts.stmt(inner).parent;
        }
        let function = facts.stmt(stmt).function;
        if function == MODULE {
            return None;
        }
        stmt = match facts.function(function).definition {
            Definition::Def(definition) => definition,
            Definition::Lambda(lambda) => facts.stmt_of(lambda)?,
            Definition::Module => return None,
        };
    }
}

/// The method called on an expression, and the call.
fn method_of(facts: &Facts, object: ExprId) -> Option<(&str, ExprId)> {
    let read = facts.parent_expr(object)?;
    let ExprKind::Attribute { attr, .. } = &facts.expr(read).kind else { return None };
    let call = facts.parent_expr(read)?;
    matches!(facts.expr(call).kind, ExprKind::Call { func, .. } if func == read)
        .then_some((attr.as_str(), call))
}

/// Methods that end an object by doing its work: they stay.
const WORKS: [&str; 2] = ["serve_forever", "communicate"];

/// Whether a use closes the object: in a statement of its own, or in another way.
fn closing_stmt(facts: &Facts, object: ExprId, closer: &Closer) -> Option<Result<StmtId, ()>> {
    let (method, call) = method_of(facts, object)?;
    let ends = closer.ended_by(method) || method == "wait_closed" && !closer.steps.is_empty();
    if !ends || WORKS.contains(&method) {
        return None;
    }
    let mut at = call;
    if let Some(up) = facts.parent_expr(at)
        && matches!(facts.expr(up).kind, ExprKind::Await(_))
    {
        at = up;
    }
    match facts.expr(at).parent {
        loopmend_python::facts::Parent::Stmt(stmt)
            if matches!(facts.stmt(stmt).kind, StmtKind::Expr(_))
                && facts.function_of(object) == facts.stmt(stmt).function =>
        {
            Some(Ok(stmt))
        }
        _ => Some(Err(())),
    }
}

/// Whether a use only reads data of an owner, which it has after its close too.
fn data_only(life: &Lifecycle, object: ExprRef, closer: &Closer) -> bool {
    let Some(owner) = closer.owner else { return false };
    let facts = life.facts(object.file);
    let Some(read) = facts.parent_expr(object.id) else { return false };
    let ExprKind::Attribute { attr, .. } = &facts.expr(read).kind else { return false };
    let read_only = facts.parent_expr(read).is_none_or(|up| match facts.expr(up).kind {
        ExprKind::Attribute { .. } => false,
        ExprKind::Call { func, .. } => func != read,
        _ => true,
    });
    read_only && life.method(owner, attr).is_none()
}

/// The other names that the statement which makes the object binds: the reader beside a writer.
fn siblings(facts: &Facts, made: StmtId, own: &Name) -> BTreeSet<Name> {
    let mut found = BTreeSet::new();
    if let StmtKind::Assign { targets, .. } = &facts.stmt(made).kind {
        for &target in targets {
            facts.descend(target, &mut |part| {
                if let ExprKind::Name(name) = &facts.expr(part).kind
                    && name != own
                {
                    found.insert(name.clone());
                }
            });
        }
    }
    found
}

/// Methods of a container that put something into it.
const GATHERING: [&str; 6] = ["append", "appendleft", "add", "insert", "extend", "update"];

/// Names bound by the statement of an expression from a value that holds it.
pub(super) fn derive(facts: &Facts, object: ExprId, derived: &mut BTreeSet<Name>) {
    let Some(stmt) = facts.stmt_of(object) else { return };
    let mut targets: Vec<ExprId> = Vec::new();
    let holds = |value: ExprId| facts.expr(value).range.contains_range(facts.expr(object).range);
    match &facts.stmt(stmt).kind {
        StmtKind::Assign { targets: all, value } if holds(*value) => targets.extend(all.iter().copied()),
        StmtKind::AnnAssign { target, value: Some(value), .. } if holds(*value) => targets.push(*target),
        StmtKind::For { target, iter, .. } if holds(*iter) => targets.push(*target),
        StmtKind::With { items, .. } => {
            targets.extend(items.iter().filter(|item| holds(item.context)).filter_map(|item| item.target));
        }
        // `tasks.append(create_task(work(session)))`.
        StmtKind::Expr(value) => {
            if let ExprKind::Call { func, .. } = facts.expr(*value).kind
                && let ExprKind::Attribute { value, attr } = &facts.expr(func).kind
                && GATHERING.contains(&attr.as_str())
                && facts.name_of(*value).is_some()
                && !facts.expr(*value).range.contains_range(facts.expr(object).range)
            {
                targets.push(*value);
            }
        }
        _ => {}
    }
    for target in targets {
        facts.descend(target, &mut |part| {
            if let ExprKind::Name(name) = &facts.expr(part).kind {
                derived.insert(name.clone());
            }
        });
    }
}

/// Calls that start what they are given and do not wait for it.
const STARTS: [&str; 8] = [
    "create_task",
    "ensure_future",
    "start_soon",
    "run_coroutine_threadsafe",
    "call_soon",
    "call_later",
    "call_at",
    "add_done_callback",
];

/// Whether an object goes into a task that the function does not await.
fn outlived(life: &Lifecycle, function: FunctionRef, object: ExprId) -> bool {
    let facts = life.facts(function.file);
    let mut at = object;
    let mut start = None;
    while let Some(up) = facts.parent_expr(at) {
        match &facts.expr(up).kind {
            ExprKind::Await(_) => return false,
            ExprKind::Call { func, .. } if *func != at => {
                let name = match &facts.expr(*func).kind {
                    ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } => name.as_str(),
                    _ => "",
                };
                if STARTS.contains(&name) {
                    start = Some((up, *func));
                }
            }
            _ => {}
        }
        at = up;
    }
    let Some((call, func)) = start else { return false };
    // A group waits for its tasks at the end of its block.
    if let ExprKind::Attribute { value, .. } = facts.expr(func).kind
        && let Some(group) = facts.name_of(value)
        && let Some(stmt) = facts.stmt_of(call)
        && facts.ancestors(stmt).any(|(outer, _)| {
            matches!(&facts.stmt(outer).kind, StmtKind::With { items, .. }
                if items.iter().any(|item| item.target.and_then(|target| facts.name_of(target)) == Some(group)))
        })
    {
        return false;
    }
    let mut names = BTreeSet::new();
    derive(facts, call, &mut names);
    !names.iter().any(|name| {
        life.loads_of(function.file, function.id, name).iter().any(|load| {
            let mut at = load.id;
            loop {
                match facts.parent_expr(at) {
                    Some(up) if matches!(facts.expr(up).kind, ExprKind::Await(_)) => break true,
                    Some(up) => at = up,
                    // `for task in tasks: await task`, `async for … in as_completed(tasks)`.
                    None => {
                        break facts
                            .stmt_of(at)
                            .is_some_and(|stmt| matches!(facts.stmt(stmt).kind, StmtKind::For { .. }));
                    }
                }
            }
        })
    })
}

/// A request of aiohttp whose response is returned: it can't be read once its session is closed.
fn response_given_away(life: &Lifecycle, function: FunctionRef, uses: &[ExprId]) -> Option<String> {
    let facts = life.facts(function.file);
    uses.iter().find_map(|&object| {
        let (method, call) = method_of(facts, object)?;
        let up = facts.parent_expr(call)?;
        let stmt = facts.stmt_of(object)?;
        let returned = matches!(facts.expr(up).kind, ExprKind::Await(_))
            && matches!(facts.stmt(stmt).kind, StmtKind::Return(Some(value)) if value == up);
        let streamed = life
            .infer(ExprRef { file: function.file, id: up })
            .iter()
            .any(|value| value.external_class().is_some_and(|class| class.starts_with("aiohttp.")));
        let request = life
            .callee_paths(ExprRef { file: function.file, id: call })
            .iter()
            .any(|path| path.starts_with("aiohttp.ClientSession."));
        (returned && (streamed || request)).then(|| method.to_owned())
    })
}
