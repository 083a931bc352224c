//! The gRPC service `clew.v1.Ingest`: one task per session reads what the agent sends, checks it, and asks the journal.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::Duration;

use clew_proto::v1;
use clew_proto::v1::agent_message::Message as FromAgent;
use clew_proto::v1::aggregator_message::Message as ToAgent;
use clew_proto::v1::ingest_server::Ingest;
use clew_service::shutdown::CancellationToken;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_stream::{Stream, StreamExt};
use tonic::{Code, Request, Response, Status, Streaming};
use uuid::Uuid;

use super::admission::Shipper;
use super::journal::{self, Ask};
use super::session::{ANSWERS_MAX, Peer};
use crate::access::door::Refused;
use crate::access::gate::Gate;
use crate::batch::Batch;
use crate::catalog::registry::{Registry, SourceEntry};
use crate::catalog::store::Store as CatalogStore;
use crate::clock;
use crate::health::{Health, Part};
use crate::metrics::Metrics;
use crate::wal::entry::{BatchRecord, GapRecord, uuid};

/// The largest batch that is taken, in raw bytes.
pub const BATCH_BYTES_MAX: u32 = 4 << 20;
/// The largest message: a batch that does not compress, and its columns.
pub const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// An agent says something this often.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// Between looks at a full queue.
const FULL_QUEUE_WAIT: Duration = Duration::from_millis(5);
/// A session that is silent for so long has ended.
const SILENCE: Duration = Duration::from_secs(15);

/// A host's name is no longer (RFC 1035), nor is a version.
const NAME_BYTES_MAX: usize = 255;

/// What all sessions share.
#[derive(Clone)]
pub struct Sessions {
    /// The journal's queue.
    pub journal: SyncSender<journal::Request>,
    /// Agents and sources.
    pub registry: Arc<Registry>,
    /// Says whether anything can be made durable now.
    pub health: Arc<Health>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Who may ship.
    pub gate: Arc<Gate>,
    /// Where it is written down whose agents are.
    pub catalog: Arc<CatalogStore>,
    /// Raw bytes that one agent may have in flight.
    pub credit_bytes: u64,
    /// Sessions end when this is cancelled.
    pub shutdown: CancellationToken,
}

type Answers = Pin<Box<dyn Stream<Item = Result<v1::AggregatorMessage, Status>> + Send>>;

#[tonic::async_trait]
impl Ingest for Sessions {
    type SessionStream = Answers;

    async fn session(&self, request: Request<Streaming<v1::AgentMessage>>) -> Result<Response<Answers>, Status> {
        let shipper = self.admit(&request)?;
        let (answers, receiver) = mpsc::channel(ANSWERS_MAX);
        let sessions = self.clone();
        tokio::spawn(async move { sessions.serve(shipper, request.into_inner(), answers).await });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn sources(&self, request: Request<v1::SourcesRequest>) -> Result<Response<v1::SourcesReply>, Status> {
        let shipper = self.admit(&request)?;
        let agent = uuid(&request.get_ref().agent_id);
        let agent = agent.ok_or_else(|| Status::invalid_argument("agent_id is not 16 bytes"))?;
        let host = &request.get_ref().host;
        let refuse = |refused: Refused| self.refuse(shipper.address, &refused);
        if !host.is_empty() {
            self.admit_agent(&shipper, agent, host).map_err(refuse)?;
        }
        let state = self.registry.read();
        if let Some(known) = state.agents.get(&agent) {
            self.may_ship_as(&shipper, known).map_err(refuse)?;
        }
        let entries = state.sources.values().filter(|entry| entry.source.agent == agent);
        Ok(Response::new(v1::SourcesReply { sources: entries.map(account).collect() }))
    }
}

fn account(entry: &SourceEntry) -> v1::SourceAccount {
    v1::SourceAccount {
        source_id: entry.source.id.into_bytes().to_vec().into(),
        service: entry.source.service.clone(),
        path: entry.source.path.clone().into(),
        begin: entry.begin,
        frontier: entry.frontier,
        stored_bytes: entry.counts.stored_bytes,
        records: entry.counts.records,
        skipped_dropped_bytes: entry.counts.dropped_bytes,
        skipped_sampled_bytes: entry.counts.sampled_bytes,
        skipped_nuls_bytes: entry.counts.nuls_bytes,
        gap_bytes: entry.counts.gap_bytes,
    }
}

impl Sessions {
    async fn serve(
        self,
        shipper: Shipper,
        mut messages: Streaming<v1::AgentMessage>,
        answers: mpsc::Sender<Result<v1::AggregatorMessage, Status>>,
    ) {
        let first = tokio::time::timeout(SILENCE, messages.next()).await;
        let greeted = match first {
            Ok(Some(Ok(v1::AgentMessage { message: Some(FromAgent::Hello(hello)) }))) => greeting(hello),
            Ok(Some(Err(status))) => Err(status.message().to_owned()),
            Ok(None) | Err(_) => return,
            Ok(Some(Ok(_))) => Err("the first message of a session is Hello".to_owned()),
        };
        let (agent, hello) = match greeted {
            Ok(greeted) => greeted,
            Err(why) => {
                self.metrics.malformed.inc();
                tracing::warn!("grpc: {} does not greet as agents do: {why}", shipper.address);
                let _ = answers.try_send(Err(Status::invalid_argument(why)));
                return;
            }
        };
        if let Err(refused) = self.admit_agent(&shipper, agent, &hello.host) {
            let _ = answers.try_send(Err(self.refuse(shipper.address, &refused)));
            return;
        }
        let peer = Arc::new(Peer::new(agent, hello.epoch, answers));
        if !self.welcome(&peer, &shipper, &hello).await {
            return;
        }
        self.metrics.sessions.inc();
        tracing::info!(host = hello.host, agent = %agent, "agent connected");
        let why = self.listen(&peer, &shipper, &mut messages).await;
        tracing::info!(host = hello.host, agent = %agent, "agent gone: {why}");
        self.metrics.sessions.dec();
        peer.ended.cancel();
        self.registry.write().goodbye(agent, peer.sources().iter());
    }

