//! The records of a transaction in order, and where that order is not certain.
//!
//! Within a source the order is the position, whatever the times say. Across sources it is the time by our clock: every record has
//! an interval that holds its moment (`catalog::host_clock`), and a record whose interval ends before another's begins stands before it. Where
//! intervals overlap the likeliest moments decide, a span's parent stands before the span, and both records are marked as
//! *uncertain*. Two files of one host were stamped by one clock: there the stamps decide, as long as it was not set in between.
//!
//! A stamp is as fine as the stamps of its file: nginx writes whole seconds, and then its moment is anywhere in the second. A record
//! that claims to be older than the one before it in its file is taken to be as old as that one.
//!
//! | file | what it is |
//! | --- | --- |
//! | `place` | when each record was written, and what is certain of two |
//! | `merge` | the sources' records as one list |
//! | `mark` | which records may stand elsewhere |

mod mark;
mod merge;
mod place;
#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use self::mark::mark;
use self::merge::merge;
use self::place::{Candidate, candidate, place, place_coarse};
use super::span::Spans;
use crate::catalog::host_clock::HostClock;
use crate::record::Record;

/// Where a record stands in the order. Stable: the same record has the same key in every answer that holds the records
/// before it in its source, as long as its clock is known as it was.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Its likeliest moment by our clock, or that of an earlier record of its source if that is later.
    pub time: i64,
    /// Its source.
    pub source: Uuid,
    /// Its position there.
    pub position: u64,
}

/// When a record was written, by our clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Most likely.
    pub at: i64,
    /// No earlier; `i64::MIN`: nothing is known.
    pub earliest: i64,
    /// No later.
    pub latest: i64,
    /// Nobody measured its host's clock near that time.
    pub is_unmeasured: bool,
    /// Some other record of the answer may belong on the other side of it.
    pub is_uncertain: bool,
}

impl Place {
    /// Give or take, nanoseconds; none: nothing is known.
    pub fn uncertainty_ns(&self) -> Option<u64> {
        (self.earliest > i64::MIN).then(|| self.latest.abs_diff(self.at).max(self.at.abs_diff(self.earliest)))
    }
}

/// A transaction's records in order; the three lists go together.
#[derive(Debug, Default)]
pub struct Ordered {
    /// The records.
    pub records: Vec<Record>,
    /// When they were written.
    pub places: Vec<Place>,
    /// The spans that they stand in.
    pub spans: Vec<Spans>,
}

/// Puts records in order. `clocks` are those of the agents that shipped them; `spans_of` reads a line's spans.
pub fn order(
    mut records: Vec<Record>,
    clocks: &HashMap<Uuid, Arc<HostClock>>,
    spans_of: impl Fn(&Record) -> Spans,
) -> Ordered {
    records.sort_unstable_by(within_source);
    records.dedup_by(|left, right| within_source(left, right) == Ordering::Equal);
    let mut candidates: Vec<Candidate> = Vec::with_capacity(records.len());
    let mut sources = 0;
    let unmeasured = HostClock::default();
    let mut rest = records.into_iter().peekable();
    while let Some(first) = rest.next() {
        let source = first.source.id;
        let clock = clocks.get(&first.source.agent).map_or(&unmeasured, Arc::as_ref);
        let begin = candidates.len();
        candidates.push(candidate(first, sources, &spans_of));
        while let Some(record) = rest.next_if(|record| record.source.id == source) {
            candidates.push(candidate(record, sources, &spans_of));
        }
        place(&mut candidates[begin..], clock);
        sources += 1;
    }
    place_coarse(&mut candidates);
    let mut merged = merge(candidates, sources);
    mark(&mut merged, sources);
    let mut ordered = Ordered::default();
    for candidate in merged {
        ordered.records.push(candidate.record);
        ordered.places.push(candidate.place);
        ordered.spans.push(candidate.spans);
    }
    ordered
}

impl Ordered {
    /// The key of the record at `index`.
    pub fn key(&self, index: usize) -> Key {
        let record = &self.records[index];
        Key { time: self.places[index].at, source: record.source.id, position: record.position }
    }
}

fn within_source(left: &Record, right: &Record) -> Ordering {
    left.source.id.cmp(&right.source.id).then_with(|| left.position.cmp(&right.position))
}
