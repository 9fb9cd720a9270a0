//! Under which loop a function runs, once or many times, and from where.

use std::collections::BTreeSet;

use super::{ExprRef, FileId, FunctionRef, Lifecycle, Origin, UseKind, Value};
use crate::facts::{Definition, ExprKind, StmtKind, word};

/// Where the calls that lead to a function begin.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Root {
    /// The body of a module: a script, or import.
    Module(FileId),
    /// The call of a run (its place in [`Lifecycle::runs`]) that runs the coroutine.
    Run(usize),
    /// A test.
    Test(FunctionRef),
    /// A fixture.
    Fixture(FunctionRef),
    /// A function that a framework calls, by one of its decorators or because it was handed over: the expression.
    Framework(FunctionRef, ExprRef),
    /// The target of a thread or executor job.
    Thread(FunctionRef, ExprRef),
    /// `__del__`, `atexit`, a weakref's callback.
    Exit(FunctionRef),
    /// Nothing in the tree calls it: for others to call, any number of times.
    Uncalled(FunctionRef),
}

/// A function that more others lead to is called from everywhere: its roots are not followed further.
const CALLERS: usize = 400;

/// What calls a function: other functions, and roots.
#[derive(Debug)]
pub(super) struct Calling {
    callers: Vec<FunctionRef>,
    roots: BTreeSet<Root>,
}

/// How often a function runs in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Repeat {
    /// Once, as far as the tree shows.
    Once,
    /// More than once: by this call in a loop, or these several calls, or a framework that calls per request.
    Many(ExprRef),
    /// Nothing in the tree calls it.
    Unknown,
}

/// Functions that a function calls, each with the call; in source order.
pub type Calls = std::sync::Arc<[(FunctionRef, ExprRef)]>;

impl Lifecycle {
    /// Functions that a function's body calls or makes coroutines of, with the call; in source order.
    pub fn calls_from(&self, function: FunctionRef) -> Calls {
        if let Some(found) = self.calls.get(&function) {
            return found;
        }
        let found: Calls = self.find_calls_from(function).into();
        self.calls.keep(function, std::sync::Arc::clone(&found));
        found
    }

    fn find_calls_from(&self, function: FunctionRef) -> Vec<(FunctionRef, ExprRef)> {
        let facts = self.facts(function.file);
        let mut calls = Vec::new();
        facts.body_exprs(function.id, &mut |expr| {
            if matches!(facts.expr(expr).kind, ExprKind::Call { .. }) {
                calls.push(ExprRef { file: function.file, id: expr });
            }
        });
        if function.is_module() {
            // Bodies of classes run with the module.
            for class in &facts.classes {
                if let StmtKind::Class(_, body) = &facts.stmt(class.stmt).kind
                    && class.function == function.id
                {
                    facts.walk_exprs(body, &mut |expr| {
                        if matches!(facts.expr(expr).kind, ExprKind::Call { .. }) {
                            calls.push(ExprRef { file: function.file, id: expr });
                        }
                    });
                }
            }
        }
        let mut found = Vec::new();
        for call in calls {
            for callee in self.callees(call) {
                found.push((callee, call));
            }
        }
        // `with self:` and `async with Client() as c:` run the class's own methods.
        facts.walk(&facts.function(function.id).body, &mut |stmt| {
            if let StmtKind::With { items, is_async, .. } = &facts.stmt(stmt).kind {
                for item in items {
                    let context = ExprRef { file: function.file, id: item.context };
                    for value in self.infer(context).iter() {
                        if let Value::Instance(super::Kind::Class(class), _) = value {
                            let names = if *is_async {
                                ["__aenter__", "__aexit__"]
                            } else {
                                ["__enter__", "__exit__"]
                            };
                            for name in names {
                                found.extend(self.method(*class, name).map(|method| (method, context)));
                            }
                        }
                    }
                }
            }
        });
        found
    }

    /// All functions that run when a function runs, itself first: its calls, and theirs. Functions that are only handed over
    /// as values are not among them.
    pub fn reachable(&self, from: FunctionRef) -> BTreeSet<FunctionRef> {
        let mut found = BTreeSet::from([from]);
        let mut work = vec![from];
        while let Some(at) = work.pop() {
            for &(callee, _) in self.calls_from(at).iter() {
                if found.insert(callee) {
                    work.push(callee);
                }
            }
        }
        found
    }

    /// The runs that run a function, directly or through calls; by their place in [`Lifecycle::runs`].
    pub fn runs_reaching(&self, function: FunctionRef) -> Vec<usize> {
        self.roots(function)
            .into_iter()
            .filter_map(|root| if let Root::Run(index) = root { Some(index) } else { None })
            .collect()
    }