    async fn welcome(&self, peer: &Peer, shipper: &Shipper, hello: &v1::Hello) -> bool {
        if let Some(why) = self.health.of(Part::Disk) {
            peer.goodbye(v1::GoodbyeReason::Unavailable, &why, 0);
            return false;
        }
        let known = self.registry.write().hello(peer.agent, hello, clock::now_ns());
        if let Err(epoch) = known {
            self.metrics.fenced.inc();
            tracing::warn!(host = hello.host, agent = %peer.agent, "agent refused: its epoch {} is below {epoch}", hello.epoch);
            peer.goodbye(
                v1::GoodbyeReason::Fenced,
                "an agent with this agent_id and a higher epoch ships already",
                epoch,
            );
            return false;
        }
        if let Err(why) = self.bind(shipper, peer.agent).await {
            peer.goodbye(v1::GoodbyeReason::Unavailable, &why, 0);
            self.registry.write().goodbye(peer.agent, [].iter());
            return false;
        }
        peer.send(ToAgent::Welcome(v1::Welcome {
            credit_bytes: self.credit_bytes,
            batch_bytes_max: BATCH_BYTES_MAX,
            keepalive_ms: KEEPALIVE.as_millis() as u32,
            version: env!("CARGO_PKG_VERSION").into(),
            restored: self.registry.read().is_restored(),
        }));
        true
    }

    /// Returns why the session ended.
    async fn listen(&self, peer: &Arc<Peer>, shipper: &Shipper, messages: &mut Streaming<v1::AgentMessage>) -> String {
        let mut unzstd = match zstd::bulk::Decompressor::new() {
            Ok(unzstd) => unzstd,
            Err(error) => return format!("make decompressor: {error}"),
        };
        loop {
            let message = tokio::select! {
                () = self.shutdown.cancelled() => {
                    peer.goodbye(v1::GoodbyeReason::Shutdown, "the aggregator stops", 0);
                    return "the aggregator stops".into();
                }
                () = peer.ended.cancelled() => return "told goodbye".into(),
                message = tokio::time::timeout(SILENCE, messages.next()) => message,
            };
            let message = match message {
                Err(_) => return format!("silent for {} s", SILENCE.as_secs()),
                Ok(None) => return "closed".into(),
                Ok(Some(Err(status))) => {
                    // What cannot be read is the agent's fault; what did not come is nobody's.
                    if matches!(status.code(), Code::InvalidArgument | Code::OutOfRange) {
                        self.metrics.malformed.inc();
                        peer.goodbye(v1::GoodbyeReason::Malformed, status.message(), 0);
                    }
                    return status.message().to_owned();
                }
                Ok(Some(Ok(message))) => message.message,
            };
            // An agent says something every second: nobody goes on for long with what was taken back.
            if let Err(refused) = self.may_say(shipper, peer, message.as_ref()) {
                let status = self.refuse(shipper.address, &refused);
                peer.goodbye(v1::GoodbyeReason::Refused, status.message(), 0);
                return refused.to_string();
            }
            let received_ns = clock::now_ns();
            let outcome = match message {
                Some(FromAgent::Batch(batch)) => self.batch(peer, batch, &mut unzstd),
                Some(FromAgent::OpenSource(open)) => Ok(Some((open.source, Ask::Open(open)))),
                Some(FromAgent::Gap(gap)) => Ok(gap_ask(peer, &gap)),
                Some(FromAgent::CloseSource(close)) => {
                    self.close(peer, close.source);
                    Ok(None)
                }
                Some(FromAgent::Watermark(watermark)) => {
                    self.heard(peer, received_ns);
                    // It is stated again within a second: rather none now than a session that waits for a full queue.
                    let ask = Ask::Watermark(watermark);
                    let _ = self.journal.try_send(journal::Request { peer: Arc::clone(peer), alias: 0, ask });
                    Ok(None)
                }
                Some(FromAgent::Ping(ping)) => {
                    self.ping(peer, &ping, received_ns);
                    Ok(None)
                }
                Some(FromAgent::Hello(_)) => Err("a second Hello".to_owned()),
                None => Ok(None),
            };
            match outcome {
                Ok(Some((alias, ask))) => {
                    if !self.ask(journal::Request { peer: Arc::clone(peer), alias, ask }).await {
                        return "the journal has ended".into();
                    }
                }
                Ok(None) => {}
                Err(why) => {
                    self.metrics.malformed.inc();
                    peer.goodbye(v1::GoodbyeReason::Malformed, &why, 0);
                    return why;
                }
            }
        }
    }

