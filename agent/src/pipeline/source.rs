//! One incarnation of one file, as the pipeline follows it.
//!
//! **acked <= position <= size**, all of them positions in this incarnation. What lies between acked and position is in flight.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use crate::assemble::Tail;
use crate::checkpoint::Remembered;
use crate::identity::Fingerprint;
use crate::tail::file::{FileKey, LogFile, Status};

/// Identifies a source in this process; never used twice.
pub type Id = usize;

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
}

#[derive(Debug)]
pub struct Source {
    pub source_id: [u8; 16],
    pub service: Arc<str>,
    pub path: PathBuf,
    pub key: FileKey,
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
    /// As last seen.
    pub size: u64,
    pub modified_ns: i128,
    /// So far the file was known to reach when its guard was last found right.
    pub verified_size: u64,
    /// When it was last modified before that.
    pub verified_ns: i128,
    /// Its bytes were overwritten or cut off: nothing can be read any more, its last byte was before this.
    pub ended: Option<u64>,
    /// The record before the position is text.
    pub after_text: bool,
    pub phase: Phase,
    pub alias: u32,
    pub grown_at: Instant,
    /// When its turn is due, and whether it stands in the queue.
    pub due: Option<Instant>,
    pub queued: bool,
    /// The last turn could take nothing, at this size and with this tail.
    pub stalled: Option<(u64, Tail)>,
    pub rotated: bool,
    /// It may be a copy of what was shipped; not decided yet.
    pub may_be_copy: bool,
    pub gone_at: Option<Instant>,
    pub seen_in_pass: u64,
}

impl Source {
    /// Of a file that was just opened.
    pub fn new(path: PathBuf, service: Arc<str>, file: LogFile, status: Status, now: Instant) -> Self {
        Self {
            source_id: *uuid::Uuid::new_v4().as_bytes(),
            service,
            path,
            key: file.key(),
            file: Some(file),
            fresh: true,
            prefix: Fingerprint::default(),
            read: Mark::default(),
            acked: Mark::default(),
            in_flight: VecDeque::new(),
            size: status.size,
            modified_ns: status.modified_ns,
            verified_size: 0,
            verified_ns: 0,
            ended: None,
            after_text: true,
            phase: Phase::Unannounced,
            alias: 0,
            grown_at: grown_at(status, now),
            due: None,
            queued: false,
            stalled: None,
            rotated: false,
            may_be_copy: false,
            gone_at: None,
            seen_in_pass: 0,
        }
    }

    /// Goes on where the checkpoint says.
    pub fn resume(&mut self, remembered: &Remembered) {
        self.source_id = remembered.source_id;
        self.fresh = false;
        self.prefix = remembered.prefix;
        self.start_at(Mark {
            position: remembered.frontier,
            guard: remembered.guard,
            last_time_ns: remembered.last_time_ns,
        });
    }

    /// The aggregator's frontier is here; nothing is in flight.
    pub fn start_at(&mut self, mark: Mark) {
        self.acked = mark;
        self.rewind();
    }

    /// Back to what is durable.
    pub fn rewind(&mut self) {
        self.read = self.acked;
        self.in_flight.clear();
        self.after_text = true;
        self.stalled = None;
        self.verified_size = self.verified_size.max(self.read.position);
    }

    /// Takes an acknowledgement. True: the frontier moved.
    pub fn acknowledge(&mut self, frontier: u64) -> bool {
        let before = self.acked.position;
        while let Some(mark) = self.in_flight.front().filter(|mark| mark.position <= frontier) {
            self.acked = *mark;
            self.in_flight.pop_front();
        }
        self.acked.position > before
    }

    /// Where its last byte ends.
    pub fn end(&self) -> u64 {
        self.ended.unwrap_or(self.size)
    }

    /// Everything that it has is durable.
    pub fn is_settled(&self) -> bool {
        self.acked.position >= self.end()
    }

    /// Bytes that are not durable yet.
    pub fn unacked_bytes(&self) -> u64 {
        self.end().saturating_sub(self.acked.position)
    }

    /// For the checkpoint.
    pub fn remember(&self, now_s: u64) -> Remembered {
        Remembered {
            source_id: self.source_id,
            key: self.key,
            path: self.path.clone(),
            frontier: self.acked.position,
            prefix: self.prefix,
            guard: self.acked.guard,
            last_time_ns: self.acked.last_time_ns,
            seen_s: now_s,
        }
    }
}

/// A file that was not written to for an hour has been idle for an hour, although it was found just now.
fn grown_at(status: Status, now: Instant) -> Instant {
    let now_ns = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_nanos() as i128);
    let idle = Duration::from_nanos((now_ns - status.modified_ns).clamp(0, 3_600_000_000_000) as u64);
    now.checked_sub(idle).unwrap_or(now)
}
