//! A block that still takes records: plain columns in memory.
//!
//! Records of one service, in the order in which they became durable. A run of records of one source is contiguous in its
//! file, so that source and position cost a few bytes per run, not per record.

use std::sync::Arc;

use clew_proto::v1::{RecordFlag, Severity};
use hashbrown::HashMap;

use super::mask::Mask;
use super::overlay::{self, Hidden, TimeText, VERBATIM};
use super::spelling::SpelledId;
use crate::batch::Batch;
use crate::id::Canonical;
use crate::record::Record;
use crate::source::Source;

/// How many severities there are.
pub const SEVERITIES: usize = Severity::Fatal as usize + 1;

/// Columns of one block. Every per-record column has the same length.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Columns {
    /// The sources that the runs name.
    pub sources: Vec<Arc<Source>>,
    /// Contiguous stretches of one source.
    pub runs: Vec<Run>,
    /// Nanoseconds since the epoch.
    pub times: Vec<i64>,
    /// `v1::Severity` values.
    pub severities: Vec<u8>,
    /// `v1::RecordFlag` bits, and in a decoded block [`VERBATIM`].
    pub flags: Vec<u8>,
    /// `v1::RecordMark` bits; empty: no record has any.
    pub marks: Vec<u8>,
    /// Bytes of each record's content in `raw`, line feed included.
    pub lengths: Vec<u32>,
    /// File bytes of each record; empty: every content is what stands in the file.
    pub extents: Vec<u32>,
    /// Dictionary of the block's transaction IDs.
    pub ids: Vec<SpelledId>,
    /// How many of `id_refs` belong to each record.
    pub id_counts: Vec<u8>,
    /// Indexes into `ids`, record by record.
    pub id_refs: Vec<u32>,
    /// The records' bytes, one after the other. They, `lengths` and `extents` end early in a block that was decoded in part.
    pub raw: Vec<u8>,
    /// What is hidden in `raw`.
    pub hidden: Hidden,
}

/// A contiguous stretch of one source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Index into `sources`.
    pub source: u32,
    /// How many records.
    pub records: u32,
    /// Position of its first byte in the source.
    pub position: u64,
    /// It was received no later than this, and at most [`RUN_NS`] earlier; nanoseconds since the epoch.
    pub received_ns: i64,
}

/// A run takes what was received within so long: a record's time of receipt is known this well.
pub const RUN_NS: i64 = 1_000_000_000;

/// Finds IDs that the block's dictionary holds already.
pub type IdIndex = HashMap<SpelledId, u32, foldhash::fast::RandomState>;

impl Columns {
    /// How many records it holds.
    pub fn records(&self) -> usize {
        self.lengths.len()
    }

    /// Appends the records `[from, to)` of `batch`, whose first byte stands at `raw_from` in `batch.raw` and whose first
    /// reference at `refs_from` in `batch.id_refs`.
    pub fn append(
        &mut self,
        source: &Arc<Source>,
        batch: &Batch,
        range: &Range,
        received_ns: i64,
        index: &mut IdIndex,
    ) {
        let stretches = batch.stretches(range.records.clone(), range.raw.start);
        for (index, (position, records)) in stretches.into_iter().enumerate() {
            // Between two stretches of one batch something was skipped: the later one is a run of its own.
            if index > 0 || !self.extend_run(source, position, records, received_ns) {
                self.begin_run(source, position, records, received_ns);
            }
        }
        if !self.marks.is_empty() || !batch.marks.is_empty() {
            self.marks.resize(self.lengths.len(), 0);
            self.marks.extend_from_slice(batch.marks.get(range.records.clone()).unwrap_or_default());
            self.marks.resize(self.lengths.len() + range.records.len(), 0);
        }
        if !self.extents.is_empty() || !batch.extents.is_empty() {
            if self.extents.is_empty() {
                self.extents.extend_from_slice(&self.lengths);
            }
            self.extents.extend_from_slice(&batch.extents()[range.records.clone()]);
        }
        self.times.extend_from_slice(&batch.times[range.records.clone()]);
        self.severities.extend_from_slice(&batch.severities[range.records.clone()]);
        self.flags.extend_from_slice(&batch.flags[range.records.clone()]);
        self.lengths.extend_from_slice(&batch.lengths[range.records.clone()]);
        self.id_counts.extend_from_slice(&batch.id_counts[range.records.clone()]);
        self.raw.extend_from_slice(&batch.raw[range.raw.clone()]);
        let mut known = vec![u32::MAX; batch.ids.len()];
        for reference in &batch.id_refs[range.refs.clone()] {
            let known = &mut known[*reference as usize];
            if *known == u32::MAX {
                let id = &batch.ids[*reference as usize];
                *known = *index.entry_ref(id).or_insert_with(|| {
                    self.ids.push(id.clone());
                    self.ids.len() as u32 - 1
                });
            }
            self.id_refs.push(*known);
        }
    }

