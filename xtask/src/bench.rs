//! `cargo xtask bench`: how fast, how much memory, and whether nothing is missed on the way.

mod check;
mod log;
mod small;
mod watch;

use std::env;
use std::ffi::OsStr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use clap::ValueEnum;
use wait4::Wait4 as _;

use crate::programs;

pub use check::copy_tree;

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// All of it.
    All,
    /// `check` on a large tree, beside ruff, with seeds.
    Check,
    /// A cold `explain` of a short log, and of logs of a gigabyte.
    Explain,
    /// `fix` of a small project.
    Fix,
    /// `watch` of a quiet run and of 100 MB of output.
    Watch,
}

/// One run of a program.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// From start to end.
    pub time: Duration,
    /// The most memory it held.
    pub peak_bytes: u64,
    /// Its exit status; -1 where a signal ended it.
    pub status: i32,
}

/// Measures; gives whether all that was asked for holds.
pub fn run(what: What, rounds: usize) -> Result<bool> {
    let program = programs::loopmend()?;
    let rounds = rounds.max(1);
    let mut holds = true;
    if matches!(what, What::All | What::Explain) {
        holds &= small::explain(&program, rounds)?;
        holds &= log::run(&program)?;
    }
    if matches!(what, What::All | What::Fix) {
        holds &= small::fix(&program, rounds)?;
    }
    if matches!(what, What::All | What::Check) {
        holds &= check::run(&program, rounds)?;
    }
    if matches!(what, What::All | What::Watch) {
        holds &= watch::run(&program, rounds)?;
    }
    Ok(holds)
}

/// Runs a program to its end, without its output.
fn measure<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: &[S]) -> Result<Run> {
    let started = Instant::now();
    let mut child = Command::new(&program)
        .args(arguments)
        .env_remove("VIRTUAL_ENV")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("failed to start {}", program.as_ref().display()))?;
    let used = child.wait4().context("failed to wait for a program")?;
    Ok(Run {
        time: started.elapsed(),
        peak_bytes: used.rusage.maxrss,
        status: used.status.code().unwrap_or(-1),
    })
}

/// The middle one of some times.
fn median(runs: &[Run]) -> Duration {
    let mut times: Vec<Duration> = runs.iter().map(|run| run.time).collect();
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn peak_mib(runs: &[Run]) -> u64 {
    runs.iter().map(|run| run.peak_bytes).max().unwrap_or(0) >> 20
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

/// Says whether a measure is within its limit.
fn verdict(what: &str, measured: &str, limit: &str, holds: bool) -> bool {
    println!("{} {what}: {measured} (at most {limit})", if holds { "holds" } else { "FAILS" });
    holds
}

/// The same for a measure that is to be large.
fn at_least(what: &str, measured: &str, limit: &str, holds: bool) -> bool {
    println!("{} {what}: {measured} (at least {limit})", if holds { "holds" } else { "FAILS" });
    holds
}

/// Where downloads are kept: outside of the workspace, whose `.gitignore` would hide them from those who walk them.
pub fn cache() -> PathBuf {
    let home = env::home_dir().unwrap_or_else(env::temp_dir);
    home.join(".cache/loopmend-bench")
}
