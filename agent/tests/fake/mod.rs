//! An aggregator in memory that takes the contract at its word: it refuses what lies ahead, trims what lies behind, counts what
//! it got twice, and fails the test when an agent breaks a rule.
#![allow(dead_code)] // each test program uses a part of it

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use clew_proto::v1::agent_message::Message as FromAgent;
use clew_proto::v1::aggregator_message::Message as ToAgent;
use clew_proto::v1::ingest_server::{Ingest, IngestServer};
use clew_proto::v1::{
    Ack, AgentMessage, AggregatorMessage, Batch, Candidate, Columns, Credit, Fingerprint, Goodbye, GoodbyeReason,
    OpenSource, Pong, Refused, RefusedReason, SourceFrontier, SourceState, Welcome,
};
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

/// One incarnation of one file, as it was shipped.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    pub service: String,
    pub path: String,
    pub device: u64,
    pub inode: u64,
    pub bytes: Vec<u8>,
    pub gaps: Vec<(u64, u64)>,
    pub records: Vec<Record>,
    pub prefix: Option<Fingerprint>,
    pub guard: Option<Fingerprint>,
    pub order: usize,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub line: Vec<u8>,
    pub time_ns: i64,
    pub severity: u8,
    pub flags: u8,
    pub ids: Vec<String>,
    /// Those of them that a rule attached.
    pub attached: Vec<String>,
}

/// What the tests look at and turn.
#[derive(Debug)]
pub struct State {
    pub sources: HashMap<Vec<u8>, Stored>,
    pub sessions: usize,
    pub batches: usize,
    pub bytes_again: u64,
    pub in_flight_max: u64,
    pub watermark_ns: u64,
    /// The last watermark said so.
    pub has_left: bool,
    pub violations: Vec<String>,
    /// Nothing is acknowledged, and no credit is given back, while this is set.
    pub hold_acks: bool,
    pub credit_bytes: u64,
    pub fence: bool,
    /// It says that it was restored from a backup.
    pub restored: bool,
    /// A session ends after so many batches.
    pub batches_per_session: Option<usize>,
    /// Refuses the next batch, as if the one before it had been lost.
    pub lose_batches: usize,
}

pub struct Fake {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    runtime: Option<tokio::runtime::Runtime>,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Fake {
    pub fn start() -> Self {
        let state = State {
            sources: HashMap::new(),
            sessions: 0,
            batches: 0,
            bytes_again: 0,
            in_flight_max: 0,
            watermark_ns: 0,
            has_left: false,
            violations: Vec::new(),
            hold_acks: false,
            credit_bytes: 8 << 20,
            fence: false,
            restored: false,
            batches_per_session: None,
            lose_batches: 0,
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), changed: Condvar::new() });
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let mut fake = Self { address, shared, runtime: None };
        fake.resume();
        fake
    }

    /// Closes the port and every session; what is stored stays.
    pub fn pause(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(Duration::from_millis(200));
        }
    }

    pub fn resume(&mut self) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let service = IngestServer::new(Service { shared: self.shared.clone() })
            .max_decoding_message_size(16 << 20)
            .max_encoding_message_size(16 << 20);
        let address = self.address;
        runtime.spawn(tonic::transport::Server::builder().add_service(service).serve(address));
        self.runtime = Some(runtime);
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// Waits until `met` holds; fails the test with `what` when it does not in time.
    #[track_caller]
    pub fn wait_for(&self, what: &str, met: impl Fn(&State) -> bool) {
        self.wait_while(what, Duration::from_secs(20), met);
    }

    #[track_caller]
    pub fn wait_while(&self, what: &str, time_max: Duration, met: impl Fn(&State) -> bool) {
        let deadline = Instant::now() + time_max;
        let mut state = self.state();
        while !met(&state) {
            assert!(state.violations.is_empty(), "{:?}", state.violations);
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let held: Vec<_> = state
                    .sources
                    .values()
                    .map(|source| (source.path.clone(), source.bytes.len(), source.gaps.clone()))
                    .collect();
                panic!("not in time: {what}; {held:?}, {} sessions", state.sessions);
            }
            state = self.shared.changed.wait_timeout(state, left).unwrap().0;
        }
        assert!(state.violations.is_empty(), "{:?}", state.violations);
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.pause();
    }
}

