//! What the rest of the program may ask of the store: the narrow interface behind which another engine could stand.

use std::sync::Arc;
use std::time::Instant;

use rayon::{ThreadPool, ThreadPoolBuilder};
use tokio::sync::{Semaphore, oneshot};

use crate::catalog::registry::Registry;
use crate::head::tail::Tail;
use crate::head::view::{Head, Volume};
use crate::id::Canonical;
use crate::index::committed::Committed;
use crate::index::find::FindError;
use crate::index::partition;
use crate::record::Record;
use crate::search::cache::BlockCache;
use crate::search::candidates;
use crate::search::scan::{Collector, Scan, Shared, Step, Wanted};
use crate::space;
use crate::trace::bridge::Carriers;
use crate::transactions::cache::TallyCache;
use crate::transactions::list::{self, List, Listed};

/// Head, partitions and catalog as one.
#[derive(Clone)]
pub struct Store {
    /// Records.
    pub head: Arc<Head>,
    /// Agents and sources.
    pub registry: Arc<Registry>,
    /// What came in last.
    pub tail: Arc<Tail>,
    /// One permit per reader who follows it.
    pub tails: Arc<Semaphore>,
    /// One permit per NDJSON answer of a search that is on its way: a slow client holds some pages.
    pub streams: Arc<Semaphore>,
    /// Marks this run of the program.
    pub run: Arc<str>,
    /// Decoded blocks.
    pub cache: Arc<BlockCache>,
    /// What documents of transactions come to.
    pub tallies: Arc<TallyCache>,
    /// Where answers are worked out.
    search: Arc<ThreadPool>,
    /// One permit per answer that is being worked out; the others wait their turn.
    turns: Arc<Semaphore>,
    /// Those who follow have one turn among them, so that many of them hold up no search.
    tail_turn: Arc<Semaphore>,
}

/// Threads that work out answers, for each core: some of them wait for the disk.
const SEARCH_THREADS_PER_CORE: usize = 2;
/// So many at least.
const SEARCH_THREADS_MIN: usize = 4;
/// So many may follow what comes in.
pub const TAILS_MAX: usize = 1_000;
/// So many NDJSON answers of searches may be on their way.
pub const STREAMS_MAX: usize = 32;

/// A search that came to its end.
pub struct Searched<C> {
    pub scan: Scan,
    pub collector: C,
    /// Its time was up before all blocks had been looked at.
    pub is_late: bool,
}

/// One partition in short.
pub struct PartitionStatus {
    /// `2026-11-23`.
    pub day: String,
    /// Days since the epoch.
    pub day_number: i64,
    /// Tantivy documents.
    pub documents: u64,
    /// Tantivy segments.
    pub segments: usize,
    /// Records in its blocks.
    pub records: u64,
    /// Bytes on disk.
    pub bytes: u64,
}

