//! A batch with its columns decoded and checked: what the head appends, and what a replay of the WAL brings back.
//!
//! Invariant: every column has one entry per record, records and skipped bytes tile `[begin, end)`, the contents tile `raw`,
//! every reference points into the dictionary, and decompression never yields more than the contract lets contents have.

mod cost;

use std::ops::Range;

use clew_proto::v1;
use prost::Message;

use crate::block::spelling::SpelledId;
use crate::wal::entry::Counts;

/// The flags of version 1 of the contract; others are reserved and cleared.
const FLAGS_KNOWN: u8 = 63;
/// The marks, likewise.
const MARKS_KNOWN: u8 = 63;
/// A record with one of them has a content that is not what stands in the file, even if it is as long.
const MARKS_CHANGED: u8 = v1::RecordMark::Unwrapped as u8
    | v1::RecordMark::Transcoded as u8
    | v1::RecordMark::Redacted as u8
    | v1::RecordMark::Withheld as u8;
/// Contents may be larger than the file's bytes by this factor, and by so much per record: an encoding of one byte per
/// character doubles at most, and a replacement is a few words.
const CONTENT_FACTOR: u64 = 2;
const CONTENT_BYTES_PER_RECORD: u64 = 1024;
/// And no larger than this together.
const CONTENT_BYTES_MAX: u64 = 16 << 20;

/// No transaction ID is longer.
const ID_BYTES_MAX: usize = 1024;

/// A contiguous byte range of one source with its records, column by column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Position of the first byte.
    pub begin: u64,
    /// Position after the last byte.
    pub end: u64,
    /// Bytes of each record's content in `raw`, its line feed included.
    pub lengths: Vec<u32>,
    /// File bytes that each record covers; empty: every content is what stands in the file.
    pub extents: Vec<u32>,
    /// Nanoseconds since the epoch.
    pub times: Vec<i64>,
    /// `v1::Severity` values.
    pub severities: Vec<u8>,
    /// `v1::RecordFlag` bits.
    pub flags: Vec<u8>,
    /// `v1::RecordMark` bits; empty: no record has any.
    pub marks: Vec<u8>,
    /// File bytes that are no record, in order.
    pub skipped: Vec<Skip>,
    /// Dictionary of transaction IDs.
    pub ids: Vec<SpelledId>,
    /// How many of `id_refs` belong to each record.
    pub id_counts: Vec<u8>,
    /// Indexes into `ids`, record by record.
    pub id_refs: Vec<u32>,
    /// The contents, one after the other.
    pub raw: Vec<u8>,
}

/// File bytes inside a batch that are no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skip {
    /// They stand before the record of this number.
    pub before_record: u32,
    /// How many.
    pub bytes: u32,
    /// Why; a reason that is not known counts as dropped.
    pub reason: v1::SkippedReason,
    /// How many records they would have been.
    pub records: u32,
}

/// The frontier lies inside of a record whose content is not what stands in the file: there is no telling which part of the
/// content lies behind it. The agent has to read again from the frontier.
#[derive(Debug, thiserror::Error)]
#[error("the frontier {0} lies inside of a record whose content differs from the file's bytes")]
pub struct Uncuttable(u64);

/// A batch that breaks the contract.
#[derive(Debug, thiserror::Error)]
#[error("batch [{begin}, {end}): {why}")]
pub struct Malformed {
    begin: u64,
    end: u64,
    why: String,
}

