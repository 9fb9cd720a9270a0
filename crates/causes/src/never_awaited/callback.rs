//! Coroutine functions that are given as plain callbacks.

use loopmend_python::facts::{ExprKind, MODULE};
use loopmend_python::lifecycle::{ClassRef, ExprRef, FunctionRef, Lifecycle, Value};

/// One coroutine function given as a callback.
#[derive(Clone, Debug)]
pub(super) struct Callback {
    /// The call that takes it.
    pub(super) call: ExprRef,
    /// The last name of what is called: `call_later`.
    pub(super) name: String,
    /// The argument.
    pub(super) argument: ExprRef,
    /// The function.
    pub(super) function: FunctionRef,
    /// As Python names the coroutine.
    pub(super) what: String,
    /// The callback runs on the loop, which can start a task then.
    pub(super) on_loop: bool,
}

/// Callee, place of the callback, its keyword, and whether it is called by the running loop.
const TAKERS: &[(&str, usize, &str, bool)] = &[
    ("call_later", 1, "callback", true),
    ("call_at", 1, "callback", true),
    ("call_soon", 0, "callback", true),
    ("call_soon_threadsafe", 0, "callback", true),
    ("add_done_callback", 0, "fn", true),
    ("add_signal_handler", 1, "callback", true),
    ("add_reader", 1, "callback", true),
    ("add_writer", 1, "callback", true),
    ("Thread", 1, "target", false),
    ("Timer", 1, "function", false),
    ("run_in_executor", 1, "func", false),
    ("to_thread", 0, "func", false),
    ("add_job", 0, "func", false),
];

/// All of the tree, in order.
pub(super) fn callbacks(life: &Lifecycle) -> Vec<Callback> {
    let mut found = Vec::new();
    for file in life.files_with_any(TAKERS.iter().map(|(taker, ..)| *taker)) {
        let facts = life.facts(file);
        for &(taker, place, keyword, on_loop) in TAKERS {
            for &read in facts.attributes.get(taker).into_iter().chain(facts.loads.get(taker)).flatten() {
                let Some(id) = facts.parent_expr(read) else { continue };
                let ExprKind::Call { func, args, keywords } = &facts.expr(id).kind else { continue };
                if *func != read || starts_coroutines(life, ExprRef { file, id }) {
                    continue;
                }
                let given = keywords
                    .iter()
                    .find(|given| given.name.as_deref() == Some(keyword))
                    .map(|given| given.value)
                    .or_else(|| args.get(place).copied());
                let Some(given) = given else { continue };
                let call = ExprRef { file, id };
                let argument = call.with(given);
                if let Some(function) = coroutine_function(life, argument) {
                    let what = life.facts(function.file).function(function.id).qualname.clone();
                    found.push(Callback { call, name: taker.to_owned(), argument, function, what, on_loop });
                }
            }
        }
    }
    found.sort_by_key(|callback| callback.call);
    found
}

/// Schedulers that call a job in a thread of their own, whatever it is.
const THREADS: &[&str] = &["apscheduler.schedulers.background.", "apscheduler.schedulers.blocking."];

/// Whether what is called is a method of the tree or of tornado's loop, or a scheduler that knows coroutines, any of which may
/// well start a coroutine it is given.
fn starts_coroutines(life: &Lifecycle, call: ExprRef) -> bool {
    let in_thread = |path: &str| THREADS.iter().any(|scheduler| path.starts_with(scheduler));
    if life.called_name(call).is_some_and(|name| name == "add_job") {
        let paths = life.callee_paths(call);
        return paths.is_empty() || !paths.iter().all(|path| in_thread(path));
    }
    !life.callees(call).is_empty() || life.callee_paths(call).iter().any(|path| path.starts_with("tornado."))
}

fn coroutine_function(life: &Lifecycle, argument: ExprRef) -> Option<FunctionRef> {
    let values = life.infer(argument);
    let mut found = None;
    for value in values.iter() {
        let function = value.function().filter(|_| matches!(value, Value::Function(_) | Value::Bound(..)))?;
        let of = life.facts(function.file).function(function.id);
        if !of.is_coroutine() || !of.decorators.is_empty() {
            return None;
        }
        found = Some(function);
    }
    found
}

impl Callback {
    /// The class whose method it is, where the callback is `self.method` of the same file.
    pub(super) fn class(&self, life: &Lifecycle) -> Option<ClassRef> {
        let facts = life.facts(self.call.file);
        match &facts.expr(self.argument.id).kind {
            ExprKind::Attribute { value, .. } => life.receiver_class(self.argument.with(*value)),
            _ => None,
        }
    }

    /// Whether a plain function beside it can start it.
    pub(super) fn mendable(&self, life: &Lifecycle) -> bool {
        if !self.on_loop || self.function.file != self.call.file {
            return false;
        }
        let facts = life.facts(self.call.file);
        let of = facts.function(self.function.id);
        match &facts.expr(self.argument.id).kind {
            ExprKind::Attribute { .. } => self.class(life).is_some_and(|class| of.class == Some(class.id)),
            ExprKind::Name(name) => *name == of.name && of.class.is_none() && of.parent == Some(MODULE),
            _ => false,
        }
    }
}
