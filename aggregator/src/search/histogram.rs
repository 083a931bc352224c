//! How many records, by time and by one field. A block that lies whole in one bucket, and whose records the query takes or leaves as a
//! whole, is counted from its document: nothing of it is decoded. One that reaches over a bucket's end is counted from its tally.

use std::collections::BTreeMap;
use std::sync::Arc;

use hashbrown::HashMap;

use super::cache::{BlockCache, ServiceTally};
use super::candidates::{Candidate, Place};
use super::scan::{Collector, Found, Scan};
use super::statistics::bucket;
use crate::block::columns::SEVERITIES;
use crate::block::tally::{self, Tally};
use crate::head::view::HeldBlock;
use crate::index::find::FindError;
use crate::query::dimension::Dimension;
use crate::query::language::level;
use crate::query::predicate::{Leaf, Predicate};

/// So many series are told apart; records of further ones are counted together.
pub const SERIES_MAX: usize = 100;
/// The series of those.
pub const OTHERS: &[u8] = b"(others)";
/// The series of records without the field.
pub const WITHOUT: &[u8] = b"(none)";

/// Buckets that an interval is chosen for when none is asked for.
const BUCKETS_USUAL: i64 = 120;
/// Intervals that people think in, seconds.
const INTERVALS_S: [i64; 18] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400];

/// An interval that gives a usual number of buckets in so much time; nanoseconds.
pub fn usual_interval(width_ns: i64) -> i64 {
    let wanted = width_ns.max(1) / BUCKETS_USUAL / 1_000_000_000;
    let days = || wanted.div_euclid(86_400) + 1;
    let seconds = INTERVALS_S.into_iter().find(|interval| *interval >= wanted);
    seconds.unwrap_or_else(|| days() * 86_400) * 1_000_000_000
}

/// See the module.
pub struct Histogram {
    interval_ns: i64,
    by: Option<Dimension>,
    /// By bucket, then by series.
    pub buckets: BTreeMap<i64, HashMap<Vec<u8>, u64>>,
    series: HashMap<Vec<u8>, ()>,
    /// The levels that are counted, if tallies tell all that is asked for.
    tallied: Option<u16>,
    /// Blocks that were counted without a look at their records.
    pub blocks_counted: usize,
}

impl Histogram {
    pub fn new(interval_ns: i64, by: Option<Dimension>) -> Self {
        Self { interval_ns, by, buckets: BTreeMap::new(), series: HashMap::new(), tallied: None, blocks_counted: 0 }
    }

    fn count(&mut self, bucket: i64, series: &[u8], records: u64) {
        let series = if self.series.contains_key(series) || self.series.len() < SERIES_MAX {
            self.series.entry_ref(series).or_insert(());
            series
        } else {
            OTHERS
        };
        *self.buckets.entry(bucket).or_default().entry_ref(series).or_insert(0) += records;
    }

    /// Counts what documents and tallies tell, and takes these blocks out of the scan.
    fn count_known(&mut self, scan: &mut Scan, cache: &BlockCache) -> Result<(), FindError> {
        let by_document = self.by.as_ref().is_none_or(|by| by.is_level() || by.is_service());
        let Some(levels) = levels_alone(&scan.wanted().predicate).filter(|_| by_document) else { return Ok(()) };
        let times = scan.wanted().times;
        let interval = self.interval_ns;
        let is_whole = |block: &Candidate| block.time_min >= times.0 && block.time_max < times.1;
        let is_of_one_bucket =
            |block: &Candidate| is_whole(block) && bucket(block.time_min, interval) == bucket(block.time_max, interval);
        let mut sums = Sums::default();
        self.blocks_counted += scan.take_documents(is_of_one_bucket, |block, service, severities| {
            let sums = sums.of(self.service_of(service)).entry(bucket(block.time_min, interval)).or_default();
            sums.iter_mut().zip(severities).for_each(|(sum, records)| *sum += records);
        })?;
        if interval % tally::MINUTE_NS == 0 {
            self.tallied = Some(levels);
            self.blocks_counted += scan.take_tallies(cache, is_whole, |service, tally| {
                sums.add(self.service_of(service), tally, interval);
            });
        }
        self.count_sums(&sums, levels);
        Ok(())
    }

    /// Sums are by service only if that is asked for.
    fn service_of<'s>(&self, service: &'s str) -> &'s str {
        if self.by.as_ref().is_some_and(Dimension::is_service) { service } else { "" }
    }

    fn count_sums(&mut self, sums: &Sums, levels: u16) {
        let is_by_level = self.by.as_ref().is_some_and(Dimension::is_level);
        for (service, buckets) in &sums.0 {
            for (bucket, severities) in buckets {
                let wanted = (0..SEVERITIES).filter(|level| levels >> level & 1 == 1 && severities[*level] > 0);
                if is_by_level {
                    wanted.for_each(|level| self.count(*bucket, level::NAMES[level].as_bytes(), severities[level]));
                } else if let Some(records) = wanted.map(|level| severities[level]).reduce(|sum, records| sum + records)
                {
                    self.count(*bucket, service, records);
                }
            }
        }
    }
}

/// Records by service, bucket and severity.
#[derive(Default)]
struct Sums(HashMap<Vec<u8>, HashMap<i64, [u64; SEVERITIES]>>);

impl Sums {
    fn of(&mut self, service: &str) -> &mut HashMap<i64, [u64; SEVERITIES]> {
        self.0.entry_ref(service.as_bytes()).or_default()
    }

    fn add(&mut self, service: &str, tally: &Tally, interval_ns: i64) {
        let sums = self.of(service);
        for (minute, severity, records) in tally.counts() {
            sums.entry(bucket(minute, interval_ns)).or_default()[severity] += records;
        }
    }
}