impl Store {
    /// Starts the search threads.
    pub fn new(
        head: Arc<Head>,
        registry: Arc<Registry>,
        cache: Arc<BlockCache>,
        tallies: Arc<TallyCache>,
        tail: Arc<Tail>,
    ) -> Result<Self, rayon::ThreadPoolBuildError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = SEARCH_THREADS_MIN.max(cores * SEARCH_THREADS_PER_CORE);
        let search = ThreadPoolBuilder::new().num_threads(threads).thread_name(|index| format!("search-{index}"));
        let turns = Arc::new(Semaphore::new(threads));
        Ok(Self {
            head,
            registry,
            tail,
            tails: Arc::new(Semaphore::new(TAILS_MAX)),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            run: uuid::Uuid::new_v4().simple().to_string().into(),
            cache,
            tallies,
            search: Arc::new(search.build()?),
            turns,
            tail_turn: Arc::new(Semaphore::new(1)),
        })
    }

    /// Works out an answer on the search threads. None: the program ends before it is there.
    pub async fn answer<T: Send + 'static>(&self, work: impl FnOnce(&Self) -> T + Send + 'static) -> Option<T> {
        let store = self.clone();
        self.in_turn(&self.turns, move || work(&store)).await
    }

    /// Works out what somebody who follows gets.
    pub async fn answer_tail<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        self.in_turn(&self.tail_turn, work).await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        turns: &Arc<Semaphore>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let turn = Arc::clone(turns).acquire_owned().await.ok()?;
        let (sender, receiver) = oneshot::channel();
        self.search.spawn(move || {
            // Nobody may wait any more; then the answer goes nowhere.
            let _ = sender.send(work());
            drop(turn);
        });
        receiver.await.ok()
    }

    /// Goes through the blocks that may hold what is `wanted`, a slice at a time, until the collector has enough, the time is up, or
    /// nobody waits for the answer. None: the program ends before it is there.
    pub async fn search<C: Collector + 'static>(
        &self,
        wanted: Wanted,
        collector: C,
        deadline: Option<Instant>,
    ) -> Option<Result<Searched<C>, FindError>> {
        let begun = self.answer(move |store| {
            let mut collector = collector;
            let mut scan = Scan::begin(&store.head, wanted)?;
            collector.begin(&mut scan, &store.cache)?;
            Ok((scan, collector))
        });
        let mut state = match begun.await? {
            Ok(begun) => begun,
            Err(error) => return Some(Err(error)),
        };
        loop {
            let step = self.answer(move |store| {
                let (mut scan, mut collector) = state;
                let shared = Shared { head: &store.head, cache: &store.cache, deadline };
                let step = scan.slice(&shared, &mut collector);
                (step, scan, collector)
            });
            let (step, scan, collector) = step.await?;
            match step {
                Ok(Step::More) => state = (scan, collector),
                Ok(step) => return Some(Ok(Searched { scan, collector, is_late: step == Step::Late })),
                Err(error) => return Some(Err(error)),
            }
        }
    }

    /// Lists transactions; whether the time was up before all rows had been looked at. None: the program ends before it is there.
    pub async fn list(
        &self,
        wanted: list::Wanted,
        deadline: Option<Instant>,
    ) -> Option<Result<(Listed, bool), FindError>> {
        let mut list = match self.answer(move |store| List::begin(&store.head, &store.tallies, wanted)).await? {
            Ok(list) => list,
            Err(error) => return Some(Err(error)),
        };
        loop {
            let step = self.answer(move |store| {
                let step = list.slice(&store.head, deadline);
                (step, list)
            });
            let (step, looked) = step.await?;
            list = looked;
            if step != Step::More {
                let listed = self.answer(move |_| list.finish()).await?;
                return Some(listed.map(|listed| (listed, step == Step::Late)));
            }
        }
    }

    /// Between which times all records lie; none when there is none.
    pub fn times(&self) -> Result<Option<(i64, i64)>, FindError> {
        candidates::times_of_all(&self.head.snapshot())
    }

    /// Where records are found by their IDs. To be used inside [`Self::answer`].
    pub fn carriers(&self) -> InStore<'_> {
        InStore { head: &self.head, blocks_damaged: 0 }
    }

    /// How much is in the head.
    pub fn head_volume(&self) -> Volume {
        self.head.volume()
    }

    /// All partitions, the oldest first.
    pub fn partitions(&self) -> Vec<PartitionStatus> {
        Self::status_of(&self.head.partitions())
    }

    /// Head and partitions as of one moment: no record is counted twice, none is left out.
    pub fn consistent_volume(&self) -> (Volume, Vec<PartitionStatus>) {
        let (volume, partitions) = self.head.volume_and_partitions();
        (volume, Self::status_of(&partitions))
    }

    fn status_of(partitions: &[Arc<Committed>]) -> Vec<PartitionStatus> {
        let status = partitions.iter().map(|committed| {
            let searcher = &committed.searcher;
            let records = searcher.segment_readers().iter().map(|segment| block_records(segment).unwrap_or(0)).sum();
            PartitionStatus {
                day: partition::name(committed.partition.day),
                day_number: committed.partition.day,
                documents: searcher.num_docs(),
                segments: searcher.segment_readers().len(),
                records,
                bytes: space::used_bytes(&committed.partition.path).unwrap_or(0),
            }
        });
        status.collect()
    }
}

/// What carries an ID, in head and partitions.
pub struct InStore<'a> {
    head: &'a Head,
    blocks_damaged: usize,
}

impl Carriers for InStore<'_> {
    type Error = FindError;

    fn records(&mut self, ids: &[Canonical]) -> Result<Vec<Record>, FindError> {
        let found = self.head.find(ids)?;
        self.blocks_damaged += found.blocks_damaged;
        Ok(found.records)
    }

    fn blocks(&mut self, id: &Canonical) -> Result<usize, FindError> {
        self.head.count_blocks(id)
    }

    fn blocks_damaged(&self) -> usize {
        self.blocks_damaged
    }
}

/// Records of a segment's blocks.
fn block_records(segment: &tantivy::SegmentReader) -> tantivy::Result<u64> {
    let fast = segment.fast_fields();
    // Only blocks have raw bytes: a transaction's records are those of blocks.
    let (records, raw_bytes) = (fast.u64("records")?, fast.u64("raw_bytes")?);
    Ok(segment
        .doc_ids_alive()
        .filter(|doc| raw_bytes.first(*doc).is_some())
        .map(|doc| records.first(doc).unwrap_or(0))
        .sum())
}
