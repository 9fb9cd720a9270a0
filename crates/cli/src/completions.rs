//! `loopmend completions`: what a shell needs to complete the command line.

use clap::Args;
use clap_complete::Shell;

use crate::answer;
use crate::program::{self, Outcome};

const EXAMPLES: &str = "\
Examples:
  loopmend completions bash > ~/.local/share/bash-completion/completions/loopmend
  loopmend completions zsh > ~/.zfunc/_loopmend
  loopmend completions fish > ~/.config/fish/completions/loopmend.fish";

/// Print the completions of a shell.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct Completions {
    /// The shell [default: the one that runs, if it can be told].
    shell: Option<Shell>,
}

impl Completions {
    /// Runs the command.
    pub fn run(self) -> anyhow::Result<Outcome> {
        let shell = self.shell.or_else(Shell::from_env).unwrap_or(Shell::Bash);
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut program::definitions(), "loopmend", &mut text);
        answer::data(&String::from_utf8_lossy(&text))?;
        Ok(Outcome::Done)
    }
}
