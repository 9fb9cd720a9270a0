//! The last line of a traceback: an exception's name and message.

/// Words that stand before a colon in logs and are no exception's name.
const NOT_KINDS: [&str; 12] = [
    "DEBUG",
    "INFO",
    "WARNING",
    "WARN",
    "ERROR",
    "CRITICAL",
    "FATAL",
    "TRACE",
    "NOTICE",
    "SUCCESS",
    "FAILED",
    "Traceback",
];

/// Reads `Kind` or `Kind: message`.
pub(crate) fn parse(line: &str) -> Option<(&str, &str)> {
    let line = line.trim_end();
    let (kind, message) = match line.find(": ") {
        Some(at) => (&line[..at], &line[at + 2..]),
        None => (line.strip_suffix(':').unwrap_or(line), ""),
    };
    is_kind(kind).then_some((kind, message))
}

/// Whether the text can be the name of an exception's class, as a traceback prints it.
pub(crate) fn is_kind(kind: &str) -> bool {
    if kind.is_empty() || kind.len() > 200 || NOT_KINDS.contains(&kind) {
        return false;
    }
    let mut last = "";
    let mut dotted = false;
    for part in kind.split('.') {
        let name = part == "<locals>"
            || part.starts_with(|c: char| c.is_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_alphanumeric() || c == '_');
        if !name {
            return false;
        }
        dotted |= !last.is_empty();
        last = part;
    }
    last.starts_with(|c: char| c.is_uppercase() || c == '_') || dotted
}

/// Whether the name also says that it is an exception: what a line must show where nothing else tells that a
/// traceback ends there.
pub(crate) fn is_telling(kind: &str) -> bool {
    const ENDS: [&str; 10] = [
        "Error",
        "Exception",
        "Warning",
        "Interrupt",
        "Exit",
        "Group",
        "Timeout",
        "StopIteration",
        "Closed",
        "ClosedOK",
    ];
    let last = kind.rsplit('.').next().unwrap_or(kind);
    ENDS.iter().any(|end| last.ends_with(end)) || kind.contains(".exceptions.") || kind.contains(".errors.")
}

/// The exception named around a place in a line: `… flush failed: a.b.KindError: message` gives `a.b.KindError` and
/// the rest. `at` is where the match of a symptom begins.
pub(crate) fn around(line: &str, at: usize) -> Option<(&str, &str)> {
    let head = line.get(..at)?;
    let start = head
        .char_indices()
        .rev()
        .take_while(|(_, c)| c.is_alphanumeric() || matches!(c, '_' | '.' | '<' | '>'))
        .last()
        .map_or(at, |(index, _)| index);
    let (kind, message) = parse(line.get(start..)?.trim_start())?;
    is_telling(kind).then_some((kind, message))
}

/// Whether a line below the exception's own surely belongs to it: the `[SQL: …]`, a hint, an indented list.
pub(crate) fn continues(line: &str) -> bool {
    const STARTS: [&str; 9] =
        ["[SQL", "[parameters", "(Background on", "hint: ", "HINT: ", "DETAIL: ", "note: ", "Hint: ", "  "];
    STARTS.iter().any(|start| line.starts_with(start))
}

/// Whether the line is another record of a log: it begins with a time or a level.
pub(crate) fn is_record(line: &str) -> bool {
    line.starts_with(|c: char| c.is_ascii_digit())
        || line.split([' ', ':', '[']).next().is_some_and(|word| NOT_KINDS.contains(&word))
        || line.starts_with('[') && line.as_bytes().get(1).is_some_and(u8::is_ascii_digit)
}
