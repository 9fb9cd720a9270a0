//! The sandbox, against real programs: what it shows, what it limits, and what those try that mean harm.
//!
//! Where nothing can be confined the tests are skipped with a word; `LOOPMEND_REQUIRE_ALL` makes that a failure.

#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "helpers of tests, which tell what they skip")]

mod harm;
mod limits;
mod python;
mod sight;
mod speed;
mod talk;

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use loopmend_verify::{Command, Limits, Place, Sandbox, Workspace};

/// Names the program that stands in for services, where it is not where it was built.
const INSIDE: &str = "LOOPMEND_INSIDE";

/// Root is made an ordinary user inside; an ordinary user has another way in. As root, both are tested.
#[test]
fn all_of_it_holds_for_an_ordinary_user_too() {
    if sandbox().is_none() || std::fs::metadata("/proc/self").unwrap().uid() != 0 {
        return;
    }
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let (tests, inside, home) =
        (folder.path().join("tests"), folder.path().join("inside"), folder.path().join("home"));
    std::fs::copy(std::env::current_exe().unwrap(), &tests).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_loopmend-inside"), &inside).unwrap();
    std::fs::create_dir(&home).unwrap();
    std::os::unix::fs::chown(&home, Some(1500), Some(1500)).unwrap();
    let output = std::process::Command::new("setpriv")
        .args(["--reuid", "1500", "--regid", "1500", "--clear-groups", "--"])
        .arg(&tests)
        .args(["--test-threads", "2"])
        .env(INSIDE, &inside)
        .env("HOME", &home)
        .current_dir(&home)
        .output()
        .unwrap();
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    assert!(!said.contains("skipped") && said.contains("harm::"), "{said}");
}

/// The sandbox of this machine.
fn sandbox() -> Option<Sandbox> {
    match Sandbox::new() {
        Ok(mut sandbox) => {
            let program =
                std::env::var_os(INSIDE).unwrap_or_else(|| env!("CARGO_BIN_EXE_loopmend-inside").into());
            sandbox.program = Some(program.into());
            Some(sandbox)
        }
        Err(error) => {
            assert!(std::env::var_os("LOOPMEND_REQUIRE_ALL").is_none(), "{error}: {}", error.hint());
            eprintln!("skipped: {error}");
            None
        }
    }
}

/// A tree with one file, and a copy of it in the sandbox.
fn workspace(sandbox: &Sandbox) -> (tempfile::TempDir, Workspace) {
    let tree = tempfile::tempdir().unwrap();
    std::fs::write(tree.path().join("app.py"), "print('app')\n").unwrap();
    let workspace = sandbox.prepare(tree.path(), None).unwrap();
    (tree, workspace)
}

fn command<'a>(argv: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(argv);
    command.limits = Limits { time: Duration::from_secs(30), ..Limits::default() };
    command
}

fn python(script: &str) -> Command {
    command(["/usr/bin/python3", "-c", script])
}

fn shell(script: &str) -> Command {
    command(["sh", "-c", script])
}

/// What a script says in the sandbox.
fn said(command: &Command) -> Option<String> {
    let (_tree, workspace) = workspace(&sandbox()?);
    Some(text(&workspace.run(command).unwrap().output))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Whether a process of the host has this word among its arguments.
fn lives(word: &str) -> bool {
    std::fs::read_dir("/proc").unwrap().flatten().any(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        process.path() != Path::new("/proc/self")
            && line.split(|byte| *byte == 0).any(|argument| argument == word.as_bytes())
    })
}
