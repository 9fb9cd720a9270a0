//! `watch`: what it costs beside the same command with the same environment.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::verdict;

/// A run that says little: this long.
const QUIET_SECONDS: f64 = 2.0;
const QUIET_SHARE: f64 = 0.01;
/// As much output as this.
const BYTES: u64 = 100_000_000;
const LOUD_LIMIT: Duration = Duration::from_secs(2);

/// Measures both; gives whether both limits hold.
pub fn run(program: &Path, rounds: usize) -> Result<bool> {
    let quiet =
        format!("import time; print('begun', flush=True); time.sleep({QUIET_SECONDS}); print('done')");
    let (alone, watched) = both(program, &["python3", "-c", &quiet], rounds)?;
    let share = (watched.as_secs_f64() - alone.as_secs_f64()) / alone.as_secs_f64();
    let mut holds = verdict(
        "watch of a quiet run",
        &format!(
            "{:.2} % more ({:.1} ms)",
            share * 100.0,
            (watched.as_secs_f64() - alone.as_secs_f64()) * 1e3
        ),
        "1 %",
        share <= QUIET_SHARE,
    );
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("output");
    let line =
        "tests/test_orders.py::test_that_an_order_is_kept[3-asyncio] PASSED                      [ 42%]\n";
    std::fs::write(&path, line.repeat(usize::try_from(BYTES)? / line.len()))?;
    let (alone, watched) = both(program, &["cat", &path.to_string_lossy()], rounds)?;
    let more = watched.saturating_sub(alone);
    holds &= verdict(
        "watch of 100 MB of output",
        &format!("{:.0} ms more", more.as_secs_f64() * 1e3),
        "2 s",
        more <= LOUD_LIMIT,
    );
    Ok(holds)
}

/// The shortest of some runs of a command, alone and watched, in turns.
fn both(program: &Path, command: &[&str], rounds: usize) -> Result<(Duration, Duration)> {
    let mut watched_command = vec![program.to_str().context("a path in Unicode")?, "watch", "--"];
    watched_command.extend(command);
    let mut shortest = (Duration::MAX, Duration::MAX);
    for _ in 0..rounds.max(3) {
        shortest.0 = shortest.0.min(time(command)?);
        shortest.1 = shortest.1.min(time(&watched_command)?);
    }
    Ok(shortest)
}

/// How long a command takes whose output is read and thrown away.
fn time(command: &[&str]) -> Result<Duration> {
    let started = Instant::now();
    let mut child = Command::new(command[0])
        .args(&command[1..])
        .env("PYTHONWARNINGS", "default::ResourceWarning")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("failed to start {}", command[0]))?;
    if let Some(mut output) = child.stdout.take() {
        std::io::copy(&mut output, &mut std::io::sink())?;
    }
    let status = child.wait()?;
    anyhow::ensure!(status.success(), "{} failed", command[0]);
    Ok(started.elapsed())
}
