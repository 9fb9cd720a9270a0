//! Bytes as UTF-8: a redirection in Windows PowerShell writes UTF-16.

use std::borrow::Cow;

/// Reads pieces of one text, which may end anywhere.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    unit: Unit,
    /// Bytes that mean something only with those that follow.
    held: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Unit {
    /// The first two bytes tell.
    #[default]
    Unknown,
    Byte,
    Wide(fn([u8; 2]) -> u16),
}

impl Decoder {
    /// The piece in UTF-8, less what is held back.
    pub fn decode<'b>(&mut self, bytes: &'b [u8]) -> Cow<'b, [u8]> {
        let bytes = if self.held.is_empty() {
            Cow::Borrowed(bytes)
        } else {
            let mut held = std::mem::take(&mut self.held);
            held.extend_from_slice(bytes);
            Cow::Owned(held)
        };
        if let Unit::Unknown = self.unit {
            let Some(mark) = bytes.first_chunk() else {
                self.held = bytes.into_owned();
                return Cow::Borrowed(&[]);
            };
            self.unit = match mark {
                [0xff, 0xfe] => Unit::Wide(u16::from_le_bytes),
                [0xfe, 0xff] => Unit::Wide(u16::from_be_bytes),
                _ => Unit::Byte,
            };
            if let Unit::Wide(unit) = self.unit {
                return Cow::Owned(self.wide(&bytes[2..], unit));
            }
        }
        match self.unit {
            Unit::Wide(unit) => Cow::Owned(self.wide(&bytes, unit)),
            _ => bytes,
        }
    }

    /// What was held back to the end.
    pub fn rest(&mut self) -> Vec<u8> {
        match self.unit {
            Unit::Wide(_) => Vec::new(),
            _ => std::mem::take(&mut self.held),
        }
    }

    fn wide(&mut self, bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Vec<u8> {
        let mut end = bytes.len() & !1;
        // A high surrogate waits for the low one.
        let parted = end >= 2 && (0xd800..0xdc00).contains(&unit([bytes[end - 2], bytes[end - 1]]));
        if parted {
            end -= 2;
        }
        self.held = bytes[end..].to_vec();
        let units = bytes[..end].as_chunks::<2>().0.iter().map(|pair| unit(*pair));
        let text: String =
            char::decode_utf16(units).map(|found| found.unwrap_or(char::REPLACEMENT_CHARACTER)).collect();
        text.into_bytes()
    }
}

/// Bytes as text: UTF-16 where its mark stands in front, else UTF-8; what is neither is replaced.
pub fn text(bytes: &[u8]) -> Cow<'_, str> {
    match Decoder::default().decode(bytes) {
        Cow::Borrowed([]) => String::from_utf8_lossy(bytes),
        Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pieces(bytes: &[u8], size: usize) -> String {
        let mut decoder = Decoder::default();
        let mut out = Vec::new();
        for piece in bytes.chunks(size) {
            out.extend_from_slice(&decoder.decode(piece));
        }
        out.extend(decoder.rest());
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn both_orders_of_utf_16_are_text_however_they_are_cut() {
        let words = "é 🐍 ok\n";
        let little: Vec<u8> =
            [0xff, 0xfe].into_iter().chain(words.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let big: Vec<u8> =
            [0xfe, 0xff].into_iter().chain(words.encode_utf16().flat_map(u16::to_be_bytes)).collect();
        for size in 1..12 {
            assert_eq!(in_pieces(&little, size), words);
            assert_eq!(in_pieces(&big, size), words);
            assert_eq!(in_pieces(words.as_bytes(), size), words);
        }
        assert_eq!(text(&little), words);
        assert_eq!(text(b"x"), "x");
    }
}
