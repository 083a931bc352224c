//! The records of a transaction in order, and where that order is not certain.
//!
//! Within a source the order is the position, whatever the times say. Across sources it is the time by our clock: every record has
//! an interval that holds its moment (`catalog::host_clock`), and a record whose interval ends before another's begins stands before it. Where
//! intervals overlap the likeliest moments decide, a span's parent stands before the span, and both records are marked as
//! *uncertain*. Two files of one host were stamped by one clock: there the stamps decide, as long as it was not set in between.
//!
//! A stamp is as fine as the stamps of its file: nginx writes whole seconds, and then its moment is anywhere in the second. A record
//! that claims to be older than the one before it in its file is taken to be as old as that one.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;

use clew_proto::v1::RecordFlag;
use uuid::Uuid;

use super::span::Spans;
use crate::catalog::host_clock::{HostClock, Interval};
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

/// Pairs of records and sources that are compared one by one; beyond that a record is uncertain as soon as its interval meets any
/// other's.
const COMPARED_MAX: usize = 50_000_000;
/// So many records wait for their spans' parents at a time.
const WAITING_MAX: usize = 64;
/// Steps of stamps: whole seconds, milliseconds, microseconds.
const STEPS_NS: [i64; 3] = [1_000_000_000, 1_000_000, 1_000];

/// A record with what decides its place.
struct Candidate {
    record: Record,
    spans: Spans,
    /// Index of its source.
    source: usize,
    place: Place,
    /// The clock and its spell: records of one are ordered by their stamps.
    spell: Option<(Uuid, usize)>,
    /// Its stamp, or that of an earlier record of its source if that is later; by its host's clock.
    stamp: i64,
    /// How fine the stamp is.
    step: i64,
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

fn candidate(record: Record, source: usize, spans_of: &impl Fn(&Record) -> Spans) -> Candidate {
    let (spans, stamp) = (spans_of(&record), record.time);
    let place = Place { at: 0, earliest: 0, latest: 0, is_unmeasured: false, is_uncertain: false };
    Candidate { record, spans, source, place, spell: None, stamp, step: 1 }
}

fn has(record: &Record, flag: RecordFlag) -> bool {
    record.flags & flag as u8 != 0
}

/// Gives the records of one source, in the order of their positions, their places.
fn place(candidates: &mut [Candidate], clock: &HostClock) {
    let has_stamp = |candidate: &Candidate| {
        !has(&candidate.record, RecordFlag::TimeInherited) && !has(&candidate.record, RecordFlag::TimeOfReading)
    };
    let stamps = || candidates.iter().filter(|candidate| has_stamp(candidate)).map(|candidate| candidate.record.time);
    let step = STEPS_NS.into_iter().find(|step| stamps().all(|time| time % step == 0)).unwrap_or(1);
    for candidate in &mut *candidates {
        let Record { time, received_ns, .. } = candidate.record;
        let step = if has_stamp(candidate) { step } else { 1 };
        let interval = clock.interval(time..=time.saturating_add(step - 1), received_ns);
        candidate.step = step;
        candidate.place.is_unmeasured = interval.is_none();
        let mut interval = interval.unwrap_or(Interval {
            earliest: i64::MIN,
            latest: received_ns,
            at: time.min(received_ns),
            spell: None,
        });
        if has(&candidate.record, RecordFlag::TimeOfReading) {
            // It was written some time before it was read.
            interval = Interval { earliest: i64::MIN, spell: None, ..interval };
        }
        if has(&candidate.record, RecordFlag::TimeInherited) {
            // Some time after the line whose time it has.
            interval = Interval { latest: interval.latest.max(received_ns), spell: None, ..interval };
        }
        let Interval { earliest, latest, at, spell } = interval;
        candidate.place = Place { at, earliest, latest, ..candidate.place };
        candidate.spell = spell.map(|spell| (candidate.record.source.agent, spell));
    }
    // A later line of the file was written later, whatever its stamp says. Of one without a stamp nothing follows for later ones.
    let mut latest = i64::MIN;
    for index in 0..candidates.len() {
        let (before, rest) = candidates.split_at_mut(index);
        let this = &mut rest[0];
        if let Some(before) = before.last() {
            this.stamp = this.stamp.max(before.stamp);
            this.place.at = this.place.at.max(before.place.at);
            this.place.earliest = this.place.earliest.max(before.place.earliest);
        }
        if !has(&this.record, RecordFlag::TimeInherited) {
            latest = this.place.latest.max(latest).max(this.place.at);
            this.place.latest = latest;
        }
    }
    let mut after = i64::MAX;
    for this in candidates.iter_mut().rev() {
        if has(&this.record, RecordFlag::TimeInherited) {
            this.place.latest = this.place.latest.min(after).max(this.place.at);
        }
        after = this.place.latest;
    }
    for index in 1..candidates.len() {
        candidates[index].place.latest = candidates[index].place.latest.max(candidates[index - 1].place.latest);
    }
}

/// Of the lines that a file has in one second, where it writes whole seconds, the last one most likely stands behind everything else of
/// that second: a proxy writes its line when it has answered. The others stay at the second's beginning.
fn place_coarse(candidates: &mut [Candidate]) {
    let is_coarse = |candidate: &Candidate| candidate.step >= STEPS_NS[0];
    let mut fine: Vec<usize> = (0..candidates.len()).filter(|index| !is_coarse(&candidates[*index])).collect();
    fine.sort_unstable_by_key(|index| candidates[*index].place.at);
    for index in 0..candidates.len() {
        let this = &candidates[index];
        let goes_on =
            candidates.get(index + 1).is_some_and(|next| next.source == this.source && next.stamp == this.stamp);
        if !is_coarse(this) || goes_on {
            continue;
        }
        // Never behind what was written after it for certain.
        let end = this.place.latest.min(this.place.at.saturating_add(this.step - 1));
        let begin = fine.partition_point(|other| candidates[*other].place.at < this.place.at);
        let within = fine[begin..].iter().map(|other| &candidates[*other]);
        let within = within.take_while(|other| other.place.at < end && !this.is_before(other));
        if let Some(last) = within.map(|other| other.place.at).last() {
            candidates[index].place.at = last + 1;
        }
    }
}

impl Candidate {
    /// Whether it was certainly written before `other`.
    fn is_before(&self, other: &Self) -> bool {
        if self.source == other.source {
            return self.record.position < other.record.position;
        }
        if self.spell.is_some() && self.spell == other.spell {
            return self.stamp.saturating_add(self.step - 1) < other.stamp;
        }
        self.place.latest < other.place.earliest
    }

