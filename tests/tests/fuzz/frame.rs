//! What containers put around lines, encodings, holes: bytes of a file to records that tile them.

use clew_agent::assemble::joining::Joining;
use clew_agent::assemble::{Limits, Tail};
use clew_agent::frame::encoding::{self, Encoding, transcode};
use clew_agent::frame::nuls;
use clew_agent::frame::open::open_streams;
use clew_agent::frame::unwrap::{How, Lines, Unwrapped, unwrap};
use clew_agent::frame::weave::{Rules, Woven, weave};
use clew_agent::frame::{Framing, detect};

use crate::driver::Fuzz;
use crate::seeds;

/// Nothing is cut at it.
const NO_LIMIT: usize = 1 << 20;

const CRI: &[&str] = &[
    "2026-11-23T12:00:00.000000001Z stdout F ",
    "2026-11-23T12:00:09Z stderr P ",
    "2026-11-23T12:00:00.5+01:00 stdout P:x ",
    " stderr F\n",
    "Traceback (most recent call last):\n",
    "    at f (x.js:1:2)\n",
    "\0\0\0",
    "\r\n",
    "{\"a\":1}",
];
const DOCKER: &[&str] = &[
    r#"{"log":"a\n","stream":"stdout","time":"2026-11-23T12:00:00.1Z"}"#,
    r#"{"log":"part","stream":"stderr","time":"2026-11-23T12:00:09Z"}"#,
    r#","attrs":{"tag":"}\"","n":[1,2]}"#,
    r"\ud83d\ude00",
    r"\udc00",
    r"\u000a",
    r"\\n",
    r#"\""#,
    "\n",
    "\0\0",
    "    at f (x.js:1:2)\\n",
];

#[test]
fn cri() {
    let seeds = seeds::golden("records").into_iter().chain([CRI.concat().into_bytes()]);
    Fuzz::new("cri", 1200).seeds(seeds).tokens(CRI).run(|file| streams(file, Framing::Cri));
}

#[test]
fn docker() {
    let seeds = seeds::golden("records").into_iter().chain([DOCKER.join("\n").into_bytes()]);
    Fuzz::new("docker", 1200).seeds(seeds).tokens(DOCKER).run(|file| streams(file, Framing::Docker));
}

/// Without framing, holes are all that there is.
#[test]
fn holes() {
    let seeds = seeds::golden("records").into_iter().chain([b"\0\0a\n b\n\0 \n c\n\0\0\0".to_vec()]);
    Fuzz::new("holes", 1500).seeds(seeds).tokens(&["\0", "\0\0\0\0", " \t", "\n", "  at x"]).run(|file| {
        let skipped = nuls::skip(file);
        let is_blank = |byte: &u8| *byte == 0 || byte.is_ascii_whitespace();
        assert!(file[..skipped].iter().all(is_blank), "only holes and blanks are skipped");
        assert!(skipped == 0 || file[..skipped].contains(&0), "without a hole nothing is");
        (skipped.min(3), streams(file, Framing::Plain))
    });
}

#[derive(Hash)]
struct Answer {
    detected: u8,
    records: usize,
    skipped: usize,
    streams: [bool; 3],
    flags: u8,
}

/// Reads a file at once and in pieces: either way records and holes tile it, and every stream has the same content.
fn streams(file: &[u8], framing: Framing) -> Answer {
    let whole = read(file, 0..file.len(), framing, Tail::All, NO_LIMIT);
    assert_eq!(whole.end, file.len(), "all is taken when there will be no more");

    for (step, bytes_max) in [(1, NO_LIMIT), (2, NO_LIMIT), (7, NO_LIMIT), (2, 64)] {
        let feeds: Vec<usize> = memchr::memchr_iter(b'\n', file).map(|feed| feed + 1).collect();
        let (mut position, mut contents) = (0, [const { Vec::new() }; 3]);
        let mut reads = feeds.iter().skip(step - 1).step_by(step).map(|end| (*end, Tail::Hold)).collect::<Vec<_>>();
        reads.push((file.len(), Tail::All));
        for (end, tail) in reads {
            let part = read(file, position..end.max(position), framing, tail, bytes_max);
            position = part.end;
            for (content, more) in contents.iter_mut().zip(part.contents) {
                content.extend(more);
            }
        }
        assert_eq!(position, file.len());
        let text = |contents: &[Vec<u8>; 3]| contents.each_ref().map(|content| content.escape_ascii().to_string());
        assert_eq!(
            text(&contents),
            text(&whole.contents),
            "content by stream, {step} lines at a time, cut at {bytes_max}"
        );
    }

    // With small limits lines are cut anywhere; they tile nevertheless.
    let cut = read(file, 0..file.len(), framing, Tail::All, 64);
    assert_eq!(cut.end, file.len());
    read(file, 0..file.len(), framing, Tail::Hold, 64);
    read(file, 0..file.len(), framing, Tail::Lines, 100);
    Answer {
        detected: detect(file).map_or(0, |framing| framing as u8 + 1),
        records: whole.records.min(8),
        skipped: whole.skipped.min(3),
        streams: whole.contents.each_ref().map(|content| !content.is_empty()),
        flags: whole.flags,
    }
}

struct Read {
    end: usize,
    records: usize,
    skipped: usize,
    flags: u8,
    contents: [Vec<u8>; 3],
}

