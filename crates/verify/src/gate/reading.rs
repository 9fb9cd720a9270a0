//! One version of a Python file, walked once: calls, assignments, handlers, functions, each with where it stands.

use loopmend_python::edit::Source;
use ruff_python_ast::visitor::{Visitor, walk_except_handler, walk_expr, walk_stmt};
use ruff_python_ast::{
    Decorator, Expr, ExprCall, ExprLambda, Stmt, StmtAssert, StmtClassDef, StmtFunctionDef, StmtTry, StmtWith,
};
use ruff_text_size::{Ranged, TextSize};
use rustc_hash::FxHashMap;

use super::code::{Names, squeezed, truth};

/// What stands in one version of a file.
pub(super) struct Reading<'s> {
    pub path: &'s str,
    pub source: &'s Source,
    pub names: Names,
    pub functions: Vec<Function<'s>>,
    pub classes: Vec<Class<'s>>,
    pub calls: Vec<Call<'s>>,
    pub assigned: Vec<Assigned<'s>>,
    pub deleted: Vec<(&'s Expr, At)>,
    pub tries: Vec<(&'s StmtTry, At)>,
    pub withs: Vec<(&'s StmtWith, At)>,
    pub asserts: Vec<(&'s StmtAssert, At)>,
    pub decorators: Vec<(&'s Decorator, At)>,
    pub raises: Vec<(&'s Expr, At)>,
    pub lambdas: Vec<(&'s ExprLambda, At)>,
    pub returns: Vec<(&'s Stmt, At)>,
    /// Names that are bound to one value only: `log = logging.getLogger("asyncio")`.
    pub values: FxHashMap<String, Option<&'s Expr>>,
}

/// Where something stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct At {
    /// The innermost function; none at module or class level.
    pub function: Option<usize>,
    /// The innermost class.
    pub class: Option<usize>,
    /// It can't be reached, or stands under a condition that was not there for its function.
    pub guards: u32,
    /// Behind an unconditional end of its block, or under `if False`.
    pub dead: bool,
    /// Inside of a `with pytest.raises(…)` or `assertRaises`.
    pub expected: bool,
}

/// A `def`.
pub(super) struct Function<'s> {
    pub node: &'s StmtFunctionDef,
    /// `Class.method`, `outer.inner`.
    pub name: String,
    pub at: At,
    /// The text of all it does, squeezed.
    pub body: String,
}

/// A `class`.
pub(super) struct Class<'s> {
    pub node: &'s StmtClassDef,
    pub name: String,
    pub at: At,
}

/// A call, and what becomes of what it gives.
pub(super) struct Call<'s> {
    pub node: &'s ExprCall,
    pub dotted: String,
    pub at: At,
    pub fate: Fate<'s>,
}

/// What becomes of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate<'s> {
    /// It is a statement of its own, awaited or not.
    Dropped,
    /// It gets a name.
    Named(&'s str),
    /// It is returned.
    Returned,
    /// It is part of something else.
    Used,
}

/// `target = value`, or `setattr`.
#[derive(Clone, Copy)]
pub(super) struct Assigned<'s> {
    pub target: &'s Expr,
    pub value: &'s Expr,
    pub at: At,
}

impl<'s> Reading<'s> {
    pub fn of(path: &'s str, source: &'s Source) -> Self {
        let reading = Self {
            path,
            source,
            names: Names::default(),
            functions: Vec::new(),
            classes: Vec::new(),
            calls: Vec::new(),
            assigned: Vec::new(),
            deleted: Vec::new(),
            tries: Vec::new(),
            withs: Vec::new(),
            asserts: Vec::new(),
            decorators: Vec::new(),
            raises: Vec::new(),
            lambdas: Vec::new(),
            returns: Vec::new(),
            values: FxHashMap::default(),
        };
        let mut imports = Imports(Names::default());
        imports.visit_body(source.body());
        let at = At { function: None, class: None, guards: 0, dead: false, expected: false };
        let mut walk = Walk { reading, at, fates: FxHashMap::default() };
        walk.reading.names = imports.0;
        walk.visit_body(source.body());
        walk.reading
    }

    pub fn line(&self, at: impl Ranged) -> u32 {
        u32::try_from(self.source.position(at.range().start()).line.get()).unwrap_or(u32::MAX)
    }

    pub fn code(&self, at: impl Ranged) -> String {
        squeezed(self.source.slice(at))
    }

    /// Code of several statements.
    pub fn code_of(&self, body: &[Stmt]) -> String {
        body.iter().map(|stmt| self.code(stmt)).collect::<Vec<_>>().join(";")
    }

    pub fn dotted(&self, expr: &Expr) -> String {
        self.names.dotted(expr).unwrap_or_default()
    }

    /// The dotted name of an expression, with a name that is bound once taken for what it was bound to.
    pub fn resolved(&self, expr: &Expr) -> String {
        match expr {
            Expr::Name(name) => match self.values.get(name.id.as_str()) {
                Some(Some(value)) if !self.names.is_imported(name.id.as_str()) => {
                    self.names.dotted(value).unwrap_or_else(|| self.dotted(expr))
                }
                _ => self.dotted(expr),
            },
            _ => self.dotted(expr),
        }
    }

    pub fn function_name(&self, at: At) -> &str {
        at.function.map_or("", |index| &self.functions[index].name)
    }

    /// The function of a name, wherever it is defined in the file; the last one of several.
    pub fn function_named(&self, name: &str) -> Option<&Function<'s>> {
        self.functions.iter().rev().find(|function| function.node.name.as_str() == name)
    }

    pub fn calls_in(&self, function: Option<usize>) -> impl Iterator<Item = &Call<'s>> {
        self.calls.iter().filter(move |call| call.at.function == function)
    }
}

