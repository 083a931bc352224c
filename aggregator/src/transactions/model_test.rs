//! Lists over random generations, restarts, crashes and days, held against a model that knows every record.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use clew_proto::v1::{IdKind, Severity};
use fastrand::Rng;
use proptest::prelude::*;
use uuid::Uuid;

use super::cache::TallyCache;
use super::filter::Filter;
use super::list::{List, Listed, Wanted};
use super::top::{Key, Sort};
use crate::batch::Batch;
use crate::block::spelling::SpelledId;
use crate::block::standing::Standing;
use crate::catalog::registry::Registry;
use crate::catalog::store::Store as CatalogStore;
use crate::deletion::job::Deletions;
use crate::head::appender::{Appender, Limits};
use crate::head::view::Head;
use crate::health::Health;
use crate::id::Canonical;
use crate::index::committed::Committed;
use crate::index::partition::Partition;
use crate::indexer::Indexer;
use crate::metrics::Metrics;
use crate::search::cache::BlockCache;
use crate::search::scan::Step;
use crate::source::Source;

const SERVICES: [&str; 4] = ["gateway", "shop", "payments", "mail"];
const MINUTE_NS: i64 = 60_000_000_000;
const DAY_NS: i64 = 1_440 * MINUTE_NS;
/// Records of one ID lie no further apart than what is looked at beside a range of time.
const SPREAD_NS: i64 = 50 * MINUTE_NS;

#[derive(Clone, Debug)]
struct Line {
    service: usize,
    time: i64,
    severity: u8,
    ids: Vec<SpelledId>,
}

/// A store as `app` wires it, without a log: what is not committed is remembered here, and brought again after a crash.
struct House<'a> {
    path: &'a Path,
    head: Arc<Head>,
    appender: Option<Appender>,
    indexer: Option<JoinHandle<Arc<CatalogStore>>>,
    sent: Vec<(i64, Vec<Line>)>,
    tallies: Arc<TallyCache>,
}

impl<'a> House<'a> {
    fn open(path: &'a Path) -> Self {
        let root = path.join("partitions");
        std::fs::create_dir_all(&root).unwrap();
        std::fs::create_dir_all(path.join("wal")).unwrap();
        let opened: Vec<Arc<Partition>> =
            Partition::days(&root).unwrap().iter().map(|day| Arc::new(Partition::open(&root, *day).unwrap())).collect();
        let committed = opened.iter().map(|partition| Arc::new(Committed::newest(partition).unwrap())).collect();
        let head = Arc::new(Head::new(committed));
        let catalog = Arc::new(CatalogStore::open(path).unwrap());
        let indexer = Indexer {
            data_dir: path.to_owned(),
            root,
            wal: path.join("wal"),
            head: Arc::clone(&head),
            registry: Arc::new(Registry::default()),
            deletions: Arc::new(Deletions::load(Arc::clone(&catalog)).unwrap()),
            store: catalog,
            health: Arc::new(Health::default()),
            cache: Arc::new(BlockCache::new(1 << 20)),
            metrics: Arc::new(Metrics::register(&mut clew_service::metrics::Registry::default())),
        };
        let (sender, work) = mpsc::channel();
        let indexer = std::thread::spawn(move || indexer.run(&work));
        // None of it is kept, some, or all.
        let tallies = Arc::new(TallyCache::new([0, 2 << 10, 1 << 20][fastrand::usize(..3)]));
        // Blocks so small that a transaction's records lie in several.
        let limits = Limits { block_bytes: 200, head_bytes: 1 << 30, head_age: Duration::MAX };
        let appender = Some(Appender::new(Arc::clone(&head), limits, sender));
        Self { path, head, appender, indexer: Some(indexer), sent: Vec::new(), tallies }
    }

    fn append(&mut self, day: i64, lines: &[Line]) {
        self.sent.push((day, lines.to_vec()));
        self.bring(self.sent.len() - 1);
    }

