//! What is to be proved about.

use std::path::Path;
use std::time::Duration;

use loopmend_model::{Diagnosis, Incident, Tree};
use loopmend_python::lifecycle::Lifecycle;

/// A tree, and the trouble that it is said to have.
#[derive(Clone, Copy)]
pub struct Case<'c> {
    /// Its folder.
    pub root: &'c Path,
    /// The folder of the patched tree, where there is one; else a copy of the first is patched.
    pub after: Option<&'c Path>,
    /// The first one's text.
    pub tree: &'c Tree,
    /// Its files linked.
    pub life: &'c Lifecycle,
    /// What a log told; empty without one.
    pub incidents: &'c [Incident],
    /// The log's text, or the first part of it.
    pub text: &'c str,
    /// The causes found, the first first.
    pub diagnoses: &'c [Diagnosis],
}

/// What is asked of a proof.
#[derive(Clone, Debug)]
pub struct ProveOptions {
    /// The command that shows the error.
    pub command: Option<String>,
    /// In how many runs the error must be gone.
    pub runs: usize,
    /// How long one run may take.
    pub time: Duration,
    /// Whether a regression test is written.
    pub regression_test: bool,
    /// Whether two runs may go on at once: nothing outside is shared.
    pub parallel: bool,
}

impl Default for ProveOptions {
    fn default() -> Self {
        Self { command: None, runs: 3, time: Duration::from_mins(2), regression_test: true, parallel: false }
    }
}
