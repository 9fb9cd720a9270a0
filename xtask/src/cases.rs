//! The cases: real bugs that are reproduced, mended and run again, judged against what the shelf promises; and the project's
//! own ones in `tests/programs`, written by people who had not seen the shelf.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::programs;
use crate::totals::Totals;

/// Of the cases whose cause is on the shelf, so many of a hundred must hold.
const PERCENT: usize = 95;

/// What a case's own file says that matters here.
#[derive(Debug, Deserialize)]
struct Case {
    cause: String,
    #[serde(default)]
    refuse: bool,
}

/// What the runner says of a case.
#[derive(Debug, Deserialize)]
struct Ran {
    case: String,
    #[serde(default)]
    skipped: Option<String>,
    failed: Vec<String>,
    #[serde(default)]
    cause: Option<String>,
    #[serde(default)]
    detail: Option<String>,
}

/// What is asked of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// To leave the tree alone: always.
    Refuse,
    /// To mend it: nearly always.
    Mend,
    /// Nothing yet: its cause is not on the shelf.
    Nothing,
}

/// Runs all cases and judges them.
pub fn run(require_all: bool) -> Result<Totals> {
    let root = env::var_os("LOOPMEND_CASES")
        .map_or_else(|| programs::workspace().join("../shared/cases"), PathBuf::from);
    let runner = root.join("run_cases.py");
    if !runner.is_file() {
        println!("no cases at {} (LOOPMEND_CASES names another place)", root.display());
        return Ok(Totals::absent(require_all));
    }
    if !programs::answers("python3", "--version") {
        println!("no python3 on this machine: install it (Debian: apt-get install python3 python3-venv)");
        return Ok(Totals::absent(require_all));
    }
    let program = programs::loopmend()?;
    let mut totals = judge(&judged(&runner, &root, &program)?, require_all);
    println!();
    let own = programs::workspace().join("tests/programs");
    let missed = read_missed(&own.join("missed.toml"))?;
    totals += judge_own(&judged(&runner, &own, &program)?, &missed);
    Ok(totals)
}

/// Runs the cases of one folder, told of as they end.
fn judged(runner: &Path, root: &Path, program: &Path) -> Result<Vec<(Asked, Ran)>> {
    let cases = read(root)?;
    let mut runner = Command::new("python3")
        .arg(runner)
        .arg("--root")
        .arg(root)
        .args(["--jobs", "2", "--json", "--tool"])
        .arg(program)
        .stdout(Stdio::piped())
        .spawn()
        .context("failed to start run_cases.py")?;
    let mut judged: Vec<(Asked, Ran)> = Vec::new();
    let lines = BufReader::new(runner.stdout.take().context("the runner's output is piped")?).lines();
    for line in lines {
        let line = line?;
        let Ok(ran) = serde_json::from_str::<Ran>(&line) else {
            println!("{line}");
            continue;
        };
        let asked = cases.get(&ran.case).map_or(Asked::Nothing, asked);
        tell(asked, &ran);
        judged.push((asked, ran));
    }
    runner.wait()?;
    Ok(judged)
}

/// The programs that are known to be missed, with the reason.
fn read_missed(path: &Path) -> Result<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("failed to read {}", path.display()))
}

/// The programs hold, nearly all of them, but for those that are listed as missed; and these do not, or the list is out of date.
fn judge_own(judged: &[(Asked, Ran)], missed: &BTreeMap<String, String>) -> Totals {
    let mut totals = Totals::default();
    let mut lost = 0;
    for (_, ran) in judged {
        match (&ran.skipped, ran.failed.is_empty(), missed.get(&ran.case)) {
            (Some(_), ..) | (None, false, Some(_)) => totals.skipped += 1,
            (None, true, None) => totals.passed += 1,
            (None, true, Some(_)) => {
                println!("{} holds now: take it off tests/programs/missed.toml", ran.case);
                totals.failed += 1;
            }
            (None, false, None) => lost += 1,
        }
    }
    for name in missed.keys().filter(|name| judged.iter().all(|(_, ran)| ran.case != **name)) {
        println!("{name} is no program: take it off tests/programs/missed.toml");
        totals.failed += 1;
    }
    if totals.passed * 100 >= (totals.passed + lost) * PERCENT {
        totals.skipped += lost;
    } else {
        totals.failed += lost;
    }
    println!("programs of strangers: {totals}");
    totals
}

fn read(root: &Path) -> Result<BTreeMap<String, Case>> {
    let mut cases = BTreeMap::new();
    for entry in fs::read_dir(root).with_context(|| format!("failed to read {}", root.display()))? {
        let folder = entry?.path();
        let Ok(text) = fs::read_to_string(folder.join("case.toml")) else { continue };
        let case = toml::from_str(&text)
            .with_context(|| format!("failed to read {}/case.toml", folder.display()))?;
        cases.insert(folder.file_name().unwrap_or_default().to_string_lossy().into_owned(), case);
    }
    Ok(cases)
}

