//! The whole aggregator in one process, over real sockets: what agents are told, and what is found afterwards.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use clew_aggregator::app;
use clew_aggregator::config::Config;
use clew_proto::v1;
use clew_proto::v1::agent_message::Message as FromAgent;
use clew_proto::v1::aggregator_message::Message as ToAgent;
use clew_proto::v1::ingest_client::IngestClient;
use clew_service::shutdown::CancellationToken;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

const ID: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const DEADLINE: Duration = Duration::from_secs(20);

struct Aggregator {
    grpc: SocketAddr,
    http: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Aggregator {
    async fn start(dir: &Path) -> Self {
        let path = dir.join("aggregator.toml");
        let text = format!(
            "data_dir = '{}'\ngrpc_listen = '127.0.0.1:0'\nhttp_listen = '127.0.0.1:0'\n[limits]\ndisk_free_min = 0\n\
             block_bytes = '4KiB'\nhead_bytes = '64KiB'\n",
            dir.join("data").display()
        );
        std::fs::write(&path, text).unwrap();
        let ready = app::prepare(Config::load(Some(&path)).unwrap()).await.unwrap();
        let (grpc, http) = ready.addresses().unwrap();
        let shutdown = CancellationToken::new();
        let task = tokio::spawn(app::run(ready, shutdown.clone()));
        Self { grpc, http, shutdown, task }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.task.await.unwrap().unwrap();
    }

    /// Status and JSON body of a GET.
    async fn get(&self, path: &str) -> (u16, serde_json::Value) {
        let mut stream = tokio::net::TcpStream::connect(self.http).await.unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nhost: x\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        (status, serde_json::from_str(body).unwrap())
    }

    /// The positions of the records of an ID, once there are `count`.
    async fn positions(&self, id: &str, count: usize) -> Vec<u64> {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            let (_, body) = self.get(&format!("/api/v1/transactions/{id}?limit=10000")).await;
            let records = body["records"].as_array().cloned().unwrap_or_default();
            if records.len() >= count || tokio::time::Instant::now() > deadline {
                return records.iter().map(|record| record["position"].as_u64().unwrap()).collect();
            }
            tokio::task::yield_now().await;
        }
    }
}

struct Agent {
    sender: mpsc::Sender<v1::AgentMessage>,
    answers: Streaming<v1::AggregatorMessage>,
}

impl Agent {
    async fn connect(aggregator: &Aggregator, epoch: u64) -> Self {
        let mut client = IngestClient::connect(format!("http://{}", aggregator.grpc)).await.unwrap();
        let (sender, receiver) = mpsc::channel(64);
        let hello = v1::Hello { agent_id: vec![7; 16].into(), host: "web-1".into(), epoch, ..Default::default() };
        sender.send(v1::AgentMessage { message: Some(FromAgent::Hello(hello)) }).await.unwrap();
        let answers = client.session(ReceiverStream::new(receiver)).await.unwrap().into_inner();
        Self { sender, answers }
    }

    async fn send(&self, message: FromAgent) {
        self.sender.send(v1::AgentMessage { message: Some(message) }).await.unwrap();
    }

    /// The next message that is no credit.
    async fn next(&mut self) -> ToAgent {
        loop {
            let message = tokio::time::timeout(DEADLINE, self.answers.next()).await.unwrap().unwrap().unwrap();
            match message.message.unwrap() {
                ToAgent::Credit(_) => {}
                message => return message,
            }
        }
    }

    async fn open(&mut self) -> v1::SourceState {
        let open = v1::OpenSource {
            source: 3,
            source_id: vec![9; 16].into(),
            service: "payments".into(),
            path: b"/var/log/payments.log".to_vec().into(),
            ..Default::default()
        };
        self.send(FromAgent::OpenSource(open)).await;
        match self.next().await {
            ToAgent::SourceState(state) => state,
            other => panic!("{other:?}"),
        }
    }

    async fn frontier(&mut self) -> u64 {
        match self.next().await {
            ToAgent::Ack(ack) => ack.frontiers[0].frontier,
            other => panic!("{other:?}"),
        }
    }
}

