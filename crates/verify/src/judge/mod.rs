//! The patch, before and after: what is gone, what is new, what was lost, and what that amounts to.
//!
//! Everything is compared under equal settings: plain runs with plain runs, watched ones with watched ones. Start with
//! [`judge`]; [`verdict`] turns what was seen into a level with its reasons.

mod lines;
mod normal;
mod sides;
mod suite;
mod verdict;

use std::thread;

use loopmend_model::{OutputChange, Patch, Proof, ProofEnvironment, ProofPlace, SuiteChange};

pub use lines::{Line, Printed, Varying};
pub use normal::{normal, shape};
pub use suite::{Outcome, Suite};

use crate::case::{Case, ProveOptions};
use crate::place::{Place, Recogniser};
use crate::reproduce::{self, Attempt, Reproduced};
use crate::run::Exit;
use crate::trial::{self, Mode, Trial};
use crate::verify_error::VerifyError;
use sides::Sides;
use verdict::{Evidence, verdict};

/// How often the tree as it was is run again where something seems to be lost.
const AGAIN: usize = 2;

/// Judges a patch, after [`reproduce()`](reproduce::reproduce).
pub fn judge(
    case: &Case<'_>,
    place: &dyn Place,
    recogniser: &dyn Recogniser,
    reproduced: &Reproduced,
    patch: &Patch,
    options: &ProveOptions,
) -> Result<Proof, VerifyError> {
    let judge = Judge { case, place, recogniser, patch, options };
    let suite = reproduce::suite(case);
    let shows = reproduced.attempt.clone();
    // Without a reproduction what can be run is compared all the same: the given command, else a program that ended well.
    let main = shows.clone().or_else(|| fallback(reproduced, suite.as_ref()));
    let known = |attempt: &Attempt| -> Vec<Trial> {
        reproduced
            .trials
            .iter()
            .filter(|(tried, _)| tried == attempt)
            .map(|(_, trial)| trial.clone())
            .collect()
    };
    let mut sides = Sides::default();
    if let Some(main) = &main {
        sides = judge.both(main, known(main), options.runs.max(1))?;
    }
    let mut suite_sides = Sides::default();
    if let Some(suite) = &suite
        && main.as_ref() != Some(suite)
        && !sides
            .before
            .iter()
            .any(|trial| trial.has_suite() && main.as_ref().is_some_and(|main| !is_one_test(main)))
    {
        let before = known(suite).into_iter().filter(|trial| !trial.run.watched).collect();
        suite_sides = judge.once(suite, before)?;
    }
    let tests = if suite_sides.before.is_empty() { (&main, &mut sides) } else { (&suite, &mut suite_sides) };
    let suite_change = match tests {
        (Some(attempt), sides) if sides.before.iter().any(Trial::has_suite) => {
            Some(judge.suites(attempt, sides)?)
        }
        _ => None,
    };
    if let Some(main) = &main
        && sides.new_signs().iter().any(|(watched, _)| *watched)
    {
        sides.before.extend(judge.runs(main, &[(false, true)])?);
        sides.after.extend(judge.runs(main, &[(true, true); AGAIN])?);
    }
    let mut output = outputs(reproduced, &sides);
    if let Some(main) = &main
        && output.as_ref().is_some_and(|output| !output.lost.is_empty())
    {
        // What differs by itself shows only in another run of the same tree.
        sides.before.extend(judge.runs(main, &[(false, false); AGAIN])?);
        output = outputs(reproduced, &sides);
    }
    let evidence = Evidence {
        case,
        patch,
        reproduced,
        main: main.as_ref(),
        sides: &sides,
        suite_sides: &suite_sides,
        suite: suite_change.as_ref(),
        output: output.as_ref(),
    };
    let (level, reasons, failures) = verdict(&evidence);
    let tried = reproduced.trials.iter().map(|(_, trial)| trial);
    let rest = |trials: &[Trial]| -> Vec<_> {
        let fresh = |trial: &&Trial| !reproduced.trials.iter().any(|(_, known)| known.run == trial.run);
        trials.iter().filter(fresh).map(|trial| trial.run.clone()).collect()
    };
    let mut runs: Vec<_> = tried.map(|trial| trial.run.clone()).collect();
    for trials in [&sides.before, &suite_sides.before, &sides.after, &suite_sides.after] {
        runs.extend(rest(trials));
    }
    let setting = place.describe();
    Ok(Proof {
        level,
        reasons,
        failures,
        reproduction: reproduced.reproduction(),
        runs,
        suite: suite_change,
        output,
        regression_test: None,
        environment: ProofEnvironment::default(),
        place: ProofPlace {
            sandboxed: setting.confined_by.is_some(),
            description: match &setting.confined_by {
                Some(program) => format!("{program}; limited: {}", setting.limited_by.join(", ")),
                None => format!("no sandbox; open: {}", setting.open.join("; ")),
            },
        },
        services: setting.services,
        repeat: None,
    })
}

