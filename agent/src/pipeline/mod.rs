//! Wires the stages: discover > tail > assemble > parse > transaction > batch > ship. One thread owns all sources.
//!
//! | file | what it is |
//! | --- | --- |
//! | `source`, `table` | one incarnation of one file; all of them |
//! | `files` | what discovery found, what became of it, the passes over all files |
//! | `family` | a live file and its rotated siblings |
//! | `copies` | the same bytes in another file: copytruncate, compression |
//! | `examine` | how much a compressed file holds |
//! | `mount` | file systems that go away, and other mounts of the same files |
//! | `queue` | whose turn it is |
//! | `turn` | one source reads one batch and hands it to the session |
//! | `stage` | records between assembly and the batch |
//! | `line_reader`, `by_line` | lines, and the IDs that records get by them: attach, join |
//! | `catch_up` | what these need to read again, and to wait for |
//! | `session` | what the aggregator says |
//! | `reload` | a new configuration takes the place of the old one |
//! | `report` | what the operator is told |
//! | `once` | the end when all is shipped |
//! | `drain` | the end |
//! | `keeper` | writes checkpoints |
//!
//! The loop waits for an event or for the next thing that is due. Nothing in it blocks on the network: what cannot be sent now
//! waits in its file.

pub(crate) mod by_line;
mod catch_up;
mod copies;
mod drain;
mod examine;
mod family;
pub(crate) mod files;
mod keeper;
pub(crate) mod line_reader;
mod mount;
mod once;
mod queue;
mod reload;
pub mod report;
mod session;
pub mod source;
pub(crate) mod stage;
mod table;
pub(crate) mod turn;

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::batch::Builder;
use crate::checkpoint::{Checkpoint, Covered, Remembered, StateDir};
use crate::config::Config;
use crate::discover::walk::Walk;
use crate::discover::watch::Watch;
use crate::metrics::Metrics;
use crate::record::Fields;
use crate::report::{Books, Explanation, Reloaded, Status};
use crate::ship;
use crate::ship::clock::{Steadiness, now_ns};
use crate::tail::file::FileKey;
use crate::watermark::Watermark;
use catch_up::Joins;
use copies::Orphan;
use examine::Examiner;
use keeper::Keeper;
use queue::Queue;
use session::Session;
use source::Id;
use stage::Scratch;
use table::Table;

/// What wakes the pipeline.
#[derive(Debug)]
pub enum Event {
    Ship(ship::Event),
    /// There are hints of changed files.
    Hint,
    /// A checkpoint was written.
    Stored,
    /// A compressed file was examined.
    Examined(examine::Examined),
    /// The operator asks.
    Control(Control),
    /// Ship what there is, then end.
    Drain,
}

/// What the operator may ask; the answer goes back through `reply`.
#[derive(Debug)]
pub enum Control {
    Status(oneshot::Sender<Status>),
    Explain { path: PathBuf, reply: oneshot::Sender<Explanation> },
    Audit(oneshot::Sender<Books>),
    Reload { new: NewConfig, reply: oneshot::Sender<Reloaded> },
}

/// A configuration that takes the place of the one in force.
pub struct NewConfig {
    pub config: Arc<Config>,
    /// If it watches directories in another way.
    pub watch: Option<Watch>,
}

impl std::fmt::Debug for NewConfig {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{:?}", self.config)
    }
}

/// When the pipeline ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When it is told to drain.
    Told,
    /// When everything that the files hold is acknowledged; at the latest after this.
    Settled(Option<Duration>),
}

