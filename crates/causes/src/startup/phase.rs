//! Which functions run as a service starts.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_python::facts::{ExprId, ExprKind, Keyword, StmtId, StmtKind, word};
use loopmend_python::lifecycle::{
    Argument, ExprRef, FileId, FunctionRef, Lifecycle, Origin, SiteKind, UseKind,
};

use crate::lifespan;

/// When a function runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It is a lifespan or cleanup context: start-up before this `yield`, shutdown after it.
    Lifespan(StmtId),
    /// A framework calls it at start-up: the registration.
    Handler(ExprRef),
    /// A function that runs at start-up calls it.
    Called(FunctionRef, ExprRef),
    /// `__aenter__`: when it fails, `__aexit__` does not run.
    Enter,
    /// A method or function whose name says that it opens; who calls it closes elsewhere.
    Opener,
}

/// Decorators that register a start-up function.
const STARTUP_DECORATORS: &[&str] = &[
    "on_startup",
    "startup",
    "before_serving",
    "before_server_start",
    "main_process_start",
    "after_startup",
];
/// Names of functions that open for others.
const OPENERS: &[&str] = &[
    "connect",
    "open",
    "start",
    "startup",
    "setup",
    "init",
    "initialize",
    "initialise",
    "open_all",
    "connect_all",
    "start_up",
    "on_startup",
    "async_init",
    "create_all",
];

/// The phases of a tree's functions.
pub(crate) struct Phases<'l> {
    life: &'l Lifecycle,
    lifespans: BTreeSet<FunctionRef>,
    handlers: BTreeMap<FunctionRef, ExprRef>,
    known: BTreeMap<FunctionRef, Option<Phase>>,
}

impl<'l> Phases<'l> {
    /// Reads the applications of the tree.
    pub fn new(life: &'l Lifecycle) -> Self {
        let mut lifespans = BTreeSet::new();
        let mut handlers = BTreeMap::new();
        for app in lifespan::apps(life) {
            lifespans.extend(app.lifespan.as_ref().and_then(lifespan::Lifespan::generator));
            lifespans.extend(app.contexts().flat_map(|handler| handler.functions.clone()));
            for handler in app.startup() {
                let at = handler.registration_expr();
                handlers.extend(handler.functions.iter().map(|&function| (function, at)));
            }
        }
        Self { life, lifespans, handlers, known: BTreeMap::new() }
    }

    /// The functions of the tree that open something as a service starts, with their phase; in order.
    pub fn starters(&mut self) -> Vec<(FunctionRef, Phase)> {
        candidates(self.life)
            .into_iter()
            .filter_map(|function| Some((function, self.of(function)?)))
            .collect()
    }

    /// When a function runs, where that is as a service starts.
    pub fn of(&mut self, function: FunctionRef) -> Option<Phase> {
        self.within(function, 3)
    }

    fn within(&mut self, function: FunctionRef, depth: u8) -> Option<Phase> {
        if let Some(phase) = self.known.get(&function) {
            return *phase;
        }
        self.known.insert(function, None);
        let found = self.find(function, depth);
        self.known.insert(function, found);
        found
    }

    fn find(&mut self, function: FunctionRef, depth: u8) -> Option<Phase> {
        let life = self.life;
        let facts = life.facts(function.file);
        let of = facts.function(function.id);
        if function.is_module() || life.is_fixture(function) || life.is_test(function) {
            return None;
        }
        if of.is_generator {
            let yields = only_yield(life, function)?;
            let context = of.is_async
                && (self.lifespans.contains(&function)
                    || life.decorated(function, &["asynccontextmanager", "lifespan"])
                    || registered(life, function, &["cleanup_ctx", "lifespan"]).is_some());
            return context.then_some(Phase::Lifespan(yields));
        }
        if let Some(at) = self.handlers.get(&function) {
            return Some(Phase::Handler(*at));
        }
        for &decorator in &of.decorators {
            let at = ExprRef { file: function.file, id: decorator };
            let first = match &facts.expr(decorator).kind {
                ExprKind::Call { args, .. } => args.first().and_then(|&arg| match &facts.expr(arg).kind {
                    ExprKind::Str(text) => Some(&**text),
                    _ => None,
                }),
                _ => None,
            };
            let last = life.last_part(at).unwrap_or_default();
            if (last == "on_event" && first == Some("startup"))
                || (last == "listener"
                    && first.is_some_and(|event| event.contains("start") && !event.contains("stop")))
                || STARTUP_DECORATORS.contains(&last.as_str())
            {
                return Some(Phase::Handler(at));
            }
        }
        if let Some(at) = registered(life, function, &["on_startup", "startup"]) {
            return Some(Phase::Handler(at));
        }
        if of.name == "__aenter__" {
            return Some(Phase::Enter);
        }
        if depth > 0 {
            for site in life.call_sites(function) {
                let facts = life.facts(site.call.file);
                let caller = FunctionRef { file: site.call.file, id: facts.function_of(site.call.id) };
                match self.within(caller, depth - 1) {
                    Some(Phase::Lifespan(yields))
                        if facts.expr(site.call.id).range.start() > facts.stmt(yields).range.start() => {}
                    Some(_) => return Some(Phase::Called(caller, site.call)),
                    None => {}
                }
            }
        }
        (of.is_async && OPENERS.contains(&of.name.trim_start_matches('_'))).then_some(Phase::Opener)
    }
}

