//! A turn: one source reads what is new, at most one batch, and hands it to the session.
//!
//! Nothing is kept: what is not sent is read again. The bytes just before the position are read along, and if they are not what
//! they were, the file was overwritten in place and a new incarnation begins.

use std::time::{Duration, Instant};

use clew_proto::v1::{AgentMessage, Batch, Gap, GapReason, agent_message};

use super::catch_up::{known_bytes, portion};
use super::source::{Ending, Id, Leaving, Mark, Phase, Source};
use super::stage::{Counts, Given, IdsByLine, Stage};
use super::{GREW_LATELY, Pipeline};
use crate::assemble::{Limits, Tail};
use crate::batch::{Encoded, RECORDS_MAX};
use crate::frame::open;
use crate::identity::{self, Fingerprint, GUARD_BYTES_MAX, PREFIX_BYTES_MAX};
use crate::report::Tally;
use crate::ship::clock::now_ns;
use crate::tail::file::{Status, is_stale};
use crate::treatment::Lines;

/// The last record of a text file is held for this long, because a stack trace may follow.
const HOLD: Duration = Duration::from_millis(300);
/// When the agent ends, an unterminated line is shipped after this.
const DRAIN_FLUSH: Duration = Duration::from_secs(1);
/// A file that grew within this time is looked at often, hints or not; any other one at each pass.
const ACTIVE: Duration = Duration::from_secs(3);
const ACTIVE_INTERVAL: Duration = Duration::from_millis(250);
/// A file that cannot be read is tried again after this.
const ERROR_DELAY: Duration = Duration::from_secs(1);
pub(crate) const RECORD_LINES_MAX: usize = 1000;
/// So much of a file is looked at to find out what it is made of; a longer first line is no container's.
const FIRST_BYTES: usize = 32 << 10;
/// Lines that are taken apart and put together again come in smaller portions: records have a limit by number too.
pub(crate) const WOVEN_BYTES_MAX: u64 = 1 << 20;

/// What became of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything that could be taken was taken.
    Done,
    /// There is more to read.
    More,
    /// It may not be sent now.
    Blocked,
}

impl Pipeline {
    pub(super) fn turn(&mut self, id: Id, now: Instant) -> Outcome {
        let Some(source) = self.table.get(id) else { return Outcome::Done };
        let Some(file) = &source.file else { return Outcome::Done };
        let status = match file.status() {
            Ok(status) => status,
            Err(error) => return self.unreadable(id, &error, now),
        };
        if self.is_cut_off(id, status) {
            self.replace(id, true, now);
            return Outcome::Done;
        }
        self.observe(id, status, now);
        let Some(source) = self.table.get_mut(id) else { return Outcome::Done };
        if source.phase != Phase::Open || source.leaving.is_some() {
            return Outcome::Done;
        }
        if source.size == source.read.position {
            return match self.catch_up_access(id) {
                Ok(None) => self.nothing_new(id, now),
                Ok(Some(outcome)) => outcome,
                Err(error) => self.unreadable(id, &error, now),
            };
        }
        if source.compression.is_some() {
            // One at a time: each takes a decoder and a window.
            match self.inflating.filter(|other| *other != id && self.table.get(*other).is_some()) {
                Some(_) => return Outcome::Done,
                None => self.inflating = Some(id),
            }
        }
        match self.read(id, now) {
            Ok(outcome) => outcome,
            Err(error) => self.unreadable(id, &error, now),
        }
    }

    /// The next look at a source whose turn is over.
    pub(super) fn after_turn(&mut self, id: Id) {
        let flush = self.idle_flush();
        let now = Instant::now();
        let Some(source) = self.table.get(id) else { return };
        if source.file.is_none() || source.phase != Phase::Open {
            return;
        }
        if source.size > source.read.position {
            let idle = now.saturating_duration_since(source.grown_at);
            let wait = match source.held_since {
                Some(_) => ACTIVE_INTERVAL,
                None if idle < HOLD => HOLD - idle,
                None => flush.saturating_sub(idle),
            };
            self.schedule(id, now + wait.clamp(Duration::from_millis(5), ACTIVE_INTERVAL));
        } else if now.saturating_duration_since(source.grown_at) < ACTIVE {
            self.schedule(id, now + ACTIVE_INTERVAL);
        }
    }

