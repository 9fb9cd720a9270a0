//! Expressions.

use super::{FunctionId, List, Name, StmtId, TextRange};

/// Index of an expression in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ExprId(u32);

impl ExprId {
    /// From a list index.
    pub fn new(index: usize) -> Self {
        Self(index as u32)
    }

    /// As a list index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One expression.
#[derive(Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it stands, without the parentheses around it.
    pub range: TextRange,
    /// What it stands in.
    pub parent: Parent,
}

/// What an expression or statement stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parent {
    /// Nothing.
    None,
    /// Another expression.
    Expr(ExprId),
    /// A statement, directly.
    Stmt(StmtId),
}

/// One keyword argument; without a name it is `**value`.
#[derive(Clone, Debug)]
pub struct Keyword {
    /// The name.
    pub name: Option<Name>,
    /// The value.
    pub value: ExprId,
}

/// The kinds of expression; what concerns nobody is [`ExprKind::Other`] with its parts.
#[derive(Debug)]
pub enum ExprKind {
    /// A name, read or written.
    Name(Name),
    /// `value.attr`.
    Attribute {
        /// The object.
        value: ExprId,
        /// The attribute.
        attr: Name,
    },
    /// `func(args, keywords)`.
    Call {
        /// What is called.
        func: ExprId,
        /// Positional arguments; `*x` is [`ExprKind::Starred`].
        args: List<ExprId>,
        /// Keyword arguments.
        keywords: List<Keyword>,
    },
    /// `await value`.
    Await(ExprId),
    /// `yield value`.
    Yield(Option<ExprId>),
    /// `yield from value`.
    YieldFrom(ExprId),
    /// A string without placeholders.
    Str(Box<str>),
    /// A small integer.
    Int(i64),
    /// `True` or `False`.
    Bool(bool),
    /// `None`.
    None,
    /// `(a, b)`.
    Tuple(List<ExprId>),
    /// `[a, b]`.
    List(List<ExprId>),
    /// `{a, b}`.
    Set(List<ExprId>),
    /// `{k: v}`; without a key it is `**v`.
    Dict(List<(Option<ExprId>, ExprId)>),
    /// `value[index]`.
    Subscript {
        /// The container.
        value: ExprId,
        /// The index.
        index: ExprId,
    },
    /// `lambda …: …`; its body is the function's one return.
    Lambda(FunctionId),
    /// `body if test else orelse`.
    IfElse {
        /// The condition.
        test: ExprId,
        /// The value if true.
        body: ExprId,
        /// The value otherwise.
        orelse: ExprId,
    },
    /// `a or b`, `a and b`.
    BoolOp {
        /// `or` rather than `and`.
        or: bool,
        /// The operands.
        values: List<ExprId>,
    },
    /// `not value`.
    Not(ExprId),
    /// A comparison; `is` and `is not` are told apart from the rest.
    Compare {
        /// The first operand.
        left: ExprId,
        /// Each operator with its right operand.
        rest: List<(Comparison, ExprId)>,
    },
    /// A comprehension or generator expression.
    Comprehension {
        /// The element, or key and value.
        elements: List<ExprId>,
        /// Each `for target in iter if …`.
        generators: List<(ExprId, ExprId, List<ExprId>)>,
        /// It is a generator expression rather than a list, set or dict.
        lazy: bool,
    },
    /// `*value`.
    Starred(ExprId),
    /// `target := value`.
    Named {
        /// The name.
        target: ExprId,
        /// The value.
        value: ExprId,
    },
    /// Anything else, with its parts in source order.
    Other(List<ExprId>),
}

/// Operators of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `is`.
    Is,
    /// `is not`.
    IsNot,
    /// `==`.
    Eq,
    /// `!=`.
    NotEq,
    /// `in`.
    In,
    /// `not in`.
    NotIn,
    /// `<`, `>`, `<=`, `>=`.
    Order,
}

impl ExprKind {
    /// Visits the parts in source order. A lambda has none: its body is a function's.
    pub fn children(&self, visit: &mut dyn FnMut(ExprId)) {
        match self {
            Self::Name(_) | Self::Str(_) | Self::Int(_) | Self::Bool(_) | Self::None | Self::Lambda(_) => {}
            Self::Attribute { value, .. }
            | Self::Await(value)
            | Self::YieldFrom(value)
            | Self::Starred(value)
            | Self::Not(value) => visit(*value),
            Self::Yield(value) => value.iter().copied().for_each(visit),
            Self::Call { func, args, keywords } => {
                visit(*func);
                args.iter().copied().for_each(&mut *visit);
                keywords.iter().map(|keyword| keyword.value).for_each(visit);
            }
            Self::Tuple(items) | Self::List(items) | Self::Set(items) | Self::Other(items) => {
                items.iter().copied().for_each(visit);
            }
            Self::BoolOp { values, .. } => values.iter().copied().for_each(visit),
            Self::Dict(items) => {
                for (key, value) in items {
                    key.iter().copied().for_each(&mut *visit);
                    visit(*value);
                }
            }
            Self::Subscript { value, index } => {
                visit(*value);
                visit(*index);
            }
            Self::IfElse { test, body, orelse } => {
                visit(*body);
                visit(*test);
                visit(*orelse);
            }
            Self::Compare { left, rest } => {
                visit(*left);
                rest.iter().map(|(_, right)| *right).for_each(visit);
            }
            Self::Comprehension { elements, generators, .. } => {
                elements.iter().copied().for_each(&mut *visit);
                for (target, iter, conditions) in generators {
                    visit(*target);
                    visit(*iter);
                    conditions.iter().copied().for_each(&mut *visit);
                }
            }
            Self::Named { target, value } => {
                visit(*target);
                visit(*value);
            }
        }
    }
}
