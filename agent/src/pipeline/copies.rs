//! Copies: the same bytes in another file. `copytruncate` leaves one beside the live file, compression puts one in the place of
//! a rotated file, while the agent runs or while it is down.
//!
//! A rotated or compressed file that nobody saw before is announced only when it has been quiet for a moment. Then it is
//! compared with what its relatives hold, held, or are remembered to have held. If a relative still delivers the bytes, the copy
//! is left alone. If the relative's bytes are gone, **the copy goes on as that source, where the other one stopped**: nothing is
//! shipped twice, and what would have been a gap is read. Only when no copy turns up, a gap is declared.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use super::Pipeline;
use super::family::Family;
use super::source::{Begun, Id, Mark, Phase, Source};
use crate::checkpoint::{Covered, Remembered};
use crate::identity::{self, Fingerprint};
use crate::ship::clock::now_ns;
use crate::tail::file::{LogFile, Status};

/// A copy that still grows is not compared.
const QUIET: Duration = Duration::from_secs(2);
/// A file that grows all the time is none; it is compared nevertheless.
const UNDECIDED_MAX: Duration = Duration::from_secs(10);
/// For so long a copy may turn up of bytes that are gone.
const COPY_WAIT: Duration = Duration::from_secs(4);
/// Less than this in common with another file says nothing by itself: files begin alike.
const COMMON_BYTES_MIN: u64 = 64;
/// So much in common with bytes that are gone is enough. With less the aggregator is asked, which may know more.
const COMMON_BYTES_SURE: u64 = 1024;
/// No more sources are asked about for one file, those first of which most is known.
const MAY_COPY_MAX: usize = 64;
/// So many files that hold nothing new are remembered.
pub const COVERED_MAX: usize = 65_536;

/// A source of the checkpoint whose file is not there any more, or holds something else.
#[derive(Debug)]
pub struct Orphan {
    pub remembered: Remembered,
    family: Option<Family>,
    since: Instant,
}

impl Orphan {
    /// From now on a copy of it may turn up.
    pub fn new(remembered: Remembered) -> Self {
        Self { family: Family::of(&remembered.path), remembered, since: Instant::now() }
    }
}

/// What a copy was found to be.
enum Relation {
    /// Somebody else delivered everything that it holds.
    Covered,
    /// Somebody else is about to.
    Awaited,
    /// It goes on for an incarnation whose bytes are gone: one of the table, or an orphan by its place in the list.
    OfEnded(Id),
    OfOrphan(usize),
    Unrelated,
}

impl Pipeline {
    /// Decides about a rotated or compressed file that is new to us. False: it is too early, or it is gone from the table.
    pub(super) fn decide_copy(&mut self, id: Id, now: Instant) -> bool {
        let Some(source) = self.table.get(id) else { return false };
        // What the aggregator holds decides, and without it nothing can be shipped.
        let Some(session) = &self.session else { return false };
        let is_late = |since: Instant| now.saturating_duration_since(since) >= UNDECIDED_MAX;
        let quiet = is_late(source.found_at)
            || now.saturating_duration_since(source.grown_at) >= QUIET
            || self.draining.is_some();
        let unverified = !is_late(source.found_at.max(session.since)) && self.has_unverified_relative(id, source);
        if source.examination.is_some() || !quiet || unverified {
            return false;
        }
        let relation = match &source.file {
            Some(file) => self.relation(id, source, file),
            None => Relation::Unrelated,
        };
        match relation {
            Relation::Covered => {
                self.metrics.copies.inc();
                self.forget_undecided(id);
                self.cover(id);
                return false;
            }
            Relation::Awaited => return false,
            Relation::OfEnded(ended) => {
                if let Some(ended) = self.table.remove(ended) {
                    self.go_on(id, &ended.remember(0));
                }
            }
            Relation::OfOrphan(orphan) => {
                let orphan = self.orphans.swap_remove(orphan);
                self.go_on(id, &orphan.remembered);
            }
            Relation::Unrelated => {}
        }
        let Some(source) = self.table.get(id) else { return false };
        if source.acked.position > 0 {
            self.forget_undecided(id);
        } else {
            // It has nothing in common with what is remembered; the aggregator may know more.
            let may_copy = self.may_copy(id, source);
            tracing::debug!("{} may be a copy of {} sources", source.path.display(), may_copy.len());
            if let Some(source) = self.table.get_mut(id) {
                source.may_copy = may_copy;
            }
        }
        if let Some(source) = self.table.get_mut(id) {
            source.may_be_copy = false;
        }
        true
    }

