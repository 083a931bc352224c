//! Goes through the candidates, slice by slice, and hands each block with what was found in it to a collector.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rayon::prelude::*;

use super::cache::{BlockCache, Key, ServiceTally};
use super::candidates::{self, Candidate, Place};
use super::pace::{Pace, thread_cpu};
use crate::block::columns::Columns;
use crate::block::mask::Mask;
use crate::block::tally::Tally;
use crate::block::view::View;
use crate::head::view::{Head, HeldBlock, Snapshot};
use crate::index::find::{self, FindError};
use crate::query::evaluate::evaluate;
use crate::query::narrow::Narrow;
use crate::query::predicate::Predicate;

/// Which records come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    Newest,
    Oldest,
}

/// What is looked for.
#[derive(Clone, Debug)]
pub struct Wanted {
    pub predicate: Arc<Predicate>,
    /// Nanoseconds since the epoch, from the first to before the second.
    pub times: (i64, i64),
    pub order: Order,
}

/// A search under way.
pub struct Scan {
    wanted: Wanted,
    snapshot: Snapshot,
    /// In the order in which they are looked at.
    candidates: Vec<Candidate>,
    next: usize,
    /// None before the first slice.
    pace: Option<Pace>,
    progress: Progress,
}

/// What a search has looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// Blocks that the index left.
    pub blocks: usize,
    /// Those that were looked at.
    pub blocks_scanned: usize,
    /// Records in these.
    pub records_scanned: u64,
    /// Bytes of text that were looked at.
    pub bytes_scanned: u64,
    /// Blocks that are damaged: what they hold is not in the answer.
    pub blocks_damaged: usize,
}

/// Makes something of the records that were found.
pub trait Collector: Send + Sync {
    /// What is made of one block, on whichever thread.
    type Part: Send;

    /// How many blocks its slices have.
    const PACE: Pace = Pace::new(64, 4_096);

    /// Looks at what the index and earlier searches tell, before the first slice.
    fn begin(&mut self, _scan: &mut Scan, _cache: &BlockCache) -> Result<(), FindError> {
        Ok(())
    }

    /// What is made of `block`.
    fn part(&self, block: Found<'_>) -> Result<Self::Part, FindError>;

    /// Takes the parts in the order of the blocks.
    fn take(&mut self, part: Self::Part);

    /// Whether neither `next` nor a block behind it can change anything any more.
    fn has_enough(&self, next: &Candidate) -> bool;
}

/// A block, and what was found in it.
pub struct Found<'a> {
    pub view: View<'a>,
    /// Its records that fulfil the query; never empty.
    pub found: Mask,
    /// All of its records are of the time that is wanted.
    pub is_whole: bool,
    keep: Option<(&'a BlockCache, Key)>,
    decoded: Option<Arc<Columns>>,
}

/// What became of a block.
struct Looked<P> {
    /// Made of what was found in it.
    part: Option<P>,
    records: u64,
    bytes: u64,
    is_damaged: bool,
}

/// Why a slice ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There are more blocks.
    More,
    /// All blocks were looked at, or what is missing changes nothing.
    Done,
    /// The time was up before this candidate.
    Late,
}

/// What all searches share.
pub struct Shared<'a> {
    pub head: &'a Head,
    pub cache: &'a BlockCache,
    pub deadline: Option<Instant>,
}

impl Scan {
    /// Asks the index for the candidates, and puts them in order.
    pub fn begin(head: &Head, wanted: Wanted) -> Result<Self, FindError> {
        let snapshot = head.snapshot();
        let mut candidates = candidates::find(&snapshot, &Narrow::of(&wanted.predicate), wanted.times)?;
        match wanted.order {
            Order::Newest => candidates.sort_unstable_by_key(|block| (Reverse(block.time_max), block.place)),
            Order::Oldest => candidates.sort_unstable_by_key(|block| (block.time_min, block.place)),
        }
        let progress = Progress { blocks: candidates.len(), ..Progress::default() };
        Ok(Self { wanted, snapshot, candidates, next: 0, pace: None, progress })
    }

    /// What is looked for.
    pub fn wanted(&self) -> &Wanted {
        &self.wanted
    }

    /// Takes the blocks out that `is_wanted` and whose tallies are known, and tells these with their services; how many.
    pub(super) fn take_tallies(
        &mut self,
        cache: &BlockCache,
        is_wanted: impl Fn(&Candidate) -> bool,
        mut tell: impl FnMut(&str, &Tally),
    ) -> usize {
        let before = self.candidates.len();
        self.candidates.retain(|candidate| {
            if !is_wanted(candidate) {
                return true;
            }
            match candidate.place {
                Place::Head(index) => {
                    let HeldBlock::Sealed(block) = &self.snapshot.head[index] else { return true };
                    let Some(tally) = &block.summary.tally else { return true };
                    tell(&block.service, tally);
                }
                Place::Disk(partition, segment, doc) => {
                    let readers = self.snapshot.partitions[partition].searcher.segment_readers();
                    let Some(known) = cache.tally(&(readers[segment].segment_id(), doc)) else { return true };
                    tell(&known.service, &known.tally);
                }
            }
            false
        });
        before - self.candidates.len()
    }

    /// What there is, and the blocks of it that are still to be looked at; before the first slice.
    pub(super) fn parts(&mut self) -> (&Snapshot, &mut Vec<Candidate>) {
        (&self.snapshot, &mut self.candidates)
    }