fn is_one_test(attempt: &Attempt) -> bool {
    attempt.way == loopmend_model::Way::Test
}

/// What is compared where the error was not seen: the given command, or a program of the project that ended well.
fn fallback(reproduced: &Reproduced, suite: Option<&Attempt>) -> Option<Attempt> {
    let given = reproduced.trials.iter().find(|(attempt, _)| attempt.way == loopmend_model::Way::Given);
    let ended = || {
        reproduced.trials.iter().find(|(attempt, trial)| {
            Some(attempt) != suite && trial.exit == Exit::Code(0) && !trial.printed.lines.is_empty()
        })
    };
    given.or_else(ended).map(|(attempt, _)| attempt.clone()).or_else(|| suite.cloned())
}

struct Judge<'j> {
    case: &'j Case<'j>,
    place: &'j dyn Place,
    recogniser: &'j dyn Recogniser,
    patch: &'j Patch,
    options: &'j ProveOptions,
}

impl Judge<'_> {
    fn run(&self, attempt: &Attempt, after: bool, watched: bool) -> Result<Trial, VerifyError> {
        let mode = Mode { patch: after.then_some(self.patch), watched };
        trial::run(self.case, self.place, self.recogniser, attempt, mode, self.options.time)
    }

    /// Some runs, two at a time where nothing outside is shared.
    fn runs(&self, attempt: &Attempt, wanted: &[(bool, bool)]) -> Result<Vec<Trial>, VerifyError> {
        if !self.options.parallel {
            return wanted.iter().map(|(after, watched)| self.run(attempt, *after, *watched)).collect();
        }
        let mut trials = Vec::new();
        for pair in wanted.chunks(2) {
            let ran: Vec<Result<Trial, VerifyError>> = thread::scope(|scope| {
                let started: Vec<_> = pair
                    .iter()
                    .map(|&(after, watched)| scope.spawn(move || self.run(attempt, after, watched)))
                    .collect();
                started
                    .into_iter()
                    .map(|run| run.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
                    .collect()
            });
            for trial in ran {
                trials.push(trial?);
            }
        }
        Ok(trials)
    }

    /// Both sides: a plain run and a watched one before; as many as asked for after, one of them watched.
    fn both(&self, attempt: &Attempt, known: Vec<Trial>, runs: usize) -> Result<Sides, VerifyError> {
        let mut wanted = Vec::new();
        for watched in [false, true] {
            if !known.iter().any(|trial| trial.run.watched == watched) {
                wanted.push((false, watched));
            }
        }
        wanted.push((true, true));
        wanted.extend(std::iter::repeat_n((true, false), runs.saturating_sub(1).max(1)));
        let ran = self.runs(attempt, &wanted)?;
        let mut sides = Sides { before: known, after: Vec::new() };
        for ((after, _), trial) in wanted.into_iter().zip(ran) {
            if after { sides.after.push(trial) } else { sides.before.push(trial) }
        }
        Ok(sides)
    }

    /// One plain run on each side.
    fn once(&self, attempt: &Attempt, known: Vec<Trial>) -> Result<Sides, VerifyError> {
        let mut wanted = Vec::new();
        if known.is_empty() {
            wanted.push((false, false));
        }
        wanted.push((true, false));
        let mut sides = Sides { before: known, after: Vec::new() };
        for ((after, _), trial) in wanted.clone().into_iter().zip(self.runs(attempt, &wanted)?) {
            if after { sides.after.push(trial) } else { sides.before.push(trial) }
        }
        Ok(sides)
    }

    /// Compares suites; what seems lost is run again on both sides, since a flaky test is no loss.
    fn suites(&self, attempt: &Attempt, sides: &mut Sides) -> Result<SuiteChange, VerifyError> {
        let plain = |trials: &[Trial]| -> Vec<Suite> {
            trials.iter().filter(|trial| !trial.run.watched).map(|trial| trial.notes.suite.clone()).collect()
        };
        let mut change = suite::compare(&plain(&sides.before), &plain(&sides.after));
        if !change.lost.is_empty() && plain(&sides.before).len() < 2 + AGAIN {
            for (after, trial) in [(false, AGAIN), (true, 1)] {
                let wanted = vec![(after, false); trial];
                let ran = self.runs(attempt, &wanted)?;
                if after { sides.after.extend(ran) } else { sides.before.extend(ran) }
            }
            change = suite::compare(&plain(&sides.before), &plain(&sides.after));
        }
        attempt.command.clone_into(&mut change.command);
        Ok(change)
    }
}

