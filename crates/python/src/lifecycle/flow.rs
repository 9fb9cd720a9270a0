//! Forwards: where an object goes, and what is done with it.
//!
//! From the expression that makes an object (or a function's definition, or a parameter) it is carried along
//! assignments, attributes, globals, containers, arguments, returns, yields and `with … as`, over all files, until
//! nothing is new. Every place where it is used is listed; where it goes out of sight, that is an escape.

use rustc_hash::FxHashSet;

use super::{Argument, CallSite, ClassRef, ExprRef, FileId, FunctionRef, Kind, Lifecycle, StmtRef, Value};
use crate::facts::{
    BindingId, BindingKind, Definition, ExprId, ExprKind, FunctionId, MODULE, Name, Parent, StmtKind, word,
};

/// What is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Origin {
    /// The value of an expression.
    Expr(ExprRef),
    /// A function as a value.
    Function(FunctionRef),
    /// A class as a value.
    Class(ClassRef),
    /// A parameter, by its index.
    Parameter(FunctionRef, u32),
}

/// Where an object is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Place {
    /// A local name of a function.
    Local(FunctionRef, Name),
    /// A global name of a module.
    Global(FileId, Name),
    /// An attribute of the objects of a class of the tree, or of the class itself.
    Attribute(ClassRef, Name),
    /// An attribute or key of another object, by the last part of the receiver (`state`) and the name.
    Loose(String, Name),
    /// A parameter.
    Parameter(FunctionRef, u32),
}

/// One use of the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// The expression that is the object here.
    pub expr: ExprRef,
    /// The object is an element of what the expression is.
    pub element: bool,
    /// What is done.
    pub kind: UseKind,
}

/// What is done with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UseKind {
    /// `obj.name(…)`: the method and the call.
    Method {
        /// Its name.
        name: Name,
        /// The call.
        call: ExprRef,
        /// The call is awaited where it stands.
        awaited: bool,
    },
    /// `obj.name` without a call.
    Attribute {
        /// Its name.
        name: Name,
        /// The attribute expression.
        expr: ExprRef,
    },
    /// `await obj`.
    Awaited(ExprRef),
    /// `with obj` or `async with obj`.
    Entered {
        /// The statement.
        stmt: StmtRef,
        /// `async with`.
        is_async: bool,
    },
    /// Given to a call of something that is not followed (a library, or not resolved).
    Argument {
        /// The call.
        call: ExprRef,
        /// Which argument.
        argument: Argument,
        /// Given with `*`.
        starred: bool,
    },
    /// `obj(…)`.
    Called(ExprRef),
    /// Iterated by `for` (or `async for`).
    Iterated(ExprRef),
    /// Returned by a function.
    Returned(FunctionRef),
    /// Yielded by a function.
    Yielded(FunctionRef),
    /// Kept somewhere.
    Stored(Place),
    /// Compared or tested.
    Tested,
    /// An expression statement: the value is dropped.
    Dropped,
    /// A decorator.
    Decorator(FunctionRef),
    /// Deleted.
    Deleted,
    /// Something else.
    Other,
}

/// All that becomes of an object.
#[derive(Clone, Debug, Default)]
pub struct Flow {
    /// In a fixed order.
    pub uses: Vec<Use>,
    /// Where it is kept, in the order found.
    pub places: Vec<Place>,
    /// It went out of sight somewhere: kept by something unresolved, or more of it than was followed.
    pub doubt: bool,
}

impl Flow {
    /// Calls of a method of the object itself (not of a container that holds it).
    pub fn methods<'f>(&'f self, name: &'f str) -> impl Iterator<Item = (&'f Use, ExprRef, bool)> + 'f {
        self.uses.iter().filter_map(move |at| match &at.kind {
            UseKind::Method { name: method, call, awaited } if method == name && !at.element => {
                Some((at, *call, *awaited))
            }
            _ => None,
        })
    }

    /// Where it is called: of a class, where its objects are made.
    pub fn calls(&self) -> impl Iterator<Item = ExprRef> + '_ {
        self.uses.iter().filter_map(|at| match at.kind {
            UseKind::Called(call) => Some(call),
            _ => None,
        })
    }

    /// Whether it is kept by something that outlives a function: a global, an attribute, another object.
    pub fn kept(&self) -> bool {
        self.places
            .iter()
            .any(|place| matches!(place, Place::Global(..) | Place::Attribute(..) | Place::Loose(..)))
    }
}

/// What takes a function as a dependency.
const DEPENDENCIES: [&str; 3] = ["Depends", "Security", "Provide"];
/// Methods by which a container takes an object.
pub const PUTS: [&str; 9] =
    ["append", "add", "appendleft", "insert", "extend", "update", "put_nowait", "put", "setdefault"];

/// An object that more expressions are than this is everybody's: the rest is doubt.
const STEPS: usize = 1500;
/// The same for the places where it is kept.
const PLACES: usize = 300;

