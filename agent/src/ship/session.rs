//! One session: connect, Hello, Welcome, then messages both ways and a ping now and then, until something ends it.

use std::time::Duration;

use clew_proto::v1::aggregator_message::Message;
use clew_proto::v1::ingest_client::IngestClient;
use clew_proto::v1::{AgentMessage, GoodbyeReason, Hello, Ping, Welcome, agent_message};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Streaming};

use super::clock::{Anchor, now_ns};
use super::{Event, Peer};

/// The contract version that we speak.
const CONTRACT: u32 = 1;
const WELCOME_TIME_MAX: Duration = Duration::from_secs(10);
/// Messages between the pipeline and the wire. Credit bounds their bytes.
const OUTBOX_MESSAGES_MAX: usize = 256;
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// A session is given up after so many keepalives without a word from the aggregator.
const KEEPALIVES_MISSED_MAX: u32 = 3;
/// Alerts (RFC 8446, 6.2) by which an aggregator says that it does not take a certificate, as rustls spells them.
const REJECTIONS: [&str; 7] = [
    "CertificateExpired",
    "CertificateRevoked",
    "CertificateUnknown",
    "BadCertificate",
    "UnknownCA",
    "UnsupportedCertificate",
    "DecryptError",
];
const KEEPALIVE_MIN: Duration = Duration::from_millis(200);

/// What to say first.
pub struct Greeting<'a> {
    pub peer: &'a Peer,
    pub session: u64,
}

/// How a session ended.
pub enum End {
    Stopped,
    /// Another aggregator is to be talked to.
    Moved,
    Fenced {
        epoch: u64,
        detail: String,
    },
    /// What this agent shows does not let it in.
    Refused(String),
    Failed(String),
}

/// From the connection to the end.
pub async fn run(greeting: &Greeting<'_>, emit: &impl Fn(Event), stop: &CancellationToken) -> End {
    tokio::select! {
        end = talk(greeting, emit) => end,
        () = stop.cancelled() => End::Stopped,
    }
}

async fn talk(greeting: &Greeting<'_>, emit: &impl Fn(Event)) -> End {
    let (outbox, inbox, welcome) = match connect(greeting.peer).await {
        Ok(connected) => connected,
        Err(end) => return end,
    };
    tracing::info!(
        "session with aggregator {} ({}), credit {} bytes",
        greeting.peer.destination.aggregator,
        welcome.version,
        welcome.credit_bytes
    );
    emit(Event::Connected {
        session: greeting.session,
        outbox: outbox.clone(),
        credit_bytes: welcome.credit_bytes,
        batch_bytes_max: welcome.batch_bytes_max,
        restored: welcome.restored,
    });
    let keepalive = Duration::from_millis(u64::from(welcome.keepalive_ms)).max(KEEPALIVE_MIN);
    converse(greeting.session, outbox, inbox, keepalive, emit).await
}

type Connected = (mpsc::Sender<AgentMessage>, Streaming<clew_proto::v1::AggregatorMessage>, Welcome);

async fn connect(peer: &Peer) -> Result<Connected, End> {
    let connection = peer.destination.connect().await.map_err(End::Failed)?;
    let mut client = IngestClient::new(connection.channel.clone())
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    let (outbox, messages) = mpsc::channel(OUTBOX_MESSAGES_MAX);
    let hello = Hello {
        agent_id: peer.agent_id.to_vec().into(),
        host: peer.host.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        epoch: peer.epoch,
        contract: CONTRACT,
    };
    let _ = outbox.try_send(AgentMessage { message: Some(agent_message::Message::Hello(hello)) });
    let welcomed = async {
        let mut inbox =
            client.session(connection.request(ReceiverStream::new(messages))).await.map_err(failed)?.into_inner();
        match inbox.message().await.map_err(failed)?.and_then(|message| message.message) {
            Some(Message::Welcome(welcome)) => Ok((outbox, inbox, welcome)),
            Some(Message::Goodbye(goodbye)) => Err(said_goodbye(goodbye)),
            Some(_) => Err(End::Failed("broke the contract: no Welcome after Hello".into())),
            None => Err(End::Failed("ended the session before it began".into())),
        }
    };
    match tokio::time::timeout(WELCOME_TIME_MAX, welcomed).await {
        Ok(connected) => connected,
        Err(_) => Err(End::Failed("no Welcome in time".into())),
    }
}

