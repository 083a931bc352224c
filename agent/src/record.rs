//! What the stages share: severity, the kinds of transaction IDs, record flags, and what was read out of one record.
//!
//! Invariant: the numbers equal those of the contract (`Severity`, `IdKind`, `RecordFlag`, `RecordMark` in ingest.proto).

/// How bad it is. Ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Severity {
    #[default]
    Unknown = 0,
    Trace = 1,
    Debug = 2,
    Info = 3,
    Notice = 4,
    Warn = 5,
    Error = 6,
    Fatal = 7,
}

/// What an ID stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum IdKind {
    Other = 0,
    Trace = 1,
    Request = 2,
    Correlation = 3,
    Transaction = 4,
}

/// Bits of a record's flags.
pub mod flag {
    /// It has no time of its own; this is the time of the record before it.
    pub const TIME_INHERITED: u8 = 1;
    /// It has no time of its own, and there is none to inherit; this is when it was read.
    pub const TIME_OF_READING: u8 = 2;
    /// It has no line feed at its end.
    pub const UNTERMINATED: u8 = 4;
    /// It is the rest of the record before it.
    pub const CONTINUES: u8 = 8;
    /// It was cut at a limit; the next record is its rest.
    pub const CUT: u8 = 16;
    /// It is made of several lines.
    pub const JOINED: u8 = 32;
}

/// Bits of a record's marks.
pub mod mark {
    /// A container wrote it to its standard error.
    pub const STDERR: u8 = 1;
    /// A container runtime's framing was taken off.
    pub const UNWRAPPED: u8 = 2;
    /// Turned into UTF-8 from another encoding.
    pub const TRANSCODED: u8 = 4;
    /// Something in it was replaced.
    pub const REDACTED: u8 = 8;
    /// Its content was replaced as a whole, because a redaction failed.
    pub const WITHHELD: u8 = 16;
    /// It carries more IDs than are kept.
    pub const IDS_LEFT_OUT: u8 = 32;
}

/// More IDs than this are not kept of one record.
pub const IDS_MAX: usize = 8;

/// What was read out of one record. Reused from record to record.
#[derive(Debug, Default)]
pub struct Fields {
    /// The record's own time, nanoseconds since the Unix epoch.
    pub time_ns: Option<i64>,
    pub severity: Severity,
    /// The name of the layout that the line was read by (`json`, `rfc3164`, `klog`); empty when nothing was recognised.
    pub layout: &'static str,
    pub ids: Ids,
    /// For values that have to be un-escaped before they can be looked at.
    pub scratch: Vec<u8>,
}

impl Fields {
    /// Forgets the record.
    pub fn clear(&mut self) {
        self.time_ns = None;
        self.severity = Severity::Unknown;
        self.layout = "";
        self.ids.clear();
    }
}

/// The IDs of one record, as they were spelled, without duplicates.
#[derive(Debug, Default)]
pub struct Ids {
    bytes: Vec<u8>,
    entries: [(IdEnd, Option<IdKind>); IDS_MAX],
    count: usize,
}

type IdEnd = u32;

impl Ids {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
    }

    /// Adds an ID unless it is there already or there are too many.
    pub fn push(&mut self, kind: IdKind, value: &[u8]) {
        if self.count == IDS_MAX || self.iter().any(|(_, known)| known == value) {
            return;
        }
        self.bytes.extend_from_slice(value);
        self.entries[self.count] = (self.bytes.len() as IdEnd, Some(kind));
        self.count += 1;
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// In the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = (IdKind, &[u8])> {
        let mut begin = 0;
        self.entries[..self.count].iter().map(move |&(end, kind)| {
            let value = &self.bytes[begin..end as usize];
            begin = end as usize;
            (kind.unwrap_or(IdKind::Other), value)
        })
    }
}
