//! Colour and other terminal controls.

use std::borrow::Cow;

use memchr::memchr2;

/// The line without escape sequences (CSI, OSC, two-byte ones), without the carriage return of a CRLF, and without
/// what a carriage return overwrote.
pub(crate) fn strip(line: &str) -> Cow<'_, str> {
    let line = line.strip_suffix('\r').unwrap_or(line);
    if memchr2(b'\x1b', b'\r', line.as_bytes()).is_none() {
        return Cow::Borrowed(line);
    }
    let mut out = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr2(b'\x1b', b'\r', rest.as_bytes()) {
        out.push_str(&rest[..at]);
        let control = rest.as_bytes()[at];
        rest = &rest[at + 1..];
        if control == b'\x1b' {
            rest = after_sequence(rest);
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// What follows an escape sequence, of which the first character is gone.
fn after_sequence(text: &str) -> &str {
    let mut chars = text.chars();
    match chars.next() {
        Some('[') => while chars.next().is_some_and(|c| !('\u{40}'..='\u{7e}').contains(&c)) {},
        Some(']') => {
            while let Some(c) = chars.next() {
                if c == '\u{7}' {
                    break;
                }
                if c == '\u{1b}' {
                    chars.next();
                    break;
                }
            }
        }
        _ => {}
    }
    chars.as_str()
}
