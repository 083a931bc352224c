//! Time, severity and transaction IDs of one record. Pure; the hottest code of the agent.
//!
//! | file | what it is |
//! | --- | --- |
//! | `reading` | the settings of one source |
//! | `json`, `logfmt`, `text` | the three shapes of a line |
//! | `layout/` | how text lines begin: which programs put time and severity where |
//! | `pattern` | how they begin when the config says it |
//! | `key` | what a key means |
//! | `id_pattern` | IDs that only the operator knows how to find |
//! | `time`, `zone`, `severity` | values |
//! | `scan` | the end of a string, sixteen bytes at a time |

pub mod id_pattern;
pub mod json;
pub mod key;
pub mod layout;
pub mod logfmt;
pub mod pattern;
pub mod reading;
pub mod scan;
pub mod severity;
pub mod text;
pub mod time;
pub mod zone;

use layout::Memory;
use reading::{Format, Reading};

use crate::record::Fields;

/// The shape of a record's first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Json,
    Logfmt,
    /// The only one that further lines may belong to.
    Text,
}

/// Reads a record's first line, without its line feed, into `fields`. Times that lack a year or a date are not taken.
#[inline]
pub fn parse(line: &[u8], fields: &mut Fields) -> Shape {
    parse_with(line, &Reading::default(), 0, &mut Memory::default(), fields)
}

/// Reads a record's first line as `reading` says. A missing year or date is taken from `reference_ns` (nanoseconds since the
/// epoch; 0 is none): now, or when the file was written last. `memory` belongs to the file.
#[inline]
pub fn parse_with(
    line: &[u8],
    reading: &Reading,
    reference_ns: i64,
    memory: &mut Memory,
    fields: &mut Fields,
) -> Shape {
    fields.clear();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line.first() {
        Some(b'{') if matches!(reading.format, Format::Auto | Format::Json) => {
            if json::parse(line, reading, fields) {
                fields.layout = "json";
                return Shape::Json;
            }
            fields.clear();
        }
        Some(byte)
            if !byte.is_ascii_digit()
                && matches!(reading.format, Format::Auto | Format::Logfmt)
                && logfmt::looks_like(line) =>
        {
            logfmt::parse(line, reading, fields);
            fields.layout = "logfmt";
            return Shape::Logfmt;
        }
        _ => {}
    }
    text::parse(line, reading, reference_ns, memory, fields);
    Shape::Text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: i64 = 1_795_435_200_000_000_000; // 2026-11-23T12:00:00Z

    fn read(line: &str, raw: &reading::RawReading, memory: &mut Memory) -> (Option<i64>, &'static str) {
        let mut fields = Fields::default();
        parse_with(line.as_bytes(), &Reading::new(raw).unwrap(), NOON, memory, &mut fields);
        (fields.time_ns, fields.layout)
    }

    #[test]
    fn the_zone_of_the_source_counts_where_the_line_names_none() {
        let raw = reading::RawReading { time_zone: Some("+02:00".to_owned()), ..Default::default() };
        for line in [
            r#"{"ts":"2026-11-23 14:00:00"}"#,
            r#"{"ts":"2026-11-23T12:00:00Z"}"#,
            "ts=2026-11-23T14:00:00 level=info",
            "2026-11-23 14:00:00 x",
            "2026-11-23 12:00:00 UTC [1] LOG:  x",
            "Nov 23 14:00:00 host app: x",
            "14:00:00 INFO x",
        ] {
            assert_eq!(read(line, &raw, &mut Memory::default()).0, Some(NOON), "{line}");
        }
    }

    #[test]
    fn a_format_keeps_the_others_out() {
        let raw = reading::RawReading { format: Some("klog".to_owned()), ..Default::default() };
        let memory = &mut Memory::default();
        assert_eq!(read("I1123 12:00:00.000000    1 a.go:1] x", &raw, memory), (Some(NOON), "klog"));
        assert_eq!(read("2026-11-23 12:00:00 x", &raw, memory), (None, ""));
        assert_eq!(read(r#"{"ts":"2026-11-23T12:00:00Z"}"#, &raw, memory), (None, ""));
    }

    #[test]
    fn patterns_come_first_and_memory_changes_its_mind() {
        let raw = reading::RawReading { time_patterns: vec!["%d/%m/%Y %T".to_owned()], ..Default::default() };
        let memory = &mut Memory::default();
        assert_eq!(read("23/11/2026 12:00:00 x", &raw, memory), (Some(NOON), "pattern"));
        assert_eq!(read(r#"{"ts":"23/11/2026 12:00:00"}"#, &raw, memory), (Some(NOON), "json"));
        assert_eq!(read("Nov 23 12:00:00 host app: x", &raw, memory), (Some(NOON), "rfc3164"));
        assert_eq!(read("2026/11/23 12:00:00 x", &raw, memory), (Some(NOON), "go"));
    }

    proptest! {
        #[test]
        fn never_panics(line in proptest::collection::vec(any::<u8>(), 0..200)) {
            parse(&line, &mut Fields::default());
        }

        #[test]
        fn never_panics_near_the_formats(line in r#"(\{|)(("|\\|:|,|\{|\}|\[|\]|=| |trace_id|ts|msg|0|a|1-|2026-11-23T12:00:00Z|\n|-){0,40})"#) {
            parse(line.as_bytes(), &mut Fields::default());
        }
    }
}
