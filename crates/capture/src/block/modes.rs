//! What each mode makes of a line.

use loopmend_model::{Channel, Frame, Link};

use super::told::{MESSAGE, capped, raised, telling};
use super::{Block, FOREIGN, Flow, Mode, link};
use crate::ipython::Notebook;
use crate::rich::Panel;
use crate::{exception, frame, opening, repr, symptom};

fn leading(line: &str) -> usize {
    line.bytes().take_while(|byte| *byte == b' ').count()
}

impl Block {
    /// Goes into the frames of a traceback of which the first line was just seen.
    pub(super) fn enter(&mut self, line: &str) {
        self.mode = Mode::Frames;
        self.indent = None;
        self.foreign = 0;
        self.blanks = 0;
        self.group |= line.contains("+ Exception Group Traceback");
        if line.contains('╭') || line.trim_start().starts_with("+--") {
            self.mode = Mode::Rich(Panel::new(line));
        } else if let Some(notebook) = Notebook::open(line) {
            self.mode = Mode::Notebook(notebook);
        }
    }

    pub(super) fn frames(&mut self, text: &str) -> Flow {
        if let Some(read) = frame::python(text) {
            let indent = leading(text);
            if self.indent.is_none() {
                self.indent = Some(indent.saturating_sub(2));
                self.trimmed = indent == 0;
            }
            self.stack.push(read);
            self.after_frame = true;
            self.blanks = 0;
            return Flow::Taken;
        }
        let after_frame = std::mem::take(&mut self.after_frame);
        if text.trim().is_empty() {
            self.blanks += 1;
            return if self.blanks > 2 { Flow::Done } else { Flow::Taken };
        }
        if opening::is_header(text) {
            return if self.stack.is_empty() { Flow::Taken } else { Flow::Done };
        }
        self.blanks = 0;
        let indent = self.indent.unwrap_or_else(|| leading(text));
        if leading(text) > indent || text.starts_with('\t') {
            if !self.stack.has_source()
                && !frame::is_marker(text)
                && !text.trim_start().starts_with("[Previous line")
            {
                self.stack.source(text);
            }
            return Flow::Taken;
        }
        let text = text.trim();
        match exception::parse(text) {
            Some((kind, _)) if self.trimmed && after_frame && !exception::is_telling(kind) => {
                self.stack.source(text);
            }
            Some((kind, message)) => {
                let (kind, message) = (kind.to_owned(), message.to_owned());
                self.close(&kind, &message);
            }
            None if self.trimmed && (after_frame || text.starts_with(['~', '^', '['])) => {
                if after_frame {
                    self.stack.source(text);
                }
            }
            None if opening::is_open(text) => return Flow::Done,
            None => {
                self.foreign += 1;
                if self.foreign > FOREIGN {
                    return Flow::Done;
                }
            }
        }
        Flow::Taken
    }

    pub(super) fn created(&mut self, text: &str) -> Flow {
        if let Some(read) = frame::python(text) {
            self.indent.get_or_insert(leading(text));
            self.stack.push(read);
            return Flow::Taken;
        }
        let indent = self.indent.unwrap_or(0);
        if leading(text) > indent && !text.trim().is_empty() {
            if !frame::is_marker(text) {
                self.stack.source(text);
            }
            return Flow::Taken;
        }
        self.keep_created();
        if self.incident.channel == Channel::Warning {
            self.mode = Mode::Warning { many: false };
            return self.warning(text, false);
        }
        self.mode = Mode::Context;
        self.context(text)
    }

    pub(super) fn keep_created(&mut self) {
        let frames = self.stack.take();
        let known = self.incident.created.iter().any(|frame| !frame.function.is_empty());
        if !frames.is_empty() && !known {
            self.incident.created = frames;
        }
    }

    pub(super) fn expect(&mut self, text: &str) -> Flow {
        if opening::is_header(text) {
            self.enter(text);
        } else if frame::python(text).is_some() {
            self.mode = Mode::Frames;
            return self.frames(text);
        } else if let Some((kind, message)) = telling(text) {
            self.close(&kind, &message);
        } else if text.trim().is_empty() && self.blanks < 2 {
            self.blanks += 1;
        } else {
            return Flow::Done;
        }
        Flow::Taken
    }

    pub(super) fn context(&mut self, text: &str) -> Flow {
        let trimmed = text.trim_end();
        if opening::is_header(text) {
            self.enter(text);
            return Flow::Taken;
        }
        if let Some(rest) = opening::creation(trimmed) {
            self.see(rest);
            self.indent = None;
            self.mode = Mode::Created;
            return Flow::Taken;
        }
        if opening::is_context(trimmed) {
            self.see(trimmed);
            if self.loose.is_none()
                && let Some((kind, message)) = repr::exception(trimmed)
            {
                self.loose = Some(raised(kind, message));
            }
            return Flow::Taken;
        }
        if frame::python(text).is_none()
            && let Some((kind, message)) = telling(text)
            && !kind.ends_with("Warning")
        {
            self.close(&kind, &message);
            return Flow::Taken;
        }
        Flow::Done
    }

