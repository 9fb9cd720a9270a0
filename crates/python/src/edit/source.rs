//! A Python file, parsed, and what an edit must know of its style.

use std::sync::Arc;

use ruff_python_ast::token::{Token, TokenKind};
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, ModModule, PySourceType, Stmt, StmtFunctionDef};
use ruff_python_parser::{Parsed, parse_unchecked_source};
use ruff_python_trivia::CommentRanges;
use ruff_source_file::{LineColumn, LineIndex, find_newline};
use ruff_text_size::{Ranged, TextLen, TextRange, TextSize};

use super::block::{StatementRef, blocks_of};
use super::change::{Edit, Overlap, apply};

/// A file's text, its syntax, and its habits. Broken Python gives what could be parsed.
#[derive(Clone, Debug)]
pub struct Source {
    path: String,
    text: Arc<str>,
    parsed: Parsed<ModModule>,
    comments: CommentRanges,
    lines: LineIndex,
    /// Strings that go over several lines; nothing inside them is ever moved.
    pub(super) strings: Vec<TextRange>,
    pub(super) unit: String,
    newline: &'static str,
    quote: char,
}

impl Source {
    /// Parses a file. Total: errors are in [`Source::is_broken`].
    pub fn parse(path: &str, text: impl Into<Arc<str>>) -> Self {
        let text: Arc<str> = text.into();
        let parsed = parse_unchecked_source(&text, PySourceType::Python);
        let comments = CommentRanges::from(parsed.tokens());
        let lines = LineIndex::from_source_text(&text);
        let strings = strings_over_lines(parsed.tokens(), &text);
        let unit = indent_unit(parsed.tokens(), &text);
        let newline = match find_newline(&text) {
            Some((_, ending)) => match ending.as_str() {
                "\r\n" => "\r\n",
                "\r" => "\r",
                _ => "\n",
            },
            None => "\n",
        };
        let quote = preferred_quote(parsed.tokens());
        Self { path: path.to_owned(), text, parsed, comments, lines, strings, unit, newline, quote }
    }

    /// The file after `edits`, parsed anew: for the next step on a changed text.
    pub fn with(&self, edits: &[Edit]) -> Result<Self, Overlap> {
        Ok(Self::parse(&self.path, apply(&self.text, edits)?))
    }

    /// Path in the project, with `/`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a node or range; empty where the range is not of this text.
    pub fn slice(&self, ranged: impl Ranged) -> &str {
        self.text.get(ranged.range().to_std_range()).unwrap_or("")
    }

    /// The statements of the module.
    pub fn body(&self) -> &[Stmt] {
        self.parsed.suite()
    }

    /// The parsed module with its tokens.
    pub fn parsed(&self) -> &Parsed<ModModule> {
        &self.parsed
    }

    /// Whether the parser found syntax errors.
    pub fn is_broken(&self) -> bool {
        !self.parsed.errors().is_empty()
    }

    /// The comments, in order.
    pub fn comments(&self) -> &CommentRanges {
        &self.comments
    }

    /// One level of indentation: four spaces unless the file shows another.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// The line ending: that of the first line.
    pub fn newline(&self) -> &'static str {
        self.newline
    }

    /// The quote that most strings have: `"` or `'`.
    pub fn quote(&self) -> char {
        self.quote
    }

    /// `text` as a string literal in the file's quotes.
    pub fn quoted(&self, text: &str) -> String {
        let escaped = text.replace('\\', "\\\\").replace(self.quote, &format!("\\{}", self.quote));
        format!("{0}{escaped}{0}", self.quote)
    }

    /// Line and column of an offset, both from one.
    pub fn position(&self, offset: TextSize) -> LineColumn {
        self.lines.line_column(offset, &self.text)
    }

    /// The innermost statement that holds a range, an offset or a node.
    pub fn statement_at(&self, at: impl Ranged) -> Option<StatementRef<'_>> {
        self.statements_at(at).pop()
    }

    /// All statements that hold a range, outermost first.
    pub fn statements_at(&self, at: impl Ranged) -> Vec<StatementRef<'_>> {
        let range = at.range();
        let mut found = Vec::new();
        let mut blocks = vec![self.body()];
        let mut owner = None;
        'descend: loop {
            for body in std::mem::take(&mut blocks) {
                let after = body.partition_point(|stmt| stmt.start() <= range.start());
                let Some(index) = after.checked_sub(1) else { continue };
                let stmt = &body[index];
                if stmt.range().contains_range(range) {
                    found.push(StatementRef { stmt, body, index, owner });
                    owner = Some(stmt);
                    blocks = blocks_of(stmt);
                    continue 'descend;
                }
            }
            return found;
        }
    }

    /// The innermost statement that holds the byte at `offset`.
    pub fn statement_at_offset(&self, offset: TextSize) -> Option<StatementRef<'_>> {
        self.statement_at(TextRange::empty(offset))
    }

    /// The innermost `def` that holds a range, its decorators and header included.
    pub fn function_at(&self, at: impl Ranged) -> Option<&StmtFunctionDef> {
        self.statements_at(at).into_iter().rev().find_map(|found| found.stmt.as_function_def_stmt())
    }

    /// The innermost `def` in whose *body* a range lies.
    pub fn enclosing_function(&self, at: impl Ranged) -> Option<&StmtFunctionDef> {
        let range = at.range();
        self.statements_at(range).into_iter().rev().find_map(|found| {
            let function = found.stmt.as_function_def_stmt()?;
            function.body.first().is_some_and(|first| first.start() <= range.start()).then_some(function)
        })
    }

    /// The function of this name at module level, or `Class.name`.
    pub fn function_named(&self, name: &str) -> Option<&StmtFunctionDef> {
        let (body, name) = match name.split_once('.') {
            Some((class, name)) => {
                let found =
                    self.body().iter().filter_map(Stmt::as_class_def_stmt).find(|c| c.name.as_str() == class);
                (&found?.body[..], name)
            }
            None => (self.body(), name),
        };
        body.iter().filter_map(Stmt::as_function_def_stmt).find(|function| function.name.as_str() == name)
    }

    /// The smallest expression that holds a range; the largest of those with exactly this range.
    pub fn expr_at(&self, at: impl Ranged) -> Option<&Expr> {
        let range = at.range();
        let found = self.exprs_at(range);
        found.iter().find(|expr| expr.range() == range).or(found.last()).copied()
    }

    /// All expressions that hold a range, outermost first, within their statement.
    pub fn exprs_at(&self, at: impl Ranged) -> Vec<&Expr> {
        let range = at.range();
        let mut covering = Covering { range, found: Vec::new() };
        if let Some(statement) = self.statement_at(range) {
            covering.visit_stmt(statement.stmt);
        }
        covering.found
    }

    /// The smallest call that holds a range.
    pub fn call_at(&self, at: impl Ranged) -> Option<&ExprCall> {
        self.exprs_at(at).into_iter().rev().find_map(Expr::as_call_expr)
    }

    /// The tokens that lie wholly in a range.
    pub fn tokens_in(&self, at: impl Ranged) -> &[Token] {
        let (range, tokens) = (at.range(), self.parsed.tokens());
        let from = tokens.partition_point(|token| token.start() < range.start());
        let to = tokens.partition_point(|token| token.end() <= range.end());
        tokens.get(from..to).unwrap_or(&[])
    }

    /// The tokens that end at or before an offset.
    pub fn tokens_before(&self, offset: TextSize) -> &[Token] {
        let tokens = self.parsed.tokens();
        &tokens[..tokens.partition_point(|token| token.end() <= offset)]
    }

    /// The offset behind the text.
    pub fn end(&self) -> TextSize {
        self.text.text_len()
    }
}

