//! `12:00:00.123 [main] INFO`: a time of day without a date, which is one only when a severity follows; and seconds since the
//! epoch with their fraction (`1795435200.123 `), at the start of a line.

use super::{Found, Source};
use crate::parse::{severity, time};
use crate::record::Severity;

/// Digits of the seconds since the epoch, from 2001 to 2286.
const EPOCH_DIGITS: usize = 10;

/// Reads `line`.
pub fn read(line: &[u8], source: Source<'_>) -> Option<Found> {
    let at = usize::from(line.first()? == &b'[');
    if !line.get(at)?.is_ascii_digit() {
        return None;
    }
    if line.get(at + EPOCH_DIGITS) == Some(&b'.') {
        return epoch(line, at);
    }
    let (of_day, end) = time::time_of_day(line, at)?;
    if !matches!(line.get(end), Some(b' ' | b']' | b'|' | b'\t')) {
        return None;
    }
    // Without a severity it may as well be a duration.
    let severity = severity::in_text(line, end);
    if severity == Severity::Unknown {
        return None;
    }
    let time_ns = time::nearest_day(of_day, &source.reading.zone, source.reference_ns);
    Some(Found { time_ns, severity, layout: "clock" })
}

fn epoch(line: &[u8], at: usize) -> Option<Found> {
    let rest = &line[at..];
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    // Milliseconds to nanoseconds: shorter fractions are other numbers.
    if !(14..=20).contains(&length) || !matches!(rest.get(length), Some(b' ' | b']' | b'\t')) {
        return None;
    }
    let time = time::epoch(&rest[..length])?;
    Some(Found { time_ns: Some(time), severity: severity::in_text(line, at + length), layout: "epoch" })
}