impl Lifecycle {
    /// Follows an object. `await` on an origin expression is passed through when `awaited` says that the awaited value is
    /// the object.
    pub fn flow(&self, origin: Origin, awaited: bool) -> std::sync::Arc<Flow> {
        let key = (origin, awaited);
        if let Some(found) = self.flows.get(&key) {
            return found;
        }
        let found = std::sync::Arc::new(self.trace(origin, awaited));
        self.flows.keep(key, std::sync::Arc::clone(&found));
        found
    }

    fn trace(&self, origin: Origin, awaited: bool) -> Flow {
        let mut tracer = Tracer {
            life: self,
            flow: Flow::default(),
            seen: FxHashSet::default(),
            work: Vec::new(),
            kept: FxHashSet::default(),
            awaited,
        };
        match origin {
            Origin::Expr(expr) => tracer.push(expr, false, true),
            Origin::Function(function) => tracer.definition(function),
            Origin::Class(class) => {
                let facts = self.facts(class.file);
                let of = facts.class(class.id);
                let outer = facts.stmt(of.stmt).class;
                match outer {
                    Some(outer) => tracer.keep(
                        &Place::Attribute(ClassRef { file: class.file, id: outer }, of.name.clone()),
                        false,
                    ),
                    None => tracer.keep(&tracer.local(class.file, of.function, &of.name), false),
                }
            }
            Origin::Parameter(function, index) => tracer.keep(&Place::Parameter(function, index), false),
        }
        tracer.run();
        tracer.flow
    }

    /// Follows what an expression makes.
    pub fn flow_of(&self, expr: ExprRef) -> std::sync::Arc<Flow> {
        self.flow(Origin::Expr(expr), false)
    }
}

struct Tracer<'l> {
    life: &'l Lifecycle,
    flow: Flow,
    seen: FxHashSet<(ExprRef, bool)>,
    work: Vec<(ExprRef, bool, bool)>,
    kept: FxHashSet<(Place, bool)>,
    awaited: bool,
}

