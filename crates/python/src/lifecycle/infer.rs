//! Backwards: what an expression may be.
//!
//! Values are gathered from the bindings that reach a name, the writes to an attribute, the returns of a function and
//! the arguments of its callers. The step from a parameter to its callers is taken [`HOPS`] times at most, so that an
//! answer depends on nothing but the expression.

use rustc_hash::FxHashMap;

use super::module::absolute;
use super::{ClassRef, ExprRef, FileId, FunctionRef, Kind, Lifecycle, Lookup, Value, Values};
use crate::facts::{BindingId, BindingKind, ExprKind, MODULE, Name, ParameterKind, StmtKind};

/// How often one answer may step from a parameter to the arguments given for it.
pub(super) const HOPS: u8 = 3;
/// Deeper than this, over all inferences of a thread, an expression is not followed.
const DEEPEST: u32 = 600;
/// More values than this for one expression say nothing.
const MOST: usize = 24;
/// A parameter of a function with more possible callers than this is not followed.
const CALLERS: usize = 24;
/// Stands for every number of steps where an answer took none.
pub(super) const ANY: u8 = u8::MAX;

impl Lifecycle {
    /// What an expression may be; never empty.
    pub fn infer(&self, expr: ExprRef) -> Values {
        self.infer_within(expr, HOPS)
    }

    /// The same with fewer steps from parameters to callers.
    pub(super) fn infer_within(&self, expr: ExprRef, hops: u8) -> Values {
        self.infer_noting(expr, hops).0
    }

    /// The same, and whether another number of steps might give another answer.
    pub(super) fn infer_noting(&self, expr: ExprRef, hops: u8) -> (Values, bool) {
        let mut inference = Inference::new(self);
        let values = inference.expr(expr, hops);
        let values = if values.is_empty() { vec![Value::Unknown].into() } else { values };
        (values, inference.stepped)
    }

    /// What a name bound at the top of a module may be.
    pub fn module_member(&self, file: FileId, name: &str) -> Values {
        Inference::new(self).member_of_module(file, name, HOPS).into()
    }

    /// What the attribute of an object of this class may be.
    pub fn class_attribute(&self, class: ClassRef, name: &str) -> Values {
        let mut inference = Inference::new(self);
        let mut values = inference.attribute_of_instance(class, None, name, HOPS);
        tidy(&mut values);
        values.into()
    }

    /// What a function may return; for a coroutine function what awaiting it gives.
    pub fn returns(&self, function: FunctionRef) -> Values {
        let mut inference = Inference::new(self);
        let mut values = inference.returns(function, HOPS);
        tidy(&mut values);
        values.into()
    }

    /// What a function may yield.
    pub fn yields(&self, function: FunctionRef) -> Values {
        let mut inference = Inference::new(self);
        let mut values = inference.yields(function, HOPS);
        tidy(&mut values);
        values.into()
    }

    /// The classes that a class inherits from.
    pub fn ancestry(&self, class: ClassRef) -> std::sync::Arc<Ancestry> {
        if let Some(found) = self.ancestries.get(&class) {
            return found;
        }
        let (mut inside, mut outside) = (vec![class], Vec::new());
        let mut index = 0;
        while index < inside.len() {
            let at = inside[index];
            index += 1;
            for &base in &self.facts(at.file).class(at.id).bases {
                for value in self.infer_within(ExprRef { file: at.file, id: base }, 0).iter() {
                    match value {
                        Value::Class(base) if !inside.contains(base) => inside.push(*base),
                        Value::External(path)
                        | Value::Member(path, _)
                        | Value::Instance(Kind::External(path), _)
                            if !outside.contains(path) =>
                        {
                            outside.push(path.clone());
                        }
                        _ => {}
                    }
                }
            }
        }
        let found = std::sync::Arc::new(Ancestry { inside, outside });
        self.ancestries.keep(class, std::sync::Arc::clone(&found));
        found
    }

    /// The method of this name on a class or the nearest base that has it.
    pub fn method(&self, class: ClassRef, name: &str) -> Option<FunctionRef> {
        self.ancestry(class).inside.iter().find_map(|at| {
            self.facts(at.file).class(at.id).methods.get(name).map(|&id| FunctionRef { file: at.file, id })
        })
    }

    /// Whether a function has one of these decorators, by the last part of its name.
    pub fn decorated(&self, function: FunctionRef, names: &[&str]) -> bool {
        let facts = self.facts(function.file);
        facts.function(function.id).decorators.iter().any(|&decorator| {
            let target = match &facts.expr(decorator).kind {
                ExprKind::Call { func, .. } => *func,
                _ => decorator,
            };
            match &facts.expr(target).kind {
                ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } => {
                    names.contains(&name.as_str())
                }
                _ => false,
            }
        })
    }
}

/// The classes that a class inherits from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ancestry {
    /// Those of the tree, nearest first; the class itself is the first.
    pub inside: Vec<ClassRef>,
    /// Dotted paths of those outside.
    pub outside: Vec<Name>,
}

pub(super) fn tidy(values: &mut Vec<Value>) {
    values.sort_unstable();
    values.dedup();
    if values.len() > MOST {
        values.truncate(MOST);
        values.push(Value::Unknown);
    }
}

thread_local! {
    /// How deep the inferences of this thread stand in each other; guards the stack, not the answer.
    static DEPTH: std::cell::Cell<u32> = const { std::cell::Cell::new(0) };
}

struct Inference<'l> {
    life: &'l Lifecycle,
    active: FxHashMap<(ExprRef, u8), usize>,
    /// The lowest place in `active` that a cycle came back to: what stands above it is not kept.
    lowest: usize,
    /// A parameter's callers were looked for, so that the number of steps that are left has a say in the answer.
    stepped: bool,
}

impl<'l> Inference<'l> {
    fn new(life: &'l Lifecycle) -> Self {
        Self { life, active: FxHashMap::default(), lowest: usize::MAX, stepped: false }
    }
}

