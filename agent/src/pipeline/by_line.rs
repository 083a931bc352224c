//! What `[source.attach]` and `[source.join]` make of the lines of one file: which ID a record gets that has none.
//!
//! Pure. A record gets the ID of the physical line that it begins in; lines are read in order, shipped or not. Invariant: reading
//! again from [`ByLine::rebuilt_from`] gives every line behind that point the same ID. So nothing but a position and a time has
//! to be remembered. A line that is shipped before its end is there gets no ID: its key may not be whole.

use std::time::Duration;

use super::line_reader::{Begin, Line, LineReader, Portion};
use crate::rules::attach::Attach;
use crate::rules::join::{Found, Join, JoinTable};
use crate::rules::window::{self, Windows};

/// An error log with whole seconds says `12:00:00` until 12:00:01.
const SECOND_NS: i64 = 1_000_000_000;
/// Both logs round to milliseconds, and the access log subtracts two rounded numbers.
const ROUNDING_NS: i64 = 5_000_000;

/// The rule at hand, and what it needs.
pub enum Rule<'a> {
    Attach(&'a Attach, &'a [u8; 16]),
    /// Requests are noted.
    Access(&'a Join, &'a mut JoinTable),
    /// IDs are looked up, of lines that are not later than this.
    Error(&'a Join, &'a JoinTable, i64),
}

/// What happened, since it was asked for last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub windows: window::Counts,
    pub unknown: u64,
    pub ambiguous: u64,
}

/// The state of one file.
#[derive(Debug)]
pub struct ByLine {
    reader: LineReader,
    windows: Windows,
    /// Where the line begins that was read last, and its ID; empty when it has none.
    line: u64,
    id: Vec<u8>,
    /// What the state before that line is rebuilt from.
    before: Begin,
    /// What was shipped before is still being read again.
    pub catches_up: bool,
    /// Requests before the first line are not known.
    begins_late: bool,
    unknown: u64,
    ambiguous: u64,
}

impl ByLine {
    /// Begins at the beginning of a line.
    pub fn new(begin: Begin) -> Self {
        Self::with(LineReader::new(begin), begin)
    }

    /// Begins behind the line that `position` stands in, without what came before.
    pub fn behind_line_of(position: u64) -> Self {
        Self::with(LineReader::behind_line_of(position), Begin { position, time_ns: None })
    }

    fn with(reader: LineReader, before: Begin) -> Self {
        Self {
            reader,
            windows: Windows::default(),
            line: u64::MAX,
            id: Vec::new(),
            before,
            catches_up: true,
            begins_late: false,
            unknown: 0,
            ambiguous: 0,
        }
    }

    /// Of an access log: what was requested before its first line is not known.
    pub fn begins_late(mut self) -> Self {
        self.begins_late = true;
        self
    }

    /// How far the lines were read.
    pub fn reader(&self) -> &LineReader {
        &self.reader
    }

    /// The ID of the record at `at`. Positions that are asked for never fall.
    pub fn id_at(&mut self, at: u64, rule: &mut Rule<'_>, portion: &Portion<'_>) -> Option<&[u8]> {
        self.reader.close_line(portion);
        while !self.reader.is_within(at) && self.step(at + 1, rule, portion) {
            self.reader.close_line(portion);
        }
        let found = self.line <= at && self.reader.is_within(at) && !self.id.is_empty();
        found.then_some(&self.id[..])
    }

    /// Reads all lines that begin before `until`, as far as they have ends.
    pub fn advance(&mut self, until: u64, rule: &mut Rule<'_>, portion: &Portion<'_>) {
        while self.step(until, rule, portion) {}
    }

    /// Where to begin in order to have the state that goes on at `at`; everything that begins before it was read.
    pub fn rebuilt_from(&self, at: u64) -> Begin {
        if self.reader.is_within(at) { self.before } else { self.rebuilt_from_here() }
    }

    /// What happened since this was asked last.
    pub fn take_counts(&mut self) -> Counts {
        Counts {
            windows: self.windows.take_counts(),
            unknown: std::mem::take(&mut self.unknown),
            ambiguous: std::mem::take(&mut self.ambiguous),
        }
    }

    fn rebuilt_from_here(&self) -> Begin {
        match self.windows.oldest() {
            Some((position, time_ns)) => Begin { position, time_ns: Some(time_ns) },
            None => self.reader.begin(),
        }
    }

    fn step(&mut self, until: u64, rule: &mut Rule<'_>, portion: &Portion<'_>) -> bool {
        self.reader.close_line(portion);
        let before = self.rebuilt_from_here();
        let Some(line) = self.reader.next(until, portion) else { return false };
        self.before = before;
        self.line = line.begin;
        self.id.clear();
        match rule {
            Rule::Attach(attach, source_id) => {
                // Without any time up to here the ID tells none.
                let time_ns = line.time_ns.unwrap_or(0);
                let id = self.windows.take(attach, &line.content, time_ns, source_id, line.begin);
                self.id.extend_from_slice(id.as_ref().map_or(&[], |id| &id[..]));
            }
            Rule::Access(join, table) => self.note(join, table, &line),
            Rule::Error(join, table, known_until_ns) => self.look_up(join, table, *known_until_ns, &line),
        }
        true
    }

    fn note(&mut self, join: &Join, table: &mut JoinTable, line: &Line<'_>) {
        let Some(time_ns) = line.time_ns else { return };
        let Some(request) = join.request(&line.content, time_ns) else { return };
        if std::mem::take(&mut self.begins_late) {
            table.forget_until(request.end_ns);
        }
        table.note(request.connection, request.id, request.begin_ns, request.end_ns);
    }

    fn look_up(&mut self, join: &Join, table: &JoinTable, known_until_ns: i64, line: &Line<'_>) {
        let Some((time_ns, connection)) = asks(join, line) else { return };
        let (middle_ns, tolerance_ns) = match time_ns % SECOND_NS {
            0 => (time_ns.saturating_add(SECOND_NS / 2), SECOND_NS / 2 + ROUNDING_NS),
            _ => (time_ns, ROUNDING_NS),
        };
        let found = match time_ns <= known_until_ns {
            true => table.look_up(connection, middle_ns, Duration::from_nanos(tolerance_ns as u64)),
            false => Found::Unknown,
        };
        match found {
            Found::Id(id) => self.id.extend_from_slice(id),
            Found::Unknown => self.unknown += 1,
            Found::Ambiguous => self.ambiguous += 1,
        }
    }
}

/// How long after the time of an error's line the access log has to be known, besides what the requests take.
pub const KNOWN_AHEAD: Duration = Duration::from_nanos((SECOND_NS + ROUNDING_NS) as u64);

/// Time and connection of a line whose ID is looked up; with an inherited time that would be a guess.
fn asks<'a>(join: &Join, line: &'a Line<'_>) -> Option<(i64, &'a [u8])> {
    let time_ns = line.time_ns.filter(|_| line.has_own_time)?;
    Some((time_ns, join.connection(&line.content)?))
}

/// How many bytes of the portion may be read: up to the first line whose ID is not known yet. `reader` is where it is at the
/// portion's beginning.
pub fn known_bytes(reader: &LineReader, join: &Join, known_until_ns: i64, portion: &Portion<'_>) -> usize {
    let mut reader = reader.fork();
    while let Some(line) = reader.next(u64::MAX, portion) {
        if asks(join, &line).is_some_and(|(time_ns, _)| time_ns > known_until_ns) {
            return line.begin.saturating_sub(portion.position) as usize;
        }
    }
    portion.bytes.len()
}
