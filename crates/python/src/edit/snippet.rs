//! Text of statements on its way into a file or out of it.
//!
//! A *snippet* has no indent at its first level, four spaces a level below, and `\n` line ends. Lines inside
//! strings stay as they are on both ways.

use ruff_text_size::{TextRange, TextSize};

use super::source::Source;

/// The snippet `text` at `indent`, in a file's units and line ends, without a line ending at its end.
pub(super) fn indented(source: &Source, text: &str, indent: &str) -> String {
    let text = text.replace("\r\n", "\n");
    let text = text.trim_end_matches('\n');
    let lexed = Source::parse("", text);
    let unit = source.unit_below(indent);
    let mut result = String::with_capacity(text.len() + 64);
    let mut offset = 0;
    for line in text.split('\n') {
        if offset > 0 {
            result.push_str(source.newline());
        }
        let start = TextSize::new(offset);
        offset += line.len() as u32 + 1;
        if lexed.in_string(start) {
            result.push_str(line);
            continue;
        }
        let code = line.trim_start_matches(' ');
        if code.trim().is_empty() {
            continue;
        }
        let spaces = line.len() - code.len();
        result.push_str(indent);
        result.push_str(&unit.repeat(spaces / 4));
        result.push_str(&" ".repeat(spaces % 4));
        result.push_str(code);
    }
    result
}

/// The lines of `range` of a file as a snippet, where `indent` is the indent of their first level.
pub(super) fn taken(source: &Source, range: TextRange, indent: &str) -> String {
    let unit = source.unit_below(indent);
    let mut result = String::new();
    let mut at = range.start();
    while at < range.end() {
        let next = source.next_line(at).min(range.end());
        let line = source.slice(TextRange::new(at, source.line_end(at).min(range.end()).max(at)));
        if source.in_string(at) {
            result.push_str(line);
        } else if !line.trim().is_empty() {
            let code = line.trim_start_matches([' ', '\t', '\x0c']);
            let white = &line[..line.len() - code.len()];
            let mut rest = white.strip_prefix(indent).unwrap_or("");
            while let Some(shorter) = rest.strip_prefix(unit) {
                result.push_str("    ");
                rest = shorter;
            }
            result.push_str(&rest.replace('\t', "    "));
            result.push_str(code);
        }
        result.push('\n');
        if next == at {
            break;
        }
        at = next;
    }
    result
}

/// `text`, whole lines that end with a line ending, made ready to stand at the start of a line at `offset`.
pub(super) fn lines_at(source: &Source, offset: TextSize, text: &str) -> String {
    let newline = source.newline();
    if offset == source.end() && offset > TextSize::new(0) && !source.text().ends_with(['\n', '\r']) {
        let text = text.strip_suffix(newline).unwrap_or(text);
        return format!("{newline}{text}");
    }
    text.to_owned()
}

/// The level of the last line of a snippet.
pub(super) fn last_level(text: &str) -> usize {
    let last = text.trim_end().rsplit('\n').next().unwrap_or("");
    (last.len() - last.trim_start_matches(' ').len()) / 4
}

/// A snippet `levels` deeper; lines inside strings and blank lines stay. Without a line ending at its end.
pub fn shifted(snippet: &str, levels: usize) -> String {
    let snippet = snippet.trim_end_matches('\n');
    let lexed = Source::parse("", snippet);
    let indent = "    ".repeat(levels);
    let mut result = String::with_capacity(snippet.len() + 64);
    let mut offset = 0;
    for line in snippet.split_inclusive('\n') {
        if !line.trim().is_empty() && !lexed.in_string(TextSize::new(offset)) {
            result.push_str(&indent);
        }
        result.push_str(line);
        offset += line.len() as u32;
    }
    result
}
