//! From ruff's syntax tree to [`Facts`].

use ruff_python_ast::{self as ast, ElifElseClause, ExceptHandler, Expr as Node, Pattern, Stmt as StmtNode};
use ruff_python_parser::{Mode, ParseOptions, parse_unchecked};
use ruff_text_size::{Ranged, TextRange};
use rustc_hash::FxHashMap;
use thin_vec::thin_vec;

use super::{
    Alias, Binding, BindingId, BindingKind, Block, Class, ClassId, Comparison, Definition, Expr, ExprId,
    ExprKind, Facts, Function, FunctionId, Handler, Keyword, Lines, List, MODULE, Name, Named, Outline,
    Parameter, ParameterKind, Parent, Slot, Stmt, StmtId, StmtKind, SyntaxError, WithItem,
};

/// Reads one file. `module` is its dotted name, `package` whether it is an `__init__.py`.
pub fn lower(path: &str, module: &str, package: bool, text: &str) -> Facts {
    of_tree(path, module, package, text, &parsed(text).0)
}

/// The outline of one file, and its facts where they are wanted at once: the text is parsed once for both.
pub fn read(
    path: &str,
    module: &str,
    package: bool,
    text: &str,
    wanted: impl FnOnce(&Outline) -> bool,
) -> (Outline, Option<Facts>) {
    let (tree, errors) = parsed(text);
    let outline = Outline::new(text, &tree, errors);
    let facts = wanted(&outline).then(|| of_tree(path, module, package, text, &tree));
    (outline, facts)
}

fn parsed(text: &str) -> (ast::ModModule, Vec<SyntaxError>) {
    let parsed = parse_unchecked(text, ParseOptions::from(Mode::Module));
    let errors = parsed
        .errors()
        .iter()
        .map(|error| SyntaxError { range: error.location, message: error.error.to_string() })
        .collect();
    let tree = match parsed.into_syntax() {
        ast::Mod::Module(tree) => tree,
        ast::Mod::Expression(tree) => {
            ast::ModModule { node_index: tree.node_index, range: tree.range, body: ast::Suite::default() }
        }
    };
    (tree, errors)
}

fn of_tree(path: &str, module: &str, package: bool, text: &str, tree: &ast::ModModule) -> Facts {
    let facts = Facts {
        path: path.to_owned(),
        module: Name::new(module),
        package,
        ignores: super::ignore::ignores(text),
        lines: Lines::new(text),
        ..Facts::default()
    };
    let mut lowering = Lowering {
        facts,
        loads: Vec::new(),
        attributes: Vec::new(),
        keys: Vec::new(),
        writes: Vec::new(),
        scoped: Vec::new(),
        function: MODULE,
        class: None,
        qualname: String::new(),
    };
    lowering.module(tree);
    lowering.finish()
}

struct Lowering {
    facts: Facts,
    /// What [`Facts::loads`] is made of, and so on.
    loads: Vec<ExprId>,
    attributes: Vec<ExprId>,
    keys: Vec<(Name, ExprId)>,
    writes: Vec<BindingId>,
    /// Bindings with the scope that they are in.
    scoped: Vec<(FunctionId, BindingId)>,

    function: FunctionId,
    class: Option<ClassId>,
    qualname: String,
}

impl Lowering {
    fn module(&mut self, tree: &ast::ModModule) {
        self.push_function(Function {
            name: Name::new_static("<module>"),
            qualname: "<module>".to_owned(),
            definition: Definition::Module,
            parent: None,
            class: None,
            is_async: false,
            is_generator: false,
            params: List::new(),
            decorators: List::new(),
            returns: None,
            body: List::new(),
            range: tree.range,
            name_range: TextRange::default(),
            globals: List::new(),
            nonlocals: List::new(),
        });
        let body = self.block(&tree.body, None, Slot::Body);
        self.facts.functions[0].body = body;
        self.hand_over();
    }

