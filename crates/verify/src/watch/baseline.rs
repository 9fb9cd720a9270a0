//! Symptoms that are known and accepted: a file beside the project, and what in a run it covers.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use loopmend_model::{Frame, Incident, SubjectKind};
use serde::Deserialize;
use thiserror::Error;

const HEAD: &str = "\
# What `loopmend watch --baseline` accepts: symptoms that were there before, by kind, subject and place.
# Take an entry out when its defect is mended; `loopmend watch --write-baseline` writes the file anew.
";

/// One symptom that is known: what stays the same from run to run.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// The symptom's id.
    pub symptom: String,
    /// File and function of the nearest place in the project: `app/db.py:connect`. No line: those move.
    #[serde(default)]
    pub place: String,
    /// What it is about: `task:poll`, `resource:ClientSession`.
    #[serde(default)]
    pub subject: String,
}

/// The accepted ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Baseline {
    known: BTreeSet<Known>,
}

/// Why a baseline can't be read.
#[derive(Debug, Error)]
#[error("read the baseline: {0}")]
pub struct BaselineError(#[from] toml::de::Error);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    known: Vec<Known>,
}

impl Baseline {
    /// Reads a file's text.
    pub fn read(text: &str) -> Result<Self, BaselineError> {
        let file: File = toml::from_str(text)?;
        Ok(Self { known: file.known.into_iter().collect() })
    }

    /// One that accepts all of these.
    pub fn of<'i>(incidents: impl IntoIterator<Item = &'i Incident>, folder: &str) -> Self {
        Self { known: incidents.into_iter().map(|incident| known(incident, folder)).collect() }
    }

    /// Whether an incident is accepted.
    pub fn accepts(&self, incident: &Incident, folder: &str) -> bool {
        self.known.contains(&known(incident, folder))
    }

    /// Entries that none of these incidents is an example of, sorted.
    pub fn stale<'i>(&self, incidents: impl IntoIterator<Item = &'i Incident>, folder: &str) -> Vec<&Known> {
        let seen = Self::of(incidents, folder).known;
        self.known.iter().filter(|known| !seen.contains(known)).collect()
    }

    /// Its text, sorted: the same entries give the same bytes.
    pub fn text(&self) -> String {
        let mut out = HEAD.to_owned();
        for known in &self.known {
            let quoted = |text: &str| toml::Value::String(text.to_owned()).to_string();
            let _ = write!(out, "\n[[known]]\nsymptom = {}\n", quoted(&known.symptom));
            for (name, value) in [("place", &known.place), ("subject", &known.subject)] {
                if !value.is_empty() {
                    let _ = writeln!(out, "{name} = {}", quoted(value));
                }
            }
        }
        out
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether it accepts nothing.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// What an incident is known by. Paths count from `folder`, where the command ran.
pub fn known(incident: &Incident, folder: &str) -> Known {
    let subject = incident.subjects.first().map(|subject| {
        let kind = match subject.kind {
            SubjectKind::Task => "task",
            SubjectKind::Coroutine => "coroutine",
            SubjectKind::Resource => "resource",
            SubjectKind::Fixture => "fixture",
            SubjectKind::Function => "function",
            SubjectKind::Attribute => "attribute",
        };
        format!("{kind}:{}", stable(&subject.name))
    });
    Known {
        symptom: incident.symptoms.first().cloned().unwrap_or_default(),
        place: place(incident).map(|frame| at(frame, folder)).unwrap_or_default(),
        subject: subject.unwrap_or_default(),
    }
}

/// The nearest place in the project: where the object was made, else the innermost frame of the error, else its subject's.
///
/// Where Python names creation sites only in one of two runs, the same object has two places: a baseline is for one way of
/// running.
fn place(incident: &Incident) -> Option<&Frame> {
    let own = |frame: &&Frame| !is_foreign(&frame.path);
    let raised = || incident.exceptions.iter().flat_map(|raised| raised.frames.iter().rev()).find(own);
    let subject = || incident.subjects.iter().filter_map(|subject| subject.place.as_ref()).find(own);
    incident.created.iter().rev().find(own).or_else(raised).or_else(subject)
}

/// Whether a path is of a library, of Python, or of no file.
fn is_foreign(path: &str) -> bool {
    let path = path.replace('\\', "/");
    path.starts_with('<')
        || path.contains("/site-packages/")
        || path.contains("/dist-packages/")
        || path.contains("/lib/python3")
        || path.contains("/Lib/asyncio/")
}

fn at(frame: &Frame, folder: &str) -> String {
    let path = frame.path.replace('\\', "/");
    let folder = folder.replace('\\', "/");
    let path = path.strip_prefix(&folder).map_or(path.as_str(), |rest| rest.trim_start_matches('/'));
    let path = path.trim_start_matches("./");
    if frame.function.is_empty() { path.to_owned() } else { format!("{path}:{}", stable(&frame.function)) }
}

/// A name without addresses and counters.
fn stable(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for word in name.split(' ') {
        if word.starts_with("0x") {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(word);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopmend_model::{Raised, Subject};

    fn frame(path: &str, line: u32, function: &str) -> Frame {
        Frame { path: path.to_owned(), line, function: function.to_owned(), source: None }
    }

    fn incident(line: u32, folder: &str) -> Incident {
        Incident {
            symptoms: vec!["event-loop-closed".to_owned()],
            subjects: vec![Subject { kind: SubjectKind::Task, name: "poll".to_owned(), place: None }],
            exceptions: vec![Raised {
                kind: "RuntimeError".to_owned(),
                frames: vec![
                    frame(&format!("{folder}/app/jobs.py"), line, "run"),
                    frame("/usr/lib/python3.11/asyncio/base_events.py", 520, "_check_closed"),
                ],
                ..Raised::default()
            }],
            ..Incident::default()
        }
    }

    #[test]
    fn neither_lines_nor_folders_matter() {
        let baseline = Baseline::of([&incident(3, "/home/a")], "/home/a");
        assert!(baseline.accepts(&incident(9, "/builds/b"), "/builds/b"));
        assert_eq!(baseline.stale([&incident(9, "/builds/b")], "/builds/b"), Vec::<&Known>::new());
        assert_eq!(baseline.stale([], "/builds/b").len(), 1);
    }

    #[test]
    fn the_text_is_read_back_and_is_the_same_again() {
        let mut other = incident(3, "/a");
        other.symptoms = vec!["aiohttp-unclosed-session".to_owned()];
        other.exceptions.clear();
        let baseline = Baseline::of([&incident(3, "/a"), &other, &other], "/a");
        assert_eq!(baseline.len(), 2);
        let text = baseline.text();
        assert_eq!(Baseline::read(&text).expect("its own text"), baseline);
        assert_eq!(Baseline::read(&text).expect("its own text").text(), text);
        assert!(text.contains("place = \"app/jobs.py:run\""), "{text}");
    }

    #[test]
    fn a_file_with_something_else_in_it_is_refused() {
        assert!(Baseline::read("[[known]]\nsymptom = \"a\"\nwhat = 1\n").is_err());
        assert!(Baseline::read("").expect("nothing").is_empty());
    }
}
