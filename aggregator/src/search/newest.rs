//! Collects the newest (or the oldest) records, behind a cursor.

use std::collections::BTreeMap;

use super::candidates::Candidate;
use super::pace::Pace;
use super::scan::{Collector, Found, Order};
use crate::index::find::FindError;
use crate::record::Record;
use crate::trace::order::Key;

/// Bytes of lines that an answer holds at most, unless it is a single record.
pub const LINE_BYTES_MAX: usize = 32 << 20;

/// See the module.
pub struct Newest {
    order: Order,
    limit: usize,
    /// Only what comes behind it in the order.
    after: Option<Key>,
    found: BTreeMap<Key, Record>,
    line_bytes: usize,
    /// Something that was found had to be left out: there is more.
    left_out: bool,
}

/// The records in order.
pub struct Page {
    pub records: Vec<Record>,
    /// Behind it the next page begins; none when this is the last one.
    pub next: Option<Key>,
}

impl Newest {
    /// At most `limit` records, behind `after`.
    pub fn new(order: Order, limit: usize, after: Option<Key>) -> Self {
        Self { order, limit, after, found: BTreeMap::new(), line_bytes: 0, left_out: false }
    }

    /// Whether `left` comes before `right`.
    fn is_before(&self, left: &Key, right: &Key) -> bool {
        match self.order {
            Order::Newest => left > right,
            Order::Oldest => left < right,
        }
    }

    /// The last one that would be shown, when no more can be taken.
    fn worst(&self) -> Option<&Key> {
        let worst = match self.order {
            Order::Newest => self.found.first_key_value(),
            Order::Oldest => self.found.last_key_value(),
        };
        worst.map(|(key, _)| key).filter(|_| self.left_out)
    }

    fn is_wanted(&self, key: &Key) -> bool {
        self.after.as_ref().is_none_or(|after| self.is_before(after, key))
            && self.worst().is_none_or(|worst| self.is_before(key, worst))
    }

    fn leave_out_worst(&mut self) {
        let out = match self.order {
            Order::Newest => self.found.pop_first(),
            Order::Oldest => self.found.pop_last(),
        };
        if let Some((_, record)) = out {
            self.line_bytes -= record.line.len();
            self.left_out = true;
        }
    }

    /// What was found. `unseen` is the first block that was not looked at: what may be mixed with its records is left to the next
    /// page, so that none is passed over.
    pub fn finish(mut self, unseen: Option<&Candidate>) -> Page {
        let mut next = None;
        if let Some(unseen) = unseen
            && !self.has_enough(unseen)
        {
            match self.order {
                Order::Newest => self.found.retain(|key, _| key.time > unseen.time_max),
                Order::Oldest => self.found.retain(|key, _| key.time < unseen.time_min),
            }
            // Everything up to there is known; go on with the block's own records.
            let edge = match self.order {
                Order::Newest => Key { time: unseen.time_max, source: uuid::Uuid::max(), position: u64::MAX },
                Order::Oldest => Key { time: unseen.time_min, source: uuid::Uuid::nil(), position: 0 },
            };
            let is_further = self.after.as_ref().is_none_or(|after| self.is_before(after, &edge));
            next = Some(if is_further { edge } else { self.after.clone().expect("compared with it") });
        } else if self.left_out {
            next = self.worst().cloned();
        }
        let records = match self.order {
            Order::Newest => self.found.into_values().rev().collect(),
            Order::Oldest => self.found.into_values().collect(),
        };
        Page { records, next }
    }
}

impl Collector for Newest {
    type Part = Vec<(Key, Record)>;

    /// Who wants few records waits for few blocks, and no slice holds the records of many.
    const PACE: Pace = Pace::new(4, 64);

    fn part(&self, block: Found<'_>) -> Result<Self::Part, FindError> {
        let mut wanted: Vec<usize> = block.found.iter().collect();
        // Of a block with many records only those are made that may be shown.
        if wanted.len() > self.limit {
            let times = block.view.times()?;
            if let Some(after) = self.after.as_ref().map(|after| after.time) {
                match self.order {
                    Order::Newest => wanted.retain(|record| times[*record] <= after),
                    Order::Oldest => wanted.retain(|record| times[*record] >= after),
                }
            }
            // Those of the cursor's own time may have been shown: they take no other record's place.
            let of_cursor = |record: &&usize| self.after.as_ref().is_some_and(|after| after.time == times[**record]);
            let enough = self.limit + wanted.iter().filter(of_cursor).count();
            match self.order {
                Order::Newest => keep_first(&mut wanted, enough, |record| std::cmp::Reverse(times[record])),
                Order::Oldest => keep_first(&mut wanted, enough, |record| times[record]),
            }
            wanted.sort_unstable();
        }
        let wanted: Vec<u32> = wanted.into_iter().map(|record| record as u32).collect();
        let records = block.into_columns()?.materialise(&wanted);
        let keyed = records
            .into_iter()
            .map(|record| (Key { time: record.time, source: record.source.id, position: record.position }, record));
        Ok(keyed.filter(|(key, _)| self.is_wanted(key)).collect())
    }

