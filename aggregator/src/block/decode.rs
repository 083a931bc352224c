//! Payload to the columns that a reader asks for.
//!
//! Nothing here trusts its input: counts are checked against [`RECORDS_MAX`] before memory is taken, and every index before
//! it is followed.

use std::sync::Arc;

use uuid::Uuid;

use super::columns::{Columns, Run};
use super::container::{Corrupt, PLAIN_BYTES_MAX, Reader, Unzstd};
use super::encode::{ATTACHED, Column, LINES_STEP, MAGIC};
use super::overlay::Hidden;
use super::spelling::{Form, SpelledId};
use super::tally::Tally;
use super::varint::{take, take_bytes, take_signed};
use crate::id::Canonical;
use crate::record::Record;
use crate::source::Source;

/// No block holds more records.
pub const RECORDS_MAX: usize = 1 << 20;
/// A payload whose checksum and table were checked.
pub struct Payload<'a>(Reader<'a>);

impl<'a> Payload<'a> {
    /// Checks the checksum and reads the table.
    pub fn open(bytes: &'a [u8]) -> Result<Self, Corrupt> {
        Reader::open(bytes, MAGIC).map(Self)
    }

    /// Every record that carries one of `wanted`, in the block's order.
    pub fn find(&self, wanted: &[Canonical], unzstd: &mut Unzstd) -> Result<Vec<Record>, Corrupt> {
        let ids = self.ids(unzstd)?;
        if !ids.iter().any(|id| wanted.iter().any(|wanted| wanted.same(&id.canonical))) {
            return Ok(Vec::new());
        }
        let mut columns = self.without_raw(ids, unzstd)?;
        let found = columns.find(wanted);
        if let Some(last) = found.last() {
            self.raw(&mut columns, *last as usize + 1, unzstd)?;
        }
        Ok(columns.materialise(&found))
    }

    /// All columns.
    pub fn columns(&self, unzstd: &mut Unzstd) -> Result<Columns, Corrupt> {
        let mut columns = self.without_raw(self.ids(unzstd)?, unzstd)?;
        let records = columns.times.len();
        self.raw(&mut columns, records, unzstd)?;
        Ok(columns)
    }

    fn without_raw(&self, ids: Vec<SpelledId>, unzstd: &mut Unzstd) -> Result<Columns, Corrupt> {
        let (records, sources) = self.sources(unzstd)?;
        let (id_counts, id_refs) = self.references(records, ids.len(), unzstd)?;
        let columns = Columns {
            runs: self.runs(records, sources.len(), unzstd)?,
            sources,
            times: self.times(records, unzstd)?,
            severities: self.severities(records, unzstd)?,
            flags: self.flags(records, unzstd)?,
            marks: self.marks(records, unzstd)?,
            lengths: Vec::new(),
            extents: Vec::new(),
            id_refs,
            ids,
            id_counts,
            raw: Vec::new(),
            hidden: self.hidden(),
        };
        Ok(columns)
    }

    /// Of each of `records` records.
    pub fn severities(&self, records: usize, unzstd: &mut Unzstd) -> Result<Vec<u8>, Corrupt> {
        self.bytes(Column::Severities, records, unzstd)
    }

    /// Of each of `records` records.
    pub fn flags(&self, records: usize, unzstd: &mut Unzstd) -> Result<Vec<u8>, Corrupt> {
        self.bytes(Column::Flags, records, unzstd)
    }

    /// How many of the `records` records by minute and severity; none when only the columns tell.
    pub fn tally(&self, records: usize, unzstd: &mut Unzstd) -> Result<Option<Tally>, Corrupt> {
        if !self.0.has(Column::Tally as u8) {
            return Ok(None);
        }
        let plain = self.0.plain(Column::Tally as u8, unzstd)?;
        Tally::decode(&plain, records).map(Some).ok_or(Corrupt::Column(Column::Tally as u8))
    }

    /// How many IDs each of `records` records has, and where in the dictionary of `ids` entries they stand.
    pub fn references(&self, records: usize, ids: usize, unzstd: &mut Unzstd) -> Result<(Vec<u8>, Vec<u32>), Corrupt> {
        let counts = self.bytes(Column::IdCounts, records, unzstd)?;
        let references = counts.iter().map(|count| usize::from(*count)).sum();
        let references = self.id_refs(references, ids, unzstd)?;
        Ok((counts, references))
    }

    /// A column of one byte per record.
    fn bytes(&self, column: Column, records: usize, unzstd: &mut Unzstd) -> Result<Vec<u8>, Corrupt> {
        let bytes = self.0.plain(column as u8, unzstd)?;
        if bytes.len() == records { Ok(bytes) } else { Err(Corrupt::Column(column as u8)) }
    }

