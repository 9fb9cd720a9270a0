//! When a registration happens, seen from the place where its application is made.

use loopmend_python::lifecycle::{ExprRef, FunctionRef, Lifecycle};

/// How many calls deep a function that registers is looked for.
const DEEPEST: u32 = 3;

/// Sorts registrations: those in the function that makes the application by their place, those in a function that it calls
/// by the place of the call, others (in another module) after them by file and place.
pub(super) fn order(life: &Lifecycle, maker: FunctionRef, registration: ExprRef) -> Vec<u32> {
    let start = life.facts(registration.file).expr(registration.id).range.start().to_u32();
    let here = FunctionRef {
        file: registration.file,
        id: life.facts(registration.file).function_of(registration.id),
    };
    let mut way = vec![start];
    if from(life, maker, here, &mut way, DEEPEST) {
        way.reverse();
        return way;
    }
    vec![u32::MAX, registration.file.index() as u32, start]
}

fn from(life: &Lifecycle, maker: FunctionRef, at: FunctionRef, way: &mut Vec<u32>, depth: u32) -> bool {
    if at == maker {
        return true;
    }
    if depth == 0 || at.is_module() {
        return false;
    }
    for site in life.call_sites(at) {
        let facts = life.facts(site.call.file);
        let caller = FunctionRef { file: site.call.file, id: facts.function_of(site.call.id) };
        way.push(facts.expr(site.call.id).range.start().to_u32());
        if from(life, maker, caller, way, depth - 1) {
            return true;
        }
        way.pop();
    }
    false
}
