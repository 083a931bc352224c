//! Lines to records: stack traces are joined to the line that they belong to, too long lines are cut.
//!
//! Pure, and without memory between calls: what is not consumed is given again with more behind it.
//! **Invariant: the records tile the bytes.** The first begins where the bytes begin, each other one where the one before it
//! ends, and the last ends at what is returned.

use memchr::memchr;

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

/// Hands the records of `bytes` to `sink` and returns how many bytes they cover.
pub fn assemble(bytes: &[u8], before: Before, tail: Tail, limits: Limits, sink: &mut impl Sink) -> usize {
    let mut begin = 0;
    let mut before = before;
    while begin < bytes.len() {
        let Some(line) = line_at(bytes, begin, limits.record_bytes_max) else {
            // The last line has no end yet.
            if tail == Tail::All {
                let flags = flag::UNTERMINATED | continues(before, &bytes[begin..]);
                sink.begin(&bytes[begin..]);
                sink.end(bytes.len() - begin, flags);
                begin = bytes.len();
            }
            return begin;
        };
        let mut flags = continues(before, line.text);
        let joinable = sink.begin(line.text);
        let mut end = line.end;
        if line.cut {
            flags |= flag::CUT;
            before = Before::OpenLine;
        } else if joinable && !line.text.is_empty() {
            let joined = join(bytes, begin, &line, limits, sink);
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

fn continues(before: Before, line: &[u8]) -> u8 {
    match before {
        Before::OpenLine => flag::CONTINUES,
        Before::Text if is_continuation(line) => flag::CONTINUES,
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

/// Where a Python traceback is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Traceback {
    Outside,
    Inside,
    /// Behind its last line: another one may be chained to it.
    Behind,
}

/// Joins the lines behind `first` that belong to it.
fn join(bytes: &[u8], begin: usize, first: &Line<'_>, limits: Limits, sink: &mut impl Sink) -> Joined {
    let mut joined = Joined { end: first.end, lines: 1, open: true, cut: false };
    let mut traceback = after_header(first.text, Traceback::Outside);
    while let Some(line) = line_at(bytes, joined.end, limits.record_bytes_max) {
        let Some((length, next)) = belongs(bytes, joined.end, &line, traceback, limits) else {
            joined.open = false;
            return joined;
        };
        let Some(end) = length else {
            // Only what follows can tell.
            return joined;
        };
        if line.cut || end - begin > limits.record_bytes_max || joined.lines >= limits.record_lines_max {
            joined.open = false;
            joined.cut = true;
            return joined;
        }
        for text in bytes[joined.end..end].split_inclusive(|byte| *byte == b'\n') {
            sink.join(text.strip_suffix(b"\n").unwrap_or(text));
            joined.lines += 1;
        }
        joined.end = end;
        traceback = next;
    }
    // An unterminated line that does not look like a continuation ends the record; the file's end leaves it open.
    let rest = &bytes[joined.end..];
    if !rest.is_empty() && traceback == Traceback::Outside && !may_become_continuation(rest) {
        joined.open = false;
    }
    joined
}

/// Whether `line` belongs to the record before it. Gives where what belongs to it ends, or no end when that is not to be told yet.
fn belongs(
    bytes: &[u8],
    at: usize,
    line: &Line<'_>,
    traceback: Traceback,
    limits: Limits,
) -> Option<(Option<usize>, Traceback)> {
    let text = line.text.strip_suffix(b"\r").unwrap_or(line.text);
    match traceback {
        Traceback::Inside if text.is_empty() => return Some((Some(line.end), Traceback::Inside)),
        Traceback::Inside if !text[0].is_ascii_whitespace() => {
            return is_exception(text).then_some((Some(line.end), Traceback::Behind));
        }
        Traceback::Behind if text.is_empty() => {
            // A blank line belongs to it only if another traceback is announced behind it.
            let Some(next) = line_at(bytes, line.end, limits.record_bytes_max) else {
                let rest = &bytes[line.end..];
                let may_chain = CHAINS.iter().any(|chain| chain.starts_with(&rest[..rest.len().min(chain.len())]));
                return may_chain.then_some((None, traceback));
            };
            return is_chain(next.text).then_some((Some(next.end), Traceback::Outside));
        }
        _ => {}
    }
    if text.is_empty() {
        // Between the announcement of a chained traceback and its header.
        if chain_precedes(bytes, at) {
            return Some((Some(line.end), traceback));
        }
        // Spring Boot puts a blank line between a message and its exception.
        let Some(next) = line_at(bytes, line.end, limits.record_bytes_max) else {
            let name = bytes[line.end..].iter().all(|byte| byte.is_ascii_alphanumeric() || b"._$\r".contains(byte));
            return name.then_some((None, traceback));
        };
        return is_java_throwable(next.text).then_some((Some(next.end), traceback));
    }
    is_continuation(text).then(|| (Some(line.end), after_header(text, traceback)))
}

fn after_header(line: &[u8], traceback: Traceback) -> Traceback {
    if memchr::memmem::find(line, TRACEBACK).is_some() { Traceback::Inside } else { traceback }
}

const TRACEBACK: &[u8] = b"Traceback (most recent call last):";
const CHAINS: [&[u8]; 2] =
    [b"During handling of the above exception, another", b"The above exception was the direct cause of the following"];
const STARTS: [&[u8]; 4] = [b"Caused by: ", b"Suppressed: ", TRACEBACK, b"... "];

fn is_chain(line: &[u8]) -> bool {
    CHAINS.iter().any(|chain| line.starts_with(chain))
}

/// Whether the line that ends just before `at` announces a chained traceback.
fn chain_precedes(bytes: &[u8], at: usize) -> bool {
    let before = bytes[..at].strip_suffix(b"\n").unwrap_or(&bytes[..at]);
    let begin = memchr::memrchr(b'\n', before).map_or(0, |feed| feed + 1);
    is_chain(&before[begin..])
}

/// Whether a line looks like the rest of a record, whichever record that is.
fn is_continuation(line: &[u8]) -> bool {
    match line.first() {
        Some(b' ' | b'\t') => true,
        Some(b'C' | b'S' | b'T') if STARTS.iter().any(|start| line.starts_with(start)) => true,
        Some(b'.') => line.starts_with(b"... ") && line.trim_ascii_end().ends_with(b" more"),
        Some(b'a'..=b'z') => is_java_throwable(line),
        _ => false,
    }
}

/// Whether the beginning of a line may turn out to be one that [`is_continuation`].
fn may_become_continuation(part: &[u8]) -> bool {
    is_continuation(part)
        || STARTS.iter().any(|start| start.starts_with(part) || part.starts_with(start))
        || part.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$' | b'\r'))
}

/// `ValueError: bad`, `package.SomeError`, `KeyboardInterrupt`: the last line of a Python traceback.
fn is_exception(line: &[u8]) -> bool {
    let name = &line[..memchr(b':', line).unwrap_or(line.len())];
    !name.is_empty()
        && !name[0].is_ascii_digit()
        && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.'))
}

/// `java.lang.IllegalStateException: boom`, which Java's loggers put at the start of a line of its own.
fn is_java_throwable(line: &[u8]) -> bool {
    let end = line
        .iter()
        .position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'$')))
        .unwrap_or(line.len());
    let name = &line[..end];
    matches!(line.get(end), None | Some(b':' | b'\r'))
        && name.contains(&b'.')
        && [&b"Exception"[..], b"Error", b"Throwable"].iter().any(|word| name.ends_with(word))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Records {
        records: Vec<(usize, u8)>,
        begun: usize,
        joined: usize,
    }

    impl Sink for Records {
        fn begin(&mut self, line: &[u8]) -> bool {
            self.begun += 1;
            self.joined = line.len();
            line.first() != Some(&b'{')
        }
        fn join(&mut self, line: &[u8]) {
            self.joined += line.len() + 1;
        }
        fn end(&mut self, length: usize, flags: u8) -> bool {
            self.records.push((length, flags));
            true
        }
    }

    const LIMITS: Limits = Limits { record_bytes_max: 1000, record_lines_max: 1000 };

    fn records(text: &str, before: Before, tail: Tail, limits: Limits) -> (Vec<(String, u8)>, usize) {
        let mut sink = Records::default();
        let consumed = assemble(text.as_bytes(), before, tail, limits, &mut sink);
        let mut at = 0;
        let records = sink
            .records
            .iter()
            .map(|(length, flags)| {
                at += length;
                (text[at - length..at].to_owned(), *flags)
            })
            .collect();
        (records, consumed)
    }

    fn texts(text: &str) -> Vec<String> {
        records(text, Before::Nothing, Tail::All, LIMITS).0.into_iter().map(|(text, _)| text).collect()
    }

    #[test]
    fn java_stack_traces() {
        let error = "12:00 ERROR failed\njava.lang.IllegalStateException: boom\n\tat a.B.c(B.java:1)\n\t... 3 more\nCaused by: x.Y: z\n\tat d\n... 12 more\n";
        assert_eq!(texts(&format!("12:00 INFO a\n{error}12:01 INFO b\n")), ["12:00 INFO a\n", error, "12:01 INFO b\n"]);
    }

    #[test]
    fn a_blank_line_before_an_exception_belongs_to_it() {
        let error = "12:00 ERROR failed\n\njava.lang.IllegalStateException: boom\n\tat a.B.c(B.java:1)\n";
        assert_eq!(texts(&format!("{error}\n12:01 INFO b\n")), [error, "\n", "12:01 INFO b\n"]);
        // Whether it does is known only when the next line is whole.
        assert_eq!(records("12:00 ERROR failed\n\njava.la", Before::Nothing, Tail::Hold, LIMITS).1, 0);
        assert_eq!(records("12:00 ERROR failed\n\n12:01 I", Before::Nothing, Tail::Hold, LIMITS).1, 20);
    }

    #[test]
    fn python_tracebacks() {
        let one = "Traceback (most recent call last):\n  File \"x.py\", line 1, in f\n    g()\nValueError: bad\n";
        let chained = format!("{one}\nDuring handling of the above exception, another exception occurred:\n\n{one}");
        for trace in [one, &chained] {
            let error = format!("12:00 ERROR failed\n{trace}");
            assert_eq!(texts(&format!("{error}12:01 INFO b\n")), [&error, "12:01 INFO b\n"]);
            assert_eq!(texts(&format!("{error}\n12:01 INFO b\n")), [&error, "\n", "12:01 INFO b\n"]);
            assert_eq!(texts(trace), [trace]);
        }
        // A traceback that another record interrupts ends there.
        let cut = "Traceback (most recent call last):\n  File\n";
        assert_eq!(texts(&format!("{cut}2026-11-23 12:01 INFO b\n")), [cut, "2026-11-23 12:01 INFO b\n"]);
    }

    #[test]
    fn json_and_blank_lines_stand_alone() {
        assert_eq!(texts("{\"a\":1}\n  indented\n\n\nb\n"), ["{\"a\":1}\n", "  indented\n", "\n", "\n", "b\n"]);
        assert_eq!(texts("a\r\n b\r\n\r\n"), ["a\r\n b\r\n", "\r\n"]);
    }

    #[test]
    fn the_last_text_record_is_held() {
        let hold = |text| records(text, Before::Nothing, Tail::Hold, LIMITS);
        assert_eq!(hold("a\nb\n"), (vec![("a\n".into(), 0)], 2));
        assert_eq!(hold("{}\n"), (vec![("{}\n".into(), 0)], 3));
        assert_eq!(hold("a\n b").1, 0);
        assert_eq!(hold("a\n2026-11").1, 2);
        assert_eq!(records("a\nb", Before::Nothing, Tail::Lines, LIMITS).1, 2);
        assert_eq!(records("a\nb", Before::Nothing, Tail::All, LIMITS).0[1], ("b".into(), flag::UNTERMINATED));
    }

    #[test]
    fn what_was_shipped_is_continued() {
        let continued = |before| records(" at x\nb\n", before, Tail::All, LIMITS).0;
        assert_eq!(continued(Before::Text)[0], (" at x\n".into(), flag::CONTINUES));
        assert_eq!(continued(Before::Nothing)[0].1, 0);
        assert_eq!(records("rest\nb\n", Before::OpenLine, Tail::All, LIMITS).0[0].1, flag::CONTINUES);
    }

    #[test]
    fn long_lines_and_long_traces_are_cut() {
        let limits = Limits { record_bytes_max: 4, record_lines_max: 2 };
        let (found, consumed) = records("{234567890\n{b\n", Before::Nothing, Tail::All, limits);
        assert_eq!(consumed, 14);
        assert_eq!(found[0], ("{234".into(), flag::CUT));
        assert_eq!(found[1], ("5678".into(), flag::CUT | flag::CONTINUES));
        assert_eq!(found[2], ("90\n".into(), flag::CONTINUES));
        assert_eq!(found[3], ("{b\n".into(), 0));
        let (found, _) = records(
            "a\n b\n c\nd\n",
            Before::Nothing,
            Tail::All,
            Limits { record_bytes_max: 100, record_lines_max: 2 },
        );
        assert_eq!(found[0], ("a\n b\n".into(), flag::JOINED | flag::CUT));
        assert_eq!(found[1], (" c\n".into(), flag::CONTINUES));
    }

    fn text() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => Just("line".to_owned()),
            3 => Just("\n".to_owned()),
            1 => Just("\r\n".to_owned()),
            1 => Just(" at x\n".to_owned()),
            1 => Just("{\"a\":1}\n".to_owned()),
            1 => Just("Traceback (most recent call last):\n".to_owned()),
            1 => Just("ValueError: x\n".to_owned()),
            1 => Just("\nDuring handling of the above exception, another exception occurred:\n\n".to_owned()),
            1 => Just("Caused by: y\n".to_owned()),
            1 => "[a-z ]{0,60}",
        ];
        proptest::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat().into_bytes())
    }

    fn tails() -> impl Strategy<Value = Tail> {
        prop_oneof![Just(Tail::Hold), Just(Tail::Lines), Just(Tail::All)]
    }

    proptest! {
        #[test]
        fn records_tile_the_bytes(text in text(), tail in tails(), bytes_max in 1usize..200, lines_max in 1usize..10) {
            let limits = Limits { record_bytes_max: bytes_max, record_lines_max: lines_max };
            let mut sink = Records::default();
            let consumed = assemble(&text, Before::Nothing, tail, limits, &mut sink);
            prop_assert_eq!(sink.records.iter().map(|(length, _)| length).sum::<usize>(), consumed);
            prop_assert!(sink.records.iter().all(|(length, _)| *length > 0 && *length <= bytes_max.max(1)));
            prop_assert!(consumed <= text.len());
            if tail == Tail::All {
                prop_assert_eq!(consumed, text.len());
            }
            // What is left is at most one record, or a line without its end.
            if tail == Tail::Lines {
                prop_assert!(!text[consumed..].contains(&b'\n') || text.len() - consumed > bytes_max);
            }
        }

        /// However the file grows and whatever is held back: every byte is in one record.
        #[test]
        fn records_tile_a_growing_file(text in text(), cuts in proptest::collection::vec((0usize..400, tails()), 0..12), bytes_max in 1usize..200) {
            let limits = Limits { record_bytes_max: bytes_max, record_lines_max: 5 };
            let mut sizes: Vec<(usize, Tail)> = cuts.into_iter().map(|(size, tail)| (size.min(text.len()), tail)).collect();
            sizes.sort_by_key(|(size, _)| *size);
            sizes.push((text.len(), Tail::All));
            let mut sink = Records::default();
            let mut position = 0;
            for (size, tail) in sizes {
                let before = if position == 0 { Before::Nothing } else if text[position - 1] == b'\n' { Before::Text } else { Before::OpenLine };
                position += assemble(&text[position..size], before, tail, limits, &mut sink);
            }
            prop_assert_eq!(position, text.len());
            prop_assert_eq!(sink.records.iter().map(|(length, _)| length).sum::<usize>(), text.len());
        }
    }
}
