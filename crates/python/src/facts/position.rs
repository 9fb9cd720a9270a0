//! Offsets to lines and columns.

use super::TextSize;

/// Starts of lines. A line ends at `\n`, `\r\n` or a lone `\r`.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    starts: Box<[u32]>,
}

impl Lines {
    /// Of a text.
    pub fn new(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut starts = vec![0];
        for at in memchr::memchr2_iter(b'\n', b'\r', bytes) {
            if bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n') {
                continue;
            }
            starts.push(at as u32 + 1);
        }
        Self { starts: starts.into() }
    }

    /// Line of an offset, counted from 1.
    pub fn line(&self, offset: TextSize) -> u32 {
        self.starts.partition_point(|&start| start <= offset.to_u32()) as u32
    }

    /// Line and column in characters, both counted from 1.
    pub fn position(&self, text: &str, offset: TextSize) -> (u32, u32) {
        let line = self.line(offset);
        let start = self.starts[line as usize - 1] as usize;
        let end = offset.to_usize().min(text.len());
        let column =
            text.get(start..end).map_or(0, |prefix| prefix.trim_start_matches('\u{feff}').chars().count());
        (line, column as u32 + 1)
    }

    /// Offset of the first character of a line that is counted from 1.
    pub fn start(&self, line: u32) -> Option<TextSize> {
        self.starts.get((line as usize).checked_sub(1)?).copied().map(TextSize::new)
    }

    /// How many lines there are.
    pub fn count(&self) -> usize {
        self.starts.len()
    }
}
