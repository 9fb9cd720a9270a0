//! The command line as a whole: what all commands share, and which command runs.

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

use crate::check::Check;
use crate::completions::Completions;
use crate::demo::Demo;
use crate::doctor::Doctor;
use crate::explain::Explain;
use crate::failure;
use crate::fix::Fix;
use crate::man::Man;
use crate::talk::{Talk, TalkOptions};
use crate::undo::Undo;
use crate::verify::Verify;
use crate::watch::Watch;

const EXAMPLES: &str = "\
Examples:
  loopmend explain error.log            read a traceback line by line
  pytest 2>&1 | loopmend explain        the same, from a pipe
  loopmend fix --log error.log          mend its cause in the project in this folder
  loopmend fix --log error.log --diff   only show what would change
  loopmend fix --log error.log --verify run it before and after, and mend only what holds
  loopmend check                        look for defects without any log
  loopmend watch -- pytest              run the tests, and fail on event-loop trouble too
  loopmend explain second-run           a cause's page
  loopmend demo                         the whole way, on a small real service

Exit status:
  0  nothing left to do
  1  findings, or an error that is not mended, remain
  2  the command itself failed
  watch has the status of the command that it runs";

/// Take a Python event-loop error from its log to a mended tree.
///
/// loopmend reads what Python printed ("Event loop is closed", "Task was destroyed but it is pending",
/// "attached to a different loop", web start-up and shutdown, pytest-asyncio scopes), names the cause and
/// its place in your source, and mends it there. It needs no network and no model: the same error on the same
/// tree gives the same patch.
#[derive(Debug, Parser)]
#[command(name = "loopmend", version, after_help = EXAMPLES, max_term_width = 100)]
pub struct Program {
    #[command(flatten)]
    talk: TalkOptions,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Explain(Explain),
    Check(Check),
    Fix(Fix),
    Undo(Undo),
    Watch(Watch),
    Verify(Verify),
    Doctor(Doctor),
    Demo(Demo),
    Completions(Completions),
    Man(Man),
}

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing left to do: status 0.
    Done,
    /// Findings or an unmended error remain: status 1.
    Left,
    /// Another program's own status.
    Status(u8),
}

/// Reads the command line, runs the command and gives its exit status.
pub fn run() -> ExitCode {
    let program = Program::parse();
    let talk = program.talk.start();
    match program.command.run(talk) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Left) => ExitCode::from(1),
        Ok(Outcome::Status(status)) => ExitCode::from(status),
        Err(error) => {
            failure::tell(&error);
            ExitCode::from(failure::STATUS)
        }
    }
}

/// The definitions of all commands, for completions and manual pages.
pub fn definitions() -> clap::Command {
    Program::command()
}

impl Command {
    fn run(self, talk: Talk) -> anyhow::Result<Outcome> {
        match self {
            Self::Explain(command) => command.run(talk),
            Self::Check(command) => command.run(talk),
            Self::Fix(command) => command.run(talk),
            Self::Undo(command) => command.run(talk),
            Self::Watch(command) => command.run(talk),
            Self::Verify(command) => command.run(talk),
            Self::Doctor(command) => command.run(),
            Self::Demo(command) => command.run(talk),
            Self::Completions(command) => command.run(),
            Self::Man(command) => command.run(),
        }
    }
}
