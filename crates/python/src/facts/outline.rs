//! What is known of a file before its facts are asked for: most files of a large tree are never asked.
//!
//! An outline may name more than there is, never less: it only says which files are worth a look.

use ruff_python_ast::visitor::{Visitor, walk_comprehension, walk_expr, walk_stmt};
use ruff_python_ast::{self as ast, Expr as Node, Stmt as StmtNode};

use super::{Name, SyntaxError};

/// The outline of one file.
#[derive(Debug, Default)]
pub struct Outline {
    /// Words of the text (see [`word`]), comments and strings too; sorted.
    pub words: Box<[u32]>,
    /// Names that are read, as variables, attributes or by an import; sorted words.
    pub uses: Box<[u32]>,
    /// Names of variables and attributes that are read other than to be called; sorted words.
    pub bare: Box<[u32]>,
    /// Each `from … import name`.
    pub imports: Box<[Imported]>,
    /// Each `import module`, and what runs it.
    pub modules: Box<[(Name, Within)]>,
    /// Modules imported with `*`, with their level.
    pub stars: Box<[(u32, Name)]>,
    /// The classes, in the order of [`super::Facts::classes`].
    pub classes: Box<[ClassOutline]>,
    /// Last names of their bases, as written and as imported; sorted words.
    pub bases: Box<[u32]>,
    /// Last names of what is called; sorted words.
    pub calls: Box<[u32]>,
    /// Last names of what is given another name (`spawn = asyncio.create_task`) or handed to a call; sorted words.
    pub given: Box<[u32]>,
    /// Names of coroutine functions; sorted.
    pub coroutines: Box<[Name]>,
    /// Last names of calls whose value is dropped, named, tested or a receiver, without `await`; each once.
    pub alone: Box<[Name]>,
    /// Last names of other calls without `await`; each once.
    pub handed: Box<[Name]>,
    /// Attributes written on the method's own object; sorted words.
    pub own_writes: Box<[u32]>,
    /// Attributes and keys written on something else than the method's own object; sorted words.
    pub writes: Box<[u32]>,
    /// It has an async generator function.
    pub async_generators: bool,
    /// It has an `async for` statement.
    pub async_loops: bool,
    /// A call calls what a call gave: `f()()`.
    pub calls_result: bool,
    /// The first Python that has all of its syntax, where that is newer than 3.9.
    pub python: Option<(u8, u8)>,
    /// What the parser could not read.
    pub errors: Vec<SyntaxError>,
}

/// One `from module import name`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// Leading dots.
    pub level: u32,
    /// The module after the dots.
    pub module: Name,
    /// The name there.
    pub name: Name,
    /// `as alias`, where that is another name.
    pub alias: Option<Name>,
    /// What runs it.
    pub within: Within,
}

/// What runs a statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Within {
    /// The module, as it is loaded.
    #[default]
    Module,
    /// A function.
    Function,
    /// A coroutine function or async generator.
    Async,
}

/// One class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassOutline {
    /// Its name.
    pub name: Name,
    /// It stands in the module's body itself, under conditions perhaps.
    pub top: bool,
    /// Its bases as dotted names, without what stands in brackets; empty where it is no name.
    pub bases: Box<[Name]>,
}

/// A word as a number (FNV-1a). Two words may have one number: then a file is looked at in vain.
pub fn word(text: &str) -> u32 {
    text.bytes().fold(OFFSET, step)
}

const OFFSET: u32 = 0x811c_9dc5;

fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
}

/// All words of a text, sorted.
fn words(text: &str) -> Box<[u32]> {
    let mut found = Vec::with_capacity(text.len() / 32);
    // Most words come again soon: the last one of each slot is not listed twice, which leaves less to sort.
    let mut last = [0; 1024];
    let mut list = |word: u32| {
        let slot = &mut last[(word ^ word >> 16) as usize % 1024];
        if *slot != word || word == 0 {
            *slot = word;
            found.push(word);
        }
    };
    let mut hash = OFFSET;
    let mut inside = false;
    for &byte in text.as_bytes() {
        if PART[byte as usize] {
            hash = step(hash, byte);
            inside = true;
        } else if inside {
            list(hash);
            hash = OFFSET;
            inside = false;
        }
    }
    if inside {
        list(hash);
    }
    found.sort_unstable();
    found.dedup();
    found.into()
}

