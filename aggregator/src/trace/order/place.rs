//! When each record of a source was written, by our clock, and what is certain of two records.

use clew_proto::v1::RecordFlag;
use uuid::Uuid;

use super::Place;
use crate::catalog::host_clock::{HostClock, Interval};
use crate::record::Record;
use crate::trace::span::Spans;

/// Steps of stamps: whole seconds, milliseconds, microseconds.
const STEPS_NS: [i64; 3] = [1_000_000_000, 1_000_000, 1_000];

/// A record with what decides its place.
pub(super) struct Candidate {
    pub(super) record: Record,
    pub(super) spans: Spans,
    /// Index of its source.
    pub(super) source: usize,
    pub(super) place: Place,
    /// The clock and its spell: records of one are ordered by their stamps.
    pub(super) spell: Option<(Uuid, usize)>,
    /// Its stamp, or that of an earlier record of its source if that is later; by its host's clock.
    pub(super) stamp: i64,
    /// How fine the stamp is.
    pub(super) step: i64,
}

pub(super) fn candidate(record: Record, source: usize, spans_of: &impl Fn(&Record) -> Spans) -> Candidate {
    let (spans, stamp) = (spans_of(&record), record.time);
    let place = Place { at: 0, earliest: 0, latest: 0, is_unmeasured: false, is_uncertain: false };
    Candidate { record, spans, source, place, spell: None, stamp, step: 1 }
}

fn has(record: &Record, flag: RecordFlag) -> bool {
    record.flags & flag as u8 != 0
}

/// Gives the records of one source, in the order of their positions, their places.
pub(super) fn place(candidates: &mut [Candidate], clock: &HostClock) {
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
pub(super) fn place_coarse(candidates: &mut [Candidate]) {
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
    pub(super) fn is_before(&self, other: &Self) -> bool {
        if self.source == other.source {
            return self.record.position < other.record.position;
        }
        if self.spell.is_some() && self.spell == other.spell {
            return self.stamp.saturating_add(self.step - 1) < other.stamp;
        }
        self.place.latest < other.place.earliest
    }

    pub(super) fn is_certain_against(&self, other: &Self) -> bool {
        self.is_before(other) || other.is_before(self)
    }
}
