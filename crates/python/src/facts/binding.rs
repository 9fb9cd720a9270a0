//! Bindings: every place that gives a name, an attribute or a key a value.

use super::{ClassId, ExprId, FunctionId, List, Name, StmtId};

/// Index of a binding in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BindingId(u32);

impl BindingId {
    /// From a list index.
    pub fn new(index: usize) -> Self {
        Self(index as u32)
    }

    /// As a list index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One place that binds a name.
#[derive(Debug)]
pub struct Binding {
    /// The name; of an attribute its name, of a constant key (`app["pool"]`, `app[POOL]`) the key in brackets.
    pub name: Name,
    /// The scope it is bound in.
    pub function: FunctionId,
    /// The class body it stands in, if it is a class attribute.
    pub class: Option<ClassId>,
    /// The statement that binds it; none for parameters.
    pub stmt: Option<StmtId>,
    /// The target expression, where there is one.
    pub target: Option<ExprId>,
    /// What it is given.
    pub kind: BindingKind,
}

/// What a binding gives.
#[derive(Debug)]
pub enum BindingKind {
    /// The parameter with this index.
    Parameter(u32),
    /// `import a.b` binds `a` (`whole` is false), `import a.b as c` binds `a.b`.
    Import {
        /// Dotted module.
        module: Name,
    },
    /// `from module import name`.
    ImportFrom {
        /// Leading dots.
        level: u32,
        /// The module after the dots.
        module: Name,
        /// The name there.
        name: Name,
    },
    /// A `def`.
    Function(FunctionId),
    /// A `class`.
    Class(ClassId),
    /// Assigned from a value; `path` leads into a tuple (`a, (b, c) = value` gives c the path 1, 1).
    Value {
        /// The value.
        value: ExprId,
        /// The way into it.
        path: List<u32>,
    },
    /// An element of what is iterated.
    Item {
        /// What is iterated.
        iter: ExprId,
        /// The way into the element.
        path: List<u32>,
        /// `async for`.
        is_async: bool,
    },
    /// `with context as name`.
    Enter {
        /// The context manager.
        context: ExprId,
        /// The way into what it gives.
        path: List<u32>,
        /// `async with`.
        is_async: bool,
    },
    /// `except … as name`.
    Caught(Option<ExprId>),
    /// Only declared: `name: annotation`.
    Declared {
        /// The annotation.
        annotation: ExprId,
    },
    /// Changed in place (`+=`).
    Changed(ExprId),
    /// Bound by a pattern, deleted, or in another way that says nothing.
    Opaque,
}