/// Functions that make or start what the catalogue knows, and those that call them.
pub(crate) fn candidates(life: &Lifecycle) -> BTreeSet<FunctionRef> {
    let mut found: BTreeSet<FunctionRef> = life
        .sites()
        .iter()
        .filter(|site| site.kind == SiteKind::Resource && !site.function.is_module())
        .map(|site| site.function)
        .collect();
    for function in found.clone() {
        for site in life.call_sites(function) {
            let facts = life.facts(site.call.file);
            found.insert(FunctionRef { file: site.call.file, id: facts.function_of(site.call.id) });
        }
    }
    let methods: BTreeSet<&str> = life
        .catalogue()
        .resources()
        .iter()
        .filter_map(|resource| resource.start.as_ref())
        .map(|start| start.method.as_str())
        .collect();
    let mut files: Vec<FileId> = methods.iter().flat_map(|method| life.files_calling(method)).collect();
    files.sort_unstable();
    files.dedup();
    for file in files {
        let facts = life.facts(file);
        for method in &methods {
            for &attribute in facts.attributes.get(method).into_iter().flatten() {
                let awaited = facts
                    .parent_expr(attribute)
                    .and_then(|call| facts.parent_expr(call))
                    .is_some_and(|up| matches!(facts.expr(up).kind, ExprKind::Await(_)));
                if awaited {
                    found.insert(FunctionRef { file, id: facts.function_of(attribute) });
                }
            }
        }
    }
    // What does not await can fail at nothing that a connection would.
    found.retain(|function| life.facts(function.file).function(function.id).is_async);
    found
}

/// The one `yield` of a generator, where it is a statement outside loops.
fn only_yield(life: &Lifecycle, function: FunctionRef) -> Option<StmtId> {
    let facts = life.facts(function.file);
    let mut yields: Vec<ExprId> = Vec::new();
    facts.body_exprs(function.id, &mut |expr| {
        if matches!(facts.expr(expr).kind, ExprKind::Yield(_) | ExprKind::YieldFrom(_)) {
            yields.push(expr);
        }
    });
    let [only] = yields[..] else { return None };
    let stmt = facts.stmt_of(only)?;
    let plain = matches!(facts.stmt(stmt).kind, StmtKind::Expr(value) if value == only);
    (plain && !life.in_loop(ExprRef { file: function.file, id: only })).then_some(stmt)
}

/// Files that give functions to a framework for its start, and those that they import from.
struct Registering(BTreeSet<FileId>);

impl Registering {
    fn new(life: &Lifecycle) -> Self {
        const NAMES: [&str; 4] = ["on_startup", "startup", "cleanup_ctx", "lifespan"];
        let mut found = BTreeSet::new();
        for file in life.files_with_any(NAMES) {
            let facts = life.facts(file);
            let gives = facts.calls.iter().any(|&call| match &facts.expr(call).kind {
                ExprKind::Call { func, keywords, .. } => {
                    let named =
                        |given: &Keyword| given.name.as_deref().is_some_and(|name| NAMES.contains(&name));
                    keywords.iter().any(named)
                        || match &facts.expr(*func).kind {
                            ExprKind::Attribute { attr, .. } if attr == "add_event_handler" => true,
                            ExprKind::Attribute { value, .. } => life
                                .last_part(ExprRef { file, id: *value })
                                .is_some_and(|last| NAMES.contains(&last.as_str())),
                            _ => false,
                        }
                }
                _ => false,
            });
            if gives {
                let imports = life.outline(file).imports.iter();
                found.extend(imports.filter_map(|of| life.imported_file(file, of.level, &of.module)));
                found.insert(file);
            }
        }
        Self(found)
    }
}

/// The place where a function is given to a list or keyword of one of these names: `app.cleanup_ctx.append(f)`,
/// `on_startup=[f]`, `app.add_event_handler("startup", f)`.
fn registered(life: &Lifecycle, function: FunctionRef, names: &[&str]) -> Option<ExprRef> {
    let registering = life.once(Registering::new);
    let name = &life.facts(function.file).function(function.id).name;
    if !registering.0.iter().any(|&file| life.outline(file).uses(word(name))) {
        return None;
    }
    life.flow(Origin::Function(function), false).uses.iter().find_map(|at| {
        let UseKind::Argument { call, argument, .. } = &at.kind else { return None };
        let facts = life.facts(call.file);
        let ExprKind::Call { func, args, .. } = &facts.expr(call.id).kind else { return None };
        if let Argument::Keyword(keyword) = argument
            && names.contains(&keyword.as_str())
        {
            return Some(*call);
        }
        let ExprKind::Attribute { value, attr } = &facts.expr(*func).kind else { return None };
        let list = life.last_part(call.with(*value)).unwrap_or_default();
        let event = args.first().is_some_and(
            |&arg| matches!(&facts.expr(arg).kind, ExprKind::Str(text) if names.contains(&&**text)),
        );
        (names.contains(&list.as_str()) || (attr == "add_event_handler" && event)).then_some(*call)
    })
}