    fn idle_flush(&self) -> Duration {
        let flush = self.config.limits.idle_flush.max(HOLD);
        if self.draining.is_some() || self.once.is_some() { flush.min(DRAIN_FLUSH) } else { flush }
    }

    /// Shorter than what was read of it; or shorter than it was, and other bytes stand before the position.
    pub(super) fn is_cut_off(&self, id: Id, status: Status) -> bool {
        let Some(source) = self.table.get(id).filter(|source| source.compression.is_none()) else { return false };
        let Some(file) = &source.file else { return false };
        let mark = &source.read;
        status.size < mark.position
            || (status.size < source.size
                && (mark.position == 0 || !identity::guard_agrees(file, mark.position, mark.guard).unwrap_or(true)))
    }

    /// Takes note of the file's size, and sees to it that what is new gets read.
    pub(super) fn observe(&mut self, id: Id, status: Status, now: Instant) {
        let Some(source) = self.table.get_mut(id) else { return };
        if status.unlinked != source.unlinked {
            source.unlinked = status.unlinked;
            source.gone_at.get_or_insert(now);
        }
        if source.examination.is_some() || (status.size == source.size && status.modified_ns == source.modified_ns) {
            return;
        }
        if source.is_overwritten() {
            return self.replace(id, true, now);
        }
        source.grown_at = now;
        source.size = status.size;
        source.modified_ns = status.modified_ns;
        let prefix = source.prefix;
        source.take_prefix();
        if source.prefix != prefix {
            // A copy of it is known by its beginning: a crash should find all of that.
            self.unsaved = true;
            self.checkpoint_soon(now);
        }
        let Some(source) = self.table.get_mut(id) else { return };
        if source.phase == Phase::Unannounced {
            if self.session.is_some() && source.size > 0 {
                self.announce.push_back(id);
            }
            return;
        }
        let full = source.size - source.read.position >= self.config.limits.batch_bytes_max;
        let linger = if full || self.draining.is_some() { Duration::ZERO } else { self.config.limits.linger };
        self.schedule(id, now + linger);
    }

    /// The file did not grow, but was it written to? Overwriting it up to exactly the same size leaves only this trace.
    fn nothing_new(&mut self, id: Id, now: Instant) -> Outcome {
        let Some(source) = self.table.get_mut(id) else { return Outcome::Done };
        let Some(file) = &source.file else { return Outcome::Done };
        if source.verified_ns == source.modified_ns {
            return Outcome::Done;
        }
        match identity::guard_agrees(file, source.read.position, source.read.guard) {
            Ok(true) => {
                source.verified_size = source.size;
                source.verified_ns = source.modified_ns;
                Outcome::Done
            }
            Ok(false) => {
                self.replace(id, false, now);
                Outcome::Done
            }
            Err(error) => self.unreadable(id, &error, now),
        }
    }

