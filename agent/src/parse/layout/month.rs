//! Dates with the English name of a month, at the start of a line: `25 Nov 2026 12:00:00,123` (log4j, Redis),
//! `[25-Nov-2026 12:00:00 UTC]` (PHP), `[Wed Nov 25 12:00:00.123456 2026]` (Apache's errors, ctime), `Nov 25, 2026 12:00:00 PM`
//! (Java), `Wed, 25 Nov 2026 12:00:00 GMT` (RFC 2822).

use super::{Found, Source, number, severity_around};
use crate::parse::severity;
use crate::parse::time::{self, Stamp};
use crate::parse::zone::{self, Zone};
use crate::record::Severity;

/// Reads `line`.
pub fn read(line: &[u8], source: Source<'_>) -> Option<Found> {
    let bracket = usize::from(line.first()? == &b'[');
    match line.get(bracket)? {
        b'0'..=b'9' if bracket == 0 => redis(line, source).or_else(|| {
            let stamp = day_first(line, 0, b' ')?;
            Some(generic(line, stamp, "log4j", source))
        }),
        b'0'..=b'9' => old_redis(line, source).or_else(|| php(line, source)).or_else(|| {
            let stamp = day_first(line, 1, b' ')?;
            Some(generic(line, stamp, "log4j", source))
        }),
        b'A'..=b'Z' => weekday_first(line, bracket, source).or_else(|| java(line, source)),
        _ => None,
    }
}

fn generic(line: &[u8], stamp: Stamp, layout: &'static str, source: Source<'_>) -> Found {
    Found { time_ns: source.instant_ns(stamp), severity: severity_around(line, 0, stamp.end), layout }
}

/// `25 Nov 2026 12:00:00,123 +0100`.
fn day_first(text: &[u8], at: usize, separator: u8) -> Option<Stamp> {
    let (day, at) = number(text, at)?;
    let month = time::month(text.get(at + 1..at + 4)?)?;
    let (year, end) = number(text, at + 5)?;
    if text[at] != separator || text[at + 4] != separator || end != at + 9 || text.get(end) != Some(&b' ') {
        return None;
    }
    let (of_day, end) = time::time_of_day(text, end + 1)?;
    let (offset_seconds, end) = time::zone_seconds(text, end);
    Some(Stamp { clock_ns: time::days(year, month, day)? * time::DAY_NS + of_day, offset_seconds, end })
}

/// `1:M 25 Nov 2026 12:00:00.123 * message`.
fn redis(line: &[u8], source: Source<'_>) -> Option<Found> {
    let (_, at) = number(line, 0)?;
    if line.get(at) != Some(&b':') || !matches!(line.get(at + 1)?, b'M' | b'S' | b'C' | b'X') {
        return None;
    }
    let stamp = day_first(line, at + 3, b' ')?;
    let severity = redis_level(line, stamp.end)?;
    Some(Found { time_ns: source.instant_ns(stamp), severity, layout: "redis" })
}

/// `[1] 25 Nov 12:00:00.123 * message`, before Redis 3.
fn old_redis(line: &[u8], source: Source<'_>) -> Option<Found> {
    let (_, at) = number(line, 1)?;
    let (day, at) = line.get(at..at + 2).filter(|end| *end == b"] ").and_then(|_| number(line, at + 2))?;
    let month = time::month(line.get(at + 1..at + 4)?)?;
    let (of_day, end) = time::time_of_day(line, at + 5)?;
    let severity = redis_level(line, end)?;
    let time_ns = time::nearest_year(month, day, of_day, &source.reading.zone, source.reference_ns);
    Some(Found { time_ns, severity, layout: "redis" })
}

fn redis_level(line: &[u8], at: usize) -> Option<Severity> {
    match line.get(at..at + 3)? {
        b" . " => Some(Severity::Debug),
        b" - " => Some(Severity::Info),
        b" * " => Some(Severity::Notice),
        b" # " => Some(Severity::Warn),
        _ => None,
    }
}

