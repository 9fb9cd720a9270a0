//! Tasks: who starts them, who holds them, and who ends them.
//!
//! A task is a call of `create_task` or `ensure_future` that nothing owns by itself: those of a task group, which waits for
//! its own, are not among them. What becomes of each is read from its [`Flow`].

use rayon::prelude::*;

use super::{
    ExprRef, Flow, FunctionRef, Kind, Lifecycle, Lookup, Place, SiteKind, Use, UseKind, Value, kept,
};
use crate::facts::{BindingKind, ExprKind, Parent, StmtKind};

/// One place that starts a task.
#[derive(Clone, Debug)]
pub struct Task {
    /// The call.
    pub call: ExprRef,
    /// The function that it stands in.
    pub function: FunctionRef,
    /// What is run: the first argument.
    pub coroutine: Option<ExprRef>,
    /// The functions of the tree that it runs.
    pub runs: Vec<FunctionRef>,
    /// All that becomes of the task.
    pub flow: std::sync::Arc<Flow>,
    /// What is done with it, in the order of the flow.
    pub acts: Vec<TaskAct>,
}

/// Something done with a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskAct {
    /// The expression that is the task here, or what holds it.
    pub expr: ExprRef,
    /// It is an element of what the expression is.
    pub element: bool,
    /// What is done.
    pub kind: TaskActKind,
}

/// What is done with a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TaskActKind {
    /// The call stands as a statement, or ends in a call of a method whose value nobody has.
    Dropped,
    /// `task.cancel()`, or `task.cancel` handed over: the call or attribute.
    Cancelled(ExprRef),
    /// Waited for: the `await`, or the call of `gather`, `wait`, `wait_for`, `run_until_complete`.
    Waited(ExprRef),
    /// Given a done callback: the call.
    Callback(ExprRef),
    /// Asked for its result or exception: the call.
    Asked(ExprRef),
    /// Kept by a name, an attribute or a container.
    Kept(Place),
    /// Put into a container that does not keep it alive: the call that puts it there.
    KeptWeakly(ExprRef),
    /// Given to code that is not followed, or to a caller that is not known.
    Handed,
}

/// Methods that put an object into a container.
const PUTS: &[&str] =
    &["append", "add", "appendleft", "insert", "extend", "update", "put_nowait", "put", "push"];
/// Calls that wait for what they are given.
const WAITS: &[&str] = &[
    "gather",
    "wait",
    "wait_for",
    "as_completed",
    "run_until_complete",
    "staggered_race",
    "run",
    "async_gather",
];
/// Calls that only look at what they are given.
const LOOKS: &[&str] = &[
    "print",
    "len",
    "str",
    "repr",
    "id",
    "isinstance",
    "bool",
    "any",
    "all",
    "list",
    "tuple",
    "set",
    "frozenset",
    "sorted",
    "reversed",
    "iter",
    "enumerate",
    "zip",
    "format",
    "next",
    "hasattr",
    "debug",
    "info",
    "warning",
    "error",
    "exception",
    "critical",
    "log",
    "discard",
    "remove",
    "shield",
    "partial",
    "cast",
    "filter",
    "map",
    "dict",
];

impl Task {
    /// Whether something waits for it, however.
    pub fn waited(&self) -> bool {
        self.acts.iter().any(|act| matches!(act.kind, TaskActKind::Waited(_)))
    }

    /// The places where it is cancelled.
    pub fn cancels(&self) -> impl Iterator<Item = ExprRef> + '_ {
        self.acts.iter().filter_map(|act| match act.kind {
            TaskActKind::Cancelled(at) => Some(at),
            _ => None,
        })
    }

    /// Whether it goes out of sight: handed to a library or to a caller that is not known.
    pub fn handed(&self) -> bool {
        self.flow.doubt || self.acts.iter().any(|act| act.kind == TaskActKind::Handed)
    }

    /// Whether it was not followed to its end.
    pub fn flow_doubt(&self) -> bool {
        self.flow.doubt
    }

    /// Whether the call's value is dropped where it stands.
    pub fn dropped(&self) -> bool {
        self.acts.iter().any(|act| act.kind == TaskActKind::Dropped)
    }

    /// Whether it is kept by something that outlives the function: an attribute, a global, another object.
    pub fn kept(&self) -> bool {
        self.acts.iter().any(|act| {
            matches!(act.kind, TaskActKind::Kept(Place::Global(..) | Place::Attribute(..) | Place::Loose(..)))
        })
    }
}

impl Lifecycle {
    /// All tasks, in the order of files and of the text.
    pub fn tasks(&self) -> &[Task] {
        kept::once::<Vec<_>>(&self.tasks, || {
            self.sites()
                .par_iter()
                .filter(|site| site.kind == SiteKind::Task && self.starts_task(site.call))
                .map(|site| self.task(site.call, site.function))
                .collect()
        })
    }

