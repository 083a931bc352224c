//! Random queries over random logs, record by record against a naive scan of the same lines: in open, full and sealed blocks, on
//! disk, over several days, across restarts, and while commits and merges run.
//!
//! A run is a row of worlds, each with a seed of its own, for some seconds or for `CLEW_SOAK_SECONDS`. A failure names the seed of
//! its world; `CLEW_SEED` begins with it.

mod oracle;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use clew_aggregator::query::predicate::Predicate;
use clew_aggregator::search::cache::BlockCache;
use clew_aggregator::search::newest::Newest;
use clew_aggregator::search::scan::{Order, Scan, Shared, Step, Wanted};
use fastrand::Rng;
use oracle::check::Question;
use oracle::house::House;
use oracle::logs::{Arrival, Entry, Logs};
use oracle::naive::Naive;
use oracle::queries::Queries;
use tokio::runtime::Runtime;

/// So long does each of the tests take, unless asked otherwise.
const USUAL: Duration = Duration::from_secs(8);
/// So many queries are asked in each state of a world that stands still.
const QUERIES: usize = 100;
const DAY_NS: i64 = 86_400_000_000_000;
/// How deep a query's groups nest.
const DEPTH_MAX: usize = 3;

/// How many queries were asked, and of how many there was something to be found.
#[derive(Default)]
struct Tally {
    asked: usize,
    fruitful: usize,
}

/// Plays worlds until the time is up, at least one.
fn play(name: &str, world: impl Fn(&mut Rng) -> Tally) {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let time = number("CLEW_SOAK_SECONDS").map_or(USUAL, Duration::from_secs);
    let first = number("CLEW_SEED").unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    let began = Instant::now();
    let (mut worlds, mut all) = (0, Tally::default());
    while worlds == 0 || began.elapsed() < time {
        let seed = Seed(first + worlds);
        let Tally { asked, fruitful } = world(&mut Rng::with_seed(seed.0));
        all.asked += asked;
        all.fruitful += fruitful;
        worlds += 1;
    }
    let Tally { asked, fruitful } = all;
    println!("{name}: {asked} queries, {fruitful} of them fruitful, in {worlds} worlds from seed {first}");
}

/// Says so when its world fails.
struct Seed(u64);