struct Covering<'a> {
    range: TextRange,
    found: Vec<&'a Expr>,
}

impl<'a> Visitor<'a> for Covering<'a> {
    fn visit_stmt(&mut self, stmt: &'a Stmt) {
        if stmt.range().contains_range(self.range) {
            walk_stmt(self, stmt);
        }
    }

    fn visit_expr(&mut self, expr: &'a Expr) {
        if expr.range().contains_range(self.range) {
            self.found.push(expr);
            walk_expr(self, expr);
        }
    }
}

fn strings_over_lines(tokens: &[Token], text: &str) -> Vec<TextRange> {
    let mut strings = Vec::new();
    let mut open: Vec<TextSize> = Vec::new();
    let mut push = |range: TextRange| {
        if text.get(range.to_std_range()).is_some_and(|slice| slice.contains(['\n', '\r'])) {
            strings.push(range);
        }
    };
    for token in tokens {
        match token.kind() {
            TokenKind::FStringStart | TokenKind::TStringStart => open.push(token.start()),
            TokenKind::FStringEnd | TokenKind::TStringEnd => {
                if let Some(start) = open.pop()
                    && open.is_empty()
                {
                    push(TextRange::new(start, token.end()));
                }
            }
            TokenKind::String if open.is_empty() => push(token.range()),
            _ => {}
        }
    }
    strings
}

fn indent_unit(tokens: &[Token], text: &str) -> String {
    let mut levels: Vec<&str> = vec![""];
    let mut votes: Vec<(&str, usize)> = Vec::new();
    for token in tokens {
        match token.kind() {
            TokenKind::Indent => {
                let line = text[..token.end().to_usize()].rfind(['\n', '\r']).map_or(0, |at| at + 1);
                let indent = text.get(line..token.end().to_usize()).unwrap_or("");
                let outer = levels.last().copied().unwrap_or("");
                if let Some(unit) = indent.strip_prefix(outer).filter(|unit| !unit.is_empty()) {
                    match votes.iter_mut().find(|(known, _)| *known == unit) {
                        Some((_, count)) => *count += 1,
                        None => votes.push((unit, 1)),
                    }
                }
                levels.push(indent);
            }
            TokenKind::Dedent => {
                levels.pop();
            }
            _ => {}
        }
    }
    let most = votes.iter().map(|(_, count)| *count).max().unwrap_or(0);
    votes.iter().find(|(_, count)| *count == most).map_or("    ", |(unit, _)| unit).to_owned()
}

fn preferred_quote(tokens: &[Token]) -> char {
    let (mut single, mut double) = (0, 0);
    for token in tokens {
        let flags = match token.kind() {
            TokenKind::String | TokenKind::FStringStart => token.string_flags(),
            _ => None,
        };
        if let Some(flags) = flags
            && !ruff_python_ast::StringFlags::is_triple_quoted(flags)
        {
            match ruff_python_ast::StringFlags::quote_style(flags) {
                ruff_python_ast::str::Quote::Single => single += 1,
                ruff_python_ast::str::Quote::Double => double += 1,
            }
        }
    }
    if single > double { '\'' } else { '"' }
}
