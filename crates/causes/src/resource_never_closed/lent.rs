//! Clients that work with a connection of someone else: closing them would close that one, and nothing else is open.

use loopmend_python::facts::ExprKind;
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle, Origin, Value};

/// Keywords by which a client is given what it sends with, and closes when it is closed.
const CONNECTIONS: &[&str] = &["http_client", "httpx_client", "transport", "session"];

/// Whether what a call makes is given a connection that others keep.
pub(super) fn borrows(life: &Lifecycle, call: ExprRef) -> bool {
    let facts = life.facts(call.file);
    let ExprKind::Call { keywords, .. } = &facts.expr(call.id).kind else { return false };
    keywords.iter().any(|keyword| {
        keyword.name.as_deref().is_some_and(|name| CONNECTIONS.contains(&name))
            && !matches!(facts.expr(keyword.value).kind, ExprKind::None)
            && is_lent(life, call.with(keyword.value))
    })
}

fn is_lent(life: &Lifecycle, given: ExprRef) -> bool {
    let facts = life.facts(given.file);
    let sites: Vec<ExprRef> = life.infer(given).iter().filter_map(Value::site).collect();
    let kept = |site: ExprRef| life.flow(Origin::Expr(site), true).kept();
    match facts.expr(given.id).kind {
        ExprKind::Call { .. } if makes(life, given) => borrows(life, given),
        ExprKind::Call { .. } => sites.iter().all(|&site| site == given || kept(site)),
        _ => {
            let here = FunctionRef { file: given.file, id: facts.function_of(given.id) };
            !sites.into_iter().any(|site| {
                let made = FunctionRef { file: site.file, id: life.facts(site.file).function_of(site.id) };
                made == here && !kept(site)
            })
        }
    }
}

/// Whether a call is that of a class or of a known constructor.
fn makes(life: &Lifecycle, call: ExprRef) -> bool {
    let is_class = life
        .last_part(call)
        .is_some_and(|name| name.chars().find(|letter| *letter != '_').is_some_and(char::is_uppercase));
    is_class || life.site_at(call).is_some()
}
