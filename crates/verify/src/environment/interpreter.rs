//! An interpreter, asked for its version and where its library is; nothing of its user's is run for that.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use thiserror::Error;

/// An installed Python.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interpreter {
    /// The program itself.
    pub program: PathBuf,
    /// The one that a virtual environment was made with; itself where it is in none.
    pub maker: PathBuf,
    /// Its version.
    pub version: (u8, u8, u8),
    /// Where its library is installed.
    pub base: PathBuf,
}

/// Why an interpreter is of no use.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// It does not start.
    #[error("ask `{path}` for its version: {reason}")]
    NoAnswer {
        /// The interpreter.
        path: PathBuf,
        /// What it, or the system, says.
        reason: String,
    },
}

/// Neither the user's site nor any `.pth` file has a say: this runs outside the sandbox.
const QUESTION: [&str; 4] = [
    "-I",
    "-S",
    "-c",
    "import sys; print('%d.%d.%d' % sys.version_info[:3]); print(sys.base_prefix); print(sys.executable); print(sys._base_executable)",
];

impl Interpreter {
    /// Asks an interpreter.
    pub fn probe(python: &Path) -> Result<Self, ProbeError> {
        let no_answer = |reason: String| ProbeError::NoAnswer { path: python.to_path_buf(), reason };
        let mut command = Command::new(python);
        command.args(QUESTION).stdin(Stdio::null()).current_dir("/");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("PYTHON")) {
                command.env_remove(name);
            }
        }
        let output = command.output().map_err(|error| no_answer(error.to_string()))?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        let answer = String::from_utf8_lossy(&output.stdout);
        let read = || {
            let mut lines = answer.lines();
            let mut numbers = lines.next()?.split('.').map(str::parse::<u8>);
            let version = (numbers.next()?.ok()?, numbers.next()?.ok()?, numbers.next()?.ok()?);
            let (base, program) = (lines.next()?.into(), PathBuf::from(lines.next()?));
            let maker = lines
                .next()
                .filter(|line| line.starts_with('/'))
                .map_or_else(|| program.clone(), PathBuf::from);
            Some(Self { program, maker, version, base })
        };
        read()
            .ok_or_else(|| no_answer(complaint.lines().last().unwrap_or("it says nothing of use").to_owned()))
    }
}
