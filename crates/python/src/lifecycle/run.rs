//! Where loops start and end: every call in the tree that runs one.

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::{ExprRef, FileId, FunctionRef, Kind, Lifecycle, UseKind, Value, kept};
use crate::catalogue::EntryKind;
use crate::facts::{ExprKind, Name, Parent};

/// One call that runs a loop.
#[derive(Clone, Debug)]
pub struct Run {
    /// The call.
    pub call: ExprRef,
    /// The function that it stands in.
    pub function: FunctionRef,
    /// How the loop is had.
    pub kind: RunKind,
    /// The callee as resolved (`asyncio.run`).
    pub path: Name,
    /// The expression for the loop or runner that it is called on.
    pub receiver: Option<ExprRef>,
    /// The argument that is run.
    pub argument: Option<ExprRef>,
    /// The functions of the tree that it runs.
    pub coroutines: Vec<FunctionRef>,
}

/// How a run has its loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RunKind {
    /// A new loop for each call, closed at its end: `asyncio.run`, `anyio.run`, `async_to_sync`.
    Fresh,
    /// The loop that it is called on, left open: `run_until_complete`, `run_forever`.
    OnLoop,
    /// The runner's loop, the same for all its runs: `asyncio.Runner.run`.
    Runner,
    /// A server's or framework's own: `uvicorn.run`, `web.run_app`, `Client.run`.
    Serve,
}

/// Methods that say by their name alone what they are.
const BY_NAME: [&str; 4] = ["run_polling", "run_webhook", "run_until_complete", "run_forever"];

impl Lifecycle {
    /// All runs, in the order of files and of the text.
    pub fn runs(&self) -> &[Run] {
        kept::once::<Vec<_>>(&self.runs, || {
            let wanted: FxHashSet<&str> = self
                .catalogue
                .entries()
                .iter()
                .filter(|entry| {
                    !entry.command_line
                        && matches!(entry.kind, EntryKind::Run | EntryKind::Serve | EntryKind::PerCall)
                })
                .flat_map(|entry| &entry.qualified)
                .filter(|path| {
                    let package = path.split('.').next().unwrap_or(path);
                    !self.files_with(package).is_empty() || BY_NAME.iter().any(|name| path.ends_with(name))
                })
                .map(|path| path.rsplit('.').next().unwrap_or(path))
                .collect();
            let files = self.files_naming(wanted.iter().copied());
            files.into_par_iter().flat_map_iter(|file| self.runs_of(file, &wanted)).collect()
        })
    }

    /// The run that a call is.
    pub fn run_at(&self, call: ExprRef) -> Option<&Run> {
        self.runs().iter().find(|run| run.call == call)
    }

    fn runs_of(&self, file: FileId, wanted: &FxHashSet<&str>) -> Vec<Run> {
        let facts = self.facts(file);
        let mut found = Vec::new();
        for id in super::site::written(facts, wanted) {
            let call = ExprRef { file, id };
            for path in self.callee_paths(call) {
                if path == "asgiref.sync.async_to_sync" {
                    self.bridged(call, &mut found);
                    break;
                }
                // A method of that name whose value is used is another thing: `create_task(worker.run_forever())`.
                let other = path.ends_with(".run_forever")
                    && !path.starts_with("asyncio.")
                    && !matches!(facts.expr(call.id).parent, Parent::Stmt(_));
                if other {
                    continue;
                }
                if let Some(kind) = self.run_kind(&path) {
                    found.push(self.run(call, kind, path));
                    break;
                }
            }
        }
        found.sort_by_key(|run| run.call);
        found
    }

