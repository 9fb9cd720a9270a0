//! Any bytes are read: no panic, the same answer however they are cut into pieces, time linear in the length.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and says what it skips")]

use std::fmt::Write as _;

use loopmend_capture::{Capture, Recorder, capture, capture_reader};
use proptest::prelude::*;

/// Lines that open, continue and end blocks of every form.
const LINES: &[&str] = &[
    "Traceback (most recent call last):",
    "  + Exception Group Traceback (most recent call last):",
    "  | ExceptionGroup: unhandled errors in a TaskGroup (2 sub-exceptions)",
    "  +-+---------------- 1 ----------------",
    "    | Traceback (most recent call last):",
    "    +------------------------------------",
    "  File \"/app/é.py\", line 5, in <module>",
    "    await x()",
    "    ~~~~~^^^",
    "RuntimeError: Event loop is closed",
    "",
    "The above exception was the direct cause of the following exception:",
    "During handling of the above exception, another exception occurred:",
    "Exception ignored in: <function R.__del__ at 0x7fdebb725e40>",
    "Exception in thread Thread-1 (f):",
    "Task was destroyed but it is pending!",
    "task: <Task pending name='Task-2' coro=<bg() done, defined at /app/x.py:2> wait_for=<Future pending>>",
    "source_traceback: Object created at (most recent call last):",
    "/app/x.py:3: RuntimeWarning: coroutine 'f' was never awaited",
    "/app/x.py:3: DeprecationWarning: ",
    "  source()",
    "=== FAILURES ===",
    "____ test_a ____",
    "E   RuntimeError: no running event loop",
    ">       await x()",
    "tests/test_a.py:3: in test_a",
    "tests/test_a.py:3: RuntimeError",
    "---- Captured log call ----",
    "=== warnings summary ===",
    "  /app/x.py:3: RuntimeWarning: coroutine 'f' was never awaited",
    "=== short test summary info ===",
    "FAILED tests/test_a.py::test_a - RuntimeError: no running event loop",
    "╭──── Traceback (most recent call last) ────╮",
    "│ /app/x.py:7 in <module> │",
    "│ ❱ 7 x() │",
    "╰────╯",
    "RuntimeError          Traceback (most recent call last)",
    "Cell In[1], line 4",
    "----> 4 x()",
    "{\"event\": \"x\", \"exception\": \"Traceback (most recent call last):\\n  File \\\"/a.py\\\", line 1, in f\\nValueError: x\"}",
    "{\"log\":\"RuntimeError: Event loop is closed\\n\",\"stream\":\"stderr\"}",
    "{\"exc_type\": [{",
    "'Traceback (most recent call last):\\n  File \"/a.py\", line 1, in f\\nValueError: x'",
    "api-1  | Traceback (most recent call last):",
    "api-1  |   File \"/a.py\", line 1, in f",
    "Nov 21 10:45:31 web1 app[2713]: Traceback (most recent call last):",
    "2026-11-21T10:45:31.123456789Z stderr F Traceback (most recent call last):",
    "\u{1b}[31mE   RuntimeError: no running event loop\u{1b}[0m",
    "\u{1b}]0;title",
    "ordinary",
    "Warning:",
    "::: 12:",
    "<>:1: SyntaxWarning: é",
];

fn facts(capture: &Capture) -> String {
    format!("{:?} {:?} {}", capture.incidents, capture.left_out, capture.lines)
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    let line = prop_oneof![
        12 => prop::sample::select(LINES).prop_map(|line| line.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..40),
        1 => (prop::sample::select(LINES), 0_usize..60).prop_map(|(line, end)| line.as_bytes()[..end.min(line.len())].to_vec()),
        1 => (prop::sample::select(LINES), prop::sample::select(LINES)).prop_map(|(one, two)| format!("{one}{two}").into_bytes()),
    ];
    (prop::collection::vec(line, 0..60), prop::bool::ANY)
        .prop_map(|(lines, crlf)| lines.join(if crlf { &b"\r\n"[..] } else { &b"\n"[..] }))
}

proptest! {
    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(any::<u8>(), 0..4000)) {
        capture(&bytes);
    }

    #[test]
    fn any_mixture_of_forms_is_read_alike_in_pieces(text in text(), size in 1_usize..50) {
        let whole = capture(&text);
        let mut recorder = Recorder::default();
        for piece in text.chunks(size) {
            recorder.push(piece);
        }
        prop_assert_eq!(facts(&recorder.finish()), facts(&whole));
        let small = std::io::BufReader::with_capacity(size, &text[..]);
        prop_assert_eq!(facts(&capture_reader(small).unwrap()), facts(&whole));
    }
}

#[test]
fn a_traceback_without_end_is_bounded() {
    let mut text = String::from("Traceback (most recent call last):\n");
    for line in 0..50_000 {
        writeln!(text, "  File \"/app/x.py\", line {line}, in f\n    f()").unwrap();
    }
    let capture = capture(text.as_bytes());
    assert_eq!(capture.incidents[0].exceptions[0].frames.len(), 2000);
}

#[test]
fn different_incidents_are_kept_up_to_a_limit_and_then_counted() {
    let mut text = String::new();
    for line in 0..10_500 {
        writeln!(
            text,
            "Traceback (most recent call last):\n  File \"/app/x.py\", line {line}, in f\nKeyError: 1"
        )
        .unwrap();
    }
    let capture = capture(text.as_bytes());
    assert_eq!((capture.incidents.len(), capture.left_out.count), (5_000, 5_500));
}

#[test]
fn a_line_without_end_is_bounded() {
    let mut text = b"RuntimeError: no running event loop ".to_vec();
    text.resize(5 << 20, b'x');
    let capture = capture(&text);
    assert!(capture.incidents[0].exceptions[0].message.len() <= 16 << 10);
}

#[test]
fn nothing_is_found_in_nothing() {
    for text in [&b""[..], b"\n\n", b"hello\n", &[0, 159, 146, 150, 10, 255]] {
        assert!(capture(text).incidents.is_empty());
    }
}
