//! An edit of a text, and putting edits into it.

use std::collections::BTreeMap;

use ruff_text_size::{Ranged, TextRange, TextSize};

/// One replacement of a range; an insertion where the range is empty, a deletion where the content is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Edit {
    /// What goes away, in bytes of the text before all edits.
    pub range: TextRange,
    /// What comes in its place.
    pub content: String,
}

impl Edit {
    /// Puts `content` before the byte at `offset`.
    pub fn insertion(offset: TextSize, content: impl Into<String>) -> Self {
        Self { range: TextRange::empty(offset), content: content.into() }
    }

    /// Takes `range` away.
    pub fn deletion(range: impl Ranged) -> Self {
        Self { range: range.range(), content: String::new() }
    }

    /// Puts `content` in the place of `range`.
    pub fn replacement(range: impl Ranged, content: impl Into<String>) -> Self {
        Self { range: range.range(), content: content.into() }
    }
}

impl Ranged for Edit {
    fn range(&self) -> TextRange {
        self.range
    }
}

/// Two edits want the same bytes, or an edit lies outside the text.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Overlap {
    /// The two ranges, in the order of the text.
    #[error("edits at bytes {first:?} and {second:?} overlap")]
    Edits {
        /// The earlier.
        first: TextRange,
        /// The later.
        second: TextRange,
    },
    /// The range is not one of this text, or cuts a character in two.
    #[error("an edit at bytes {0:?} lies outside the text")]
    Outside(TextRange),
}

/// The text with all edits in it.
///
/// Insertions at one offset keep the order in which they are given and come before a replacement that starts
/// there; a replacement that is given twice counts once.
pub fn apply(text: &str, edits: &[Edit]) -> Result<String, Overlap> {
    let mut ordered: Vec<&Edit> =
        edits.iter().filter(|e| !(e.range.is_empty() && e.content.is_empty())).collect();
    ordered.sort_by_key(|edit| (edit.range.start(), !edit.range.is_empty(), edit.range.end()));
    let mut result = String::with_capacity(text.len() + 256);
    let mut done = 0;
    let mut last: Option<&Edit> = None;
    for edit in ordered {
        let range = edit.range.to_std_range();
        if text.get(range.clone()).is_none() {
            return Err(Overlap::Outside(edit.range));
        }
        if let Some(before) = last {
            if before == edit && !edit.range.is_empty() {
                continue;
            }
            if range.start < done {
                return Err(Overlap::Edits { first: before.range, second: edit.range });
            }
        }
        result.push_str(&text[done..range.start]);
        result.push_str(&edit.content);
        done = range.end;
        last = Some(edit);
    }
    result.push_str(&text[done..]);
    Ok(result)
}

/// Edits by the path of their file, in the order of the paths.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EditSet {
    files: BTreeMap<String, Vec<Edit>>,
}

impl EditSet {
    /// A set without edits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds edits of one file after those it has.
    pub fn extend(&mut self, path: &str, edits: impl IntoIterator<Item = Edit>) {
        let mut edits = edits.into_iter().peekable();
        if edits.peek().is_some() {
            self.files.entry(path.to_owned()).or_default().extend(edits);
        }
    }

    /// Adds all edits of another set after these.
    pub fn merge(&mut self, other: EditSet) {
        for (path, edits) in other.files {
            self.extend(&path, edits);
        }
    }

    /// The files and their edits, in the order of the paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[Edit])> {
        self.files.iter().map(|(path, edits)| (path.as_str(), edits.as_slice()))
    }

    /// The edits of one file.
    pub fn of(&self, path: &str) -> &[Edit] {
        self.files.get(path).map_or(&[], Vec::as_slice)
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The text of `path` with its edits in it.
    pub fn apply(&self, path: &str, text: &str) -> Result<String, Overlap> {
        apply(text, self.of(path))
    }
}
