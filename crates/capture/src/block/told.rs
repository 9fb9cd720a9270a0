//! What is kept of what was told: exceptions, symptoms, subjects, notes.

use loopmend_model::{Channel, Incident, Raised, SubjectKind};

use super::{Block, Mode};
use crate::{exception, repr, symptom};

/// Bytes kept of a message.
pub(super) const MESSAGE: usize = 16 << 10;
/// Exceptions kept of one chain or group.
const EXCEPTIONS: usize = 200;
/// Frames kept of all of them together; an exception that goes beyond keeps a few innermost ones.
const FRAMES: usize = 10_000;
const FEW: usize = 20;

/// Cuts a text at a character, not beyond `limit` bytes.
pub(crate) fn capped(text: &str, limit: usize) -> &str {
    if text.len() <= limit {
        return text;
    }
    let mut end = limit;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

impl Block {
    /// The exception's line ends a traceback.
    pub fn close(&mut self, kind: &str, message: &str) {
        let line = if message.is_empty() { kind.to_owned() } else { format!("{kind}: {message}") };
        self.see(&line);
        if let Some((_, last)) = &mut self.wrapped {
            *last = line.chars().count();
        }
        let mut raised = raised(kind, message);
        raised.frames = self.stack.take();
        raised.link = std::mem::take(&mut self.link);
        self.push(raised);
        self.mode = Mode::After;
        self.foreign = 0;
        self.blanks = 0;
    }

    /// Adds an exception that was read elsewhere.
    pub fn push(&mut self, mut raised: Raised) {
        let known: usize = self.incident.exceptions.iter().map(|known| known.frames.len()).sum();
        if known + raised.frames.len() > FRAMES {
            raised.frames.drain(..raised.frames.len().saturating_sub(FEW));
        }
        if self.incident.exceptions.len() < EXCEPTIONS {
            self.incident.exceptions.push(raised);
        }
    }

    /// A traceback that ends before its exception was named.
    pub(super) fn cut(&mut self) {
        if matches!(self.mode, Mode::Created) {
            self.keep_created();
        }
        let frames = self.stack.take();
        if !frames.is_empty() {
            let link = std::mem::take(&mut self.link);
            self.push(Raised { frames, link, ..Raised::default() });
        }
    }

    /// Looks for symptoms and subjects in a line.
    pub fn see(&mut self, line: &str) {
        let line = capped(line, MESSAGE);
        for hit in symptom::hits(line) {
            if !self.hits.iter().any(|(known, _)| known.id == hit.symptom.id) {
                self.hits.push((hit.symptom, line.trim().to_owned()));
            }
            if let Some(thread) = hit.group(line, "thread")
                && self.incident.thread.is_none()
            {
                self.incident.thread = Some(thread.trim_end_matches(':').to_owned());
            }
            if let Some(fixture) = hit.group(line, "fixture") {
                repr::add(
                    &mut self.incident.subjects,
                    SubjectKind::Fixture,
                    fixture.trim_matches('\''),
                    None,
                );
            }
        }
        repr::read(line, &mut self.incident.subjects, &mut self.incident.created);
    }

    pub(super) fn add_note(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        self.see(text);
        if let Some(raised) = self.incident.exceptions.last_mut()
            && raised.notes.len() < 50
        {
            raised.notes.push(capped(text.trim_end(), 1000).to_owned());
        }
    }

    pub(super) fn confirm_notes(&mut self) {
        for note in std::mem::take(&mut self.notes) {
            self.add_note(&note);
        }
    }

    /// What was read, if it was anything.
    pub fn finish(mut self) -> Option<Incident> {
        self.cut();
        if let Some(loose) = self.loose.take() {
            match self.incident.exceptions.last_mut() {
                None => self.incident.exceptions.push(loose),
                Some(last) if last.kind.is_empty() && self.incident.channel == Channel::Log => {
                    last.kind = loose.kind;
                    last.message = loose.message;
                }
                Some(_) => {}
            }
        }
        self.hits.sort_by_key(|(symptom, _)| symptom.general);
        for (symptom, message) in self.hits {
            self.incident.symptoms.push(symptom.id.to_owned());
            self.incident.messages.push(message);
        }
        let nothing = self.incident.symptoms.is_empty()
            && (self.incident.exceptions.is_empty() || self.incident.channel == Channel::Warning);
        (!nothing).then_some(self.incident)
    }
}

/// An exception whose name says that it is one.
pub(super) fn telling(text: &str) -> Option<(String, String)> {
    exception::parse(text.trim())
        .filter(|(kind, _)| exception::is_telling(kind))
        .map(|(kind, message)| (kind.to_owned(), message.to_owned()))
}

/// An exception without frames.
pub(crate) fn raised(kind: &str, message: &str) -> Raised {
    Raised { kind: kind.to_owned(), message: capped(message, MESSAGE).to_owned(), ..Raised::default() }
}
