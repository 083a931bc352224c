//! What a query sees: open and sealed blocks, and the commits, as of one moment.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::hash::BuildHasher;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

use hashbrown::HashMap;
use rayon::prelude::*;

use crate::block::columns::{Columns, IdIndex};
use crate::block::container::Unzstd;
use crate::block::decode::Payload;
use crate::id::Canonical;
use crate::index::committed::Committed;
use crate::index::document::SealedBlock;
use crate::index::find::{self, FindError};
use crate::record::Record;

/// Shared by the appender, the indexer and all queries.
#[derive(Default)]
pub struct Head {
    state: Mutex<State>,
    committed: Condvar,
    hasher: foldhash::fast::FixedState,
    /// Decompressors that nobody uses right now: as many as there were decoding threads.
    unzstd: Mutex<Vec<RefCell<Unzstd>>>,
}

#[derive(Default)]
struct State {
    open: HashMap<Arc<str>, OpenBlock, foldhash::fast::RandomState>,
    /// Full blocks by the order in which they became full.
    full: BTreeMap<u64, FullBlock>,
    next_block: u64,
    partitions: Arc<Vec<Arc<Committed>>>,
    /// The newest generation that is committed.
    committed: u64,
}

/// A block that takes records.
#[derive(Default)]
pub struct OpenBlock {
    /// Its records. Who searches holds them as they were, and they are copied before they grow again.
    pub columns: Arc<Columns>,
    /// Finds IDs in its dictionary.
    pub index: IdIndex,
}

/// A block that takes no more.
struct FullBlock {
    generation: u64,
    /// Hashes of its IDs' families, rising.
    ids: Box<[u64]>,
    held: HeldBlock,
}

/// A block of the head.
#[derive(Clone)]
pub enum HeldBlock {
    /// Not encoded yet.
    Raw(Arc<Columns>),
    /// Encoded.
    Sealed(Arc<SealedBlock>),
}

/// Everything that can be found, as of one moment.
pub struct Snapshot {
    /// What is not committed.
    pub head: Vec<HeldBlock>,
    /// What is, the oldest day first.
    pub partitions: Arc<Vec<Arc<Committed>>>,
}

/// The records of an ID.
#[derive(Debug)]
pub struct Carriers {
    pub records: Vec<Record>,
    /// Blocks that hold the ID as well, and cannot be read.
    pub blocks_damaged: usize,
}

/// How much is in the head.
#[derive(Clone, Copy, Debug, Default)]
pub struct Volume {
    /// Records.
    pub records: u64,
    /// Bytes of the files that they cover.
    pub raw_bytes: u64,
    /// Blocks, open ones included.
    pub blocks: u64,
}

impl Head {
    /// A head over the partitions that there are.
    pub fn new(partitions: Vec<Arc<Committed>>) -> Self {
        let head = Self::default();
        head.lock().partitions = Arc::new(partitions);
        head
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread panics with the head in hand")
    }

    /// Changes the open block of `service`. If `change` returns true the block is full: it is taken out, stays visible,
    /// and is returned for sealing.
    pub fn with_open(
        &self,
        service: &Arc<str>,
        generation: u64,
        change: impl FnOnce(&mut OpenBlock) -> bool,
    ) -> Option<(u64, Arc<Columns>)> {
        let mut state = self.lock();
        let open = state.open.entry_ref(service).or_default();
        if !change(open) {
            return None;
        }
        let block = std::mem::take(open);
        Some(self.freeze(&mut state, block, generation))
    }

    /// Takes out every open block, as [`Self::with_open`] does with one.
    pub fn take_all_open(&self, generation: u64) -> Vec<(Arc<str>, u64, Arc<Columns>)> {
        let mut state = self.lock();
        let open = std::mem::take(&mut state.open);
        open.into_iter()
            .filter(|(_, block)| block.columns.records() > 0)
            .map(|(service, block)| {
                let (number, columns) = self.freeze(&mut state, block, generation);
                (service, number, columns)
            })
            .collect()
    }

