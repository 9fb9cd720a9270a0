//! Frames and places as single lines.

use loopmend_model::Frame;

/// Reads `File "PATH", line N, in FUNCTION`, also without the function (a syntax error) and with `lineno`
/// (tracemalloc). The line may be indented and marked with `>` (loguru).
pub(crate) fn python(line: &str) -> Option<Frame> {
    let line = line.trim_start();
    let line = line.strip_prefix("> ").unwrap_or(line).trim_start();
    let rest = line.strip_prefix("File \"")?;
    let ends = |with: &'static str| {
        let quotes = memchr::memchr_iter(b'"', rest.as_bytes());
        quotes.into_iter().find(|&at| rest[at..].starts_with(with)).map(|at| (at, with.len()))
    };
    let (at, length) = ends("\", line ").or_else(|| ends("\", lineno "))?;
    let path = rest[..at].to_owned();
    let rest = &rest[at + length..];
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let line = rest[..digits].parse().ok()?;
    let rest = rest[digits..].trim_end();
    let function = match rest.strip_prefix(", in ") {
        Some(function) => function.trim().to_owned(),
        None if rest.is_empty() => String::new(),
        None => return None,
    };
    Some(Frame { path: undouble(path), line, function, source: None })
}

/// `C:\\app` as it stands in a text that was escaped twice.
fn undouble(path: String) -> String {
    if path.get(1..).is_some_and(|rest| rest.starts_with(":\\\\")) {
        path.replace("\\\\", "\\")
    } else {
        path
    }
}

/// Reads `PATH:LINE` at the start of the text and gives what follows the number.
pub(crate) fn place(text: &str) -> Option<(&str, u32, &str)> {
    let mut from = 0;
    while let Some(colon) = text[from..].find(':').map(|at| at + from) {
        let rest = &text[colon + 1..];
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let after = &rest[digits..];
        if digits > 0
            && (after.is_empty() || after.starts_with(':') || after.starts_with(char::is_whitespace))
            && is_path(&text[..colon])
            && let Ok(line) = rest[..digits].parse()
        {
            return Some((&text[..colon], line, after));
        }
        from = colon + 1;
    }
    None
}

/// Whether the text can be the path of Python source.
pub(crate) fn is_path(path: &str) -> bool {
    const ENDS: [&str; 6] = [".py", ".pyx", ".pyc", ".pxd", ".pyi", ".pxi"];
    ENDS.iter().any(|end| path.ends_with(end)) || (path.starts_with('<') && path.ends_with('>'))
}

/// Whether a line below a frame only marks a part of the source (`~~~^^^`, loguru's branches) and is none itself.
pub(crate) fn is_marker(line: &str) -> bool {
    line.chars().all(|c| matches!(c, '~' | '^' | ' ' | '\t'))
        || line.trim_start().starts_with(['│', '└', '├'])
}