    /// Fills in the lengths and raw bytes of at least the first `wanted` records.
    fn raw(&self, columns: &mut Columns, wanted: usize, unzstd: &mut Unzstd) -> Result<(), Corrupt> {
        (columns.raw, columns.lengths) = self.prefix(columns.times.len(), wanted, unzstd)?;
        columns.extents = self.extents(&columns.lengths, unzstd)?;
        Ok(())
    }

    /// The overlaid bytes of all records.
    pub fn text(&self, unzstd: &mut Unzstd) -> Result<Vec<u8>, Corrupt> {
        self.0.plain(Column::Raw as u8, unzstd)
    }

    /// Of each of the `records` records whose overlaid or restored bytes these are.
    pub fn lengths(&self, raw: &[u8], records: usize, unzstd: &mut Unzstd) -> Result<Vec<u32>, Corrupt> {
        let malformed = || Corrupt::Column(Column::Lines as u8);
        let plain = self.0.plain(Column::Lines as u8, unzstd)?;
        let mut input = &plain[..];
        (0..records.div_ceil(LINES_STEP)).try_for_each(|_| take(&mut input).map(drop)).ok_or_else(malformed)?;
        lengths(raw, records, input).ok_or_else(malformed)
    }

    /// The overlaid bytes, and the lengths, of at least the first `wanted` of the block's `records` records.
    fn prefix(&self, records: usize, wanted: usize, unzstd: &mut Unzstd) -> Result<(Vec<u8>, Vec<u32>), Corrupt> {
        let malformed = || Corrupt::Column(Column::Lines as u8);
        let plain = self.0.plain(Column::Lines as u8, unzstd)?;
        let mut input = &plain[..];
        let wanted_steps = wanted.div_ceil(LINES_STEP);
        let mut size = 0usize;
        for step in 0..records.div_ceil(LINES_STEP) {
            let length = take(&mut input).and_then(|length| usize::try_from(length).ok()).ok_or_else(malformed)?;
            if step < wanted_steps {
                size = size.checked_add(length).filter(|size| *size <= PLAIN_BYTES_MAX).ok_or_else(malformed)?;
            }
        }
        let raw = self.0.prefix(Column::Raw as u8, size, unzstd)?;
        let lengths = lengths(&raw, (wanted_steps * LINES_STEP).min(records), input).ok_or_else(malformed)?;
        Ok((raw, lengths))
    }

    /// What is hidden in the text.
    pub fn hidden(&self) -> Hidden {
        if self.0.has(Column::Apart as u8) { Hidden::Apart } else { Hidden::Anywhere }
    }

    /// None when no record has any.
    pub fn marks(&self, records: usize, unzstd: &mut Unzstd) -> Result<Vec<u8>, Corrupt> {
        if self.0.has(Column::Marks as u8) { self.bytes(Column::Marks, records, unzstd) } else { Ok(Vec::new()) }
    }

    /// Of the records with these lengths; none when all contents are what stands in the file.
    pub fn extents(&self, lengths: &[u32], unzstd: &mut Unzstd) -> Result<Vec<u32>, Corrupt> {
        if !self.0.has(Column::Extents as u8) {
            return Ok(Vec::new());
        }
        let plain = self.0.plain(Column::Extents as u8, unzstd)?;
        let mut input = &plain[..];
        let extents: Option<Vec<u32>> = lengths
            .iter()
            .map(|length| u32::try_from(i64::from(*length).checked_add(take_signed(&mut input)?)?).ok())
            .collect();
        extents.ok_or(Corrupt::Column(Column::Extents as u8))
    }

    /// Of each source; none when no source has any.
    fn labels(&self, unzstd: &mut Unzstd) -> Result<Vec<u8>, Corrupt> {
        if self.0.has(Column::Labels as u8) { self.0.plain(Column::Labels as u8, unzstd) } else { Ok(Vec::new()) }
    }