    /// Whether a compressed file that is gone, and was not decided about, held what a relative delivered: as much, with the same beginning and the
    /// same end.
    fn is_answered_for(&self, orphan: &Orphan) -> bool {
        let (copy, Some(family)) = (&orphan.remembered, orphan.family) else { return false };
        // Of less it could not be said that it was the same.
        if !copy.may_be_copy || copy.frontier > 0 || copy.tail.is_empty() || copy.size < COMMON_BYTES_SURE {
            return false;
        }
        let wanted = (copy.size, copy.size, copy.prefix, copy.tail);
        let gone = self.orphans.iter().filter(|orphan| orphan.family == Some(family)).map(|orphan| &orphan.remembered);
        let complete = self.remembered.values().filter(|other| Family::of(&other.path) == Some(family));
        let mut remembered = gone.chain(complete).filter(|other| !other.may_be_copy);
        let mut followed = self.table.relatives(family).map(|(_, other)| other).filter(|other| !other.may_be_copy);
        remembered.any(|other| (other.size, other.frontier, other.prefix, other.guard) == wanted)
            || followed
                .any(|other| (other.end(), other.acked.position, other.known_prefix(), other.acked.guard) == wanted)
    }

    /// What the checkpoint remembers as an undecided copy of the same contents is decided along with this one.
    fn forget_undecided(&mut self, id: Id) {
        let Some(source) = self.table.get(id) else { return };
        let Some(file) = &source.file else { return };
        let same = |remembered: &Remembered| {
            remembered.size == source.size
                && !remembered.prefix.is_empty()
                && identity::prefix_agrees(file, remembered.prefix).unwrap_or(false)
        };
        self.orphans.retain(|orphan| {
            !(orphan.remembered.may_be_copy && orphan.family == source.family && same(&orphan.remembered))
        });
    }

    /// Whether what stands in a relative's file is still to be compared with what the aggregator holds of it: it may be found to be
    /// another one's, and then the copy may be its.
    fn has_unverified_relative(&self, id: Id, copy: &Source) -> bool {
        let relatives = copy.family.map(|family| self.table.relatives(family));
        relatives
            .into_iter()
            .flatten()
            .any(|(other_id, other)| other_id != id && other.is_unverified() && other.end() > 0 && !other.may_be_copy)
    }

    /// The sources whose bytes are gone and which may have held more than is remembered of them: the checkpoint is older than what
    /// the aggregator holds.
    fn may_copy(&self, id: Id, copy: &Source) -> Vec<[u8; 16]> {
        let (Some(family), Some(file)) = (copy.family, &copy.file) else { return Vec::new() };
        let agrees = |prefix: Fingerprint| {
            u64::from(prefix.length) <= copy.size && identity::prefix_agrees(file, prefix).unwrap_or(false)
        };
        let ended = self
            .table
            .relatives(family)
            .filter(|(other_id, other)| *other_id != id && (other.file.is_none() || other.is_unverified()))
            .filter(|(_, other)| agrees(other.known_prefix()))
            .map(|(_, other)| (other.known_prefix().length, other.source_id));
        let gone = self.orphans.iter().filter(|orphan| orphan.family == Some(family)).map(|orphan| &orphan.remembered);
        let complete = self.remembered.values().filter(|remembered| remembered.complete);
        let complete = complete.filter(|remembered| Family::of(&remembered.path) == Some(family));
        let remembered = gone
            .chain(complete)
            .filter(|remembered| agrees(remembered.prefix))
            .map(|remembered| (remembered.prefix.length, remembered.source_id));
        let mut sources: Vec<(u32, [u8; 16])> = ended.chain(remembered).collect();
        sources.sort_by_key(|(length, _)| std::cmp::Reverse(*length));
        sources.into_iter().map(|(_, source_id)| source_id).take(MAY_COPY_MAX).collect()
    }

    /// The aggregator holds `frontier` bytes of a source that this file holds as well: it goes on as that source.
    pub(super) fn go_on_as_known(&mut self, id: Id, source_id: [u8; 16], frontier: u64, guard: Fingerprint) {
        if let Some(place) = self.orphans.iter().position(|orphan| orphan.remembered.source_id == source_id) {
            let orphan = self.orphans.swap_remove(place);
            self.go_on(id, &orphan.remembered);
        } else if let Some(other) = self.table.of_source_id(&source_id) {
            self.give_away(other);
            if let Some(ended) = self.table.remove_if(other, |other| other.file.is_none()) {
                self.go_on(id, &ended.remember(0));
            }
        } else {
            self.remembered.retain(|_, remembered| remembered.source_id != source_id);
        }
        let Some(source) = self.table.get_mut(id) else { return };
        source.source_id = source_id;
        source.begun = Begun::Known(frontier);
        source.fresh = false;
        // Where to begin, should the aggregator have forgotten it by now; its own frontier decides.
        let lines_from = source.acked.lines_from.filter(|begin| begin.position <= frontier);
        source.start_at(Mark { position: frontier, guard, last_time_ns: None, lines_from });
    }

