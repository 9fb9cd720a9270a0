//! What tells of trouble in a run: recognised messages, tasks left behind, processes cut off.

use std::collections::BTreeSet;

use loopmend_model::{Frame, Incident, Raised, SubjectKind, Tree};

use crate::notes::Notes;

/// One kind of trouble at one place.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sign {
    /// A symptom's id, [`LEFT`], [`CUT_OFF`], or the class of an exception.
    pub id: String,
    /// Where: `path:function` of the project, else what the message is about; empty where nothing says.
    pub place: String,
    /// The message.
    pub words: String,
}

/// A task that its loop's end found at work.
pub const LEFT: &str = "task-left-behind";
/// A process that did not come to its end.
pub const CUT_OFF: &str = "process-cut-off";

/// Messages of development mode that tell how fast the machine is, or add to another message.
const IDLE: [&str; 4] =
    ["slow-callback", "debug-source-traceback", "debug-coroutine-created", "aiohttp-detail-line"];
/// Messages that only say what another one says better.
const BESIDE: [&str; 4] =
    ["task-destroyed-detail", "future-detail", "exc-ignored-generic", "cancelled-error"];

/// Troubles of the world outside, and what follows from them: a mend neither hides nor ends them.
const OUTSIDE: [&str; 2] = ["connection-failed", "uvicorn-startup-failed"];

impl Sign {
    /// Whether it may be there after the mend too.
    pub fn is_outside(&self) -> bool {
        OUTSIDE.contains(&self.id.as_str())
    }

    /// Whether both tell of the same thing; a place that is not known fits every place.
    pub fn is(&self, other: &Self) -> bool {
        self.id == other.id && (self.place == other.place || self.place.is_empty() || other.place.is_empty())
    }
}

/// All signs of some incidents.
pub fn of_incidents<'i>(tree: &Tree, incidents: impl IntoIterator<Item = &'i Incident>) -> BTreeSet<Sign> {
    let mut signs = BTreeSet::new();
    for incident in incidents {
        let place = place(tree, incident);
        let ids: Vec<&String> = incident.symptoms.iter().filter(|id| !IDLE.contains(&id.as_str())).collect();
        let telling: Vec<&&String> = ids.iter().filter(|id| !BESIDE.contains(&id.as_str())).collect();
        let words = incident.messages.first().cloned().or_else(|| incident.exceptions.last().map(said));
        let words = words.unwrap_or_default();
        if !telling.is_empty() {
            signs.extend(telling.iter().map(|id| Sign {
                id: (**id).to_owned(),
                place: place.clone(),
                words: words.clone(),
            }));
        } else if incident.symptoms.is_empty() || !ids.is_empty() {
            let id = incident
                .exceptions
                .last()
                .map(|raised| raised.kind.clone())
                .or_else(|| ids.first().map(|id| (*id).clone()));
            let id = id.filter(|id| !id.is_empty());
            signs.extend(id.map(|id| Sign { id, place: place.clone(), words: words.clone() }));
        }
    }
    signs
}

/// What the notes tell of.
pub fn of_notes(notes: &Notes) -> BTreeSet<Sign> {
    let mut signs: BTreeSet<Sign> =
        notes.left.iter().filter(|task| task.is_own()).map(|task| left(&task.name)).collect();
    signs.extend(notes.cut_off().into_iter().map(|command| Sign {
        id: CUT_OFF.to_owned(),
        place: command.to_owned(),
        words: format!("`{command}` is cut off before its end"),
    }));
    signs
}

/// What messages tell of besides themselves: a task that was destroyed at work was left behind, and an exception that nobody
/// asked for was raised. After a mend both may show openly, and are no news.
pub fn implied<'i>(tree: &Tree, incidents: impl IntoIterator<Item = &'i Incident>) -> BTreeSet<Sign> {
    let mut signs = BTreeSet::new();
    for incident in incidents {
        let tells = |word: &str| incident.symptoms.iter().any(|id| id.contains(word));
        if tells("task-destroyed") {
            let tasks = incident.subjects.iter().filter(|subject| subject.kind == SubjectKind::Task);
            signs.extend(tasks.map(|task| left(&task.name)));
        }
        if let (true, Some(raised)) = (tells("never-retrieved"), incident.exceptions.last()) {
            signs.insert(Sign { id: raised.kind.clone(), place: place(tree, incident), words: said(raised) });
        }
    }
    signs
}

