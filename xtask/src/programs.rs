//! Where things are, and programs that are started.

use std::env;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

/// The workspace's root.
pub fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}

/// Cargo, the one that runs this.
pub fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(workspace());
    command
}

/// Builds the program in release mode and gives its path.
pub fn loopmend() -> Result<PathBuf> {
    let built = cargo()
        .args(["build", "--release", "--package", "loopmend"])
        .status()
        .context("failed to start cargo")?;
    anyhow::ensure!(built.success(), "the program does not build");
    let target = env::current_exe()
        .ok()
        .and_then(|own| Some(own.parent()?.parent()?.to_path_buf()))
        .unwrap_or_else(|| workspace().join("target"));
    Ok(target.join("release").join(format!("loopmend{}", env::consts::EXE_SUFFIX)))
}

/// Whether a program answers.
pub fn answers(program: &str, argument: &str) -> bool {
    Command::new(program)
        .arg(argument)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs a command, shows what it prints as it comes, and gives that and whether it ended well.
pub fn shown(command: &mut Command) -> Result<(bool, String)> {
    let (reader, writer) = std::io::pipe()?;
    let mut child =
        command.stdout(writer.try_clone()?).stderr(writer).spawn().context("failed to start a program")?;
    // The command holds the pipe's writing end; without it, the text ends when the child does.
    *command = Command::new("true");
    let mut text = String::new();
    let mut lines = BufReader::new(reader);
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let shown = String::from_utf8_lossy(&line);
        print!("{shown}");
        text.push_str(&shown);
        line.clear();
    }
    Ok((child.wait()?.success(), text))
}
