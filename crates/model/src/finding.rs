//! A place in the source where a cause is.

use serde::{Deserialize, Serialize};

/// How far a fix can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Applicability {
    /// What the program does apart from the defect is unchanged.
    Safe,
    /// Applied where a log shows that the defect bites, or on request.
    Unsafe,
    /// Text only.
    Advice,
}

/// One defect of one cause at one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Slug of the cause.
    pub cause: String,
    /// Path in the project, with `/`.
    pub path: String,
    /// First line, counted from 1.
    pub line: u32,
    /// First column in characters, counted from 1.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// Column after the last character.
    pub end_column: u32,
    /// What is wrong and why it bites, in one or two sentences.
    pub message: String,
    /// The trust in its fix.
    pub applicability: Applicability,
    /// Other places that belong to it: where the object is made, used again, closed too early.
    pub related: Vec<Related>,
    /// A guess is in it: shown with `--pedantic` only.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub doubtful: bool,
}

/// Another place that belongs to a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Related {
    /// Path in the project, with `/`.
    pub path: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column, counted from 1.
    pub column: u32,
    /// What is there.
    pub message: String,
}
