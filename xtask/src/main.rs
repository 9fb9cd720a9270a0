//! The project's own chores: `cargo xtask test` is what CI runs, `docs` writes the causes' pages, `proofs`
//! proves the cases' mends, `suites` runs other people's tests on mended copies, `bench` measures.
//!
//! It starts other programs and counts; it tests nothing by itself. Each chore has its file.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it talks to whoever runs the chore")]

mod bench;
mod cases;
mod docs;
mod programs;
mod proofs;
mod seeds;
mod suites;
mod test;
mod totals;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The project's own chores.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Chores {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Run everything that CI runs, and print totals.
    Test {
        /// Fail where this machine lacks what a group needs, instead of skipping it.
        #[arg(long)]
        require_all: bool,
        /// Run these groups only.
        #[arg(long, value_name = "GROUP", value_delimiter = ',')]
        only: Vec<test::Group>,
    },
    /// Write the causes' pages from the shelf.
    Docs,
    /// Prove the mend of each case, and compare with what must hold.
    Proofs(proofs::Proofs),
    /// Run packages' own tests before and after `fix`, and print the table of docs/precision.md.
    Suites {
        /// Only these packages.
        packages: Vec<String>,
    },
    /// Measure.
    Bench {
        /// What to measure.
        #[arg(default_value = "all")]
        what: bench::What,
        /// How often.
        #[arg(long, default_value_t = 5)]
        rounds: usize,
    },
}

fn main() -> ExitCode {
    let done = match Chores::parse().chore {
        Chore::Test { require_all, only } => test::run(require_all, &only),
        Chore::Docs => docs::write().map(|()| true),
        Chore::Proofs(asked) => proofs::run(&asked),
        Chore::Suites { packages } => suites::run(&packages),
        Chore::Bench { what, rounds } => bench::run(what, rounds),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