    fn is_certain_against(&self, other: &Self) -> bool {
        self.is_before(other) || other.is_before(self)
    }
}

/// The next record of each source; the one that is due first comes first.
type Heads = BinaryHeap<Reverse<(i64, String, i64, usize)>>;

/// Merges the sources: always the record that is due first, unless it is the first of a span whose parent's first record is
/// still to come and may have been written before it.
fn merge(candidates: Vec<Candidate>, sources: usize) -> Vec<Candidate> {
    let parents = parents(&candidates);
    let mut heads = Heads::with_capacity(sources);
    let head = |index: usize, candidates: &[Candidate]| {
        let candidate = &candidates[index];
        Reverse((candidate.place.at, candidate.record.source.host.clone(), candidate.stamp, index))
    };
    for index in 0..candidates.len() {
        if index == 0 || candidates[index - 1].source != candidates[index].source {
            heads.push(head(index, &candidates));
        }
    }
    let stamped = next_stamped(&candidates);
    let mut order = Vec::with_capacity(candidates.len());
    let mut is_out = vec![false; candidates.len()];
    // Heads that wait, and the record that each waits for.
    let mut waiting: Vec<(usize, usize)> = Vec::new();
    loop {
        let next = heads.pop().map(|Reverse((.., index))| index);
        // Who waits goes on when it can wait no longer: what comes next was written after it for certain.
        let overdue = waiting.iter().position(|(index, _)| {
            let is_before = |index: usize, next: usize| candidates[index].is_before(&candidates[next]);
            // Or after one that follows it in its file.
            let follows = || stamped[*index].is_some_and(|follows| next.is_some_and(|next| is_before(follows, next)));
            next.is_none_or(|next| is_before(*index, next)) || follows()
        });
        let overdue = overdue.or((waiting.len() > WAITING_MAX).then_some(0));
        let (index, may_wait) = match (overdue, next) {
            (Some(overdue), next) => {
                heads.extend(next.map(|next| head(next, &candidates)));
                (waiting.remove(overdue).0, false)
            }
            (None, Some(next)) => (next, true),
            (None, None) => break,
        };
        if may_wait
            && let Some(parent) = parents.get(&index).copied()
            && !is_out[parent]
            && !candidates[index].is_before(&candidates[parent])
        {
            waiting.push((index, parent));
            continue;
        }
        order.push(index);
        is_out[index] = true;
        if candidates.get(index + 1).is_some_and(|after| after.source == candidates[index].source) {
            heads.push(head(index + 1, &candidates));
        }
        let mut kept = Vec::new();
        for (waits, parent) in waiting.drain(..) {
            if parent == index {
                heads.push(head(waits, &candidates));
            } else {
                kept.push((waits, parent));
            }
        }
        waiting = kept;
    }
    let mut slots: Vec<Option<Candidate>> = candidates.into_iter().map(Some).collect();
    order.into_iter().map(|index| slots[index].take().expect("each record is merged once")).collect()
}

/// For each record: itself or the next one of its source that is ordered by its stamp.
fn next_stamped(candidates: &[Candidate]) -> Vec<Option<usize>> {
    let mut next = vec![None; candidates.len()];
    for index in (0..candidates.len()).rev() {
        next[index] = if candidates[index].spell.is_some() {
            Some(index)
        } else {
            let after = candidates.get(index + 1).filter(|after| after.source == candidates[index].source);
            after.and_then(|_| next[index + 1])
        };
    }
    next
}

/// By the first record of a span: the first record of its parent, where that is of another source.
fn parents(candidates: &[Candidate]) -> HashMap<usize, usize> {
    let mut firsts: HashMap<u64, usize> = HashMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let Some(span) = candidate.spans.span else { continue };
        let first = firsts.entry(span).or_insert(index);
        if candidate.place.at < candidates[*first].place.at {
            *first = index;
        }
    }
    let mut parents = HashMap::new();
    for index in firsts.values() {
        let parent = candidates[*index].spans.parent.and_then(|parent| firsts.get(&parent));
        if let Some(parent) = parent
            && candidates[*parent].source != candidates[*index].source
        {
            parents.insert(*index, *parent);
        }
    }
    parents
}

