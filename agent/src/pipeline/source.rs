//! One incarnation of one file, as the pipeline follows it.
//!
//! **acked <= position <= size**, all of them positions in this incarnation. What lies between acked and position is in flight.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::assemble::Tail;
use clew_proto::v1::GapReason;

use super::by_line::ByLine;
use super::family::Family;
use super::line_reader::Begin;
use crate::checkpoint::Remembered;
use crate::frame::origin::Labels;
use crate::identity::{self, Fingerprint, PREFIX_BYTES_MAX};
use crate::parse::layout::Memory;
use crate::report::{Account, Tally};
use crate::rules::join::Join;
use crate::tail::beneath::Location;
use crate::tail::file::{FileKey, LogFile, Status};
use crate::tail::inflate::Compression;
use crate::treatment::{self, Lines, Treatment};

/// Identifies a source in this process; never used twice.
pub type Id = usize;

/// The number of the checkpoint that this process began with.
const RECORDED_BEFORE: u64 = 0;

/// How far the aggregator was told about a source in this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Unannounced,
    /// Waiting for its state.
    Asked,
    /// May be shipped.
    Open,
}

/// A position that was reached, and what has to be known to go on there.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mark {
    pub position: u64,
    pub guard: Fingerprint,
    pub last_time_ns: Option<i64>,
    /// Where its lines have to be read again from; None is not known.
    pub lines_from: Option<Begin>,
}

/// How an incarnation ended: its bytes cannot be read from its file any more.
#[derive(Clone, Copy, Debug)]
pub struct Ending {
    /// Its last byte is known to have been before this.
    pub end: u64,
    pub at: Instant,
    pub reason: GapReason,
    /// It may have gone on, unseen.
    pub open_ended: bool,
    /// A copy of it may turn up, so that nothing is given up yet.
    pub awaits_copy: bool,
    /// What cannot be delivered was declared.
    pub declared: bool,
}

/// Where this process began with a source, and why there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    AtItsBeginning,
    /// `start_at = "end"`.
    AtItsEnd(u64),
    /// As the checkpoint remembers it.
    Remembered(u64),
    /// The aggregator knew it when nothing was remembered.
    Known(u64),
    /// As a copy of what another file held up to there.
    AsCopy(u64),
    /// Its service changed: what is read from here on is a source of its own.
    Renamed(u64),
}

/// What the configuration says since it was read again, once nothing is in flight any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leaving {
    /// No source of the configuration names it.
    LetGo,
    /// It goes on as a source of this service.
    Renamed(Arc<str>),
}

