//! The records of a transaction in order.
//!
//! Within a source the order is the position, whatever the times say. Across sources it is the time; a record that claims
//! to be older than the one before it in its file is taken to be as old as that one. Ties keep hosts and files together.

use std::cmp::Ordering;
use std::collections::HashMap;

use uuid::Uuid;

use crate::record::Record;

/// Where a record stands in the order. Stable: the same record has the same key in every answer that holds the records
/// before it in its source.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Its time, or that of an earlier record of its source if that is later.
    pub time: i64,
    /// Its source.
    pub source: Uuid,
    /// Its position there.
    pub position: u64,
}

/// Sorts the records; returns their keys, in the same order.
pub fn sort(records: &mut Vec<Record>) -> Vec<Key> {
    records.sort_unstable_by(within_source);
    records.dedup_by(|left, right| within_source(left, right) == Ordering::Equal);
    let mut latest: HashMap<Uuid, i64> = HashMap::new();
    let mut keyed: Vec<(Key, Record)> = Vec::with_capacity(records.len());
    for record in records.drain(..) {
        let time = latest.entry(record.source.id).or_insert(record.time);
        *time = record.time.max(*time);
        keyed.push((Key { time: *time, source: record.source.id, position: record.position }, record));
    }
    keyed.sort_by(|(left, left_record), (right, right_record)| {
        left.time
            .cmp(&right.time)
            .then_with(|| left_record.source.host.cmp(&right_record.source.host))
            .then_with(|| left.source.cmp(&right.source))
            .then_with(|| left.position.cmp(&right.position))
    });
    let (keys, sorted): (Vec<_>, Vec<_>) = keyed.into_iter().unzip();
    *records = sorted;
    keys
}

fn within_source(left: &Record, right: &Record) -> Ordering {
    left.source.id.cmp(&right.source.id).then_with(|| left.position.cmp(&right.position))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::source::Source;

    fn record(source: u128, position: u64, time: i64) -> Record {
        let source = Source {
            id: Uuid::from_u128(source),
            agent: Uuid::nil(),
            host: format!("h{source}"),
            service: "s".into(),
            path: Vec::new(),
            labels: Vec::new(),
        };
        Record {
            time,
            severity: 0,
            flags: 0,
            marks: 0,
            source: Arc::new(source),
            position,
            received_ns: 0,
            length: 1,
            ids: Vec::new(),
            line: Vec::new(),
        }
    }

    #[test]
    fn position_rules_within_a_source_and_time_across() {
        let mut records = vec![record(1, 20, 5), record(1, 10, 9), record(2, 0, 7), record(2, 5, 10), record(1, 10, 9)];
        sort(&mut records);
        let order: Vec<_> = records.iter().map(|record| (record.source.host.as_str(), record.position)).collect();
        assert_eq!(order, [("h2", 0), ("h1", 10), ("h1", 20), ("h2", 5)]);
    }

    proptest! {
        #[test]
        fn always_by_position_within_a_source(rows in proptest::collection::vec((0u128..4, 0u64..50, 0i64..50), 0..60)) {
            let mut records: Vec<_> = rows.iter().map(|(source, position, time)| record(*source, *position, *time)).collect();
            let keys = sort(&mut records);
            prop_assert_eq!(keys.len(), records.len());
            for source in 0..4u128 {
                let positions: Vec<_> = records.iter().filter(|record| record.source.id.as_u128() == source).map(|record| record.position).collect();
                prop_assert!(positions.windows(2).all(|pair| pair[0] < pair[1]));
            }
            prop_assert!(keys.windows(2).all(|pair| pair[0].time <= pair[1].time));
        }
    }
}
