//! What the aggregator says, and announcing sources to it. **The aggregator's frontier is the authority**: wherever it is, the
//! source goes on there, once the file has shown that it is the same one.

use std::os::unix::ffi::OsStrExt;
use std::time::Instant;

use bytes::Bytes;
use clew_proto::v1::aggregator_message::Message;
use clew_proto::v1::{
    AgentMessage, Candidate, CloseSource, GapReason, Label, OpenSource, Refused, SourceState, agent_message,
};
use tokio::sync::mpsc;

use super::Pipeline;
use super::copies::Orphan;
use super::source::{Ending, Id, Mark, Phase, Source};
use super::turn::wire;
use crate::identity::{self, Fingerprint};
use crate::ship;
use crate::ship::clock::{Anchor, now_ns};
use crate::tail::file::LogFile;
use crate::watermark::Watermark;

/// The outbox is left this much room for pings.
const OUTBOX_ROOM: usize = 4;

/// This part of the credit is kept for live files.
const BACKLOG_RESERVE_SHARE: u64 = 4;

/// The session that is up.
pub struct Session {
    number: u64,
    pub since: Instant,
    outbox: mpsc::Sender<AgentMessage>,
    pub credit_bytes: u64,
    /// All of it, when nothing is in flight.
    credit_bytes_max: u64,
    /// No batch is larger: the aggregator would not take it, or there would never be credit for it.
    pub batch_bytes_max: u64,
    /// What the aggregator takes.
    batch_bytes_most: u64,
    /// The aggregator was restored from a backup: what it does not know it may have had.
    restored: bool,
    /// The aggregator's clock, when it last told.
    pub anchor: Option<Anchor>,
}

impl Session {
    /// The configuration has another limit of batches.
    pub fn limit_batches(&mut self, batch_bytes_max: u64) {
        self.batch_bytes_max = batch_bytes_max.min(self.batch_bytes_most).min(self.credit_bytes_max).max(2);
    }

    /// Whether nothing can be sent now.
    pub fn is_full(&self) -> bool {
        self.outbox.capacity() <= OUTBOX_ROOM
    }

    /// Whether old lines may be sent: some of the credit is left to new ones.
    pub fn has_room_for_backlog(&self) -> bool {
        let reserve = (self.credit_bytes_max / BACKLOG_RESERVE_SHARE).min(self.credit_bytes_max - self.batch_bytes_max);
        self.credit_bytes >= reserve + self.batch_bytes_max && !self.is_full()
    }

    /// Sends without waiting. False: there is no room, or the session is over; either way the file still has it.
    pub fn send(&self, message: AgentMessage) -> bool {
        !self.is_full() && self.outbox.try_send(message).is_ok()
    }
}

impl Pipeline {
    pub(super) fn on_ship(&mut self, event: ship::Event) {
        match event {
            ship::Event::Connected { session, outbox, credit_bytes, batch_bytes_max, restored } => {
                let most = match batch_bytes_max {
                    0 => u64::MAX,
                    most => u64::from(most),
                };
                let batch_bytes_max = self.config.limits.batch_bytes_max.min(most).min(credit_bytes).max(2);
                self.session = Some(Session {
                    number: session,
                    since: Instant::now(),
                    outbox,
                    credit_bytes,
                    credit_bytes_max: credit_bytes,
                    batch_bytes_max,
                    batch_bytes_most: most,
                    restored,
                    anchor: None,
                });
                self.metrics.connected.set(1);
                self.begin_again();
            }
            ship::Event::Clock { session, anchor } => {
                if let Some(current) = self.session.as_mut().filter(|current| current.number == session) {
                    current.anchor = Some(anchor);
                }
            }
            ship::Event::Disconnected { session } => {
                if self.session.as_ref().is_some_and(|current| current.number == session) {
                    self.session = None;
                    self.metrics.connected.set(0);
                    self.begin_again();
                }
            }
            ship::Event::Message { session, message } => {
                if self.session.as_ref().is_some_and(|current| current.number == session) {
                    self.on_message(message);
                }
            }
        }
    }