impl State {
    /// Every line of a service, sorted; what is unterminated is put together with its rest.
    pub fn lines(&self, service: &str) -> Vec<String> {
        let mut lines: Vec<String> = self
            .sources
            .values()
            .filter(|source| source.service == service)
            .flat_map(|source| {
                let mut bytes = source.bytes.clone();
                // A gap stands as nothing between two lines.
                bytes.retain(|byte| *byte != 0);
                String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect::<Vec<_>>()
            })
            .collect();
        lines.sort();
        lines
    }

    pub fn count(&self, service: &str) -> usize {
        self.sources
            .values()
            .filter(|source| source.service == service)
            .map(|source| memchr::memchr_iter(b'\n', &source.bytes).count())
            .sum()
    }

    pub fn records(&self, service: &str) -> Vec<Record> {
        let mut sources: Vec<&Stored> = self.sources.values().filter(|source| source.service == service).collect();
        sources.sort_by_key(|source| source.order);
        sources.iter().flat_map(|source| source.records.clone()).collect()
    }
}

struct Service {
    shared: Arc<Shared>,
}

type Outbox = mpsc::Sender<Result<AggregatorMessage, Status>>;

#[tonic::async_trait]
impl Ingest for Service {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<AggregatorMessage, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let (outbox, messages) = mpsc::channel(1024);
        let session = Session {
            shared: self.shared.clone(),
            outbox,
            aliases: HashMap::new(),
            credit: 0,
            owed: Vec::new(),
            batches: 0,
        };
        tokio::spawn(session.run(request.into_inner()));
        Ok(Response::new(Box::pin(ReceiverStream::new(messages))))
    }

    async fn sources(
        &self,
        _: Request<clew_proto::v1::SourcesRequest>,
    ) -> Result<Response<clew_proto::v1::SourcesReply>, Status> {
        Err(Status::unimplemented("nothing is counted here"))
    }
}

struct Session {
    shared: Arc<Shared>,
    outbox: Outbox,
    aliases: HashMap<u32, Vec<u8>>,
    credit: u64,
    /// Acknowledgements and credit that are held back.
    owed: Vec<(u32, u64, u64)>,
    batches: usize,
}

impl Session {
    async fn run(mut self, mut inbox: Streaming<AgentMessage>) {
        let mut tick = tokio::time::interval(Duration::from_millis(5));
        loop {
            tokio::select! {
                message = inbox.message() => match message {
                    Ok(Some(AgentMessage { message: Some(message) })) => {
                        if !self.take(message).await {
                            return;
                        }
                    }
                    _ => return,
                },
                _ = tick.tick() => self.settle().await,
            }
        }
    }

    async fn say(&self, message: ToAgent) {
        let _ = self.outbox.send(Ok(AggregatorMessage { message: Some(message) })).await;
    }

    async fn settle(&mut self) {
        if self.shared.state.lock().unwrap().hold_acks {
            return;
        }
        for (source, frontier, bytes) in std::mem::take(&mut self.owed) {
            self.say(ToAgent::Ack(Ack { frontiers: vec![SourceFrontier { source, frontier }] })).await;
            if bytes > 0 {
                self.credit += bytes;
                self.say(ToAgent::Credit(Credit { bytes })).await;
            }
        }
        self.shared.changed.notify_all();
    }

    async fn take(&mut self, message: FromAgent) -> bool {
        let mut answers = Vec::new();
        let goes_on = {
            let shared = self.shared.clone();
            let mut state = shared.state.lock().unwrap();
            let goes_on = self.react(message, &mut state, &mut answers);
            shared.changed.notify_all();
            goes_on
        };
        for answer in answers {
            self.say(answer).await;
        }
        goes_on
    }

