//! A fleet and its aggregator, step by step.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use clew_aggregator::catalog::registry::{Agent as Known, Registry};
use clew_aggregator::catalog::store::Store;
use clew_aggregator::id::Canonical;
use clew_aggregator::record::Record;
use clew_aggregator::source::Source;
use clew_aggregator::trace::bridge::Carriers;
use clew_aggregator::wal::entry::{BatchRecord, Event, GapRecord};
use clew_proto::v1::{self, RecordFlag};
use fastrand::Rng;
use uuid::Uuid;

use crate::agent::{Act, Agent, File};
use crate::host::HostClock;
use crate::question::{self, Tally};
use crate::requests::{self, Request, Written};

const MS: i64 = 1_000_000;
const SECOND: i64 = 1_000 * MS;
const STEP_NS: i64 = 100 * MS;
/// Any time will do.
const BEGIN_NS: i64 = 1_790_000_000 * SECOND;
/// Bytes of a line, for positions.
const LINE_BYTES: u64 = 100;

/// What kind of fleet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Anything may happen.
    Rough,
    /// Nothing does.
    Calm,
    /// One request of 100,000 records.
    Huge,
}

/// See the module.
pub struct World {
    pub kind: Kind,
    random: Rng,
    pub agents: Vec<Agent>,
    pub requests: Vec<Request>,
    pub registry: Registry,
    /// Where the registry is saved.
    catalog: tempfile::TempDir,
    /// What has arrived.
    pub shelf: Shelf,
    seconds: i64,
}

/// What has arrived, by ID.
#[derive(Default)]
pub struct Shelf {
    pub records: Vec<Record>,
    by_family: HashMap<String, Vec<usize>>,
}

impl Shelf {
    fn put(&mut self, record: Record) {
        for id in &record.ids {
            self.by_family.entry(id.canonical.to_string()).or_default().push(self.records.len());
        }
        self.records.push(record);
    }

    /// How many records carry an ID.
    pub fn carries(&self, id: &Canonical) -> usize {
        self.by_family.get(&id.to_string()).map_or(0, Vec::len)
    }
}

impl Carriers for Shelf {
    type Error = std::convert::Infallible;

    fn records(&mut self, ids: &[Canonical]) -> Result<Vec<Record>, Self::Error> {
        let indices = ids.iter().filter_map(|id| self.by_family.get(&id.to_string())).flatten();
        let mut indices: Vec<usize> = indices.copied().collect();
        indices.sort_unstable();
        indices.dedup();
        Ok(indices.into_iter().map(|index| self.records[index].clone()).collect())
    }

    fn blocks(&mut self, id: &Canonical) -> Result<usize, Self::Error> {
        Ok(self.by_family.get(&id.to_string()).map_or(0, |of| of.len().div_ceil(64)))
    }

    fn blocks_damaged(&self) -> usize {
        0
    }
}

