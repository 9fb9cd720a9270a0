//! Calls, joined to what they call.

use super::infer::{ANY, HOPS};
use super::{ClassRef, ExprRef, FileId, FunctionRef, Kind, Lifecycle, Value};
use crate::facts::{BindingId, ExprKind, Name, ParameterKind, word};

/// A call of a function of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CallSite {
    /// The call.
    pub call: ExprRef,
    /// The first parameter (`self`, `cls`) is not among the arguments.
    pub bound: bool,
}

/// Calls by the function that they run.
pub(super) type Targets = rustc_hash::FxHashMap<FunctionRef, Vec<CallSite>>;

/// One argument of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Argument {
    /// At this place.
    Position(usize),
    /// By this name.
    Keyword(Name),
}

/// A method that more calls are named like than this (`get`) is looked for on the caller's own object only.
const POPULAR: usize = 400;

/// Classes that more others inherit from than this are a framework's.
const HEIRS: usize = 60;

impl Lifecycle {
    /// What is called: the values of the call's function expression.
    pub fn callee(&self, call: ExprRef) -> super::Values {
        match self.facts(call.file).expr(call.id).kind {
            ExprKind::Call { func, .. } => self.infer(call.with(func)),
            _ => super::Values::default(),
        }
    }

    /// Dotted paths of the library functions and methods that a call may call (`asyncio.run`, `aiohttp.ClientSession.close`).
    pub fn callee_paths(&self, call: ExprRef) -> Vec<Name> {
        self.callee(call)
            .iter()
            .filter_map(|value| match value {
                Value::External(path) | Value::Member(path, _) => Some(path.clone()),
                _ => None,
            })
            .collect()
    }

    /// The name that a call calls something by: `wait` of `stop.wait()`.
    pub fn called_name(&self, call: ExprRef) -> Option<String> {
        match self.facts(call.file).expr(call.id).kind {
            ExprKind::Call { func, .. } => self.last_part(call.with(func)),
            _ => None,
        }
    }

    /// Whether a call certainly or possibly calls one of these library paths.
    pub fn calls_any(&self, call: ExprRef, paths: &[&str]) -> bool {
        self.callee(call).iter().any(|value| match value {
            Value::External(path) | Value::Member(path, _) => paths.contains(&path.as_str()),
            _ => false,
        })
    }

