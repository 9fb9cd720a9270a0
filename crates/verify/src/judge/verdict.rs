//! What was seen, weighed: the level, its reasons, and what speaks against the patch.

use std::collections::BTreeSet;

use loopmend_model::{OutputChange, Patch, ProofLevel, SuiteChange};
use similar::{ChangeTag, TextDiff};

use super::Sides;
use crate::case::Case;
use crate::gate::{changes_of, suppressions};
use crate::reproduce::{Attempt, Reproduced, Sign, is_test};
use crate::run::Exit;
use crate::trial::Trial;

/// Everything that the level depends on.
pub(super) struct Evidence<'e> {
    pub case: &'e Case<'e>,
    pub patch: &'e Patch,
    pub reproduced: &'e Reproduced,
    /// What was run on both sides.
    pub main: Option<&'e Attempt>,
    pub sides: &'e Sides,
    pub suite_sides: &'e Sides,
    pub suite: Option<&'e SuiteChange>,
    pub output: Option<&'e OutputChange>,
}

/// The level, why, and what was lost.
pub(super) fn verdict(evidence: &Evidence<'_>) -> (ProofLevel, Vec<String>, Vec<String>) {
    let mut failures: Vec<String> =
        suppressions(&changes_of(evidence.patch)).iter().map(|one| format!("it only hides: {one}")).collect();
    failures.extend(still_there(evidence));
    failures.extend(new_signs(evidence));
    failures.extend(evidence.suite.iter().flat_map(|suite| &suite.lost).cloned());
    if let Some(output) = evidence.output {
        failures.extend(output.lost.iter().map(|line| format!("it no longer prints `{line}`")));
    }
    failures.extend(worse_exit(evidence));
    if !failures.is_empty() {
        let reason = "the patch does not hold: what speaks against it is listed".to_owned();
        return (ProofLevel::Unproved, vec![reason], failures);
    }
    if evidence.sides.after.is_empty() && evidence.suite_sides.after.is_empty() {
        let mut reasons =
            vec!["nothing could be run: no command was given, and no test or entry was found".to_owned()];
        reasons.extend(evidence.reproduced.missed.iter().take(4).cloned());
        return (ProofLevel::Unproved, reasons, failures);
    }
    let doubts = doubts(evidence);
    let mut reasons = Vec::new();
    if doubts.is_empty() {
        reasons.push(gone(evidence));
        reasons.extend(kept(evidence));
        return (ProofLevel::Proved, reasons, failures);
    }
    reasons.extend(doubts);
    if evidence.reproduced.attempt.is_none() {
        reasons.extend(evidence.reproduced.missed.iter().take(4).cloned());
    } else {
        reasons.push(gone(evidence));
    }
    reasons.extend(kept(evidence));
    (ProofLevel::Checked, reasons, failures)
}

/// Signs that were seen before and are seen after.
fn still_there(evidence: &Evidence<'_>) -> Vec<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    let total = evidence.sides.after.len();
    for sign in evidence.reproduced.seen.iter().filter(|sign| !sign.is_outside()) {
        let shows = |trial: &&Trial| trial.signs.iter().any(|other| other.is(sign));
        let count = evidence.sides.after.iter().filter(shows).count();
        if count > 0 {
            found.insert(format!("it still happens in {count} of {total} runs: {}", sign.words));
        }
    }
    found.into_iter().collect()
}

/// Signs that no run before had, under the same settings. Development mode is slow, and what is late by that alone is late
/// sometimes: a sign of watched runs counts if all of them have it.
fn new_signs(evidence: &Evidence<'_>) -> Vec<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    for sides in [evidence.sides, evidence.suite_sides] {
        if sides.before.is_empty() {
            continue;
        }
        for (watched, sign) in sides.new_signs() {
            let mode = if watched { "in development mode" } else { "in a plain run" };
            let place = if sign.place.is_empty() { String::new() } else { format!(" ({})", sign.place) };
            found.insert(format!("new {mode}: {}{place}", sign.words));
        }
    }
    found.into_iter().collect()
}

