//! `never-awaited`: a coroutine function is called like a function, or given as a plain callback.

mod callback;
mod called;
mod mend;

use std::sync::Arc;

use loopmend_model::Applicability;
use loopmend_python::lifecycle::{FunctionRef, Lifecycle};

use crate::{Cause, Declined, Found, Mend, Page, Report, Spot};

use callback::{Callback, callbacks};
use called::{Called, calls};

/// The cause.
pub struct NeverAwaited;

const SLUG: &str = "never-awaited";

static PAGE: Page = Page {
    title: "A coroutine is made and nobody awaits it",
    what: "\
Calling an `async def` function only makes a coroutine object; its body runs when the coroutine is awaited or made a task. \
Called like a plain function, or given to `call_later`, `add_signal_handler` or `Thread(target=…)` as a callback, it never \
runs at all, and Python says so only when the object is collected, often far from the call.",
    log: "\
service.py:14: RuntimeWarning: coroutine 'Notifier.send' was never awaited
  self.notifier.send(address, \"Welcome\", text)
AttributeError: 'coroutine' object has no attribute 'json'",
    wrong: "\
async def register(self, address):
    self.users[address] = name
    self.notifier.send(address, \"Welcome\")",
    right: "\
async def register(self, address):
    self.users[address] = name
    await self.notifier.send(address, \"Welcome\")",
    unless: "\
Nothing is done where the warning is only the echo of another error (a run call that refused the coroutine), where the coroutine is \
kept and awaited later, and where the function is decorated by something that may change what a call gives. In a function \
that is not async itself the finding says what to do by hand. Closes are [close-not-awaited](close-not-awaited.md).",
    prevent: "\
mypy's `unused-coroutine`, pyright's `reportUnusedCoroutine`, and `-W error::RuntimeWarning` in the test suite.",
    symptoms: &[
        "coroutine-never-awaited",
        "await-wasnt-used",
        "awaitable-required",
        "fastapi-response-not-awaited",
    ],
};

enum Kind {
    Called(Called),
    Callback(Callback),
}

impl Cause for NeverAwaited {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, life: &Lifecycle, report: &mut Report) {
        for called in calls(life) {
            let message = format!(
                "`{}` makes the coroutine `{}` and never runs it: it has to be awaited",
                first_line(life.source(called.call)),
                called.what
            );
            let mut found = Found::new(SLUG, Spot::expr(life, called.call), message);
            found.applicability = mend::trust(life, &called);
            found.names.push(called.what.clone());
            take_part(life, &mut found, called.function);
            found.detail = Some(Arc::new(Kind::Called(called)));
            report.add(found);
        }
        for callback in callbacks(life) {
            let message = format!(
                "`{}` calls `{}` like a plain function: that only makes a coroutine, which nobody awaits",
                callback.name, callback.what
            );
            let mut found = Found::new(SLUG, Spot::expr(life, callback.call), message);
            found.applicability =
                if callback.mendable(life) { Applicability::Unsafe } else { Applicability::Advice };
            found.names.push(callback.what.clone());
            take_part(life, &mut found, Some(callback.function));
            found.detail = Some(Arc::new(Kind::Callback(callback)));
            report.add(found);
        }
    }

    fn fix(&self, life: &Lifecycle, found: &Found) -> Result<Mend, Declined> {
        match found.detail::<Kind>() {
            Some(Kind::Called(called)) => mend::awaited(life, found, called),
            Some(Kind::Callback(callback)) => mend::started(life, found, callback),
            None => Err(Declined::because("the finding is not of this cause")),
        }
    }
}

fn take_part(life: &Lifecycle, found: &mut Found, function: Option<FunctionRef>) {
    if let Some(function) = function {
        found.functions.push(function);
        found.related.push((Spot::function(life, function), "an async function".to_owned()));
    }
    let facts = life.facts(found.spot.file);
    let around = FunctionRef { file: found.spot.file, id: facts.function_at(found.spot.range.start()) };
    found.functions.push(around);
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or(text)
}
