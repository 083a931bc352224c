//! One record on its way to the output, the same wherever it was asked for.
//!
//! | file | what it is |
//! | --- | --- |
//! | `printer` | records as they come: for a person, as JSON, or the bare lines |
//! | `row` | a record's columns, and its line beside them |
//! | `readable` | one log line as a person reads it |

pub mod printer;
pub mod readable;
pub mod row;

use std::io::{self, Write};

use crate::answer::Record;
use crate::terminal::{Output, escape};

/// The line as it was written and a line feed; on a terminal, what it would obey is escaped.
pub fn raw(record: &Record, output: Output, out: &mut impl Write) -> io::Result<()> {
    let bytes = record.bytes();
    if output.is_terminal {
        for line in String::from_utf8_lossy(&bytes).split('\n') {
            writeln!(out, "{}", escape(line))?;
        }
        return Ok(());
    }
    out.write_all(&bytes)?;
    out.write_all(b"\n")
}

/// The record has no time of its own.
pub fn is_estimated(record: &Record) -> bool {
    matches!(record.time_origin.as_str(), "inherited" | "reading")
}
