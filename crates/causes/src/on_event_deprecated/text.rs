//! The text of a lifespan, and names for it.

use loopmend_python::edit::{ImportRequest, Source, docstring, import_edits, shifted};
use loopmend_python::facts::{BindingKind, ExprId, ExprKind, Facts, Name};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Lookup};

use super::plan::{Part, Plan, Way};
use crate::Declined;
use crate::lifespan::{Framework, compose, imports};

/// The lifespan of a part with this name; imports that it needs go to `requests`.
pub(super) fn lifespan(
    life: &Lifecycle,
    part: &Part,
    home: &Source,
    name: &str,
    annotation: Option<&str>,
    requests: &mut Vec<ImportRequest>,
) -> Result<String, Declined> {
    let gathered = &part.gathered;
    let mut wanted = vec![ImportRequest::from("contextlib", "asynccontextmanager")];
    let (_, locals) = import_edits(home, &wanted);
    let (needed, mut body) = imports(life, part.home.file, home, gathered)?;
    wanted.extend(needed);
    if !body.is_empty() {
        body.push('\n');
    }
    if let Some(gone) = part.home.gone
        && let Some(def) = home.function_at(life.facts(gone.file).function(gone.id).name_range)
        && let Some(text) = docstring(&def.body)
    {
        body.insert_str(0, &format!("{}\n", home.slice(text)));
    }
    if !gathered.globals.is_empty() {
        let names: Vec<&str> = gathered.globals.iter().map(Name::as_str).collect();
        body.extend(["global ", &names.join(", "), "\n"]);
    }
    body.push_str(&compose(&gathered.startup, &gathered.shutdown, "yield"));
    let annotation = annotation.map(|text| format!(": {text}")).unwrap_or_default();
    requests.extend(wanted);
    Ok(format!(
        "@{}\nasync def {name}({}{annotation}):\n{}\n",
        locals[0],
        part.home.parameter,
        shifted(&body, 1)
    ))
}

/// A name for the lifespan that no scope around it uses.
pub(super) fn free_name(life: &Lifecycle, plan: &Plan) -> String {
    let own = format!("{}_lifespan", plan.main.home.parameter);
    first_free(life, plan, &["lifespan", &own, "application_lifespan", "run_lifespan"], &[])
}

/// Words of a registering function's name that say only that it registers.
const WORDS: &[&str] = &[
    "register",
    "setup",
    "set",
    "up",
    "init",
    "add",
    "attach",
    "configure",
    "install",
    "events",
    "event",
    "handlers",
    "handler",
    "lifecycle",
    "startup",
    "shutdown",
];

/// A name for the lifespan that stands in the place of a function: `db_lifespan` for `register_db_events`.
pub(super) fn name_instead(
    life: &Lifecycle,
    plan: &Plan,
    registrar: FunctionRef,
    taken: &[String],
) -> String {
    let facts = life.facts(registrar.file);
    let of = facts.function(registrar.id);
    let core: Vec<&str> =
        of.name.split('_').filter(|word| !word.is_empty() && !WORDS.contains(word)).collect();
    let module = facts.module.rsplit('.').next().unwrap_or("app");
    let core = if core.is_empty() { module.to_owned() } else { core.join("_") };
    let whole = format!("{}_lifespan", of.name);
    first_free(
        life,
        plan,
        &[&format!("{core}_lifespan"), &format!("{module}_{core}_lifespan"), &whole],
        taken,
    )
}

fn first_free(life: &Lifecycle, plan: &Plan, names: &[&str], more: &[String]) -> String {
    let files: Vec<_> = [plan.main.home.file, plan.app.call.file]
        .into_iter()
        .chain(plan.entered.iter().map(|(registrar, ..)| registrar.file))
        .collect();
    let taken = |name: &str| {
        more.iter().any(|known| known == name)
            || files.iter().any(|&file| {
                let facts = life.facts(file);
                facts.scopes.iter().any(|scope| scope.contains_key(name)) || facts.loads.contains_key(name)
            })
    };
    let free = names.iter().find(|name| !taken(name)).map(|name| (*name).to_owned());
    free.unwrap_or_else(|| {
        let last = names.last().copied().unwrap_or("lifespan");
        let numbered = (2..1000).map(|number| format!("{last}_{number}")).find(|name| !taken(name));
        numbered.unwrap_or_else(|| last.to_owned())
    })
}

/// The class of the application as it is written where the application is made, if a lifespan beside it may use that.
pub(super) fn annotation(life: &Lifecycle, plan: &Plan) -> Option<String> {
    match plan.way {
        Way::Instead(registrar, _) | Way::Within(registrar) => {
            annotation_of(life, registrar, &plan.main.home.parameter)
        }
        Way::Before => {
            let facts = life.facts(plan.app.call.file);
            let ExprKind::Call { func, .. } = facts.expr(plan.app.call.id).kind else { return None };
            let text = facts.dotted(func)?;
            let global = match root(facts, func) {
                Some((name, id)) => {
                    let expr = ExprRef { file: plan.app.call.file, id };
                    match life.lookup(expr, name) {
                        Lookup::Bound(scope, bindings) => {
                            scope.is_module()
                                && bindings.iter().all(|&id| {
                                    matches!(
                                        facts.binding(id).kind,
                                        BindingKind::Import { .. } | BindingKind::ImportFrom { .. }
                                    )
                                })
                        }
                        _ => false,
                    }
                }
                None => false,
            };
            (global && plan.app.framework == Framework::FastApi).then_some(text)
        }
    }
}

fn root(facts: &Facts, expr: ExprId) -> Option<(&str, ExprId)> {
    match &facts.expr(expr).kind {
        ExprKind::Name(name) => Some((name.as_str(), expr)),
        ExprKind::Attribute { value, .. } => root(facts, *value),
        _ => None,
    }
}

/// The annotation of a function's parameter, as written.
pub(super) fn annotation_of(life: &Lifecycle, function: FunctionRef, parameter: &str) -> Option<String> {
    let facts = life.facts(function.file);
    let known = facts.function(function.id).params.iter().find(|known| known.name == *parameter)?;
    Some(life.text(function.file)[facts.expr(known.annotation?).range].to_owned())
}