    fn bring(&mut self, number: usize) {
        let (day, lines) = &self.sent[number];
        let appender = self.appender.as_mut().unwrap();
        for (index, service) in SERVICES.iter().enumerate() {
            let own: Vec<&Line> = lines.iter().filter(|line| line.service == index).collect();
            let source = Arc::new(Source {
                id: Uuid::from_u128(index as u128),
                agent: Uuid::from_u128(8),
                host: "a".into(),
                service: (*service).into(),
                path: b"/var/log/a.log".to_vec(),
                labels: Vec::new(),
            });
            if !own.is_empty() {
                appender.append(&source, &batch(&own), day * DAY_NS, number as u64 + 1);
            }
        }
    }

    fn commit(&mut self) {
        self.appender.as_mut().unwrap().commit();
    }

    /// Ends; with a crash, what is not committed is lost and brought again.
    fn restart(mut self, crash: bool) -> Self {
        let appender = self.appender.take().unwrap();
        if crash {
            drop(appender);
        } else {
            appender.finish();
        }
        drop(self.indexer.take().unwrap().join().unwrap());
        let mut next = House::open(self.path);
        next.sent = std::mem::take(&mut self.sent);
        let held = next.head.partitions().iter().map(|known| known.partition.wal_position().unwrap()).max();
        for number in held.unwrap_or(0) as usize..next.sent.len() {
            next.bring(number);
        }
        next
    }

    fn list(&self, wanted: &Wanted) -> Listed {
        let mut list = List::begin(&self.head, &self.tallies, wanted.clone()).unwrap();
        while list.slice(&self.head, None) == Step::More {}
        list.finish().unwrap()
    }

    fn records(&self) -> impl Iterator<Item = &Line> {
        self.sent.iter().flat_map(|(_, lines)| lines)
    }
}

fn batch(lines: &[&Line]) -> Batch {
    let mut batch = Batch::default();
    for line in lines {
        let text = format!("line of {} bytes\n", line.ids.len() * 7);
        batch.lengths.push(text.len() as u32);
        batch.raw.extend_from_slice(text.as_bytes());
        batch.times.push(line.time);
        batch.severities.push(line.severity);
        batch.flags.push(0);
        batch.id_counts.push(line.ids.len() as u8);
        for id in &line.ids {
            let known = batch.ids.iter().position(|known| known == id);
            batch.id_refs.push(known.unwrap_or_else(|| {
                batch.ids.push(id.clone());
                batch.ids.len() - 1
            }) as u32);
        }
    }
    batch.end = batch.raw.len() as u64;
    batch
}

/// A transaction as the model has it.
#[derive(Clone, Debug)]
struct Whole {
    time_min: i64,
    time_max: i64,
    records: u64,
    errors: u64,
    entry: &'static str,
    services: BTreeSet<&'static str>,
    standing: Standing,
}

impl Whole {
    fn duration(&self) -> u64 {
        self.time_max.abs_diff(self.time_min)
    }
}

fn model<'l>(lines: impl Iterator<Item = &'l Line>) -> BTreeMap<Canonical, Whole> {
    let mut wholes: BTreeMap<Canonical, (Whole, i64)> = BTreeMap::new();
    for line in lines {
        let service = SERVICES[line.service];
        for id in &line.ids {
            let mut standing = Standing::of(id);
            line.ids.iter().for_each(|other| standing.meet(id, other));
            let new = Whole {
                time_min: line.time,
                time_max: line.time,
                records: 0,
                errors: 0,
                entry: service,
                services: BTreeSet::new(),
                standing,
            };
            let (whole, _) = wholes.entry(id.canonical.clone()).or_insert((new, line.time));
            if (line.time, service) < (whole.time_min, whole.entry) {
                (whole.time_min, whole.entry) = (line.time, service);
            }
            whole.time_max = whole.time_max.max(line.time);
            whole.records += 1;
            whole.errors += u64::from(line.severity >= Severity::Error as u8);
            whole.services.insert(service);
            whole.standing.merge(standing);
        }
    }
    wholes.into_iter().map(|(id, (whole, _))| (id, whole)).collect()
}