    /// Where the calls that lead to a function begin.
    pub fn roots(&self, function: FunctionRef) -> BTreeSet<Root> {
        let mut roots = BTreeSet::new();
        let mut seen = BTreeSet::from([function]);
        let mut work = vec![function];
        while let Some(at) = work.pop() {
            let callers = self.callers_of(at, &mut roots);
            for caller in callers {
                if seen.len() < CALLERS && seen.insert(caller) {
                    work.push(caller);
                }
            }
        }
        roots
    }

    /// The functions that call a function; roots go to `roots`.
    pub(super) fn callers_of(&self, function: FunctionRef, roots: &mut BTreeSet<Root>) -> Vec<FunctionRef> {
        let calling = self.callings.get(&function).unwrap_or_else(|| {
            let mut roots = BTreeSet::new();
            let callers = self.find_callers(function, &mut roots);
            let calling = std::sync::Arc::new(Calling { callers, roots });
            self.callings.keep(function, std::sync::Arc::clone(&calling));
            calling
        });
        roots.extend(calling.roots.iter().cloned());
        calling.callers.clone()
    }

    /// Whether the name of a function is written anywhere without being called: it may be handed over.
    fn may_be_handed(&self, function: FunctionRef) -> bool {
        let of = self.facts(function.file).function(function.id);
        if !matches!(of.definition, Definition::Def(_)) || !of.decorators.is_empty() {
            return true;
        }
        // `super().__init__` and the like are read to be called.
        if of.class.is_some() && of.name.starts_with("__") && of.name.ends_with("__") {
            return false;
        }
        let bare = |file: FileId, name: &str| self.outline(file).reads_bare(word(name));
        self.files_with(&of.name).iter().any(|&file| bare(file, &of.name))
            || self.aliases_of(&of.name).any(|(file, alias)| bare(file, alias))
    }

