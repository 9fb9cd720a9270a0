//! What an incident says, in terms of the tree.

use std::collections::BTreeSet;

use loopmend_causes::{Found, Handler, Match, handler_that_prints, locate};
use loopmend_model::{Channel, Frame, Incident, SubjectKind};
use loopmend_python::lifecycle::{FileId, FunctionRef, Lifecycle};

/// Frames from which calls are followed.
const FOLLOWED: usize = 12;

/// An incident, read against a tree.
#[derive(Debug)]
pub struct Evidence<'i> {
    /// The incident.
    pub incident: &'i Incident,
    /// Functions of the tree in the tracebacks, the one nearest to each error first, with the line printed.
    pub frames: Vec<(FunctionRef, u32)>,
    /// Functions of the tree in the creation stacks, innermost first.
    pub created: Vec<(FunctionRef, u32)>,
    /// Places of the subjects (where a coroutine is defined or was running).
    pub subjects: Vec<(FunctionRef, u32)>,
    /// Without a traceback: the handler of the tree that prints the line, where one does.
    pub handler: Option<Handler>,
    /// Frames that are a library's or Python's own.
    pub library: usize,
    /// Frames that are neither, and not in the tree.
    pub elsewhere: Vec<&'i Frame>,
    /// Frames that several files fit, with the files.
    pub ambiguous: Vec<(&'i Frame, Vec<FileId>)>,
    /// Frames whose file is in the tree, but has no such function.
    pub changed: Vec<&'i Frame>,
}

impl<'i> Evidence<'i> {
    /// Reads an incident against a tree.
    pub fn new(life: &Lifecycle, incident: &'i Incident) -> Self {
        let mut evidence = Self {
            incident,
            frames: Vec::new(),
            created: Vec::new(),
            subjects: Vec::new(),
            handler: None,
            library: 0,
            elsewhere: Vec::new(),
            ambiguous: Vec::new(),
            changed: Vec::new(),
        };
        for raised in &incident.exceptions {
            for frame in raised.frames.iter().rev() {
                if let Some(found) = evidence.place(life, frame) {
                    evidence.frames.push(found);
                }
            }
        }
        for frame in incident.created.iter().rev() {
            if let Match::Function(function) = locate(life, frame) {
                evidence.created.push((function, frame.line));
            }
        }
        for frame in incident.subjects.iter().filter_map(|subject| subject.place.as_ref()) {
            if let Match::Function(function) = locate(life, frame) {
                evidence.subjects.push((function, frame.line));
            }
        }
        if incident.exceptions.iter().all(|raised| raised.frames.is_empty())
            && matches!(incident.channel, Channel::Log | Channel::Exception)
        {
            evidence.handler =
                incident.messages.iter().find_map(|message| handler_that_prints(life, message));
        }
        evidence
    }

    fn place(&mut self, life: &Lifecycle, frame: &'i Frame) -> Option<(FunctionRef, u32)> {
        match locate(life, frame) {
            Match::Function(function) => return Some((function, frame.line)),
            Match::Library => self.library += 1,
            Match::Elsewhere => self.elsewhere.push(frame),
            Match::Ambiguous(files) => self.ambiguous.push((frame, files)),
            Match::Changed(_) => self.changed.push(frame),
        }
        None
    }

    /// Names of subjects of a kind.
    pub fn named(&self, kind: SubjectKind) -> impl Iterator<Item = &str> {
        self.incident
            .subjects
            .iter()
            .filter(move |subject| subject.kind == kind)
            .map(|subject| subject.name.as_str())
    }

    /// Whether a finding is near what the evidence names: in one of its files, or in what runs from its frames. Where it names
    /// nothing of the tree, everything is.
    pub fn is_near(&self, life: &Lifecycle, found: &Found) -> bool {
        if !self.in_tree() {
            return true;
        }
        let named: BTreeSet<FunctionRef> = self
            .frames
            .iter()
            .chain(&self.created)
            .chain(&self.subjects)
            .map(|(function, _)| *function)
            .collect();
        let spots = std::iter::once(found.spot.file).chain(found.related.iter().map(|(spot, _)| spot.file));
        let mut files = spots.chain(found.functions.iter().map(|function| function.file));
        if files.any(|file| named.iter().any(|function| function.file == file)) {
            return true;
        }
        named.iter().take(FOLLOWED).any(|&function| {
            let reached = life.reachable(function);
            found.functions.iter().any(|part| reached.contains(part))
        })
    }

    /// Whether anything in it points into the tree.
    pub fn in_tree(&self) -> bool {
        !self.frames.is_empty() || !self.created.is_empty() || !self.subjects.is_empty()
    }
}
