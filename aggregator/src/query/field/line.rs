//! Which part of a line is logfmt, and which is JSON.
//!
//! * A line that begins with an object is JSON, even if the object breaks; what stands behind the object is not read.
//! * A line that ends with an object is JSON there, and logfmt in front of it: `2026-01-01 INFO user=7 {"status":200}`.
//!   Here the object must be whole, for a brace in the middle of a text says little.
//! * Any other line is logfmt.
//!
//! An object is known by its brace and the quote behind it, so that `{user=7}` is logfmt.

use super::json::{self, End, Reader, is_blank};
use super::scalar::Scalar;

/// The search for an object at the end reads no more than about so many times the line's length: without a bound, a megabyte
/// of `{"a":` would be read from each of its braces. Real lines need one reading.
const READS_MAX: usize = 4;

/// The parts of a line; either may be empty.
#[derive(Debug, PartialEq, Eq)]
pub struct Parts<'a> {
    pub text: &'a [u8],
    /// It begins with a brace, if it is not empty.
    pub object: &'a [u8],
}

impl<'a> Parts<'a> {
    pub fn of(line: &'a [u8]) -> Self {
        if begins_with_object(line) {
            return Self { text: &[], object: &line[blanks(line)..] };
        }
        let (text, object) = line.split_at(last_object(line).unwrap_or(line.len()));
        Self { text, object }
    }
}

/// Whether the first byte that is not blank opens an object.
pub fn begins_with_object(line: &[u8]) -> bool {
    opens_object(&line[blanks(line)..])
}

fn opens_object(bytes: &[u8]) -> bool {
    match bytes.split_first() {
        Some((b'{', inside)) => matches!(inside.get(blanks(inside)), Some(b'"' | b'}')),
        _ => false,
    }
}

fn blanks(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| is_blank(**byte)).count()
}

/// Where the first object begins that ends with the line.
fn last_object(line: &[u8]) -> Option<usize> {
    let line = line.trim_ascii_end();
    if line.last() != Some(&b'}') {
        return None;
    }
    let mut budget = READS_MAX * line.len();
    let mut from = 0;
    loop {
        let begin = from + memchr::memchr(b'{', &line[from..])?;
        from = begin + 1;
        if opens_object(&line[begin..]) {
            let (end, length) = json::read(&line[begin..], &mut Nobody, None);
            match end {
                End::Closed if begin + length == line.len() => return Some(begin),
                // What stands in an object is a part of it.
                End::Closed => from = begin + length,
                End::Broken | End::Enough => {}
            }
            budget = budget.checked_sub(length)?;
        }
    }
}

/// Only wants to know where an object ends.
struct Nobody;

impl Reader for Nobody {
    type Place = ();

    fn is_over(&mut self, (): (), _: usize) -> bool {
        false
    }

    fn key(&mut self, (): (), _: &[u8]) -> Option<()> {
        None
    }

    fn container(&mut self, (): ()) -> bool {
        false
    }

    fn scalar(&mut self, (): (), _: &Scalar<'_>) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_line() {
        for (line, text, object) in [
            ("", "", ""),
            ("a=1 b=2", "a=1 b=2", ""),
            (r#"{"a":1}"#, "", r#"{"a":1}"#),
            (" \t{ \"a\":1} behind", "", "{ \"a\":1} behind"),
            (r#"{"a":tru"#, "", r#"{"a":tru"#),
            ("{}", "", "{}"),
            ("{a=1} b=2", "{a=1} b=2", ""),
            (r#"INFO x=1 {"a":1}"#, "INFO x=1 ", r#"{"a":1}"#),
            ("INFO {\n  \"a\": {\"b\":1}\n} \r\n", "INFO ", "{\n  \"a\": {\"b\":1}\n} \r\n"),
            (r#"INFO {"a":1} done"#, r#"INFO {"a":1} done"#, ""),
            (r#"INFO {"a":1,"b":"#, r#"INFO {"a":1,"b":"#, ""),
            (r#"INFO {"a":1} {"b":2}"#, r#"INFO {"a":1} "#, r#"{"b":2}"#),
            (r#"INFO {"a"} {x} { {"b":2}"#, r#"INFO {"a"} {x} { "#, r#"{"b":2}"#),
            (r#"INFO {"a":{"b":2}"#, r#"INFO {"a":"#, r#"{"b":2}"#),
            (r#"INFO {"a":"{"}":2}"#, r#"INFO {"a":"{"}":2}"#, ""), // the second brace stands in a string
            (r#"INFO [{"a":1}]"#, r#"INFO [{"a":1}]"#, ""),
            ("INFO {}", "INFO ", "{}"),
            ("}", "}", ""),
        ] {
            let parts = Parts { text: text.as_bytes(), object: object.as_bytes() };
            assert_eq!(Parts::of(line.as_bytes()), parts, "{line}");
        }
    }

    #[test]
    fn a_line_full_of_braces_is_given_up() {
        let line = format!("INFO {}}}", r#"{"a":"#.repeat(100_000));
        assert_eq!(Parts::of(line.as_bytes()).object, b"");
    }
}