/// All files are looked at this often: the clock of the watermark.
const PASS_INTERVAL: Duration = Duration::from_secs(1);
/// With so many files that a look takes long, less often: looking takes half a thousandth of the time.
const PASS_REST: u32 = 2000;
const PASS_INTERVAL_MAX: Duration = Duration::from_secs(10);
/// Where hints do not come from everywhere, a look is what finds new lines of a quiet file.
const PASS_INTERVAL_UNWATCHED_MAX: Duration = Duration::from_secs(3);
/// What may be a copy, or waits for one, is looked at this often.
const COPIES_INTERVAL: Duration = Duration::from_secs(1);
const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(5);
/// A file that is new waits for the checkpoint in which it stands: so long, and a little longer for each file that stands there.
const CHECKPOINT_SOON: Duration = Duration::from_millis(20);
const CHECKPOINT_SOON_PER_FILE: Duration = Duration::from_micros(20);
/// A file that was cut off so soon after it last grew may have grown once more in between.
const GREW_LATELY: Duration = Duration::from_secs(60);
/// Hints of a changed directory are collected for this long before it is listed.
const RELIST_DELAY: Duration = Duration::from_millis(10);
/// A full outbox is looked at again after this.
const OUTBOX_DELAY: Duration = Duration::from_millis(10);
/// The checkpoint remembers a file that is not there any more for this long.
const REMEMBERED_S_MAX: u64 = 7 * 86_400;

pub struct Pipeline {
    config: Arc<Config>,
    metrics: Arc<Metrics>,
    events: Receiver<Event>,
    walk: Walk,
    watch: Watch,
    table: Table,
    /// Files of the checkpoint that were not found yet, or are not open any more.
    remembered: HashMap<FileKey, Remembered>,
    /// Those that its files lay on.
    remembered_devices: BTreeSet<u64>,
    /// When which source is due; entries that do not agree with the source are old.
    timers: BinaryHeap<Reverse<(Instant, Id)>>,
    /// Sources whose turn it is.
    queue: Queue,
    /// Sources that have to be announced, or whose gap has to be declared.
    announce: VecDeque<Id>,
    session: Option<Session>,
    builder: Builder,
    fields: Fields,
    buffer: Vec<u8>,
    scratch: Scratch,
    watermark: Watermark,
    steadiness: Steadiness,
    joins: Joins,
    keeper: Keeper,
    epoch: u64,
    /// Something changed since the last checkpoint.
    unsaved: bool,
    /// Paths that a warning was given about.
    refused: HashSet<PathBuf>,
    /// Of the checkpoint: what was not found, and may yet turn up as a copy.
    orphans: Vec<Orphan>,
    /// Files that hold nothing but what other sources delivered.
    covered: HashMap<FileKey, Covered>,
    /// Includes whose files were looked at before.
    started: HashSet<u64>,
    /// The first look at all files is over.
    reconciled: bool,
    examiner: Examiner,
    /// The number of the last examination, and how many are not answered.
    examination: u64,
    examinations: usize,
    /// The one compressed file that is being read.
    inflating: Option<Id>,
    /// Files that match and cannot be opened, since the last reconcile.
    unopened: HashSet<PathBuf>,
    pass: u64,
    relist: HashSet<PathBuf>,
    relist_at: Option<Instant>,
    reconcile_at: Instant,
    pass_at: Instant,
    copies_at: Instant,
    checkpoint_at: Instant,
    draining: Option<drain::Drain>,
    once: Option<once::Once>,
    /// Of the configuration: one more for each that was read.
    generation: u64,
}

