//! Dedupes, logs, syncs, acknowledges, and hands on to the head.
//!
//! One thread owns the WAL and alone moves frontiers, so that "is this range new?" has one answer. What waits in the queue
//! while a group is synced becomes the next group.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use clew_proto::v1;
use clew_service::shutdown::CancellationToken;
use prost::Message;
use uuid::Uuid;

use super::session::Peer;
use crate::batch::Batch;
use crate::catalog::registry::Registry;
use crate::clock;
use crate::health::{Health, Part};
use crate::metrics::Metrics;
use crate::source::Source;
use crate::space;
use crate::wal::entry::{BatchRecord, Entry, Event, GapRecord, uuid};
use crate::wal::writer::Writer;

/// What a session asks for.
pub struct Request {
    /// Who asks.
    pub peer: Arc<Peer>,
    /// The source's number in that session.
    pub alias: u32,
    /// What.
    pub ask: Ask,
}

/// What a session asks for.
pub enum Ask {
    /// Open a source.
    Open(v1::OpenSource),
    /// Take a batch, decoded and as it is logged.
    Batch {
        /// The source.
        source: Arc<Source>,
        /// Decoded.
        batch: Box<Batch>,
        /// As it is logged; the journal fills in `taken_from`.
        record: BatchRecord,
    },
    /// Note a gap.
    Gap(GapRecord),
    /// Pass on what the agent promises: behind every batch that it had been told was durable.
    Watermark(v1::Watermark),
}

/// What the journal hands to the head, in order.
pub enum Handed {
    /// A durable batch.
    Batch(Durable),
    /// A promise about everything before it.
    Watermark {
        /// Whose.
        agent: Uuid,
        /// What.
        watermark: v1::Watermark,
    },
}

/// A durable batch on its way to the head.
pub struct Durable {
    /// Its source.
    pub source: Arc<Source>,
    /// What is new of it.
    pub batch: Arc<Batch>,
    /// When it was received.
    pub received_ns: i64,
    /// Where its WAL entry ends.
    pub wal_end: u64,
    /// Whose credit comes back when it is in the head.
    pub peer: Arc<Peer>,
    /// How much.
    pub credit: u64,
}

/// A group takes no more than this much of the queue.
const GROUP_REQUESTS_MAX: usize = 512;
const GROUP_BYTES_MAX: usize = 8 << 20;
/// The free space is looked at this often, and after every failure.
const SPACE_INTERVAL: Duration = Duration::from_millis(200);

/// See the module.
pub struct Journal {
    /// The log.
    pub wal: Writer,
    /// Frontiers.
    pub registry: Arc<Registry>,
    /// Where durable batches go.
    pub head: SyncSender<Handed>,
    /// Told of trouble.
    pub health: Arc<Health>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Whose file system must have `disk_free_min` free bytes.
    pub data_dir: PathBuf,
    /// See `data_dir`.
    pub disk_free_min: u64,
    /// When the space was looked at, and what there was.
    pub space_checked: Option<Instant>,
    /// The last time given to an entry: they never go back.
    pub last_ns: i64,
    /// When it is cancelled, the journal empties its queue and ends.
    pub stopping: CancellationToken,
}

/// A group while it is put together.
#[derive(Default)]
struct Group {
    /// Frontiers as they will be when the group is durable.
    frontiers: HashMap<Uuid, u64>,
    /// To be told their frontier, by session.
    acknowledge: Vec<(Arc<Peer>, u32, Uuid)>,
    events: Vec<(Event, i64)>,
    durable: Vec<Durable>,
    /// Stated before this group: they do not depend on it.
    watermarks: Vec<(Uuid, v1::Watermark)>,
    /// Sources that are logged with this group.
    created: Vec<Uuid>,
    bytes: usize,
}

impl Group {
    /// Whether `ask` opens a source whose frontier this group moves.
    fn moves(&self, ask: &Ask) -> bool {
        match ask {
            Ask::Open(open) => uuid(&open.source_id).is_some_and(|source| self.frontiers.contains_key(&source)),
            Ask::Batch { .. } | Ask::Gap(_) | Ask::Watermark(_) => false,
        }
    }
}

impl Journal {
    /// Works until it is told to stop. Returns where the WAL ends.
    pub fn run(mut self, requests: &Receiver<Request>) -> u64 {
        loop {
            match requests.recv_timeout(SPACE_INTERVAL) {
                Ok(first) => self.group(first, requests),
                Err(RecvTimeoutError::Timeout) if self.stopping.is_cancelled() => return self.wal.end(),
                Err(RecvTimeoutError::Timeout) => self.look_at_space(),
                Err(RecvTimeoutError::Disconnected) => return self.wal.end(),
            }
        }
    }

