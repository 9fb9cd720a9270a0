//! `check` on a large tree: beside ruff on the same tree in the same run, with its memory, and with seeds in it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::{Run, cache, measure, median, milliseconds, peak_mib, verdict};
use crate::{programs, seeds};

const DISTRIBUTION: &str = "homeassistant==2025.4.4";
/// As much as ruff takes, and half of that again.
const MOST_OF_RUFF: f64 = 1.5;
const MOST_MIB: u64 = 400;

#[derive(Deserialize)]
struct Finding {
    cause: String,
    path: String,
    line: usize,
}

/// Runs the comparison; gives whether all limits hold and every seed is found.
pub fn run(program: &Path, rounds: usize) -> Result<bool> {
    let tree = tree()?;
    let tree = tree.as_os_str();
    let ruff = ruff()?;
    let check = ["check".as_ref(), tree];
    let lint = ["check", "--no-cache", "--isolated", "--select", "ASYNC,RUF006,RUF029", "--quiet"]
        .map(AsRef::as_ref);
    let lint: Vec<_> = lint.into_iter().chain([tree]).collect();
    // Once for the disk's cache.
    measure(&ruff, &lint)?;
    measure(program, &check)?;
    let (mut ours, mut theirs): (Vec<Run>, Vec<Run>) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        theirs.push(measure(&ruff, &lint)?);
        ours.push(measure(program, &check)?);
    }
    anyhow::ensure!(ours.iter().all(|run| matches!(run.status, 0 | 1)), "check failed on the tree");
    let ratio = median(&ours).as_secs_f64() / median(&theirs).as_secs_f64();
    println!("ruff:     {} (median of {rounds}), {} MiB", milliseconds(median(&theirs)), peak_mib(&theirs));
    println!("loopmend: {} (median of {rounds}), {} MiB", milliseconds(median(&ours)), peak_mib(&ours));
    let mut holds =
        verdict("time beside ruff's", &format!("{ratio:.2} times"), "1.5 times", ratio <= MOST_OF_RUFF);
    holds &= verdict("memory", &format!("{} MiB", peak_mib(&ours)), "400 MiB", peak_mib(&ours) <= MOST_MIB);
    holds &= seeded(program, Path::new(tree))?;
    Ok(holds)
}

/// Sows seeds into a copy of the tree and looks for each.
fn seeded(program: &Path, tree: &Path) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let copy = folder.path().join("tree");
    copy_tree(tree, &copy)?;
    let sown = seeds::sow(&copy)?;
    let output = Command::new(program)
        .args(["check", "--quiet", "--output-format", "json"])
        .arg(&copy)
        .env_remove("VIRTUAL_ENV")
        .output()
        .context("failed to start the program")?;
    let findings: Vec<Finding> = serde_json::from_slice(&output.stdout).context("check printed no JSON")?;
    let mut missed = 0;
    for seed in &sown {
        let found = findings.iter().any(|finding| {
            finding.cause == seed.cause && finding.path == seed.path && finding.line >= seed.first
        });
        if !found {
            missed += 1;
            let others: Vec<&str> = findings
                .iter()
                .filter(|finding| finding.path == seed.path && finding.line >= seed.first)
                .map(|finding| finding.cause.as_str())
                .collect();
            println!("      missed: {} in {} (found there: {})", seed.cause, seed.path, others.join(", "));
        }
    }
    let found = format!("{} of {} in {} files", sown.len() - missed, sown.len(), sown.len());
    println!(
        "{} seeds found: {found}; {} findings in all",
        if missed == 0 { "holds" } else { "FAILS" },
        findings.len()
    );
    Ok(missed == 0)
}

/// The unpacked wheel, downloaded once.
fn tree() -> Result<PathBuf> {
    let tree = cache().join("homeassistant");
    let done = cache().join("homeassistant.done");
    if done.exists() {
        return Ok(tree);
    }
    let wheels = cache().join("wheels");
    fs::create_dir_all(&wheels)?;
    println!("downloading {DISTRIBUTION}");
    let got = Command::new("python3")
        .args([
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--only-binary=:all:",
            "--python-version",
            "3.13",
            "--dest",
        ])
        .arg(&wheels)
        .arg(DISTRIBUTION)
        .status()
        .context("failed to start python3")?;
    anyhow::ensure!(got.success(), "the wheel could not be downloaded");
    let wheel = fs::read_dir(&wheels)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "whl"))
        .context("no wheel was downloaded")?;
    if tree.exists() {
        fs::remove_dir_all(&tree)?;
    }
    let unpacked = Command::new("python3").args(["-m", "zipfile", "-e"]).arg(&wheel).arg(&tree).status()?;
    anyhow::ensure!(unpacked.success(), "the wheel could not be unpacked");
    fs::write(done, "")?;
    Ok(tree)
}

/// Ruff's own program, installed into the cache: a launcher's start would be measured too.
fn ruff() -> Result<PathBuf> {
    let home = cache().join("ruff");
    let program = home.join("bin/ruff");
    if !program.exists() {
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&home)
            .status()
            .context("failed to start python3")?;
        anyhow::ensure!(made.success(), "no environment could be made for ruff");
        let got = Command::new(home.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "ruff"])
            .status()?;
        anyhow::ensure!(
            got.success() && programs::answers(&program.to_string_lossy(), "--version"),
            "ruff could not be installed"
        );
    }
    Ok(program)
}

/// Copies a folder with all that is in it.
pub fn copy_tree(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}