/// Marks every record that some record of another source may stand on the other side of. In the order of a source earliest and latest
/// moments only rise: so the nearest record of a source on either side speaks for all of it, one for each spell of its clock.
fn mark(ordered: &mut [Candidate], sources: usize) {
    if ordered.len().saturating_mul(sources) > COMPARED_MAX {
        return mark_roughly(ordered);
    }
    let mut nearest: Vec<Vec<usize>> = vec![Vec::new(); sources];
    let mut uncertain = vec![false; ordered.len()];
    let mut sweep = |indices: &mut dyn Iterator<Item = usize>| {
        nearest.iter_mut().for_each(Vec::clear);
        for index in indices {
            let this = &ordered[index];
            let others = nearest.iter().enumerate().filter(|(source, _)| *source != this.source).flat_map(|(_, of)| of);
            uncertain[index] |= others.into_iter().any(|other| !this.is_certain_against(&ordered[*other]));
            let own = &mut nearest[this.source];
            own.retain(|other| ordered[*other].spell != this.spell);
            own.push(index);
        }
    };
    sweep(&mut (0..ordered.len()));
    sweep(&mut (0..ordered.len()).rev());
    for (candidate, is_uncertain) in ordered.iter_mut().zip(uncertain) {
        candidate.place.is_uncertain = is_uncertain;
    }
}

/// The same without a look at who stamped what: too many are marked, never too few.
fn mark_roughly(ordered: &mut [Candidate]) {
    let mut latest: [(i64, usize); 2] = [(i64::MIN, usize::MAX); 2];
    for candidate in ordered.iter_mut() {
        let other = latest.iter().find(|(_, source)| *source != candidate.source);
        candidate.place.is_uncertain |= other.is_some_and(|(latest, _)| *latest >= candidate.place.earliest);
        note(&mut latest, candidate.place.latest, candidate.source, |new, old| new > old);
    }
    let mut earliest: [(i64, usize); 2] = [(i64::MAX, usize::MAX); 2];
    for candidate in ordered.iter_mut().rev() {
        let other = earliest.iter().find(|(_, source)| *source != candidate.source);
        candidate.place.is_uncertain |= other.is_some_and(|(earliest, _)| *earliest <= candidate.place.latest);
        note(&mut earliest, candidate.place.earliest, candidate.source, |new, old| new < old);
    }
}

