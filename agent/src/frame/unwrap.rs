//! Physical lines of a container's file to the contents of its streams.
//!
//! Parts of a line are put together stream by stream, because the parts of two streams interleave. Each piece of content is
//! remembered with the file bytes that it came from.
//! Invariant: every physical line is one piece of exactly one stream, and no piece is empty.

use std::ops::Range;

use memchr::memchr;

use super::nuls::skip;
use super::{Framing, Stream};

/// What one physical line contributed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// Where its content begins in that of the stream.
    pub content_begin: usize,
    pub file_begin: usize,
    pub file_end: usize,
    pub time_ns: Option<i64>,
    /// It ends its logical line.
    pub complete: bool,
}

/// The content of one stream: logical lines with their line feeds, the last one perhaps without.
#[derive(Debug, Default)]
pub struct Lines {
    pub content: Vec<u8>,
    pub pieces: Vec<Piece>,
    /// Where in the content a record has to end: a logical line grew too long, or something was skipped.
    pub cuts: Vec<usize>,
    /// Where its last logical line begins.
    line_begin: usize,
}

/// All streams of the unread bytes of a file. Reused from call to call.
#[derive(Debug, Default)]
pub struct Unwrapped {
    /// By [`Stream`].
    pub streams: [Lines; 3],
    /// File bytes that are no lines: runs of NUL bytes.
    pub skipped: Vec<Range<usize>>,
    /// Behind the last piece.
    pub file_end: usize,
    /// The latest time of all.
    pub last_time_ns: Option<i64>,
}

/// What to do with the bytes.
#[derive(Clone, Copy, Debug)]
pub struct How {
    pub framing: Framing,
    /// The bytes begin inside a physical line.
    pub inside_line: bool,
    /// Take the last physical line even without its line feed.
    pub take_unterminated: bool,
    /// A logical line is cut in front of the piece with which it would become longer.
    pub line_bytes_max: usize,
}

/// Takes the framing off all physical lines of `bytes`.
pub fn unwrap(bytes: &[u8], how: How, unwrapped: &mut Unwrapped) {
    unwrapped.clear();
    let mut begin = 0;
    let mut inside_line = how.inside_line;
    while begin < bytes.len() {
        let skipped = if inside_line { 0 } else { skip(&bytes[begin..]) };
        if skipped > 0 {
            unwrapped.skip(begin..begin + skipped);
            begin += skipped;
            continue;
        }
        let end = match memchr(b'\n', &bytes[begin..]) {
            Some(length) => begin + length + 1,
            None if how.take_unterminated => bytes.len(),
            None => break,
        };
        let line = &bytes[begin..end];
        let text = line.strip_suffix(b"\n").filter(|_| !inside_line);
        let piece = Piece { content_begin: 0, file_begin: begin, file_end: end, time_ns: None, complete: true };
        match text.and_then(|text| how.framing.parse(text)) {
            Some(frame) => {
                let piece = Piece { time_ns: frame.time_ns, complete: !frame.partial, ..piece };
                unwrapped.streams[frame.stream as usize].push(&frame.content, piece, how.line_bytes_max);
                unwrapped.last_time_ns = unwrapped.last_time_ns.max(frame.time_ns);
            }
            None => {
                let complete = line.ends_with(b"\n");
                let content = line.strip_suffix(b"\n").unwrap_or(line);
                let unframed = &mut unwrapped.streams[Stream::Unframed as usize];
                unframed.push(content, Piece { complete, ..piece }, how.line_bytes_max);
            }
        }
        inside_line = false;
        begin = end;
    }
    unwrapped.file_end = begin;
}

impl Unwrapped {
    pub(super) fn clear(&mut self) {
        for lines in &mut self.streams {
            lines.content.clear();
            lines.pieces.clear();
            lines.cuts.clear();
            lines.line_begin = 0;
        }
        self.skipped.clear();
        self.last_time_ns = None;
    }

    /// No record reaches across what is skipped.
    fn skip(&mut self, range: Range<usize>) {
        self.skipped.push(range);
        for lines in &mut self.streams {
            lines.line_begin = lines.content.len();
            lines.cuts.push(lines.line_begin);
        }
    }
}

impl Lines {
    pub(super) fn push(&mut self, content: &[u8], piece: Piece, line_bytes_max: usize) {
        let content_begin = self.content.len();
        if content_begin > self.line_begin && content_begin - self.line_begin + content.len() >= line_bytes_max {
            self.cuts.push(content_begin);
            self.line_begin = content_begin;
        }
        self.pieces.push(Piece { content_begin, ..piece });
        self.content.extend_from_slice(content);
        if piece.complete {
            self.content.push(b'\n');
            self.line_begin = self.content.len();
        }
    }

    /// The piece that holds the byte of the content at `at`.
    pub fn piece_at(&self, at: usize) -> &Piece {
        let behind = self.pieces.partition_point(|piece| piece.content_begin <= at);
        &self.pieces[behind - 1]
    }

    /// The number of the piece that holds the byte of the content at `at`; it is `from` or one of the next ones.
    #[inline]
    pub fn piece_from(&self, from: usize, at: usize) -> usize {
        let behind = self.pieces[from + 1..].iter().take_while(|piece| piece.content_begin <= at).count();
        from + behind
    }

    /// Where in the file the content at `at` stands, which piece number `piece` holds: exact where it begins, in proportion
    /// inside it.
    #[inline]
    pub fn file_position(&self, piece: usize, at: usize) -> usize {
        let end = self.pieces.get(piece + 1).map_or(self.content.len(), |next| next.content_begin);
        let piece = &self.pieces[piece];
        if at == piece.content_begin {
            return piece.file_begin;
        }
        piece.file_begin
            + (at - piece.content_begin) * (piece.file_end - piece.file_begin) / (end - piece.content_begin)
    }
}
