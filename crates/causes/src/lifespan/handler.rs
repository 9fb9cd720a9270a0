//! A handler: what an application runs at its start or end.

use loopmend_python::facts::{ExprKind, Name};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle};

use crate::Spot;

/// When a handler runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// At start.
    Startup,
    /// At the end, after a start that succeeded.
    Shutdown,
    /// aiohttp's `on_cleanup`: after `on_shutdown`.
    Cleanup,
    /// aiohttp's `cleanup_ctx`: a generator over both.
    Context,
}

/// How a handler was registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registration {
    /// `@app.on_event("startup")`: the decorator.
    Decorator(ExprRef),
    /// `app.add_event_handler("startup", f)`, `app.on_startup.append(f)`, `app.on_event("startup")(f)`: the call.
    Call(ExprRef),
    /// `FastAPI(on_startup=[f])`: the call that makes the application. [`Handler::value`] is the element.
    Parameter(ExprRef),
}

/// One handler of an application.
#[derive(Clone, Debug)]
pub(crate) struct Handler {
    /// When it runs.
    pub phase: Phase,
    /// How it was registered.
    pub registration: Registration,
    /// The expression that is the handler; none where it is registered by a decorator.
    pub value: Option<ExprRef>,
    /// The functions of the tree that it may be; empty where it was not resolved.
    pub functions: Vec<FunctionRef>,
    /// The function that the registration stands in.
    pub registered_in: FunctionRef,
    /// Sorts handlers of one application by when they are registered.
    pub(super) order: Vec<u32>,
}

impl Handler {
    /// The function, where it is certainly this one.
    pub fn function(&self) -> Option<FunctionRef> {
        match self.functions[..] {
            [function] => Some(function),
            _ => None,
        }
    }

    /// The place of the registration.
    pub fn spot(&self, life: &Lifecycle) -> Spot {
        match self.registration {
            Registration::Decorator(expr) | Registration::Call(expr) => Spot::expr(life, expr),
            Registration::Parameter(call) => Spot::expr(life, self.value.unwrap_or(call)),
        }
    }

    /// The expression of the registration.
    pub fn registration_expr(&self) -> ExprRef {
        match self.registration {
            Registration::Decorator(expr) | Registration::Call(expr) | Registration::Parameter(expr) => expr,
        }
    }

    /// The name of the application that it is registered through (`app.router.on_event` too).
    pub fn receiver(&self, life: &Lifecycle) -> Option<Name> {
        let receiver = self.receiver_expr(life)?;
        life.facts(receiver.file).name_of(receiver.id).cloned()
    }

    /// The application that it is registered through, as it is written (`self.app`).
    pub fn receiver_text<'l>(&self, life: &'l Lifecycle) -> Option<&'l str> {
        self.receiver_expr(life).map(|receiver| life.source(receiver))
    }

    fn receiver_expr(&self, life: &Lifecycle) -> Option<ExprRef> {
        let (Registration::Decorator(expr) | Registration::Call(expr)) = self.registration else {
            return None;
        };
        let facts = life.facts(expr.file);
        let mut at = expr.id;
        loop {
            at = match &facts.expr(at).kind {
                ExprKind::Call { func, .. } => *func,
                ExprKind::Attribute { value, attr } if REGISTERING.contains(&attr.as_str()) => *value,
                _ => return Some(expr.with(at)),
            };
        }
    }
}

/// Attributes between an application and what registers on it.
const REGISTERING: &[&str] =
    &["on_event", "add_event_handler", "router", "on_startup", "on_shutdown", "append", "extend"];