    fn freeze(&self, state: &mut State, block: OpenBlock, generation: u64) -> (u64, Arc<Columns>) {
        let number = state.next_block;
        state.next_block += 1;
        let columns = block.columns;
        let mut ids: Box<[u64]> = columns.ids.iter().map(|id| self.hasher.hash_one(id.canonical.family())).collect();
        ids.sort_unstable();
        state.full.insert(number, FullBlock { generation, ids, held: HeldBlock::Raw(Arc::clone(&columns)) });
        (number, columns)
    }

    /// The block `number` is sealed now.
    pub fn sealed(&self, number: u64, block: Arc<SealedBlock>) {
        if let Some(full) = self.lock().full.get_mut(&number) {
            full.held = HeldBlock::Sealed(block);
        }
    }

    /// The sealed blocks of a generation, for a commit that has to be built again.
    pub fn blocks_of(&self, generation: u64) -> Vec<Arc<SealedBlock>> {
        let state = self.lock();
        let blocks = state.full.values().filter(|block| block.generation == generation);
        blocks
            .filter_map(|block| match &block.held {
                HeldBlock::Sealed(block) => Some(Arc::clone(block)),
                HeldBlock::Raw(_) => None,
            })
            .collect()
    }

    /// The generation is committed: its blocks leave, the searcher enters.
    pub fn install(&self, generation: u64, committed: Committed) {
        let mut state = self.lock();
        state.full.retain(|_, block| block.generation > generation);
        state.committed = state.committed.max(generation);
        replace(&mut state, Arc::new(committed));
        drop(state);
        self.committed.notify_all();
    }

    /// The partition has merged, or lost what was deleted. One that retention has removed meanwhile does not come back.
    pub fn refresh(&self, committed: Arc<Committed>) {
        let mut state = self.lock();
        if state.partitions.iter().any(|known| known.partition.day == committed.partition.day) {
            replace(&mut state, committed);
        }
    }

    /// The partition is gone from now on. Searches that have begun go on with it.
    pub fn remove(&self, day: i64) {
        let mut state = self.lock();
        let partitions = Arc::clone(&state.partitions);
        let kept = partitions.iter().filter(|committed| committed.partition.day != day);
        state.partitions = Arc::new(kept.cloned().collect());
    }

    /// Waits until `generation` is committed.
    pub fn wait_for(&self, generation: u64) {
        let state = self.lock();
        drop(
            self.committed
                .wait_while(state, |state| state.committed < generation)
                .expect("no thread panics with the head in hand"),
        );
    }

    /// What a search looks at. It holds the blocks, and nobody waits for it.
    pub fn snapshot(&self) -> Snapshot {
        let state = self.lock();
        let open = state.open.values().map(|block| HeldBlock::Raw(Arc::clone(&block.columns)));
        let full = state.full.values().map(|block| block.held.clone());
        Snapshot { head: open.chain(full).collect(), partitions: Arc::clone(&state.partitions) }
    }

    /// How much is in it.
    pub fn volume(&self) -> Volume {
        self.volume_and_partitions().0
    }

    /// How much is in it, and the partitions, as of one moment.
    pub fn volume_and_partitions(&self) -> (Volume, Arc<Vec<Arc<Committed>>>) {
        let state = self.lock();
        let mut volume = Volume::default();
        let mut add = |records: u64, raw_bytes: u64| {
            volume.records += records;
            volume.raw_bytes += raw_bytes;
            volume.blocks += u64::from(records > 0);
        };
        for block in state.open.values() {
            add(block.columns.records() as u64, block.columns.raw.len() as u64);
        }
        for block in state.full.values() {
            match &block.held {
                HeldBlock::Raw(columns) => add(columns.records() as u64, columns.raw.len() as u64),
                HeldBlock::Sealed(block) => add(block.summary.records, block.summary.raw_bytes),
            }
        }
        (volume, Arc::clone(&state.partitions))
    }

