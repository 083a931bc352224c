//! Copies: the same bytes in another file. `copytruncate` leaves one beside the live file, compression puts one in the place of
//! a rotated file, while the agent runs or while it is down.
//!
//! A rotated or compressed file that nobody saw before is announced only when it has been quiet for a moment. Then it is
//! compared with what its relatives hold, held, or are remembered to have held. If a relative still delivers the bytes, the copy
//! is left alone. If the relative's bytes are gone, **the copy goes on as that source, where the other one stopped**: nothing is
//! shipped twice, and what would have been a gap is read. Only when no copy turns up, a gap is declared.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Pipeline;
use super::source::{Id, Mark, Source};
use crate::checkpoint::{Covered, Remembered};
use crate::discover::rotated::live_names;
use crate::identity::{self, Fingerprint};
use crate::tail::file::{LogFile, Status};

/// A copy that still grows is not compared.
const QUIET: Duration = Duration::from_secs(2);
/// A file that grows all the time is none; it is compared nevertheless.
const UNDECIDED_MAX: Duration = Duration::from_secs(10);
/// For so long a copy may turn up of bytes that are gone.
const COPY_WAIT: Duration = Duration::from_secs(4);
/// Less than this in common with a file that is still there says nothing: files begin alike.
const COMMON_BYTES_MIN: u64 = 64;
/// So many files that hold nothing new are remembered.
pub const COVERED_MAX: usize = 65_536;

/// A source of the checkpoint whose file is not there any more, or holds something else.
#[derive(Debug)]
pub struct Orphan {
    pub remembered: Remembered,
    since: Instant,
}

impl Orphan {
    /// From now on a copy of it may turn up.
    pub fn new(remembered: Remembered) -> Self {
        Self { remembered, since: Instant::now() }
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
        let quiet = now.saturating_duration_since(source.grown_at) >= QUIET
            || now.saturating_duration_since(source.found_at) >= UNDECIDED_MAX
            || self.draining.is_some();
        if source.examination.is_some() || !quiet {
            return false;
        }
        let relation = match &source.file {
            Some(file) => self.relation(id, source, file),
            None => Relation::Unrelated,
        };
        match relation {
            Relation::Covered => {
                self.metrics.copies.inc();
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
        if let Some(source) = self.table.get_mut(id) {
            source.may_be_copy = false;
        }
        true
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

    fn relation(&self, id: Id, copy: &Source, file: &LogFile) -> Relation {
        let Some(family) = Family::of(&copy.path) else { return Relation::Unrelated };
        let mut best: Option<(u64, Relation)> = None;
        let mut better = |frontier: u64, relation: Relation| {
            if best.as_ref().is_none_or(|(known, _)| *known <= frontier) {
                best = Some((frontier, relation));
            }
        };
        for (other_id, other) in
            self.table.iter().filter(|(other_id, other)| *other_id != id && family.has(&other.path))
        {
            let Some(other_file) = &other.file else {
                // Its bytes are gone, or it was let go because it was quiet and all of it was delivered.
                if holds(file, copy.size, other.prefix, other.acked) {
                    better(other.acked.position, Relation::OfEnded(other_id));
                }
                continue;
            };
            if !other.may_be_copy && other.size >= copy.size && same_bytes(file, copy, other, other_file) {
                let delivered = other.acked.position >= copy.size;
                return if delivered { Relation::Covered } else { Relation::Awaited };
            }
        }
        for (place, orphan) in self.orphans.iter().enumerate().filter(|(_, orphan)| family.has(&orphan.remembered.path))
        {
            let remembered = &orphan.remembered;
            let mark = Mark { position: remembered.frontier, guard: remembered.guard, ..Mark::default() };
            if holds(file, copy.size, remembered.prefix, mark) {
                better(remembered.frontier, Relation::OfOrphan(place));
            }
        }
        best.map_or(Relation::Unrelated, |(_, relation)| relation)
    }

    /// Looks at what waits for a copy: has the time come to give it up?
    pub(super) fn look_for_copies(&mut self, now: Instant) {
        let may_copy: Vec<PathBuf> =
            self.table.iter().filter(|(_, source)| source.may_be_copy).map(|(_, source)| source.path.clone()).collect();
        let over = |since: Instant, path: &Path| {
            let waited = now.saturating_duration_since(since);
            let undecided = || Family::of(path).is_some_and(|family| may_copy.iter().any(|other| family.has(other)));
            waited >= COPY_WAIT && !undecided()
        };
        let mut lost: Vec<Id> = Vec::new();
        for (id, source) in self.table.iter_mut() {
            if let Some(ending) = &mut source.ended
                && ending.awaits_copy
                && over(ending.at, &source.path)
            {
                ending.awaits_copy = false;
                lost.push(id);
            }
        }
        let mut place = 0;
        while place < self.orphans.len() {
            let orphan = &self.orphans[place];
            if self.reconciled && over(orphan.since, &orphan.remembered.path) {
                let orphan = self.orphans.swap_remove(place);
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

/// A folder and the live name that a file was rotated from.
struct Family<'a> {
    folder: &'a Path,
    live: &'a OsStr,
}

impl<'a> Family<'a> {
    fn of(path: &'a Path) -> Option<Self> {
        Some(Self { folder: path.parent()?, live: live_name(path)? })
    }

    fn has(&self, path: &Path) -> bool {
        path.parent() == Some(self.folder) && live_name(path) == Some(self.live)
    }
}

/// The oldest name that the file may have had.
fn live_name(path: &Path) -> Option<&OsStr> {
    let name = path.file_name()?;
    Some(live_names(name.as_bytes()).last().map_or(name, OsStr::from_bytes))
}

/// Whether a file of `size` bytes holds everything up to `mark` of what began with `prefix`.
fn holds(file: &LogFile, size: u64, prefix: Fingerprint, mark: Mark) -> bool {
    // Where nothing was delivered, the beginning is all there is to compare: files that begin alike must not be taken for each other.
    let enough = if mark.position == 0 { COMMON_BYTES_MIN as u32 } else { 1 };
    prefix.length >= enough
        && u64::from(prefix.length) <= size
        && mark.position <= size
        && identity::prefix_agrees(file, prefix).unwrap_or(false)
        && (mark.position == 0 || !mark.guard.is_empty())
        && identity::guard_agrees(file, mark.position, mark.guard).unwrap_or(false)
}

/// Whether the file at hand begins with all that the copy holds.
fn same_bytes(file: &LogFile, copy: &Source, source: &Source, other: &LogFile) -> bool {
    let Ok(prefix) = identity::prefix(file) else { return false };
    // A file that was compressed is as long as before.
    let compressed = copy.compression.is_some() && source.size == copy.size;
    (copy.size >= COMMON_BYTES_MIN || compressed)
        && identity::prefix_agrees(other, prefix).unwrap_or(false)
        && identity::guard(file, copy.size)
            .and_then(|guard| identity::guard_agrees(other, copy.size, guard))
            .unwrap_or(false)
}