    fn find_callers(&self, function: FunctionRef, roots: &mut BTreeSet<Root>) -> Vec<FunctionRef> {
        let facts = self.facts(function.file);
        let of = facts.function(function.id);
        if function.is_module() {
            roots.insert(Root::Module(function.file));
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut rooted = false;
        if self.is_fixture(function) {
            roots.insert(Root::Fixture(function));
            return found;
        }
        if self.is_test(function) {
            roots.insert(Root::Test(function));
            return found;
        }
        if matches!(of.name.as_str(), "__del__") {
            roots.insert(Root::Exit(function));
            return found;
        }
        for &decorator in &of.decorators {
            if self.registers(ExprRef { file: function.file, id: decorator }) {
                roots.insert(Root::Framework(function, ExprRef { file: function.file, id: decorator }));
                rooted = true;
            }
        }
        for site in self.call_sites(function) {
            match self.run_around(site.call) {
                Some(run) => {
                    roots.insert(Root::Run(run));
                }
                None => found.push(FunctionRef {
                    file: site.call.file,
                    id: self.facts(site.call.file).function_of(site.call.id),
                }),
            }
            rooted = true;
        }
        if let (Some(class), true) = (of.class, of.name.starts_with("__")) {
            // Dunder methods run where the object is made or used: taken as called from where the class is called.
            let class = super::ClassRef { file: function.file, id: class };
            if let Some(init) = self.method(class, "__init__")
                && init != function
            {
                for site in self.call_sites(init) {
                    found.push(FunctionRef {
                        file: site.call.file,
                        id: self.facts(site.call.file).function_of(site.call.id),
                    });
                    rooted = true;
                }
            }
        }
        let handed = self.may_be_handed(function).then(|| self.flow(Origin::Function(function), false));
        for at in handed.iter().flat_map(|flow| &flow.uses) {
            match &at.kind {
                UseKind::Argument { call, .. } => {
                    let paths = self.callee_paths(*call);
                    let last = self.called_name(*call);
                    if paths.iter().any(|path| is_thread(path))
                        || matches!(
                            last.as_deref(),
                            Some("Thread" | "submit" | "run_in_executor" | "to_thread" | "Timer")
                        )
                    {
                        roots.insert(Root::Thread(function, *call));
                    } else if paths.iter().any(|path| path == "atexit.register" || path == "weakref.finalize")
                    {
                        roots.insert(Root::Exit(function));
                    } else if let Some(run) = self.runs().iter().position(|run| run.call == *call) {
                        roots.insert(Root::Run(run));
                    } else {
                        roots.insert(Root::Framework(function, *call));
                    }
                    rooted = true;
                }
                UseKind::Called(call) => {
                    if !found.iter().any(|caller| {
                        caller.file == call.file && caller.id == self.facts(call.file).function_of(call.id)
                    }) {
                        match self.run_around(*call) {
                            Some(run) => {
                                roots.insert(Root::Run(run));
                            }
                            None => found.push(FunctionRef {
                                file: call.file,
                                id: self.facts(call.file).function_of(call.id),
                            }),
                        }
                    }
                    rooted = true;
                }
                UseKind::Stored(_) | UseKind::Attribute { .. } => {}
                _ => {}
            }
        }
        if let Definition::Lambda(expr) = of.definition
            && !rooted
        {
            found.push(FunctionRef { file: function.file, id: facts.function_of(expr) });
            rooted = true;
        }
        if !rooted {
            roots.insert(Root::Uncalled(function));
        }
        found
    }

    /// The run whose argument a call stands in (`asyncio.run(main())`), by its place in [`Lifecycle::runs`].
    pub fn run_around(&self, call: ExprRef) -> Option<usize> {
        let facts = self.facts(call.file);
        let mut at = call.id;
        while let Some(up) = facts.parent_expr(at) {
            if matches!(facts.expr(up).kind, ExprKind::Call { .. }) {
                let outer = call.with(up);
                if let Some(index) = self.runs().iter().position(|run| run.call == outer) {
                    return (self.runs()[index].argument.is_some_and(|argument| {
                        facts.expr(argument.id).range.contains_range(facts.expr(call.id).range)
                    }))
                    .then_some(index);
                }
            }
            if matches!(facts.expr(up).kind, ExprKind::Await(_)) {
                return None;
            }
            at = up;
        }
        // `coro = main(); asyncio.run(coro)`.
        None
    }

    /// Whether a function is a test by pytest's or unittest's rules.
    pub fn is_test(&self, function: FunctionRef) -> bool {
        let facts = self.facts(function.file);
        let of = facts.function(function.id);
        if !of.name.starts_with("test") {
            return false;
        }
        let file = facts.path.rsplit('/').next().unwrap_or(&facts.path);
        let test_file = file.starts_with("test")
            || file.ends_with("_test.py")
            || file == "conftest.py"
            || facts.path.contains("tests/");
        let in_class = of.class.is_none_or(|class| {
            let class = facts.class(class);
            class.name.contains("Test") || !class.bases.is_empty()
        });
        test_file && in_class && of.parent == Some(crate::facts::MODULE)
    }

    /// Whether a decorator hands the function to a framework (`@app.get(…)`, `@celery.task`), rather than only wrap it.
    pub fn registers(&self, decorator: ExprRef) -> bool {
        const PLAIN: &[&str] = &[
            "property",
            "cached_property",
            "staticmethod",
            "classmethod",
            "contextmanager",
            "asynccontextmanager",
            "wraps",
            "lru_cache",
            "cache",
            "override",
            "overload",
            "abstractmethod",
            "dataclass",
            "setter",
            "getter",
            "deleter",
            "singledispatch",
            "total_ordering",
            "final",
            "fixture",
            "parametrize",
            "asyncio",
            "skip",
            "skipif",
            "patch",
        ];
        let Some(last) = self.last_part(decorator) else { return true };
        if PLAIN.contains(&last.as_str()) {
            return false;
        }
        // A decorator of the tree's own wraps.
        !self.infer(decorator).iter().all(|value| {
            matches!(
                value,
                Value::Function(_)
                    | Value::Bound(..)
                    | Value::Class(_)
                    | Value::Instance(super::Kind::Class(_), _)
            )
        })
    }

    /// How often a function runs in one process.
    pub fn repeat(&self, function: FunctionRef) -> Repeat {
        let mut seen = BTreeSet::new();
        self.repeat_of(function, &mut seen)
    }

    fn repeat_of(&self, function: FunctionRef, seen: &mut BTreeSet<FunctionRef>) -> Repeat {
        if function.is_module() {
            return Repeat::Once;
        }
        if !seen.insert(function) {
            return Repeat::Once;
        }
        let facts = self.facts(function.file);
        let of = facts.function(function.id);
        for &decorator in &of.decorators {
            let decorator = ExprRef { file: function.file, id: decorator };
            if self.registers(decorator) && !self.once_only(decorator) {
                return Repeat::Many(decorator);
            }
        }
        let calls = self.call_sites(function);
        let mut callers = BTreeSet::new();
        for site in &calls {
            if self.in_loop(site.call) {
                return Repeat::Many(site.call);
            }
            callers.insert(FunctionRef {
                file: site.call.file,
                id: self.facts(site.call.file).function_of(site.call.id),
            });
        }
        if calls.len() > 1 && !self.exclusive(&calls.iter().map(|site| site.call).collect::<Vec<_>>()) {
            return Repeat::Many(calls[1].call);
        }
        let mut unknown = calls.is_empty();
        for caller in callers {
            match self.repeat_of(caller, seen) {
                Repeat::Many(at) => return Repeat::Many(at),
                Repeat::Unknown => unknown = true,
                Repeat::Once => {}
            }
        }
        for at in &self.flow(Origin::Function(function), false).uses {
            match at.kind {
                UseKind::Argument { call, .. } => {
                    let last = self.last_part(call);
                    if matches!(
                        last.as_deref(),
                        Some(
                            "run"
                                | "Thread"
                                | "run_until_complete"
                                | "create_task"
                                | "ensure_future"
                                | "register"
                                | "signal"
                                | "add_signal_handler"
                                | "Timer"
                        )
                    ) {
                        unknown = false;
                    } else {
                        return Repeat::Many(call);
                    }
                }
                UseKind::Called(call) if self.in_loop(call) => return Repeat::Many(call),
                UseKind::Called(_) => unknown = false,
                _ => {}
            }
        }
        if unknown { Repeat::Unknown } else { Repeat::Once }
    }

    /// Decorators of hooks that run once in a process's life.
    pub(super) fn once_only(&self, decorator: ExprRef) -> bool {
        matches!(
            self.last_part(decorator).as_deref(),
            Some(
                "on_event"
                    | "before_serving"
                    | "after_serving"
                    | "listener"
                    | "before_server_start"
                    | "after_server_stop"
                    | "main"
                    | "asyncio"
            )
        )
    }

    /// Whether an expression stands in a loop or comprehension of its function.
    pub fn in_loop(&self, expr: ExprRef) -> bool {
        let facts = self.facts(expr.file);
        let mut at = expr.id;
        while let Some(up) = facts.parent_expr(at) {
            if let ExprKind::Comprehension { elements, .. } = &facts.expr(up).kind
                && elements.contains(&at)
            {
                return true;
            }
            at = up;
        }
        let Some(stmt) = facts.stmt_of(expr.id) else { return false };
        let range = facts.expr(expr.id).range;
        std::iter::once(stmt).chain(facts.ancestors(stmt).map(|(outer, _)| outer)).any(|outer| {
            match &facts.stmt(outer).kind {
                StmtKind::For { iter, body, .. } => {
                    !facts.expr(*iter).range.contains_range(range)
                        && body.iter().any(|&inner| facts.stmt(inner).range.contains_range(range))
                }
                StmtKind::While { body, .. } => {
                    body.iter().any(|&inner| facts.stmt(inner).range.contains_range(range))
                }
                _ => false,
            }
        })
    }

    /// Whether of several places in one function at most one runs: they stand in different branches.
    pub fn exclusive(&self, exprs: &[ExprRef]) -> bool {
        exprs.iter().enumerate().all(|(index, &left)| {
            exprs[index + 1..].iter().all(|&right| self.exclude_each_other(left, right))
        })
    }

    fn exclude_each_other(&self, left: ExprRef, right: ExprRef) -> bool {
        let facts = self.facts(left.file);
        if left.file != right.file || facts.function_of(left.id) != facts.function_of(right.id) {
            return false;
        }
        let (Some(left), Some(right)) = (facts.stmt_of(left.id), facts.stmt_of(right.id)) else {
            return false;
        };
        let way = |stmt| -> Vec<_> {
            let mut list = vec![(stmt, None)];
            list.extend(facts.ancestors(stmt).map(|(outer, slot)| (outer, Some(slot))));
            list
        };
        let left = way(left);
        let right = way(right);
        left.iter().any(|(outer, left_slot)| {
            right.iter().any(|(other, right_slot)| {
                outer == other
                    && matches!(facts.stmt(*outer).kind, StmtKind::If { .. } | StmtKind::Match { .. })
                    && left_slot.is_some()
                    && right_slot.is_some()
                    && left_slot != right_slot
            })
        }) || guarded_return_between(facts, &left, &right)
    }
}

/// `if a: run(x); return` … `run(y)`: the second only runs where the first did not.
fn guarded_return_between(
    facts: &crate::facts::Facts,
    left: &[(crate::facts::StmtId, Option<crate::facts::Slot>)],
    right: &[(crate::facts::StmtId, Option<crate::facts::Slot>)],
) -> bool {
    let leaves = |way: &[(crate::facts::StmtId, Option<crate::facts::Slot>)]| {
        way.iter().any(|(outer, slot)| {
            let Some(slot) = slot else { return false };
            matches!(facts.stmt(*outer).kind, StmtKind::If { .. })
                && facts.stmt(*outer).block(*slot, facts).last().is_some_and(|&last| {
                    matches!(facts.stmt(last).kind, StmtKind::Return(_) | StmtKind::Raise { .. })
                })
                && !right.iter().any(|(other, _)| other == outer)
        })
    };
    leaves(left)
}

fn is_thread(path: &str) -> bool {
    matches!(
        path,
        "threading.Thread"
            | "threading.Timer"
            | "asyncio.to_thread"
            | "asyncio.AbstractEventLoop.run_in_executor"
            | "anyio.to_thread.run_sync"
            | "concurrent.futures.ThreadPoolExecutor.submit"
            | "concurrent.futures.ThreadPoolExecutor.map"
    )
}
