//! One failure while it is being read: frames, the exception's line, the chain, the context that asyncio prints.

use loopmend_model::{Channel, Frame, Incident, Link, Raised};

use crate::ipython::Notebook;
use crate::rich::Panel;
use crate::stack::Stack;
use crate::symptom::{self, Symptom};
use crate::{exception, frame, opening, repr};

/// Bytes kept of a message.
const MESSAGE: usize = 16 << 10;
/// Exceptions kept of one chain or group.
const EXCEPTIONS: usize = 200;
/// Lines of another program borne in the middle of a traceback.
const FOREIGN: u8 = 3;
/// The same, where every line of the traceback has a known prefix.
const FOREIGN_TO_SHAPE: u8 = 40;

/// Whether a line belongs to the block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// It does.
    Taken,
    /// It does not, and the block is over.
    Done,
}

/// What the block expects next.
#[derive(Debug)]
pub(crate) enum Mode {
    /// Frames, then the exception's line.
    Frames,
    /// A creation stack.
    Created,
    /// A traceback, announced by `Exception ignored in` and the like.
    Expect,
    /// Lines of a log record: `task: …`, `source_traceback: …`, a traceback.
    Context,
    /// The rest of a warning's message and its source line.
    Warning {
        /// The message goes on over several lines, up to the source line.
        many: bool,
    },
    /// What may follow the exception's line: notes.
    After,
    /// Blank lines after it: a chain may go on.
    Gap,
    /// A chain goes on.
    Linked,
    /// A box drawn by rich.
    Rich(Panel),
    /// A traceback of IPython.
    Notebook(Notebook),
}

/// The block.
#[derive(Debug)]
pub(crate) struct Block {
    /// What was understood so far.
    pub incident: Incident,
    /// What comes next.
    pub mode: Mode,
    /// An exception that counts only if no traceback says more.
    pub loose: Option<Raised>,
    /// The text before `Traceback`, which may stand before every line.
    pub shape: Option<Shape>,
    /// Inside the margins of an exception group.
    pub group: bool,
    /// The text has an end of its own (a JSON string, a report's section), so that what follows belongs to it.
    pub bounded: bool,
    stack: Stack,
    indent: Option<usize>,
    trimmed: bool,
    link: Link,
    hits: Vec<(&'static Symptom, String)>,
    notes: Vec<String>,
    foreign: u8,
    blanks: u8,
    extra: u8,
    after_frame: bool,
}

/// A prefix, known by its letters and by where its digits are.
#[derive(Debug)]
pub(crate) struct Shape {
    text: String,
    confirmed: bool,
}

impl Shape {
    /// The shape of the text before the first line of a traceback.
    pub fn new(text: &str) -> Option<Self> {
        (text.trim().len() >= 2).then(|| Self { text: text.to_owned(), confirmed: false })
    }

    fn strip<'t>(&self, line: &'t str) -> Option<&'t str> {
        let mut rest = line.chars();
        for expected in self.text.chars() {
            match rest.next() {
                Some(c) if c == expected || c.is_ascii_digit() && expected.is_ascii_digit() => {}
                None if expected.is_whitespace() => return Some(""),
                _ => return None,
            }
        }
        Some(rest.as_str())
    }
}

enum Margin<'t> {
    Content(&'t str),
    Member,
    End,
    None,
}

fn margin(line: &str) -> Margin<'_> {
    let trimmed = line.trim_start();
    if let Some(rest) = trimmed.strip_prefix('|') {
        return Margin::Content(rest.strip_prefix(' ').unwrap_or(rest));
    }
    match trimmed.strip_prefix('+') {
        Some(rest) if rest.starts_with("-+-") || rest.starts_with("---") => {
            if rest.chars().all(|c| matches!(c, '-' | '+')) { Margin::End } else { Margin::Member }
        }
        Some(rest) if rest.starts_with(" Exception Group") => Margin::Content(&rest[1..]),
        _ => Margin::None,
    }
}

/// The sentence between two tracebacks of a chain.
pub(crate) fn link(line: &str) -> Option<Link> {
    let line = line.trim();
    if line.starts_with("The above exception was the direct cause of the following exception") {
        Some(Link::CausedBy)
    } else if line.starts_with("During handling of the above exception, another exception occurred") {
        Some(Link::DuringHandling)
    } else {
        None
    }
}

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