    /// Names that a function declares `global` are the module's, `nonlocal` ones those of a function around.
    fn hand_over(&mut self) {
        for index in 1..self.facts.functions.len() {
            let id = FunctionId::new(index);
            let globals = std::mem::take(&mut self.facts.functions[index].globals);
            for name in &globals {
                self.hand(id, MODULE, name);
            }
            self.facts.functions[index].globals = globals;
            let nonlocals = std::mem::take(&mut self.facts.functions[index].nonlocals);
            for name in &nonlocals {
                let mut owner = self.facts.functions[index].parent;
                while let Some(up) = owner {
                    if up != MODULE && self.has(up, name) {
                        break;
                    }
                    owner = self.facts.functions[up.index()].parent;
                }
                if let Some(owner) = owner {
                    self.hand(id, owner, name);
                }
            }
            self.facts.functions[index].nonlocals = nonlocals;
        }
    }

    fn has(&self, scope: FunctionId, name: &Name) -> bool {
        self.scoped.iter().any(|&(of, id)| of == scope && self.facts.binding(id).name == *name)
    }

    fn hand(&mut self, from: FunctionId, to: FunctionId, name: &Name) {
        let facts = &self.facts;
        let those = self.scoped.extract_if(.., |(of, id)| *of == from && facts.binding(*id).name == *name);
        let those: Vec<BindingId> = those.map(|(_, id)| id).collect();
        self.scoped.extend(those.into_iter().map(|id| (to, id)));
    }

    /// The facts, with what there is by name.
    fn finish(mut self) -> Facts {
        let named = |ids: Vec<ExprId>, facts: &Facts| {
            let name = |id: ExprId| match &facts.expr(id).kind {
                ExprKind::Name(name) | ExprKind::Attribute { attr: name, .. } => name.clone(),
                _ => Name::new_static(""),
            };
            Named::new(ids.into_iter().map(|id| (name(id), id)).collect())
        };
        self.facts.loads = named(std::mem::take(&mut self.loads), &self.facts);
        self.facts.attributes = named(std::mem::take(&mut self.attributes), &self.facts);
        self.facts.keys = Named::new(std::mem::take(&mut self.keys));
        let of = |id: BindingId, facts: &Facts| (facts.binding(id).name.clone(), id);
        self.facts.writes =
            Named::new(std::mem::take(&mut self.writes).into_iter().map(|id| of(id, &self.facts)).collect());
        self.scoped.sort_by_key(|(function, _)| *function);
        let mut rest = self.scoped.as_slice();
        let mut scopes = Vec::with_capacity(self.facts.functions.len());
        for index in 0..self.facts.functions.len() {
            let function = FunctionId::new(index);
            let (own, others) = rest.split_at(rest.partition_point(|(of, _)| *of <= function));
            scopes.push(Named::new(own.iter().map(|&(_, id)| of(id, &self.facts)).collect()));
            rest = others;
        }
        self.facts.scopes = scopes;
        self.facts.shrink();
        self.facts
    }

    fn push_function(&mut self, function: Function) -> FunctionId {
        let id = FunctionId::new(self.facts.functions.len());
        self.facts.functions.push(function);
        id
    }

    fn bind(&mut self, name: &Name, stmt: Option<StmtId>, kind: BindingKind) -> BindingId {
        self.bind_at(name, stmt, None, kind)
    }

    /// Records what an attribute or a key is given.
    fn write(&mut self, name: Name, stmt: StmtId, target: ExprId, kind: BindingKind) {
        let id = BindingId::new(self.facts.bindings.len());
        let binding = Binding {
            name,
            function: self.function,
            class: None,
            stmt: Some(stmt),
            target: Some(target),
            kind,
        };
        self.facts.bindings.push(binding);
        self.writes.push(id);
    }

    fn bind_at(
        &mut self,
        name: &Name,
        stmt: Option<StmtId>,
        target: Option<ExprId>,
        kind: BindingKind,
    ) -> BindingId {
        let id = BindingId::new(self.facts.bindings.len());
        let declared_elsewhere = {
            let function = &self.facts.functions[self.function.index()];
            function.globals.contains(name) || function.nonlocals.contains(name)
        };
        let class = if declared_elsewhere { None } else { self.class };
        self.facts.bindings.push(Binding {
            name: name.clone(),
            function: self.function,
            class,
            stmt,
            target,
            kind,
        });
        if let Some(class) = class {
            self.facts.classes[class.index()].members.entry(name.clone()).or_default().push(id);
        } else {
            self.scoped.push((self.function, id));
        }
        id
    }

    fn block(&mut self, body: &[StmtNode], parent: Option<StmtId>, slot: Slot) -> Block {
        body.iter().map(|node| self.stmt(node, parent, slot)).collect()
    }

