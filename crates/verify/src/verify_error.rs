//! Why nothing could be run.

use std::io;

use thiserror::Error;

use crate::place::PrepareError;
use crate::run::RunError;

/// Why a proof could not be made.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// There is no copy to run in.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// A command could not be started.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Our own files can't be put beside the copy.
    #[error("lend the run what watches it: {0}")]
    Lend(io::Error),
    /// The command can't be read.
    #[error("read the command `{0}`: a quote is not closed, or there is no program in it")]
    Command(String),
}