fn left(name: &str) -> Sign {
    Sign {
        id: LEFT.to_owned(),
        place: name.to_owned(),
        words: format!("`{name}` is still at work when its loop ends"),
    }
}

fn said(raised: &Raised) -> String {
    format!("{}: {}", raised.kind, raised.message)
}

/// Where an incident is: the innermost frame of the project in what was raised first, else where its object was made, else
/// what the message is about.
pub fn place(tree: &Tree, incident: &Incident) -> String {
    let own = |frames: &[Frame]| {
        frames
            .iter()
            .rev()
            .find_map(|frame| Some(format!("{}:{}", own_path(tree, &frame.path)?, frame.function)))
    };
    incident
        .exceptions
        .iter()
        .find_map(|raised| own(&raised.frames))
        .or_else(|| incident.subjects.first().map(|subject| subject.name.clone()))
        .or_else(|| own(&incident.created))
        .unwrap_or_default()
}

/// The file of the tree that a path of another machine means: the longest one that the path ends with.
pub fn own_path<'t>(tree: &'t Tree, path: &str) -> Option<&'t str> {
    if path.contains("site-packages") || path.contains("/lib/python3") || path.starts_with('<') {
        return None;
    }
    let path = path.replace('\\', "/");
    tree.files
        .iter()
        .map(|file| file.path.as_str())
        .filter(|own| path == *own || path.strip_suffix(own).is_some_and(|rest| rest.ends_with('/')))
        .max_by_key(|own| own.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use loopmend_model::{SourceFile, Subject};

    fn tree() -> Tree {
        let file = |path: &str| SourceFile { path: path.to_owned(), text: "".into() };
        Tree { files: vec![file("app/main.py"), file("main.py")], ..Tree::default() }
    }

    fn incident(symptom: &str, path: &str, function: &str) -> Incident {
        let frame = |path: &str, function: &str| Frame {
            path: path.to_owned(),
            function: function.to_owned(),
            ..Frame::default()
        };
        Incident {
            symptoms: vec![symptom.to_owned()],
            messages: vec!["it broke".to_owned()],
            exceptions: vec![Raised {
                kind: "RuntimeError".to_owned(),
                frames: vec![frame(path, function), frame("/usr/lib/python3.11/asyncio/runners.py", "run")],
                ..Raised::default()
            }],
            ..Incident::default()
        }
    }

    #[test]
    fn the_place_is_the_projects_own() {
        let signs = of_incidents(&tree(), [&incident("event-loop-closed", "/srv/x/app/main.py", "go")]);
        let sign = signs.first().unwrap();
        assert_eq!((sign.id.as_str(), sign.place.as_str()), ("event-loop-closed", "app/main.py:go"));
        let other = of_incidents(&tree(), [&incident("event-loop-closed", "/copy/main.py", "go")]);
        assert!(!sign.is(other.first().unwrap()));
        assert!(sign.is(&Sign { place: String::new(), ..sign.clone() }));
    }

    #[test]
    fn what_development_mode_adds_is_no_sign() {
        assert!(of_incidents(&tree(), [&incident("slow-callback", "main.py", "go")]).is_empty());
    }

    #[test]
    fn an_unknown_exception_is_a_sign() {
        let mut incident = incident("x", "main.py", "go");
        incident.symptoms.clear();
        incident.exceptions[0].kind = "NameError".to_owned();
        assert_eq!(of_incidents(&tree(), [&incident]).first().unwrap().id, "NameError");
    }

    #[test]
    fn a_destroyed_task_was_left_behind_and_an_unseen_exception_was_raised() {
        let mut dropped = incident("task-destroyed-pending", "main.py", "go");
        dropped.exceptions.clear();
        dropped.subjects =
            vec![Subject { kind: SubjectKind::Task, name: "Feed.run".to_owned(), place: None }];
        assert_eq!(implied(&tree(), [&dropped]), BTreeSet::from([left("Feed.run")]));
        let mut unseen = incident("task-exception-never-retrieved", "/srv/app/main.py", "send");
        unseen.exceptions[0].message = "410".to_owned();
        let mut logged = incident("x", "main.py", "send");
        logged.exceptions.clone_from(&unseen.exceptions);
        (logged.symptoms, logged.messages) = (Vec::new(), Vec::new());
        assert_eq!(implied(&tree(), [&unseen]), of_incidents(&tree(), [&logged]));
        assert!(implied(&tree(), [&logged]).is_empty());
    }
}