impl World {
    pub fn new(seed: u64, kind: Kind) -> Self {
        let mut random = Rng::with_seed(seed);
        let hosts = random.usize(2..6);
        let seconds = if kind == Kind::Huge { 100 } else { random.i64(40..160) };
        let end_ns = BEGIN_NS + seconds * SECOND;
        let mut files: Vec<(usize, File)> = Vec::new();
        for host in 0..hosts {
            for _ in 0..random.usize(1..4) {
                let steps = [1, 1, 1_000, MS, MS, SECOND];
                let step_ns = if kind == Kind::Calm { 1_000 } else { steps[random.usize(..steps.len())] };
                let source = Uuid::from_u128(random.u128(1..));
                let service = format!("service-{}", files.len());
                files.push((host, File { source, service, step_ns, lines: Vec::new(), shipped: 0, lost: None }));
            }
        }
        let (requests, lines) = match kind {
            Kind::Huge => requests::huge(&mut random, files.len(), 100_000, BEGIN_NS + 20 * SECOND),
            _ => requests::write(&mut random, files.len(), 60, BEGIN_NS + 10 * SECOND, end_ns - 20 * SECOND),
        };
        for line in lines {
            files[line.file].1.lines.push(line);
        }
        let origin = Instant::now();
        let agents = (0..hosts).map(|host| {
            let own: Vec<File> = {
                let (own, rest): (Vec<_>, Vec<_>) = files.drain(..).partition(|(of, _)| *of == host);
                files = rest;
                own.into_iter().map(|(_, file)| file).collect()
            };
            let clock = HostClock::new(&mut random, kind == Kind::Calm, BEGIN_NS, end_ns);
            let id = Uuid::from_u128(random.u128(1..));
            let mut agent = Agent::new(id, format!("host-{host}"), clock, own, BEGIN_NS, origin, &mut random);
            if kind == Kind::Rough {
                trouble(&mut agent, &mut random, seconds);
            }
            agent
        });
        let agents = agents.collect();
        let catalog = tempfile::tempdir().expect("a folder");
        Self {
            kind,
            random,
            agents,
            requests,
            registry: Registry::default(),
            catalog,
            shelf: Shelf::default(),
            seconds,
        }
    }

    /// Plays it to its end. Everything that was asked is held against the truth.
    pub fn run(&mut self) -> Tally {
        let mut tally = Tally::default();
        let mut catalog = Store::open(self.catalog.path()).expect("a catalog");
        let steps = self.seconds * SECOND / STEP_NS;
        let asks = if self.kind == Kind::Huge { 2 } else { 60 };
        for step in 0..=steps {
            let now = BEGIN_NS + step * STEP_NS;
            for index in 0..self.agents.len() {
                let acts = self.agents[index].step(now, &mut self.random);
                acts.iter().for_each(|act| self.take(index, act, now));
            }
            if step % 200 == 0 {
                catalog.save(&self.registry, 0).expect("saved");
            }
            if self.kind == Kind::Rough && self.random.u16(..1_000) == 0 {
                catalog = self.restart(catalog);
            }
            if step % (steps / asks).max(1) == 0 && step > 0 {
                let request = self.random.usize(..self.requests.len());
                tally.add(&question::ask(self, request, now, &mut Rng::with_seed(step as u64)));
            }
        }
        // When all is over, everything that is not lost for good is there.
        let now = BEGIN_NS + self.seconds * SECOND;
        for request in 0..self.requests.len() {
            let mut late = question::ask(self, request, now, &mut Rng::with_seed(request as u64));
            (late.late, late.late_settled) = (late.asked, late.settled);
            tally.add(&late);
        }
        tally
    }

    /// The aggregator dies and comes back with what it had saved; frontiers and gaps stand in the WAL.
    fn restart(&mut self, catalog: Store) -> Store {
        drop(catalog);
        let catalog = Store::open(self.catalog.path()).expect("a catalog");
        let saved = Registry::default();
        catalog.load(&saved).expect("it was saved");
        let mut state = self.registry.write();
        let saved = saved.read();
        let known: Vec<Uuid> = state.agents.keys().copied().collect();
        for id in known {
            // Of one whose hello was not saved the WAL knows the sources.
            let agent = saved.agents.get(&id).cloned().unwrap_or_else(|| Known {
                host: state.agents[&id].host.clone(),
                last_seen_ns: state.agents[&id].last_seen_ns,
                ..Known::default()
            });
            state.agents.insert(id, agent);
        }
        for agent in &mut self.agents {
            agent.connected = false;
        }
        drop(state);
        catalog
    }

