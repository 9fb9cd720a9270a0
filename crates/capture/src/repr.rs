//! What a message is about, read from the `repr`s in it.

use loopmend_model::{Frame, Subject, SubjectKind};

use crate::frame;

/// Reprs of one kind read from a line.
const MANY: usize = 8;

/// Adds the subjects of a line, and the creation places that its reprs name, to the lists.
pub(crate) fn read(line: &str, subjects: &mut Vec<Subject>, created: &mut Vec<Frame>) {
    if memchr::memchr2(b'<', b'\'', line.as_bytes()).is_none() && !line.contains("scoped fixture") {
        return;
    }
    tasks(line, subjects, created);
    for (word, kind) in [
        ("<coroutine object ", SubjectKind::Coroutine),
        ("<async_generator object ", SubjectKind::Coroutine),
        ("<generator object ", SubjectKind::Coroutine),
        ("<function ", SubjectKind::Function),
        ("<bound method ", SubjectKind::Function),
    ] {
        for (at, _) in line.match_indices(word).take(MANY) {
            let rest = &line[at + word.len()..];
            let name = rest.split(" at 0x").next().unwrap_or(rest);
            let name = name.split(" of ").next().unwrap_or(name);
            if name.len() < rest.len() && !name.contains(' ') {
                add(subjects, kind, name, None);
            }
        }
    }
    for (start, end, kind) in [
        ("coroutine '", "' was never awaited", SubjectKind::Coroutine),
        ("' object has no attribute '", "'", SubjectKind::Attribute),
        ("scoped fixture ", " ", SubjectKind::Fixture),
        ("fixture '", "' not found", SubjectKind::Fixture),
    ] {
        if let Some(at) = line.find(start) {
            let rest = &line[at + start.len()..];
            if let Some(end) = rest.find(end) {
                add(subjects, kind, rest[..end].trim_matches('\''), None);
            }
        }
    }
    resources(line, subjects);
}

fn tasks(line: &str, subjects: &mut Vec<Subject>, created: &mut Vec<Frame>) {
    for (at, _) in line.match_indices("coro=<").take(MANY) {
        let rest = &line[at + "coro=<".len()..];
        let Some(name_end) = rest.find("()") else { continue };
        let name = &rest[..name_end];
        let rest = &rest[name_end + 2..];
        let place = [" running at ", " done, defined at ", " defined at "]
            .iter()
            .find_map(|word| rest.strip_prefix(word))
            .and_then(|rest| place_before(rest, &['>', ' ']))
            .map(|(path, line)| Frame {
                path: path.to_owned(),
                line,
                function: name.to_owned(),
                source: None,
            });
        add(subjects, SubjectKind::Task, name, place);
    }
    if let Some(at) = line.find(" created at ")
        && let Some((path, line)) = place_before(&line[at + " created at ".len()..], &['>', ' '])
        && created.is_empty()
    {
        created.push(Frame { path: path.to_owned(), line, function: String::new(), source: None });
    }
}

/// A place up to one of the delimiters.
fn place_before<'t>(text: &'t str, ends: &[char]) -> Option<(&'t str, u32)> {
    let mut from = 0;
    while let Some(end) = text[from..].find(ends).map(|at| at + from) {
        if let Some((path, line, "")) = frame::place(&text[..end]) {
            return Some((path, line));
        }
        from = end + 1;
        if from > 500 {
            return None;
        }
    }
    frame::place(text).filter(|(_, _, rest)| rest.is_empty()).map(|(path, line, _)| (path, line))
}

/// Classes of objects called unclosed or still open.
fn resources(line: &str, subjects: &mut Vec<Subject>) {
    const WORDS: [&str; 8] = [
        "nclosed ",
        "client_session: ",
        "connector: ",
        "transport: ",
        "unclosed resource ",
        "ResourceWarning: ",
        "that handles ",
        "connection: ",
    ];
    if !WORDS.iter().any(|word| line.contains(word)) {
        return;
    }
    let Some(open) = line.find('<').filter(|open| !line[..*open].contains("connections: ")) else { return };
    let rest = &line[open + 1..];
    let name = rest.split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '_'))).next().unwrap_or("");
    if !name.is_empty()
        && !matches!(
            name,
            "Task" | "Future" | "function" | "coroutine" | "async_generator" | "generator" | "sys" | "string"
        )
    {
        add(subjects, SubjectKind::Resource, name, None);
    }
}

/// Adds a subject once.
pub(crate) fn add(subjects: &mut Vec<Subject>, kind: SubjectKind, name: &str, place: Option<Frame>) {
    if subjects.len() < 16 && !subjects.iter().any(|known| known.kind == kind && known.name == name) {
        subjects.push(Subject { kind, name: name.chars().take(300).collect(), place });
    }
}

/// The exception in `exception=Kind('message')`.
pub(crate) fn exception(line: &str) -> Option<(&str, &str)> {
    let at = line.find("exception=")? + "exception=".len();
    let rest = &line[at..];
    let open = rest.find('(')?;
    let kind = &rest[..open];
    if !crate::exception::is_kind(kind) {
        return None;
    }
    let rest = rest[open + 1..].trim_end().trim_end_matches('>');
    let message = rest.rfind(')').map_or(rest, |close| &rest[..close]);
    let message = message
        .strip_prefix(['\'', '"'])
        .and_then(|inner| inner.strip_suffix(['\'', '"']))
        .unwrap_or(message);
    Some((kind, message))
}
