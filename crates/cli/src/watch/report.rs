//! What was seen: for people on standard error, for programs in their formats.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use loopmend_model::{Applicability, Finding, Frame, Incident};
use loopmend_pipeline::ExplainedIncident;
use serde::Serialize;

use super::Watching;
use crate::explain::{self, owner, page};
use crate::format::{self, FindingFormat};
use crate::printable::printable_line;
use crate::style::{self, paint};
use crate::talk::Talk;

/// More than these are only counted, unless asked for.
const MOST: usize = 10;
/// Candidates that are named.
const CANDIDATES: usize = 3;
/// Under this name the last run is kept.
const KEPT: &str = "watch.json";

/// What programs read; fields may be added. As a log it can be given to `explain` and `fix`.
#[derive(Serialize)]
struct Report<'a> {
    command: Vec<String>,
    status: u8,
    signal: Option<i32>,
    seconds: f64,
    outlived: bool,
    incidents: Vec<Told<'a>>,
    stale: Vec<Stale<'a>>,
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    reported: explain::Reported<'a>,
    /// The baseline accepts it.
    accepted: bool,
}

#[derive(Serialize)]
struct Stale<'a> {
    symptom: &'a str,
    place: &'a str,
    subject: &'a str,
}

/// Prints to standard error, in colour where it is a terminal.
pub fn print(text: &str) {
    let _ = anstream::stderr().write_all(text.as_bytes());
}

