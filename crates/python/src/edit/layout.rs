//! Lines, indents and comments around statements.

use ruff_python_ast::Stmt;
use ruff_python_ast::helpers::is_compound_statement;
use ruff_python_ast::token::TokenKind;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::block::StatementRef;
use super::refused::Refused;
use super::source::Source;

/// A run of neighbouring statements in one block.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// The first statement.
    pub first: StatementRef<'a>,
    /// The last statement, in the same block.
    pub last: StatementRef<'a>,
}

impl Source {
    /// The start of the line of an offset.
    pub fn line_start(&self, offset: TextSize) -> TextSize {
        let before = &self.text()[..offset.to_usize().min(self.text().len())];
        let after_mark = if before.starts_with('\u{feff}') { 3 } else { 0 };
        let start = before.rfind(['\n', '\r']).map_or(after_mark, |at| at + 1);
        TextSize::new(start as u32)
    }

    /// The end of the line of an offset, before its line ending.
    pub fn line_end(&self, offset: TextSize) -> TextSize {
        let from = offset.to_usize().min(self.text().len());
        let end = self.text()[from..].find(['\n', '\r']).map_or(self.text().len(), |at| from + at);
        TextSize::new(end as u32)
    }

    /// The start of the next line, or the end of the text.
    pub fn next_line(&self, offset: TextSize) -> TextSize {
        let end = self.line_end(offset).to_usize();
        let rest = &self.text()[end..];
        let ending = if rest.starts_with("\r\n") { 2 } else { usize::from(!rest.is_empty()) };
        TextSize::new((end + ending) as u32)
    }

    /// The start of the line above the line that starts at `start`.
    pub fn line_above(&self, start: TextSize) -> Option<TextSize> {
        let before = self.text().get(..start.to_usize())?;
        let line = before.strip_suffix("\r\n").or_else(|| before.strip_suffix(['\n', '\r']))?;
        Some(self.line_start(TextSize::new(line.len() as u32)))
    }

    /// The text of an offset's line, without its line ending.
    pub fn line(&self, offset: TextSize) -> &str {
        self.slice(TextRange::new(self.line_start(offset), self.line_end(offset)))
    }

    /// The white space at the start of an offset's line.
    pub fn indent_at(&self, offset: TextSize) -> &str {
        let line = self.line(offset);
        &line[..line.len() - line.trim_start_matches([' ', '\t', '\x0c']).len()]
    }

    /// Whether an offset lies inside a string that goes over several lines.
    pub fn in_string(&self, offset: TextSize) -> bool {
        let after = self.strings.partition_point(|string| string.start() < offset);
        after > 0 && offset < self.strings[after - 1].end()
    }

    /// The starts of those lines of a range that hold code or a comment and are not inside a string.
    pub fn code_lines(&self, range: TextRange) -> Vec<TextSize> {
        let mut lines = Vec::new();
        let mut at = self.line_start(range.start());
        while at < range.end() {
            if !self.in_string(at) && !self.line(at).trim().is_empty() {
                lines.push(at);
            }
            let next = self.next_line(at);
            if next == at {
                break;
            }
            at = next;
        }
        lines
    }

    /// One more level below `indent`, in its own kind of white space.
    pub fn unit_below(&self, indent: &str) -> &str {
        let tabs = !indent.is_empty() && indent.bytes().all(|byte| byte == b'\t');
        let spaces = !indent.is_empty() && indent.bytes().all(|byte| byte == b' ');
        if tabs {
            "\t"
        } else if spaces && self.unit.contains('\t') {
            "    "
        } else {
            &self.unit
        }
    }

    /// Where the code that heads a statement's block ends: just behind the colon, where the block follows it
    /// on the same line; `None` where the block has lines of its own.
    pub fn header_colon(&self, statement: StatementRef<'_>) -> Option<TextSize> {
        statement.owner?;
        let first = statement.body.first()?;
        let token = self.tokens_before(first.start()).last()?;
        (token.kind() == TokenKind::Colon).then(|| token.end())
    }

    /// The indent of a statement's block, also where it stands on its header's line.
    pub fn indent_of(&self, statement: StatementRef<'_>) -> String {
        if let (Some(_), Some(owner)) = (self.header_colon(statement), statement.owner) {
            let outer = self.statement_at(owner).map_or_else(String::new, |owner| self.indent_of(owner));
            let unit = self.unit_below(&outer).to_owned();
            return outer + &unit;
        }
        let first = statement.body.get(self.joined(statement).start).map_or(statement.start(), Ranged::start);
        self.indent_at(first).to_owned()
    }