    fn read(&mut self, id: Id, now: Instant) -> std::io::Result<Outcome> {
        if let Some(outcome) = self.catch_up(id)? {
            return Ok(outcome);
        }
        let known_until_ns = self.known_until_ns(id);
        let flush = self.idle_flush();
        let Some(session) = &mut self.session else { return Ok(Outcome::Done) };
        let Some(source) = self.table.get_mut(id) else { return Ok(Outcome::Done) };
        let unread = source.size - source.read.position;
        let wanted = unread.min(session.batch_bytes_max);
        let idle = now.saturating_duration_since(source.grown_at);
        let tail = match unread > wanted {
            true => Tail::Hold,
            false if idle >= flush => Tail::All,
            false if idle >= HOLD => Tail::Lines,
            false => Tail::Hold,
        };
        if source.stalled == Some((source.size, tail)) {
            return Ok(Outcome::Done);
        }
        if session.credit_bytes < wanted || session.is_full() {
            return Ok(Outcome::Blocked);
        }
        let lines = match lines_of(source)? {
            Some(lines) => lines,
            // The first line is not whole yet; what is shipped of it is shipped as it stands.
            None if tail == Tail::All => Lines::Plain,
            None => {
                source.stalled = Some((source.size, tail));
                return Ok(Outcome::Done);
            }
        };
        let Some(file) = &source.file else { return Ok(Outcome::Done) };

        let guard_length = source.read.guard.length as usize;
        // What the streams of a container were doing stands in the bytes before.
        let lookback = match lines {
            Lines::Framed(_) => source.read.position.min(open::BYTES_MAX as u64) as usize,
            Lines::Plain | Lines::Encoded(_) => guard_length,
        };
        let wanted = if lines == Lines::Plain { wanted } else { wanted.min(WOVEN_BYTES_MAX) };
        let needed = open::BYTES_MAX.max(GUARD_BYTES_MAX) + session.batch_bytes_max as usize;
        if self.buffer.len() < needed {
            self.buffer.resize(needed, 0);
        }
        let read =
            file.read_at(source.read.position - lookback as u64, &mut self.buffer[..lookback + wanted as usize])?;
        if read < lookback || Fingerprint::of(&self.buffer[lookback - guard_length..lookback]) != source.read.guard {
            self.replace(id, false, now);
            return Ok(Outcome::Done);
        }
        if source.read.position == 0 && !source.prefix.is_empty() {
            let length = (source.prefix.length as usize).min(read);
            if Fingerprint::of(&self.buffer[..length]) != source.prefix {
                self.replace(id, true, now);
                return Ok(Outcome::Done);
            }
        }
        source.verified_size = source.size;
        source.verified_ns = source.modified_ns;
        let whole = &self.buffer[..read];
        let bytes = &whole[lookback..];
        let treatment = source.treatment.clone();
        let portion = portion(source, &treatment, lines, bytes, source.read.position, &self.config.limits);
        let by_line = source.by_line.as_deref();
        let known = known_bytes(&treatment, by_line, &mut source.held_since, &portion, known_until_ns, now);
        if known == 0 && !bytes.is_empty() {
            return Ok(Outcome::Done);
        }
        let bytes = &bytes[..known];
        let at_end = source.read.position + bytes.len() as u64 >= source.size;
        let limits = Limits {
            record_bytes_max: self.config.limits.record_bytes_max.min(session.batch_bytes_max - 1) as usize,
            record_lines_max: RECORD_LINES_MAX,
        };
        let (mut consumed, mut counts, mut after_text) = (0, Counts::default(), source.after_text);
        for tail in tails(tail, at_end) {
            self.builder.begin(source.read.last_time_ns, now_ns() as i64);
            let given = Given {
                bytes,
                position: source.read.position,
                source_id: &source.source_id,
                bytes_before: &whole[..lookback],
                after_text: source.after_text,
                tail: *tail,
                limits,
                reference_ns: source.modified_ns as i64,
            };
            let mut stage = Stage::new(
                &mut self.builder,
                &mut self.fields,
                &mut self.scratch,
                &treatment,
                &mut source.memory,
                given,
            );
            if treatment.gives_ids()
                && let Some(by_line) = &mut source.by_line
                && let Some(rule) = self.joins.rule(&treatment, &source.source_id, known_until_ns)
            {
                stage.ids_by_line = Some(IdsByLine { by_line, rule, portion, kind: treatment.kind_given() });
            }
            consumed = stage.run(lines);
            (counts, after_text) = (stage.counts, stage.after_text);
            if consumed > 0 {
                break;
            }
        }
        if consumed == 0 {
            source.stalled = Some((source.size, tail));
            return Ok(Outcome::Done);
        }

        if source.prefix.length < PREFIX_BYTES_MAX as u32 {
            source.prefix = match source.read.position {
                0 => Fingerprint::of(&bytes[..bytes.len().min(PREFIX_BYTES_MAX)]),
                _ => identity::prefix(file)?,
            };
        }
        let end = source.read.position + consumed as u64;
        let rule = self.joins.rule(&treatment, &source.source_id, known_until_ns);
        let mut lines_from = None;
        if let (Some(by_line), Some(mut rule)) = (&mut source.by_line, rule) {
            by_line.advance(end, &mut rule, &portion);
            lines_from = Some(by_line.rebuilt_from(end));
        }
        let encoded = self.builder.finish(&bytes[..consumed]);
        let mark = Mark {
            position: end,
            guard: Fingerprint::guard(&whole[..lookback + consumed]),
            last_time_ns: encoded.last_time_ns,
            lines_from,
        };
        let message = batch(source, &encoded, mark);
        if !session.send(message) {
            // Its lines are ahead of what is sent.
            source.rewind_lines();
            return Ok(Outcome::Blocked);
        }
        session.credit_bytes -= consumed as u64;
        self.queue.pay(consumed as u64, now);
        source.read = mark;
        source.sent(encoded.tally);
        source.last_error = None;
        source.after_text = after_text;
        source.stalled = None;

        let metrics = &self.metrics;
        metrics.bytes_read.inc_by(consumed as u64);
        metrics.records.inc_by(u64::from(encoded.records));
        metrics.records_without_time.inc_by(u64::from(encoded.records_without_time));
        metrics.records_without_id.inc_by(u64::from(encoded.records_without_id));
        counts.add_to(metrics);
        if let Some(by_line) = &mut source.by_line {
            self.joins.count(&treatment, by_line.take_counts(), metrics);
        }
        metrics.batches.inc();
        if source.compression.is_some() && source.read.position == source.size {
            self.inflating = None;
        }
        let took_all = consumed == bytes.len() || (at_end && self.builder.records() < RECORDS_MAX);
        Ok(if at_end && took_all { Outcome::Done } else { Outcome::More })
    }