    /// Bytes of the files that the records cover.
    pub fn file_bytes(&self) -> u64 {
        sum(self.extents())
    }

    /// The records of `wanted` alone. Nothing may be hidden in the text.
    pub fn only(&self, wanted: &Mask) -> Self {
        debug_assert!(self.hidden == Hidden::Nothing);
        let mut only = Self { sources: self.sources.clone(), ..Self::default() };
        let mut dictionary = vec![u32::MAX; self.ids.len()];
        let mut walk = Walk::new(self);
        let mut behind = None;
        for record in wanted.iter() {
            let place = walk.to(record as u32);
            let run = (walk.run, record);
            match only.runs.last_mut().filter(|_| behind == Some(run)) {
                Some(run) => run.records += 1,
                None => only.runs.push(Run {
                    source: place.source,
                    records: 1,
                    position: place.position,
                    received_ns: place.received_ns,
                }),
            }
            behind = Some((walk.run, record + 1));
            only.times.push(self.times[record]);
            only.severities.push(self.severities[record]);
            only.flags.push(self.flags[record]);
            only.lengths.push(self.lengths[record]);
            only.id_counts.push(self.id_counts[record]);
            only.raw.extend_from_slice(&self.raw[place.raw..place.raw + self.lengths[record] as usize]);
            if !self.marks.is_empty() {
                only.marks.push(self.marks[record]);
            }
            if !self.extents.is_empty() {
                only.extents.push(self.extents[record]);
            }
            for reference in &self.id_refs[place.refs..place.refs + usize::from(self.id_counts[record])] {
                let known = &mut dictionary[*reference as usize];
                if *known == u32::MAX {
                    *known = only.ids.len() as u32;
                    only.ids.push(self.ids[*reference as usize].clone());
                }
                only.id_refs.push(*known);
            }
        }
        only
    }

    /// Bytes of memory that it takes, about.
    pub fn memory_bytes(&self) -> usize {
        let per_record = 8 + 1 + 1 + 4 + 1;
        self.raw.capacity()
            + self.times.len() * per_record
            + self.extents.len() * 4
            + self.marks.len()
            + self.id_refs.len() * 4
            + self.ids.len() * size_of::<SpelledId>()
            + self.runs.len() * size_of::<Run>()
            + self.sources.len() * 256
    }

    fn extents(&self) -> &[u32] {
        if self.extents.is_empty() { &self.lengths } else { &self.extents }
    }

    /// Lets the last run go on, if `position` is where it ends.
    fn extend_run(&mut self, source: &Arc<Source>, position: u64, records: u32, received_ns: i64) -> bool {
        let Some(run) = self.runs.last() else { return false };
        let covered = sum(&self.extents()[self.lengths.len() - run.records as usize..]);
        let goes_on = received_ns <= run.received_ns
            && Arc::ptr_eq(&self.sources[run.source as usize], source)
            && run.position + covered == position;
        if goes_on && let Some(run) = self.runs.last_mut() {
            run.records += records;
        }
        goes_on
    }

    fn begin_run(&mut self, source: &Arc<Source>, position: u64, records: u32, received_ns: i64) {
        let found = self.sources.iter().position(|known| Arc::ptr_eq(known, source));
        let source = found.unwrap_or_else(|| {
            self.sources.push(Arc::clone(source));
            self.sources.len() - 1
        });
        self.runs.push(Run {
            source: source as u32,
            records,
            position,
            received_ns: received_ns.saturating_add(RUN_NS),
        });
    }