    fn reserve(&mut self, range: TextRange, parent: Option<StmtId>, slot: Slot) -> StmtId {
        let id = StmtId::new(self.facts.stmts.len());
        self.facts.stmts.push(Stmt {
            kind: StmtKind::Pass,
            range,
            parent,
            slot,
            function: self.function,
            class: self.class,
        });
        id
    }

    fn stmt(&mut self, node: &StmtNode, parent: Option<StmtId>, slot: Slot) -> StmtId {
        let id = self.reserve(node.range(), parent, slot);
        let up = Parent::Stmt(id);
        let kind = match node {
            StmtNode::Expr(node) => StmtKind::Expr(self.expr(&node.value, up)),
            StmtNode::Assign(node) => {
                let value = self.expr(&node.value, up);
                let targets = node.targets.iter().map(|target| self.expr(target, up)).collect::<List<_>>();
                for &target in &targets {
                    self.bind_target(target, id, &mut Vec::new(), &|path| BindingKind::Value { value, path });
                }
                StmtKind::Assign { targets, value }
            }
            StmtNode::AnnAssign(node) => {
                let value = node.value.as_ref().map(|value| self.expr(value, up));
                let target = self.expr(&node.target, up);
                let annotation = self.expr(&node.annotation, up);
                // The value last: it is what reaches the places behind.
                if let ExprKind::Name(name) = &self.facts.expr(target).kind {
                    let name = name.clone();
                    self.bind(&name, Some(id), BindingKind::Declared { annotation });
                }
                if let Some(value) = value {
                    self.bind_target(target, id, &mut Vec::new(), &|path| BindingKind::Value { value, path });
                }
                StmtKind::AnnAssign { target, annotation, value }
            }
            StmtNode::AugAssign(node) => {
                let target = self.expr(&node.target, up);
                let value = self.expr(&node.value, up);
                if let ExprKind::Name(name) = &self.facts.expr(target).kind {
                    let name = name.clone();
                    self.bind(&name, Some(id), BindingKind::Changed(value));
                }
                StmtKind::AugAssign { target, value }
            }
            StmtNode::Return(node) => StmtKind::Return(node.value.as_ref().map(|value| self.expr(value, up))),
            StmtNode::Raise(node) => StmtKind::Raise {
                exc: node.exc.as_ref().map(|exc| self.expr(exc, up)),
                cause: node.cause.as_ref().map(|cause| self.expr(cause, up)),
            },
            StmtNode::Delete(node) => {
                StmtKind::Delete(node.targets.iter().map(|target| self.expr(target, up)).collect())
            }
            StmtNode::Assert(node) => {
                let mut parts = vec![self.expr(&node.test, up)];
                if let Some(message) = &node.msg {
                    parts.push(self.expr(message, up));
                }
                StmtKind::Assert(parts.into())
            }
            StmtNode::If(node) => {
                let test = self.expr(&node.test, up);
                let body = self.block(&node.body, Some(id), Slot::Body);
                let orelse = self.elif(&node.elif_else_clauses, id);
                StmtKind::If { test, body, orelse }
            }
            StmtNode::For(node) => {
                let iter = self.expr(&node.iter, up);
                let target = self.expr(&node.target, up);
                let is_async = node.is_async;
                self.bind_target(target, id, &mut Vec::new(), &|path| BindingKind::Item {
                    iter,
                    path,
                    is_async,
                });
                let body = self.block(&node.body, Some(id), Slot::Body);
                let orelse = self.block(&node.orelse, Some(id), Slot::Orelse);
                StmtKind::For { is_async, target, iter, body, orelse }
            }
            StmtNode::While(node) => {
                let test = self.expr(&node.test, up);
                let body = self.block(&node.body, Some(id), Slot::Body);
                let orelse = self.block(&node.orelse, Some(id), Slot::Orelse);
                StmtKind::While { test, body, orelse }
            }
            StmtNode::With(node) => {
                let is_async = node.is_async;
                let mut items = Vec::with_capacity(node.items.len());
                for item in &node.items {
                    let context = self.expr(&item.context_expr, up);
                    let target = item.optional_vars.as_ref().map(|target| self.expr(target, up));
                    if let Some(target) = target {
                        self.bind_target(target, id, &mut Vec::new(), &|path| BindingKind::Enter {
                            context,
                            path,
                            is_async,
                        });
                    }
                    items.push(WithItem { context, target });
                }
                let body = self.block(&node.body, Some(id), Slot::Body);
                StmtKind::With { is_async, items: items.into(), body }
            }
            StmtNode::Try(node) => {
                let body = self.block(&node.body, Some(id), Slot::Body);
                let mut handlers = Vec::with_capacity(node.handlers.len());
                for (index, ExceptHandler::ExceptHandler(handler)) in node.handlers.iter().enumerate() {
                    let types = handler.type_.as_ref().map(|types| self.expr(types, up));
                    let name = handler.name.as_ref().map(|name| name.id.clone());
                    if let Some(name) = &name {
                        self.bind(name, Some(id), BindingKind::Caught(types));
                    }
                    let body = self.block(&handler.body, Some(id), Slot::Handler(index as u32));
                    handlers.push(Handler { types, name, body, range: handler.range });
                }
                let orelse = self.block(&node.orelse, Some(id), Slot::Orelse);
                let finally = self.block(&node.finalbody, Some(id), Slot::Finally);
                StmtKind::Try { body, handlers: handlers.into(), orelse, finally }
            }
            StmtNode::Match(node) => {
                let subject = self.expr(&node.subject, up);
                let mut cases = Vec::with_capacity(node.cases.len());
                let mut exhaustive = false;
                for (index, case) in node.cases.iter().enumerate() {
                    self.pattern(&case.pattern, id);
                    let guard = case.guard.as_ref().map(|guard| self.expr(guard, up));
                    exhaustive |= case.pattern.is_irrefutable() && case.guard.is_none();
                    cases.push((guard, self.block(&case.body, Some(id), Slot::Case(index as u32))));
                }
                StmtKind::Match { subject, cases: cases.into(), exhaustive }
            }
            StmtNode::FunctionDef(node) => self.function_def(node, id),
            StmtNode::ClassDef(node) => self.class_def(node, id),
            StmtNode::Import(node) => {
                for alias in &node.names {
                    let (name, module) = match &alias.asname {
                        Some(asname) => (asname.id.clone(), alias.name.id.clone()),
                        None => {
                            let head = alias.name.id.split('.').next().unwrap_or_default();
                            (Name::new(head), Name::new(head))
                        }
                    };
                    self.bind(&name, Some(id), BindingKind::Import { module });
                }
                StmtKind::Import(node.names.iter().map(alias).collect())
            }
            StmtNode::ImportFrom(node) => {
                let module = node.module.as_ref().map(|module| module.id.clone());
                for alias in &node.names {
                    if alias.name.id == "*" {
                        self.facts.stars.push((node.level, module.clone().unwrap_or(Name::new_static(""))));
                        continue;
                    }
                    let bound = alias.asname.as_ref().unwrap_or(&alias.name).id.clone();
                    self.bind(
                        &bound,
                        Some(id),
                        BindingKind::ImportFrom {
                            level: node.level,
                            module: module.clone().unwrap_or(Name::new_static("")),
                            name: alias.name.id.clone(),
                        },
                    );
                }
                StmtKind::ImportFrom {
                    module,
                    level: node.level,
                    names: node.names.iter().map(alias).collect(),
                }
            }
            StmtNode::Global(node) => {
                let names: List<Name> = node.names.iter().map(|name| name.id.clone()).collect();
                let function = &mut self.facts.functions[self.function.index()];
                let mut all = std::mem::take(&mut function.globals);
                all.extend(names.iter().cloned());
                function.globals = all;
                StmtKind::Scope(names)
            }
            StmtNode::Nonlocal(node) => {
                let names: List<Name> = node.names.iter().map(|name| name.id.clone()).collect();
                let function = &mut self.facts.functions[self.function.index()];
                let mut all = std::mem::take(&mut function.nonlocals);
                all.extend(names.iter().cloned());
                function.nonlocals = all;
                StmtKind::Scope(names)
            }
            StmtNode::Break(_) => StmtKind::Break,
            StmtNode::Continue(_) => StmtKind::Continue,
            StmtNode::Pass(_) | StmtNode::TypeAlias(_) | StmtNode::IpyEscapeCommand(_) => StmtKind::Pass,
        };
        self.facts.stmts[id.index()].kind = kind;
        id
    }

