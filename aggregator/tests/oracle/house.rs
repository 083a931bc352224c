//! Head, appender, indexer and store over a directory, with small limits.

use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use clew_aggregator::catalog::registry::Registry;
use clew_aggregator::catalog::store::Store as Catalog;
use clew_aggregator::deletion::job::Deletions;
use clew_aggregator::head::appender::{Appender, Limits};
use clew_aggregator::head::tail::Tail;
use clew_aggregator::head::view::Head;
use clew_aggregator::health::Health;
use clew_aggregator::index::committed::Committed;
use clew_aggregator::index::partition::Partition;
use clew_aggregator::indexer::Indexer;
use clew_aggregator::metrics::Metrics;
use clew_aggregator::search::cache::BlockCache;
use clew_aggregator::store::Store;
use clew_aggregator::transactions::cache::TallyCache;
use fastrand::Rng;

use super::logs::Arrival;

/// See the module.
pub struct House {
    pub store: Store,
    pub intake: Intake,
    indexer: JoinHandle<Arc<Catalog>>,
}

/// Where batches come in.
pub struct Intake {
    appender: Appender,
    received: u64,
}

impl House {
    /// Opens what is in `dir`.
    pub fn open(dir: &Path, random: &mut Rng) -> Self {
        let root = dir.join("partitions");
        std::fs::create_dir_all(&root).unwrap();
        let days = Partition::days(&root).unwrap();
        let partitions = days.into_iter().map(|day| Arc::new(Partition::open(&root, day).unwrap()));
        let committed = partitions.map(|partition| Arc::new(Committed::newest(&partition).unwrap()));
        let head = Arc::new(Head::new(committed.collect()));
        let registry = Arc::new(Registry::default());
        let wal = dir.join("wal");
        std::fs::create_dir_all(&wal).unwrap();
        let catalog = Arc::new(Catalog::open(dir).unwrap());
        // A cache of no bytes keeps nothing; one of a few blocks has to choose.
        let cache = Arc::new(BlockCache::new([0, 64 << 10, 64 << 20][random.usize(..3)]));
        let indexer = Indexer {
            data_dir: dir.to_owned(),
            root,
            wal,
            head: Arc::clone(&head),
            registry: Arc::clone(&registry),
            deletions: Arc::new(Deletions::load(Arc::clone(&catalog)).unwrap()),
            cache: Arc::clone(&cache),
            store: catalog,
            health: Arc::new(Health::default()),
            metrics: Arc::new(Metrics::register(&mut prometheus_client::registry::Registry::default())),
        };
        let (sender, work) = mpsc::channel();
        let limits = Limits {
            block_bytes: [300, 1 << 10, 4 << 10, 16 << 10][random.usize(..4)],
            head_bytes: [8 << 10, 32 << 10][random.usize(..2)],
            head_age: Duration::MAX,
        };
        let appender = Appender::new(Arc::clone(&head), limits, sender);
        Self {
            store: Store::new(head, registry, cache, Arc::new(TallyCache::new(1 << 20)), Arc::new(Tail::new(0)))
                .unwrap(),
            intake: Intake { appender, received: 0 },
            indexer: std::thread::spawn(move || indexer.run(&work)),
        }
    }

    /// Commits everything and waits for the merges.
    pub fn close(self) {
        self.intake.appender.finish();
        self.indexer.join().unwrap();
    }
}

impl Intake {
    pub fn take(&mut self, arrival: &Arrival) {
        self.received += arrival.batch.raw.len() as u64;
        self.appender.append(&arrival.source, &arrival.batch, arrival.received_ns, self.received);
    }

    /// Everything that has come in is on its way to the disk; what comes next is not.
    pub fn commit(&mut self) {
        self.appender.commit();
    }
}
