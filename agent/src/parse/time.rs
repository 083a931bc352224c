//! Times as logs spell them, read by hand because every record has one. Pure. A time without a zone is taken as the zone of its
//! source, which is passed in.
//!
//! Years 1970 to 2261 (what nanoseconds in an i64 hold); anything else is no time.

use super::scan;
use super::zone::Zone;

/// A number that is no plausible time since the epoch before this: 2000-01-01 in seconds.
const EPOCH_SECONDS_MIN: i64 = 946_684_800;
pub const NS: i64 = 1_000_000_000;
pub const DAY_NS: i64 = 86_400 * NS;

/// A time as it is written: what the clock showed, and the offset from UTC if the text names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Nanoseconds since the epoch, had the clock shown UTC.
    pub clock_ns: i64,
    pub offset_seconds: Option<i64>,
    /// Behind its last byte.
    pub end: usize,
}

impl Stamp {
    /// Nanoseconds since the epoch; `zone` counts when the text names none.
    #[inline]
    pub fn instant_ns(self, zone: &Zone) -> Option<i64> {
        match self.offset_seconds {
            Some(offset) => Some(self.clock_ns - offset * NS),
            None => zone.instant_ns(self.clock_ns),
        }
    }
}

/// RFC 3339 and its relatives at the start of `text`: `2026-11-23T12:00:00.123456Z`, `2026-11-23 12:00:00,123`,
/// `2026/11/23 12:00:00 +0100`.
#[inline]
pub fn date_time(text: &[u8]) -> Option<Stamp> {
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
    /// The places of digits in `2026-11-23T12:00:00`, but for the last two.
    const DIGITS: u32 = 0b1101_1011_0110_1111;
    let chunk = head.first_chunk()?;
    if scan::digits(chunk) & DIGITS != DIGITS || digit(17) > 9 || digit(18) > 9 {
        return None;
    }
    let day = days(pair(0) * 100 + pair(2), pair(5), pair(8))?;
    let seconds = clock(pair(11), pair(14), pair(17))?;
    let (fraction, at) = fraction_ns(text, 19);
    let (offset_seconds, end) = zone_seconds(text, at);
    Some(Stamp { clock_ns: (day * 86_400 + seconds) * NS + fraction, offset_seconds, end })
}

/// `23/Nov/2026:12:00:00 +0000`, as Apache and nginx write it.
pub fn apache(text: &[u8]) -> Option<Stamp> {
    let head: &[u8; 20] = text.first_chunk()?;
    if head[2] != b'/' || head[6] != b'/' || head[11] != b':' || head[14] != b':' || head[17] != b':' {
        return None;
    }
    const DIGITS: [usize; 12] = [0, 1, 7, 8, 9, 10, 12, 13, 15, 16, 18, 19];
    if DIGITS.iter().any(|at| !head[*at].is_ascii_digit()) {
        return None;
    }
    let pair = |at: usize| u32::from(head[at] - b'0') * 10 + u32::from(head[at + 1] - b'0');
    let day = days(pair(7) * 100 + pair(9), month(&head[3..6])?, pair(0))?;
    let seconds = clock(pair(12), pair(15), pair(18))?;
    let (offset_seconds, end) = zone_seconds(text, 20);
    Some(Stamp { clock_ns: (day * 86_400 + seconds) * NS, offset_seconds, end })
}

/// The number of the month whose English name begins with these three letters, as programs write them.
pub fn month(name: &[u8]) -> Option<u32> {
    const MONTHS: &[u8; 36] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    MONTHS.chunks(3).zip(1..).find(|(known, _)| *known == name).map(|(_, month)| month)
}

