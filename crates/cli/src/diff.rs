//! A patch as a unified diff: plain for programs, coloured for people.

use std::fmt::Write as _;

use loopmend_model::Patch;
use similar::{ChangeTag, TextDiff};

use crate::printable::printable;
use crate::style::{self, paint};

/// Lines of context around a change.
const CONTEXT: usize = 3;

/// A patch' size and text.
pub struct Diff {
    /// What `git apply` takes.
    pub text: String,
    /// Lines added.
    pub added: usize,
    /// Lines removed.
    pub removed: usize,
}

/// The diff of a patch.
pub fn of(patch: &Patch) -> Diff {
    let mut diff = Diff { text: String::new(), added: 0, removed: 0 };
    for file in &patch.files {
        let before = file.before.as_deref().unwrap_or_default();
        let lines = TextDiff::from_lines(before, &file.after);
        for change in lines.iter_all_changes() {
            match change.tag() {
                ChangeTag::Insert => diff.added += 1,
                ChangeTag::Delete => diff.removed += 1,
                ChangeTag::Equal => {}
            }
        }
        let old = if file.before.is_some() { format!("a/{}", file.path) } else { "/dev/null".to_owned() };
        let new = format!("b/{}", file.path);
        let _ = write!(diff.text, "{}", lines.unified_diff().context_radius(CONTEXT).header(&old, &new));
    }
    diff
}

impl Diff {
    /// The text in colour, fit for a terminal.
    pub fn coloured(&self) -> String {
        let mut out = String::with_capacity(self.text.len() * 2);
        for line in self.text.split_inclusive('\n') {
            let line = line.strip_suffix('\n').unwrap_or(line);
            let line = line.strip_suffix('\r').unwrap_or(line);
            let style = match line.as_bytes() {
                [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => style::HEADING,
                [b'+', ..] => style::ADDED,
                [b'-', ..] => style::REMOVED,
                [b'@', ..] => style::NAME,
                _ => {
                    let _ = writeln!(out, "{}", printable(line));
                    continue;
                }
            };
            let _ = writeln!(out, "{}", paint(style, printable(line)));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use loopmend_model::{Applicability, FileChange};

    use super::*;

    #[test]
    fn a_diff_counts_and_names_files() {
        let patch = Patch {
            files: vec![
                FileChange {
                    path: "app/a.py".to_owned(),
                    before: Some("x\ny\n".to_owned()),
                    after: "x\nz\n".to_owned(),
                },
                FileChange { path: "new.py".to_owned(), before: None, after: "n\n".to_owned() },
            ],
            applicability: Applicability::Safe,
        };
        let diff = of(&patch);
        assert_eq!((diff.added, diff.removed), (2, 1));
        assert_eq!(
            diff.text,
            "--- a/app/a.py\n+++ b/app/a.py\n@@ -1,2 +1,2 @@\n x\n-y\n+z\n--- /dev/null\n+++ b/new.py\n@@ -0,0 +1 @@\n+n\n"
        );
    }
}