/// Lines of ten bytes from `begin` to `end`, each with [`ID`].
fn batch(begin: u64, end: u64) -> FromAgent {
    let count = ((end - begin) / 10) as usize;
    let raw: Vec<u8> = (0..count).flat_map(|line| format!("{:09}\n", begin + 10 * line as u64).into_bytes()).collect();
    let columns = v1::Columns {
        lengths: vec![10; count],
        time_deltas_ns: std::iter::once(1_795_435_200_000_000_000).chain(std::iter::repeat(1000)).take(count).collect(),
        severities: vec![3; count].into(),
        flags: vec![0; count].into(),
        ids: vec![v1::TransactionId { value: ID.into(), kind: 1, attached: false }],
        id_counts: vec![1; count].into(),
        id_refs: vec![0; count],
        raw_zstd: zstd::bulk::compress(&raw, 1).unwrap().into(),
        ..v1::Columns::default()
    }
    .encode_to_vec();
    FromAgent::Batch(v1::Batch {
        source: 3,
        begin,
        end,
        records: count as u32,
        columns_crc32c: crc32c::crc32c(&columns),
        columns: columns.into(),
        ..Default::default()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_byte_range_is_stored_once_however_often_it_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let aggregator = Aggregator::start(dir.path()).await;
    let mut agent = Agent::connect(&aggregator, 1).await;
    assert!(matches!(agent.next().await, ToAgent::Welcome(_)));
    assert!(!agent.open().await.known);
    agent.send(batch(0, 100)).await;
    assert_eq!(agent.frontier().await, 100);
    agent.send(batch(50, 200)).await; // overlaps
    assert_eq!(agent.frontier().await, 200);
    agent.send(batch(0, 100)).await; // held already
    assert_eq!(agent.frontier().await, 200);
    agent.send(batch(300, 400)).await; // ahead
    match agent.next().await {
        ToAgent::Refused(refused) => assert_eq!((refused.frontier, refused.reason()), (200, v1::RefusedReason::Ahead)),
        other => panic!("{other:?}"),
    }
    assert_eq!(aggregator.positions(ID, 20).await, (0..20).map(|line| line * 10).collect::<Vec<_>>());

    // Enough to fill blocks and generations, then a restart in between: nothing is lost, nothing is twice.
    for begin in (200..200_000).step_by(10_000) {
        agent.send(batch(begin, begin + 10_000)).await;
        agent.frontier().await;
    }
    aggregator.stop().await;
    let aggregator = Aggregator::start(dir.path()).await;
    let mut agent = Agent::connect(&aggregator, 2).await;
    agent.next().await;
    let state = agent.open().await;
    assert!(state.known);
    assert_eq!(state.frontier, 200_200);
    agent.send(batch(190_000, 210_000)).await;
    assert_eq!(agent.frontier().await, 210_000);
    let (_, storage) = aggregator.get("/api/v1/status/storage").await;
    let counted = storage["records"].as_u64().unwrap();
    assert!((20_020..=21_000).contains(&counted), "{storage}");
    let mut all = Vec::new();
    let mut cursor = String::new();
    loop {
        let (status, page) =
            aggregator.get(&format!("/api/v1/transactions/{}?limit=7000{cursor}", ID.to_uppercase())).await;
        assert_eq!(status, 200);
        let records = page["records"].as_array().unwrap();
        all.extend(
            records
                .iter()
                .map(|record| (record["position"].as_u64().unwrap(), record["line"].as_str().unwrap().to_owned())),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None if all.len() == 21_000 => break,
            // The last batch is durable and about to enter the head.
            None => (all, cursor) = (Vec::new(), String::new()),
        }
    }
    all.sort_unstable();
    assert!(
        all.iter()
            .enumerate()
            .all(|(line, (position, text))| *position == line as u64 * 10 && *text == format!("{position:09}"))
    );
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lower_epoch_is_told_goodbye() {
    let dir = tempfile::tempdir().unwrap();
    let aggregator = Aggregator::start(dir.path()).await;
    let mut old = Agent::connect(&aggregator, 5).await;
    old.next().await;
    old.open().await;
    let mut new = Agent::connect(&aggregator, 6).await;
    assert!(matches!(new.next().await, ToAgent::Welcome(_)));
    old.send(batch(0, 100)).await;
    match old.next().await {
        ToAgent::Goodbye(goodbye) => assert_eq!((goodbye.reason(), goodbye.epoch), (v1::GoodbyeReason::Fenced, 6)),
        other => panic!("{other:?}"),
    }
    assert!(matches!(Agent::connect(&aggregator, 5).await.next().await, ToAgent::Goodbye(_)));
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_batch_ends_the_session_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let aggregator = Aggregator::start(dir.path()).await;
    let mut agent = Agent::connect(&aggregator, 1).await;
    agent.next().await;
    agent.open().await;
    let FromAgent::Batch(mut broken) = batch(0, 100) else { unreachable!() };
    broken.columns_crc32c ^= 1;
    agent.send(FromAgent::Batch(broken)).await;
    match agent.next().await {
        ToAgent::Goodbye(goodbye) => assert_eq!(goodbye.reason(), v1::GoodbyeReason::Malformed),
        other => panic!("{other:?}"),
    }
    let mut agent = Agent::connect(&aggregator, 1).await;
    agent.next().await;
    agent.open().await;
    agent.send(batch(0, 100)).await;
    assert_eq!(agent.frontier().await, 100);
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_requests_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let aggregator = Aggregator::start(dir.path()).await;
    for (path, status, title) in [
        ("/api/v1/transactions/abc?limit=0", 400, "bad parameter"),
        ("/api/v1/transactions/abc?limit=many", 400, "bad parameter"),
        ("/api/v1/transactions/abc?cursor=xyz", 400, "bad parameter"),
        ("/api/v1/transactions/abc?limt=5", 400, "bad parameter"),
        ("/api/v1/transactions/%20", 400, "bad parameter"),
        ("/api/v1/transactions/abc", 404, "unknown transaction"),
        ("/nowhere", 404, "no such route"),
    ] {
        let (found, body) = aggregator.get(path).await;
        assert_eq!((found, body["title"].as_str().unwrap()), (status, title), "{path}: {body}");
    }
    let (_, unknown) = aggregator.get("/api/v1/transactions/abc").await;
    assert_eq!(unknown["searched"]["records"], 0);
    aggregator.stop().await;
}
