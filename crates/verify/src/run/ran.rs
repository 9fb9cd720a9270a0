//! What a run left: how it ended, and what it said.

use std::fmt;
use std::time::Duration;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Code(i32),
    /// By a signal that was not ours.
    Signal(i32),
    /// Ended by us: its time was over.
    TimedOut,
    /// Ended by us: it said too much.
    TooMuchOutput,
    /// Ended by us: it wrote too much.
    TooMuchDisk,
    /// Ended by us or the system: it took too much memory.
    TooMuchMemory,
    /// Ended by us: it was no longer wanted.
    Stopped,
}

impl Exit {
    /// Whether it ended by itself with status 0.
    pub fn success(self) -> bool {
        self == Self::Code(0)
    }

    /// Whether it was ended for going too far, so that what it said is not the whole.
    pub fn bounded(self) -> bool {
        matches!(self, Self::TimedOut | Self::TooMuchOutput | Self::TooMuchDisk | Self::TooMuchMemory)
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit status {code}"),
            Self::Signal(number) => write!(f, "ended by signal {number}"),
            Self::TimedOut => f.write_str("stopped: out of time"),
            Self::TooMuchOutput => f.write_str("stopped: too much output"),
            Self::TooMuchDisk => f.write_str("stopped: too much written to disk"),
            Self::TooMuchMemory => f.write_str("stopped: too much memory"),
            Self::Stopped => f.write_str("stopped"),
        }
    }
}

/// A run that is over.
#[derive(Clone, Debug)]
pub struct Ran {
    /// How it ended.
    pub exit: Exit,
    /// Both streams, in the order they came.
    pub output: Vec<u8>,
    /// Standard output alone.
    pub stdout: Vec<u8>,
    /// Standard error alone.
    pub stderr: Vec<u8>,
    /// The output ends where its limit was, not where the program ended.
    pub cut: bool,
    /// From start to end.
    pub duration: Duration,
}