struct Imports(Names);

impl<'s> Visitor<'s> for Imports {
    fn visit_stmt(&mut self, stmt: &'s Stmt) {
        match stmt {
            Stmt::Import(import) => {
                for alias in &import.names {
                    let module = alias.name.as_str();
                    match &alias.asname {
                        Some(name) => self.0.import(name.as_str(), module.to_owned()),
                        None => {
                            let first = module.split('.').next().unwrap_or(module);
                            self.0.import(first, first.to_owned());
                        }
                    }
                }
            }
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref().map_or("", |module| module.as_str());
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name);
                    self.0.import(name.as_str(), format!("{module}.{}", alias.name));
                }
            }
            other => walk_stmt(self, other),
        }
    }
}

struct Walk<'s> {
    reading: Reading<'s>,
    at: At,
    /// What becomes of the call that begins at an offset.
    fates: FxHashMap<(TextSize, TextSize), Fate<'s>>,
}

impl<'s> Walk<'s> {
    fn fate(&mut self, expr: &'s Expr, fate: Fate<'s>) {
        match expr {
            Expr::Await(awaited) => self.fate(&awaited.value, fate),
            Expr::Call(call) => {
                self.fates.insert((call.start(), call.end()), fate);
            }
            _ => {}
        }
    }

    fn assign(&mut self, target: &'s Expr, value: &'s Expr) {
        if let Expr::Name(name) = target {
            let known = self.reading.values.entry(name.id.to_string());
            let once = matches!(known, std::collections::hash_map::Entry::Vacant(_));
            known.insert_entry(once.then_some(value));
        }
        self.reading.assigned.push(Assigned { target, value, at: self.at });
    }

    fn inside(&mut self, at: At, body: &'s [Stmt]) {
        let outside = std::mem::replace(&mut self.at, at);
        self.visit_body(body);
        self.at = outside;
    }

    fn qualified(&self, name: &str) -> String {
        let outer = match (self.at.function, self.at.class) {
            (Some(function), Some(class)) => {
                let (function, class) =
                    (&self.reading.functions[function].name, &self.reading.classes[class].name);
                Some(if function.len() > class.len() { function } else { class })
            }
            (Some(function), None) => Some(&self.reading.functions[function].name),
            (None, Some(class)) => Some(&self.reading.classes[class].name),
            (None, None) => None,
        };
        outer.map_or_else(|| name.to_owned(), |outer| format!("{outer}.{name}"))
    }
}