    /// Everything back to what is durable; every source is announced anew.
    fn begin_again(&mut self) {
        self.table.forget_aliases();
        self.announce.clear();
        let connected = self.session.is_some();
        for (id, source) in self.table.iter_mut() {
            self.metrics.batches_resent.inc_by(source.in_flight.len() as u64);
            source.rewind();
            source.phase = Phase::Unannounced;
            if connected && (source.end() > 0 || source.is_lost()) {
                self.announce.push_back(id);
            }
        }
    }

    /// Announces sources, and declares gaps, as far as there is room.
    pub(super) fn announcements(&mut self) {
        while let Some(id) = self.announce.front().copied() {
            let Some(session) = &self.session else { return self.announce.clear() };
            let Some(source) = self.table.get_mut(id) else {
                self.announce.pop_front();
                continue;
            };
            if session.is_full() {
                return;
            }
            if source.may_be_copy && !self.decide_copy(id, Instant::now()) {
                // `look_for_copies` asks again.
                self.announce.pop_front();
                continue;
            }
            if self.table.get(id).is_some_and(|source| source.ended.is_some_and(|ending| ending.awaits_copy)) {
                // `look_for_copies` decides.
                self.announce.pop_front();
                continue;
            }
            if !self.is_recorded(id) {
                self.announce.pop_front();
                continue;
            }
            let Some(source) = self.table.get(id) else { continue };
            let done = match source.phase {
                Phase::Unannounced => self.announce_one(id),
                Phase::Asked => true,
                Phase::Open => self.declare_gap(id),
            };
            if !done {
                return;
            }
            self.announce.pop_front();
        }
    }

    /// Nothing is shipped of a source that a crash would make us forget: if its file vanished then, nobody would miss it.
    fn is_recorded(&mut self, id: Id) -> bool {
        let Some(source) = self.table.get_mut(id) else { return true };
        let recorded = source.recorded.is_some_and(|number| self.keeper.is_done(number));
        source.awaits_record = !recorded;
        if !recorded {
            self.unsaved = true;
            self.checkpoint_soon(Instant::now());
        }
        recorded
    }

    fn announce_one(&mut self, id: Id) -> bool {
        let alias = self.table.alias(id);
        let (Some(session), Some(source)) = (&self.session, self.table.get_mut(id)) else { return true };
        let prefix = match &source.file {
            Some(file) if source.prefix.is_empty() => identity::prefix(file),
            _ => Ok(source.prefix),
        };
        let prefix = match prefix {
            Ok(prefix) => prefix,
            // The next pass over the files tries again.
            Err(error) => {
                tracing::debug!("read {}: {error}", source.path.display());
                return true;
            }
        };
        let message = OpenSource {
            source: alias,
            source_id: Bytes::copy_from_slice(&source.source_id),
            service: source.service.to_string(),
            path: Bytes::copy_from_slice(source.path.as_os_str().as_bytes()),
            device: source.key.device,
            inode: source.key.inode,
            prefix: Some(wire(prefix)),
            begin: if session.restored { source.origin } else { source.acked.position },
            fresh: source.fresh && source.file.is_some(),
            may_be_copy: source.rotated || source.compression.is_some(),
            labels: source
                .labels
                .iter()
                .map(|(name, value)| Label { name: name.clone(), value: value.clone() })
                .collect(),
            may_copy: source.may_copy.iter().map(|id| Bytes::copy_from_slice(id)).collect(),
        };
        source.phase = Phase::Asked;
        if !session.send(AgentMessage { message: Some(agent_message::Message::OpenSource(message)) }) {
            source.phase = Phase::Unannounced;
            return false;
        }
        true
    }

    fn on_message(&mut self, message: Message) {
        match message {
            Message::SourceState(state) => {
                if let Some(id) = self.table.of_alias(state.source) {
                    self.on_state(id, &state);
                }
            }
            Message::Ack(ack) => {
                for frontier in ack.frontiers {
                    if let Some(id) = self.table.of_alias(frontier.source) {
                        self.on_ack(id, frontier.frontier);
                    }
                }
                self.advance_watermark();
            }
            Message::Credit(credit) => {
                if let Some(session) = &mut self.session {
                    session.credit_bytes = session.credit_bytes.saturating_add(credit.bytes);
                }
            }
            Message::Refused(refused) => self.on_refused(&refused),
            // The session itself takes these.
            Message::Welcome(_) | Message::Pong(_) | Message::Goodbye(_) => {}
        }
    }

