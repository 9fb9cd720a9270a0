//! What an `event_loop` fixture does.

use loopmend_python::facts::{BindingKind, ExprKind, MODULE, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle};

use crate::Declined;

/// Calls that the plugin makes too: making, setting, draining and closing a loop.
const PLAIN: &[&str] = &[
    "new_event_loop",
    "get_event_loop_policy",
    "get_event_loop",
    "get_running_loop",
    "set_event_loop",
    "close",
    "is_closed",
    "is_running",
    "run_until_complete",
    "shutdown_asyncgens",
    "shutdown_default_executor",
    "all_tasks",
    "cancel",
    "gather",
    "stop",
    "sleep",
    "Loop",
    "fixture",
    "done",
    "run_forever",
];

/// The policy that the fixture's kind of loop wants; none for the usual loop. Declines where it does more than the plugin would.
pub(super) fn policy(life: &Lifecycle, function: FunctionRef) -> Result<Option<String>, Declined> {
    let facts = life.facts(function.file);
    let (mut policy, mut more) = (None, None);
    facts.body_exprs(function.id, &mut |id| {
        let ExprKind::Call { func, .. } = facts.expr(id).kind else { return };
        let call = ExprRef { file: function.file, id };
        let paths = life.callee_paths(call);
        if paths.iter().any(|path| path.starts_with("uvloop.")) {
            let module = life.source(call.with(func)).rsplit_once('.').map(|(module, _)| module);
            match module.and_then(|module| module.split("uvloop").next().map(|start| (start, module))) {
                Some(("", _)) => policy = Some("uvloop.EventLoopPolicy".to_owned()),
                _ => more = Some(life.source(call).to_owned()),
            }
            return;
        }
        let name = match &facts.expr(func).kind {
            ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } => name.as_str(),
            _ => "",
        };
        if !PLAIN.contains(&name) {
            more.get_or_insert_with(|| life.source(call).to_owned());
        }
    });
    let mut odd = false;
    facts.walk(&facts.function(function.id).body, &mut |stmt| {
        odd |= matches!(
            facts.stmt(stmt).kind,
            StmtKind::With { .. } | StmtKind::Function(_) | StmtKind::Class(..)
        );
    });
    if let Some(more) = more {
        return Err(Declined::because(format!(
            "the fixture also does `{more}`: move that to an autouse fixture (or a fixture `event_loop_policy`), then delete it"
        )));
    }
    if odd {
        return Err(Declined::because(
            "the fixture does more than make and close a loop: move that to a fixture of its own, then delete it",
        ));
    }
    Ok(policy)
}

/// Last names of the calls in it.
pub(super) fn calls_of(life: &Lifecycle, function: FunctionRef) -> Vec<String> {
    let facts = life.facts(function.file);
    let mut found = Vec::new();
    facts.body_exprs(function.id, &mut |id| {
        if let ExprKind::Call { func, .. } = facts.expr(id).kind
            && let ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } = &facts.expr(func).kind
        {
            found.push(name.to_string());
        }
    });
    found.sort_unstable();
    found.dedup();
    found
}

/// Imported names that it reads.
pub(super) fn imports_of(life: &Lifecycle, function: FunctionRef) -> Vec<String> {
    let facts = life.facts(function.file);
    let range = facts.function(function.id).range;
    let mut found: Vec<String> = facts
        .loads
        .iter()
        .filter(|(name, loads)| {
            loads.iter().any(|&load| range.contains_range(facts.expr(load).range))
                && facts.scopes[MODULE.index()].get(name).is_some_and(|bindings| {
                    bindings.iter().any(|&binding| {
                        matches!(
                            facts.binding(binding).kind,
                            BindingKind::Import { .. } | BindingKind::ImportFrom { .. }
                        )
                    })
                })
        })
        .map(|(name, _)| name.to_string())
        .collect();
    found.sort_unstable();
    found
}

/// The name that the fixture's file has pytest by.
pub(super) fn pytest_of(life: &Lifecycle, function: FunctionRef) -> String {
    let facts = life.facts(function.file);
    facts
        .function(function.id)
        .decorators
        .iter()
        .find_map(|&decorator| {
            let target = match facts.expr(decorator).kind {
                ExprKind::Call { func, .. } => func,
                _ => decorator,
            };
            let dotted = facts.dotted(target)?;
            dotted.rsplit_once('.').map(|(module, _)| module.to_owned())
        })
        .filter(|module| module != "pytest_asyncio")
        .unwrap_or_else(|| "pytest".to_owned())
}
