//! What an expression may be.

use std::sync::Arc;

use super::{ClassRef, ExprRef, FunctionRef};
use crate::facts::Name;

/// One thing that an expression may be.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// A module, of the tree or not, by its dotted name.
    Module(Name),
    /// A function, class or constant of a library by its dotted path.
    External(Name),
    /// A function of the tree.
    Function(FunctionRef),
    /// A class of the tree.
    Class(ClassRef),
    /// A method of a class of the tree, bound to an object.
    Bound(FunctionRef, Option<ExprRef>),
    /// An attribute or method of a library's object (`aiohttp.ClientSession.get`), with the expression that made the object.
    Member(Name, Option<ExprRef>),
    /// An object: its class, and the expression that made it where it is in the tree.
    Instance(Kind, Option<ExprRef>),
    /// What calling an async function or generator function of the tree gives, not yet awaited.
    Coroutine(FunctionRef, ExprRef),
    /// A tuple, list, set or dict written in the tree.
    Literal(ExprRef),
    /// A constant other than `None`.
    Constant(ExprRef),
    /// `None`.
    None,
    /// Something that was not resolved.
    Unknown,
}

/// Class of an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A class of the tree.
    Class(ClassRef),
    /// A library's, by its dotted path (`asyncpg.Pool`); `path()` where only the function that gave it is known.
    External(Name),
}

/// All that an expression may be; sorted, without repeats.
pub type Values = Arc<[Value]>;

impl Value {
    /// The dotted path, of what a library has.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::External(path) | Self::Member(path, _) | Self::Module(path) => Some(path),
            _ => None,
        }
    }

    /// The class of an object that a library made.
    pub fn external_class(&self) -> Option<&str> {
        match self {
            Self::Instance(Kind::External(path), _) => Some(path),
            _ => None,
        }
    }

    /// The expression that made the object.
    pub fn site(&self) -> Option<ExprRef> {
        match self {
            Self::Instance(_, site) | Self::Member(_, site) | Self::Bound(_, site) => *site,
            Self::Coroutine(_, call) => Some(*call),
            Self::Literal(expr) => Some(*expr),
            _ => None,
        }
    }

    /// The function of the tree that calling it runs.
    pub fn function(&self) -> Option<FunctionRef> {
        match self {
            Self::Function(function) | Self::Bound(function, _) => Some(*function),
            _ => None,
        }
    }
}