impl<'s> Visitor<'s> for Walk<'s> {
    fn visit_body(&mut self, body: &'s [Stmt]) {
        let dead = self.at.dead;
        for stmt in body {
            self.visit_stmt(stmt);
            if matches!(stmt, Stmt::Return(_) | Stmt::Raise(_) | Stmt::Continue(_) | Stmt::Break(_)) {
                self.at.dead = true;
            }
        }
        self.at.dead = dead;
    }

    fn visit_stmt(&mut self, stmt: &'s Stmt) {
        match stmt {
            Stmt::FunctionDef(node) => {
                let name = self.qualified(node.name.as_str());
                let body = self.reading.code_of(&node.body);
                let index = self.reading.functions.len();
                self.reading.functions.push(Function { node, name, at: self.at, body });
                for decorator in &node.decorator_list {
                    self.reading.decorators.push((decorator, At { function: Some(index), ..self.at }));
                    self.visit_expr(&decorator.expression);
                }
                self.visit_parameters(&node.parameters);
                let at = At { function: Some(index), guards: 0, expected: false, ..self.at };
                self.inside(at, &node.body);
            }
            Stmt::ClassDef(node) => {
                let name = self.qualified(node.name.as_str());
                let index = self.reading.classes.len();
                self.reading.classes.push(Class { node, name, at: self.at });
                let at = At { function: None, class: Some(index), guards: 0, ..self.at };
                for decorator in &node.decorator_list {
                    self.reading.decorators.push((decorator, at));
                    self.visit_expr(&decorator.expression);
                }
                self.inside(at, &node.body);
            }
            Stmt::Expr(node) => {
                self.fate(&node.value, Fate::Dropped);
                walk_stmt(self, stmt);
            }
            Stmt::Return(node) => {
                self.reading.returns.push((stmt, self.at));
                if let Some(value) = &node.value {
                    self.fate(value, Fate::Returned);
                }
                walk_stmt(self, stmt);
            }
            Stmt::Assign(node) => {
                for target in &node.targets {
                    if let Expr::Name(name) = target {
                        self.fate(&node.value, Fate::Named(name.id.as_str()));
                    }
                    self.assign(target, &node.value);
                }
                walk_stmt(self, stmt);
            }
            Stmt::AnnAssign(node) => {
                if let Some(value) = &node.value {
                    if let Expr::Name(name) = &*node.target {
                        self.fate(value, Fate::Named(name.id.as_str()));
                    }
                    self.assign(&node.target, value);
                }
                walk_stmt(self, stmt);
            }
            Stmt::Delete(node) => {
                for target in &node.targets {
                    self.reading.deleted.push((target, self.at));
                }
            }
            Stmt::Try(node) => {
                self.reading.tries.push((node, self.at));
                walk_stmt(self, stmt);
            }
            Stmt::Raise(node) => {
                if let Some(raised) = &node.exc {
                    self.reading.raises.push((raised, self.at));
                }
                walk_stmt(self, stmt);
            }
            Stmt::With(node) => {
                self.reading.withs.push((node, self.at));
                let mut expected = self.at.expected;
                for item in &node.items {
                    let Expr::Call(call) = &item.context_expr else { continue };
                    let name = self.reading.dotted(&call.func);
                    expected |= super::assertions::expects_error(&name);
                }
                for item in &node.items {
                    self.visit_with_item(item);
                }
                self.inside(At { expected, ..self.at }, &node.body);
            }
            Stmt::Assert(node) => {
                self.reading.asserts.push((node, self.at));
                walk_stmt(self, stmt);
            }
            Stmt::If(node) => {
                self.visit_expr(&node.test);
                let value = truth(&node.test);
                let at = At {
                    guards: self.at.guards + u32::from(value != Some(true)),
                    dead: self.at.dead || value == Some(false),
                    ..self.at
                };
                self.inside(at, &node.body);
                for clause in &node.elif_else_clauses {
                    if let Some(test) = &clause.test {
                        self.visit_expr(test);
                    }
                    let at = At {
                        guards: self.at.guards + 1,
                        dead: self.at.dead || value == Some(true),
                        ..self.at
                    };
                    self.inside(at, &clause.body);
                }
            }
            _ => walk_stmt(self, stmt),
        }
    }

    fn visit_expr(&mut self, expr: &'s Expr) {
        match expr {
            Expr::Call(node) => {
                let dotted = self.reading.dotted(&node.func);
                let fate = self.fates.get(&(node.start(), node.end())).copied().unwrap_or(Fate::Used);
                if let (true, [target, _, value]) = (dotted == "setattr", &*node.arguments.args) {
                    self.reading.assigned.push(Assigned { target, value, at: self.at });
                }
                self.reading.calls.push(Call { node, dotted, at: self.at, fate });
            }
            Expr::Lambda(lambda) => {
                self.fate(&lambda.body, Fate::Returned);
                self.reading.lambdas.push((lambda, self.at));
            }
            Expr::Named(named) => self.assign(&named.target, &named.value),
            _ => {}
        }
        walk_expr(self, expr);
    }

    fn visit_except_handler(&mut self, handler: &'s ruff_python_ast::ExceptHandler) {
        walk_except_handler(self, handler);
    }
}