/// Ends that are worse than before.
fn worse_exit(evidence: &Evidence<'_>) -> Vec<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    for sides in [evidence.sides, evidence.suite_sides] {
        for watched in [false, true] {
            let before: Vec<Exit> = of_mode(&sides.before, watched).map(|trial| trial.exit).collect();
            for trial in of_mode(&sides.after, watched) {
                let known = before.contains(&trial.exit);
                if before.is_empty() || known || trial.exit.success() {
                    continue;
                }
                // Tests that still fail, or that a failing start-up still ends, are told of by themselves.
                let failing = |exit: &Exit| matches!(exit, Exit::Code(code) if *code != 0);
                if trial.has_suite() && before.iter().all(failing) && failing(&trial.exit) {
                    continue;
                }
                found.insert(format!("it ended with {} before, and ends with {} now", before[0], trial.exit));
            }
        }
    }
    found.into_iter().collect()
}

fn of_mode(trials: &[Trial], watched: bool) -> impl Iterator<Item = &Trial> {
    trials.iter().filter(move |trial| trial.run.watched == watched)
}

/// What keeps it from being proved.
fn doubts(evidence: &Evidence<'_>) -> Vec<String> {
    let mut doubts = Vec::new();
    let Some(attempt) = &evidence.reproduced.attempt else {
        return vec!["the error could not be made to happen on the tree as it was".to_owned()];
    };
    let plain_before = of_mode(&evidence.sides.before, false).next();
    let compared = evidence.output.is_some_and(|output| output.compared + output.gained.len() > 0);
    let tested = evidence.suite.is_some_and(|suite| suite.passed_before + suite.passed_after > 0);
    if !compared && !tested {
        doubts.push("there is neither a test that passes nor any output to compare".to_owned());
    }
    if let Some(before) = plain_before
        && (failed(before.exit) || evidence.reproduced.seen.iter().all(Sign::is_outside))
        && !went_on(evidence)
    {
        doubts.push(format!(
            "`{}` ended with {} before; what it does after that was not seen to be done now",
            attempt.command, before.run.exit
        ));
    }
    if takes_only_away(evidence.patch) && !does_more(evidence) {
        doubts.push(
            "the change only takes calls away, and nothing is seen to be done in their place".to_owned(),
        );
    }
    doubts.extend(never_run(evidence));
    let idle = no_longer_run(evidence);
    if !idle.is_empty() {
        doubts.push(format!("no longer run: {}", idle.join(", ")));
    }
    doubts
}

fn failed(exit: Exit) -> bool {
    !exit.success()
}

/// Whether a change of the program itself has calls on the lines it removes, and none on those it adds.
fn takes_only_away(patch: &Patch) -> bool {
    let (mut removed, mut added) = (0, 0);
    for file in patch.files.iter().filter(|file| file.path.ends_with(".py") && !is_test(&file.path)) {
        let before = file.before.as_deref().unwrap_or_default();
        for change in TextDiff::from_lines(before, file.after.as_str()).iter_all_changes() {
            let line = change.value().trim_start();
            let calls = line.contains('(')
                && !line.starts_with(['#', '@'])
                && !line.starts_with("def ")
                && !line.starts_with("async def ");
            match change.tag() {
                ChangeTag::Delete => removed += usize::from(calls),
                ChangeTag::Insert => added += usize::from(calls),
                ChangeTag::Equal => {}
            }
        }
    }
    removed > 0 && added == 0
}

/// Coroutines of the project that nobody awaited before and that nobody runs now.
fn never_run(evidence: &Evidence<'_>) -> Vec<String> {
    let after = functions(&evidence.sides.after);
    if after.is_empty() {
        return Vec::new();
    }
    let known = |name: &str| {
        let last = name.rsplit('.').next().unwrap_or(name);
        evidence.case.tree.files.iter().any(|file| file.text.contains(&format!("async def {last}(")))
    };
    let runs = |name: &str| {
        let last = name.rsplit('.').next().unwrap_or(name);
        after.iter().any(|(_, ran)| ran == name || ran.rsplit('.').next() == Some(last))
    };
    let unawaited = evidence.reproduced.seen.iter().filter(|sign| sign.id.contains("never-awaited"));
    let names: BTreeSet<&str> = unawaited
        .filter_map(|sign| sign.words.split_once("coroutine '")?.1.split_once('\'').map(|(name, _)| name))
        .collect();
    names
        .into_iter()
        .filter(|name| known(name) && !runs(name))
        .map(|name| format!("`{name}` is still never run"))
        .collect()
}

/// Whether the program is seen to do what it did not do before.
fn does_more(evidence: &Evidence<'_>) -> bool {
    let more = evidence.output.is_some_and(|output| !output.gained.is_empty() || !output.instead.is_empty());
    let mended = evidence
        .suite
        .is_some_and(|suite| !suite.mended.is_empty() || suite.passed_after > suite.passed_before);
    more || mended || newly_run(evidence)
}