impl Inference<'_> {
    fn expr(&mut self, expr: ExprRef, hops: u8) -> Values {
        let key = (expr, hops);
        if let Some(values) = self.life.values.get(&(expr, ANY)) {
            return values;
        }
        if let Some(values) = self.life.values.get(&key) {
            self.stepped = true;
            return values;
        }
        if let Some(&place) = self.active.get(&key) {
            self.lowest = self.lowest.min(place);
            return Values::default();
        }
        if DEPTH.get() > DEEPEST {
            self.lowest = 0;
            return vec![Value::Unknown].into();
        }
        let depth = self.active.len();
        self.active.insert(key, depth);
        DEPTH.set(DEPTH.get() + 1);
        let outer = std::mem::take(&mut self.stepped);
        let mut values = self.compute(expr, hops);
        let stepped = self.stepped;
        self.stepped |= outer;
        DEPTH.set(DEPTH.get() - 1);
        self.active.remove(&key);
        tidy(&mut values);
        let values: Values = values.into();
        if self.lowest >= depth {
            self.lowest = usize::MAX;
            self.life.values.keep(if stepped { key } else { (expr, ANY) }, values.clone());
        }
        values
    }

    fn compute(&mut self, expr: ExprRef, hops: u8) -> Vec<Value> {
        let life = self.life;
        let facts = life.facts(expr.file);
        match &facts.expr(expr.id).kind {
            ExprKind::Name(name) => self.name(expr, name, hops),
            ExprKind::Attribute { value, attr } => {
                let base = self.expr(expr.with(*value), hops);
                self.attribute(&base, expr.with(*value), attr, hops)
            }
            ExprKind::Call { func, .. } => {
                let callees = self.expr(expr.with(*func), hops);
                self.call(expr, &callees, hops)
            }
            ExprKind::Await(value) => {
                let values = self.expr(expr.with(*value), hops);
                self.awaited(&values, hops)
            }
            ExprKind::Str(_) | ExprKind::Int(_) | ExprKind::Bool(_) => vec![Value::Constant(expr)],
            ExprKind::None => vec![Value::None],
            ExprKind::Tuple(_)
            | ExprKind::List(_)
            | ExprKind::Set(_)
            | ExprKind::Dict(_)
            | ExprKind::Comprehension { .. } => {
                vec![Value::Literal(expr)]
            }
            ExprKind::Subscript { value, index } => {
                let base = self.expr(expr.with(*value), hops);
                self.subscript(&base, expr.with(*value), expr.with(*index), hops)
            }
            ExprKind::Lambda(id) => vec![Value::Function(FunctionRef { file: expr.file, id: *id })],
            ExprKind::IfElse { body, orelse, .. } => {
                let mut values = self.expr(expr.with(*body), hops).to_vec();
                values.extend_from_slice(&self.expr(expr.with(*orelse), hops));
                values
            }
            ExprKind::BoolOp { or, values: parts } => {
                let mut values = Vec::new();
                for (index, part) in parts.iter().enumerate() {
                    let found = self.expr(expr.with(*part), hops);
                    let last = index + 1 == parts.len();
                    values
                        .extend(found.iter().filter(|value| last || !*or || **value != Value::None).cloned());
                }
                values
            }
            ExprKind::Named { value, .. } => self.expr(expr.with(*value), hops).to_vec(),
            ExprKind::Not(_) | ExprKind::Compare { .. } => vec![Value::Constant(expr)],
            ExprKind::Yield(_) | ExprKind::YieldFrom(_) | ExprKind::Starred(_) | ExprKind::Other(_) => {
                vec![Value::Unknown]
            }
        }
    }

    fn name(&mut self, expr: ExprRef, name: &Name, hops: u8) -> Vec<Value> {
        match self.life.lookup(expr, name) {
            Lookup::Bound(scope, bindings) => self.bindings(scope.file, &bindings, hops),
            Lookup::Member(class, bindings) => self.bindings(class.file, &bindings, hops),
            Lookup::Free => self.free(expr.file, name, hops),
        }
    }

    fn free(&mut self, file: FileId, name: &str, hops: u8) -> Vec<Value> {
        let facts = self.life.facts(file);
        if BUILTINS.contains(&name) {
            return vec![Value::External(Name::new(format!("builtins.{name}")))];
        }
        let mut outside = None;
        for (level, module) in &facts.stars {
            let Some(module) = absolute(&facts.module, facts.package, *level, module) else { continue };
            match self.life.modules.find(&module, file) {
                Some(target) if target != file => {
                    let values = self.member_of_module(target, name, hops);
                    if !values.is_empty() {
                        return values;
                    }
                }
                Some(_) => {}
                None => outside = Some(module),
            }
        }
        match outside {
            Some(module) => vec![Value::External(Name::new(format!("{module}.{name}")))],
            None => vec![Value::Unknown],
        }
    }

    fn member_of_module(&mut self, file: FileId, name: &str, hops: u8) -> Vec<Value> {
        let facts = self.life.facts(file);
        if let Some(bindings) = facts.scopes[MODULE.index()].get(name) {
            return self.bindings(file, bindings, hops);
        }
        if let Some(sub) = self.submodule(file, name) {
            return vec![sub];
        }
        if facts.stars.is_empty() { Vec::new() } else { self.free(file, name, hops) }
    }

    fn submodule(&self, file: FileId, name: &str) -> Option<Value> {
        let facts = self.life.facts(file);
        if !facts.package {
            return None;
        }
        let full = if facts.module.is_empty() { name.to_owned() } else { format!("{}.{name}", facts.module) };
        self.life.modules.knows(&full).then(|| Value::Module(Name::new(full)))
    }

    fn bindings(&mut self, file: FileId, bindings: &[BindingId], hops: u8) -> Vec<Value> {
        let facts = self.life.facts(file);
        let declared_only =
            bindings.iter().all(|&id| matches!(facts.binding(id).kind, BindingKind::Declared { .. }));
        let mut values = Vec::new();
        for &id in bindings {
            if !declared_only && matches!(facts.binding(id).kind, BindingKind::Declared { .. }) {
                continue;
            }
            values.extend(self.binding(file, id, hops));
        }
        values
    }

    fn binding(&mut self, file: FileId, id: BindingId, hops: u8) -> Vec<Value> {
        let life = self.life;
        let facts = life.facts(file);
        let binding = facts.binding(id);
        let at = |id| ExprRef { file, id };
        match &binding.kind {
            BindingKind::Parameter(index) => {
                self.parameter(FunctionRef { file, id: binding.function }, *index as usize, hops)
            }
            BindingKind::Import { module } => vec![Value::Module(module.clone())],
            BindingKind::ImportFrom { level, module, name } => {
                self.imported(file, *level, module, name, hops)
            }
            BindingKind::Function(id) => vec![Value::Function(FunctionRef { file, id: *id })],
            BindingKind::Class(id) => vec![Value::Class(ClassRef { file, id: *id })],
            BindingKind::Value { value, path } => {
                let values = self.expr(at(*value), hops);
                self.project(&values, path, hops)
            }
            BindingKind::Item { iter, path, .. } => {
                let values = self.expr(at(*iter), hops);
                let elements = self.elements(&values, hops);
                self.project(&elements, path, hops)
            }
            BindingKind::Enter { context, path, .. } => {
                let values = self.expr(at(*context), hops);
                let entered = self.entered(&values, hops);
                self.project(&entered, path, hops)
            }
            BindingKind::Declared { annotation } => self.annotation(at(*annotation), hops),
            BindingKind::Caught(_) | BindingKind::Changed(_) | BindingKind::Opaque => vec![Value::Unknown],
        }
    }

    fn imported(&mut self, file: FileId, level: u32, module: &str, name: &str, hops: u8) -> Vec<Value> {
        let facts = self.life.facts(file);
        let Some(module) = absolute(&facts.module, facts.package, level, module) else {
            return vec![Value::Unknown];
        };
        let full = if module.is_empty() { name.to_owned() } else { format!("{module}.{name}") };
        match self.life.modules.find(&module, file) {
            Some(target) if target != file => {
                let values = self.member_of_module(target, name, hops);
                if !values.is_empty() {
                    return values;
                }
                if self.life.modules.knows(&full) {
                    vec![Value::Module(Name::new(full))]
                } else {
                    vec![Value::Unknown]
                }
            }
            _ if self.life.modules.knows(&full) => vec![Value::Module(Name::new(full))],
            _ => vec![Value::External(canonical(&full))],
        }
    }

    /// The way into a tuple.
    fn project(&mut self, values: &[Value], path: &[u32], hops: u8) -> Vec<Value> {
        let Some((&first, rest)) = path.split_first() else { return values.to_vec() };
        let mut found = Vec::new();
        for value in values {
            match value {
                Value::Literal(expr) => match &self.life.facts(expr.file).expr(expr.id).kind {
                    ExprKind::Tuple(items) | ExprKind::List(items) => match items.get(first as usize) {
                        Some(&item) => {
                            let inner = self.expr(expr.with(item), hops);
                            found.extend(self.project(&inner, rest, hops));
                        }
                        None => found.push(Value::Unknown),
                    },
                    _ => found.push(Value::Unknown),
                },
                Value::Instance(Kind::External(path), site) if rest.is_empty() => {
                    let item = self.life.catalogue.class(path).and_then(|resource| resource.gives_item);
                    match item {
                        Some(item) if item == first => {
                            found.push(Value::Instance(Kind::External(path.clone()), *site));
                        }
                        _ => found.push(Value::Unknown),
                    }
                }
                _ => found.push(Value::Unknown),
            }
        }
        found
    }

    fn elements(&mut self, values: &[Value], hops: u8) -> Vec<Value> {
        let mut found = Vec::new();
        for value in values {
            match value {
                Value::Literal(expr) => match &self.life.facts(expr.file).expr(expr.id).kind {
                    ExprKind::Tuple(items) | ExprKind::List(items) | ExprKind::Set(items)
                        if !items.is_empty() =>
                    {
                        for &item in items {
                            found.extend_from_slice(&self.expr(expr.with(item), hops));
                        }
                    }
                    ExprKind::Comprehension { elements, .. } if elements.len() == 1 => {
                        found.extend_from_slice(&self.expr(expr.with(elements[0]), hops));
                    }
                    _ => found.push(Value::Unknown),
                },
                Value::Coroutine(function, _)
                    if self.life.facts(function.file).function(function.id).is_generator =>
                {
                    found.extend(self.yields(*function, hops));
                }
                _ => found.push(Value::Unknown),
            }
        }
        found
    }

    /// What `with x as …` gives.
    fn entered(&mut self, values: &[Value], hops: u8) -> Vec<Value> {
        let mut found = Vec::new();
        for value in values {
            match value {
                Value::Coroutine(function, _) => found.extend(self.yields(*function, hops)),
                Value::Instance(Kind::Class(class), site) => {
                    let method =
                        ["__aenter__", "__enter__"].iter().find_map(|name| self.life.method(*class, name));
                    match method {
                        Some(method) => {
                            for returned in self.returns(method, hops) {
                                found.push(match returned {
                                    Value::Instance(Kind::Class(inner), None) if inner == *class => {
                                        Value::Instance(Kind::Class(inner), *site)
                                    }
                                    other => other,
                                });
                            }
                        }
                        None => found.push(Value::Instance(Kind::Class(*class), *site)),
                    }
                }
                Value::Instance(Kind::External(path), Some(site))
                    if matches!(path.as_str(), "contextlib.aclosing" | "contextlib.closing") =>
                {
                    match self.first_argument(*site) {
                        Some(inner) => found.extend_from_slice(&self.expr(inner, hops)),
                        None => found.push(Value::Unknown),
                    }
                }
                other => found.push(other.clone()),
            }
        }
        found
    }

    fn first_argument(&self, call: ExprRef) -> Option<ExprRef> {
        match &self.life.facts(call.file).expr(call.id).kind {
            ExprKind::Call { args, .. } => args.first().map(|&id| call.with(id)),
            _ => None,
        }
    }

    fn awaited(&mut self, values: &[Value], hops: u8) -> Vec<Value> {
        let mut found = Vec::new();
        for value in values {
            match value {
                Value::Coroutine(function, _) => found.extend(self.returns(*function, hops)),
                Value::Instance(Kind::External(path), site)
                    if path == "asyncio.Task" || path == "asyncio.Future" =>
                {
                    match site.and_then(|site| self.first_argument(site)) {
                        Some(inner) => {
                            let inner = self.expr(inner, hops);
                            found.extend(self.awaited(&inner, hops));
                        }
                        None => found.push(Value::Unknown),
                    }
                }
                Value::Instance(Kind::Class(class), site) => match self.life.method(*class, "__await__") {
                    // `__await__` that ends in `return self` gives the object itself.
                    Some(_) => found.push(Value::Instance(Kind::Class(*class), *site)),
                    None => found.push(Value::Unknown),
                },
                other => found.push(other.clone()),
            }
        }
        found
    }

    pub(super) fn attribute(
        &mut self,
        base: &[Value],
        receiver: ExprRef,
        attr: &Name,
        hops: u8,
    ) -> Vec<Value> {
        let mut found = Vec::new();
        let mut loose = false;
        for value in base {
            match value {
                Value::Module(module) => match self.life.modules.find(module, receiver.file) {
                    Some(target) => {
                        let members = self.member_of_module(target, attr, hops);
                        if members.is_empty() {
                            let full = format!("{module}.{attr}");
                            found.push(if self.life.modules.knows(&full) {
                                Value::Module(Name::new(full))
                            } else {
                                Value::Unknown
                            });
                        } else {
                            found.extend(members);
                        }
                    }
                    None => {
                        let full = format!("{module}.{attr}");
                        if self.life.modules.knows(&full) {
                            found.push(Value::Module(Name::new(full)));
                        } else {
                            found.push(Value::External(canonical(&full)));
                        }
                    }
                },
                Value::External(path) => found.push(Value::External(canonical(&format!("{path}.{attr}")))),
                Value::Class(class) => found.extend(self.attribute_of_class(*class, attr, hops)),
                Value::Instance(Kind::Class(class), site) => {
                    found.extend(self.attribute_of_instance(*class, *site, attr, hops));
                }
                Value::Instance(Kind::External(path), site) => {
                    loose = true;
                    found.push(Value::Member(Name::new(format!("{path}.{attr}")), *site));
                }
                Value::Member(path, site) => {
                    loose = true;
                    found.push(Value::Member(Name::new(format!("{path}.{attr}")), *site));
                }
                Value::Unknown => {
                    loose = true;
                    found.push(Value::Unknown);
                }
                _ => found.push(Value::Unknown),
            }
        }
        if base.is_empty() {
            loose = true;
        }
        if loose {
            let written = self.loose_writes(receiver, attr, hops);
            if !written.is_empty() {
                found.retain(|value| !matches!(value, Value::Unknown | Value::Member(..)));
                found.extend(written);
            }
        }
        found
    }

    /// What is written to `….state.x` anywhere, for a read of `….state.x`: receivers agree in their last part.
    fn loose_writes(&mut self, receiver: ExprRef, name: &Name, hops: u8) -> Vec<Value> {
        let Some(last) = self.life.last_part(receiver) else { return Vec::new() };
        let mut found = Vec::new();
        for (file, id) in self.life.written(name, &last) {
            found.extend(self.binding(file, id, hops));
        }
        found
    }

    fn attribute_of_class(&mut self, class: ClassRef, attr: &str, hops: u8) -> Vec<Value> {
        let ancestry = self.life.ancestry(class);
        let Ancestry { inside, outside } = &*ancestry;
        for &at in inside {
            let facts = self.life.facts(at.file);
            if let Some(bindings) = facts.class(at.id).members.get(attr) {
                return self.bindings(at.file, bindings, hops);
            }
        }
        let written = self.self_writes(class, attr, hops);
        if !written.is_empty() {
            return written;
        }
        match outside.first() {
            Some(base) => vec![Value::External(Name::new(format!("{base}.{attr}")))],
            None => vec![Value::Unknown],
        }
    }

    fn attribute_of_instance(
        &mut self,
        class: ClassRef,
        site: Option<ExprRef>,
        attr: &str,
        hops: u8,
    ) -> Vec<Value> {
        let ancestry = self.life.ancestry(class);
        let Ancestry { inside, outside } = &*ancestry;
        let mut found = Vec::new();
        for at in inside {
            let facts = self.life.facts(at.file);
            if let Some(&id) = facts.class(at.id).methods.get(attr) {
                let method = FunctionRef { file: at.file, id };
                if self.life.decorated(method, &["property", "cached_property"]) {
                    found.extend(self.returns(method, hops));
                } else {
                    found.push(Value::Bound(method, site));
                }
                return found;
            }
        }
        found.extend(self.self_writes(class, attr, hops));
        for at in inside {
            let facts = self.life.facts(at.file);
            if let Some(bindings) = facts.class(at.id).members.get(attr) {
                let declared =
                    bindings.iter().all(|&id| matches!(facts.binding(id).kind, BindingKind::Declared { .. }));
                if !declared || found.is_empty() {
                    let values = self.bindings(at.file, bindings, hops);
                    found.extend(values);
                    let dataclass = self.life.class_decorated(*at, &["dataclass", "define", "attrs"]);
                    if dataclass {
                        found.push(Value::Unknown);
                    }
                }
                break;
            }
        }
        if found.is_empty() {
            match outside.first() {
                Some(base) => found.push(Value::Member(Name::new(format!("{base}.{attr}")), site)),
                None => found.push(Value::Unknown),
            }
        }
        found
    }

    /// What the methods of a class, its bases and its subclasses in the same files write to `self.attr`.
    fn self_writes(&mut self, class: ClassRef, attr: &str, hops: u8) -> Vec<Value> {
        let mut found = Vec::new();
        for (file, id) in self.life.self_writes(class, attr) {
            found.extend(self.binding(file, id, hops));
        }
        found
    }

    fn subscript(&mut self, base: &[Value], receiver: ExprRef, index: ExprRef, hops: u8) -> Vec<Value> {
        let facts = self.life.facts(receiver.file);
        let key = facts.key(index.id);
        let mut found = Vec::new();
        let mut loose = base.is_empty();
        for value in base {
            match value {
                Value::Literal(expr) => {
                    match (&self.life.facts(expr.file).expr(expr.id).kind, &facts.expr(index.id).kind) {
                        (ExprKind::Tuple(items) | ExprKind::List(items), ExprKind::Int(at)) => {
                            match usize::try_from(*at).ok().and_then(|at| items.get(at)) {
                                Some(&item) => found.extend_from_slice(&self.expr(expr.with(item), hops)),
                                None => found.push(Value::Unknown),
                            }
                        }
                        (ExprKind::Dict(items), _) if key.is_some() => {
                            let other = self.life.facts(expr.file);
                            let hit =
                                items.iter().find(|(item, _)| item.and_then(|item| other.key(item)) == key);
                            match hit {
                                Some(&(_, value)) => {
                                    found.extend_from_slice(&self.expr(expr.with(value), hops));
                                }
                                // `COMMANDS[name]`: any of them.
                                None if !matches!(facts.expr(index.id).kind, ExprKind::Str(_)) => {
                                    found.extend(self.dict_values(*expr, hops));
                                    loose = true;
                                }
                                None => loose = true,
                            }
                        }
                        (ExprKind::Dict(_), _) => {
                            found.extend(self.dict_values(*expr, hops));
                            loose = true;
                        }
                        _ => loose = true,
                    }
                }
                Value::External(path) => found.push(Value::External(path.clone())),
                Value::Class(class) => found.push(Value::Class(*class)),
                _ => loose = true,
            }
        }
        if loose {
            let written = key.map(|key| self.loose_writes(receiver, &key, hops)).unwrap_or_default();
            if written.is_empty() {
                found.push(Value::Unknown);
            }
            found.extend(written);
        }
        found
    }

    /// All values of a dict that is written in the tree.
    fn dict_values(&mut self, dict: ExprRef, hops: u8) -> Vec<Value> {
        let ExprKind::Dict(items) = &self.life.facts(dict.file).expr(dict.id).kind else { return Vec::new() };
        let mut found = Vec::new();
        for (_, value) in items {
            found.extend_from_slice(&self.expr(dict.with(*value), hops));
        }
        found
    }

    /// `COMMANDS.get(name)`: any value of the dict.
    fn looked_up(&mut self, call: ExprRef, hops: u8) -> Vec<Value> {
        let facts = self.life.facts(call.file);
        let ExprKind::Call { func, .. } = facts.expr(call.id).kind else { return Vec::new() };
        let ExprKind::Attribute { value, ref attr } = facts.expr(func).kind else { return Vec::new() };
        if attr != "get" {
            return Vec::new();
        }
        let base = self.expr(call.with(value), hops);
        base.iter()
            .filter_map(|value| if let Value::Literal(dict) = value { Some(*dict) } else { None })
            .collect::<Vec<_>>()
            .into_iter()
            .flat_map(|dict| self.dict_values(dict, hops))
            .collect()
    }

    fn call(&mut self, call: ExprRef, callees: &[Value], hops: u8) -> Vec<Value> {
        let mut found = self.looked_up(call, hops);
        for callee in callees {
            match callee {
                Value::Class(class) => found.push(Value::Instance(Kind::Class(*class), Some(call))),
                Value::Function(function) | Value::Bound(function, _) => {
                    let facts = self.life.facts(function.file).function(function.id);
                    if facts.is_async || facts.is_generator {
                        found.push(Value::Coroutine(*function, call));
                    } else {
                        let returned = self.returns(*function, hops);
                        if returned.is_empty() {
                            found.push(Value::None);
                        }
                        found.extend(returned);
                    }
                }
                Value::External(path) | Value::Member(path, _) => {
                    found.extend(self.external_call(call, path, hops));
                }
                Value::Instance(Kind::Class(class), _) => match self.life.method(*class, "__call__") {
                    Some(method) if self.life.facts(method.file).function(method.id).is_async => {
                        found.push(Value::Coroutine(method, call));
                    }
                    Some(method) => found.extend(self.returns(method, hops)),
                    None => found.push(Value::Unknown),
                },
                Value::Instance(Kind::External(path), _) => {
                    // `async_sessionmaker(…)()` and the like.
                    let path = format!("{path}.__call__");
                    match self.life.catalogue.constructor(&path) {
                        Some(resource) => found
                            .push(Value::Instance(Kind::External(Name::new(&resource.gives)), Some(call))),
                        None => found.push(Value::Unknown),
                    }
                }
                _ => found.push(Value::Unknown),
            }
        }
        found
    }

    fn external_call(&mut self, call: ExprRef, path: &str, hops: u8) -> Vec<Value> {
        let life = self.life;
        let facts = life.facts(call.file);
        let ExprKind::Call { args, keywords, .. } = &facts.expr(call.id).kind else {
            return vec![Value::Unknown];
        };
        let argument = |index: usize, name: &str| {
            args.get(index)
                .copied()
                .or_else(|| {
                    keywords
                        .iter()
                        .find(|keyword| keyword.name.as_deref() == Some(name))
                        .map(|keyword| keyword.value)
                })
                .map(|id| call.with(id))
        };
        match path {
            "functools.partial"
            | "functools.wraps"
            | "asyncio.shield"
            | "asyncio.wait_for"
            | "asyncio.coroutine"
            | "builtins.staticmethod"
            | "builtins.classmethod"
            | "functools.lru_cache"
            | "functools.cache"
            | "contextlib.asynccontextmanager"
            | "contextlib.contextmanager"
            | "copy.copy"
            | "inspect.unwrap" => {
                return match argument(0, "func").or_else(|| argument(0, "fut")) {
                    Some(inner) => self.expr(inner, hops).to_vec(),
                    None => vec![Value::Unknown],
                };
            }
            "typing.cast" => {
                return match argument(1, "val") {
                    Some(inner) => self.expr(inner, hops).to_vec(),
                    None => vec![Value::Unknown],
                };
            }
            "builtins.getattr" => {
                let (Some(object), Some(name)) = (argument(0, ""), argument(1, "")) else {
                    return vec![Value::Unknown];
                };
                let ExprKind::Str(text) = &facts.expr(name.id).kind else { return vec![Value::Unknown] };
                let base = self.expr(object, hops);
                let mut values = self.attribute(&base, object, &Name::new(&**text), hops);
                if let Some(default) = argument(2, "") {
                    values.extend_from_slice(&self.expr(default, hops));
                }
                return values;
            }
            "builtins.super" => return self.parent_object(call),
            "builtins.list" | "builtins.tuple" | "builtins.set" | "builtins.sorted"
            | "builtins.frozenset" => {
                return match argument(0, "") {
                    Some(inner) => self.expr(inner, hops).to_vec(),
                    None => vec![Value::Literal(call)],
                };
            }
            "builtins.type" if args.len() == 1 => {
                let values = self.expr(call.with(args[0]), hops);
                return values
                    .iter()
                    .map(|value| match value {
                        Value::Instance(Kind::Class(class), _) => Value::Class(*class),
                        Value::Instance(Kind::External(path), _) => Value::External(path.clone()),
                        _ => Value::Unknown,
                    })
                    .collect();
            }
            _ => {}
        }
        let class = match life.catalogue.constructor(path) {
            Some(resource) => Name::new(&resource.gives),
            None => match GIVES.iter().find(|(function, _)| *function == path) {
                Some((_, class)) => Name::new_static(class),
                None => {
                    let last = path.rsplit('.').next().unwrap_or(path);
                    if last.starts_with(|first: char| first.is_ascii_uppercase()) {
                        Name::new(path)
                    } else {
                        Name::new(format!("{path}()"))
                    }
                }
            },
        };
        vec![Value::Instance(Kind::External(class), Some(call))]
    }

    /// What `super()` stands for: an object of the first base.
    fn parent_object(&self, call: ExprRef) -> Vec<Value> {
        let facts = self.life.facts(call.file);
        let mut at = facts.function_of(call.id);
        let class = loop {
            let function = facts.function(at);
            if let Some(class) = function.class {
                break class;
            }
            match function.parent {
                Some(up) => at = up,
                None => return vec![Value::Unknown],
            }
        };
        let ancestry = self.life.ancestry(ClassRef { file: call.file, id: class });
        let Ancestry { inside, outside } = &*ancestry;
        match (inside.get(1), outside.first()) {
            (Some(base), _) => vec![Value::Instance(Kind::Class(*base), None)],
            (None, Some(path)) => vec![Value::Instance(Kind::External(path.clone()), None)],
            (None, None) => vec![Value::Unknown],
        }
    }

    fn returns(&mut self, function: FunctionRef, hops: u8) -> Vec<Value> {
        let life = self.life;
        let facts = life.facts(function.file);
        let mut found = Vec::new();
        let mut exprs = Vec::new();
        let mut bare = false;
        facts.walk(&facts.function(function.id).body, &mut |stmt| {
            if let StmtKind::Return(value) = facts.stmt(stmt).kind {
                match value {
                    Some(value) => exprs.push(value),
                    None => bare = true,
                }
            }
        });
        for id in exprs {
            found.extend_from_slice(&self.expr(ExprRef { file: function.file, id }, hops));
        }
        if bare {
            found.push(Value::None);
        }
        let vague = found.iter().all(|value| matches!(value, Value::Unknown | Value::None));
        if vague && let Some(annotation) = facts.function(function.id).returns {
            let declared = self.annotation(ExprRef { file: function.file, id: annotation }, hops);
            if declared.iter().any(|value| *value != Value::Unknown) {
                found.retain(|value| *value != Value::Unknown);
                found.extend(declared);
            }
        }
        found
    }

    fn yields(&mut self, function: FunctionRef, hops: u8) -> Vec<Value> {
        let life = self.life;
        let facts = life.facts(function.file);
        let mut exprs = Vec::new();
        facts.body_exprs(function.id, &mut |expr| {
            if let ExprKind::Yield(Some(value)) = facts.expr(expr).kind {
                exprs.push(value);
            }
        });
        let mut found = Vec::new();
        for id in exprs {
            found.extend_from_slice(&self.expr(ExprRef { file: function.file, id }, hops));
        }
        found
    }

    fn parameter(&mut self, function: FunctionRef, index: usize, hops: u8) -> Vec<Value> {
        let life = self.life;
        let facts = life.facts(function.file);
        let of = facts.function(function.id);
        let Some(param) = of.params.get(index) else { return vec![Value::Unknown] };
        let at = |id| ExprRef { file: function.file, id };
        if index == 0
            && let Some(class) = of.class
            && !life.decorated(function, &["staticmethod"])
        {
            let class = ClassRef { file: function.file, id: class };
            let takes_class = life.decorated(function, &["classmethod"])
                || of.name == "__new__"
                || of.name == "__init_subclass__";
            return vec![if takes_class {
                Value::Class(class)
            } else {
                Value::Instance(Kind::Class(class), None)
            }];
        }
        if matches!(param.kind, ParameterKind::Args | ParameterKind::Kwargs) {
            return vec![Value::Unknown];
        }
        let mut found = Vec::new();
        if let Some(annotation) = param.annotation {
            found = self.annotation(at(annotation), hops);
            if let Some(dependency) = self.annotated_dependency(at(annotation), hops) {
                found = dependency;
            }
            found.retain(|value| *value != Value::Unknown);
        }
        if let Some(default) = param.default {
            let values = self.expr(at(default), hops);
            match self.dependency(at(default), hops) {
                Some(given) => found = given,
                None => {
                    found.extend(values.iter().filter(|value| !matches!(value, Value::Constant(_))).cloned());
                }
            }
        }
        if found.iter().any(|value| !matches!(value, Value::None)) {
            self.say_which(function, index, &mut found, hops);
            return found;
        }
        if let Some(fixture) = life.fixture_for(function, &param.name) {
            found.extend(self.given_by(fixture, hops));
            return found;
        }
        self.stepped = true;
        if hops > 0 {
            let calls = life.call_sites_within(function, hops - 1);
            if calls.len() <= CALLERS {
                for site in calls.iter() {
                    match life.argument_for(site, function, index) {
                        Some(argument) => found.extend_from_slice(&self.expr(argument, hops - 1)),
                        None if param.default.is_some() => {}
                        None => found.push(Value::Unknown),
                    }
                }
            }
            if calls.is_empty() {
                self.started_with(function, index, &mut found, hops - 1);
            }
        }
        if found.is_empty() {
            found.push(Value::Unknown);
        }
        found
    }

    /// What a parameter is given where threads of its function are started.
    fn started_with(&mut self, function: FunctionRef, index: usize, found: &mut Vec<Value>, hops: u8) {
        let of = self.life.facts(function.file).function(function.id);
        let Some(place) = index.checked_sub(usize::from(of.receiver().is_some())) else { return };
        for (target, argument) in self.life.started_with(function, place) {
            let own = |value: &Value| match value {
                Value::Function(of) | Value::Bound(of, _) => *of == function,
                _ => false,
            };
            if self.expr(target, hops).iter().any(own) {
                found.extend_from_slice(&self.expr(argument, hops));
            }
        }
    }

    /// For a library's object known by its annotation alone: the objects of that class that callers give.
    fn say_which(&mut self, function: FunctionRef, index: usize, found: &mut Vec<Value>, hops: u8) {
        // Which of them it is matters to what the catalogue knows.
        let vague = |value: &Value| {
            matches!(value, Value::Instance(Kind::External(class), None)
                if self.life.catalogue().knows_package_of(class))
        };
        if !found.iter().any(vague) {
            return;
        }
        self.stepped = true;
        if hops == 0 {
            return;
        }
        let calls = self.life.call_sites_within(function, hops - 1);
        if calls.len() > CALLERS {
            return;
        }
        let mut all = !calls.is_empty();
        let mut given = Vec::new();
        for site in calls.iter() {
            let Some(argument) = self.life.argument_for(site, function, index) else {
                all = false;
                continue;
            };
            let before = given.len();
            for value in self.expr(argument, hops - 1).iter() {
                if let Value::Instance(kind @ Kind::External(_), Some(_)) = value
                    && found.contains(&Value::Instance(kind.clone(), None))
                {
                    given.push(value.clone());
                }
            }
            all &= given.len() > before;
        }
        if all {
            found.retain(|value| !vague(value));
        }
        found.extend(given);
    }

    /// What a fixture or dependency hands over: what it yields, else what it returns.
    fn given_by(&mut self, function: FunctionRef, hops: u8) -> Vec<Value> {
        if self.life.facts(function.file).function(function.id).is_generator {
            self.yields(function, hops)
        } else {
            self.returns(function, hops)
        }
    }

    /// `Depends(f)` and the like give what `f` hands over.
    fn dependency(&mut self, expr: ExprRef, hops: u8) -> Option<Vec<Value>> {
        let facts = self.life.facts(expr.file);
        let ExprKind::Call { func, args, keywords } = &facts.expr(expr.id).kind else { return None };
        let name = facts.dotted(*func)?;
        if !matches!(name.rsplit('.').next(), Some("Depends" | "Security" | "Provide")) {
            return None;
        }
        let target = args.first().copied().or_else(|| {
            keywords.iter().find(|keyword| keyword.name.as_deref() == Some("dependency")).map(|k| k.value)
        })?;
        let mut found = Vec::new();
        for value in self.expr(expr.with(target), hops).iter() {
            match value {
                Value::Function(function) | Value::Bound(function, _) => {
                    found.extend(self.given_by(*function, hops));
                }
                Value::Class(class) => found.push(Value::Instance(Kind::Class(*class), None)),
                _ => found.push(Value::Unknown),
            }
        }
        Some(found)
    }

    fn annotated_dependency(&mut self, annotation: ExprRef, hops: u8) -> Option<Vec<Value>> {
        let facts = self.life.facts(annotation.file);
        let ExprKind::Subscript { value, index } = &facts.expr(annotation.id).kind else { return None };
        if !facts.dotted(*value)?.ends_with("Annotated") {
            return None;
        }
        let ExprKind::Tuple(items) = &facts.expr(*index).kind else { return None };
        items.iter().skip(1).find_map(|&item| self.dependency(annotation.with(item), hops))
    }

    /// What a value annotated so is.
    fn annotation(&mut self, annotation: ExprRef, hops: u8) -> Vec<Value> {
        let life = self.life;
        let facts = life.facts(annotation.file);
        match &facts.expr(annotation.id).kind {
            ExprKind::Name(_) | ExprKind::Attribute { .. } => {
                let values = self.expr(annotation, hops);
                values.iter().map(instance_of).collect()
            }
            ExprKind::None => vec![Value::None],
            ExprKind::Str(text) => self.written_annotation(annotation, text, hops),
            ExprKind::Other(parts) if parts.len() == 2 => {
                let mut values = self.annotation(annotation.with(parts[0]), hops);
                values.extend(self.annotation(annotation.with(parts[1]), hops));
                values
            }
            ExprKind::Subscript { value, index } => {
                let name = facts.dotted(*value).unwrap_or_default();
                match name.rsplit('.').next().unwrap_or_default() {
                    "Optional" => {
                        let mut values = self.annotation(annotation.with(*index), hops);
                        values.push(Value::None);
                        values
                    }
                    "Annotated" | "Final" | "ClassVar" | "Awaitable" | "Coroutine" => {
                        match &facts.expr(*index).kind {
                            ExprKind::Tuple(items) if name.ends_with("Coroutine") => items
                                .last()
                                .map_or_else(Vec::new, |&item| self.annotation(annotation.with(item), hops)),
                            ExprKind::Tuple(items) => items
                                .first()
                                .map_or_else(Vec::new, |&item| self.annotation(annotation.with(item), hops)),
                            _ => self.annotation(annotation.with(*index), hops),
                        }
                    }
                    "Union" => match &facts.expr(*index).kind {
                        ExprKind::Tuple(items) => items
                            .iter()
                            .flat_map(|&item| self.annotation(annotation.with(item), hops))
                            .collect(),
                        _ => self.annotation(annotation.with(*index), hops),
                    },
                    "list" | "List" | "dict" | "Dict" | "set" | "Set" | "tuple" | "Tuple" | "Iterator"
                    | "AsyncIterator" | "Iterable" | "AsyncIterable" | "Generator" | "AsyncGenerator"
                    | "Sequence" | "Callable" | "Type" | "type" => vec![Value::Unknown],
                    _ => {
                        let values = self.expr(annotation.with(*value), hops);
                        values.iter().map(instance_of).collect()
                    }
                }
            }
            _ => vec![Value::Unknown],
        }
    }

    /// An annotation in quotes: a plain dotted name, perhaps with `| None` or `Optional[…]`.
    fn written_annotation(&mut self, annotation: ExprRef, text: &str, hops: u8) -> Vec<Value> {
        let text = text.trim();
        let text = text.strip_suffix("| None").unwrap_or(text).trim();
        let text =
            text.strip_prefix("Optional[").and_then(|inner| inner.strip_suffix(']')).unwrap_or(text).trim();
        let mut parts = text.split('.');
        let Some(head) = parts.next() else { return vec![Value::Unknown] };
        if head.is_empty() || !text.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.') {
            return vec![Value::Unknown];
        }
        let mut values = self.member_of_module(annotation.file, head, hops);
        for part in parts {
            values = self.attribute(&values, annotation, &Name::new(part), hops);
        }
        if values.is_empty() {
            return vec![Value::Unknown];
        }
        values.iter().map(instance_of).collect()
    }
}

