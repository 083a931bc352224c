//! Times as logs spell them, read by hand because every record has one. Pure. A time without a zone is taken as UTC.
//!
//! Years 1970 to 2261 (what nanoseconds in an i64 hold); anything else is no time.

/// A number that is no plausible time since the epoch before this: 2000-01-01 in seconds.
const EPOCH_SECONDS_MIN: i64 = 946_684_800;
const NS: i64 = 1_000_000_000;

/// RFC 3339 and its relatives at the start of `text`: `2026-11-23T12:00:00.123456Z`, `2026-11-23 12:00:00,123`,
/// `2026/11/23 12:00:00 +0100`. Gives nanoseconds since the epoch and how many bytes it took.
#[inline]
pub fn date_time(text: &[u8]) -> Option<(i64, usize)> {
    let head: &[u8; 19] = text.first_chunk()?;
    let digit = |at: usize| u32::from(head[at].wrapping_sub(b'0'));
    let pair = |at: usize| digit(at) * 10 + digit(at + 1);
    let is_date = matches!(head[4], b'-' | b'/') && head[7] == head[4];
    if !is_date || !matches!(head[10], b'T' | b' ' | b't' | b'_') {
        return None;
    }
    if head[13] != b':' || head[16] != b':' {
        return None;
    }
    const DIGITS: [usize; 14] = [0, 1, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18];
    if DIGITS.iter().fold(false, |bad, at| bad | (digit(*at) > 9)) {
        return None;
    }
    let day = days(pair(0) * 100 + pair(2), pair(5), pair(8))?;
    let seconds = clock(pair(11), pair(14), pair(17))?;
    let (fraction, at) = fraction_ns(text, 19);
    let (zone, at) = zone_seconds(text, at);
    Some(((day * 86_400 + seconds - zone) * NS + fraction, at))
}

/// `23/Nov/2026:12:00:00 +0000`, as Apache and nginx write it.
pub fn apache(text: &[u8]) -> Option<(i64, usize)> {
    let head: &[u8; 20] = text.first_chunk()?;
    if head[2] != b'/' || head[6] != b'/' || head[11] != b':' || head[14] != b':' || head[17] != b':' {
        return None;
    }
    const DIGITS: [usize; 12] = [0, 1, 7, 8, 9, 10, 12, 13, 15, 16, 18, 19];
    if DIGITS.iter().any(|at| !head[*at].is_ascii_digit()) {
        return None;
    }
    let pair = |at: usize| u32::from(head[at] - b'0') * 10 + u32::from(head[at + 1] - b'0');
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = MONTHS.chunks(3).position(|name| *name == head[3..6])? as u32 + 1;
    let day = days(pair(7) * 100 + pair(9), month, pair(0))?;
    let seconds = clock(pair(12), pair(15), pair(18))?;
    let (zone, at) = zone_seconds(text, 20);
    Some(((day * 86_400 + seconds - zone) * NS, at))
}

/// Seconds, milliseconds, microseconds or nanoseconds since the epoch, told apart by their size; a fraction is allowed.
pub fn epoch(number: &[u8]) -> Option<i64> {
    let point = number.iter().position(|byte| *byte == b'.').unwrap_or(number.len());
    let (whole, fraction) = (&number[..point], &number[point..]);
    if whole.is_empty() || whole.len() > 19 || !whole.iter().all(u8::is_ascii_digit) {
        return None;
    }
    if fraction.len() == 1 || !fraction.iter().skip(1).all(u8::is_ascii_digit) {
        return None;
    }
    let whole =
        whole.iter().try_fold(0i64, |value, digit| value.checked_mul(10)?.checked_add(i64::from(digit - b'0')))?;
    if whole < EPOCH_SECONDS_MIN {
        return None;
    }
    #[allow(clippy::match_overlapping_arm)] // from the largest down
    let unit = match whole {
        100_000_000_000_000_000.. => 1,
        100_000_000_000_000.. => 1_000,
        100_000_000_000.. => 1_000_000,
        _ => NS,
    };
    let fraction = if fraction.is_empty() { 0 } else { fraction_ns(fraction, 0).0 / (NS / unit) };
    whole.checked_mul(unit)?.checked_add(fraction)
}

/// The value of a field that holds a time, in whichever of the spellings.
pub fn value(text: &[u8]) -> Option<i64> {
    match date_time(text) {
        Some((time, _)) => Some(time),
        None => epoch(text).or_else(|| apache(text).map(|(time, _)| time)),
    }
}

/// Days since the epoch of a date of the Gregorian calendar.
fn days(year: u32, month: u32, day: u32) -> Option<i64> {
    if !(1970..=2261).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    // Years begin in March, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year / 4 - year / 100 + year / 400;
    let in_year = (153 * month + 2) / 5 + day - 1;
    Some(i64::from(year * 365 + leaps + in_year) - 719_468)
}

