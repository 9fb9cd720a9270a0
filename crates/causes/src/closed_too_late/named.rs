//! Names under which others call what was a hook.

use loopmend_python::lifecycle::{ClassRef, FunctionRef, Lifecycle};

/// A module's private hook gets a name that its users may call.
pub(super) fn public(life: &Lifecycle, hook: FunctionRef) -> String {
    let facts = life.facts(hook.file);
    let own = facts.function(hook.id).name.as_str();
    let bare = own.trim_start_matches('_');
    let free = !bare.is_empty()
        && !facts.scopes.iter().any(|scope| scope.contains_key(bare))
        && !facts.loads.contains_key(bare)
        && facts.loads.get(own).is_none_or(|loads| loads.len() <= 1);
    if free { bare.to_owned() } else { own.to_owned() }
}

/// A class's private hook gets a name that its makers may call.
pub(super) fn method_name(life: &Lifecycle, hook: FunctionRef, class: ClassRef) -> String {
    let own = life.facts(hook.file).function(hook.id).name.clone();
    let of = life.facts(class.file).class(class.id);
    let named: usize = life
        .files_with(&own)
        .iter()
        .map(|&file| life.facts(file).attributes.get(&own).map_or(0, <[_]>::len))
        .sum();
    if !own.starts_with('_') || named > 1 {
        return own.to_string();
    }
    ["close", "aclose"]
        .into_iter()
        .find(|name| life.method(class, name).is_none() && !of.members.contains_key(*name))
        .map_or_else(|| own.to_string(), str::to_owned)
}
