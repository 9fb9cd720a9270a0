//! `fix --verify` and `verify`: what is run, what it proves, and that nothing is written that does not hold.
//!
//! The programs are real and use the standard library only; they run without a sandbox, which has tests of its own.

use std::process::Command as Plain;

use serde_json::Value;

use crate::project::{Project, printed};

/// The coroutine on line 11 is not awaited, so its line is never printed.
const DEFECT: &str = "\
import asyncio


async def store(name):
    await asyncio.sleep(0)
    print(\"stored\", name)


async def main():
    print(\"started\")
    store(\"a\")
    print(\"done\")


asyncio.run(main())
";

const LOG: &str = "\
started
/srv/shop/jobs.py:11: RuntimeWarning: coroutine 'store' was never awaited
  store(\"a\")
RuntimeWarning: Enable tracemalloc to get the object allocation traceback
done
";

/// The interpreter itself, since a shim needs the user's home.
fn python() -> Option<String> {
    let output = Plain::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn prove(project: &Project, command: &str, more: &[&str]) -> Option<(Value, i32)> {
    let python = python()?;
    let log = project.log(LOG);
    let mut arguments = vec![command];
    if command == "fix" {
        arguments.push("--verify");
    }
    arguments.extend([
        "--log",
        log.to_str()?,
        "--python",
        &python,
        "--no-sandbox",
        "--output-format",
        "json",
    ]);
    arguments.extend(more);
    let output = project.loopmend(&arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let value = serde_json::from_str(&text);
    let value =
        value.unwrap_or_else(|error| panic!("{error}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    Some((value, output.status.code()?))
}

fn git(project: &Project, arguments: &[&str]) {
    let done = Plain::new("git")
        .args(["-c", "user.name=x", "-c", "user.email=x@example.org"])
        .args(arguments)
        .current_dir(project.root())
        .output()
        .expect("git is there");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_mend_that_holds_is_proved_and_made() {
    let project = Project::empty();
    project.write("jobs.py", DEFECT);
    let Some((answer, status)) = prove(&project, "fix", &["--run", "python jobs.py"]) else { return };
    let proof = &answer["proof"];
    assert_eq!(proof["level"], "proved", "{proof:#}");
    assert_eq!(status, 0);
    assert_eq!(proof["reproduction"]["way"], "given");
    assert_eq!(proof["place"]["sandboxed"], false);
    assert!(proof["runs"].as_array().is_some_and(|runs| runs.len() >= 4), "{proof:#}");
    assert_eq!(project.read("jobs.py"), DEFECT.replace("    store(\"a\")", "    await store(\"a\")"));
    let repeat = proof["repeat"].as_str().expect("it is said");
    assert!(repeat.starts_with("loopmend verify --"), "{repeat}");
    let words = shlex::split(repeat).expect("a shell reads it");
    let words: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    assert!(printed(&mut project.loopmend(&words), 0).contains("Proved"));
}

#[test]
fn the_program_is_found_without_a_command() {
    let project = Project::empty();
    project.write("jobs.py", DEFECT);
    let Some((answer, _)) = prove(&project, "fix", &[]) else { return };
    assert_eq!(answer["proof"]["level"], "proved", "{:#}", answer["proof"]);
    assert_eq!(answer["proof"]["reproduction"]["way"], "script");
}

#[test]
fn a_change_that_drops_the_work_is_not_proved() {
    let project = Project::empty();
    project.write("jobs.py", DEFECT);
    git(&project, &["init", "-q"]);
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-qm", "one"]);
    project.write(
        "jobs.py",
        DEFECT.replace("    store(\"a\")\n", "    print(\"done\")\n").replace("    print(\"started\")\n", ""),
    );
    let Some((answer, status)) = prove(&project, "verify", &["--run", "python jobs.py"]) else { return };
    assert_eq!(answer["proof"]["level"], "unproved", "{:#}", answer["proof"]);
    assert_eq!(answer["proof"]["failures"][0], "it no longer prints `started`");
    assert_eq!(status, 1);
}

#[test]
fn what_can_not_be_made_to_happen_is_not_proved() {
    let project = Project::empty();
    project.write("jobs.py", DEFECT);
    let Some((answer, _)) = prove(&project, "fix", &["--run", "python -c 'print(1)'"]) else { return };
    assert_eq!(answer["proof"]["level"], "checked", "{:#}", answer["proof"]);
    assert_eq!(answer["proof"]["reproduction"], Value::Null);
}

#[test]
fn a_bundle_repeats_the_proof() {
    let project = Project::empty();
    project.write("jobs.py", DEFECT);
    let folder = project.root().with_file_name("bundle");
    let folder = folder.to_str().expect("plain path");
    let Some((answer, _)) = prove(&project, "fix", &["--run", "python jobs.py", "--bundle", folder]) else {
        return;
    };
    assert_eq!(answer["proof"]["level"], "proved");
    let repeat = answer["proof"]["repeat"].as_str().expect("it is said");
    let words = shlex::split(repeat).expect("a shell reads it");
    let arguments: Vec<&str> = words.iter().skip(1).map(String::as_str).collect();
    assert_eq!(arguments[..3], ["verify", "--bundle", folder]);
    let text = printed(&mut project.loopmend(&arguments), 0);
    assert!(text.contains("Proved"), "{text}");
    printed(&mut project.loopmend(&["undo"]), 0);
    printed(&mut project.loopmend(&arguments), 0);
}
