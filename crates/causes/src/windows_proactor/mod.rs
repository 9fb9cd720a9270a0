//! `windows-proactor`: transports that complain on Windows while the interpreter ends, after a program that was right.

use loopmend_model::{Frame, Incident, Refusal, RefusalCode, SubjectKind};
use loopmend_python::lifecycle::Lifecycle;

use crate::place::{Match, is_windows, locate, standard};
use crate::{Cause, Declined, Found, Mend, Page, Report, cause};

/// The cause.
pub struct WindowsProactor;

const PAGE: Page = Page {
    title: "Windows' proactor loop complains at exit",
    what: "On Windows, Python 3.8, 3.9 and the early 3.10 close leftover transports while the interpreter ends, when the loop is closed already: \
`_ProactorBasePipeTransport.__del__` and `_SSLProtocolTransport.__del__` then raise `Event loop is closed` after correct programs too. \
The traceback has asyncio's own frames only, and the program's output is complete.",
    log: "Exception ignored in: <function _ProactorBasePipeTransport.__del__ at 0x000001F2B0C5C040>\nRuntimeError: Event loop is closed",
    wrong: "",
    right: "",
    unless: "Always: the program is right, so its source is left alone. Where a session or connection is indeed never closed, that is \
`resource-never-closed` with a Windows face, and it is diagnosed as such.",
    prevent: "Use a current Python (3.11 or later). Only where no subprocess and no pipe is used, \
`asyncio.set_event_loop_policy(asyncio.WindowsSelectorEventLoopPolicy())` is a way around it. Sleeping before the end and silencing `__del__` \
would hide real leaks.",
    symptoms: &[
        "ignored-proactor-del",
        "event-loop-closed",
        "proactor-selfpipe",
        "winerror-connection-reset",
    ],
};

/// Causes that leave a transport to the collector, so that the complaint is deserved.
const LEFT_OPEN: &[&str] = &["resource-never-closed", "close-not-awaited", "closed-too-late"];

impl Cause for WindowsProactor {
    fn slug(&self) -> &'static str {
        "windows-proactor"
    }

    fn page(&self) -> &'static Page {
        &PAGE
    }

    fn detect(&self, _: &Lifecycle, _: &mut Report) {}

    fn fix(&self, _: &Lifecycle, _: &Found) -> Result<Mend, Declined> {
        Err(Declined::because("use a current Python; the source is right"))
    }

    fn refuse(&self, incident: &Incident, life: Option<&Lifecycle>) -> Option<Refusal> {
        if !is_noise(incident) {
            return None;
        }
        let life = life?;
        if in_tree(life, incident) || leaves_open(life) {
            return None;
        }
        let here = version(incident).map_or(String::new(), |minor| format!(" (here Python 3.{minor})"));
        let message = if hung_up(incident) {
            format!(
                "Python's proactor loop on Windows prints this where the other side hung up while a transport was being closed{here}: every frame \
is asyncio's own, and nothing in this tree is left open. Nothing is changed; it is harmless."
            )
        } else {
            format!(
                "Python's proactor loop on Windows prints this while the interpreter ends, after correct programs too{here}: every frame is \
asyncio's own, and nothing in this tree is left open. Nothing is changed; use Python 3.11 or later."
            )
        };
        Some(Refusal { code: RefusalCode::LibraryFault, message })
    }
}

/// Printed on Windows, by asyncio's transports, with no frame but asyncio's.
fn is_noise(incident: &Incident) -> bool {
    let frames = || incident.exceptions.iter().flat_map(|raised| &raised.frames);
    let asyncio_only = frames().next().is_some()
        && frames().all(|frame| {
            is_windows(&frame.path) && standard(&frame.path).is_some_and(|below| below.starts_with("asyncio"))
        });
    if !asyncio_only || !incident.created.is_empty() {
        return false;
    }
    if hung_up(incident) {
        return true;
    }
    let named = incident.subjects.iter().any(|subject| match subject.kind {
        SubjectKind::Function => {
            subject.name.ends_with(".__del__")
                && (subject.name.starts_with("_Proactor") || subject.name.starts_with("_SSLProtocol"))
        }
        SubjectKind::Resource => subject.name.starts_with("_Proactor"),
        _ => false,
    });
    let collected = named || frames().any(|frame| proactor(frame) && frame.function == "__del__");
    collected && version(incident).is_none_or(|minor| minor <= 10)
}

/// The other side hung up while the transport was being closed: newer Pythons print that too.
fn hung_up(incident: &Incident) -> bool {
    let frames = incident.exceptions.iter().flat_map(|raised| &raised.frames);
    frames.into_iter().any(|frame| proactor(frame) && frame.function == "_call_connection_lost")
        && incident.exceptions.iter().any(|raised| raised.kind.ends_with("ConnectionResetError"))
}

fn proactor(frame: &Frame) -> bool {
    frame.path.contains("proactor_events")
}

/// The Python 3 that printed it, by the path of its library (`C:\Python39`).
fn version(incident: &Incident) -> Option<u32> {
    let frames = incident.exceptions.iter().flat_map(|raised| &raised.frames);
    frames.into_iter().find_map(|frame| {
        let path = frame.path.to_ascii_lowercase();
        path.split(['\\', '/']).find_map(|part| {
            let number = part.strip_prefix("python3")?.trim_start_matches('.');
            let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().ok()
        })
    })
}

fn in_tree(life: &Lifecycle, incident: &Incident) -> bool {
    incident
        .exceptions
        .iter()
        .flat_map(|raised| &raised.frames)
        .any(|frame| matches!(locate(life, frame), Match::Function(_)))
}

fn leaves_open(life: &Lifecycle) -> bool {
    let mut report = Report::default();
    for slug in LEFT_OPEN {
        if let Some(cause) = cause(slug) {
            cause.detect(life, &mut report);
        }
    }
    report.into_found().iter().any(|found| !found.doubtful && !found.unwinding)
}
