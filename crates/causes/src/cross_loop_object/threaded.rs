//! Runs that a thread of its own has, and what runs under them.

use std::collections::BTreeSet;

use loopmend_python::facts::{ExprId, ExprKind};
use loopmend_python::lifecycle::{ClassRef, ExprRef, FunctionRef, Lifecycle, Root, Run, RunKind, Value};

use crate::carried::in_tests;

/// One run of a loop in a thread.
#[derive(Clone, Debug)]
pub struct Threaded {
    /// The run; of `Thread(target=asyncio.run, args=(work(),))` the call that makes the thread.
    pub run: Run,
    /// The functions that run under its loop.
    pub reach: BTreeSet<FunctionRef>,
    /// The calls that hand the function with the run to a thread.
    pub starts: Vec<ExprRef>,
    /// The run itself is handed to the thread.
    pub handed: bool,
}

impl Threaded {
    /// Whether an expression runs under its loop.
    pub fn holds(&self, life: &Lifecycle, expr: ExprRef) -> bool {
        let facts = life.facts(expr.file);
        let function = FunctionRef { file: expr.file, id: facts.function_of(expr.id) };
        !handed_over(life, expr)
            && (self.reach.contains(&function)
                || self.run.argument.is_some_and(|argument| {
                    argument.file == expr.file
                        && facts.expr(argument.id).range.contains_range(facts.expr(expr.id).range)
                }))
    }
}

/// All runs in threads; not those of tests.
pub fn threaded(life: &Lifecycle) -> Vec<Threaded> {
    let mut found: Vec<Threaded> = life
        .runs()
        .iter()
        .filter(|run| matches!(run.kind, RunKind::Fresh | RunKind::OnLoop) && run.argument.is_some())
        .filter(|run| !in_tests(life, run.function))
        .filter_map(|run| {
            let starts = starts(life, run.function)?;
            Some(Threaded { reach: reach(life, &run.coroutines), run: run.clone(), starts, handed: false })
        })
        .collect();
    found.extend(life.files_with("Thread").iter().flat_map(|&file| {
        let facts = life.facts(file);
        let named = facts.loads.contains_key("Thread") || facts.attributes.contains_key("Thread");
        let calls: &[ExprId] = if named { &facts.calls } else { &[] };
        calls.iter().filter_map(move |&id| handed(life, ExprRef { file, id })).collect::<Vec<_>>()
    }));
    found.sort_by_key(|threaded| threaded.run.call);
    found
}

/// The calls that make a thread of a function, or of what calls it; none where no thread runs it.
fn starts(life: &Lifecycle, function: FunctionRef) -> Option<Vec<ExprRef>> {
    let facts = life.facts(function.file);
    let of = facts.function(function.id);
    if of.name == "run"
        && let Some(id) = of.class
    {
        let class = ClassRef { file: function.file, id };
        if life.ancestry(class).outside.iter().any(|base| base == "threading.Thread") {
            return Some(Vec::new());
        }
    }
    let calls: Vec<ExprRef> = life
        .roots(function)
        .into_iter()
        .filter_map(|root| match root {
            Root::Thread(_, call) if !in_tests(life, caller(life, call)) => Some(call),
            _ => None,
        })
        .collect();
    (!calls.is_empty()).then_some(calls)
}

fn caller(life: &Lifecycle, call: ExprRef) -> FunctionRef {
    FunctionRef { file: call.file, id: life.facts(call.file).function_of(call.id) }
}

/// `Thread(target=asyncio.run, args=(work(),))`.
fn handed(life: &Lifecycle, call: ExprRef) -> Option<Threaded> {
    let facts = life.facts(call.file);
    if life.called_name(call).as_deref() != Some("Thread") {
        return None;
    }
    let target = keyword(life, call, "target")?;
    let run = life
        .infer(target)
        .iter()
        .any(|value| matches!(value, Value::External(path) if path == "asyncio.run"));
    let args = keyword(life, call, "args").filter(|_| run)?;
    let (ExprKind::Tuple(items) | ExprKind::List(items)) = &facts.expr(args.id).kind else { return None };
    let argument = call.with(*items.first()?);
    let function = FunctionRef { file: call.file, id: facts.function_of(call.id) };
    if in_tests(life, function) {
        return None;
    }
    let coroutines = life.coroutines_in(argument);
    Some(Threaded {
        reach: reach(life, &coroutines),
        run: Run {
            call,
            function,
            kind: RunKind::Fresh,
            path: loopmend_python::facts::Name::new_static("asyncio.run"),
            receiver: None,
            argument: Some(argument),
            coroutines,
        },
        starts: vec![call],
        handed: true,
    })
}

/// A keyword argument of a call.
pub fn keyword(life: &Lifecycle, call: ExprRef, name: &str) -> Option<ExprRef> {
    let ExprKind::Call { keywords, .. } = &life.facts(call.file).expr(call.id).kind else { return None };
    keywords
        .iter()
        .find(|keyword| keyword.name.as_deref() == Some(name))
        .map(|keyword| call.with(keyword.value))
}

/// All that runs with these coroutines on their loop: not what they hand to another one.
pub fn reach(life: &Lifecycle, coroutines: &[FunctionRef]) -> BTreeSet<FunctionRef> {
    let mut found: BTreeSet<FunctionRef> = coroutines.iter().copied().collect();
    let mut work: Vec<FunctionRef> = coroutines.to_vec();
    while let Some(at) = work.pop() {
        for &(callee, call) in life.calls_from(at).iter() {
            if !handed_over(life, call) && found.insert(callee) {
                work.push(callee);
            }
        }
    }
    found
}

/// Whether an expression is given to the loop of another thread.
fn handed_over(life: &Lifecycle, expr: ExprRef) -> bool {
    let facts = life.facts(expr.file);
    let mut at = expr.id;
    while let Some(up) = facts.parent_expr(at) {
        if let ExprKind::Call { func, .. } = facts.expr(up).kind
            && func != at
            && matches!(
                life.called_name(expr.with(up)).as_deref(),
                Some("run_coroutine_threadsafe" | "call_soon_threadsafe")
            )
        {
            return true;
        }
        at = up;
    }
    false
}
