//! An aggregator that acknowledges everything and keeps nothing: what the agent's own cost is measured against.
//!
//! `cargo run --release -p clew-agent --example sink -- 127.0.0.1:7600 [BYTES]` tells when so many raw bytes have come.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clew_proto::v1::agent_message::Message as FromAgent;
use clew_proto::v1::aggregator_message::Message as ToAgent;
use clew_proto::v1::ingest_server::{Ingest, IngestServer};
use clew_proto::v1::{Ack, AgentMessage, AggregatorMessage, Credit, Pong, SourceFrontier, SourceState, Welcome};
use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};

#[derive(Default)]
struct Sink {
    bytes: Arc<AtomicU64>,
    wire: Arc<AtomicU64>,
}

#[tonic::async_trait]
impl Ingest for Sink {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<AggregatorMessage, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let (outbox, messages) = mpsc::channel(1024);
        let mut inbox = request.into_inner();
        let (bytes, wire) = (self.bytes.clone(), self.wire.clone());
        tokio::spawn(async move {
            let mut frontiers = HashMap::new();
            while let Ok(Some(AgentMessage { message: Some(message) })) = inbox.message().await {
                for answer in answers(message, &mut frontiers, &bytes, &wire) {
                    let _ = outbox.send(Ok(AggregatorMessage { message: Some(answer) })).await;
                }
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(messages))))
    }

    async fn sources(
        &self,
        _: Request<clew_proto::v1::SourcesRequest>,
    ) -> Result<Response<clew_proto::v1::SourcesReply>, Status> {
        Err(Status::unimplemented("nothing is counted here"))
    }
}

fn answers(message: FromAgent, frontiers: &mut HashMap<u32, u64>, bytes: &AtomicU64, wire: &AtomicU64) -> Vec<ToAgent> {
    match message {
        FromAgent::Hello(_) => vec![ToAgent::Welcome(Welcome {
            credit_bytes: 8 << 20,
            batch_bytes_max: 4 << 20,
            keepalive_ms: 10_000,
            version: "sink".into(),
            restored: false,
        })],
        FromAgent::OpenSource(open) => {
            frontiers.insert(open.source, open.begin);
            vec![ToAgent::SourceState(SourceState {
                source: open.source,
                frontier: open.begin,
                ..SourceState::default()
            })]
        }
        FromAgent::Batch(batch) => {
            bytes.fetch_add(batch.end - batch.begin, Ordering::Relaxed);
            wire.fetch_add(batch.columns.len() as u64, Ordering::Relaxed);
            let frontier = SourceFrontier { source: batch.source, frontier: batch.end };
            vec![
                ToAgent::Ack(Ack { frontiers: vec![frontier] }),
                ToAgent::Credit(Credit { bytes: batch.end - batch.begin }),
            ]
        }
        FromAgent::Ping(ping) => {
            vec![ToAgent::Pong(Pong { ping_sent_ns: ping.sent_ns, received_ns: ping.sent_ns, sent_ns: ping.sent_ns })]
        }
        _ => Vec::new(),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:7600".into()).parse()?;
    let wanted: u64 = arguments.next().map_or(Ok(u64::MAX), |text| text.parse())?;
    let sink = Sink::default();
    let (bytes, wire) = (sink.bytes.clone(), sink.wire.clone());
    let service = IngestServer::new(sink).max_decoding_message_size(16 << 20);
    tokio::spawn(async move {
        while bytes.load(Ordering::Relaxed) < wanted {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        println!("{} raw bytes, {} on the wire", bytes.load(Ordering::Relaxed), wire.load(Ordering::Relaxed));
    });
    tonic::transport::Server::builder()
        .initial_stream_window_size(4 << 20)
        .initial_connection_window_size(8 << 20)
        .add_service(service)
        .serve(address)
        .await?;
    Ok(())
}