fn read(file: &[u8], range: std::ops::Range<usize>, framing: Framing, tail: Tail, bytes_max: usize) -> Read {
    let open = open_streams(&file[..range.start], framing);
    let how =
        How { framing, inside_line: open.inside_line, take_unterminated: tail == Tail::All, line_bytes_max: bytes_max };
    let (mut unwrapped, mut woven) = (Unwrapped::default(), Woven::default());
    let bytes = &file[range.clone()];
    unwrap(bytes, how, &mut unwrapped);
    pieces_tile(&unwrapped);
    let limits =
        Limits { record_bytes_max: bytes_max, record_lines_max: if bytes_max == NO_LIMIT { 10_000 } else { 3 } };
    let rules = Rules { joining: &Joining::BuiltIn, limits, tail };
    weave(&unwrapped, open, &rules, |line| line.first() != Some(&b'{'), &mut woven);

    let (mut at, mut skips) = (0, woven.skipped.iter().peekable());
    let mut contents = [const { Vec::new() }; 3];
    let mut flags = 0;
    for (number, record) in woven.records.iter().enumerate() {
        while let Some(skip) = skips.next_if(|skip| skip.before_record == number) {
            assert!(skip.file_length > 0);
            at += skip.file_length;
        }
        assert_eq!(record.file_begin, at, "record {number} begins where the one before it ends");
        assert!(record.file_length > 0 && !record.content.is_empty());
        at += record.file_length;
        contents[record.stream as usize].extend_from_slice(&woven.content[record.content.clone()]);
        flags |= record.flags;
    }
    at += skips.map(|skip| skip.file_length).sum::<usize>();
    assert_eq!(at, woven.consumed, "records and holes tile what is consumed");
    assert!(woven.consumed <= bytes.len());
    Read {
        end: range.start + woven.consumed,
        records: woven.records.len(),
        skipped: woven.skipped.len(),
        flags,
        contents,
    }
}

/// Every physical line is one piece of one stream, or is skipped.
fn pieces_tile(unwrapped: &Unwrapped) {
    let pieces = unwrapped.streams.iter().flat_map(|lines| &lines.pieces).map(|piece| piece.file_begin..piece.file_end);
    let mut ranges: Vec<_> = pieces.chain(unwrapped.skipped.iter().cloned()).collect();
    ranges.sort_by_key(|range| range.start);
    let mut at = 0;
    for range in ranges {
        assert!(range.start == at && range.end > at, "a piece at {range:?} behind {at}");
        at = range.end;
    }
    assert_eq!(at, unwrapped.file_end);
    unwrapped.streams.iter().for_each(positions_rise);
}

fn positions_rise(lines: &Lines) {
    let (mut last, mut piece) = (0, 0);
    for at in 0..lines.content.len() {
        piece = lines.piece_from(piece, at);
        assert!(
            std::ptr::eq(lines.piece_at(at), &raw const lines.pieces[piece]),
            "both searches find the byte's piece"
        );
        let position = lines.file_position(piece, at);
        assert!(position >= last, "the byte at {at} stands before the one in front of it");
        last = position;
    }
}

const LABELS: [&str; 8] =
    ["utf-8", "utf-16le", "utf-16be", "latin1", "shift_jis", "gb18030", "iso-2022-jp", "windows-1252"];

#[test]
fn encodings() {
    let text = "\u{feff}a\u{0a0a}\u{0100}\u{0a00}\nzweite Zeile \u{e9}\u{1f600}\r\nソ\n";
    let seeds = (0..LABELS.len() as u8).flat_map(|label| {
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        [little, big, text.as_bytes().to_vec(), b"\x83\x5c\n\xe9\n\x1b$B%=\x1b(B\n".to_vec()]
            .map(|bytes| [vec![label], bytes].concat())
    });
    let tokens = &["\n\0", "\0\n", "\u{feff}", "\n", "\r\n", "\u{1b}$B", "\0"];
    Fuzz::new("encodings", 8000).seeds(seeds).tokens(tokens).run(|input| {
        let (label, file) = input.split_first().unwrap_or((&0, &[]));
        let encoding = Encoding::new(LABELS[*label as usize % LABELS.len()]).expect("a label of the standard");
        assert!(Encoding::sniff(file).is_none_or(|(_, length)| (2..=3).contains(&length)));
        let (whole, end) = transcoded(file, 0, file.len(), encoding, true);
        assert_eq!(end, file.len());
        // A unit of UTF-16 counts from the file's beginning, so what was read before does not matter.
        let (mut position, mut content) = (0, Vec::new());
        for end in (0..file.len()).step_by(5) {
            let (more, reached) = transcoded(file, position, end.max(position), encoding, false);
            content.extend(more);
            position = reached;
        }
        let (rest, end) = transcoded(file, position, file.len(), encoding, true);
        content.extend(rest);
        assert_eq!((content.escape_ascii().to_string(), end), (whole.escape_ascii().to_string(), file.len()));
        (label % LABELS.len() as u8, whole.is_ascii(), std::str::from_utf8(&whole).is_ok(), whole.len() > file.len())
    });
}

/// The content of `file[position..end]`, and up to where it was taken.
fn transcoded(file: &[u8], position: usize, end: usize, encoding: Encoding, all: bool) -> (Vec<u8>, usize) {
    let how = encoding::How { encoding, position: position as u64, take_unterminated: all, line_bytes_max: NO_LIMIT };
    let mut unwrapped = Unwrapped::default();
    transcode(&file[position..end], how, &mut unwrapped);
    pieces_tile(&unwrapped);
    let [stdout, stderr, unframed] = unwrapped.streams;
    assert!(stderr.pieces.is_empty() && unframed.pieces.is_empty(), "there is one stream");
    (stdout.content, position + unwrapped.file_end)
}