    /// Indexes of the records that carry one of `wanted`, rising.
    pub fn find(&self, wanted: &[Canonical]) -> Vec<u32> {
        let is_wanted: Vec<bool> =
            self.ids.iter().map(|id| wanted.iter().any(|wanted| wanted.same(&id.canonical))).collect();
        if !is_wanted.contains(&true) {
            return Vec::new();
        }
        let mut found = Vec::new();
        let mut at = 0;
        for (record, count) in self.id_counts.iter().enumerate() {
            let references = &self.id_refs[at..at + usize::from(*count)];
            at += references.len();
            if references.iter().any(|reference| is_wanted[*reference as usize]) {
                found.push(record as u32);
            }
        }
        found
    }

    /// The records with the rising indexes `wanted`, whole. `raw` must reach to the end of the last one.
    pub fn materialise(&self, wanted: &[u32]) -> Vec<Record> {
        let mut text = TimeText::default();
        let mut walk = Walk::new(self);
        wanted.iter().map(|record| self.record(walk.to(*record), &mut text)).collect()
    }

    /// The source and the position of each of the records with the rising indexes `wanted`.
    pub fn places(&self, wanted: &[u32]) -> Vec<(uuid::Uuid, u64)> {
        let mut walk = Walk::new(self);
        let place = |record: &u32| {
            let place = walk.to(*record);
            (self.sources[place.source as usize].id, place.position)
        };
        wanted.iter().map(place).collect()
    }

    fn record(&self, place: Place, text: &mut TimeText) -> Record {
        let index = place.record;
        let references = &self.id_refs[place.refs..place.refs + usize::from(self.id_counts[index])];
        let ids = || references.iter().map(|reference| &self.ids[*reference as usize]);
        let length = self.lengths[index];
        let mut line = self.raw[place.raw..place.raw + length as usize].to_vec();
        if self.hidden != Hidden::Nothing && self.flags[index] & VERBATIM == 0 {
            overlay::restore(&mut line, self.times[index], ids(), text);
        }
        let flags = self.flags[index] & !VERBATIM;
        if flags & RecordFlag::Unterminated as u8 == 0 && line.last() == Some(&b'\n') {
            line.pop();
        }
        Record {
            time: self.times[index],
            severity: self.severities[index],
            flags,
            marks: self.marks.get(index).copied().unwrap_or_default(),
            source: Arc::clone(&self.sources[place.source as usize]),
            position: place.position,
            received_ns: place.received_ns,
            length: self.extents()[index],
            ids: ids().cloned().collect(),
            line,
        }
    }
}

fn sum(lengths: &[u32]) -> u64 {
    lengths.iter().map(|length| u64::from(*length)).sum()
}

/// Which part of a batch: records, and the bytes and references that belong to them.
pub struct Range {
    /// Indexes of records.
    pub records: std::ops::Range<usize>,
    /// Their bytes in `raw`.
    pub raw: std::ops::Range<usize>,
    /// Their references in `id_refs`.
    pub refs: std::ops::Range<usize>,
}

/// Where one record's bytes, references and position begin.
#[derive(Clone, Copy)]
struct Place {
    record: usize,
    raw: usize,
    refs: usize,
    source: u32,
    position: u64,
    received_ns: i64,
}

/// Walks the records in order, adding up what the columns hold as differences.
struct Walk<'a> {
    columns: &'a Columns,
    place: Place,
    run: usize,
    left_in_run: u32,
}

impl<'a> Walk<'a> {
    fn new(columns: &'a Columns) -> Self {
        let mut walk = Self {
            columns,
            place: Place { record: 0, raw: 0, refs: 0, source: 0, position: 0, received_ns: 0 },
            run: 0,
            left_in_run: 0,
        };
        walk.enter_run();
        walk
    }

    fn enter_run(&mut self) {
        if let Some(run) = self.columns.runs.get(self.run) {
            self.place.source = run.source;
            self.place.position = run.position;
            self.place.received_ns = run.received_ns;
            self.left_in_run = run.records;
        }
    }

    fn to(&mut self, record: u32) -> Place {
        while self.place.record < record as usize {
            let extent = self.columns.extents()[self.place.record];
            self.place.refs += usize::from(self.columns.id_counts[self.place.record]);
            self.place.raw += self.columns.lengths[self.place.record] as usize;
            self.place.position += u64::from(extent);
            self.place.record += 1;
            self.left_in_run -= 1;
            if self.left_in_run == 0 {
                self.run += 1;
                self.enter_run();
            }
        }
        self.place
    }
}