/// Whether the program does more than before, or ends as before for the same reason.
fn went_on(evidence: &Evidence<'_>) -> bool {
    let same_end = !evidence.reproduced.seen.iter().all(Sign::is_outside)
        && of_mode(&evidence.sides.before, false).next().is_some_and(|before| {
            of_mode(&evidence.sides.after, false).all(|trial| trial.exit == before.exit)
        });
    does_more(evidence) || same_end
}

fn functions(trials: &[Trial]) -> BTreeSet<&(String, String)> {
    trials.iter().flat_map(|trial| &trial.notes.ran).collect()
}

fn newly_run(evidence: &Evidence<'_>) -> bool {
    let before = functions(&evidence.sides.before);
    functions(&evidence.sides.after).iter().any(|name| !before.contains(*name))
}

/// Functions of the project that ran before, are still there, and run no more.
fn no_longer_run(evidence: &Evidence<'_>) -> Vec<String> {
    let after = functions(&evidence.sides.after);
    if after.is_empty() {
        return Vec::new();
    }
    let named: BTreeSet<&str> = after.iter().map(|(_, name)| name.as_str()).collect();
    functions(&evidence.sides.before)
        .into_iter()
        .filter(|name| !after.contains(*name))
        // What moved to another file runs under its own name there.
        .filter(|(path, name)| !named.contains(name.as_str()) && is_kept(evidence, path, name))
        .map(|(path, name)| format!("`{name}` of {path}"))
        .collect()
}

/// Whether the patched file still has the function.
fn is_kept(evidence: &Evidence<'_>, path: &str, name: &str) -> bool {
    let last = name.rsplit('.').next().unwrap_or(name);
    if last.starts_with('<') {
        return false;
    }
    let text = evidence.patched(path);
    text.contains(&format!("def {last}(")) || text.contains(&format!("class {last}"))
}

impl Evidence<'_> {
    fn patched(&self, path: &str) -> String {
        self.patch
            .files
            .iter()
            .find(|file| file.path == path)
            .map(|file| file.after.clone())
            .or_else(|| self.case.tree.file(path).map(|file| file.text.to_string()))
            .unwrap_or_default()
    }
}

fn gone(evidence: &Evidence<'_>) -> String {
    let total = evidence.sides.after.len();
    // What is told of at another place now is not what went.
    let lives_on = |sign: &&Sign| {
        evidence.sides.after.iter().any(|trial| trial.signs.iter().any(|other| other.id == sign.id))
    };
    let seen = &evidence.reproduced.seen;
    let what =
        seen.iter().find(|sign| !lives_on(sign)).or_else(|| seen.iter().find(|sign| !sign.is_outside()));
    let what = what.map_or("it", |sign| sign.words.as_str());
    let command = evidence.main.map_or("", |attempt| attempt.command.as_str());
    format!("seen before and gone in {total} of {total} runs of `{command}`: {what}")
}

fn kept(evidence: &Evidence<'_>) -> Vec<String> {
    let mut kept = Vec::new();
    if let Some(suite) = evidence.suite {
        let mended = suite.mended.len();
        let more = if mended > 0 { format!(", {mended} of them failed before") } else { String::new() };
        kept.push(format!("{} of {} tests pass{more}; none is lost", suite.passed_after, suite.collected));
    }
    if let Some(output) = evidence.output {
        let lines = if output.compared == 1 { "line is" } else { "lines are" };
        kept.push(format!(
            "{} {lines} compared, none is lost; it ends with {}",
            output.compared, output.exit.1
        ));
        for (before, after) in &output.instead {
            kept.push(format!("`{after}` in the place of `{before}`"));
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopmend_model::{Applicability, FileChange};

    fn patch(path: &str, before: &str, after: &str) -> Patch {
        let file =
            FileChange { path: path.to_owned(), before: Some(before.to_owned()), after: after.to_owned() };
        Patch { files: vec![file], applicability: Applicability::Unsafe }
    }

    #[test]
    fn a_change_that_only_takes_calls_away_is_told_from_one_that_replaces_them() {
        assert!(takes_only_away(&patch("a.py", "x = 1\nsend(x)\n", "x = 1\npass\n")));
        assert!(!takes_only_away(&patch("a.py", "send(x)\n", "await send(x)\n")));
        assert!(!takes_only_away(&patch("tests/test_a.py", "send(x)\n", "")));
        assert!(!takes_only_away(&patch("a.py", "x = 1\n", "x = 2\n")));
    }
}
