//! Agents and sources in memory.
//!
//! Invariant: a source's frontier is moved only by what is durable in the WAL, and never back.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};

use clew_proto::v1;
use uuid::Uuid;

use super::absence::{Absence, Why};
use super::host_clock::HostClock;
use crate::access::principal::Owner;
use crate::source::Source;
use crate::wal::entry::{BatchRecord, Counts, Event, GapRecord, SourceRecord, uuid};

/// Shared by sessions, journal and status pages.
#[derive(Default)]
pub struct Registry {
    state: RwLock<State>,
}

/// What the registry holds.
#[derive(Default)]
pub struct State {
    /// Every agent that ever said hello.
    pub agents: HashMap<Uuid, Agent>,
    /// Every source.
    pub sources: HashMap<Uuid, SourceEntry>,
    /// Retention has removed everything that was received before; zero: nothing.
    pub removed_before_ns: i64,
    /// Days since the epoch whose partitions are damaged and set aside.
    pub days_aside: Vec<i64>,
    /// Times of receipt of which a restore left something out.
    pub absences: Vec<Absence>,
    by_file: HashMap<FileKey, Vec<Uuid>>,
    by_prefix: HashMap<PrefixKey, Vec<Uuid>>,
}

/// Agent, device, inode.
type FileKey = (Uuid, u64, u64);
/// Agent, length and hash of the file's first bytes.
type PrefixKey = (Uuid, u32, u64);

/// An agent, as it was last heard.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agent {
    /// Its host name.
    pub host: String,
    /// Its version.
    pub version: String,
    /// The highest epoch that said hello.
    pub epoch: u64,
    /// Whose it is; none: it came through an open door.
    pub owner: Option<Owner>,
    /// Open sessions; not kept.
    pub sessions: u32,
    /// When it was last heard, nanoseconds since the epoch.
    pub last_seen_ns: i64,
    /// Everything that its files held at this time, by our clock, is held here; zero: never said.
    pub watermark_ns: i64,
    /// Bytes in its files that are not acknowledged.
    pub unread_bytes: u64,
    /// Our clock minus its clock.
    pub clock_offset_ns: i64,
    /// Give or take; zero: not measured.
    pub clock_uncertainty_ns: u64,
    /// Everything that was measured of its clock.
    pub clock: Arc<HostClock>,
    /// An operator said that it will not come back; zero: nobody did, or it came back.
    pub retired_ns: i64,
    /// It said itself that it will not, with everything delivered.
    pub has_left: bool,
    /// Not in the snapshot yet.
    pub dirty: bool,
}

impl Agent {
    /// Its watermark; none: it never said.
    pub fn watermark(&self) -> Option<i64> {
        (self.watermark_ns > 0).then_some(self.watermark_ns)
    }

    /// Its clock was measured at `now_ns` by ours.
    pub fn measured(&mut self, now_ns: i64, offset_ns: i64, uncertainty_ns: u64, era: u64) {
        (self.clock_offset_ns, self.clock_uncertainty_ns) = (offset_ns, uncertainty_ns);
        Arc::make_mut(&mut self.clock).measured(now_ns, offset_ns, uncertainty_ns, era);
        self.dirty = true;
    }
}

/// A source and how far it is held.
#[derive(Clone, Debug)]
pub struct SourceEntry {
    /// What never changes.
    pub source: Arc<Source>,
    /// Device of its file.
    pub device: u64,
    /// Inode of its file.
    pub inode: u64,
    /// Of the file's first bytes, the longest that was sent.
    pub prefix: Option<v1::Fingerprint>,
    /// Of the bytes before the frontier.
    pub guard: Option<v1::Fingerprint>,
    /// Everything before it is durable.
    pub frontier: u64,
    /// Where the account in `counts` begins: `begin` and all bytes in it make the frontier.
    pub begin: u64,
    /// What became of the bytes since.
    pub counts: Counts,
    /// Ranges that were given up.
    pub gaps: Vec<GapRecord>,
    /// When something last arrived.
    pub last_ns: i64,
    /// Some session follows it; not kept.
    pub open: bool,
    /// Not in the snapshot yet.
    pub dirty: bool,
}

