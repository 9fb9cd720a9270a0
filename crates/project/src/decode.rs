//! Bytes of a file to text and back, the way Python reads source: a byte order mark, then the cookie of
//! PEP 263, then UTF-8.
//!
//! What a file was encoded in is never stored: it is found again in the bytes on disk when a change is
//! written, so that what is written has the same mark and the same encoding.

use std::borrow::Cow;

use encoding_rs::Encoding;
use thiserror::Error;

const MARK: &[u8] = b"\xef\xbb\xbf";

/// How a file's bytes stand for its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Whether a UTF-8 byte order mark leads.
    mark: bool,
    codec: Codec,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Codec {
    Utf8,
    Ascii,
    /// The real one, not the web's, which is Windows-1252.
    Latin1,
    Other(&'static Encoding),
}

/// Why a file's bytes are not text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The cookie names an encoding that is not known.
    #[error("unknown encoding `{0}` in its first lines")]
    Unknown(String),
    /// A mark says UTF-8, the cookie something else.
    #[error("its byte order mark says UTF-8, its first lines say `{0}`")]
    Contradiction(String),
    /// The bytes do not fit the encoding.
    #[error("not valid {encoding} at byte {offset}")]
    Invalid {
        /// The encoding's name.
        encoding: &'static str,
        /// Where the first bad byte is, from 0.
        offset: usize,
    },
    /// Python refuses source with NUL bytes.
    #[error("a NUL byte at byte {0}; Python does not run such a file")]
    Nul(usize),
}

/// Decodes Python source.
pub fn decode_source(bytes: &[u8]) -> Result<(Cow<'_, str>, Encoded), DecodeError> {
    let (mark, body) = strip_mark(bytes);
    let codec = match cookie(body) {
        None => Codec::Utf8,
        Some(name) => match codec_of(&name) {
            None => return Err(DecodeError::Unknown(name)),
            Some(codec) if mark && codec != Codec::Utf8 => return Err(DecodeError::Contradiction(name)),
            Some(codec) => codec,
        },
    };
    let encoded = Encoded { mark, codec };
    let text = encoded.text_of(body)?;
    match text.as_bytes().iter().position(|&byte| byte == 0) {
        Some(offset) => Err(DecodeError::Nul(offset)),
        None => Ok((text, encoded)),
    }
}

/// Decodes a configuration file: UTF-8, with or without a mark.
pub fn decode_config(bytes: &[u8]) -> Result<(Cow<'_, str>, Encoded), DecodeError> {
    let (mark, body) = strip_mark(bytes);
    let encoded = Encoded { mark, codec: Codec::Utf8 };
    Ok((encoded.text_of(body)?, encoded))
}

fn strip_mark(bytes: &[u8]) -> (bool, &[u8]) {
    match bytes.strip_prefix(MARK) {
        Some(body) => (true, body),
        None => (false, bytes),
    }
}

impl Encoded {
    /// A new file's.
    pub const UTF8: Self = Self { mark: false, codec: Codec::Utf8 };

