//! Lines to records: stack traces are joined to the line that they belong to, too long lines are cut.
//!
//! Pure, and without memory between calls: what is not consumed is given again with more behind it.
//! **Invariant: the records tile the bytes.** The first begins where the bytes begin, each other one where the one before it
//! ends, and the last ends at what is returned.
//!
//! | file | what it is |
//! | --- | --- |
//! | `joining` | which lines are joined: the built-in rules, or a source's own |
//! | `trace` | the built-in rules: where in a stack trace a line stands |
//! | `line` | what single lines of stack traces look like |

pub mod joining;
mod line;
mod trace;

use joining::Joining;
use memchr::{memchr, memrchr};

use crate::record::flag;

/// How much may become one record.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub record_bytes_max: usize,
    pub record_lines_max: usize,
}

/// What lies before the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// The beginning of the file, or a line that nothing can be joined to.
    Nothing,
    /// A text record, already shipped: a continuation line becomes a record that continues it.
    Text,
    /// A line without its end.
    OpenLine,
}

/// What may be done with the last record, which could go on behind the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tail {
    /// Keep it back when it may go on.
    Hold,
    /// Ship it when its line is terminated.
    Lines,
    /// Ship everything, terminated or not.
    All,
}

/// Takes what is found.
pub trait Sink {
    /// A record begins with this line (without its line feed). Answers whether further lines may be joined to it.
    fn begin(&mut self, line: &[u8]) -> bool;
    /// This line (without its line feed) was joined to the record.
    fn join(&mut self, line: &[u8]);
    /// The record ends; it is `length` bytes long. Answers whether more records are wanted.
    fn end(&mut self, length: usize, flags: u8) -> bool;
}

/// Hands the records of `bytes`, joined by the built-in rules, to `sink` and returns how many bytes they cover.
pub fn assemble(bytes: &[u8], before: Before, tail: Tail, limits: Limits, sink: &mut impl Sink) -> usize {
    assemble_by(&Joining::BuiltIn, bytes, before, tail, limits, sink)
}

/// The same by the rules of the source.
pub fn assemble_by(
    joining: &Joining,
    bytes: &[u8],
    before: Before,
    tail: Tail,
    limits: Limits,
    sink: &mut impl Sink,
) -> usize {
    let mut begin = 0;
    let mut before = before;
    let last_line_end = memrchr(b'\n', bytes).map_or(0, |feed| feed + 1);
    while begin < bytes.len() {
        let Some(line) = line_at(bytes, begin, limits.record_bytes_max) else {
            // The last line has no end yet.
            if tail == Tail::All {
                let flags = flag::UNTERMINATED | continues(joining, before, &bytes[begin..]);
                sink.begin(&bytes[begin..]);
                sink.end(bytes.len() - begin, flags);
                begin = bytes.len();
            }
            return begin;
        };
        let mut flags = continues(joining, before, line.text);
        let joinable = sink.begin(line.text);
        let mut end = line.end;
        if line.cut {
            flags |= flag::CUT;
            before = Before::OpenLine;
        } else if joining.may_follow(line.text, joinable) {
            let joined = join(joining, bytes, begin, &line, last_line_end, limits, sink);
            if joined.open && tail == Tail::Hold {
                return begin;
            }
            if joined.lines > 1 {
                flags |= flag::JOINED;
            }
            if joined.cut {
                flags |= flag::CUT;
            }
            end = joined.end;
            before = Before::Text;
        } else {
            before = Before::Nothing;
        }
        let more = sink.end(end - begin, flags);
        begin = end;
        if !more {
            break;
        }
    }
    begin
}

fn continues(joining: &Joining, before: Before, line: &[u8]) -> u8 {
    match before {
        Before::OpenLine => flag::CONTINUES,
        Before::Text if joining.is_continuation(line) => flag::CONTINUES,
        _ => 0,
    }
}

struct Line<'a> {
    /// Without its line feed.
    text: &'a [u8],
    /// Behind its line feed.
    end: usize,
    /// It is longer than a record may be; this is its first part.
    cut: bool,
}

#[inline]
fn line_at(bytes: &[u8], begin: usize, bytes_max: usize) -> Option<Line<'_>> {
    let rest = &bytes[begin..];
    match memchr(b'\n', rest) {
        Some(length) if length < bytes_max => Some(Line { text: &rest[..length], end: begin + length + 1, cut: false }),
        None if rest.len() <= bytes_max => None,
        _ => Some(Line { text: &rest[..bytes_max], end: begin + bytes_max, cut: true }),
    }
}

struct Joined {
    end: usize,
    lines: usize,
    /// The bytes ended before it was clear that nothing more belongs to it.
    open: bool,
    /// A limit ended it.
    cut: bool,
}

/// Joins the lines behind `first` that belong to it.
fn join(
    joining: &Joining,
    bytes: &[u8],
    begin: usize,
    first: &Line<'_>,
    last_line_end: usize,
    limits: Limits,
    sink: &mut impl Sink,
) -> Joined {
    let mut joined = Joined { end: first.end, lines: 1, open: true, cut: false };
    // What most lines of most logs are followed by: the time of the next record, in a line that is whole.
    if first.end < last_line_end && bytes[first.end].is_ascii_digit() && joining.ends_before_digit(first.text) {
        joined.open = false;
        return joined;
    }
    let mut place = joining.first_place(first.text);
    while let Some(line) = line_at(bytes, joined.end, limits.record_bytes_max) {
        let end = match joining.belongs(&mut place, line.text, &bytes[line.end..]) {
            Belongs::No => {
                joined.open = false;
                return joined;
            }
            // Only what follows can tell.
            Belongs::Unknown => return joined,
            Belongs::Yes { behind } => line.end + behind,
        };
        if line.cut || end - begin > limits.record_bytes_max || joined.lines >= limits.record_lines_max {
            joined.open = false;
            joined.cut = true;
            return joined;
        }
        sink.join(line.text);
        joined.lines += 1;
        for text in bytes[line.end..end].split_inclusive(|byte| *byte == b'\n') {
            sink.join(text.strip_suffix(b"\n").unwrap_or(text));
            joined.lines += 1;
        }
        joined.end = end;
    }
    // An unterminated line that does not look like a continuation ends the record; the file's end leaves it open.
    let rest = &bytes[joined.end..];
    if !rest.is_empty() && joining.ends_before(place, rest) {
        joined.open = false;
    }
    joined
}

/// Whether a line belongs to the record before it.
enum Belongs {
    No,
    /// Together with this many bytes behind it.
    Yes {
        behind: usize,
    },
    /// Not to be told before there is more behind it.
    Unknown,
}

#[cfg(test)]
mod tests;
