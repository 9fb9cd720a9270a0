//! `explain`: logs, with and without source, and causes' pages.

use serde_json::Value;

use crate::project::{LOG, Project, printed, said};

const TRACEBACK: &str = "\
Traceback (most recent call last):
  File \"/srv/shop/worker.py\", line 41, in <module>
    second = asyncio.run(fetch(2))
  File \"/usr/lib/python3.11/asyncio/runners.py\", line 190, in run
    return runner.run(main)
  File \"/srv/venv/lib/python3.11/site-packages/httpx/_client.py\", line 1768, in get
    return await self.request(
  File \"/usr/lib/python3.11/asyncio/base_events.py\", line 520, in _check_closed
    raise RuntimeError('Event loop is closed')
RuntimeError: Event loop is closed
";

#[test]
fn every_frame_is_told_whose_it_is() {
    let project = Project::empty();
    let log = project.log(TRACEBACK);
    let text = printed(&mut project.loopmend(&["explain", log.to_str().expect("plain path")]), 1);
    assert!(text.contains("yours   /srv/shop/worker.py:41"), "{text}");
    assert!(text.contains("httpx   httpx/_client.py:1768 in get"), "{text}");
    assert!(text.contains("Python  asyncio/base_events.py:520 in _check_closed"), "{text}");
    assert!(text.contains("→ refuses to go on: this loop has been closed before"), "{text}");
    assert!(text.contains("second-run"), "{text}");
    assert!(text.contains("loopmend fix"), "{text}");
}

#[test]
fn prevention_is_a_page() {
    let project = Project::empty();
    let text = printed(&mut project.loopmend(&["explain", "prevention"]), 0);
    for heading in ["# prevention:", "## A path for SIGTERM", "## In CI"] {
        assert!(text.contains(heading), "{text}");
    }
    let text = printed(&mut project.loopmend(&["explain", "prevention", "--output-format", "json"]), 0);
    let page: Value = serde_json::from_str(&text).expect("it is JSON");
    assert!(page["page"].as_str().is_some_and(|page| page.starts_with("# prevention")));
}

#[test]
fn standard_input_is_a_log() {
    let project = Project::empty();
    for arguments in [&["explain"][..], &["explain", "-"]] {
        let text = printed(project.loopmend(arguments).write_stdin(TRACEBACK), 1);
        assert!(text.starts_with("RuntimeError: Event loop is closed"), "{text}");
    }
}

#[test]
fn json_has_the_promised_fields() {
    let project = Project::empty();
    let log = project.log(TRACEBACK);
    let text = printed(
        &mut project.loopmend(&["explain", log.to_str().expect("plain path"), "--output-format", "json"]),
        1,
    );
    let report: Value = serde_json::from_str(&text).expect("it is JSON");
    let incident = &report["incidents"][0];
    assert_eq!(incident["count"], 1);
    assert_eq!(incident["symptoms"][0], "event-loop-closed");
    assert_eq!(incident["exceptions"][0]["type"], "RuntimeError");
    assert_eq!(incident["exceptions"][0]["frames"][0]["line"], 41);
    assert!(incident["candidates"][0]["cause"].is_string());
    assert!(incident["candidates"][0]["reasons"].is_array());
    assert!(incident["diagnosis"].is_null());
}

#[test]
fn source_beside_the_log_gives_a_diagnosis() {
    let project = Project::with_defect();
    let log = project.log(LOG);
    let log = log.to_str().expect("plain path");
    let text = printed(&mut project.loopmend(&["explain", log]), 1);
    assert!(text.contains("app/ping.py:11"), "the current folder is read: {text}");
    let json =
        printed(&mut project.loopmend(&["explain", log, "--project", ".", "--output-format", "json"]), 1);
    let report: Value = serde_json::from_str(&json).expect("it is JSON");
    let diagnosed: Vec<&Value> = report["incidents"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| &one["diagnosis"]["cause"])
        .collect();
    assert!(diagnosed.contains(&&Value::from("close-not-awaited")), "{json}");
}

#[test]
fn utf16_logs_of_powershell_are_read() {
    let project = Project::empty();
    let mut bytes = vec![0xff, 0xfe];
    bytes.extend(TRACEBACK.replace('\n', "\r\n").encode_utf16().flat_map(u16::to_le_bytes));
    let log = project.log(bytes);
    let text = printed(&mut project.loopmend(&["explain", log.to_str().expect("plain path")]), 1);
    assert!(text.starts_with("RuntimeError: Event loop is closed"), "{text}");
}

#[test]
fn a_hostile_log_is_spelled_out() {
    let project = Project::empty();
    let log = project.log(
        TRACEBACK.replace("fetch(2)", "fetch(2)\u{1b}[2J\u{7}\u{202e}").replace("worker", "wor\u{9b}31mker"),
    );
    let text = printed(
        &mut project.loopmend(&["explain", log.to_str().expect("plain path"), "--color", "never"]),
        1,
    );
    assert!(!text.contains(['\x1b', '\x07', '\u{202e}', '\u{9b}']), "{text:?}");
}

#[test]
fn a_cause_has_a_page() {
    let project = Project::empty();
    let page = printed(&mut project.loopmend(&["explain", "dropped-task"]), 0);
    assert!(page.contains("dropped-task") && page.len() > 200, "{page}");
}

#[test]
fn a_misspelt_cause_is_guessed() {
    let talk = said(&mut Project::empty().loopmend(&["explain", "droped-task"]), 2);
    assert!(talk.contains("there is no cause named droped-task"), "{talk}");
    assert!(talk.contains("dropped-task"), "{talk}");
}

#[test]
fn a_message_is_a_log_too() {
    let text = printed(&mut Project::empty().loopmend(&["explain", "Event loop is closed"]), 1);
    assert!(text.starts_with("RuntimeError: Event loop is closed"), "{text}");
    let talk = said(&mut Project::empty().loopmend(&["explain", "some other words"]), 2);
    assert!(talk.contains("there is no file some other words"), "{talk}");
}