impl Tracer<'_> {
    fn push(&mut self, expr: ExprRef, element: bool, fresh: bool) {
        if self.seen.insert((expr, element)) {
            self.work.push((expr, element, fresh));
        }
    }

    fn run(&mut self) {
        let mut steps = 0;
        while let Some((expr, element, fresh)) = self.work.pop() {
            steps += 1;
            if steps > STEPS {
                self.flow.doubt = true;
                break;
            }
            self.step(expr, element, fresh);
        }
        self.flow.uses.sort_by_key(|at| (at.expr, at.element));
    }

    fn note(&mut self, expr: ExprRef, element: bool, kind: UseKind) {
        self.flow.uses.push(Use { expr, element, kind });
    }

    fn local(&self, file: FileId, function: FunctionId, name: &Name) -> Place {
        let facts = self.life.facts(file);
        let scope = super::scope::owner(facts, function, name).unwrap_or(MODULE);
        if scope == MODULE {
            Place::Global(file, name.clone())
        } else {
            Place::Local(FunctionRef { file, id: scope }, name.clone())
        }
    }

    fn definition(&mut self, function: FunctionRef) {
        let facts = self.life.facts(function.file);
        let of = facts.function(function.id);
        match of.definition {
            Definition::Module => {}
            Definition::Lambda(expr) => self.push(ExprRef { file: function.file, id: expr }, false, true),
            Definition::Def(_) => {
                for &decorator in &of.decorators {
                    self.note(
                        ExprRef { file: function.file, id: decorator },
                        false,
                        UseKind::Decorator(function),
                    );
                }
                let place = match (of.class, of.parent) {
                    (Some(class), _) => {
                        Place::Attribute(ClassRef { file: function.file, id: class }, of.name.clone())
                    }
                    (None, Some(parent)) => self.local(function.file, parent, &of.name),
                    (None, None) => return,
                };
                self.keep(&place, false);
            }
        }
    }

    /// One expression that is the object (or a container of it).
    fn step(&mut self, expr: ExprRef, element: bool, fresh: bool) {
        let life = self.life;
        let facts = life.facts(expr.file);
        match facts.expr(expr.id).parent {
            Parent::None => {}
            Parent::Stmt(stmt) => self.in_statement(expr, element, StmtRef { file: expr.file, id: stmt }),
            Parent::Expr(up) => self.in_expression(expr, element, fresh, expr.with(up)),
        }
    }

    fn in_statement(&mut self, expr: ExprRef, element: bool, stmt: StmtRef) {
        let life = self.life;
        let facts = life.facts(expr.file);
        let node = facts.stmt(stmt.id);
        match &node.kind {
            StmtKind::Expr(_) => self.note(expr, element, UseKind::Dropped),
            StmtKind::Assign { targets, value } if *value == expr.id => {
                for &target in targets {
                    self.assign(expr, expr.with(target), element);
                }
            }
            StmtKind::AnnAssign { target, value: Some(value), .. } if *value == expr.id => {
                self.assign(expr, expr.with(*target), element);
            }
            StmtKind::AugAssign { target, value } if *value == expr.id => {
                // `tasks += [task]`.
                if element {
                    self.assign(expr, expr.with(*target), true);
                } else {
                    self.note(expr, element, UseKind::Other);
                }
            }
            StmtKind::Return(_) => {
                let function = FunctionRef { file: expr.file, id: node.function };
                self.note(expr, element, UseKind::Returned(function));
                self.returned(function, element);
            }
            StmtKind::With { is_async, items, .. } => {
                if let Some(item) = items.iter().find(|item| item.context == expr.id) {
                    self.note(expr, element, UseKind::Entered { stmt, is_async: *is_async });
                    if let Some(target) = item.target
                        && !element
                    {
                        self.assign(expr, expr.with(target), false);
                    }
                }
            }
            StmtKind::For { iter, target, .. } if *iter == expr.id => {
                self.note(expr, element, UseKind::Iterated(expr));
                if element {
                    self.assign(expr, expr.with(*target), false);
                }
            }
            StmtKind::If { .. } | StmtKind::While { .. } | StmtKind::Assert(_) | StmtKind::Match { .. } => {
                self.note(expr, element, UseKind::Tested);
            }
            StmtKind::Delete(_) => self.note(expr, element, UseKind::Deleted),
            StmtKind::Raise { .. } => self.note(expr, element, UseKind::Other),
            StmtKind::Function(id) => {
                // A default.
                let of = facts.function(*id);
                if let Some(index) = of.params.iter().position(|param| param.default == Some(expr.id)) {
                    self.keep(
                        &Place::Parameter(FunctionRef { file: expr.file, id: *id }, index as u32),
                        element,
                    );
                }
            }
            _ => {}
        }
    }

    fn in_expression(&mut self, expr: ExprRef, element: bool, fresh: bool, up: ExprRef) {
        let life = self.life;
        let facts = life.facts(expr.file);
        match &facts.expr(up.id).kind {
            ExprKind::Await(_) => {
                if !element {
                    self.note(expr, element, UseKind::Awaited(up));
                    if self.awaited && fresh {
                        self.push(up, element, false);
                    }
                }
            }
            ExprKind::Attribute { attr, .. } => self.attribute(expr, element, attr, up),
            ExprKind::Call { func, args, keywords } => {
                if *func == expr.id {
                    self.note(expr, element, UseKind::Called(up));
                    return;
                }
                if let Some(place) = args.iter().position(|&arg| arg == expr.id) {
                    self.argument(expr, element, up, &Argument::Position(place), false);
                } else if let Some(keyword) = keywords.iter().find(|keyword| keyword.value == expr.id) {
                    match &keyword.name {
                        Some(name) => {
                            self.argument(expr, element, up, &Argument::Keyword(name.clone()), false);
                        }
                        None => self.flow.doubt = true,
                    }
                }
            }
            ExprKind::Starred(_) => match facts.parent_expr(up.id).map(|call| (call, &facts.expr(call).kind))
            {
                Some((call, ExprKind::Call { args, .. })) => {
                    let place = args.iter().position(|&arg| arg == up.id).unwrap_or(0);
                    self.argument(expr, element, expr.with(call), &Argument::Position(place), true);
                }
                Some((list, ExprKind::List(_) | ExprKind::Tuple(_) | ExprKind::Set(_))) => {
                    self.push(expr.with(list), element, false);
                }
                _ => self.flow.doubt = true,
            },
            ExprKind::IfElse { test, .. } => {
                if *test == expr.id {
                    self.note(expr, element, UseKind::Tested);
                } else {
                    self.push(up, element, fresh);
                }
            }
            ExprKind::BoolOp { .. } => {
                self.note(expr, element, UseKind::Tested);
                self.push(up, element, fresh);
            }
            ExprKind::Named { target, value } => {
                if *value == expr.id {
                    self.assign(expr, up.with(*target), element);
                    self.push(up, element, fresh);
                }
            }
            ExprKind::Tuple(items) | ExprKind::List(items) | ExprKind::Set(items) => {
                // `a, b = x, y` is read pairwise.
                if let (Some(index), Some(target)) =
                    (items.iter().position(|&item| item == expr.id), self.unpacked_into(up))
                    && let ExprKind::Tuple(targets) | ExprKind::List(targets) = &facts.expr(target).kind
                    && let Some(&target) = targets.get(index)
                    && targets.len() == items.len()
                {
                    self.assign(expr, expr.with(target), element);
                    return;
                }
                if facts
                    .parent_expr(up.id)
                    .is_none_or(|outer| !matches!(facts.expr(outer).kind, ExprKind::Subscript { .. }))
                {
                    self.push(up, true, false);
                }
            }
            ExprKind::Dict(items) => {
                if items.iter().any(|(_, value)| *value == expr.id) {
                    self.push(up, true, false);
                }
            }
            ExprKind::Comprehension { elements, generators, .. } => {
                if elements.contains(&expr.id) {
                    self.push(up, true, false);
                } else if element
                    && let Some((target, ..)) = generators.iter().find(|(_, iter, _)| *iter == expr.id)
                {
                    self.note(expr, element, UseKind::Iterated(expr));
                    self.assign(expr, up.with(*target), false);
                } else if generators.iter().any(|(_, iter, _)| *iter == expr.id) {
                    self.note(expr, element, UseKind::Iterated(expr));
                } else {
                    self.note(expr, element, UseKind::Tested);
                }
            }
            ExprKind::Subscript { value, .. } if *value == expr.id => {
                if element {
                    self.push(up, false, false);
                } else {
                    self.note(expr, element, UseKind::Other);
                }
            }
            ExprKind::Yield(_) => {
                let function = FunctionRef { file: expr.file, id: facts.function_of(expr.id) };
                self.note(expr, element, UseKind::Yielded(function));
                self.yielded(function, element);
            }
            ExprKind::YieldFrom(_) => self.note(expr, element, UseKind::Iterated(expr)),
            ExprKind::Not(_) | ExprKind::Compare { .. } => self.note(expr, element, UseKind::Tested),
            ExprKind::Other(_) => {
                if element {
                    self.push(up, true, false);
                } else {
                    self.note(expr, element, UseKind::Other);
                }
            }
            _ => self.note(expr, element, UseKind::Other),
        }
    }

    /// The tuple target that a tuple value is unpacked into.
    fn unpacked_into(&self, tuple: ExprRef) -> Option<ExprId> {
        let facts = self.life.facts(tuple.file);
        let Parent::Stmt(stmt) = facts.expr(tuple.id).parent else { return None };
        match &facts.stmt(stmt).kind {
            StmtKind::Assign { targets, value } if *value == tuple.id && targets.len() == 1 => {
                Some(targets[0]).filter(|&target| {
                    matches!(facts.expr(target).kind, ExprKind::Tuple(_) | ExprKind::List(_))
                })
            }
            _ => None,
        }
    }

    fn attribute(&mut self, expr: ExprRef, element: bool, attr: &Name, up: ExprRef) {
        let facts = self.life.facts(expr.file);
        let called = facts
            .parent_expr(up.id)
            .filter(|&call| matches!(facts.expr(call).kind, ExprKind::Call { func, .. } if func == up.id));
        match called {
            Some(call) => {
                let awaited = matches!(
                    facts.parent_expr(call).map(|outer| &facts.expr(outer).kind),
                    Some(ExprKind::Await(_))
                );
                let call = expr.with(call);
                self.note(expr, element, UseKind::Method { name: attr.clone(), call, awaited });
                if element {
                    match attr.as_str() {
                        "pop" | "popleft" | "get" | "setdefault" | "get_nowait" => {
                            self.push(call, false, false);
                        }
                        // `key, value = d.popitem()`, `for key, value in d.items()`.
                        "popitem" | "items" if self.pair(call).is_some() => {
                            if let Some(target) = self.pair(call) {
                                self.assign(call, target, false);
                            }
                        }
                        "values" | "copy" | "items" => self.push(call, true, false),
                        _ => {}
                    }
                }
            }
            None => self.note(expr, element, UseKind::Attribute { name: attr.clone(), expr: up }),
        }
    }

    /// The second name of a pair that a dict's items are unpacked into, in a statement or a comprehension; also of
    /// `list(d.items())`.
    fn pair(&self, call: ExprRef) -> Option<ExprRef> {
        let facts = self.life.facts(call.file);
        let mut at = call.id;
        let target = loop {
            match facts.expr(at).parent {
                Parent::Stmt(stmt) => {
                    break match &facts.stmt(stmt).kind {
                        StmtKind::Assign { targets, value } if *value == at && targets.len() == 1 => {
                            targets[0]
                        }
                        StmtKind::For { target, iter, .. } if *iter == at => *target,
                        _ => return None,
                    };
                }
                Parent::Expr(up) => match &facts.expr(up).kind {
                    ExprKind::Comprehension { generators, .. } => {
                        break generators
                            .iter()
                            .find(|(_, iter, _)| *iter == at)
                            .map(|(target, ..)| *target)?;
                    }
                    ExprKind::Call { func, args, .. }
                        if args.first() == Some(&at)
                            && facts.name_of(*func).is_some_and(|name| {
                                matches!(name.as_str(), "list" | "tuple" | "sorted" | "reversed")
                            }) =>
                    {
                        at = up;
                    }
                    _ => return None,
                },
                Parent::None => return None,
            }
        };
        match &facts.expr(target).kind {
            ExprKind::Tuple(items) if items.len() == 2 => Some(call.with(items[1])),
            _ => None,
        }
    }

    /// The object is given to a call.
    fn argument(&mut self, expr: ExprRef, element: bool, call: ExprRef, argument: &Argument, starred: bool) {
        let life = self.life;
        let facts = life.facts(call.file);
        let ExprKind::Call { func, .. } = facts.expr(call.id).kind else { return };
        if self.awaited && !element && matches!(facts.expr(expr.id).kind, ExprKind::Call { .. }) {
            // `pool = loop.run_until_complete(create_pool())`.
            self.run_result(call, false);
        }
        let whole = element && starred;
        let mut outside = false;
        for value in life.infer(call.with(func)).iter() {
            match value {
                Value::Function(function) | Value::Bound(function, _) => {
                    let bound = matches!(value, Value::Bound(..))
                        && !life.decorated(*function, &["staticmethod"])
                        || life.facts(function.file).function(function.id).class.is_some()
                            && life.decorated(*function, &["classmethod"]);
                    self.enter_parameter(expr, element, *function, bound, argument, call, starred);
                }
                Value::Class(class) => match life.method(*class, "__init__") {
                    Some(init) => self.enter_parameter(expr, element, init, true, argument, call, starred),
                    None => self.enter_field(expr, element, *class, argument, call),
                },
                Value::Instance(Kind::Class(class), _) => match life.method(*class, "__call__") {
                    Some(method) => {
                        self.enter_parameter(expr, element, method, true, argument, call, starred);
                    }
                    None => outside = true,
                },
                _ => outside = true,
            }
        }
        if !outside {
            return;
        }
        self.note(expr, element && !whole, UseKind::Argument { call, argument: argument.clone(), starred });
        let name = match &facts.expr(func).kind {
            ExprKind::Name(name) => name.clone(),
            ExprKind::Attribute { value, attr } => {
                // `tasks.append(x)`, `tasks.add(x)`, `queue.put_nowait(x)`: the receiver holds it now.
                if PUTS.contains(&attr.as_str()) || attr == "push" {
                    self.held_by(call.with(*value));
                }
                attr.clone()
            }
            _ => return,
        };
        match name.as_str() {
            // What gives back the same object, or a copy of the container.
            "partial"
            | "shield"
            | "cast"
            | "aclosing"
            | "closing"
            | "enter_async_context"
            | "enter_context"
            | "copy" => {
                self.push(call, element, false);
                if let Some(up) = facts.parent_expr(call.id)
                    && matches!(facts.expr(up).kind, ExprKind::Await(_))
                    && name == "enter_async_context"
                {
                    self.push(call.with(up), element, false);
                }
            }
            "gather" if self.awaited && !element && !starred => self.gathered(expr, call, argument),
            "list" | "tuple" | "set" | "frozenset" | "sorted" | "reversed" | "iter" if element => {
                self.push(call, true, false);
            }
            "zip" | "enumerate" if element => {
                if let Parent::Stmt(stmt) = facts.expr(call.id).parent
                    && let StmtKind::For { target, .. } = facts.stmt(stmt).kind
                    && let ExprKind::Tuple(items) = &facts.expr(target).kind
                {
                    let place = match argument {
                        Argument::Position(place) => usize::from(name == "enumerate") + place,
                        Argument::Keyword(_) => return,
                    };
                    if let Some(&item) = items.get(place) {
                        self.assign(expr, call.with(item), false);
                    }
                }
            }
            "setattr" => {
                if let ExprKind::Call { args, .. } = &facts.expr(call.id).kind
                    && let [object, key, _] = args[..]
                    && let ExprKind::Str(key) = &facts.expr(key).kind
                {
                    // The object itself gets an attribute and becomes none.
                    if *argument != Argument::Position(2) {
                        return;
                    }
                    self.enter_attribute(expr, call.with(object), &Name::new(&**key), element);
                } else {
                    self.flow.doubt = true;
                }
            }
            _ => {}
        }
    }

    /// `a, b = await asyncio.gather(open_a(), open_b())` is read pairwise; else the list holds what each gives.
    fn gathered(&mut self, expr: ExprRef, call: ExprRef, argument: &Argument) {
        let facts = self.life.facts(call.file);
        let (Argument::Position(place), Some(awaited)) = (argument, facts.parent_expr(call.id)) else {
            return;
        };
        let ExprKind::Call { args, .. } = &facts.expr(call.id).kind else { return };
        if !matches!(facts.expr(awaited).kind, ExprKind::Await(_)) {
            return;
        }
        let starred = |id: &ExprId| matches!(facts.expr(*id).kind, ExprKind::Starred(_));
        if !args.iter().any(starred)
            && let Some(target) = self.unpacked_into(call.with(awaited))
            && let ExprKind::Tuple(targets) | ExprKind::List(targets) = &facts.expr(target).kind
            && targets.len() == args.len()
            && !targets.iter().any(starred)
        {
            self.assign(expr, call.with(targets[*place]), false);
        } else {
            self.push(call.with(awaited), true, false);
        }
    }

    #[allow(clippy::too_many_arguments)] // one call's whole description
    fn enter_parameter(
        &mut self,
        expr: ExprRef,
        element: bool,
        function: FunctionRef,
        bound: bool,
        argument: &Argument,
        call: ExprRef,
        starred: bool,
    ) {
        match self.life.parameter_for(function, bound, argument).filter(|_| !starred) {
            Some(index) => {
                let place = Place::Parameter(function, index as u32);
                self.note(expr, element, UseKind::Stored(place.clone()));
                self.keep(&place, element);
            }
            None => {
                self.flow.doubt = true;
                self.note(expr, element, UseKind::Argument { call, argument: argument.clone(), starred });
            }
        }
    }

    /// An argument of a class without `__init__`: a dataclass's or model's field.
    fn enter_field(
        &mut self,
        expr: ExprRef,
        element: bool,
        class: ClassRef,
        argument: &Argument,
        call: ExprRef,
    ) {
        let facts = self.life.facts(class.file);
        let field = match argument {
            Argument::Keyword(name) => Some(name.clone()),
            Argument::Position(place) => {
                let mut fields: Vec<(BindingId, &Name)> = facts
                    .class(class.id)
                    .members
                    .iter()
                    .filter_map(|(name, ids)| {
                        ids.iter()
                            .find(|&&id| matches!(facts.binding(id).kind, BindingKind::Declared { .. }))
                            .map(|&id| (id, name))
                    })
                    .collect();
                fields.sort_unstable();
                fields.get(*place).map(|(_, name)| (*name).clone())
            }
        };
        match field {
            Some(name) => {
                let place = Place::Attribute(class, name);
                self.note(expr, element, UseKind::Stored(place.clone()));
                self.keep(&place, element);
            }
            None => {
                self.flow.doubt = true;
                self.note(
                    expr,
                    element,
                    UseKind::Argument { call, argument: argument.clone(), starred: false },
                );
            }
        }
    }

    /// A container that the object was put in.
    fn held_by(&mut self, container: ExprRef) {
        let facts = self.life.facts(container.file);
        match &facts.expr(container.id).kind {
            ExprKind::Name(name) => {
                let place = self.local(container.file, facts.function_of(container.id), name);
                self.keep(&place, true);
            }
            ExprKind::Attribute { value, attr } => {
                self.enter_attribute(container, container.with(*value), attr, true);
            }
            ExprKind::Subscript { value, .. } => self.held_by(container.with(*value)),
            ExprKind::Call { func, .. } => {
                // `groups.setdefault(key, []).append(x)`.
                if let ExprKind::Attribute { value, .. } = facts.expr(*func).kind {
                    self.held_by(container.with(value));
                }
            }
            _ => self.flow.doubt = true,
        }
    }

    fn assign(&mut self, expr: ExprRef, target: ExprRef, element: bool) {
        let life = self.life;
        let facts = life.facts(target.file);
        match &facts.expr(target.id).kind {
            ExprKind::Name(name) => {
                let function = facts.function_of(target.id);
                let class = facts.stmt_of(target.id).and_then(|stmt| facts.stmt(stmt).class);
                let place = match class {
                    Some(class) if facts.class(class).members.contains_key(name) => {
                        Place::Attribute(ClassRef { file: target.file, id: class }, name.clone())
                    }
                    _ => self.local(target.file, function, name),
                };
                self.note(expr, element, UseKind::Stored(place.clone()));
                self.keep_from(&place, element, Some(target));
            }
            ExprKind::Attribute { value, attr } => {
                self.enter_attribute(expr, target.with(*value), attr, element);
            }
            ExprKind::Subscript { value, index } => {
                if let (Some(key), Some(last)) = (facts.key(*index), life.last_part(target.with(*value))) {
                    let place = Place::Loose(last, key);
                    self.note(expr, element, UseKind::Stored(place.clone()));
                    self.keep(&place, element);
                }
                self.held_by(target.with(*value));
            }
            ExprKind::Tuple(items) | ExprKind::List(items) => {
                // The object is one item of a tuple that a library gives, or every item of a container.
                let item = life
                    .infer(expr)
                    .iter()
                    .find_map(|value| value.external_class().and_then(|class| life.catalogue().class(class)))
                    .and_then(|resource| resource.gives_item);
                match item {
                    Some(item) if !element => {
                        if let Some(&target) = items.get(item as usize) {
                            self.assign(expr, expr.with(target), false);
                        }
                    }
                    _ if element => {
                        for &item in items {
                            self.assign(expr, expr.with(item), false);
                        }
                    }
                    _ => self.flow.doubt = true,
                }
            }
            ExprKind::Starred(inner) => self.assign(expr, target.with(*inner), element),
            _ => self.flow.doubt = true,
        }
    }

    fn enter_attribute(&mut self, expr: ExprRef, receiver: ExprRef, attr: &Name, element: bool) {
        let life = self.life;
        let mut places = Vec::new();
        if let Some(class) = life.receiver_class(receiver) {
            places.push(Place::Attribute(class, attr.clone()));
        } else {
            for value in life.infer(receiver).iter() {
                match value {
                    Value::Instance(Kind::Class(class), _) | Value::Class(class) => {
                        places.push(Place::Attribute(*class, attr.clone()));
                    }
                    Value::Module(module) => {
                        if let Some(file) = life.modules().find(module, receiver.file) {
                            places.push(Place::Global(file, attr.clone()));
                        }
                    }
                    _ => {}
                }
            }
            if places.is_empty() {
                match life.last_part(receiver) {
                    Some(last) => places.push(Place::Loose(last, attr.clone())),
                    None => self.flow.doubt = true,
                }
            }
        }
        for place in places {
            self.note(expr, element, UseKind::Stored(place.clone()));
            self.keep(&place, element);
        }
    }

    fn keep(&mut self, place: &Place, element: bool) {
        self.keep_from(place, element, None);
    }

    /// The object is kept at a place: all reads of that place are it. For a local name only those that the binding
    /// reaches.
    fn keep_from(&mut self, place: &Place, element: bool, target: Option<ExprRef>) {
        let life = self.life;
        if let (Place::Local(function, name), Some(target)) = (place, target) {
            let facts = life.facts(function.file);
            if !self.flow.places.contains(place) {
                self.flow.places.push(place.clone());
            }
            for load in life.loads_of(function.file, function.id, name) {
                let reaches = match life.lookup(load, name) {
                    super::Lookup::Bound(_, bindings) => {
                        bindings.iter().any(|&id| facts.binding(id).target == Some(target.id))
                    }
                    _ => true,
                };
                if reaches {
                    self.push(load, element, false);
                }
            }
            return;
        }
        if self.kept.len() > PLACES {
            self.flow.doubt = true;
            return;
        }
        if !self.kept.insert((place.clone(), element)) {
            return;
        }
        if !self.flow.places.contains(place) {
            self.flow.places.push(place.clone());
        }
        match place {
            Place::Local(function, name) => {
                for load in life.loads_of(function.file, function.id, name) {
                    self.push(load, element, false);
                }
            }
            Place::Global(file, name) => self.global(*file, name, element),
            Place::Attribute(class, name) => self.attribute_reads(*class, name, element),
            Place::Loose(last, name) => self.loose_reads(last, name, element),
            Place::Parameter(function, index) => {
                let facts = life.facts(function.file);
                let name = facts.function(function.id).params[*index as usize].name.clone();
                for load in life.loads_of(function.file, function.id, &name) {
                    let reaches = match life.lookup(load, &name) {
                        super::Lookup::Bound(_, bindings) => bindings
                            .iter()
                            .any(|&id| matches!(facts.binding(id).kind, BindingKind::Parameter(at) if at == *index)),
                        _ => true,
                    };
                    if reaches {
                        self.push(load, element, false);
                    }
                }
            }
        }
    }

    fn global(&mut self, file: FileId, name: &Name, element: bool) {
        let reads = self.life.global_reads(file, name);
        for &read in &reads.exprs {
            self.push(read, element, false);
        }
        for place in &reads.places {
            self.keep(place, element);
        }
        self.flow.doubt |= reads.more;
    }

    fn attribute_reads(&mut self, class: ClassRef, name: &Name, element: bool) {
        let reads = self.life.attribute_reads(class, name);
        for &read in &reads.exprs {
            self.push(read, element, false);
        }
        self.flow.doubt |= reads.more;
    }

    fn loose_reads(&mut self, last: &str, name: &Name, element: bool) {
        let life = self.life;
        let keyed = name.starts_with('[');
        let files = if keyed { life.files_with(name).to_vec() } else { life.files_using(name) };
        if files.len() > super::reads::POPULAR {
            self.flow.doubt = true;
            return;
        }
        for file in files {
            let facts = life.facts(file);
            let list = if keyed { facts.keys.get(name) } else { facts.attributes.get(name) };
            for &id in list.into_iter().flatten() {
                let (ExprKind::Attribute { value, .. } | ExprKind::Subscript { value, .. }) =
                    facts.expr(id).kind
                else {
                    continue;
                };
                let read = ExprRef { file, id };
                if !life.is_target(read) && life.last_part(read.with(value)).as_deref() == Some(last) {
                    self.push(read, element, false);
                }
            }
        }
        // `getattr(app.state, "pool", None)`.
        let getattr = word("getattr");
        for &file in life.files_with(name).iter().filter(|&&file| life.outline(file).uses(getattr)) {
            let facts = life.facts(file);
            for &id in facts.loads.get("getattr").into_iter().flatten() {
                let Some(call) = facts.parent_expr(id) else { continue };
                let ExprKind::Call { func, args, .. } = &facts.expr(call).kind else { continue };
                if *func == id
                    && let [object, key, ..] = args[..]
                    && matches!(&facts.expr(key).kind, ExprKind::Str(text) if **text == **name)
                    && life.last_part(ExprRef { file, id: object }).as_deref() == Some(last)
                {
                    self.push(ExprRef { file, id: call }, element, false);
                }
            }
        }
    }

    /// What a function returns goes to its callers; a coroutine's to those that await it.
    fn returned(&mut self, function: FunctionRef, element: bool) {
        let life = self.life;
        let of = life.facts(function.file).function(function.id);
        if life.decorated(function, &["property", "cached_property"]) {
            if let Some(class) = of.class {
                self.keep(
                    &Place::Attribute(ClassRef { file: function.file, id: class }, of.name.clone()),
                    element,
                );
            }
            return;
        }
        if let Definition::Lambda(expr) = of.definition {
            // A lambda's value goes wherever the lambda is called: only direct calls are followed.
            let _ = expr;
            self.flow.doubt = true;
            return;
        }
        if life.is_fixture(function) {
            self.fixture_users(function, element);
            return;
        }
        self.dependency_users(function, element);
        for CallSite { call, .. } in life.call_sites(function) {
            if of.is_async {
                let facts = life.facts(call.file);
                match facts.parent_expr(call.id) {
                    Some(up) if matches!(facts.expr(up).kind, ExprKind::Await(_)) => {
                        self.push(call.with(up), element, false);
                    }
                    Some(up) => {
                        self.run_result(call.with(up), element);
                        self.handed_coroutine(call, element);
                    }
                    None => self.handed_coroutine(call, element),
                }
            } else {
                self.push(call, element, false);
            }
        }
    }

    /// A coroutine that is kept or handed on gives its value where it is awaited or run: `step(make())` with
    /// `def step(coro): return loop.run_until_complete(coro)`.
    fn handed_coroutine(&mut self, call: ExprRef, element: bool) {
        let life = self.life;
        for at in &life.flow_of(call).uses {
            match at.kind {
                UseKind::Awaited(up) if at.expr != call => self.push(up, element, false),
                UseKind::Argument { call: run, .. } if at.expr != call => self.run_result(run, element),
                _ => {}
            }
        }
    }

    /// `x = asyncio.run(make())` gives what `make` returns.
    fn run_result(&mut self, call: ExprRef, element: bool) {
        let facts = self.life.facts(call.file);
        if let ExprKind::Call { func, .. } = facts.expr(call.id).kind {
            let last = self.life.last_part(call.with(func));
            if matches!(last.as_deref(), Some("run" | "run_until_complete" | "wait_for")) {
                self.push(call, element, false);
                if let Some(up) = facts.parent_expr(call.id)
                    && matches!(facts.expr(up).kind, ExprKind::Await(_))
                {
                    self.push(call.with(up), element, false);
                }
            }
        }
    }

    fn yielded(&mut self, function: FunctionRef, element: bool) {
        let life = self.life;
        if life.is_fixture(function) {
            self.fixture_users(function, element);
            return;
        }
        self.dependency_users(function, element);
        let manager = life.decorated(function, &["asynccontextmanager", "contextmanager"]);
        for CallSite { call, .. } in life.call_sites(function) {
            let facts = life.facts(call.file);
            match facts.expr(call.id).parent {
                Parent::Stmt(stmt) => match &facts.stmt(stmt).kind {
                    StmtKind::With { items, .. } if manager => {
                        if let Some(target) =
                            items.iter().find(|item| item.context == call.id).and_then(|item| item.target)
                        {
                            self.assign(call, call.with(target), element);
                        }
                    }
                    StmtKind::For { target, iter, .. } if !manager && *iter == call.id => {
                        self.assign(call, call.with(*target), element);
                    }
                    _ => {}
                },
                Parent::Expr(up) => {
                    // `await stack.enter_async_context(f())`.
                    if let ExprKind::Call { func, .. } = facts.expr(up).kind
                        && matches!(
                            life.last_part(call.with(func)).as_deref(),
                            Some("enter_async_context" | "enter_context")
                        )
                    {
                        let entered = facts
                            .parent_expr(up)
                            .filter(|&outer| matches!(facts.expr(outer).kind, ExprKind::Await(_)))
                            .unwrap_or(up);
                        self.push(call.with(entered), element, false);
                    }
                }
                Parent::None => {}
            }
        }
    }

    /// Parameters of tests and fixtures that ask for this fixture.
    fn fixture_users(&mut self, fixture: FunctionRef, element: bool) {
        let life = self.life;
        let name = life.fixture_name(fixture);
        for &file in life.files_with(&name) {
            let facts = life.facts(file);
            for (index, function) in facts.functions.iter().enumerate().skip(1) {
                let Some(place) = function.params.iter().position(|param| param.name == *name) else {
                    continue;
                };
                let user = FunctionRef { file, id: FunctionId::new(index) };
                if life.fixture_for(user, &name) == Some(fixture) {
                    self.keep(&Place::Parameter(user, place as u32), element);
                }
            }
        }
    }

    /// Parameters whose default (or `Annotated`) is `Depends(f)`.
    fn dependency_users(&mut self, function: FunctionRef, element: bool) {
        let life = self.life;
        let name = life.facts(function.file).function(function.id).name.clone();
        let takers = DEPENDENCIES.map(word);
        let takes = |file: &FileId| takers.iter().any(|&taker| life.outline(*file).calls(taker));
        for file in life.files_using(&name).into_iter().filter(takes) {
            let facts = life.facts(file);
            for &id in facts.loads.get(&name).into_iter().chain(facts.attributes.get(&name)).flatten() {
                let Some(call) = facts.parent_expr(id) else { continue };
                let ExprKind::Call { func, .. } = facts.expr(call).kind else { continue };
                if func == id
                    || !life
                        .last_part(ExprRef { file, id: func })
                        .is_some_and(|last| DEPENDENCIES.contains(&last.as_str()))
                    || !life.infer(ExprRef { file, id }).contains(&Value::Function(function))
                {
                    continue;
                }
                let range = facts.expr(call).range;
                for (index, user) in facts.functions.iter().enumerate().skip(1) {
                    let place = user.params.iter().position(|param| {
                        param.default == Some(call)
                            || param
                                .annotation
                                .is_some_and(|annotation| facts.expr(annotation).range.contains_range(range))
                    });
                    if let Some(place) = place {
                        self.keep(
                            &Place::Parameter(FunctionRef { file, id: FunctionId::new(index) }, place as u32),
                            element,
                        );
                    }
                }
            }
        }
    }
}
