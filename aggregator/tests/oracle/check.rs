//! One query: the engine's pages against the naive scan.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clew_aggregator::query::language::ast::Query;
use clew_aggregator::query::language::parser;
use clew_aggregator::query::predicate::{self, Predicate};
use clew_aggregator::record::Record;
use clew_aggregator::search::newest::{Newest, Page};
use clew_aggregator::search::scan::{Order, Wanted};
use clew_aggregator::store::Store;
use clew_aggregator::trace::order::Key;
use fastrand::Rng;
use tokio::runtime::Runtime;

use super::logs::{Entry, NOON_NS};
use super::naive::Naive;

/// No answer of a test has more pages.
const PAGES_MAX: usize = 2_000;
/// So many pages are wanted at most of an answer: each one looks at blocks again.
const PAGES_WANTED: usize = 6;

/// A query and how it is asked.
pub struct Question {
    query: Query,
    /// As a person would type it.
    pub text: String,
    predicate: Arc<Predicate>,
    times: (i64, i64),
    order: Order,
    limit: usize,
    /// The time is always up at once, but for every third page.
    is_late: bool,
}

impl Question {
    /// None: the text of the query is beyond the limits of the language, or is refused.
    pub fn new(random: &mut Rng, query: Query, entries: &[Entry]) -> Option<Self> {
        let text = query.to_string();
        let read = parser::parse(&text).ok()?;
        assert_eq!(read, query, "{text}");
        let predicate = Arc::new(predicate::compile(&read, NOON_NS).ok()?);
        let order = if random.bool() { Order::Newest } else { Order::Oldest };
        let mut edge = || entries[random.usize(..entries.len())].time + random.i64(-1..2);
        let (left, right) = (edge(), edge());
        let times = match random.u8(..4) {
            0 => (left.min(right), left.max(right)),
            1 => (left, i64::MAX),
            2 => (i64::MIN, right),
            _ => (i64::MIN, i64::MAX),
        };
        let limit = [1, 2, 3, 7, 50, 5000][random.usize(..6)];
        Some(Self { query, text, predicate, times, order, limit, is_late: random.u8(..6) == 0 })
    }

    /// The records of `entries` that fulfil it.
    pub fn expected<'e>(&self, naive: &mut Naive, entries: &'e [Entry]) -> BTreeMap<Key, &'e Entry> {
        let (from, to) = self.times;
        let in_time = entries.iter().filter(|entry| (from..to).contains(&entry.time));
        in_time.filter(|entry| naive.fulfils(&self.query, entry)).map(|entry| (entry.key(), entry)).collect()
    }

    /// All pages, in the order in which they were shown; about `records` come together. Panics when a page breaks the order or
    /// repeats a record.
    pub fn ask(&self, runtime: &Runtime, store: &Store, records: usize) -> Vec<Record> {
        let limit = self.limit.max(records / PAGES_WANTED);
        let mut all: Vec<Record> = Vec::new();
        let mut after: Option<Key> = None;
        for number in 0..PAGES_MAX {
            let page = self.page(runtime, store, limit, after.clone(), self.is_late && number % 3 != 2);
            assert!(page.records.len() <= limit, "{}: a page of {} records", self.text, page.records.len());
            all.extend(page.records);
            match page.next {
                None => {
                    self.assert_in_order(&all);
                    return all;
                }
                Some(next) => after = Some(next),
            }
        }
        panic!("{}: no end after {PAGES_MAX} pages", self.text);
    }

    fn page(&self, runtime: &Runtime, store: &Store, limit: usize, after: Option<Key>, is_late: bool) -> Page {
        let mut wanted = Wanted { predicate: Arc::clone(&self.predicate), times: self.times, order: self.order };
        // As the route does it.
        match (&after, wanted.order) {
            (None, _) => {}
            (Some(after), Order::Newest) => wanted.times.1 = wanted.times.1.min(after.time.saturating_add(1)),
            (Some(after), Order::Oldest) => wanted.times.0 = wanted.times.0.max(after.time),
        }
        let newest = Newest::new(self.order, limit, after);
        let deadline = if is_late { Instant::now() } else { Instant::now() + Duration::from_secs(60) };
        let searched = runtime.block_on(store.search(wanted, newest, Some(deadline)));
        let searched = searched.expect("the store is open").expect("everything can be read");
        let unseen = searched.scan.next().filter(|_| searched.is_late);
        searched.collector.finish(unseen)
    }

    fn assert_in_order(&self, records: &[Record]) {
        let keys: Vec<Key> = records.iter().map(key).collect();
        let is_sorted = keys.windows(2).all(|pair| match self.order {
            Order::Newest => pair[0] > pair[1],
            Order::Oldest => pair[0] < pair[1],
        });
        assert!(is_sorted, "{}: the pages are out of order, or repeat a record: {keys:?}", self.text);
    }

    /// Asks, and compares with the naive scan of the same records. Returns whether there are any.
    pub fn check(&self, runtime: &Runtime, store: &Store, naive: &mut Naive, entries: &[Entry]) -> bool {
        let expected = self.expected(naive, entries);
        let found = self.ask(runtime, store, expected.len());
        let found: BTreeMap<Key, &Record> = found.iter().map(|record| (key(record), record)).collect();
        for (key, entry) in &expected {
            assert!(found.contains_key(key), "{}", self.told("misses", entry.time, &entry.line));
        }
        for (key, record) in found {
            let Some(entry) = expected.get(&key) else {
                panic!("{}", self.told("finds what does not fulfil it", record.time, &record.line));
            };
            assert_eq!(record.line, entry.line, "{}", self.told("changes a line", entry.time, &entry.line));
        }
        !expected.is_empty()
    }

    /// Asks while records come in: all of `before` that fulfil it must be found, and nothing but what is in `after`.
    pub fn check_between(&self, found: &[Record], naive: &mut Naive, before: &[Entry], after: &[Entry]) {
        let found: BTreeMap<Key, &Record> = found.iter().map(|record| (key(record), record)).collect();
        for (key, entry) in self.expected(naive, before) {
            assert!(found.contains_key(&key), "{}", self.told("misses", entry.time, &entry.line));
        }
        let possible = self.expected(naive, after);
        for (key, record) in found {
            let told = || self.told("finds what does not fulfil it", record.time, &record.line);
            assert!(possible.contains_key(&key), "{}", told());
        }
    }

    fn told(&self, what: &str, time: i64, line: &[u8]) -> String {
        let Self { text, times, order, limit, is_late, .. } = self;
        let line = line.escape_ascii();
        format!("{text}\n{what}: {time} {line}\n{times:?} {order:?} limit {limit} late {is_late}\n{:?}", self.query)
    }
}

fn key(record: &Record) -> Key {
    Key { time: record.time, source: record.source.id, position: record.position }
}
