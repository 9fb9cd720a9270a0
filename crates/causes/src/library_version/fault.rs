//! Whether a known defect explains an incident.

use loopmend_model::{Incident, Version};
use loopmend_python::catalogue::{Fault, faults};
use loopmend_python::lifecycle::Lifecycle;
use regex::Regex;

use super::requirement::{Fit, companions, fits, normalised};
use crate::place::{Match, locate};

/// Messages that many causes share: a fault whose message is one of these is not told by its message.
const SHARED: &[&str] = &[
    "RuntimeError: Event loop is closed",
    "RuntimeError: no running event loop",
    "RuntimeError: There is no current event loop in thread 'MainThread'.",
    "RuntimeError: Task <Task pending> got Future <Future pending> attached to a different loop",
    "DeprecationWarning: There is no current event loop",
    "ResourceWarning: unclosed event loop <_UnixSelectorEventLoop>",
    "Task was destroyed but it is pending!",
    "Task exception was never retrieved",
    "Future exception was never retrieved",
    "Unclosed client session",
    "ScopeMismatch: You tried to access the function scoped fixture x with a session scoped request object",
    "RuntimeError: Attempted to exit cancel scope in a different task than it was entered in",
    "ResourceWarning: Unclosed <MemoryObjectReceiveStream>",
    "BlockingIOError: [Errno 11] Resource temporarily unavailable",
    "RuntimeWarning: coroutine method 'aclose' of 'rows' was never awaited",
    "unhandled errors in a TaskGroup",
    "ValueError: Invalid file descriptor: -1",
];

/// The faults that a project can go round by another version of the library, that are sure to be faults, and that the versions
/// here have.
pub(super) fn present(life: &Lifecycle) -> impl Iterator<Item = (&'static Fault, Vec<String>)> {
    let told =
        |fault: &&Fault| fault.confidence == "high" && fault.library != "python" && fault.platform.is_none();
    faults().iter().filter(told).filter_map(|fault| {
        let (fit, known) = versions(life, None, fault);
        (fit == Fit::Yes && !known.is_empty()).then_some((fault, known))
    })
}

/// The well-known fault that explains an incident, and the versions here that fit it.
pub(super) fn explains(life: &Lifecycle, incident: &Incident) -> Option<(&'static Fault, Vec<String>)> {
    let mut told: Vec<String> = incident.messages.clone();
    told.extend(incident.exceptions.iter().map(|raised| format!("{}: {}", raised.kind, raised.message)));
    if told.is_empty() {
        return None;
    }
    let touches = touches_tree(life, incident);
    // Python's own are told by their paths, and by `windows-proactor`.
    faults().iter().filter(|fault| fault.confidence == "high" && fault.library != "python").find_map(
        |fault| {
            let (fit, known) = versions(life, Some(incident), fault);
            // Versions first: most faults are of libraries that the project does not have.
            let unknown = fit == Fit::Unknown && in_frames(&fault.library, incident);
            if fit != Fit::Yes && !unknown {
                return None;
            }
            let message = Regex::new(&fault.message).ok()?;
            if !told.iter().any(|line| message.is_match(line)) {
                return None;
            }
            let shared = SHARED.iter().any(|line| message.is_match(line));
            let places = places(&fault.frames);
            let through = places.iter().any(|place| passes(incident, place));
            // A message that only this fault prints may come through a call of the project that follows the documentation.
            let explained = match (shared, touches) {
                (true, true) => false,
                (true, false) | (false, true) => fit == Fit::Yes && through,
                (false, false) => through || places.is_empty(),
            };
            explained.then_some((fault, known))
        },
    )
}

/// Whether the versions of this project are in a fault's ranges, and those that are known.
fn versions(life: &Lifecycle, incident: Option<&Incident>, fault: &Fault) -> (Fit, Vec<String>) {
    let mut known = Vec::new();
    let mut all = Fit::Yes;
    let own = (normalised(&fault.library), fault.affected.clone());
    let with = fault.with.as_deref().map(companions).unwrap_or_default();
    for (name, range) in std::iter::once(own).chain(with) {
        let version = version(life, incident, &name);
        let mut fit = if range.is_empty() { Fit::Yes } else { fits(&range, version.as_ref()) };
        match &version {
            Some(version) => known.push(format!("{name} {version}")),
            None if fit == Fit::Yes => fit = Fit::Unknown,
            None => {}
        }
        all = match (all, fit) {
            (Fit::No, _) | (_, Fit::No) => Fit::No,
            (Fit::Unknown, _) | (_, Fit::Unknown) => Fit::Unknown,
            _ => Fit::Yes,
        };
    }
    (all, known)
}

fn version(life: &Lifecycle, incident: Option<&Incident>, name: &str) -> Option<Version> {
    if name != "python" {
        return life.settings().version(name).cloned();
    }
    // The Python that printed it, by the paths of its frames; else the one of the environment.
    let frames =
        incident.into_iter().flat_map(|incident| &incident.exceptions).flat_map(|raised| &raised.frames);
    let printed = frames.into_iter().find_map(|frame| {
        let path = frame.path.replace('\\', "/");
        path.split('/').find_map(|part| Version::parse(part.strip_prefix("python")?))
    });
    printed.filter(|version| version.release.len() == 2).or_else(|| {
        let (major, minor) = life.settings().python.interpreter?;
        Version::parse(&format!("{major}.{minor}"))
    })
}

/// Paths that a description of frames names: `pytest_asyncio/plugin.py`, `autobahn/wamp/test/`, `nest_asyncio.py`; not those
/// of asyncio, which every trouble passes.
fn places(words: &str) -> Vec<&str> {
    words
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | ':'))
        .filter(|word| word.contains('/') || word.ends_with(".py"))
        .filter(|word| !word.starts_with("asyncio/"))
        .collect()
}

fn passes(incident: &Incident, place: &str) -> bool {
    let place = place.trim_end_matches(".pxi").trim_end_matches(".pyx");
    incident
        .exceptions
        .iter()
        .flat_map(|raised| &raised.frames)
        .any(|frame| format!("/{}", frame.path.replace('\\', "/")).contains(&format!("/{place}")))
}

fn in_frames(library: &str, incident: &Incident) -> bool {
    let module = library.replace('-', "_");
    passes(incident, &format!("{module}/")) || passes(incident, &format!("{module}.py"))
}

/// Whether a frame, or where an object was made, is the project's.
fn touches_tree(life: &Lifecycle, incident: &Incident) -> bool {
    incident
        .exceptions
        .iter()
        .flat_map(|raised| &raised.frames)
        .chain(&incident.created)
        .any(|frame| matches!(locate(life, frame), Match::Function(_) | Match::Ambiguous(_)))
}
