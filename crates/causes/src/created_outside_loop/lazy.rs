//! Text that makes an object when it is first asked for.

use loopmend_python::facts::{ExprId, Facts, StmtId, StmtKind};
use loopmend_python::lifecycle::{ExprRef, FunctionRef, Ground, Lifecycle};

/// A function of a module that makes a global when it is first asked for.
pub fn function(accessor: &str, name: &str, make: &str) -> String {
    format!(
        "def {accessor}():\n    global {name}\n    if {name} is None:\n        {name} = {make}\n    return {name}\n"
    )
}

/// A property of a class's objects that makes what they share, or each for itself, when it is first asked for.
pub fn property(attribute: &str, owner: &str, kept: &str, make: &str) -> String {
    format!(
        "@property\ndef {attribute}(self):\n    if {owner}.{kept} is None:\n        {owner}.{kept} = {make}\n    return {owner}.{kept}\n"
    )
}

/// A class method that makes what the class shares when it is first asked for.
pub fn class_method(accessor: &str, class: &str, kept: &str, make: &str) -> String {
    format!(
        "@classmethod\ndef {accessor}(cls):\n    if {class}.{kept} is None:\n        {class}.{kept} = {make}\n    return {class}.{kept}\n"
    )
}

/// `get_` with the name's own privacy: `_lock` gives `_get_lock`.
pub fn accessor(name: &str) -> String {
    let plain = name.trim_matches('_').to_lowercase();
    if name.starts_with('_') { format!("_get_{plain}") } else { format!("get_{plain}") }
}

/// Whether an expression runs only while a loop does.
pub fn in_loop(life: &Lifecycle, expr: ExprRef) -> bool {
    let facts = life.facts(expr.file);
    let function = FunctionRef { file: expr.file, id: facts.function_of(expr.id) };
    if function.is_module() {
        return false;
    }
    let grounds = life.grounds(function);
    !grounds.is_empty() && grounds.iter().all(Ground::runs_loop)
}

/// The statement `name = value`, where it binds that name alone to just this value.
pub fn plain_assignment(facts: &Facts, call: ExprRef) -> Option<(StmtId, ExprId)> {
    let stmt = facts.stmt_of(call.id)?;
    let (target, value) = match &facts.stmt(stmt).kind {
        StmtKind::Assign { targets, value } if targets.len() == 1 => (targets[0], *value),
        StmtKind::AnnAssign { target, value: Some(value), .. } => (*target, *value),
        _ => return None,
    };
    (value == call.id).then_some((stmt, target))
}
