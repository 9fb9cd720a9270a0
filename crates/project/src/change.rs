//! Changes that a tree has already: the last fix, or what git has not been given yet.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use loopmend_model::{Applicability, FileChange, Patch};

use crate::decode::{decode_config, decode_source};
use crate::dirty::DirtyError;
use crate::state::{State, StateError};

/// The last fix of this tree that was not taken back, as a patch.
///
/// `state_home` stands for the user's state folder, as in [`ApplyOptions`](crate::ApplyOptions).
pub fn last_fix(root: &Path, state_home: Option<&Path>) -> Result<Option<Patch>, StateError> {
    let state = State::of(root, state_home)?;
    let Some(number) = state.last_fix() else { return Ok(None) };
    let files = state
        .load_fix(number)?
        .changes
        .into_iter()
        .filter_map(|change| {
            let before = change.before.as_deref().map(|bytes| text(&change.path, bytes));
            Some(FileChange {
                before: before.flatten(),
                after: text(&change.path, &change.after?)?,
                path: change.path,
            })
        })
        .collect();
    Ok(patch(files))
}

/// What differs from the last commit, new files among it; `None` without git, and where nothing does. A deleted file comes with an
/// empty text.
pub fn uncommitted_change(root: &Path) -> Result<Option<Patch>, DirtyError> {
    let listed = |arguments: &[&str]| -> Result<Vec<String>, DirtyError> {
        let Some(bytes) = git(root, arguments)? else { return Ok(Vec::new()) };
        Ok(String::from_utf8_lossy(&bytes)
            .split('\0')
            .filter(|path| !path.is_empty())
            .map(str::to_owned)
            .collect())
    };
    let mut paths = listed(&["diff", "--relative", "--name-only", "--no-renames", "-z", "HEAD"])?;
    paths.extend(listed(&["ls-files", "--others", "--exclude-standard", "-z"])?);
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let before = git(root, &["show", &format!("HEAD:./{path}")])?.and_then(|bytes| text(&path, &bytes));
        let after = match std::fs::read(root.join(&path)) {
            Ok(bytes) => text(&path, &bytes),
            Err(_) => Some(String::new()),
        };
        // What is no text changes nothing of what can be compared here.
        if let Some(after) = after {
            files.push(FileChange { path, before, after });
        }
    }
    Ok(patch(files))
}

/// The commit that the tree is at; `None` without git.
pub fn commit(root: &Path) -> Option<String> {
    let bytes = git(root, &["rev-parse", "HEAD"]).ok()??;
    Some(String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn patch(files: Vec<FileChange>) -> Option<Patch> {
    (!files.is_empty()).then_some(Patch { files, applicability: Applicability::Unsafe })
}

fn text(path: &str, bytes: &[u8]) -> Option<String> {
    let decode = if path.ends_with(".py") || path.ends_with(".pyw") { decode_source } else { decode_config };
    decode(bytes).ok().map(|(text, _)| text.into_owned())
}

/// What git answers; `None` where it has nothing to say.
fn git(root: &Path, arguments: &[&str]) -> Result<Option<Vec<u8>>, DirtyError> {
    let mut git = Command::new("git");
    git.current_dir(root)
        // A repository's own configuration may name a program to start; none is.
        .args(["--literal-pathspecs", "-c", "core.fsmonitor=false", "-c", "diff.external="])
        .args(arguments)
        .env("GIT_OPTIONAL_LOCKS", "0")
        .env("LC_ALL", "C")
        .stdin(Stdio::null());
    for variable in
        ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_EXTERNAL_DIFF"]
    {
        git.env_remove(variable);
    }
    let output = match git.output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    Ok(output.status.success().then_some(output.stdout))
}
