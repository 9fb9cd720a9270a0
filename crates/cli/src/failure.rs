//! A command that failed: one sentence, what lies beneath it, and what to do.

use std::fmt::Write as _;
use std::io::Write as _;

use crate::printable::{printable, printable_line};
use crate::style::{self, paint};

/// The exit status of a command that failed.
pub const STATUS: u8 = 2;

/// An expected failure with a word on what to do about it.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// A failure that needs no hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// Adds what to do about it.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Adds what to do about it, where something is known.
    pub fn maybe_hint(self, hint: Option<&str>) -> Self {
        Self { hint: hint.map(str::to_owned), ..self }
    }
}

/// Tells it on standard error; a standard error that is gone is no reason to fail.
pub fn tell(error: &anyhow::Error) {
    let mut text = format!("{} {}\n", paint(style::ERROR, "error:"), printable(&error.to_string()));
    for cause in error.chain().skip(1) {
        let _ = writeln!(text, "  {} {}", paint(style::DIM, "because:"), printable_line(&cause.to_string()));
    }
    for hint in error.chain().filter_map(|cause| cause.downcast_ref::<Failure>()?.hint.as_deref()) {
        let _ = writeln!(text, "  {} {}", paint(style::HELP, "hint:"), printable(hint));
    }
    let _ = anstream::stderr().write_all(text.as_bytes());
}
