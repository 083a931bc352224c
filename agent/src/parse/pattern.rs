//! Patterns of times as a config writes them, in the manner of strptime. Pure. Compiled once into a list of steps, which are
//! walked where a word begins near the start of the line.

use super::reading::Reading;
use super::time;
use super::zone::{self, Zone};

/// A pattern may match this far right.
const WITHIN: usize = 100;
const KNOWN: &str = "%Y %y %m %d %e %j %b %B %a %A %H %I %p %M %S %f %z %Z %s %F %T %%";

/// A compiled pattern.
#[derive(Clone, Debug)]
pub struct TimePattern {
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Byte(u8),
    /// One blank or more.
    Blanks,
    Year,
    ShortYear,
    Month,
    Day,
    DayOfYear,
    MonthName,
    Weekday,
    Hour,
    Hour12,
    Noon,
    Minute,
    Second,
    Fraction,
    Offset,
    ZoneName,
    Epoch,
}

/// What was read so far.
#[derive(Default)]
struct Parts {
    year: Option<u32>,
    month: Option<u32>,
    day: Option<u32>,
    day_of_year: Option<u32>,
    hour: u32,
    afternoon: Option<bool>,
    minute: u32,
    second: u32,
    fraction_ns: i64,
    offset_seconds: Option<i64>,
    epoch_ns: Option<i64>,
}

impl TimePattern {
    /// Compiles `pattern`.
    pub fn new(pattern: &str) -> Result<TimePattern, String> {
        let mut steps = Vec::new();
        let mut letters = pattern.bytes();
        while let Some(byte) = letters.next() {
            if byte == b' ' || byte == b'\t' {
                if steps.last() != Some(&Step::Blanks) {
                    steps.push(Step::Blanks);
                }
                continue;
            }
            if byte != b'%' {
                steps.push(Step::Byte(byte));
                continue;
            }
            let Some(directive) = letters.next() else {
                return Err(format!("time pattern {pattern:?} ends in the middle of a directive"));
            };
            match steps_of(directive) {
                Some(found) => steps.extend_from_slice(found),
                None => {
                    let directive = char::from(directive);
                    return Err(format!("time pattern {pattern:?}: unknown directive %{directive}; known are {KNOWN}"));
                }
            }
        }
        let has = |step: Step| steps.contains(&step);
        let has_clock = (has(Step::Hour) || (has(Step::Hour12) && has(Step::Noon))) && has(Step::Minute);
        if !has(Step::Epoch) && !has_clock {
            return Err(format!(
                "time pattern {pattern:?} gives no time of day: it needs %H and %M, %I, %M and %p, or %s"
            ));
        }
        Ok(TimePattern { steps })
    }

    /// The time that `line` has near its start, with where it begins and ends.
    pub fn find(&self, line: &[u8], reading: &Reading, reference_ns: i64) -> Option<(i64, usize, usize)> {
        let mut before = b' ';
        for (at, byte) in line.iter().take(WITHIN).enumerate() {
            if (!before.is_ascii_alphanumeric() || !byte.is_ascii_alphanumeric())
                && let Some((time, length)) = self.at_start(&line[at..], reading, reference_ns)
            {
                return Some((time, at, at + length));
            }
            before = *byte;
        }
        None
    }

    /// The time that `text` begins with, and its length.
    pub fn at_start(&self, text: &[u8], reading: &Reading, reference_ns: i64) -> Option<(i64, usize)> {
        let mut parts = Parts::default();
        let mut at = 0;
        for step in &self.steps {
            at = parts.take(*step, text, at)?;
        }
        Some((parts.time(&reading.zone, reference_ns)?, at))
    }
}

fn steps_of(directive: u8) -> Option<&'static [Step]> {
    Some(match directive {
        b'Y' => &[Step::Year],
        b'y' => &[Step::ShortYear],
        b'm' => &[Step::Month],
        b'd' | b'e' => &[Step::Day],
        b'j' => &[Step::DayOfYear],
        b'b' | b'B' | b'h' => &[Step::MonthName],
        b'a' | b'A' => &[Step::Weekday],
        b'H' | b'k' => &[Step::Hour],
        b'I' | b'l' => &[Step::Hour12],
        b'p' | b'P' => &[Step::Noon],
        b'M' => &[Step::Minute],
        b'S' => &[Step::Second],
        b'f' | b'N' | b'L' => &[Step::Fraction],
        b'z' => &[Step::Offset],
        b'Z' => &[Step::ZoneName],
        b's' => &[Step::Epoch],
        b'F' => &[Step::Year, Step::Byte(b'-'), Step::Month, Step::Byte(b'-'), Step::Day],
        b'T' => &[Step::Hour, Step::Byte(b':'), Step::Minute, Step::Byte(b':'), Step::Second],
        b'%' => &[Step::Byte(b'%')],
        _ => return None,
    })
}

