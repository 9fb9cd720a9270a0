//! The log that a user names: a file, or standard input.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, BufReader, IsTerminal as _, Read};
use std::path::Path;

use loopmend_capture::LeftOut;
use loopmend_model::Incident;
use serde::Deserialize;

use crate::failure::Failure;
use crate::talk::Talk;

/// A log up to this size is held in memory; a longer one is streamed, unless it is one JSON document.
const WHOLE: u64 = 1 << 20;
/// As much as tells text from something else.
const HEAD: usize = 8192;

/// What a log says, and the name it goes by.
pub struct Log {
    /// As named on the command line; `-` for standard input.
    pub name: String,
    /// What was recognised in it.
    pub incidents: Vec<Incident>,
    /// What was only counted.
    pub left_out: LeftOut,
    /// Its first bytes.
    head: Vec<u8>,
}

impl Log {
    /// Reads the named file, or standard input for `-`.
    pub fn read(name: &str, talk: Talk) -> Result<Self, Failure> {
        let title = if name == "-" { "the standard input" } else { name };
        let failed = |error: io::Error| Failure::new(format!("failed to read {title}: {error}"));
        let mut source = open(name, talk)?;
        let mut start = Vec::new();
        source.by_ref().take(WHOLE).read_to_end(&mut start).map_err(failed)?;
        if start.iter().all(u8::is_ascii_whitespace) && (start.len() as u64) < WHOLE {
            return Err(Failure::new(format!("{title} is empty: there is nothing to read in it")).hint(
                "Python tells of errors on standard error: save both with `COMMAND > error.log 2>&1`, or pipe with `COMMAND 2>&1 | loopmend explain`",
            ));
        }
        let mut whole = WHOLE;
        if start.len() as u64 == WHOLE && loopmend_capture::is_document(&start[..HEAD]) {
            whole = loopmend_capture::DOCUMENT as u64 + 1;
            source.by_ref().take(whole - WHOLE).read_to_end(&mut start).map_err(failed)?;
        }
        if (start.len() as u64) < whole {
            let log = Self::of(name, start);
            log.tell_of_left_out(talk);
            return Ok(log);
        }
        let progress = talk.progress("reading the log");
        let head = start[..HEAD].to_vec();
        let capture = loopmend_capture::capture_reader(BufReader::with_capacity(
            1 << 18,
            start.as_slice().chain(source),
        ));
        progress.finish_and_clear();
        let capture = capture.map_err(failed)?;
        let log =
            Self { name: name.to_owned(), incidents: capture.incidents, left_out: capture.left_out, head };
        log.tell_of_left_out(talk);
        Ok(log)
    }

    /// Says that there was more than can be kept.
    fn tell_of_left_out(&self, talk: Talk) {
        if self.left_out.count > 0 {
            talk.warn(&left_out(self.incidents.len(), &self.left_out));
        }
    }

    /// A log that is at hand.
    pub fn of(name: &str, bytes: Vec<u8>) -> Self {
        if let Some(report) = Report::of(&bytes) {
            let incidents = report.incidents;
            return Self { name: name.to_owned(), incidents, left_out: LeftOut::default(), head: Vec::new() };
        }
        let capture = loopmend_capture::capture(&bytes);
        let mut head = bytes;
        head.truncate(HEAD);
        Self { name: name.to_owned(), incidents: capture.incidents, left_out: capture.left_out, head }
    }

    /// A message itself in place of a file's name: one that is known, with or without the exception's class.
    pub fn said(text: &str) -> Option<Self> {
        if !text.contains(' ') || Path::new(text).exists() {
            return None;
        }
        [text.to_owned(), format!("RuntimeError: {text}"), format!("RuntimeWarning: {text}")]
            .into_iter()
            .find(|line| !loopmend_capture::recognise(line).is_empty())
            .map(|line| Self::of("the command line", (line + "\n").into_bytes()))
    }

    /// Its first part as text.
    pub fn text(&self) -> Cow<'_, str> {
        loopmend_capture::text(&self.head)
    }

    /// How it is spoken of.
    pub fn title(&self) -> &str {
        if self.name == "-" { "the standard input" } else { &self.name }
    }

    /// The failure to tell where nothing was recognised in bytes that are no text.
    pub fn refuse_binary(&self) -> Result<(), Failure> {
        let head = &self.head;
        if head.starts_with(&[0x1f, 0x8b]) {
            return Err(Failure::new(format!("{} is compressed, not text", self.title()))
                .hint(format!("try `gzip -dc {} | loopmend explain`", self.name)));
        }
        if head.contains(&0) {
            return Err(Failure::new(format!("{} is not text: it looks like a binary file", self.title()))
                .hint("give the text that Python printed: a traceback, warnings, the output of pytest"));
        }
        Ok(())
    }
}

/// What `explain` and `watch` print for programs: a log that was read before.
#[derive(Deserialize)]
struct Report {
    incidents: Vec<Incident>,
}

impl Report {
    fn of(bytes: &[u8]) -> Option<Self> {
        if !loopmend_capture::is_document(bytes) {
            return None;
        }
        serde_json::from_slice(bytes).ok().filter(|report: &Self| !report.incidents.is_empty())
    }
}

fn open(name: &str, talk: Talk) -> Result<Box<dyn Read>, Failure> {
    if name == "-" {
        let input = io::stdin().lock();
        if input.is_terminal() {
            talk.say("Paste the log, then press Ctrl-D (Ctrl-Z and Enter on Windows).");
        }
        return Ok(Box::new(input));
    }
    let hint = "give the file that holds what Python printed, or `-` to read it from a pipe";
    if Path::new(name).is_dir() {
        return Err(Failure::new(format!("{name} is a folder, not a log")).hint(hint));
    }
    match File::open(name) {
        Ok(file) => Ok(Box::new(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(Failure::new(format!("there is no file {name}")).hint(hint))
        }
        Err(error) => Err(Failure::new(format!("failed to read {name}: {error}"))),
    }
}

/// One sentence on what was only counted.
fn left_out(kept: usize, left_out: &LeftOut) -> String {
    const NAMED: usize = 5;
    let named = left_out.kinds.iter().take(NAMED);
    let mut kinds: Vec<String> = named.map(|(kind, count)| format!("{count} {kind}")).collect();
    let others = left_out.count - left_out.kinds.iter().take(NAMED).map(|(_, count)| count).sum::<usize>();
    if others > 0 {
        kinds.push(format!("{others} others"));
    }
    format!(
        "the log holds more different incidents than are kept: the first {kept} are explained, {} later ones were only counted ({})",
        left_out.count,
        kinds.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_only_counted_is_named() {
        let many = |kind: &str, count| (kind.to_owned(), count);
        let kinds = vec![many("KeyError", 70), many("ValueError", 20)];
        assert_eq!(
            left_out(10, &LeftOut { count: 100, kinds }),
            "the log holds more different incidents than are kept: the first 10 are explained, 100 later ones were only counted (70 KeyError, 20 ValueError, 10 others)"
        );
    }
}
