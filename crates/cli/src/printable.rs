//! Text of logs and sources made fit for a terminal: what would steer it is spelled out.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Spells out control characters and bidirectional overrides; line ends and tabs stay.
pub fn printable(text: &str) -> Cow<'_, str> {
    spelled(text, |c| c == '\n' || c == '\t')
}

/// The same for what must stay on one line: line ends and tabs become a space.
pub fn printable_line(text: &str) -> Cow<'_, str> {
    match spelled(text, |c| matches!(c, '\n' | '\r' | '\t')) {
        text if text.contains(['\n', '\r', '\t']) => Cow::Owned(
            text.split(['\n', '\r', '\t']).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" "),
        ),
        text => text,
    }
}

/// Appends one character as it may be shown.
pub fn push_printable(out: &mut String, c: char) {
    if !steers(c) {
        out.push(c);
    } else if c == '\r' {
        out.push_str("\\r");
    } else if u32::from(c) < 0x100 {
        let _ = write!(out, "\\x{:02x}", u32::from(c));
    } else {
        let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
    }
}

fn spelled(text: &str, stays: fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(|c| steers(c) && !stays(c)) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            c if stays(c) => out.push(c),
            c => push_printable(&mut out, c),
        }
    }
    Cow::Owned(out)
}

/// Whether a terminal would obey it, or show other text in another order than it stands.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_spelled() {
        assert_eq!(printable("a\x1b[31mred\x07\u{9b}1m"), "a\\x1b[31mred\\x07\\x9b1m");
        assert_eq!(printable("if x:\u{202e} # evil"), "if x:\\u{202e} # evil");
    }

    #[test]
    fn lines_and_tabs_stay() {
        assert_eq!(printable("a\r\n\tb\n"), "a\n\tb\n");
        assert!(matches!(printable("plain é 日本"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_line_stays_one() {
        assert_eq!(printable_line("a\r\nb\tc\x1b"), "a b c\\x1b");
    }

    #[test]
    fn a_lone_return_is_spelled() {
        assert_eq!(printable("50%\r60%"), "50%\\r60%");
    }
}
