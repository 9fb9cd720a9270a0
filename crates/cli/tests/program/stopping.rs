//! Bad input: each is one clear sentence, the right exit status, and nothing changed.

use crate::project::{DEFECT, LOG, Project, printed, said};

/// What is said, without the line ends of a narrow terminal.
fn stopped(project: &Project, arguments: &[&str], status: i32) -> String {
    let talk = said(&mut project.loopmend(arguments), status);
    assert!(!talk.contains("panicked") && !talk.contains("RUST_BACKTRACE"), "{talk}");
    talk
}

#[test]
fn an_empty_log() {
    let project = Project::with_defect();
    for text in ["", "\n  \n"] {
        let log = project.log(text);
        let log = log.to_str().expect("plain path");
        assert!(stopped(&project, &["explain", log], 2).contains("is empty"));
        assert!(stopped(&project, &["fix", "--log", log], 2).contains("is empty"));
    }
    assert_eq!(project.read("app/ping.py"), DEFECT);
}

#[test]
fn a_binary_log() {
    let project = Project::with_defect();
    let log = project.log(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0>\0\x01\0\0\0".repeat(50));
    let log = log.to_str().expect("plain path");
    assert!(stopped(&project, &["explain", log], 2).contains("is not text"));
    assert!(stopped(&project, &["fix", "--log", log], 2).contains("is not text"));
    assert_eq!(project.read("app/ping.py"), DEFECT);
}

#[test]
fn a_log_without_an_error() {
    let project = Project::with_defect();
    let log = project.log("INFO started\nINFO stopped\n");
    let log = log.to_str().expect("plain path");
    let text = printed(&mut project.loopmend(&["explain", log]), 0);
    assert!(text.contains("no Python error"), "{text}");
    let json = printed(&mut project.loopmend(&["explain", log, "--output-format", "json"]), 0);
    assert_eq!(json, "{\n  \"incidents\": []\n}\n");
    project.loopmend(&["fix", "--log", log]).output().expect("it starts");
    assert_eq!(project.read("app/ping.py"), DEFECT);
}

#[test]
fn a_missing_log() {
    let project = Project::with_defect();
    assert!(
        stopped(&project, &["explain", "nowhere/error.log"], 2)
            .contains("there is no file nowhere/error.log")
    );
    assert!(stopped(&project, &["fix", "--log", "error.txt"], 2).contains("there is no file error.txt"));
}

#[test]
fn a_folder_for_a_log() {
    let project = Project::with_defect();
    assert!(stopped(&project, &["explain", "./app"], 2).contains("is a folder"));
    assert!(stopped(&project, &["fix", "--log", "app"], 2).contains("is a folder"));
}

#[test]
fn a_missing_project() {
    let project = Project::empty();
    let log = project.log(LOG);
    let log = log.to_str().expect("plain path");
    for arguments in [&["check", "nowhere"][..], &["fix", "nowhere", "--log", log], &["undo", "nowhere"]] {
        assert!(stopped(&project, arguments, 2).contains("there is no nowhere"), "{arguments:?}");
    }
}

#[test]
fn a_file_for_a_project() {
    let project = Project::with_defect();
    let log = project.log(LOG);
    let log = log.to_str().expect("plain path");
    let talk = stopped(&project, &["fix", "app/ping.py", "--log", log], 2);
    assert!(talk.contains("is a file, not a project's folder"), "{talk}");
    assert!(stopped(&project, &["fix", log], 2).contains("--log"));
    assert_eq!(project.read("app/ping.py"), DEFECT);
}

#[test]
fn a_project_without_python() {
    let project = Project::empty();
    project.write("README.md", "# Nothing\n");
    assert!(stopped(&project, &["check"], 0).contains("there is no Python file"));
    assert!(stopped(&project, &["fix"], 0).contains("there is no Python file"));
}

#[test]
fn an_unknown_cause() {
    let project = Project::empty();
    assert!(stopped(&project, &["explain", "gremlins"], 2).contains("there is no cause named gremlins"));
    assert!(
        stopped(&project, &["check", "--select", "gremlins"], 2).contains("there is no cause named gremlins")
    );
}

#[test]
fn nothing_to_take_back() {
    let project = Project::with_defect();
    assert!(stopped(&project, &["undo"], 2).contains("no fix of this project is known"));
}

#[test]
fn wrong_settings_are_named_with_their_place() {
    let project = Project::with_defect();
    project.write("pyproject.toml", "[tool.loopmend]\nignroe = []\n");
    assert!(stopped(&project, &["check"], 2).contains("pyproject.toml:2"));
}

#[test]
fn a_wrong_command_line() {
    let project = Project::empty();
    stopped(&project, &["mend"], 2);
    stopped(&project, &["check", "--output-format", "xml"], 2);
}

#[cfg(unix)]
#[test]
fn a_reader_that_goes_away_is_no_failure() {
    use std::process::{Command, Stdio};

    let project = Project::with_defect();
    let mut child = Command::new(env!("CARGO_BIN_EXE_loopmend"))
        .args(["man"])
        .current_dir(project.root())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn source_nested_deeper_than_a_stack() {
    let project = Project::with_defect();
    let deep = 20_000;
    project.write("app/deep.py", format!("import asyncio\nx = {}{}\n", "(".repeat(deep), ")".repeat(deep)));
    project.write("app/chain.py", format!("import asyncio\nx = asyncio{}\n", ".a()".repeat(deep)));
    let text = printed(&mut project.loopmend(&["check", "--output-format", "concise"]), 1);
    assert!(text.contains("app/ping.py:11:"), "{text}");
}
