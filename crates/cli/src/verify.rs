//! `loopmend verify`: prove a change that was made already, or repeat a proof.

use std::path::{Path, PathBuf};

use clap::Args;
use loopmend_model::{Diagnosis, FileChange, Patch, Proof, ProofLevel};
use loopmend_pipeline::{Made, Told};
use loopmend_verify::{Bundle, Earlier};
use serde::Serialize;

use crate::answer;
use crate::diff;
use crate::environment;
use crate::failure::Failure;
use crate::format::AnswerFormat;
use crate::log::Log;
use crate::printable::printable_line;
use crate::program::Outcome;
use crate::proof::{self, ProofOptions};
use crate::talk::Talk;
use crate::tree::{self, Opened};

const EXAMPLES: &str = "\
Examples:
  loopmend verify --log error.log                  the change that is not committed yet, else the last fix
  loopmend verify --run 'python -m shop --once'
  loopmend verify --log error.log --bundle proof/  keep what was shown
  loopmend verify --bundle proof/                  repeat a proof that was kept, here or on another machine

Nothing in the project is changed. Exit status 0 where it is proved, 1 where it is not.";

/// Prove a change: run the project without it and with it, and compare.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Verify {
    /// The project's folder [default: this folder].
    path: Option<PathBuf>,
    /// A file with what Python printed, or `-` for standard input.
    #[arg(long, value_name = "LOG")]
    log: Option<String>,
    /// How to print the answer.
    #[arg(long, value_name = "FORMAT", default_value = "full")]
    output_format: AnswerFormat,
    #[command(flatten)]
    proof: ProofOptions,
}

/// What programs read; fields may be added.
#[derive(Serialize)]
struct Report<'a> {
    diagnosis: Option<&'a Diagnosis>,
    diagnoses: &'a [Diagnosis],
    files: Vec<&'a str>,
    diff: String,
    proof: &'a Proof,
}

impl Verify {
    /// Runs the command.
    pub fn run(self, talk: Talk) -> anyhow::Result<Outcome> {
        let root = self.path.as_deref().unwrap_or(Path::new("."));
        let kept = self.proof.bundle().filter(|folder| Bundle::is_in(folder) && self.log.is_none());
        let kept =
            kept.map(Bundle::read).transpose().map_err(|error| Failure::new(format!("failed to {error}")))?;
        let log = match &kept {
            Some(bundle) if !bundle.log.is_empty() => {
                Some(Log::of("the bundle's log", bundle.log.clone().into_bytes()))
            }
            _ => self.log.as_deref().map(|name| Log::read(name, talk)).transpose()?,
        };
        let opened = Opened::folder(root, talk)?;
        let patch = match kept.as_ref().and_then(|bundle| bundle.patch.clone()) {
            Some(patch) => patch,
            None => change(root)?,
        };
        let wanted = kept.as_ref().map_or_else(|| self.proof.clone(), |bundle| self.proof.like(bundle));
        let (diagnoses, proof) = prove(&opened, &patch, log.as_ref(), &wanted, talk)?;
        let repeat = self.proof.repeat(&["verify"], self.path.as_deref(), self.log.as_deref());
        let proof = Proof { repeat, ..proof };
        if let (Some(folder), None) = (self.proof.bundle(), &kept) {
            let text = log.as_ref().map(Log::text).unwrap_or_default();
            wanted.keep(folder, &opened.root, &diagnoses, &text, &patch, &proof)?;
        }
        let diff = diff::of(&patch);
        match self.output_format {
            AnswerFormat::Json => answer::json(&Report {
                diagnosis: diagnoses.first(),
                diagnoses: &diagnoses,
                files: patch.files.iter().map(|file| file.path.as_str()).collect(),
                diff: diff.text,
                proof: &proof,
            })?,
            AnswerFormat::Concise => answer::text(&proof::concise(&proof))?,
            AnswerFormat::Full => {
                let files: Vec<&str> = patch.files.iter().map(|file| file.path.as_str()).collect();
                answer::text(&format!(
                    "The change (+{} -{}): {}\n\n{}",
                    diff.added,
                    diff.removed,
                    printable_line(&files.join(", ")),
                    proof::full(&proof)
                ))?;
            }
        }
        Ok(if proof.level == ProofLevel::Proved { Outcome::Done } else { Outcome::Left })
    }
}

/// Runs the project without the change and with it.
fn prove(
    opened: &Opened,
    patch: &Patch,
    log: Option<&Log>,
    wanted: &ProofOptions,
    talk: Talk,
) -> anyhow::Result<(Vec<Diagnosis>, Proof)> {
    let root = &opened.root;
    let text = log.map(Log::text).unwrap_or_default();
    let told = log.map(|log| Told { incidents: &log.incidents, text: &text });
    let there = |file: &FileChange| std::fs::read_to_string(root.join(&file.path)).ok();
    let ground = wanted.ground(root, &opened.tree, talk)?;
    let place = &*ground.place;
    let options = wanted.options(place);
    let progress = talk.progress("running it without the change and with it");
    let proved = if patch.files.iter().all(|file| there(file) == file.before) {
        // A bundle's patch, on a tree that has not got it.
        let made = Made { before: root, tree: &opened.tree, after: None, patch };
        loopmend_pipeline::prove_made(made, told, place, &options)
    } else if patch.files.iter().all(|file| there(file).unwrap_or_default() == file.after) {
        let earlier = Earlier::of(root, patch).map_err(|error| Failure::new(format!("failed to {error}")))?;
        let before = earlier.root();
        let tree = tree::read(&before, environment::activated().as_deref())?;
        let made = Made { before: &before, tree: &tree, after: Some(root), patch };
        loopmend_pipeline::prove_made(made, told, place, &options)
    } else {
        return Err(Failure::new("the project is neither what the change was made for nor what it made")
            .hint("check out the commit that the bundle names")
            .into());
    };
    progress.finish_and_clear();
    let (diagnoses, proof) = proved.map_err(|error| Failure::new(format!("failed to {error}")))?;
    Ok((diagnoses, Proof { environment: ground.environment, ..proof }))
}

/// What is to be proved: what is not committed, else the last fix.
fn change(root: &Path) -> Result<Patch, Failure> {
    let fails = |error: &dyn std::fmt::Display| Failure::new(format!("failed to {error}"));
    if let Some(patch) = loopmend_project::uncommitted_change(root).map_err(|error| fails(&error))? {
        return Ok(patch);
    }
    loopmend_project::last_fix(root, None).map_err(|error| fails(&error))?.ok_or_else(|| {
        Failure::new(
            "there is no change to verify: nothing is uncommitted, and no fix of this project is known",
        )
        .hint("make the change first, or run `loopmend fix --verify`")
    })
}