    fn on_ack(&mut self, id: Id, frontier: u64) {
        let Some(source) = self.table.get_mut(id) else { return };
        if source.acknowledge(frontier) {
            self.unsaved = true;
            self.delivered(id);
        }
    }

    /// Something of the source became durable: is that all of it?
    fn delivered(&mut self, id: Id) {
        if self.finish_if_over(id) {
            return;
        }
        let Some(source) = self.table.get_mut(id) else { return };
        if source.ended.is_some() {
            if source.in_flight.is_empty() {
                self.announce.push_back(id);
            }
            return;
        }
        if source.acked.position < source.size {
            return;
        }
        if let Some(owed) = source.owed.take() {
            // The file holds less than what it goes on for.
            source.ended = Some(Ending {
                end: owed.max(source.size),
                at: Instant::now(),
                reason: GapReason::Unreadable,
                open_ended: true,
                awaits_copy: false,
                declared: false,
            });
            self.cover_file(id);
            self.announce.push_back(id);
        } else if source.compression.is_some() {
            let close = CloseSource { source: source.alias };
            if let Some(session) = &self.session {
                let _ = session.send(AgentMessage { message: Some(agent_message::Message::CloseSource(close)) });
            }
            self.cover(id);
        }
    }

    /// Under a new alias, so that what is refused after this one under the old alias concerns nobody any more.
    fn on_refused(&mut self, refused: &Refused) {
        let Some(id) = self.table.of_alias(refused.source) else { return };
        let Some(source) = self.table.get_mut(id) else { return };
        tracing::warn!(
            "batch of {} at position {} was refused ({:?}), going on at {}: {}",
            source.path.display(),
            refused.begin,
            refused.reason(),
            refused.frontier,
            refused.detail
        );
        self.metrics.batches_resent.inc_by(source.in_flight.len() as u64);
        source.rewind();
        source.phase = Phase::Unannounced;
        self.announce.push_back(id);
    }

    fn on_state(&mut self, id: Id, state: &SourceState) {
        let Some(source) = self.table.get(id).filter(|source| source.phase == Phase::Asked) else { return };
        if state.candidates.is_empty() && state.frontier < source.acked.position {
            // What was promised is not held any more.
            self.watermark = Watermark::default();
        }
        if source.ended.is_some() {
            return self.on_ended_state(id, state.frontier);
        }
        if !state.candidates.is_empty() {
            return self.choose(id, &state.candidates);
        }
        if let Some(source) = self.table.get_mut(id) {
            source.may_copy.clear();
        }
        let Some(source) = self.table.get(id) else { return };
        if !state.known && source.acked.position > 0 {
            tracing::warn!(
                "the aggregator does not know {}, which was acknowledged up to position {}: it is another one, it lost its data, or it was \
                 restored from a backup; going on at position {}",
                source.path.display(),
                source.acked.position,
                state.frontier
            );
        } else if state.frontier < source.acked.position {
            tracing::warn!(
                "the aggregator holds {} up to position {}, and had acknowledged it up to {}: it was restored from a backup; shipping it \
                 again from there",
                source.path.display(),
                state.frontier,
                source.acked.position
            );
        }
        let guard = state.guard.as_ref().map(unwire);
        let begins_at = source.file.as_ref().map(|file| verified_mark(source, file, state.frontier, guard));
        match begins_at {
            Some(Ok(Some(mark))) => self.open(id, mark),
            Some(Ok(None)) if is_short_copy(source, state.frontier) => self.end_short_copy(id, state.frontier),
            Some(Ok(None)) => {
                tracing::warn!(
                    "{} is not the file that was shipped up to position {}; reading it from its beginning",
                    source.path.display(),
                    state.frontier
                );
                self.start_anew(id, state);
            }
            Some(Err(error)) => {
                tracing::warn!("read {}: {error}; trying again", source.path.display());
                self.back_to_unannounced(id);
            }
            // A quiet rotated file that was let go: it is opened again when there is something to read.
            None if state.frontier >= source.acked.position => {
                if let Some(source) = self.table.get_mut(id) {
                    source.phase = Phase::Open;
                }
            }
            None => self.reopen_released(id),
        }
    }