    fn elif(&mut self, clauses: &[ElifElseClause], parent: StmtId) -> Block {
        let Some((clause, rest)) = clauses.split_first() else { return List::new() };
        match &clause.test {
            None => self.block(&clause.body, Some(parent), Slot::Orelse),
            Some(test) => {
                let id = self.reserve(clause.range, Some(parent), Slot::Orelse);
                let test = self.expr(test, Parent::Stmt(id));
                let body = self.block(&clause.body, Some(id), Slot::Body);
                let orelse = self.elif(rest, id);
                self.facts.stmts[id.index()].kind = StmtKind::If { test, body, orelse };
                thin_vec![id]
            }
        }
    }

    fn pattern(&mut self, pattern: &Pattern, stmt: StmtId) {
        match pattern {
            Pattern::MatchAs(node) => {
                if let Some(inner) = &node.pattern {
                    self.pattern(inner, stmt);
                }
                if let Some(name) = &node.name {
                    self.bind(&name.id, Some(stmt), BindingKind::Opaque);
                }
            }
            Pattern::MatchStar(node) => {
                if let Some(name) = &node.name {
                    self.bind(&name.id, Some(stmt), BindingKind::Opaque);
                }
            }
            Pattern::MatchSequence(node) => node.patterns.iter().for_each(|inner| self.pattern(inner, stmt)),
            Pattern::MatchOr(node) => node.patterns.iter().for_each(|inner| self.pattern(inner, stmt)),
            Pattern::MatchMapping(node) => {
                node.patterns.iter().for_each(|inner| self.pattern(inner, stmt));
                if let Some(name) = &node.rest {
                    self.bind(&name.id, Some(stmt), BindingKind::Opaque);
                }
            }
            Pattern::MatchClass(node) => {
                node.arguments.patterns.iter().for_each(|inner| self.pattern(inner, stmt));
                node.arguments.keywords.iter().for_each(|keyword| self.pattern(&keyword.pattern, stmt));
            }
            Pattern::MatchValue(_) | Pattern::MatchSingleton(_) => {}
        }
    }

