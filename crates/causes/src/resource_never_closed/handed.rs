//! Whether an object goes to someone else who may end it.

use loopmend_python::facts::{BindingKind, ExprId, ExprKind, Facts, MODULE};
use loopmend_python::lifecycle::{Argument, ExprRef, Flow, Lifecycle, Origin, PUTS, UseKind};

use super::closer::Closer;

/// Where an object has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Handed {
    /// Nowhere: who made it has to end it.
    No,
    /// To someone who ends it, or may.
    Away,
}

/// Calls that look at what they are given, or give it back, and keep nothing.
const LOOKING: [&str; 38] = [
    "print",
    "isinstance",
    "issubclass",
    "len",
    "repr",
    "str",
    "id",
    "hasattr",
    "getattr",
    "type",
    "bool",
    "callable",
    "vars",
    "dir",
    "setattr",
    "list",
    "tuple",
    "set",
    "frozenset",
    "sorted",
    "reversed",
    "iter",
    "next",
    "zip",
    "enumerate",
    "map",
    "append",
    "add",
    "appendleft",
    "insert",
    "extend",
    "update",
    "put_nowait",
    "put",
    "setdefault",
    "cast",
    "debug",
    "info",
];

pub(super) fn handed(life: &Lifecycle, flow: &Flow, closer: &Closer) -> Handed {
    for at in &flow.uses {
        let away = match &at.kind {
            UseKind::Argument { call, argument, .. } => takes(life, *call, argument, closer),
            UseKind::Attribute { name, expr } => {
                // `stack.push_async_callback(client.close)`, `on_cleanup.append(client.close)`, `closer = client.close`.
                closer.ended_by(name) && !is_compared(life, *expr)
                    || !flow.kept() && part_kept(life, *expr, at.element, closer)
            }
            UseKind::Returned(function) => {
                let of = life.facts(function.file).function(function.id);
                // A public factory that nothing in the tree calls, or whose callers were not found.
                life.call_sites(*function).is_empty()
                    && !life.is_fixture(*function)
                    && !life.decorated(*function, &["property", "cached_property"])
                    && !of.name.starts_with("test")
            }
            UseKind::Other => {
                let facts = life.facts(at.expr.file);
                facts.parent_expr(at.expr.id).is_some_and(|up| {
                    matches!(facts.expr(up).kind, ExprKind::Subscript { value, .. } if value == at.expr.id)
                        && !flow.kept()
                        && part_kept(life, at.expr.with(up), at.element, closer)
                })
            }
            UseKind::Method { call, awaited: false, .. } => {
                !flow.kept() && part_kept(life, *call, at.element, closer)
            }
            _ => false,
        };
        if away {
            return Handed::Away;
        }
    }
    Handed::No
}

/// Whether what a library's object gives (`sentinel.master_for(…)`, `client.database`) is returned or kept: it lives on, and
/// with it the object.
fn part_kept(life: &Lifecycle, part: ExprRef, element: bool, closer: &Closer) -> bool {
    if element || closer.owner.is_some() {
        return false;
    }
    let facts = life.facts(part.file);
    let held = facts.parent_expr(part.id).is_none_or(|up| {
        !matches!(
            facts.expr(up).kind,
            ExprKind::Attribute { .. } | ExprKind::Await(_) | ExprKind::Compare { .. }
        )
    });
    if !held || facts.function_of(part.id) == MODULE {
        return false;
    }
    let flow = life.flow(Origin::Expr(part), false);
    flow.kept() || flow.uses.iter().any(|at| matches!(at.kind, UseKind::Returned(_) | UseKind::Yielded(_)))
}

fn is_compared(life: &Lifecycle, expr: ExprRef) -> bool {
    let facts = life.facts(expr.file);
    facts.parent_expr(expr.id).is_some_and(|up| {
        matches!(facts.expr(up).kind, ExprKind::Compare { .. } | ExprKind::Attribute { .. })
    })
}

/// Whether a call that is not followed takes over what it is given.
fn takes(life: &Lifecycle, call: ExprRef, argument: &Argument, closer: &Closer) -> bool {
    let facts = life.facts(call.file);
    let Some(name) = callee_name(facts, call) else { return true };
    if name == "run_until_complete"
        && let ExprKind::Call { args, .. } = &facts.expr(call.id).kind
    {
        // Gives what the coroutine gives; where a helper is handed the coroutine, its callers are not followed.
        return args.first().is_none_or(|&given| facts.name_of(given).is_some());
    }
    if LOOKING.contains(&name) {
        return PUTS.contains(&name) && into_parameter(facts, call.id);
    }
    let resources: Vec<_> =
        life.callee_paths(call).iter().filter_map(|path| life.catalogue().constructor(path)).collect();
    if resources.is_empty() {
        return true;
    }
    // A library's object that says what it ends of what it is given; of others the caller stays the owner.
    resources.iter().any(|resource| match &resource.owns {
        Some(owns) => owned(owns, argument, &closer.class) && !disowned(facts, call),
        None => false,
    })
}

