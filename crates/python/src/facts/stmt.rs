//! Statements.

use super::{ClassId, ExprId, Facts, FunctionId, List, Name, TextRange};

/// Index of a statement in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StmtId(u32);

impl StmtId {
    /// From a list index.
    pub fn new(index: usize) -> Self {
        Self(index as u32)
    }

    /// As a list index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Statements in order.
pub type Block = List<StmtId>;

/// One statement.
#[derive(Debug)]
pub struct Stmt {
    /// What it is.
    pub kind: StmtKind,
    /// Where it stands; decorators included.
    pub range: TextRange,
    /// The statement around it in the same function; a class's body has the class statement.
    pub parent: Option<StmtId>,
    /// Which block of that.
    pub slot: Slot,
    /// The function that runs it.
    pub function: FunctionId,
    /// The class whose body it stands in directly.
    pub class: Option<ClassId>,
}

/// Which block of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// The body.
    Body,
    /// `else` (`elif` is an `if` in it).
    Orelse,
    /// The handler with this index.
    Handler(u32),
    /// `finally`.
    Finally,
    /// The `match` case with this index.
    Case(u32),
}

/// One item of a `with`.
#[derive(Clone, Debug)]
pub struct WithItem {
    /// The context manager.
    pub context: ExprId,
    /// `as target`.
    pub target: Option<ExprId>,
}

/// One `except`.
#[derive(Debug)]
pub struct Handler {
    /// The types; none for a bare `except`.
    pub types: Option<ExprId>,
    /// `as name`.
    pub name: Option<Name>,
    /// Its body.
    pub body: Block,
    /// Where it stands.
    pub range: TextRange,
}

/// One imported name.
#[derive(Clone, Debug)]
pub struct Alias {
    /// As written: `a.b` in `import a.b`, `x` in `from m import x`.
    pub name: Name,
    /// `as other`.
    pub alias: Option<Name>,
}

/// The kinds of statement.
#[derive(Debug)]
pub enum StmtKind {
    /// An expression for its effect.
    Expr(ExprId),
    /// `targets = value`.
    Assign {
        /// The targets, left to right.
        targets: List<ExprId>,
        /// The value.
        value: ExprId,
    },
    /// `target: annotation = value`.
    AnnAssign {
        /// The target.
        target: ExprId,
        /// The annotation.
        annotation: ExprId,
        /// The value.
        value: Option<ExprId>,
    },
    /// `target += value`.
    AugAssign {
        /// The target.
        target: ExprId,
        /// The value.
        value: ExprId,
    },
    /// `return value`.
    Return(Option<ExprId>),
    /// `raise exc from cause`.
    Raise {
        /// The exception.
        exc: Option<ExprId>,
        /// Its cause.
        cause: Option<ExprId>,
    },
    /// `del targets`.
    Delete(List<ExprId>),
    /// `assert …`.
    Assert(List<ExprId>),
    /// `if test: body else: orelse`.
    If {
        /// The condition.
        test: ExprId,
        /// If true.
        body: Block,
        /// Otherwise; an `elif` is an `if` standing here alone.
        orelse: Block,
    },
    /// `for target in iter`.
    For {
        /// `async for`.
        is_async: bool,
        /// The target.
        target: ExprId,
        /// What is iterated.
        iter: ExprId,
        /// The body.
        body: Block,
        /// `else`.
        orelse: Block,
    },
    /// `while test`.
    While {
        /// The condition.
        test: ExprId,
        /// The body.
        body: Block,
        /// `else`.
        orelse: Block,
    },
    /// `with items`.
    With {
        /// `async with`.
        is_async: bool,
        /// The items.
        items: List<WithItem>,
        /// The body.
        body: Block,
    },
    /// `try`.
    Try {
        /// The body.
        body: Block,
        /// The handlers.
        handlers: List<Handler>,
        /// `else`.
        orelse: Block,
        /// `finally`.
        finally: Block,
    },
    /// `match subject`.
    Match {
        /// The subject.
        subject: ExprId,
        /// Guard and body of each case.
        cases: List<(Option<ExprId>, Block)>,
        /// The last case takes anything.
        exhaustive: bool,
    },
    /// `def`.
    Function(FunctionId),
    /// `class`.
    Class(ClassId, Block),
    /// `import …`.
    Import(List<Alias>),
    /// `from module import …`.
    ImportFrom {
        /// The module.
        module: Option<Name>,
        /// Leading dots.
        level: u32,
        /// The names; `*` alone for a star import.
        names: List<Alias>,
    },
    /// `global …` or `nonlocal …`.
    Scope(List<Name>),
    /// `break`.
    Break,
    /// `continue`.
    Continue,
    /// `pass`, a type alias, or what could not be read.
    Pass,
}

