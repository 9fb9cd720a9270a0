//! `loopmend fix`: mend a project, by its log or without one.

mod report;

use std::path::{Path, PathBuf};

use clap::Args;
use loopmend_model::{Patch, Proof, RefusalCode};
use loopmend_pipeline::{FixOptions, Mended, Told};
use loopmend_project::ApplyOptions;

use crate::answer;
use crate::diff;
use crate::failure::Failure;
use crate::format::AnswerFormat;
use crate::log::Log;
use crate::program::Outcome;
use crate::proof::{self, ProofOptions};
use crate::talk::Talk;
use crate::tree::Opened;

const EXAMPLES: &str = "\
Examples:
  loopmend fix --log error.log            mend the cause of that error, in the project in this folder
  pytest 2>&1 | loopmend fix --log -      the same, from a pipe
  loopmend fix ~/shop --log error.log --diff
  loopmend fix                            mend every safe finding, without any log
  loopmend fix --log error.log --verify   run it before and after, and mend only what holds
  loopmend fix --log error.log --verify --run 'python -m shop --once'
  loopmend undo                           take it back

Files with uncommitted changes are not touched unless --allow-dirty is given; a project without git is fine.
With --verify, a mend that does not hold is not made: the answer says what was lost.
Exit status 1 where an error or findings remain.";

/// Mend a project: with a log its cause, without one every safe finding.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
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
    /// Prove it: make the error happen, mend a copy, show that it is gone and that nothing was lost.
    #[arg(long)]
    verify: bool,
    /// How to print the answer.
    #[arg(long, value_name = "FORMAT", default_value = "full")]
    output_format: AnswerFormat,
    #[command(flatten)]
    proof: ProofOptions,
}

impl Fix {
    /// Runs the command.
    pub fn run(self, talk: Talk) -> anyhow::Result<Outcome> {
        if let (Some(option), false) = (self.proof.given(), self.verify) {
            return Err(Failure::new(format!("{option} is for a proof")).hint("add --verify").into());
        }
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
        let (mended, mut proof) = if self.verify {
            let proved = self.proof.prove(&opened, told, options, talk)?;
            (proved.mended, proved.proof)
        } else {
            (loopmend_pipeline::fix_told(&opened.tree, told, options), None)
        };
        progress.finish_and_clear();
        if let Some(proof) = &mut proof {
            proof.repeat = self.repeat(false);
        }
        if let (Some(folder), Some(proof), Some(patch)) = (self.proof.bundle(), &proof, &mended.patch) {
            self.proof.keep(folder, &opened.root, &mended.diagnoses, &text, patch, proof)?;
        }
        if let Some(log) = &log
            && mended.diagnosis.is_none()
            && mended.patch.is_none()
        {
            log.refuse_binary()?;
        }

        let patch = mended.patch.as_ref().filter(|patch| !patch.is_empty());
        let holds = proof.as_ref().is_none_or(Proof::holds);
        let applied = match patch {
            Some(patch) if !self.diff && holds => self.apply(&opened, patch),
            _ => Ok(false),
        };
        if let (Some(proof), Ok(true)) = (&mut proof, &applied) {
            proof.repeat = self.repeat(true);
        }
        let answer = Answer {
            mended: &mended,
            proof: proof.as_ref(),
            opened: &opened,
            log: log.as_ref(),
            applied: *applied.as_ref().unwrap_or(&false),
        };
        self.tell(answer, talk)?;
        let applied = applied?;
        Ok(if finished(&mended, log.is_some(), applied) { Outcome::Done } else { Outcome::Left })
    }

    /// The command line that repeats the proof: a mend that was made is verified, another is asked for again.
    fn repeat(&self, applied: bool) -> Option<String> {
        let mut command = vec!["fix", "--verify"];
        if applied {
            command = vec!["verify"];
        }
        let flags =
            [(self.diff, "--diff"), (self.unsafe_fixes, "--unsafe"), (self.allow_dirty, "--allow-dirty")];
        command.extend(flags.into_iter().filter(|(given, _)| *given && !applied).map(|(_, name)| name));
        self.proof.repeat(&command, self.path.as_deref(), self.log.as_deref())
    }

    fn apply(&self, opened: &Opened, patch: &Patch) -> anyhow::Result<bool> {
        let options = ApplyOptions { allow_dirty: self.allow_dirty, ..ApplyOptions::default() };
        let applied = loopmend_project::apply(&opened.root, patch, &options)
            .map_err(|error| Failure::new(format!("failed to {error}")).maybe_hint(error.hint()))?;
        Ok(!applied.files.is_empty())
    }

    fn tell(&self, answer: Answer<'_>, talk: Talk) -> anyhow::Result<()> {
        let Answer { mended, proof, opened, log, applied } = answer;
        let patch = mended.patch.as_ref().filter(|patch| !patch.is_empty());
        match self.output_format {
            AnswerFormat::Json => answer::json(&report::json(mended, patch, applied, proof)),
            AnswerFormat::Concise => {
                let proof = proof.map(proof::concise).unwrap_or_default();
                Ok(answer::text(&(report::concise(mended, patch, applied, opened) + &proof))?)
            }
            AnswerFormat::Full if self.diff => {
                if let Some(patch) = patch {
                    answer::text(&diff::of(patch).coloured())?;
                    report::left(mended, talk);
                } else {
                    answer::text(&report::full(mended, None, false, opened, log))?;
                }
                answer::text(&proof.map(proof::full).unwrap_or_default())?;
                Ok(())
            }
            AnswerFormat::Full => {
                answer::text(&report::full(mended, patch, applied, opened, log))?;
                answer::text(&proof.map(proof::full).unwrap_or_default())?;
                report::left(mended, talk);
                if patch.is_some() {
                    report::prevention(opened, talk);
                }
                Ok(())
            }
        }
    }
}

/// What came of it, as it is told.
#[derive(Clone, Copy)]
struct Answer<'a> {
    mended: &'a Mended,
    proof: Option<&'a Proof>,
    opened: &'a Opened,
    log: Option<&'a Log>,
    applied: bool,
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
