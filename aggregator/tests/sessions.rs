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
        let request = format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n");
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
        self.open_as(payments()).await
    }

    async fn open_as(&mut self, open: v1::OpenSource) -> v1::SourceState {
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

fn payments() -> v1::OpenSource {
    v1::OpenSource {
        source: 3,
        source_id: vec![9; 16].into(),
        service: "payments".into(),
        path: b"/var/log/payments.log".to_vec().into(),
        ..Default::default()
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
    of_columns(begin, end, count as u32, columns)
}

fn of_columns(begin: u64, end: u64, records: u32, columns: Vec<u8>) -> FromAgent {
    FromAgent::Batch(v1::Batch {
        source: 3,
        begin,
        end,
        records,
        columns_crc32c: crc32c::crc32c(&columns),
        columns: columns.into(),
        ..Default::default()
    })
}

/// From `begin` on: 7 bytes dropped, a line of 30 bytes of which 12 are content, a plain line of 10 bytes with an attached ID,
/// 5 NUL bytes.
fn unwrapped(begin: u64) -> FromAgent {
    let skip = |before_record, bytes, reason| v1::Skipped { before_record, bytes, reason, records: 1 };
    let columns = v1::Columns {
        lengths: vec![30, 10],
        content_lengths: vec![12, 10],
        marks: vec![(v1::RecordMark::Stderr as i32 | v1::RecordMark::Unwrapped as i32) as u8, 0].into(),
        skipped: vec![skip(0, 7, v1::SkippedReason::Dropped as i32), skip(2, 5, v1::SkippedReason::Nuls as i32)],
        time_deltas_ns: vec![1_795_435_200_000_000_000, 1000],
        severities: vec![3; 2].into(),
        flags: vec![0; 2].into(),
        ids: vec![
            v1::TransactionId { value: ID.into(), kind: 1, attached: false },
            v1::TransactionId { value: ID.into(), kind: 1, attached: true },
        ],
        id_counts: vec![1; 2].into(),
        id_refs: vec![0, 1],
        raw_zstd: zstd::bulk::compress(b"content one\nplain two\n", 1).unwrap().into(),
    };
    of_columns(begin, begin + 52, 2, columns.encode_to_vec())
}

/// All that the aggregator keeps of the agent's files.
async fn accounts(aggregator: &Aggregator) -> Vec<v1::SourceAccount> {
    let mut client = IngestClient::connect(format!("http://{}", aggregator.grpc)).await.unwrap();
    let request = v1::SourcesRequest { agent_id: vec![7; 16].into(), host: String::new() };
    client.sources(request).await.unwrap().into_inner().sources
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_marks_and_skipped_bytes_arrive_and_survive_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let aggregator = Aggregator::start(dir.path()).await;
    let mut agent = Agent::connect(&aggregator, 1).await;
    agent.next().await;
    let label = v1::Label { name: "pod".into(), value: "payments-1".into() };
    agent.open_as(v1::OpenSource { labels: vec![label], begin: 100, ..payments() }).await;
    agent.send(unwrapped(100)).await;
    assert_eq!(agent.frontier().await, 152);
    let check = async |aggregator: &Aggregator| {
        assert_eq!(aggregator.positions(ID, 2).await, [107, 137]);
        let (_, body) = aggregator.get(&format!("/api/v1/transactions/{ID}")).await;
        let [first, second] = &body["records"].as_array().unwrap()[..] else { panic!("{body}") };
        assert_eq!((first["line"].as_str(), first["length"].as_u64()), (Some("content one"), Some(30)));
        assert_eq!(first["flags"], serde_json::json!(["stderr", "unwrapped"]));
        assert_eq!(first["labels"], serde_json::json!({"pod": "payments-1"}));
        assert_eq!(first["ids"], serde_json::json!([{"value": ID, "kind": "trace"}]));
        assert_eq!((second["line"].as_str(), second["length"].as_u64()), (Some("plain two"), Some(10)));
        assert_eq!(second["flags"], serde_json::json!([]));
        assert_eq!(second["ids"], serde_json::json!([{"value": ID, "kind": "trace", "attached": true}]));
        let (_, status) = aggregator.get("/api/v1/status/agents").await;
        let source = &status["agents"][0]["sources"][0];
        assert_eq!((source["begin"].as_u64(), source["stored_bytes"].as_u64()), (Some(100), Some(40)), "{source}");
        assert_eq!(source["skipped_bytes"], serde_json::json!({"dropped": 7, "sampled": 0, "nuls": 5}));
        assert_eq!(source["labels"], serde_json::json!({"pod": "payments-1"}));
        let account = &accounts(aggregator).await[0];
        let counted = account.stored_bytes
            + account.skipped_dropped_bytes
            + account.skipped_sampled_bytes
            + account.skipped_nuls_bytes
            + account.gap_bytes;
        assert_eq!((account.records, account.begin + counted, account.frontier), (2, 152, 152));
    };
    check(&aggregator).await;
    aggregator.stop().await;
    let aggregator = Aggregator::start(dir.path()).await;
    check(&aggregator).await;
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_record_is_not_cut_at_the_frontier() {
    let dir = tempfile::tempdir().unwrap();
    let aggregator = Aggregator::start(dir.path()).await;
    let mut agent = Agent::connect(&aggregator, 1).await;
    agent.next().await;
    agent.open().await;
    agent.send(batch(0, 20)).await;
    assert_eq!(agent.frontier().await, 20);
    agent.send(unwrapped(0)).await; // the frontier lies in its first record, [7, 37)
    match agent.next().await {
        ToAgent::Refused(refused) => {
            assert_eq!((refused.begin, refused.frontier, refused.reason()), (0, 20, v1::RefusedReason::Ahead));
        }
        other => panic!("{other:?}"),
    }
    agent.send(unwrapped(20)).await;
    assert_eq!(agent.frontier().await, 72);
    agent.send(unwrapped(25)).await; // nothing new but its NUL bytes, [72, 77)
    assert_eq!(agent.frontier().await, 77);
    agent.send(unwrapped(35)).await; // its plain record [72, 82) can be cut
    assert_eq!(agent.frontier().await, 87);
    assert_eq!(aggregator.positions(ID, 5).await, [0, 10, 27, 57, 77]);
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_skipped_as_a_whole_moves_the_frontier() {
    let dir = tempfile::tempdir().unwrap();
    let aggregator = Aggregator::start(dir.path()).await;
    let mut agent = Agent::connect(&aggregator, 1).await;
    agent.next().await;
    agent.open().await;
    let skip = v1::Skipped { before_record: 0, bytes: 50, reason: v1::SkippedReason::Sampled as i32, records: 5 };
    let columns = v1::Columns {
        skipped: vec![skip],
        raw_zstd: zstd::bulk::compress(b"", 1).unwrap().into(),
        ..Default::default()
    };
    agent.send(of_columns(0, 50, 0, columns.encode_to_vec())).await;
    assert_eq!(agent.frontier().await, 50);
    aggregator.stop().await;
    let aggregator = Aggregator::start(dir.path()).await;
    let account = &accounts(&aggregator).await[0];
    assert_eq!((account.frontier, account.skipped_sampled_bytes, account.records), (50, 50, 0));
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_vanished_leaves_one_gap_with_an_open_end() {
    let dir = tempfile::tempdir().unwrap();
    let aggregator = Aggregator::start(dir.path()).await;
    let mut agent = Agent::connect(&aggregator, 1).await;
    agent.next().await;
    agent.open().await;
    agent.send(batch(0, 100)).await;
    agent.frontier().await;
    let reason = v1::GapReason::Vanished as i32;
    let gap = FromAgent::Gap(v1::Gap { source: 3, begin: 100, end: 100, reason, open_ended: true });
    for _ in 0..2 {
        agent.send(gap.clone()).await;
        assert_eq!(agent.frontier().await, 100);
    }
    aggregator.positions(ID, 10).await;
    aggregator.stop().await;
    let aggregator = Aggregator::start(dir.path()).await;
    let (_, status) = aggregator.get("/api/v1/status/agents").await;
    let gaps = &status["agents"][0]["sources"][0]["gaps"];
    assert_eq!(gaps.as_array().unwrap().len(), 1, "{gaps}");
    assert_eq!((gaps[0]["open_ended"].as_bool(), gaps[0]["reason"].as_str()), (Some(true), Some("vanished")));
    aggregator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_offered_the_source_that_begins_alike() {
    let dir = tempfile::tempdir().unwrap();
    let aggregator = Aggregator::start(dir.path()).await;
    let mut agent = Agent::connect(&aggregator, 1).await;
    agent.next().await;
    let prefix = Some(v1::Fingerprint { length: 100, hash: 5 });
    agent.open_as(v1::OpenSource { inode: 1, ..payments() }).await;
    let FromAgent::Batch(first) = batch(0, 100) else { unreachable!() };
    agent.send(FromAgent::Batch(v1::Batch { prefix, ..first })).await;
    agent.frontier().await;
    let copy = v1::OpenSource {
        source: 4,
        source_id: vec![10; 16].into(),
        inode: 2,
        prefix,
        fresh: true,
        may_be_copy: true,
        ..payments()
    };
    let state = agent.open_as(copy.clone()).await;
    assert_eq!((state.candidates.len(), state.candidates[0].frontier), (1, 100));
    assert!(agent.open_as(v1::OpenSource { may_be_copy: false, ..copy }).await.candidates.is_empty());
    aggregator.stop().await;
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