impl Batch {
    /// Decodes `columns` (an encoded `v1::Columns`) of the range `[begin, end)` with `records` records.
    pub fn decode(
        begin: u64,
        end: u64,
        records: u32,
        columns: &[u8],
        unzstd: &mut zstd::bulk::Decompressor<'_>,
    ) -> Result<Self, Malformed> {
        let malformed = |why: String| Malformed { begin, end, why };
        let size = end.checked_sub(begin).ok_or_else(|| malformed("ends before it begins".into()))?;
        if u64::from(records) > size {
            return Err(malformed(format!("{records} records in {size} bytes")));
        }
        cost::check(columns).map_err(malformed)?;
        let columns = v1::Columns::decode(columns).map_err(|error| malformed(error.to_string()))?;
        check_counts(&columns, records as usize).map_err(malformed)?;
        check_tiles(&columns, records, size).map_err(malformed)?;
        check_ids(&columns).map_err(malformed)?;
        let differs = !columns.content_lengths.is_empty();
        let content_bytes = if differs { sum(&columns.content_lengths) } else { sum(&columns.lengths) };
        let most = (CONTENT_FACTOR * size + CONTENT_BYTES_PER_RECORD * u64::from(records)).min(CONTENT_BYTES_MAX);
        if differs && content_bytes > most {
            return Err(malformed(format!("contents of {content_bytes} bytes, {most} are the most")));
        }
        let raw = unzstd
            .decompress(&columns.raw_zstd, content_bytes as usize)
            .map_err(|error| malformed(format!("decompress: {error}")))?;
        if raw.len() as u64 != content_bytes {
            return Err(malformed(format!("{} raw bytes", raw.len())));
        }
        let (lengths, extents) =
            if differs { (columns.content_lengths, columns.lengths) } else { (columns.lengths, Vec::new()) };
        Ok(Self {
            begin,
            end,
            lengths,
            extents,
            times: accumulate(columns.time_deltas_ns),
            severities: columns.severities.iter().map(|severity| (*severity).min(v1::Severity::Fatal as u8)).collect(),
            flags: columns.flags.iter().map(|flags| flags & FLAGS_KNOWN).collect(),
            marks: columns.marks.iter().map(|marks| marks & MARKS_KNOWN).collect(),
            skipped: columns.skipped.iter().map(skip).collect(),
            ids: columns
                .ids
                .iter()
                .map(|id| SpelledId { attached: id.attached, ..SpelledId::new(&id.value, kind(id.kind)) })
                .collect(),
            id_counts: columns.id_counts.into(),
            id_refs: columns.id_refs,
            raw,
        })
    }

    /// How many records it holds.
    pub fn records(&self) -> usize {
        self.lengths.len()
    }

    /// File bytes that each record covers.
    pub fn extents(&self) -> &[u32] {
        if self.extents.is_empty() { &self.lengths } else { &self.extents }
    }

    /// What becomes of its bytes.
    pub fn counts(&self) -> Counts {
        let skipped = |reason| {
            let skips = self.skipped.iter().filter(|skip| skip.reason == reason);
            skips.map(|skip| u64::from(skip.bytes)).sum()
        };
        Counts {
            stored_bytes: sum(self.extents()),
            records: self.records() as u64,
            dropped_bytes: skipped(v1::SkippedReason::Dropped),
            sampled_bytes: skipped(v1::SkippedReason::Sampled),
            nuls_bytes: skipped(v1::SkippedReason::Nuls),
            gap_bytes: 0,
        }
    }

    /// The contiguous stretches of the file that `records` cover, as positions and numbers of records. The first of them has
    /// its content at `raw_begin` in `raw`.
    pub fn stretches(&self, records: Range<usize>, raw_begin: usize) -> Vec<(u64, u32)> {
        if self.extents.is_empty() && self.skipped.is_empty() {
            return vec![(self.begin + raw_begin as u64, records.len() as u32)];
        }
        let mut stretches: Vec<(u64, u32)> = Vec::new();
        let mut skipped = self.skipped.iter().peekable();
        let mut position = self.begin;
        for (record, extent) in self.extents()[..records.end].iter().enumerate() {
            let mut contiguous = record > records.start;
            while let Some(skip) = skipped.next_if(|skip| skip.before_record as usize == record) {
                position += u64::from(skip.bytes);
                contiguous = false;
            }
            match stretches.last_mut() {
                Some((_, count)) if contiguous => *count += 1,
                _ if record >= records.start => stretches.push((position, 1)),
                _ => {}
            }
            position += u64::from(*extent);
        }
        stretches
    }