impl Stmt {
    /// The block in that slot.
    pub fn block<'f>(&'f self, slot: Slot, _facts: &'f Facts) -> &'f [StmtId] {
        match (&self.kind, slot) {
            (
                StmtKind::If { body, .. }
                | StmtKind::For { body, .. }
                | StmtKind::While { body, .. }
                | StmtKind::With { body, .. }
                | StmtKind::Try { body, .. }
                | StmtKind::Class(_, body),
                Slot::Body,
            ) => body,
            (
                StmtKind::If { orelse, .. }
                | StmtKind::For { orelse, .. }
                | StmtKind::While { orelse, .. }
                | StmtKind::Try { orelse, .. },
                Slot::Orelse,
            ) => orelse,
            (StmtKind::Try { handlers, .. }, Slot::Handler(index)) => {
                handlers.get(index as usize).map_or(&[], |handler| handler.body.as_ref())
            }
            (StmtKind::Try { finally, .. }, Slot::Finally) => finally,
            (StmtKind::Match { cases, .. }, Slot::Case(index)) => {
                cases.get(index as usize).map_or(&[], |(_, body)| body.as_ref())
            }
            _ => &[],
        }
    }

    /// Visits the blocks in source order.
    pub fn blocks<'s>(&'s self, visit: &mut dyn FnMut(Slot, &'s [StmtId])) {
        match &self.kind {
            StmtKind::If { body, orelse, .. }
            | StmtKind::For { body, orelse, .. }
            | StmtKind::While { body, orelse, .. } => {
                visit(Slot::Body, body);
                visit(Slot::Orelse, orelse);
            }
            StmtKind::With { body, .. } | StmtKind::Class(_, body) => visit(Slot::Body, body),
            StmtKind::Try { body, handlers, orelse, finally } => {
                visit(Slot::Body, body);
                for (index, handler) in handlers.iter().enumerate() {
                    visit(Slot::Handler(index as u32), &handler.body);
                }
                visit(Slot::Orelse, orelse);
                visit(Slot::Finally, finally);
            }
            StmtKind::Match { cases, .. } => {
                for (index, (_, body)) in cases.iter().enumerate() {
                    visit(Slot::Case(index as u32), body);
                }
            }
            _ => {}
        }
    }

    /// Visits the expressions that stand in it directly, in the order they run. Decorators, defaults and bases of a
    /// definition are in its [`super::Function`] and [`super::Class`].
    pub fn exprs(&self, visit: &mut dyn FnMut(ExprId)) {
        match &self.kind {
            StmtKind::Expr(value) => visit(*value),
            StmtKind::Assign { targets, value } => {
                visit(*value);
                targets.iter().copied().for_each(visit);
            }
            StmtKind::AnnAssign { target, value, .. } => {
                value.iter().copied().for_each(&mut *visit);
                visit(*target);
            }
            StmtKind::AugAssign { target, value } => {
                visit(*target);
                visit(*value);
            }
            StmtKind::Return(value) => value.iter().copied().for_each(visit),
            StmtKind::Raise { exc, cause } => exc.iter().chain(cause).copied().for_each(visit),
            StmtKind::Delete(targets) | StmtKind::Assert(targets) => targets.iter().copied().for_each(visit),
            StmtKind::If { test, .. } | StmtKind::While { test, .. } => visit(*test),
            StmtKind::For { target, iter, .. } => {
                visit(*iter);
                visit(*target);
            }
            StmtKind::With { items, .. } => {
                for item in items {
                    visit(item.context);
                    item.target.iter().copied().for_each(&mut *visit);
                }
            }
            StmtKind::Try { handlers, .. } => {
                handlers.iter().filter_map(|handler| handler.types).for_each(visit);
            }
            StmtKind::Match { subject, cases, .. } => {
                visit(*subject);
                cases.iter().filter_map(|(guard, _)| *guard).for_each(visit);
            }
            StmtKind::Function(_)
            | StmtKind::Class(..)
            | StmtKind::Import(_)
            | StmtKind::ImportFrom { .. }
            | StmtKind::Scope(_)
            | StmtKind::Break
            | StmtKind::Continue
            | StmtKind::Pass => {}
        }
    }
}