/// Bytes that names are made of; those of other alphabets are.
const PART: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = byte >= 0x80 || byte == b'_' as usize || (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    table
};

impl Outline {
    /// Whether the text has this word.
    pub fn has(&self, word: u32) -> bool {
        self.words.binary_search(&word).is_ok()
    }

    /// Whether this name is read: as a variable, as an attribute, or by an import.
    pub fn uses(&self, word: u32) -> bool {
        self.uses.binary_search(&word).is_ok()
    }

    /// Whether this name is read as a variable or an attribute, other than to be called.
    pub fn reads_bare(&self, word: u32) -> bool {
        self.bare.binary_search(&word).is_ok()
    }

    /// Whether something is called that is written with this last name.
    pub fn calls(&self, word: u32) -> bool {
        self.calls.binary_search(&word).is_ok()
    }

    /// Whether something with this last name is given another, or handed to a call.
    pub fn gives(&self, word: u32) -> bool {
        self.given.binary_search(&word).is_ok()
    }

    /// Whether this attribute or key is written on any object.
    pub fn writes(&self, word: u32) -> bool {
        self.own_writes.binary_search(&word).is_ok() || self.writes_of_others(word)
    }

    /// Whether this attribute or key is written on something else than the method's own object.
    pub fn writes_of_others(&self, word: u32) -> bool {
        self.writes.binary_search(&word).is_ok()
    }

    /// Whether this name is imported from somewhere.
    pub fn imports(&self, name: &str) -> bool {
        self.imports.iter().any(|import| import.name == *name)
    }

    pub(super) fn new(text: &str, tree: &ast::ModModule, errors: Vec<SyntaxError>) -> Self {
        let mut sketch = Sketch::default();
        sketch.visit_body(&tree.body);
        let mut bases = sketch.bases;
        for import in &sketch.imports {
            if let Some(alias) = &import.alias
                && bases.contains(&word(alias))
            {
                bases.push(word(&import.name));
            }
        }
        Self {
            words: words(text),
            uses: sorted(sketch.uses),
            bare: sorted(sketch.bare),
            imports: sketch.imports.into(),
            modules: sketch.modules.into(),
            stars: sketch.stars.into(),
            classes: sketch.classes.into(),
            bases: sorted(bases),
            own_writes: sorted(sketch.own_writes),
            calls: sorted(sketch.calls),
            given: sorted(sketch.given),
            coroutines: sorted(sketch.coroutines),
            alone: each_once(sketch.alone),
            handed: each_once(sketch.handed),
            writes: sorted(sketch.writes),
            async_generators: sketch.async_generators,
            async_loops: sketch.async_loops,
            calls_result: sketch.calls_result,
            python: sketch.python,
            errors,
        }
    }
}

fn each_once(mut names: Vec<(u32, &Name)>) -> Box<[Name]> {
    names.sort_unstable_by_key(|(word, _)| *word);
    names.dedup_by_key(|(_, name)| *name);
    names.into_iter().map(|(_, name)| name.clone()).collect()
}

fn sorted<T: Ord>(mut list: Vec<T>) -> Box<[T]> {
    list.sort_unstable();
    list.dedup();
    list.into()
}

