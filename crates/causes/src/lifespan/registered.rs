//! What is registered on applications: handlers, routers, mounts.

use std::collections::BTreeMap;

use loopmend_python::facts::{ExprId, ExprKind, Facts, Keyword, Parent, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FileId, FunctionRef, Kind, Lifecycle, Value};

use super::app::{App, Framework};
use super::handler::{Handler, Phase, Registration};
use super::made::{apps_of, lifespan};
use super::order::order;

/// Attributes whose use may register something.
const ATTRIBUTES: &[&str] = &[
    "on_event",
    "add_event_handler",
    "on_startup",
    "on_shutdown",
    "on_cleanup",
    "cleanup_ctx",
    "before_serving",
    "after_serving",
    "before_server_start",
    "after_server_start",
    "before_server_stop",
    "after_server_stop",
    "main_process_start",
    "main_process_stop",
    "lifespan_context",
    "include_router",
    "mount",
    "startup",
    "shutdown",
];

pub(super) fn register_all(life: &Lifecycle, places: &BTreeMap<ExprRef, usize>, apps: &mut [App]) {
    for app in apps.iter_mut() {
        parameters(life, app);
    }
    for file in life.files_with_any(ATTRIBUTES.iter().copied()) {
        let facts = life.facts(file);
        for name in ATTRIBUTES {
            for &attribute in facts.attributes.get(name).into_iter().flatten() {
                let ExprKind::Attribute { value, .. } = facts.expr(attribute).kind else { continue };
                let router =
                    |id| matches!(&facts.expr(id).kind, ExprKind::Attribute { attr, .. } if attr == "router");
                if matches!(*name, "startup" | "shutdown") && !router(value) {
                    continue;
                }
                let of = apps_of(life, ExprRef { file, id: value }, places);
                for index in of {
                    registered(life, file, attribute, name, index, places, apps);
                }
            }
        }
    }
    for app in apps.iter_mut() {
        app.handlers.sort_by(|left, right| left.order.cmp(&right.order));
        app.included.sort_by_key(|(_, call)| *call);
    }
}

fn phase(event: &str) -> Option<Phase> {
    match event {
        "startup"
        | "on_startup"
        | "before_serving"
        | "before_server_start"
        | "after_server_start"
        | "main_process_start" => Some(Phase::Startup),
        "shutdown" | "on_shutdown" | "after_serving" | "before_server_stop" | "after_server_stop"
        | "main_process_stop" => Some(Phase::Shutdown),
        "on_cleanup" => Some(Phase::Cleanup),
        "cleanup_ctx" => Some(Phase::Context),
        _ => None,
    }
}

/// `on_startup=[…]` and `on_shutdown=[…]` where the application is made.
fn parameters(life: &Lifecycle, app: &mut App) {
    let facts = life.facts(app.call.file);
    let ExprKind::Call { keywords, .. } = &facts.expr(app.call.id).kind else { return };
    if app.framework == Framework::Aiohttp {
        return;
    }
    for keyword in keywords {
        let name = keyword.name.as_deref().unwrap_or_default();
        if !matches!(name, "on_startup" | "on_shutdown") {
            continue;
        }
        let Some(phase) = phase(name) else { continue };
        for (index, element) in
            elements(life, app.call.with(keyword.value), &mut app.doubt).into_iter().enumerate()
        {
            app.handlers.push(Handler {
                phase,
                registration: Registration::Parameter(app.call),
                value: Some(element),
                functions: functions(life, element),
                registered_in: app.function,
                order: vec![facts.expr(app.call.id).range.start().to_u32(), index as u32],
            });
        }
    }
}

/// The elements of a list written in the tree.
fn elements(life: &Lifecycle, list: ExprRef, doubt: &mut bool) -> Vec<ExprRef> {
    let values = life.infer(list);
    match &values[..] {
        [Value::Literal(literal)] => match &life.facts(literal.file).expr(literal.id).kind {
            ExprKind::List(items) | ExprKind::Tuple(items) => {
                *doubt |= items
                    .iter()
                    .any(|&item| matches!(life.facts(literal.file).expr(item).kind, ExprKind::Starred(_)));
                items.iter().map(|&item| literal.with(item)).collect()
            }
            _ => {
                *doubt = true;
                Vec::new()
            }
        },
        [Value::None] => Vec::new(),
        _ => {
            *doubt = true;
            Vec::new()
        }
    }
}