    /// Functions of the tree that a call may run; a class runs its `__init__`.
    pub fn callees(&self, call: ExprRef) -> Vec<FunctionRef> {
        let mut found: Vec<FunctionRef> = self
            .callee(call)
            .iter()
            .filter_map(|value| match value {
                Value::Function(function) | Value::Bound(function, _) => Some(*function),
                Value::Class(class) => self.method(*class, "__init__"),
                Value::Instance(Kind::Class(class), _) => self.method(*class, "__call__"),
                _ => None,
            })
            .collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The argument given for a parameter (by name, or by place counted with `self`); the default is not looked at.
    pub fn argument_for(&self, site: &CallSite, function: FunctionRef, index: usize) -> Option<ExprRef> {
        let params = &self.facts(function.file).function(function.id).params;
        let param = params.get(index)?;
        let ExprKind::Call { args, keywords, .. } = &self.facts(site.call.file).expr(site.call.id).kind
        else {
            return None;
        };
        if param.kind != ParameterKind::PositionalOnly
            && let Some(keyword) = keywords.iter().find(|keyword| keyword.name.as_ref() == Some(&param.name))
        {
            return Some(site.call.with(keyword.value));
        }
        if param.kind == ParameterKind::KeywordOnly {
            return None;
        }
        let place = index.checked_sub(usize::from(site.bound))?;
        let facts = self.facts(site.call.file);
        let starred =
            args.iter().take(place + 1).any(|&arg| matches!(facts.expr(arg).kind, ExprKind::Starred(_)));
        if starred {
            return None;
        }
        args.get(place).map(|&id| site.call.with(id))
    }

    /// The parameter that an argument is given for.
    pub fn parameter_for(&self, function: FunctionRef, bound: bool, argument: &Argument) -> Option<usize> {
        let params = &self.facts(function.file).function(function.id).params;
        match argument {
            Argument::Position(place) => {
                let index = place + usize::from(bound);
                params
                    .get(index)
                    .filter(|param| {
                        matches!(param.kind, ParameterKind::Positional | ParameterKind::PositionalOnly)
                    })
                    .map(|_| index)
            }
            Argument::Keyword(name) => params.iter().position(|param| {
                param.name == *name
                    && matches!(param.kind, ParameterKind::Positional | ParameterKind::KeywordOnly)
            }),
        }
    }

    /// All calls of a function that were found in the tree, sorted. Calls through values that were not resolved are not
    /// among them.
    pub fn call_sites(&self, function: FunctionRef) -> Vec<CallSite> {
        self.call_sites_within(function, HOPS - 1).to_vec()
    }

    /// The same; `hops` bounds how far the receivers of calls are followed.
    pub(super) fn call_sites_within(&self, function: FunctionRef, hops: u8) -> std::sync::Arc<[CallSite]> {
        let key = (function, hops);
        if let Some(found) = self.callers.get(&key) {
            return found;
        }
        let of = self.facts(function.file).function(function.id);
        let mut found = self.targets(&of.name, hops).get(&function).cloned().unwrap_or_default();
        if of.name == "__init__"
            && let Some(class) = of.class
        {
            let class = ClassRef { file: function.file, id: class };
            let heirs = self.heirs(class);
            // What very many inherit from is a framework's: no more than its own calls say anything.
            for &heir in heirs.iter().filter(|&&heir| heir == class || heirs.len() <= HEIRS) {
                let name = &self.facts(heir.file).class(heir.id).name;
                found.extend(self.targets(name, hops).get(&function).into_iter().flatten());
                self.parent_calls(heir, function, &mut found);
            }
        }
        found.sort_unstable();
        found.dedup_by_key(|site| site.call);
        let found: std::sync::Arc<[CallSite]> = found.into();
        self.callers.keep(key, std::sync::Arc::clone(&found));
        found
    }

    /// Functions of the tree by the calls that are written with this last name.
    fn targets(&self, name: &Name, hops: u8) -> std::sync::Arc<Targets> {
        let mut key = (name.clone(), ANY);
        if let Some(found) = self.targets.get(&key) {
            return found;
        }
        key.1 = hops;
        if let Some(found) = self.targets.get(&key) {
            return found;
        }
        let mut targets = Targets::default();
        let mut stepped = false;
        if name != "__init__" {
            let mut candidates = Vec::new();
            self.calls_named(name, &mut candidates);
            candidates.sort_unstable();
            candidates.dedup();
            let popular = candidates.len() > POPULAR;
            for call in candidates.into_iter().filter(|&call| !popular || self.on_own_object(call)) {
                stepped |= self.target(call, hops, &mut targets);
            }
        }
        if !stepped {
            key.1 = ANY;
        }
        let targets = std::sync::Arc::new(targets);
        self.targets.keep(key, std::sync::Arc::clone(&targets));
        targets
    }

    /// Whether a call names what it calls, or calls a method of the object that it stands in.
    fn on_own_object(&self, call: ExprRef) -> bool {
        let facts = self.facts(call.file);
        let ExprKind::Call { func, .. } = facts.expr(call.id).kind else { return false };
        match facts.expr(func).kind {
            ExprKind::Attribute { value, .. } => self.receiver_class(call.with(value)).is_some(),
            _ => true,
        }
    }

    /// Adds what a call runs; gives whether another number of steps might find more.
    fn target(&self, call: ExprRef, hops: u8, targets: &mut Targets) -> bool {
        let ExprKind::Call { func, .. } = self.facts(call.file).expr(call.id).kind else { return false };
        let (values, stepped) = self.infer_noting(call.with(func), hops);
        for value in values.iter() {
            let (function, bound) = match value {
                Value::Function(function) => {
                    // `Class.method(obj)` gives the receiver by hand; a class method does not.
                    let of = self.facts(function.file).function(function.id);
                    (*function, of.class.is_some() && self.decorated(*function, &["classmethod"]))
                }
                Value::Bound(function, _) => (*function, !self.decorated(*function, &["staticmethod"])),
                Value::Class(class) => match self.method(*class, "__init__") {
                    Some(init) => (init, true),
                    None => continue,
                },
                Value::Instance(Kind::Class(class), _) => match self.method(*class, "__call__") {
                    Some(method) => (method, true),
                    None => continue,
                },
                _ => continue,
            };
            let list = targets.entry(function).or_default();
            if list.last().is_none_or(|last| last.call != call) {
                list.push(CallSite { call, bound });
            }
        }
        stepped
    }

    /// `super().__init__(…)` in the body of a class that inherits.
    fn parent_calls(&self, heir: ClassRef, init: FunctionRef, found: &mut Vec<CallSite>) {
        let facts = self.facts(heir.file);
        let range = facts.class(heir.id).range;
        for &id in facts.attributes.get("__init__").into_iter().flatten() {
            if !range.contains_range(facts.expr(id).range) {
                continue;
            }
            if let Some(call) = facts.parent_expr(id)
                && matches!(facts.expr(call).kind, ExprKind::Call { func, .. } if func == id)
            {
                for value in self.infer_within(ExprRef { file: heir.file, id }, 0).iter() {
                    let bound = match value {
                        Value::Bound(target, _) if *target == init => true,
                        Value::Function(target) if *target == init => false,
                        _ => continue,
                    };
                    found.push(CallSite { call: ExprRef { file: heir.file, id: call }, bound });
                }
            }
        }
    }

    /// Calls whose function is written with this last name, or with a name that it is imported as.
    fn calls_named(&self, name: &Name, found: &mut Vec<ExprRef>) {
        let mut take = |file: FileId, ids: Option<&[crate::facts::ExprId]>| {
            let facts = self.facts(file);
            for &id in ids.into_iter().flatten() {
                if let Some(call) = facts.parent_expr(id)
                    && matches!(facts.expr(call).kind, ExprKind::Call { func, .. } if func == id)
                {
                    found.push(ExprRef { file, id: call });
                }
            }
        };
        for file in self.files_calling(name) {
            take(file, self.facts(file).loads.get(name));
            take(file, self.facts(file).attributes.get(name));
        }
        for (file, alias) in self.aliases_of(name) {
            take(file, self.facts(file).loads.get(alias));
        }
    }

    /// A class and those that inherit from it in the tree, as far as their bases are plain names; sorted.
    pub fn heirs(&self, class: ClassRef) -> std::sync::Arc<[ClassRef]> {
        if let Some(found) = self.heirs.get(&class) {
            return found;
        }
        let mut found = vec![class];
        let mut index = 0;
        while index < found.len() {
            let at = found[index];
            index += 1;
            let name = &self.outline(at.file).classes[at.id.index()].name;
            for candidate in self.based_on(name) {
                if found.contains(&candidate) {
                    continue;
                }
                let inherits = self.inherits_by_name(candidate, at).unwrap_or_else(|| {
                    let facts = self.facts(candidate.file);
                    facts.class(candidate.id).bases.iter().any(|&base| {
                        self.infer_within(ExprRef { file: candidate.file, id: base }, 0)
                            .contains(&Value::Class(at))
                    })
                });
                if inherits {
                    found.push(candidate);
                }
            }
        }
        found.sort_unstable();
        let found: std::sync::Arc<[ClassRef]> = found.into();
        self.heirs.keep(class, std::sync::Arc::clone(&found));
        found
    }

    /// Writes to `self.attr` in the methods of a class, its bases and its heirs (those of a framework's class apart), in order.
    pub fn self_writes(&self, class: ClassRef, attr: &str) -> Vec<(FileId, BindingId)> {
        let mut family = self.ancestry(class).inside.clone();
        let heirs = self.heirs(class);
        if heirs.len() <= HEIRS {
            for &heir in heirs.iter() {
                if !family.contains(&heir) {
                    family.push(heir);
                }
            }
        }
        let mut files: Vec<FileId> = family.iter().map(|class| class.file).collect();
        files.sort_unstable();
        files.dedup();
        let mut found = Vec::new();
        let word = word(attr);
        for file in files.into_iter().filter(|&file| self.outline(file).writes(word)) {
            let facts = self.facts(file);
            for &id in facts.writes.get(attr).into_iter().flatten() {
                let Some(target) = facts.binding(id).target else { continue };
                let ExprKind::Attribute { value, .. } = facts.expr(target).kind else { continue };
                let receiver = ExprRef { file, id: value };
                let of = self.receiver_class(receiver).or_else(|| {
                    let name = facts.name_of(value)?;
                    family
                        .iter()
                        .copied()
                        .find(|class| class.file == file && facts.class(class.id).name == *name)
                });
                if of.is_some_and(|of| family.contains(&of)) {
                    found.push((file, id));
                }
            }
        }
        found
    }

    /// Whether a class has one of these decorators, by the last part of its name.
    pub fn class_decorated(&self, class: ClassRef, names: &[&str]) -> bool {
        let facts = self.facts(class.file);
        facts.class(class.id).decorators.iter().any(|&decorator| {
            let target = match &facts.expr(decorator).kind {
                ExprKind::Call { func, .. } => *func,
                _ => decorator,
            };
            facts
                .dotted(target)
                .is_some_and(|text| names.contains(&text.rsplit('.').next().unwrap_or_default()))
        })
    }

    /// The last part of a dotted receiver: `state` of `request.app.state`; of a call the called name.
    pub fn last_part(&self, expr: ExprRef) -> Option<String> {
        let facts = self.facts(expr.file);
        match &facts.expr(expr.id).kind {
            ExprKind::Name(name) => Some(name.to_string()),
            ExprKind::Attribute { attr, .. } => Some(attr.to_string()),
            ExprKind::Subscript { index, .. } => facts.key(*index).map(|key| key.to_string()),
            ExprKind::Call { func, .. } => self.last_part(expr.with(*func)),
            _ => None,
        }
    }

    /// The pytest fixture that a parameter of a test or fixture asks for: in the same file or class, else in the nearest
    /// `conftest.py`, else in a module that the file imports it from.
    pub fn fixture_for(&self, function: FunctionRef, name: &str) -> Option<FunctionRef> {
        let facts = self.facts(function.file);
        let of = facts.function(function.id);
        let asks = of.name.starts_with("test") || self.is_fixture(function);
        if !asks {
            return None;
        }
        let mut here = facts.path.as_str();
        if let Some(found) = self.fixture_in(function.file, name, Some(function)) {
            return Some(found);
        }
        loop {
            let folder = here.rfind('/').map_or("", |slash| &here[..slash]);
            let conftest =
                if folder.is_empty() { "conftest.py".to_owned() } else { format!("{folder}/conftest.py") };
            if let Some(file) = self.file(&conftest)
                && let Some(found) = self.fixture_in(file, name, Some(function))
            {
                return Some(found);
            }
            if folder.is_empty() {
                return None;
            }
            here = folder;
        }
    }

    fn fixture_in(&self, file: FileId, name: &str, not: Option<FunctionRef>) -> Option<FunctionRef> {
        let facts = self.facts(file);
        let local = (1..facts.functions.len())
            .map(|index| FunctionRef { file, id: crate::facts::FunctionId::new(index) })
            .filter(|&function| Some(function) != not && self.is_fixture(function))
            .find(|&function| self.fixture_name(function) == name);
        local.or_else(|| {
            // Imported, or brought in by a star.
            let bound = facts.scopes[0].contains_key(name) || !facts.stars.is_empty();
            if !bound {
                return None;
            }
            self.module_member(file, name).iter().find_map(|value| match value {
                Value::Function(function) if self.is_fixture(*function) => Some(*function),
                _ => None,
            })
        })
    }

    /// Whether a function is a pytest fixture.
    pub fn is_fixture(&self, function: FunctionRef) -> bool {
        self.decorated(function, &["fixture", "async_fixture", "yield_fixture"])
    }

    /// The name that tests ask for a fixture by.
    pub fn fixture_name(&self, function: FunctionRef) -> String {
        let facts = self.facts(function.file);
        let of = facts.function(function.id);
        for &decorator in &of.decorators {
            if let ExprKind::Call { keywords, .. } = &facts.expr(decorator).kind
                && let Some(keyword) = keywords.iter().find(|keyword| keyword.name.as_deref() == Some("name"))
                && let ExprKind::Str(name) = &facts.expr(keyword.value).kind
            {
                return name.to_string();
            }
        }
        of.name.to_string()
    }
}
