//! Where an object is made while no loop runs.

use loopmend_python::facts::Definition;
use loopmend_python::lifecycle::{ClassRef, ExprRef, FunctionRef, Ground, Lifecycle, Root, Site};

use super::lazy;
use super::loading::{Loading, loading};
use crate::carried::is_command;

/// A place that no loop runs at.
#[derive(Clone, Debug)]
pub struct Outside {
    /// It runs as part of an import: the module's top level, a class body, a default.
    pub at_import: bool,
    /// The tree itself shows that no loop runs.
    pub sure: bool,
    /// The calls that lead there from outside any coroutine.
    pub by: Vec<ExprRef>,
}

/// How the site of an object is reached without a running loop; none where all ways there run under one.
pub fn outside(life: &Lifecycle, site: &Site) -> Option<Outside> {
    let facts = life.facts(site.call.file);
    let of = facts.function(site.function.id);
    if of.is_async || of.is_generator || matches!(of.definition, Definition::Lambda(_)) {
        return None;
    }
    if site.function.is_module() {
        return match loading(life, site.call.file) {
            Loading::Inside => None,
            how => Some(Outside { at_import: true, sure: how == Loading::Outside, by: Vec::new() }),
        };
    }
    if read_inside(life, site.function) {
        return None;
    }
    let mut any = false;
    let mut sure = false;
    for ground in life.grounds(site.function) {
        let Ground::Root(root) = ground else { continue };
        match root {
            Root::Module(file) => match loading(life, file) {
                Loading::Inside => {}
                how => {
                    any = true;
                    sure |= how == Loading::Outside;
                }
            },
            Root::Run(_) | Root::Thread(..) => (any, sure) = (true, true),
            Root::Framework(_, at) => {
                any = true;
                sure |= is_command(life, at);
            }
            // Who enters a context manager or calls the like is not seen.
            Root::Uncalled(function) if is_special(life, function) => {}
            _ => any = true,
        }
    }
    any.then(|| Outside { at_import: false, sure, by: outer_calls(life, site.function) })
}

/// The calls of a function that stand in no coroutine.
fn outer_calls(life: &Lifecycle, function: FunctionRef) -> Vec<ExprRef> {
    life.call_sites(function)
        .into_iter()
        .map(|site| site.call)
        .filter(|call| {
            let facts = life.facts(call.file);
            !facts.function(facts.function_of(call.id)).is_async
        })
        .collect()
}

/// Whether a function is a method that Python calls, other than to make an object: its callers are not seen.
fn is_special(life: &Lifecycle, function: FunctionRef) -> bool {
    if life.decorated(function, &["property", "cached_property"]) {
        return true;
    }
    let name = &life.facts(function.file).function(function.id).name;
    name.starts_with("__") && name.ends_with("__") && name != "__init__" && name != "__post_init__"
}

/// Whether a function is a property that is only read while a loop runs.
fn read_inside(life: &Lifecycle, function: FunctionRef) -> bool {
    let of = life.facts(function.file).function(function.id);
    let Some(id) = of.class.filter(|_| life.decorated(function, &["property", "cached_property"])) else {
        return false;
    };
    let class = ClassRef { file: function.file, id };
    life.reads_of_attribute(class, &of.name)
        .is_some_and(|reads| !reads.is_empty() && reads.iter().all(|&read| lazy::in_loop(life, read)))
}
