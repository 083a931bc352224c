//! Sources whose rules look at lines (`by_line`): what they need of what was shipped before is read again, in portions, and an
//! error log is read no further than its access log is known.
//!
//! Nothing of this is kept on disk but where to begin reading again. **A turn that reads again ships nothing**, so that the
//! other sources get theirs.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Pipeline;
use super::by_line::{self, ByLine, KNOWN_AHEAD, Rule};
use super::line_reader::{Begin, LINE_BYTES_MAX, Portion};
use super::source::{Id, Phase, Source};
use super::turn::{Outcome, lines_of};
use crate::config::Limits;
use crate::metrics::Metrics;
use crate::rules::join::{Join, JoinTable};
use crate::ship::clock::now_ns;
use crate::treatment::{self, Lines, Treatment};

/// Windows that began further back than this are not rebuilt after a restart: reading so much takes a second or so.
const ATTACH_REREAD_BYTES_MAX: u64 = 64 << 20;
/// So much of an access log is read again after a restart, for the errors that were not shipped yet.
const JOIN_REREAD_BYTES_MAX: u64 = 16 << 20;
/// So much is read again in one turn.
const PORTION_BYTES: u64 = 1 << 20;
/// A record whose ID does not become known, because an access log cannot be read, goes without one.
const HELD_MAX: Duration = Duration::from_mins(5);

/// The joins by name.
#[derive(Default)]
pub struct Joins(HashMap<String, Joined>);

#[derive(Default)]
struct Joined {
    table: JoinTable,
    /// An access log was read since the program started.
    begun: bool,
}

impl Joins {
    fn of(&mut self, join: &Join) -> &mut Joined {
        if !self.0.contains_key(&join.name) {
            self.0.insert(join.name.clone(), Joined::default());
        }
        self.0.get_mut(&join.name).expect("it is there")
    }

    /// What the lines of a source mean. None: nothing more than what stands in each.
    pub fn rule<'a>(
        &'a mut self,
        treatment: &'a Treatment,
        source_id: &'a [u8; 16],
        known_until_ns: i64,
    ) -> Option<Rule<'a>> {
        Some(match treatment.line_rule.as_ref()? {
            treatment::LineRule::Attach(attach) => Rule::Attach(attach, source_id),
            treatment::LineRule::Join(join) if join.is_access() => Rule::Access(join, &mut self.of(join).table),
            treatment::LineRule::Join(join) => Rule::Error(join, &self.of(join).table, known_until_ns),
        })
    }

    /// Takes the figures of a turn.
    pub fn count(&mut self, treatment: &Treatment, counts: by_line::Counts, metrics: &Metrics) {
        metrics.windows_opened.inc_by(counts.windows.opened);
        metrics.windows_ambiguous.inc_by(counts.windows.ambiguous);
        metrics.windows_timed_out.inc_by(counts.windows.timed_out);
        metrics.windows_evicted.inc_by(counts.windows.evicted);
        metrics.windows_without_key.inc_by(counts.windows.without_key);
        metrics.join_unknown.inc_by(counts.unknown);
        metrics.join_ambiguous.inc_by(counts.ambiguous);
        if let Some(join) = treatment.join() {
            metrics.join_forgotten.inc_by(self.of(join).table.take_forgotten());
        }
    }
}

/// The bytes of a turn or of a portion, as lines.
pub fn portion<'a>(
    source: &Source,
    treatment: &'a Treatment,
    lines: Lines,
    bytes: &'a [u8],
    position: u64,
    limits: &Limits,
) -> Portion<'a> {
    Portion {
        bytes,
        position,
        lines,
        reading: &treatment.reading,
        reference_ns: source.modified_ns as i64,
        line_bytes_max: LINE_BYTES_MAX.min(limits.record_bytes_max as usize),
    }
}

impl Pipeline {
    /// Reads again what the rules need to know of what was shipped. None: that is done, the turn may go on.
    pub(super) fn catch_up(&mut self, id: Id) -> std::io::Result<Option<Outcome>> {
        let Some(source) = self.table.get_mut(id) else { return Ok(None) };
        if source.treatment.line_rule.is_none() {
            return Ok(None);
        }
        let treatment = source.treatment.clone();
        let Some(lines) = lines_of(source)? else { return Ok(None) };
        if source.by_line.is_none() {
            source.by_line = Some(Box::new(begin(source, &mut self.joins, &self.metrics)));
        }
        let reached = source.by_line.as_ref().map_or(0, |by_line| by_line.reader().reached());
        let position = source.read.position;
        let mut left = false;
        if reached < position {
            // What is behind a line's beginning tells whether it has an end.
            let end = (position + LINE_BYTES_MAX as u64).min(source.size).min(reached + PORTION_BYTES);
            let length = end.saturating_sub(reached) as usize;
            if self.buffer.len() < length {
                self.buffer.resize(length, 0);
            }
            let Some(file) = &source.file else { return Ok(None) };
            let read = file.read_at(reached, &mut self.buffer[..length])?;
            let portion = portion(source, &treatment, lines, &self.buffer[..read], reached, &self.config.limits);
            // Only a line that was not whole when it was shipped is looked up here; its ID is not known.
            let rule = self.joins.rule(&treatment, &source.source_id, i64::MIN);
            if let (Some(by_line), Some(mut rule)) = (&mut source.by_line, rule) {
                by_line.advance(position, &mut rule, &portion);
                let now_reached = by_line.reader().reached();
                left = now_reached < position && now_reached > reached;
            }
        }
        let Some(by_line) = &mut source.by_line else { return Ok(None) };
        if by_line.catches_up {
            // It was counted when it was read first.
            by_line.take_counts();
            by_line.catches_up = left;
        }
        Ok(left.then_some(Outcome::More))
    }

