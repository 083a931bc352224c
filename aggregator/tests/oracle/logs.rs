//! Records of several sources, and the batches that they arrive in.

use std::sync::Arc;

use clew_aggregator::batch::Batch;
use clew_aggregator::block::spelling::SpelledId;
use clew_aggregator::id::Canonical;
use clew_aggregator::source::Source;
use clew_aggregator::trace::order::Key;
use clew_proto::v1::RecordFlag;
use fastrand::Rng;
use uuid::Uuid;

use super::fields::{self, Value};
use super::lines::{self, Ingredients};

const SECOND_NS: i64 = 1_000_000_000;
const DAY_NS: i64 = 86_400 * SECOND_NS;
/// 2026-11-23T12:00:00Z.
pub const NOON_NS: i64 = 1_795_435_200 * SECOND_NS;
const DAYS: i64 = 3;

/// What the naive scan looks at.
#[derive(Clone, Debug)]
pub struct Entry {
    pub source: Arc<Source>,
    pub position: u64,
    pub time: i64,
    pub severity: u8,
    pub ids: Vec<Canonical>,
    /// Without the line feed.
    pub line: Vec<u8>,
    /// Paths and what they lead to.
    pub fields: Vec<(Vec<u8>, Value)>,
}

impl Entry {
    pub fn key(&self) -> Key {
        Key { time: self.time, source: self.source.id, position: self.position }
    }
}

/// A batch, when it is received, and its records.
pub struct Arrival {
    pub source: Arc<Source>,
    pub batch: Batch,
    pub received_ns: i64,
    pub entries: Vec<Entry>,
}

/// Programs that write logs.
pub struct Logs {
    sources: Vec<(Arc<Source>, u64)>,
    ids: Vec<String>,
    day: i64,
    recent: Vec<i64>,
}

impl Logs {
    pub fn new(random: &mut Rng) -> Self {
        let sources = (0..7).map(|number| (Arc::new(source(number)), 0)).collect();
        Self { sources, ids: ids(random), day: 0, recent: vec![NOON_NS] }
    }

    /// The next batch.
    pub fn arrival(&mut self, random: &mut Rng) -> Arrival {
        if random.u8(..12) == 0 {
            self.day = random.i64(0..DAYS);
        }
        let records = if random.u8(..6) == 0 { 1 } else { random.usize(1..40) };
        let at = random.usize(..self.sources.len());
        let (source, begin) = self.sources[at].clone();
        let mut batch = Batch { begin, end: begin, ..Batch::default() };
        let mut spellings: Vec<String> = Vec::new();
        let mut entries = Vec::new();
        for _ in 0..records {
            let time = self.time(random);
            let in_line: Vec<String> = (0..random.usize(..4)).map(|_| self.id(random)).collect();
            let line = lines::line(random, &Ingredients { time, ids: &in_line });
            let unterminated = !line.is_empty() && random.u8(..12) == 0;
            let mut known: Vec<String> = in_line.into_iter().filter(|_| random.u8(..4) > 0).collect();
            if random.u8(..8) == 0 {
                known.push(self.id(random));
            }
            let severity = random.u8(..8);
            entries.push(Entry {
                source: Arc::clone(&source),
                position: batch.end,
                time,
                severity,
                ids: known.iter().map(|id| Canonical::parse(id.as_bytes())).collect(),
                fields: fields::of(&line),
                line: line.clone(),
            });
            for id in &known {
                let reference = spellings.iter().position(|spelling| spelling == id).unwrap_or_else(|| {
                    spellings.push(id.clone());
                    spellings.len() - 1
                });
                batch.id_refs.push(reference as u32);
            }
            batch.id_counts.push(known.len() as u8);
            batch.times.push(time);
            batch.severities.push(severity);
            batch.flags.push(if unterminated { RecordFlag::Unterminated as u8 } else { 0 });
            batch.lengths.push(line.len() as u32 + u32::from(!unterminated));
            batch.raw.extend(line);
            batch.raw.extend((!unterminated).then_some(b'\n'));
            batch.end = begin + batch.raw.len() as u64;
        }
        batch.ids = spellings.iter().map(|id| SpelledId::new(id.as_bytes(), 1)).collect();
        self.sources[at].1 = batch.end;
        Arrival { source, batch, received_ns: NOON_NS + self.day * DAY_NS, entries }
    }

    /// Mostly near the day of receipt, often the same as another one, sometimes long ago; whole seconds and milliseconds too.
    fn time(&mut self, random: &mut Rng) -> i64 {
        if random.u8(..3) == 0 {
            return self.recent[random.usize(..self.recent.len())];
        }
        let around = NOON_NS + self.day * DAY_NS + random.i64(-600..600) * SECOND_NS;
        let time = match random.u8(..10) {
            0 => around - random.i64(0..9) * DAY_NS,
            1..4 => around,
            4..6 => around + random.i64(0..1000) * 1_000_000,
            6 => around + random.i64(0..1_000_000) * 1000,
            _ => around + random.i64(0..SECOND_NS),
        };
        if self.recent.len() < 24 {
            self.recent.push(time);
        }
        time
    }

    pub fn id(&self, random: &mut Rng) -> String {
        self.ids[random.usize(..self.ids.len())].clone()
    }
}

fn source(number: u128) -> Source {
    let services = ["checkout", "Payments", "checkout", "über", "payments-api", "checkout", "feed"];
    let hosts = ["web-1", "WEB-2", "web-1", "db-1", "web-2", "host-ü", "web-10"];
    let labels = [&[("app", "shop"), ("k8s.io/name", "Web")][..], &[("app", "Shop")], &[], &[("app", "")]];
    let labels = labels[number as usize % labels.len()];
    Source {
        id: Uuid::from_u128(number << 64 | 0xabcd << 32 | number),
        agent: Uuid::from_u128(1),
        host: hosts[number as usize].into(),
        service: services[number as usize].into(),
        path: format!("/var/log/{}/App-{}.log", services[number as usize], number % 3).into_bytes(),
        labels: labels.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
    }
}

/// In the spellings that the overlay hides, and in others; some of them the same ID, and some made of letters alone.
fn ids(random: &mut Rng) -> Vec<String> {
    let mut ids = Vec::new();
    for letters_alone in [false, false, true] {
        let digits = if letters_alone { &b"abcdef"[..] } else { &b"0123456789abcdef"[..] };
        let hex: String = (0..32).map(|_| char::from(digits[random.usize(..digits.len())])).collect();
        let uuid = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
        ids.extend([hex.clone(), hex.to_uppercase(), hex[16..].to_owned(), hex[..16].to_owned()]);
        ids.extend([uuid.clone(), uuid.to_uppercase(), format!("00-{hex}-{}-01", &hex[8..24])]);
    }
    ids.extend(["req-17", "REQ-abc", "1234567890123456", "790163212568445917", "feedfeed"].map(String::from));
    ids
}
