//! Known defects of libraries that print lifecycle messages though the program is right.

use serde::Deserialize;

/// One defect.
#[derive(Clone, Debug, Deserialize)]
pub struct Fault {
    /// Its id.
    pub id: String,
    /// The distribution; `python` for `CPython`.
    pub library: String,
    /// Versions that have it (`>=3.8,<3.10.6 || ==3.12.0`), or words where none is established.
    pub affected: String,
    /// The other distribution, where it takes two.
    #[serde(default)]
    pub with: Option<String>,
    /// A regular expression for what is printed.
    pub message: String,
    /// Frames of the traceback, in words.
    pub frames: String,
    /// First version without it.
    pub fixed_in: String,
    /// What to do.
    pub advice: String,
    /// Where it is reported.
    pub source: String,
    /// `high`, `medium`, `low`.
    pub confidence: String,
    /// Only on this platform.
    #[serde(default)]
    pub platform: Option<String>,
    /// What it prints.
    #[serde(default)]
    pub example: Option<String>,
    /// A remark.
    #[serde(default)]
    pub note: Option<String>,
}

#[derive(Deserialize)]
struct File {
    fault: Vec<Fault>,
}

pub(super) fn builtin() -> Vec<Fault> {
    toml::from_str::<File>(include_str!("../../data/known_faults.toml"))
        .expect("the built-in catalogue parses")
        .fault
}
