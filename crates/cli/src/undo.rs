//! `loopmend undo`: take the last fix back.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::answer;
use crate::failure::Failure;
use crate::printable::printable_line;
use crate::program::Outcome;
use crate::talk::Talk;
use crate::tree;

const EXAMPLES: &str = "\
Examples:
  loopmend undo            in the project in this folder
  loopmend undo ~/shop

Files that were changed since the fix are left as they are, and said.";

/// Take the last fix back.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Undo {
    /// The project's folder [default: this folder].
    path: Option<PathBuf>,
}

impl Undo {
    /// Runs the command.
    pub fn run(self, talk: Talk) -> anyhow::Result<Outcome> {
        let root = self.path.as_deref().unwrap_or(Path::new("."));
        tree::check_folder(root)?;
        tree::recover(root, talk)?;
        let undone = loopmend_project::undo(root, None)
            .map_err(|error| Failure::new(format!("failed to {error}")).maybe_hint(error.hint()))?;
        for path in undone.files {
            answer::text(&format!("taken back: {}\n", printable_line(&path)))?;
        }
        Ok(Outcome::Done)
    }
}