/// What the model says to `wanted`, in order, without the limit.
fn expected<'m>(model: &'m BTreeMap<Canonical, Whole>, wanted: &Wanted) -> Vec<(Key, &'m Whole)> {
    let filter = &wanted.filter;
    let passes = |(id, whole): &(&Canonical, &Whole)| {
        let is_named = match &wanted.ids {
            Some(ids) => ids.contains(*id),
            None => !whole.standing.is_alias(),
        };
        is_named
            && (filter.times.0..filter.times.1).contains(&whole.time_min)
            && (filter.durations.0..=filter.durations.1).contains(&whole.duration())
            && filter.errors.is_none_or(|errors| errors == (whole.errors > 0))
            && (filter.entries.is_empty() || filter.entries.iter().any(|entry| entry == whole.entry))
            && (filter.services.is_empty()
                || filter.services.iter().any(|service| whole.services.contains(service.as_str())))
    };
    let keyed = model.iter().filter(passes).map(|(id, whole)| {
        let number = match wanted.sort {
            Sort::Newest | Sort::Oldest | Sort::Duration => whole.duration(),
            Sort::Errors => whole.errors,
            Sort::Records => whole.records,
        };
        (Key { rank: wanted.sort.rank(whole.time_min, number), id: id.clone() }, whole)
    });
    let mut all: Vec<_> = keyed.collect();
    all.sort_by(|(left, _), (right, _)| right.cmp(left));
    all
}

fn check(house: &House<'_>, model: &BTreeMap<Canonical, Whole>, wanted: &Wanted) {
    let all = expected(model, wanted);
    let mut wanted = wanted.clone();
    let mut seen = 0;
    loop {
        let listed = house.list(&wanted);
        for (id, share) in &listed.transactions {
            let (key, whole) = &all[seen];
            assert_eq!(id, &key.id, "{wanted:?}");
            assert_eq!(
                (share.time_min, share.time_max, share.records, share.errors),
                (whole.time_min, whole.time_max, whole.records, whole.errors),
                "{id}"
            );
            assert_eq!(share.entry_service().as_ref(), whole.entry, "{id}");
            let services: BTreeSet<&str> = share.services.iter().map(|touched| touched.service.as_ref()).collect();
            assert_eq!(services, whole.services, "{id}");
            assert_eq!(services.len(), share.services.len(), "{id}");
            seen += 1;
        }
        check_summary(&listed, &all);
        assert_eq!(listed.next.is_some(), seen < all.len());
        match listed.next {
            Some(next) => wanted.after = Some(next),
            None => return,
        }
    }
}

fn check_summary(listed: &Listed, all: &[(Key, &Whole)]) {
    let told = &listed.summary;
    let errors = |wholes: &[&Whole]| wholes.iter().filter(|whole| whole.errors > 0).count() as u64;
    let check = |group: &super::summary::Group, wholes: &[&Whole]| {
        assert_eq!((group.transactions, group.with_errors), (wholes.len() as u64, errors(wholes)));
        let mut durations: Vec<u64> = wholes.iter().map(|whole| whole.duration()).collect();
        durations.sort_unstable();
        assert_eq!(group.duration_max, durations.last().copied().unwrap_or(0));
        for (share, found) in
            [0.5, 0.95].into_iter().zip(group.durations.percentiles([0.5, 0.95]).into_iter().flatten())
        {
            let exact = durations[(durations.len() as f64 * share).ceil() as usize - 1];
            assert!(found.abs_diff(exact) <= exact / 64, "{found} for {exact}");
        }
    };
    let wholes: Vec<&Whole> = all.iter().map(|(_, whole)| *whole).collect();
    check(&told.all, &wholes);
    let entries: BTreeSet<&str> = wholes.iter().map(|whole| whole.entry).collect();
    assert_eq!(told.by_entry.iter().map(|(name, _)| name.as_ref()).collect::<BTreeSet<&str>>(), entries);
    for (name, group) in &told.by_entry {
        check(group, &wholes.iter().copied().filter(|whole| whole.entry == name.as_ref()).collect::<Vec<_>>());
    }
    for (begin, group) in &told.by_time {
        let times = *begin..*begin + listed.interval_ns;
        check(group, &wholes.iter().copied().filter(|whole| times.contains(&whole.time_min)).collect::<Vec<_>>());
    }
    assert_eq!(told.by_time.values().map(|group| group.transactions).sum::<u64>(), all.len() as u64);
}

