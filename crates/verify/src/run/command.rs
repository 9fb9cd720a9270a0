//! What is to be run, and how far it may go.

use std::ffi::OsString;
use std::time::Duration;

/// A command to run in a copy of the tree.
#[derive(Clone, Debug)]
pub struct Command {
    /// The program and its arguments; a bare name is looked up in the environment of Python, then in the system.
    pub argv: Vec<OsString>,
    /// Variables set besides those that the place allows; a later one wins.
    pub env: Vec<(String, String)>,
    /// How far it may go.
    pub limits: Limits,
    /// The folder to run in, relative to the tree's root, with `/`; empty for the root itself.
    pub folder: String,
}

impl Command {
    /// A command in the tree's root, with the limits that hold unless told otherwise.
    pub fn new<I, S>(argv: I) -> Self
    where
        I: IntoIterator<Item = S>,
        S: Into<OsString>,
    {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            limits: Limits::default(),
            folder: String::new(),
        }
    }

    /// The command as one would type it.
    pub fn shown(&self) -> String {
        let words: Vec<String> = self.argv.iter().map(|word| quoted(&word.to_string_lossy())).collect();
        words.join(" ")
    }
}

/// A word as a shell reads it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// How far a command may go; what a place can't limit it says in its description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From start to end.
    pub time: Duration,
    /// From SIGTERM to SIGKILL, after the time is over.
    pub grace: Duration,
    /// Bytes of standard output and standard error together.
    pub output: u64,
    /// Bytes of the largest file written.
    pub file: u64,
    /// Bytes of memory, all processes together.
    pub memory: u64,
    /// Processes and threads, all together.
    pub processes: u32,
    /// Bytes by which the copy may grow.
    pub disk: u64,
}

const MIB: u64 = 1 << 20;

impl Default for Limits {
    fn default() -> Self {
        Self {
            time: Duration::from_mins(10),
            grace: Duration::from_secs(5),
            output: 64 * MIB,
            file: 512 * MIB,
            memory: 4096 * MIB,
            processes: 512,
            disk: 2048 * MIB,
        }
    }
}