    fn open(&mut self, id: Id, mark: Mark) {
        let Some(source) = self.table.get_mut(id) else { return };
        source.fresh = false;
        source.before = None;
        source.start_at(mark);
        let prefix = source.prefix;
        source.take_prefix();
        let is_better_known = source.prefix != prefix;
        source.phase = Phase::Open;
        source.due = None;
        let is_behind = source.size > mark.position;
        self.unsaved = true;
        if is_better_known {
            // What is shipped from now on belongs to what begins so: a crash should find that.
            self.checkpoint_soon(Instant::now());
        }
        if is_behind {
            self.schedule(id, Instant::now());
        } else {
            self.delivered(id);
        }
    }

    /// The copy holds less than its source had, and all of that is delivered. What the source had beyond is gone.
    fn end_short_copy(&mut self, id: Id, frontier: u64) {
        self.metrics.copies.inc();
        self.cover_file(id);
        if let Some(source) = self.table.get_mut(id) {
            source.start_at(Mark { position: frontier, ..Mark::default() });
            source.phase = Phase::Open;
            source.ended = Some(Ending {
                end: frontier,
                at: Instant::now(),
                reason: GapReason::Vanished,
                open_ended: true,
                awaits_copy: false,
                declared: false,
            });
        }
        self.announce.push_back(id);
        self.unsaved = true;
    }

    /// The file is none that the aggregator or the checkpoint knows: what it was thought to be has vanished.
    fn start_anew(&mut self, id: Id, state: &SourceState) {
        let Some(source) = self.table.get_mut(id) else { return };
        let mut vanished = source.remember(now_ns() / 1_000_000_000);
        let frontier = state.frontier;
        vanished.frontier = frontier;
        vanished.guard = state.guard.as_ref().map(unwire).unwrap_or_default();
        // What the file begins with now is not what the source began with.
        vanished.prefix = state.prefix.as_ref().map(unwire).unwrap_or_default();
        vanished.size = frontier;
        self.orphans.push(Orphan::new(vanished));
        self.become_another(id);
        if let Some(source) = self.table.get_mut(id) {
            source.prefix = Fingerprint::default();
            source.take_prefix();
        }
        self.announce.push_back(id);
    }

    fn back_to_unannounced(&mut self, id: Id) {
        if let Some(source) = self.table.get_mut(id) {
            source.phase = Phase::Unannounced;
        }
    }

    /// The agent has no memory of the file; the aggregator names sources that it may be, or be a copy of.
    fn choose(&mut self, id: Id, candidates: &[Candidate]) {
        let Some(source) = self.table.get(id) else { return };
        let agreeing = candidates.iter().filter_map(|candidate| {
            let source_id: [u8; 16] = candidate.source_id[..].try_into().ok()?;
            let file = source.file.as_ref()?;
            let prefix = candidate.prefix.as_ref().map(unwire).unwrap_or_default();
            let guard = candidate.guard.as_ref().map(unwire).unwrap_or_default();
            let followed = self.table.of_source_id(&source_id).and_then(|other| self.table.get(other));
            // A file that is shorter than what was delivered of its source is not the source's any more, nor is one that ends otherwise there.
            let is_anothers = |other: &Source, held: &LogFile| {
                other.size < candidate.frontier
                    || (other.is_unverified()
                        && !identity::guard_agrees(held, candidate.frontier, guard).unwrap_or(true))
            };
            let free = followed.is_none_or(|other| other.file.as_ref().is_none_or(|held| is_anothers(other, held)));
            // Of what nothing was delivered of, nothing can be said.
            let comparable = source.may_copy.is_empty() || (candidate.frontier > 0 && !guard.is_empty());
            // The aggregator may have been told less of how it begins than is remembered.
            let goes_on_otherwise = self.remembered_prefix(&source_id).is_some_and(|remembered| {
                u64::from(remembered.length) <= source.size
                    && !identity::prefix_agrees(file, remembered).unwrap_or(true)
            });
            let agrees = free
                && comparable
                && !goes_on_otherwise
                && identity::prefix_agrees(file, prefix).ok()?
                && identity::guard_agrees(file, candidate.frontier, guard).ok()?;
            agrees.then_some((source_id, candidate.frontier, guard))
        });
        // Files begin alike: the longer the common part, the surer.
        let chosen = agreeing.max_by_key(|(_, frontier, _)| *frontier);
        let Some(source) = self.table.get_mut(id) else { return };
        source.fresh = false;
        source.may_copy.clear();
        if let Some((source_id, frontier, guard)) = chosen {
            tracing::info!("{} is known to the aggregator up to position {frontier}", source.path.display());
            self.go_on_as_known(id, source_id, frontier, guard);
        }
        self.back_to_unannounced(id);
        self.announce.push_back(id);
    }