impl Pipeline {
    /// Before the first look at any file.
    pub fn new(
        config: Arc<Config>,
        metrics: Arc<Metrics>,
        state: StateDir,
        checkpoint: Checkpoint,
        watch: Watch,
        (answers, events): (Sender<Event>, Receiver<Event>),
    ) -> std::io::Result<Self> {
        let now = Instant::now();
        let mut keeper = Keeper::start(state, metrics.clone(), answers.clone())?;
        keeper.store(checkpoint.clone());
        let (ended, remembered): (Vec<_>, Vec<_>) = checkpoint.sources.into_iter().partition(|source| source.ended);
        Ok(Self {
            walk: Walk::new(config.state_dir.clone()),
            watch,
            table: Table::default(),
            remembered_devices: remembered.iter().map(|source| source.key.device).collect(),
            remembered: remembered.into_iter().map(|source| (source.key, source)).collect(),
            orphans: ended.into_iter().map(Orphan::new).collect(),
            covered: checkpoint.covered.into_iter().map(|covered| (covered.key, covered)).collect(),
            started: checkpoint.started.into_iter().collect(),
            reconciled: false,
            examiner: Examiner::start(answers)?,
            examination: 0,
            examinations: 0,
            inflating: None,
            timers: BinaryHeap::new(),
            queue: Queue::new(config.limits.max_bytes_per_second, now),
            announce: VecDeque::new(),
            session: None,
            builder: Builder::default(),
            fields: Fields::default(),
            buffer: Vec::new(),
            scratch: Scratch::default(),
            watermark: Watermark::default(),
            steadiness: Steadiness::new(fastrand::u64(..)),
            joins: Joins::default(),
            keeper,
            epoch: checkpoint.epoch,
            unsaved: false,
            refused: HashSet::new(),
            unopened: HashSet::new(),
            pass: 0,
            relist: HashSet::new(),
            relist_at: None,
            reconcile_at: now,
            pass_at: now,
            copies_at: now + COPIES_INTERVAL,
            checkpoint_at: now + CHECKPOINT_INTERVAL,
            draining: None,
            once: None,
            generation: 0,
            config,
            metrics,
            events,
        })
    }

    /// Runs until it is drained, or as `until` says. Answers what is not acknowledged then although it was to be.
    pub fn run(mut self, until: Until) -> Option<String> {
        self.begin_once(until);
        let remains = loop {
            let now = Instant::now();
            self.periodic(now);
            self.fire(now);
            self.announcements();
            self.turns();
            if let Some(remains) = self.once_over(Instant::now()) {
                break remains;
            }
            if self.is_drained(Instant::now()) {
                break self.once.as_ref().and_then(|_| self.remains());
            }
            match self.events.recv_timeout(self.wait(Instant::now())) {
                Ok(event) => self.handle_all(event),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break None,
            }
        };
        self.leave();
        let checkpoint = self.checkpoint();
        self.keeper.finish(checkpoint);
        remains
    }

    fn handle_all(&mut self, event: Event) {
        self.handle(event);
        while let Ok(event) = self.events.try_recv() {
            self.handle(event);
        }
    }

    fn handle(&mut self, event: Event) {
        match event {
            Event::Ship(event) => self.on_ship(event),
            Event::Hint => self.on_hints(),
            Event::Stored => self.on_stored(),
            Event::Examined(examined) => self.on_examined(&examined, Instant::now()),
            Event::Control(control) => self.on_control(control),
            Event::Drain => self.begin_drain(),
        }
    }

    fn periodic(&mut self, now: Instant) {
        if now >= self.reconcile_at {
            self.reconcile(now);
            let jitter = 0.9 + 0.2 * fastrand::f64();
            self.reconcile_at = now + self.config.limits.reconcile_interval.mul_f64(jitter);
        }
        if self.relist_at.is_some_and(|at| now >= at) {
            self.relist_changed(now);
        }
        if now >= self.pass_at {
            self.look_at_all(now);
            let rest = now.elapsed() * PASS_REST;
            let is_watched = self.metrics.directories_unwatched.get() == 0;
            let most = if is_watched { PASS_INTERVAL_MAX } else { PASS_INTERVAL_UNWATCHED_MAX };
            self.pass_at = now + rest.clamp(PASS_INTERVAL, most);
        }
        if now >= self.copies_at {
            self.copies_at = now + COPIES_INTERVAL;
            self.look_for_copies(now);
        }
        if now >= self.checkpoint_at {
            self.checkpoint_at = now + CHECKPOINT_INTERVAL;
            if self.unsaved {
                let checkpoint = self.checkpoint();
                let number = self.keeper.store(checkpoint);
                self.unsaved = number.is_none();
                match number {
                    Some(number) => self.recorded_with(number),
                    None => self.checkpoint_soon(now),
                }
            }
        }
    }

    /// Puts the sources that are due into the queue.
    fn fire(&mut self, now: Instant) {
        while let Some(Reverse((at, id))) = self.timers.peek().copied() {
            if at > now {
                break;
            }
            self.timers.pop();
            if let Some(source) = self.table.get_mut(id).filter(|source| source.due == Some(at)) {
                source.due = None;
                if !source.queued {
                    source.queued = true;
                    self.queue.push(id, source.size.saturating_sub(source.read.position));
                }
            }
        }
    }

