//! Hooks that end async objects when no loop of theirs is left.

use std::collections::BTreeSet;

use loopmend_python::facts::{
    BindingKind, Definition, ExprKind, Facts, FunctionId, ParameterKind, StmtKind, TextRange,
};
use loopmend_python::lifecycle::{ClassRef, ExprRef, FileId, FunctionRef, Kind, Lifecycle, Scope, Value};

use super::act::{Act, acts, bound, dropped, has_ended};
use crate::suite::Uses;

/// One hook.
#[derive(Clone, Debug)]
pub(super) struct Late {
    /// What calls it.
    pub kind: LateKind,
    /// The function that runs async work; none where the coroutine function itself was registered.
    pub hook: Option<FunctionRef>,
    /// What it runs.
    pub acts: Vec<Act>,
    /// Classes of what is ended.
    pub classes: Vec<String>,
    /// No run of the tree tells that its loop has ended.
    pub doubtful: bool,
}

/// What calls a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LateKind {
    /// The collection of an object.
    Del(ClassRef),
    /// The end of the interpreter: the call or decorator that registers it.
    Exit(ExprRef),
    /// `weakref.finalize`: the call.
    Finalize(ExprRef),
    /// pytest, after the test's loop has ended: the fixture by its place in the suite.
    Fixture(usize),
}

/// Functions that are hooks: what they make and drop is this cause's.
pub(crate) fn is_hook(life: &Lifecycle, function: FunctionRef) -> bool {
    struct Hooks(BTreeSet<FunctionRef>);
    life.once(|life| Hooks(lates(life).into_iter().filter_map(|late| late.hook).collect()))
        .0
        .contains(&function)
}

/// All of a tree.
pub(super) fn lates(life: &Lifecycle) -> Vec<Late> {
    let mut found = Vec::new();
    for file in life.files_with_any(["__del__", "atexit", "weakref"]) {
        let facts = life.facts(file);
        for (index, class) in facts.classes.iter().enumerate() {
            if let Some(&id) = class.methods.get("__del__") {
                let class = ClassRef { file, id: loopmend_python::facts::ClassId::new(index) };
                found.extend(of_hook(life, LateKind::Del(class), FunctionRef { file, id }));
            }
        }
        if imports(facts, &["atexit", "weakref"]) {
            registered(life, file, &mut found);
        }
    }
    fixtures(life, &mut found);
    found
}

fn imports(facts: &Facts, modules: &[&str]) -> bool {
    facts.bindings.iter().any(|binding| match &binding.kind {
        BindingKind::Import { module } | BindingKind::ImportFrom { module, .. } => {
            modules.contains(&module.as_str())
        }
        _ => false,
    })
}

fn registered(life: &Lifecycle, file: FileId, found: &mut Vec<Late>) {
    let facts = life.facts(file);
    for &id in &facts.calls {
        let call = ExprRef { file, id };
        let ExprKind::Call { args, .. } = &facts.expr(id).kind else { continue };
        let (kind, target) = match life.called_name(call).as_deref() {
            Some("register") if life.calls_any(call, &["atexit.register"]) => {
                (LateKind::Exit(call), args.first())
            }
            Some("finalize") if life.calls_any(call, &["weakref.finalize"]) => {
                (LateKind::Finalize(call), args.get(1))
            }
            _ => continue,
        };
        let Some(&target) = target else { continue };
        for value in life.infer(call.with(target)).iter() {
            if let Some(function) = value.function() {
                found.extend(of_hook(life, kind, function));
            } else if value.path() == Some("asyncio.run")
                && let Some(&work) = args.get(1)
            {
                found.push(Late {
                    kind,
                    hook: None,
                    acts: vec![Act { call, work: call.with(work) }],
                    classes: bound(life, call.with(work)),
                    doubtful: false,
                });
            }
        }
    }
    for (index, function) in facts.functions.iter().enumerate().skip(1) {
        for &decorator in &function.decorators {
            let decorator = ExprRef { file, id: decorator };
            if life.infer(decorator).iter().any(|value| value.path() == Some("atexit.register")) {
                let hook = FunctionRef { file, id: FunctionId::new(index) };
                found.extend(of_hook(life, LateKind::Exit(decorator), hook));
            }
        }
    }
}