#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a yes or no about the file or the place in it")]
struct Sketch<'a> {
    uses: Vec<u32>,
    bare: Vec<u32>,
    imports: Vec<Imported>,
    modules: Vec<(Name, Within)>,
    stars: Vec<(u32, Name)>,
    classes: Vec<ClassOutline>,
    bases: Vec<u32>,
    own_writes: Vec<u32>,
    /// What runs the statements that are being read.
    within: Within,
    calls: Vec<u32>,
    given: Vec<u32>,
    coroutines: Vec<Name>,
    alone: Vec<(u32, &'a Name)>,
    handed: Vec<(u32, &'a Name)>,
    writes: Vec<u32>,
    async_generators: bool,
    async_loops: bool,
    calls_result: bool,
    python: Option<(u8, u8)>,
    /// The function has a `yield`.
    yields: bool,
    /// A class body is being read.
    in_class: bool,
    /// The parameter that is the method's own object.
    receiver: Option<Name>,
}

fn last(node: &Node) -> Option<&Name> {
    match node {
        Node::Name(name) => Some(&name.id),
        Node::Attribute(attribute) => Some(&attribute.attr.id),
        Node::Subscript(subscript) => last(&subscript.value),
        _ => None,
    }
}

fn dotted(node: &Node) -> Option<Name> {
    match node {
        Node::Name(name) => Some(name.id.clone()),
        Node::Attribute(attribute) => {
            Some(Name::new(format!("{}.{}", dotted(&attribute.value)?, attribute.attr.id)))
        }
        Node::Subscript(subscript) => dotted(&subscript.value),
        _ => None,
    }
}

/// A constant key as [`super::Facts::key`] has it.
fn key(node: &Node) -> Option<u32> {
    let text = match node {
        Node::StringLiteral(text) => text.value.to_str(),
        Node::Name(name) => &name.id,
        Node::Attribute(attribute) => &attribute.attr.id,
        _ => return None,
    };
    Some(step(text.bytes().fold(step(OFFSET, b'['), step), b']'))
}

impl<'a> Sketch<'a> {
    /// A call that stands where its value is dropped, named, tested or a receiver.
    fn alone(&mut self, node: &'a Node) {
        match node {
            Node::Call(call) => {
                self.alone.extend(called(&call.func).map(|name| (word(name), name)));
                self.in_call(call);
            }
            _ => self.visit_expr(node),
        }
    }

    fn in_call(&mut self, call: &'a ast::ExprCall) {
        self.calls.extend(called(&call.func).map(|name| word(name)));
        self.given.extend(call.arguments.args.iter().filter_map(called).map(|name| word(name)));
        self.calls_result |= call.func.is_call_expr();
        match &*call.func {
            Node::Name(name) => self.uses.push(word(&name.id)),
            Node::Attribute(attribute) => {
                self.uses.push(word(&attribute.attr.id));
                self.alone(&attribute.value);
            }
            other => self.visit_expr(other),
        }
        self.visit_arguments(&call.arguments);
    }

    fn needs(&mut self, python: (u8, u8)) {
        self.python = self.python.max(Some(python));
    }

    fn written(&mut self, target: &Node) {
        let (of, object) = match target {
            Node::Attribute(attribute) => (Some(word(&attribute.attr.id)), &attribute.value),
            Node::Subscript(subscript) => (key(&subscript.slice), &subscript.value),
            Node::Tuple(ast::ExprTuple { elts, .. }) | Node::List(ast::ExprList { elts, .. }) => {
                for element in elts {
                    self.written(element);
                }
                return;
            }
            _ => return,
        };
        let own = matches!((&**object, &self.receiver), (Node::Name(name), Some(own)) if name.id == *own);
        if own { &mut self.own_writes } else { &mut self.writes }.extend(of);
    }
}

fn called(func: &Node) -> Option<&Name> {
    match func {
        Node::Name(name) => Some(&name.id),
        Node::Attribute(attribute) => Some(&attribute.attr.id),
        _ => None,
    }
}

impl<'a> Visitor<'a> for Sketch<'a> {
    fn visit_stmt(&mut self, stmt: &'a StmtNode) {
        match stmt {
            StmtNode::Expr(node) => return self.alone(&node.value),
            StmtNode::Assign(node) => {
                node.targets.iter().for_each(|target| self.written(target));
                self.given.extend(called(&node.value).map(|name| word(name)));
                self.alone(&node.value);
                node.targets.iter().for_each(|target| self.visit_expr(target));
                return;
            }
            StmtNode::AnnAssign(node) => self.written(&node.target),
            StmtNode::For(node) => {
                self.written(&node.target);
                self.async_loops |= node.is_async;
                if let (Node::Call(call), false) = (&*node.iter, node.is_async) {
                    self.alone.extend(called(&call.func).map(|name| (word(name), name)));
                }
            }
            StmtNode::With(node) => {
                for target in node.items.iter().filter_map(|item| item.optional_vars.as_ref()) {
                    self.written(target);
                }
            }
            StmtNode::If(node) => {
                let tests = std::iter::once(&*node.test)
                    .chain(node.elif_else_clauses.iter().filter_map(|clause| clause.test.as_ref()));
                for test in tests {
                    if let Node::Call(call) = test {
                        self.alone.extend(called(&call.func).map(|name| (word(name), name)));
                    }
                }
            }
            StmtNode::While(node) => {
                if let Node::Call(call) = &*node.test {
                    self.alone.extend(called(&call.func).map(|name| (word(name), name)));
                }
            }
            StmtNode::Import(node) => {
                self.modules.extend(node.names.iter().map(|alias| (alias.name.id.clone(), self.within)));
                return;
            }
            StmtNode::ImportFrom(node) => {
                let module = node.module.as_ref().map_or(Name::new_static(""), |module| module.id.clone());
                for alias in &node.names {
                    if alias.name.id == "*" {
                        self.stars.push((node.level, module.clone()));
                    } else {
                        self.uses.push(word(&alias.name.id));
                        self.imports.push(Imported {
                            level: node.level,
                            module: module.clone(),
                            name: alias.name.id.clone(),
                            alias: alias
                                .asname
                                .as_ref()
                                .filter(|asname| asname.id != alias.name.id)
                                .map(|asname| asname.id.clone()),
                            within: self.within,
                        });
                    }
                }
                return;
            }
            StmtNode::Match(_) => self.needs((3, 10)),
            StmtNode::Try(node) if node.is_star => self.needs((3, 11)),
            StmtNode::TypeAlias(_) => self.needs((3, 12)),
            StmtNode::ClassDef(node) => {
                if node.type_params.is_some() {
                    self.needs((3, 12));
                }
                let bases = node.arguments.iter().flat_map(|arguments| &arguments.args);
                self.classes.push(ClassOutline {
                    name: node.name.id.clone(),
                    top: self.within == Within::Module && !self.in_class,
                    bases: bases.map(|base| dotted(base).unwrap_or(Name::new_static(""))).collect(),
                });
                if let Some(arguments) = &node.arguments {
                    self.bases.extend(arguments.args.iter().filter_map(last).map(|name| word(name)));
                }
                let outer = std::mem::replace(&mut self.in_class, true);
                walk_stmt(self, stmt);
                self.in_class = outer;
                return;
            }
            StmtNode::FunctionDef(node) => {
                if node.type_params.is_some() {
                    self.needs((3, 12));
                }
                let first = node.parameters.posonlyargs.first().or(node.parameters.args.first());
                let own = first.filter(|_| self.in_class).map(|first| first.parameter.name.id.clone());
                let receiver = std::mem::replace(&mut self.receiver, own);
                let outer = (std::mem::take(&mut self.in_class), std::mem::take(&mut self.yields));
                let within = if node.is_async { Within::Async } else { Within::Function };
                let around = std::mem::replace(&mut self.within, within);
                walk_stmt(self, stmt);
                if node.is_async && self.yields {
                    self.async_generators = true;
                } else if node.is_async {
                    self.coroutines.push(node.name.id.clone());
                }
                (self.in_class, self.yields) = outer;
                self.within = around;
                self.receiver = receiver;
                return;
            }
            _ => {}
        }
        walk_stmt(self, stmt);
    }

    fn visit_comprehension(&mut self, node: &'a ast::Comprehension) {
        self.written(&node.target);
        walk_comprehension(self, node);
    }

    fn visit_expr(&mut self, node: &'a Node) {
        match node {
            Node::Await(awaited) => match &*awaited.value {
                Node::Call(call) => self.in_call(call),
                other => self.visit_expr(other),
            },
            Node::Call(call) => {
                self.handed.extend(called(&call.func).map(|name| (word(name), name)));
                self.in_call(call);
            }
            Node::Name(name) => {
                if name.ctx == ast::ExprContext::Load {
                    self.uses.push(word(&name.id));
                    self.bare.push(word(&name.id));
                }
            }
            Node::Attribute(attribute) => {
                self.uses.push(word(&attribute.attr.id));
                self.bare.push(word(&attribute.attr.id));
                self.alone(&attribute.value);
            }
            Node::Subscript(subscript) => {
                self.alone(&subscript.value);
                self.visit_expr(&subscript.slice);
            }
            Node::UnaryOp(operation) => self.alone(&operation.operand),
            Node::Yield(_) | Node::YieldFrom(_) => {
                self.yields = true;
                walk_expr(self, node);
            }
            Node::Lambda(_) => {
                let outer = self.yields;
                walk_expr(self, node);
                self.yields = outer;
            }
            Node::Named(named) => {
                self.written(&named.target);
                walk_expr(self, node);
            }
            _ => walk_expr(self, node),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(text: &str) -> Outline {
        crate::facts::read("m.py", "m", false, text, |_| false).0
    }

    fn names(list: &[Name]) -> Vec<&str> {
        let mut names: Vec<&str> = list.iter().map(Name::as_str).collect();
        names.sort_unstable();
        names
    }

    #[test]
    fn words_of_names_and_strings() {
        let outline = outline("import asyncio\nx['pool'] = größe  # later\n");
        for known in ["asyncio", "pool", "größe", "later", "x", "import"] {
            assert!(outline.has(word(known)), "{known}");
        }
        assert!(!outline.has(word("async")));
    }

    #[test]
    fn calls_by_where_they_stand() {
        let outline = outline(
            "async def f(self):\n    a()\n    x = b()\n    await c()\n    d(e())\n    if g(): pass\n    h().real\n    return i()\n    not j()\n    k()()\n",
        );
        assert_eq!(names(&outline.alone), ["a", "b", "d", "g", "h", "j"]);
        assert_eq!(names(&outline.handed), ["e", "g", "i", "k"]);
        assert!(outline.calls_result);
        assert_eq!(names(&outline.coroutines), ["f"]);
    }

    #[test]
    fn coroutines_are_not_generators() {
        let outline = outline(
            "async def a():\n    yield 1\nasync def b():\n    def c():\n        yield\n    await c\n",
        );
        assert_eq!(names(&outline.coroutines), ["b"]);
    }

    #[test]
    fn writes_on_other_objects() {
        let outline = outline(
            "class A:\n    def f(self, app):\n        self.pool = 1\n        app.state.pool, app['db'] = 1, 2\n        with x as app.client: pass\n",
        );
        let mut wanted = [word("pool"), word("[db]"), word("client")];
        wanted.sort_unstable();
        assert_eq!(*outline.writes, wanted);
        assert_eq!(*outline.own_writes, [word("pool")]);
    }

    #[test]
    fn syntax_tells_the_python() {
        for (text, python) in [
            ("x = 1\n", None),
            ("match x:\n    case 1: pass\n", Some((3, 10))),
            ("try: pass\nexcept* OSError: pass\n", Some((3, 11))),
            ("match x:\n    case 1:\n        def f[T](x: T): pass\n", Some((3, 12))),
        ] {
            assert_eq!(outline(text).python, python, "{text}");
        }
    }

    #[test]
    fn bases_by_both_names() {
        let outline = outline("from a import Base as B\nclass C(B, m.D[int]): pass\n");
        for name in ["B", "Base", "D"] {
            assert!(outline.bases.contains(&word(name)), "{name}");
        }
        assert_eq!(outline.imports[0].alias.as_deref(), Some("B"));
    }
}
