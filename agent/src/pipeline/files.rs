//! What discovery found and what became of it: new files, renamed ones, vanished ones, and the passes over all of them.
//!
//! **A file with bytes that are not acknowledged is never let go.** What is settled and was quiet for a minute may be.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clew_proto::v1::{AgentMessage, CloseSource, agent_message};

use clew_proto::v1::GapReason;

use super::copies::Orphan;
use super::examine::{Examined, Request};
use super::source::{Begun, Ending, Id, Leaving, Mark, Phase, Source};
use super::{Pipeline, RELIST_DELAY};
use crate::config::StartAt;
use crate::discover::glob::fill;
use crate::discover::walk::{Entry, Found};
use crate::frame::origin::{self, Labels};
use crate::identity;
use crate::ship::clock::{Look, now_ns};
use crate::tail::beneath::Location;
use crate::tail::file::{LogFile, OpenError, is_stale};

/// A vanished or rotated file that is settled is held open for this long after it last grew: a writer may still hold it.
const QUIET: Duration = Duration::from_secs(60);
/// What is told once about a path is told again after so many other paths.
const REFUSED_MAX: usize = 10_000;
/// After hints were lost everything is looked at again, but not more often than this.
const RECONCILE_DELAY: Duration = Duration::from_millis(200);

impl Pipeline {
    /// Walks all globs: the truth about which files there are.
    pub(super) fn reconcile(&mut self, now: Instant) {
        self.pass += 1;
        self.unopened.clear();
        self.relist.clear();
        self.relist_at = None;
        let config = self.config.clone();
        let mut entries = Vec::new();
        self.walk.full(&config.sources, &mut |entry| entries.push(entry));
        for entry in entries {
            self.take(entry, now);
        }
        if !self.reconciled {
            self.reconciled = true;
            self.miss_remembered();
        }
        for source in &config.sources {
            self.started.insert(source.include_hash());
        }
        let unwatched = self.watch.directories(self.walk.directories());
        self.metrics.directories_unwatched.set(unwatched as i64);
        self.let_go(now);
    }

    /// After the first look: what the checkpoint remembers and nobody found. It may yet turn up as a copy.
    fn miss_remembered(&mut self) {
        let missing: Vec<_> =
            self.remembered.values().filter(|source| !source.complete).map(|source| source.key).collect();
        for key in missing {
            let Some(remembered) = self.remembered.get(&key) else { continue };
            let there = rustix::fs::statat(rustix::fs::CWD, &remembered.path, rustix::fs::AtFlags::SYMLINK_NOFOLLOW)
                .is_ok_and(|stat| crate::tail::file::FileKey::of(&stat) == key);
            // Not ours any more by the configuration, or not to be opened now: it is not gone.
            let ours = self.config.sources.iter().any(|source| source.covers(&remembered.path));
            if there || !ours {
                continue;
            }
            if let Some(remembered) = self.remembered.remove(&key) {
                tracing::debug!("{} is gone", remembered.path.display());
                self.orphans.push(Orphan::new(remembered));
            }
        }
    }

    /// Lists the directories that hints named.
    pub(super) fn relist_changed(&mut self, now: Instant) {
        self.relist_at = None;
        let directories: Vec<PathBuf> = self.relist.drain().collect();
        for directory in directories {
            if self.walk.is_searched(&directory) {
                self.reconcile_at = self.reconcile_at.min(now + RECONCILE_DELAY);
            }
            self.relist(&directory, now);
        }
    }

    fn relist(&mut self, directory: &Path, now: Instant) {
        let config = self.config.clone();
        let mut entries = Vec::new();
        self.walk.list(directory, &config.sources, &mut |entry| entries.push(entry));
        for entry in entries {
            self.take(entry, now);
        }
    }

    pub(super) fn on_hints(&mut self) {
        let hints = self.watch.take();
        let now = Instant::now();
        for path in &hints.written {
            match self.table.of_path(path) {
                Some(id) => self.look_at(id, now),
                None => self.relist.extend(path.parent().map(Path::to_owned)),
            }
        }
        for path in hints.listed {
            // A watched directory that is gone takes its watch along.
            if !path.exists() {
                self.watch.forget(&path);
            }
            self.relist.insert(path);
        }
        if hints.lost {
            self.metrics.hints_lost.inc();
            self.pass_at = now;
            self.reconcile_at = self.reconcile_at.min(now + RECONCILE_DELAY);
        }
        if !self.relist.is_empty() && self.relist_at.is_none() {
            self.relist_at = Some(now + RELIST_DELAY);
        }
    }

