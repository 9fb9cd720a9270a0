//! Functions and classes.

use rustc_hash::FxHashMap;

use super::{BindingId, Block, ExprId, List, Name, StmtId, TextRange};

/// Index of a function in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionId(u32);

/// The module's own body.
pub const MODULE: FunctionId = FunctionId(0);

impl FunctionId {
    /// From a list index.
    pub fn new(index: usize) -> Self {
        Self(index as u32)
    }

    /// As a list index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Index of a class in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClassId(u32);

impl ClassId {
    /// From a list index.
    pub fn new(index: usize) -> Self {
        Self(index as u32)
    }

    /// As a list index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What makes a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Definition {
    /// It is the module.
    Module,
    /// A `def`.
    Def(StmtId),
    /// A lambda.
    Lambda(ExprId),
}

/// One function, lambda, or the module.
#[derive(Debug)]
pub struct Function {
    /// Its name; `<module>` and `<lambda>` as Python has them.
    pub name: Name,
    /// As Python's `__qualname__` without `<locals>`: `Store.open`, `make.inner`.
    pub qualname: String,
    /// What makes it.
    pub definition: Definition,
    /// The function whose body holds it.
    pub parent: Option<FunctionId>,
    /// The class whose body holds it.
    pub class: Option<ClassId>,
    /// `async def`.
    pub is_async: bool,
    /// It has a `yield` of its own.
    pub is_generator: bool,
    /// In order: positional-only, positional, `*args`, keyword-only, `**kwargs`.
    pub params: List<Parameter>,
    /// Outermost first.
    pub decorators: List<ExprId>,
    /// `-> annotation`.
    pub returns: Option<ExprId>,
    /// The body.
    pub body: Block,
    /// The whole definition, decorators included.
    pub range: TextRange,
    /// The name alone.
    pub name_range: TextRange,
    /// Names that `global` hands to the module.
    pub globals: List<Name>,
    /// Names that `nonlocal` hands to the function around.
    pub nonlocals: List<Name>,
}

/// One parameter.
#[derive(Debug)]
pub struct Parameter {
    /// Its name.
    pub name: Name,
    /// Its annotation.
    pub annotation: Option<ExprId>,
    /// Its default.
    pub default: Option<ExprId>,
    /// How it is given.
    pub kind: ParameterKind,
}

/// How a parameter is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterKind {
    /// By position only.
    PositionalOnly,
    /// By position or name.
    Positional,
    /// `*args`.
    Args,
    /// By name only.
    KeywordOnly,
    /// `**kwargs`.
    Kwargs,
}

/// One class.
#[derive(Debug)]
pub struct Class {
    /// Its name.
    pub name: Name,
    /// The statement.
    pub stmt: StmtId,
    /// The function whose body holds it.
    pub function: FunctionId,
    /// Its bases.
    pub bases: List<ExprId>,
    /// `metaclass=` and other keywords.
    pub keywords: List<super::Keyword>,
    /// Outermost first.
    pub decorators: List<ExprId>,
    /// Methods by name; of several with a name the last.
    pub methods: FxHashMap<Name, FunctionId>,
    /// What its body binds, in source order; methods too.
    pub members: FxHashMap<Name, Vec<BindingId>>,
    /// The whole definition, decorators included.
    pub range: TextRange,
}

impl Function {
    /// Whether calling it gives a coroutine.
    pub fn is_coroutine(&self) -> bool {
        self.is_async && !self.is_generator
    }

    /// The parameter that receives the object, for methods that are not static.
    pub fn receiver(&self) -> Option<&Name> {
        self.class?;
        self.params.first().filter(|param| param.kind != ParameterKind::Args).map(|param| &param.name)
    }
}