    /// Forgets what lies before `frontier`: those records are stored already. A record that straddles it keeps its rest,
    /// unless its content differs from the file's bytes: then nothing is changed.
    pub fn trim(&mut self, frontier: u64) -> Result<(), Uncuttable> {
        if frontier <= self.begin {
            return Ok(());
        }
        let mut position = self.begin;
        let (mut whole, mut references, mut raw, mut skips) = (0, 0, 0, 0);
        // Bytes of the record, or of the skip, that the frontier lies in.
        let (mut cut_of_record, mut cut_of_skip) = (0, 0);
        loop {
            let skip = self.skipped.get(skips).filter(|skip| skip.before_record as usize == whole);
            let bytes = match (skip, self.extents().get(whole)) {
                (Some(skip), _) => skip.bytes,
                (None, Some(extent)) => *extent,
                (None, None) => break,
            };
            if position + u64::from(bytes) > frontier {
                let cut = if skip.is_some() { &mut cut_of_skip } else { &mut cut_of_record };
                *cut = (frontier - position) as u32;
                break;
            }
            position += u64::from(bytes);
            if skip.is_some() {
                skips += 1;
            } else {
                raw += self.lengths[whole] as usize;
                references += usize::from(self.id_counts[whole]);
                whole += 1;
            }
        }
        if cut_of_record > 0 && self.differs(whole) {
            return Err(Uncuttable(frontier));
        }
        self.lengths.drain(..whole);
        self.extents.drain(..whole.min(self.extents.len()));
        self.times.drain(..whole);
        self.severities.drain(..whole);
        self.flags.drain(..whole);
        self.marks.drain(..whole.min(self.marks.len()));
        self.id_counts.drain(..whole);
        self.id_refs.drain(..references);
        self.raw.drain(..raw + cut_of_record as usize);
        self.skipped.drain(..skips);
        for skip in &mut self.skipped {
            skip.before_record -= whole as u32;
        }
        if cut_of_skip > 0 {
            self.skipped[0].bytes -= cut_of_skip;
        }
        if cut_of_record > 0 {
            self.lengths[0] -= cut_of_record;
            self.flags[0] |= v1::RecordFlag::Continues as u8;
            if let Some(extent) = self.extents.first_mut() {
                *extent -= cut_of_record;
            }
        }
        self.begin = frontier.min(self.end);
        Ok(())
    }

    /// Whether the content of a record is something else than what stands in the file.
    fn differs(&self, record: usize) -> bool {
        let changed = self.marks.get(record).is_some_and(|marks| marks & MARKS_CHANGED != 0);
        changed || self.extents()[record] != self.lengths[record]
    }
}

/// Every column has one entry per record, or, where that is allowed, none.
fn check_counts(columns: &v1::Columns, records: usize) -> Result<(), String> {
    for (name, found, may_be_empty) in [
        ("lengths", columns.lengths.len(), false),
        ("times", columns.time_deltas_ns.len(), false),
        ("severities", columns.severities.len(), false),
        ("flags", columns.flags.len(), false),
        ("id counts", columns.id_counts.len(), false),
        ("content lengths", columns.content_lengths.len(), true),
        ("marks", columns.marks.len(), true),
    ] {
        if found != records && !(may_be_empty && found == 0) {
            return Err(format!("{found} {name} for {records} records"));
        }
    }
    Ok(())
}

/// Records and skipped bytes tile the batch, and the skipped ones are in order.
fn check_tiles(columns: &v1::Columns, records: u32, size: u64) -> Result<(), String> {
    let skipped: u64 = columns.skipped.iter().map(|skip| u64::from(skip.bytes)).sum();
    let covered = sum(&columns.lengths) + skipped;
    if covered != size || columns.lengths.contains(&0) {
        return Err(format!("records and skipped bytes of {covered} bytes do not tile {size} bytes"));
    }
    let sorted = columns.skipped.is_sorted_by_key(|skip| skip.before_record);
    if !sorted || columns.skipped.iter().any(|skip| skip.bytes == 0 || skip.before_record > records) {
        return Err("skipped bytes are empty, out of order, or behind the last record".into());
    }
    Ok(())
}