    /// How many records there are, and the sources that the runs name.
    pub fn sources(&self, unzstd: &mut Unzstd) -> Result<(usize, Vec<Arc<Source>>), Corrupt> {
        let plain = self.0.plain(Column::Sources as u8, unzstd)?;
        let labels = self.labels(unzstd)?;
        let parsed = || -> Option<(usize, Vec<Arc<Source>>)> {
            let (mut input, mut labels) = (&plain[..], &labels[..]);
            let records = usize::try_from(take(&mut input)?).ok().filter(|records| *records <= RECORDS_MAX)?;
            let count = take(&mut input)?;
            let service = text(take_bytes(&mut input)?);
            let mut sources = Vec::new();
            for _ in 0..count {
                let (id, rest) = input.split_first_chunk::<16>()?;
                let (agent, rest) = rest.split_first_chunk::<16>()?;
                input = rest;
                sources.push(Arc::new(Source {
                    id: Uuid::from_bytes(*id),
                    agent: Uuid::from_bytes(*agent),
                    service: service.clone(),
                    host: text(take_bytes(&mut input)?),
                    path: take_bytes(&mut input)?.to_vec(),
                    labels: if labels.is_empty() { Vec::new() } else { take_labels(&mut labels)? },
                }));
            }
            Some((records, sources))
        };
        parsed().ok_or(Corrupt::Column(Column::Sources as u8))
    }

    /// Contiguous stretches of one source.
    pub fn runs(&self, records: usize, sources: usize, unzstd: &mut Unzstd) -> Result<Vec<Run>, Corrupt> {
        let plain = self.0.plain(Column::Runs as u8, unzstd)?;
        let parsed = || -> Option<Vec<Run>> {
            let mut input = &plain[..];
            let count = take(&mut input)?;
            let mut left = records;
            let mut runs = Vec::new();
            let mut received_ns = 0i64;
            for _ in 0..count {
                received_ns = received_ns.wrapping_add(take_signed(&mut input)?);
                let source = u32::try_from(take(&mut input)?).ok().filter(|source| (*source as usize) < sources)?;
                let in_run = u32::try_from(take(&mut input)?).ok().filter(|records| *records > 0)?;
                let position = take(&mut input)?;
                left = left.checked_sub(in_run as usize)?;
                runs.push(Run { source, records: in_run, position, received_ns });
            }
            (left == 0).then_some(runs)
        };
        parsed().ok_or(Corrupt::Column(Column::Runs as u8))
    }

    /// Nanoseconds since the epoch.
    pub fn times(&self, records: usize, unzstd: &mut Unzstd) -> Result<Vec<i64>, Corrupt> {
        let plain = self.0.plain(Column::Times as u8, unzstd)?;
        let mut input = &plain[..];
        let mut last = 0i64;
        let scale = take(&mut input).and_then(|scale| i64::try_from(scale).ok());
        let times = scale.and_then(|scale| {
            (0..records)
                .map(|_| {
                    last = last.wrapping_add(take_signed(&mut input)?);
                    Some(last.wrapping_mul(scale))
                })
                .collect()
        });
        times.ok_or(Corrupt::Column(Column::Times as u8))
    }

    fn id_refs(&self, references: usize, ids: usize, unzstd: &mut Unzstd) -> Result<Vec<u32>, Corrupt> {
        let plain = self.0.plain(Column::IdRefs as u8, unzstd)?;
        let mut input = &plain[..];
        let mut used = 0u32;
        let parsed: Option<Vec<u32>> = (0..references)
            .map(|_| {
                let back = u32::try_from(take(&mut input)?).ok()?;
                let reference = used.checked_sub(back).filter(|reference| (*reference as usize) < ids)?;
                used = used.max(reference + 1);
                Some(reference)
            })
            .collect();
        parsed.ok_or(Corrupt::Column(Column::IdRefs as u8))
    }

    /// The dictionary.
    pub fn ids(&self, unzstd: &mut Unzstd) -> Result<Vec<SpelledId>, Corrupt> {
        let owned;
        let plain = match self.0.stored_plain(Column::Ids as u8) {
            Some(stored) => stored,
            None => {
                owned = self.0.plain(Column::Ids as u8, unzstd)?;
                &owned
            }
        };
        let parsed = || -> Option<Vec<SpelledId>> {
            let mut input = plain;
            let count = usize::try_from(take(&mut input)?).ok()?;
            let (codes, mut input) = input.split_at_checked(count)?;
            codes
                .iter()
                .map(|code| {
                    let (kind, attached) = ((code & !ATTACHED) >> 2, code & ATTACHED != 0);
                    let form = match code & 3 {
                        0 => Form::Hex32,
                        1 => Form::Uuid,
                        2 => Form::Hex16,
                        _ => return Some(SpelledId { attached, ..SpelledId::new(take_bytes(&mut input)?, kind) }),
                    };
                    let (number, rest) = input.split_first_chunk::<16>()?;
                    input = rest;
                    Some(SpelledId { canonical: Canonical::Number(u128::from_be_bytes(*number)), form, kind, attached })
                })
                .collect()
        };
        parsed().ok_or(Corrupt::Column(Column::Ids as u8))
    }
}

