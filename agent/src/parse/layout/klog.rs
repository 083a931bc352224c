//! `I1125 12:00:00.123456    1 file.go:12] message`: Kubernetes' klog and Google's glog, which has the year, too, when it is new.

use super::{Found, Source, number};
use crate::parse::{severity, time};

/// Reads `line`.
pub fn read(line: &[u8], source: Source<'_>) -> Option<Found> {
    if !matches!(line.first()?, b'I' | b'W' | b'E' | b'F' | b'D') || !line.get(1)?.is_ascii_digit() {
        return None;
    }
    let severity = severity::of_letter(&line[..1])?;
    let (date, at) = number(line, 1)?;
    if line.get(at) != Some(&b' ') {
        return None;
    }
    let (of_day, end) = time::time_of_day(line, at + 1)?;
    // A point and six digits, always.
    if end != at + 16 || line.get(end) != Some(&b' ') {
        return None;
    }
    let (month, day) = (date / 100 % 100, date % 100);
    let zone = &source.reading.zone;
    let time_ns = match at {
        5 => time::nearest_year(month, day, of_day, zone, source.reference_ns),
        9 => zone.instant_ns(time::days(date / 10_000, month, day)? * time::DAY_NS + of_day),
        _ => return None,
    };
    Some(Found { time_ns, severity, layout: "klog" })
}
