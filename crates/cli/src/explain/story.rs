//! The log read to the user: what happened, whose code each line is, what it means, what may cause it, what next.

use std::fmt::Write as _;
use std::path::Path;

use loopmend_capture::Symptom;
use loopmend_model::{Frame, Incident, Link, Location, Raised, SubjectKind};
use loopmend_pipeline::{ExplainedIncident, Explanation};

use super::{calls, owner, page, places};
use crate::log::Log;
use crate::printable::printable_line;
use crate::style::{self, paint};
use crate::talk::Talk;
use crate::tree::Opened;

/// More incidents than this are only counted, unless asked for.
const MOST: usize = 10;
/// Causes whose pages are named at the end.
const MOST_PAGES: usize = 3;

/// The whole story.
pub fn full(explanation: &Explanation, log: &Log, opened: Option<&Opened>, talk: Talk) -> String {
    if explanation.incidents.is_empty() {
        return nothing(log) + "\n";
    }
    let most = if talk.tells_all() { usize::MAX } else { MOST };
    let mut out = String::new();
    let mut told = Vec::new();
    for explained in explanation.incidents.iter().take(most) {
        incident(&mut out, explained, log, opened, &mut told);
        out.push('\n');
    }
    next(&mut out, explanation, log, opened);
    if explanation.incidents.len() > most {
        let _ = writeln!(
            out,
            "\n{} more incidents are in the log; -v shows them all.",
            explanation.incidents.len() - most
        );
    }
    out
}

/// One line an incident.
pub fn concise(explanation: &Explanation, log: &Log) -> String {
    let mut out = String::new();
    for explained in &explanation.incidents {
        let causes: Vec<&str> = match &explained.diagnosis {
            Some(diagnosis) => vec![&diagnosis.cause],
            None => explained.candidates.iter().map(|candidate| candidate.cause.as_str()).collect(),
        };
        let _ = writeln!(
            out,
            "{}:{}: {} [{}]",
            printable_line(&log.name),
            explained.incident.lines.0,
            printable_line(&heading(&explained.incident)),
            causes.join(", ")
        );
    }
    out
}

/// What is said of a log in which nothing went wrong.
pub fn nothing(log: &Log) -> String {
    format!(
        "{}: no Python error, and none of the warnings by which Python tells of event-loop trouble.",
        printable_line(log.title())
    )
}

/// One incident; a cause that was told of an earlier one is only named.
fn incident<'e>(
    out: &mut String,
    explained: &'e ExplainedIncident,
    log: &Log,
    opened: Option<&Opened>,
    told: &mut Vec<(&'e str, Option<&'e Location>)>,
) {
    let incident = &explained.incident;
    let lines = match incident.lines {
        (first, last) if first == last => format!("line {first}"),
        (first, last) => format!("lines {first}-{last}"),
    };
    let times = if incident.count > 1 { format!(", {} times", incident.count) } else { String::new() };
    let _ = writeln!(
        out,
        "{}  {}",
        paint(style::ERROR, printable_line(&heading(incident))),
        paint(style::DIM, format!("({lines} of {}{times})", printable_line(log.title())))
    );
    if let Some(test) = &incident.test {
        let _ = writeln!(out, "In the test {}.", printable_line(test));
    }
    if let Some(thread) = &incident.thread {
        let _ = writeln!(out, "In the thread {}.", printable_line(thread));
    }
    for raised in &incident.exceptions {
        exception(out, raised, incident.exceptions.len() > 1);
    }
    if !incident.created.is_empty() {
        title(out, "Where it was made");
        frames(out, &incident.created);
    }
    subjects(out, incident);
    meaning(out, incident);
    if let Some(diagnosis) = &explained.diagnosis {
        let key = (diagnosis.cause.as_str(), diagnosis.locations.first());
        if told.contains(&key) {
            let place = key
                .1
                .map(|place| format!(", {}:{}", printable_line(&place.path), place.line))
                .unwrap_or_default();
            let _ = writeln!(
                out,
                "\n{} {}{place}, as above.",
                paint(style::HEADING, "The cause:"),
                diagnosis.cause
            );
            return;
        }
        told.push(key);
    }
    answer(out, explained, opened);
}

/// What to call an incident: its last exception, else its first message.
pub fn heading(incident: &Incident) -> String {
    if let Some(message) = incident.messages.first()
        && incident.exceptions.is_empty()
    {
        return message.clone();
    }
    match incident.exceptions.last() {
        Some(raised) => named(raised),
        None => incident.symptoms.first().cloned().unwrap_or_else(|| "an error".to_owned()),
    }
}

fn named(raised: &Raised) -> String {
    match raised.message.lines().next() {
        Some(line) if !line.is_empty() => format!("{}: {line}", raised.kind),
        _ => raised.kind.clone(),
    }
}

fn exception(out: &mut String, raised: &Raised, several: bool) {
    // The heading says all of an exception that stands alone and has no traceback.
    if raised.frames.is_empty() && raised.notes.is_empty() && !several {
        return;
    }
    match raised.link {
        Link::First if several => title(out, "First, from the outermost call to the place that raised"),
        Link::First => title(out, "Line by line, from the outermost call to the place that raised"),
        Link::CausedBy => title(out, "That was turned into this"),
        Link::DuringHandling => title(out, "While that was being handled, this was raised"),
        Link::GroupMember => title(out, "One of the group"),
    }
    frames(out, &raised.frames);
    let _ = writeln!(out, "  {}", paint(style::ERROR, printable_line(&named(raised))));
    for note in &raised.notes {
        let _ = writeln!(out, "  {}", printable_line(note));
    }
}