fn check_ids(columns: &v1::Columns) -> Result<(), String> {
    let references: usize = columns.id_counts.iter().map(|count| usize::from(*count)).sum();
    if references != columns.id_refs.len()
        || columns.id_refs.iter().any(|reference| *reference as usize >= columns.ids.len())
    {
        return Err("transaction ID references do not fit the dictionary".into());
    }
    if columns.ids.len() > columns.id_refs.len() || columns.ids.iter().any(|id| id.value.len() > ID_BYTES_MAX) {
        return Err("transaction IDs that no record uses, or too long ones".into());
    }
    Ok(())
}

fn sum(lengths: &[u32]) -> u64 {
    lengths.iter().map(|length| u64::from(*length)).sum()
}

fn skip(skip: &v1::Skipped) -> Skip {
    let reason = match skip.reason() {
        v1::SkippedReason::Unknown => v1::SkippedReason::Dropped,
        reason => reason,
    };
    Skip { before_record: skip.before_record, bytes: skip.bytes, reason, records: skip.records }
}

fn accumulate(mut deltas: Vec<i64>) -> Vec<i64> {
    let mut time = 0i64;
    for delta in &mut deltas {
        time = time.wrapping_add(*delta);
        *delta = time;
    }
    deltas
}

fn kind(kind: i32) -> u8 {
    u8::try_from(kind).ok().filter(|kind| *kind <= v1::IdKind::Transaction as u8).unwrap_or(0)
}

/// The columns of a batch as an agent would send them; for tests and tools.
#[cfg(test)]
pub fn encode_columns(batch: &Batch) -> Vec<u8> {
    let mut last = 0i64;
    let differs = !batch.extents.is_empty();
    let skipped = batch.skipped.iter().map(|skip| v1::Skipped {
        before_record: skip.before_record,
        bytes: skip.bytes,
        reason: skip.reason as i32,
        records: skip.records,
    });
    v1::Columns {
        lengths: batch.extents().to_vec(),
        content_lengths: if differs { batch.lengths.clone() } else { Vec::new() },
        marks: batch.marks.clone().into(),
        skipped: skipped.collect(),
        time_deltas_ns: batch.times.iter().map(|time| time.wrapping_sub(std::mem::replace(&mut last, *time))).collect(),
        severities: batch.severities.clone().into(),
        flags: batch.flags.clone().into(),
        ids: batch
            .ids
            .iter()
            .map(|id| v1::TransactionId {
                value: id.spelling().into(),
                kind: i32::from(id.kind),
                attached: id.attached,
            })
            .collect(),
        id_counts: batch.id_counts.clone().into(),
        id_refs: batch.id_refs.clone(),
        raw_zstd: zstd::bulk::compress(&batch.raw, 1).expect("memory suffices").into(),
    }
    .encode_to_vec()
}

/// Arbitrary well-formed batches.
#[cfg(test)]
pub mod strategy {
    use proptest::prelude::*;

    use super::*;

    /// As agents send it: a dictionary of what is used, in order of first use.
    fn only_used(batch: &mut Batch) {
        let mut used: Vec<u32> = Vec::new();
        for reference in &mut batch.id_refs {
            let known = used.iter().position(|known| known == reference).unwrap_or_else(|| {
                used.push(*reference);
                used.len() - 1
            });
            *reference = known as u32;
        }
        batch.ids = used.iter().map(|id| batch.ids[*id as usize].clone()).collect();
    }

    /// These lines, from position 0 on, without times or IDs.
    pub fn lines(lines: &[&str]) -> Batch {
        let lengths: Vec<u32> = lines.iter().map(|line| line.len() as u32).collect();
        let raw = lines.concat().into_bytes();
        Batch {
            begin: 0,
            end: raw.len() as u64,
            times: vec![0; lines.len()],
            severities: vec![0; lines.len()],
            flags: vec![0; lines.len()],
            id_counts: vec![0; lines.len()],
            lengths,
            raw,
            ..Batch::default()
        }
    }

