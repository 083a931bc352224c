//! An agent of the fleet: it ships what its files hold as fast as it may, measures its clock, and says how far it is. The reckoning is
//! that of the real one.

use std::time::{Duration, Instant};

use clew_agent::ship::clock::{Anchor, Look, Steadiness};
use clew_agent::watermark::Watermark;
use clew_proto::v1;
use fastrand::Rng;
use uuid::Uuid;

use crate::host::HostClock;
use crate::requests::Written;

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;
/// Between two pings, as the aggregator's keepalive has it.
const PING_NS: i64 = 2_500 * MS;
const WATERMARK_NS: i64 = SECOND;

/// One file of a host.
pub struct File {
    pub source: Uuid,
    pub service: String,
    /// Nanoseconds: how fine its stamps are.
    pub step_ns: i64,
    /// What it will ever hold, in the order of time.
    pub lines: Vec<Written>,
    /// Lines before this one are shipped, or given up.
    pub shipped: usize,
    /// Lines from the first to before the second cannot be had.
    pub lost: Option<(usize, usize)>,
}

impl File {
    /// How many lines it holds at a time.
    pub fn held(&self, at_ns: i64) -> usize {
        self.lines.partition_point(|line| line.at_ns <= at_ns)
    }
}

/// One agent and its host.
pub struct Agent {
    pub id: Uuid,
    pub host: String,
    pub clock: HostClock,
    pub files: Vec<File>,
    /// It is away from the first of these times to before the second.
    pub away: Vec<(i64, i64)>,
    /// From then on it is gone for good.
    pub dies_ns: i64,
    /// Lines that it ships in a step.
    pub speed: usize,
    /// How late it looks at a file.
    pub delay_ns: i64,
    /// One way over the network, at most.
    pub latency_ns: i64,
    /// Of its clock that nobody sets, and what that showed then.
    origin: Instant,
    origin_ns: i64,
    anchor: Option<Anchor>,
    steadiness: Steadiness,
    watermark: Watermark,
    pinged_ns: i64,
    said_ns: i64,
    pub connected: bool,
}

/// What an agent does in a step.
pub enum Act {
    Hello,
    Goodbye,
    /// Of the file's lines from the first to before the second.
    Batch(usize, usize, usize),
    /// The same, given up.
    Gap(usize, usize, usize),
    Watermark(v1::Watermark),
}

impl Agent {
    #[allow(clippy::too_many_arguments)] // what a host is
    pub fn new(
        id: Uuid,
        host: String,
        clock: HostClock,
        files: Vec<File>,
        begin_ns: i64,
        origin: Instant,
        random: &mut Rng,
    ) -> Self {
        let origin_ns = clock.unset_at(begin_ns - SECOND * 7_200);
        Self {
            id,
            host,
            clock,
            files,
            away: Vec::new(),
            dies_ns: i64::MAX,
            speed: 1_000,
            delay_ns: 0,
            latency_ns: 2 * MS,
            origin,
            origin_ns,
            anchor: None,
            steadiness: Steadiness::new(random.u64(..)),
            watermark: Watermark::default(),
            pinged_ns: i64::MIN / 2,
            said_ns: i64::MIN / 2,
            connected: false,
        }
    }

    /// By the clock that nobody sets.
    fn instant(&self, at_ns: i64) -> Instant {
        self.origin + Duration::from_nanos((self.clock.unset_at(at_ns) - self.origin_ns) as u64)
    }

    fn is_here(&self, at_ns: i64) -> bool {
        at_ns < self.dies_ns && !self.away.iter().any(|(from, to)| (*from..*to).contains(&at_ns))
    }

    /// What it does at a time.
    pub fn step(&mut self, at_ns: i64, random: &mut Rng) -> Vec<Act> {
        let mut acts = Vec::new();
        if !self.is_here(at_ns) {
            if std::mem::take(&mut self.connected) {
                acts.push(Act::Goodbye);
            }
            return acts;
        }
        if !self.connected {
            self.connected = true;
            self.anchor = None;
            (self.pinged_ns, self.said_ns) = (at_ns - PING_NS, at_ns);
            acts.push(Act::Hello);
        }
        if at_ns - self.pinged_ns >= PING_NS {
            self.pinged_ns = at_ns;
            self.ping(at_ns, random);
        }
        if at_ns - self.said_ns >= WATERMARK_NS {
            self.said_ns = at_ns;
            self.look(at_ns);
        }
        let mut left = self.speed;
        for index in 0..self.files.len() {
            left -= self.ship(index, at_ns, left, &mut acts);
        }
        let files = &self.files;
        if self.watermark.wants_pass() {
            self.watermark.advance(|_| None);
        } else {
            self.watermark.advance(|file| Some(files[file].shipped as u64));
        }
        if self.said_ns != at_ns {
            return acts;
        }
        let reached = self.watermark.reached();
        let look = Look {
            time_ns: self.clock.at(at_ns) as u64,
            instant: self.instant(at_ns),
            within: Duration::from_micros(1),
        };
        let clock = self.anchor.map(|anchor| anchor.reading(look)).unwrap_or_default();
        acts.push(Act::Watermark(v1::Watermark {
            time_ns: reached.zip(self.anchor).map_or(0, |(reached, anchor)| anchor.at(reached)),
            unread_bytes: 0,
            sources: self.files.len() as u32,
            clock_offset_ns: clock.offset_ns,
            clock_uncertainty_ns: clock.uncertainty_ns,
            clock_time_ns: clock.aggregator_ns,
            leaves: false,
            clock_era: self.steadiness.era(look),
        }));
        acts
    }

    /// The answer tells the aggregator's time.
    fn ping(&mut self, at_ns: i64, random: &mut Rng) {
        let (there, back) = (random.i64(MS / 20..self.latency_ns), random.i64(MS / 20..self.latency_ns));
        let (arrived, returned) = (at_ns + there, at_ns + there + back);
        let (sent, instant) = (self.instant(at_ns), self.instant(returned));
        self.anchor = Some(Anchor { aggregator_ns: arrived as u64, instant, round_trip: instant - sent });
    }

    /// A pass over all files.
    fn look(&mut self, at_ns: i64) {
        if self.watermark.wants_pass() {
            let open = self.files.iter().enumerate().filter(|(_, file)| file.shipped < file.held(at_ns));
            let open = open.map(|(index, file)| (index, file.held(at_ns) as u64)).collect();
            self.watermark.pass(self.instant(at_ns), open);
        }
    }

    /// Ships of one file at most so many lines; how many.
    fn ship(&mut self, index: usize, at_ns: i64, most: usize, acts: &mut Vec<Act>) -> usize {
        let file = &mut self.files[index];
        let held = file.held(at_ns - self.delay_ns);
        let begin = file.shipped;
        let end = held.min(begin + most).max(begin);
        match file.lost {
            Some((from, to)) if begin == from && held >= to => {
                file.shipped = to;
                acts.push(Act::Gap(index, from, to));
                0
            }
            Some((from, _)) if begin <= from && end > begin => {
                let end = end.min(from);
                file.shipped = end;
                if end > begin {
                    acts.push(Act::Batch(index, begin, end));
                }
                end - begin
            }
            _ if end > begin => {
                file.shipped = end;
                acts.push(Act::Batch(index, begin, end));
                end - begin
            }
            _ => 0,
        }
    }
}
