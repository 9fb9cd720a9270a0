//! Names for what a mend brings into a function.

use loopmend_python::facts::{Facts, FunctionId};

/// The first of some names that the function and the file do not use.
pub(crate) fn free_name(facts: &Facts, function: FunctionId, wanted: &[&str]) -> String {
    let taken =
        |name: &str| facts.scopes[function.index()].contains_key(name) || facts.loads.contains_key(name);
    wanted
        .iter()
        .find(|name| !taken(name))
        .map_or_else(|| format!("_{}", wanted[0]), |name| (*name).to_owned())
}
