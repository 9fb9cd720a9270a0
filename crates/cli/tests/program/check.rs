//! `check`: what it looks at, what it shows, and its exit status.

use crate::project::{DEFECT, Project, printed, said};

const RIGHT: &str =
    "import asyncio\n\n\nasync def main():\n    await asyncio.sleep(0)\n\n\nasyncio.run(main())\n";

#[test]
fn a_right_project_has_no_findings() {
    let project = Project::empty();
    project.write("main.py", RIGHT);
    assert_eq!(printed(&mut project.loopmend(&["check"]), 0), "");
    assert!(said(&mut project.loopmend(&["check"]), 0).contains("Nothing found"));
}

#[test]
fn quiet_leaves_the_answer_only() {
    let project = Project::empty();
    project.write("main.py", RIGHT);
    assert_eq!(said(&mut project.loopmend(&["check", "--quiet"]), 0), "");
}

#[test]
fn one_file_is_asked_for() {
    let project = Project::with_defect();
    project.write("app/other.py", DEFECT);
    let all = printed(&mut project.loopmend(&["check", "--output-format", "concise"]), 1);
    assert!(all.contains("app/other.py:11:") && all.contains("app/ping.py:11:"), "{all}");
    project.write("pyproject.toml", "[project]\nname = 'shop'\nversion = '1'\n");
    let one = printed(&mut project.loopmend(&["check", "app/ping.py", "--output-format", "concise"]), 1);
    assert!(!one.contains("other.py") && one.contains("app/ping.py:11:"), "{one}");
}

#[test]
fn causes_are_selected_and_ignored() {
    let project = Project::with_defect();
    assert_eq!(
        printed(&mut project.loopmend(&["check", "--ignore", "close-not-awaited,dropped-task"]), 0),
        ""
    );
    assert_eq!(printed(&mut project.loopmend(&["check", "--select", "dropped-task"]), 0), "");
    assert_ne!(printed(&mut project.loopmend(&["check", "--select", "close-not-awaited"]), 1), "");
}

#[test]
fn a_comment_silences_a_finding() {
    let project = Project::empty();
    project.write(
        "ping.py",
        DEFECT.replace("session.close()", "session.close()  # loopmend: ignore[close-not-awaited]"),
    );
    assert_eq!(printed(&mut project.loopmend(&["check", "--select", "close-not-awaited"]), 0), "");
}

#[test]
fn broken_files_are_said_and_the_rest_is_checked() {
    let project = Project::with_defect();
    project.write("app/broken.py", "import asyncio\n\nasync def f(:\n    await asyncio.sleep(\n");
    project.write("app/latin.py", b"# -*- coding: no-such-encoding -*-\nimport asyncio\n");
    let mut command = project.loopmend(&["check", "--output-format", "concise"]);
    assert!(printed(&mut command, 1).contains("app/ping.py:11:"));
    assert!(said(&mut command, 1).contains("app/latin.py"));
}