fn instance_of(value: &Value) -> Value {
    match value {
        Value::Class(class) => Value::Instance(Kind::Class(*class), None),
        Value::External(path) if path.starts_with("builtins.") || path.starts_with("typing.") => {
            Value::Unknown
        }
        Value::External(path) => Value::Instance(Kind::External(path.clone()), None),
        _ => Value::Unknown,
    }
}

/// Paths by which the same thing can be reached, to the one that the rest of the code uses.
fn canonical(path: &str) -> Name {
    const PREFIXES: &[(&str, &str)] = &[
        ("asyncio.tasks.", "asyncio."),
        ("asyncio.events.", "asyncio."),
        ("asyncio.runners.", "asyncio."),
        ("asyncio.locks.", "asyncio."),
        ("asyncio.queues.", "asyncio."),
        ("asyncio.futures.", "asyncio."),
        ("fastapi.applications.", "fastapi."),
        ("starlette.applications.", "starlette.applications."),
    ];
    for (from, to) in PREFIXES {
        if let Some(rest) = path.strip_prefix(from) {
            return Name::new(format!("{to}{rest}"));
        }
    }
    Name::new(path)
}

/// Classes of what library functions give that are no resources of their own.
const GIVES: &[(&str, &str)] = &[
    ("asyncio.get_event_loop", "asyncio.AbstractEventLoop"),
    ("asyncio.get_running_loop", "asyncio.AbstractEventLoop"),
    ("asyncio.get_event_loop_policy().new_event_loop", "asyncio.AbstractEventLoop"),
    ("asyncio.get_event_loop_policy().get_event_loop", "asyncio.AbstractEventLoop"),
    ("asyncio.Runner.get_loop", "asyncio.AbstractEventLoop"),
    ("asyncio.current_task", "asyncio.Task"),
    ("asyncio.TaskGroup.create_task", "asyncio.Task"),
    ("asyncio.run_coroutine_threadsafe", "concurrent.futures.Future"),
    ("logging.getLogger", "logging.Logger"),
];