/// Prints to standard error as it is.
pub fn print_plain(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// A format for programs.
pub fn of(watching: &Watching<'_>, format: FindingFormat) -> anyhow::Result<String> {
    if format == FindingFormat::Json {
        return json(watching);
    }
    let findings: Vec<Finding> = watching.fresh().map(|one| finding(one, watching)).collect();
    format::findings(format, &findings, &watching.opened)
}

fn json(watching: &Watching<'_>) -> anyhow::Result<String> {
    let report = Report {
        command: watching.command.iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        status: watching.seen.status,
        signal: watching.seen.signal,
        seconds: watching.seen.duration.as_secs_f64(),
        outlived: watching.seen.outlived,
        incidents: watching
            .explained
            .iter()
            .map(|one| Told {
                reported: explain::reported(one),
                accepted: watching.accepted.accepts(&one.incident),
            })
            .collect(),
        stale: watching
            .accepted
            .stale(watching.explained.iter().map(|one| &one.incident))
            .into_iter()
            .map(|known| Stale { symptom: &known.symptom, place: &known.place, subject: &known.subject })
            .collect(),
    };
    Ok(serde_json::to_string_pretty(&report)? + "\n")
}

/// An incident as a finding at the place that tells most.
fn finding(one: &ExplainedIncident, watching: &Watching<'_>) -> Finding {
    let incident = &one.incident;
    let cause = one.diagnosis.as_ref().map(|diagnosis| diagnosis.cause.clone());
    let location = one.diagnosis.as_ref().and_then(|diagnosis| diagnosis.locations.first());
    let (path, line, column) = match location {
        Some(location) => (location.path.clone(), location.line, location.column),
        None => match place(incident) {
            Some(frame) => (relative(&frame.path), frame.line.max(1), 1),
            None => (test_file(incident).unwrap_or_else(|| ".".to_owned()), 1, 1),
        },
    };
    let mut message = explain::heading(incident);
    if let Some(made) = made(incident) {
        let _ = write!(message, " (created at {}:{} in {})", relative(&made.path), made.line, made.function);
    }
    if let Some(test) = &incident.test {
        let _ = write!(message, " in {test}");
    }
    let _ = write!(message, ", seen while `{}` ran", watching.typed());
    Finding {
        cause: cause
            .or_else(|| one.candidates.first().map(|candidate| candidate.cause.clone()))
            .or_else(|| incident.symptoms.first().cloned())
            .unwrap_or_default(),
        path,
        line,
        column,
        end_line: line,
        end_column: column,
        message,
        applicability: Applicability::Unsafe,
        related: Vec::new(),
        doubtful: false,
    }
}

/// The story for people; empty where there is nothing to tell.
pub fn story(watching: &Watching<'_>, talk: Talk) -> String {
    let fresh: Vec<&ExplainedIncident> = watching.fresh().collect();
    let accepted = watching.explained.len() - fresh.len();
    let mut out = String::new();
    if fresh.is_empty() {
        if accepted > 0 {
            let _ = writeln!(
                out,
                "{} {accepted} known {}",
                margin(),
                plural(accepted, "symptom, accepted by the baseline", "symptoms, accepted by the baseline")
            );
        } else if talk.tells_all() {
            let _ = writeln!(out, "{} no event-loop trouble seen", margin());
        }
        return out;
    }
    let known =
        if accepted > 0 { format!(" ({accepted} more are accepted by the baseline)") } else { String::new() };
    let _ = writeln!(
        out,
        "\n{} {} in what `{}` said{known}",
        margin(),
        paint(
            style::ERROR,
            format!(
                "{} {}",
                fresh.len(),
                plural(fresh.len(), "sign of event-loop trouble", "signs of event-loop trouble")
            )
        ),
        printable_line(&watching.typed())
    );
    let most = if talk.tells_all() { usize::MAX } else { MOST };
    for (index, one) in fresh.iter().take(most).enumerate() {
        incident(&mut out, index + 1, one, watching);
    }
    if fresh.len() > most {
        let _ = writeln!(out, "\n{} more (-v shows all)", fresh.len() - most);
    }
    next(&mut out, &fresh, watching);
    out
}

fn margin() -> String {
    paint(style::HEADING, "loopmend watch:")
}

fn plural(count: usize, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

fn incident(out: &mut String, number: usize, one: &ExplainedIncident, watching: &Watching<'_>) {
    let incident = &one.incident;
    let times = if incident.count > 1 { format!("  ({} times)", incident.count) } else { String::new() };
    let heading = explain::heading(incident);
    let _ = writeln!(
        out,
        "\n{number}. {}{}",
        paint(style::ERROR, printable_line(&heading)),
        paint(style::DIM, times)
    );
    let mut tell = |what: &str, text: &str| {
        let _ = writeln!(out, "   {} {}", paint(style::DIM, format!("{what:9}")), printable_line(text));
    };
    if let Some(test) = &incident.test {
        tell("in", test);
    }
    for subject in &incident.subjects {
        let place = subject.place.as_ref().map(|frame| format!(", {}", shown(frame))).unwrap_or_default();
        tell("about", &format!("{}{place}", subject.name));
    }
    if let Some(frame) = raised(incident) {
        tell("raised at", &shown(frame));
    }
    match made(incident) {
        Some(frame) => tell("created", &shown(frame)),
        None if !incident.subjects.is_empty() && !watching.origins => {
            tell("created", "not told; --origins has Python tell it");
        }
        None => {}
    }
    for means in incident.symptoms.iter().filter_map(|id| explain::meaning(id)).take(1) {
        tell("means", means);
    }
    if let Some(diagnosis) = &one.diagnosis {
        let place = diagnosis.locations.first();
        let at = place.map(|place| format!("{}:{}: ", place.path, place.line)).unwrap_or_default();
        tell("cause", &format!("{at}{}: {}", diagnosis.cause, diagnosis.title));
        for reason in diagnosis.reasons.iter().take(1) {
            tell("because", reason);
        }
    } else {
        for (index, candidate) in one.candidates.iter().take(CANDIDATES).enumerate() {
            let title = page::cause(&candidate.cause)
                .map(|cause| format!(": {}", cause.page().title))
                .unwrap_or_default();
            tell(if index == 0 { "may be" } else { "or" }, &format!("{}{title}", candidate.cause));
        }
    }
    if let Some(refused) = &one.refused {
        tell("but", &refused.message);
    }
}

/// The commands that lead on.
fn next(out: &mut String, fresh: &[&ExplainedIncident], watching: &Watching<'_>) {
    let mut lines = Vec::new();
    if let Ok(text) = json(watching)
        && let Ok(path) = loopmend_project::keep(Path::new("."), KEPT, &text)
    {
        let log = explain::quoted(&path.to_string_lossy());
        lines.push((format!("loopmend fix --log {log}"), "mend it (--diff only shows)"));
        lines.push((format!("loopmend explain {log}"), "the whole story"));
    }
    if !watching.origins && fresh.iter().any(|one| one.incident.created.is_empty()) {
        lines.push((format!("loopmend watch --origins -- {}", watching.typed()), "where each was created"));
    }
    let _ = writeln!(out, "\n{}", paint(style::HEADING, "What to do:"));
    for (command, comment) in lines {
        let _ = writeln!(out, "  {}   {comment}", paint(style::NAME, printable_line(&command)));
    }
}

/// The innermost frame of the project in a creation stack.
fn made(incident: &Incident) -> Option<&Frame> {
    incident.created.iter().rev().find(is_own).or(incident.created.last())
}

/// The innermost frame of the project in the error.
fn raised(incident: &Incident) -> Option<&Frame> {
    incident.exceptions.iter().flat_map(|raised| raised.frames.iter().rev()).find(is_own)
}

fn place(incident: &Incident) -> Option<&Frame> {
    let subject = incident.subjects.iter().filter_map(|subject| subject.place.as_ref()).find(is_own);
    incident.created.iter().rev().find(is_own).or_else(|| raised(incident)).or(subject)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "a question that `find` asks")]
fn is_own(frame: &&Frame) -> bool {
    owner::of(&frame.path) == owner::Owner::Yours
}

fn shown(frame: &Frame) -> String {
    let function = if frame.function.is_empty() { String::new() } else { format!(" in {}", frame.function) };
    let source = frame.source.as_ref().map(|source| format!(": {source}")).unwrap_or_default();
    format!("{}:{}{function}{source}", relative(&frame.path), frame.line)
}

/// The path from here, where it is below here.
fn relative(path: &str) -> String {
    let short = owner::short(path);
    std::env::current_dir()
        .ok()
        .and_then(|here| Some(Path::new(&short).strip_prefix(here).ok()?.to_string_lossy().into_owned()))
        .unwrap_or(short)
}

/// `tests/test_a.py` of `tests/test_a.py::test_b`.
fn test_file(incident: &Incident) -> Option<String> {
    incident.test.as_ref()?.split("::").next().filter(|path| path.ends_with(".py")).map(str::to_owned)
}
