//! Reports of pytest: failures in all its styles, captured output, the summaries.
//!
//! Its long style prints the source of libraries, docstrings included, so that in a failure only marked lines count:
//! `E   …`, `>   …` and places at the first column.

use loopmend_model::{Channel, Frame, Incident, Link, Raised, SubjectKind};

use crate::block::{self, Block, Mode, raised};
use crate::stack::Stack;
use crate::{exception, frame, opening, repr, symptom};

/// A report that is being read.
#[derive(Debug)]
pub(crate) struct Report {
    part: Part,
    /// The test whose section this is.
    pub test: Option<String>,
    /// A test of the short summary, with what the summary says of it.
    pub summary: Option<(String, Incident)>,
    failure: Failure,
    done: Vec<Incident>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Failures,
    Captured,
    Warnings,
    Summary,
}

/// What becomes of a line.
pub(crate) enum Step<'t> {
    /// The report has read it.
    Taken,
    /// It is as it would be outside of a report.
    Plain(&'t str),
    /// What was open ends; it belongs to this test.
    Boundary(Option<String>),
    /// The report, or this part of it, is over.
    Leave,
}

/// The title in a line drawn with one letter on both sides.
fn title(line: &str, letter: char) -> Option<&str> {
    let line = line.trim_end();
    let inner = line.trim_start_matches(letter);
    let before = line.len() - inner.len();
    let title = inner.trim_end_matches(letter);
    let least = if letter == '_' { 1 } else { 2 };
    (before >= least && title.contains(char::is_alphabetic) && title.len() < inner.len() && title.len() > 2)
        .then(|| title.strip_prefix(' ').and_then(|title| title.strip_suffix(' ')))
        .flatten()
}

fn part(line: &str) -> Option<Part> {
    match title(line, '=')? {
        "FAILURES" | "ERRORS" | "PASSES" => Some(Part::Failures),
        "short test summary info" => Some(Part::Summary),
        title => title.starts_with("warnings summary").then_some(Part::Warnings),
    }
}

/// The test named by `____ test ____`.
fn test(line: &str) -> Option<String> {
    let name = title(line, '_')?;
    let name = ["ERROR at setup of ", "ERROR at teardown of ", "ERROR collecting "]
        .iter()
        .find_map(|word| name.strip_prefix(word))
        .unwrap_or(name);
    Some(name.trim().to_owned())
}

impl Report {
    /// The report that begins, or is cut into, at this line.
    pub fn open(line: &str) -> Option<Self> {
        let part = match line.as_bytes().first()? {
            b'=' => part(line)?,
            b'_' => test(line).map(|_| Part::Failures)?,
            b'E' => is_error(line).then_some(Part::Failures)?,
            _ => return None,
        };
        Some(Self { part, test: None, summary: None, failure: Failure::default(), done: Vec::new() })
    }

    /// Whether lines handed on stand in a section with an end of its own.
    pub fn is_bounded(&self) -> bool {
        self.part == Part::Warnings
    }

