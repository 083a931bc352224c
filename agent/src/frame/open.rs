//! What the bytes before a position say about the streams of a container's file: so that nothing has to be remembered.

use memchr::memrchr;

use super::nuls::{line_begins_behind, nuls};
use super::{Framing, Stream};
use crate::assemble::Before;
use crate::parse::{self, Shape};
use crate::record::Fields;

/// Looking further back than this for a stream's last line is not worth it.
pub const BYTES_MAX: usize = 64 * 1024;

/// The state of a file's streams at a position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Open {
    /// By [`Stream`].
    pub before: [Before; 3],
    /// The position is inside a physical line.
    pub inside_line: bool,
}

/// The state at the position behind `bytes_before`, of which the last 64 KiB are looked at.
pub fn open_streams(bytes_before: &[u8], framing: Framing) -> Open {
    let mut open = Open { before: [Before::Nothing; 3], inside_line: false };
    let bytes = &bytes_before[bytes_before.len().saturating_sub(BYTES_MAX)..];
    open.inside_line = !line_begins_behind(bytes);
    // No record reaches across a hole.
    if bytes.last() == Some(&0) && !open.inside_line {
        return open;
    }
    let mut seen = [false; 3];
    let mut end = bytes.len();
    if open.inside_line {
        end = memrchr(b'\n', bytes).map_or(0, |feed| feed + 1);
        open.before[Stream::Unframed as usize] = Before::OpenLine;
        seen[Stream::Unframed as usize] = true;
    }
    let mut fields = Fields::default();
    while end > 0 && seen.contains(&false) {
        let text = &bytes[..end - 1];
        let begin = memrchr(b'\n', text).map_or(0, |feed| feed + 1);
        let is_whole = begin > 0 || bytes.len() == bytes_before.len();
        let hole = nuls(&text[begin..]);
        let line = &text[begin + hole..];
        let frame = framing.parse(line).filter(|_| is_whole);
        let (stream, content, partial) = match &frame {
            Some(frame) => (frame.stream, &*frame.content, frame.partial),
            None => (Stream::Unframed, line, false),
        };
        if !seen[stream as usize] {
            seen[stream as usize] = true;
            open.before[stream as usize] = if partial {
                Before::OpenLine
            } else if !content.is_empty() && parse::parse(content, &mut fields) == Shape::Text {
                Before::Text
            } else {
                Before::Nothing
            };
        }
        end = if hole > 0 { 0 } else { begin };
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_of_each_stream_counts() {
        let text =
            b"2026-11-23T12:00:00Z stderr P a\n2026-11-23T12:00:00Z stdout P a\n2026-11-23T12:00:00Z stdout F b\n";
        let open = open_streams(text, Framing::Cri);
        assert_eq!(open.before, [Before::Text, Before::OpenLine, Before::Nothing]);
        assert!(!open.inside_line);
        let open = open_streams(b"2026-11-23T12:00:00Z stdout F {\"a\":1}\n2026-", Framing::Cri);
        assert_eq!(open.before, [Before::Nothing, Before::Nothing, Before::OpenLine]);
        assert!(open.inside_line);
    }

    #[test]
    fn a_line_begins_behind_a_hole() {
        for text in [&b"2026-11-23T12:00:00Z stdout P a\n\0\0"[..], b"\0\0"] {
            let open = open_streams(text, Framing::Cri);
            assert_eq!((open.before, open.inside_line), ([Before::Nothing; 3], false));
        }
        let open =
            open_streams(b"2026-11-23T12:00:00Z stderr F a\n\x002026-11-23T12:00:00Z stdout F b\n", Framing::Cri);
        assert_eq!(open.before, [Before::Text, Before::Nothing, Before::Nothing]);
    }
}
