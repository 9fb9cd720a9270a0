//! Several steps on one file, each on the text that the last one left.

use ruff_text_size::{TextRange, TextSize};
use similar::{DiffOp, TextDiff};

use super::change::Edit;
use super::refused::Refused;
use super::source::Source;

/// A file under change. Use it where one step needs what another put in (wrap a block, then insert into it);
/// steps on separate places can share one list of edits without it.
#[derive(Clone, Debug)]
pub struct Draft {
    before: Source,
    now: Source,
}

impl Draft {
    /// A draft that is the file as it is.
    pub fn new(source: &Source) -> Self {
        Self { before: source.clone(), now: source.clone() }
    }

    /// The file as the steps so far have made it; ranges for the next step are ranges of this.
    pub fn source(&self) -> &Source {
        &self.now
    }

    /// Makes one step. On a refusal the draft stays as it was.
    pub fn step(&mut self, edit: impl FnOnce(&Source) -> Result<Vec<Edit>, Refused>) -> Result<(), Refused> {
        let edits = edit(&self.now)?;
        if !edits.is_empty() {
            self.now = self.now.with(&edits)?;
        }
        Ok(())
    }

    /// All steps as edits of the file as it was, as small as a comparison by lines makes them.
    pub fn edits(&self) -> Vec<Edit> {
        difference(self.before.text(), self.now.text())
    }
}

/// The edits that make `after` of `before`.
pub fn difference(before: &str, after: &str) -> Vec<Edit> {
    let old_lines: Vec<&str> = before.split_inclusive('\n').collect();
    let new_lines: Vec<&str> = after.split_inclusive('\n').collect();
    let diff = TextDiff::from_slices(&old_lines, &new_lines);
    let starts = |lines: &[&str]| {
        let mut starts = vec![0];
        for line in lines {
            starts.push(starts[starts.len() - 1] + line.len());
        }
        starts
    };
    let old = starts(&old_lines);
    let new = starts(&new_lines);
    let mut edits = Vec::new();
    for op in diff.ops() {
        let (from, to) = (op.old_range(), op.new_range());
        match op {
            DiffOp::Equal { .. } => {}
            DiffOp::Replace { .. } if from.len() == to.len() => {
                for (old_line, new_line) in from.zip(to) {
                    let (old, new) = (old[old_line]..old[old_line + 1], new[new_line]..new[new_line + 1]);
                    edits.extend(narrowed(&before[old.clone()], old.start, &after[new]));
                }
            }
            _ => {
                let (old, new) = (old[from.start]..old[from.end], new[to.start]..new[to.end]);
                edits.push(Edit::replacement(range(old.start, old.end), &after[new]));
            }
        }
    }
    edits
}

fn range(start: usize, end: usize) -> TextRange {
    TextRange::new(TextSize::new(start as u32), TextSize::new(end as u32))
}

/// The edit without what its two texts share at their ends.
fn narrowed(old: &str, start: usize, new: &str) -> Option<Edit> {
    if old == new {
        return None;
    }
    let same = |(a, b): &(char, char)| a == b;
    let head: usize = old.chars().zip(new.chars()).take_while(same).map(|(c, _)| c.len_utf8()).sum();
    let (old_rest, new_rest) = (&old[head..], &new[head..]);
    let tail: usize =
        old_rest.chars().rev().zip(new_rest.chars().rev()).take_while(same).map(|(c, _)| c.len_utf8()).sum();
    let changed = range(start + head, start + old.len() - tail);
    Some(Edit::replacement(changed, &new_rest[..new_rest.len() - tail]))
}
