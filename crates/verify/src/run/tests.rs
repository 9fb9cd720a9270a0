//! Runs of real programs, most of which misbehave.

use std::time::{Duration, Instant};

use crate::place::{Place, Workspace};
use crate::run::{Command, Exit, Limits, Signal};
use crate::sandbox::Unconfined;

fn workspace() -> (tempfile::TempDir, Workspace) {
    let tree = tempfile::tempdir().unwrap();
    let workspace = Unconfined::default().prepare(tree.path(), None).unwrap();
    (tree, workspace)
}

fn shell(script: &str) -> Command {
    let mut command = Command::new(["sh", "-c", script]);
    command.limits = Limits { time: Duration::from_secs(20), ..Limits::default() };
    command
}

#[test]
fn streams_come_in_order_and_apart() {
    let (_tree, workspace) = workspace();
    let script = "echo one; sleep 0.1; echo two >&2; sleep 0.1; echo three; exit 7";
    let ran = workspace.run(&shell(script)).unwrap();
    assert_eq!(ran.exit, Exit::Code(7));
    assert_eq!(ran.output, b"one\ntwo\nthree\n");
    assert_eq!(ran.stdout, b"one\nthree\n");
    assert_eq!(ran.stderr, b"two\n");
    assert!(!ran.cut);
}

#[test]
fn a_signal_is_told_apart_from_a_status() {
    let (_tree, workspace) = workspace();
    assert_eq!(workspace.run(&shell("kill -9 $$")).unwrap().exit, Exit::Signal(9));
}

#[test]
fn endless_output_is_cut() {
    let (_tree, workspace) = workspace();
    let mut command = shell("while :; do echo yes; done");
    command.limits.output = 1000;
    let ran = workspace.run(&command).unwrap();
    assert_eq!(ran.exit, Exit::TooMuchOutput);
    assert!(ran.cut);
    assert_eq!(ran.output.len(), 1000);
}

#[test]
fn one_that_ignores_sigterm_is_killed_after_its_grace() {
    let (_tree, workspace) = workspace();
    let mut command = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
    command.limits.time = Duration::from_millis(300);
    command.limits.grace = Duration::from_millis(200);
    let ran = workspace.run(&command).unwrap();
    assert_eq!(ran.exit, Exit::TimedOut);
    assert_eq!(ran.output, b"ready\n");
    assert!(ran.duration < Duration::from_secs(5), "{:?}", ran.duration);
}

#[test]
fn what_heeds_sigterm_has_its_last_words() {
    let (_tree, workspace) = workspace();
    let mut command = shell("trap 'echo bye; exit 0' TERM; while :; do sleep 0.05; done");
    command.limits.time = Duration::from_millis(300);
    let ran = workspace.run(&command).unwrap();
    assert_eq!(ran.exit, Exit::TimedOut);
    assert_eq!(ran.stdout, b"bye\n");
}

#[test]
fn a_daemon_that_holds_the_pipe_does_not_hold_the_run_and_is_ended() {
    let (_tree, workspace) = workspace();
    let started = Instant::now();
    let ran = workspace.run(&shell("setsid sleep 61.25 & echo done")).unwrap();
    assert_eq!((ran.exit, ran.output.as_slice()), (Exit::Code(0), b"done\n".as_slice()));
    assert!(started.elapsed() < Duration::from_secs(5));
    let left = std::process::Command::new("pgrep").args(["-f", "^sleep 61.25"]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&left.stdout), "");
}

#[test]
fn a_running_program_is_watched_and_sent_signals() {
    let (_tree, workspace) = workspace();
    let script = "trap 'echo stopping; exit 3' TERM; echo up; while :; do sleep 0.05; done";
    let running = workspace.start(&shell(script)).unwrap();
    assert!(running.wait_for(Duration::from_secs(10), |said| said == b"up\n"));
    assert!(!running.is_over());
    running.signal(Signal::Terminate).unwrap();
    let ran = running.wait().unwrap();
    assert_eq!((ran.exit, ran.output.as_slice()), (Exit::Code(3), b"up\nstopping\n".as_slice()));
}

#[test]
fn dropped_it_is_killed() {
    let (_tree, workspace) = workspace();
    let running = workspace.start(&shell("echo up; sleep 60")).unwrap();
    assert!(running.wait_for(Duration::from_secs(10), |said| said == b"up\n"));
    let started = Instant::now();
    drop(running);
    assert!(started.elapsed() < Duration::from_secs(2));
}

#[test]
fn a_program_that_is_not_there_is_named() {
    let (_tree, workspace) = workspace();
    let error = workspace.run(&Command::new(["no-such-program", "-x"])).unwrap_err();
    let text =
        "run `no-such-program -x`: no program `no-such-program` in the environment or the system's path";
    assert_eq!(error.to_string(), text);
}
