//! `loopmend watch`: what passes through, what is told, how it ends.
#![cfg(unix)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::project::{LOG, Project};

const PROGRAM: &str = env!("CARGO_BIN_EXE_loopmend");

/// What a run gave: standard output, standard error, status.
fn run(project: &Project, arguments: &[&str]) -> (Vec<u8>, String, i32) {
    let output = project.loopmend(arguments).output().expect("it starts");
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.stdout, error, output.status.code().expect("an exit status"))
}

fn shell<'a>(options: &[&'a str], script: &'a str) -> Vec<&'a str> {
    ["watch"].iter().chain(options).chain(&["--", "sh", "-c", script]).copied().collect()
}

#[test]
fn output_is_passed_through_byte_for_byte() {
    let project = Project::empty();
    let script = "printf 'a\\377\\000\\033[1mb\\r\\n'; printf 'c\\rd' >&2; exit 3";
    let (out, error, status) = run(&project, &shell(&[], script));
    assert_eq!(out, b"a\xff\x00\x1b[1mb\r\n");
    assert_eq!(error, "c\rd");
    assert_eq!(status, 3);
}

#[test]
fn a_quiet_command_is_left_alone() {
    let project = Project::empty();
    let output =
        project.loopmend(&["watch", "--", "cat"]).write_stdin("in\nput").output().expect("it starts");
    assert_eq!(
        (&*output.stdout, &*output.stderr, output.status.code()),
        (&b"in\nput"[..], &b""[..], Some(0))
    );
}

#[test]
fn statuses_are_a_shells() {
    let project = Project::empty();
    assert_eq!(run(&project, &shell(&[], "kill -9 $$")).2, 137);
    let (_, error, status) = run(&project, &["watch", "--", "no-such-program"]);
    assert_eq!(status, 127);
    assert!(error.contains("no such program"), "{error}");
    project.write("data", "no program");
    assert_eq!(run(&project, &["watch", "--", "./data"]).2, 126);
}

#[test]
fn trouble_fails_a_run_that_succeeded() {
    let project = Project::with_defect();
    project.write("log", LOG);
    let (out, error, status) = run(&project, &shell(&[], "echo fine; cat log >&2"));
    assert_eq!(out, b"fine\n");
    assert_eq!(status, 1, "{error}");
    assert!(error.starts_with(LOG), "{error}");
    for told in ["close-not-awaited", "app/ping.py:11", "What to do:", "loopmend fix --log ", "--origins"] {
        assert!(error.contains(told), "{told}: {error}");
    }
    // Its own failure stays its own.
    assert_eq!(run(&project, &shell(&[], "cat log >&2; exit 9")).2, 9);
}

#[test]
fn what_was_seen_can_be_mended_without_another_run() {
    let project = Project::with_defect();
    project.write("log", LOG);
    let (_, error, _) = run(&project, &shell(&[], "cat log >&2"));
    let log = error
        .lines()
        .find_map(|line| line.trim().strip_prefix("loopmend fix --log "))
        .and_then(|rest| rest.split_whitespace().next())
        .expect("the next command");
    let (_, error, status) = run(&project, &["fix", "--log", log]);
    assert_eq!(status, 0, "{error}");
    let mended = fs::read_to_string(project.root().join("app/ping.py")).expect("the file");
    assert!(mended.contains("await session.close()"), "{mended}");
}

#[test]
fn a_baseline_accepts_what_is_known_and_tells_what_is_gone() {
    let project = Project::empty();
    project.write("log", LOG);
    let known = ["--baseline", "known.toml"];
    let (_, error, status) = run(&project, &shell(&known, "true"));
    assert_eq!(status, 2, "a baseline that is not there: {error}");
    let written = ["--baseline", "known.toml", "--write-baseline"];
    assert_eq!(run(&project, &shell(&written, "cat log >&2")).2, 0);
    let text = fs::read_to_string(project.root().join("known.toml")).expect("the baseline");
    assert!(text.contains("symptom = \"") && text.contains("place = \""), "{text}");
    assert_eq!(run(&project, &shell(&known, "cat log >&2")).2, 0);
    let other = "cat log >&2; echo 'Task was destroyed but it is pending!' >&2";
    assert_eq!(run(&project, &shell(&known, other)).2, 1);
    let (_, error, status) = run(&project, &shell(&known, "true"));
    assert_eq!(status, 0);
    assert!(error.contains("not seen in this run"), "{error}");
    assert_eq!(run(&project, &shell(&written, "cat log >&2")).2, 0);
    assert_eq!(fs::read_to_string(project.root().join("known.toml")).expect("the baseline"), text);
}

#[test]
fn the_lines_of_another_program_are_its_own_trouble() {
    let project = Project::with_defect();
    project.write(
        "log",
        "billing | Traceback (most recent call last):\n\
         billing |   File \"/opt/billing/worker.py\", line 88, in shutdown\n\
         billing |     self.loop.run_until_complete(self.pool.close())\n\
         billing | RuntimeError: Event loop is closed\n",
    );
    let (_, error, status) = run(&project, &shell(&[], "cat log"));
    assert_eq!((&*error, status), ("", 0));
}

#[test]
fn formats_go_to_standard_error_or_to_a_file() {
    let project = Project::empty();
    project.write("log", LOG);
    let (out, error, _) = run(&project, &shell(&["--output-format", "github"], "echo fine; cat log >&2"));
    assert_eq!(out, b"fine\n");
    assert!(error.contains("\n::error title=loopmend"), "{error}");
    let file = ["--output-format", "junit", "--output-file", "loop.xml"];
    let (_, error, status) = run(&project, &shell(&file, "cat log >&2"));
    assert_eq!(status, 1);
    assert!(error.contains("loopmend watch:"), "{error}");
    let text = fs::read_to_string(project.root().join("loop.xml")).expect("the report");
    assert!(text.contains("<failure"), "{text}");
    let file = ["--output-format", "json", "--output-file", "watch.json"];
    run(&project, &shell(&file, "cat log >&2"));
    let text = fs::read_to_string(project.root().join("watch.json")).expect("the report");
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(report["status"], 0);
    assert_eq!(report["command"][0], "sh");
    assert!(report["incidents"].as_array().is_some_and(|incidents| !incidents.is_empty()), "{text}");
}

