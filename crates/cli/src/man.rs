//! `loopmend man`: the manual pages.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use clap_mangen::Man as Page;

use crate::answer;
use crate::program::{self, Outcome};

const EXAMPLES: &str = "\
Examples:
  loopmend man | man -l -
  loopmend man --folder ~/.local/share/man/man1";

/// Print the manual page, or write those of all commands.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Man {
    /// Write one page a command into this folder.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

impl Man {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let definitions = program::definitions();
        if let Some(folder) = self.folder {
            fs::create_dir_all(&folder).with_context(|| format!("failed to make {}", folder.display()))?;
            clap_mangen::generate_to(definitions, &folder)
                .with_context(|| format!("failed to write pages into {}", folder.display()))?;
        } else {
            let mut text = Vec::new();
            Page::new(definitions).render(&mut text)?;
            answer::data(&String::from_utf8_lossy(&text))?;
        }
        Ok(Outcome::Done)
    }
}
