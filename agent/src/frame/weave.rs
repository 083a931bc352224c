//! The records of a container's streams, woven back into the order of the file.
//!
//! **Invariant: the records, and what is skipped, tile the file bytes that are consumed.** Each reaches to where the next one begins, although the
//! lines of a trace on one stream stand between those of the other. So a position may be consumed up to only if every record
//! that begins before it also ends before it; what begins behind it is read again. It never lies inside of a physical line whose
//! framing is taken off: the rest of the line would not be known for what it is.

use std::ops::Range;

use super::Stream;
use super::open::Open;
use super::unwrap::{Lines, Unwrapped};
use crate::assemble::joining::Joining;
use crate::assemble::{Before, Limits, Sink, Tail, assemble_by};
use crate::record::flag;

/// A stream that wrote nothing while the file's clock went on for this long does not go on with its record: without this, one
/// line on stderr would hold back everything that stdout writes behind it.
const QUIET_NS: i64 = 300_000_000;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WovenRecord {
    /// In [`Woven::content`].
    pub content: Range<usize>,
    /// Without its line feed.
    pub first_line: Range<usize>,
    pub file_begin: usize,
    pub file_length: usize,
    pub stream: Stream,
    /// Of its first piece.
    pub time_ns: Option<i64>,
    pub flags: u8,
}

/// File bytes that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WovenSkip {
    /// They stand before the record of this number.
    pub before_record: usize,
    pub file_length: usize,
}

/// The records of the unread bytes of a file. Reused from call to call.
#[derive(Debug, Default)]
pub struct Woven {
    pub content: Vec<u8>,
    pub records: Vec<WovenRecord>,
    /// File bytes between the records that are none.
    pub skipped: Vec<WovenSkip>,
    /// File bytes that the records and what is skipped cover.
    pub consumed: usize,
    found: Vec<Found>,
}

#[derive(Clone, Copy, Debug)]
struct Found {
    stream: Stream,
    content_begin: usize,
    content_end: usize,
    first_line_bytes: usize,
    file_begin: usize,
    file_end: usize,
    flags: u8,
    /// Of its first piece.
    time_ns: Option<i64>,
}

/// How records are made.
pub struct Rules<'a> {
    pub joining: &'a Joining,
    pub limits: Limits,
    pub tail: Tail,
}

/// Assembles the records of each stream; `is_text` says of a first line whether others may be joined to it.
pub fn weave(
    unwrapped: &Unwrapped,
    open: Open,
    rules: &Rules<'_>,
    mut is_text: impl FnMut(&[u8]) -> bool,
    woven: &mut Woven,
) {
    woven.content.clear();
    woven.records.clear();
    woven.found.clear();
    woven.skipped.clear();
    let mut end = unwrapped.file_end;
    for stream in [Stream::Stdout, Stream::Stderr, Stream::Unframed] {
        let lines = &unwrapped.streams[stream as usize];
        let tail = match lines.pieces.last().and_then(|piece| piece.time_ns).zip(unwrapped.last_time_ns) {
            Some((own, latest)) if latest - own > QUIET_NS => rules.tail.max(Tail::Lines),
            _ => rules.tail,
        };
        let rules = Rules { tail, ..*rules };
        let held = find(lines, stream, open.before[stream as usize], &rules, &mut is_text, &mut woven.found);
        end = end.min(held.unwrap_or(end));
    }
    // Each stream is in order already, and this kind of sort makes use of that.
    woven.found.sort_by_key(|found| found.file_begin);
    // Lowering the end leaves out records that begin behind it, never ones that begin before: one pass from behind is enough.
    for found in woven.found.iter().rev() {
        if found.file_begin < end && found.file_end > end {
            end = unwrapped.streams[found.stream as usize].piece_at(found.content_begin).file_begin;
        }
    }
    woven.consumed = end;
    woven.found.retain(|found| found.file_begin < end);
    let mut skipped = unwrapped.skipped.iter().filter(|range| range.end <= end).peekable();
    for at in 0..=woven.found.len() {
        let begin = woven.found.get(at).map_or(end, |found| found.file_begin);
        while let Some(range) = skipped.next_if(|range| range.start < begin) {
            woven.skipped.push(WovenSkip { before_record: at, file_length: range.len() });
        }
        let Some(&found) = woven.found.get(at) else { break };
        let next = woven.found.get(at + 1).map_or(end, |next| next.file_begin);
        let next = skipped.peek().map_or(next, |range| range.start.min(next));
        let lines = &unwrapped.streams[found.stream as usize];
        let content = &lines.content[found.content_begin..found.content_end];
        let begin = woven.content.len();
        woven.content.extend_from_slice(content);
        woven.records.push(WovenRecord {
            content: begin..woven.content.len(),
            first_line: begin..begin + found.first_line_bytes,
            file_begin: found.file_begin,
            file_length: next - found.file_begin,
            stream: found.stream,
            time_ns: found.time_ns,
            flags: found.flags,
        });
    }
}

