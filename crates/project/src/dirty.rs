//! Which files have changes that git does not hold, asked of the git program.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use thiserror::Error;

/// Paths asked for in one call, below every system's limit on a command line.
const AT_ONCE: usize = 200;

/// Git is there and does not answer.
#[derive(Debug, Error)]
pub enum DirtyError {
    /// It could not be started.
    #[error("start git: {0}")]
    Start(#[from] io::Error),
    /// It refuses.
    #[error("ask git for uncommitted changes: {0}")]
    Refused(String),
}

/// Those of the paths (in the root, with `/`) that differ from what is committed, or were never committed. None
/// where there is no repository or no git.
pub(crate) fn uncommitted(root: &Path, paths: &[String]) -> Result<Vec<String>, DirtyError> {
    if !root.ancestors().any(|folder| folder.join(".git").exists()) {
        return Ok(Vec::new());
    }
    let mut dirty = Vec::new();
    for some in paths.chunks(AT_ONCE) {
        let Some(reported) = status(root, some)? else { return Ok(Vec::new()) };
        // Git reports from the top of the repository, which may lie above the root.
        let is_dirty = |path: &&String| {
            reported.iter().any(|other| {
                other
                    .strip_suffix(path.as_str())
                    .is_some_and(|above| above.is_empty() || above.ends_with('/'))
            })
        };
        dirty.extend(some.iter().filter(is_dirty).cloned());
    }
    Ok(dirty)
}

/// The paths that `git status` reports; `None` where there is nothing to ask.
fn status(root: &Path, paths: &[String]) -> Result<Option<Vec<String>>, DirtyError> {
    let mut git = Command::new("git");
    git.current_dir(root)
        // A repository's own configuration may name a program to start; none is.
        .args(["--literal-pathspecs", "-c", "core.fsmonitor=false", "status", "--porcelain=v1", "-z"])
        .args(["--untracked-files=all", "--no-renames", "--"])
        .args(paths)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    // The question is about this tree, also when we are started by a hook of another.
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR"] {
        git.env_remove(variable);
    }
    let output = match git.output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    if output.status.success() {
        let text = String::from_utf8_lossy(&output.stdout);
        return Ok(Some(text.split('\0').filter_map(|entry| entry.get(3..)).map(str::to_owned).collect()));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    if said.contains("not a git repository") {
        return Ok(None);
    }
    Err(DirtyError::Refused(said.lines().next().unwrap_or("it failed without a word").to_owned()))
}