    /// An access log of which nothing is new: what it said before may be needed.
    pub(super) fn catch_up_access(&mut self, id: Id) -> std::io::Result<Option<Outcome>> {
        let is_access = self.table.get(id).is_some_and(|source| source.treatment.join().is_some_and(Join::is_access));
        if is_access { self.catch_up(id) } else { Ok(None) }
    }

    /// Up to which time the errors' IDs are known. No limit for sources that look nothing up. Access logs that have to be read
    /// again for it get their turns.
    pub(super) fn known_until_ns(&mut self, id: Id) -> i64 {
        let Some(source) = self.table.get(id) else { return i64::MAX };
        let Some(join) = source.treatment.join().filter(|join| !join.is_access()) else { return i64::MAX };
        let now = now_ns() as i64;
        let is_access =
            |source: &Source| source.treatment.join().is_some_and(|other| other.is_access() && other.name == join.name);
        let mut read_until = now;
        let mut not_begun = Vec::new();
        for (id, source) in self.table.iter().filter(|(_, source)| is_access(source)) {
            let until = read_until_ns(source, now);
            read_until = read_until.min(until);
            if until == i64::MIN && source.phase == Phase::Open {
                not_begun.push(id);
            }
        }
        let ahead = (KNOWN_AHEAD + join.wait()).as_nanos() as i64;
        for id in not_begun {
            self.schedule(id, Instant::now());
        }
        read_until.saturating_sub(ahead)
    }
}

/// How many bytes of an error log may be shipped now; all of other files.
pub fn known_bytes(
    treatment: &Treatment,
    by_line: Option<&ByLine>,
    held_since: &mut Option<Instant>,
    portion: &Portion<'_>,
    known_until_ns: i64,
    now: Instant,
) -> usize {
    let all = portion.bytes.len();
    let join = treatment.join().filter(|join| !join.is_access());
    let (Some(join), Some(by_line)) = (join, by_line) else { return all };
    let known = by_line::known_bytes(by_line.reader(), join, known_until_ns, now_ns() as i64, portion);
    if known > 0 {
        *held_since = None;
        return known;
    }
    let since = *held_since.get_or_insert(now);
    if now.saturating_duration_since(since) < HELD_MAX { 0 } else { all }
}

/// Up to which time an access log was read.
fn read_until_ns(source: &Source, now_ns: i64) -> i64 {
    let Some(file) = source.file.as_ref().filter(|_| source.examination.is_none() && !source.may_be_copy) else {
        return now_ns;
    };
    let size = match source.compression {
        Some(_) => Some(source.size),
        None => file.status().ok().map(|status| status.size),
    };
    if size == Some(0) {
        return now_ns;
    }
    let Some(by_line) = source.by_line.as_ref().filter(|by_line| !by_line.catches_up) else { return i64::MIN };
    let is_read = size == Some(source.read.position) && source.phase == Phase::Open;
    if is_read { now_ns } else { by_line.noted_until_ns().unwrap_or(i64::MIN) }
}

/// Where the lines of a source begin to be looked at, with what was shipped before.
fn begin(source: &Source, joins: &mut Joins, metrics: &Metrics) -> ByLine {
    let position = source.read.position;
    match source.treatment.join() {
        None => {
            let begin = source.read.lines_from.unwrap_or_default();
            if position.saturating_sub(begin.position) <= ATTACH_REREAD_BYTES_MAX {
                return ByLine::new(begin);
            }
            metrics.windows_lost.inc();
            tracing::warn!(
                "{}: attach has windows, or may have, that began more than {} MiB before position {position}; their IDs are not \
                 attached to what follows",
                source.path.display(),
                ATTACH_REREAD_BYTES_MAX >> 20
            );
            ByLine::behind_line_of(position - ATTACH_REREAD_BYTES_MAX)
        }
        Some(join) if join.is_access() => {
            let joined = joins.of(join);
            let from = position.saturating_sub(JOIN_REREAD_BYTES_MAX);
            let by_line = behind_line_of(from);
            let begins_late = from > 0 || !joined.begun;
            joined.begun = true;
            if begins_late { by_line.begins_late() } else { by_line }
        }
        // A line feed may have two bytes.
        Some(_) => source.read.lines_from.map_or_else(|| behind_line_of(position.saturating_sub(2)), ByLine::new),
    }
}

fn behind_line_of(position: u64) -> ByLine {
    if position == 0 { ByLine::new(Begin::default()) } else { ByLine::behind_line_of(position) }
}