    fn take(&mut self, index: usize, act: &Act, now: i64) {
        let agent = &self.agents[index];
        let mut state = self.registry.write();
        match act {
            Act::Hello => {
                let hello = v1::Hello { host: agent.host.clone(), epoch: 1, ..Default::default() };
                state.hello(agent.id, &hello, now).expect("one session");
                for file in &agent.files {
                    let open = v1::OpenSource {
                        source_id: file.source.into_bytes().to_vec().into(),
                        service: file.service.clone(),
                        ..Default::default()
                    };
                    state.open(agent.id, &open, now);
                }
            }
            Act::Goodbye => state.goodbye(agent.id, agent.files.iter().map(|file| &file.source)),
            Act::Watermark(watermark) => {
                state.watermark(agent.id, watermark);
                if let Some(agent) = state.agents.get_mut(&agent.id) {
                    agent.last_seen_ns = now;
                }
            }
            Act::Gap(file, begin, end) => {
                let (file, begin, end) = (*file, *begin, *end);
                let gap = GapRecord {
                    source: agent.files[file].source.into_bytes().to_vec(),
                    begin: begin as u64 * LINE_BYTES,
                    end: end as u64 * LINE_BYTES,
                    ..GapRecord::default()
                };
                state.apply(&Event::Gap(gap), now);
            }
            Act::Batch(file, begin, end) => {
                let (file, begin, end) = (&agent.files[*file], *begin, *end);
                let received_ns = now + self.random.i64(MS / 20..agent.latency_ns);
                let batch = BatchRecord {
                    source: file.source.into_bytes().to_vec(),
                    begin: begin as u64 * LINE_BYTES,
                    end: end as u64 * LINE_BYTES,
                    taken_from: begin as u64 * LINE_BYTES,
                    records: (end - begin) as u32,
                    ..BatchRecord::default()
                };
                state.apply(&Event::Batch(batch), received_ns);
                let source = Arc::clone(&state.sources[&file.source].source);
                for number in begin..end {
                    self.shelf.put(record(&source, &agent.clock, file, number, received_ns));
                }
            }
        }
    }
}

/// What may go wrong with an agent.
fn trouble(agent: &mut Agent, random: &mut Rng, seconds: i64) {
    // Of an agent that never came nobody can know.
    let at = |random: &mut Rng| BEGIN_NS + random.i64(3..seconds) * SECOND;
    for _ in 0..random.usize(0..3) {
        let from = at(random);
        agent.away.push((from, from + random.i64(1..60) * SECOND));
    }
    if random.u8(..4) == 0 {
        agent.dies_ns = at(random);
    }
    if random.u8(..3) == 0 {
        agent.delay_ns = random.i64(0..20 * SECOND);
    }
    if random.u8(..3) == 0 {
        agent.speed = random.usize(1..4);
    }
    agent.latency_ns = random.i64(MS..80 * MS);
    for file in &mut agent.files {
        if random.u8(..6) == 0 && file.lines.len() > 4 {
            let from = random.usize(1..file.lines.len() - 2);
            file.lost = Some((from, from + random.usize(1..3)));
        }
    }
}

/// What the agent makes of a line.
fn record(source: &Arc<Source>, clock: &HostClock, file: &File, number: usize, received_ns: i64) -> Record {
    let line: &Written = &file.lines[number];
    // A line without a time has that of the last one that has one.
    let stamped = file.lines[..=number].iter().rev().find(|line| !line.is_rest).unwrap_or(line);
    let shown = clock.at(stamped.at_ns);
    Record {
        time: shown - shown.rem_euclid(file.step_ns),
        severity: 3,
        flags: if line.is_rest && !std::ptr::eq(stamped, line) { RecordFlag::TimeInherited as u8 } else { 0 },
        marks: 0,
        source: Arc::clone(source),
        position: number as u64 * LINE_BYTES,
        received_ns,
        length: LINE_BYTES as u32,
        ids: line.ids.clone(),
        line: line.text.clone().into_bytes(),
    }
}

impl World {
    /// The line that a record was.
    pub fn written(&self, record: &Record) -> &Written {
        let file = self.agents.iter().flat_map(|agent| &agent.files).find(|file| file.source == record.source.id);
        &file.expect("every source is a file").lines[(record.position / LINE_BYTES) as usize]
    }
}