    /// The encoding's name.
    pub fn name(self) -> &'static str {
        match self.codec {
            Codec::Utf8 => "UTF-8",
            Codec::Ascii => "ASCII",
            Codec::Latin1 => "Latin-1",
            Codec::Other(encoding) => encoding.name(),
        }
    }

    fn text_of(self, body: &[u8]) -> Result<Cow<'_, str>, DecodeError> {
        let invalid = |offset| DecodeError::Invalid { encoding: self.name(), offset };
        match self.codec {
            Codec::Utf8 => {
                std::str::from_utf8(body).map(Cow::Borrowed).map_err(|error| invalid(error.valid_up_to()))
            }
            Codec::Ascii => match body.iter().position(|byte| !byte.is_ascii()) {
                Some(offset) => Err(invalid(offset)),
                None => Ok(String::from_utf8_lossy(body)),
            },
            Codec::Latin1 => Ok(encoding_rs::mem::decode_latin1(body)),
            Codec::Other(encoding) => encoding
                .decode_without_bom_handling_and_without_replacement(body)
                .ok_or_else(|| invalid(Encoding::ascii_valid_up_to(body))),
        }
    }

    /// The bytes of this text; `None` where the encoding lacks one of its characters.
    pub fn bytes_of(self, text: &str) -> Option<Vec<u8>> {
        let body: Cow<'_, [u8]> = match self.codec {
            Codec::Utf8 => Cow::Borrowed(text.as_bytes()),
            Codec::Ascii => text.is_ascii().then_some(Cow::Borrowed(text.as_bytes()))?,
            Codec::Latin1 => encoding_rs::mem::is_str_latin1(text)
                .then(|| encoding_rs::mem::encode_latin1_lossy(text).into_owned().into())?,
            Codec::Other(encoding) => {
                let (bytes, _, unmappable) = encoding.encode(text);
                (!unmappable).then_some(bytes)?
            }
        };
        let mut bytes = if self.mark { MARK.to_vec() } else { Vec::new() };
        bytes.extend_from_slice(&body);
        Some(bytes)
    }
}

/// The name that the first two lines give, by PEP 263: in a comment alone on its line, and in the second
/// line only if the first is blank or such a comment too.
fn cookie(body: &[u8]) -> Option<String> {
    let mut rest = body;
    for _ in 0..2 {
        let end = rest.iter().position(|&byte| byte == b'\n' || byte == b'\r').unwrap_or(rest.len());
        let line = &rest[..end];
        let code = line.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\x0c'));
        match code.map(|start| &line[start..]) {
            None => {}
            Some(comment @ [b'#', ..]) => {
                if let Some(name) = cookie_in(comment) {
                    return Some(name);
                }
            }
            Some(_) => return None,
        }
        let after = &rest[end..];
        rest = after.strip_prefix(b"\r\n").or_else(|| after.get(1..)).unwrap_or_default();
    }
    None
}

/// `coding[:=][ \t]*([-_.a-zA-Z0-9]+)`.
fn cookie_in(comment: &[u8]) -> Option<String> {
    let mut from = 0;
    while let Some(found) = comment[from..].windows(6).position(|window| window == b"coding") {
        from += found + 6;
        let Some((b':' | b'=', value)) = comment[from..].split_first() else { continue };
        let blank = value.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
        let name: String = value[blank..]
            .iter()
            .take_while(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte))
            .map(|&byte| char::from(byte))
            .collect();
        if !name.is_empty() {
            return Some(name);
        }
    }
    None
}

