//! RFC 5424 and RFC 3164, the latter also as files have it, without a priority; and the kernel's ring buffer, whose times count
//! from the boot and are none.

use super::{Found, Source, number};
use crate::parse::{severity, time};
use crate::record::Severity;

/// The highest facility times eight, plus the highest severity.
const PRIORITY_MAX: u32 = 191;

/// Reads `line`.
pub fn read(line: &[u8], source: Source<'_>) -> Option<Found> {
    match line.first()? {
        b'<' => {
            let (priority, at) = number(line, 1).filter(|(priority, _)| *priority <= PRIORITY_MAX)?;
            if line.get(at) != Some(&b'>') {
                return None;
            }
            with_priority(&line[at + 1..], severity::of_priority(priority), source)
        }
        b'A'..=b'Z' => {
            let (time_ns, end) = header(line, source)?;
            Some(Found { time_ns, severity: loud(line, end), layout: "rfc3164" })
        }
        b'[' => ring_buffer(line).map(|()| Found { time_ns: None, severity: Severity::Unknown, layout: "dmesg" }),
        _ => None,
    }
}

fn with_priority(rest: &[u8], severity: Severity, source: Source<'_>) -> Option<Found> {
    if let Some(message) = rest.strip_prefix(b"1 ") {
        if message.starts_with(b"- ") {
            return Some(Found { time_ns: None, severity, layout: "rfc5424" });
        }
        let time_ns = source.instant_ns(time::date_time(message)?);
        return Some(Found { time_ns, severity, layout: "rfc5424" });
    }
    if let Some((time_ns, _)) = header(rest, source) {
        return Some(Found { time_ns, severity, layout: "rfc3164" });
    }
    if let Some(stamp) = time::date_time(rest) {
        return Some(Found { time_ns: source.instant_ns(stamp), severity, layout: "rfc3164" });
    }
    ring_buffer(rest).map(|()| Found { time_ns: None, severity, layout: "dmesg" })
}

/// `Nov 25 11:08:09 host `, `Nov  5 …`, and Cisco's `Nov 25 2026 11:08:09.123`; what follows must be a blank or a colon.
fn header(text: &[u8], source: Source<'_>) -> Option<(Option<i64>, usize)> {
    let month = time::month(text.get(..3)?)?;
    if text.get(3) != Some(&b' ') {
        return None;
    }
    let (day, at) = number(text, if text.get(4) == Some(&b' ') { 5 } else { 4 })?;
    if !(1..=31).contains(&day) || text.get(at) != Some(&b' ') {
        return None;
    }
    let (year, at) = match number(text, at + 1) {
        Some((year, end)) if end == at + 5 && text.get(end) == Some(&b' ') => (Some(year), end),
        _ => (None, at),
    };
    let (of_day, end) = time::time_of_day(text, at + 1)?;
    if !matches!(text.get(end), Some(b' ' | b':')) {
        return None;
    }
    let zone = &source.reading.zone;
    let time_ns = match year {
        Some(year) => zone.instant_ns(time::days(year, month, day)? * time::DAY_NS + of_day),
        None => time::nearest_year(month, day, of_day, zone, source.reference_ns),
    };
    Some((time_ns, end))
}

/// The severity of a message behind a host and a tag, neither of which may be taken for it.
fn loud(line: &[u8], end: usize) -> Severity {
    let message = memchr::memmem::find(&line[end..], b": ").map_or(line.len(), |colon| end + colon + 2);
    severity::in_text(line, message)
}

/// `[   12.345678] `.
fn ring_buffer(text: &[u8]) -> Option<()> {
    let inside = text.strip_prefix(b"[")?.trim_ascii_start();
    let (_, point) = number(inside, 0)?;
    let (_, end) = number(inside, point + 1)?;
    (inside[point] == b'.' && end == point + 7 && inside.get(end..end + 2) == Some(b"] ")).then_some(())
}
