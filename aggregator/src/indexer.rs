//! Adds sealed blocks to Tantivy, commits generations, tells the head, and cuts the WAL behind them. Makes images for backups, because
//! nothing may be committed or cut meanwhile.
//!
//! One thread owns it. A commit that fails (a full disk) is built again from the head's blocks until it succeeds: nothing is
//! lost meanwhile, because the head keeps the blocks and the WAL the batches.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use tantivy::IndexWriter;

use crate::backup::snapshot;
use crate::block::container::Unzstd;
use crate::block::decode::Payload;
use crate::block::tokens::Words;
use crate::block::transactions;
use crate::block::transactions::share::Share;
use crate::catalog::registry::Registry;
use crate::catalog::store::Store;
use crate::clock;
use crate::deletion::job::{Deletion, Deletions, State};
use crate::deletion::rewrite;
use crate::head::appender::{Generation, Work};
use crate::head::view::Head;
use crate::health::{Health, Part};
use crate::id::Canonical;
use crate::index::committed::Committed;
use crate::index::document::{IndexDocument, SealedBlock};
use crate::index::partition::{CommitPayload, Partition, PartitionError};
use crate::index::schema::kind;
use crate::index::seen::Seen;
use crate::metrics::Metrics;
use crate::search::cache::BlockCache;
use crate::wal::segment;

/// Between attempts of a commit that failed.
const RETRY: Duration = Duration::from_secs(1);
/// So often merged segments take the place of those that they were made of.
const REFRESH: Duration = Duration::from_secs(10);

/// See the module.
pub struct Indexer {
    /// Everything durable.
    pub data_dir: PathBuf,
    /// The directory of all partitions.
    pub root: PathBuf,
    /// The directory of the WAL.
    pub wal: PathBuf,
    /// Told of every commit.
    pub head: Arc<Head>,
    /// Saved at every commit.
    pub registry: Arc<Registry>,
    /// Where it is saved.
    pub store: Arc<Store>,
    /// Told of trouble.
    pub health: Arc<Health>,
    /// What is to be taken out.
    pub deletions: Arc<Deletions>,
    /// Forgets what was taken out.
    pub cache: Arc<BlockCache>,
    /// Counts commits.
    pub metrics: Arc<Metrics>,
}

/// The partition that is written.
struct Current {
    partition: Arc<Partition>,
    writer: IndexWriter<IndexDocument>,
}

/// The rows of a generation, in order of time: those of transactions that no earlier commit has a row of, and the others.
struct Rows<'a> {
    first: Vec<(&'a Canonical, &'a Share)>,
    continued: Vec<(&'a Canonical, &'a Share)>,
}

impl<'a> Rows<'a> {
    fn of(generation: &'a Generation, seen: &Seen) -> Self {
        let mut rows: Vec<_> = generation.transactions.iter().collect();
        rows.sort_unstable_by_key(|(_, share)| share.time_min);
        let (continued, first) = rows.into_iter().partition(|(id, _)| seen.may_hold(id));
        Self { first, continued }
    }
}

impl Indexer {
    /// Works until the sender is gone. Returns the catalog's store.
    pub fn run(self, work: &Receiver<Work>) -> Arc<Store> {
        let mut current: Option<Current> = None;
        let mut seen = None;
        // A block of the generation could not be added: its commit has to be built again.
        let mut missed = false;
        loop {
            match work.recv_timeout(REFRESH) {
                Ok(Work::Block { day, block, words }) => missed |= !self.add(&mut current, day, &block, words),
                Ok(Work::Delete) => self.delete(&mut current),
                // Who asked may be gone.
                Ok(Work::Snapshot(reply)) => drop(reply.send(self.snapshot())),
                Ok(Work::Commit(generation)) => {
                    let seen = seen.get_or_insert_with(|| Seen::load(&self.head.partitions()));
                    self.commit(&mut current, &generation, seen, std::mem::take(&mut missed));
                }
                Err(RecvTimeoutError::Timeout) => self.refresh(current.as_ref()),
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        if let Some(Err(error)) = current.map(|current| current.writer.wait_merging_threads()) {
            tracing::warn!("merge: {error}");
        }
        self.store
    }

    /// Whether the block was added. What was not is made good by the commit, which starts over.
    fn add(&self, current: &mut Option<Current>, day: i64, block: &Arc<SealedBlock>, words: String) -> bool {
        let added = self.current(current, day).and_then(|current| {
            let document = IndexDocument::block(&current.partition.fields, block, words);
            let path = || current.partition.path.clone();
            current.writer.add_document(document).map_err(|error| PartitionError::Tantivy { path: path(), error })
        });
        if let Err(error) = &added {
            tracing::warn!("a block waits for its commit to be built again: {error}");
        }
        added.is_ok()
    }

    /// The writer of `day`; opened when it is another than before.
    fn current<'a>(&self, current: &'a mut Option<Current>, day: i64) -> Result<&'a mut Current, PartitionError> {
        if current.as_ref().is_some_and(|current| current.partition.day != day)
            && let Some(Err(error)) = current.take().map(|before| before.writer.wait_merging_threads())
        {
            tracing::warn!("merge: {error}");
        }
        if current.is_none() {
            let partitions = self.head.partitions();
            let known = partitions.iter().find(|committed| committed.partition.day == day);
            let partition = match known {
                Some(committed) => Arc::clone(&committed.partition),
                None => Arc::new(Partition::open(&self.root, day)?),
            };
            let writer = partition.writer()?;
            *current = Some(Current { partition, writer });
        }
        Ok(current.as_mut().expect("opened"))
    }

