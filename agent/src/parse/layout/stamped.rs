//! `2026-11-25 12:00:00`, `2026/11/25 …`, `2026-11-25T…Z`: at the start of a line, perhaps in a bracket, or behind a few words that
//! make no sentence.

use super::{Found, Source, program, severity_around};
use crate::parse::key::{self, Key};
use crate::parse::time::{self, Stamp};
use crate::parse::{severity, zone};

/// A time further right is no time of the record.
const WITHIN: usize = 80;
/// One word before a time is the name of a host or a program; two are a sentence.
const PLAIN_WORDS_MAX: usize = 1;

/// Reads a line that begins with its time.
#[inline]
pub fn read(line: &[u8], source: Source<'_>) -> Option<Found> {
    let begin = match line.first()? {
        b'0'..=b'9' => 0,
        b'[' | b'(' | b'<' | b'"' | b'|' => 1,
        b'D' | b'I' | b'W' | b'E' | b'F' | b'A' if line.get(1..4) == Some(b", [") => {
            let stamp = time::date_time(&line[4..])?;
            let severity = severity::of_letter(&line[..1]).unwrap_or_default();
            return Some(Found { time_ns: source.instant_ns(stamp), severity, layout: "rails" });
        }
        _ => return None,
    };
    let stamp = stamp(line, begin)?;
    let (severity, layout) = program::read(line, begin, stamp, source.reading.format);
    Some(Found { time_ns: source.instant_ns(stamp), severity, layout })
}

/// Reads a line whose time stands behind other words.
pub fn read_behind_words(line: &[u8], source: Source<'_>) -> Option<Found> {
    let window = &line[..line.len().min(WITHIN)];
    let mut before = b' ';
    for (at, byte) in window.iter().enumerate() {
        if matches!(byte, b'1' | b'2')
            && !before.is_ascii_alphanumeric()
            && line.get(at + 4).is_some_and(|byte| matches!(byte, b'-' | b'/'))
            && let Some(stamp) = stamp(line, at)
        {
            if !may_precede(&line[..at]) {
                return None;
            }
            let severity = severity_around(line, at, stamp.end);
            return Some(Found { time_ns: source.instant_ns(stamp), severity, layout: "timestamp" });
        }
        before = *byte;
    }
    None
}

/// A date and time at `at`, with the abbreviation of a zone behind it if that is a known one.
#[inline]
fn stamp(line: &[u8], at: usize) -> Option<Stamp> {
    let stamp = time::date_time(&line[at..])?;
    let end = at + stamp.end;
    // `2026-11-25 12:00:00:01` and `2026-11-25 12:00:001` are something else.
    if line.get(end).is_some_and(u8::is_ascii_digit) {
        return None;
    }
    if stamp.offset_seconds.is_none()
        && line.get(end) == Some(&b' ')
        && line.get(end + 1).is_some_and(u8::is_ascii_uppercase)
    {
        let length = line[end + 1..].iter().take_while(|byte| byte.is_ascii_uppercase()).count();
        if let Some(offset) = zone::abbreviation(&line[end + 1..end + 1 + length]) {
            return Some(Stamp { offset_seconds: Some(offset), end: end + 1 + length, ..stamp });
        }
    }
    Some(Stamp { end, ..stamp })
}

/// Whether what stands before a time leaves it the record's own: brackets, names and severities do, sentences do not.
fn may_precede(prefix: &[u8]) -> bool {
    let is_separator = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'|' | b',' | b';');
    let mut plain = 0;
    for word in prefix.split(is_separator) {
        let is_plain = !word.is_empty()
            && word.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b':' | b'.'))
            && word.iter().any(u8::is_ascii_lowercase)
            && severity::of_word(word).is_none();
        plain += usize::from(is_plain);
        if plain > PLAIN_WORDS_MAX || is_preposition(word) {
            return false;
        }
    }
    // What the time is glued to: nothing, an opening bracket or quote, or the key of a time.
    let glued = prefix.rsplit(is_separator).next().unwrap_or_default();
    match glued.split_last() {
        None => true,
        Some((b'=', key)) => key::meaning(key) == Some(Key::Time),
        Some((last, _)) => matches!(last, b'[' | b'(' | b'<' | b'{' | b'"' | b'\'' | b'#'),
    }
}

fn is_preposition(word: &[u8]) -> bool {
    [&b"at"[..], b"on", b"since", b"until", b"till", b"from", b"to", b"for", b"by", b"before", b"after", b"of", b"in"]
        .iter()
        .any(|known| known.eq_ignore_ascii_case(word))
}
