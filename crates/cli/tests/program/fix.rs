//! `fix` and `undo`: what is written, and when nothing is.

use std::process::Command as Plain;

use serde_json::Value;

use crate::project::{DEFECT, LOG, Project, printed, said};

#[test]
fn a_defect_is_mended_and_taken_back() {
    let project = Project::with_defect();
    let log = project.log(LOG);
    let text = printed(&mut project.loopmend(&["fix", "--log", log.to_str().expect("plain path")]), 0);
    assert!(text.contains("+        await session.close()"), "{text}");
    assert_eq!(
        project.read("app/ping.py"),
        DEFECT.replace("        session.close()", "        await session.close()")
    );
    let text = printed(&mut project.loopmend(&["undo"]), 0);
    assert_eq!(text, "taken back: app/ping.py\n");
    assert_eq!(project.read("app/ping.py"), DEFECT);
}

#[test]
fn without_a_log_safe_findings_are_mended() {
    let project = Project::with_defect();
    printed(&mut project.loopmend(&["fix"]), 0);
    assert!(project.read("app/ping.py").contains("await session.close()"));
    let talk = printed(&mut project.loopmend(&["fix"]), 0);
    assert!(talk.contains("Nothing to mend"), "{talk}");
}

#[test]
fn json_has_the_promised_fields() {
    let project = Project::with_defect();
    let log = project.log(LOG);
    let root = project.root();
    let arguments = [
        "fix",
        "--log",
        log.to_str().expect("plain path"),
        "--output-format",
        "json",
        root.to_str().expect("plain path"),
    ];
    let report: Value =
        serde_json::from_str(&printed(&mut project.loopmend(&arguments), 0)).expect("it is JSON");
    assert_eq!(report["diagnosis"]["cause"], "close-not-awaited");
    assert_eq!(report["diagnosis"]["locations"][0]["path"], "app/ping.py");
    assert_eq!(report["diagnosis"]["locations"][0]["line"], 11);
    assert_eq!(report["diagnoses"][0], report["diagnosis"]);
    assert!(report["refused"].is_null() && report["proof"].is_null());
    let patch = &report["patch"];
    assert_eq!(patch["applied"], true);
    assert_eq!(patch["files"][0], "app/ping.py");
    assert_eq!((patch["added"].as_u64(), patch["removed"].as_u64()), (Some(1), Some(1)));
    assert!(
        patch["diff"]
            .as_str()
            .is_some_and(|diff| diff.starts_with("--- a/app/ping.py\n+++ b/app/ping.py\n@@ "))
    );
}

#[test]
fn the_log_may_come_from_a_pipe() {
    let project = Project::with_defect();
    printed(project.loopmend(&["fix", "--log", "-"]).write_stdin(LOG), 0);
    assert!(project.read("app/ping.py").contains("await session.close()"));
}

#[test]
fn a_diff_changes_nothing() {
    let project = Project::with_defect();
    let text = printed(&mut project.loopmend(&["fix", "--diff"]), 1);
    assert!(text.starts_with("--- a/app/ping.py\n"), "{text}");
    assert_eq!(project.read("app/ping.py"), DEFECT);
}

#[test]
fn uncommitted_changes_are_not_touched() {
    let project = Project::with_defect();
    let git = |arguments: &[&str]| {
        let done = Plain::new("git")
            .current_dir(project.root())
            .args(["-c", "user.name=a", "-c", "user.email=a@b.c"])
            .args(arguments)
            .output();
        assert!(done.is_ok_and(|output| output.status.success()), "git {arguments:?}");
    };
    git(&["init", "--quiet"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "--message", "first"]);
    project.write("app/ping.py", format!("{DEFECT}# mine\n"));
    let talk = said(&mut project.loopmend(&["fix"]), 2);
    assert!(talk.contains("uncommitted changes in app/ping.py") && talk.contains("--allow-dirty"), "{talk}");
    assert!(!project.read("app/ping.py").contains("await session.close()"));
    printed(&mut project.loopmend(&["fix", "--allow-dirty"]), 0);
    assert!(project.read("app/ping.py").contains("await session.close()"));
}

#[cfg(unix)]
#[test]
fn a_project_that_may_not_be_written_is_not_touched() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;

    let project = Project::with_defect();
    let folder = project.root().join("app");
    fs::set_permissions(folder.join("ping.py"), Permissions::from_mode(0o444)).expect("it is ours");
    fs::set_permissions(&folder, Permissions::from_mode(0o555)).expect("it is ours");
    if fs::OpenOptions::new().write(true).open(folder.join("ping.py")).is_ok() {
        // An administrator may write it, and then it is mended like any other.
        printed(&mut project.loopmend(&["fix"]), 0);
        assert_ne!(project.read("app/ping.py"), DEFECT);
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("it is ours");
        return;
    }
    let talk = said(&mut project.loopmend(&["fix"]), 2);
    assert!(talk.contains("read-only"), "{talk}");
    assert_eq!(project.read("app/ping.py"), DEFECT);
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).expect("it is ours");
}