    /// Whether a call starts a task: `ensure_future` gives back what is a future already.
    fn starts_task(&self, call: ExprRef) -> bool {
        let facts = self.facts(call.file);
        let ExprKind::Call { func, args, .. } = &facts.expr(call.id).kind else { return true };
        let name = facts.dotted(*func).unwrap_or_default();
        let Some(&given) = args.first().filter(|_| name.ends_with("ensure_future")) else { return true };
        let given = call.with(given);
        match &facts.expr(given.id).kind {
            // A plain function of the tree may give a future; that of a library is taken for a coroutine function.
            ExprKind::Call { .. } => {
                let callees = self.callees(given);
                callees.is_empty()
                    || callees.iter().any(|callee| self.facts(callee.file).function(callee.id).is_async)
                    || !self.coroutines_in(given).is_empty()
            }
            ExprKind::Name(name) => {
                let handed = match self.lookup(given, name) {
                    Lookup::Bound(_, ids) => {
                        ids.iter().all(|&id| matches!(facts.binding(id).kind, BindingKind::Parameter(_)))
                    }
                    _ => true,
                };
                handed || !self.coroutines_in(given).is_empty()
            }
            _ => true,
        }
    }

    fn task(&self, call: ExprRef, function: FunctionRef) -> Task {
        let facts = self.facts(call.file);
        let coroutine = match &facts.expr(call.id).kind {
            ExprKind::Call { args, keywords, .. } => args
                .first()
                .copied()
                .or_else(|| {
                    keywords
                        .iter()
                        .find(|keyword| matches!(keyword.name.as_deref(), Some("coro" | "coro_or_future")))
                        .map(|keyword| keyword.value)
                })
                .map(|id| call.with(id)),
            _ => None,
        };
        let runs = coroutine.map_or_else(Vec::new, |coroutine| self.coroutines_in(coroutine));
        let flow = self.flow_of(call);
        let acts = flow
            .uses
            .iter()
            .filter_map(|at| {
                let kind = self.task_act(call, at)?;
                Some(TaskAct { expr: at.expr, element: at.element, kind })
            })
            .collect();
        Task { call, function, coroutine, runs, flow, acts }
    }

    fn task_act(&self, made: ExprRef, at: &Use) -> Option<TaskActKind> {
        match &at.kind {
            UseKind::Dropped => (at.expr == made).then_some(TaskActKind::Dropped),
            UseKind::Awaited(up) => Some(TaskActKind::Waited(*up)),
            UseKind::Method { name, call, .. } if !at.element => match name.as_str() {
                "cancel" => Some(TaskActKind::Cancelled(*call)),
                "result" | "exception" => Some(TaskActKind::Asked(*call)),
                "add_done_callback" if at.expr == made && self.stands_alone(*call) => {
                    Some(TaskActKind::Dropped)
                }
                "add_done_callback" => Some(TaskActKind::Callback(*call)),
                _ => None,
            },
            UseKind::Attribute { name, expr } if name == "cancel" => Some(TaskActKind::Cancelled(*expr)),
            UseKind::Argument { call, .. } => self.handed_to(*call),
            // A container that was given the task is noted as kept too: what it is was looked at there.
            UseKind::Stored(place) => (!self.is_weak(at.expr)).then(|| TaskActKind::Kept(place.clone())),
            UseKind::Returned(function) => {
                let lambda = self.facts(function.file).function(function.id).name == "<lambda>";
                (lambda || self.call_sites(*function).is_empty()).then_some(TaskActKind::Handed)
            }
            UseKind::Yielded(_) | UseKind::Called(_) | UseKind::Entered { .. } => Some(TaskActKind::Handed),
            UseKind::Method { .. }
            | UseKind::Attribute { .. }
            | UseKind::Iterated(_)
            | UseKind::Tested
            | UseKind::Decorator(_)
            | UseKind::Deleted
            | UseKind::Other => None,
        }
    }

    fn handed_to(&self, call: ExprRef) -> Option<TaskActKind> {
        let facts = self.facts(call.file);
        let ExprKind::Call { func, .. } = facts.expr(call.id).kind else { return Some(TaskActKind::Handed) };
        let (name, receiver) = match &facts.expr(func).kind {
            ExprKind::Name(name) => (name.clone(), None),
            ExprKind::Attribute { value, attr } => (attr.clone(), Some(call.with(*value))),
            _ => return Some(TaskActKind::Handed),
        };
        let path = self.callee_paths(call).into_iter().next();
        let last = path.as_deref().map_or(name.as_str(), |path| path.rsplit('.').next().unwrap_or(path));
        if WAITS.contains(&last) {
            return Some(TaskActKind::Waited(call));
        }
        if let Some(receiver) = receiver
            && PUTS.contains(&name.as_str())
        {
            return Some(match self.place_of(receiver) {
                _ if self.is_weak(receiver) => TaskActKind::KeptWeakly(call),
                // A local name for a container that others have: `tasks = app.state.tasks`.
                Some(Place::Local(..)) if !self.is_own_container(receiver) => TaskActKind::Handed,
                Some(place) => TaskActKind::Kept(place),
                None => TaskActKind::Handed,
            });
        }
        (!LOOKS.contains(&last)).then_some(TaskActKind::Handed)
    }