    /// What a source began with whose file is gone, as far as that is remembered.
    fn remembered_prefix(&self, source_id: &[u8; 16]) -> Option<Fingerprint> {
        let orphan = self.orphans.iter().find(|orphan| orphan.remembered.source_id == *source_id);
        let ended = || self.table.of_source_id(source_id).and_then(|id| self.table.get(id)).map(Source::known_prefix);
        orphan.map(|orphan| orphan.remembered.prefix).or_else(ended)
    }

    fn on_ended_state(&mut self, id: Id, frontier: u64) {
        let Some(source) = self.table.get_mut(id) else { return };
        source.may_copy.clear();
        source.start_at(Mark { position: frontier, ..Mark::default() });
        source.phase = Phase::Open;
        if let Some(ending) = &mut source.ended {
            ending.end = ending.end.max(frontier);
        }
        if !self.finish_if_over(id) {
            self.announce.push_back(id);
        }
    }

    /// Lets go of an incarnation that ended and has nothing more to deliver or to declare. True: it had not.
    pub(super) fn finish_if_over(&mut self, id: Id) -> bool {
        let over = self
            .table
            .get(id)
            .is_some_and(|source| source.is_lost() && source.is_settled() && source.in_flight.is_empty());
        if over && let Some(source) = self.table.remove(id) {
            if source.phase == Phase::Open
                && let Some(session) = &self.session
            {
                let close = CloseSource { source: source.alias };
                let _ = session.send(AgentMessage { message: Some(agent_message::Message::CloseSource(close)) });
            }
            self.unsaved = true;
        }
        over
    }
}

/// Whether the file is a copy that was made before its source had grown up to `frontier`: what was delivered of it last is in it.
fn is_short_copy(source: &Source, frontier: u64) -> bool {
    let agrees = |file| identity::guard_agrees(file, source.acked.position, source.acked.guard).unwrap_or(false);
    source.rotated
        && source.size < frontier
        && source.acked.position > 0
        && !source.acked.guard.is_empty()
        && source.file.as_ref().is_some_and(agrees)
}

/// The mark at the aggregator's frontier, if the file agrees with it.
fn verified_mark(
    source: &Source,
    file: &crate::tail::file::LogFile,
    frontier: u64,
    guard: Option<Fingerprint>,
) -> std::io::Result<Option<Mark>> {
    if frontier > 0 && !identity::guard_agrees(file, frontier, guard.unwrap_or_default())? {
        return Ok(None);
    }
    let same = source.acked.position == frontier;
    Ok(Some(Mark {
        position: frontier,
        guard: identity::guard(file, frontier)?,
        last_time_ns: source.acked.last_time_ns.filter(|_| same),
        lines_from: source.acked.lines_from.filter(|begin| begin.position <= frontier),
    }))
}

fn unwire(fingerprint: &clew_proto::v1::Fingerprint) -> Fingerprint {
    Fingerprint { length: fingerprint.length, hash: fingerprint.hash }
}