/// `12:00:00`, with a fraction perhaps: nanoseconds since midnight, and behind it.
pub fn time_of_day(text: &[u8], at: usize) -> Option<(i64, usize)> {
    let head: &[u8; 8] = text.get(at..)?.first_chunk()?;
    if head[2] != b':' || head[5] != b':' || [0, 1, 3, 4, 6, 7].iter().any(|at| !head[*at].is_ascii_digit()) {
        return None;
    }
    let pair = |at: usize| u32::from(head[at] - b'0') * 10 + u32::from(head[at + 1] - b'0');
    let seconds = clock(pair(0), pair(3), pair(6))?;
    let (fraction, end) = fraction_ns(text, at + 8);
    // `12:00:00:01` and `12:00:007` are no times of day.
    let goes_on = text.get(end).is_some_and(|byte| byte.is_ascii_digit() || *byte == b':');
    (!goes_on).then_some((seconds * NS + fraction, end))
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
#[inline]
pub fn value(text: &[u8], zone: &Zone) -> Option<i64> {
    match date_time(text) {
        Some(stamp) => stamp.instant_ns(zone),
        None => epoch(text).or_else(|| apache(text)?.instant_ns(zone)).or_else(|| float_epoch(text)),
    }
}

/// A JSON number that holds a time.
#[inline]
pub fn number(text: &[u8]) -> Option<i64> {
    epoch(text).or_else(|| float_epoch(text))
}

/// A time of whole seconds with the nanoseconds that stand in a field of their own.
pub fn with_nanoseconds(time_ns: i64, digits: &[u8]) -> i64 {
    let nanoseconds = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    match nanoseconds {
        Some(nanoseconds @ 0..NS) if time_ns % NS == 0 => time_ns.saturating_add(nanoseconds),
        _ => time_ns,
    }
}

/// `1.795435200123E9`, as encoders of binary fractions write seconds; good to the microsecond.
fn float_epoch(number: &[u8]) -> Option<i64> {
    let is_float = number.first()?.is_ascii_digit() && number.iter().any(|byte| byte | 0x20 == b'e');
    let seconds: f64 = std::str::from_utf8(number).ok().filter(|_| is_float)?.parse().ok()?;
    let plausible = (EPOCH_SECONDS_MIN as f64..9.2e9).contains(&seconds);
    plausible.then(|| (seconds * 1e6).round() as i64 * 1000)
}

/// The time without a year that is nearest to `reference_ns`; none when there is no reference.
pub fn nearest_year(month: u32, day: u32, of_day_ns: i64, zone: &Zone, reference_ns: i64) -> Option<i64> {
    if reference_ns <= 0 {
        return None;
    }
    // Off by a year at most on the last days of a year, which the neighbours make up for.
    let year = 1970 + (reference_ns / DAY_NS * 400 / 146_097) as u32;
    (year - 1..=year + 1)
        .filter_map(|year| zone.instant_ns(days(year, month, day)? * DAY_NS + of_day_ns))
        .min_by_key(|time| time.abs_diff(reference_ns))
}

/// The time without a date that is nearest to `reference_ns`; none when there is no reference.
pub fn nearest_day(of_day_ns: i64, zone: &Zone, reference_ns: i64) -> Option<i64> {
    if reference_ns <= 0 {
        return None;
    }
    let today = reference_ns / DAY_NS;
    (today - 1..=today + 1)
        .filter_map(|day| zone.instant_ns(day.checked_mul(DAY_NS)?.checked_add(of_day_ns)?))
        .min_by_key(|time| time.abs_diff(reference_ns))
}

/// Days since the epoch of a date of the Gregorian calendar.
pub fn days(year: u32, month: u32, day: u32) -> Option<i64> {
    if !(1970..=2261).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    if day > 28 && day > days_of_month(year, month) {
        return None;
    }
    // Years begin in March, so that the leap day is the last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leaps = year / 4 - year / 100 + year / 400;
    let in_year = (153 * month + 2) / 5 + day - 1;
    Some(i64::from(year * 365 + leaps + in_year) - 719_468)
}

fn days_of_month(year: u32, month: u32) -> u32 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Seconds since midnight. A leap second is the first second of the next minute.
pub fn clock(hour: u32, minute: u32, second: u32) -> Option<i64> {
    (hour < 24 && minute < 60 && second <= 60).then(|| i64::from(hour * 3600 + minute * 60 + second))
}

/// A fraction of a second at `at`, if there is one.
#[inline]
pub fn fraction_ns(text: &[u8], at: usize) -> (i64, usize) {
    if !matches!(text.get(at), Some(b'.' | b',')) {
        return (0, at);
    }
    let digits = &text[at + 1..];
    let (mut value, mut length) = match digits.first_chunk() {
        Some(digits) => up_to_eight(*digits),
        None => (0, 0),
    };
    // Behind all eight, or where the text is too short to be read in one step.
    if length == 8 || digits.len() < 8 {
        while length < SCALES.len() - 1
            && let Some(digit @ b'0'..=b'9') = digits.get(length)
        {
            value = value * 10 + u64::from(digit - b'0');
            length += 1;
        }
    }
    if length == 0 {
        return (0, at);
    }
    let value = value as i64 * SCALES[length];
    // What is finer than nanoseconds is passed over.
    while length >= SCALES.len() - 1 && digits.get(length).is_some_and(u8::is_ascii_digit) {
        length += 1;
    }
    (value, at + 1 + length)
}

/// What the digits of a fraction are to be multiplied with, by their number.
const SCALES: [i64; 10] = [NS, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];

/// The number that the digits at the start of `text` make, and how many they are: all in one register, without a branch.
#[inline(always)]
fn up_to_eight(text: [u8; 8]) -> (u64, usize) {
    const EACH: u64 = 0x0101_0101_0101_0101;
    // Digits become 0 to 9; of anything else the sum or the number itself has the highest bit, or more than four bits.
    let numbers = u64::from_le_bytes(text) ^ (EACH * u64::from(b'0'));
    let others = (((numbers & (EACH * 0x7f)) + EACH * 0x76) | numbers) & (EACH * 0x80);
    let length = others.trailing_zeros() as usize / 8;
    if length == 0 {
        return (0, 0);
    }
    // The first digit has the lowest place; zeros in front of it change nothing.
    let numbers = numbers << (64 - 8 * length);
    // Neighbours are put together: to pairs, to fours, to eight.
    let pairs = (numbers * 10 + (numbers >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    ((fours * 10_000 + (fours >> 32)) & 0xffff_ffff, length)
}

/// `Z`, `+01:00`, `+0100`, `+01`, a space before it allowed.
#[inline]
pub fn zone_seconds(text: &[u8], at: usize) -> (Option<i64>, usize) {
    let sign_at = match text.get(at) {
        Some(b'Z' | b'z') => return (Some(0), at + 1),
        Some(b'+' | b'-') => at,
        Some(b' ') if matches!(text.get(at + 1), Some(b'+' | b'-')) => at + 1,
        _ => return (None, at),
    };
    let two = |from: usize| match text.get(from..from + 2) {
        Some([tens @ b'0'..=b'9', ones @ b'0'..=b'9']) => Some(i64::from((tens - b'0') * 10 + ones - b'0')),
        _ => None,
    };
    let Some(hours) = two(sign_at + 1).filter(|hours| *hours < 24) else { return (None, at) };
    let colon = usize::from(text.get(sign_at + 3) == Some(&b':'));
    let (minutes, end) = match two(sign_at + 3 + colon).filter(|minutes| *minutes < 60) {
        Some(minutes) => (minutes, sign_at + 5 + colon),
        None if sign_at == at => (0, sign_at + 3),
        None => return (None, at),
    };
    let seconds = hours * 3600 + minutes * 60;
    (Some(if text[sign_at] == b'-' { -seconds } else { seconds }), end)
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
            let stamp = date_time(text.as_bytes()).unwrap();
            assert_eq!((stamp.instant_ns(&Zone::Utc), stamp.end), (Some(time), length), "{text}");
        }
        for text in ["23/Nov/2026:12:00:00 +0000]", "23/Nov/2026:13:00:00 +0100]", "1.7954352E9"] {
            assert_eq!(value(text.as_bytes(), &Zone::Utc), Some(NOON), "{text}");
        }
        for text in [
            "2026-11-31T12:00:00Z",
            "2026-02-29T12:00:00Z",
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

    #[test]
    fn what_is_missing_comes_from_the_reference() {
        let january = days(2027, 1, 2).unwrap() * DAY_NS;
        let december = days(2026, 12, 31).unwrap() * DAY_NS;
        assert_eq!(nearest_year(12, 31, 0, &Zone::Utc, january), Some(december));
        assert_eq!(nearest_year(1, 2, 0, &Zone::Utc, december), Some(january));
        assert_eq!(nearest_year(2, 29, 0, &Zone::Utc, december), None);
        assert_eq!(nearest_year(12, 31, 0, &Zone::Utc, 0), None);
        assert_eq!(nearest_day(23 * 3600 * NS, &Zone::Utc, january), Some(january - 3600 * NS));
        assert_eq!(nearest_day(3600 * NS, &Zone::Utc, january), Some(january + 3600 * NS));
        // A file that says it was written at the end of time.
        for zone in ["UTC", "-20:00", "+20:00", "Europe/Berlin", "America/Lima"].map(|name| Zone::new(name).unwrap()) {
            assert!(nearest_day(3600 * NS, &zone, i64::MAX).is_some());
        }
        assert_eq!(with_nanoseconds(i64::MAX / NS * NS, b"999999999"), i64::MAX);
    }

    proptest! {
        #[test]
        fn agrees_with_jiff(seconds in 0i64..9_200_000_000, nanos in 0i64..NS) {
            let time = jiff::Timestamp::new(seconds, nanos as i32).unwrap();
            prop_assert_eq!(value(time.to_string().as_bytes(), &Zone::Utc), Some(seconds * NS + nanos));
        }

        #[test]
        fn fractions_are_the_sum_of_their_digits(text in "[.,]?[0-9]{0,20}[^0-9]{0,12}") {
            let text = text.as_bytes();
            let digits: Vec<u8> = text.iter().skip(1).copied().take_while(u8::is_ascii_digit).collect();
            let expected = if matches!(text.first(), Some(b'.' | b',')) && !digits.is_empty() {
                let scaled = (0..9).map(|at| digits.get(at).map_or(0, |digit| i64::from(digit - b'0')));
                (scaled.fold(0, |value, digit| value * 10 + digit), 1 + digits.len())
            } else {
                (0, 0)
            };
            prop_assert_eq!(fraction_ns(text, 0), expected);
        }

        #[test]
        fn never_panics(text in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = value(&text, &Zone::Utc);
        }

        #[test]
        fn never_panics_near_a_time(text in "[0-9T:/ +.,Z-]{0,40}") {
            let _ = value(text.as_bytes(), &Zone::Utc);
        }
    }
}