fn leading(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

impl Block {
    /// A block that opens at this line.
    pub fn new(channel: Channel, mode: Mode, number: usize) -> Self {
        Self {
            incident: Incident { count: 1, channel, lines: (number, number), ..Incident::default() },
            mode,
            loose: None,
            shape: None,
            group: false,
            bounded: false,
            stack: Stack::default(),
            indent: None,
            trimmed: false,
            link: Link::First,
            hits: Vec::new(),
            notes: Vec::new(),
            foreign: 0,
            blanks: 0,
            extra: 0,
            after_frame: false,
        }
    }

    /// Says whether the text around has an end of its own.
    pub fn bound(&mut self, bounded: bool) {
        self.bounded = bounded;
        if bounded && let Mode::Warning { many } = &mut self.mode {
            *many = true;
        }
    }

    /// Reads the next line.
    pub fn line(&mut self, raw: &str, number: usize) -> Flow {
        let shaped = match &mut self.shape {
            None => raw,
            Some(shape) => match shape.strip(raw) {
                Some(rest) => {
                    shape.confirmed = true;
                    rest
                }
                None if shape.confirmed => {
                    self.foreign += 1;
                    let over = self.foreign > FOREIGN_TO_SHAPE || !matches!(self.mode, Mode::Frames);
                    return if over { Flow::Done } else { Flow::Taken };
                }
                None => {
                    self.shape = None;
                    raw
                }
            },
        };
        let flow = if self.group { self.margined(shaped) } else { self.content(shaped) };
        if flow == Flow::Taken && !raw.trim().is_empty() && !matches!(self.mode, Mode::Gap) {
            self.incident.lines.1 = number;
        }
        flow
    }

    fn margined(&mut self, line: &str) -> Flow {
        match margin(line) {
            Margin::Content(text) => {
                let flow = self.content(text);
                if flow == Flow::Done && matches!(self.mode, Mode::After | Mode::Gap | Mode::Linked) {
                    self.add_note(text);
                    return Flow::Taken;
                }
                flow
            }
            Margin::Member => {
                self.cut();
                self.link = Link::GroupMember;
                self.mode = Mode::Linked;
                self.foreign = 0;
                Flow::Taken
            }
            Margin::End => {
                self.cut();
                self.mode = Mode::After;
                Flow::Taken
            }
            Margin::None => {
                if line.trim().is_empty() {
                    return self.content("");
                }
                if matches!(self.mode, Mode::Frames | Mode::Linked)
                    && self.foreign < FOREIGN
                    && !opening::is_open(line)
                {
                    self.foreign += 1;
                    return Flow::Taken;
                }
                self.group = false;
                self.content(line)
            }
        }
    }

    fn content(&mut self, text: &str) -> Flow {
        match &mut self.mode {
            Mode::Frames => self.frames(text),
            Mode::Created => self.created(text),
            Mode::Expect => self.expect(text),
            Mode::Context => self.context(text),
            Mode::Warning { many } => {
                let many = *many;
                self.warning(text, many)
            }
            Mode::After => self.after(text),
            Mode::Gap => self.gap(text),
            Mode::Linked => self.linked(text),
            Mode::Rich(panel) => {
                if panel.line(text, &mut self.stack) {
                    self.mode = Mode::Linked;
                    self.foreign = 0;
                    self.indent = None;
                }
                Flow::Taken
            }
            Mode::Notebook(notebook) => match notebook.line(text, &mut self.stack) {
                crate::ipython::Step::Taken => Flow::Taken,
                crate::ipython::Step::Error(kind, message) => {
                    self.close(&kind, &message);
                    Flow::Taken
                }
                crate::ipython::Step::Over => Flow::Done,
            },
        }
    }

    /// Goes into the frames of a traceback of which the first line was just seen.
    fn enter(&mut self, line: &str) {
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

    fn frames(&mut self, text: &str) -> Flow {
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
                self.stack.source(text)
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

    fn created(&mut self, text: &str) -> Flow {
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

    fn keep_created(&mut self) {
        let frames = self.stack.take();
        if !frames.is_empty() {
            self.incident.created = frames;
        }
    }

    fn expect(&mut self, text: &str) -> Flow {
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

    fn context(&mut self, text: &str) -> Flow {
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

    fn warning(&mut self, text: &str, many: bool) -> Flow {
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

    fn after(&mut self, text: &str) -> Flow {
        if text.trim().is_empty() {
            self.mode = Mode::Gap;
            self.blanks = 1;
            return Flow::Taken;
        }
        if let Some(link) = link(text) {
            return self.chain(link);
        }
        if opening::is_header(text) || opening::is_open(text) || self.notes.len() >= 12 {
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

    fn gap(&mut self, text: &str) -> Flow {
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

    fn linked(&mut self, text: &str) -> Flow {
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

    /// The exception's line ends a traceback.
    pub fn close(&mut self, kind: &str, message: &str) {
        let line = if message.is_empty() { kind.to_owned() } else { format!("{kind}: {message}") };
        self.see(&line);
        let mut raised = raised(kind, message);
        raised.frames = self.stack.take();
        raised.link = std::mem::take(&mut self.link);
        self.push(raised);
        self.mode = Mode::After;
        self.foreign = 0;
        self.blanks = 0;
    }

    /// Adds an exception that was read elsewhere.
    pub fn push(&mut self, raised: Raised) {
        if self.incident.exceptions.len() < EXCEPTIONS {
            self.incident.exceptions.push(raised);
        }
    }

    /// A traceback that ends before its exception was named.
    fn cut(&mut self) {
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
                    loopmend_model::SubjectKind::Fixture,
                    fixture.trim_matches('\''),
                    None,
                );
            }
        }
        repr::read(line, &mut self.incident.subjects, &mut self.incident.created);
    }

    fn add_note(&mut self, text: &str) {
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

    fn confirm_notes(&mut self) {
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

fn telling(text: &str) -> Option<(String, String)> {
    exception::parse(text.trim())
        .filter(|(kind, _)| exception::is_telling(kind))
        .map(|(kind, message)| (kind.to_owned(), message.to_owned()))
}

/// An exception without frames.
pub(crate) fn raised(kind: &str, message: &str) -> Raised {
    Raised { kind: kind.to_owned(), message: capped(message, MESSAGE).to_owned(), ..Raised::default() }
}
