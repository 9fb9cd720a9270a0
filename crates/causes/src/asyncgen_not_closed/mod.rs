//! `asyncgen-not-closed`: an async generator that holds something is left in the middle.

mod hold;
mod left;
mod mend;
mod owner;
mod uses;
mod ways;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::facts::{StmtKind, TextRange};
use loopmend_python::lifecycle::{FunctionRef, Lifecycle, StmtRef};

use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

use left::{Left, enclosing, lefts};
use ways::Way;

/// The cause.
pub(crate) struct AsyncgenNotClosed;

const SLUG: &str = "asyncgen-not-closed";

/// What asyncio calls the coroutine by which a loop closes a generator that has been collected.
const CLOSING: &str = "<async_generator_athrow without __name__>";

static PAGE: Page = Page {
    title: "An async generator that holds something is left in the middle",
    what: "\
An `async for` that is left by `break`, `return` or an exception does not close its generator: what the generator has \
entered stays open. While something still refers to it, a pool that lent it a connection can't be closed; without a reference \
the loop closes it a little later, in another task, which cancel scopes and context variables refuse.",
    log: "\
Task exception was never retrieved
future: <Task finished name='Task-4' coro=<<async_generator_athrow without __name__>()> exception=RuntimeError('Attempted to \
exit cancel scope in a different task than it was entered in')>",
    wrong: "\
async def first_alert(pool):
    async for event in events(pool):
        if event.level == \"alert\":
            return event",
    right: "\
async def first_alert(pool):
    async with contextlib.aclosing(events(pool)) as stream:
        async for event in stream:
            if event.level == \"alert\":
                return event",
    unless: "\
Loops that run to the end are left alone, and so are generators without cleanup around their `yield`, iterators that are no \
generators, and what a library iterates. A generator that yields inside a task group can't be closed so: the group turns the \
close into a group of exceptions. Where the item is itself what the generator holds and is used behind the loop, the generator \
should be a context manager. For Pythons before 3.10 `try` and `finally` stand for `aclosing`.",
    prevent: "\
Give what must be closed as an async context manager, and let only that hand out the generator; or write `aclosing` around \
every `async for` that can be left.",
    symptoms: &[
        "anyio-scope-different-task",
        "asyncgen-closing-error",
        "asyncgen-already-running",
        "asyncgen-ignored-generatorexit",
        "asyncgen-scheduled-after-shutdown",
        "coroutine-method-never-awaited",
        "ignored-coroutine",
        "ignored-closing-generator-314",
        "unhandled-run-shutdown",
        "task-exception-never-retrieved",
        "task-destroyed-pending",
        "asyncpg-pool-close-slow",
        "sa-gc-non-checked-in",
    ],
};

impl Cause for AsyncgenNotClosed {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        for left in lefts(life) {
            report.add(found(life, left));
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let left =
            found.detail::<Left>().ok_or_else(|| Declined::because("the finding is not of this cause"))?;
        mend::mend(life, found, left)
    }
}

fn found(life: &Lifecycle, left: Left) -> Found {
    let generator = life.facts(left.generator.file).function(left.generator.id);
    let name = &generator.qualname;
    let how = match left.ways.first() {
        Some((_, way)) => format!("left by {} before its end", way.word()),
        None if matches!(life.facts(left.at.file).stmt(left.at.id).kind, StmtKind::For { .. }) => {
            "left when the generator around the loop is closed".to_owned()
        }
        None => "asked for one item and then left".to_owned(),
    };
    let holds = match left.hold.what.as_str() {
        "finally" | "except" => format!("its `{}`", left.hold.what),
        what => format!("what `{what}` gave"),
    };
    let when =
        if left.kept { "while something refers to it" } else { "until the loop closes it in another task" };
    let verb = if holds.starts_with("its") { "does not run" } else { "stays open" };
    let message = format!("`{name}` is {how}, and nothing closes it: {holds} {verb} {when}");
    let mut found = Found::new(SLUG, spot(life, &left), message);
    found.unwinding =
        !left.ways.is_empty() && left.ways.iter().all(|(_, way)| matches!(way, Way::Raise | Way::Passing));
    found.doubtful = left.hold.weak || left.for_good || left.ways.iter().any(|(_, way)| *way == Way::Passing);
    found.silent = left.kept && !found.doubtful;
    found.applicability = match &left.owner {
        Err(_) => Applicability::Advice,
        Ok(_) if left.hold.refuses.is_some() => Applicability::Advice,
        Ok(_) if found.doubtful || left.hold.lends => Applicability::Unsafe,
        Ok(_) => Applicability::Safe,
    };
    let function = enclosing(life, left.at.file, left.at.id);
    let maker =
        FunctionRef { file: left.made.file, id: life.facts(left.made.file).function_of(left.made.id) };
    found.functions = vec![left.generator, function, maker];
    found.functions.extend(left.hold.inner.iter().map(|(_, other)| *other));
    found.functions.sort_unstable();
    found.functions.dedup();
    found.names = vec![name.clone(), CLOSING.to_owned()];
    if left.handed {
        found.related.push((head(life, left.at), "left in this loop".to_owned()));
    }
    if let Some(&(stmt, _)) = left.ways.first() {
        found
            .related
            .push((Spot::stmt(life, StmtRef { file: left.at.file, id: stmt }), "left here".to_owned()));
    }
    let made = Spot::expr(life, left.made);
    if made.file != found.spot.file || !found.spot.range.contains_range(made.range) {
        found.related.push((made, "the generator is made here".to_owned()));
    }
    found.related.push((Spot::expr(life, left.hold.yielded), "it stands here when it is left".to_owned()));
    found.detail = Some(Arc::new(left));
    found
}

/// Where it is left; where a helper leaves it that it is handed to, the place that makes it.
fn spot(life: &Lifecycle, left: &Left) -> Spot {
    if left.handed { Spot::expr(life, left.made) } else { head(life, left.at) }
}

/// The head of a loop; of another statement all.
fn head(life: &Lifecycle, at: StmtRef) -> Spot {
    let facts = life.facts(at.file);
    let stmt = facts.stmt(at.id);
    let range = match stmt.kind {
        StmtKind::For { iter, .. } => TextRange::new(stmt.range.start(), facts.expr(iter).range.end()),
        _ => stmt.range,
    };
    Spot { file: at.file, range }
}
