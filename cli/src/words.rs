//! Durations, times and counts as people say them.

use jiff::Timestamp;

const MICROSECOND: i128 = 1_000;
const MILLISECOND: i128 = 1_000_000;
const SECOND: i128 = 1_000_000_000;

/// `812ms`, `1.8s`, `2m05s`, `3h20m`, `4d6h`: two digits that matter are enough to judge by.
pub fn duration(nanoseconds: i128) -> String {
    let sign = if nanoseconds < 0 { "-" } else { "" };
    let ns = nanoseconds.abs();
    let text = match ns / SECOND {
        _ if ns < MICROSECOND => format!("{ns}ns"),
        _ if ns < MILLISECOND => format!("{}us", ns / MICROSECOND),
        _ if ns < 10 * MILLISECOND => trimmed(ns as f64 / MILLISECOND as f64, "ms"),
        _ if ns < SECOND => format!("{}ms", ns / MILLISECOND),
        seconds @ ..60 => {
            let _ = seconds;
            trimmed(ns as f64 / SECOND as f64, "s")
        }
        seconds @ ..3_600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        seconds @ ..86_400 => format!("{}h{:02}m", seconds / 3_600, seconds / 60 % 60),
        seconds => format!("{}d{}h", seconds / 86_400, seconds / 3_600 % 24),
    };
    format!("{sign}{text}")
}

/// The place of a record after the start: `+0.123s`, `+1m02.345s`; `digits` after the second's point.
pub fn offset(nanoseconds: i128, digits: usize) -> String {
    let sign = if nanoseconds < 0 { '-' } else { '+' };
    let ns = nanoseconds.abs();
    let fraction = format!("{:09}", ns % SECOND);
    let (seconds, fraction) = (ns / SECOND, &fraction[..digits]);
    match (seconds / 3_600, seconds / 60 % 60, seconds % 60) {
        (0, 0, s) => format!("{sign}{s}.{fraction}s"),
        (0, m, s) => format!("{sign}{m}m{s:02}.{fraction}s"),
        (h, m, s) => format!("{sign}{h}h{m:02}m{s:02}.{fraction}s"),
    }
}

/// `2026-11-23 12:00:00.123456 UTC`; what is no RFC 3339 time is shown as it came.
pub fn time(rfc3339: &str) -> String {
    match rfc3339.parse::<Timestamp>() {
        Ok(time) => time.strftime("%F %T%.f UTC").to_string(),
        Err(_) => crate::terminal::escape(rfc3339),
    }
}

/// `2026-11-23 12:00:00.123Z`, always as wide as that; what is no RFC 3339 time is shown as it came.
pub fn clock(rfc3339: &str) -> String {
    match rfc3339.parse::<Timestamp>() {
        Ok(time) => time.strftime("%F %T%.3fZ").to_string(),
        Err(_) => crate::terminal::escape(rfc3339),
    }
}

/// Nanoseconds since the epoch.
pub fn nanoseconds(rfc3339: &str) -> Option<i128> {
    Some(rfc3339.parse::<Timestamp>().ok()?.as_nanosecond())
}

/// `1 record`, `2,300 records`.
pub fn count(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", thousands(number), if number == 1 { "" } else { "s" })
}

/// `1,234,567`.
pub fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn trimmed(number: f64, unit: &str) -> String {
    let text = format!("{number:.1}");
    format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (ns, text) in [
            (0, "0ns"),
            (1_500, "1us"),
            (1_500_000, "1.5ms"),
            (812_000_000, "812ms"),
            (5_000_000_000, "5s"),
            (-1_840_000_000, "-1.8s"),
            (125_000_000_000, "2m05s"),
            (12_000_000_000_000, "3h20m"),
            (367_200_000_000_000, "4d6h"),
        ] {
            assert_eq!(duration(ns), text);
        }
    }

    #[test]
    fn clocks() {
        assert_eq!(clock("2026-11-23T12:00:00Z"), "2026-11-23 12:00:00.000Z");
        assert_eq!(clock("2026-11-23T12:00:00.1239Z"), "2026-11-23 12:00:00.123Z");
        assert_eq!(clock("noon\u{7}"), "noon\\x07");
    }

    #[test]
    fn offsets() {
        assert_eq!(offset(0, 3), "+0.000s");
        assert_eq!(offset(-1_999_999, 3), "-0.001s");
        assert_eq!(offset(62_345_000_000, 3), "+1m02.345s");
        assert_eq!(offset(3_662_345_678_000, 6), "+1h01m02.345678s");
    }

    #[test]
    fn counts() {
        assert_eq!(count(1, "record"), "1 record");
        assert_eq!(count(1_234_567, "record"), "1,234,567 records");
        assert_eq!(thousands(123), "123");
    }
}