    /// The file's bytes are not those that were read: this incarnation ended, another one begins at 0.
    /// `shrunk`: it was seen to become shorter, so the size before was its own.
    pub(super) fn replace(&mut self, id: Id, shrunk: bool, now: Instant) {
        self.part_from_memory(id);
        let Some(source) = self.table.get_mut(id) else { return };
        let Some(file) = source.file.take() else { return };
        let known = if shrunk { source.size } else { source.verified_size };
        let end = known.max(source.read.position);
        let lost = end - source.read.position;
        tracing::warn!(
            "{} was truncated or overwritten at position {}, with {lost} bytes of it not read; reading it from its beginning",
            source.path.display(),
            source.read.position
        );
        let grew_lately = now.saturating_duration_since(source.grown_at) < GREW_LATELY;
        source.ended = Some(Ending {
            end,
            at: now,
            reason: GapReason::Truncated,
            open_ended: grew_lately || lost > 0,
            awaits_copy: source.copies_are_read,
            declared: false,
        });
        let (location, rotated, pass, rules) =
            (source.location.clone(), source.rotated, source.seen_in_pass, source.copies_are_read);
        let path = source.path.clone();
        let service = match source.leaving.take() {
            Some(Leaving::Renamed(service)) => service,
            _ => source.service.clone(),
        };
        let (treatment, labels) = (source.treatment.clone(), source.labels.clone());
        if !source.copies_are_read && !self.finish_if_over(id) {
            self.announce.push_back(id);
        }
        // What copied the file before it was cut off may be found at once.
        self.relist.extend(path.parent().map(std::path::Path::to_owned));
        self.relist_at.get_or_insert(now);
        let status = match file.status() {
            Ok(status) => status,
            Err(error) => return tracing::warn!("stat {}: {error}", path.display()),
        };
        let mut next = Source::new(location, service, file, status, now);
        next.treatment = treatment;
        next.labels = labels;
        next.path = path;
        next.copies_are_read = rules;
        next.grown_at = now;
        next.fresh = false;
        next.rotated = rotated;
        next.seen_in_pass = pass;
        next.generation = self.generation;
        next.take_prefix();
        let next = self.table.insert(next);
        self.watermark.also(next, status.size);
        self.announce.push_back(next);
        self.unsaved = true;
        self.checkpoint_soon(now);
    }