    pub(super) fn warning(&mut self, text: &str, many: bool) -> Flow {
        let trimmed = text.trim();
        if let Some(rest) = opening::creation(trimmed) {
            self.see(rest);
            self.indent = None;
            self.mode = Mode::Created;
            return Flow::Taken;
        }
        if frame::python(text).is_some() {
            self.indent = None;
            self.mode = Mode::Created;
            return self.created(text);
        }
        if trimmed.contains("Enable tracemalloc to get") || trimmed.starts_with("See https://docs.pytest.org")
        {
            self.mode = Mode::Warning { many: false };
            return Flow::Taken;
        }
        if leading(text) == 2 && !trimmed.is_empty() {
            if let Some(frame) =
                self.incident.exceptions.last_mut().and_then(|raised| raised.frames.last_mut())
                && frame.source.is_none()
            {
                frame.source = Some(capped(trimmed, 1000).to_owned());
                self.mode = Mode::Warning { many: false };
                return Flow::Taken;
            }
            self.mode = Mode::Warning { many: false };
            return if many { Flow::Taken } else { Flow::Done };
        }
        let inside = self.bounded || text.starts_with("    ") || trimmed.is_empty();
        if !many || self.extra >= 40 || !inside && opening::is_open(text) {
            return Flow::Done;
        }
        self.extra += 1;
        if !trimmed.is_empty() {
            self.see(text);
            if let Some(raised) = self.incident.exceptions.last_mut() {
                if !raised.message.is_empty() {
                    raised.message.push('\n');
                }
                raised.message.push_str(trimmed);
                if let Some((path, line, "")) = frame::place(trimmed) {
                    let frame = Frame { path: path.to_owned(), line, ..Frame::default() };
                    raised.frames.push(frame);
                }
            }
        }
        Flow::Taken
    }

    pub(super) fn after(&mut self, text: &str) -> Flow {
        if text.trim().is_empty() {
            self.mode = Mode::Gap;
            self.blanks = 1;
            return Flow::Taken;
        }
        if let Some(link) = link(text) {
            return self.chain(link);
        }
        if self.wraps(text) {
            return Flow::Taken;
        }
        if exception::is_record(text.trim_start()) || self.notes.len() >= 12 || opening::is_open(text) {
            return Flow::Done;
        }
        if self.bounded || self.group {
            self.add_note(text);
            return Flow::Taken;
        }
        if exception::continues(text) {
            self.confirm_notes();
            self.add_note(text);
            return Flow::Taken;
        }
        self.notes.push(capped(text.trim_end(), 1000).to_owned());
        Flow::Taken
    }

    /// rich breaks long messages at the width of its box: whether the line is the rest of one.
    fn wraps(&mut self, text: &str) -> bool {
        let Some((width, last)) = self.wrapped else { return false };
        let text = text.trim();
        let word = text.split(' ').next().map_or(0, |word| word.chars().count());
        if last + 1 + word <= width || opening::is_header(text) {
            self.wrapped = None;
            return false;
        }
        self.wrapped = Some((width, text.chars().count()));
        let Some(raised) = self.incident.exceptions.last_mut() else { return false };
        if raised.message.len() < MESSAGE {
            raised.message.truncate(raised.message.trim_end().len());
            raised.message.push(' ');
            raised.message.push_str(capped(text, MESSAGE));
        }
        let line = format!("{}: {}", raised.kind, raised.message);
        self.see(&line);
        true
    }

    pub(super) fn gap(&mut self, text: &str) -> Flow {
        if text.trim().is_empty() {
            self.blanks += 1;
            return if self.blanks > 2 { Flow::Done } else { Flow::Taken };
        }
        if let Some(link) = link(text) {
            self.confirm_notes();
            return self.chain(link);
        }
        let hits = symptom::hits(text);
        if hits
            .iter()
            .any(|hit| matches!(hit.symptom.id, "uvicorn-startup-failed" | "uvicorn-shutdown-failed"))
        {
            self.incident.channel = Channel::Server;
            self.see(text);
            return Flow::Taken;
        }
        Flow::Done
    }

    fn chain(&mut self, link: Link) -> Flow {
        self.confirm_notes();
        self.link = link;
        self.mode = Mode::Linked;
        self.foreign = 0;
        Flow::Taken
    }

    pub(super) fn linked(&mut self, text: &str) -> Flow {
        if text.trim().is_empty() || text.trim().chars().all(|c| c == '-') {
            return Flow::Taken;
        }
        if opening::is_header(text) {
            if !self.stack.is_empty() {
                return Flow::Done;
            }
            self.enter(text);
            return Flow::Taken;
        }
        if frame::python(text).is_some() {
            self.mode = Mode::Frames;
            return self.frames(text);
        }
        if let Some(link) = link(text) {
            self.link = link;
            return Flow::Taken;
        }
        if let Some((kind, message)) = exception::parse(text.trim()) {
            let (kind, message) = (kind.to_owned(), message.to_owned());
            self.close(&kind, &message);
            return Flow::Taken;
        }
        self.foreign += 1;
        if self.foreign > FOREIGN { Flow::Done } else { Flow::Taken }
    }
}