    /// As [`batch`], with contents that differ, marks, skipped bytes and attached IDs.
    pub fn varied(begin: u64, records_max: usize) -> impl Strategy<Value = Batch> {
        let change = (proptest::option::of((0u32..400, 0u8..=MARKS_KNOWN)), proptest::option::of((1u32..50, 1i32..4)));
        (batch(begin, records_max), proptest::collection::vec(change, records_max + 1), any::<[bool; 6]>()).prop_map(
            |(mut batch, changes, attached)| {
                batch.extents = batch.lengths.clone();
                batch.marks = vec![0; batch.records()];
                for (record, (content, skip)) in changes.into_iter().take(batch.records() + 1).enumerate() {
                    if let Some((bytes, reason)) = skip {
                        let reason = v1::SkippedReason::try_from(reason).expect("a known reason");
                        batch.skipped.push(Skip { before_record: record as u32, bytes, reason, records: 1 });
                        batch.end += u64::from(bytes);
                    }
                    if let Some((extent, marks)) = content
                        && record < batch.records()
                    {
                        // At least half as long as the content, so that the content is within its limit.
                        let extent = extent.max(batch.lengths[record] / 2 + 1);
                        batch.end = batch.end + u64::from(extent) - u64::from(batch.lengths[record]);
                        batch.extents[record] = extent;
                        batch.marks[record] = marks;
                    }
                }
                for (id, attached) in batch.ids.iter_mut().zip(attached) {
                    id.attached = attached;
                }
                batch
            },
        )
    }

