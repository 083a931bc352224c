//! Puts batches into blocks, seals them, and decides when to commit.
//!
//! One thread owns it. A *generation* is what goes into one commit: all blocks that were filled since the one before. At
//! most one generation is being committed while the next one fills, so that the head holds at most two of them.

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use hashbrown::HashMap;
use hashbrown::hash_map::EntryRef;
use tokio::sync::oneshot;

use super::view::Head;
use crate::batch::Batch;
use crate::block::columns::{Columns, Range};
use crate::block::decode::RECORDS_MAX;
use crate::block::encode::{Encoder, IdSummary, Sealed};
use crate::block::transactions::share::Share;
use crate::block::word_filter::WordFilter;
use crate::id::Canonical;
use crate::index::document::SealedBlock;
use crate::source::Source;

/// When blocks and generations are full.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Raw bytes of a block.
    pub block_bytes: usize,
    /// Raw bytes of a generation.
    pub head_bytes: u64,
    /// Age of a generation's first record.
    pub head_age: Duration,
}

/// What the indexer is asked for, in this order.
pub enum Work {
    /// A sealed block of the partition of `day`.
    Block {
        /// Days since the epoch.
        day: i64,
        /// The block.
        block: Arc<SealedBlock>,
        /// Its distinct words.
        words: String,
    },
    /// All blocks of the generation have been sent.
    Commit(Generation),
    /// Take out what there is to be deleted (`deletion`).
    Delete,
    /// Make an image of everything for a backup, and tell what came of it.
    Snapshot(SnapshotReply),
}

/// Takes nothing, or why there is no image.
pub type SnapshotReply = oneshot::Sender<Result<(), String>>;

/// What a commit holds besides its blocks.
pub struct Generation {
    /// Its number, from 1.
    pub number: u64,
    /// The partition's day.
    pub day: i64,
    /// Every record up to here in the WAL is in this generation or an earlier one.
    pub wal_position: u64,
    /// What each transaction did.
    pub transactions: Transactions,
}

/// Shares by ID.
pub type Transactions = HashMap<Canonical, Share, foldhash::fast::RandomState>;

/// A block takes at most this many records, however short they are.
const BLOCK_RECORDS_MAX: usize = RECORDS_MAX >> 6;
const DAY_NS: i64 = 86_400_000_000_000;

/// See the module.
pub struct Appender {
    head: Arc<Head>,
    limits: Limits,
    indexer: Sender<Work>,
    encoder: Encoder,
    /// One name per service, shared by all that refer to it.
    services: HashMap<Arc<str>, (), foldhash::fast::RandomState>,
    /// The generation that fills.
    generation: u64,
    day: i64,
    raw_bytes: u64,
    began: Option<Instant>,
    wal_position: u64,
    transactions: Transactions,
}

impl Appender {
    /// Fills `head` and sends what is full to `indexer`.
    pub fn new(head: Arc<Head>, limits: Limits, indexer: Sender<Work>) -> Self {
        Self {
            head,
            limits,
            indexer,
            encoder: Encoder::default(),
            services: HashMap::default(),
            generation: 1,
            day: 0,
            raw_bytes: 0,
            began: None,
            wal_position: 0,
            transactions: Transactions::default(),
        }
    }

    /// Appends a batch that was received at `received_ns` and whose WAL entry ends at `wal_end`.
    pub fn append(&mut self, source: &Arc<Source>, batch: &Batch, received_ns: i64, wal_end: u64) {
        let day = received_ns.div_euclid(DAY_NS);
        if self.raw_bytes > 0 && day != self.day {
            self.commit();
        }
        self.day = day;
        self.began.get_or_insert_with(Instant::now);
        let service = self.service(&source.service);
        let mut next = Range { records: 0..0, raw: 0..0, refs: 0..0 };
        while next.records.end < batch.records() {
            let block_bytes = self.limits.block_bytes;
            let full = self.head.with_open(&service, self.generation, |open| {
                next = piece(batch, &next, &open.columns, block_bytes);
                Arc::make_mut(&mut open.columns).append(source, batch, &next, received_ns, &mut open.index);
                is_full(&open.columns, block_bytes)
            });
            if let Some((number, columns)) = full {
                self.seal(&service, number, &columns);
            }
        }
        self.raw_bytes += batch.raw.len() as u64;
        self.wal_position = wal_end;
        if self.raw_bytes >= self.limits.head_bytes {
            self.commit();
        }
    }

