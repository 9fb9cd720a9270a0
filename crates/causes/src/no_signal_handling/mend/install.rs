//! The lines that answer signals.

use std::fmt::Write as _;

use loopmend_model::Applicability;
use loopmend_python::edit::{ImportRequest, Source, import_edits};
use loopmend_python::facts::{BindingKind, ExprKind, Facts, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Lifecycle};

use super::by_hand;
use crate::own_loop::{Steps, asyncio_in, free_name};
use crate::{Declined, Mend};

/// Signal handlers in a function.
pub(in super::super) struct Install {
    function: FunctionRef,
    signals: &'static [&'static str],
    /// What the function calls its loop.
    pub(in super::super) on: String,
    /// The statement that already gives it.
    has: Option<StmtId>,
}

impl Install {
    /// For a coroutine: on its running loop.
    pub(super) fn new(life: &Lifecycle, function: FunctionRef, signals: &'static [&'static str]) -> Self {
        let facts = life.facts(function.file);
        let has = facts.function(function.id).body.iter().copied().find_map(|stmt| {
            let StmtKind::Assign { targets, value } = &facts.stmt(stmt).kind else { return None };
            let [target] = targets[..] else { return None };
            let call = ExprRef { file: function.file, id: *value };
            let gives = life.calls_any(call, &["asyncio.get_running_loop", "asyncio.get_event_loop"]);
            gives.then(|| facts.name_of(target).map(|name| (stmt, name.to_string()))).flatten()
        });
        let (has, on) = match has {
            Some((stmt, name)) => (Some(stmt), name),
            None => (None, free_name(facts, function.id, &["loop", "running_loop"])),
        };
        Self { function, signals, on, has }
    }

    /// For a plain function, on a loop that it has by this expression.
    pub(in super::super) fn on(function: FunctionRef, signals: &'static [&'static str], on: String) -> Self {
        Self { function, signals, on, has: None }
    }

    /// The lines that let the signals call something.
    pub(in super::super) fn handlers(&self, life: &Lifecycle, callback: &str) -> Result<String, Declined> {
        let file = self.function.file;
        let facts = life.facts(file);
        let signal = local(life, file, "signal");
        if facts.scopes[self.function.id.index()].contains_key(signal.as_str()) {
            return Err(by_hand());
        }
        let on = &self.on;
        let mut text = String::new();
        let (indent, signum) = match self.signals {
            [one] => ("", format!("{signal}.{one}")),
            several => {
                let name = free_name(facts, self.function.id, &["signum", "signal_number"]);
                let list: Vec<String> = several.iter().map(|one| format!("{signal}.{one}")).collect();
                writeln!(text, "for {name} in ({}):", list.join(", ")).expect("a string takes any text");
                ("    ", name)
            }
        };
        write!(
            text,
            "{indent}try:\n{indent}    {on}.add_signal_handler({signum}, {callback})\n\
             {indent}except NotImplementedError:  # Windows\n\
             {indent}    {signal}.signal({signum}, lambda *_: {on}.call_soon_threadsafe({callback}))"
        )
        .expect("a string takes any text");
        Ok(text)
    }

    /// Puts lines at the start of the coroutine, behind its loop, together with what they need before.
    pub(super) fn at_start(&self, life: &Lifecycle, steps: &mut Steps, lines: &str) -> Result<(), Declined> {
        let facts = life.facts(self.function.file);
        let asyncio = asyncio_in(life, self.function.file);
        match self.has {
            Some(stmt) => steps.after(life, self.function.file, stmt, lines),
            None => {
                let first = first_statement(facts, self.function).ok_or_else(by_hand)?;
                let text = format!("{} = {asyncio}.get_running_loop()\n{lines}", self.on);
                steps.before(life, self.function.file, first, text);
            }
        }
        steps.import(ImportRequest::module("signal"));
        Ok(())
    }

    /// Puts the handlers behind a statement of the coroutine.
    pub(super) fn behind(&self, life: &Lifecycle, steps: &mut Steps, stmt: StmtId, lines: &str) {
        let facts = life.facts(self.function.file);
        let earlier =
            self.has.is_some_and(|has| facts.stmt(has).range.start() < facts.stmt(stmt).range.start());
        let text = if earlier {
            lines.to_owned()
        } else {
            format!("{} = {}.get_running_loop()\n{lines}", self.on, asyncio_in(life, self.function.file))
        };
        steps.after(life, self.function.file, stmt, text);
        steps.import(ImportRequest::module("signal"));
    }
}

/// The first statement of a function that is no docstring.
fn first_statement(facts: &Facts, function: FunctionRef) -> Option<StmtId> {
    let body = &facts.function(function.id).body;
    let docstring = body.first().is_some_and(|&stmt| {
        matches!(facts.stmt(stmt).kind, StmtKind::Expr(value) if matches!(facts.expr(value).kind, ExprKind::Str(_)))
    });
    body.get(usize::from(docstring)).copied()
}

/// What a file calls a module, once it is imported.
pub(super) fn local(life: &Lifecycle, file: FileId, module: &str) -> String {
    let source = Source::parse(&life.facts(file).path, life.text(file).clone());
    let (_, locals) = import_edits(&source, &[ImportRequest::module(module)]);
    locals.into_iter().next().unwrap_or_else(|| module.to_owned())
}

/// What all these mends add.
pub(in super::super) fn declare(mend: &mut Mend, more: &[&str]) {
    let added = ["add_signal_handler", "signal", "call_soon_threadsafe", "get_running_loop"];
    mend.declared.added.extend(added.iter().chain(more).map(|&name| name.to_owned()));
    mend.declared.moved = true;
}

/// SIGTERM gets the handler that SIGINT has.
pub(super) fn terminate_too(
    life: &Lifecycle,
    calls: &[ExprRef],
    applicability: Applicability,
) -> Result<Mend, Declined> {
    let mut mend = Mend::new(applicability);
    for &call in calls {
        let facts = life.facts(call.file);
        let stmt = facts.stmt_of(call.id).ok_or_else(by_hand)?;
        let plain = matches!(facts.stmt(stmt).kind, StmtKind::Expr(value) if value == call.id);
        let text = life.source(call);
        if !plain || text.matches("SIGINT").count() != 1 || imports_interrupt(facts) {
            return Err(by_hand());
        }
        let mut steps = Steps::default();
        steps.after(life, call.file, stmt, text.replace("SIGINT", "SIGTERM"));
        mend.edit(life, call.file, steps.edits(life, call.file, false)?);
    }
    declare(&mut mend, &[]);
    Ok(mend)
}

fn imports_interrupt(facts: &Facts) -> bool {
    facts
        .bindings
        .iter()
        .any(|binding| matches!(&binding.kind, BindingKind::ImportFrom { name, .. } if name == "SIGINT"))
}