    /// The source gets its turn at `at`, or earlier if it was due earlier.
    fn schedule(&mut self, id: Id, at: Instant) {
        let Some(source) = self.table.get_mut(id) else { return };
        if source.queued || source.due.is_some_and(|due| due <= at) {
            return;
        }
        source.due = Some(at);
        self.timers.push(Reverse((at, id)));
    }

    /// Turns, one batch each, for as long as there is something to read and it may be sent. See `queue` for the order.
    fn turns(&mut self) {
        let mut backlog_waits = false;
        loop {
            let now = Instant::now();
            let room = self.session.as_ref().is_some_and(Session::has_room_for_backlog);
            let Some(id) = self.queue.next(now, room && !backlog_waits) else { return };
            match self.turn(id, now) {
                turn::Outcome::Blocked => {
                    let was_backlog = self.queue.put_back(id);
                    if !was_backlog {
                        return;
                    }
                    backlog_waits = true;
                }
                turn::Outcome::Done => {
                    if let Some(source) = self.table.get_mut(id) {
                        source.queued = false;
                    }
                    self.after_turn(id);
                }
                turn::Outcome::More => {
                    let unread =
                        self.table.get(id).map_or(0, |source| source.size.saturating_sub(source.read.position));
                    self.queue.push(id, unread);
                }
            }
            while let Ok(event) = self.events.try_recv() {
                self.handle(event);
            }
            self.announcements();
            let now = Instant::now();
            self.periodic(now);
            self.fire(now);
        }
    }

    fn wait(&self, now: Instant) -> Duration {
        let timer = self.timers.peek().map(|Reverse((at, _))| *at);
        let outbox_is_full = self.session.as_ref().is_some_and(Session::is_full);
        let outbox =
            (outbox_is_full && !(self.queue.is_empty() && self.announce.is_empty())).then(|| now + OUTBOX_DELAY);
        [
            Some(self.reconcile_at),
            Some(self.pass_at),
            Some(self.copies_at),
            Some(self.checkpoint_at),
            self.relist_at,
            timer,
            outbox,
            self.queue.paced_until(now),
            self.drain_deadline(),
            self.once_deadline(),
        ]
        .into_iter()
        .flatten()
        .min()
        .map_or(PASS_INTERVAL, |at| at.saturating_duration_since(now))
    }

    fn checkpoint(&self) -> Checkpoint {
        let now_s = now_ns() / 1_000_000_000;
        let remembered = self.remembered.values().filter(|source| source.seen_s + REMEMBERED_S_MAX > now_s);
        Checkpoint {
            epoch: self.epoch,
            sources: self
                .table
                .iter()
                .map(|(_, source)| source.remember(now_s))
                .chain(self.orphans.iter().map(|orphan| Remembered { ended: true, ..orphan.remembered.clone() }))
                .chain(remembered.cloned())
                .collect(),
            covered: self.covered.values().copied().collect(),
            started: self.started.iter().copied().collect(),
        }
    }

    /// A crash from now on should find this in the checkpoint.
    fn checkpoint_soon(&mut self, now: Instant) {
        let wait = CHECKPOINT_SOON + CHECKPOINT_SOON_PER_FILE * self.table.count() as u32;
        self.checkpoint_at = self.checkpoint_at.min(now + wait);
    }

    /// The checkpoint of this number holds the sources that there are now.
    fn recorded_with(&mut self, number: u64) {
        for (_, source) in self.table.iter_mut() {
            source.recorded.get_or_insert(number);
        }
    }

    /// What waited for the checkpoint may be announced.
    fn on_stored(&mut self) {
        if self.session.is_none() {
            return;
        }
        for (id, source) in self.table.iter() {
            if source.phase == source::Phase::Unannounced
                && (source.end() > 0 || source.is_lost())
                && source.awaits_record
            {
                self.announce.push_back(id);
            }
        }
    }
}
