//! Blocks of statements, and a statement in its block.

use ruff_python_ast::{ExceptHandler, Stmt};
use ruff_text_size::{Ranged, TextRange};

/// A statement and where it stands.
#[derive(Clone, Copy, Debug)]
pub struct StatementRef<'a> {
    /// The statement.
    pub stmt: &'a Stmt,
    /// All statements of its block.
    pub body: &'a [Stmt],
    /// Its place in `body`.
    pub index: usize,
    /// The compound statement that owns the block; `None` at module level.
    pub owner: Option<&'a Stmt>,
}

impl<'a> StatementRef<'a> {
    /// The statement after it in its block.
    pub fn next(&self) -> Option<&'a Stmt> {
        self.body.get(self.index + 1)
    }

    /// The statement before it in its block.
    pub fn previous(&self) -> Option<&'a Stmt> {
        self.index.checked_sub(1).and_then(|index| self.body.get(index))
    }

    /// Whether it is the only statement of its block, which can't be left empty.
    pub fn is_only(&self) -> bool {
        self.owner.is_some() && self.body.len() == 1
    }
}

impl Ranged for StatementRef<'_> {
    fn range(&self) -> TextRange {
        self.stmt.range()
    }
}

/// The blocks directly in a compound statement, in the order of the text; empty for a simple statement.
pub fn blocks_of(stmt: &Stmt) -> Vec<&[Stmt]> {
    let mut blocks: Vec<&[Stmt]> = Vec::new();
    match stmt {
        Stmt::FunctionDef(node) => blocks.push(&node.body),
        Stmt::ClassDef(node) => blocks.push(&node.body),
        Stmt::With(node) => blocks.push(&node.body),
        Stmt::For(node) => blocks.extend([&node.body[..], &node.orelse[..]]),
        Stmt::While(node) => blocks.extend([&node.body[..], &node.orelse[..]]),
        Stmt::If(node) => {
            blocks.push(&node.body);
            blocks.extend(node.elif_else_clauses.iter().map(|clause| &clause.body[..]));
        }
        Stmt::Match(node) => blocks.extend(node.cases.iter().map(|case| &case.body[..])),
        Stmt::Try(node) => {
            blocks.push(&node.body);
            blocks
                .extend(node.handlers.iter().map(|ExceptHandler::ExceptHandler(handler)| &handler.body[..]));
            blocks.extend([&node.orelse[..], &node.finalbody[..]]);
        }
        _ => {}
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

/// The first statement of a body, where it is a docstring.
pub fn docstring(body: &[Stmt]) -> Option<&Stmt> {
    body.first().filter(|first| first.as_expr_stmt().is_some_and(|node| node.value.is_string_literal_expr()))
}

/// Whether a statement only stands for an empty block: `pass` or `...`.
pub fn is_placeholder(stmt: &Stmt) -> bool {
    match stmt {
        Stmt::Pass(_) => true,
        Stmt::Expr(node) => node.value.is_ellipsis_literal_expr(),
        _ => false,
    }
}