    /// The partitions as of now.
    pub fn partitions(&self) -> Arc<Vec<Arc<Committed>>> {
        Arc::clone(&self.lock().partitions)
    }

    /// Every record that carries one of `wanted`, from head and partitions, in no particular order. Blocks are decoded side
    /// by side on the thread pool that this is called on.
    pub fn find(&self, wanted: &[Canonical]) -> Result<Carriers, FindError> {
        let hashes: Vec<u64> = wanted.iter().map(|id| self.hasher.hash_one(id.family())).collect();
        let mut found = Vec::new();
        let (full, partitions) = {
            let state = self.lock();
            for block in state.open.values() {
                found.extend(block.columns.materialise(&block.columns.find(wanted)));
            }
            let is_wanted = |block: &&FullBlock| hashes.iter().any(|hash| block.ids.binary_search(hash).is_ok());
            let full: Vec<_> = state.full.values().filter(is_wanted).map(|block| block.held.clone()).collect();
            (full, Arc::clone(&state.partitions))
        };
        let hits = find::hits(&partitions, wanted)?;
        let from_head = full.par_iter().map(|block| match block {
            HeldBlock::Raw(columns) => Ok(columns.materialise(&columns.find(wanted))),
            HeldBlock::Sealed(block) => {
                self.with_unzstd(|unzstd| Ok(Payload::open(&block.payload)?.find(wanted, &mut unzstd.borrow_mut())?))
            }
        });
        let from_head: Vec<Vec<Record>> = from_head.collect::<Result<_, FindError>>()?;
        found.extend(from_head.into_iter().flatten());
        // A block that cannot be read takes nothing from the others.
        let read = |hit: &find::Hit<'_>| self.with_unzstd(|unzstd| hit.records(wanted, &mut unzstd.borrow_mut()));
        let from_disk: Vec<_> = hits.par_iter().map(read).collect();
        let mut blocks_damaged = 0;
        for part in from_disk {
            match part {
                Ok(records) => found.extend(records),
                Err(error) => {
                    tracing::error!("look for an ID: {error}");
                    blocks_damaged += 1;
                }
            }
        }
        Ok(Carriers { records: found, blocks_damaged })
    }

    /// How many blocks hold `wanted`. In the head some may only seem to.
    pub fn count_blocks(&self, wanted: &Canonical) -> Result<usize, FindError> {
        let hash = self.hasher.hash_one(wanted.family());
        let (in_head, partitions) = {
            let state = self.lock();
            let full = state.full.values().filter(|block| block.ids.binary_search(&hash).is_ok()).count();
            (full + state.open.len(), Arc::clone(&state.partitions))
        };
        Ok(in_head + find::count(&partitions, wanted)?)
    }

    /// Lends a decompressor.
    pub fn with_unzstd<T>(&self, decode: impl FnOnce(&RefCell<Unzstd>) -> T) -> T {
        let pool = || self.unzstd.lock().expect("no thread panics with the pool in hand");
        let unzstd = pool().pop().unwrap_or_default();
        let decoded = decode(&unzstd);
        pool().push(unzstd);
        decoded
    }
}

