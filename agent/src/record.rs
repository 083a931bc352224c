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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum IdKind {
    #[default]
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

/// The IDs of one record, as they were spelled, without duplicates. A record with several ties them together, so that all are kept,
/// each with the reason why it is taken for one.
#[derive(Debug, Default)]
pub struct Ids {
    bytes: Vec<u8>,
    entries: [Entry; IDS_MAX],
    count: usize,
    left_out: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// Where its bytes end; they begin where those of the entry before end.
    end: u32,
    kind: IdKind,
    why: &'static str,
    attached: bool,
}

/// An ID and how it was come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found<'a> {
    pub kind: IdKind,
    pub value: &'a [u8],
    /// What it was known by, to be shown to people.
    pub why: &'static str,
    /// It does not stand in the record; it is known from elsewhere that the record belongs to it.
    pub attached: bool,
}

impl Ids {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.count = 0;
        self.left_out = false;
    }

    /// Adds an ID that stands in the record, unless it is there already or there are too many.
    pub fn push(&mut self, kind: IdKind, value: &[u8], why: &'static str) {
        self.add(kind, value, why, false);
    }

    /// Adds an ID that does not stand in the record, on the same terms.
    pub fn push_attached(&mut self, kind: IdKind, value: &[u8], why: &'static str) {
        self.add(kind, value, why, true);
    }

    fn add(&mut self, kind: IdKind, value: &[u8], why: &'static str, attached: bool) {
        if self.iter().any(|(_, known)| known == value) {
            return;
        }
        if self.count == IDS_MAX {
            self.left_out = true;
            return;
        }
        self.bytes.extend_from_slice(value);
        self.entries[self.count] = Entry { end: self.bytes.len() as u32, kind, why, attached };
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

    /// Whether there were more than are kept.
    pub fn left_out(&self) -> bool {
        self.left_out
    }

    /// In the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = (IdKind, &[u8])> {
        self.iter_why().map(|found| (found.kind, found.value))
    }

    /// As [`Self::iter`], with all that is known of them.
    pub fn iter_why(&self) -> impl Iterator<Item = Found<'_>> {
        let mut begin = 0;
        self.entries[..self.count].iter().map(move |entry| {
            let value = &self.bytes[begin..entry.end as usize];
            begin = entry.end as usize;
            Found { kind: entry.kind, value, why: entry.why, attached: entry.attached }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_kept_once_and_the_rest_is_told() {
        let mut ids = Ids::default();
        for number in 0..IDS_MAX {
            ids.push(IdKind::Request, format!("req-{number}").as_bytes(), "field");
        }
        ids.push(IdKind::Trace, b"req-0", "field");
        assert!(!ids.left_out(), "it is there already");
        ids.push(IdKind::Trace, b"req-too-many", "field");
        assert_eq!((ids.len(), ids.left_out()), (IDS_MAX, true));
        ids.clear();
        ids.push_attached(IdKind::Trace, b"job-1", "environment");
        assert!(!ids.left_out());
        let found = Found { kind: IdKind::Trace, value: b"job-1", why: "environment", attached: true };
        assert_eq!(ids.iter_why().collect::<Vec<_>>(), [found]);
    }
}
