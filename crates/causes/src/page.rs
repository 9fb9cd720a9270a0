//! What a user reads of a cause.

/// The page of a cause: the only source of `explain CAUSE` and of the site's page. Markdown.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// One line: `A loop-bound object is used in a second run`.
    pub title: &'static str,
    /// What happens and why, in a few sentences.
    pub what: &'static str,
    /// How it looks in a log: lines as Python prints them.
    pub log: &'static str,
    /// A small example that has it (Python).
    pub wrong: &'static str,
    /// The same, mended (Python).
    pub right: &'static str,
    /// When nothing is done, and why.
    pub unless: &'static str,
    /// How to keep it from coming back.
    pub prevent: &'static str,
    /// Symptoms (ids of the symptom catalogue) that it can produce.
    pub symptoms: &'static [&'static str],
}

impl Page {
    /// The whole page as Markdown.
    pub fn markdown(&self, slug: &str) -> String {
        let mut text = format!("# {slug}: {}\n\n{}\n", self.title, self.what.trim());
        if !self.log.trim().is_empty() {
            text.push_str(&format!("\n## In a log\n\n```text\n{}\n```\n", self.log.trim_matches('\n')));
        }
        if !self.wrong.trim().is_empty() {
            text.push_str(&format!("\n## Wrong\n\n```python\n{}\n```\n", self.wrong.trim_matches('\n')));
        }
        if !self.right.trim().is_empty() {
            text.push_str(&format!("\n## Mended\n\n```python\n{}\n```\n", self.right.trim_matches('\n')));
        }
        text.push_str(&format!("\n## When nothing is done\n\n{}\n", self.unless.trim()));
        text.push_str(&format!("\n## Keeping it away\n\n{}\n", self.prevent.trim()));
        text
    }
}
