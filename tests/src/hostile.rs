//! A client that speaks the contract as no agent does. What it says costs the aggregator little, is counted, and ends its session.

use std::path::Path;
use std::time::Duration;

use bytes::{BufMut, Bytes};
use clew_agent::ship::destination::Destination;
use clew_agent::ship::tls::Tls;
use clew_proto::v1;
use clew_proto::v1::agent_message::Message as FromAgent;
use clew_proto::v1::aggregator_message::Message as ToAgent;
use clew_service::tls::Identity as IdentityFiles;
use clew_service::tls::client::Files;
use prost::Message;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::{Codec, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Request, Status};

use crate::authority::Identity;

const DEADLINE: Duration = Duration::from_secs(30);
/// The largest range that a batch may have.
const RANGE: u64 = 4 << 20;
const SOURCE: u32 = 1;

/// Something to say, and what the answer has to contain.
pub struct Attempt {
    pub name: &'static str,
    /// Whether a greeting goes before it.
    greets: bool,
    messages: fn() -> Vec<Vec<u8>>,
    pub why: &'static str,
}

/// All of them.
pub const ATTEMPTS: &[Attempt] = &[
    Attempt {
        name: "no greeting",
        greets: false,
        messages: || vec![message(FromAgent::Ping(v1::Ping::default()))],
        why: "is Hello",
    },
    Attempt {
        name: "an agent_id of three bytes",
        greets: false,
        messages: || vec![hello(b"abc", "h")],
        why: "agent_id is not 16 bytes",
    },
    Attempt {
        name: "a host of a kilobyte",
        greets: false,
        messages: || vec![hello(&[7; 16], &"h".repeat(1024))],
        why: "host has over 255 bytes",
    },
    Attempt {
        name: "a host that writes to the log",
        greets: false,
        messages: || vec![hello(&[7; 16], "h\n2026 all is well")],
        why: "host has over 255 bytes or control characters",
    },
    Attempt { name: "noise", greets: true, messages: || vec![vec![0xff; 1000]], why: "a message cannot be read" },
    Attempt { name: "a message of 17 MiB", greets: true, messages: || vec![vec![0; 17 << 20]], why: "too large" },
    Attempt {
        name: "a file with two million labels",
        greets: true,
        messages: || {
            let labels = vec![v1::Label::default(); 2 << 20];
            vec![message(FromAgent::OpenSource(v1::OpenSource { labels, ..Default::default() }))]
        },
        why: "that is no batch",
    },
    Attempt {
        name: "a batch of eight million IDs of nothing",
        greets: true,
        // Field 5, no bytes.
        messages: || vec![open(), batch(10, Bytes::from([5 << 3 | 2, 0].repeat(7 << 20)))],
        why: "when decoded",
    },
    Attempt {
        name: "a small batch of zeros without end",
        greets: true,
        messages: || {
            let zeros = zstd::bulk::compress(&vec![0; 256 << 20], 1).expect("compress");
            let columns = v1::Columns {
                lengths: vec![10],
                time_deltas_ns: vec![0],
                severities: vec![0].into(),
                flags: vec![0].into(),
                id_counts: vec![0].into(),
                raw_zstd: zeros.into(),
                ..Default::default()
            };
            vec![open(), batch(10, columns.encode_to_vec().into())]
        },
        why: "decompress",
    },
    Attempt {
        name: "a range that no batch may have",
        greets: true,
        messages: || vec![open(), batch(RANGE + 1, Bytes::new())],
        why: "is empty or over",
    },
    Attempt {
        name: "columns that stop in the middle",
        greets: true,
        messages: || vec![open(), batch(10, Bytes::from_static(&[5 << 3 | 2, 200, 1]))],
        why: "columns are cut off",
    },
    Attempt { name: "a second greeting", greets: true, messages: || vec![hello(&[7; 16], "h")], why: "a second Hello" },
];

/// A client at an address.
pub struct Hostile {
    destination: Destination,
    host: String,
}