/// Standard output of plain runs, before and after; the worst of the runs after counts. Tests print as they like: their
/// suite is compared instead.
fn outputs(reproduced: &Reproduced, sides: &Sides) -> Option<OutputChange> {
    let before: Vec<&Trial> = sides.before.iter().filter(|trial| !trial.run.watched).collect();
    let first = before.first()?;
    if first.has_suite() {
        return None;
    }
    let varying = Varying::learn(&before.iter().map(|trial| &trial.printed).collect::<Vec<_>>());
    let latitude =
        lines::Latitude { silent: reproduced.silent, work_was_missing: work_was_missing(reproduced, first) };
    sides
        .after
        .iter()
        .filter(|trial| !trial.run.watched)
        .map(|trial| {
            let exit = (first.run.exit.clone(), trial.run.exit.clone());
            lines::compare(&first.printed, &trial.printed, &varying, latitude, exit)
        })
        .max_by_key(|change| (change.lost.len(), change.instead.len()))
}

/// Whether the trouble kept the program from doing what it is for: then what it said of that may be replaced.
fn work_was_missing(reproduced: &Reproduced, first: &Trial) -> bool {
    reproduced.silent
        || !first.exit.success()
        || reproduced.seen.iter().any(|sign| leaves_undone(&sign.id))
        || first.incidents.iter().any(|incident| {
            !incident.exceptions.is_empty()
                && incident.symptoms.iter().any(|id| reproduced.seen.iter().any(|sign| sign.id == *id))
        })
}

/// Whether a sign says by itself that something did not come to its end.
fn leaves_undone(id: &str) -> bool {
    const CUT: [&str; 3] = [reproduce::sign::LEFT, reproduce::sign::CUT_OFF, "killed-by-sigterm"];
    const UNDONE: [&str; 3] = ["never-awaited", "task-destroyed", "never-retrieved"];
    CUT.contains(&id) || UNDONE.iter().any(|word| id.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_program_said_of_its_work_may_be_said_otherwise() {
        for id in
            ["killed-by-sigterm", "task-left-behind", "task-destroyed-pending", "coroutine-never-awaited"]
        {
            assert!(leaves_undone(id), "{id}");
        }
        for id in ["event-loop-closed", "unclosed-client-session", "no-running-event-loop"] {
            assert!(!leaves_undone(id), "{id}");
        }
    }
}
