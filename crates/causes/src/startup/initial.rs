//! What a place holds before it is opened.

use std::collections::BTreeSet;

use loopmend_python::facts::{Binding, BindingKind, ExprKind, Facts, MODULE, Name, StmtId};
use loopmend_python::lifecycle::{ClassRef, ExprRef, FileId, FunctionRef, Lifecycle};

use super::open::Open;

/// What a place holds until its opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Initial {
    /// Nothing: reading it raises.
    Unset,
    /// `None`.
    None,
    /// Another object.
    Set,
}

/// What a place of an opening (its own or one of its aliases) holds before the statement `before` of its function, as far as
/// the tree shows. Functions of `closing` put None there only after they have closed.
pub(crate) fn initial(
    life: &Lifecycle,
    open: &Open,
    place: ExprRef,
    before: StmtId,
    closing: &BTreeSet<FunctionRef>,
) -> Initial {
    let file = open.function.file;
    let facts = life.facts(file);
    let target = place.id;
    let place = facts.expr(place.id);
    let mut found = Initial::Unset;
    let mut see = |at: FileId, facts: &Facts, binding: &Binding| {
        let function = FunctionRef { file: at, id: binding.function };
        if (at == file && (binding.stmt == Some(open.stmt) || binding.target == Some(target)))
            || closing.contains(&function) && function != open.function
        {
            return;
        }
        let value = match &binding.kind {
            BindingKind::Value { value, path } if path.is_empty() => *value,
            BindingKind::Enter { .. } | BindingKind::Item { .. } if function == open.function => {
                found = found.max(Initial::Set);
                return;
            }
            BindingKind::Parameter(_) => {
                found = found.max(Initial::Set);
                return;
            }
            _ => return,
        };
        let here = function == open.function;
        let start = facts.expr(value).range.start();
        let earlier = here && start < facts.stmt(before).range.start();
        let in_handler = here
            && binding.stmt.is_some_and(|stmt| {
                facts.ancestors(stmt).any(|(outer, slot)| {
                    matches!(slot, loopmend_python::facts::Slot::Handler(_)) && facts.within(open.stmt, outer)
                })
            });
        if matches!(facts.expr(value).kind, ExprKind::None) {
            if !here || earlier || in_handler {
                found = found.max(Initial::None);
            }
        } else if earlier || in_handler || (function.is_module() && binding.class.is_none()) {
            found = found.max(Initial::Set);
        }
    };
    match &place.kind {
        ExprKind::Name(name) => {
            let scope = if facts.function(open.function.id).globals.contains(name) {
                MODULE
            } else if facts.scopes[open.function.id.index()].contains_key(name) {
                open.function.id
            } else {
                MODULE
            };
            for &id in facts.scopes[scope.index()].get(name).into_iter().flatten() {
                see(file, facts, facts.binding(id));
            }
        }
        ExprKind::Attribute { value, attr } => {
            let class = facts.function(open.function.id).class;
            if let (Some("self"), Some(class)) = (facts.name_of(*value).map(Name::as_str), class) {
                let class = ClassRef { file, id: class };
                for (at, id) in life.self_writes(class, attr) {
                    see(at, life.facts(at), life.facts(at).binding(id));
                }
                for &id in facts.class(class.id).members.get(attr).into_iter().flatten() {
                    see(file, facts, facts.binding(id));
                }
            } else {
                loose(life, attr, &mut see);
            }
        }
        ExprKind::Subscript { index, .. } => {
            if let Some(key) = facts.key(*index) {
                loose(life, &key, &mut see);
            }
        }
        _ => {}
    }
    found
}

fn loose(life: &Lifecycle, name: &str, see: &mut dyn FnMut(FileId, &Facts, &Binding)) {
    for &file in life.files_with(name) {
        let facts = life.facts(file);
        for &id in facts.writes.get(name).into_iter().flatten() {
            see(file, facts, facts.binding(id));
        }
    }
}