/// The lengths of `records` records that tile `raw`; `exceptions` as `encode` lists them.
fn lengths(raw: &[u8], records: usize, mut exceptions: &[u8]) -> Option<Vec<u32>> {
    let mut left = take(&mut exceptions)?;
    let mut next_exception = |record: usize| -> Option<(usize, u64, Option<usize>)> {
        left = left.checked_sub(1)?;
        let at = record.checked_add(usize::try_from(take(&mut exceptions)?).ok()?)?;
        let code = take(&mut exceptions)?;
        let length = if code & 1 == 1 { Some(usize::try_from(take(&mut exceptions)?).ok()?) } else { None };
        Some((at, code >> 1, length))
    };
    let mut exception = next_exception(0);
    let mut feeds = memchr::memchr_iter(b'\n', raw);
    let mut lengths = Vec::with_capacity(records);
    let mut begin = 0usize;
    for record in 0..records {
        let end = match exception {
            Some((at, inside, length)) if at == record => {
                exception = next_exception(record);
                for _ in 0..inside {
                    feeds.next()?;
                }
                match length {
                    Some(length) => begin.checked_add(length)?,
                    None => feeds.next()? + 1,
                }
            }
            _ => feeds.next()? + 1,
        };
        lengths.push(u32::try_from(end.checked_sub(begin)?).ok()?);
        begin = end;
    }
    (begin == raw.len()).then_some(lengths)
}

