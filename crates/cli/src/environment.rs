//! What the process' environment says: read here and nowhere else.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The virtual environment that the shell has activated.
pub fn activated() -> Option<PathBuf> {
    env::var_os("VIRTUAL_ENV").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A program on the search path.
pub fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).find_map(|folder| {
        [name.to_owned(), format!("{name}{}", env::consts::EXE_SUFFIX)]
            .iter()
            .map(|file| folder.join(file))
            .find(|file| runs(file))
    })
}

#[cfg(unix)]
fn runs(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn runs(file: &Path) -> bool {
    file.is_file()
}

/// A Python 3, by the names it is started with.
pub fn python() -> Option<PathBuf> {
    ["python3", "python", "py"].iter().find_map(|name| {
        let found = program(name)?;
        let output = Command::new(&found).arg("--version").stdin(Stdio::null()).output().ok()?;
        output.stdout.starts_with(b"Python 3").then_some(found)
    })
}

/// What a program answers to `--version`, without its own name.
pub fn version(program: &Path) -> Option<String> {
    let output = Command::new(program).arg("--version").stdin(Stdio::null()).output().ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().next()?;
    line.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit())).map(str::to_owned)
}