/// Which levels the predicate takes, if it asks for nothing but the level (and the service of the block as a whole).
fn levels_alone(predicate: &Predicate) -> Option<u16> {
    match predicate {
        Predicate::All => Some(u16::MAX),
        Predicate::Leaf(leaf) => match leaf.as_ref() {
            Leaf::Level(levels) => Some(*levels),
            // The index leaves only blocks of such a service, and a block has one service.
            Leaf::Service(_) => Some(u16::MAX),
            _ => None,
        },
        Predicate::And(parts) => parts.iter().try_fold(u16::MAX, |levels, part| Some(levels & levels_alone(part)?)),
        Predicate::Not(_) | Predicate::Or(_) => None,
    }
}

/// What is counted of one block.
pub enum Part {
    Tally(Arc<ServiceTally>, u16),
    /// By series, then by bucket.
    Counts(HashMap<Vec<u8>, HashMap<i64, u64>>),
}

impl Collector for Histogram {
    type Part = Part;

    fn begin(&mut self, scan: &mut Scan, cache: &BlockCache) -> Result<(), FindError> {
        self.count_known(scan, cache)
    }

    fn part(&self, block: Found<'_>) -> Result<Self::Part, FindError> {
        if let Some(levels) = self.tallied.filter(|_| block.is_whole) {
            let service = block.view.sources()?.first().map_or("", |source| &source.service);
            let known = Arc::new(ServiceTally { service: service.into(), tally: block.view.tally()? });
            block.keep_tally(&known);
            return Ok(Part::Tally(known, levels));
        }
        let times = block.view.times()?;
        let mut counts: HashMap<Vec<u8>, HashMap<i64, u64>> = HashMap::new();
        let mut count = |record: usize, series: &[u8]| {
            let bucket = bucket(times[record], self.interval_ns);
            *counts.entry_ref(series).or_default().entry(bucket).or_insert(0) += 1;
        };
        let Some(by) = &self.by else {
            block.found.iter().for_each(|record| count(record, b""));
            return Ok(Part::Counts(counts));
        };
        let mut without = block.found.clone();
        by.each(&block.view, &block.found, |record, value| {
            // The first value of a record is its series.
            if without.has(record) {
                without.unset(record);
                count(record, value);
            }
        })?;
        without.iter().for_each(|record| count(record, WITHOUT));
        Ok(Part::Counts(counts))
    }

    fn take(&mut self, part: Self::Part) {
        match part {
            Part::Tally(known, levels) => {
                let mut sums = Sums::default();
                sums.add(self.service_of(&known.service), &known.tally, self.interval_ns);
                self.count_sums(&sums, levels);
            }
            Part::Counts(counts) => {
                for (series, buckets) in counts {
                    buckets.into_iter().for_each(|(bucket, records)| self.count(bucket, &series, records));
                }
            }
        }
    }

    fn has_enough(&self, _next: &Candidate) -> bool {
        false
    }
}

impl Scan {
    /// Takes the blocks out that `is_wanted` says, and tells of each its service and its records by severity; how many.
    fn take_documents(
        &mut self,
        is_wanted: impl Fn(&Candidate) -> bool,
        mut tell: impl FnMut(&Candidate, &str, &[u64; SEVERITIES]),
    ) -> Result<usize, FindError> {
        let (snapshot, candidates) = self.parts();
        let mut documents = HashMap::new();
        let mut rest = Vec::new();
        let before = candidates.len();
        for candidate in std::mem::take(candidates) {
            if !is_wanted(&candidate) {
                rest.push(candidate);
                continue;
            }
            match candidate.place {
                Place::Head(index) => match &snapshot.head[index] {
                    // It is decoded anyhow.
                    HeldBlock::Raw(_) => rest.push(candidate),
                    HeldBlock::Sealed(block) => tell(&candidate, &block.service, &block.summary.severities),
                },
                Place::Disk(partition, segment, doc) => {
                    let columns = match documents.entry((partition, segment)) {
                        hashbrown::hash_map::Entry::Occupied(entry) => entry.into_mut(),
                        hashbrown::hash_map::Entry::Vacant(entry) => {
                            let reader = &snapshot.partitions[partition].searcher.segment_readers()[segment];
                            entry.insert(Documents::open(reader)?)
                        }
                    };
                    let (service, severities) = columns.of(doc)?;
                    tell(&candidate, service, &severities);
                }
            }
        }
        *candidates = rest;
        Ok(before - candidates.len())
    }
}

/// What a segment's documents say of their blocks.
struct Documents {
    service: tantivy::columnar::StrColumn,
    severities: Vec<tantivy::columnar::Column<u64>>,
    names: HashMap<u64, String>,
}

impl Documents {
    fn open(reader: &tantivy::SegmentReader) -> Result<Self, FindError> {
        let fast = reader.fast_fields();
        let service = fast.str("service")?.ok_or_else(|| {
            FindError::from(tantivy::TantivyError::SchemaError("a segment has no column of services".into()))
        })?;
        let severities = (0..SEVERITIES).map(|level| fast.u64(&format!("severity_{level}")));
        Ok(Self { service, severities: severities.collect::<Result<_, _>>()?, names: HashMap::new() })
    }

    fn of(&mut self, doc: u32) -> Result<(&str, [u64; SEVERITIES]), FindError> {
        let ordinal = self.service.term_ords(doc).next().unwrap_or(0);
        if !self.names.contains_key(&ordinal) {
            let mut name = String::new();
            self.service.ord_to_str(ordinal, &mut name)?;
            self.names.insert(ordinal, name);
        }
        let severities = std::array::from_fn(|level| self.severities[level].first(doc).unwrap_or(0));
        Ok((&self.names[&ordinal], severities))
    }
}
