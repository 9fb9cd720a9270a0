//! The lines of one program, without the prefixes that were put on them.

use crate::block::{Block, Flow, capped};
use crate::fold::Fold;
use crate::pytest::{Report, Step};
use crate::{json, opening};

/// Bytes read of a line that is not JSON.
const LONG: usize = 64 << 10;

/// One program's lines.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// The service or container that a prefix names; empty where none does.
    pub source: String,
    block: Option<Block>,
    report: Option<Report>,
    bounded: bool,
    /// A report told of failures, which its summary repeats.
    failed: bool,
    /// The beginning of a line of which the rest comes later.
    part: String,
    /// Number of the last line of this stream.
    last: usize,
}

impl Stream {
    /// A stream of this source.
    pub fn new(source: &str) -> Self {
        Self { source: source.to_owned(), ..Self::default() }
    }

    /// A text with an end of its own.
    pub fn bounded(source: &str) -> Self {
        Self { source: source.to_owned(), bounded: true, ..Self::default() }
    }

    /// Whether nothing is open, so that lines without a trigger can be skipped.
    pub fn is_idle(&self) -> bool {
        self.block.is_none() && self.report.is_none() && self.part.is_empty()
    }

    /// Reads a piece of a line, of which more comes.
    pub fn piece(&mut self, text: &str) {
        if self.part.len() + text.len() <= LONG {
            self.part.push_str(text);
        }
    }

    /// Reads the next line, or its last piece.
    pub fn whole(&mut self, text: &str, number: usize, fold: &mut Fold) {
        if self.part.is_empty() {
            return self.line(text, number, fold);
        }
        let line = std::mem::take(&mut self.part) + text;
        self.line(&line, number, fold);
    }

    /// Reads the next line.
    pub fn line(&mut self, line: &str, number: usize, fold: &mut Fold) {
        self.last = number;
        let mut report = self.report.take().or_else(|| Report::open(line));
        let Some(open) = &mut report else { return self.plain(line, number, false, None, fold) };
        match open.line(capped(line, LONG), number, self.block.is_some()) {
            Step::Taken => {}
            Step::Plain(line) => {
                let test = open.test.clone();
                let bounded = open.is_bounded();
                self.plain(line, number, bounded, test.as_deref(), fold);
            }
            Step::Boundary(test) => self.flush(test.as_deref(), fold),
            Step::Leave => {
                let test = open.test.clone();
                self.flush(test.as_deref(), fold);
                for incident in open.take() {
                    self.failed = true;
                    self.emit(incident, None, fold);
                }
                report = None;
                if let Some(mut again) = Report::open(line) {
                    let _ = again.line(line, number, false);
                    report = Some(again);
                } else {
                    self.plain(line, number, false, None, fold);
                }
            }
        }
        if let Some(open) = &mut report {
            for incident in open.take() {
                self.failed = true;
                self.emit(incident, None, fold);
            }
            if let Some((test, incident)) = open.summary.take()
                && !self.failed
                && !fold.has_test(&test)
            {
                self.emit(incident, Some(&test), fold);
            }
        }
        self.report = report;
    }

    fn plain(&mut self, line: &str, number: usize, bounded: bool, test: Option<&str>, fold: &mut Fold) {
        if let Some(block) = &mut self.block {
            if block.line(capped(line, LONG), number) == Flow::Taken {
                return;
            }
            self.flush(test, fold);
        }
        if line.len() > 40
            && let Some(incidents) = json::read(line, &self.source, number)
        {
            for incident in incidents {
                self.emit(incident, test, fold);
            }
            return;
        }
        self.block = opening::open(capped(line, LONG), number);
        if let Some(block) = &mut self.block {
            block.bound(bounded || self.bounded);
        }
    }

    fn flush(&mut self, test: Option<&str>, fold: &mut Fold) {
        if let Some(incident) = self.block.take().and_then(Block::finish) {
            self.emit(incident, test, fold);
        }
    }

    fn emit(&self, mut incident: loopmend_model::Incident, test: Option<&str>, fold: &mut Fold) {
        if incident.test.is_none() {
            incident.test = test.map(str::to_owned);
        }
        if incident.service.is_none() && !self.source.is_empty() && !self.source.starts_with(':') {
            incident.service = Some(self.source.clone());
        }
        fold.add(incident);
    }

    /// Ends what is open if no line came since that one: a program that died in the middle of a traceback says no more,
    /// and nothing can be skipped as long as something is open.
    pub fn end_if_silent_since(&mut self, number: usize, fold: &mut Fold) {
        if self.last < number && !self.is_idle() {
            self.finish(self.last, fold);
        }
    }

    /// Ends the stream.
    pub fn finish(&mut self, number: usize, fold: &mut Fold) {
        if !self.part.is_empty() {
            let line = std::mem::take(&mut self.part);
            self.line(&line, number, fold);
        }
        let report = self.report.take();
        let test = report.as_ref().and_then(|report| report.test.clone());
        self.flush(test.as_deref(), fold);
        if let Some(mut report) = report {
            report.end();
            for incident in report.take() {
                self.emit(incident, None, fold);
            }
        }
    }
}
