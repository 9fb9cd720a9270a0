//! The proofs: each case is mended with `fix --verify`, and what the proof says is compared with what the case says must hold.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use clap::Args;
use serde::Deserialize;

use crate::programs;

/// Of the mends of cases whose command is given, so many of a hundred must be proved.
const PERCENT: usize = 90;

/// Prove the mend of each case.
#[derive(Args, Debug)]
pub struct Proofs {
    /// These cases only.
    cases: Vec<String>,
    /// Only with the case's command given, or only with what is found.
    #[arg(long, value_parser = ["given", "found"])]
    only: Option<String>,
    /// Give wrong changes to `verify` instead: none may be proved.
    #[arg(long)]
    wrong: bool,
}

/// What the script says of one proof.
#[derive(Debug, Default, Deserialize)]
struct Told {
    case: String,
    #[serde(default)]
    given: bool,
    #[serde(default)]
    wrong: Option<String>,
    #[serde(default)]
    refuse: bool,
    #[serde(default)]
    skipped: Option<String>,
    #[serde(default)]
    level: Option<String>,
    #[serde(default)]
    own: f64,
    #[serde(default)]
    seconds: f64,
    #[serde(default)]
    reasons: Vec<String>,
    #[serde(default)]
    failures: Vec<String>,
    faults: Vec<String>,
}

/// Runs all of them and says whether enough hold.
pub fn run(asked: &Proofs) -> Result<bool> {
    let root = env::var_os("LOOPMEND_CASES")
        .map_or_else(|| programs::workspace().join("../shared/cases"), PathBuf::from);
    anyhow::ensure!(
        root.join("run_cases.py").is_file(),
        "no cases at {} (LOOPMEND_CASES names another place)",
        root.display()
    );
    let mut command = Command::new("python3");
    command
        .arg(programs::workspace().join("xtask/src/proofs.py"))
        .arg("--root")
        .arg(&root)
        .arg("--tool")
        .arg(programs::loopmend()?)
        .args(&asked.cases)
        .stdout(Stdio::piped());
    if let Some(only) = &asked.only {
        command.args(["--only", only]);
    }
    if asked.wrong {
        command.arg("--wrong");
    }
    let mut script = command.spawn().context("failed to start python3")?;
    let mut told = Vec::new();
    for line in BufReader::new(script.stdout.take().context("its output is piped")?).lines() {
        let line = line?;
        match serde_json::from_str::<Told>(&line) {
            Ok(one) => {
                tell(&one);
                told.push(one);
            }
            Err(_) => println!("{line}"),
        }
    }
    let ended = script.wait()?.success();
    Ok(judge(&told) && ended)
}

fn tell(one: &Told) {
    let how = match (&one.wrong, one.given) {
        (Some(name), _) => name.as_str(),
        (None, true) => "given",
        (None, false) => "found",
    };
    if let Some(why) = &one.skipped {
        println!("{:44} {how:8} skipped: {why}", one.case);
        return;
    }
    let level = one.level.as_deref().unwrap_or(if one.refuse { "left alone" } else { "none" });
    println!(
        "{:44} {how:8} {level:10} own {:.1} s, proof {:.1} s {}",
        one.case,
        one.own,
        one.seconds,
        one.faults.join("; ")
    );
    if level != "proved" && one.wrong.is_none() {
        for line in one.failures.iter().chain(&one.reasons).take(4) {
            println!("    {line}");
        }
    }
}

/// Whether nothing wrong is proved, and enough of what is right is.
fn judge(told: &[Told]) -> bool {
    let ran: Vec<&Told> = told.iter().filter(|one| one.skipped.is_none()).collect();
    let faults = ran.iter().filter(|one| !one.faults.is_empty()).count();
    let mendable: Vec<&&Told> =
        ran.iter().filter(|one| one.wrong.is_none() && one.given && !one.refuse).collect();
    let reached = mendable
        .iter()
        .filter(|one| {
            let nothing = one.reasons.iter().any(|reason| reason.starts_with("there is neither"));
            match one.level.as_deref() {
                Some("proved") => true,
                Some("checked") => nothing,
                _ => false,
            }
        })
        .count();
    let found: Vec<&&Told> =
        ran.iter().filter(|one| one.wrong.is_none() && !one.given && !one.refuse).collect();
    let proved = found.iter().filter(|one| one.level.as_deref() == Some("proved")).count();
    println!(
        "with the command given: {reached} of {} reach what they can ({PERCENT} % are asked for)",
        mendable.len()
    );
    println!("with what is found: {proved} of {} are proved", found.len());
    println!("{faults} of {} proofs say what does not hold, or touch what they should not", ran.len());
    faults == 0 && !ran.is_empty() && reached * 100 >= mendable.len() * PERCENT
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(level: &str, fault: bool) -> Told {
        Told {
            given: true,
            level: Some(level.to_owned()),
            faults: if fault { vec!["touched".to_owned()] } else { Vec::new() },
            ..Told::default()
        }
    }

    #[test]
    fn one_wrong_proof_is_too_many() {
        assert!(judge(&[told("proved", false)]));
        assert!(!judge(&[told("proved", false), told("proved", true)]));
        assert!(!judge(&[]));
    }

    #[test]
    fn most_must_be_proved() {
        let many = |proved: usize, other: usize| -> Vec<Told> {
            (0..proved + other)
                .map(|number| told(if number < proved { "proved" } else { "checked" }, false))
                .collect()
        };
        assert!(judge(&many(9, 1)));
        assert!(!judge(&many(8, 2)));
    }
}
