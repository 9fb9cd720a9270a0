//! A proof in words.

use std::fmt::Write as _;

use loopmend_model::{Proof, ProofLevel};

use crate::printable::printable_line;
use crate::style::{self, paint};

/// Runs and lines shown of each list.
const MOST: usize = 8;

/// A line for the level, one for each reason or failure.
pub fn concise(proof: &Proof) -> String {
    let mut out = format!("proof: {}\n", proof.level.word());
    for failure in &proof.failures {
        let _ = writeln!(out, "against it: {}", printable_line(failure));
    }
    out
}

/// The whole of it, for people.
pub fn full(proof: &Proof) -> String {
    let mut out = String::new();
    let style = match proof.level {
        ProofLevel::Proved => style::GOOD,
        ProofLevel::Checked => style::WARNING,
        ProofLevel::Unproved => style::ERROR,
    };
    let heading = match proof.level {
        ProofLevel::Proved => "Proved",
        ProofLevel::Checked => "Checked, not proved",
        ProofLevel::Unproved if proof.holds() => "Not proved",
        ProofLevel::Unproved => "The mend does not hold",
    };
    let _ = writeln!(out, "{}", paint(style, heading));
    listed(&mut out, if proof.holds() { &proof.reasons } else { &proof.failures });
    if let Some(test) = &proof.regression_test {
        let _ = writeln!(
            out,
            "  a test for it: {}, which fails without the mend and passes with it",
            printable_line(&test.path)
        );
    }
    let milliseconds: u64 = proof.runs.iter().map(|run| run.milliseconds).sum();
    let seconds = milliseconds / 1000;
    let tenths = milliseconds % 1000 / 100;
    let _ = writeln!(
        out,
        "  ran {} times, {seconds}.{tenths} s in all; {}",
        proof.runs.len(),
        printable_line(&proof.place.description)
    );
    if !proof.services.is_empty() {
        let _ =
            writeln!(out, "  services of this machine that they could reach: {}", proof.services.join(", "));
    }
    if let Some(repeat) = &proof.repeat {
        let _ = writeln!(out, "  again: {}", printable_line(repeat));
    }
    out
}

fn listed(out: &mut String, lines: &[String]) {
    for line in lines.iter().take(MOST) {
        let _ = writeln!(out, "  {}", printable_line(line));
    }
    if lines.len() > MOST {
        let _ = writeln!(out, "  … and {} more", lines.len() - MOST);
    }
}
