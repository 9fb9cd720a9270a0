//! JSON: log lines whose texts have escaped newlines, tracebacks as data (structlog), the payloads of error trackers.
//! Sentry's events hold frames as data; those of `BugStack` hold the traceback as text.

mod sentry;

use loopmend_model::{Channel, Frame, Incident, Link, Raised};
use serde_json::Value;

use crate::block::{Block, Mode, raised};
use crate::fold::Fold;
use crate::opening;
use crate::stream::Stream;

/// Nesting of texts within texts.
const DEPTH: usize = 4;

/// The incidents of a line that holds JSON, or a traceback with escaped newlines; nothing if it does neither.
pub(crate) fn read(line: &str, source: &str, number: usize) -> Option<Vec<Incident>> {
    let trimmed = line.trim();
    if trimmed.starts_with(['{', '[']) && trimmed.len() > 1 && trimmed.as_bytes()[1] != b' '
        || trimmed.starts_with("{ \"")
    {
        let value =
            serde_json::from_str(trimmed).ok().or_else(|| serde_json::from_str(&mended(trimmed)?).ok());
        if let Some(value @ (Value::Object(_) | Value::Array(_))) = value {
            let incidents = document(&value, source, number);
            if !incidents.is_empty() || serde_json::from_str::<Value>(trimmed).is_ok() {
                return Some(incidents);
            }
        }
    }
    escaped(trimmed).map(|text| nested(&text, source, number))
}

/// The incidents of a JSON document; a list of objects is one of events.
pub(crate) fn document(value: &Value, source: &str, number: usize) -> Vec<Incident> {
    match value {
        Value::Array(list)
            if list.iter().all(|entry| entry.is_object() && entry.get("exc_type").is_none()) =>
        {
            list.iter().flat_map(|entry| event(entry, source, number)).collect()
        }
        _ => event(value, source, number),
    }
}

fn event(value: &Value, source: &str, number: usize) -> Vec<Incident> {
    let mut said = Said::default();
    walk(value, &mut said, 0);
    if !said.chain.is_empty() {
        let mut block = Block::new(Channel::Exception, Mode::After, number);
        for text in &said.messages {
            block.see(text);
        }
        for raised in said.chain {
            let line = format!("{}: {}", raised.kind, raised.message);
            block.see(line.trim_end_matches(": "));
            block.push(raised);
        }
        return block.finish().into_iter().collect();
    }
    // What a tracker calls the message is the end of the traceback again.
    said.messages
        .retain(|message| !said.tracebacks.iter().any(|text| text.trim_end().ends_with(message.trim_end())));
    let mut text = String::new();
    for part in said.messages.iter().chain(&said.tracebacks) {
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(part.trim_end());
    }
    nested(&text, source, number)
}

/// The incidents of a text inside a line.
fn nested(text: &str, source: &str, number: usize) -> Vec<Incident> {
    let mut stream = Stream::bounded(source);
    let mut fold = Fold::default();
    for line in text.lines() {
        let line = crate::ansi::strip(line);
        stream.line(&line, number, &mut fold);
    }
    stream.finish(number, &mut fold);
    fold.take()
}

#[derive(Default)]
struct Said {
    messages: Vec<String>,
    tracebacks: Vec<String>,
    chain: Vec<Raised>,
}

fn walk(value: &Value, said: &mut Said, depth: usize) {
    if depth > DEPTH * 2 {
        return;
    }
    match value {
        Value::Object(map) => {
            let exceptions = sentry::exceptions(map);
            let known = exceptions.is_some();
            said.chain.extend(exceptions.into_iter().flatten());
            for key in ["message", "msg", "event", "text", "log"] {
                if let Some(text) = map.get(key).and_then(Value::as_str) {
                    say(text, said);
                }
            }
            for (key, inner) in map {
                match inner {
                    _ if known && matches!(key.as_str(), "exception" | "values") => {}
                    _ if sentry::is_beside(map, key) => {}
                    Value::String(_)
                        if matches!(key.as_str(), "message" | "msg" | "event" | "text" | "log") => {}
                    Value::String(text) => {
                        if text.contains("Traceback (most recent call last)") || text.contains("  File \"") {
                            say(text, said);
                        }
                    }
                    Value::Array(list) if list.iter().any(|entry| entry.get("exc_type").is_some()) => {
                        structlog(list, said);
                    }
                    _ => walk(inner, said, depth + 1),
                }
            }
        }
        Value::Array(list) if list.iter().any(|entry| entry.get("exc_type").is_some()) => {
            structlog(list, said);
        }
        Value::Array(list) => {
            for inner in list {
                walk(inner, said, depth + 1);
            }
        }
        _ => {}
    }
}

