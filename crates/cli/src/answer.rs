//! Standard output: the answer, and nothing else.

use std::io::{self, Write as _};

/// Prints text with styles in it, without them where standard output is no terminal.
pub fn text(text: &str) -> io::Result<()> {
    gone_is_fine(anstream::stdout().write_all(text.as_bytes()))
}

/// Prints what a program reads, byte for byte.
pub fn data(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    gone_is_fine(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Prints a value as JSON, with a line end.
pub fn json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    Ok(data(&text)?)
}

/// A reader that has seen enough (`| head`) is no failure.
fn gone_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}