/// The functions of the tree that a handler expression may be.
fn functions(life: &Lifecycle, expr: ExprRef) -> Vec<FunctionRef> {
    let mut found = Vec::new();
    for value in life.infer(expr).iter() {
        match value {
            Value::Function(function) | Value::Bound(function, _) => found.push(*function),
            Value::Instance(Kind::Class(class), _) => found.extend(life.method(*class, "__call__")),
            _ => {}
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn registered(
    life: &Lifecycle,
    file: FileId,
    attribute: ExprId,
    name: &str,
    index: usize,
    places: &BTreeMap<ExprRef, usize>,
    apps: &mut [App],
) {
    let facts = life.facts(file);
    let Some(use_of) = used(facts, attribute) else { return };
    let maker = apps[index].function;
    let aiohttp = apps[index].framework == Framework::Aiohttp;
    let at = |id| ExprRef { file, id };
    let mut add = |phase,
                   registration: Registration,
                   value: Option<ExprRef>,
                   function: Option<FunctionRef>| {
        let expr = match registration {
            Registration::Decorator(expr) | Registration::Call(expr) | Registration::Parameter(expr) => expr,
        };
        apps[index].handlers.push(Handler {
            phase,
            registration,
            value,
            functions: match (function, value) {
                (Some(function), _) => vec![function],
                (None, Some(value)) => functions(life, value),
                (None, None) => Vec::new(),
            },
            registered_in: FunctionRef { file, id: facts.function_of(expr.id) },
            order: order(life, maker, expr),
        });
    };
    match (name, use_of) {
        ("startup" | "shutdown", Used::Called { .. })
        | ("on_startup" | "on_shutdown", Used::Bare | Used::Called { .. } | Used::Written(_)) => {
            apps[index].inspected = Some(at(attribute));
        }
        ("lifespan_context", Used::Written(value)) => {
            if let Some(given) = lifespan(life, at(value)) {
                apps[index].lifespan = Some(given);
            }
        }
        ("on_event", Used::Called { call, args, keywords }) => {
            let Some(phase) = event(facts, args, keywords) else { return };
            match decorated(facts, call) {
                Some(function) => {
                    let function = FunctionRef { file, id: function };
                    add(phase, Registration::Decorator(at(call)), None, Some(function));
                }
                None => {
                    if let Some((outer, value)) = called_with(facts, call) {
                        add(phase, Registration::Call(at(outer)), Some(at(value)), None);
                    }
                }
            }
        }
        ("add_event_handler", Used::Called { call, args, keywords }) => {
            let Some(phase) = event(facts, args, keywords) else { return };
            let value = args.get(1).copied().or_else(|| keyword(keywords, &["func"]));
            if let Some(value) = value {
                add(phase, Registration::Call(at(call)), Some(at(value)), None);
            }
        }
        ("include_router", Used::Called { call, args, keywords }) => {
            let Some(router) = args.first().copied().or_else(|| keyword(keywords, &["router"])) else {
                return;
            };
            for router in apps_of(life, at(router), places) {
                apps[index].included.push((router, at(call)));
            }
        }
        ("mount", Used::Called { call, args, keywords }) => {
            let Some(mounted) = args.get(1).copied().or_else(|| keyword(keywords, &["app"])) else { return };
            for mounted in apps_of(life, at(mounted), places) {
                apps[mounted].mounted = Some(at(call));
            }
        }
        ("on_startup" | "on_shutdown" | "on_cleanup" | "cleanup_ctx", Used::Appended { call, items }) => {
            // Starlette keeps its lists on the router, aiohttp on the application.
            let Some(phase) = phase(name) else { return };
            for &item in items {
                match (&facts.expr(item).kind, aiohttp) {
                    (ExprKind::List(list) | ExprKind::Tuple(list), _) => {
                        for &item in list {
                            add(phase, Registration::Call(at(call)), Some(at(item)), None);
                        }
                    }
                    _ => add(phase, Registration::Call(at(call)), Some(at(item)), None),
                }
            }
        }
        (
            "before_serving"
            | "after_serving"
            | "before_server_start"
            | "after_server_start"
            | "before_server_stop"
            | "after_server_stop"
            | "main_process_start"
            | "main_process_stop",
            _,
        ) => {
            let Some(phase) = phase(name) else { return };
            if let Some(function) = decorated(facts, attribute) {
                let function = FunctionRef { file, id: function };
                add(phase, Registration::Decorator(at(attribute)), None, Some(function));
            } else if let Some((outer, value)) = called_with(facts, attribute) {
                add(phase, Registration::Call(at(outer)), Some(at(value)), None);
            }
        }
        _ => {}
    }
}

/// How an attribute is used.
enum Used<'f> {
    /// `app.attribute(…)`.
    Called { call: ExprId, args: &'f [ExprId], keywords: &'f [Keyword] },
    /// `app.attribute.append(…)`, `.extend([…])`, `+= […]`.
    Appended { call: ExprId, items: &'f [ExprId] },
    /// `app.attribute = value`.
    Written(ExprId),
    /// Used as it is.
    Bare,
}

fn used(facts: &Facts, attribute: ExprId) -> Option<Used<'_>> {
    match facts.expr(attribute).parent {
        Parent::Expr(up) => match &facts.expr(up).kind {
            ExprKind::Call { func, args, keywords } if *func == attribute => {
                Some(Used::Called { call: up, args, keywords })
            }
            ExprKind::Attribute { attr, .. } => {
                let call = facts.parent_expr(up)?;
                match &facts.expr(call).kind {
                    ExprKind::Call { func, args, .. }
                        if *func == up && matches!(attr.as_str(), "append" | "extend") =>
                    {
                        Some(Used::Appended { call, items: args })
                    }
                    _ => Some(Used::Bare),
                }
            }
            _ => Some(Used::Bare),
        },
        Parent::Stmt(stmt) => match &facts.stmt(stmt).kind {
            StmtKind::Assign { targets, value } if targets.contains(&attribute) => {
                Some(Used::Written(*value))
            }
            _ => Some(Used::Bare),
        },
        Parent::None => None,
    }
}

fn keyword(keywords: &[Keyword], names: &[&str]) -> Option<ExprId> {
    keywords
        .iter()
        .find(|keyword| keyword.name.as_deref().is_some_and(|name| names.contains(&name)))
        .map(|keyword| keyword.value)
}

fn event(facts: &Facts, args: &[ExprId], keywords: &[Keyword]) -> Option<Phase> {
    let given = args.first().copied().or_else(|| keyword(keywords, &["event_type"]))?;
    match &facts.expr(given).kind {
        ExprKind::Str(text) => phase(text),
        _ => None,
    }
}

/// The function that an expression decorates.
fn decorated(facts: &Facts, decorator: ExprId) -> Option<loopmend_python::facts::FunctionId> {
    let Parent::Stmt(stmt) = facts.expr(decorator).parent else { return None };
    match facts.stmt(stmt).kind {
        StmtKind::Function(function) if facts.function(function).decorators.contains(&decorator) => {
            Some(function)
        }
        _ => None,
    }
}

/// `decorator(f)`: the outer call and `f`.
fn called_with(facts: &Facts, decorator: ExprId) -> Option<(ExprId, ExprId)> {
    let call = facts.parent_expr(decorator)?;
    match &facts.expr(call).kind {
        ExprKind::Call { func, args, .. } if *func == decorator => Some((call, *args.first()?)),
        _ => None,
    }
}

/// The handlers of an application and of the routers that it includes, in order; each with the place of the application or
/// router that it is registered on.
pub(crate) fn with_routers(life: &Lifecycle, apps: &[App], index: usize) -> Vec<(usize, Handler)> {
    let mut found = Vec::new();
    collect(life, apps, index, &[], &mut vec![index], &mut found);
    found.sort_by(|left, right| left.1.order.cmp(&right.1.order));
    found
}

fn collect(
    life: &Lifecycle,
    apps: &[App],
    index: usize,
    way: &[u32],
    seen: &mut Vec<usize>,
    found: &mut Vec<(usize, Handler)>,
) {
    for handler in &apps[index].handlers {
        let order = way.iter().chain(&handler.order).copied().collect();
        found.push((index, Handler { order, ..handler.clone() }));
    }
    for &(router, call) in &apps[index].included {
        if seen.contains(&router) {
            continue;
        }
        seen.push(router);
        let mut way = way.to_vec();
        way.extend(order(life, apps[index].function, call));
        collect(life, apps, router, &way, seen, found);
    }
}
