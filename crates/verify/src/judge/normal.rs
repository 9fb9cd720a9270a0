//! A line of output without what differs from run to run for no reason of the program's.

use std::sync::LazyLock;

use regex::{Captures, Regex};

/// What is put in place of what, in this order.
static RULES: LazyLock<Vec<(Regex, &'static str)>> = LazyLock::new(|| {
    [
        (r"\x1b\[[0-9;?]*[A-Za-z]", ""),
        (r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "<id>"),
        (r"\b0x[0-9a-fA-F]+\b", "<address>"),
        (
            r"\b\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?)?|\b\d{1,2}/[A-Z][a-z]{2}/\d{4}(?::\d\d:\d\d:\d\d(?: [+-]\d{4})?)?",
            "<time>",
        ),
        (r"\b\d\d:\d\d:\d\d(?:[.,]\d+)?\b", "<time>"),
        (r"\b1[6-9]\d{8}(?:\.\d+)?\b", "<time>"),
        (r"\b\d+(?:\.\d+)?(?:e-?\d+)? ?(?:ns|us|µs|ms|s|sec|secs|seconds?|milliseconds?)\b", "<duration>"),
        (r"(?:/private)?(?:/var/folders|/tmp|/dev/shm|/var/tmp)(?:/[\w.@+~-]+)*", "<temporary>"),
        (r"\b(localhost|127\.0\.0\.1|0\.0\.0\.0|::1)\]?(:|', |, )\d{2,5}\b", "$1${2}<port>"),
        (r"\b((?:listening|running|serving|started|bound|ready)\b[^\n]{0,40}?\bport:?\s*)\d{4,5}\b", "$1<port>"),
        (r"\b(Task|Thread|asyncio|ThreadPoolExecutor|Dummy|ForkPoolWorker|SpawnProcess|Process)-\d+(?:_\d+)?", "$1-<number>"),
        (r"\b((?:pid|PID|process|fd|tid)(?:=| |: ?)?\[?)\d+", "$1<number>"),
        (r"\bobject at <address>", "object"),
    ]
    .into_iter()
    .map(|(pattern, with)| (Regex::new(pattern).expect("the rules are tested"), with))
    .collect()
});

static DIGITS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\d+(?:\.\d+)?").expect("it is tested"));

/// A line with addresses, times, durations, temporary paths, ports, task names and process numbers replaced.
pub fn normal(line: &str, tree: &str) -> String {
    let mut text = line.trim_end().to_owned();
    if !tree.is_empty() {
        text = text.replace(tree, "<tree>");
    }
    for (pattern, with) in RULES.iter() {
        if pattern.is_match(&text) {
            text = pattern.replace_all(&text, *with).into_owned();
        }
    }
    text
}

/// The same with every number replaced too: the line's shape.
pub fn shape(line: &str) -> String {
    DIGITS.replace_all(line, |_: &Captures<'_>| "#").into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_by_chance_is_replaced() {
        for (line, expected) in [
            ("<Pool object at 0x7f3a12>", "<Pool object>"),
            ("2026-11-21 10:57:34,123 INFO up", "<time> INFO up"),
            ("[21/Nov/2026:10:57:34 +0000] \"GET /\"", "[<time>] \"GET /\""),
            ("open in 12.5 ms", "open in <duration>"),
            ("listening on http://127.0.0.1:40123/x", "listening on http://127.0.0.1:<port>/x"),
            ("('127.0.0.1', 43210)", "('127.0.0.1', <port>)"),
            ("wrote /tmp/abc-1/out.txt", "wrote <temporary>"),
            ("Task-12 done in Thread-3", "Task-<number> done in Thread-<number>"),
            ("INFO: Started server process [4242]", "INFO: Started server process [<number>]"),
            ("/work/copy/app.py:3", "<tree>/app.py:3"),
            ("\u{1b}[31mred\u{1b}[0m  ", "red"),
        ] {
            assert_eq!(normal(line, "/work/copy"), expected);
        }
    }

    #[test]
    fn what_the_program_says_is_kept() {
        for line in [
            "total 420",
            "GET /items -> 200 3 items",
            "seats left: 0",
            "exit status -15",
            "code 4006381333931 accepted",
            "mean 14.0",
        ] {
            assert_eq!(normal(line, ""), line);
        }
    }

    #[test]
    fn the_shape_of_a_line_has_no_numbers() {
        assert_eq!(shape("round 2: 1 of 2 healthy, 0.5"), "round #: # of # healthy, #");
    }
}
