//! What log collectors put before every line: docker compose, journald, kubernetes, CI runners.

use std::borrow::Cow;

/// A line and who said it.
pub(crate) struct Split<'t> {
    /// The service, container or unit; a name that begins with `:` only tells streams apart; empty where none is named.
    pub source: Cow<'t, str>,
    /// The prefix has a form that nothing else has.
    pub sure: bool,
    /// More of this line comes with the next one of the same source.
    pub partial: bool,
    /// The line without its prefixes.
    pub text: Cow<'t, str>,
}

/// Takes the prefixes off.
pub(crate) fn split(line: &str) -> Split<'_> {
    if line.starts_with("{\"log\":")
        && let Some(split) = docker_json(line)
    {
        return split;
    }
    let rest = runner(line);
    let mut partial = false;
    let (source, sure, rest) = if let Some((source, tag, rest)) = container(rest) {
        partial = tag == "P";
        (Cow::Borrowed(source), true, rest)
    } else if let Some((source, rest)) = syslog(rest) {
        (Cow::Borrowed(source), true, rest)
    } else if let Some((source, rest)) = compose(rest) {
        (Cow::Borrowed(source), false, rest)
    } else {
        (Cow::Borrowed(""), true, rest)
    };
    let rest = after_timestamp(rest).unwrap_or(rest);
    let rest = ["##[error]", "##[warning]", "##[debug]"]
        .iter()
        .find_map(|mark| rest.strip_prefix(mark))
        .unwrap_or(rest);
    Split { source, sure, partial, text: Cow::Borrowed(rest) }
}

/// docker's json-file driver: `{"log":"…\n","stream":"stderr","time":"…"}`.
fn docker_json(line: &str) -> Option<Split<'static>> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    let text = value.get("log")?.as_str()?;
    let stream = value.get("stream").and_then(|stream| stream.as_str()).unwrap_or("stderr");
    let inner = crate::ansi::strip(text.trim_end_matches(['\n', '\r'])).into_owned();
    let partial = !text.ends_with('\n');
    Some(Split { source: Cow::Owned(format!(":{stream}")), sure: true, partial, text: Cow::Owned(inner) })
}

/// `2026-11-21T10:45:31.123456789Z`, also with an offset; gives its length.
fn timestamp(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    if !bytes.first()?.is_ascii_digit() {
        return None;
    }
    let shape = b"0000-00-00T00:00:00";
    if bytes.len() < 20 {
        return None;
    }
    for (byte, expected) in bytes.iter().zip(shape) {
        let fits = if *expected == b'0' { byte.is_ascii_digit() } else { byte == expected };
        if !fits {
            return None;
        }
    }
    let mut at = shape.len();
    if matches!(bytes.get(at), Some(b'.' | b',')) {
        at += 1;
        while bytes.get(at).is_some_and(u8::is_ascii_digit) {
            at += 1;
        }
    }
    match bytes.get(at)? {
        b'Z' => Some(at + 1),
        b'+' | b'-' => {
            at += 1;
            let start = at;
            while bytes.get(at).is_some_and(|byte| byte.is_ascii_digit() || *byte == b':') {
                at += 1;
            }
            (at - start >= 4).then_some(at)
        }
        _ => None,
    }
}

/// A time stamp and one space: GitHub Actions, `docker logs -t`, `kubectl logs --timestamps`.
fn after_timestamp(text: &str) -> Option<&str> {
    let rest = &text[timestamp(text)?..];
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix(' ') }
}

/// `gh run view --log` puts job and step first, parted by tabs; GitLab writes `TIME 00O `.
fn runner(line: &str) -> &str {
    if let Some((_, rest)) = line.split_once('\t')
        && let Some((_, rest)) = rest.split_once('\t')
    {
        let rest = rest.strip_prefix('\u{feff}').unwrap_or(rest);
        if timestamp(rest).is_some() {
            return rest;
        }
    }
    if let Some(end) = timestamp(line)
        && let Some(rest) = line[end..].strip_prefix(' ')
        && rest.len() >= 4
        && rest.as_bytes()[..2].iter().all(u8::is_ascii_digit)
        && matches!(rest.as_bytes()[2], b'O' | b'E')
        && matches!(rest.as_bytes()[3], b' ' | b'+')
    {
        return &rest[4..];
    }
    line
}

/// The log files of kubernetes' runtimes: `TIME stderr F text`.
fn container(line: &str) -> Option<(&str, &str, &str)> {
    let rest = after_timestamp(line)?;
    for (stream, name) in [("stderr ", ":stderr"), ("stdout ", ":stdout")] {
        if let Some(rest) = rest.strip_prefix(stream) {
            let tag = rest.get(..1).filter(|tag| matches!(*tag, "F" | "P"))?;
            let text = &rest[1..];
            return Some((name, tag, text.strip_prefix(' ').unwrap_or(text)));
        }
    }
    None
}

/// journald and syslog: `Nov 21 10:45:31 host unit[pid]: text`, also with an ISO time.
fn syslog(line: &str) -> Option<(&str, &str)> {
    const MONTHS: [&[u8; 3]; 12] =
        [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
    let bytes = line.as_bytes();
    let rest = if let Some([month @ .., b' ']) = bytes.first_chunk::<4>()
        && MONTHS.contains(&month)
    {
        let time = bytes.get(7..15)?;
        if bytes.get(6) != Some(&b' ') || time[2] != b':' || time[5] != b':' {
            return None;
        }
        let mut rest = line.get(15..)?;
        if rest.starts_with('.') {
            rest = rest[1..].trim_start_matches(|c: char| c.is_ascii_digit());
        }
        rest.strip_prefix(' ')?
    } else {
        after_timestamp(line)?
    };
    let (host, rest) = rest.split_once(' ')?;
    let (unit, text) = match rest.split_once(": ") {
        Some(found) => found,
        None => (rest.strip_suffix(':')?, ""),
    };
    let plain = |text: &str| {
        !text.is_empty() && text.chars().all(|c| c.is_alphanumeric() || "-_.@/[]:()".contains(c))
    };
    if !plain(host)
        || !plain(unit)
        || host.starts_with('[')
        || !(unit.ends_with(']') || line.as_bytes()[0].is_ascii_alphabetic())
    {
        return None;
    }
    Some((unit.split('[').next().filter(|name| !name.is_empty()).unwrap_or(unit), text))
}

/// `service-1  | text`; docker's swarm writes `service.1.id@node    | text`.
fn compose(line: &str) -> Option<(&str, &str)> {
    let end = line.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@')))?;
    if end == 0 {
        return None;
    }
    let rest = line[end..].trim_start_matches(' ');
    let bar = rest.strip_prefix('|')?;
    let text = bar.strip_prefix(' ').unwrap_or(bar);
    (rest.len() < line.len() - end && (bar.is_empty() || bar.starts_with(' ')))
        .then_some((&line[..end], text))
}
