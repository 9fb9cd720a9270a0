//! The program `loopmend`: a thin face of the pipeline, one file a command.
//!
//! It reads the command line, opens logs and trees, and prints answers: standard output is the answer, standard
//! error the talk. It never diagnoses or edits by itself. Start reading in [`program`].

mod answer;
mod check;
mod completions;
mod crash;
mod demo;
mod diff;
mod doctor;
mod environment;
mod explain;
mod failure;
mod fix;
mod format;
mod log;
mod man;
mod markdown;
mod printable;
mod program;
mod proof;
mod source;
mod style;
mod talk;
mod tree;
mod undo;
mod verify;
mod watch;

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    if let Some(status) = inside() {
        return status;
    }
    crash::guarded(program::run)
}

/// The errand of a sandbox, which calls this program again inside itself.
#[cfg(unix)]
fn inside() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    arguments.next().filter(|first| first == loopmend_verify::INSIDE)?;
    let status = loopmend_verify::inside(arguments);
    Some(ExitCode::from(u8::try_from(status).unwrap_or(1)))
}

#[cfg(not(unix))]
fn inside() -> Option<ExitCode> {
    None
}