    /// Reads a line; `open` tells whether a block of the plain form is open.
    pub fn line<'t>(&mut self, line: &'t str, number: usize, open: bool) -> Step<'t> {
        if line.starts_with('=') && title(line, '=').is_some() {
            if self.is_fresh() && part(line) == Some(self.part) {
                return Step::Taken;
            }
            self.end();
            return Step::Leave;
        }
        match self.part {
            Part::Failures | Part::Captured => self.failures(line, number, open),
            Part::Warnings => self.warnings(line, open),
            Part::Summary => self.summaries(line, number),
        }
    }

    fn is_fresh(&self) -> bool {
        self.test.is_none() && self.failure.block.is_none() && self.done.is_empty()
    }

    fn failures<'t>(&mut self, line: &'t str, number: usize, open: bool) -> Step<'t> {
        if line.starts_with('_')
            && let Some(next) = test(line)
        {
            let before = self.test.replace(next.clone());
            self.end_for(before.clone());
            self.part = Part::Failures;
            return Step::Boundary(before);
        }
        if line.starts_with("---") && title(line, '-').is_some_and(|title| title.starts_with("Captured ")) {
            self.end();
            self.part = Part::Captured;
            return Step::Boundary(self.test.clone());
        }
        if self.part == Part::Captured || open {
            return Step::Plain(line);
        }
        if opening::is_header(line) && !line.starts_with("   ") {
            return Step::Plain(line);
        }
        self.failure.line(line, number);
        Step::Taken
    }

    fn warnings<'t>(&mut self, line: &'t str, open: bool) -> Step<'t> {
        if line.starts_with("-- Docs:") {
            return Step::Leave;
        }
        if line.trim().is_empty() {
            return if open { Step::Plain("") } else { Step::Taken };
        }
        if let Some(inner) = line.strip_prefix("  ") {
            return Step::Plain(inner);
        }
        let node = line.contains("::").then(|| line.split(": ").next().unwrap_or(line).trim().to_owned());
        Step::Boundary(std::mem::replace(&mut self.test, node))
    }

    fn summaries<'t>(&mut self, line: &'t str, number: usize) -> Step<'t> {
        const WORDS: [&str; 6] = ["SKIPPED ", "XFAIL ", "XPASS ", "PASSED ", "SUBFAIL ", "SUBPASS "];
        let Some(rest) = line.strip_prefix("FAILED ").or_else(|| line.strip_prefix("ERROR ")) else {
            let inside = line.trim().is_empty() || WORDS.iter().any(|word| line.starts_with(word));
            return if inside { Step::Taken } else { Step::Leave };
        };
        if let Some((node, message)) = rest.split_once(" - ")
            && let Some((kind, text)) = exception::parse(message)
        {
            let test = node.split_once("::").map_or(node, |(_, test)| test).replace("::", ".");
            let mut block = Block::new(Channel::Pytest, Mode::After, number);
            block.see(message);
            block.push(raised(kind, text));
            self.summary = block.finish().map(|incident| (test, incident));
        }
        Step::Taken
    }

    /// What was read so far.
    pub fn take(&mut self) -> Vec<Incident> {
        std::mem::take(&mut self.done)
    }

    /// Ends the failure that is open.
    pub fn end(&mut self) {
        self.end_for(self.test.clone());
    }

    fn end_for(&mut self, test: Option<String>) {
        let failure = std::mem::take(&mut self.failure);
        if let Some(mut incident) = failure.finish() {
            incident.test = test;
            self.done.push(incident);
        }
    }
}

/// Whether the line is an error line of pytest, outside of any report.
fn is_error(line: &str) -> bool {
    line.strip_prefix("E   ").is_some_and(|rest| {
        let rest = rest.trim_start();
        exception::parse(rest).is_some_and(|(kind, _)| exception::is_telling(kind))
            || !symptom::hits(rest).is_empty()
    })
}

/// One failure in the long or the short style.
#[derive(Debug, Default)]
struct Failure {
    block: Option<Block>,
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
    /// First and last line.
    lines: (usize, usize),
}

impl Failure {
    fn block(&mut self) -> &mut Block {
        let first = self.lines.0;
        self.block.get_or_insert_with(|| Block::new(Channel::Pytest, Mode::After, first))
    }

    fn line(&mut self, line: &str, number: usize) {
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
            self.marked = Some(marked.trim().to_owned());
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
            if let Some(raised) = incident.exceptions.last_mut() {
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
        if rest.is_empty() {
            if self.error.is_empty() {
                self.stack.push(frame);
            } else {
                self.stack.push(frame);
                self.complete(None);
            }
            return;
        }
        self.stack.push(frame);
        self.complete(Some(rest));
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
        let (kind, message) = match exception::parse(first) {
            Some((kind, message)) => (kind.to_owned(), message.to_owned()),
            None => {
                let kind = trailer.filter(|trailer| exception::is_kind(trailer));
                let kind =
                    kind.or(first.starts_with("assert ").then_some("AssertionError")).unwrap_or_default();
                (kind.to_owned(), first.to_owned())
            }
        };
        let mut message = message;
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

    fn finish(mut self) -> Option<Incident> {
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