async fn converse(
    session: u64,
    outbox: mpsc::Sender<AgentMessage>,
    mut inbox: Streaming<clew_proto::v1::AggregatorMessage>,
    keepalive: Duration,
    emit: &impl Fn(Event),
) -> End {
    let mut pinged: Option<(u64, Instant)> = None;
    let mut pings = tokio::time::interval(keepalive / 2);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        tokio::select! {
            message = inbox.message() => {
                heard = Instant::now();
                match message {
                    Ok(Some(message)) => match message.message {
                        Some(Message::Pong(pong)) => {
                            if let Some((_, sent)) = pinged.filter(|(sent_ns, _)| *sent_ns == pong.ping_sent_ns) {
                                let instant = heard.into_std();
                                let round_trip = heard - sent;
                                emit(Event::Clock { session, anchor: Anchor { aggregator_ns: pong.sent_ns, instant, round_trip } });
                            }
                        }
                        Some(Message::Goodbye(goodbye)) => return said_goodbye(goodbye),
                        Some(message) => emit(Event::Message { session, message }),
                        None => {}
                    },
                    Ok(None) => return End::Failed("ended the session".into()),
                    Err(status) => return failed(status),
                }
            }
            _ = pings.tick() => {
                if heard.elapsed() > keepalive * KEEPALIVES_MISSED_MAX {
                    return End::Failed(format!("silent for {:.1} s", heard.elapsed().as_secs_f64()));
                }
                let sent = Instant::now();
                let ping = Ping { sent_ns: now_ns() };
                pinged = Some((ping.sent_ns, sent));
                // A full outbox is a sign of life as good as a ping.
                let _ = outbox.try_send(AgentMessage { message: Some(agent_message::Message::Ping(ping)) });
            }
        }
    }
}

fn said_goodbye(goodbye: clew_proto::v1::Goodbye) -> End {
    match goodbye.reason() {
        GoodbyeReason::Fenced => End::Fenced { epoch: goodbye.epoch, detail: goodbye.detail },
        GoodbyeReason::Shutdown => End::Failed(format!("is shutting down {}", goodbye.detail).trim_end().to_owned()),
        GoodbyeReason::Unavailable => End::Failed(format!("cannot take anything now: {}", goodbye.detail)),
        GoodbyeReason::Malformed => End::Failed(format!("did not understand this agent: {}", goodbye.detail)),
        GoodbyeReason::Refused => End::Refused(goodbye.detail),
        GoodbyeReason::Unknown => End::Failed(format!("said goodbye: {}", goodbye.detail)),
    }
}

#[allow(clippy::needless_pass_by_value)] // it is what map_err hands over
fn failed(status: tonic::Status) -> End {
    if matches!(status.code(), Code::Unauthenticated | Code::PermissionDenied) {
        return End::Refused(status.message().to_owned());
    }
    let why = why(status);
    if REJECTIONS.iter().any(|alert| why.contains(alert)) { End::Refused(why) } else { End::Failed(why) }
}

/// Why a call failed.
#[allow(clippy::needless_pass_by_value)] // it is what map_err hands over
pub fn why(status: tonic::Status) -> String {
    if std::error::Error::source(&status).is_none() {
        return match status.code() {
            Code::Unauthenticated | Code::PermissionDenied => status.message().to_owned(),
            code => format!("{code:?}: {}", status.message()),
        };
    }
    let why = chain(&status);
    match REJECTIONS.iter().any(|alert| why.contains(alert)) {
        true => format!("it does not take the certificate of this agent, see tls.certificate ({why})"),
        false => why,
    }
}

/// The innermost reason, which names what the outer ones hide.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}
