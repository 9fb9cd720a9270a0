//! The plain functions between a run and the coroutines above it.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_python::facts::{ExprKind, TextRange, TextSize};
use loopmend_python::lifecycle::{
    ClassRef, ExprRef, FileId, FunctionRef, Lifecycle, Origin, Run, RunKind, UseKind,
};

use super::Entered;
use crate::own_loop::{Steps, asyncio_in, needs_brackets};
use crate::{Declined, Mend};

/// What stands above a run.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain {
    /// Plain functions that lead to the run, its own first; none where a coroutine runs it itself.
    pub(super) plain: Vec<FunctionRef>,
    /// Calls of those in coroutines: the coroutine and the call.
    pub(super) entered: Vec<Entered>,
    /// Calls of those between them.
    pub(super) between: Vec<ExprRef>,
    /// Something plain calls one of them too, or has it as a value.
    pub(super) plain_callers: bool,
}

impl Chain {
    /// Above a run.
    pub(super) fn above(life: &Lifecycle, run: &Run) -> Self {
        let mut chain = Self::default();
        let is_async = |function: FunctionRef| life.facts(function.file).function(function.id).is_async;
        if is_async(run.function) {
            chain.entered.push((run.function, run.call));
            return chain;
        }
        // Only functions that a coroutine is above take part.
        let mut seen = BTreeSet::from([run.function]);
        let mut work = vec![run.function];
        while let Some(function) = work.pop() {
            chain.plain.push(function);
            for site in life.call_sites(function) {
                let caller = FunctionRef {
                    file: site.call.file,
                    id: life.facts(site.call.file).function_of(site.call.id),
                };
                if is_async(caller) {
                    chain.entered.push((caller, site.call));
                } else if !caller.is_module()
                    && life.grounds(caller).iter().any(loopmend_python::lifecycle::Ground::runs_loop)
                {
                    chain.between.push(site.call);
                    if seen.insert(caller) {
                        work.push(caller);
                    }
                } else {
                    chain.plain_callers = true;
                }
            }
            let handed = life.flow(Origin::Function(function), false).uses.iter().any(|at| {
                !matches!(
                    at.kind,
                    UseKind::Called(_)
                        | UseKind::Stored(_)
                        | UseKind::Attribute { .. }
                        | UseKind::Method { .. }
                )
            });
            let of = life.facts(function.file).function(function.id);
            chain.plain_callers |= handed || !of.decorators.is_empty();
        }
        chain.entered.sort_unstable();
        chain.between.sort_unstable();
        chain
    }

    /// Every function of the chain becomes `async`, every call of one is awaited.
    pub(super) fn make_async(
        &self,
        life: &Lifecycle,
        files: &mut BTreeMap<FileId, Steps>,
    ) -> Result<(), Declined> {
        if self.plain_callers {
            return Err(Declined::because(
                "plain code needs the function too: let the coroutine await the coroutine inside it, and keep the plain form for the others",
            ));
        }
        for &function in &self.plain {
            let facts = life.facts(function.file);
            let of = facts.function(function.id);
            if of.is_generator || of.name.starts_with("__") || overrides(life, function) {
                return Err(Declined::because(format!(
                    "`{}` can't become a coroutine by itself: await what it runs, in the coroutine that calls it",
                    of.name
                )));
            }
            let text = life.text(function.file);
            let before = &text[..of.name_range.start().to_usize()];
            let def = before.rfind("def").ok_or_else(|| Declined::because("the function has no `def`"))?;
            let at = TextSize::new(def as u32);
            files.entry(function.file).or_default().replace(TextRange::empty(at), "async ");
        }
        let calls = self.entered.iter().map(|(_, call)| *call).chain(self.between.iter().copied());
        for call in calls {
            if self.plain.is_empty() {
                continue;
            }
            add_await(life, call, files)?;
        }
        Ok(())
    }

    /// Each call by a coroutine goes to a thread, where a run is right.
    pub(super) fn to_thread(
        &self,
        life: &Lifecycle,
        run: &Run,
        mend: &mut Mend,
        files: &mut BTreeMap<FileId, Steps>,
    ) -> Result<(), Declined> {
        let not = || Declined::because("await the coroutine instead of running it");
        if run.kind != RunKind::Fresh || self.plain.is_empty() || self.entered.is_empty() {
            return Err(not());
        }
        for (_, call) in &self.entered {
            let facts = life.facts(call.file);
            let ExprKind::Call { func, args, keywords } = &facts.expr(call.id).kind else {
                return Err(not());
            };
            let (func, whole) = (facts.expr(*func).range, facts.expr(call.id).range);
            let local = asyncio_in(life, call.file);
            let (open, close) = if needs_brackets(life, *call) { ("(", ")") } else { ("", "") };
            let steps = files.entry(call.file).or_default();
            let first = args.iter().copied().chain(keywords.iter().map(|keyword| keyword.value)).next();
            let written = &life.text(call.file)[func];
            let behind = if first.is_some() { ", " } else { "" };
            // `helper(` becomes `await asyncio.to_thread(helper, `.
            let text = &life.text(call.file)[TextRange::new(func.end(), whole.end())];
            let bracket = text.find('(').ok_or_else(not)? + 1;
            let head = TextRange::new(func.start(), func.end() + TextSize::new(bracket as u32));
            steps.replace(head, format!("{open}await {local}.to_thread({written}{behind}"));
            if !close.is_empty() {
                steps.replace(TextRange::empty(whole.end()), close);
            }
            steps.import(loopmend_python::edit::ImportRequest::module("asyncio"));
            mend.declared.removed.extend(written.rsplit('.').next().map(str::to_owned));
        }
        mend.declared.added.push("to_thread".to_owned());
        mend.declared.moved = true;
        mend.notes.push("the plain function keeps a loop of its own, in a thread: nothing bound to the running loop may be used in it".to_owned());
        Ok(())
    }
}

fn add_await(life: &Lifecycle, call: ExprRef, files: &mut BTreeMap<FileId, Steps>) -> Result<(), Declined> {
    let facts = life.facts(call.file);
    let mut at = call.id;
    while let Some(up) = facts.parent_expr(at) {
        if let ExprKind::Comprehension { lazy: true, .. } = facts.expr(up).kind {
            return Err(Declined::because("a generator expression can't await: use a list in the coroutine"));
        }
        if matches!(facts.expr(up).kind, ExprKind::Await(_)) && at == call.id {
            return Ok(());
        }
        at = up;
    }
    if matches!(
        facts.function(facts.function_of(call.id)).definition,
        loopmend_python::facts::Definition::Lambda(_)
    ) {
        return Err(Declined::because("a lambda can't await: write a coroutine for it"));
    }
    let range = facts.expr(call.id).range;
    let steps = files.entry(call.file).or_default();
    if needs_brackets(life, call) {
        steps.replace(TextRange::empty(range.end()), ")");
        steps.replace(TextRange::empty(range.start()), "(await ");
    } else {
        steps.replace(TextRange::empty(range.start()), "await ");
    }
    Ok(())
}

/// Whether another class of the family has a method of this name.
fn overrides(life: &Lifecycle, function: FunctionRef) -> bool {
    let of = life.facts(function.file).function(function.id);
    let Some(class) = of.class else { return false };
    let class = ClassRef { file: function.file, id: class };
    let has = |other: &ClassRef| {
        *other != class && life.facts(other.file).class(other.id).methods.contains_key(&of.name)
    };
    life.ancestry(class).inside.iter().any(has) || life.heirs(class).iter().any(has)
}
