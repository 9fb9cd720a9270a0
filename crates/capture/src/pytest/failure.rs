//! One failure as pytest shows it.

use loopmend_model::{Channel, Frame, Incident, Link, Raised, SubjectKind};

use crate::block::{self, Block, Mode, raised};
use crate::stack::Stack;
use crate::{exception, frame, repr, symptom};

/// Frames of one exception to which fixtures are added.
const FRAMES: usize = 2000;

/// One failure in the long or the short style.
#[derive(Debug, Default)]
pub(super) struct Failure {
    /// The incident, as soon as an exception is complete.
    pub block: Option<Block>,
    stack: Stack,
    /// The lines marked `E`, without the mark.
    error: Vec<String>,
    margin: usize,
    link: Link,
    /// The function whose source is being shown.
    function: Option<String>,
    /// The line marked `>`.
    marked: Option<String>,
    /// The line below is the source of the last frame.
    short: bool,
    /// The last exception is complete, and places below belong to it.
    complete: bool,
    /// The failure ends here: the style of one line a failure has no titles.
    pub over: bool,
    /// First and last line.
    lines: (usize, usize),
}

impl Failure {
    fn block(&mut self) -> &mut Block {
        let first = self.lines.0;
        self.block.get_or_insert_with(|| Block::new(Channel::Pytest, Mode::After, first))
    }

    /// Reads a line.
    pub fn line(&mut self, line: &str, number: usize) {
        if self.block.is_none() && self.error.is_empty() && self.stack.is_empty() {
            self.lines.0 = number;
        }
        if !line.trim().is_empty() {
            self.lines.1 = number;
        }
        let short = std::mem::take(&mut self.short);
        if let Some(error) = line.strip_prefix('E')
            && (error.is_empty() || error.starts_with(' '))
        {
            self.error_line(error);
        } else if let Some(marked) = line.strip_prefix('>') {
            let marked = marked.trim();
            let advice =
                marked.starts_with("available fixtures:") || marked.starts_with("use 'pytest --fixtures");
            self.marked = (!advice).then(|| marked.to_owned());
            self.source(marked);
        } else if let Some(link) = block::link(line)
            && !line.starts_with(' ')
        {
            self.complete(None);
            self.link = link;
            self.function = None;
        } else if line.starts_with("_ _ _") {
            self.function = None;
            self.marked = None;
        } else if line.starts_with([' ', '\t']) {
            if short && !line.trim().is_empty() {
                self.stack.source(line);
            }
            self.source(line);
        } else if let Some((path, at, rest)) = frame::place(line) {
            self.place(path, at, rest);
        } else if let Some((path, at)) = file_line(line) {
            self.stack.push(Frame { path: path.to_owned(), line: at, ..Frame::default() });
        } else if line.starts_with(|c: char| c.is_alphabetic())
            && symptom::hits(line).iter().any(|hit| hit.start == 0)
        {
            self.complete(None);
            self.error.push(line.trim().to_owned());
            self.complete(None);
        }
    }

    fn error_line(&mut self, text: &str) {
        if self.error.is_empty() {
            if self.complete && self.link == Link::First && self.stack.is_empty() {
                self.complete = false;
            }
            self.margin = text.len() - text.trim_start().len();
        }
        let margin = text.len() - text.trim_start().len();
        if self.error.len() < 200 {
            self.error.push(text[margin.min(self.margin)..].trim_end().to_owned());
        }
    }

    fn source(&mut self, line: &str) {
        let line = line.trim_start();
        let line = line.strip_prefix("async ").unwrap_or(line);
        if let Some(rest) = line.strip_prefix("def ")
            && self.function.is_none()
        {
            self.function = rest.split(['(', '[', ':']).next().map(|name| name.trim().to_owned());
        }
    }

    fn place(&mut self, path: &str, line: u32, rest: &str) {
        let path = path.to_owned();
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        if let Some(function) = rest.strip_prefix(" in ") {
            if !self.error.is_empty() {
                self.complete(None);
            }
            self.stack.push(Frame { path, line, function: function.trim().to_owned(), source: None });
            self.short = true;
            return;
        }
        if let Some(definition) =
            rest.trim().strip_prefix("async def ").or_else(|| rest.trim().strip_prefix("def "))
            && self.complete
        {
            let function = definition.split('(').next().unwrap_or("").trim().to_owned();
            let incident = &mut self.block().incident;
            repr::add(&mut incident.subjects, SubjectKind::Fixture, &function, None);
            if let Some(raised) = incident.exceptions.last_mut()
                && raised.frames.len() < FRAMES
            {
                raised.frames.push(Frame { path, line, function, source: None });
            }
            return;
        }
        let frame = Frame {
            path,
            line,
            function: self.function.take().unwrap_or_default(),
            source: self.marked.take(),
        };
        let rest = rest.trim();
        self.stack.push_once(frame);
        if rest.is_empty() {
            if !self.error.is_empty() {
                self.complete(None);
            }
            return;
        }
        self.complete(Some(rest));
        self.over = rest.contains(": ");
    }

    /// The exception is complete; `trailer` is what stands behind its last place.
    fn complete(&mut self, trailer: Option<&str>) {
        if self.error.is_empty() && trailer.is_none() {
            if !self.stack.is_empty() {
                let frames = self.stack.take();
                let link = std::mem::take(&mut self.link);
                self.block().push(Raised { frames, link, ..Raised::default() });
            }
            return;
        }
        let lines = std::mem::take(&mut self.error);
        let first = lines.first().map(String::as_str).or(trailer).unwrap_or_default();
        let (kind, mut message) = if let Some((kind, message)) = exception::parse(first) {
            (kind.to_owned(), message.to_owned())
        } else {
            let kind = trailer.filter(|trailer| exception::is_kind(trailer));
            let kind = kind.or(first.starts_with("assert ").then_some("AssertionError")).unwrap_or_default();
            (kind.to_owned(), first.to_owned())
        };
        for line in lines.iter().skip(1) {
            message.push('\n');
            message.push_str(line);
        }
        let mut raised = raised(&kind, &message);
        raised.frames = self.stack.take();
        raised.link = std::mem::take(&mut self.link);
        let block = self.block();
        block.see(first);
        for line in lines.iter().skip(1) {
            block.see(line);
        }
        block.push(raised);
        self.complete = true;
        self.function = None;
        self.marked = None;
    }

    /// What was read.
    pub fn finish(mut self) -> Option<Incident> {
        self.complete(None);
        let mut incident = self.block.and_then(Block::finish)?;
        incident.lines = self.lines;
        Some(incident)
    }
}

/// `file PATH, line N` of a fixture that was not found.
fn file_line(line: &str) -> Option<(&str, u32)> {
    let (path, number) = line.strip_prefix("file ")?.rsplit_once(", line ")?;
    Some((path, number.trim().parse().ok()?))
}