    fn react(&mut self, message: FromAgent, state: &mut State, answers: &mut Vec<ToAgent>) -> bool {
        match message {
            FromAgent::Hello(hello) => {
                if state.fence {
                    answers.push(ToAgent::Goodbye(Goodbye {
                        reason: GoodbyeReason::Fenced as i32,
                        detail: "test".into(),
                        epoch: hello.epoch + 1,
                    }));
                }
                state.sessions += 1;
                self.credit = state.credit_bytes;
                answers.push(ToAgent::Welcome(Welcome {
                    credit_bytes: state.credit_bytes,
                    batch_bytes_max: 4 << 20,
                    keepalive_ms: 1000,
                    version: "fake".into(),
                    restored: state.restored,
                }));
            }
            FromAgent::OpenSource(open) => answers.push(ToAgent::SourceState(self.open(&open, state))),
            FromAgent::Batch(batch) => {
                self.batches += 1;
                state.batches += 1;
                if let Some(refused) = self.batch(&batch, state) {
                    answers.push(ToAgent::Refused(refused));
                }
                if state.batches_per_session.is_some_and(|most| self.batches >= most) {
                    return false;
                }
            }
            FromAgent::Gap(gap) => {
                let Some(stored) = self.aliases.get(&gap.source).and_then(|id| state.sources.get_mut(id)) else {
                    state.violations.push("gap of a source that is not open".into());
                    return true;
                };
                if gap.begin != stored.bytes.len() as u64 {
                    state.violations.push(format!("gap at {} of {}", gap.begin, stored.bytes.len()));
                    return true;
                }
                stored.gaps.push((gap.begin, gap.end));
                stored.bytes.resize(gap.end as usize, 0);
                stored.guard = None;
                self.owed.push((gap.source, gap.end, 0));
            }
            FromAgent::CloseSource(_) => {}
            FromAgent::Watermark(watermark) => {
                state.watermark_ns = watermark.time_ns;
                state.has_left = watermark.leaves;
            }
            FromAgent::Ping(ping) => answers.push(ToAgent::Pong(Pong {
                ping_sent_ns: ping.sent_ns,
                received_ns: ping.sent_ns,
                sent_ns: ping.sent_ns,
            })),
        }
        true
    }

    fn open(&mut self, open: &OpenSource, state: &mut State) -> SourceState {
        let id = open.source_id.to_vec();
        let mut answer = SourceState { source: open.source, ..SourceState::default() };
        if open.fresh && !state.sources.contains_key(&id) {
            let mut same: Vec<_> = state
                .sources
                .iter()
                .filter(|(id, stored)| {
                    (stored.device, stored.inode) == (open.device, open.inode)
                        || (open.may_be_copy && stored.prefix == open.prefix)
                        || open.may_copy.iter().any(|asked| asked[..] == id[..])
                })
                .collect();
            same.sort_by_key(|(_, stored)| std::cmp::Reverse(stored.order));
            if !same.is_empty() {
                answer.candidates = same
                    .into_iter()
                    .map(|(id, stored)| Candidate {
                        source_id: id.clone().into(),
                        frontier: stored.bytes.len() as u64,
                        prefix: stored.prefix,
                        guard: stored.guard,
                    })
                    .collect();
                return answer;
            }
        }
        answer.known = state.sources.contains_key(&id);
        let order = state.sources.len();
        let stored = state.sources.entry(id.clone()).or_insert_with(|| Stored {
            service: open.service.clone(),
            path: String::from_utf8_lossy(&open.path).into_owned(),
            device: open.device,
            inode: open.inode,
            bytes: vec![0; open.begin as usize],
            order,
            ..Stored::default()
        });
        answer.frontier = stored.bytes.len() as u64;
        answer.guard = stored.guard;
        answer.prefix = stored.prefix;
        self.aliases.insert(open.source, id);
        answer
    }

