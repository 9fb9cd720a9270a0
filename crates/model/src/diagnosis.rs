//! The answer to "what is it?".

use serde::{Deserialize, Serialize};

/// A cause found in the tree, with its reasons.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Slug of the cause.
    pub cause: String,
    /// One line for a heading.
    pub title: String,
    /// Why this cause and this place, in words, the strongest first.
    pub reasons: Vec<String>,
    /// The symptoms of the incident that it explains.
    pub symptoms: Vec<String>,
    /// Where it is: the cause's own place first.
    pub locations: Vec<Location>,
}

/// A place in the project.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Location {
    /// Path in the project, with `/`.
    pub path: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column, counted from 1.
    pub column: u32,
}

/// A cause that the evidence allows, without a tree to be sure of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// Slug of the cause.
    pub cause: String,
    /// What speaks for it.
    pub reasons: Vec<String>,
}

/// The answer is to leave the tree alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// Why, for programs.
    pub code: RefusalCode,
    /// Why, for people, with what to do instead.
    pub message: String,
}

/// Why the tree is left alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalCode {
    /// A known defect of a library or of Python itself.
    LibraryFault,
    /// The place is in a file that is not the project's.
    ThirdPartyFile,
    /// The program does what it should; the words only look like trouble.
    ProgramIsRight,
    /// The failure is real, and not one of the event loop's life.
    NotOurs,
    /// Several places fit equally well.
    Ambiguous,
    /// The source that failed is not in the tree.
    NoSource,
    /// The cause is known, but no mend is sure to keep what the program does.
    NoSafeFix,
}