    /// The statements of the block, by index, that `;` joins with this one on a line; itself alone as a rule.
    pub fn joined(&self, statement: StatementRef<'_>) -> std::ops::Range<usize> {
        let joined = |left: &Stmt, right: &Stmt| {
            !self
                .tokens_in(TextRange::new(left.end(), right.start().max(left.end())))
                .iter()
                .any(|token| token.kind() == TokenKind::Newline)
        };
        let body = statement.body;
        let (mut from, mut to) = (statement.index, statement.index + 1);
        while from > 0 && joined(&body[from - 1], &body[from]) {
            from -= 1;
        }
        while to < body.len() && joined(&body[to - 1], &body[to]) {
            to += 1;
        }
        from..to
    }

    /// The run from the first to the last statement that a range touches in one block.
    pub fn run_at(&self, at: impl Ranged) -> Result<Run<'_>, Refused> {
        let range = at.range();
        let holding = self.statements_at(range);
        if let Some(whole) = holding.last().filter(|found| found.range() == range) {
            return Ok(Run { first: *whole, last: *whole });
        }
        // The range may cover several statements: then the innermost block that holds them all has them.
        let (blocks, owner) = match holding.last() {
            Some(outer) => (super::block::blocks_of(outer.stmt), Some(outer.stmt)),
            None => (vec![self.body()], None),
        };
        let mut touched = blocks.into_iter().filter_map(|body| {
            let from = body.partition_point(|stmt| stmt.end() <= range.start());
            let to = body.partition_point(|stmt| stmt.start() < range.end());
            (from < to).then(|| Run {
                first: StatementRef { stmt: &body[from], body, index: from, owner },
                last: StatementRef { stmt: &body[to - 1], body, index: to - 1, owner },
            })
        });
        match (touched.next(), touched.next(), holding.last()) {
            (Some(run), None, _) => Ok(run),
            (Some(_), Some(_), _) => Err(Refused::NotOneBlock),
            (None, _, Some(inside)) => Ok(Run { first: *inside, last: *inside }),
            (None, _, None) => Err(Refused::Missing("statement")),
        }
    }

    /// The whole lines of a statement: comments directly above it, decorators, comment behind it, line ending,
    /// and comments below that are indented deeper.
    pub fn lines_of(&self, statement: StatementRef<'_>) -> TextRange {
        self.lines_of_run(Run { first: statement, last: statement })
    }

    /// The whole lines of a run, as for [`Source::lines_of`].
    pub fn lines_of_run(&self, run: Run<'_>) -> TextRange {
        TextRange::new(self.comments_above(run.first), self.lines_end(run.last))
    }

    /// The start of the line of a statement's first token.
    pub fn first_line(&self, statement: StatementRef<'_>) -> TextSize {
        let first = &statement.body[self.joined(statement).start];
        self.line_start(first.start())
    }

    /// The start of the comments directly above a statement, or of its own line.
    pub fn comments_above(&self, statement: StatementRef<'_>) -> TextSize {
        let mut start = self.first_line(statement);
        if self.header_colon(statement).is_some() {
            return start;
        }
        let indent = self.indent_at(start);
        while let Some(above) = self.line_above(start) {
            let line = self.line(above);
            let comment = line.strip_prefix(indent).is_some_and(|rest| rest.starts_with('#'));
            let first_lines =
                line.starts_with("#!") || (line.contains("coding") && self.position(above).line.get() <= 2);
            if !comment || first_lines || self.in_string(above) {
                break;
            }
            start = above;
        }
        start
    }

    /// The start of the line below a statement, with the comments below that are indented deeper than it.
    pub fn lines_end(&self, statement: StatementRef<'_>) -> TextSize {
        let joined = self.joined(statement);
        let last = &statement.body[joined.end - 1];
        let mut end = self.next_line(last.end());
        if is_compound_statement(last) {
            let indent = self.indent_at(self.first_line(statement)).len();
            let mut at = end;
            while at < self.end() {
                let line = self.line(at);
                let text = line.trim_start_matches([' ', '\t', '\x0c']);
                if text.starts_with('#') && line.len() - text.len() > indent {
                    end = self.next_line(at);
                } else if !text.is_empty() {
                    break;
                }
                at = self.next_line(at);
            }
        }
        end
    }

    /// Number of blank lines directly above an offset at the start of a line, and where they start.
    pub fn blank_above(&self, offset: TextSize) -> (usize, TextSize) {
        let (mut count, mut at) = (0, offset);
        while let Some(above) = self.line_above(at) {
            if !self.line(above).trim().is_empty() || self.in_string(above) {
                break;
            }
            count += 1;
            at = above;
        }
        (count, at)
    }

    /// Number of blank lines at and below an offset at the start of a line, and where they end.
    pub fn blank_below(&self, offset: TextSize) -> (usize, TextSize) {
        let (mut count, mut at) = (0, offset);
        while at < self.end() && self.line(at).trim().is_empty() {
            count += 1;
            at = self.next_line(at);
        }
        (count, at)
    }
}