const BUILTINS: &[&str] = &[
    "abs",
    "aiter",
    "all",
    "anext",
    "any",
    "bool",
    "bytes",
    "callable",
    "classmethod",
    "dict",
    "dir",
    "enumerate",
    "exit",
    "filter",
    "float",
    "frozenset",
    "getattr",
    "hasattr",
    "id",
    "input",
    "int",
    "isinstance",
    "issubclass",
    "iter",
    "len",
    "list",
    "map",
    "max",
    "min",
    "next",
    "object",
    "open",
    "print",
    "property",
    "quit",
    "range",
    "repr",
    "reversed",
    "set",
    "setattr",
    "sorted",
    "staticmethod",
    "str",
    "sum",
    "super",
    "tuple",
    "type",
    "vars",
    "zip",
    "Exception",
    "BaseException",
    "RuntimeError",
    "ValueError",
    "KeyError",
    "OSError",
    "ConnectionError",
    "TimeoutError",
    "KeyboardInterrupt",
    "SystemExit",
    "StopAsyncIteration",
    "AttributeError",
    "TypeError",
    "ConnectionRefusedError",
    "ConnectionResetError",
    "NotImplementedError",
    "IndexError",
    "LookupError",
    "ImportError",
    "GeneratorExit",
    "__name__",
    "__file__",
];