    /// The copy takes the place of what it is a copy of.
    fn go_on(&mut self, id: Id, remembered: &Remembered) {
        let Some(source) = self.table.get_mut(id) else { return };
        tracing::info!(
            "{} holds what was in {}; going on at position {}",
            source.path.display(),
            remembered.path.display(),
            remembered.frontier
        );
        self.metrics.copies.inc();
        source.resume(remembered);
        source.begun = Begun::AsCopy(remembered.frontier);
        source.owed = (remembered.size > source.size).then_some(remembered.size);
        self.unsaved = true;
    }

    /// The file holds nothing new; it is left alone as long as it stays as it is.
    pub(super) fn cover(&mut self, id: Id) {
        self.cover_file(id);
        self.table.remove(id);
        self.unsaved = true;
    }

    /// What the source's file holds now is not read again.
    pub(super) fn cover_file(&mut self, id: Id) {
        let Some(source) = self.table.get_mut(id) else { return };
        source.file = None;
        let status = source.location.stat().map(|stat| Status::of(&stat));
        if let Ok(status) = status
            && status.key == source.key
            && self.covered.len() < COVERED_MAX
        {
            tracing::debug!("{} holds nothing more that is new", source.path.display());
            let covered = Covered { key: status.key, size: status.size, modified_ns: status.modified_ns };
            self.covered.insert(status.key, covered);
        }
        self.table.forget_file(id);
    }

    /// The file was truncated while nobody looked: what it is remembered as has been found in another one.
    fn give_away(&mut self, id: Id) {
        if self.table.get(id).is_none_or(|source| source.file.is_none()) {
            return;
        }
        self.become_another(id);
        if let Some(source) = self.table.get_mut(id) {
            source.prefix = Fingerprint::default();
            source.take_prefix();
        }
    }

    /// The file was empty when it was remembered, and is cut off before the aggregator said what it holds of it: what stood in it until now may
    /// be another one's. It is for itself from here on, and what is remembered waits for a copy.
    pub(super) fn part_from_memory(&mut self, id: Id) {
        let is_doubtful = |source: &&Source| {
            source.before.as_deref().is_some_and(|before| before.prefix.is_empty()) && source.file.is_some()
        };
        let Some(source) = self.table.get(id).filter(is_doubtful) else { return };
        self.orphans.push(Orphan::new(source.remember(now_ns() / 1_000_000_000)));
        self.become_another(id);
    }

    /// With what its file holds, the source is one that nobody has heard of.
    pub(super) fn become_another(&mut self, id: Id) {
        self.table.end_account(id);
        let Some(source) = self.table.get_mut(id) else { return };
        source.source_id = *uuid::Uuid::new_v4().as_bytes();
        source.before = None;
        source.recorded = None;
        source.fresh = false;
        source.owed = None;
        source.begun = Begun::AtItsBeginning;
        source.origin = 0;
        source.phase = Phase::Unannounced;
        source.start_at(Mark::default());
    }

    fn relation(&self, id: Id, copy: &Source, file: &LogFile) -> Relation {
        let Some(family) = copy.family else { return Relation::Unrelated };
        let mut best: Option<(u64, Relation)> = None;
        let mut better = |frontier: u64, relation: Relation| {
            if best.as_ref().is_none_or(|(known, _)| *known <= frontier) {
                best = Some((frontier, relation));
            }
        };
        for (other_id, other) in self.table.relatives(family).filter(|(other_id, _)| *other_id != id) {
            let Some(other_file) = &other.file else {
                // Its bytes are gone, or it was let go because it was quiet and all of it was delivered.
                if holds(file, copy.size, (other.prefix, other.end()), other.acked) {
                    better(other.acked.position, Relation::OfEnded(other_id));
                }
                continue;
            };
            // Of two copies that are not decided, the one that was found first is decided first.
            let goes_first = !other.may_be_copy || (other_id < id && other.examination.is_none());
            if goes_first && other.size >= copy.size && same_bytes(file, copy, other, other_file) {
                let delivered = !other.may_be_copy && other.acked.position >= copy.size;
                return if delivered { Relation::Covered } else { Relation::Awaited };
            }
        }
        for (place, orphan) in self.orphans.iter().enumerate().filter(|(_, orphan)| orphan.family == Some(family)) {
            let remembered = &orphan.remembered;
            let mark = Mark { position: remembered.frontier, guard: remembered.guard, ..Mark::default() };
            if holds(file, copy.size, (remembered.prefix, remembered.size), mark) {
                better(remembered.frontier, Relation::OfOrphan(place));
            }
        }
        best.map_or(Relation::Unrelated, |(_, relation)| relation)
    }

