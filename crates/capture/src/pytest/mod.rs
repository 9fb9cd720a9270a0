//! Reports of pytest: failures in all its styles, captured output, the summaries.
//!
//! Its long style prints the source of libraries, docstrings included, so that in a failure only marked lines count:
//! `E   …`, `>   …` and places at the first column.

mod failure;

use loopmend_model::{Channel, Incident};

use crate::block::{Block, Mode, raised};
use crate::{exception, opening, symptom};

use failure::Failure;

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
        if self.failure.over {
            self.end();
        }
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
