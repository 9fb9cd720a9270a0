//! `loopmend explain`: what a log says, line by line; or a cause's page.

mod calls;
pub mod owner;
pub mod page;
mod places;
mod story;

use std::path::{Path, PathBuf};

use clap::Args;
use loopmend_capture::LeftOut;
use loopmend_model::{Candidate, Diagnosis, Frame, Incident, Refusal, RefusalCode};
use loopmend_pipeline::{ExplainedIncident, Explanation};
use serde::Serialize;

use crate::answer;
use crate::format::AnswerFormat;
use crate::log::Log;
use crate::program::Outcome;
use crate::talk::Talk;
use crate::tree::Opened;

pub use places::{diagnosis, meaning};
pub use story::{full as story, heading, quoted};

const EXAMPLES: &str = "\
Examples:
  loopmend explain error.log                    read a log, line by line
  python -m app 2>&1 | loopmend explain -       the same, from a pipe
  loopmend explain error.log --project ~/shop   with the source that failed beside it
  loopmend explain 'Event loop is closed'       what a message means
  loopmend explain second-run                   what a cause is, how it looks, how it is mended
  loopmend explain prevention                   habits that keep all causes away

Without --project the source is looked for in this folder. Exit status 1 where the log holds an error.";

/// Say what a log means, line by line, or what a cause is.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Explain {
    /// A file with what Python printed, `-` for standard input, or a cause's name.
    #[arg(value_name = "LOG|CAUSE")]
    subject: Option<String>,
    /// The project that failed [default: this folder, where its files are named in the log].
    #[arg(long, value_name = "DIR")]
    project: Option<PathBuf>,
    /// How to print it.
    #[arg(long, value_name = "FORMAT", default_value = "full")]
    output_format: AnswerFormat,
}

/// What programs read.
#[derive(Serialize)]
struct Report<'a> {
    incidents: Vec<Reported<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<&'a LeftOut>,
}

/// One incident, as programs read it.
#[derive(Serialize)]
pub struct Reported<'a> {
    #[serde(flatten)]
    incident: &'a Incident,
    candidates: &'a [Candidate],
    diagnosis: Option<&'a Diagnosis>,
    refused: Option<&'a Refusal>,
}

impl Explain {
    /// Runs the command.
    pub fn run(self, talk: Talk) -> anyhow::Result<Outcome> {
        let subject = self.subject.as_deref().unwrap_or("-");
        if let Some(cause) = page::cause(subject) {
            page::print(cause, self.output_format)?;
            return Ok(Outcome::Done);
        }
        if subject == page::PREVENTION {
            page::print_prevention(self.output_format)?;
            return Ok(Outcome::Done);
        }
        if page::is_word(subject) && !Path::new(subject).exists() {
            return Err(page::unknown(subject).into());
        }
        let log = match Log::said(subject) {
            Some(log) => log,
            None => Log::read(subject, talk)?,
        };
        self.log(&log, talk)
    }

    fn log(&self, log: &Log, talk: Talk) -> anyhow::Result<Outcome> {
        let mut explanation = loopmend_pipeline::explain_incidents(log.incidents.clone(), None);
        let opened = match &self.project {
            Some(folder) => Some(Opened::folder(folder, talk)?),
            None if names_a_file_here(&explanation) => Some(Opened::folder(Path::new("."), talk)?),
            None => None,
        };
        if let Some(opened) = &opened {
            if opened.tree.files.is_empty() {
                talk.warn(&format!(
                    "there is no Python file in {}: the log is explained without source",
                    opened.title()
                ));
            }
            explanation = loopmend_pipeline::explain_incidents(log.incidents.clone(), Some(&opened.tree));
            talk.notes(&explanation.notes);
        }
        if explanation.incidents.is_empty() {
            log.refuse_binary()?;
        }
        match self.output_format {
            AnswerFormat::Full => answer::text(&story::full(&explanation, log, opened.as_ref(), talk))?,
            AnswerFormat::Concise => answer::text(&story::concise(&explanation, log))?,
            AnswerFormat::Json => {
                answer::json(&Report {
                    incidents: explanation.incidents.iter().map(reported).collect(),
                    left_out: (log.left_out.count > 0).then_some(&log.left_out),
                })?;
            }
        }
        if explanation.incidents.is_empty() && self.output_format != AnswerFormat::Full {
            talk.say(story::nothing(log));
        }
        Ok(if explanation.incidents.iter().any(remains) { Outcome::Left } else { Outcome::Done })
    }
}

/// One incident, as programs read it.
pub fn reported(explained: &ExplainedIncident) -> Reported<'_> {
    Reported {
        incident: &explained.incident,
        candidates: &explained.candidates,
        diagnosis: explained.diagnosis.as_ref(),
        refused: explained.refused.as_ref(),
    }
}

/// Whether something is left to do about an incident.
pub fn remains(explained: &ExplainedIncident) -> bool {
    explained.refused.as_ref().is_none_or(|refused| refused.code != RefusalCode::ProgramIsRight)
}

/// Whether the current folder holds a file that a frame of the log names, by the tail of its path.
pub fn names_a_file_here(explanation: &Explanation) -> bool {
    let tests = explanation.incidents.iter().filter_map(|explained| explained.incident.test.as_deref());
    if tests
        .filter_map(|test| test.split("::").next())
        .any(|file| file.ends_with(".py") && Path::new(file).is_file())
    {
        return true;
    }
    explanation.incidents.iter().flat_map(|explained| frames(&explained.incident)).any(|frame| {
        !matches!(owner::of(&frame.path), owner::Owner::Python | owner::Owner::Library(_)) && {
            let path = frame.path.replace('\\', "/");
            let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | "." | "..")).collect();
            (0..parts.len())
                .any(|start| parts[start].len() > 3 && Path::new(&parts[start..].join("/")).is_file())
        }
    })
}

fn frames(incident: &Incident) -> impl Iterator<Item = &Frame> {
    incident
        .exceptions
        .iter()
        .flat_map(|raised| &raised.frames)
        .chain(&incident.created)
        .chain(incident.subjects.iter().filter_map(|subject| subject.place.as_ref()))
}