/// Finds the records of one stream; answers where in the file that begins which is held back.
fn find(
    lines: &Lines,
    stream: Stream,
    before: Before,
    rules: &Rules<'_>,
    is_text: &mut impl FnMut(&[u8]) -> bool,
    found: &mut Vec<Found>,
) -> Option<usize> {
    let mut before = before;
    let mut begin = 0;
    let mut piece = 0;
    for end in lines.cuts.iter().copied().chain([lines.content.len()]) {
        if begin == end {
            continue;
        }
        let is_cut = end < lines.content.len();
        let tail = if is_cut { Tail::All } else { rules.tail };
        let mut collect = Collect { lines, stream, at: begin, piece, first_line_bytes: 0, is_text, found };
        assemble_by(rules.joining, &lines.content[begin..end], before, tail, rules.limits, &mut collect);
        let reached = collect.at;
        piece = collect.piece;
        if reached < end {
            return Some(lines.piece_at(reached).file_begin);
        }
        before = if lines.content[end - 1] == b'\n' { Before::Nothing } else { Before::OpenLine };
        if is_cut
            && before == Before::OpenLine
            && let Some(last) = found.last_mut()
        {
            last.flags = last.flags & !flag::UNTERMINATED | flag::CUT;
        }
        begin = end;
    }
    None
}

struct Collect<'a, T> {
    lines: &'a Lines,
    stream: Stream,
    at: usize,
    /// No piece before this one holds what begins at `at`.
    piece: usize,
    /// Of the record at hand.
    first_line_bytes: usize,
    is_text: &'a mut T,
    found: &'a mut Vec<Found>,
}

