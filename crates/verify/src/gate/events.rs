//! Events that no longer reach the error tracker.

use ruff_python_ast::Expr;

use super::filters::site;
use super::reading::Reading;
use super::rule::Rule;
use super::site::Site;

/// A `before_send` that gives nothing back for some events.
pub(super) fn sites(reading: &Reading<'_>, out: &mut Vec<Site>) {
    const HOOKS: [&str; 3] = ["before_send", "before_send_log", "before_breadcrumb"];
    let mut hooks: Vec<(String, &Expr)> = Vec::new();
    for call in &reading.calls {
        for keyword in &call.node.arguments.keywords {
            if let Some(name) = &keyword.arg
                && HOOKS[..2].contains(&name.as_str())
            {
                hooks.push((name.to_string(), &keyword.value));
            }
        }
    }
    let mut named: Vec<&str> = HOOKS[..2].to_vec();
    for (_, value) in &hooks {
        match value {
            Expr::Lambda(lambda) if may_be_none(&lambda.body) => {
                out.push(site(
                    reading,
                    Rule::DroppedEvent,
                    *value,
                    "events are dropped before they reach the error tracker",
                ));
            }
            Expr::Name(name) => named.push(name.id.as_str()),
            Expr::Attribute(attribute) => named.push(attribute.attr.as_str()),
            _ => {}
        }
    }
    for function in &reading.functions {
        let name = function.node.name.as_str();
        if !named.contains(&name) {
            continue;
        }
        let mut returns = Vec::new();
        super::swallowed::returns(&function.node.body, &mut returns);
        for value in returns.iter().filter(|value| may_be_none(value)) {
            out.push(
                site(
                    reading,
                    Rule::DroppedEvent,
                    *value,
                    "events are dropped before they reach the error tracker",
                )
                .with_key(format!("{name}|{}", guard_of(reading, value))),
            );
        }
        if returns.is_empty() {
            let message = "events are dropped before they reach the error tracker";
            out.push(
                site(reading, Rule::DroppedEvent, &function.node.name, message)
                    .with_key(format!("{name}|falls through")),
            );
        }
    }
}

/// The condition under which a value is returned.
fn guard_of(reading: &Reading<'_>, value: &Expr) -> String {
    reading
        .source
        .statements_at(value)
        .into_iter()
        .filter_map(|found| found.stmt.as_if_stmt())
        .map(|guard| reading.code(&*guard.test))
        .collect::<Vec<_>>()
        .join("&")
}

fn may_be_none(value: &Expr) -> bool {
    match value {
        Expr::NoneLiteral(_) => true,
        Expr::If(choice) => may_be_none(&choice.body) || may_be_none(&choice.orelse),
        Expr::BoolOp(bool_op) => bool_op.values.iter().any(may_be_none),
        _ => false,
    }
}