    /// Declares what an ended incarnation cannot deliver any more. False: it may not be sent now.
    pub(super) fn declare_gap(&mut self, id: Id) -> bool {
        let Some(source) = self.table.get_mut(id) else { return true };
        let Some(ending) = source.ended.filter(|ending| !ending.awaits_copy && !ending.declared) else { return true };
        // The acknowledgement of a gap that has no bytes is told apart by nothing else being in flight; `delivered` comes back.
        let in_turn = source.phase == Phase::Open && source.in_flight.is_empty();
        let Some(session) = self.session.as_mut().filter(|_| in_turn) else { return true };
        let begin = source.read.position;
        let end = ending.end.max(begin);
        if end > begin || ending.open_ended {
            let gap =
                Gap { source: source.alias, begin, end, reason: ending.reason as i32, open_ended: ending.open_ended };
            if !session.send(AgentMessage { message: Some(agent_message::Message::Gap(gap)) }) {
                return false;
            }
            self.metrics.gaps.inc();
            self.metrics.gap_bytes.inc_by(end - begin);
            tracing::warn!(
                "{}: bytes {begin} to {end}{} cannot be had any more ({:?}); declared as a gap",
                source.path.display(),
                if ending.open_ended { " and perhaps more" } else { "" },
                ending.reason
            );
        }
        source.read.position = end;
        source.read.guard = Fingerprint::default();
        // An acknowledgement of the gap itself, even if it is empty.
        source.sent(Tally { gaps: end - begin, ..Tally::default() });
        if let Some(ending) = &mut source.ended {
            ending.declared = true;
        }
        self.finish_if_over(id);
        true
    }

    fn unreadable(&mut self, id: Id, error: &std::io::Error, now: Instant) -> Outcome {
        self.metrics.open_errors.inc();
        if is_stale(error) {
            self.lose_sight(id, now);
            if self.table.get(id).is_some_and(|source| source.ended.is_some()) {
                return Outcome::Done;
            }
        }
        if let Some(source) = self.table.get(id)
            && self.refused.insert(source.path.clone())
        {
            tracing::warn!("read {}: {error}; trying again", source.path.display());
        }
        if let Some(source) = self.table.get_mut(id) {
            source.queued = false;
            source.last_error = Some(error.to_string());
        }
        self.schedule(id, now + ERROR_DELAY);
        Outcome::Done
    }
}

fn batch(source: &Source, encoded: &Encoded, mark: Mark) -> AgentMessage {
    let unconfirmed = source.prefix.length < PREFIX_BYTES_MAX as u32 || source.acked.position < PREFIX_BYTES_MAX as u64;
    let batch = Batch {
        source: source.alias,
        begin: source.read.position,
        end: mark.position,
        records: encoded.records,
        columns: encoded.columns.clone(),
        columns_crc32c: encoded.columns_crc32c,
        prefix: unconfirmed.then(|| wire(source.prefix)),
        guard: Some(wire(mark.guard)),
        closes: false,
    };
    AgentMessage { message: Some(agent_message::Message::Batch(batch)) }
}

/// A fingerprint as the contract has it.
pub(super) fn wire(fingerprint: Fingerprint) -> clew_proto::v1::Fingerprint {
    clew_proto::v1::Fingerprint { length: fingerprint.length, hash: fingerprint.hash }
}

/// What the file is made of. None: its first line is not whole yet.
pub(super) fn lines_of(source: &mut Source) -> std::io::Result<Option<Lines>> {
    if source.lines.is_none()
        && let Some(file) = &source.file
    {
        let mut first = [0; FIRST_BYTES];
        let read = file.read_at(0, &mut first)?;
        let long = read == FIRST_BYTES;
        source.lines = source.treatment.lines(&first[..read]).or(long.then_some(Lines::Plain));
    }
    Ok(source.lines)
}

/// With which tails a turn is tried: when one record fills the buffer, it is cut.
pub(crate) fn tails(tail: Tail, at_end: bool) -> &'static [Tail] {
    match (tail, at_end) {
        (Tail::Hold, true) => &[Tail::Hold],
        (Tail::Lines, true) => &[Tail::Lines],
        (Tail::Hold, false) => &[Tail::Hold, Tail::Lines, Tail::All],
        (Tail::Lines, false) => &[Tail::Lines, Tail::All],
        (Tail::All, _) => &[Tail::All],
    }
}