    /// When the generation that fills is due for its age.
    pub fn due(&self) -> Option<Instant> {
        self.began.map(|began| began + self.limits.head_age)
    }

    /// Sends what there is to be committed. Waits while the generation before it is still being committed.
    pub fn commit(&mut self) {
        if self.began.take().is_none() {
            return;
        }
        for (service, number, columns) in self.head.take_all_open(self.generation) {
            self.seal(&service, number, &columns);
        }
        self.head.wait_for(self.generation - 1);
        let generation = Generation {
            number: self.generation,
            day: self.day,
            wal_position: self.wal_position,
            transactions: std::mem::take(&mut self.transactions),
        };
        self.send(Work::Commit(generation));
        self.generation += 1;
        self.raw_bytes = 0;
    }

    /// Commits, and has the indexer take out what is to be deleted of all that came in before.
    pub fn delete(&mut self) {
        self.commit();
        self.send(Work::Delete);
    }

    /// Commits, so that little is left in the log, and has the indexer make an image.
    pub fn snapshot(&mut self, reply: SnapshotReply) {
        self.commit();
        self.send(Work::Snapshot(reply));
    }

    /// Commits and waits for it.
    pub fn finish(mut self) {
        self.commit();
        self.head.wait_for(self.generation - 1);
    }

    fn service(&mut self, name: &str) -> Arc<str> {
        if let Some((known, ())) = self.services.get_key_value(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.services.insert(Arc::clone(&name), ());
        name
    }

    fn seal(&mut self, service: &Arc<str>, number: u64, columns: &Columns) {
        let Sealed { payload, summary, words } = self.encoder.seal(columns);
        for share in &summary.ids {
            add(&mut self.transactions, service, share);
        }
        let block =
            Arc::new(SealedBlock { service: Arc::clone(service), payload, words: WordFilter::of(&words), summary });
        self.head.sealed(number, Arc::clone(&block));
        self.send(Work::Block { day: self.day, block, words });
    }

    fn send(&self, work: Work) {
        self.indexer.send(work).expect("the indexer outlives the appender");
    }
}

fn is_full(columns: &Columns, block_bytes: usize) -> bool {
    columns.raw.len() >= block_bytes || columns.records() >= BLOCK_RECORDS_MAX
}

/// The records behind `last` that still fit into the block; at least one.
fn piece(batch: &Batch, last: &Range, open: &Columns, block_bytes: usize) -> Range {
    let mut range = Range {
        records: last.records.end..last.records.end,
        raw: last.raw.end..last.raw.end,
        refs: last.refs.end..last.refs.end,
    };
    let room = block_bytes.saturating_sub(open.raw.len());
    let records_max = BLOCK_RECORDS_MAX.saturating_sub(open.records()).max(1);
    while range.records.end < batch.records() && range.records.len() < records_max && range.raw.len() < room.max(1) {
        range.raw.end += batch.lengths[range.records.end] as usize;
        range.refs.end += usize::from(batch.id_counts[range.records.end]);
        range.records.end += 1;
    }
    range
}

/// Adds what one block says of a transaction.
pub fn add(transactions: &mut Transactions, service: &Arc<str>, block: &IdSummary) {
    match transactions.entry_ref(&block.id) {
        EntryRef::Occupied(mut known) => known.get_mut().add(service, block),
        EntryRef::Vacant(new) => drop(new.insert_entry(Share::of(service, block))),
    }
}
