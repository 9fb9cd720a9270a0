//! `loopmend watch`: runs a command as it is, and says what event-loop trouble it told of.

mod accepted;
mod report;

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use loopmend_model::{Incident, RefusalCode};
use loopmend_pipeline::{ExplainedIncident, ear, explain_incidents, is_lifecycle};
use loopmend_verify::watch::{Origins, Seen, WatchError, Watched, variables, watch};

use crate::explain;
use crate::failure::Failure;
use crate::format::FindingFormat;
use crate::program::Outcome;
use crate::talk::Talk;
use crate::tree::Opened;

use accepted::Accepted;

const EXAMPLES: &str = "\
Examples:
  loopmend watch -- pytest -q                    the tests, failing on event-loop trouble too
  loopmend watch --origins -- python -m worker   and Python names the places where objects were created
  loopmend watch --baseline loop-known.toml --write-baseline -- pytest
                                                 accept what there is today; without --write-baseline, fail on what is new
  loopmend watch --output-format github -- pytest
                                                 annotations of a GitHub Actions run
  loopmend watch --output-format junit --output-file loop.xml -- pytest

The command gets its input, terminal, signals and environment as without loopmend, and its output is passed through byte for
byte. Where they are not set, PYTHONWARNINGS shows ResourceWarning (never as an error), and --origins sets PYTHONDEVMODE,
PYTHONASYNCIODEBUG and PYTHONTRACEMALLOC. There is no time-out. What was seen is told at the end, on standard error.

Exit status: that of the command (128 and the signal's number where a signal ended it, 127 where there is no such program, 126
where it can't be executed); 1 where the command succeeded and event-loop trouble was seen that no baseline accepts.";

/// Run a command (tests in CI, a worker), pass its output through, and fail on event-loop trouble.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Watch {
    /// Have Python name the places where tasks and objects were created: slower, with asyncio's debug mode.
    #[arg(long)]
    origins: bool,
    /// Symptoms that are known and accepted.
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the baseline anew, with what this run shows.
    #[arg(long, requires = "baseline")]
    write_baseline: bool,
    /// How to tell what was seen.
    #[arg(long, value_name = "FORMAT", default_value = "full")]
    output_format: FindingFormat,
    /// Write that to a file; standard error gets the full story.
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
    /// The command and its arguments.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// What a run came to, and what of it counts.
struct Watching<'w> {
    command: &'w [OsString],
    origins: bool,
    seen: &'w Seen,
    /// What counts as event-loop trouble, explained.
    explained: Vec<ExplainedIncident>,
    accepted: &'w Accepted,
    opened: Opened,
}

impl Watch {
    /// Runs the command.
    pub fn run(self, talk: Talk) -> anyhow::Result<Outcome> {
        let accepted = Accepted::read(self.baseline.as_deref(), self.write_baseline)?;
        let origins = if self.origins { Origins::Yes } else { Origins::No };
        let variables = variables(&self.command, origins, &|name| env::var_os(name).is_some());
        let watched = Watched { argv: self.command.clone(), variables };
        let seen = match watch(&watched, &ear) {
            Ok(seen) => seen,
            Err(error @ WatchError::System(_)) => {
                return Err(Failure::new(format!("failed to {error}")).into());
            }
            Err(error) => {
                let status = error.status();
                crate::failure::tell(&Failure::new(format!("failed to {error}")).into());
                return Ok(Outcome::Status(status));
            }
        };
        if seen.outlived {
            talk.warn(
                "a process that the command left behind still holds its output; it is no longer listened to",
            );
        }
        let (explained, opened) = explained(&seen.incidents, talk)?;
        let watching = Watching {
            command: &self.command,
            origins: self.origins,
            seen: &seen,
            explained,
            accepted: &accepted,
            opened,
        };
        self.tell(&watching, talk)?;
        let failed = seen.status == 0 && watching.fresh().next().is_some();
        Ok(if failed { Outcome::Left } else { Outcome::Status(seen.status) })
    }

    fn tell(&self, watching: &Watching<'_>, talk: Talk) -> anyhow::Result<()> {
        let story = || report::story(watching, talk);
        match (&self.output_file, self.output_format) {
            (None, FindingFormat::Full) => report::print(&story()),
            (None, FindingFormat::Concise) => report::print(&report::of(watching, FindingFormat::Concise)?),
            (None, format) => report::print_plain(&report::of(watching, format)?),
            (Some(file), format) => {
                report::print(&story());
                let text =
                    if format == FindingFormat::Full { story() } else { report::of(watching, format)? };
                fs::write(file, anstream::adapter::strip_str(&text).to_string())
                    .map_err(|error| Failure::new(format!("failed to write {}: {error}", file.display())))?;
            }
        }
        watching.accepted.settle(watching.explained.iter().map(|one| &one.incident), talk)?;
        Ok(())
    }
}

impl Watching<'_> {
    /// What makes the run fail: the baseline does not accept it.
    fn fresh(&self) -> impl Iterator<Item = &ExplainedIncident> {
        self.explained.iter().filter(|one| !self.accepted.accepts(&one.incident))
    }

    /// The command as it was typed.
    fn typed(&self) -> String {
        let words = self.command.iter().map(|word| explain::quoted(&word.to_string_lossy()));
        words.collect::<Vec<_>>().join(" ")
    }
}

/// What counts, with its place in the source where the source is here.
fn explained(incidents: &[Incident], talk: Talk) -> anyhow::Result<(Vec<ExplainedIncident>, Opened)> {
    let counting: Vec<Incident> =
        incidents.iter().filter(|incident| is_lifecycle(incident)).cloned().collect();
    if counting.is_empty() {
        return Ok((Vec::new(), Opened::unread()));
    }
    let mut explanation = explain_incidents(counting.clone(), None);
    let mut opened = Opened::unread();
    let quoted = counting.iter().any(|incident| incident.service.is_some());
    if quoted || explain::names_a_file_here(&explanation) {
        opened = Opened::folder(Path::new("."), talk)?;
        explanation = explain_incidents(counting, Some(&opened.tree));
    }
    explanation.incidents.retain(|one| explain::remains(one) && !is_of_others(one));
    Ok((explanation.incidents, opened))
}

/// Whether it is no trouble of the command's: one that has nothing to do with the loop, or the quoted line of another program.
fn is_of_others(one: &ExplainedIncident) -> bool {
    one.refused.as_ref().is_some_and(|refused| match refused.code {
        RefusalCode::NotOurs => true,
        RefusalCode::NoSource => one.incident.service.is_some(),
        _ => false,
    })
}