/// What opening a source came to.
pub struct Opened {
    /// What the agent is told.
    pub state: v1::SourceState,
    /// The source, unless there are candidates to compare first.
    pub source: Option<Arc<Source>>,
    /// To be logged: the source is new.
    pub created: Option<SourceRecord>,
}

/// No more candidates are offered for one file, beside those that the agent asks about.
const CANDIDATES_MAX: usize = 16;
/// About no more an agent may ask.
const ASKED_MAX: usize = 64;

impl Registry {
    /// For reading; hold it briefly.
    pub fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().expect("no thread panics with the registry in hand")
    }

    /// For changing; hold it briefly.
    pub fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().expect("no thread panics with the registry in hand")
    }
}

impl State {
    /// Whether this came back from a backup once, so that what was acknowledged after that may be unknown here.
    pub fn is_restored(&self) -> bool {
        self.absences.iter().any(|absence| absence.why == Why::AfterBackup)
    }

    /// An agent says hello. The error is the epoch that holds its name: a higher one, as long as a session of it is open.
    pub fn hello(&mut self, id: Uuid, hello: &v1::Hello, now_ns: i64) -> Result<(), u64> {
        let agent = self.agents.entry(id).or_default();
        if hello.epoch < agent.epoch && agent.sessions > 0 {
            return Err(agent.epoch);
        }
        agent.epoch = hello.epoch;
        agent.host.clone_from(&hello.host);
        agent.version.clone_from(&hello.version);
        agent.sessions += 1;
        agent.last_seen_ns = now_ns;
        agent.retired_ns = 0;
        agent.has_left = false;
        agent.dirty = true;
        Ok(())
    }

    /// Whose the agent is from now on. Answers whose it was, if that is news: it has to be written down before anything is taken.
    pub fn bind(&mut self, id: Uuid, owner: Option<Owner>) -> Option<Option<Owner>> {
        let agent = self.agents.entry(id).or_default();
        (agent.owner != owner).then(|| {
            agent.dirty = true;
            std::mem::replace(&mut agent.owner, owner)
        })
    }

    /// Everything that the agent's files held at the watermark's time can be found.
    pub fn watermark(&mut self, id: Uuid, watermark: &v1::Watermark) {
        if let Some(agent) = self.agents.get_mut(&id) {
            let time = |time_ns: u64| i64::try_from(time_ns).ok().filter(|time_ns| *time_ns > 0);
            agent.watermark_ns = time(watermark.time_ns).unwrap_or(agent.watermark_ns);
            agent.unread_bytes = watermark.unread_bytes;
            agent.has_left = watermark.leaves;
            agent.dirty = true;
            if let Some(now_ns) = time(watermark.clock_time_ns).filter(|_| watermark.clock_uncertainty_ns > 0) {
                let (offset_ns, uncertainty_ns) = (watermark.clock_offset_ns, watermark.clock_uncertainty_ns);
                agent.measured(now_ns, offset_ns, uncertainty_ns, watermark.clock_era);
            }
        }
    }

    /// An operator says that the agent will not come back. None: there is no such agent; false: a session of it is open.
    pub fn retire(&mut self, id: Uuid, now_ns: i64) -> Option<bool> {
        let agent = self.agents.get_mut(&id)?;
        let is_away = agent.sessions == 0;
        if is_away {
            agent.retired_ns = now_ns;
            // Whoever comes as it is another one.
            agent.owner = None;
            agent.dirty = true;
        }
        Some(is_away)
    }