    fn bind_target(
        &mut self,
        target: ExprId,
        stmt: StmtId,
        path: &mut Vec<u32>,
        kind: &dyn Fn(List<u32>) -> BindingKind,
    ) {
        match &self.facts.expr(target).kind {
            ExprKind::Name(name) => {
                let name = name.clone();
                self.bind_at(&name, Some(stmt), Some(target), kind(path.as_slice().into()));
            }
            ExprKind::Attribute { attr, .. } => {
                let attr = attr.clone();
                self.write(attr, stmt, target, kind(path.as_slice().into()));
            }
            ExprKind::Subscript { index, .. } => {
                if let Some(key) = self.facts.key(*index) {
                    self.write(key, stmt, target, kind(path.as_slice().into()));
                }
            }
            ExprKind::Tuple(items) | ExprKind::List(items) => {
                for (index, item) in items.clone().iter().enumerate() {
                    path.push(index as u32);
                    self.bind_target(*item, stmt, path, kind);
                    path.pop();
                }
            }
            ExprKind::Starred(inner) => {
                let inner = *inner;
                if let ExprKind::Name(name) = &self.facts.expr(inner).kind {
                    let name = name.clone();
                    self.bind(&name, Some(stmt), BindingKind::Opaque);
                }
            }
            _ => {}
        }
    }

    fn params(&mut self, params: &ast::Parameters, up: Parent) -> List<Parameter> {
        let mut all = Vec::with_capacity(params.len());
        let with_default = |this: &mut Self, param: &ast::ParameterWithDefault, kind| Parameter {
            name: param.parameter.name.id.clone(),
            annotation: param.parameter.annotation.as_ref().map(|annotation| this.expr(annotation, up)),
            default: param.default.as_ref().map(|default| this.expr(default, up)),
            kind,
        };
        let plain = |this: &mut Self, param: &ast::Parameter, kind| Parameter {
            name: param.name.id.clone(),
            annotation: param.annotation.as_ref().map(|annotation| this.expr(annotation, up)),
            default: None,
            kind,
        };
        for param in &params.posonlyargs {
            all.push(with_default(self, param, ParameterKind::PositionalOnly));
        }
        for param in &params.args {
            all.push(with_default(self, param, ParameterKind::Positional));
        }
        if let Some(param) = &params.vararg {
            all.push(plain(self, param, ParameterKind::Args));
        }
        for param in &params.kwonlyargs {
            all.push(with_default(self, param, ParameterKind::KeywordOnly));
        }
        if let Some(param) = &params.kwarg {
            all.push(plain(self, param, ParameterKind::Kwargs));
        }
        all.into()
    }

