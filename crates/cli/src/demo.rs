//! `loopmend demo`: the whole way, on a small real service, on this machine.

mod service;

use std::fmt::Write as _;
use std::path::Path;

use anyhow::Context as _;
use clap::Args;
use loopmend_pipeline::{FixOptions, Told};
use loopmend_project::ApplyOptions;

use crate::answer;
use crate::diff;
use crate::explain;
use crate::failure::Failure;
use crate::log::Log;
use crate::printable::printable;
use crate::program::Outcome;
use crate::proof::{self, ProofOptions};
use crate::style::{self, paint};
use crate::talk::Talk;
use crate::tree::Opened;

use service::Service;

const EXAMPLES: &str = "\
Examples:
  loopmend demo            takes about half a minute, most of it for the packages
  loopmend demo --keep     keep the folder, to look around and try

It needs Python 3.10 or newer with venv, and PyPI. Everything happens in a temporary folder.";

/// Lines shown of a long output's start and end.
const FIRST: usize = 8;
const LAST: usize = 14;

/// Break, explain, mend and prove a small real service in a temporary folder.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Demo {
    /// Keep the folder.
    #[arg(long)]
    keep: bool,
}

impl Demo {
    /// Runs the command.
    pub fn run(self, talk: Talk) -> anyhow::Result<Outcome> {
        let mut folder = tempfile::Builder::new()
            .prefix("loopmend-demo-")
            .tempdir()
            .context(Failure::new("failed to make a temporary folder"))?;
        if self.keep {
            folder.disable_cleanup(true);
        }
        // The operating system may give a path through a link; what Python prints has none.
        let place = folder.path().canonicalize().unwrap_or_else(|_| folder.path().to_path_buf());
        let outcome = walk(&place, talk);
        if self.keep {
            answer::text(&format!(
                "\nThe folder is kept: {}\nTry in it: loopmend undo; loopmend explain error.log; loopmend check\n",
                paint(style::NAME, place.join("orders").display())
            ))?;
        }
        outcome
    }
}

/// The steps, each shown as it is done.
fn walk(place: &Path, talk: Talk) -> anyhow::Result<Outcome> {
    step(
        1,
        "A small FastAPI service: an HTTP session and an asyncpg pool, opened in on_event(\"startup\").",
    )?;
    let service = Service::make(place, talk)?;
    answer::text(&indented(&service.source()?))?;

    step(2, "It is started with uvicorn. Its database is down.")?;
    let before = service.run(talk)?;
    answer::text(&indented(&shortened(&before)))?;
    service.store_log(&before)?;

    step(3, "What that means: loopmend explain error.log")?;
    let opened = Opened::folder_with(&service.folder, Some(service.environment.as_path()), talk)?;
    let log = Log::of("error.log", before.clone().into_bytes());
    let explanation = loopmend_pipeline::explain_incidents(log.incidents.clone(), Some(&opened.tree));
    answer::text(&explain::story(&explanation, &log, Some(&opened), talk))?;

    step(4, "The mend, with its proof: loopmend fix --log error.log --verify")?;
    let text = log.text();
    let told = Told { incidents: &log.incidents, text: &text };
    let (mended, proof) = if cfg!(target_os = "linux") {
        let progress = talk.progress("running the service without the mend and with it");
        let proved =
            ProofOptions::plain(&service.environment).prove(&opened, Some(told), FixOptions::default(), talk);
        progress.finish_and_clear();
        let proved = proved?;
        (proved.mended, proved.proof)
    } else {
        (loopmend_pipeline::fix_told(&opened.tree, Some(told), FixOptions::default()), None)
    };
    let Some(patch) = mended.patch.filter(|patch| !patch.is_empty()) else {
        let why = mended.refused.map_or_else(|| "no mend was found".to_owned(), |refused| refused.message);
        return Err(Failure::new(format!("the demo's service was not mended: {why}"))
            .hint("please report this: the demo must always work")
            .into());
    };
    if let Some(proof) = proof.as_ref().filter(|proof| !proof.holds()) {
        answer::text(&proof::full(proof))?;
        return Err(Failure::new("the mend of the demo's service does not hold, so it was not made")
            .hint("please report this with the output above: the demo must always work")
            .into());
    }
    loopmend_project::apply(&service.folder, &patch, &ApplyOptions::default())
        .map_err(|error| Failure::new(format!("failed to {error}")))?;
    answer::text(&diff::of(&patch).coloured())?;
    if let Some(proof) = &proof {
        answer::text(&format!("\n{}", proof::full(proof)))?;
    }

    step(5, "The same again, after the mend.")?;
    let after = service.run(talk)?;
    answer::text(&indented(&shortened(&after)))?;

    step(6, "What changed")?;
    answer::text(&compared(&before, &after))?;
    if after.contains("Application startup failed") {
        answer::text(
            "\nThe database is still down, so the service still says so and stops: no mend hides that.\n\
             But what it had opened before is closed again.\n",
        )?;
    }
    answer::text(&format!(
        "\n{} Save what your own service or tests print (`COMMAND > error.log 2>&1`), then in its folder:\n  {}\n  {}\n",
        paint(style::GOOD, "Your turn."),
        paint(style::NAME, "loopmend explain error.log"),
        paint(style::NAME, "loopmend fix --log error.log --verify"),
    ))?;
    Ok(Outcome::Done)
}

fn step(number: u8, title: &str) -> anyhow::Result<()> {
    Ok(answer::text(&format!(
        "\n{} {}\n\n",
        paint(style::HELP, format!("[{number}/6]")),
        paint(style::HEADING, title)
    ))?)
}

fn indented(text: &str) -> String {
    let mut out = String::new();
    for line in printable(text).lines() {
        let _ = writeln!(out, "    {line}");
    }
    out
}

/// A long output without its middle.
fn shortened(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    if lines.len() <= FIRST + LAST + 4 {
        return text.to_owned();
    }
    let left = lines.len() - FIRST - LAST;
    format!(
        "{}\n… {left} more lines …\n{}",
        lines[..FIRST].join("\n"),
        lines[lines.len() - LAST..].join("\n")
    )
}

/// The symptoms before and after, told apart.
fn compared(before: &str, after: &str) -> String {
    let (before, after) = (symptoms(before), symptoms(after));
    let mut out = String::new();
    for symptom in &before {
        let word = if after.contains(symptom) {
            paint(style::WARNING, "still: ")
        } else {
            paint(style::GOOD, "gone:  ")
        };
        let _ = writeln!(out, "  {word} {symptom}");
    }
    for symptom in after.iter().filter(|symptom| !before.contains(symptom)) {
        let _ = writeln!(out, "  {} {symptom}", paint(style::ERROR, "new:   "));
    }
    out
}

/// What the symptoms in a log mean, each once.
fn symptoms(log: &str) -> Vec<String> {
    let mut told = Vec::new();
    for explained in loopmend_pipeline::explain(log.as_bytes(), None).incidents {
        for id in &explained.incident.symptoms {
            let means = explain::meaning(id).unwrap_or(id).to_owned();
            if !told.contains(&means) {
                told.push(means);
            }
        }
    }
    told
}
