//! One run of an attempt on one side of the patch, and what it told.

use std::collections::BTreeSet;
use std::time::Duration;

use loopmend_model::{Incident, Patch, ProofRun, TreeSide};

use crate::Case;
use crate::judge::{Line, Printed, normal};
use crate::notes::Notes;
use crate::place::{Place, Recogniser};
use crate::prelude;
use crate::reproduce::{Attempt, Sign, sign};
use crate::run::{Command, Exit, Limits};
use crate::verify_error::VerifyError;

/// Most bytes of notes that are read of a run.
const NOTES: u64 = 64 << 20;
/// Characters kept of a run's output, from its start and its end.
const FIRST: usize = 1500;
const LAST: usize = 4500;

/// What a run is for.
#[derive(Clone, Copy, Debug)]
pub struct Mode<'p> {
    /// The patch, on its side.
    pub patch: Option<&'p Patch>,
    /// Development mode, debug mode of asyncio, `tracemalloc` once the project's own code runs, and notes of its functions.
    pub watched: bool,
}

/// A run that is over.
#[derive(Clone, Debug)]
pub struct Trial {
    /// For the proof.
    pub run: ProofRun,
    /// How it ended.
    pub exit: Exit,
    /// What was recognised in its output.
    pub incidents: Vec<Incident>,
    /// What its processes noted.
    pub notes: Notes,
    /// Signs of trouble.
    pub signs: BTreeSet<Sign>,
    /// What those signs tell of besides.
    pub implied: BTreeSet<Sign>,
    /// Lines of standard output, normalised.
    pub printed: Printed,
    /// All it said.
    pub text: String,
}

/// Runs an attempt in a fresh copy of the tree.
pub fn run(
    case: &Case<'_>,
    place: &dyn Place,
    recogniser: &dyn Recogniser,
    attempt: &Attempt,
    mode: Mode<'_>,
    time: Duration,
) -> Result<Trial, VerifyError> {
    let workspace = match (mode.patch, case.after) {
        (Some(_), Some(after)) => place.prepare(after, None)?,
        (patch, _) => place.prepare(case.root, patch)?,
    };
    let lent = prelude::lend(&workspace).map_err(VerifyError::Lend)?;
    let argv = attempt.argv.iter().map(|word| match attempt.harness {
        Some(file) if word == file => lent.join(file).into_os_string(),
        _ => word.into(),
    });
    let mut command = Command::new(argv);
    command.limits = Limits { time, ..command.limits };
    let root = workspace.root().display().to_string();
    let mut set = |name: &str, value: String| command.env.push((name.to_owned(), value));
    set("PYTHONUNBUFFERED", "1".to_owned());
    set("PYTHONDONTWRITEBYTECODE", "1".to_owned());
    let mut shown: Vec<(String, String)> = Vec::new();
    if mode.watched {
        for (name, value) in [("PYTHONDEVMODE", "1"), ("PYTHONASYNCIODEBUG", "1")] {
            set(name, value.to_owned());
            shown.push((name.to_owned(), value.to_owned()));
        }
        set("LOOPMEND_WATCH", "1".to_owned());
    }
    for (name, value) in &attempt.env {
        set(name, value.clone());
        shown.push((name.clone(), value.clone()));
    }
    let own = attempt.env.iter().find(|(name, _)| name == "PYTHONPATH").map(|(_, value)| value.as_str());
    let path = own.map_or_else(|| lent.display().to_string(), |own| format!("{}:{own}", lent.display()));
    set("PYTHONPATH", path);
    let plugins =
        attempt.env.iter().find(|(name, _)| name == "PYTEST_PLUGINS").map(|(_, value)| value.as_str());
    set(
        "PYTEST_PLUGINS",
        plugins.map_or_else(|| "loopmend_suite".to_owned(), |own| format!("{own},loopmend_suite")),
    );
    set("LOOPMEND_ROOT", root.clone());
    set("LOOPMEND_REPORT", workspace.leave("notes").display().to_string());
    if let Some(failing) = &attempt.failing {
        set("LOOPMEND_FAIL", failing.clone());
    }
    let ran = workspace.run(&command)?;
    let notes = workspace.left("notes", NOTES).unwrap_or_default();
    let notes = Notes::read(&String::from_utf8_lossy(&notes));
    let incidents = recogniser.incidents(&ran.output);
    let relative = |sign: Sign| Sign { words: sign.words.replace(&format!("{root}/"), ""), ..sign };
    let mut signs: BTreeSet<Sign> =
        sign::of_incidents(case.tree, &incidents).into_iter().map(relative).collect();
    let implied = sign::implied(case.tree, &incidents).into_iter().map(relative).collect();
    signs.extend(sign::of_notes(&notes));
    let text = String::from_utf8_lossy(&ran.output).into_owned();
    let printed = printed(&text, &String::from_utf8_lossy(&ran.stdout), &incidents, recogniser, &root);
    let milliseconds = u64::try_from(ran.duration.as_millis()).unwrap_or(u64::MAX);
    let proof = ProofRun {
        way: attempt.way,
        tree: if mode.patch.is_some() { TreeSide::After } else { TreeSide::Before },
        watched: mode.watched,
        command: attempt.command.clone(),
        env: shown,
        exit: ran.exit.to_string(),
        milliseconds,
        symptoms: signs.iter().map(|sign| sign.id.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
        output: shortened(&text.replace(&root, ".")),
    };
    Ok(Trial { run: proof, exit: ran.exit, incidents, notes, signs, implied, printed, text })
}

/// The lines of standard output that are not the symptom's own; early ones came before the first of them in the order of both
/// streams.
fn printed(
    text: &str,
    stdout: &str,
    incidents: &[Incident],
    recogniser: &dyn Recogniser,
    root: &str,
) -> Printed {
    let first = incidents
        .iter()
        .filter(|incident| !incident.symptoms.is_empty())
        .map(|incident| incident.lines.0)
        .min();
    let before: Vec<&str> =
        text.lines().take(first.map_or(usize::MAX, |line| line.saturating_sub(1))).collect();
    let own = recogniser.incidents(stdout.as_bytes());
    let mut lines = Vec::new();
    let mut rest = before.iter();
    for (number, line) in stdout.lines().enumerate() {
        let early = first.is_none() || rest.any(|other| *other == line);
        let symptom =
            own.iter().any(|incident| (incident.lines.0..=incident.lines.1).contains(&(number + 1)));
        if !symptom && !line.trim().is_empty() {
            lines.push(Line { text: normal(line, root), early });
        }
    }
    Printed { lines }
}

/// The start and the end of a long text.
pub fn shortened(text: &str) -> String {
    if text.len() <= FIRST + LAST {
        return text.to_owned();
    }
    let start = (0..=FIRST).rev().find(|index| text.is_char_boundary(*index)).unwrap_or(0);
    let end =
        (text.len() - LAST..text.len()).find(|index| text.is_char_boundary(*index)).unwrap_or(text.len());
    format!("{}\n[… {} bytes …]\n{}", &text[..start], end - start, &text[end..])
}

impl Trial {
    /// Whether its attempt ran tests.
    pub fn has_suite(&self) -> bool {
        !self.notes.suite.is_empty()
    }
}