    /// A pass over all open files and all directories: from its beginning on, everything that was written is known. That is
    /// the watermark's time. Only a rotated file that was let go could grow unseen until the next reconcile.
    pub(super) fn look_at_all(&mut self, now: Instant) {
        let began = Instant::now();
        if self.walk.is_outgrown() {
            self.reconcile(now);
        } else {
            for directory in self.walk.changed() {
                self.relist(&directory, now);
            }
        }
        let ids: Vec<Id> = self.table.iter().map(|(id, _)| id).collect();
        for id in ids {
            self.look_at(id, now);
        }
        self.keep_deleted_within_budget(now);
        let (mut open, mut unread, mut files) = (Vec::new(), 0, 0);
        for (id, source) in self.table.iter() {
            files += i64::from(source.file.is_some());
            unread += source.unacked_bytes();
            if !source.is_settled() {
                open.push((id, source.end()));
            }
        }
        self.metrics.files_open.set(files);
        self.metrics.sources.set(self.table.count() as i64);
        self.metrics.unread_bytes.set(unread as i64);
        self.metrics.credit_bytes.set(self.session.as_ref().map_or(0, |session| session.credit_bytes) as i64);
        // What is in a file that cannot be opened is not known: no promise includes it.
        let unknown = !self.unopened.is_empty() || self.examinations > 0 || !self.orphans.is_empty();
        if self.watermark.wants_pass() && !unknown {
            self.watermark.pass(began, open);
        }
        self.advance_watermark();
        self.send_watermark(unread);
        self.settle_leaving();
    }

    /// One file: has it grown, was it cut off?
    fn look_at(&mut self, id: Id, now: Instant) {
        let Some(source) = self.table.get(id).filter(|source| source.leaving != Some(Leaving::LetGo)) else { return };
        let Some(file) = &source.file else { return };
        match file.status() {
            Ok(status) if self.is_cut_off(id, status) => self.replace(id, true, now),
            Ok(status) => self.observe(id, status, now),
            Err(error) if is_stale(&error) => self.lose_sight(id, now),
            Err(error) => tracing::debug!("stat {}: {error}", source.path.display()),
        }
        // What could not be announced before gets another chance.
        if let Some(source) = self.table.get(id).filter(|source| source.phase == Phase::Unannounced) {
            let waits =
                self.session.is_some() && (source.end() > 0 || source.is_lost()) && !self.announce.contains(&id);
            if waits {
                self.announce.push_back(id);
            }
        }
    }

    /// Deleted files keep their room on the disk for as long as they are open: no more of that than the budget allows.
    fn keep_deleted_within_budget(&mut self, now: Instant) {
        let mut deleted: Vec<(Instant, u64, Id)> = Vec::new();
        for (id, source) in self.table.iter().filter(|(_, source)| source.unlinked && source.file.is_some()) {
            deleted.push((source.gone_at.unwrap_or(now), source.size, id));
        }
        let mut held: u64 = deleted.iter().map(|(_, size, _)| size).sum();
        // The ones that were deleted first go first.
        deleted.sort_unstable();
        for (_, size, id) in deleted {
            if held <= self.config.limits.deleted_bytes_max {
                break;
            }
            held -= size;
            self.give_up(id, now);
        }
        self.metrics.deleted_open_bytes.set(held as i64);
    }

    fn give_up(&mut self, id: Id, now: Instant) {
        let Some(source) = self.table.get_mut(id) else { return };
        tracing::warn!(
            "{} is deleted and held open with {} bytes that are not read; limits.deleted_bytes_max is reached, giving it up",
            source.path.display(),
            source.size - source.read.position
        );
        source.file = None;
        source.ended = Some(Ending {
            end: source.size,
            at: now,
            reason: GapReason::Deleted,
            open_ended: source.size > source.read.position,
            awaits_copy: false,
            declared: false,
        });
        if !self.finish_if_over(id) {
            self.announce.push_back(id);
        }
        self.unsaved = true;
    }