/// Python's names for encodings, which are more than the web's.
fn codec_of(name: &str) -> Option<Codec> {
    let plain = name.to_ascii_lowercase().replace('_', "-");
    let label = match plain.as_str() {
        "utf8" | "u8" | "utf" => return Some(Codec::Utf8),
        _ if plain == "utf-8" || plain.starts_with("utf-8-") => return Some(Codec::Utf8),
        "ascii" | "us-ascii" | "646" => return Some(Codec::Ascii),
        "latin" | "latin1" | "latin-1" | "l1" | "iso8859-1" | "8859" | "cp819" | "iso-latin-1"
        | "iso-8859-1" => return Some(Codec::Latin1),
        _ if plain.starts_with("latin-1-") || plain.starts_with("iso-8859-1-") => return Some(Codec::Latin1),
        "cp932" | "ms932" | "mskanji" | "sjis" | "shiftjis" => "shift-jis".to_owned(),
        "cp936" | "936" | "euc-cn" => "gbk".to_owned(),
        "cp949" | "949" | "uhc" | "euckr" => "euc-kr".to_owned(),
        "cp950" | "950" => "big5".to_owned(),
        "eucjp" | "ujis" => "euc-jp".to_owned(),
        "latin9" | "latin-9" | "l9" => "iso-8859-15".to_owned(),
        "cp866" => "ibm866".to_owned(),
        // Python does not take them for source.
        _ if plain.starts_with("utf-16") || plain.starts_with("utf-32") => return None,
        _ => match plain.strip_prefix("iso8859-") {
            Some(part) => format!("iso-8859-{part}"),
            None => plain,
        },
    };
    let encoding = Encoding::for_label(label.as_bytes())
        .or_else(|| Encoding::for_label(label.replace('-', "_").as_bytes()))?;
    // The web's labels map some encodings to UTF-16 or to "replacement": neither can hold Python source.
    encoding.is_ascii_compatible().then_some(Codec::Other(encoding))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(bytes: &[u8], text: &str) {
        let (decoded, encoded) = decode_source(bytes).unwrap();
        assert_eq!(decoded, text);
        assert_eq!(encoded.bytes_of(&decoded).unwrap(), bytes);
    }

    #[test]
    fn every_encoding_goes_round() {
        round(b"x = 1\n", "x = 1\n");
        round("x = 'é'\r\n".as_bytes(), "x = 'é'\r\n");
        round(b"\xef\xbb\xbfx = 1\n", "x = 1\n");
        round(b"# -*- coding: latin-1 -*-\nx = '\xe9\x80'\n", "# -*- coding: latin-1 -*-\nx = 'é\u{80}'\n");
        round(
            b"#!/usr/bin/python\n# coding=cp1252\nx = '\x80'\n",
            "#!/usr/bin/python\n# coding=cp1252\nx = '€'\n",
        );
        round(b"\n# vim: set fileencoding=koi8-r :\n# \xc1\n", "\n# vim: set fileencoding=koi8-r :\n# а\n");
        round(b"# coding: cp932\n# \x82\xa0\n", "# coding: cp932\n# あ\n");
        round(b"\xef\xbb\xbf# coding: utf-8-sig\n", "# coding: utf-8-sig\n");
        round(b"# coding: iso8859-15\r\n# \xa4\r\n", "# coding: iso8859-15\r\n# €\r\n");
        round(b"", "");
    }

    #[test]
    fn cookies_are_where_python_looks() {
        assert_eq!(cookie(b"import x\n# coding: latin-1\n"), None);
        assert_eq!(cookie(b"\n\n# coding: latin-1\n"), None);
        assert_eq!(cookie(b"x = 'coding: latin-1'\n"), None);
        assert_eq!(cookie(b"# encoding stuff, coding: latin-1\n").as_deref(), Some("latin-1"));
        assert_eq!(cookie(b"# a\r# coding:utf8").as_deref(), Some("utf8"));
    }

    #[test]
    fn what_is_no_text_is_said() {
        let error = |bytes: &[u8]| decode_source(bytes).unwrap_err().to_string();
        assert_eq!(error(b"x = '\xe9'\n"), "not valid UTF-8 at byte 5");
        assert_eq!(error(b"x\0"), "a NUL byte at byte 1; Python does not run such a file");
        assert_eq!(error(b"# coding: klingon\n"), "unknown encoding `klingon` in its first lines");
        assert_eq!(error(b"# coding: utf-16\n"), "unknown encoding `utf-16` in its first lines");
        assert_eq!(
            error(b"\xef\xbb\xbf# coding: latin-1\n"),
            "its byte order mark says UTF-8, its first lines say `latin-1`"
        );
        assert_eq!(error(b"# coding: ascii\n\xe9"), "not valid ASCII at byte 16");
    }

    #[test]
    fn what_the_encoding_lacks_is_not_written() {
        let (_, latin) = decode_source(b"# coding: latin-1\n").unwrap();
        assert_eq!(latin.bytes_of("€"), None);
        let (_, windows) = decode_source(b"# coding: cp1252\n").unwrap();
        assert_eq!(windows.bytes_of("あ"), None);
    }
}