/// IDs of few transactions, so that many come back in later commits.
fn id(random: &mut Rng, transaction: u64) -> SpelledId {
    let trace = format!("{transaction:016x}{:016x}", transaction.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    match random.u8(..8) {
        0 => SpelledId::new(format!("req-{transaction}").as_bytes(), IdKind::Request as u8),
        1 => SpelledId::new(format!("session-{}", transaction / 2).as_bytes(), IdKind::Correlation as u8),
        2 => SpelledId::new(&trace.as_bytes()[16..], IdKind::Trace as u8),
        3 => SpelledId::new(trace.to_uppercase().as_bytes(), IdKind::Trace as u8),
        _ => SpelledId::new(trace.as_bytes(), IdKind::Trace as u8),
    }
}

fn line(random: &mut Rng, transactions: u64) -> Line {
    let transaction = random.u64(..transactions);
    let began = transaction as i64 * 7 * MINUTE_NS;
    let mut ids: Vec<SpelledId> = Vec::new();
    for _ in 0..[0, 1, 1, 1, 2, 3][random.usize(..6)] {
        let id = id(random, transaction);
        // One ID that is spelled twice counts as two records; that is not what is tested here.
        if ids.iter().all(|known| known.canonical != id.canonical) {
            ids.push(id);
        }
    }
    // Coarse, so that several records have one time.
    let time = began + random.i64(0..SPREAD_NS / 1_000_000_000 / 20) * 20 * 1_000_000_000;
    Line { service: random.usize(..SERVICES.len()), time, severity: random.u8(1..8), ids }
}

fn wanted(random: &mut Rng, model: &BTreeMap<Canonical, Whole>) -> Wanted {
    let times: Vec<i64> = model.values().map(|whole| whole.time_min).collect();
    let durations: Vec<u64> = model.values().map(Whole::duration).collect();
    let mut filter = Filter::default();
    if random.bool() && !times.is_empty() {
        let (left, right) = (times[random.usize(..times.len())], times[random.usize(..times.len())]);
        filter.times = (left.min(right), left.max(right) + random.i64(0..2));
    }
    if random.u8(..3) == 0 && !durations.is_empty() {
        let (left, right) = (durations[random.usize(..durations.len())], durations[random.usize(..durations.len())]);
        filter.durations = (left.min(right), left.max(right));
    }
    filter.errors = [None, None, Some(true), Some(false)][random.usize(..4)];
    let names = |random: &mut Rng| match random.u8(..3) {
        0 => vec![SERVICES[random.usize(..4)].to_owned(), "unknown".to_owned()],
        1 => vec![SERVICES[random.usize(..4)].to_owned(), SERVICES[random.usize(..4)].to_owned()],
        _ => Vec::new(),
    };
    (filter.services, filter.entries) = (names(random), names(random));
    let ids = (random.u8(..4) == 0).then(|| Arc::new(model.keys().filter(|_| random.bool()).cloned().collect()));
    let sort = Sort::NAMES[random.usize(..Sort::NAMES.len())].1;
    Wanted { filter, ids, sort, limit: [1, 5, 1_000][random.usize(..3)], after: None }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(6))]

    #[test]
    fn lists_are_those_of_the_model(seed in any::<u64>()) {
        let mut random = Rng::with_seed(seed);
        let directory = tempfile::tempdir().unwrap();
        let mut house = House::open(directory.path());
        let transactions = random.u64(5..120);
        let mut day = 0;
        for _ in 0..60 {
            match random.u8(..10) {
                0..=4 => {
                    let lines: Vec<Line> = (0..random.usize(1..40)).map(|_| line(&mut random, transactions)).collect();
                    day += i64::from(random.u8(..20) == 0);
                    house.append(day, &lines);
                }
                5..=7 => house.commit(),
                8 => house = house.restart(false),
                _ => house = house.restart(true),
            }
            if random.u8(..4) == 0 {
                let model = model(house.records());
                check(&house, &model, &wanted(&mut random, &model));
            }
        }
        let model = model(house.records());
        for _ in 0..20 {
            check(&house, &model, &wanted(&mut random, &model));
        }
    }
}
