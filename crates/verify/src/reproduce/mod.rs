//! Making the error happen on the tree as it is, before any patch is judged.
//!
//! [`plan`] lists the ways in the order they are tried; a run reproduces the error if it shows one of the log's signs at the
//! same place ([`sign`]). Start with [`reproduce`].

mod attempt;
mod entry;
mod plan;
mod service;
pub(crate) mod sign;
mod words;

use std::collections::BTreeSet;

use loopmend_model::{Frame, Incident, Reproduction, Way};

pub use attempt::Attempt;
pub(crate) use entry::{apps, is_test, module};
pub(crate) use plan::has_pytest;
pub use plan::{plan, suite};
pub use service::named as services;
pub use sign::Sign;
pub(crate) use sign::own_path;
pub use words::variables;

use crate::case::{Case, ProveOptions};
use crate::place::{Place, Recogniser};
use crate::run::RunError;
use crate::trial::{self, Mode, Trial};
use crate::verify_error::VerifyError;

/// What was tried, and what showed the error.
#[derive(Clone, Debug, Default)]
pub struct Reproduced {
    /// What showed it.
    pub attempt: Option<Attempt>,
    /// The signs of the error that were seen, by which its absence is judged.
    pub seen: BTreeSet<Sign>,
    /// Nothing of the log is recognised: the program's own words, and work that is left, are the only signs.
    pub silent: bool,
    /// All runs so far, with what they ran.
    pub trials: Vec<(Attempt, Trial)>,
    /// Why others did not show it, in words.
    pub missed: Vec<String>,
}

/// Runs one attempt after the other until the error is seen.
pub fn reproduce(
    case: &Case<'_>,
    place: &dyn Place,
    recogniser: &dyn Recogniser,
    options: &ProveOptions,
) -> Result<Reproduced, VerifyError> {
    let attempts = plan(case, options.command.as_deref());
    if let (Some(command), true) = (&options.command, attempts.is_empty()) {
        return Err(VerifyError::Command(command.clone()));
    }
    let wanted = wanted(case);
    let mut out = Reproduced { silent: wanted.is_empty(), ..Reproduced::default() };
    for attempt in attempts {
        for watched in [true, false] {
            let mode = Mode { patch: None, watched };
            let trial = match trial::run(case, place, recogniser, &attempt, mode, options.time) {
                Ok(trial) => trial,
                Err(VerifyError::Run(RunError::NoProgram { program, .. })) if attempt.way != Way::Given => {
                    out.missed.push(format!("{}: there is no `{program}`", attempt.way.words()));
                    break;
                }
                Err(error) => return Err(error),
            };
            let seen = seen(case, &wanted, &trial, out.silent);
            // What failed to start at all says nothing of the other mode either.
            let hopeless = trial
                .signs
                .iter()
                .any(|sign| matches!(sign.id.as_str(), "ModuleNotFoundError" | "ImportError"));
            out.trials.push((attempt.clone(), trial));
            if !seen.is_empty() {
                out.seen = seen;
                out.attempt = Some(attempt);
                return Ok(out);
            }
            if hopeless {
                break;
            }
        }
        let (_, last) =
            out.trials.last().map_or((None, None), |(attempt, trial)| (Some(attempt), Some(trial)));
        if let Some(trial) = last {
            out.missed.push(missed(&attempt, trial, &wanted));
        }
    }
    Ok(out)
}

/// The signs that the log's incidents have, of those that the diagnoses explain; all where they explain none.
pub fn wanted(case: &Case<'_>) -> BTreeSet<Sign> {
    let explained: BTreeSet<&String> =
        case.diagnoses.iter().flat_map(|diagnosis| &diagnosis.symptoms).collect();
    let relevant: Vec<&Incident> = case
        .incidents
        .iter()
        .filter(|incident| incident.symptoms.iter().any(|symptom| explained.contains(symptom)))
        .collect();
    if relevant.is_empty() {
        return sign::of_incidents(case.tree, case.incidents);
    }
    let mut signs = sign::of_incidents(case.tree, relevant);
    if signs.iter().any(|sign| explained.contains(&sign.id)) {
        signs.retain(|sign| explained.contains(&sign.id));
    }
    signs
}

/// The wanted signs that a run shows. Without any that are wanted: the work it leaves at the causes' places, where it prints
/// what the log has.
fn seen(case: &Case<'_>, wanted: &BTreeSet<Sign>, trial: &Trial, silent: bool) -> BTreeSet<Sign> {
    if !silent {
        return trial.signs.iter().filter(|sign| wanted.iter().any(|want| want.is(sign))).cloned().collect();
    }
    let explained: BTreeSet<&String> =
        case.diagnoses.iter().flat_map(|diagnosis| &diagnosis.symptoms).collect();
    let mut signs: BTreeSet<Sign> = trial
        .signs
        .iter()
        .filter(|sign| sign.id == sign::LEFT || sign.id == sign::CUT_OFF || explained.contains(&sign.id))
        .cloned()
        .collect();
    if !case.text.is_empty() && !says_the_same(case.text, &trial.text) {
        signs.clear();
    }
    signs
}

/// Whether a run prints the program's lines that a log has: most of them, in whatever order.
fn says_the_same(log: &str, run: &str) -> bool {
    let lines = |text: &str| -> BTreeSet<String> {
        text.lines()
            .filter(|line| !line.starts_with("$ "))
            .map(|line| crate::judge::shape(&crate::judge::normal(line, "")))
            .filter(|line| line.chars().filter(|c| c.is_alphabetic()).count() > 2)
            .collect()
    };
    let (log, run) = (lines(log), lines(run));
    let both = log.intersection(&run).count();
    both > 0 && both * 2 >= log.len()
}

fn missed(attempt: &Attempt, trial: &Trial, wanted: &BTreeSet<Sign>) -> String {
    let elsewhere = trial.signs.iter().find(|sign| wanted.iter().any(|want| want.id == sign.id));
    match elsewhere {
        Some(sign) => format!("`{}` shows `{}` elsewhere, at {}", attempt.command, sign.id, sign.place),
        None => format!("`{}` does not show it ({})", attempt.command, trial.run.exit),
    }
}

impl Reproduced {
    /// For the proof; `None` where the error was not seen.
    pub fn reproduction(&self) -> Option<Reproduction> {
        let attempt = self.attempt.as_ref()?;
        let (_, trial) = self.trials.last()?;
        let mut seen: Vec<String> = self
            .seen
            .iter()
            .map(|sign| {
                if sign.place.is_empty() {
                    sign.words.clone()
                } else {
                    format!("{} ({})", sign.words, sign.place)
                }
            })
            .collect();
        seen.dedup();
        let created: Vec<Frame> = trial
            .incidents
            .iter()
            .find(|incident| {
                !incident.created.is_empty()
                    && incident.symptoms.iter().any(|id| self.seen.iter().any(|sign| sign.id == *id))
            })
            .map(|incident| incident.created.clone())
            .unwrap_or_default();
        Some(Reproduction { way: attempt.way, command: attempt.command.clone(), seen, created })
    }

    /// What the run that showed the error printed, to be diagnosed again with the creation sites in it.
    pub fn incidents(&self) -> &[Incident] {
        match (&self.attempt, self.trials.last()) {
            (Some(_), Some((_, trial))) => &trial.incidents,
            _ => &[],
        }
    }
}