    fn bind_params(&mut self, id: FunctionId) {
        for index in 0..self.facts.functions[id.index()].params.len() {
            let name = self.facts.functions[id.index()].params[index].name.clone();
            self.bind(&name, None, BindingKind::Parameter(index as u32));
        }
    }

    fn function_def(&mut self, node: &ast::StmtFunctionDef, stmt: StmtId) -> StmtKind {
        let up = Parent::Stmt(stmt);
        let decorators =
            node.decorator_list.iter().map(|decorator| self.expr(&decorator.expression, up)).collect();
        let params = self.params(&node.parameters, up);
        let returns = node.returns.as_ref().map(|returns| self.expr(returns, up));
        let qualname = format!("{}{}", self.qualname, node.name.id);
        let id = self.push_function(Function {
            name: node.name.id.clone(),
            qualname: qualname.clone(),
            definition: Definition::Def(stmt),
            parent: Some(self.function),
            class: self.class,
            is_async: node.is_async,
            is_generator: false,
            params,
            decorators,
            returns,
            body: List::new(),
            range: node.range,
            name_range: node.name.range,
            globals: List::new(),
            nonlocals: List::new(),
        });
        self.bind(&node.name.id, Some(stmt), BindingKind::Function(id));
        if let Some(class) = self.class {
            self.facts.classes[class.index()].methods.insert(node.name.id.clone(), id);
        }
        let outer = (self.function, self.class.take(), std::mem::replace(&mut self.qualname, qualname + "."));
        self.function = id;
        self.bind_params(id);
        let body = self.block(&node.body, None, Slot::Body);
        self.facts.functions[id.index()].body = body;
        (self.function, self.class, self.qualname) = outer;
        StmtKind::Function(id)
    }

    fn class_def(&mut self, node: &ast::StmtClassDef, stmt: StmtId) -> StmtKind {
        let up = Parent::Stmt(stmt);
        let decorators =
            node.decorator_list.iter().map(|decorator| self.expr(&decorator.expression, up)).collect();
        let (bases, keywords) = match &node.arguments {
            None => (List::new(), List::new()),
            Some(arguments) => (
                arguments.args.iter().map(|base| self.expr(base, up)).collect(),
                arguments
                    .keywords
                    .iter()
                    .map(|keyword| Keyword {
                        name: keyword.arg.as_ref().map(|name| name.id.clone()),
                        value: self.expr(&keyword.value, up),
                    })
                    .collect(),
            ),
        };
        let id = ClassId::new(self.facts.classes.len());
        self.facts.classes.push(Class {
            name: node.name.id.clone(),
            stmt,
            function: self.function,
            bases,
            keywords,
            decorators,
            methods: FxHashMap::default(),
            members: FxHashMap::default(),
            range: node.range,
        });
        self.bind(&node.name.id, Some(stmt), BindingKind::Class(id));
        let qualname = format!("{}{}.", self.qualname, node.name.id);
        let outer = (self.class.replace(id), std::mem::replace(&mut self.qualname, qualname));
        let body = self.block(&node.body, Some(stmt), Slot::Body);
        (self.class, self.qualname) = outer;
        StmtKind::Class(id, body)
    }

