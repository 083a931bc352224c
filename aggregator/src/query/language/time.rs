//! Points in time as people type them, absolute or counted from now.
//!
//! | form | meaning |
//! | --- | --- |
//! | `now` | now |
//! | `-15m`, `now-1h30m`, `now+5m` | so long before or after now; units `ns us ms s m h d w` |
//! | `2026-11-25T10:15:02.5+01:00`, `…Z` | RFC 3339 |
//! | `2026-11-25T10:15:02`, `2026-11-25 10:15` | the same in UTC |
//! | `2026-11-25` | midnight of that day in UTC |
//! | `1795601702`, `1795601702.5` | since 1970 in seconds, or by its size in ms, us or ns |
//!
//! The size of a number says its unit: below 10^11 it counts seconds (until the year 5138), below 10^14 milliseconds, below 10^17
//! microseconds, and nanoseconds above. A day has 24 hours. Times that 64 bits of nanoseconds cannot hold (before 1677, after
//! 2262) become the earliest or the latest that they can.

use jiff::civil::{Date, Time};
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::Offset;

use super::error::excerpt;

/// The forms there are, for a hint.
pub const FORMS: &str = "a time is `now`, `-15m`, `now-1h30m`, `2026-11-25`, `2026-11-25T10:15:02Z`, `2026-11-25T10:15:02+01:00`, \
                         or a number of seconds, ms, us or ns since 1970";

const SECOND_NS: i128 = 1_000_000_000;
/// A number below the first counts units of the second nanoseconds.
const EPOCH_UNITS: [(i128, i128); 4] =
    [(100_000_000_000, SECOND_NS), (100_000_000_000_000, 1_000_000), (100_000_000_000_000_000, 1_000), (i128::MAX, 1)];
/// A number's further digits would only be cut off again: it is beyond 64 bits already.
const NUMBER_MAX: i128 = i64::MAX as i128 * 10;

static PARSER: DateTimeParser = DateTimeParser::new();

/// A point in time; nanoseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Now,
    /// So long before now; below zero it is after now.
    Ago(i64),
    /// Since the epoch.
    At(i64),
}

impl When {
    /// White space around the text makes no difference. The error names the text and the forms there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let trimmed = text.trim();
        relative(trimmed)
            .or_else(|| epoch(trimmed))
            .or_else(|| calendar(trimmed))
            .ok_or_else(|| format!("`{}` is no time: {FORMS}", excerpt(text)))
    }

    /// Nanoseconds since the epoch, when it is `now_ns` now.
    pub fn resolve(self, now_ns: i64) -> i64 {
        match self {
            Self::Now => now_ns,
            Self::Ago(ago) => now_ns.saturating_sub(ago),
            Self::At(at) => at,
        }
    }
}

fn relative(text: &str) -> Option<When> {
    let offset = text.strip_prefix("now").unwrap_or(text);
    if offset.is_empty() && !text.is_empty() {
        return Some(When::Now);
    }
    if let Some(ago) = offset.strip_prefix('-') {
        return Some(When::Ago(saturate(duration(ago)?)));
    }
    let ahead = text.strip_prefix("now+")?;
    Some(When::Ago(saturate(-duration(ahead)?)))
}

/// `1h30m`, `1.5d`: at least one number with its unit; nanoseconds.
pub fn duration(mut text: &str) -> Option<i128> {
    if text.is_empty() {
        return None;
    }
    let mut total = 0i128;
    while !text.is_empty() {
        let length = text.find(|c: char| !c.is_ascii_digit() && c != '.').filter(|length| *length > 0)?;
        let (number, rest) = text.split_at(length);
        let length = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let (unit, rest) = rest.split_at(length);
        total = total.saturating_add(scaled(number, |_| unit_ns(unit))?);
        text = rest;
    }
    Some(total)
}

fn unit_ns(unit: &str) -> Option<i128> {
    Some(match unit {
        "ns" => 1,
        "us" | "µs" | "μs" => 1_000,
        "ms" => 1_000_000,
        "s" => SECOND_NS,
        "m" => 60 * SECOND_NS,
        "h" => 3_600 * SECOND_NS,
        "d" => 86_400 * SECOND_NS,
        "w" => 7 * 86_400 * SECOND_NS,
        _ => return None,
    })
}

fn epoch(text: &str) -> Option<When> {
    let by_size = |number| EPOCH_UNITS.iter().find(|(below, _)| number < *below).map(|(_, unit_ns)| *unit_ns);
    // Programs write large numbers so.
    let plain = text.contains(['e', 'E']).then(|| text.parse::<f64>().ok().filter(|number| number.is_finite()));
    let plain = match plain {
        Some(number) => number?.to_string(),
        None => text.to_owned(),
    };
    Some(When::At(saturate(scaled(&plain, by_size)?)))
}

/// A decimal number in nanoseconds; the unit is asked for with its whole part. What is less than a nanosecond is cut off.
fn scaled(number: &str, unit_ns: impl Fn(i128) -> Option<i128>) -> Option<i128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digit = |sum: i128, digit: u8| sum * 10 + i128::from(digit - b'0');
    let whole = whole.bytes().fold(0, |sum, next| digit(sum, next).min(NUMBER_MAX));
    let unit_ns = unit_ns(whole)?;
    // A week has 15 decimal places in nanoseconds.
    let (mut places, mut scale) = (0, 1);
    for next in fraction.bytes().take(15) {
        places = digit(places, next);
        scale *= 10;
    }
    Some(whole.saturating_mul(unit_ns).saturating_add(places * unit_ns / scale))
}

