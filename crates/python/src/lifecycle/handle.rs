//! Loop handles: the expressions that give a loop, and all that the tree does with it.

use rayon::prelude::*;
use rustc_hash::FxHashSet;

use super::{Argument, ExprRef, FileId, FunctionRef, Lifecycle, Place, Use, UseKind, kept};
use crate::facts::Name;

/// A loop that the program holds itself.
#[derive(Clone, Debug)]
pub struct LoopHandle {
    /// The call that gives it.
    pub site: ExprRef,
    /// The function that the call stands in.
    pub function: FunctionRef,
    /// Whose loop it is.
    pub kind: HandleKind,
    /// All that is done with it, in the order of files and of the text.
    pub operations: Vec<LoopOperation>,
    /// Where it is kept.
    pub places: Vec<Place>,
    /// It went out of sight somewhere.
    pub doubt: bool,
}

/// Whose loop a handle is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandleKind {
    /// A new one for each time that the site runs: `new_event_loop()`.
    Made,
    /// The thread's current one, outside a running loop: `get_event_loop()` in a plain function.
    Current,
    /// The running one: `get_running_loop()`, or `get_event_loop()` in a coroutine.
    Running,
}

/// One thing that is done with a loop.
#[derive(Clone, Debug)]
pub struct LoopOperation {
    /// What.
    pub kind: LoopAct,
    /// The call; where a method is only handed over (`call_later(1, loop.stop)`) or the loop itself is, the expression for that.
    pub at: ExprRef,
    /// The expression that is the loop here.
    pub receiver: ExprRef,
    /// The function that it stands in.
    pub function: FunctionRef,
    /// The method is handed over rather than called.
    pub handed: bool,
}

/// What is done with a loop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoopAct {
    /// `run_until_complete`.
    Run,
    /// `run_forever`.
    Forever,
    /// `stop`.
    Stop,
    /// `close`.
    Close,
    /// `is_closed`, `is_running`, or tested.
    Asked,
    /// Made the thread's current loop.
    Set,
    /// Any other method by its name: `create_task`, `call_soon`.
    Method(Name),
    /// Given to something outside the tree, or used in another way.
    Passed,
}

impl LoopAct {
    fn of(method: &str) -> Self {
        match method {
            "run_until_complete" => Self::Run,
            "run_forever" => Self::Forever,
            "stop" => Self::Stop,
            "close" => Self::Close,
            "is_closed" | "is_running" => Self::Asked,
            _ => Self::Method(Name::new(method)),
        }
    }

    /// Whether a closed loop refuses it.
    pub fn needs_open(&self) -> bool {
        match self {
            Self::Run | Self::Forever => true,
            Self::Method(name) => matches!(
                name.as_str(),
                "create_task"
                    | "call_soon"
                    | "call_later"
                    | "call_at"
                    | "call_soon_threadsafe"
                    | "run_in_executor"
                    | "create_server"
                    | "create_connection"
                    | "create_unix_connection"
                    | "create_unix_server"
                    | "create_datagram_endpoint"
                    | "subprocess_exec"
                    | "subprocess_shell"
                    | "getaddrinfo"
                    | "add_signal_handler"
                    | "add_reader"
                    | "add_writer"
            ),
            _ => false,
        }
    }
}

impl LoopHandle {
    /// Its operations of one kind.
    pub fn acts<'h>(&'h self, kind: &'h LoopAct) -> impl Iterator<Item = &'h LoopOperation> + 'h {
        self.operations.iter().filter(move |operation| operation.kind == *kind)
    }

    /// Whether it has an operation of this kind.
    pub fn does(&self, kind: &LoopAct) -> bool {
        self.acts(kind).next().is_some()
    }

    /// Whether all that holds it is local names of the function that gets it.
    pub fn is_local(&self) -> bool {
        !self.doubt
            && self.operations.iter().all(|operation| operation.function == self.function)
            && self.places.iter().all(|place| {
                matches!(place, Place::Local(function, _) if *function == self.function)
                    || self.function.is_module()
                        && matches!(place, Place::Global(file, _) if *file == self.function.file)
            })
    }
}

impl Lifecycle {
    /// All loop handles, in the order of files and of the text.
    pub fn loops(&self) -> &[LoopHandle] {
        const WANTED: &[&str] = &[
            "new_event_loop",
            "get_event_loop",
            "get_running_loop",
            "SelectorEventLoop",
            "ProactorEventLoop",
        ];
        kept::once::<Vec<_>>(&self.loops, || {
            let wanted = WANTED.iter().copied().collect();
            let files = self.files_with_any(WANTED.iter().copied());
            files.into_par_iter().flat_map_iter(|file| self.loops_of(file, &wanted)).collect()
        })
    }

    fn loops_of(&self, file: FileId, wanted: &FxHashSet<&str>) -> Vec<LoopHandle> {
        let facts = self.facts(file);
        let mut found = Vec::new();
        for id in super::site::written(facts, wanted) {
            let site = ExprRef { file, id };
            let function = FunctionRef { file, id: facts.function_of(id) };
            let kind = self.callee_paths(site).iter().find_map(|path| {
                if !path.starts_with("asyncio.") && !path.starts_with("uvloop.") {
                    return None;
                }
                match path.rsplit('.').next()? {
                    "new_event_loop" | "SelectorEventLoop" | "ProactorEventLoop" => Some(HandleKind::Made),
                    "get_event_loop" if facts.function(function.id).is_async => Some(HandleKind::Running),
                    "get_event_loop" => Some(HandleKind::Current),
                    "get_running_loop" => Some(HandleKind::Running),
                    _ => None,
                }
            });
            if let Some(kind) = kind {
                found.push(self.loop_handle(site, function, kind));
            }
        }
        found.sort_by_key(|handle| handle.site);
        found
    }

    fn loop_handle(&self, site: ExprRef, function: FunctionRef, kind: HandleKind) -> LoopHandle {
        let flow = self.flow_of(site);
        let mut operations: Vec<LoopOperation> =
            flow.uses.iter().filter_map(|at| self.loop_operation(at)).collect();
        operations.sort_by_key(|operation| operation.at);
        operations.dedup_by_key(|operation| operation.at);
        LoopHandle { site, function, kind, operations, places: flow.places.clone(), doubt: flow.doubt }
    }

    fn loop_operation(&self, at: &Use) -> Option<LoopOperation> {
        let (kind, place, handed) = match &at.kind {
            UseKind::Method { name, call, .. } if !at.element => (LoopAct::of(name), *call, false),
            UseKind::Attribute { name, expr } if !at.element => (LoopAct::of(name), *expr, true),
            UseKind::Argument { call, argument: Argument::Position(0), .. }
                if self.last_part(*call).as_deref() == Some("set_event_loop") =>
            {
                (LoopAct::Set, *call, false)
            }
            UseKind::Argument { call, .. } => (LoopAct::Passed, *call, false),
            UseKind::Tested => (LoopAct::Asked, at.expr, false),
            UseKind::Stored(_) | UseKind::Returned(_) | UseKind::Dropped | UseKind::Deleted => return None,
            _ => (LoopAct::Passed, at.expr, false),
        };
        let function = FunctionRef { file: place.file, id: self.facts(place.file).function_of(place.id) };
        Some(LoopOperation { kind, at: place, receiver: at.expr, function, handed })
    }
}