    /// Decodes and checks a batch.
    fn batch(
        &self,
        peer: &Peer,
        batch: v1::Batch,
        unzstd: &mut zstd::bulk::Decompressor<'_>,
    ) -> Result<Option<(u32, Ask)>, String> {
        let Some(source) = peer.source(batch.source) else {
            peer.send(ToAgent::Refused(v1::Refused {
                source: batch.source,
                begin: batch.begin,
                reason: v1::RefusedReason::NotOpen as i32,
                ..Default::default()
            }));
            peer.send(ToAgent::Credit(v1::Credit { bytes: batch.end.saturating_sub(batch.begin) }));
            return Ok(None);
        };
        if batch.end.saturating_sub(batch.begin) > u64::from(BATCH_BYTES_MAX) || batch.end <= batch.begin {
            return Err(format!("batch [{}, {}) is empty or over {BATCH_BYTES_MAX} bytes", batch.begin, batch.end));
        }
        let in_flight = peer.spend(batch.end - batch.begin);
        if in_flight > self.credit_bytes + u64::from(BATCH_BYTES_MAX) {
            return Err(format!("{in_flight} bytes in flight, the credit is {}", self.credit_bytes));
        }
        if crc32c::crc32c(&batch.columns) != batch.columns_crc32c {
            return Err(format!("batch [{}, {}): checksum does not match", batch.begin, batch.end));
        }
        let decoded = Batch::decode(batch.begin, batch.end, batch.records, &batch.columns, unzstd)
            .map_err(|error| error.to_string())?;
        let record = BatchRecord {
            source: source.id.into_bytes().to_vec(),
            begin: batch.begin,
            end: batch.end,
            taken_from: batch.begin,
            records: batch.records,
            columns: batch.columns,
            prefix: batch.prefix,
            guard: batch.guard,
            counts: None,
        };
        Ok(Some((batch.source, Ask::Batch { source, batch: Box::new(decoded), record })))
    }

    fn close(&self, peer: &Peer, alias: u32) {
        if let Some(source) = peer.closed(alias)
            && let Some(entry) = self.registry.write().sources.get_mut(&source.id)
        {
            entry.open = false;
        }
    }

    fn heard(&self, peer: &Peer, now_ns: i64) {
        if let Some(agent) = self.registry.write().agents.get_mut(&peer.agent) {
            agent.last_seen_ns = now_ns;
            agent.dirty = true;
        }
    }

    fn ping(&self, peer: &Peer, ping: &v1::Ping, received_ns: i64) {
        self.heard(peer, received_ns);
        peer.send(ToAgent::Pong(v1::Pong {
            ping_sent_ns: ping.sent_ns,
            received_ns: received_ns as u64,
            sent_ns: clock::now_ns() as u64,
        }));
    }

    /// Puts a request into the journal's queue. While that is full the session waits, and still notices its end.
    async fn ask(&self, mut request: journal::Request) -> bool {
        loop {
            match self.journal.try_send(request) {
                Ok(()) => return true,
                Err(TrySendError::Disconnected(_)) => return false,
                Err(TrySendError::Full(back)) => request = back,
            }
            tokio::select! {
                () = request.peer.ended.cancelled() => return false,
                () = self.shutdown.cancelled() => return false,
                () = tokio::time::sleep(FULL_QUEUE_WAIT) => {}
            }
        }
    }
}

/// Who says it, and what they say of themselves.
fn greeting(hello: v1::Hello) -> Result<(Uuid, v1::Hello), String> {
    let agent = uuid(&hello.agent_id).ok_or("agent_id is not 16 bytes")?;
    for (key, name) in [("host", &hello.host), ("version", &hello.version)] {
        if name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
            return Err(format!("{key} has over {NAME_BYTES_MAX} bytes or control characters"));
        }
    }
    Ok((agent, hello))
}

fn gap_ask(peer: &Peer, gap: &v1::Gap) -> Option<(u32, Ask)> {
    let source = peer.source(gap.source)?;
    let record = GapRecord {
        source: source.id.into_bytes().to_vec(),
        begin: gap.begin,
        end: gap.end,
        reason: gap.reason,
        open_ended: gap.open_ended,
        declared_ns: 0,
        since_ns: 0,
    };
    Some((gap.source, Ask::Gap(record)))
}
