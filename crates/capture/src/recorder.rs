//! From bytes to lines to incidents.

use std::borrow::Cow;
use std::io::{self, BufRead};

use loopmend_model::Incident;
use memchr::{memchr, memchr_iter, memrchr};

use crate::encoding::Decoder;
use crate::fold::{Fold, LeftOut};
use crate::prefix;
use crate::stream::Stream;
use crate::{ansi, json, trigger};

/// Bytes kept of one line; the rest of a longer one is skipped.
const LINE: usize = 1 << 20;
/// Bytes of a JSON document read as a whole.
pub const DOCUMENT: usize = 16 << 20;
/// Programs whose lines may be interleaved.
const STREAMS: usize = 64;
/// Lines of others after which a program that stopped in the middle of something has said all.
const SILENT: usize = 10_000;

/// What a text told.
#[derive(Debug, Default)]
pub struct Capture {
    /// The incidents in the order of their first appearance, equal ones counted.
    pub incidents: Vec<Incident>,
    /// What was not kept.
    pub left_out: LeftOut,
    /// Lines read.
    pub lines: usize,
}

impl Capture {
    fn of(mut fold: Fold, lines: usize) -> Self {
        let incidents = fold.take();
        Self { incidents, left_out: fold.left_out(), lines }
    }
}

/// Reads a text that is pushed in pieces.
///
/// Memory is bounded by the longest line kept (1 MiB), the frames of the open blocks and the distinct incidents kept.
#[derive(Debug)]
pub struct Recorder {
    decoder: Decoder,
    carry: Vec<u8>,
    lines: usize,
    seen: usize,
    streams: Vec<Stream>,
    fold: Fold,
}

impl Default for Recorder {
    fn default() -> Self {
        Self {
            decoder: Decoder::default(),
            carry: Vec::new(),
            lines: 0,
            seen: 0,
            streams: vec![Stream::default()],
            fold: Fold::default(),
        }
    }
}

/// Reads a whole text.
pub fn capture(text: &[u8]) -> Capture {
    let text = Decoder::default().decode(text);
    document(&text).unwrap_or_else(|| {
        let mut recorder = Recorder::default();
        recorder.push(&text);
        recorder.finish()
    })
}

/// A text that is one JSON document over several lines: an event as a web page or an API shows it.
fn document(text: &[u8]) -> Option<Capture> {
    if text.len() > DOCUMENT || !is_document(text) {
        return None;
    }
    let value = serde_json::from_slice(text).ok()?;
    let mut fold = Fold::default();
    for incident in json::document(&value, "", 1) {
        fold.add(incident);
    }
    Some(Capture::of(fold, memchr_iter(b'\n', text).count()))
}

/// Whether a text that begins like this may be one JSON document over several lines, which [`capture`] reads only as a
/// whole, up to [`DOCUMENT`] bytes of it.
pub fn is_document(start: &[u8]) -> bool {
    let start = Decoder::default().decode(start);
    let line = start.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
    matches!(line.trim_ascii_end(), b"{" | b"[")
}

/// Reads a text as it comes, in bounded memory.
pub fn capture_reader(mut reader: impl BufRead) -> io::Result<Capture> {
    let mut recorder = Recorder::default();
    loop {
        let piece = match reader.fill_buf() {
            Ok(piece) => piece,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if piece.is_empty() {
            return Ok(recorder.finish());
        }
        recorder.push(piece);
        let length = piece.len();
        reader.consume(length);
    }
}

impl Recorder {
    /// Reads the next piece; it may end anywhere.
    pub fn push(&mut self, bytes: &[u8]) {
        let bytes = self.decoder.decode(bytes);
        self.read(&bytes);
    }

    fn read(&mut self, mut bytes: &[u8]) {
        if !self.carry.is_empty() {
            let end = memchr(b'\n', bytes);
            let piece = &bytes[..end.unwrap_or(bytes.len())];
            self.keep(piece);
            self.seen += piece.len();
            let Some(end) = end else { return };
            let carry = std::mem::take(&mut self.carry);
            self.line(&carry);
            self.carry = carry;
            self.carry.clear();
            bytes = &bytes[end + 1..];
        }
        while !bytes.is_empty() {
            if self.is_idle() {
                let end = match trigger::find(bytes, self.seen) {
                    Some(at) => memrchr(b'\n', &bytes[..at]).map_or(0, |newline| newline + 1),
                    None => memrchr(b'\n', bytes).map_or(0, |newline| newline + 1),
                };
                self.lines += memchr_iter(b'\n', &bytes[..end]).count();
                self.seen += end;
                bytes = &bytes[end..];
            }
            let Some(end) = memchr(b'\n', bytes) else {
                self.keep(bytes);
                return;
            };
            self.seen += end + 1;
            let (line, rest) = bytes.split_at(end);
            self.line(&line[..line.len().min(LINE)]);
            bytes = &rest[1..];
        }
    }

    /// Ends the text.
    pub fn finish(mut self) -> Capture {
        let rest = self.decoder.rest();
        self.read(&rest);
        if !self.carry.is_empty() {
            let carry = std::mem::take(&mut self.carry);
            self.line(&carry);
        }
        for stream in &mut self.streams {
            stream.finish(self.lines, &mut self.fold);
        }
        Capture::of(self.fold, self.lines)
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = LINE.saturating_sub(self.carry.len());
        self.carry.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    fn is_idle(&self) -> bool {
        self.streams.iter().all(Stream::is_idle)
    }

    /// Whether nothing is open, and a line is of no interest but for its colour.
    fn is_plain_colour(&self, bytes: &[u8]) -> bool {
        memchr(0x1b, bytes).is_some() && self.is_idle() && !trigger::is_in(&ansi::strip(&lossy(bytes)))
    }

    fn line(&mut self, bytes: &[u8]) {
        self.lines += 1;
        let number = self.lines;
        if self.is_plain_colour(bytes) {
            return;
        }
        if number.is_multiple_of(SILENT) {
            for stream in &mut self.streams {
                stream.end_if_silent_since(number - SILENT, &mut self.fold);
            }
        }
        let text = lossy(bytes);
        let text = if number == 1 {
            text.strip_prefix('\u{feff}').map_or(text.clone(), |rest| Cow::Owned(rest.to_owned()))
        } else {
            text
        };
        let text = ansi::strip(&text);
        let split = prefix::split(&text);
        let stream = self.stream(&split.source, split.sure, &split.text);
        match stream {
            Some(index) if split.partial => self.streams[index].piece(&split.text),
            Some(index) => self.streams[index].whole(&split.text, number, &mut self.fold),
            None => self.streams[0].whole(&text, number, &mut self.fold),
        }
    }

    /// The stream of a source; a source that is only guessed is believed when a block begins or is open there.
    fn stream(&mut self, source: &str, sure: bool, text: &str) -> Option<usize> {
        if let Some(index) = self.streams.iter().position(|stream| stream.source == source) {
            return Some(index);
        }
        if !sure && !crate::opening::is_open(text) {
            return None;
        }
        if self.streams.len() == STREAMS {
            let mut oldest = self.streams.remove(1);
            oldest.finish(self.lines, &mut self.fold);
        }
        self.streams.push(Stream::new(source));
        Some(self.streams.len() - 1)
    }
}

/// The bytes as text; what is none is replaced.
fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    std::str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}
