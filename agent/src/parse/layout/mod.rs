//! How text lines begin: which program puts time and severity where. Pure. Each layout is tried on what it is sure of; a wrong
//! time is worse than none.
//!
//! | file | what it knows |
//! | --- | --- |
//! | `syslog` | RFC 3164, RFC 5424, the kernel's ring buffer |
//! | `klog` | `I1125 12:00:00.123456    1 file.go:12]` |
//! | `month` | dates with the name of a month: log4j, Redis, PHP, Apache's errors, Java, RFC 2822 |
//! | `stamped` | `2026-11-25 12:00:00` and its relatives, at the start or behind a few words |
//! | `program` | which program writes what follows such a time |
//! | `clock` | a time of day without a date; seconds since the epoch |
//! | `label` | a severity and no time: .NET, Python |
//! | `colour` | takes terminal colours out |

mod clock;
mod colour;
mod klog;
mod label;
mod month;
mod program;
mod stamped;
mod syslog;

use super::reading::{Format, Reading};
use super::severity;
use super::time::Stamp;
use crate::record::Severity;

/// What is known of the source.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    pub reading: &'a Reading,
    /// Nanoseconds since the epoch near which the line was written; 0 is not known.
    pub reference_ns: i64,
}

/// What a layout found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    pub time_ns: Option<i64>,
    pub severity: Severity,
    pub layout: &'static str,
}

/// Which layout fitted last in a file: it is tried first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    family: Option<Family>,
}

/// Layouts that are told apart by how a line begins. A line fits one of them at most, but for `Prefixed` and `Label`, which
/// are asked last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Syslog,
    Klog,
    Month,
    Stamped,
    Clock,
    Prefixed,
    Label,
}

const ALL: &[Family] =
    &[Family::Stamped, Family::Syslog, Family::Klog, Family::Month, Family::Clock, Family::Prefixed, Family::Label];

/// Time and severity of `line`, if one of the layouts that the source allows fits.
#[inline]
pub fn find(line: &[u8], source: Source<'_>, memory: &mut Memory) -> Option<Found> {
    let uncoloured = colour::without(line);
    let line = uncoloured.as_ref().map_or(line, colour::Uncoloured::as_slice);
    for pattern in &source.reading.patterns {
        if let Some((time, begin, end)) = pattern.find(line, source.reading, source.reference_ns) {
            return Some(Found { time_ns: Some(time), severity: severity_around(line, begin, end), layout: "pattern" });
        }
    }
    let families = families(source.reading.format);
    if families.len() > 1
        && let Some(found) = memory.family.and_then(|family| read(family, line, source))
    {
        return Some(found);
    }
    let (family, found) = families.iter().find_map(|family| Some((*family, read(*family, line, source)?)))?;
    if !matches!(family, Family::Prefixed | Family::Label) {
        memory.family = Some(family);
    }
    Some(found)
}

/// Whether a source of this format may have access logs.
pub fn allows_access(format: Format) -> bool {
    matches!(format, Format::Auto | Format::Text | Format::Nginx | Format::Apache)
}

fn families(format: Format) -> &'static [Family] {
    match format {
        Format::Auto | Format::Text => ALL,
        Format::Json | Format::Logfmt => &[],
        Format::Syslog => &[Family::Syslog],
        Format::Nginx | Format::Rails | Format::Mysql | Format::Postgres | Format::Go | Format::Tracing => {
            &[Family::Stamped]
        }
        Format::Apache | Format::Redis | Format::Php => &[Family::Month],
        Format::Spring | Format::Log4j => &[Family::Stamped, Family::Month, Family::Clock, Family::Prefixed],
        Format::Java => &[Family::Month, Family::Stamped, Family::Label],
        Format::Python | Format::Dotnet => &[Family::Stamped, Family::Clock, Family::Prefixed, Family::Label],
        Format::Klog => &[Family::Klog],
    }
}

fn read(family: Family, line: &[u8], source: Source<'_>) -> Option<Found> {
    match family {
        Family::Syslog => syslog::read(line, source),
        Family::Klog => klog::read(line, source),
        Family::Month => month::read(line, source),
        Family::Stamped => stamped::read(line, source),
        Family::Clock => clock::read(line, source),
        Family::Prefixed => stamped::read_behind_words(line, source),
        Family::Label => label::read(line),
    }
}

impl Source<'_> {
    fn instant_ns(self, stamp: Stamp) -> Option<i64> {
        stamp.instant_ns(&self.reading.zone)
    }
}

/// The severity behind the time, else before it.
fn severity_around(line: &[u8], begin: usize, end: usize) -> Severity {
    match severity::in_text(line, end) {
        Severity::Unknown if begin > 0 => severity::in_text(&line[..begin], 0),
        found => found,
    }
}

/// A number of at most nine digits at `at`, and behind it.
fn number(text: &[u8], at: usize) -> Option<(u32, usize)> {
    let digits = text.get(at..)?.iter().take(9).take_while(|byte| byte.is_ascii_digit());
    let (value, length) =
        digits.fold((0, 0), |(value, length), digit| (value * 10 + u32::from(digit - b'0'), length + 1));
    (length > 0).then_some((value, at + length))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(line: &[u8]) {
        let reading = Reading::default();
        for reference_ns in [0, 1_795_435_200_000_000_000] {
            let source = Source { reading: &reading, reference_ns };
            for family in ALL {
                read(*family, line, source);
            }
            find(line, source, &mut Memory::default());
        }
    }

    proptest! {
        #[test]
        fn never_panics(line in proptest::collection::vec(any::<u8>(), 0..120)) {
            all(&line);
        }

        #[test]
        fn never_panics_near_the_layouts(line in "(<13>|1 |\x1b\\[3|m|[IWEF]1125|\\[|\\]|Wed|Nov| 25|2026|12:00:00|\\.1|:|,| |-|#|#7|2026-11-25T12:00:00Z|UTC|ERROR|LOG:|PM|info|\\*){0,14}") {
            all(line.as_bytes());
        }
    }
}
