//! What stands before every line of a traceback: a log's prefix, the margins of an exception group; and the sentences
//! between the tracebacks of a chain.

use loopmend_model::Link;

/// A prefix, known by its letters and by where its digits are.
#[derive(Debug)]
pub(crate) struct Shape {
    text: String,
    /// It stood before the line after the first one, too.
    pub confirmed: bool,
}

impl Shape {
    /// The shape of the text before the first line of a traceback.
    pub fn new(text: &str) -> Option<Self> {
        (text.trim().len() >= 2).then(|| Self { text: text.to_owned(), confirmed: false })
    }

    /// The line without it, if the line begins with it.
    pub fn strip<'t>(&self, line: &'t str) -> Option<&'t str> {
        let mut rest = line.chars();
        for expected in self.text.chars() {
            match rest.next() {
                Some(c) if c == expected || c.is_ascii_digit() && expected.is_ascii_digit() => {}
                None if expected.is_whitespace() => return Some(""),
                _ => return None,
            }
        }
        Some(rest.as_str())
    }
}

/// A line within an exception group.
pub(crate) enum Margin<'t> {
    Content(&'t str),
    Member,
    End,
    None,
}

/// Takes the margin off.
pub(crate) fn margin(line: &str) -> Margin<'_> {
    let trimmed = line.trim_start();
    if let Some(rest) = trimmed.strip_prefix('|') {
        return Margin::Content(rest.strip_prefix(' ').unwrap_or(rest));
    }
    match trimmed.strip_prefix('+') {
        Some(rest) if rest.starts_with("-+-") || rest.starts_with("---") => {
            if rest.chars().all(|c| matches!(c, '-' | '+')) { Margin::End } else { Margin::Member }
        }
        Some(rest) if rest.starts_with(" Exception Group") => Margin::Content(&rest[1..]),
        _ => Margin::None,
    }
}

/// The sentence between two tracebacks of a chain.
pub(crate) fn link(line: &str) -> Option<Link> {
    let line = line.trim();
    if line.starts_with("The above exception was the direct") {
        Some(Link::CausedBy)
    } else if line.starts_with("During handling of the above exception") {
        Some(Link::DuringHandling)
    } else {
        None
    }
}
