//! The few styles of the terminal; whoever prints strips them where the stream is no terminal.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};

/// What went wrong.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// What may be wrong.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// What went well.
pub const GOOD: Style = AnsiColor::Green.on_default().bold();
/// What to do.
pub const HELP: Style = AnsiColor::Cyan.on_default().bold();
/// A heading.
pub const HEADING: Style = Style::new().bold();
/// A path, a command, a name.
pub const NAME: Style = AnsiColor::Cyan.on_default();
/// What may be skipped.
pub const DIM: Style = Style::new().dimmed();
/// A line that a diff adds.
pub const ADDED: Style = AnsiColor::Green.on_default();
/// A line that a diff removes.
pub const REMOVED: Style = AnsiColor::Red.on_default();

/// The text in a style.
pub fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}
