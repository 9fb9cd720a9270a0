//! Where the statements of a file are after edits to it.

use loopmend_python::edit::{Edit, Source};
use loopmend_python::facts::{TextRange, TextSize};
use ruff_text_size::Ranged;

/// Blank lines that a definition wants above itself.
pub fn apart(source: &Source, before: TextRange) -> Vec<Edit> {
    let Some(found) = source.statement_at(before) else { return Vec::new() };
    let wanted = if found.owner.is_none() { 2 } else { 1 };
    let at = source.comments_above(found);
    let (above, _) = source.blank_above(at);
    if found.index == 0 || above >= wanted {
        return Vec::new();
    }
    vec![Edit::insertion(at, source.newline().repeat(wanted - above))]
}

/// The statements of one block that a moved range still covers: lines may have gone at its ends.
pub fn located(source: &Source, range: TextRange) -> TextRange {
    let text = &source.text()[range.start().to_usize()..];
    let blank = (text.len() - text.trim_start().len()) as u32;
    let start = range.start() + TextSize::new(blank);
    let found =
        source.statements_at(TextRange::empty(start)).into_iter().find(|found| found.start() == start);
    let Some(found) = found else { return range };
    let last = found.body[found.index..].iter().take_while(|stmt| stmt.start() < range.end()).last();
    last.map_or(range, |last| TextRange::new(start, last.end()))
}

/// Where offsets of the file are after the steps so far.
#[derive(Clone, Debug, Default)]
pub struct Shift {
    /// The edits of each step, in order.
    pub edits: Vec<Vec<Edit>>,
}

impl Shift {
    /// A range of the file as it was, in the file as it is.
    pub fn range(&self, range: TextRange) -> TextRange {
        let mut range = range;
        for step in &self.edits {
            let moved = |offset: TextSize, end: bool| {
                let mut delta = 0_i64;
                let mut clamped = None;
                for edit in step {
                    let added = i64::from(TextSize::of(edit.content.as_str()).to_u32());
                    // An insertion at a border belongs to what starts or ends there.
                    let at_border = edit.range.is_empty() && edit.range.start() == offset;
                    if edit.range.end() <= offset && !at_border && (end || edit.range.start() < offset) {
                        delta += added - i64::from(edit.range.len().to_u32());
                    } else if edit.range.start() < offset && offset < edit.range.end() {
                        clamped = Some((edit.range.start(), added));
                    }
                }
                let (from, more) = clamped.unwrap_or((offset, 0));
                TextSize::new(u32::try_from(i64::from(from.to_u32()) + delta + more).unwrap_or(0))
            };
            let (start, end) = (moved(range.start(), false), moved(range.end(), true));
            range = TextRange::new(start, end.max(start));
        }
        range
    }
}