fn replace(state: &mut State, committed: Arc<Committed>) {
    let day = committed.partition.day;
    let mut partitions: Vec<_> = state.partitions.iter().filter(|known| known.partition.day != day).cloned().collect();
    partitions.push(committed);
    partitions.sort_by_key(|committed| committed.partition.day);
    state.partitions = Arc::new(partitions);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::batch::Batch;
    use crate::block::spelling::SpelledId;
    use crate::head::appender::{Appender, Limits, Work};
    use crate::index::document::IndexDocument;
    use crate::index::partition::{CommitPayload, Partition};
    use crate::source::Source;

    /// One ID, as the programs on its way spell it.
    const SPELLINGS: [&str; 9] = [
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "4BF92F35-77B3-4DA6-A3CE-929D0E0E4736",
        "4bf92f35-77b3-9da6-a3ce-929d0e0e4736",
        "4bf92f35-77b3-bda6-a3ce-929d0e0e4736",
        "a3ce929d0e0e4736",
        "0000000000000000a3ce929d0e0e4736",
        "11803532876627986230",
        "1-4bf92f35-77b34da6a3ce929d0e0e4736",
        "S/kvNXezTaajzpKdDg5HNg==",
    ];
    const OTHERS: [&str; 3] = ["4bf92f3577b34da6a3ce929d0e0e4737", "4bf92f3577b34da6", "req-17"];

    fn batch(ids: &[&str]) -> Batch {
        let lines: Vec<String> = ids.iter().map(|id| format!("request_id={id}\n")).collect();
        let raw = lines.concat().into_bytes();
        Batch {
            begin: 0,
            end: raw.len() as u64,
            lengths: lines.iter().map(|line| line.len() as u32).collect(),
            times: (1..=ids.len() as i64).collect(),
            severities: vec![3; ids.len()],
            flags: vec![0; ids.len()],
            ids: ids.iter().map(|id| SpelledId::new(id.as_bytes(), 1)).collect(),
            id_counts: vec![1; ids.len()],
            id_refs: (0..ids.len() as u32).collect(),
            raw,
            ..Batch::default()
        }
    }

    fn found(head: &Head, id: &str) -> Vec<String> {
        let records = head.find(&Canonical::candidates(id.as_bytes())).unwrap().records;
        let mut ids: Vec<_> =
            records.iter().map(|record| String::from_utf8(record.ids[0].spelling()).unwrap()).collect();
        ids.sort_unstable();
        ids
    }

    fn every_spelling_finds_all(head: &Head) {
        let mut all = SPELLINGS.map(String::from);
        all.sort_unstable();
        for id in SPELLINGS {
            assert_eq!(found(head, id), all, "{id}");
        }
        for id in OTHERS {
            assert_eq!(found(head, id), [id]);
        }
        assert_eq!(found(head, "4bf92f35-77b3-1da6-a3ce-929d0e0e4736").len(), 3, "the low halves alone");
    }

    #[test]
    fn every_spelling_finds_all_while_open_full_and_committed() {
        let directory = tempfile::tempdir().unwrap();
        let head = Arc::new(Head::new(Vec::new()));
        let limits = Limits { block_bytes: 1 << 20, head_bytes: 1 << 30, head_age: Duration::MAX };
        let (sender, work) = mpsc::channel();
        let mut appender = Appender::new(Arc::clone(&head), limits, sender);
        let source = Arc::new(Source {
            id: Uuid::from_u128(7),
            agent: Uuid::from_u128(8),
            host: "a".into(),
            service: "payments".into(),
            path: b"/var/log/a.log".to_vec(),
            labels: Vec::new(),
        });
        appender.append(&source, &batch(&[&SPELLINGS[..], &OTHERS[..]].concat()), 1, 100);
        every_spelling_finds_all(&head);

        appender.commit();
        every_spelling_finds_all(&head);

        let partition = Arc::new(Partition::open(directory.path(), 0).unwrap());
        let mut writer = partition.writer().unwrap();
        for work in work.try_iter() {
            match work {
                Work::Block { block, words, .. } => {
                    writer.add_document(IndexDocument::block(&partition.fields, &block, words)).unwrap();
                }
                Work::Commit(generation) => {
                    let mut prepared = writer.prepare_commit().unwrap();
                    prepared.set_payload(&CommitPayload::new(generation.wal_position).text());
                    prepared.commit().unwrap();
                    head.install(generation.number, Committed::newest(&partition).unwrap());
                }
                Work::Delete | Work::Snapshot(_) => unreachable!("nothing is deleted or backed up here"),
            }
        }
        assert_eq!(head.volume().records, 0, "all is committed");
        every_spelling_finds_all(&head);
    }
}