    /// Commits, however often it takes.
    fn commit(&self, current: &mut Option<Current>, generation: &Generation, seen: &mut Seen, missed: bool) {
        let mut again = missed || current.is_none();
        let rows = Rows::of(generation, seen);
        while let Err(error) = self.try_commit(current, generation, &rows, again) {
            self.health.trouble(Part::Index, format!("commit failed and is tried again: {error}"));
            self.metrics.commit_failures.inc();
            *current = None;
            again = true;
            std::thread::sleep(RETRY);
        }
        generation.transactions.keys().for_each(|id| seen.insert(id));
        self.health.well(Part::Index);
        self.metrics.commits.inc();
        match self.store.save(&self.registry, generation.wal_position) {
            Ok(()) => {
                self.health.well(Part::Catalog);
                if let Err(error) = segment::remove_before(&self.wal, generation.wal_position) {
                    tracing::warn!("remove wal segments: {error}");
                }
            }
            // The WAL stays as long as the catalog needs it.
            Err(error) => self.health.trouble(Part::Catalog, error),
        }
    }

    fn try_commit(
        &self,
        current: &mut Option<Current>,
        generation: &Generation,
        rows: &Rows<'_>,
        again: bool,
    ) -> Result<(), PartitionError> {
        let current = self.current(current, generation.day)?;
        let path = current.partition.path.clone();
        let tantivy = |error| PartitionError::Tantivy { path: path.clone(), error };
        let fields = current.partition.fields.clone();
        if again && current.partition.wal_position()? >= generation.wal_position {
            // The commit had gone through, what came after it had not.
            self.head.install(generation.number, Committed::newest(&current.partition)?);
            return Ok(());
        }
        if again {
            current.writer.rollback().map_err(tantivy)?;
            let (mut words, mut unzstd) = (Words::default(), Unzstd::default());
            for block in self.head.blocks_of(generation.number) {
                let columns = Payload::open(&block.payload).and_then(|payload| payload.columns(&mut unzstd));
                // We sealed it ourselves. If it cannot be read the process ends, and the WAL brings its records back.
                let columns = columns.expect("a sealed block can be read");
                let words = words.collect(&columns.raw, &columns.lengths);
                current.writer.add_document(IndexDocument::block(&fields, &block, words)).map_err(tantivy)?;
            }
        }
        for (kind, rows) in [(kind::TRANSACTIONS, &rows.first), (kind::CONTINUED, &rows.continued)] {
            for rows in rows.chunks(transactions::ROWS_MAX) {
                current.writer.add_document(IndexDocument::transactions(&fields, kind, rows)).map_err(tantivy)?;
            }
        }
        let mut prepared = current.writer.prepare_commit().map_err(tantivy)?;
        prepared.set_payload(&CommitPayload::new(generation.wal_position).text());
        prepared.commit().map_err(tantivy)?;
        self.head.install(generation.number, Committed::newest(&current.partition)?);
        Ok(())
    }

    /// Does every deletion that is not done.
    fn delete(&self, current: &mut Option<Current>) {
        // Nobody else may write, and no merge may run, while documents are named by their segments.
        if let Some(Err(error)) = current.take().map(|current| current.writer.wait_merging_threads()) {
            tracing::warn!("merge: {error}");
        }
        while let Some(mut job) = self.deletions.next() {
            job.state = State::Running;
            self.save(&job);
            match self.delete_one(&mut job) {
                Ok(remaining) => {
                    job.remaining = Some(remaining);
                    job.state = State::Done;
                    tracing::info!("deletion {}: {} records are gone, {remaining} remain", job.id, job.deleted);
                }
                Err(error) => {
                    job.state = State::Failed;
                    job.error = Some(error.clone());
                    tracing::error!("deletion {}: {error}", job.id);
                }
            }
            job.finished_ns = Some(clock::now_ns());
            if !self.save(&job) {
                return;
            }
        }
    }

    /// Whether it is written down.
    fn save(&self, job: &Deletion) -> bool {
        let saved = self.deletions.update(job);
        saved.map_err(|error| tracing::error!("deletion {}: {error}", job.id)).is_ok()
    }

    /// How many records the query finds afterwards.
    fn delete_one(&self, job: &mut Deletion) -> Result<u64, String> {
        let predicate = job.predicate().map_err(|error| error.to_string())?;
        let mut remaining = 0;
        for committed in self.head.partitions().iter() {
            let partition = &committed.partition;
            let rewritten = rewrite::rewrite(partition, job, &predicate).map_err(|error| error.to_string())?;
            let newest = Committed::newest(partition).map_err(|error| error.to_string())?;
            if rewritten {
                self.save(job);
            }
            let newest = Arc::new(newest);
            remaining += rewrite::count(&newest, job, &predicate).map_err(|error| error.to_string())?;
            self.head.refresh(newest);
        }
        self.cache.clear();
        Ok(remaining)
    }

    fn snapshot(&self) -> Result<(), String> {
        let partitions: Vec<_> =
            self.head.partitions().iter().map(|committed| Arc::clone(&committed.partition)).collect();
        let made = snapshot::take(&self.data_dir, &partitions, &self.store);
        made.map(drop).map_err(|error| error.to_string())
    }

    fn refresh(&self, current: Option<&Current>) {
        if let Some(current) = current {
            match Committed::newest(&current.partition) {
                Ok(committed) => self.head.refresh(Arc::new(committed)),
                Err(error) => tracing::warn!("refresh: {error}"),
            }
        }
    }
}