    fn group(&mut self, first: Request, requests: &Receiver<Request>) {
        let mut group = Group::default();
        let mut peers = Vec::new();
        let mut taken = 0;
        let mut next = Some(first);
        while let Some(request) = next {
            if group.moves(&request.ask) {
                // What the agent is told of a source is durable, and its frontier and guard belong together.
                self.finish(std::mem::take(&mut group), &peers);
            }
            if !peers.iter().any(|peer| Arc::ptr_eq(peer, &request.peer)) {
                peers.push(Arc::clone(&request.peer));
            }
            self.take(&mut group, request);
            taken += 1;
            let more = taken < GROUP_REQUESTS_MAX && group.bytes < GROUP_BYTES_MAX;
            next = if more { requests.try_recv().ok() } else { None };
        }
        self.finish(group, &peers);
    }

    fn finish(&mut self, mut group: Group, peers: &[Arc<Peer>]) {
        for (agent, watermark) in group.watermarks.drain(..) {
            // A later one says the same: none is waited for.
            let _ = self.head.try_send(Handed::Watermark { agent, watermark });
        }
        match self.make_durable(&group) {
            Ok(()) => self.hand_on(group),
            Err(why) => self.refuse(&group, peers, &why),
        }
    }

    fn take(&mut self, group: &mut Group, request: Request) {
        let Request { peer, alias, ask } = request;
        if let Some(epoch) = self.fenced(&peer) {
            self.metrics.fenced.inc();
            peer.goodbye(v1::GoodbyeReason::Fenced, "another session with this agent_id has a higher epoch", epoch);
            return;
        }
        self.last_ns = self.last_ns.max(clock::now_ns());
        match ask {
            Ask::Open(open) => self.open(group, &peer, &open),
            Ask::Batch { source, batch, record } => self.batch(group, peer, alias, source, batch, record),
            Ask::Gap(gap) => self.gap(group, &peer, alias, gap),
            Ask::Watermark(watermark) => group.watermarks.push((peer.agent, watermark)),
        }
    }

    fn fenced(&self, peer: &Peer) -> Option<u64> {
        let state = self.registry.read();
        state.agents.get(&peer.agent).map(|agent| agent.epoch).filter(|epoch| *epoch > peer.epoch)
    }

    fn open(&mut self, group: &mut Group, peer: &Arc<Peer>, open: &v1::OpenSource) {
        let opened = self.registry.write().open(peer.agent, open, self.last_ns);
        let Some(opened) = opened else {
            return peer.goodbye(v1::GoodbyeReason::Malformed, "source_id is not 16 bytes", 0);
        };
        if let (Some(record), Some(source)) = (opened.created, &opened.source) {
            group.created.push(source.id);
            self.log(group, Event::Source(record));
        }
        if let Some(source) = opened.source {
            peer.opened(open.source, source);
        }
        peer.send(v1::aggregator_message::Message::SourceState(opened.state));
    }

    fn batch(
        &mut self,
        group: &mut Group,
        peer: Arc<Peer>,
        alias: u32,
        source: Arc<Source>,
        mut batch: Box<Batch>,
        mut record: BatchRecord,
    ) {
        let Some(frontier) = self.frontier(group, source.id) else {
            return refused(&peer, alias, batch.begin, 0, v1::RefusedReason::NotOpen);
        };
        let credit = batch.end - batch.begin;
        if batch.begin > frontier {
            self.metrics.batches_ahead.inc();
            refused(&peer, alias, batch.begin, frontier, v1::RefusedReason::Ahead);
            return peer.credit(credit);
        }
        if batch.begin < frontier {
            self.metrics.batches_behind.inc();
        }
        if batch.end <= frontier {
            group.acknowledge.push((Arc::clone(&peer), alias, source.id));
            return peer.credit(credit);
        }
        if let Err(why) = batch.trim(frontier) {
            tracing::debug!("batch [{}, {}): {why}", batch.begin, batch.end);
            refused(&peer, alias, batch.begin, frontier, v1::RefusedReason::Ahead);
            return peer.credit(credit);
        }
        group.acknowledge.push((Arc::clone(&peer), alias, source.id));
        record.taken_from = frontier;
        record.counts = Some(batch.counts());
        group.frontiers.insert(source.id, batch.end);
        let received_ns = self.last_ns;
        let wal_end = self.log(group, Event::Batch(record));
        group.bytes += batch.raw.len();
        let batch = Arc::from(batch);
        group.durable.push(Durable { source, batch, received_ns, wal_end, peer, credit });
    }

    fn gap(&mut self, group: &mut Group, peer: &Arc<Peer>, alias: u32, gap: GapRecord) {
        let id = uuid(&gap.source);
        let Some((id, frontier)) = id.and_then(|id| Some((id, self.frontier(group, id)?))) else {
            return refused(peer, alias, gap.begin, 0, v1::RefusedReason::NotOpen);
        };
        if gap.begin > frontier {
            return refused(peer, alias, gap.begin, frontier, v1::RefusedReason::Ahead);
        }
        group.acknowledge.push((Arc::clone(peer), alias, id));
        let declared = || self.registry.read().sources.get(&id).is_some_and(|entry| entry.has_open_end(gap.end));
        if gap.end > frontier || gap.open_ended && gap.end == frontier && !declared() {
            self.metrics.gaps.inc();
            group.frontiers.insert(id, gap.end);
            self.log(group, Event::Gap(GapRecord { begin: frontier, ..gap }));
        }
    }

