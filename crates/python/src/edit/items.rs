//! Things between brackets with commas between them: arguments, parameters, imported names.

use ruff_python_ast::token::TokenKind;
use ruff_text_size::{Ranged, TextRange, TextSize};

use super::change::Edit;
use super::source::Source;

/// The list: the space between its brackets and the things in it, in order.
#[derive(Clone, Debug)]
pub(super) struct Items {
    /// Between the brackets.
    pub inside: TextRange,
    /// The things, without commas.
    pub items: Vec<TextRange>,
}

impl Items {
    /// Puts `text` before the thing at `index`, or behind the last.
    pub fn insert(&self, source: &Source, index: usize, text: &str) -> Vec<Edit> {
        let newline = source.newline();
        if let Some(next) = self.items.get(index) {
            let gap = if starts_line(source, next.start()) {
                format!("{newline}{}", source.indent_at(next.start()))
            } else {
                " ".to_owned()
            };
            return vec![Edit::insertion(next.start(), format!("{text},{gap}"))];
        }
        let Some(last) = self.items.last() else { return vec![Edit::insertion(self.inside.start(), text)] };
        let line_end = source.line_end(last.end());
        let before = self.items.len().checked_sub(2).map(|index| self.items[index].end());
        let one_a_line = starts_line(source, last.start())
            && before.is_none_or(|before| before < source.line_start(last.start()))
            && line_end < self.inside.end();
        if !one_a_line {
            return vec![Edit::insertion(last.end(), format!(", {text}"))];
        }
        let line = format!("{newline}{}{text}", source.indent_at(last.start()));
        match self.comma_behind(source, *last) {
            Some(comma) if comma.end() <= line_end => vec![Edit::insertion(line_end, line + ",")],
            Some(_) => vec![Edit::insertion(last.end(), format!(", {text}"))],
            None => vec![Edit::insertion(last.end(), ","), Edit::insertion(line_end, line)],
        }
    }

    /// Takes the thing at `index` out, with one comma; with its line where it has one of its own.
    pub fn remove(&self, source: &Source, index: usize) -> Vec<Edit> {
        let Some(&item) = self.items.get(index) else { return Vec::new() };
        let comma = self.comma_behind(source, item);
        let end = comma.map_or(item.end(), ruff_text_size::TextRange::end);
        if self.items.len() == 1 {
            let whole =
                if source.comments().intersects(self.inside) { item.cover_offset(end) } else { self.inside };
            return vec![Edit::deletion(whole)];
        }
        let line_end = source.line_end(end);
        let behind = source.slice(TextRange::new(end, line_end)).trim();
        let own_lines = starts_line(source, item.start())
            && line_end < self.inside.end()
            && (behind.is_empty() || behind.starts_with('#'));
        let previous = index.checked_sub(1).map(|index| self.items[index]);
        if own_lines {
            let mut edits = Vec::new();
            if comma.is_none()
                && let Some(comma) = previous.and_then(|previous| self.comma_behind(source, previous))
            {
                edits.push(Edit::deletion(comma));
            }
            edits
                .push(Edit::deletion(TextRange::new(source.line_start(item.start()), source.next_line(end))));
            return edits;
        }
        vec![Edit::deletion(match (self.items.get(index + 1), previous) {
            (Some(next), _) if !source.comments().intersects(TextRange::new(item.end(), next.start())) => {
                TextRange::new(item.start(), next.start())
            }
            (None, Some(previous))
                if !source.comments().intersects(TextRange::new(previous.end(), item.start())) =>
            {
                TextRange::new(previous.end(), item.end())
            }
            _ => item.cover_offset(end),
        })]
    }

    fn comma_behind(&self, source: &Source, item: TextRange) -> Option<TextRange> {
        let behind = source.tokens_in(TextRange::new(item.end(), self.inside.end().max(item.end())));
        let token = behind.iter().find(|token| !token.kind().is_trivia())?;
        (token.kind() == TokenKind::Comma).then(|| token.range())
    }
}

fn starts_line(source: &Source, offset: TextSize) -> bool {
    source.slice(TextRange::new(source.line_start(offset), offset)).trim().is_empty()
}