fn frames(out: &mut String, frames: &[Frame]) {
    let width = frames
        .iter()
        .map(|frame| owner::of(&frame.path).name().chars().count())
        .max()
        .unwrap_or(0)
        .clamp(6, 20);
    for frame in frames {
        let owner = owner::of(&frame.path);
        let margin = format!("{:width$}", printable_line(owner.name()));
        let (margin, place) = match owner {
            owner::Owner::Yours => (paint(style::HELP, margin), style::HEADING),
            owner::Owner::Library(_) | owner::Owner::Python => (paint(style::DIM, margin), style::DIM),
        };
        let path = owner::short(&frame.path);
        let line = if frame.line > 0 { format!(":{}", frame.line) } else { String::new() };
        let _ = write!(out, "  {margin}  {}", paint(place, format!("{}{line}", printable_line(&path))));
        if !frame.function.is_empty() && frame.function != "<module>" {
            let _ = write!(out, " in {}", printable_line(&frame.function));
        }
        out.push('\n');
        let indent = " ".repeat(width + 6);
        if owner == owner::Owner::Yours
            && let Some(source) = &frame.source
        {
            let _ = writeln!(out, "{indent}{}", paint(style::NAME, printable_line(source)));
        }
        if let Some(meaning) = calls::meaning(frame) {
            let _ = writeln!(out, "{indent}→ {meaning}");
        }
    }
}

fn subjects(out: &mut String, incident: &Incident) {
    for subject in &incident.subjects {
        let what = match subject.kind {
            SubjectKind::Task => "a task that runs",
            SubjectKind::Coroutine => "the coroutine",
            SubjectKind::Resource => "an object of the class",
            SubjectKind::Fixture => "the fixture",
            SubjectKind::Function => "the function",
            SubjectKind::Attribute => "the attribute",
        };
        let place = subject
            .place
            .as_ref()
            .map(|place| {
                let line = if place.line > 0 { format!(":{}", place.line) } else { String::new() };
                format!(", at {}{line}", printable_line(&owner::short(&place.path)))
            })
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "It is about {what} {}{place}.",
            paint(style::HEADING, printable_line(&subject.name))
        );
    }
}

fn meaning(out: &mut String, incident: &Incident) {
    let mut known: Vec<&Symptom> =
        incident.symptoms.iter().filter_map(|id| loopmend_capture::symptom(id)).collect();
    if known.iter().any(|symptom| !symptom.general) {
        known.retain(|symptom| !symptom.general);
    }
    let mut told: Vec<&str> = Vec::new();
    for symptom in known {
        if !told.contains(&symptom.means) {
            told.push(symptom.means);
        }
    }
    if !told.is_empty() {
        title(out, "What it means");
        for means in told {
            let _ = writeln!(out, "  {means}");
        }
    }
}

fn answer(out: &mut String, explained: &ExplainedIncident, opened: Option<&Opened>) {
    if let (Some(diagnosis), Some(opened)) = (&explained.diagnosis, opened) {
        title(out, "The cause, in your source");
        out.push_str(&places::diagnosis(diagnosis, opened));
    } else if !explained.candidates.is_empty() {
        title(out, "What may cause it, the likeliest first");
        for (index, candidate) in explained.candidates.iter().enumerate() {
            let heading = page::cause(&candidate.cause)
                .map(|cause| format!(": {}", cause.page().title))
                .unwrap_or_default();
            let _ = writeln!(out, "  {}. {}{heading}", index + 1, paint(style::HEADING, &candidate.cause));
            for reason in &candidate.reasons {
                let _ = writeln!(out, "     - {}", printable_line(reason));
            }
        }
    }
    if let Some(refused) = &explained.refused {
        title(out, "Why nothing is changed");
        let _ = writeln!(out, "  {}", printable_line(&refused.message));
    }
}

/// What to do about all of it, once.
fn next(out: &mut String, explanation: &Explanation, log: &Log, opened: Option<&Opened>) {
    let open: Vec<&ExplainedIncident> =
        explanation.incidents.iter().filter(|one| one.refused.is_none()).collect();
    if open.is_empty() {
        return;
    }
    title(out, "What to do");
    let log = if Path::new(&log.name).is_file() { quoted(&log.name) } else { "error.log".to_owned() };
    let (folder, comment) = match opened {
        Some(opened) if opened.root.as_os_str() != "." => {
            (format!(" {}", quoted(&opened.root.to_string_lossy())), "mend it")
        }
        Some(_) => (String::new(), "mend it"),
        None => (" PROJECT".to_owned(), "find its place in your source and mend it"),
    };
    let mut lines = vec![(format!("loopmend fix{folder} --log {log}"), comment.to_owned())];
    let diagnosed = open.iter().filter_map(|one| one.diagnosis.as_ref()).map(|diagnosis| &diagnosis.cause);
    let likely = open.iter().filter_map(|one| one.candidates.first()).map(|candidate| &candidate.cause);
    for cause in diagnosed.chain(likely).filter_map(|slug| page::cause(slug)) {
        let line = (format!("loopmend explain {}", cause.slug()), cause.page().title.to_owned());
        if !lines.contains(&line) && lines.len() <= MOST_PAGES {
            lines.push(line);
        }
    }
    let width = lines.iter().map(|(command, _)| command.chars().count()).max().unwrap_or(0);
    for (command, comment) in lines {
        let _ = writeln!(out, "  {}   {comment}", paint(style::NAME, format!("{command:width$}")));
    }
}

fn title(out: &mut String, text: &str) {
    let _ = writeln!(out, "\n{}", paint(style::HEADING, format!("{text}:")));
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let word = printable_line(word);
    if !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./=:@+,~\\".contains(c)) {
        return word.into_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}