    fn frontier(&self, group: &Group, source: Uuid) -> Option<u64> {
        let pending = group.frontiers.get(&source).copied();
        pending.or_else(|| self.registry.read().sources.get(&source).map(|entry| entry.frontier))
    }

    fn log(&mut self, group: &mut Group, event: Event) -> u64 {
        let entry = Entry { received_ns: self.last_ns, event: Some(event) };
        let end = self.wal.append(&entry.encode_to_vec());
        group.events.push((entry.event.expect("just put there"), self.last_ns));
        end
    }

    fn make_durable(&mut self, group: &Group) -> Result<(), String> {
        if group.events.is_empty() {
            return Ok(());
        }
        if self.space_checked.is_none_or(|checked| checked.elapsed() > SPACE_INTERVAL) {
            self.look_at_space();
        }
        if let Some(why) = self.health.of(Part::Disk) {
            self.wal.discard();
            return Err(why);
        }
        let before = self.wal.end();
        let started = Instant::now();
        match self.wal.commit() {
            Ok(()) => {
                self.metrics.wal_seconds.observe(started.elapsed().as_secs_f64());
                self.metrics.wal_groups.inc();
                self.metrics.wal_bytes.inc_by(self.wal.end() - before);
                self.health.well(Part::Wal);
                Ok(())
            }
            Err(error) => {
                self.metrics.wal_failures.inc();
                self.space_checked = None;
                self.health.trouble(Part::Wal, &error);
                Err(error.to_string())
            }
        }
    }

    fn look_at_space(&mut self) {
        self.space_checked = Some(Instant::now());
        match space::free_bytes(&self.data_dir) {
            Ok(free) => {
                self.metrics.disk_free_bytes.set(free);
                if free < self.disk_free_min {
                    let (dir, min) = (self.data_dir.display(), self.disk_free_min);
                    self.health.trouble(
                        Part::Disk,
                        format!("less than {min} bytes (limits.disk_free_min) are free under {dir}: nothing more is acknowledged until there are"),
                    );
                } else {
                    self.health.well(Part::Disk);
                }
            }
            Err(error) => {
                self.health.trouble(Part::Disk, format!("look at space under {}: {error}", self.data_dir.display()));
            }
        }
    }

    /// The group is durable: move the frontiers, acknowledge, hand on.
    fn hand_on(&mut self, group: Group) {
        let mut frontiers: Vec<(Arc<Peer>, Vec<v1::SourceFrontier>)> = Vec::new();
        {
            let mut state = self.registry.write();
            for (event, received_ns) in &group.events {
                state.apply(event, *received_ns);
            }
            for (peer, alias, source) in group.acknowledge {
                let Some(frontier) = state.sources.get(&source).map(|entry| entry.frontier) else { continue };
                let known = frontiers.iter_mut().find(|(known, _)| Arc::ptr_eq(known, &peer));
                let list = match known {
                    Some((_, list)) => list,
                    None => {
                        frontiers.push((peer, Vec::new()));
                        &mut frontiers.last_mut().expect("just pushed").1
                    }
                };
                match list.iter_mut().find(|known| known.source == alias) {
                    Some(known) => known.frontier = frontier,
                    None => list.push(v1::SourceFrontier { source: alias, frontier }),
                }
            }
        }
        for (peer, frontiers) in frontiers {
            peer.send(v1::aggregator_message::Message::Ack(v1::Ack { frontiers }));
        }
        for durable in group.durable {
            self.metrics.batches.inc();
            self.metrics.records.inc_by(durable.batch.records() as u64);
            self.metrics.raw_bytes.inc_by(durable.batch.raw.len() as u64);
            self.head.send(Handed::Batch(durable)).expect("the head outlives the journal");
        }
    }

    /// Nothing of the group is durable: its sessions end, the agents come back later and go on at the old frontiers.
    fn refuse(&self, group: &Group, peers: &[Arc<Peer>], why: &str) {
        let mut state = self.registry.write();
        for source in &group.created {
            state.forget(*source);
        }
        for peer in peers {
            peer.goodbye(v1::GoodbyeReason::Unavailable, why, 0);
        }
    }
}

fn refused(peer: &Peer, source: u32, begin: u64, frontier: u64, reason: v1::RefusedReason) {
    peer.send(v1::aggregator_message::Message::Refused(v1::Refused {
        source,
        begin,
        frontier,
        reason: reason as i32,
        detail: String::new(),
    }));
}