#[derive(Debug)]
pub struct Source {
    pub source_id: [u8; 16],
    pub service: Arc<str>,
    pub path: PathBuf,
    /// Of the path; the table keeps it.
    pub family: Option<Family>,
    /// Where it is opened.
    pub location: Location,
    pub key: FileKey,
    pub compression: Option<Compression>,
    /// Of a compressed file that is examined on another thread: the number of that examination.
    pub examination: Option<u64>,
    /// Of a compressed file: the guard of its end.
    pub tail: Fingerprint,
    /// None: the incarnation ended, or a quiet rotated file was let go.
    pub file: Option<LogFile>,
    /// The agent has no memory of it: the aggregator may know it.
    pub fresh: bool,
    pub prefix: Fingerprint,
    /// Up to here it was read and sent.
    pub read: Mark,
    /// Up to here it is durable.
    pub acked: Mark,
    pub in_flight: VecDeque<Mark>,
    /// Of each of them, what its bytes were.
    pub tallies: VecDeque<Tally>,
    pub account: Account,
    pub begun: Begun,
    /// Where it was begun: an aggregator that was restored and knows nothing of it gets it from there, whatever was acknowledged.
    pub origin: u64,
    /// The configuration that it was found by; a newer one may say otherwise.
    pub generation: u64,
    pub leaving: Option<Leaving>,
    /// The last time that it could not be read.
    pub last_error: Option<String>,
    /// As last seen.
    pub size: u64,
    pub modified_ns: i128,
    /// So far the file was known to reach when its guard was last found right.
    pub verified_size: u64,
    /// When it was last modified before that.
    pub verified_ns: i128,
    pub ended: Option<Ending>,
    /// What it took over from another source reached further than this file does.
    pub owed: Option<u64>,
    /// No directory names its file any more.
    pub unlinked: bool,
    /// As the checkpoint had it, until the aggregator's answer has shown that its file is the same one.
    pub before: Option<Box<Remembered>>,
    /// The number of the first checkpoint that it stands in.
    pub recorded: Option<u64>,
    /// It was not announced yet because of that.
    pub awaits_record: bool,
    /// What is done with its records.
    pub treatment: Arc<Treatment>,
    /// What the file is made of, once its first line is known.
    pub lines: Option<Lines>,
    /// How its lines were laid out last.
    pub memory: Memory,
    /// Which pod or container it belongs to.
    pub labels: Labels,
    /// The record before the position is text.
    pub after_text: bool,
    /// What its lines mean to `[source.attach]` or `[source.join]`, once its turn came. None: to be read again.
    pub by_line: Option<Box<ByLine>>,
    /// Since when a record is held whose ID is not known yet.
    pub held_since: Option<Instant>,
    pub phase: Phase,
    pub alias: u32,
    pub grown_at: Instant,
    /// When its turn is due, and whether it stands in the queue.
    pub due: Option<Instant>,
    pub queued: bool,
    /// The last turn could take nothing, at this size and with this tail.
    pub stalled: Option<(u64, Tail)>,
    pub rotated: bool,
    /// Rotated siblings of its file are read as well, so that a copy of it would be found.
    pub copies_are_read: bool,
    /// It may be a copy of what was shipped; not decided yet.
    pub may_be_copy: bool,
    /// Sources whose bytes are gone, and which the aggregator is asked about because this one may hold them.
    pub may_copy: Vec<[u8; 16]>,
    pub found_at: Instant,
    pub gone_at: Option<Instant>,
    pub seen_in_pass: u64,
}

impl Source {
    /// Of a file that was just opened.
    pub fn new(location: Location, service: Arc<str>, file: LogFile, status: Status, now: Instant) -> Self {
        let mut source = Self::without_file(location.path().to_owned(), service, file.key(), now);
        source.location = location;
        source.file = Some(file);
        source.fresh = true;
        source.size = status.size;
        source.modified_ns = status.modified_ns;
        source.grown_at = grown_at(status, now);
        source
    }

    /// What the checkpoint remembers of a file that is not there any more, or holds something else.
    pub fn vanished(remembered: &Remembered, now: Instant) -> Self {
        let mut source =
            Self::without_file(remembered.path.clone(), remembered.service.as_str().into(), remembered.key, now);
        source.resume(remembered);
        source.size = remembered.size.max(remembered.frontier);
        source.compression = remembered.compression;
        source.ended = Some(Ending {
            end: source.size,
            at: now,
            reason: GapReason::Vanished,
            open_ended: true,
            awaits_copy: false,
            declared: false,
        });
        source
    }

    fn without_file(path: PathBuf, service: Arc<str>, key: FileKey, now: Instant) -> Self {
        Self {
            source_id: *uuid::Uuid::new_v4().as_bytes(),
            service,
            location: Location::new(path.clone(), path.parent().map_or(0, |folder| folder.as_os_str().len())),
            path,
            family: None,
            key,
            compression: None,
            examination: None,
            tail: Fingerprint::default(),
            file: None,
            fresh: false,
            prefix: Fingerprint::default(),
            read: Mark::default(),
            acked: Mark::default(),
            in_flight: VecDeque::new(),
            tallies: VecDeque::new(),
            account: Account::default(),
            begun: Begun::AtItsBeginning,
            origin: 0,
            generation: 0,
            leaving: None,
            last_error: None,
            size: 0,
            modified_ns: 0,
            verified_size: 0,
            verified_ns: 0,
            ended: None,
            owed: None,
            unlinked: false,
            before: None,
            recorded: None,
            awaits_record: false,
            treatment: Arc::new(Treatment::default()),
            lines: None,
            memory: Memory::default(),
            labels: Labels::new(),
            after_text: true,
            by_line: None,
            held_since: None,
            phase: Phase::Unannounced,
            alias: 0,
            grown_at: now,
            due: None,
            queued: false,
            stalled: None,
            rotated: false,
            copies_are_read: false,
            may_be_copy: false,
            may_copy: Vec::new(),
            found_at: now,
            gone_at: None,
            seen_in_pass: 0,
        }
    }

