//! Records to the columns of one batch: `Columns` of ingest.proto, encoded as it is filled, with all of its memory reused.
//!
//! Pure. Invariant: every column has one entry per record, and lengths and skipped bytes add up to the file's bytes (asserted).
//! As long as every record is what stands in the file, the file's bytes are compressed where they lie; the first difference
//! makes the batch remember where, and [`Builder::finish`] puts the contents together.

use bytes::Bytes;
use xxhash_rust::xxh3::xxh3_64;
use zstd::zstd_safe::{CCtx, CParameter, compress_bound};

use crate::record::{Fields, flag, mark};
use crate::report::Tally;

/// zstd's level: the compression costs as much CPU as all the rest of the agent.
const ZSTD_LEVEL: i32 = 1;
/// A hash table of 16 KiB stays in the first cache. Measured on JSON logs against the level's own 64 KiB and matches of 7 bytes:
/// 9 % less CPU and 1.3 % fewer bytes.
const ZSTD_HASH_LOG: u32 = 12;
const ZSTD_MATCH_MIN: u32 = 6;
/// A batch ends here even if it has room for more bytes: lines of one byte would make columns larger than the lines.
pub const RECORDS_MAX: u32 = 65_536;

/// Field numbers of `Columns`, all of wire type 2 (length-delimited).
mod field {
    pub const LENGTHS: u8 = 1;
    pub const TIME_DELTAS: u8 = 2;
    pub const SEVERITIES: u8 = 3;
    pub const FLAGS: u8 = 4;
    pub const IDS: u8 = 5;
    pub const ID_COUNTS: u8 = 6;
    pub const ID_REFS: u8 = 7;
    pub const RAW_ZSTD: u8 = 8;
    pub const CONTENT_LENGTHS: u8 = 9;
    pub const MARKS: u8 = 10;
    pub const SKIPPED: u8 = 11;
}

/// The contents of one batch come to at most this: the aggregator refuses more.
pub const CONTENT_BYTES_MAX: usize = 16 << 20;
/// With one of these marks a record's content is not what stands in the file, even if it is as long.
const CHANGED: u8 = mark::UNWRAPPED | mark::TRANSCODED | mark::REDACTED | mark::WITHHELD;

/// What the content of a record of `length` file bytes may come to at most: the aggregator refuses a batch with more.
pub fn content_bytes_max(length: usize) -> usize {
    2 * length + 1024
}

/// Why bytes of the file are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum SkippedReason {
    /// By a rule.
    Dropped = 1,
    /// By a rule that keeps a share.
    Sampled = 2,
    /// A run of NUL bytes: a hole in the file.
    Nuls = 3,
}

/// The encoded columns of one batch.
#[derive(Debug)]
pub struct Encoded {
    pub columns: Bytes,
    pub columns_crc32c: u32,
    pub records: u32,
    /// How many of them have no time of their own, and how many have no ID.
    pub records_without_time: u32,
    pub records_without_id: u32,
    /// The last record's time; when all is skipped, that of the record before the batch.
    pub last_time_ns: Option<i64>,
    /// What became of the batch's bytes.
    pub tally: Tally,
}

/// Fills the columns.
pub struct Builder {
    lengths: Vec<u8>,
    time_deltas: Vec<u8>,
    severities: Vec<u8>,
    flags: Vec<u8>,
    ids: Dictionary,
    id_counts: Vec<u8>,
    id_refs: Vec<u8>,
    /// Filled from the first record on whose content differs (`differs`).
    content_lengths: Vec<u8>,
    differs: bool,
    /// Ends at the last record that has any; the rest has none.
    marks: Vec<u8>,
    skipped: Vec<Skipped>,
    /// Where the contents depart from the file's bytes, and the bytes that stand there instead, one after the other.
    edits: Vec<Edit>,
    replacements: Vec<u8>,
    /// The contents of a batch that has edits, put together.
    contents: Vec<u8>,
    compressed: Vec<u8>,
    zstd: CCtx<'static>,
    bytes: u64,
    records_without_time: u32,
    records_without_id: u32,
    /// What the next delta refers to.
    previous_ns: i64,
    /// The time that a record without one takes, if there was a record before.
    inherited_ns: Option<i64>,
    reading_ns: i64,
}