/// The labels of one source.
fn take_labels(input: &mut &[u8]) -> Option<Vec<(String, String)>> {
    let count = take(input)?;
    (0..count).map(|_| Some((text(take_bytes(input)?), text(take_bytes(input)?)))).collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use proptest::prelude::*;

    use super::super::columns::{IdIndex, Range};
    use super::super::encode::Encoder;
    use super::*;
    use crate::batch::{Batch, strategy};
    use crate::block::mask::Mask;
    use crate::block::tally;
    use crate::block::view::View;

    fn source(host: &str) -> Arc<Source> {
        Arc::new(Source {
            id: Uuid::from_u128(7),
            agent: Uuid::from_u128(8),
            host: host.into(),
            service: "payments".into(),
            path: b"/var/log/\xff.log".to_vec(),
            labels: if host == "b" { vec![("pod".into(), "p-1".into())] } else { Vec::new() },
        })
    }

    fn columns(batches: &[(Arc<Source>, Batch)]) -> Columns {
        let mut columns = Columns::default();
        let mut index = IdIndex::default();
        for (source, batch) in batches {
            let range = Range { records: 0..batch.records(), raw: 0..batch.raw.len(), refs: 0..batch.id_refs.len() };
            columns.append(source, batch, &range, 1_795_435_200_000_000_000 + batch.begin as i64, &mut index);
        }
        columns
    }

    fn all(columns: &Columns) -> Vec<Record> {
        columns.materialise(&(0..columns.records() as u32).collect::<Vec<_>>())
    }

    fn two_batches() -> impl Strategy<Value = Columns> {
        let batch = |begin| prop_oneof![strategy::batch(begin, 12), strategy::varied(begin, 12)];
        (batch(0), batch(9000)).prop_map(|(first, second)| columns(&[(source("a"), first), (source("b"), second)]))
    }

    proptest! {
        #[test]
        fn round_trip(columns in two_batches()) {
            let sealed = Encoder::default().seal(&columns);
            let payload = Payload::open(&sealed.payload).unwrap();
            prop_assert_eq!(all(&payload.columns(&mut Unzstd::default()).unwrap()), all(&columns));
            for id in &columns.ids {
                let wanted = [id.canonical.clone()];
                let found = columns.materialise(&columns.find(&wanted));
                prop_assert_eq!(payload.find(&wanted, &mut Unzstd::default()).unwrap(), found);
            }
            let unzstd = RefCell::default();
            let tally = View::sealed(&sealed.payload, &unzstd).unwrap().tally().unwrap();
            prop_assert_eq!(tally, Tally::of(&columns.times, &columns.severities));
        }

        #[test]
        fn only_some_records(columns in two_batches(), keep in proptest::collection::vec(any::<bool>(), 30)) {
            let mut wanted = Mask::all(columns.records());
            wanted.retain(|record| keep[record % keep.len()]);
            let indexes: Vec<u32> = wanted.iter().map(|record| record as u32).collect();
            let expected = columns.materialise(&indexes);
            let only = columns.only(&wanted);
            prop_assert_eq!(&all(&only), &expected);
            if !expected.is_empty() {
                let sealed = Encoder::default().seal(&only);
                let payload = Payload::open(&sealed.payload).unwrap();
                prop_assert_eq!(all(&payload.columns(&mut Unzstd::default()).unwrap()), expected);
            }
        }

        #[test]
        fn pieces_of_a_batch_keep_their_positions(batch in strategy::varied(70, 12), cut in any::<prop::sample::Index>()) {
            let source = source("a");
            let whole = columns(&[(Arc::clone(&source), batch.clone())]);
            let mut pieces = Columns::default();
            let mut index = IdIndex::default();
            let cut = cut.index(batch.records() + 1);
            let raw = batch.lengths[..cut].iter().sum::<u32>() as usize;
            let refs = batch.id_counts[..cut].iter().map(|count| usize::from(*count)).sum();
            let first = Range { records: 0..cut, raw: 0..raw, refs: 0..refs };
            let second = Range { records: cut..batch.records(), raw: raw..batch.raw.len(), refs: refs..batch.id_refs.len() };
            for range in [first, second].iter().filter(|range| !range.records.is_empty()) {
                pieces.append(&source, &batch, range, 1_795_435_200_000_000_000 + batch.begin as i64, &mut index);
            }
            prop_assert_eq!(all(&pieces), all(&whole));
            let last = all(&whole).last().map(|record| record.position + u64::from(record.length));
            let behind: u64 = batch.skipped.iter().filter(|skip| skip.before_record as usize == batch.records()).map(|skip| u64::from(skip.bytes)).sum();
            prop_assert_eq!(last, Some(batch.end - behind));
        }

        #[test]
        fn a_plain_block_has_no_new_columns(batch in strategy::batch(0, 12)) {
            let payload = Encoder::default().seal(&columns(&[(source("a"), batch)])).payload;
            let reader = Reader::open(&payload, MAGIC).unwrap();
            for column in [Column::Marks, Column::Extents, Column::Labels] {
                prop_assert!(!reader.has(column as u8));
            }
        }

        #[test]
        fn a_changed_byte_is_noticed(columns in two_batches(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut payload = Encoder::default().seal(&columns).payload;
            let at = at.index(payload.len());
            payload[at] ^= 1 << bit;
            prop_assert!(Payload::open(&payload).is_err());
        }

        #[test]
        fn nonsense_with_a_right_checksum_is_refused_without_harm(
            columns in two_batches(),
            changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut payload = Encoder::default().seal(&columns).payload;
            let body = payload.len() - 4;
            for (at, byte) in changes {
                payload[at.index(body)] = byte;
            }
            let sum = crc32c::crc32c(&payload[..body]).to_le_bytes();
            payload[body..].copy_from_slice(&sum);
            if let Ok(payload) = Payload::open(&payload) {
                let _ = payload.columns(&mut Unzstd::default());
                let _ = payload.tally(columns.records(), &mut Unzstd::default());
            }
        }
    }

    #[test]
    fn a_tally_is_stored_if_it_is_short() {
        for (step, is_there) in [(1, true), (tally::MINUTE_NS, false)] {
            let of_each = |value: u8| vec![value; 40];
            let batch = Batch {
                end: 80,
                lengths: vec![2; 40],
                times: (0..40).map(|record| record * step).collect(),
                severities: of_each(3),
                flags: of_each(0),
                id_counts: of_each(0),
                raw: b"x\n".repeat(40),
                ..Batch::default()
            };
            let columns = columns(&[(source("a"), batch)]);
            let sealed = Encoder::default().seal(&columns);
            let unzstd = &mut Unzstd::default();
            let stored = Payload::open(&sealed.payload).unwrap().tally(40, unzstd).unwrap();
            assert_eq!(stored, is_there.then(|| Tally::of(&columns.times, &columns.severities)));
            assert_eq!(sealed.summary.tally, stored);
        }
    }

    #[test]
    fn another_version_is_named() {
        let batch = Batch {
            end: 2,
            lengths: vec![2],
            times: vec![1],
            severities: vec![3],
            flags: vec![0],
            id_counts: vec![0],
            raw: b"x\n".to_vec(),
            ..Batch::default()
        };
        let mut payload = Encoder::default().seal(&columns(&[(source("a"), batch)])).payload;
        payload[4] = 9;
        let body = payload.len() - 4;
        let sum = crc32c::crc32c(&payload[..body]).to_le_bytes();
        payload[body..].copy_from_slice(&sum);
        assert_eq!(Payload::open(&payload).err(), Some(Corrupt::Version(9)));
    }
}