fn of_hook(life: &Lifecycle, kind: LateKind, hook: FunctionRef) -> Option<Late> {
    let facts = life.facts(hook.file);
    let of = facts.function(hook.id);
    if of.is_generator {
        return None;
    }
    if of.is_async {
        // The coroutine is made and dropped.
        let (LateKind::Exit(registered) | LateKind::Finalize(registered)) = kind else { return None };
        return Some(Late {
            kind,
            hook: Some(hook),
            acts: vec![Act { call: registered, work: registered }],
            classes: Vec::new(),
            doubtful: false,
        });
    }
    let mut acts = acts(life, hook);
    facts.body_exprs(hook.id, &mut |id| {
        let call = ExprRef { file: hook.file, id };
        if dropped(life, call) && acts.iter().all(|act| act.call != call) {
            acts.push(Act { call, work: call });
        }
    });
    acts.sort_by_key(|act| facts.expr(act.call.id).range.start());
    if acts.is_empty() {
        return None;
    }
    let mut classes = Vec::new();
    let mut ended = Some(false);
    for &act in &acts {
        let of = bound(life, act.work);
        // What `weakref.finalize` hands over is not followed.
        if of.is_empty() && !matches!(kind, LateKind::Finalize(_)) {
            continue;
        }
        classes.extend(of);
        match has_ended(life, hook, act) {
            Some(true) => ended = Some(true),
            None if ended != Some(true) => ended = None,
            _ => {}
        }
    }
    classes.sort_unstable();
    classes.dedup();
    let doubtful = match ended {
        Some(true) => false,
        None if matches!(kind, LateKind::Del(_)) => true,
        _ => return None,
    };
    (!classes.is_empty() || matches!(kind, LateKind::Finalize(_))).then_some(Late {
        kind,
        hook: Some(hook),
        acts,
        classes,
        doubtful,
    })
}

/// Plain fixtures that run async work after their `yield` on a loop that is not theirs.
fn fixtures(life: &Lifecycle, found: &mut Vec<Late>) {
    let suite = life.suite();
    if !suite.plugin.used {
        return;
    }
    let mut uses = None;
    for (index, fixture) in suite.fixtures.iter().enumerate() {
        let function = fixture.function;
        let facts = life.facts(function.file);
        if fixture.is_async || !fixture.is_generator {
            continue;
        }
        let own = acts(life, function);
        let Some(yielded) = yield_of(facts, function) else { continue };
        let early = own.iter().any(|act| facts.expr(act.call.id).range.start() < yielded.start());
        let asks = facts.function(function.id).params.iter().any(|param| {
            matches!(param.name.as_str(), "event_loop" | "loop") && param.kind != ParameterKind::Kwargs
        });
        let own_loop = own.iter().any(|&act| on_own_loop(life, act));
        if own.is_empty() || early || asks || own_loop {
            continue;
        }
        let uses = uses.get_or_insert_with(|| Uses::of(life, suite));
        let (tests, _) = uses.all(life, suite, index, true);
        if !tests.iter().any(|&test| suite.runs_test(test)) {
            continue;
        }
        let classes = own.iter().flat_map(|act| bound(life, act.work)).collect();
        found.push(Late {
            kind: LateKind::Fixture(index),
            hook: Some(function),
            acts: own,
            classes,
            doubtful: false,
        });
    }
}

/// Why a fixture can't become async; none where it can.
pub(super) fn stays_plain(life: &Lifecycle, index: usize) -> Option<&'static str> {
    let suite = life.suite();
    if suite.fixtures[index].scope != Some(Scope::Function) {
        return Some("it outlives a test: make it async, with a `loop_scope` that its tests share");
    }
    let (tests, _) = Uses::of(life, suite).all(life, suite, index, true);
    let plain = tests.iter().any(|&test| !suite.runs_test(test));
    plain.then_some("tests that are not async use it too: make it async and split it for those")
}

fn yield_of(facts: &Facts, function: FunctionRef) -> Option<TextRange> {
    let mut found = None;
    facts.body_exprs(function.id, &mut |id| {
        if matches!(facts.expr(id).kind, ExprKind::Yield(_)) && found.is_none() {
            found = Some(facts.expr(id).range);
        }
    });
    found
}

/// `new_event_loop()`, or what a fixture or anything else hands in: the loop may well be open.
fn on_own_loop(life: &Lifecycle, act: Act) -> bool {
    let facts = life.facts(act.call.file);
    let ExprKind::Call { func, .. } = facts.expr(act.call.id).kind else { return false };
    let ExprKind::Attribute { value, .. } = facts.expr(func).kind else { return false };
    life.infer(act.call.with(value)).iter().any(|value| match value {
        Value::Instance(Kind::External(class), Some(made)) => {
            class == "asyncio.AbstractEventLoop"
                && life.called_name(*made).as_deref() == Some("new_event_loop")
        }
        _ => false,
    })
}

/// The statement of a function's definition.
pub(super) fn definition(life: &Lifecycle, function: FunctionRef) -> Option<TextRange> {
    let facts = life.facts(function.file);
    match facts.function(function.id).definition {
        Definition::Def(stmt) => Some(facts.stmt(stmt).range),
        _ => None,
    }
}

/// Whether a statement is an expression alone.
pub(super) fn is_statement(facts: &Facts, expr: ExprRef) -> Option<TextRange> {
    let stmt = facts.stmt_of(expr.id)?;
    matches!(facts.stmt(stmt).kind, StmtKind::Expr(value) if value == expr.id).then(|| facts.stmt(stmt).range)
}