    /// Whether a local name is only ever given a container that is made there.
    fn is_own_container(&self, receiver: ExprRef) -> bool {
        const MAKERS: &[&str] = &["set", "list", "dict", "deque", "defaultdict", "OrderedDict"];
        let facts = self.facts(receiver.file);
        let Some(name) = facts.name_of(receiver.id) else { return true };
        let Lookup::Bound(_, ids) = self.lookup(receiver, name) else { return true };
        ids.iter().all(|&id| match facts.binding(id).kind {
            BindingKind::Value { value, .. } => match &facts.expr(value).kind {
                ExprKind::Call { func, .. } => facts.dotted(*func).is_some_and(|path| {
                    let last = path.rsplit('.').next().unwrap_or(&path);
                    MAKERS.contains(&last) || last.starts_with("Weak")
                }),
                ExprKind::Name(_) | ExprKind::Attribute { .. } | ExprKind::Subscript { .. } => false,
                _ => true,
            },
            BindingKind::Parameter(_) => false,
            _ => true,
        })
    }

    /// The place that a name or attribute names.
    fn place_of(&self, expr: ExprRef) -> Option<Place> {
        let facts = self.facts(expr.file);
        match &facts.expr(expr.id).kind {
            ExprKind::Name(name) => {
                let function = facts.function_of(expr.id);
                let scope = super::scope::owner(facts, function, name).unwrap_or(crate::facts::MODULE);
                Some(if scope == crate::facts::MODULE {
                    Place::Global(expr.file, name.clone())
                } else {
                    Place::Local(FunctionRef { file: expr.file, id: scope }, name.clone())
                })
            }
            ExprKind::Attribute { value, attr } => {
                let receiver = expr.with(*value);
                self.receiver_class(receiver)
                    .map(|class| Place::Attribute(class, attr.clone()))
                    .or_else(|| self.last_part(receiver).map(|last| Place::Loose(last, attr.clone())))
            }
            ExprKind::Subscript { value, index } => facts
                .key(*index)
                .and_then(|key| self.last_part(expr.with(*value)).map(|last| Place::Loose(last, key)))
                .or_else(|| self.place_of(expr.with(*value))),
            ExprKind::Call { func, .. } => match facts.expr(*func).kind {
                ExprKind::Attribute { value, .. } => self.place_of(expr.with(value)),
                _ => None,
            },
            _ => None,
        }
    }

    fn is_weak(&self, container: ExprRef) -> bool {
        self.infer(container).iter().any(|value| match value {
            Value::Instance(Kind::External(class), _) => class.starts_with("weakref.Weak"),
            _ => false,
        })
    }

    /// Whether a call is an expression statement.
    fn stands_alone(&self, call: ExprRef) -> bool {
        let facts = self.facts(call.file);
        match facts.expr(call.id).parent {
            Parent::Stmt(stmt) => matches!(facts.stmt(stmt).kind, StmtKind::Expr(_)),
            _ => false,
        }
    }

    /// Whether a function, or one that it runs, goes on until it is told to stop: it has a `while` or an `async for`.
    pub fn goes_on(&self, function: FunctionRef) -> bool {
        self.reachable(function).into_iter().any(|at| {
            let facts = self.facts(at.file);
            let mut found = false;
            facts.walk(&facts.function(at.id).body, &mut |stmt| {
                found |= matches!(
                    facts.stmt(stmt).kind,
                    StmtKind::While { .. } | StmtKind::For { is_async: true, .. }
                );
            });
            found
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use loopmend_model::{SourceFile, Tree};

    use super::*;

    fn life(text: &str) -> Lifecycle {
        let files = vec![SourceFile { path: "app.py".to_owned(), text: Arc::from(text) }];
        Lifecycle::read(&Tree { files, ..Tree::default() })
    }

    #[test]
    fn what_becomes_of_tasks() {
        let life = life(
            "import asyncio, weakref\n\nweak = weakref.WeakSet()\nstrong = set()\n\nasync def job():\n    while True:\n        await asyncio.sleep(1)\n\n\
             async def main(group):\n    asyncio.create_task(job())\n    weak.add(asyncio.create_task(job()))\n    \
             strong.add(asyncio.create_task(job()))\n    await asyncio.create_task(job())\n    group.create_task(job())\n    \
             task = asyncio.ensure_future(job())\n    task.cancel()\n    async with asyncio.TaskGroup() as tasks:\n        tasks.create_task(job())\n",
        );
        let seen: Vec<(bool, bool, bool, bool)> = life
            .tasks()
            .iter()
            .map(|task| (task.dropped(), task.kept(), task.waited(), task.cancels().next().is_some()))
            .collect();
        assert_eq!(
            seen,
            [
                (true, false, false, false),
                (false, false, false, false),
                (false, true, false, false),
                (false, false, true, false),
                (false, false, false, true),
            ]
        );
        assert!(life.tasks().iter().all(|task| task.runs.len() == 1 && life.goes_on(task.runs[0])));
    }
}