/// File bytes that are replaced by others, or by none.
#[derive(Clone, Copy)]
struct Edit {
    /// From the batch's first byte.
    at: usize,
    bytes: usize,
    replacement_bytes: usize,
}

struct Skipped {
    before_record: u32,
    bytes: u32,
    records: u32,
    reason: SkippedReason,
}

impl Default for Builder {
    fn default() -> Self {
        let mut zstd = CCtx::create();
        for parameter in [
            CParameter::CompressionLevel(ZSTD_LEVEL),
            CParameter::HashLog(ZSTD_HASH_LOG),
            CParameter::MinMatch(ZSTD_MATCH_MIN),
        ] {
            zstd.set_parameter(parameter).expect("a parameter within zstd's bounds");
        }
        Self {
            lengths: Vec::new(),
            time_deltas: Vec::new(),
            severities: Vec::new(),
            flags: Vec::new(),
            ids: Dictionary::default(),
            id_counts: Vec::new(),
            id_refs: Vec::new(),
            content_lengths: Vec::new(),
            differs: false,
            marks: Vec::new(),
            skipped: Vec::new(),
            edits: Vec::new(),
            replacements: Vec::new(),
            contents: Vec::new(),
            compressed: Vec::new(),
            zstd,
            bytes: 0,
            records_without_time: 0,
            records_without_id: 0,
            previous_ns: 0,
            inherited_ns: None,
            reading_ns: 0,
        }
    }
}

impl Builder {
    /// Starts a batch. `inherited_ns` is the time of the source's record before it, `reading_ns` is now.
    pub fn begin(&mut self, inherited_ns: Option<i64>, reading_ns: i64) {
        for column in [
            &mut self.lengths,
            &mut self.time_deltas,
            &mut self.severities,
            &mut self.flags,
            &mut self.id_counts,
            &mut self.id_refs,
            &mut self.content_lengths,
            &mut self.marks,
            &mut self.replacements,
        ] {
            column.clear();
        }
        self.differs = false;
        self.skipped.clear();
        self.edits.clear();
        self.ids.clear();
        self.bytes = 0;
        self.records_without_time = 0;
        self.records_without_id = 0;
        self.previous_ns = 0;
        self.inherited_ns = inherited_ns;
        self.reading_ns = reading_ns;
    }

    /// Adds a record of `length` bytes, whose content is what stands in the file.
    #[inline]
    pub fn push(&mut self, length: usize, flags: u8, fields: &Fields) {
        if self.differs {
            put_varint(&mut self.content_lengths, length as u64);
        }
        self.put(length, flags, fields);
    }

    /// Adds a record that covers `length` bytes of the file and whose content is `content`, at most
    /// [`content_bytes_max`] of it, with a line feed at its end where the file has one.
    pub fn push_content(&mut self, length: usize, content: &[u8], flags: u8, marks: u8, fields: &Fields) {
        if marks != 0 {
            self.marks.resize(self.flags.len(), 0);
            self.marks.push(marks);
        }
        if !self.differs && (content.len() != length || marks & CHANGED != 0) {
            self.differs = true;
            // Up to here the contents were as long as the records.
            self.content_lengths.extend_from_slice(&self.lengths);
        }
        if self.differs {
            put_varint(&mut self.content_lengths, content.len() as u64);
        }
        self.edits.push(Edit { at: self.bytes as usize, bytes: length, replacement_bytes: content.len() });
        self.replacements.extend_from_slice(content);
        self.put(length, flags, fields);
    }

    /// Passes over `bytes` bytes of the file, which would have been `records` records.
    pub fn skip(&mut self, bytes: u32, records: u32, reason: SkippedReason) {
        if bytes == 0 {
            return;
        }
        self.edits.push(Edit { at: self.bytes as usize, bytes: bytes as usize, replacement_bytes: 0 });
        self.bytes += u64::from(bytes);
        let before_record = self.records();
        match self.skipped.last_mut() {
            Some(last) if last.before_record == before_record && last.reason == reason => {
                last.bytes += bytes;
                last.records += records;
            }
            _ => self.skipped.push(Skipped { before_record, bytes, records, reason }),
        }
    }

