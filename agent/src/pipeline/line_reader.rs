//! The physical lines of a file, one by one, for the rules that look further than one record: `[source.attach]`, `[source.join]`.
//!
//! Pure. Invariant: which lines there are, and the time of each, follows from the file's bytes and from where reading began
//! ([`Begin`]) alone. How records are assembled, where a batch ends and when something was shipped changes nothing, so that
//! reading a file again finds the same lines.

use std::borrow::Cow;

use memchr::memchr;

use crate::frame::nuls::nuls;
use crate::parse::layout::Memory;
use crate::parse::parse_with;
use crate::parse::reading::Reading;
use crate::record::Fields;
use crate::treatment::Lines;

/// Of a longer line the beginning counts, and of a line beyond the record limit no more than its first record.
pub const LINE_BYTES_MAX: usize = 16 << 10;

/// Where reading begins: at the beginning of a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Begin {
    pub position: u64,
    /// The time of the line before, which a line without its own time inherits.
    pub time_ns: Option<i64>,
}

/// Bytes of a file.
#[derive(Clone, Copy)]
pub struct Portion<'a> {
    pub bytes: &'a [u8],
    pub position: u64,
    pub lines: Lines,
    pub reading: &'a Reading,
    /// When the file was written last: what completes a time without a date, as long as no line had one.
    pub reference_ns: i64,
    /// At most [`LINE_BYTES_MAX`].
    pub line_bytes_max: usize,
}

/// One line, without framing and line feed.
pub struct Line<'a> {
    pub begin: u64,
    pub content: Cow<'a, [u8]>,
    /// Its own, or that of the line before.
    pub time_ns: Option<i64>,
    pub has_own_time: bool,
}

/// How far the lines of one file were read.
#[derive(Debug)]
pub struct LineReader {
    reached: u64,
    /// The end of the line that was read last was not seen yet.
    inside: bool,
    time_ns: Option<i64>,
    memory: Memory,
    fields: Fields,
}

impl LineReader {
    pub fn new(begin: Begin) -> Self {
        Self {
            reached: begin.position,
            inside: false,
            time_ns: begin.time_ns,
            memory: Memory::default(),
            fields: Fields::default(),
        }
    }

    /// Begins behind the line that `position` stands in.
    pub fn behind_line_of(position: u64) -> Self {
        Self { inside: true, ..Self::new(Begin { position, time_ns: None }) }
    }

    /// Reads on from where this one is.
    pub fn fork(&self) -> Self {
        let begin = Begin { position: self.reached, time_ns: self.time_ns };
        Self { inside: self.inside, memory: self.memory, ..Self::new(begin) }
    }

    /// Where the next line begins, or how far the last one was looked through for its end.
    pub fn reached(&self) -> u64 {
        self.reached
    }

    /// Whether `at` is no further than the line that was read last reaches, as far as that was seen.
    pub fn is_within(&self, at: u64) -> bool {
        self.inside || at < self.reached
    }

    pub fn begin(&self) -> Begin {
        Begin { position: self.reached, time_ns: self.time_ns }
    }

    /// Looks for the end of the line that was read last.
    pub fn close_line(&mut self, portion: &Portion<'_>) {
        if !self.inside {
            return;
        }
        let Some(rest) = self.rest(portion) else { return };
        match end_of_line(rest, self.reached, portion.lines) {
            Some((end, _)) => {
                self.reached += end as u64;
                self.inside = false;
            }
            // Half of a line feed of two bytes waits for the other half.
            None => self.reached += (rest.len() - rest.len() % 2) as u64,
        }
    }

    /// The next line, if it begins before `until`. None: it does not, or its end does not lie in the portion.
    pub fn next<'a>(&mut self, until: u64, portion: &Portion<'a>) -> Option<Line<'a>> {
        self.close_line(portion);
        if self.inside {
            return None;
        }
        if !matches!(portion.lines, Lines::Encoded(_)) {
            // A hole in the file is no part of the line behind it.
            self.reached += nuls(self.rest(portion)?) as u64;
        }
        let rest = self.rest(portion)?;
        if self.reached >= until || rest.is_empty() {
            return None;
        }
        let begin = self.reached;
        let most = portion.line_bytes_max;
        let line = match end_of_line(rest, begin, portion.lines) {
            Some((end, feed_length)) => {
                self.reached += end as u64;
                &rest[..end - feed_length]
            }
            None if rest.len() >= most => {
                self.reached += (most - most % 2) as u64;
                self.inside = true;
                rest
            }
            None => return None,
        };
        let (content, framed_ns) = content(&line[..line.len().min(most)], begin, portion.lines);
        let reference_ns = self.time_ns.filter(|time| *time > 0).unwrap_or(portion.reference_ns);
        parse_with(&content, portion.reading, reference_ns, &mut self.memory, &mut self.fields);
        let own_ns = self.fields.time_ns.or(framed_ns);
        self.time_ns = own_ns.or(self.time_ns);
        Some(Line { begin, content, time_ns: self.time_ns, has_own_time: own_ns.is_some() })
    }

    fn rest<'a>(&self, portion: &Portion<'a>) -> Option<&'a [u8]> {
        let from = usize::try_from(self.reached.checked_sub(portion.position)?).ok()?;
        portion.bytes.get(from..)
    }
}

/// Where the first line of `bytes` ends, and how long its line feed is.
fn end_of_line(bytes: &[u8], position: u64, lines: Lines) -> Option<(usize, usize)> {
    match lines {
        Lines::Encoded(encoding) => encoding.line_end(bytes, position),
        Lines::Plain | Lines::Framed(_) => memchr(b'\n', bytes).map(|at| (at + 1, 1)),
    }
}

/// What a physical line says, and the time that a framing gives it.
fn content(line: &[u8], begin: u64, lines: Lines) -> (Cow<'_, [u8]>, Option<i64>) {
    match lines {
        Lines::Plain if begin == 0 => (Cow::Borrowed(line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)), None),
        Lines::Plain => (Cow::Borrowed(line), None),
        Lines::Framed(framing) => match framing.parse(line) {
            Some(frame) => (frame.content, frame.time_ns),
            None => (Cow::Borrowed(line), None),
        },
        Lines::Encoded(encoding) => (encoding.decode(line), None),
    }
}