fn calendar(text: &str) -> Option<When> {
    let pieces = PARSER.parse_pieces(text).ok()?;
    // `[Europe/Berlin]` would depend on the time zones that this machine knows.
    if pieces.time_zone_annotation().is_some() {
        return None;
    }
    let civil = pieces.date().to_datetime(pieces.time().unwrap_or(Time::midnight()));
    let offset = pieces.to_numeric_offset().unwrap_or(Offset::UTC);
    // Not by way of a timestamp: that ends a day before the calendar does.
    let since = civil.duration_since(Date::constant(1970, 1, 1).at(0, 0, 0, 0)).as_nanos();
    Some(When::At(saturate(since - i128::from(offset.seconds()) * SECOND_NS)))
}

fn saturate(ns: i128) -> i64 {
    i64::try_from(ns).unwrap_or(if ns < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000_000_000;
    /// 2026-11-25T10:15:02Z.
    const AT: i64 = 1_795_601_702_000_000_000;

    #[test]
    fn forms() {
        for (text, wanted) in [
            ("now", When::Now),
            (" now ", When::Now),
            ("-15m", When::Ago(15 * MINUTE)),
            ("now-15m", When::Ago(15 * MINUTE)),
            ("now-1h30m", When::Ago(90 * MINUTE)),
            ("now+5m", When::Ago(-5 * MINUTE)),
            ("-1.5h", When::Ago(90 * MINUTE)),
            ("-1w2d", When::Ago(9 * 24 * 60 * MINUTE)),
            ("-1s1ms1us1ns", When::Ago(1_001_001_001)),
            ("-0.1s", When::Ago(100_000_000)),
            ("-3µs", When::Ago(3_000)),
            ("-99999999999999999999999999w", When::Ago(i64::MAX)),
            ("now+99999999999999999999999999w", When::Ago(i64::MIN)),
            ("2026-11-25T10:15:02Z", When::At(AT)),
            ("2026-11-25T10:15:02.5Z", When::At(AT + 500_000_000)),
            ("2026-11-25T10:15:02.123456789Z", When::At(AT + 123_456_789)),
            ("2026-11-25T11:15:02+01:00", When::At(AT)),
            ("2026-11-25t04:45:02-05:30", When::At(AT)),
            ("2026-11-25T10:15:02", When::At(AT)),
            ("2026-11-25 10:15:02", When::At(AT)),
            ("2026-11-25T10:15", When::At(AT - 2_000_000_000)),
            ("2026-11-25", When::At(AT - (10 * 3_600 + 15 * 60 + 2) * 1_000_000_000)),
            ("0", When::At(0)),
            ("1795601702", When::At(AT)),
            ("1795601702.25", When::At(AT + 250_000_000)),
            ("1795601702123", When::At(AT + 123_000_000)),
            ("1.795601702e9", When::At(AT)),
            ("1.795601702123E+12", When::At(AT + 123_000_000)),
            ("1795601702123456", When::At(AT + 123_456_000)),
            ("1795601702123456789", When::At(AT + 123_456_789)),
            ("99999999999999999999999999999999999999999999", When::At(i64::MAX)),
            ("9999-12-31", When::At(i64::MAX)),
            ("-009999-01-01T00:00:00Z", When::At(i64::MIN)),
        ] {
            assert_eq!(When::parse(text), Ok(wanted), "{text}");
        }
    }

    #[test]
    fn no_times() {
        for text in [
            "",
            " ",
            "-",
            "now-",
            "now+",
            "now/d",
            "+15m",
            "15m",
            "-15",
            "-m",
            "-1x",
            "-1..5h",
            "-.h",
            "1.",
            ".5",
            "yesterday",
            "2026-13-01",
            "2026-11",
            "10:15:02",
            "2026-11-25T25:00:00Z",
            "2026-11-25T10:15:02+01:00[Europe/Berlin]",
            "1795601702Z",
        ] {
            let error = When::parse(text).expect_err(text);
            assert!(error.starts_with(&format!("`{text}` is no time: a time is `now`")), "{error}");
        }
    }

    #[test]
    fn resolved() {
        for (when, now, wanted) in [
            (When::Now, 7, 7),
            (When::Ago(3), 7, 4),
            (When::Ago(-3), 7, 10),
            (When::At(3), 7, 3),
            (When::Ago(i64::MAX), -7, i64::MIN),
            (When::Ago(i64::MIN), 7, i64::MAX),
        ] {
            assert_eq!(when.resolve(now), wanted, "{when:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "\\PC{0,40}", like in "(now)?[-+]?[0-9]{0,30}[.T:-]?[0-9]{0,25}[a-z:Z+-]{0,3}[0-9]{0,3}", now: i64) {
            for text in [text, like] {
                if let Ok(when) = When::parse(&text) {
                    when.resolve(now);
                }
            }
        }

        #[test]
        fn rfc_3339_of_any_time(ns: i64) {
            let text = jiff::Timestamp::from_nanosecond(i128::from(ns)).expect("in range").to_string();
            prop_assert_eq!(When::parse(&text), Ok(When::At(ns)));
        }

        #[test]
        fn any_number_of_seconds(seconds in 0i64..9_000_000_000, ns in 0i64..1_000_000_000) {
            let wanted = Ok(When::At(seconds * 1_000_000_000 + ns));
            prop_assert_eq!(When::parse(&format!("{seconds}.{ns:09}")), wanted);
        }

        #[test]
        fn any_duration(ns in 0i64..) {
            let parts = format!("now-{}s{}us{}ns", ns / 1_000_000_000, ns / 1_000 % 1_000_000, ns % 1_000);
            for text in [format!("-{ns}ns"), parts] {
                prop_assert_eq!(When::parse(&text), Ok(When::Ago(ns)));
            }
        }
    }
}
