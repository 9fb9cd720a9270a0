//! `cargo xtask test`: every group of tests, and one closing line.

use std::process::Command;

use anyhow::Result;
use clap::ValueEnum;

use crate::programs::{self, cargo, shown};
use crate::totals::Totals;
use crate::{cases, docs};

/// What can be run by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Group {
    /// The source is formatted.
    Format,
    /// Clippy has nothing to say.
    Lint,
    /// The tests of all crates.
    Crates,
    /// The examples in the crates' documentation.
    Examples,
    /// The causes' pages are those of the shelf.
    Docs,
    /// Real bugs, reproduced, mended and run again.
    Cases,
}

/// Runs the groups; gives whether nothing failed.
pub fn run(require_all: bool, only: &[Group]) -> Result<bool> {
    let mut totals = Totals::default();
    for group in Group::value_variants() {
        if !only.is_empty() && !only.contains(group) {
            continue;
        }
        println!("\n== {}", name(*group));
        let outcome = match group {
            Group::Format => format()?,
            Group::Lint => lint()?,
            Group::Crates => crates(require_all)?,
            Group::Examples => examples()?,
            Group::Docs => docs::current()?,
            Group::Cases => cases::run(require_all)?,
        };
        println!("== {}: {outcome}", name(*group));
        totals += outcome;
    }
    println!("\n{totals}");
    Ok(totals.failed == 0)
}

fn name(group: Group) -> String {
    group.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn format() -> Result<Totals> {
    let (holds, _) = shown(cargo().args(["fmt", "--all", "--check"]))?;
    Ok(Totals::one(holds))
}

fn lint() -> Result<Totals> {
    let (holds, _) = shown(cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "--deny",
        "warnings",
    ]))?;
    Ok(Totals::one(holds))
}

fn crates(require_all: bool) -> Result<Totals> {
    if programs::answers("cargo-nextest", "--version") {
        let (holds, text) = shown(told(cargo(), require_all).args([
            "nextest",
            "run",
            "--workspace",
            "--no-fail-fast",
            "--no-tests",
            "pass",
        ]))?;
        return Ok(counted(holds, &text));
    }
    println!("cargo-nextest is absent (cargo install cargo-nextest --locked); cargo test takes its place");
    if require_all {
        return Ok(Totals::absent(true));
    }
    let (holds, text) = shown(cargo().args(["test", "--workspace", "--all-targets", "--no-fail-fast"]))?;
    Ok(counted(holds, &text))
}

/// Tells the tests whether what this machine lacks is a failure.
fn told(mut command: Command, require_all: bool) -> Command {
    if require_all {
        command.env("LOOPMEND_REQUIRE_ALL", "1");
    }
    command
}

fn examples() -> Result<Totals> {
    let (holds, text) = shown(cargo().args(["test", "--workspace", "--doc", "--no-fail-fast"]))?;
    Ok(counted(holds, &text))
}

/// The counts of a run; one that failed without saying how often failed once.
fn counted(holds: bool, text: &str) -> Totals {
    let mut totals = Totals::read(text);
    if !holds && totals.failed == 0 {
        totals.failed = 1;
    }
    totals
}
