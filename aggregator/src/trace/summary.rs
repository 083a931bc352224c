//! What a transaction's records come to.

use clew_proto::v1::Severity;
use hashbrown::HashMap;

use crate::block::spelling::SpelledId;
use crate::record::Record;

/// One transaction in short.
#[derive(Clone, Debug, PartialEq)]
pub struct Summary {
    /// Earliest time, nanoseconds since the epoch.
    pub time_min: i64,
    /// Latest time.
    pub time_max: i64,
    /// Records.
    pub records: usize,
    /// Those of severity error and above.
    pub errors: usize,
    /// Services in the order in which they appear.
    pub services: Vec<String>,
    /// Hosts in the order in which they appear.
    pub hosts: Vec<String>,
    /// The IDs of the records: spelling, kind, how many records carry it; the most frequent first.
    pub ids: Vec<(Vec<u8>, u8, usize)>,
}

/// Sums up records in order; none when there are none.
pub fn of(records: &[Record]) -> Option<Summary> {
    let mut summary = Summary {
        time_min: records.iter().map(|record| record.time).min()?,
        time_max: records.iter().map(|record| record.time).max()?,
        records: records.len(),
        errors: records.iter().filter(|record| record.severity >= Severity::Error as u8).count(),
        services: Vec::new(),
        hosts: Vec::new(),
        ids: Vec::new(),
    };
    let mut ids: HashMap<&SpelledId, usize> = HashMap::new();
    for record in records {
        if !summary.services.contains(&record.source.service) {
            summary.services.push(record.source.service.clone());
        }
        if !summary.hosts.contains(&record.source.host) {
            summary.hosts.push(record.source.host.clone());
        }
        for id in &record.ids {
            *ids.entry(id).or_default() += 1;
        }
    }
    summary.ids = ids.into_iter().map(|(id, records)| (id.spelling(), id.kind, records)).collect();
    summary.ids.sort_unstable_by(|left, right| right.2.cmp(&left.2).then_with(|| left.cmp(right)));
    Some(summary)
}