impl Hostile {
    /// Says that it is the agent of `host`. `tls`: the authority, and what is shown.
    pub fn new(url: &str, tls: Option<(&Path, &Identity)>, host: &str) -> Self {
        let tls = tls.map(|(ca, identity)| {
            let (certificate, key) = (identity.certificate.clone(), identity.key.clone());
            let files = Files { ca: Some(ca.to_owned()), identity: Some(IdentityFiles { certificate, key }) };
            Tls { files, server_name: None }
        });
        let destination = Destination { aggregator: url.to_owned(), token_file: None, tls: tls.unwrap_or_default() };
        Self { destination, host: host.to_owned() }
    }

    /// Says it in a session of its own. Answers what the aggregator said last.
    pub fn say(&self, attempt: &Attempt) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let greeting = attempt.greets.then(|| hello(&[7; 16], &self.host));
        let messages: Vec<Vec<u8>> = greeting.into_iter().chain((attempt.messages)()).collect();
        runtime.block_on(async {
            let said = tokio::time::timeout(DEADLINE, self.session(messages)).await;
            said.unwrap_or_else(|_| "nothing in time".into())
        })
    }

    async fn session(&self, messages: Vec<Vec<u8>>) -> String {
        let connection = match self.destination.connect().await {
            Ok(connection) => connection,
            Err(why) => return why,
        };
        let mut client = tonic::client::Grpc::new(connection.channel.clone());
        client.ready().await.expect("a connection");
        // Each is said when the one before was answered: a batch goes with a source that is open. The stream stays open: the aggregator
        // is to end it.
        let (say, said) = tokio::sync::mpsc::channel(1);
        let mut messages = messages.into_iter();
        say.try_send(messages.next().expect("something to say")).expect("there is room");
        let path = PathAndQuery::from_static("/clew.v1.Ingest/Session");
        let mut answers = match client.streaming(Request::new(ReceiverStream::new(said)), path, Raw).await {
            Ok(answers) => answers.into_inner(),
            Err(status) => return status.message().to_owned(),
        };
        let mut last = String::new();
        loop {
            match answers.message().await {
                Ok(Some(answer)) => match answer.message {
                    Some(ToAgent::Goodbye(goodbye)) => return goodbye.detail,
                    Some(message) => {
                        last = format!("{message:?}");
                        if let Some(next) = messages.next() {
                            let _ = say.send(next).await;
                        }
                    }
                    None => {}
                },
                Ok(None) => return format!("the end, after {last}"),
                Err(status) => return status.message().to_owned(),
            }
        }
    }
}

fn message(message: FromAgent) -> Vec<u8> {
    v1::AgentMessage { message: Some(message) }.encode_to_vec()
}

fn hello(agent_id: &[u8], host: &str) -> Vec<u8> {
    let agent_id = agent_id.to_vec().into();
    message(FromAgent::Hello(v1::Hello { agent_id, host: host.into(), epoch: 1, contract: 1, ..Default::default() }))
}

fn open() -> Vec<u8> {
    let source_id = vec![9; 16].into();
    let service = "hostile".into();
    message(FromAgent::OpenSource(v1::OpenSource { source: SOURCE, source_id, service, ..Default::default() }))
}

/// The first `end` bytes of the source.
fn batch(end: u64, columns: Bytes) -> Vec<u8> {
    let columns_crc32c = crc32c::crc32c(&columns);
    message(FromAgent::Batch(v1::Batch {
        source: SOURCE,
        end,
        records: 1,
        columns,
        columns_crc32c,
        ..Default::default()
    }))
}

/// Sends bytes as they are.
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = v1::AggregatorMessage;
    type Encoder = RawEncoder;
    type Decoder = <clew_proto::codec::Codec<v1::AgentMessage, v1::AggregatorMessage> as Codec>::Decoder;

    fn encoder(&mut self) -> RawEncoder {
        RawEncoder
    }

    fn decoder(&mut self) -> Self::Decoder {
        clew_proto::codec::Codec::<v1::AgentMessage, v1::AggregatorMessage>::default().decoder()
    }
}

struct RawEncoder;

impl Encoder for RawEncoder {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&item);
        Ok(())
    }
}
