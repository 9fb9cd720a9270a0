//! The test that keeps the error away: written in the project's own style, seen to fail without the patch and to pass with it.
//!
//! [`style`] reads how the project writes its tests, [`text`] writes candidates; the first one that fails before and passes
//! after is taken. Where none does, there is none, and the proof says why.

mod style;
mod text;

use loopmend_model::{FileChange, Patch, RegressionTest, SuiteChange, Way};

use crate::case::{Case, ProveOptions};
use crate::judge::Outcome;
use crate::place::{Place, Recogniser};
use crate::reproduce::{Attempt, Reproduced};
use crate::trial::{self, Mode, Trial};
use crate::verify_error::VerifyError;
use style::{Runner, Style};

/// A test that may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Path in the project.
    pub path: String,
    /// Name of its function.
    pub name: String,
    /// The file's text.
    pub text: String,
}

/// Writes the test; where there is none, why.
pub fn regression_test(
    case: &Case<'_>,
    place: &dyn Place,
    recogniser: &dyn Recogniser,
    reproduced: &Reproduced,
    suite: Option<&SuiteChange>,
    patch: &Patch,
    options: &ProveOptions,
) -> Result<Result<RegressionTest, String>, VerifyError> {
    let Some(attempt) = &reproduced.attempt else {
        return Ok(Err("no test is written, since the error was not seen".to_owned()));
    };
    if let Some(mended) = suite.and_then(|suite| suite.mended.first()) {
        return Ok(Err(format!("no test is written: `{mended}` failed before and passes now")));
    }
    let Some(style) = Style::of(case) else {
        return Ok(Err("no test is written: the project has no suite".to_owned()));
    };
    let services = !place.describe().services.is_empty();
    let candidates = text::candidates(case, &style, attempt, &reproduced.seen, services);
    let tried = candidates.len();
    for candidate in candidates {
        if case.tree.file(&candidate.path).is_some() {
            continue;
        }
        let file = FileChange { path: candidate.path.clone(), before: None, after: candidate.text.clone() };
        let alone = Patch { files: vec![file.clone()], applicability: patch.applicability };
        let mut both = patch.clone();
        both.files.push(file);
        let run = |patch: &Patch| -> Result<Trial, VerifyError> {
            let attempt = Attempt::new(Way::Test, style.command(&candidate.path));
            let mode = Mode { patch: Some(patch), watched: false };
            trial::run(&Case { after: None, ..*case }, place, recogniser, &attempt, mode, options.time)
        };
        let before = run(&alone)?;
        if outcome(&before, &candidate) != Some(Outcome::Failed) {
            continue;
        }
        if outcome(&run(&both)?, &candidate) == Some(Outcome::Passed) {
            return Ok(Ok(RegressionTest {
                failed_before: why(&before),
                path: candidate.path,
                name: candidate.name,
                text: candidate.text,
            }));
        }
    }
    Ok(Err(match (tried, services) {
        (0, true) => "no test is written: it would need the services that the program uses".to_owned(),
        (0, false) => "no test is written: this way to the error can't be put in a small one".to_owned(),
        _ => "no test is written: none was seen to fail without the mend and to pass with it".to_owned(),
    }))
}

/// How the candidate's own test came out; `None` where it did not even start.
fn outcome(trial: &Trial, candidate: &Candidate) -> Option<Outcome> {
    let named = |name: &str| {
        name.rsplit([':', '.']).next().is_some_and(|last| last.split('[').next() == Some(&candidate.name))
    };
    trial.notes.suite.tests.iter().filter(|(name, _)| named(name)).map(|(_, outcome)| *outcome).max()
}

fn why(trial: &Trial) -> String {
    let error = |line: &&str| line.starts_with("E  ") || line.contains("Error: ");
    trial
        .text
        .lines()
        .find(error)
        .map_or_else(|| trial.run.exit.clone(), |line| line.trim_start_matches('E').trim().to_owned())
}

impl Style {
    /// The command that runs one file of tests.
    fn command(&self, path: &str) -> Vec<String> {
        match self.runner {
            Runner::Pytest(_) => ["python", "-m", "pytest", "-q", path].map(str::to_owned).to_vec(),
            Runner::Unittest => {
                let module = path.trim_end_matches(".py").replace('/', ".");
                ["python", "-m", "unittest", &module].map(str::to_owned).to_vec()
            }
        }
    }
}