    /// An answer of the examining thread.
    pub(super) fn on_examined(&mut self, examined: &Examined, now: Instant) {
        self.examinations -= 1;
        let found = self.table.iter().find(|(_, source)| source.examination == Some(examined.number)).map(|(id, _)| id);
        let Some(source) = found.and_then(|id| self.table.get_mut(id)) else { return };
        let Some(id) = found else { return };
        source.examination = None;
        let Some(compression) = source.compression else { return };
        if let Some(error) = &examined.error {
            // Who reads once takes what there is.
            let still_written = now.saturating_duration_since(source.grown_at) < QUIET && self.once.is_none();
            if still_written {
                // Somebody may still write it: it is found anew when it has changed, and at the next reconcile.
                self.table.remove(id);
                return;
            }
            tracing::warn!(
                "{} cannot be decompressed beyond byte {} of its contents: {error}; reading it up to there",
                source.path.display(),
                examined.size
            );
            source.owed = Some(examined.size);
            if examined.size == 0 {
                return self.give_up_unreadable(id, now);
            }
        }
        let opened = source.file.take().map(|file| file.inflated(compression, examined.size));
        match opened {
            Some(Ok(file)) => source.file = Some(file),
            Some(Err(error)) => {
                tracing::warn!("read {}: {error}; trying again", source.path.display());
                self.table.remove(id);
                return;
            }
            None => return,
        }
        source.size = examined.size;
        source.tail = examined.tail;
        source.take_prefix();
        let is_decided = !source.may_be_copy || self.decide_copy(id, now);
        if is_decided && self.session.is_some() {
            self.announce.push_back(id);
        }
    }

    /// Nothing of a compressed file can be had.
    fn give_up_unreadable(&mut self, id: Id, now: Instant) {
        self.cover_file(id);
        let Some(source) = self.table.get_mut(id) else { return };
        source.owed = None;
        source.may_be_copy = false;
        source.ended = Some(Ending {
            end: source.acked.position,
            at: now,
            reason: GapReason::Unreadable,
            open_ended: true,
            awaits_copy: false,
            declared: false,
        });
        self.announce.push_back(id);
        self.unsaved = true;
    }

    pub(super) fn advance_watermark(&mut self) {
        if self.watermark.wants_pass() {
            self.watermark.advance(|_| None);
            return;
        }
        let table = &self.table;
        let moved = self.watermark.advance(|id| table.get(id).map(|source| source.acked.position));
        if moved {
            let unread = self.table.iter().map(|(_, source)| source.unacked_bytes()).sum();
            self.send_watermark(unread);
        }
    }

    /// The last word of an agent whose files end with it: that all of them are delivered. If they are not, nothing is said, and
    /// answers go on waiting for what is lost.
    pub(super) fn leave(&mut self) {
        let is_over = |source: &Source| source.is_settled() && source.in_flight.is_empty();
        let is_all = self.table.iter().all(|(_, source)| is_over(source))
            && self.is_confirmed()
            && self.unopened.is_empty()
            && self.orphans.is_empty()
            && self.examinations == 0;
        if self.config.ephemeral && is_all {
            self.say(0, true);
        }
    }

    /// Whether the aggregator of this session has said of everything that was acknowledged that it still holds it: one that was restored
    /// from a backup may not.
    fn is_confirmed(&self) -> bool {
        self.table.iter().all(|(_, source)| source.phase == Phase::Open || source.acked.position == 0)
    }

    fn send_watermark(&mut self, unread_bytes: u64) {
        self.say(unread_bytes, false);
    }

    fn say(&mut self, unread_bytes: u64, leaves: bool) {
        let look = Look::now();
        let clock_era = self.steadiness.era(look);
        let Some(session) = &self.session else { return };
        let reached = self.watermark.reached().filter(|_| self.is_confirmed());
        let time_ns = reached.zip(session.anchor).map_or(0, |(reached, anchor)| anchor.at(reached));
        let clock = session.anchor.map(|anchor| anchor.reading(look)).unwrap_or_default();
        let watermark = clew_proto::v1::Watermark {
            time_ns,
            unread_bytes,
            sources: self.table.count() as u32,
            clock_offset_ns: clock.offset_ns,
            clock_uncertainty_ns: clock.uncertainty_ns,
            clock_time_ns: clock.aggregator_ns,
            leaves,
            clock_era,
        };
        let _ = session.send(AgentMessage { message: Some(agent_message::Message::Watermark(watermark)) });
    }

    fn take(&mut self, entry: Entry<'_>, now: Instant) {
        let found = match entry {
            Entry::File(found) => found,
            Entry::Refused(path, why) => return self.refuse(path, why),
            Entry::Unlisted(directory, error) => {
                // What is in it is not known.
                self.unopened.insert(directory.clone());
                return self.refuse(directory, &format!("it cannot be listed: {error}; trying again"));
            }
            Entry::Ignored(..) => return,
        };
        if let Some(covered) = self.covered.get(&found.status.key) {
            if (covered.size, covered.modified_ns) == (found.status.size, found.status.modified_ns) {
                return;
            }
            self.covered.remove(&found.status.key);
        }
        match self.table.of_key(found.status.key) {
            Some(id) => self.found_again(id, &found, now),
            None => self.found_new(&found, now),
        }
    }