    #[inline]
    fn put(&mut self, length: usize, mut flags: u8, fields: &Fields) {
        let time_ns = match (fields.time_ns, self.inherited_ns) {
            (Some(time), _) => time,
            (None, Some(time)) => {
                flags |= flag::TIME_INHERITED;
                time
            }
            (None, None) => {
                flags |= flag::TIME_OF_READING;
                self.reading_ns
            }
        };
        self.records_without_time += u32::from(fields.time_ns.is_none());
        self.records_without_id += u32::from(fields.ids.is_empty());
        put_varint(&mut self.lengths, length as u64);
        put_varint(&mut self.time_deltas, zigzag(time_ns.wrapping_sub(self.previous_ns)));
        self.severities.push(fields.severity as u8);
        self.flags.push(flags);
        self.id_counts.push(fields.ids.len() as u8);
        for id in fields.ids.iter_why() {
            let reference = self.ids.reference(id.kind as u8, id.attached, id.value);
            put_varint(&mut self.id_refs, u64::from(reference));
        }
        self.previous_ns = time_ns;
        self.inherited_ns = Some(time_ns);
        self.bytes += length as u64;
    }

    /// How many records were pushed.
    pub fn records(&self) -> u32 {
        self.flags.len() as u32
    }

    /// File bytes that records and skips cover so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The contents so far have at most so many bytes; the batch is to end before this exceeds [`CONTENT_BYTES_MAX`].
    pub fn content_bytes(&self) -> usize {
        self.bytes as usize + self.replacements.len()
    }

    /// Ends the batch; `raw` is what records and skips cover: the file's bytes.
    pub fn finish(&mut self, raw: &[u8]) -> Encoded {
        assert_eq!(self.bytes, raw.len() as u64, "records and skips tile the bytes");
        let edited: usize = self.edits.iter().map(|edit| edit.bytes).sum();
        let contents = if self.edits.is_empty() {
            raw
        } else if edited == raw.len() {
            // As of a container's lines: nothing of the file stands between them.
            &self.replacements
        } else {
            self.put_together(raw);
            &self.contents
        };
        self.compressed.clear();
        self.compressed.reserve(compress_bound(contents.len()));
        self.zstd.compress2(&mut self.compressed, contents).expect("the buffer holds zstd's bound");
        if !self.marks.is_empty() {
            self.marks.resize(self.flags.len(), 0);
        }
        let columns = [
            (field::LENGTHS, &self.lengths),
            (field::TIME_DELTAS, &self.time_deltas),
            (field::SEVERITIES, &self.severities),
            (field::FLAGS, &self.flags),
            (field::ID_COUNTS, &self.id_counts),
            (field::ID_REFS, &self.id_refs),
            (field::RAW_ZSTD, &self.compressed),
            (field::CONTENT_LENGTHS, &self.content_lengths),
            (field::MARKS, &self.marks),
        ];
        let size: usize = columns.iter().map(|(_, column)| column.len() + 6).sum();
        let mut out = Vec::with_capacity(size + self.ids.encoded.len());
        for (number, column) in columns {
            if number == field::ID_COUNTS {
                out.extend_from_slice(&self.ids.encoded);
            }
            if !column.is_empty() {
                put_field(&mut out, number, column);
            }
        }
        for skipped in &self.skipped {
            skipped.put(&mut out);
        }
        let columns = Bytes::from(out);
        Encoded {
            columns_crc32c: crc32c::crc32c(&columns),
            columns,
            records: self.records(),
            records_without_time: self.records_without_time,
            records_without_id: self.records_without_id,
            last_time_ns: self.inherited_ns,
            tally: self.tally(),
        }
    }

    fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for skipped in &self.skipped {
            let bytes = match skipped.reason {
                SkippedReason::Dropped => &mut tally.dropped,
                SkippedReason::Sampled => &mut tally.sampled,
                SkippedReason::Nuls => &mut tally.nuls,
            };
            *bytes += u64::from(skipped.bytes);
        }
        tally.stored = self.bytes - tally.sum();
        tally
    }

    /// The file's bytes with the edits done to them.
    fn put_together(&mut self, raw: &[u8]) {
        self.contents.clear();
        let (mut copied, mut taken) = (0, 0);
        for edit in &self.edits {
            self.contents.extend_from_slice(&raw[copied..edit.at]);
            self.contents.extend_from_slice(&self.replacements[taken..taken + edit.replacement_bytes]);
            copied = edit.at + edit.bytes;
            taken += edit.replacement_bytes;
        }
        self.contents.extend_from_slice(&raw[copied..]);
    }
}

