//! `loopmend fix`: mend a project, by its log or without one.

mod report;

use std::path::{Path, PathBuf};

use clap::Args;
use loopmend_model::{Patch, RefusalCode};
use loopmend_pipeline::{FixOptions, Mended, Told};
use loopmend_project::ApplyOptions;

use crate::answer;
use crate::diff;
use crate::failure::Failure;
use crate::format::AnswerFormat;
use crate::log::Log;
use crate::program::Outcome;
use crate::talk::Talk;
use crate::tree::Opened;

const EXAMPLES: &str = "\
Examples:
  loopmend fix --log error.log            mend the cause of that error, in the project in this folder
  pytest 2>&1 | loopmend fix --log -      the same, from a pipe
  loopmend fix ~/shop --log error.log --diff
  loopmend fix                            mend every safe finding, without any log
  loopmend undo                           take it back

Files with uncommitted changes are not touched unless --allow-dirty is given; a project without git is fine.
Exit status 1 where an error or findings remain.";

/// Mend a project: with a log its cause, without one every safe finding.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Fix {
    /// The project's folder [default: this folder].
    path: Option<PathBuf>,
    /// A file with what Python printed, or `-` for standard input.
    #[arg(long, value_name = "LOG")]
    log: Option<String>,
    /// Show what would change, and change nothing.
    #[arg(long)]
    diff: bool,
    /// Without a log, make unsafe mends too: read the diff.
    #[arg(long = "unsafe")]
    unsafe_fixes: bool,
    /// Change files that have uncommitted changes.
    #[arg(long)]
    allow_dirty: bool,
    /// How to print the answer.
    #[arg(long, value_name = "FORMAT", default_value = "full")]
    output_format: AnswerFormat,
}

impl Fix {
    /// Runs the command.
    pub fn run(self, talk: Talk) -> anyhow::Result<Outcome> {
        let log = self.log.as_deref().map(|name| Log::read(name, talk)).transpose()?;
        let opened = Opened::folder(self.path.as_deref().unwrap_or(Path::new(".")), talk)?;
        talk.notes(&opened.tree.notes);
        if opened.tree.files.is_empty() {
            talk.warn(&format!("there is no Python file in {}: nothing to mend", opened.title()));
        }
        let progress = talk.progress("looking for the cause");
        let options = FixOptions { unsafe_fixes: self.unsafe_fixes };
        let text = log.as_ref().map(Log::text).unwrap_or_default();
        let told = log.as_ref().map(|log| Told { incidents: &log.incidents, text: &text });
        let mended = loopmend_pipeline::fix_told(&opened.tree, told, options);
        progress.finish_and_clear();
        if let Some(log) = &log
            && mended.diagnosis.is_none()
            && mended.patch.is_none()
        {
            log.refuse_binary()?;
        }

        let patch = mended.patch.as_ref().filter(|patch| !patch.is_empty());
        let applied = match patch {
            Some(patch) if !self.diff => self.apply(&opened, patch),
            _ => Ok(false),
        };
        self.tell(&mended, &opened, log.as_ref(), *applied.as_ref().unwrap_or(&false), talk)?;
        let applied = applied?;
        Ok(if finished(&mended, log.is_some(), applied) { Outcome::Done } else { Outcome::Left })
    }

    fn apply(&self, opened: &Opened, patch: &Patch) -> anyhow::Result<bool> {
        let options = ApplyOptions { allow_dirty: self.allow_dirty, ..ApplyOptions::default() };
        let applied = loopmend_project::apply(&opened.root, patch, &options)
            .map_err(|error| Failure::new(format!("failed to {error}")).maybe_hint(error.hint()))?;
        Ok(!applied.files.is_empty())
    }

    fn tell(
        &self,
        mended: &Mended,
        opened: &Opened,
        log: Option<&Log>,
        applied: bool,
        talk: Talk,
    ) -> anyhow::Result<()> {
        let patch = mended.patch.as_ref().filter(|patch| !patch.is_empty());
        match self.output_format {
            AnswerFormat::Json => answer::json(&report::json(mended, patch, applied)),
            AnswerFormat::Concise => Ok(answer::text(&report::concise(mended, patch, applied, opened))?),
            AnswerFormat::Full if self.diff => {
                if let Some(patch) = patch {
                    answer::text(&diff::of(patch).coloured())?;
                    report::left(mended, talk);
                } else {
                    answer::text(&report::full(mended, None, false, opened, log))?;
                }
                Ok(())
            }
            AnswerFormat::Full => {
                answer::text(&report::full(mended, patch, applied, opened, log))?;
                report::left(mended, talk);
                if patch.is_some() {
                    report::prevention(opened, talk);
                }
                Ok(())
            }
        }
    }
}

/// Whether nothing is left to do.
fn finished(mended: &Mended, has_log: bool, applied: bool) -> bool {
    if let Some(refused) = &mended.refused {
        return refused.code == RefusalCode::ProgramIsRight;
    }
    let open = mended.patch.as_ref().is_some_and(|patch| !patch.is_empty()) && !applied;
    if has_log {
        !open && (applied || mended.diagnosis.is_none())
    } else {
        !open && mended.remaining.is_empty()
    }
}
