//! A throw-away repository in the copy: for programs that ask git where they are. It has one commit, and nothing of the user's:
//! no hooks, no filters, no settings, no remotes, no history.

use std::path::Path;
use std::process::{Command, Stdio};

use walkdir::WalkDir;

/// From so many files on, the commit is empty: reading them all would take longer than most runs.
const MANY: usize = 5000;

/// Makes it; where git is absent or fails there is none, which the program then sees.
pub(crate) fn make(copy: &Path) -> bool {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(copy).args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"]);
        command
            .args(["-c", "gc.auto=0", "-c", "commit.gpgSign=false", "-c", "core.attributesFile=/dev/null"])
            .args(arguments);
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Nothing of the user's settings or of a surrounding repository reaches it.
        command
            .env_clear()
            .env("PATH", path)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.env("HOME", "/nonexistent").env("GIT_DIR", copy.join(".git")).env("GIT_WORK_TREE", copy);
        for who in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{who}_NAME"), "loopmend")
                .env(format!("GIT_{who}_EMAIL"), "loopmend@localhost");
            command.env(format!("GIT_{who}_DATE"), "2000-01-01T00:00:00Z");
        }
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        status.is_ok_and(|status| status.success())
    };
    let entries = WalkDir::new(copy).into_iter().take(MANY).count();
    git(&["init", "--quiet", "--template=", "--initial-branch=main"])
        && (entries == MANY || git(&["add", "--all", "--force"]))
        && git(&["commit", "--quiet", "--no-verify", "--allow-empty", "--message=copy"])
}