/// Keeps the best of two different sources.
fn note(best: &mut [(i64, usize); 2], value: i64, source: usize, is_better: impl Fn(i64, i64) -> bool) {
    if best[0].1 == source {
        if is_better(value, best[0].0) {
            best[0].0 = value;
        }
    } else if is_better(value, best[0].0) {
        best[1] = best[0];
        best[0] = (value, source);
    } else if is_better(value, best[1].0) {
        best[1] = (value, source);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::catalog::host_clock::Spell;
    use crate::source::Source;

    const MS: i64 = 1_000_000;

    /// `source` is the agent's number times ten plus the file's.
    fn record(source: u128, position: u64, time: i64) -> Record {
        let source = Source {
            id: Uuid::from_u128(source),
            agent: Uuid::from_u128(source / 10),
            host: format!("h{}", source / 10),
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
            received_ns: i64::MAX / 8,
            length: 1,
            ids: Vec::new(),
            line: Vec::new(),
        }
    }

    fn clocks(offsets: &[(u128, i64, i64)]) -> HashMap<Uuid, Arc<HostClock>> {
        let clock = |min: i64, max: i64| {
            let end_ns = i64::MAX / 4;
            Arc::new(HostClock::new(vec![Spell { begin_ns: -end_ns, end_ns, offset_min_ns: min, offset_max_ns: max }]))
        };
        offsets.iter().map(|(agent, min, max)| (Uuid::from_u128(*agent), clock(*min, *max))).collect()
    }

    fn no_spans(_: &Record) -> Spans {
        Spans::default()
    }

    fn shown(ordered: &Ordered) -> Vec<(u128, u64, bool)> {
        let one =
            |(record, place): (&Record, &Place)| (record.source.id.as_u128(), record.position, place.is_uncertain);
        ordered.records.iter().zip(&ordered.places).map(one).collect()
    }

    #[test]
    fn position_rules_within_a_source_and_time_across() {
        let records =
            vec![record(10, 20, 5), record(10, 10, 9), record(20, 0, 7), record(20, 5, 11), record(10, 10, 9)];
        let ordered = order(records, &clocks(&[(1, 0, 0), (2, 0, 0)]), no_spans);
        assert_eq!(shown(&ordered), [(20, 0, false), (10, 10, false), (10, 20, false), (20, 5, false)]);
    }

    #[test]
    fn a_clock_that_is_behind_is_allowed_for_and_its_uncertainty_is_told() {
        let records = || vec![record(10, 0, 100 * MS + 1), record(20, 0, 40 * MS + 1), record(20, 9, 60 * MS + 1)];
        let ordered = order(records(), &clocks(&[(1, 0, 0), (2, 50 * MS, 50 * MS)]), no_spans);
        assert_eq!(shown(&ordered), [(20, 0, false), (10, 0, false), (20, 9, false)]);
        assert_eq!(ordered.records[0].time, 40 * MS + 1, "its own time is as it was");
        let ordered = order(records(), &clocks(&[(1, 0, 0), (2, 45 * MS, 55 * MS)]), no_spans);
        assert_eq!(shown(&ordered), [(20, 0, false), (10, 0, false), (20, 9, false)]);
        let ordered = order(records(), &clocks(&[(1, -6 * MS, 6 * MS), (2, 45 * MS, 55 * MS)]), no_spans);
        assert_eq!(shown(&ordered), [(20, 0, true), (10, 0, true), (20, 9, true)]);
    }

    #[test]
    fn files_of_one_host_have_one_clock() {
        let records = vec![record(10, 0, 2001), record(11, 0, 1001), record(11, 5, 3001)];
        let ordered = order(records, &clocks(&[(1, -500 * MS, 500 * MS)]), no_spans);
        assert_eq!(shown(&ordered), [(11, 0, false), (10, 0, false), (11, 5, false)]);
    }

    #[test]
    fn stamps_of_whole_seconds_are_anywhere_in_theirs() {
        let second = 1000 * MS;
        let records =
            vec![record(10, 0, 5 * second), record(11, 0, 5 * second + 700 * MS + 3), record(11, 5, 6 * second + 3)];
        let ordered = order(records, &clocks(&[(1, 0, 0)]), no_spans);
        assert_eq!(shown(&ordered), [(11, 0, true), (10, 0, true), (11, 5, false)]);
    }

    #[test]
    fn the_last_line_of_a_whole_second_stands_behind_what_it_may_have_waited_for() {
        let second = 1000 * MS;
        let records = vec![
            record(10, 0, 5 * second),
            record(10, 5, 5 * second),
            record(11, 0, 5 * second + 100 * MS + 3),
            record(11, 5, 5 * second + 700 * MS + 3),
            record(11, 9, 6 * second + 3),
        ];
        let ordered = order(records, &clocks(&[(1, 0, 0)]), no_spans);
        assert_eq!(shown(&ordered), [(10, 0, true), (11, 0, true), (11, 5, true), (10, 5, true), (11, 9, false)]);
    }

    #[test]
    fn a_clock_that_nobody_measured_makes_everything_uncertain() {
        let records = vec![record(10, 0, 100), record(20, 0, 5000)];
        let ordered = order(records, &clocks(&[(1, 0, 0)]), no_spans);
        assert!(ordered.places.iter().all(|place| place.is_uncertain));
        assert_eq!(ordered.places.iter().filter(|place| place.is_unmeasured).count(), 1);
    }

    #[test]
    fn a_parent_stands_before_its_span_where_the_clocks_do_not_say() {
        let spans = |record: &Record| match record.source.id.as_u128() {
            10 => Spans { span: Some(1), parent: None },
            20 => Spans { span: Some(2), parent: Some(1) },
            _ => Spans { span: Some(3), parent: Some(2) },
        };
        let records = |parent: i64| vec![record(10, 0, parent), record(20, 0, 95 * MS + 1), record(30, 0, 90 * MS + 1)];
        let clocks = clocks(&[(1, -10 * MS, 10 * MS), (2, -10 * MS, 10 * MS), (3, -10 * MS, 10 * MS)]);
        let ordered = order(records(100 * MS + 1), &clocks, spans);
        assert_eq!(shown(&ordered), [(10, 0, true), (20, 0, true), (30, 0, true)]);
        let ordered = order(records(200 * MS + 1), &clocks, spans);
        assert_eq!(
            shown(&ordered),
            [(20, 0, true), (30, 0, true), (10, 0, false)],
            "what is certain is not turned round"
        );
    }

    #[test]
    fn spans_in_a_circle_are_no_trap() {
        let spans = |record: &Record| match record.source.id.as_u128() {
            10 => Spans { span: Some(1), parent: Some(2) },
            _ => Spans { span: Some(2), parent: Some(1) },
        };
        let ordered = order(vec![record(10, 0, 5), record(20, 0, 6)], &clocks(&[(1, -9, 9), (2, -9, 9)]), spans);
        assert_eq!(ordered.records.len(), 2);
    }

    #[test]
    fn a_line_without_a_time_lies_between_its_neighbours() {
        let mut stack = record(10, 5, 100 * MS + 1);
        stack.flags = RecordFlag::TimeInherited as u8;
        let records = vec![
            record(10, 0, 100 * MS + 1),
            stack,
            record(10, 9, 300 * MS + 1),
            record(20, 0, 200 * MS + 1),
            record(20, 9, 350 * MS + 1),
        ];
        let ordered = order(records, &clocks(&[(1, 0, 0), (2, 0, 0)]), no_spans);
        assert_eq!(shown(&ordered), [(10, 0, false), (10, 5, true), (20, 0, true), (10, 9, false), (20, 9, false)]);
    }

    proptest! {
        /// Against a naive look at all pairs: the order breaks no certainty, and exactly those are marked that some other one
        /// may stand on the other side of.
        #[test]
        fn no_certain_pair_is_turned_round_and_all_others_are_marked(
            rows in prop::collection::vec((0u128..3, 0u128..2, 0u64..40, 0i64..60, any::<bool>()), 0..40),
            offsets in prop::collection::vec((-20i64..20, 0i64..10), 3),
            spans in prop::collection::vec((0u64..6, 0u64..6), 6),
        ) {
            let records: Vec<_> = rows.iter().map(|(agent, file, position, time, inherited)| {
                let mut record = record(agent * 10 + file, *position, time * 1000 + 1);
                record.flags = if *inherited { RecordFlag::TimeInherited as u8 } else { 0 };
                record.received_ns = 100_000;
                record
            }).collect();
            let offsets: Vec<_> = offsets.iter().enumerate().map(|(agent, (offset, uncertainty))| {
                (agent as u128, (offset - uncertainty) * 1000, (offset + uncertainty) * 1000)
            }).collect();
            let of = |record: &Record| {
                let source = record.source.id.as_u128();
                let (own, parent) = spans[(source / 10 * 2 + source % 10) as usize];
                Spans { span: Some(own), parent: Some(parent) }
            };
            let clocks = clocks(&offsets);
            let mut candidates = Vec::new();
            let ordered = order(records.clone(), &clocks, of);
            let mut wanted = records;
            wanted.sort_unstable_by(within_source);
            wanted.dedup_by(|left, right| within_source(left, right) == Ordering::Equal);
            prop_assert_eq!(ordered.records.len(), wanted.len());
            // The same places once more, one source after the other.
            let mut by_source: Vec<(usize, usize)> = (0..ordered.records.len()).map(|index| (index, 0)).collect();
            by_source.sort_by_key(|(index, _)| (ordered.records[*index].source.id, ordered.records[*index].position));
            for chunk in by_source.chunk_by(|left, right| ordered.records[left.0].source.id == ordered.records[right.0].source.id) {
                prop_assert!(chunk.windows(2).all(|pair| pair[0].0 < pair[1].0), "position rules");
                let mut own: Vec<_> = chunk.iter().map(|(index, _)| {
                    candidate(ordered.records[*index].clone(), ordered.records[*index].source.id.as_u128() as usize, &of)
                }).collect();
                let clock = &clocks[&own[0].record.source.agent];
                place(&mut own, clock);
                candidates.extend(own.into_iter().zip(chunk.iter().map(|(index, _)| *index)));
            }
            candidates.sort_by_key(|(_, index)| *index);
            let candidates: Vec<_> = candidates.into_iter().map(|(candidate, _)| candidate).collect();
            for (index, this) in candidates.iter().enumerate() {
                let later = &candidates[index + 1..];
                prop_assert!(later.iter().all(|other| !other.is_before(this)), "{:?}", shown(&ordered));
                let is_uncertain = candidates.iter().any(|other| other.source != this.source && !this.is_certain_against(other));
                prop_assert_eq!(ordered.places[index].is_uncertain, is_uncertain, "{} of {:?}", index, shown(&ordered));
            }
        }

        #[test]
        fn the_rough_way_marks_no_fewer(
            rows in prop::collection::vec((0u128..5, 0u64..40, 0i64..60), 0..60),
            uncertainties in prop::collection::vec(0i64..4, 5),
        ) {
            let records: Vec<_> = rows.iter().map(|(agent, position, time)| record(agent * 10, *position, time * 1000 + 1)).collect();
            let offsets: Vec<_> = uncertainties.iter().enumerate().map(|(agent, uncertainty)| {
                (agent as u128, -uncertainty * 1000, uncertainty * 1000)
            }).collect();
            let clocks = clocks(&offsets);
            let exact = order(records, &clocks, no_spans);
            let mut rough: Vec<_> = Vec::new();
            for (index, record) in exact.records.iter().enumerate() {
                let mut candidate = candidate(record.clone(), record.source.id.as_u128() as usize, &no_spans);
                candidate.place = Place { is_uncertain: false, ..exact.places[index] };
                rough.push(candidate);
            }
            mark_roughly(&mut rough);
            for (exact, rough) in exact.places.iter().zip(&rough) {
                prop_assert!(rough.place.is_uncertain || !exact.is_uncertain);
            }
        }
    }
}