impl Skipped {
    /// `Skipped { before_record = 1, bytes = 2, reason = 3, records = 4 }` as one entry of the repeated field.
    fn put(&self, out: &mut Vec<u8>) {
        let values = [self.before_record, self.bytes, self.reason as u32, self.records];
        let size: usize = values.iter().map(|value| 1 + varint_length(u64::from(*value))).sum();
        out.push(field::SKIPPED << 3 | 2);
        put_varint(out, size as u64);
        for (number, value) in (1u8..).zip(values) {
            out.push(number << 3);
            put_varint(out, u64::from(value));
        }
    }
}

/// The batch's distinct IDs, as encoded `TransactionId` messages, with a hash table over them.
struct Dictionary {
    encoded: Vec<u8>,
    /// By reference: where the value lies in `encoded`, and its kind, with [`ATTACHED`] if it is.
    entries: Vec<(u32, u32, u8)>,
    /// Open addressing, a power of two, at most half full. 0 is free, otherwise a reference + 1.
    slots: Vec<u32>,
}

/// Above all kinds.
const ATTACHED: u8 = 0x80;

impl Default for Dictionary {
    fn default() -> Self {
        Self { encoded: Vec::new(), entries: Vec::new(), slots: vec![0; 1024] }
    }
}

impl Dictionary {
    fn clear(&mut self) {
        if !self.entries.is_empty() {
            self.slots.fill(0);
        }
        self.encoded.clear();
        self.entries.clear();
    }

    fn value(&self, entry: (u32, u32, u8)) -> &[u8] {
        &self.encoded[entry.0 as usize..entry.1 as usize]
    }

    fn reference(&mut self, kind: u8, attached: bool, value: &[u8]) -> u32 {
        let kind = if attached { kind | ATTACHED } else { kind };
        let mask = self.slots.len() - 1;
        let mut slot = xxh3_64(value) as usize & mask;
        while self.slots[slot] != 0 {
            let reference = self.slots[slot] - 1;
            let entry = self.entries[reference as usize];
            if entry.2 == kind && self.value(entry) == value {
                return reference;
            }
            slot = (slot + 1) & mask;
        }
        let reference = self.entries.len() as u32;
        self.slots[slot] = reference + 1;
        self.put(kind, value);
        if self.entries.len() * 2 > self.slots.len() {
            self.grow();
        }
        reference
    }

    /// `TransactionId { value = 1, kind = 2, attached = 3 }` as one entry of the repeated field.
    fn put(&mut self, kind: u8, value: &[u8]) {
        let (tag, kind, attached) = (kind, kind & !ATTACHED, kind & ATTACHED != 0);
        let flags = 2 * (usize::from(kind != 0) + usize::from(attached));
        let size = 1 + varint_length(value.len() as u64) + value.len() + flags;
        self.encoded.push(field::IDS << 3 | 2);
        put_varint(&mut self.encoded, size as u64);
        put_field(&mut self.encoded, 1, value);
        let end = self.encoded.len() as u32;
        self.entries.push((end - value.len() as u32, end, tag));
        if kind != 0 {
            self.encoded.extend_from_slice(&[2 << 3, kind]);
        }
        if attached {
            self.encoded.extend_from_slice(&[3 << 3, 1]);
        }
    }

    fn grow(&mut self) {
        let mut slots = vec![0; self.slots.len() * 2];
        let mask = slots.len() - 1;
        for (reference, entry) in self.entries.iter().enumerate() {
            let mut slot = xxh3_64(self.value(*entry)) as usize & mask;
            while slots[slot] != 0 {
                slot = (slot + 1) & mask;
            }
            slots[slot] = reference as u32 + 1;
        }
        self.slots = slots;
    }
}