    fn batch(&mut self, batch: &Batch, state: &mut State) -> Option<Refused> {
        let length = batch.end - batch.begin;
        if length > self.credit {
            state.violations.push(format!("batch of {length} bytes with {} bytes of credit", self.credit));
        }
        self.credit = self.credit.saturating_sub(length);
        state.in_flight_max = state.in_flight_max.max(state.credit_bytes - self.credit);
        let refuse = |frontier, reason: RefusedReason| {
            Some(Refused {
                source: batch.source,
                begin: batch.begin,
                frontier,
                reason: reason as i32,
                detail: "test".into(),
            })
        };
        let Some(id) = self.aliases.get(&batch.source) else {
            return refuse(0, RefusedReason::NotOpen);
        };
        let stored = state.sources.get_mut(id).unwrap();
        let frontier = stored.bytes.len() as u64;
        if batch.begin > frontier || state.lose_batches > 0 {
            state.lose_batches = state.lose_batches.saturating_sub(1);
            self.owed.push((batch.source, frontier, length));
            return refuse(frontier, RefusedReason::Ahead);
        }
        match decode(batch) {
            Err(why) => state.violations.push(why),
            Ok((raw, records)) => {
                state.bytes_again += (frontier - batch.begin).min(length);
                if batch.begin == frontier {
                    stored.bytes.extend_from_slice(&raw);
                    stored.records.extend(records);
                    stored.guard = batch.guard;
                    stored.prefix = batch.prefix.or(stored.prefix);
                } else if batch.end > frontier {
                    state.violations.push("a batch that overlaps the frontier".into());
                }
            }
        }
        self.owed.push((batch.source, batch.end, length));
        None
    }
}

fn decode(batch: &Batch) -> Result<(Vec<u8>, Vec<Record>), String> {
    if crc32c::crc32c(&batch.columns) != batch.columns_crc32c {
        return Err("wrong checksum".into());
    }
    let columns = Columns::decode(batch.columns.clone()).map_err(|error| error.to_string())?;
    let length = (batch.end - batch.begin) as usize;
    let count = batch.records as usize;
    let skipped: usize = columns.skipped.iter().map(|skipped| skipped.bytes as usize).sum();
    let lengths = if columns.content_lengths.is_empty() { &columns.lengths } else { &columns.content_lengths };
    let contents: usize = lengths.iter().map(|length| *length as usize).sum();
    let raw = zstd::bulk::decompress(&columns.raw_zstd, contents).map_err(|error| error.to_string())?;
    let columns_agree = columns.lengths.len() == count
        && columns.time_deltas_ns.len() == count
        && columns.severities.len() == count
        && columns.flags.len() == count
        && columns.id_counts.len() == count
        && columns.lengths.iter().map(|length| *length as usize).sum::<usize>() + skipped == length
        && lengths.len() == count
        && raw.len() == contents
        && columns.id_counts.iter().map(|count| *count as usize).sum::<usize>() == columns.id_refs.len();
    if !columns_agree {
        return Err("columns do not agree".into());
    }
    let mut records = Vec::new();
    let (mut at, mut time_ns, mut reference) = (0, 0i64, 0);
    for (record, length) in lengths.iter().map(|length| *length as usize).enumerate() {
        time_ns += columns.time_deltas_ns[record];
        let found = columns.id_refs[reference..reference + columns.id_counts[record] as usize]
            .iter()
            .map(|id| &columns.ids[*id as usize]);
        let text = |id: &clew_proto::v1::TransactionId| String::from_utf8_lossy(&id.value).into_owned();
        let attached = found.clone().filter(|id| id.attached).map(text).collect();
        let ids = found.map(text).collect();
        reference += columns.id_counts[record] as usize;
        records.push(Record {
            line: raw[at..at + length].to_vec(),
            time_ns,
            severity: columns.severities[record],
            flags: columns.flags[record],
            ids,
            attached,
        });
        at += length;
    }
    // The bytes of the file, as far as they are what was shipped.
    let bytes = if raw.len() == length && skipped == 0 { raw } else { vec![0; length] };
    Ok((bytes, records))
}