    /// Nothing was read of it yet, and it begins with other bytes than it did.
    pub fn is_overwritten(&self) -> bool {
        let agrees = |file| identity::prefix_agrees(file, self.prefix).unwrap_or(true);
        self.read.position == 0 && !self.prefix.is_empty() && !self.file.as_ref().is_none_or(agrees)
    }

    /// Reads the file's prefix, as long as it can still grow: what a copy would be known by. Nobody may have looked for long: when the
    /// file was overwritten meanwhile, what it begins with now is none of this incarnation's.
    pub fn take_prefix(&mut self) {
        if self.before.as_ref().is_none_or(|before| before.prefix.is_empty())
            && self.prefix.length < PREFIX_BYTES_MAX as u32
            && u64::from(self.prefix.length) < self.size
            && let Some(file) = &self.file
            && let Ok(Some(prefix)) = identity::grown_prefix(file, self.prefix)
        {
            self.prefix = prefix;
        }
    }

    /// Goes on where the checkpoint says.
    pub fn resume(&mut self, remembered: &Remembered) {
        self.source_id = remembered.source_id;
        self.fresh = remembered.fresh;
        self.before = Some(Box::new(remembered.clone()));
        // It stands in the checkpoint that this was read from.
        self.recorded.get_or_insert(RECORDED_BEFORE);
        self.prefix = remembered.prefix;
        self.begun = Begun::Remembered(remembered.frontier);
        self.origin = remembered.origin;
        self.start_at(Mark {
            position: remembered.frontier,
            guard: remembered.guard,
            last_time_ns: remembered.last_time_ns,
            lines_from: remembered.windows_from.map(|(position, time_ns)| Begin { position, time_ns }),
        });
    }

    /// The configuration calls its service so. What the aggregator knows keeps its name: the rest is a source of its own.
    pub fn go_by(&mut self, service: Arc<str>) {
        self.leaving = None;
        if self.fresh && self.phase == Phase::Unannounced {
            self.service = service;
        } else if self.service != service {
            self.leaving = Some(Leaving::Renamed(service));
        }
    }

    /// The aggregator's frontier is here; nothing is in flight.
    pub fn start_at(&mut self, mark: Mark) {
        self.account.go_on_at(mark.position);
        self.acked = mark;
        self.rewind();
    }

    /// Back to what is durable.
    pub fn rewind(&mut self) {
        self.read = self.acked;
        self.in_flight.clear();
        self.tallies.clear();
        if let Some(ending) = &mut self.ended {
            ending.declared = false;
        }
        self.after_text = true;
        self.rewind_lines();
        self.stalled = None;
        self.verified_size = self.verified_size.max(self.read.position);
    }

    /// Back to what is read. What an access log told is known in the join already, unless it begins anew.
    pub fn rewind_lines(&mut self) {
        if self.read.position == 0 || !self.treatment.join().is_some_and(Join::is_access) {
            self.by_line = None;
        }
    }

    /// Takes an acknowledgement. True: it was news, be it of a gap without bytes.
    pub fn acknowledge(&mut self, frontier: u64) -> bool {
        let before = self.in_flight.len();
        while let Some(mark) = self.in_flight.front().filter(|mark| mark.position <= frontier) {
            self.acked = *mark;
            self.in_flight.pop_front();
            self.account.tally.add(&self.tallies.pop_front().unwrap_or_default());
        }
        self.in_flight.len() < before
    }

    /// Sent up to `read` now, and not acknowledged.
    pub fn sent(&mut self, tally: Tally) {
        self.in_flight.push_back(self.read);
        self.tallies.push_back(tally);
    }

    /// Where its last byte ends.
    pub fn end(&self) -> u64 {
        self.ended.map_or(self.size, |ending| ending.end)
    }

    /// Up to where it is going to be read as it stands now.
    pub fn target(&self) -> u64 {
        if self.leaving == Some(Leaving::LetGo) { self.read.position } else { self.end() }
    }

