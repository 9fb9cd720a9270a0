//! The shutdown path closes what start-up may not have set.

mod find;
mod fix;
mod registered;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::facts::StmtId;
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, StmtRef};

use crate::startup::{Initial, Open, candidates};
use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

/// The cause.
pub struct ShutdownUninitialised;

const SLUG: &str = "shutdown-uninitialised";

static PAGE: Page = Page {
    title: "Shutdown closes what start-up may not have set",
    what: "The lines that close a resource run although the lines that open it failed: a `finally` that stands around the \
           opening itself, a start-up that logs the error and goes on, a cleanup function that is called in any case. The \
           name, attribute or key is then not set, or still `None`, and reading it raises an error of its own, which hides \
           the first one and keeps the rest of the shutdown from running.",
    log: "During handling of the above exception, another exception occurred:\n\n\
          AttributeError: 'State' object has no attribute 'db_pool'\n\
          ERROR:    Application shutdown failed. Exiting.",
    wrong: "async def resources(app):\n    \
                try:\n        \
                    app[SESSION] = aiohttp.ClientSession()\n        \
                    app[POOL] = await asyncpg.create_pool(DSN)    # fails\n        \
                    yield\n    \
                finally:\n        \
                    await app[POOL].close()    # KeyError\n        \
                    await app[SESSION].close()    # never reached",
    right: "async def resources(app):\n    \
                app[SESSION] = aiohttp.ClientSession()\n    \
                try:\n        \
                    app[POOL] = await asyncpg.create_pool(DSN)\n        \
                    try:\n            \
                        yield\n        \
                    finally:\n            \
                        await app[POOL].close()\n    \
                finally:\n        \
                    await app[SESSION].close()",
    unless: "Nothing can fail before the resource is there, or the close is behind a test already. Where a close stands among \
             other expressions it is left for you.",
    prevent: "Let each `finally` start right after the line that opens what it closes; `async with` does that by itself.",
    symptoms: &[
        "starlette-state-attr",
        "uvicorn-shutdown-failed",
        "aiohttp-key-unset",
        "local-never-set",
        "close-of-none",
        "aiohttp-unclosed-session",
        "unclosed-transport",
    ],
};

/// One object that may not be there when it is closed.
struct Gap {
    open: Open,
    /// The place by which it is closed, as its opening knows it.
    place: ExprRef,
    /// The statement that closes, and its call.
    stmt: StmtRef,
    call: ExprRef,
    /// What is there instead.
    initial: Initial,
}

/// How the close comes to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// The opening stands in the `try` whose `finally` closes.
    Inside(StmtId),
    /// A handler of this `try` goes on without the object.
    Swallowed(StmtId),
    /// The opening's function is called in a `try` whose `finally` calls the closing one.
    Called,
    /// The framework runs the closing handler although the opening one, or one before it, failed.
    Registered,
}

/// What a finding hands to its fix.
struct Detail {
    function: FunctionRef,
    shape: Shape,
    gaps: Vec<Gap>,
}

impl Cause for ShutdownUninitialised {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        for function in candidates(life) {
            for detail in find::in_function(life, function) {
                report.add(found(life, detail));
            }
        }
        for detail in registered::detect(life) {
            report.add(found(life, detail));
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        let detail = found.detail::<Detail>().ok_or_else(|| Declined::because("nothing is known of it"))?;
        fix::fix(life, detail, found.applicability)
    }
}

fn found(life: &Lifecycle, detail: Detail) -> Found {
    let facts = life.facts(detail.function.file);
    let first = &detail.gaps[0];
    let opener = &facts.function(detail.function.id).name;
    let place = life.source(first.place);
    let closer = {
        let facts = life.facts(first.stmt.file);
        facts.function(facts.stmt(first.stmt.id).function).name.clone()
    };
    let instead = match first.initial {
        Initial::None => "is still None",
        _ => "was never set",
    };
    let why = match detail.shape {
        Shape::Inside(_) => format!("the `finally` around its opening in `{opener}`"),
        Shape::Swallowed(_) => format!("`{closer}`, after `{opener}` has logged the error and gone on"),
        Shape::Called | Shape::Registered => {
            format!("`{closer}`, which runs although `{opener}` failed")
        }
    };
    let message = format!(
        "`{place}` is closed by {why}: when it could not be opened it {instead}, and closing it raises an error that hides \
         the first"
    );
    let mut found = Found::new(SLUG, Spot::expr(life, first.call), message);
    found.applicability = Applicability::Safe;
    found.related.push((Spot::stmt(life, first.open.stmt_ref()), "opened here, which may fail".to_owned()));
    for gap in &detail.gaps[1..] {
        found.related.push((Spot::expr(life, gap.call), "closed here as well".to_owned()));
    }
    found.functions.push(detail.function);
    for gap in &detail.gaps {
        let file = gap.stmt.file;
        let closer = FunctionRef { file, id: life.facts(file).stmt(gap.stmt.id).function };
        if !found.functions.contains(&closer) {
            found.functions.push(closer);
        }
        found.names.extend(gap.open.names(facts).iter().map(ToString::to_string));
        found.names.push(gap.open.class.clone());
    }
    found.detail = Some(Arc::new(detail));
    found
}
