//! Where applications are made.

use std::collections::{BTreeMap, BTreeSet};

use loopmend_python::facts::{BindingKind, ExprId, ExprKind, Facts, Name, Parent, StmtKind, word};
use loopmend_python::lifecycle::{ClassRef, ExprRef, FunctionRef, Kind, Lifecycle, Value};

use super::app::{App, Framework, Lifespan, LifespanKind};
use super::registered;

const CONSTRUCTORS: &[(&str, Framework)] = &[
    ("fastapi.FastAPI", Framework::FastApi),
    ("fastapi.APIRouter", Framework::FastApiRouter),
    ("fastapi.routing.APIRouter", Framework::FastApiRouter),
    ("starlette.applications.Starlette", Framework::Starlette),
    ("starlette.routing.Router", Framework::StarletteRouter),
    ("aiohttp.web.Application", Framework::Aiohttp),
    ("aiohttp.web_app.Application", Framework::Aiohttp),
    ("quart.Quart", Framework::Quart),
    ("quart.app.Quart", Framework::Quart),
    ("sanic.Sanic", Framework::Sanic),
    ("sanic.app.Sanic", Framework::Sanic),
    ("litestar.Litestar", Framework::Litestar),
    ("litestar.app.Litestar", Framework::Litestar),
];

/// All applications and routers of the tree, in the order of files and of the text.
pub(crate) fn apps(life: &Lifecycle) -> Vec<App> {
    struct Kept(Vec<App>);
    life.once(|life| Kept(find(life))).0.clone()
}

fn find(life: &Lifecycle) -> Vec<App> {
    let mut found = Vec::new();
    let derived = derived(life);
    let wanted = CONSTRUCTORS.iter().map(|(path, _)| last(path)).chain(derived.iter().map(Name::as_str));
    for file in life.files_with_any(wanted) {
        let facts = life.facts(file);
        let names = names(facts, &derived);
        if names.is_empty() {
            continue;
        }
        for &id in &facts.calls {
            let ExprKind::Call { func, .. } = facts.expr(id).kind else { continue };
            let (ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. }) = &facts.expr(func).kind
            else {
                continue;
            };
            if !names.contains(name) {
                continue;
            }
            let call = ExprRef { file, id };
            if let Some(framework) = life.infer(call.with(func)).iter().find_map(|value| match value {
                Value::Class(class) => framework_of(life, *class),
                other => other.path().and_then(framework),
            }) {
                found.push(made(life, call, framework));
            }
        }
    }
    let places: BTreeMap<ExprRef, usize> =
        found.iter().enumerate().map(|(index, app)| (app.call, index)).collect();
    if !found.is_empty() {
        registered::register_all(life, &places, &mut found);
    }
    found
}

fn framework(path: &str) -> Option<Framework> {
    CONSTRUCTORS.iter().find(|(known, _)| *known == path).map(|(_, framework)| *framework)
}

fn framework_of(life: &Lifecycle, class: ClassRef) -> Option<Framework> {
    life.ancestry(class).outside.iter().find_map(|path| framework(path))
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// Names of classes of the tree that derive from an application's class by its plain name.
fn derived(life: &Lifecycle) -> BTreeSet<Name> {
    let mut found = BTreeSet::new();
    let words: BTreeSet<u32> = CONSTRUCTORS.iter().map(|(path, _)| word(last(path))).collect();
    for file in life.files_where(|outline| words.iter().any(|word| outline.bases.contains(word))) {
        let facts = life.facts(file);
        for class in &facts.classes {
            let derives = class.bases.iter().any(|&base| {
                facts
                    .dotted(base)
                    .is_some_and(|text| CONSTRUCTORS.iter().any(|(path, _)| last(path) == last(&text)))
            });
            if derives {
                found.insert(class.name.clone());
            }
        }
    }
    found
}

/// Last names by which a file may call a constructor.
fn names(facts: &Facts, derived: &BTreeSet<Name>) -> BTreeSet<Name> {
    let wanted =
        |name: &str| CONSTRUCTORS.iter().any(|(path, _)| last(path) == name) || derived.contains(name);
    let mut found = BTreeSet::new();
    for binding in &facts.bindings {
        if let BindingKind::ImportFrom { name, .. } = &binding.kind
            && wanted(name)
        {
            found.insert(binding.name.clone());
        }
    }
    for name in facts.loads.keys().chain(facts.attributes.keys()) {
        if wanted(name) {
            found.insert(name.clone());
        }
    }
    found
}

fn made(life: &Lifecycle, call: ExprRef, framework: Framework) -> App {
    let facts = life.facts(call.file);
    let mut app = App {
        framework,
        call,
        function: FunctionRef { file: call.file, id: facts.function_of(call.id) },
        name: name_given(facts, call.id),
        lifespan: None,
        handlers: Vec::new(),
        included: Vec::new(),
        mounted: None,
        inspected: None,
        doubt: false,
    };
    let ExprKind::Call { keywords, .. } = &facts.expr(call.id).kind else { return app };
    for keyword in keywords {
        match keyword.name.as_deref() {
            None => app.doubt = true,
            Some("lifespan") if framework != Framework::Litestar => {
                app.lifespan = lifespan(life, call.with(keyword.value));
            }
            Some(_) => {}
        }
    }
    app
}

fn name_given(facts: &Facts, call: ExprId) -> Option<Name> {
    let Parent::Stmt(stmt) = facts.expr(call).parent else { return None };
    let target = match &facts.stmt(stmt).kind {
        StmtKind::Assign { targets, .. } => *targets.first()?,
        StmtKind::AnnAssign { target, .. } => *target,
        _ => return None,
    };
    facts.name_of(target).cloned()
}

/// What a lifespan expression gives; none for `None`.
pub(super) fn lifespan(life: &Lifecycle, given: ExprRef) -> Option<Lifespan> {
    let values = life.infer(given);
    if values.iter().all(|value| *value == Value::None) {
        return None;
    }
    let kind = match values.iter().find(|value| **value != Value::None) {
        Some(Value::Function(function) | Value::Bound(function, _))
            if life.facts(function.file).function(function.id).is_generator =>
        {
            LifespanKind::Generator(*function)
        }
        Some(Value::Class(class)) if life.method(*class, "__aenter__").is_some() => {
            LifespanKind::Class(*class)
        }
        Some(Value::Instance(Kind::Class(class), _)) => {
            let call = life.method(*class, "__call__");
            let generator = call.filter(|call| life.facts(call.file).function(call.id).is_generator);
            generator.map_or(LifespanKind::Class(*class), LifespanKind::Generator)
        }
        _ => LifespanKind::Other,
    };
    let certain = values.iter().filter(|value| **value != Value::None).count() == 1;
    Some(Lifespan { given, kind: if certain { kind } else { LifespanKind::Other } })
}

/// The applications that an expression may be, as far as the place where each is made is known; the application also where
/// the expression is its router (`app.router`).
pub(super) fn apps_of(life: &Lifecycle, expr: ExprRef, places: &BTreeMap<ExprRef, usize>) -> Vec<usize> {
    let mut found: Vec<usize> = life
        .infer(expr)
        .iter()
        .filter_map(|value| match value {
            Value::Instance(_, Some(site)) => places.get(site).copied(),
            Value::Member(path, Some(site)) if last(path) == "router" => places.get(site).copied(),
            _ => None,
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}