    /// Everything that it has is durable, and nothing is left to be declared.
    pub fn is_settled(&self) -> bool {
        let declared = self.ended.is_none_or(|ending| ending.declared || !ending.open_ended);
        self.acked.position >= self.end() && declared && self.owed.is_none() && self.in_flight.is_empty()
    }

    /// What it had can only be declared lost: neither its file nor a copy that may turn up holds it.
    pub fn is_lost(&self) -> bool {
        self.ended.is_some_and(|ending| !ending.awaits_copy)
    }

    /// Bytes that are not durable yet.
    pub fn unacked_bytes(&self) -> u64 {
        self.end().saturating_sub(self.acked.position)
    }

    /// Whether its path still leads to its file.
    pub fn is_at_its_place(&self) -> bool {
        self.location.stat().is_ok_and(|stat| FileKey::of(&stat) == self.key)
    }

    /// Whether its file is the one that the checkpoint remembers.
    pub fn is_remembered_as(&self, remembered: &Remembered) -> bool {
        // Of a compressed file the aggregator's answer is checked once, when it goes on: decompressing twice would cost as much.
        let compressed = self.compression.is_some();
        // Of what was empty there is nothing to compare but its name.
        let something_known = !remembered.prefix.is_empty() || remembered.frontier > 0;
        let goes_on =
            |file: &LogFile| identity::goes_on(file, remembered.prefix, remembered.frontier, remembered.guard);
        !remembered.ended
            && (something_known || self.path == remembered.path)
            && self.compression == remembered.compression
            && (compressed || self.file.as_ref().is_some_and(goes_on))
    }

    /// Its file may hold something else than it is remembered for, or than the aggregator holds of it: that was not compared in this session.
    pub fn is_unverified(&self) -> bool {
        self.file.is_some() && (self.before.is_some() || self.phase != Phase::Open)
    }

    /// What is known of its beginning: as long as its file is not verified, what it is remembered for.
    pub fn known_prefix(&self) -> Fingerprint {
        self.before.as_deref().filter(|_| self.file.is_some()).map_or(self.prefix, |before| before.prefix)
    }

    /// A rotated file that was delivered and gets no more: it was quiet for long and let go, or it has no name and no writer any more.
    fn is_complete(&self) -> bool {
        let gets_no_more = |file: &LogFile| {
            self.unlinked && file.has_no_writer() && file.status().is_ok_and(|status| status.size == self.size)
        };
        self.ended.is_none() && self.rotated && self.is_settled() && self.file.as_ref().is_none_or(gets_no_more)
    }

    /// For the checkpoint.
    pub fn remember(&self, now_s: u64) -> Remembered {
        if let Some(before) = self.before.as_deref().filter(|_| self.file.is_some()) {
            return Remembered {
                key: self.key,
                path: self.path.clone(),
                compression: self.compression,
                ended: false,
                complete: false,
                seen_s: now_s,
                ..before.clone()
            };
        }
        let attaches = matches!(self.treatment.line_rule, Some(treatment::LineRule::Attach(_)));
        Remembered {
            source_id: self.source_id,
            key: self.key,
            path: self.path.clone(),
            frontier: self.acked.position,
            origin: self.origin,
            prefix: self.prefix,
            guard: self.acked.guard,
            tail: if self.may_be_copy { self.tail } else { Fingerprint::default() },
            last_time_ns: self.acked.last_time_ns,
            seen_s: now_s,
            service: self.service.to_string(),
            size: self.end().max(self.acked.position),
            complete: self.is_complete(),
            ended: self.ended.is_some(),
            compression: self.compression,
            fresh: self.fresh,
            may_be_copy: self.may_be_copy,
            windows_from: self.acked.lines_from.filter(|_| attaches).map(|begin| (begin.position, begin.time_ns)),
        }
    }
}

/// A file that was not written to for an hour has been idle for an hour, although it was found just now.
fn grown_at(status: Status, now: Instant) -> Instant {
    let now_ns = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos() as i128);
    let idle = Duration::from_nanos((now_ns - status.modified_ns).clamp(0, 3_600_000_000_000) as u64);
    now.checked_sub(idle).unwrap_or(now)
}
