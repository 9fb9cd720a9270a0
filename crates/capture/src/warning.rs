//! Lines of the `warnings` module.

use loopmend_model::{Channel, Frame};

use crate::block::{Block, Mode, raised};
use crate::frame;

/// A warning's first line.
pub(crate) struct Warned<'t> {
    /// The blamed place; the interpreter blames itself as `sys:1` or `<sys>:0`.
    pub place: Option<(&'t str, u32)>,
    /// The category's name.
    pub category: &'t str,
    /// The first line of the message.
    pub message: &'t str,
    /// Where the message begins, in bytes.
    pub end: usize,
}

/// Reads `PATH:LINE: Category: message`, also behind a logger's name, and `Category: message`.
pub(crate) fn parse(line: &str) -> Option<Warned<'_>> {
    for (at, _) in line.match_indices("Warning:").take(4) {
        let from = at + "Warning:".len();
        let message = &line[from..];
        if !(message.is_empty() || message.starts_with(' ')) {
            continue;
        }
        let head = &line[..at];
        let start = head
            .char_indices()
            .rev()
            .take_while(|(_, c)| c.is_alphanumeric() || matches!(c, '_' | '.'))
            .last()
            .map_or(at, |(index, _)| index);
        let category = &line[start..at + "Warning".len()];
        let end = line.len() - message.trim_start().len();
        let message = message.trim();
        let before = line[..start].trim_end();
        if before.is_empty() {
            if category == "Warning" {
                return None;
            }
            return Some(Warned { place: None, category, message, end });
        }
        let Some(before) = before.strip_suffix(':') else { continue };
        if let Some(place) = place_at_end(before) {
            return Some(Warned { place: Some(place), category, message, end });
        }
    }
    None
}

/// `… PATH:LINE` at the end of the text.
fn place_at_end(text: &str) -> Option<(&str, u32)> {
    let (head, line) = text.rsplit_once(':')?;
    let line = line.parse().ok()?;
    let head = head.trim_start();
    let head = head.rsplit_once("py.warnings:").map_or(head, |(_, path)| path);
    if frame::is_path(head) || head == "sys" || !head.contains(char::is_whitespace) {
        let whole = head.starts_with(['/', '<', '.']) || head.get(1..3) == Some(":\\") || !head.contains(' ');
        if whole {
            return Some((head, line));
        }
    }
    let path = head.rsplit(char::is_whitespace).next().unwrap_or(head);
    (frame::is_path(path) || path == "sys").then_some((path, line))
}

/// Begins a block at a warning.
pub(crate) fn open(line: &str, number: usize) -> Option<Block> {
    let read = parse(line)?;
    if read.message.starts_with("Enable tracemalloc to get") {
        return None;
    }
    let many = read.message.is_empty() || read.message.ends_with(" in") || read.message.ends_with(':');
    let mut block = Block::new(Channel::Warning, Mode::Warning { many }, number);
    block.see(line);
    let mut warned = raised(read.category, read.message);
    if let Some((path, line)) = read.place
        && !matches!(path, "sys" | "<sys>")
    {
        warned.frames.push(Frame { path: path.to_owned(), line, ..Frame::default() });
    }
    block.push(warned);
    Some(block)
}