    fn exprs<'n>(&mut self, nodes: impl IntoIterator<Item = &'n Node>, up: Parent) -> List<ExprId> {
        nodes.into_iter().map(|node| self.expr(node, up)).collect()
    }

    fn expr(&mut self, node: &Node, parent: Parent) -> ExprId {
        let id = ExprId::new(self.facts.exprs.len());
        self.facts.exprs.push(Expr { kind: ExprKind::None, range: node.range(), parent });
        let up = Parent::Expr(id);
        let kind = match node {
            Node::Name(node) => {
                if node.ctx == ast::ExprContext::Load {
                    self.loads.push(id);
                }
                ExprKind::Name(node.id.clone())
            }
            Node::Attribute(node) => {
                let value = self.expr(&node.value, up);
                self.attributes.push(id);
                ExprKind::Attribute { value, attr: node.attr.id.clone() }
            }
            Node::Call(node) => {
                self.facts.calls.push(id);
                let func = self.expr(&node.func, up);
                let args = self.exprs(&node.arguments.args, up);
                let keywords = node
                    .arguments
                    .keywords
                    .iter()
                    .map(|keyword| Keyword {
                        name: keyword.arg.as_ref().map(|name| name.id.clone()),
                        value: self.expr(&keyword.value, up),
                    })
                    .collect();
                ExprKind::Call { func, args, keywords }
            }
            Node::Await(node) => ExprKind::Await(self.expr(&node.value, up)),
            Node::Yield(node) => {
                self.facts.functions[self.function.index()].is_generator = true;
                ExprKind::Yield(node.value.as_ref().map(|value| self.expr(value, up)))
            }
            Node::YieldFrom(node) => {
                self.facts.functions[self.function.index()].is_generator = true;
                ExprKind::YieldFrom(self.expr(&node.value, up))
            }
            Node::StringLiteral(node) => ExprKind::Str(node.value.to_str().into()),
            Node::NumberLiteral(node) => match &node.value {
                ast::Number::Int(int) => int.as_i64().map_or(ExprKind::Other(List::new()), ExprKind::Int),
                _ => ExprKind::Other(List::new()),
            },
            Node::BooleanLiteral(node) => ExprKind::Bool(node.value),
            Node::NoneLiteral(_) => ExprKind::None,
            Node::Tuple(node) => ExprKind::Tuple(self.exprs(&node.elts, up)),
            Node::List(node) => ExprKind::List(self.exprs(&node.elts, up)),
            Node::Set(node) => ExprKind::Set(self.exprs(&node.elts, up)),
            Node::Dict(node) => {
                let mut items = Vec::with_capacity(node.items.len());
                for item in &node.items {
                    let key = item.key.as_ref().map(|key| self.expr(key, up));
                    items.push((key, self.expr(&item.value, up)));
                }
                ExprKind::Dict(items.into())
            }
            Node::Subscript(node) => {
                let value = self.expr(&node.value, up);
                let index = self.expr(&node.slice, up);
                if let Some(key) = self.facts.key(index) {
                    self.keys.push((key, id));
                }
                ExprKind::Subscript { value, index }
            }
            Node::Lambda(node) => ExprKind::Lambda(self.lambda(node, id)),
            Node::If(node) => {
                let body = self.expr(&node.body, up);
                let test = self.expr(&node.test, up);
                let orelse = self.expr(&node.orelse, up);
                ExprKind::IfElse { test, body, orelse }
            }
            Node::BoolOp(node) => {
                ExprKind::BoolOp { or: node.op == ast::BoolOp::Or, values: self.exprs(&node.values, up) }
            }
            Node::UnaryOp(node) => {
                let operand = self.expr(&node.operand, up);
                if node.op == ast::UnaryOp::Not {
                    ExprKind::Not(operand)
                } else {
                    ExprKind::Other(thin_vec![operand])
                }
            }
            Node::Compare(node) => {
                let left = self.expr(&node.left, up);
                let rest = node
                    .ops
                    .iter()
                    .zip(&node.comparators)
                    .map(|(op, right)| (comparison(*op), self.expr(right, up)))
                    .collect();
                ExprKind::Compare { left, rest }
            }
            Node::ListComp(node) => self.comprehension(&[&node.elt], &node.generators, false, up),
            Node::SetComp(node) => self.comprehension(&[&node.elt], &node.generators, false, up),
            Node::DictComp(node) => match &node.key {
                Some(key) => self.comprehension(&[key, &node.value], &node.generators, false, up),
                None => self.comprehension(&[&node.value], &node.generators, false, up),
            },
            Node::Generator(node) => self.comprehension(&[&node.elt], &node.generators, true, up),
            Node::Starred(node) => ExprKind::Starred(self.expr(&node.value, up)),
            Node::Named(node) => {
                let value = self.expr(&node.value, up);
                let target = self.expr(&node.target, up);
                if let ExprKind::Name(name) = &self.facts.expr(target).kind {
                    let name = name.clone();
                    let stmt = self.facts.stmts.len().checked_sub(1).map(StmtId::new);
                    self.bind_at(&name, stmt, Some(target), BindingKind::Value { value, path: List::new() });
                }
                ExprKind::Named { target, value }
            }
            Node::BinOp(node) => {
                ExprKind::Other(thin_vec![self.expr(&node.left, up), self.expr(&node.right, up)])
            }
            Node::Slice(node) => ExprKind::Other(
                self.exprs([&node.lower, &node.upper, &node.step].into_iter().flatten().map(|b| &**b), up),
            ),
            Node::FString(node) => {
                let mut parts = Vec::new();
                for element in node.value.elements() {
                    self.interpolated(element, up, &mut parts);
                }
                ExprKind::Other(parts.into())
            }
            Node::TString(node) => {
                let mut parts = Vec::new();
                for element in node.value.elements() {
                    self.interpolated(element, up, &mut parts);
                }
                ExprKind::Other(parts.into())
            }
            Node::BytesLiteral(_) | Node::EllipsisLiteral(_) | Node::IpyEscapeCommand(_) => {
                ExprKind::Other(List::new())
            }
        };
        self.facts.exprs[id.index()].kind = kind;
        id
    }

    fn interpolated(
        &mut self,
        element: &ast::InterpolatedStringElement,
        up: Parent,
        parts: &mut Vec<ExprId>,
    ) {
        if let ast::InterpolatedStringElement::Interpolation(element) = element {
            parts.push(self.expr(&element.expression, up));
            if let Some(spec) = &element.format_spec {
                for inner in &spec.elements {
                    self.interpolated(inner, up, parts);
                }
            }
        }
    }

    fn comprehension(
        &mut self,
        elements: &[&Node],
        generators: &[ast::Comprehension],
        lazy: bool,
        up: Parent,
    ) -> ExprKind {
        let stmt = StmtId::new(self.facts.stmts.len().saturating_sub(1));
        let mut parts = Vec::with_capacity(generators.len());
        for generator in generators {
            let iter = self.expr(&generator.iter, up);
            let target = self.expr(&generator.target, up);
            let is_async = generator.is_async;
            // A comprehension's names live in its own scope; here they join the function's, which can only add values.
            self.bind_target(target, stmt, &mut Vec::new(), &|path| BindingKind::Item {
                iter,
                path,
                is_async,
            });
            let conditions = generator.ifs.iter().map(|condition| self.expr(condition, up)).collect();
            parts.push((target, iter, conditions));
        }
        let elements = elements.iter().map(|element| self.expr(element, up)).collect();
        ExprKind::Comprehension { elements, generators: parts.into(), lazy }
    }

    fn lambda(&mut self, node: &ast::ExprLambda, expr: ExprId) -> FunctionId {
        let params =
            node.parameters.as_ref().map_or(List::new(), |params| self.params(params, Parent::Expr(expr)));
        let id = self.push_function(Function {
            name: Name::new_static("<lambda>"),
            qualname: format!("{}<lambda>", self.qualname),
            definition: Definition::Lambda(expr),
            parent: Some(self.function),
            class: None,
            is_async: false,
            is_generator: false,
            params,
            decorators: List::new(),
            returns: None,
            body: List::new(),
            range: node.range,
            name_range: node.range,
            globals: List::new(),
            nonlocals: List::new(),
        });
        let outer = (self.function, self.class.take());
        self.function = id;
        self.bind_params(id);
        let stmt = self.reserve(node.body.range(), None, Slot::Body);
        let value = self.expr(&node.body, Parent::Stmt(stmt));
        self.facts.stmts[stmt.index()].kind = StmtKind::Return(Some(value));
        self.facts.functions[id.index()].body = thin_vec![stmt];
        (self.function, self.class) = outer;
        id
    }
}

fn alias(node: &ast::Alias) -> Alias {
    Alias { name: node.name.id.clone(), alias: node.asname.as_ref().map(|name| name.id.clone()) }
}

fn comparison(op: ast::CmpOp) -> Comparison {
    match op {
        ast::CmpOp::Is => Comparison::Is,
        ast::CmpOp::IsNot => Comparison::IsNot,
        ast::CmpOp::Eq => Comparison::Eq,
        ast::CmpOp::NotEq => Comparison::NotEq,
        ast::CmpOp::In => Comparison::In,
        ast::CmpOp::NotIn => Comparison::NotIn,
        ast::CmpOp::Lt | ast::CmpOp::LtE | ast::CmpOp::Gt | ast::CmpOp::GtE => Comparison::Order,
    }
}
