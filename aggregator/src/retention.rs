//! Removes whole partitions: those past the age, then the oldest ones while the store is over its bytes. The newest
//! partition always stays.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::catalog::store as catalog;
use crate::clock;
use crate::metrics::Metrics;
use crate::store::Store;

/// How long and how much.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// A partition whose day ended so long ago is removed.
    pub age: Duration,
    /// Bytes of all partitions.
    pub bytes: u64,
}

/// One partition, as the rule sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Days since the epoch.
    pub day: i64,
    /// Bytes on disk.
    pub bytes: u64,
}

const DAY_NS: i64 = 86_400_000_000_000;

/// The days to remove. `partitions` are the oldest first.
pub fn expired(partitions: &[Candidate], limits: Limits, now_ns: i64) -> Vec<i64> {
    let age_ns = i64::try_from(limits.age.as_nanos()).unwrap_or(i64::MAX);
    let mut bytes: u64 = partitions.iter().map(|partition| partition.bytes).sum();
    let old = &partitions[..partitions.len().saturating_sub(1)];
    let mut expired = Vec::new();
    for partition in old {
        let ended_ns = (partition.day + 1).saturating_mul(DAY_NS);
        if now_ns.saturating_sub(ended_ns) < age_ns && bytes <= limits.bytes {
            break;
        }
        bytes -= partition.bytes;
        expired.push(partition.day);
    }
    expired
}

/// Removes what has expired below `root`.
pub fn apply(store: &Store, catalog: &catalog::Store, root: &Path, limits: Limits, metrics: &Arc<Metrics>) {
    let partitions: Vec<_> = store
        .partitions()
        .iter()
        .map(|partition| Candidate { day: partition.day_number, bytes: partition.bytes })
        .collect();
    for day in expired(&partitions, limits, clock::now_ns()) {
        let partitions = store.head.partitions();
        let Some(committed) = partitions.iter().find(|committed| committed.partition.day == day) else { continue };
        // Answers say what is missing before it is.
        {
            let mut state = store.registry.write();
            state.removed_before_ns = state.removed_before_ns.max((day + 1).saturating_mul(DAY_NS));
        }
        if let Err(error) = catalog.save_agents(&store.registry) {
            tracing::warn!("nothing is removed: {error}");
            return;
        }
        store.head.remove(day);
        // Searches that have begun hold the files open; the names go at once.
        match committed.partition.remove(root) {
            Ok(()) => {
                metrics.partitions_removed.inc();
                tracing::info!("partition {} removed by retention", committed.partition.path.display());
            }
            Err(error) => tracing::warn!("remove partition {}: {error}", committed.partition.path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_age_then_by_bytes_and_never_the_newest() {
        let partitions: Vec<_> = (10..14).map(|day| Candidate { day, bytes: 100 }).collect();
        let days = |days: u64, bytes| Limits { age: Duration::from_secs(86_400 * days), bytes };
        let now = 14 * DAY_NS;
        assert_eq!(expired(&partitions, days(30, 1000), now), Vec::<i64>::new());
        assert_eq!(expired(&partitions, days(2, 1000), now), [10, 11]);
        assert_eq!(expired(&partitions, days(30, 250), now), [10, 11]);
        assert_eq!(expired(&partitions, days(30, 0), now), [10, 11, 12]);
        assert_eq!(expired(&[], days(1, 0), now), Vec::<i64>::new());
    }
}