impl Drop for Seed {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- failed with CLEW_SEED={}", self.0);
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

fn question(random: &mut Rng, logs: &Logs, entries: &[Entry]) -> Option<Question> {
    let queries = Queries { entries, ids: &|random| logs.id(random) };
    let depth = random.usize(..=DEPTH_MAX);
    let query = queries.query(random, depth);
    Question::new(random, query, entries)
}

#[test]
fn pages_are_what_a_naive_scan_finds() {
    play("still", |random| {
        let directory = tempfile::tempdir().unwrap();
        let (runtime, mut naive) = (runtime(), Naive::default());
        let mut house = House::open(directory.path(), random);
        let mut logs = Logs::new(random);
        let (mut entries, mut tally) = (Vec::new(), Tally::default());
        for _ in 0..random.usize(2..8) {
            for _ in 0..random.usize(1..12) {
                let arrival = logs.arrival(random);
                house.intake.take(&arrival);
                entries.extend(arrival.entries);
            }
            match random.u8(..4) {
                0 => house.intake.commit(),
                1 => {
                    house.close();
                    house = House::open(directory.path(), random);
                }
                _ => {}
            }
            for _ in 0..QUERIES {
                if let Some(question) = question(random, &logs, &entries) {
                    tally.fruitful += usize::from(question.check(&runtime, &house.store, &mut naive, &entries));
                    tally.asked += 1;
                }
            }
        }
        house.close();
        tally
    });
}

#[test]
fn searches_see_all_that_had_come_in_while_more_comes_in() {
    play("moving", |random| {
        let directory = tempfile::tempdir().unwrap();
        let (runtime, mut naive) = (runtime(), Naive::default());
        let mut house = House::open(directory.path(), random);
        let mut logs = Logs::new(random);
        let arrivals: Vec<Arrival> = (0..random.usize(50..150)).map(|_| logs.arrival(random)).collect();
        let commits: Vec<bool> = arrivals.iter().map(|_| random.u8(..6) == 0).collect();
        let entries: Vec<Entry> = arrivals.iter().flat_map(|arrival| arrival.entries.clone()).collect();
        // How many records have begun to come in, and how many have come in.
        let (begun, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let mut tally = Tally::default();
        std::thread::scope(|scope| {
            let intake = &mut house.intake;
            let (begun, done) = (&begun, &done);
            let feeder = scope.spawn(move || {
                for (arrival, commit) in arrivals.iter().zip(commits) {
                    begun.fetch_add(arrival.entries.len(), Ordering::SeqCst);
                    intake.take(arrival);
                    done.fetch_add(arrival.entries.len(), Ordering::SeqCst);
                    if commit {
                        intake.commit();
                    }
                }
            });
            while !feeder.is_finished() {
                let Some(question) = question(random, &logs, &entries) else { continue };
                let before = done.load(Ordering::SeqCst);
                let found = question.ask(&runtime, &house.store, entries.len());
                let after = begun.load(Ordering::SeqCst);
                question.check_between(&found, &mut naive, &entries[..before], &entries[..after]);
                tally.asked += 1;
                tally.fruitful += usize::from(!found.is_empty());
            }
        });
        house.close();
        tally
    });
}

/// So many commits of three days at most: the segments of one are merged.
const COMMITS: usize = 40;

#[test]
fn what_is_merged_is_what_was_there() {
    play("merged", |random| {
        let directory = tempfile::tempdir().unwrap();
        let (runtime, mut naive) = (runtime(), Naive::default());
        let mut house = House::open(directory.path(), random);
        let mut logs = Logs::new(random);
        let (mut entries, mut tally) = (Vec::new(), Tally::default());
        let mut ask = |random: &mut Rng, house: &House, logs: &Logs, entries: &[Entry]| {
            if let Some(question) = question(random, logs, entries) {
                tally.fruitful += usize::from(question.check(&runtime, &house.store, &mut naive, entries));
                tally.asked += 1;
            }
        };
        for _ in 0..COMMITS {
            let arrival = logs.arrival(random);
            house.intake.take(&arrival);
            house.intake.commit();
            entries.extend(arrival.entries);
            ask(random, &house, &logs, &entries);
        }
        house.close();
        house = House::open(directory.path(), random);
        let segments: usize = house.store.partitions().iter().map(|partition| partition.segments).sum();
        assert!(segments < COMMITS, "{segments} segments after {COMMITS} commits: nothing was merged");
        for _ in 0..QUERIES {
            ask(random, &house, &logs, &entries);
        }
        house.close();
        tally
    });
}

/// Retention takes whole days away, oldest first, whoever is reading them.
#[test]
fn who_has_begun_finds_what_is_removed_meanwhile() {
    play("removed", |random| {
        let directory = tempfile::tempdir().unwrap();
        let mut house = House::open(directory.path(), random);
        let mut logs = Logs::new(random);
        // How many records were received on which day.
        let mut received: Vec<(i64, usize)> = Vec::new();
        for _ in 0..random.usize(20..60) {
            let arrival = logs.arrival(random);
            house.intake.take(&arrival);
            received.push((arrival.received_ns.div_euclid(DAY_NS), arrival.entries.len()));
        }
        let all: usize = received.iter().map(|(_, records)| records).sum();
        house.close();
        let house = House::open(directory.path(), random);
        let (head, cache) = (&house.store.head, BlockCache::new(0));
        let shared = Shared { head, cache: &cache, deadline: None };
        let everything =
            || Wanted { predicate: Arc::new(Predicate::All), times: (i64::MIN, i64::MAX), order: Order::Oldest };
        let find = |scan: &mut Scan, found: &mut Newest, slices: usize| {
            (0..slices).all(|_| scan.slice(&shared, found).unwrap() == Step::More)
        };
        let mut scan = Scan::begin(head, everything()).unwrap();
        let mut found = Newest::new(Order::Oldest, all.max(1), None);
        find(&mut scan, &mut found, random.usize(..2));
        let days = head.partitions();
        for committed in &days[..days.len() - 1] {
            head.remove(committed.partition.day);
            committed.partition.remove(&directory.path().join("partitions")).unwrap();
        }
        find(&mut scan, &mut found, usize::MAX);
        assert_eq!(scan.progress().blocks_damaged, 0);
        assert_eq!(found.finish(None).records.len(), all);

        let mut later = Newest::new(Order::Oldest, all.max(1), None);
        let mut scan = Scan::begin(head, everything()).unwrap();
        find(&mut scan, &mut later, usize::MAX);
        let newest = days.last().unwrap().partition.day;
        let left = received.iter().filter(|(day, _)| *day == newest).map(|(_, records)| records);
        assert_eq!(later.finish(None).records.len(), left.sum::<usize>());
        drop(days);
        house.close();
        Tally { asked: 2, fruitful: 2 }
    });
}