    fn refuse(&mut self, path: PathBuf, why: &str) {
        if self.refused.len() >= REFUSED_MAX {
            self.refused.clear();
        }
        if !self.refused.contains(&path) {
            tracing::warn!("{} is not tailed: {why}", path.display());
            self.refused.insert(path);
        }
    }

    fn found_again(&mut self, id: Id, found: &Found<'_>, now: Instant) {
        let Some(source) = self.table.get_mut(id) else { return };
        let moved = source.path != found.path;
        source.seen_in_pass = self.pass;
        source.gone_at = None;
        if source.generation != self.generation {
            self.adopt(id, found.source, &found.service());
        }
        let Some(source) = self.table.get_mut(id) else { return };
        if moved && source.is_at_its_place() {
            // Another name of the same file: it keeps its first.
            return;
        }
        source.rotated = found.rotated;
        let status = found.status;
        let released = source.file.is_none();
        let grown = source.size != status.size && source.compression.is_none();
        let changed = grown || source.modified_ns != status.modified_ns;
        if moved {
            tracing::debug!("{} is {} now", source.path.display(), found.path.display());
            let location = found.location();
            self.table.rename(id, found.path.clone(), location);
            self.unsaved = true;
        }
        if released && changed {
            self.reopen_released(id);
        } else if !released && changed {
            self.look_at(id, now);
        }
    }

