//! The session with the aggregator, kept up for ever: connect, greet, pass messages both ways, begin again.
//!
//! | file | what it is |
//! | --- | --- |
//! | `session` | one session from its connection to its end |
//! | `destination` | the aggregator, and the token that is shown there |
//! | `tls` | the TLS by which it is reached |
//! | `clock` | our clock, the aggregator's, reckoned, and ours against it |
//! | `backoff` | how long to wait before the next try |
//!
//! Nothing is kept here: what was in flight when a session ended is read again from the files.

pub mod backoff;
pub mod clock;
pub mod destination;
pub mod session;
pub mod tls;

use std::time::Duration;

use clew_proto::v1::{AgentMessage, aggregator_message};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use backoff::Backoff;
use clock::Anchor;
use destination::Destination;
use session::{End, Greeting};

/// Of one kind of trouble, a warning this often.
const WARNING_INTERVAL: Duration = Duration::from_secs(30);
/// A fenced agent asks this often whether the other one is gone.
const FENCED_RETRY: Duration = Duration::from_secs(30);
/// One that is refused asks this often whether that is over: somebody has to do something.
const REFUSED_RETRY: Duration = Duration::from_secs(5);
/// A session that lasted this long was a good one: the next try comes soon.
const GOOD_SESSION: Duration = Duration::from_secs(10);

/// What the pipeline hears.
#[derive(Debug)]
pub enum Event {
    /// A session began. What is sent through `outbox` belongs to it and ends with it.
    Connected {
        session: u64,
        outbox: mpsc::Sender<AgentMessage>,
        credit_bytes: u64,
        batch_bytes_max: u32,
        /// The aggregator was restored from a backup.
        restored: bool,
    },
    Message {
        session: u64,
        message: aggregator_message::Message,
    },
    /// The aggregator told its time.
    Clock {
        session: u64,
        anchor: Anchor,
    },
    Disconnected {
        session: u64,
    },
}

/// Whom to talk to, and as whom.
#[derive(Clone, Debug)]
pub struct Peer {
    pub destination: Destination,
    pub agent_id: [u8; 16],
    pub host: String,
    pub epoch: u64,
}

/// Runs until `stop`. `emit` passes an event on; `reconnected` counts sessions that ended or did not come about. When
/// `destination` changes, the session ends and another one begins there.
pub async fn run(
    mut peer: Peer,
    mut destination: watch::Receiver<Destination>,
    emit: impl Fn(Event),
    reconnected: impl Fn(),
    stop: CancellationToken,
) {
    let mut backoff = Backoff::default();
    let mut warning = Warning::default();
    for session in 1.. {
        let began = Instant::now();
        peer.destination.clone_from(&destination.borrow_and_update());
        let greeting = Greeting { peer: &peer, session };
        let end = tokio::select! {
            end = session::run(&greeting, &emit, &stop) => end,
            () = moved(&mut destination) => End::Moved,
        };
        emit(Event::Disconnected { session });
        let wait = match end {
            End::Stopped => return,
            End::Moved => {
                backoff = Backoff::default();
                Duration::ZERO
            }
            End::Fenced { epoch, detail } => {
                tracing::error!(
                    "another agent with agent_id {} (epoch {epoch}) has taken over; this one ships nothing while the other lives: {detail}",
                    uuid::Uuid::from_bytes(peer.agent_id)
                );
                FENCED_RETRY
            }
            End::Refused(why) => {
                warning.tell(&format!(
                    "aggregator {} refuses this agent, which ships nothing: {why}",
                    peer.destination.aggregator
                ));
                REFUSED_RETRY
            }
            End::Failed(why) => {
                if began.elapsed() > GOOD_SESSION {
                    backoff = Backoff::default();
                }
                warning.tell(&format!("aggregator {}: {why}; trying again", peer.destination.aggregator));
                backoff.wait()
            }
        };
        reconnected();
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = moved(&mut destination) => backoff = Backoff::default(),
            () = stop.cancelled() => return,
        }
    }
}

/// Waits until another destination is in force.
async fn moved(destination: &mut watch::Receiver<Destination>) {
    if destination.changed().await.is_err() {
        // Nobody is there any more who could change it.
        std::future::pending::<()>().await;
    }
}

/// The first warning of a kind at once, then at most one every [`WARNING_INTERVAL`].
#[derive(Default)]
struct Warning {
    told: Option<Instant>,
    text: String,
    untold: u32,
}

impl Warning {
    fn tell(&mut self, text: &str) {
        if self.text == text && self.told.is_some_and(|told| told.elapsed() < WARNING_INTERVAL) {
            self.untold += 1;
            return;
        }
        match self.untold {
            0 => tracing::warn!("{text}"),
            untold => tracing::warn!("{text} ({untold} more since the last warning)"),
        }
        self.told = Some(Instant::now());
        text.clone_into(&mut self.text);
        self.untold = 0;
    }
}
