//! Where a loop starts and ends, or a framework calls user code.

use std::sync::OnceLock;

use serde::Deserialize;

/// One way.
#[derive(Clone, Debug, Deserialize)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// The library.
    pub library: String,
    /// Paths in source, or a command line.
    pub qualified: Vec<String>,
    /// Its kind.
    pub kind: EntryKind,
    /// How long the loop lives.
    pub loop_lifetime: LoopLifetime,
    /// SIGTERM reaches the cleanup.
    pub handles_signals: bool,
    /// What becomes of tasks that are pending at its end: `cancel`, `leaves`, `n/a`.
    pub closes_pending_tasks: String,
    /// Hooks that run before.
    pub startup_hooks: Vec<String>,
    /// Hooks that run after.
    pub shutdown_hooks: Vec<String>,
    /// Shutdown hooks run though startup failed.
    pub runs_shutdown_after_failed_startup: bool,
    /// A remark.
    #[serde(default)]
    pub note: Option<String>,
    /// `qualified` is a command line.
    #[serde(default)]
    pub command_line: bool,
}

/// Kinds of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Runs a coroutine to its end.
    Run,
    /// Serves until told to stop.
    Serve,
    /// A framework calls a function many times.
    PerCall,
    /// A test runner.
    Test,
    /// A thread.
    Thread,
    /// Between sync and async code.
    Bridge,
}

/// How long a loop lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub enum LoopLifetime {
    /// To the end of the process.
    #[serde(rename = "per process")]
    Process,
    /// One call.
    #[serde(rename = "per call")]
    Call,
    /// One test.
    #[serde(rename = "per test")]
    Test,
    /// A `with` block or a fixture's scope.
    #[serde(rename = "per scope")]
    Scope,
    /// The caller decides.
    #[serde(rename = "caller's")]
    Callers,
}

#[derive(Deserialize)]
struct File {
    entry: Vec<Entry>,
}

pub(super) fn builtin() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    ENTRIES.get_or_init(|| {
        toml::from_str::<File>(include_str!("../../data/entries.toml"))
            .expect("the built-in catalogue parses")
            .entry
    })
}
