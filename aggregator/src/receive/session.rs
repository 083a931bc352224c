//! One agent's session: its open sources, its answers, its end.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use clew_proto::v1;
use clew_proto::v1::aggregator_message::Message;
use clew_service::shutdown::CancellationToken;
use tokio::sync::mpsc;
use tonic::Status;
use uuid::Uuid;

use crate::source::Source;

/// Answers that wait for a slow agent; past it the session ends, and the agent comes back.
pub const ANSWERS_MAX: usize = 4096;

/// The sending half of a session; shared by its task, the journal and the head.
pub struct Peer {
    /// Whose session it is.
    pub agent: Uuid,
    /// The epoch that it said hello with.
    pub epoch: u64,
    answers: mpsc::Sender<Result<v1::AggregatorMessage, Status>>,
    /// Cancelled when the session is to end.
    pub ended: CancellationToken,
    sources: Mutex<HashMap<u32, Arc<Source>>>,
    /// Raw bytes that were sent and for which no credit was given back.
    in_flight: AtomicU64,
}

impl Peer {
    /// A session that answers through `answers`.
    pub fn new(agent: Uuid, epoch: u64, answers: mpsc::Sender<Result<v1::AggregatorMessage, Status>>) -> Self {
        Self {
            agent,
            epoch,
            answers,
            ended: CancellationToken::new(),
            sources: Mutex::default(),
            in_flight: AtomicU64::new(0),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u32, Arc<Source>>> {
        self.sources.lock().expect("no thread panics with the sources in hand")
    }

    /// Sends a message; ends the session when the agent does not read.
    pub fn send(&self, message: Message) {
        if self.answers.try_send(Ok(v1::AggregatorMessage { message: Some(message) })).is_err() {
            self.ended.cancel();
        }
    }

    /// The agent has sent so many raw bytes. Returns how many are in flight now.
    pub fn spend(&self, bytes: u64) -> u64 {
        self.in_flight.fetch_add(bytes, Ordering::Relaxed) + bytes
    }

    /// Gives credit back.
    pub fn credit(&self, bytes: u64) {
        self.in_flight.fetch_sub(bytes, Ordering::Relaxed);
        self.send(Message::Credit(v1::Credit { bytes }));
    }

    /// Says why, and ends the session.
    pub fn goodbye(&self, reason: v1::GoodbyeReason, detail: &str, epoch: u64) {
        if !self.ended.is_cancelled() {
            self.send(Message::Goodbye(v1::Goodbye { reason: reason as i32, detail: detail.into(), epoch }));
        }
        self.ended.cancel();
    }

    /// The source has this number from now on.
    pub fn opened(&self, alias: u32, source: Arc<Source>) {
        self.lock().insert(alias, source);
    }

    /// The source with this number.
    pub fn source(&self, alias: u32) -> Option<Arc<Source>> {
        self.lock().get(&alias).cloned()
    }

    /// The agent lets go of it.
    pub fn closed(&self, alias: u32) -> Option<Arc<Source>> {
        self.lock().remove(&alias)
    }

    /// All that are open.
    pub fn sources(&self) -> Vec<Uuid> {
        self.lock().values().map(|source| source.id).collect()
    }
}