fn say(text: &str, said: &mut Said) {
    let known = |list: &[String]| list.iter().any(|other| other.contains(text.trim()));
    if known(&said.messages) || known(&said.tracebacks) {
        return;
    }
    if text.contains("Traceback (most recent call last)") {
        said.tracebacks.push(text.to_owned());
    } else {
        said.messages.push(text.to_owned());
    }
}

fn string(value: &Value, key: &str) -> String {
    value.get(key).and_then(Value::as_str).unwrap_or("").to_owned()
}

fn number(value: &Value, key: &str) -> u32 {
    value.get(key).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok()).unwrap_or(0)
}

/// structlog's `dict_tracebacks`: the last exception first, its causes after it.
fn structlog(list: &[Value], said: &mut Said) {
    let mut chain = Vec::new();
    for entry in list {
        let mut one = raised(&string(entry, "exc_type"), &string(entry, "exc_value"));
        for frame in entry.get("frames").and_then(Value::as_array).into_iter().flatten() {
            let source = Some(string(frame, "line").trim().to_owned()).filter(|line| !line.is_empty());
            one.frames.push(Frame {
                path: string(frame, "filename"),
                line: number(frame, "lineno"),
                function: string(frame, "name"),
                source,
            });
        }
        one.notes = entry
            .get("exc_notes")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|note| note.as_str().map(str::to_owned))
            .collect();
        let cause = entry.get("is_cause").and_then(Value::as_bool).unwrap_or(false);
        chain.push((one, cause));
        for members in entry.get("exceptions").and_then(Value::as_array).into_iter().flatten() {
            if let Some(members) = members.as_array() {
                let mut inner = Said::default();
                structlog(members, &mut inner);
                for mut member in inner.chain {
                    member.link = Link::GroupMember;
                    chain.push((member, false));
                }
            }
        }
    }
    let members = chain.iter().any(|(one, _)| one.link == Link::GroupMember);
    if members {
        said.chain.extend(chain.into_iter().map(|(one, _)| one));
        return;
    }
    let mut cause_of_next = None;
    for (mut one, cause) in chain.into_iter().rev() {
        one.link = match cause_of_next {
            None => Link::First,
            Some(true) => Link::CausedBy,
            Some(false) => Link::DuringHandling,
        };
        cause_of_next = Some(cause);
        said.chain.push(one);
    }
}

/// JSON that was cut off: what was complete, with its brackets closed.
fn mended(text: &str) -> Option<String> {
    let mut closers = Vec::new();
    let mut best: Option<(usize, Vec<u8>)> = None;
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        if quoted {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => quoted = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => quoted = true,
            b'{' => closers.push(b'}'),
            b'[' => closers.push(b']'),
            b'}' | b']' => {
                if closers.pop() != Some(byte) || closers.len() > 100 {
                    return None;
                }
                best = Some((at + 1, closers.clone()));
            }
            _ => {}
        }
    }
    let (end, closers) = best?;
    let mut out = text[..end].to_owned();
    out.extend(closers.iter().rev().map(|byte| char::from(*byte)));
    Some(out)
}

/// A traceback written in one line with `\n`, as logfmt, `repr` and cut JSON have it.
fn escaped(line: &str) -> Option<String> {
    let (header, rest) = opening::header(line)?;
    let rest = rest.strip_prefix(':')?;
    if !rest.starts_with("\\n") && !rest.starts_with("\\r\\n") {
        return None;
    }
    let start = line[..header].rfind("\": \"").map_or(header, |quote| quote + 4);
    let start = if start < header && !opening::is_open(&line[start..header]) { header } else { start };
    let end = if rest.contains("File \\\"") { '"' } else { '\'' };
    let mut out = String::with_capacity(line.len() - start);
    let mut chars = line[start..].chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('r') | None => {}
                Some('t') => out.push('\t'),
                Some('u') => {
                    let code: String = chars.by_ref().take(4).collect();
                    out.push(
                        u32::from_str_radix(&code, 16).ok().and_then(char::from_u32).unwrap_or('\u{fffd}'),
                    );
                }
                Some(c) => out.push(c),
            },
            c if c == end => break,
            c => out.push(c),
        }
    }
    Some(out)
}
