//! Places that keep an object: names, attributes, keys.

use loopmend_python::facts::{ExprId, ExprKind, Facts, Name};

/// The last name of a place: `redis` of `app.state.redis`, `[POOL]` of `app[POOL]`.
pub(crate) fn place_name(facts: &Facts, place: ExprId) -> Option<Name> {
    match &facts.expr(place).kind {
        ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } => Some(name.clone()),
        ExprKind::Subscript { index, .. } => facts.key(*index),
        ExprKind::Await(value) => place_name(facts, *value),
        _ => None,
    }
}

/// Whether the expression mentions a place of this last name anywhere: as itself, or as the name in `getattr(x, "name")`,
/// `x.get("name")`, `hasattr(…)`, `"name" in x`.
pub(super) fn mentions(facts: &Facts, expr: ExprId, name: &Name) -> bool {
    let mut found = false;
    facts.descend(expr, &mut |inner| {
        found |= match &facts.expr(inner).kind {
            ExprKind::Name(known) | ExprKind::Attribute { attr: known, .. } => {
                known == name || bare(name) == known.as_str()
            }
            ExprKind::Subscript { index, .. } => facts.key(*index).as_ref() == Some(name),
            ExprKind::Str(text) => bare(name) == &**text,
            _ => false,
        };
    });
    found
}

/// The name without the brackets of a key.
pub(super) fn bare(name: &str) -> &str {
    name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name)
}