impl<T: FnMut(&[u8]) -> bool> Sink for Collect<'_, T> {
    fn begin(&mut self, line: &[u8]) -> bool {
        self.first_line_bytes = line.len();
        (self.is_text)(line)
    }

    fn join(&mut self, _line: &[u8]) {}

    fn end(&mut self, length: usize, flags: u8) -> bool {
        let end = self.at + length;
        self.piece = self.lines.piece_from(self.piece, self.at);
        let time_ns = self.lines.pieces[self.piece].time_ns;
        let file_begin = self.lines.file_position(self.piece, self.at);
        self.piece = self.lines.piece_from(self.piece, end - 1);
        self.found.push(Found {
            stream: self.stream,
            content_begin: self.at,
            content_end: end,
            first_line_bytes: self.first_line_bytes,
            file_begin,
            file_end: self.lines.pieces[self.piece].file_end,
            flags,
            time_ns,
        });
        self.at = end;
        true
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::frame::Framing;
    use crate::frame::open::open_streams;
    use crate::frame::unwrap::{How, unwrap};

    /// Reads `file[position..size]`; gives the records' streams, contents and flags, and the new position.
    fn read(
        file: &[u8],
        position: usize,
        size: usize,
        tail: Tail,
        bytes_max: usize,
    ) -> (Vec<(Stream, String, u8)>, usize) {
        let open = open_streams(&file[..position], Framing::Cri);
        let how = How {
            framing: Framing::Cri,
            inside_line: open.inside_line,
            take_unterminated: tail == Tail::All,
            line_bytes_max: bytes_max,
        };
        let (mut unwrapped, mut woven) = (Unwrapped::default(), Woven::default());
        unwrap(&file[position..size], how, &mut unwrapped);
        let limits = Limits { record_bytes_max: bytes_max, record_lines_max: 100 };
        let rules = Rules { joining: &Joining::BuiltIn, limits, tail };
        weave(&unwrapped, open, &rules, |line| line.first() != Some(&b'{'), &mut woven);
        let mut at = 0;
        for record in &woven.records {
            assert_eq!(record.file_begin, at);
            assert!(record.file_length > 0);
            at += record.file_length;
        }
        assert_eq!(at, woven.consumed);
        let text = |record: &WovenRecord| String::from_utf8_lossy(&woven.content[record.content.clone()]).into_owned();
        (woven.records.iter().map(|record| (record.stream, text(record), record.flags)).collect(), position + at)
    }

    fn line(stream: &str, tag: &str, text: &str) -> String {
        format!("2026-11-23T12:00:00Z {stream} {tag} {text}\n")
    }

    #[test]
    fn interleaved_streams() {
        let file = [
            line("stdout", "P", "long "),
            line("stderr", "F", "Error: boom"),
            line("stdout", "F", "line"),
            line("stderr", "F", "    at f (x.js:1:2)"),
            line("stdout", "F", "next"),
        ]
        .concat();
        let (records, end) = read(file.as_bytes(), 0, file.len(), Tail::Lines, 1000);
        let expected = [
            (Stream::Stdout, "long line\n".to_owned(), 0),
            (Stream::Stderr, "Error: boom\n    at f (x.js:1:2)\n".to_owned(), flag::JOINED),
            (Stream::Stdout, "next\n".to_owned(), 0),
        ];
        assert_eq!((records.as_slice(), end), (&expected[..], file.len()));
        // The trace may go on: nothing from its first line on, and so nothing that encloses it, is given away.
        assert_eq!(read(file.as_bytes(), 0, file.len(), Tail::Hold, 1000), (vec![], 0));
    }

    #[test]
    fn a_quiet_stream_holds_nothing_back() {
        let file =
            "2026-11-23T12:00:00Z stderr F boom\n2026-11-23T12:00:01Z stdout F a\n2026-11-23T12:00:01Z stdout F b\n";
        let (records, _) = read(file.as_bytes(), 0, file.len(), Tail::Hold, 1000);
        assert_eq!(records.len(), 2);
    }

    #[test]
    fn an_unterminated_line_is_continued_as_it_stands() {
        let file = line("stdout", "F", "hello");
        let (first, position) = read(file.as_bytes(), 0, 33, Tail::All, 1000);
        assert_eq!(first, [(Stream::Unframed, file[..33].to_owned(), flag::UNTERMINATED)]);
        let (rest, _) = read(file.as_bytes(), position, file.len(), Tail::Hold, 1000);
        assert_eq!(rest, []);
        let (rest, end) = read(file.as_bytes(), position, file.len(), Tail::Lines, 1000);
        assert_eq!((rest, end), (vec![(Stream::Unframed, file[position..].to_owned(), flag::CONTINUES)], file.len()));
    }

    #[test]
    fn a_line_in_many_parts_is_cut_between_them() {
        let file = [line("stdout", "P", "aaaa"), line("stdout", "P", "bbbb"), line("stdout", "F", "c")].concat();
        let (records, end) = read(file.as_bytes(), 0, file.len(), Tail::Lines, 5);
        let expected = [
            (Stream::Stdout, "aaaa".to_owned(), flag::CUT),
            (Stream::Stdout, "bbbb".to_owned(), flag::CUT | flag::CONTINUES),
            (Stream::Stdout, "c\n".to_owned(), flag::CONTINUES),
        ];
        assert_eq!((records.as_slice(), end), (&expected[..], file.len()));
    }

    #[test]
    fn a_cut_line_is_read_again_as_a_whole() {
        let long = "x".repeat(150);
        let file = [line("stdout", "F", "first"), line("stdout", "F", &long)].concat();
        let (records, end) = read(file.as_bytes(), 0, file.len(), Tail::Hold, 60);
        assert_eq!((records.len(), end), (1, line("stdout", "F", "first").len()), "the last part may go on");
        let (records, end) = read(file.as_bytes(), end, file.len(), Tail::Lines, 60);
        let content: String = records.iter().map(|(_, content, _)| content.as_str()).collect();
        assert_eq!((content, end), (long + "\n", file.len()));
        assert!(records.len() > 1 && records.iter().all(|(stream, ..)| *stream == Stream::Stdout));
    }

    #[test]
    fn holes_are_no_records() {
        let text = "\0\0a\n b\n\0 \n c\n\0\0\0";
        let how = How { framing: Framing::Plain, inside_line: false, take_unterminated: false, line_bytes_max: 100 };
        let (mut unwrapped, mut woven) = (Unwrapped::default(), Woven::default());
        unwrap(text.as_bytes(), how, &mut unwrapped);
        let limits = Limits { record_bytes_max: 100, record_lines_max: 100 };
        let rules = Rules { joining: &Joining::BuiltIn, limits, tail: Tail::All };
        weave(&unwrapped, open_streams(b"", Framing::Plain), &rules, |_| true, &mut woven);
        let lengths: Vec<_> = woven.records.iter().map(|record| record.file_length).collect();
        let skipped: Vec<_> = woven.skipped.iter().map(|skip| (skip.before_record, skip.file_length)).collect();
        assert_eq!((lengths, skipped, woven.consumed), (vec![5, 3], vec![(0, 2), (1, 3), (2, 3)], text.len()));
    }

    proptest! {
        #[test]
        fn every_content_byte_once(
            pieces in proptest::collection::vec((0usize..3, any::<bool>(), prop_oneof![Just("    at x".to_owned()), "[a-z{]{1,30}"]), 0..40),
            cuts in proptest::collection::vec((0usize..3000, prop_oneof![Just(Tail::Hold), Just(Tail::Lines), Just(Tail::All)]), 0..8),
            bytes_max in 40usize..200,
        ) {
            let mut file = String::new();
            let mut expected = [const { String::new() }; 3];
            for (stream, partial, text) in &pieces {
                let end = if *partial { "" } else { "\n" };
                match stream {
                    2 => file.push_str(&format!("{text}\n")),
                    _ => file.push_str(&line(["stdout", "stderr"][*stream], if *partial { "P" } else { "F" }, text)),
                }
                expected[*stream].push_str(&format!("{text}{}", if *stream == 2 { "\n" } else { end }));
            }
            let mut sizes: Vec<_> = cuts.into_iter().map(|(size, tail)| (size.min(file.len()), tail)).collect();
            sizes.sort_by_key(|(size, _)| *size);
            sizes.push((file.len(), Tail::All));
            let mut position = 0;
            let mut contents = [const { String::new() }; 3];
            for (size, tail) in sizes {
                // An unterminated physical line is kept as it stands, so here only whole ones are taken.
                let whole = file[..size].rfind('\n').map_or(0, |feed| feed + 1);
                let (records, end) = read(file.as_bytes(), position, whole.max(position), tail, bytes_max);
                position = end;
                for (stream, text, _) in records {
                    contents[stream as usize].push_str(&text);
                }
            }
            prop_assert_eq!(position, file.len());
            prop_assert_eq!(contents, expected);
        }
    }
}