fn put_field(out: &mut Vec<u8>, number: u8, bytes: &[u8]) {
    out.push(number << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

#[inline]
fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn varint_length(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[cfg(test)]
mod tests {
    use clew_proto::v1::Columns;
    use proptest::prelude::*;
    use prost::Message;

    use super::*;
    use crate::record::{IdKind, Severity};

    #[derive(Debug, Clone)]
    struct Record {
        line: Vec<u8>,
        time_ns: Option<i64>,
        severity: u8,
        ids: Vec<(u8, Vec<u8>)>,
    }

    const SEVERITIES: [Severity; 8] = [
        Severity::Unknown,
        Severity::Trace,
        Severity::Debug,
        Severity::Info,
        Severity::Notice,
        Severity::Warn,
        Severity::Error,
        Severity::Fatal,
    ];
    const KINDS: [IdKind; 5] =
        [IdKind::Other, IdKind::Trace, IdKind::Request, IdKind::Correlation, IdKind::Transaction];

    fn record() -> impl Strategy<Value = Record> {
        let id = (0u8..5, "[a-z]{1,3}".prop_map(String::into_bytes));
        (
            proptest::collection::vec(any::<u8>(), 1..300),
            any::<Option<i64>>(),
            0u8..8,
            proptest::collection::vec(id, 0..4),
        )
            .prop_map(|(line, time_ns, severity, ids)| Record { line, time_ns, severity, ids })
    }

    fn fields(record: &Record) -> Fields {
        let mut fields =
            Fields { time_ns: record.time_ns, severity: SEVERITIES[record.severity as usize], ..Fields::default() };
        for (kind, value) in &record.ids {
            fields.ids.push(KINDS[*kind as usize], value, "field");
        }
        fields
    }

    proptest! {
        #[test]
        fn columns_round_trip(batches in proptest::collection::vec(proptest::collection::vec(record(), 1..60), 1..4)) {
            let mut builder = Builder::default();
            for records in batches {
                builder.begin(Some(7), 9);
                let mut raw = Vec::new();
                for record in &records {
                    builder.push(record.line.len(), 0, &fields(record));
                    raw.extend_from_slice(&record.line);
                }
                let encoded = builder.finish(&raw);
                let columns = Columns::decode(encoded.columns.clone()).unwrap();
                prop_assert_eq!(encoded.columns_crc32c, crc32c::crc32c(&encoded.columns));
                prop_assert_eq!(zstd::bulk::decompress(&columns.raw_zstd, raw.len()).unwrap(), raw);
                prop_assert_eq!(columns.lengths.len(), records.len());
                let (mut time, mut inherited, mut reference) = (0i64, 7i64, 0);
                for (at, record) in records.iter().enumerate() {
                    time = time.wrapping_add(columns.time_deltas_ns[at]);
                    prop_assert_eq!(time, record.time_ns.unwrap_or(inherited));
                    prop_assert_eq!(columns.flags[at] & flag::TIME_INHERITED != 0, record.time_ns.is_none());
                    inherited = time;
                    prop_assert_eq!(columns.lengths[at] as usize, record.line.len());
                    prop_assert_eq!(columns.severities[at], record.severity);
                    let expected = fields(record);
                    prop_assert_eq!(columns.id_counts[at] as usize, expected.ids.len());
                    for (kind, value) in expected.ids.iter() {
                        let id = &columns.ids[columns.id_refs[reference] as usize];
                        prop_assert_eq!((&id.value[..], id.kind), (value, kind as i32));
                        reference += 1;
                    }
                }
                prop_assert_eq!(reference, columns.id_refs.len());
            }
        }
    }

    /// What one step of a batch does with bytes of the file.
    #[derive(Debug, Clone)]
    enum Step {
        Plain(Vec<u8>),
        Content(Vec<u8>, Vec<u8>, u8),
        Skip(Vec<u8>, u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        let bytes = || proptest::collection::vec(any::<u8>(), 1..40);
        prop_oneof![
            bytes().prop_map(Step::Plain),
            (bytes(), proptest::collection::vec(any::<u8>(), 0..40), 0u8..64)
                .prop_map(|(line, content, marks)| Step::Content(line, content, marks)),
            (bytes(), 0u8..3).prop_map(|(line, reason)| Step::Skip(line, reason)),
        ]
    }

    const REASONS: [SkippedReason; 3] = [SkippedReason::Dropped, SkippedReason::Sampled, SkippedReason::Nuls];

    proptest! {
        #[test]
        fn contents_marks_and_skips_round_trip(batches in proptest::collection::vec(proptest::collection::vec(step(), 1..40), 1..4)) {
            let mut builder = Builder::default();
            let fields = Fields::default();
            for steps in batches {
                builder.begin(Some(7), 9);
                let (mut raw, mut contents) = (Vec::new(), Vec::new());
                let (mut lengths, mut content_lengths, mut marks) = (Vec::new(), Vec::new(), Vec::new());
                let mut skipped: Vec<(u32, u32, i32, u32)> = Vec::new();
                for step in &steps {
                    match step {
                        Step::Plain(line) => {
                            builder.push(line.len(), 0, &fields);
                            contents.extend_from_slice(line);
                            lengths.push(line.len() as u32);
                            content_lengths.push(line.len() as u32);
                            marks.push(0);
                        }
                        Step::Content(line, content, own) => {
                            builder.push_content(line.len(), content, 0, *own, &fields);
                            contents.extend_from_slice(content);
                            lengths.push(line.len() as u32);
                            content_lengths.push(content.len() as u32);
                            marks.push(*own);
                        }
                        Step::Skip(line, reason) => {
                            builder.skip(line.len() as u32, 1, REASONS[*reason as usize]);
                            let (before, reason) = (lengths.len() as u32, i32::from(*reason) + 1);
                            match skipped.last_mut().filter(|last| (last.0, last.2) == (before, reason)) {
                                Some(last) => (last.1, last.3) = (last.1 + line.len() as u32, last.3 + 1),
                                None => skipped.push((before, line.len() as u32, reason, 1)),
                            }
                        }
                    }
                    raw.extend_from_slice(match step {
                        Step::Plain(line) | Step::Content(line, ..) | Step::Skip(line, _) => line,
                    });
                }
                prop_assert!(builder.content_bytes() >= contents.len());
                let encoded = builder.finish(&raw);
                let columns = Columns::decode(encoded.columns).unwrap();
                prop_assert_eq!(encoded.records as usize, lengths.len());
                prop_assert_eq!(encoded.last_time_ns, Some(7));
                prop_assert_eq!(zstd::bulk::decompress(&columns.raw_zstd, contents.len()).unwrap(), contents);
                let differs = lengths != content_lengths || marks.iter().any(|marks| marks & CHANGED != 0);
                prop_assert_eq!(columns.lengths, lengths);
                prop_assert_eq!(columns.content_lengths, if differs { content_lengths } else { Vec::new() });
                let marked = marks.iter().any(|marks| *marks != 0);
                prop_assert_eq!(&columns.marks[..], if marked { &marks[..] } else { &[] });
                let found: Vec<_> =
                    columns.skipped.iter().map(|skip| (skip.before_record, skip.bytes, skip.reason, skip.records)).collect();
                prop_assert_eq!(found, skipped);
            }
        }
    }

    #[test]
    fn an_attached_id_is_another_entry_than_one_that_stands_there() {
        let mut ids = Dictionary::default();
        assert_eq!(
            [ids.reference(1, false, b"a"), ids.reference(1, true, b"a"), ids.reference(1, true, b"a")],
            [0, 1, 1]
        );
        let columns = Columns::decode(&ids.encoded[..]).unwrap();
        let found: Vec<_> = columns.ids.iter().map(|id| (&id.value[..], id.kind, id.attached)).collect();
        assert_eq!(found, [(&b"a"[..], 1, false), (&b"a"[..], 1, true)]);
    }

    #[test]
    fn the_dictionary_grows_and_forgets() {
        let mut builder = Builder::default();
        let mut fields = Fields::default();
        for _ in 0..2 {
            builder.begin(None, 1);
            for number in 0..5000 {
                fields.clear();
                fields.ids.push(IdKind::Trace, format!("{number:08}").as_bytes(), "field");
                builder.push(1, 0, &fields);
                builder.push(1, 0, &fields);
            }
            let columns = Columns::decode(builder.finish(&[b'x'; 10_000]).columns).unwrap();
            assert_eq!(columns.ids.len(), 5000);
            assert_eq!(columns.id_refs[9999], 4999);
            assert_eq!(columns.flags[0], flag::TIME_OF_READING);
            assert_eq!(columns.flags[1], flag::TIME_INHERITED);
        }
    }
}