impl Parts {
    /// Takes one step at `at`; gives where the next one begins.
    fn take(&mut self, step: Step, text: &[u8], at: usize) -> Option<usize> {
        let letters = || text[at..].iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
        match step {
            Step::Byte(byte) => return (text.get(at) == Some(&byte)).then_some(at + 1),
            Step::Blanks => {
                let blanks = text.get(at..)?.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
                return (blanks > 0).then_some(at + blanks);
            }
            Step::MonthName => {
                self.month = Some(time::month(text.get(at..at + 3)?)?);
                return Some(at + letters());
            }
            Step::Weekday => return text.get(at..).filter(|_| letters() >= 3).map(|_| at + letters()),
            Step::Noon => {
                let letter = text.get(at)? | 0x20;
                let is_noon = matches!(letter, b'a' | b'p') && text.get(at + 1)? | 0x20 == b'm';
                self.afternoon = Some(letter == b'p');
                return is_noon.then_some(at + 2);
            }
            Step::Offset => {
                let (offset, end) = time::zone_seconds(text, at);
                self.offset_seconds = Some(offset?);
                return Some(end);
            }
            Step::ZoneName => {
                let end = at + text.get(at..).map(|_| letters())?;
                self.offset_seconds = Some(zone::abbreviation(&text[at..end])?);
                return Some(end);
            }
            Step::Epoch => {
                let is_part = |byte: &&u8| byte.is_ascii_digit() || **byte == b'.';
                let length = text.get(at..)?.iter().take_while(is_part).count();
                self.epoch_ns = Some(time::epoch(&text[at..at + length])?);
                return Some(at + length);
            }
            Step::Fraction => {
                // Read from the point or comma that the pattern has before it.
                let (fraction, end) = time::fraction_ns(text, at.checked_sub(1)?);
                self.fraction_ns = fraction;
                return (end > at).then_some(end);
            }
            _ => {}
        }
        let (digits_max, padded) = match step {
            Step::Year => (4, false),
            Step::DayOfYear => (3, false),
            Step::Day | Step::Hour | Step::Hour12 => (2, true),
            _ => (2, false),
        };
        let at = if padded && text.get(at) == Some(&b' ') { at + 1 } else { at };
        let digits = text.get(at..)?.iter().take(digits_max).take_while(|byte| byte.is_ascii_digit());
        let (value, length) =
            digits.fold((0, 0), |(value, length), digit| (value * 10 + u32::from(digit - b'0'), length + 1));
        if length == 0 || (step == Step::Year && length < 4) {
            return None;
        }
        match step {
            Step::Year => self.year = Some(value),
            Step::ShortYear => self.year = Some(if value < 69 { 2000 + value } else { 1900 + value }),
            Step::Month => self.month = Some(value),
            Step::Day => self.day = Some(value),
            Step::DayOfYear => self.day_of_year = Some(value),
            Step::Hour | Step::Hour12 => self.hour = value,
            Step::Minute => self.minute = value,
            _ => self.second = value,
        }
        Some(at + length)
    }

    fn time(&self, zone: &Zone, reference_ns: i64) -> Option<i64> {
        if self.epoch_ns.is_some() {
            return self.epoch_ns;
        }
        let hour = match self.afternoon {
            None => self.hour,
            Some(_) if !(1..=12).contains(&self.hour) => return None,
            Some(afternoon) => self.hour % 12 + if afternoon { 12 } else { 0 },
        };
        let of_day = time::clock(hour, self.minute, self.second)? * time::NS + self.fraction_ns;
        let fixed = self.offset_seconds.map(Zone::Fixed);
        let zone = fixed.as_ref().unwrap_or(zone);
        let day = match (self.year, self.month, self.day, self.day_of_year) {
            (Some(year), Some(month), Some(day), _) => time::days(year, month, day)?,
            (Some(year), _, _, Some(day @ 1..=366)) => time::days(year, 1, 1)? + i64::from(day) - 1,
            (None, Some(month), Some(day), _) => return time::nearest_year(month, day, of_day, zone, reference_ns),
            (None, None, None, None) => return time::nearest_day(of_day, zone, reference_ns),
            _ => return None,
        };
        zone.instant_ns(day * time::DAY_NS + of_day)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: i64 = 1_795_435_200 * time::NS; // 2026-11-23T12:00:00Z

    #[test]
    fn patterns() {
        for (pattern, line) in [
            ("%d/%m/%Y %H:%M:%S", "23/11/2026 12:00:00 x"),
            ("%m/%d/%y %I:%M:%S %p", "[x] 11/23/26 12:00:00 PM x"),
            ("%d.%m.%Y %T,%f", "23.11.2026 12:00:00,000 x"),
            ("%Y%m%d-%H%M%S.%f", "app 20261123-120000.000|x"),
            ("%b %e %H:%M:%S", "Nov 23 12:00:00 host"),
            ("%A %d %B %Y %T %z", "Monday 23 November 2026 13:00:00 +0100"),
            ("%Y-%j %T %Z", "2026-327 12:00:00 UTC"),
            ("%s", "1795435200.000 x"),
            ("%H:%M:%S", "12:00:00 x"),
            ("@%F %T", "@2026-11-23 12:00:00"),
        ] {
            let found = TimePattern::new(pattern).unwrap().find(line.as_bytes(), &Reading::default(), NOON + 60);
            assert_eq!(found.map(|(time, _, _)| time), Some(NOON), "{pattern}");
        }
    }

    #[test]
    fn errors_name_the_directive() {
        let error = |pattern: &str| TimePattern::new(pattern).unwrap_err();
        assert!(error("%Y-%Q %T").starts_with("time pattern \"%Y-%Q %T\": unknown directive %Q; known are %Y"));
        assert!(error("%T %").ends_with("ends in the middle of a directive"));
        assert!(error("%Y-%m-%d").contains("gives no time of day"));
    }

    proptest! {
        #[test]
        fn never_panics(pattern in "(%[YymdejbaHIpMSfzZsFT]|[ :,.-]){0,12}", line in "[0-9A-Za-z :,./+-]{0,40}") {
            if let Ok(pattern) = TimePattern::new(&pattern) {
                let _ = pattern.find(line.as_bytes(), &Reading::default(), NOON);
            }
        }
    }
}