    /// A session of the agent ended; `sources` are those that it had open.
    pub fn goodbye<'a>(&mut self, id: Uuid, sources: impl Iterator<Item = &'a Uuid>) {
        if let Some(agent) = self.agents.get_mut(&id) {
            agent.sessions = agent.sessions.saturating_sub(1);
        }
        for source in sources {
            if let Some(entry) = self.sources.get_mut(source) {
                entry.open = false;
            }
        }
    }

    /// Opens a source for `agent`.
    pub fn open(&mut self, agent: Uuid, request: &v1::OpenSource, now_ns: i64) -> Option<Opened> {
        let id = uuid(&request.source_id)?;
        let mut state = v1::SourceState { source: request.source, ..Default::default() };
        if let Some(entry) = self.sources.get_mut(&id) {
            entry.open = true;
            state.known = true;
            state.frontier = entry.frontier;
            state.guard = entry.guard;
            state.prefix = entry.prefix;
            return Some(Opened { state, source: Some(Arc::clone(&entry.source)), created: None });
        }
        if request.fresh {
            state.candidates = self.candidates(agent, request);
            if !state.candidates.is_empty() {
                return Some(Opened { state, source: None, created: None });
            }
        }
        let record = SourceRecord {
            source: id.into_bytes().to_vec(),
            agent: agent.into_bytes().to_vec(),
            host: self.agents.get(&agent).map(|agent| agent.host.clone()).unwrap_or_default(),
            service: request.service.clone(),
            path: request.path.to_vec(),
            device: request.device,
            inode: request.inode,
            prefix: request.prefix,
            frontier: request.begin,
            last_ns: now_ns,
            begin: request.begin,
            counts: Some(Counts::default()),
            labels: request.labels.clone(),
            ..Default::default()
        };
        let entry = self.insert(&record)?;
        entry.open = true;
        state.frontier = entry.frontier;
        let source = Some(Arc::clone(&entry.source));
        Some(Opened { state, source, created: Some(record) })
    }

    /// Forgets a source that could not be logged.
    pub fn forget(&mut self, id: Uuid) {
        if let Some(entry) = self.sources.remove(&id) {
            remove(&mut self.by_file, &entry.file_key(), id);
            if let Some(key) = entry.prefix_key() {
                remove(&mut self.by_prefix, &key, id);
            }
        }
    }

    /// The sources of `agent` that the file of `request` may be: those that the agent asks about, those of the same file, those
    /// that begin alike.
    fn candidates(&self, agent: Uuid, request: &v1::OpenSource) -> Vec<v1::Candidate> {
        let prefix = prefix_key(agent, request.prefix.filter(|_| request.may_be_copy));
        let asked: BTreeSet<Uuid> = request.may_copy.iter().take(ASKED_MAX).filter_map(|id| uuid(id)).collect();
        let same_file = self.by_file.get(&(agent, request.device, request.inode)).into_iter().flatten().copied();
        let same_prefix = prefix.and_then(|prefix| self.by_prefix.get(&prefix)).into_iter().flatten().copied();
        let others: BTreeSet<Uuid> = same_file.chain(same_prefix).filter(|id| !asked.contains(id)).collect();
        let of_agent = |entry: &&SourceEntry| entry.source.agent == agent;
        let mut others: Vec<_> = others.iter().filter_map(|id| self.sources.get(id)).filter(of_agent).collect();
        others.sort_by_key(|entry| std::cmp::Reverse(entry.last_ns));
        let asked = asked.iter().filter_map(|id| self.sources.get(id)).filter(of_agent);
        asked
            .chain(others.into_iter().take(CANDIDATES_MAX))
            .map(|entry| v1::Candidate {
                source_id: entry.source.id.into_bytes().to_vec().into(),
                frontier: entry.frontier,
                prefix: entry.prefix,
                guard: entry.guard,
            })
            .collect()
    }

    /// Brings back what the snapshot or the WAL says of a source.
    pub fn insert(&mut self, record: &SourceRecord) -> Option<&mut SourceEntry> {
        let source = Source {
            id: uuid(&record.source)?,
            agent: uuid(&record.agent)?,
            host: record.host.clone(),
            service: record.service.clone(),
            path: record.path.clone(),
            labels: record.labels.iter().map(|label| (label.name.clone(), label.value.clone())).collect(),
        };
        // Whose hello was not saved is known by its sources, and has not said how far it is.
        let unsaved =
            || Agent { host: record.host.clone(), last_seen_ns: record.last_ns, dirty: true, ..Agent::default() };
        self.agents.entry(source.agent).or_insert_with(unsaved);
        let id = source.id;
        let entry = SourceEntry {
            source: Arc::new(source),
            device: record.device,
            inode: record.inode,
            prefix: record.prefix,
            guard: record.guard,
            frontier: record.frontier,
            begin: if record.counts.is_some() { record.begin } else { record.frontier },
            counts: record.counts.unwrap_or_default(),
            gaps: record.gaps.clone(),
            last_ns: record.last_ns,
            open: false,
            dirty: true,
        };
        add(&mut self.by_file, entry.file_key(), id);
        if let Some(key) = entry.prefix_key() {
            add(&mut self.by_prefix, key, id);
        }
        Some(self.sources.entry(id).insert_entry(entry).into_mut())
    }

    /// A durable WAL entry. Doing it twice changes nothing.
    pub fn apply(&mut self, event: &Event, received_ns: i64) {
        match event {
            Event::Source(record) => {
                if uuid(&record.source).is_some_and(|id| !self.sources.contains_key(&id)) {
                    self.insert(record);
                }
            }
            Event::Batch(batch) => self.apply_batch(batch, received_ns),
            Event::Gap(gap) => self.apply_gap(gap, received_ns),
        }
    }

    fn apply_batch(&mut self, batch: &BatchRecord, received_ns: i64) {
        let entry = uuid(&batch.source).and_then(|id| self.sources.get_mut(&id));
        if let Some(entry) = entry
            && batch.end > entry.frontier
        {
            let stored = || Counts {
                stored_bytes: batch.end - batch.taken_from.max(entry.frontier),
                records: u64::from(batch.records),
                ..Counts::default()
            };
            let counts = batch.counts.unwrap_or_else(stored);
            entry.counts.add(&counts);
            entry.frontier = batch.end;
            entry.guard = batch.guard;
            entry.last_ns = received_ns;
            entry.dirty = true;
            let before = entry.prefix_key();
            entry.prefix = batch.prefix.or(entry.prefix);
            let after = entry.prefix_key();
            if before != after {
                before.into_iter().for_each(|key| remove(&mut self.by_prefix, &key, entry.source.id));
                after.into_iter().for_each(|key| add(&mut self.by_prefix, key, entry.source.id));
            }
        }
    }

    fn apply_gap(&mut self, gap: &GapRecord, received_ns: i64) {
        let Some(entry) = uuid(&gap.source).and_then(|id| self.sources.get_mut(&id)) else { return };
        let moves = gap.end > entry.frontier;
        let opens_end = gap.open_ended && gap.end == entry.frontier && !entry.has_open_end(gap.end);
        if !moves && !opens_end {
            return;
        }
        if moves {
            entry.counts.gap_bytes += gap.end - entry.frontier;
            entry.frontier = gap.end;
            entry.guard = None;
        }
        // Everything that the agent's files held at its watermark is held here: what is lost was written later.
        let watermark_ns = self.agents.get(&entry.source.agent).and_then(Agent::watermark).unwrap_or(0);
        let since_ns = entry.last_ns.min(watermark_ns);
        entry.gaps.push(GapRecord { source: Vec::new(), declared_ns: received_ns, since_ns, ..gap.clone() });
        entry.last_ns = received_ns;
        entry.dirty = true;
    }
}

