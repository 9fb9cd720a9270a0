//! Classes of the tree that keep an object: which of their methods end it, who makes them, and who calls those methods.

use std::collections::BTreeSet;

use loopmend_python::facts::{BindingKind, ExprKind, FunctionId, Name};
use loopmend_python::lifecycle::{CallSite, ClassRef, ExprRef, Flow, FunctionRef, Lifecycle, Origin};

use super::alive;
use super::closer::{Closer, Step, With};
use super::fate::{self, How, Keeper, Open, fate};

/// Bases that call nothing.
const PLAIN_BASES: [&str; 12] = [
    "object",
    "abc.ABC",
    "ABC",
    "typing.Protocol",
    "typing.Generic",
    "Protocol",
    "Generic",
    "Exception",
    "typing_extensions.Protocol",
    "contextlib.AbstractAsyncContextManager",
    "enum.Enum",
    "dict",
];

/// No method of the class ends the object.
pub(super) fn never(
    life: &Lifecycle,
    class: ClassRef,
    name: &Name,
    closer: &Closer,
    open: &dyn Fn(Keeper, How, bool) -> Open,
    seen: &mut Vec<ExprRef>,
) -> Vec<Open> {
    let makers = makers(life, class);
    let mut doubtful = framework_class(life, class) || makers.is_empty();
    let anything = Closer {
        class: life.facts(class.file).class(class.id).name.to_string(),
        path: String::new(),
        owner: Some(class),
        ends: Vec::new(),
        steps: Vec::new(),
        with: With::No,
        item: None,
        opened_by: Vec::new(),
    };
    // Somebody else may reach into an object that goes out of sight.
    if !makers.is_empty() {
        let left = makers
            .iter()
            .filter(|maker| !given(life, **maker, (class, name), closer))
            .any(|&maker| !fate(life, maker, &anything, seen).is_empty());
        doubtful |= !left;
    }
    vec![open(Keeper::Class(class, name.clone()), How::Never, doubtful)]
}

/// Some methods end the object: whether they are called by whoever makes objects of the class.
pub(super) fn closed(
    life: &Lifecycle,
    class: ClassRef,
    name: &Name,
    at: ExprRef,
    flow: &Flow,
    closer: &Closer,
    seen: &mut Vec<ExprRef>,
) -> Vec<Open> {
    let closes = &fate::closes(life, flow, closer);
    let Some(mut own) = closing(life, class, closes) else { return Vec::new() };
    let family = alive::family(life, class);
    if framework_class(life, class)
        || alive::registers(life, class)
        || own.ends.iter().any(|end| alive::handed_out(life, &family, end))
    {
        return Vec::new();
    }
    own.opened_by = alive::openers(life, class, at, flow, closer);
    let mut found = Vec::new();
    for maker in makers(life, class) {
        if !given(life, maker, (class, name), closer) {
            found.extend(fate(life, maker, &own, seen));
        }
    }
    found
}

/// How objects of a class are ended, where all ends of what they keep stand in their own methods.
pub(super) fn closing(life: &Lifecycle, class: ClassRef, closes: &[ExprRef]) -> Option<Closer> {
    let family = alive::family(life, class);
    let in_family = |function: FunctionRef| {
        life.facts(function.file)
            .function(function.id)
            .class
            .is_some_and(|id| family.contains(&ClassRef { file: function.file, id }))
    };
    let mut methods: BTreeSet<FunctionRef> = BTreeSet::new();
    for close in closes {
        let mut function = FunctionRef { file: close.file, id: life.facts(close.file).function_of(close.id) };
        // A close in a lambda or inner function belongs to the method around it.
        while !in_family(function) {
            let parent = life.facts(function.file).function(function.id).parent?;
            function = FunctionRef { file: function.file, id: parent };
        }
        methods.insert(function);
    }
    let mut work: Vec<FunctionRef> = methods.iter().copied().collect();
    while let Some(method) = work.pop() {
        let name = &life.facts(method.file).function(method.id).name;
        for site in alive::overridden(life, &family, name).flat_map(|method| life.call_sites(method)) {
            let caller = FunctionRef {
                file: site.call.file,
                id: life.facts(site.call.file).function_of(site.call.id),
            };
            if in_family(caller) && methods.insert(caller) {
                work.push(caller);
            }
        }
    }
    let name_of = |function: &FunctionRef| life.facts(function.file).function(function.id).name.to_string();
    let mut ends: Vec<String> = methods.iter().map(name_of).collect();
    ends.sort_unstable();
    ends.dedup();
    let of = life.facts(class.file).class(class.id);
    let with = if ends.iter().any(|end| end == "__aexit__") {
        With::Async
    } else if ends.iter().any(|end| end == "__exit__") {
        With::Sync
    } else {
        With::No
    };
    // The method to call: one that needs no arguments, by the usual names first.
    let mut callable: Vec<(usize, FunctionRef)> = methods
        .iter()
        .filter(|method| takes_nothing(life, **method) && !name_of(method).starts_with('_'))
        .map(|&method| {
            let name = name_of(&method);
            let rank = ["close", "aclose", "disconnect", "stop", "shutdown", "dispose", "cleanup"]
                .iter()
                .position(|known| *known == name);
            (rank.unwrap_or(if name.contains("close") { 10 } else { 20 }), method)
        })
        .collect();
    callable.sort_unstable();
    // A close that is made where a new object is opened (`reconnect`) ends nothing for good.
    let steps = callable
        .first()
        .map(|(_, method)| Step {
            method: name_of(method),
            arguments: String::new(),
            awaited: life.facts(method.file).function(method.id).is_async,
        })
        .into_iter()
        .collect();
    // Whatever an object does when it is collected or when the program ends is another matter.
    if ends.iter().any(|end| end == "__del__") {
        return None;
    }
    Some(Closer {
        class: of.name.to_string(),
        path: String::new(),
        owner: Some(class),
        ends,
        steps,
        with,
        item: None,
        opened_by: Vec::new(),
    })
}