    fn found_new(&mut self, found: &Found<'_>, now: Instant) {
        let (file, status) = match found.open() {
            Ok(opened) => opened,
            Err(OpenError::NotRegular) => return self.refuse(found.path.clone(), "not a regular file"),
            Err(OpenError::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => return,
            Err(OpenError::Io(error)) => {
                self.metrics.open_errors.inc();
                self.unopened.insert(found.path.clone());
                return self.refuse(found.path.clone(), &format!("{error}; trying again"));
            }
        };
        // Between the listing and the opening another file may have taken the path.
        if let Some(id) = self.table.of_key(file.key()) {
            return self.look_at(id, now);
        }
        self.refused.remove(&found.path);
        self.unopened.remove(&found.path);
        if let Some(id) = self.of_other_mount(&file, &found.path) {
            self.table.mounted_anew(id, file);
            tracing::info!("{} is on another mount now, and goes on", found.path.display());
            return self.found_again(id, found, now);
        }
        let mut source = Source::new(found.location(), found.service().into(), file, status, now);
        let config = &self.config.sources[found.source];
        source.path.clone_from(&found.path);
        source.rotated = found.rotated;
        source.copies_are_read = config.rotated;
        source.treatment = config.treatment.clone();
        source.labels = labels(&source.path, &source.location);
        source.generation = self.generation;
        if source.service.contains('{') {
            source.service = fill(&source.service, &source.labels).into();
        }
        source.compression = found.compression;
        source.seen_in_pass = self.pass;
        let skip_old = config.start_at == StartAt::End && !self.started.contains(&config.include_hash());
        let mut known = false;
        let remembered = self.remembered.remove(&source.key).or_else(|| self.remembered_of_other_mount(&source));
        match remembered {
            Some(remembered) if source.is_remembered_as(&remembered) => {
                known = true;
                source.resume(&remembered);
                let service = std::mem::replace(&mut source.service, remembered.service.as_str().into());
                source.go_by(service);
            }
            Some(remembered) if !remembered.complete => self.orphans.push(Orphan::new(remembered)),
            _ => {}
        }
        source.may_be_copy = (found.rotated || source.compression.is_some()) && source.fresh;
        if source.fresh && skip_old && !known {
            if source.compression.is_some() {
                let id = self.table.insert(source);
                return self.cover(id);
            }
            source.may_be_copy = false;
            source.start_at(end_of(&source));
            source.begun = Begun::AtItsEnd(source.size);
            source.origin = source.size;
        }
        if source.compression.is_some() {
            return self.examine(source);
        }
        source.take_prefix();
        tracing::debug!("following {} ({}) from {}", source.path.display(), source.service, source.read.position);
        if source.fresh {
            // What is shipped of it should be remembered soon.
            self.unsaved = true;
            self.checkpoint_soon(now);
        }
        let announce = source.size > 0;
        let id = self.table.insert(source);
        if announce && self.session.is_some() {
            self.announce.push_back(id);
        }
    }

    /// Finds out, on another thread, how much a compressed file holds.
    fn examine(&mut self, mut source: Source) {
        let (Some(file), Some(compression)) = (&source.file, source.compression) else { return };
        let inflate = match file.decoder(compression) {
            Ok(inflate) => inflate,
            Err(error) => return tracing::warn!("open {}: {error}; trying again", source.path.display()),
        };
        self.examination += 1;
        self.examinations += 1;
        source.examination = Some(self.examination);
        source.size = 0;
        self.table.insert(source);
        self.examiner.ask(Request { number: self.examination, inflate });
    }

    /// A rotated file that was let go is needed again.
    pub(super) fn reopen_released(&mut self, id: Id) {
        let Some(source) = self.table.get_mut(id) else { return };
        let (prefix, acked, key) = (source.prefix, source.acked, source.key);
        let opened = LogFile::open_at(&source.location)
            .ok()
            .filter(|(file, _)| file.key() == key && identity::goes_on(file, prefix, acked.position, acked.guard));
        match opened {
            Some((file, status)) => {
                source.file = Some(file);
                source.phase = Phase::Unannounced;
                source.size = status.size;
                source.modified_ns = status.modified_ns;
                source.grown_at = Instant::now();
                source.rewind();
                self.announce.push_back(id);
            }
            // Not the same file any more: the next listing finds it as a new one.
            None => {
                self.table.remove(id);
                self.reconcile_at = self.reconcile_at.min(Instant::now() + RECONCILE_DELAY);
            }
        }
    }

    /// Closes what is settled and was quiet for long, if it vanished or was rotated.
    fn let_go(&mut self, now: Instant) {
        let pass = self.pass;
        let mut closing = Vec::new();
        for (id, source) in self.table.iter_mut() {
            if source.ended.is_some() || source.examination.is_some() {
                continue;
            }
            if source.seen_in_pass != pass {
                source.gone_at.get_or_insert(now);
            }
            let quiet = now.saturating_duration_since(source.grown_at) > QUIET;
            let gone = source.gone_at.is_some_and(|gone| now.saturating_duration_since(gone) > QUIET);
            let open = source.file.is_some();
            // An empty file was never announced and has nothing to be settled.
            let known = source.phase == Phase::Open || source.size == 0;
            if quiet
                && source.is_settled()
                && (known || !open)
                && (gone || (source.rotated && open && source.gone_at.is_none()))
            {
                closing.push((id, gone));
            }
        }
        for (id, gone) in closing {
            self.close(id, gone);
        }
    }

    fn close(&mut self, id: Id, gone: bool) {
        let Some(source) = self.table.get_mut(id) else { return };
        if let Some(file) = &source.file {
            // It may have grown since the last look.
            match file.status() {
                Ok(status) if status.size == source.size => {}
                _ => return,
            }
        }
        if !gone {
            source.file = None;
            return;
        }
        tracing::debug!("letting go of {}", source.path.display());
        let unlinked = source.file.as_ref().is_some_and(|file| file.status().is_ok_and(|status| status.unlinked));
        let alias = (source.phase == Phase::Open).then_some(source.alias);
        if let Some(source) = self.table.remove(id)
            && !unlinked
            && !source.fresh
        {
            self.remembered_devices.insert(source.key.device);
            self.remembered.insert(source.key, source.remember(now_ns() / 1_000_000_000));
        }
        if let (Some(alias), Some(session)) = (alias, &self.session) {
            let close = CloseSource { source: alias };
            let _ = session.send(AgentMessage { message: Some(agent_message::Message::CloseSource(close)) });
        }
        self.unsaved = true;
    }
}

/// Docker keeps more than this beside no container's log.
const DOCKER_CONFIG_BYTES_MAX: u64 = 1 << 20;

/// Which pod or container the file belongs to, as its path says and what Docker keeps beside it.
pub(crate) fn labels(path: &Path, location: &Location) -> Labels {
    let mut labels = path.to_str().map(origin::labels).unwrap_or_default();
    if labels.is_empty() && location.path() != path {
        labels = location.path().to_str().map(origin::labels).unwrap_or_default();
    }
    if labels.iter().any(|(name, _)| name == "container_id")
        && let Ok((file, status)) = LogFile::open(&location.path().with_file_name("config.v2.json"))
        && status.size <= DOCKER_CONFIG_BYTES_MAX
    {
        let mut bytes = vec![0; status.size as usize];
        let read = file.read_at(0, &mut bytes).unwrap_or(0);
        match origin::docker_labels(&bytes[..read]) {
            Ok((name, own)) => {
                labels.push(("container_name".to_owned(), name));
                labels.extend(own);
            }
            Err(error) => tracing::debug!("beside {}: {error}", path.display()),
        }
    }
    labels
}

/// The mark at the end of a file of which nothing is to be read that it holds now.
fn end_of(source: &Source) -> Mark {
    let guard = source.file.as_ref().and_then(|file| identity::guard(file, source.size).ok()).unwrap_or_default();
    Mark { position: source.size, guard, ..Mark::default() }
}