fn clock(hour: u32, minute: u32, second: u32) -> Option<i64> {
    (hour < 24 && minute < 60 && second <= 60).then(|| i64::from(hour * 3600 + minute * 60 + second))
}

/// A fraction of a second at `at`, if there is one.
#[inline]
fn fraction_ns(text: &[u8], at: usize) -> (i64, usize) {
    if !matches!(text.get(at), Some(b'.' | b',')) {
        return (0, at);
    }
    let (mut value, mut scale, mut end) = (0i64, NS, at + 1);
    while let Some(digit) = text.get(end).map(|byte| byte.wrapping_sub(b'0')).filter(|digit| *digit < 10) {
        if scale > 1 {
            scale /= 10;
            value += i64::from(digit) * scale;
        }
        end += 1;
    }
    if end == at + 1 { (0, at) } else { (value, end) }
}

/// `Z`, `+01:00`, `+0100`, `+01`, a space before it allowed; nothing means UTC.
#[inline]
fn zone_seconds(text: &[u8], at: usize) -> (i64, usize) {
    let sign_at = match text.get(at) {
        Some(b'Z' | b'z') => return (0, at + 1),
        Some(b'+' | b'-') => at,
        Some(b' ') if matches!(text.get(at + 1), Some(b'+' | b'-')) => at + 1,
        _ => return (0, at),
    };
    let two = |from: usize| match text.get(from..from + 2) {
        Some([tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => Some(i64::from((tens - b'0') * 10 + ones - b'0')),
        _ => None,
    };
    let Some(hours) = two(sign_at + 1).filter(|hours| *hours < 24) else { return (0, at) };
    let colon = usize::from(text.get(sign_at + 3) == Some(&b':'));
    let (minutes, end) = match two(sign_at + 3 + colon).filter(|minutes| *minutes < 60) {
        Some(minutes) => (minutes, sign_at + 5 + colon),
        None if sign_at == at => (0, sign_at + 3),
        None => return (0, at),
    };
    let seconds = hours * 3600 + minutes * 60;
    (if text[sign_at] == b'-' { -seconds } else { seconds }, end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: i64 = 1_795_435_200 * NS; // 2026-11-23T12:00:00Z

    #[test]
    fn spellings() {
        for (text, time, length) in [
            ("2026-11-23T12:00:00Z", NOON, 20),
            ("2026-11-23T12:00:00.123456789Z", NOON + 123_456_789, 30),
            ("2026-11-23T12:00:00.1234567891Z", NOON + 123_456_789, 31),
            ("2026-11-23T13:00:00.5+01:00", NOON + NS / 2, 27),
            ("2026-11-23T07:00:00-0500", NOON, 24),
            ("2026-11-23 12:00:00,123 rest", NOON + 123_000_000, 23),
            ("2026-11-23 12:00:00", NOON, 19),
            ("2026/11/23 12:00:00 [error]", NOON, 19),
            ("2026-11-23 13:00:00.000 +0100 x", NOON, 29),
            ("2026-11-23 12:00:00 -1 x", NOON, 19),
            ("2026-11-23T14:00:00+02", NOON, 22),
        ] {
            assert_eq!(date_time(text.as_bytes()), Some((time, length)), "{text}");
        }
        assert_eq!(apache(b"23/Nov/2026:12:00:00 +0000]"), Some((NOON, 26)));
        assert_eq!(apache(b"23/Nov/2026:13:00:00 +0100]"), Some((NOON, 26)));
        for text in [
            "2026-13-23T12:00:00Z",
            "2026-11-23",
            "2026-11-23T25:00:00Z",
            "2026-11-2 12:00:00 ",
            "1969-11-23T12:00:00Z",
            "2300-11-23T12:00:00Z",
        ] {
            assert_eq!(date_time(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn epochs() {
        for text in ["1795435200", "1795435200000", "1795435200000000", "1795435200000000000", "1795435200.000"] {
            assert_eq!(epoch(text.as_bytes()), Some(NOON), "{text}");
        }
        assert_eq!(epoch(b"1795435200.25"), Some(NOON + NS / 4));
        assert_eq!(epoch(b"1795435200000.5"), Some(NOON + 500_000));
        for text in ["", "12.5", "-1", "1795435200x", "99999999999999999999", "1795435200.", "0"] {
            assert_eq!(epoch(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_jiff(seconds in 0i64..9_200_000_000, nanos in 0i64..NS) {
            let time = jiff::Timestamp::new(seconds, nanos as i32).unwrap();
            prop_assert_eq!(value(time.to_string().as_bytes()), Some(seconds * NS + nanos));
        }

        #[test]
        fn never_panics(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = value(&text);
        }

        #[test]
        fn never_panics_near_a_time(text in "[0-9T:/ +.,Z-]{0,40}") {
            let _ = value(text.as_bytes());
        }
    }
}
