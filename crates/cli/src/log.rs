//! The log that a user names: a file, or standard input.

use std::fs;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::Path;

use crate::failure::Failure;
use crate::talk::Talk;

/// A log's text and the name it goes by.
pub struct Log {
    /// As named on the command line; `-` for standard input.
    pub name: String,
    /// Never empty; not always text.
    pub bytes: Vec<u8>,
}

impl Log {
    /// Reads the named file, or standard input for `-`.
    pub fn read(name: &str, talk: Talk) -> Result<Self, Failure> {
        let bytes = if name == "-" { read_input(talk)? } else { read_file(name)? };
        let bytes = from_utf16(bytes);
        let log = Self { name: name.to_owned(), bytes };
        if log.bytes.iter().all(u8::is_ascii_whitespace) {
            return Err(Failure::new(format!("{} is empty: there is nothing to read in it", log.title())).hint(
                "Python tells of errors on standard error: save both with `COMMAND > error.log 2>&1`, or pipe with `COMMAND 2>&1 | loopmend explain`",
            ));
        }
        Ok(log)
    }

    /// A message itself in place of a file's name: one that is known, with or without the exception's class.
    pub fn said(text: &str) -> Option<Self> {
        if !text.contains(' ') || Path::new(text).exists() {
            return None;
        }
        [text.to_owned(), format!("RuntimeError: {text}"), format!("RuntimeWarning: {text}")]
            .into_iter()
            .find(|line| !loopmend_capture::recognise(line).is_empty())
            .map(|line| Self { name: "the command line".to_owned(), bytes: (line + "\n").into_bytes() })
    }

    /// How it is spoken of.
    pub fn title(&self) -> &str {
        if self.name == "-" { "the standard input" } else { &self.name }
    }

    /// The failure to tell where nothing was recognised in bytes that are no text.
    pub fn refuse_binary(&self) -> Result<(), Failure> {
        let head = &self.bytes[..self.bytes.len().min(8192)];
        if head.starts_with(&[0x1f, 0x8b]) {
            return Err(Failure::new(format!("{} is compressed, not text", self.title()))
                .hint(format!("try `gzip -dc {} | loopmend explain`", self.name)));
        }
        if head.contains(&0) {
            return Err(Failure::new(format!("{} is not text: it looks like a binary file", self.title()))
                .hint("give the text that Python printed: a traceback, warnings, the output of pytest"));
        }
        Ok(())
    }
}

fn read_input(talk: Talk) -> Result<Vec<u8>, Failure> {
    let mut input = io::stdin().lock();
    if input.is_terminal() {
        talk.say("Paste the log, then press Ctrl-D (Ctrl-Z and Enter on Windows).");
    }
    let mut bytes = Vec::new();
    input
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::new(format!("failed to read the standard input: {error}")))?;
    Ok(bytes)
}

fn read_file(name: &str) -> Result<Vec<u8>, Failure> {
    if Path::new(name).is_dir() {
        return Err(Failure::new(format!("{name} is a folder, not a log"))
            .hint("give the file that holds what Python printed, or `-` to read it from a pipe"));
    }
    fs::read(name).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Failure::new(format!("there is no file {name}"))
            .hint("give the file that holds what Python printed, or `-` to read it from a pipe"),
        _ => Failure::new(format!("failed to read {name}: {error}")),
    })
}

/// Windows PowerShell's `>` writes UTF-16 with a mark in front.
fn from_utf16(bytes: Vec<u8>) -> Vec<u8> {
    let unit: fn([u8; 2]) -> u16 = match bytes.get(..2) {
        Some([0xff, 0xfe]) => u16::from_le_bytes,
        Some([0xfe, 0xff]) => u16::from_be_bytes,
        _ => return bytes,
    };
    let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    String::from_utf16_lossy(&units).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powershell_logs_are_text() {
        assert_eq!(from_utf16(b"\xff\xfeo\0k\0".to_vec()), b"ok");
        assert_eq!(from_utf16(b"plain".to_vec()), b"plain");
    }
}