#[test]
fn variables_are_set_where_they_are_not() {
    let project = Project::empty();
    let script = "echo \"$PYTHONWARNINGS|$PYTHONASYNCIODEBUG|$PYTHONTRACEMALLOC|$PYTHONDEVMODE\"";
    let told = |options: &[&str], own: Option<&str>| {
        let mut command = project.loopmend(&shell(options, script));
        for name in ["PYTHONWARNINGS", "PYTHONASYNCIODEBUG", "PYTHONTRACEMALLOC", "PYTHONDEVMODE"] {
            command.env_remove(name);
        }
        if let Some(own) = own {
            command.env("PYTHONWARNINGS", own);
        }
        String::from_utf8(command.output().expect("it starts").stdout).expect("text")
    };
    assert_eq!(told(&[], None), "default::ResourceWarning|||\n");
    assert_eq!(told(&["--origins"], None), "default::ResourceWarning|1|25|1\n");
    assert_eq!(told(&[], Some("")), "|||\n");
    assert_eq!(told(&["--origins"], Some("error")), "error|1|25|1\n");
}

#[test]
fn order_is_kept_where_both_go_to_one_place() {
    let project = Project::empty();
    let inner = "i=0; while [ $i -lt 200 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done";
    let output = Command::new("sh")
        .args(["-c", "exec \"$0\" watch -- sh -c \"$1\" 2>&1", PROGRAM, inner])
        .current_dir(project.root())
        .output()
        .expect("sh");
    let expected: Vec<String> = (0..200).flat_map(|i| [format!("o{i}"), format!("e{i}")]).collect();
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().collect::<Vec<_>>(), expected);
}

#[test]
fn signals_reach_the_command() {
    let project = Project::empty();
    let script = "trap 'echo got; exit 5' TERM; echo ready; while :; do sleep 0.05; done";
    let mut child = Command::new(PROGRAM)
        .args(shell(&[], script))
        .current_dir(project.root())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert_eq!(lines.next().expect("a line").expect("text"), "ready");
    let killed = Command::new("kill").arg(child.id().to_string()).status().expect("kill");
    assert!(killed.success());
    assert_eq!(lines.next().expect("a line").expect("text"), "got");
    assert_eq!(child.wait().expect("its end").code(), Some(5));
}

#[test]
fn a_process_that_is_left_behind_is_not_waited_for() {
    let project = Project::empty();
    let started = Instant::now();
    let (out, error, status) = run(&project, &shell(&[], "sleep 20 & echo hi"));
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert_eq!((&*out, status), (&b"hi\n"[..], 0));
    assert!(error.contains("left behind"), "{error}");
}

#[test]
fn a_reader_that_has_seen_enough_ends_the_command_as_usual() {
    let project = Project::empty();
    let mut child = Command::new(PROGRAM)
        .args(["watch", "--", "yes"])
        .current_dir(project.root())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut start = [0; 4];
    child.stdout.take().expect("a pipe").read_exact(&mut start).expect("four bytes");
    assert_eq!(&start, b"y\ny\n");
    // 128 and SIGPIPE, as a shell tells it.
    assert_eq!(child.wait().expect("its end").code(), Some(141));
}

/// Drives the program from a terminal; what it prints at the end are the answers.
const TERMINAL: &str = r#"
import fcntl, os, pty, select, signal, struct, sys, termios, time

program, script = sys.argv[1], sys.argv[2]
pid, master = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
    os.execv(program, [program, "watch", "--", sys.executable, "-u", "-c", script])
before = termios.tcgetattr(master)
seen = b""
def until(word):
    global seen
    end = time.time() + 30
    while word not in seen and time.time() < end:
        if select.select([master], [], [], 0.1)[0]:
            try:
                piece = os.read(master, 65536)
            except OSError:
                break
            if not piece:
                break
            seen += piece
    if word not in seen:
        sys.exit(f"no {word!r} in {seen!r}")
until(b"ready")
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", 44, 111, 0, 0))
until(b"size 111 44")
os.write(master, b"typed\r")
until(b"read typed")
os.write(master, b"\x03")
until(b"interrupted")
_, status = os.waitpid(pid, 0)
assert os.waitstatus_to_exitcode(status) == 7, (status, seen)
assert seen.count(b"interrupted") == 1, seen
assert termios.tcgetattr(master) == before
print("held")
"#;

/// What runs in that terminal.
const IN_TERMINAL: &str = r#"
import os, signal, sys, time
assert sys.stdin.isatty() and sys.stdout.isatty() and sys.stderr.isatty()
assert os.get_terminal_size(1) == (99, 33), os.get_terminal_size(1)
def resized(*_):
    size = os.get_terminal_size(1)
    print("size", *size)
signal.signal(signal.SIGWINCH, resized)
print("ready")
try:
    print("read", input())
    time.sleep(30)
except KeyboardInterrupt:
    print("interrupted")
    time.sleep(0.3)
    sys.exit(7)
"#;

#[test]
fn a_terminal_stays_a_terminal() {
    let project = Project::empty();
    let Ok(output) = Command::new("python3")
        .args(["-c", TERMINAL, PROGRAM, IN_TERMINAL])
        .current_dir(project.root())
        .output()
    else {
        return;
    };
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "held\n", "{error}");
}
