//! Lines of a file that is not UTF-8, turned into UTF-8 and mapped to the file's bytes as a single stream.
//!
//! Lines are split in the encoding of the file. One that does not decode cleanly is kept as its bytes are.
//! Source: the WHATWG's Encoding standard, whose labels the config takes.

use std::borrow::Cow;

use encoding_rs::{UTF_8, UTF_16BE, UTF_16LE};
use memchr::memchr;

use super::Stream;
use super::unwrap::{Piece, Unwrapped};

/// The encoding of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoding(&'static encoding_rs::Encoding);

/// What to do with the bytes.
#[derive(Clone, Copy, Debug)]
pub struct How {
    pub encoding: Encoding,
    /// Of the first byte, in the file.
    pub position: u64,
    /// Take the last line even without its line feed.
    pub take_unterminated: bool,
    /// A longer line is handed on in cuts by the assembler.
    pub line_bytes_max: usize,
}

impl Default for Encoding {
    fn default() -> Self {
        Self(UTF_8)
    }
}

impl Encoding {
    /// By its label, such as `latin1`, `shift_jis` or `utf-16le`.
    pub fn new(label: &str) -> Result<Self, String> {
        encoding_rs::Encoding::for_label_no_replacement(label.as_bytes()).map(Self).ok_or_else(|| {
            format!(
                "encoding {label:?} is not known; one of https://encoding.spec.whatwg.org/#names-and-labels, \
                 for example utf-8, utf-16le, windows-1252, latin1, shift_jis, gb18030"
            )
        })
    }

    /// Its name in the standard.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// What the byte order mark at the beginning of a file says, and the length of the mark.
    pub fn sniff(first_bytes: &[u8]) -> Option<(Self, usize)> {
        encoding_rs::Encoding::for_bom(first_bytes).map(|(encoding, length)| (Self(encoding), length))
    }

    /// Nothing has to be turned into UTF-8.
    pub fn is_utf8(self) -> bool {
        self.0 == UTF_8
    }

    /// Behind the first line feed of `bytes`, which begin at `position` in the file, and the length of the line feed.
    pub fn line_end(self, bytes: &[u8], position: u64) -> Option<(usize, usize)> {
        let feed = match self.0 {
            encoding if encoding == UTF_16LE => [b'\n', 0],
            encoding if encoding == UTF_16BE => [0, b'\n'],
            _ => return memchr(b'\n', bytes).map(|at| (at + 1, 1)),
        };
        let odd = (position % 2) as usize;
        let units = bytes.get(odd..)?.chunks_exact(2);
        units.enumerate().find(|(_, unit)| *unit == feed).map(|(at, _)| (odd + at * 2 + 2, 2))
    }

    /// The line in UTF-8, or as it is.
    pub fn decode(self, line: &[u8]) -> Cow<'_, [u8]> {
        if self.is_utf8() {
            return Cow::Borrowed(line);
        }
        match self.0.decode_without_bom_handling_and_without_replacement(line) {
            Some(Cow::Borrowed(text)) => Cow::Borrowed(text.as_bytes()),
            Some(Cow::Owned(text)) => Cow::Owned(text.into_bytes()),
            None => Cow::Borrowed(line),
        }
    }
}

/// Turns all lines of `bytes` into UTF-8. A byte order mark at the file's beginning belongs to the first line's file bytes, but
/// not to its content.
pub fn transcode(bytes: &[u8], how: How, unwrapped: &mut Unwrapped) {
    unwrapped.clear();
    let mut begin = 0;
    while begin < bytes.len() {
        let rest = &bytes[begin..];
        let (end, feed_length) = match how.encoding.line_end(rest, how.position + begin as u64) {
            Some((end, feed_length)) => (begin + end, feed_length),
            None if how.take_unterminated => (bytes.len(), 0),
            None => break,
        };
        let line = &bytes[begin..end - feed_length];
        let mark =
            if how.position == 0 && begin == 0 { Encoding::sniff(line).map_or(0, |(_, length)| length) } else { 0 };
        let complete = feed_length > 0;
        // A mark alone would be a record without content.
        let text = if complete || mark < line.len() { &line[mark..] } else { line };
        let piece = Piece { content_begin: 0, file_begin: begin, file_end: end, time_ns: None, complete };
        unwrapped.streams[Stream::Stdout as usize].push(&how.encoding.decode(text), piece, how.line_bytes_max);
        begin = end;
    }
    unwrapped.file_end = begin;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content(label: &str, position: u64, bytes: &[u8]) -> (Vec<u8>, Vec<(usize, usize)>) {
        let how =
            How { encoding: Encoding::new(label).unwrap(), position, take_unterminated: false, line_bytes_max: 1000 };
        let mut unwrapped = Unwrapped::default();
        transcode(bytes, how, &mut unwrapped);
        let lines = &unwrapped.streams[0];
        let ranges = lines.pieces.iter().map(|piece| (piece.file_begin, piece.file_end)).collect();
        (lines.content.clone(), ranges)
    }

    #[test]
    fn lines_become_utf8() {
        assert_eq!(content("latin1", 0, b"\xe9\r\nb\nc"), ("é\r\nb\n".into(), vec![(0, 3), (3, 5)]));
        assert_eq!(content("shift_jis", 9, b"\x83\x5c\n"), ("ソ\n".into(), vec![(0, 3)]));
        // U+0A0A and U+0100 U+0A00 hold bytes that look like a line feed.
        let text = "\u{feff}a\u{0a0a}\u{0100}\u{0a00}\nb\n";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        let expected = ("a\u{0a0a}\u{0100}\u{0a00}\nb\n".into(), vec![(0, 12), (12, 16)]);
        assert_eq!(content("utf-16le", 0, &little), expected);
        assert_eq!(content("utf-16be", 0, &big), expected);
    }

    #[test]
    fn what_does_not_decode_is_kept() {
        assert_eq!(content("shift_jis", 0, b"a\xff\nb\n").0, b"a\xff\nb\n");
        assert_eq!(content("utf-8", 0, b"\xef\xbb\xbfa\xff\n").0, b"a\xff\n");
        assert_eq!(content("utf-16le", 2, b"\x00\xd8\n\0").0, b"\x00\xd8\n");
    }

    #[test]
    fn labels_and_marks() {
        assert!(Encoding::new("ebcdic").is_err_and(|error| error.contains("windows-1252")));
        assert_eq!(Encoding::sniff(b"\xff\xfea\0"), Some((Encoding(UTF_16LE), 2)));
        assert_eq!(Encoding::sniff(b"a"), None);
        assert!(Encoding::default().is_utf8());
    }
}