/// Whether one resource's constructor is given another that it ends: a session its connector.
pub(crate) fn takes_over(life: &Lifecycle, constructor: ExprRef, place: ExprRef, class: &str) -> bool {
    let facts = life.facts(constructor.file);
    let ExprKind::Call { args, keywords, .. } = &facts.expr(constructor.id).kind else { return false };
    let positions = args.iter().enumerate().map(|(index, &value)| (Argument::Position(index), value));
    let named = keywords.iter().filter_map(|of| Some((Argument::Keyword(of.name.clone()?), of.value)));
    let mut given = positions
        .chain(named)
        .filter(|&(_, value)| life.source(constructor.with(value)) == life.source(place));
    let owns = life
        .callee_paths(constructor)
        .iter()
        .find_map(|path| life.catalogue().constructor(path))
        .and_then(|resource| resource.owns.clone());
    owns.is_some_and(|owns| {
        !disowned(facts, constructor) && given.any(|(argument, _)| owned(&owns, &argument, class))
    })
}

/// Whether a call is a method of what the caller handed in: `clients.append(client)`, which the caller closes.
fn into_parameter(facts: &Facts, call: ExprId) -> bool {
    let ExprKind::Call { func, .. } = facts.expr(call).kind else { return false };
    let ExprKind::Attribute { value, .. } = facts.expr(func).kind else { return false };
    let Some(name) = facts.name_of(value) else { return false };
    facts.scopes[facts.function_of(call).index()]
        .get(name)
        .is_some_and(|all| all.iter().all(|&id| matches!(facts.binding(id).kind, BindingKind::Parameter(_))))
}

fn callee_name(facts: &Facts, call: ExprRef) -> Option<&str> {
    let ExprKind::Call { func, .. } = facts.expr(call.id).kind else { return None };
    match &facts.expr(func).kind {
        ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } => Some(name),
        _ => None,
    }
}

/// Whether the words of `owns` name this argument or the class of the object.
fn owned(owns: &str, argument: &Argument, class: &str) -> bool {
    if owns.starts_with("nothing") {
        return false;
    }
    let class = class.to_lowercase();
    owns.split([';', '(']).next().unwrap_or(owns).split([',', ' ']).any(|word| {
        let word = word.trim();
        if word.is_empty() {
            return false;
        }
        let plain = word.replace('_', "").to_lowercase();
        let one = plain.strip_suffix('s').unwrap_or(&plain);
        matches!(argument, Argument::Keyword(name) if name == word) || (one.len() > 3 && class.ends_with(one))
    })
}

/// `connector_owner=False`.
fn disowned(facts: &Facts, call: ExprRef) -> bool {
    let ExprKind::Call { keywords, .. } = &facts.expr(call.id).kind else { return false };
    keywords.iter().any(|keyword| {
        keyword.name.as_ref().is_some_and(|name| name.ends_with("_owner"))
            && matches!(facts.expr(keyword.value).kind, ExprKind::Bool(false))
    })
}

/// Whether an object made by this call belongs to one of its arguments, which ends it: a site to its runner.
pub(super) fn belongs_to_argument(life: &Lifecycle, call: ExprRef, class: &str) -> bool {
    let facts = life.facts(call.file);
    let ExprKind::Call { args, keywords, .. } = &facts.expr(call.id).kind else { return false };
    let name = class.rsplit('.').next().unwrap_or(class).to_lowercase();
    args.iter().copied().chain(keywords.iter().map(|keyword| keyword.value)).any(|argument| {
        life.infer(call.with(argument)).iter().any(|value| {
            value
                .external_class()
                .and_then(|class| life.catalogue().class(class))
                .and_then(|resource| resource.owns.as_deref())
                .is_some_and(|owns| {
                    owns.split([',', ' ', ';']).any(|word| {
                        let one = word.strip_suffix('s').unwrap_or(word);
                        one.len() > 3 && name.ends_with(one)
                    })
                })
        })
    })
}
