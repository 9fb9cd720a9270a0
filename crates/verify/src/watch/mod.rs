//! A command run as it is, with an ear on what it says.
//!
//! Its output is passed through byte for byte, standard output and error apart, a terminal stays a terminal, signals are
//! forwarded, and the exit status is kept. There is no sandbox and no limit: it is the user's own command in the user's own
//! place. What it says is listened to on the way; the listener is handed in.
//!
//! Start with [`watch`]. `relay` passes one stream through, `output` decides which streams there are, `terminal` stands in for
//! the user's terminal, `signals` forwards. [`Baseline`] is the file of symptoms that are known and accepted.

mod baseline;
#[cfg(unix)]
mod output;
#[cfg(not(unix))]
mod plain;
#[cfg(unix)]
mod relay;
#[cfg(unix)]
mod signals;
#[cfg(unix)]
mod terminal;
#[cfg(unix)]
mod unix;
mod variables;

use std::ffi::OsString;
use std::io;
use std::time::Duration;

use loopmend_model::Incident;
use thiserror::Error;

pub use baseline::{Baseline, BaselineError, Known, known};
pub use variables::{Origins, variables};

#[cfg(not(unix))]
use plain as system;
#[cfg(unix)]
use unix as system;

/// Hears one stream to its end.
pub trait Listener: Send {
    /// Hears the next piece; it may end anywhere.
    fn hear(&mut self, bytes: &[u8]);

    /// The stream is over: what was recognised in it.
    fn end(self: Box<Self>) -> Vec<Incident>;
}

/// What is to be run.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The program and its arguments; at least the program.
    pub argv: Vec<OsString>,
    /// Variables added to the environment.
    pub variables: Vec<(&'static str, String)>,
}

/// What a watched command came to.
#[derive(Debug)]
pub struct Seen {
    /// Its exit status as a shell has it: 128 and the signal's number where a signal ended it.
    pub status: u8,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What was recognised, in the order of each stream, standard output's first.
    pub incidents: Vec<Incident>,
    /// A process that it started still held its output when it was no longer waited for.
    pub outlived: bool,
    /// From start to end.
    pub duration: Duration,
}

/// Why a command did not start.
#[derive(Debug, Error)]
pub enum WatchError {
    /// There is no such program.
    #[error("run `{0}`: there is no such program")]
    NotFound(String),
    /// It can't be executed.
    #[error("run `{name}`: {source}")]
    NotExecutable {
        /// As it was given.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// Pipes or threads could not be made.
    #[error("watch the command: {0}")]
    System(#[from] io::Error),
}

impl WatchError {
    /// The exit status by which shells tell of it.
    pub fn status(&self) -> u8 {
        match self {
            Self::NotFound(_) => 127,
            Self::NotExecutable { .. } => 126,
            Self::System(_) => 2,
        }
    }

    fn of(watched: &Watched, source: io::Error) -> Self {
        let name = watched.argv[0].to_string_lossy().into_owned();
        match source.kind() {
            io::ErrorKind::NotFound => Self::NotFound(name),
            _ => Self::NotExecutable { name, source },
        }
    }
}

/// Runs a command to its end. `listener` makes an ear for each stream.
pub fn watch(watched: &Watched, listener: &dyn Fn() -> Box<dyn Listener>) -> Result<Seen, WatchError> {
    system::watch(watched, listener)
}