fn prefix_key(agent: Uuid, prefix: Option<v1::Fingerprint>) -> Option<PrefixKey> {
    prefix.filter(|prefix| prefix.length > 0).map(|prefix| (agent, prefix.length, prefix.hash))
}

fn add<K: Eq + std::hash::Hash>(index: &mut HashMap<K, Vec<Uuid>>, key: K, id: Uuid) {
    let sources = index.entry(key).or_default();
    if !sources.contains(&id) {
        sources.push(id);
    }
}

fn remove<K: Eq + std::hash::Hash>(index: &mut HashMap<K, Vec<Uuid>>, key: &K, id: Uuid) {
    if let Some(sources) = index.get_mut(key) {
        sources.retain(|source| *source != id);
        if sources.is_empty() {
            index.remove(key);
        }
    }
}

impl SourceEntry {
    fn file_key(&self) -> FileKey {
        (self.source.agent, self.device, self.inode)
    }

    fn prefix_key(&self) -> Option<PrefixKey> {
        prefix_key(self.source.agent, self.prefix)
    }

    /// Whether a gap was declared that ends there and may go on.
    pub fn has_open_end(&self, end: u64) -> bool {
        self.gaps.iter().any(|gap| gap.open_ended && gap.end == end)
    }

    /// For the snapshot.
    pub fn record(&self) -> SourceRecord {
        SourceRecord {
            source: self.source.id.into_bytes().to_vec(),
            agent: self.source.agent.into_bytes().to_vec(),
            host: self.source.host.clone(),
            service: self.source.service.clone(),
            path: self.source.path.clone(),
            device: self.device,
            inode: self.inode,
            prefix: self.prefix,
            frontier: self.frontier,
            guard: self.guard,
            gaps: self.gaps.clone(),
            last_ns: self.last_ns,
            begin: self.begin,
            counts: Some(self.counts),
            labels: self
                .source
                .labels
                .iter()
                .map(|(name, value)| v1::Label { name: name.clone(), value: value.clone() })
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(id: u128, begin: u64, fresh: bool) -> v1::OpenSource {
        v1::OpenSource {
            source: 1,
            source_id: Uuid::from_u128(id).into_bytes().to_vec().into(),
            service: "a".into(),
            device: 1,
            inode: 2,
            begin,
            fresh,
            ..Default::default()
        }
    }

    fn batch(id: u128, begin: u64, end: u64) -> Event {
        let source = Uuid::from_u128(id).into_bytes().to_vec();
        Event::Batch(BatchRecord { source, begin, end, taken_from: begin, ..Default::default() })
    }

    #[test]
    fn an_unknown_source_starts_where_the_agent_says() {
        let mut state = State::default();
        let opened = state.open(Uuid::nil(), &open(9, 100, false), 5).unwrap();
        assert!(!opened.state.known && opened.created.is_some());
        assert_eq!(opened.state.frontier, 100);
        let again = state.open(Uuid::nil(), &open(9, 0, false), 6).unwrap();
        assert!(again.state.known && again.created.is_none());
        assert_eq!(again.state.frontier, 100);
    }

    #[test]
    fn a_fresh_file_meets_its_candidates() {
        let mut state = State::default();
        state.open(Uuid::nil(), &open(9, 0, true), 5).unwrap();
        state.apply(&batch(9, 0, 50), 6);
        let opened = state.open(Uuid::nil(), &open(10, 0, true), 7).unwrap();
        assert!(opened.source.is_none() && opened.created.is_none());
        assert_eq!(opened.state.candidates[0].frontier, 50);
        assert!(state.open(Uuid::nil(), &open(10, 0, false), 7).unwrap().created.is_some());
        assert!(state.open(Uuid::from_u128(3), &open(11, 0, true), 7).unwrap().created.is_some());
    }

    #[test]
    fn entries_apply_once_however_often() {
        let mut state = State::default();
        state.open(Uuid::nil(), &open(9, 0, true), 5).unwrap();
        let id = Uuid::from_u128(9);
        let source = id.into_bytes().to_vec();
        let gap = Event::Gap(GapRecord { source, begin: 50, end: 70, ..Default::default() });
        for event in [&batch(9, 0, 50), &gap, &batch(9, 0, 50), &gap, &batch(9, 70, 80)] {
            state.apply(event, 6);
        }
        assert_eq!((state.sources[&id].frontier, state.sources[&id].gaps.len()), (80, 1));
    }

    #[test]
    fn a_copy_meets_those_that_begin_alike() {
        let mut state = State::default();
        state.open(Uuid::nil(), &open(9, 0, true), 5).unwrap();
        let prefix = |length| Some(v1::Fingerprint { length, hash: 77 });
        for (begin, end) in [(0, 20), (20, 50)] {
            let Event::Batch(batch) = batch(9, begin, end) else { unreachable!() };
            state.apply(&Event::Batch(BatchRecord { prefix: prefix(end as u32), ..batch }), 6);
        }
        let copy =
            |length, may_be_copy| v1::OpenSource { inode: 3, prefix: prefix(length), may_be_copy, ..open(10, 0, true) };
        let candidates = |state: &mut State, request| {
            let opened = state.open(Uuid::nil(), &request, 7).unwrap();
            state.forget(Uuid::from_u128(10));
            opened.state.candidates.len()
        };
        assert_eq!(candidates(&mut state, copy(50, true)), 1);
        assert_eq!(candidates(&mut state, copy(20, true)), 0); // it has grown since
        assert_eq!(candidates(&mut state, copy(50, false)), 0);
        assert_eq!(candidates(&mut state, v1::OpenSource { inode: 2, ..copy(50, true) }), 1);
        // The agent remembers what it may be a copy of.
        let may_copy = vec![Uuid::from_u128(9).into_bytes().to_vec().into(); 2];
        let asked = v1::OpenSource { may_copy, ..copy(20, true) };
        assert_eq!(candidates(&mut state, asked.clone()), 1);
        let opened = state.open(Uuid::from_u128(3), &asked, 7).unwrap();
        assert!(opened.state.candidates.is_empty(), "another agent's source");
    }

    #[test]
    fn every_byte_is_accounted_for() {
        let mut state = State::default();
        state.open(Uuid::nil(), &open(9, 10, true), 5).unwrap();
        let id = Uuid::from_u128(9);
        let source = || id.into_bytes().to_vec();
        let Event::Batch(first) = batch(9, 10, 50) else { unreachable!() };
        let counts = Counts { stored_bytes: 30, records: 2, sampled_bytes: 10, ..Counts::default() };
        let first = Event::Batch(BatchRecord { counts: Some(counts), ..first });
        let gap = Event::Gap(GapRecord { source: source(), begin: 50, end: 70, ..Default::default() });
        let vanished =
            Event::Gap(GapRecord { source: source(), begin: 80, end: 80, open_ended: true, ..Default::default() });
        // The last batch is of an older version, which counted nothing.
        for _ in 0..2 {
            for event in [&first, &gap, &batch(9, 70, 80), &vanished, &vanished] {
                state.apply(event, 6);
            }
        }
        let entry = &state.sources[&id];
        assert_eq!(entry.gaps.len(), 2);
        let expected = Counts { stored_bytes: 40, sampled_bytes: 10, gap_bytes: 20, ..entry.counts };
        assert_eq!((entry.begin, entry.frontier, entry.counts), (10, 80, expected));
        let mut record = entry.record();
        let mut loaded = State::default();
        let same = loaded.insert(&record).unwrap();
        assert_eq!((same.begin, same.counts), (10, expected));
        // What an older version kept has no account: it begins where that version stopped.
        (record.begin, record.counts) = (0, None);
        assert_eq!(State::default().insert(&record).unwrap().begin, 80);
    }

    #[test]
    fn a_lower_epoch_is_fenced() {
        let mut state = State::default();
        let hello = |epoch| v1::Hello { epoch, ..Default::default() };
        assert_eq!(state.hello(Uuid::nil(), &hello(5), 0), Ok(()));
        assert_eq!(state.hello(Uuid::nil(), &hello(4), 0), Err(5));
        assert_eq!(state.hello(Uuid::nil(), &hello(5), 0), Ok(()));
        // Nobody holds the name any more.
        state.goodbye(Uuid::nil(), [].into_iter());
        state.goodbye(Uuid::nil(), [].into_iter());
        assert_eq!(state.hello(Uuid::nil(), &hello(4), 0), Ok(()));
    }
}