fn takes_nothing(life: &Lifecycle, method: FunctionRef) -> bool {
    use loopmend_python::facts::ParameterKind;
    life.facts(method.file).function(method.id).params.iter().skip(1).all(|param| {
        param.default.is_some() || matches!(param.kind, ParameterKind::Args | ParameterKind::Kwargs)
    })
}

/// Calls that make objects of a class or of one that inherits from it.
pub(crate) fn makers(life: &Lifecycle, class: ClassRef) -> Vec<ExprRef> {
    let mut found = BTreeSet::new();
    let mut classes = vec![class];
    classes.extend(life.heirs(class).iter().copied());
    for class in classes {
        found.extend(life.flow(Origin::Class(class), false).calls());
        // `cls(…)` in the class's own factories.
        let facts = life.facts(class.file);
        let mut methods: Vec<FunctionId> = facts.class(class.id).methods.values().copied().collect();
        methods.sort_unstable();
        for id in methods {
            let method = FunctionRef { file: class.file, id };
            let Some(receiver) = facts.function(id).receiver() else { continue };
            if !life.decorated(method, &["classmethod"]) {
                continue;
            }
            for load in life.loads_of(class.file, id, receiver) {
                if let Some(call) = facts.parent_expr(load.id)
                    && matches!(facts.expr(call).kind, ExprKind::Call { func, .. } if func == load.id)
                {
                    found.insert(load.with(call));
                }
            }
        }
    }
    found.into_iter().collect()
}

/// Whether the maker gives the object in, so that it stays the maker's: one of the closer's class, or whatever fills the
/// parameter that the class keeps in this attribute.
pub(super) fn given(
    life: &Lifecycle,
    maker: ExprRef,
    (class, attr): (ClassRef, &Name),
    closer: &Closer,
) -> bool {
    let facts = life.facts(maker.file);
    let ExprKind::Call { args, keywords, .. } = &facts.expr(maker.id).kind else { return false };
    args.iter().copied().chain(keywords.iter().map(|keyword| keyword.value)).any(|argument| {
        life.infer(maker.with(argument)).iter().any(|value| value.external_class() == Some(&closer.path))
    }) || fills(life, maker, class, attr)
}

/// Whether a call gives a value for a parameter of `__init__` that is kept in an attribute.
fn fills(life: &Lifecycle, maker: ExprRef, class: ClassRef, attr: &Name) -> bool {
    let Some(init) = life.method(class, "__init__") else { return false };
    let facts = life.facts(init.file);
    let params = &facts.function(init.id).params;
    let site = CallSite { call: maker, bound: true };
    life.self_writes(class, attr).into_iter().any(|(file, id)| {
        let binding = life.facts(file).binding(id);
        let BindingKind::Value { value, .. } = binding.kind else { return false };
        if file != init.file || binding.function != init.id {
            return false;
        }
        params.iter().enumerate().any(|(index, param)| {
            facts.name_of(value) == Some(&param.name)
                && life.argument_for(&site, init, index).is_some_and(|given| {
                    !matches!(life.facts(given.file).expr(given.id).kind, ExprKind::None)
                })
        })
    })
}

/// Whether a framework may make the objects of a class and call its methods.
pub(super) fn framework_class(life: &Lifecycle, class: ClassRef) -> bool {
    life.ancestry(class).outside.iter().any(|base| !PLAIN_BASES.contains(&base.as_str()))
}
