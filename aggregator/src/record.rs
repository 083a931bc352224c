//! A record as an answer shows it: whole, with its place of origin.

use std::sync::Arc;

use crate::block::spelling::SpelledId;
use crate::source::Source;

/// One logical log event.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Nanoseconds since the epoch; `flags` say where it comes from.
    pub time: i64,
    /// A `v1::Severity` value.
    pub severity: u8,
    /// `v1::RecordFlag` bits.
    pub flags: u8,
    /// `v1::RecordMark` bits.
    pub marks: u8,
    /// The file that it stood in.
    pub source: Arc<Source>,
    /// Position of its first byte in the source.
    pub position: u64,
    /// It was received no later than this, and within the second before; nanoseconds since the epoch by our clock.
    pub received_ns: i64,
    /// Bytes of the file that it covers, line feed included.
    pub length: u32,
    /// The transaction IDs that were found in it.
    pub ids: Vec<SpelledId>,
    /// Its content, without the line feed at the end: what stands in the file, unless `marks` say that it was changed.
    pub line: Vec<u8>,
}
