//! What transactions come to: all of them, by entry service, and by the time when they began. Counts and the longest duration are exact,
//! percentiles are those of `durations`.

use std::collections::BTreeMap;
use std::sync::{Arc, RwLock};

use hashbrown::HashMap;

use super::durations::{self, Durations};
use super::tally::Class;
use crate::block::transactions::share::Share;
use crate::search::statistics::bucket;

/// Names of services, numbered as they come; shared by all that count.
#[derive(Default)]
pub struct Names(RwLock<Known>);

#[derive(Default)]
struct Known {
    numbers: HashMap<Arc<str>, usize, foldhash::fast::RandomState>,
    names: Vec<Arc<str>>,
}

impl Names {
    /// The number of a name, from 0.
    pub fn number(&self, name: &str) -> usize {
        const UNBROKEN: &str = "no thread panics with the names in hand";
        if let Some(number) = self.0.read().expect(UNBROKEN).numbers.get(name) {
            return *number;
        }
        let mut known = self.0.write().expect(UNBROKEN);
        if let Some(number) = known.numbers.get(name) {
            return *number;
        }
        let (number, name) = (known.names.len(), Arc::<str>::from(name));
        known.numbers.insert(Arc::clone(&name), number);
        known.names.push(name);
        number
    }

    fn all(&self) -> Vec<Arc<str>> {
        self.0.read().expect("no thread panics with the names in hand").names.clone()
    }
}

/// Transactions that are counted together.
#[derive(Clone, Debug, Default)]
pub struct Group {
    pub transactions: u64,
    pub with_errors: u64,
    /// Of the longest one.
    pub duration_max: u64,
    pub durations: Durations,
}

impl Group {
    /// Counts one.
    pub fn add(&mut self, duration: u64, has_errors: bool) {
        self.add_step(durations::step(duration), duration, has_errors);
    }

    #[inline]
    fn add_step(&mut self, step: usize, duration: u64, has_errors: bool) {
        self.transactions += 1;
        self.with_errors += u64::from(has_errors);
        self.duration_max = self.duration_max.max(duration);
        self.durations.add(step);
    }

    fn add_class(&mut self, class: &Class) {
        let transactions = class.transactions();
        self.transactions += transactions;
        self.with_errors += if class.has_errors { transactions } else { 0 };
        self.duration_max = self.duration_max.max(class.duration_max);
        class.steps.iter().for_each(|(step, count)| self.durations.add_many(usize::from(*step), u32::from(*count)));
    }

    fn merge(&mut self, other: &Self) {
        self.transactions += other.transactions;
        self.with_errors += other.with_errors;
        self.duration_max = self.duration_max.max(other.duration_max);
        self.durations.merge(&other.durations);
    }
}

/// See the module.
pub struct Summary {
    interval_ns: i64,
    /// By the number of their entry service.
    entries: Vec<Option<Box<Group>>>,
    /// By the beginning of their bucket of time.
    times: BTreeMap<i64, Box<Group>>,
}

/// The summary, ready to be told.
#[derive(Debug)]
pub struct Told {
    pub all: Group,
    /// The one with most transactions first.
    pub by_entry: Vec<(Arc<str>, Group)>,
    pub by_time: BTreeMap<i64, Box<Group>>,
}

impl Summary {
    /// Buckets of time are `interval_ns` wide.
    pub fn new(interval_ns: i64) -> Self {
        Self { interval_ns, entries: Vec::new(), times: BTreeMap::new() }
    }

    fn entry(&mut self, number: usize) -> &mut Group {
        if self.entries.len() <= number {
            self.entries.resize(number + 1, None);
        }
        self.entries[number].get_or_insert_default()
    }

    /// Counts one whole transaction.
    pub fn add(&mut self, share: &Share, names: &Names) {
        let (duration, has_errors) = (share.duration(), share.errors > 0);
        self.entry(names.number(share.entry_service())).add(duration, has_errors);
        self.times.entry(bucket(share.time_min, self.interval_ns)).or_default().add(duration, has_errors);
    }

    /// Counts a class, all of which began in one bucket of time.
    pub fn add_class(&mut self, class: &Class, names: &Names) {
        self.entry(names.number(&class.entry)).add_class(class);
        self.times.entry(bucket(class.began.0, self.interval_ns)).or_default().add_class(class);
    }

    /// Counts transactions of one entry service that began in the bucket of `time`.
    pub fn add_group(&mut self, time: i64, entry: &str, group: &Group, names: &Names) {
        self.entry(names.number(entry)).merge(group);
        self.times.entry(bucket(time, self.interval_ns)).or_default().merge(group);
    }

    /// Counts rows of a document. `entries` are indexes into `numbers`.
    pub fn add_rows(&mut self, rows: &Counted<'_>, numbers: &[usize]) {
        let mut entries: Vec<Group> = vec![Group::default(); numbers.len()];
        let mut kept = (0..rows.times.len()).peekable();
        while let Some(row) = kept.next() {
            // Neighbours mostly are of one bucket of time: its end is found when it comes.
            let begin = bucket(rows.times[row], self.interval_ns);
            let last = begin.saturating_add(self.interval_ns - 1);
            let group = self.times.entry(begin).or_default();
            let mut count = |row: usize| {
                let (duration, has_errors) = (rows.durations[row], rows.errors[row] > 0);
                let step = durations::step(duration);
                group.add_step(step, duration, has_errors);
                entries[rows.entries[row] as usize].add_step(step, duration, has_errors);
            };
            count(row);
            while let Some(row) = kept.next_if(|row| (begin..=last).contains(&rows.times[*row])) {
                count(row);
            }
        }
        for (number, group) in numbers.iter().zip(&entries).filter(|(_, group)| group.transactions > 0) {
            self.entry(*number).merge(group);
        }
    }

    /// Counts all that `other` has counted.
    pub fn merge(&mut self, other: &Self) {
        for (number, group) in other.entries.iter().enumerate() {
            if let Some(group) = group {
                self.entry(number).merge(group);
            }
        }
        for (begin, group) in &other.times {
            self.times.entry(*begin).or_default().merge(group);
        }
    }

    /// Ready to be told.
    pub fn told(self, names: &Names) -> Told {
        let mut all = Group::default();
        let groups = names.all().into_iter().zip(self.entries).filter_map(|(name, group)| Some((name, *group?)));
        let mut by_entry: Vec<(Arc<str>, Group)> = groups.collect();
        by_entry.iter().for_each(|(_, group)| all.merge(group));
        by_entry.sort_by(|(left_name, left), (right_name, right)| {
            right.transactions.cmp(&left.transactions).then_with(|| left_name.cmp(right_name))
        });
        Told { all, by_entry, by_time: self.times }
    }
}

/// Columns of a document's rows that are counted.
pub struct Counted<'a> {
    pub entries: &'a [u64],
    pub times: &'a [i64],
    pub durations: &'a [u64],
    pub errors: &'a [u64],
}