fn asked(case: &Case) -> Asked {
    if case.refuse {
        Asked::Refuse
    } else if loopmend_causes::cause(&case.cause).is_some() {
        Asked::Mend
    } else {
        Asked::Nothing
    }
}

fn tell(asked: Asked, ran: &Ran) {
    if let Some(why) = &ran.skipped {
        println!("{:44} skipped: {why}", ran.case);
    } else if ran.failed.is_empty() {
        println!("{:44} holds", ran.case);
    } else if asked == Asked::Nothing {
        println!("{:44} not asked: its cause is not on the shelf", ran.case);
    } else {
        let cause = ran.cause.as_deref().unwrap_or("no cause");
        println!("{:44} FAILS {} [{cause}]", ran.case, ran.failed.join(" "));
        let detail = ran.detail.as_deref().unwrap_or_default().trim();
        for line in detail.lines().rev().take(6).collect::<Vec<_>>().into_iter().rev() {
            println!("    {line}");
        }
    }
}

fn judge(judged: &[(Asked, Ran)], require_all: bool) -> Totals {
    let mut totals = Totals::default();
    let counted = |asked: Asked| {
        let ran: Vec<&Ran> = judged
            .iter()
            .filter(|(one, ran)| *one == asked && ran.skipped.is_none())
            .map(|(_, ran)| ran)
            .collect();
        let held = ran.iter().filter(|ran| ran.failed.is_empty()).count();
        (held, ran.len() - held)
    };
    let (mended, missed) = counted(Asked::Mend);
    let (refused, touched) = counted(Asked::Refuse);
    let enough = mended * 100 >= (mended + missed) * PERCENT;
    totals.passed += mended + refused;
    totals.failed += touched;
    if enough {
        totals.skipped += missed;
    } else {
        totals.failed += missed;
    }
    println!("on the shelf: {mended} of {} hold ({PERCENT} % are asked for)", mended + missed);
    println!("to be refused: {refused} of {} hold (all are asked for)", refused + touched);
    let (held, other) = counted(Asked::Nothing);
    println!("not on the shelf: {} ({held} hold all the same)", held + other);
    totals.skipped += other;
    totals.passed += held;
    for (_, ran) in judged {
        match &ran.skipped {
            // A server can be started; another Python may not be had.
            Some(why) if require_all && why.contains("on loopback") => totals.failed += 1,
            Some(_) => totals.skipped += 1,
            None => {}
        }
    }
    if judged.is_empty() {
        println!("the runner told of no case");
        totals.failed += 1;
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(failed: bool, skipped: Option<&str>) -> Ran {
        Ran {
            case: "one".to_owned(),
            skipped: skipped.map(str::to_owned),
            failed: if failed { vec!["gone".to_owned()] } else { Vec::new() },
            cause: None,
            detail: None,
        }
    }

    fn some(asked: Asked, held: usize, missed: usize) -> Vec<(Asked, Ran)> {
        (0..held + missed).map(|number| (asked, ran(number >= held, None))).collect()
    }

    #[test]
    fn a_few_misses_are_allowed_on_the_shelf() {
        assert_eq!(judge(&some(Asked::Mend, 19, 1), true), Totals { passed: 19, failed: 0, skipped: 1 });
        assert_eq!(judge(&some(Asked::Mend, 18, 2), true), Totals { passed: 18, failed: 2, skipped: 0 });
    }

    #[test]
    fn every_refusal_must_hold() {
        assert_eq!(judge(&some(Asked::Refuse, 19, 1), true), Totals { passed: 19, failed: 1, skipped: 0 });
    }

    #[test]
    fn what_is_listed_as_missed_must_be_missed() {
        let missed = BTreeMap::from([("one".to_owned(), "why".to_owned())]);
        assert_eq!(judge_own(&some(Asked::Mend, 0, 1), &missed), Totals { passed: 0, failed: 0, skipped: 1 });
        assert_eq!(judge_own(&some(Asked::Mend, 1, 0), &missed).failed, 1);
        assert_eq!(judge_own(&some(Asked::Mend, 0, 1), &BTreeMap::new()).failed, 1);
        assert_eq!(judge_own(&[], &missed).failed, 1);
    }

    #[test]
    fn a_server_may_be_required() {
        let absent = || vec![(Asked::Mend, ran(false, Some("no redis on loopback")))];
        assert_eq!(judge(&absent(), true).failed, 1);
        assert_eq!(judge(&absent(), false), Totals { passed: 0, failed: 0, skipped: 1 });
    }
}
