//! The formats of findings.

use serde_json::Value;

use crate::project::{DEFECT, Project, printed};

fn checked(format: &str) -> String {
    printed(
        &mut Project::with_defect().loopmend(&[
            "check",
            "--select",
            "close-not-awaited",
            "--output-format",
            format,
        ]),
        1,
    )
}

#[test]
fn full_shows_annotated_source() {
    let text = checked("full");
    assert!(text.contains("close-not-awaited"), "{text}");
    assert!(text.contains("app/ping.py:11:9"), "{text}");
    assert!(text.contains("        session.close()"), "{text}");
    assert!(!text.contains('\x1b'), "no colour in a pipe: {text}");
}

#[test]
fn concise_is_one_line() {
    let text = checked("concise");
    assert!(text.starts_with("app/ping.py:11:9: close-not-awaited "), "{text}");
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn json_has_the_promised_fields() {
    let list: Value = serde_json::from_str(&checked("json")).expect("it is JSON");
    let finding = &list[0];
    assert_eq!(finding["cause"], "close-not-awaited");
    assert_eq!(finding["path"], "app/ping.py");
    assert_eq!((finding["line"].as_u64(), finding["column"].as_u64()), (Some(11), Some(9)));
    assert_eq!(finding["end_line"].as_u64(), Some(11));
    assert_eq!(finding["applicability"], "safe");
    assert!(
        finding["message"].is_string() && finding["related"].is_array() && finding["end_column"].is_u64()
    );
}

#[test]
fn json_of_nothing_is_an_empty_list() {
    let project = Project::empty();
    project.write("a.py", "");
    assert_eq!(printed(&mut project.loopmend(&["check", "--output-format", "json"]), 0), "[]\n");
}

#[test]
fn github_prints_workflow_commands() {
    let text = checked("github");
    assert!(
        text.starts_with(
            "::error title=loopmend (close-not-awaited),file=app/ping.py,line=11,endLine=11,col=9,"
        ),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1);
}

#[test]
fn gitlab_prints_a_code_quality_report() {
    let report: Value = serde_json::from_str(&checked("gitlab")).expect("it is JSON");
    let issue = &report[0];
    assert_eq!(issue["check_name"], "close-not-awaited");
    assert_eq!(issue["location"]["path"], "app/ping.py");
    assert_eq!(issue["location"]["lines"]["begin"], 11);
    assert_eq!(issue["fingerprint"].as_str().map(str::len), Some(32));
    assert_eq!(issue["severity"], "major");
}

#[test]
fn gitlab_fingerprints_survive_moved_lines() {
    let fingerprint = |text: &str| {
        let project = Project::empty();
        project.write("ping.py", text);
        let report = printed(
            &mut project.loopmend(&["check", "--select", "close-not-awaited", "--output-format", "gitlab"]),
            1,
        );
        let report: Value = serde_json::from_str(&report).expect("it is JSON");
        report[0]["fingerprint"].clone()
    };
    assert_eq!(fingerprint(DEFECT), fingerprint(&format!("# one line more\n{DEFECT}")));
}

#[test]
fn sarif_names_rule_and_region() {
    let log: Value = serde_json::from_str(&checked("sarif")).expect("it is JSON");
    assert_eq!(log["version"], "2.1.0");
    let run = &log["runs"][0];
    let result = &run["results"][0];
    assert_eq!(result["ruleId"], "close-not-awaited");
    let rule = usize::try_from(result["ruleIndex"].as_u64().expect("the cause is on the shelf"))
        .expect("it is small");
    assert_eq!(run["tool"]["driver"]["rules"][rule]["id"], "close-not-awaited");
    let place = &result["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "app/ping.py");
    assert_eq!(place["region"]["startLine"], 11);
}

#[test]
fn junit_has_a_failure() {
    let text = checked("junit");
    assert!(text.starts_with("<?xml"), "{text}");
    assert!(text.contains("failures=\"1\"") && text.contains("type=\"close-not-awaited\""), "{text}");
}

#[test]
fn control_characters_never_reach_the_terminal() {
    let project = Project::empty();
    let text = DEFECT.replace("session.close()", "session.close()  # \u{1b}]0;owned\u{7}\u{202e}");
    project.write("ping.py", text);
    for format in ["full", "concise", "github"] {
        let text = printed(
            &mut project.loopmend(&[
                "check",
                "--select",
                "close-not-awaited",
                "--output-format",
                format,
                "--color",
                "never",
            ]),
            1,
        );
        assert!(!text.contains(['\x1b', '\x07', '\u{202e}']), "{format}: {text:?}");
    }
}