/// `[25-Nov-2026 12:00:00 UTC] PHP Fatal error:  message`, also with the name of a zone.
fn php(line: &[u8], source: Source<'_>) -> Option<Found> {
    let stamp = day_first(line, 1, b'-')?;
    let close = stamp.end + memchr::memchr(b']', line.get(stamp.end..line.len().min(stamp.end + 40))?)?;
    let name = line[stamp.end..close].trim_ascii();
    let offset_seconds = if name.is_empty() { stamp.offset_seconds } else { zone::abbreviation(name) };
    // The name of another zone cannot be looked up here. A source whose zone was set is trusted to be in it.
    let known = offset_seconds.is_some() || name.is_empty() || !matches!(source.reading.zone, Zone::Utc);
    let time_ns = if known { source.instant_ns(Stamp { offset_seconds, ..stamp }) } else { None };
    let message = line[close + 1..].trim_ascii_start();
    let level = message.strip_prefix(b"PHP ").unwrap_or(message);
    let severity = [
        (&b"Fatal error"[..], Severity::Fatal),
        (b"Parse error", Severity::Fatal),
        (b"Recoverable fatal error", Severity::Error),
        (b"Warning", Severity::Warn),
        (b"Notice", Severity::Notice),
        (b"Deprecated", Severity::Notice),
    ]
    .iter()
    .find(|(name, _)| level.strip_prefix(*name).is_some_and(|rest| rest.first() == Some(&b':')))
    .map_or_else(|| severity::in_text(line, close + 1), |(_, severity)| *severity);
    Some(Found { time_ns, severity, layout: "php" })
}

/// `Wed Nov 25 12:00:00.123456 2026` and `Wed, 25 Nov 2026 12:00:00 GMT`.
fn weekday_first(line: &[u8], at: usize, source: Source<'_>) -> Option<Found> {
    if ![b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun"].iter().any(|day| line[at..].starts_with(*day)) {
        return None;
    }
    if line.get(at + 3..at + 5)? == b", " {
        let stamp = day_first(line, at + 5, b' ')?;
        return Some(generic(line, zoned(line, stamp), "rfc2822", source));
    }
    let month = time::month(line.get(at + 4..at + 7)?)?;
    let (day, end) = number(line, if line.get(at + 8)? == &b' ' { at + 9 } else { at + 8 })?;
    let (of_day, end) = time::time_of_day(line, end + 1)?;
    let stamp = zoned(line, Stamp { clock_ns: 0, offset_seconds: None, end });
    let (year, end) = number(line, stamp.end + 1).filter(|(_, end)| *end == stamp.end + 5)?;
    let stamp = Stamp { clock_ns: time::days(year, month, day)? * time::DAY_NS + of_day, end, ..stamp };
    match line.get(end..end + 3) {
        Some(b"] [") if at == 1 => {
            let level = line[end + 3..].split(|byte| *byte == b']').next()?;
            let level = level.rsplit(|byte| *byte == b':').next()?;
            let severity = if level.starts_with(b"trace") {
                Severity::Trace
            } else {
                severity::of_word(level).unwrap_or_default()
            };
            Some(Found { time_ns: source.instant_ns(stamp), severity, layout: "apache-error" })
        }
        _ => Some(generic(line, stamp, "ctime", source)),
    }
}

/// With the abbreviation of a zone behind it, if that is a known one.
fn zoned(line: &[u8], stamp: Stamp) -> Stamp {
    let name = line.get(stamp.end + 1..).unwrap_or_default();
    let length = name.iter().take_while(|byte| byte.is_ascii_uppercase()).count();
    match zone::abbreviation(&name[..length]) {
        Some(offset) => Stamp { offset_seconds: Some(offset), end: stamp.end + 1 + length, ..stamp },
        None => stamp,
    }
}

/// `Nov 25, 2026 12:00:00 PM class method`, as `java.util.logging` writes it; its severity is on the next line.
fn java(line: &[u8], source: Source<'_>) -> Option<Found> {
    let month = time::month(line.get(..3)?)?;
    let (day, at) = number(line, 4)?;
    let (year, end) = line.get(at..at + 2).filter(|comma| *comma == b", ").and_then(|_| number(line, at + 2))?;
    // The hour has one digit or two.
    let (hour, colon) = number(line, end + 1)?;
    let minutes = line.get(colon..colon + 6)?;
    let (minute, _) = number(&minutes[..3], 1)?;
    let (second, _) = number(minutes, 4)?;
    // Since JDK 20 a narrow no-break space stands before the half of the day.
    let half = line.get(colon + 6..)?;
    let half = half.strip_prefix(b" ").or_else(|| half.strip_prefix("\u{202f}".as_bytes()))?;
    let afternoon = if half.starts_with(b"PM ") { 12 } else { 0 };
    let is_whole = minutes[0] == b':' && minutes[3] == b':' && (half.starts_with(b"AM ") || afternoon > 0);
    if !is_whole || !(1..=12).contains(&hour) || line[3] != b' ' {
        return None;
    }
    let of_day = time::clock(hour % 12 + afternoon, minute, second)? * time::NS;
    let time_ns = source.reading.zone.instant_ns(time::days(year, month, day)? * time::DAY_NS + of_day);
    Some(Found { time_ns, severity: severity::in_text(half, 3), layout: "java" })
}
