//! A batch with its columns decoded and checked: what the head appends, and what a replay of the WAL brings back.
//!
//! Invariant: every column has one entry per record, the records tile `[begin, end)`, every reference points into the
//! dictionary, and decompression never yields more than `end - begin` bytes.

use clew_proto::v1;
use prost::Message;

use crate::block::spelling::SpelledId;

/// The flags of version 1 of the contract; others are reserved and cleared.
const FLAGS_KNOWN: u8 = 63;

/// No transaction ID is longer.
const ID_BYTES_MAX: usize = 1024;

/// A contiguous byte range of one source with its records, column by column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Position of the first byte.
    pub begin: u64,
    /// Position after the last byte.
    pub end: u64,
    /// File bytes that each record covers, its line feed included.
    pub lengths: Vec<u32>,
    /// Nanoseconds since the epoch.
    pub times: Vec<i64>,
    /// `v1::Severity` values.
    pub severities: Vec<u8>,
    /// `v1::RecordFlag` bits.
    pub flags: Vec<u8>,
    /// Dictionary of transaction IDs.
    pub ids: Vec<SpelledId>,
    /// How many of `id_refs` belong to each record.
    pub id_counts: Vec<u8>,
    /// Indexes into `ids`, record by record.
    pub id_refs: Vec<u32>,
    /// The bytes of the file.
    pub raw: Vec<u8>,
}

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
        let columns = v1::Columns::decode(columns).map_err(|error| malformed(error.to_string()))?;
        let records = records as usize;
        for (name, found) in [
            ("lengths", columns.lengths.len()),
            ("times", columns.time_deltas_ns.len()),
            ("severities", columns.severities.len()),
            ("flags", columns.flags.len()),
            ("id counts", columns.id_counts.len()),
        ] {
            if found != records {
                return Err(malformed(format!("{found} {name} for {records} records")));
            }
        }
        let covered: u64 = columns.lengths.iter().map(|length| u64::from(*length)).sum();
        if covered != size || columns.lengths.contains(&0) {
            return Err(malformed(format!("records of {covered} bytes do not tile {size} bytes")));
        }
        let references: usize = columns.id_counts.iter().map(|count| usize::from(*count)).sum();
        if references != columns.id_refs.len()
            || columns.id_refs.iter().any(|reference| *reference as usize >= columns.ids.len())
        {
            return Err(malformed("transaction ID references do not fit the dictionary".into()));
        }
        if columns.ids.len() > columns.id_refs.len() || columns.ids.iter().any(|id| id.value.len() > ID_BYTES_MAX) {
            return Err(malformed("transaction IDs that no record uses, or too long ones".into()));
        }
        let raw = unzstd
            .decompress(&columns.raw_zstd, size as usize)
            .map_err(|error| malformed(format!("decompress: {error}")))?;
        if raw.len() as u64 != size {
            return Err(malformed(format!("{} raw bytes", raw.len())));
        }
        Ok(Self {
            begin,
            end,
            lengths: columns.lengths,
            times: accumulate(columns.time_deltas_ns),
            severities: columns.severities.iter().map(|severity| (*severity).min(v1::Severity::Fatal as u8)).collect(),
            flags: columns.flags.iter().map(|flags| flags & FLAGS_KNOWN).collect(),
            ids: columns.ids.iter().map(|id| SpelledId::new(&id.value, kind(id.kind))).collect(),
            id_counts: columns.id_counts.into(),
            id_refs: columns.id_refs,
            raw,
        })
    }

    /// How many records it holds.
    pub fn records(&self) -> usize {
        self.lengths.len()
    }

    /// Forgets what lies before `frontier`: those records are stored already. A record that straddles it keeps its rest.
    pub fn trim(&mut self, frontier: u64) {
        if frontier <= self.begin {
            return;
        }
        let mut position = self.begin;
        let mut whole = 0;
        let mut references = 0;
        for (length, count) in self.lengths.iter().zip(&self.id_counts) {
            if position + u64::from(*length) > frontier {
                break;
            }
            position += u64::from(*length);
            whole += 1;
            references += usize::from(*count);
        }
        self.lengths.drain(..whole);
        self.times.drain(..whole);
        self.severities.drain(..whole);
        self.flags.drain(..whole);
        self.id_counts.drain(..whole);
        self.id_refs.drain(..references);
        self.raw.drain(..(frontier.min(self.end) - self.begin) as usize);
        if let Some(length) = self.lengths.first_mut()
            && frontier > position
        {
            *length -= (frontier - position) as u32;
            self.flags[0] |= v1::RecordFlag::Continues as u8;
        }
        self.begin = frontier.min(self.end);
    }
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
    v1::Columns {
        lengths: batch.lengths.clone(),
        time_deltas_ns: batch.times.iter().map(|time| time.wrapping_sub(std::mem::replace(&mut last, *time))).collect(),
        severities: batch.severities.clone().into(),
        flags: batch.flags.clone().into(),
        ids: batch
            .ids
            .iter()
            .map(|id| v1::TransactionId { value: id.spelling().into(), kind: i32::from(id.kind), attached: false })
            .collect(),
        id_counts: batch.id_counts.clone().into(),
        id_refs: batch.id_refs.clone(),
        raw_zstd: zstd::bulk::compress(&batch.raw, 1).expect("memory suffices").into(),
        ..v1::Columns::default()
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
            trimmed.trim(frontier);
            prop_assert_eq!(trimmed.begin, frontier.clamp(batch.begin, batch.end));
            prop_assert_eq!(&trimmed.raw[..], &batch.raw[(trimmed.begin - batch.begin) as usize..]);
            prop_assert_eq!(trimmed.lengths.iter().map(|length| u64::from(*length)).sum::<u64>(), trimmed.end - trimmed.begin);
            prop_assert_eq!(trimmed.id_counts.iter().map(|count| usize::from(*count)).sum::<usize>(), trimmed.id_refs.len());
            prop_assert_eq!(trimmed.times.len(), trimmed.lengths.len());
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