    fn take(&mut self, part: Self::Part) {
        for (key, record) in part {
            if !self.is_wanted(&key) {
                self.left_out |= self.after.as_ref().is_none_or(|after| self.is_before(after, &key));
                continue;
            }
            self.line_bytes += record.line.len();
            self.found.insert(key, record);
            while self.found.len() > self.limit || self.line_bytes > LINE_BYTES_MAX && self.found.len() > 1 {
                self.leave_out_worst();
            }
        }
    }

    fn has_enough(&self, next: &Candidate) -> bool {
        self.worst().is_some_and(|worst| match self.order {
            Order::Newest => next.time_max < worst.time,
            Order::Oldest => next.time_min > worst.time,
        })
    }
}

/// Keeps the first `limit` of `records` in the order of `key`, and those that are equal to the last one of them; one more, so that it
/// is known that there is more.
fn keep_first<K: Ord>(records: &mut Vec<usize>, limit: usize, key: impl Fn(usize) -> K) {
    if records.len() <= limit + 1 {
        return;
    }
    let (_, last, _) = records.select_nth_unstable_by_key(limit, |record| key(*record));
    let last = key(*last);
    records.retain(|record| key(*record) <= last);
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;
    use crate::batch::Batch;
    use crate::head::appender::{Appender, Limits};
    use crate::head::view::Head;
    use crate::query::predicate::Predicate;
    use crate::search::cache::BlockCache;
    use crate::search::scan::{Scan, Shared, Step, Wanted};
    use crate::source::Source;

    /// A head with one block, in which records of a byte have these times.
    fn head(times: &[i64]) -> Arc<Head> {
        let head = Arc::new(Head::new(Vec::new()));
        let limits = Limits { block_bytes: 1 << 20, head_bytes: 1 << 30, head_age: Duration::MAX };
        let mut appender = Appender::new(Arc::clone(&head), limits, mpsc::channel().0);
        let source = Source {
            id: Uuid::from_u128(7),
            agent: Uuid::nil(),
            host: "h".into(),
            service: "s".into(),
            path: Vec::new(),
            labels: Vec::new(),
        };
        let count = times.len();
        let batch = Batch {
            end: count as u64,
            lengths: vec![1; count],
            times: times.to_vec(),
            severities: vec![3; count],
            flags: vec![0; count],
            id_counts: vec![0; count],
            raw: vec![b'\n'; count],
            ..Batch::default()
        };
        appender.append(&Arc::new(source), &batch, 1, 1);
        head
    }

    /// The positions on each page.
    fn pages(head: &Head, order: Order, limit: usize) -> Vec<Vec<u64>> {
        let (mut pages, mut after) = (Vec::new(), None);
        loop {
            let wanted = Wanted { predicate: Arc::new(Predicate::All), times: (i64::MIN, i64::MAX), order };
            let mut scan = Scan::begin(head, wanted).unwrap();
            let mut newest = Newest::new(order, limit, after);
            let shared = Shared { head, cache: &BlockCache::new(0), deadline: None };
            while scan.slice(&shared, &mut newest).unwrap() == Step::More {}
            let page = newest.finish(None);
            pages.push(page.records.iter().map(|record| record.position).collect());
            after = page.next;
            if after.is_none() {
                return pages;
            }
        }
    }

    #[test]
    fn records_of_the_cursors_time_hide_no_others() {
        let head = head(&[9, 5, 5, 5, 5, 5, 1, 2]);
        assert_eq!(pages(&head, Order::Newest, 3), [vec![0, 5, 4], vec![3, 2, 1], vec![7, 6]]);
        assert_eq!(pages(&head, Order::Oldest, 3), [vec![6, 7, 1], vec![2, 3, 4], vec![5, 0]]);
        assert_eq!(pages(&head, Order::Newest, 1).concat(), [0, 5, 4, 3, 2, 1, 7, 6]);
    }
}