    /// Batches that begin at `begin` with up to `records_max` records.
    pub fn batch(begin: u64, records_max: usize) -> impl Strategy<Value = Batch> {
        let id = prop_oneof![
            "[0-9a-f]{32}",
            "[0-9a-f]{16}",
            "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
            "[ -~]{1,40}"
        ];
        let record = (
            proptest::collection::vec(any::<u8>(), 1..80),
            -1i64 << 40..1i64 << 40,
            0u8..8,
            0u8..=FLAGS_KNOWN,
            proptest::collection::vec(any::<prop::sample::Index>(), 0..3),
        );
        (proptest::collection::vec((id, 0u8..5), 1..6), proptest::collection::vec(record, 1..=records_max)).prop_map(
            move |(ids, records)| {
                let mut batch = Batch {
                    begin,
                    end: begin,
                    ids: ids.iter().map(|(id, kind)| SpelledId::new(id.as_bytes(), *kind)).collect(),
                    ..Batch::default()
                };
                let mut time = 1_700_000_000_000_000_000;
                for (raw, delta, severity, flags, references) in records {
                    time += delta;
                    batch.end += raw.len() as u64;
                    batch.lengths.push(raw.len() as u32);
                    batch.times.push(time);
                    batch.severities.push(severity);
                    batch.flags.push(flags);
                    batch.id_counts.push(references.len() as u8);
                    batch.id_refs.extend(references.iter().map(|reference| reference.index(ids.len()) as u32));
                    batch.raw.extend(raw);
                }
                only_used(&mut batch);
                batch
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(begin: u64, end: u64, records: u32, columns: &[u8]) -> Result<Batch, Malformed> {
        Batch::decode(begin, end, records, columns, &mut zstd::bulk::Decompressor::new().unwrap())
    }

    #[test]
    fn a_batch_may_be_skipped_as_a_whole() {
        let skip = Skip { before_record: 0, bytes: 9, reason: v1::SkippedReason::Nuls, records: 0 };
        let batch = Batch { begin: 1, end: 10, skipped: vec![skip], ..Batch::default() };
        assert_eq!(decode(1, 10, 0, &encode_columns(&batch)).unwrap(), batch);
        let beyond = Batch { skipped: vec![Skip { before_record: 1, ..skip }], ..batch.clone() };
        assert!(decode(1, 10, 0, &encode_columns(&beyond)).is_err());
        assert!(decode(1, 11, 0, &encode_columns(&batch)).is_err());
    }

    #[test]
    fn contents_have_a_limit() {
        let batch = |content: usize| Batch {
            end: 2,
            lengths: vec![content as u32],
            extents: vec![2],
            times: vec![1],
            severities: vec![3],
            flags: vec![0],
            id_counts: vec![0],
            raw: vec![b'x'; content],
            ..Batch::default()
        };
        assert!(decode(0, 2, 1, &encode_columns(&batch(4 + 1024))).is_ok());
        assert!(decode(0, 2, 1, &encode_columns(&batch(4 + 1025))).is_err());
    }

    proptest! {
        #[test]
        fn round_trip(batch in strategy::batch(77, 20)) {
            let columns = encode_columns(&batch);
            let decoded = decode(batch.begin, batch.end, batch.records() as u32, &columns).unwrap();
            prop_assert_eq!(decoded, batch);
        }

        #[test]
        fn trimming_keeps_what_lies_behind_the_frontier(batch in strategy::batch(77, 20), cut in 0u64..3000) {
            let mut trimmed = batch.clone();
            let frontier = 77 + cut;
            trimmed.trim(frontier).unwrap();
            prop_assert_eq!(trimmed.begin, frontier.clamp(batch.begin, batch.end));
            prop_assert_eq!(&trimmed.raw[..], &batch.raw[(trimmed.begin - batch.begin) as usize..]);
            prop_assert_eq!(trimmed.lengths.iter().map(|length| u64::from(*length)).sum::<u64>(), trimmed.end - trimmed.begin);
            prop_assert_eq!(trimmed.id_counts.iter().map(|count| usize::from(*count)).sum::<usize>(), trimmed.id_refs.len());
            prop_assert_eq!(trimmed.times.len(), trimmed.lengths.len());
        }

        #[test]
        fn round_trip_with_all_that_a_batch_can_have(batch in strategy::varied(77, 20)) {
            let decoded = decode(batch.begin, batch.end, batch.records() as u32, &encode_columns(&batch)).unwrap();
            prop_assert_eq!(decoded, batch);
        }

        #[test]
        fn trimming_keeps_positions_or_refuses(batch in strategy::varied(77, 20), cut in 0u64..3000) {
            let frontier = 77 + cut;
            let mut trimmed = batch.clone();
            // Position, bytes, content of each record.
            let records = |batch: &Batch| {
                let mut at = 0;
                let mut record = 0;
                let mut all = Vec::new();
                for (mut position, count) in batch.stretches(0..batch.records(), 0) {
                    for _ in 0..count {
                        let (bytes, content) = (batch.extents()[record], batch.lengths[record] as usize);
                        all.push((position, bytes, batch.raw[at..at + content].to_vec()));
                        (position, at, record) = (position + u64::from(bytes), at + content, record + 1);
                    }
                }
                all
            };
            let before = records(&batch);
            let straddles = before.iter().position(|(position, bytes, _)| *position < frontier && position + u64::from(*bytes) > frontier);
            match trimmed.trim(frontier) {
                Err(_) => {
                    prop_assert!(straddles.is_some_and(|record| batch.differs(record)));
                    prop_assert_eq!(trimmed, batch);
                }
                Ok(()) => {
                    prop_assert!(straddles.is_none_or(|record| !batch.differs(record)));
                    let mut expected: Vec<_> =
                        before.into_iter().filter(|(position, bytes, _)| position + u64::from(*bytes) > frontier).collect();
                    if straddles.is_some() {
                        let (position, bytes, content) = &mut expected[0];
                        let cut = frontier - *position;
                        (*position, *bytes) = (frontier, *bytes - cut as u32);
                        content.drain(..cut as usize);
                    }
                    prop_assert_eq!(records(&trimmed), expected);
                    let skipped: u64 = trimmed.skipped.iter().map(|skip| u64::from(skip.bytes)).sum();
                    prop_assert_eq!(sum(trimmed.extents()) + skipped, trimmed.end - trimmed.begin);
                }
            }
        }

        #[test]
        fn arbitrary_bytes_are_refused_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..400), size in 0u64..1 << 20) {
            let _ = decode(0, size, 3, &bytes);
        }

        #[test]
        fn a_flipped_bit_never_panics(batch in strategy::batch(0, 5), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut columns = encode_columns(&batch);
            let at = at.index(columns.len());
            columns[at] ^= 1 << bit;
            let _ = decode(batch.begin, batch.end, batch.records() as u32, &columns);
        }
    }
}