    /// What was looked at so far.
    pub fn progress(&self) -> Progress {
        self.progress
    }

    /// The first block that was not looked at.
    pub fn next(&self) -> Option<&Candidate> {
        self.candidates.get(self.next)
    }

    /// Looks at the next blocks, side by side on the thread pool that this is called on.
    pub fn slice<C: Collector>(&mut self, shared: &Shared<'_>, collector: &mut C) -> Result<Step, FindError> {
        let mut pace = self.pace.unwrap_or(C::PACE);
        let end = self.candidates.len().min(self.next + pace.blocks());
        let is_late = || shared.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        let parts: Vec<_> = self.candidates[self.next..end]
            .par_iter()
            .map(|candidate| {
                if is_late() || collector.has_enough(candidate) {
                    Ok(None)
                } else {
                    let begin = thread_cpu();
                    let looked = self
                        .look(candidate, shared, collector)
                        .map_or_else(|error| self.damaged(candidate, error), Ok)?;
                    Ok(Some((looked, thread_cpu().saturating_sub(begin))))
                }
            })
            .collect::<Result<_, FindError>>()?;
        let mut cpu = Duration::ZERO;
        for part in parts {
            let Some((looked, its_cpu)) = part else { break };
            cpu += its_cpu;
            looked.part.into_iter().for_each(|part| collector.take(part));
            self.next += 1;
            self.progress.blocks_scanned += 1;
            self.progress.blocks_damaged += usize::from(looked.is_damaged);
            self.progress.records_scanned += looked.records;
            self.progress.bytes_scanned += looked.bytes;
        }
        pace.took(cpu);
        self.pace = Some(pace);
        Ok(match self.next() {
            None => Step::Done,
            Some(next) if collector.has_enough(next) => Step::Done,
            Some(_) if is_late() => Step::Late,
            Some(_) => Step::More,
        })
    }

    /// A block of a partition that cannot be read takes nothing from the rest; the answer tells of it.
    fn damaged<P>(&self, candidate: &Candidate, error: FindError) -> Result<Looked<P>, FindError> {
        let Place::Disk(partition, segment, doc) = candidate.place else { return Err(error) };
        let committed = &self.snapshot.partitions[partition];
        let segment = committed.searcher.segment_readers()[segment].segment_id().short_uuid_string();
        tracing::error!("partition {}: block {doc} of segment {segment}: {error}", committed.partition.path.display());
        Ok(Looked { part: None, records: 0, bytes: 0, is_damaged: true })
    }

    /// What the collector makes of a block.
    fn look<C: Collector>(
        &self,
        candidate: &Candidate,
        shared: &Shared<'_>,
        collector: &C,
    ) -> Result<Looked<C::Part>, FindError> {
        match candidate.place {
            Place::Head(index) => match &self.snapshot.head[index] {
                HeldBlock::Raw(columns) => {
                    self.collect(candidate, View::decoded(columns), None, Some(columns), collector)
                }
                HeldBlock::Sealed(block) => shared.head.with_unzstd(|unzstd| {
                    self.collect(candidate, View::sealed(&block.payload, unzstd)?, None, None, collector)
                }),
            },
            Place::Disk(partition, segment, doc) => {
                let committed = &self.snapshot.partitions[partition];
                let key = (committed.searcher.segment_readers()[segment].segment_id(), doc);
                let keep = Some((shared.cache, key));
                if let Some(columns) = shared.cache.get(&key) {
                    return self.collect(candidate, View::decoded(&columns), keep, Some(&columns), collector);
                }
                let document = committed.stores[segment].get_document_bytes(doc)?;
                let payload = find::stored_payload(&document);
                shared.head.with_unzstd(|unzstd| {
                    self.collect(candidate, View::sealed(payload, unzstd)?, keep, None, collector)
                })
            }
        }
    }

    fn collect<C: Collector>(
        &self,
        candidate: &Candidate,
        view: View<'_>,
        keep: Option<(&BlockCache, Key)>,
        decoded: Option<&Arc<Columns>>,
        collector: &C,
    ) -> Result<Looked<C::Part>, FindError> {
        let records = view.records()?;
        let mut among = Mask::all(records);
        let (from, to) = self.wanted.times;
        let is_whole = candidate.time_min >= from && candidate.time_max < to;
        if !is_whole {
            let times = view.times()?;
            among.retain(|record| (from..to).contains(&times[record]));
        }
        let found = evaluate(&self.wanted.predicate, &view, among)?;
        let bytes = view.text_bytes();
        if found.is_empty() {
            return Ok(Looked { part: None, records: records as u64, bytes, is_damaged: false });
        }
        let found = Found { view, found, is_whole, keep, decoded: decoded.cloned() };
        Ok(Looked { part: Some(collector.part(found)?), records: records as u64, bytes, is_damaged: false })
    }
}

impl Found<'_> {
    /// Keeps the block's tally for later searches.
    pub fn keep_tally(&self, tally: &Arc<ServiceTally>) {
        if let Some((cache, key)) = self.keep {
            cache.insert_tally(key, tally);
        }
    }

    /// All columns of the block.
    pub fn into_columns(self) -> Result<Arc<Columns>, FindError> {
        if let Some(decoded) = self.decoded {
            return Ok(decoded);
        }
        let columns = self.view.into_columns()?.expect("a block that is not decoded is sealed");
        let columns = Arc::new(columns);
        if let Some((cache, key)) = self.keep {
            cache.insert(key, &columns);
        }
        Ok(columns)
    }
}