    /// Decides about copies, and looks at what waits for one: has the time come to give it up?
    pub(super) fn look_for_copies(&mut self, now: Instant) {
        let (mut undecided, mut may_copy, mut waiting) = (Vec::new(), HashSet::new(), Vec::new());
        for (id, source) in self.table.iter() {
            // An empty file is nothing's copy.
            if source.may_be_copy && source.end() > 0 {
                undecided.push(id);
            }
            match source.ended {
                Some(ending) if ending.awaits_copy => waiting.push((id, ending.at, source.family)),
                Some(_) => {}
                None if source.end() == 0 && source.examination.is_none() => {}
                None if source.may_be_copy || !source.may_copy.is_empty() => {
                    may_copy.insert(source.family);
                }
                None => {}
            }
        }
        let over = |since: Instant, family: Option<Family>| {
            now.saturating_duration_since(since) >= COPY_WAIT && !may_copy.contains(&family)
        };
        for id in undecided {
            if self.decide_copy(id, now) {
                self.announce.push_back(id);
            }
        }
        let mut lost: Vec<Id> = Vec::new();
        for (id, _, _) in waiting.into_iter().filter(|(_, since, family)| over(*since, *family)) {
            // It may have been taken over by now.
            if let Some(ending) = self.table.get_mut(id).and_then(|source| source.ended.as_mut()) {
                ending.awaits_copy = false;
                lost.push(id);
            }
        }
        let mut place = 0;
        while place < self.orphans.len() {
            let orphan = &self.orphans[place];
            if self.reconciled && over(orphan.since, orphan.family) {
                let is_answered_for = self.is_answered_for(orphan);
                let orphan = self.orphans.swap_remove(place);
                if is_answered_for {
                    tracing::debug!("{} held what a relative answers for", orphan.remembered.path.display());
                    self.metrics.copies.inc();
                    self.unsaved = true;
                    continue;
                }
                lost.push(self.table.insert(Source::vanished(&orphan.remembered, now)));
                self.unsaved = true;
            } else {
                place += 1;
            }
        }
        for id in lost {
            if !self.finish_if_over(id) {
                self.announce.push_back(id);
            }
        }
    }
}

/// Whether a file of `size` bytes surely holds everything up to `mark` of a source that began with `prefix` and had `end` bytes. What
/// many files begin with is not enough.
fn holds(file: &LogFile, size: u64, (prefix, end): (Fingerprint, u64), mark: Mark) -> bool {
    let prefix_length = u64::from(prefix.length);
    let is_sure = match mark.position {
        0 => prefix_length >= COMMON_BYTES_SURE || (prefix_length == end && end == size),
        position => position >= COMMON_BYTES_SURE && !mark.guard.is_empty(),
    };
    is_sure
        && prefix_length > 0
        && prefix_length <= size
        && mark.position <= size
        && identity::prefix_agrees(file, prefix).unwrap_or(false)
        && identity::guard_agrees(file, mark.position, mark.guard).unwrap_or(false)
}

/// Whether the file at hand begins with all that the copy holds.
fn same_bytes(file: &LogFile, copy: &Source, source: &Source, other: &LogFile) -> bool {
    let Ok(prefix) = identity::prefix(file) else { return false };
    // A file that was compressed is as long as before; which of the two was found first does not matter.
    let compressed = (copy.compression.is_some() || source.compression.is_some()) && source.size == copy.size;
    // Two short files that merely begin alike may be told apart by their age: a copy is younger than what it was made of.
    let younger = || file.born_ns().zip(other.born_ns()).is_some_and(|(copied, born)| copied > born);
    (copy.size >= COMMON_BYTES_MIN || compressed || younger())
        && identity::prefix_agrees(other, prefix).unwrap_or(false)
        && identity::guard(file, copy.size)
            .and_then(|guard| identity::guard_agrees(other, copy.size, guard))
            .unwrap_or(false)
}
