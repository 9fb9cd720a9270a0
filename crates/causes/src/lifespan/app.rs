//! An application.

use loopmend_python::facts::{ExprKind, Name, StmtId, StmtKind};
use loopmend_python::lifecycle::{ClassRef, ExprRef, FunctionRef, Lifecycle, StmtRef};

use super::handler::{Handler, Phase};

/// Whose application it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Framework {
    /// `fastapi.FastAPI`.
    FastApi,
    /// `fastapi.APIRouter`: its handlers and lifespan run with the application that includes it.
    FastApiRouter,
    /// `starlette.applications.Starlette`.
    Starlette,
    /// `starlette.routing.Router`.
    StarletteRouter,
    /// `aiohttp.web.Application`.
    Aiohttp,
    /// `quart.Quart`.
    Quart,
    /// `sanic.Sanic`.
    Sanic,
    /// `litestar.Litestar`.
    Litestar,
}

/// One application or router.
#[derive(Clone, Debug)]
pub(crate) struct App {
    /// Whose.
    pub framework: Framework,
    /// The call that makes it.
    pub call: ExprRef,
    /// The function that the call stands in.
    pub function: FunctionRef,
    /// The name that it is given where it is made (`app`).
    pub name: Option<Name>,
    /// The lifespan that it is given.
    pub lifespan: Option<Lifespan>,
    /// What it runs at its start and end beside a lifespan, in order of registration.
    pub handlers: Vec<Handler>,
    /// Routers that it includes, by their place in the list of apps, with the call.
    pub included: Vec<(usize, ExprRef)>,
    /// Where it is mounted below another application: its life is then not run.
    pub mounted: Option<ExprRef>,
    /// Where other code runs its handlers or reads the lists of them (`app.router.startup()`, `app.router.on_startup`).
    pub inspected: Option<ExprRef>,
    /// More may be registered in ways that were not followed (`**options`).
    pub doubt: bool,
}

/// The lifespan of an application.
#[derive(Clone, Debug)]
pub(crate) struct Lifespan {
    /// The expression that gives it: the value of `lifespan=`, of an assignment to `lifespan_context`, or the argument of
    /// `cleanup_ctx.append`.
    #[expect(dead_code, reason = "where a message points to the lifespan that is given")]
    pub given: ExprRef,
    /// What it is.
    pub kind: LifespanKind,
}

/// What a lifespan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LifespanKind {
    /// A generator function, with `@asynccontextmanager` or not.
    Generator(FunctionRef),
    /// A class with `__aenter__` and `__aexit__`.
    Class(ClassRef),
    /// Something else.
    Other,
}

impl App {
    /// Handlers that run at start, in order.
    pub fn startup(&self) -> impl Iterator<Item = &Handler> {
        self.handlers.iter().filter(|handler| handler.phase == Phase::Startup)
    }

    /// Handlers that run at the end, in order; aiohttp's `on_shutdown` before its `on_cleanup`.
    pub fn shutdown(&self) -> impl Iterator<Item = &Handler> {
        let first = self.handlers.iter().filter(|handler| handler.phase == Phase::Shutdown);
        first.chain(self.handlers.iter().filter(|handler| handler.phase == Phase::Cleanup))
    }

    /// Lifespans that it runs beside that of `lifespan=`: aiohttp's `cleanup_ctx`, in order.
    pub fn contexts(&self) -> impl Iterator<Item = &Handler> {
        self.handlers.iter().filter(|handler| handler.phase == Phase::Context)
    }

    /// Whether it is a router rather than an application.
    pub fn is_router(&self) -> bool {
        matches!(self.framework, Framework::FastApiRouter | Framework::StarletteRouter)
    }
}

impl Lifespan {
    /// The generator function.
    pub fn generator(&self) -> Option<FunctionRef> {
        match self.kind {
            LifespanKind::Generator(function) => Some(function),
            _ => None,
        }
    }

    /// The statements of the generator function that yield, in source order.
    pub fn yields(&self, life: &Lifecycle) -> Vec<StmtRef> {
        self.generator().map_or_else(Vec::new, |function| yields(life, function))
    }
}

/// The statements of a function that hold a `yield`, in source order.
pub(crate) fn yields(life: &Lifecycle, function: FunctionRef) -> Vec<StmtRef> {
    let facts = life.facts(function.file);
    let mut found: Vec<StmtId> = Vec::new();
    facts.walk(&facts.function(function.id).body, &mut |stmt| {
        let mut holds = false;
        facts.stmt(stmt).exprs(&mut |expr| {
            facts.descend(expr, &mut |inner| {
                holds |= matches!(facts.expr(inner).kind, ExprKind::Yield(_) | ExprKind::YieldFrom(_));
            });
        });
        if holds && !matches!(facts.stmt(stmt).kind, StmtKind::Function(_) | StmtKind::Class(..)) {
            found.push(stmt);
        }
    });
    found.into_iter().map(|id| StmtRef { file: function.file, id }).collect()
}