    fn run_kind(&self, path: &str) -> Option<RunKind> {
        match path {
            "asyncio.Runner.run" => return Some(RunKind::Runner),
            "asyncio.Runner"
            | "starlette.applications.Starlette"
            | "fastapi.FastAPI"
            | "litestar.Litestar" => return None,
            "asyncio.AbstractEventLoop.run_until_complete" | "asyncio.AbstractEventLoop.run_forever" => {
                return Some(RunKind::OnLoop);
            }
            _ => {}
        }
        let entry = self.catalogue.entry(path).or_else(|| {
            // `app.run_polling` of a builder's result has only the method's name.
            let last = path.rsplit('.').next()?;
            BY_NAME
                .contains(&last)
                .then(|| {
                    self.catalogue.entries().iter().find(|entry| {
                        entry.qualified.iter().any(|known| known.rsplit('.').next() == Some(last))
                    })
                })
                .flatten()
        })?;
        if path.ends_with(".run_until_complete") || path.ends_with(".run_forever") {
            return Some(RunKind::OnLoop);
        }
        match entry.kind {
            EntryKind::Run
                if entry.library == "asyncio" || entry.library == "anyio" || entry.library == "uvloop" =>
            {
                Some(RunKind::Fresh)
            }
            EntryKind::Run => Some(RunKind::Serve),
            EntryKind::Serve if path.ends_with(".run") || path.ends_with(".run_app") => Some(RunKind::Serve),
            _ => None,
        }
    }

    fn run(&self, call: ExprRef, kind: RunKind, path: Name) -> Run {
        let facts = self.facts(call.file);
        let ExprKind::Call { func, args, keywords } = &facts.expr(call.id).kind else {
            unreachable!("runs are calls")
        };
        let receiver = match facts.expr(*func).kind {
            ExprKind::Attribute { value, .. } if matches!(kind, RunKind::OnLoop | RunKind::Runner) => {
                Some(call.with(value))
            }
            _ => None,
        };
        let argument = args
            .first()
            .copied()
            .or_else(|| {
                keywords
                    .iter()
                    .find(|keyword| {
                        matches!(keyword.name.as_deref(), Some("main" | "coro" | "func" | "future"))
                    })
                    .map(|keyword| keyword.value)
            })
            .map(|id| call.with(id));
        Run {
            call,
            function: FunctionRef { file: call.file, id: facts.function_of(call.id) },
            kind,
            path,
            receiver,
            argument,
            coroutines: argument.map_or_else(Vec::new, |argument| self.coroutines_in(argument)),
        }
    }

    /// `async_to_sync(f)(…)`, at each place where what it gives is called.
    fn bridged(&self, call: ExprRef, found: &mut Vec<Run>) {
        let facts = self.facts(call.file);
        let ExprKind::Call { args, .. } = &facts.expr(call.id).kind else { return };
        let Some(&target) = args.first() else { return };
        let coroutines = self.coroutines_in(call.with(target));
        for at in &self.flow_of(call).uses {
            if let UseKind::Called(outer) = at.kind.clone() {
                found.push(Run {
                    call: outer,
                    function: FunctionRef {
                        file: outer.file,
                        id: self.facts(outer.file).function_of(outer.id),
                    },
                    kind: RunKind::Fresh,
                    path: Name::new_static("asgiref.sync.async_to_sync"),
                    receiver: None,
                    argument: Some(call.with(target)),
                    coroutines: coroutines.clone(),
                });
            }
        }
    }

    /// The functions of the tree whose coroutines an expression holds: `f()`, `gather(f(), g())`, a variable, a list.
    pub fn coroutines_in(&self, expr: ExprRef) -> Vec<FunctionRef> {
        let facts = self.facts(expr.file);
        let mut found = Vec::new();
        facts.descend(expr.id, &mut |id| {
            let at = expr.with(id);
            let worth = id == expr.id
                || matches!(
                    facts.expr(id).kind,
                    ExprKind::Call { .. } | ExprKind::Name(_) | ExprKind::Attribute { .. }
                );
            if !worth {
                return;
            }
            for value in self.infer(at).iter() {
                match value {
                    Value::Coroutine(function, _) => found.push(*function),
                    Value::Function(function) | Value::Bound(function, _)
                        if id == expr.id && self.facts(function.file).function(function.id).is_async =>
                    {
                        found.push(*function);
                    }
                    Value::Instance(Kind::External(class), Some(made))
                        if class == "asyncio.Task" && *made != at =>
                    {
                        let facts = self.facts(made.file);
                        if let ExprKind::Call { args, .. } = &facts.expr(made.id).kind
                            && let Some(&inner) = args.first()
                        {
                            for value in self.infer(made.with(inner)).iter() {
                                if let Value::Coroutine(function, _) = value {
                                    found.push(*function);
                                }
                            }
                        }
                    }
                    _ => {}
                }
            }
        });
        found.sort_unstable();
        found.dedup();
        found
    }
}
