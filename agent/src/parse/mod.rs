//! Time, severity and transaction IDs of one record. Pure; the hottest code of the agent.
//!
//! | file | what it is |
//! | --- | --- |
//! | `json`, `logfmt`, `text` | the three shapes of a line |
//! | `key` | what a key means |
//! | `id_pattern` | IDs that only the operator knows how to find |
//! | `time`, `severity` | values |
//! | `scan` | the end of a string, sixteen bytes at a time |

pub mod json;
pub mod key;
pub mod logfmt;
pub mod id_pattern;
pub mod scan;
pub mod severity;
pub mod text;
pub mod time;

use crate::record::Fields;

/// The shape of a record's first line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    Json,
    Logfmt,
    /// The only one that further lines may belong to.
    Text,
}

/// Reads a record's first line, without its line feed, into `fields`.
#[inline]
pub fn parse(line: &[u8], fields: &mut Fields) -> Shape {
    fields.clear();
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    match line.first() {
        Some(b'{') => {
            if json::parse(line, fields) {
                return Shape::Json;
            }
            fields.clear();
        }
        Some(byte) if !byte.is_ascii_digit() && logfmt::looks_like(line) => {
            logfmt::parse(line, fields);
            return Shape::Logfmt;
        }
        _ => {}
    }
    text::parse(line, fields);
    Shape::Text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
