//! Wires the parts, alone: opens what is on disk, replays the WAL, starts threads and servers, and ends them in reverse.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use clew_proto::v1::ingest_server::IngestServer;
use clew_service::exit::ConfigError;
use clew_service::notify::Notifier;
use clew_service::shutdown::CancellationToken;
use prost::Message;
use rayon::prelude::*;
use tokio::net::TcpListener;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

use crate::access::binding;
use crate::access::door::Door;
use crate::access::gate::{self, Gate, Names};
use crate::access::keyring::Keyring;
use crate::access::uses;
use crate::backup::{control, last};
use crate::batch::Batch;
use crate::catalog::absence;
use crate::catalog::registry::Registry;
use crate::catalog::store::Store as CatalogStore;
use crate::config::Config;
use crate::data_dir;
use crate::deletion::job::Deletions;
use crate::head::appender::{Appender, SnapshotReply};
use crate::head::tail::Tail;
use crate::head::view::Head;
use crate::health::Health;
use crate::http::api::Api;
use crate::http::{router, serve};
use crate::index::committed::Committed;
use crate::index::partition::{Partition, PartitionError};
use crate::indexer::Indexer;
use crate::listen::connection::Connection;
use crate::listen::crowd::{self, Crowd};
use crate::listen::doorman::{Doorman, Handshake, Terms};
use crate::listen::tls::{self, Tls};
use crate::metrics::Metrics;
use crate::receive::ingest::{MESSAGE_BYTES_MAX, Sessions};
use crate::receive::journal::{Durable, Handed, Journal};
use crate::retention;
use crate::search::cache::BlockCache;
use crate::store::Store;
use crate::supervise::supervise;
use crate::transactions::cache::TallyCache;
use crate::wal::entry::{Entry, Event, uuid};
use crate::wal::writer::Writer;
use crate::wal::{recovery, segment};

/// Requests that wait for the journal; credit bounds their bytes.
const JOURNAL_QUEUE: usize = 1024;
/// Durable batches that wait for the head.
const HEAD_QUEUE: usize = 64;
/// What agents said is saved this often: watermarks and clocks stand in no WAL.
const AGENTS_INTERVAL: Duration = Duration::from_secs(20);
/// Retention, and the age of the last backup, are looked at this often.
const RETENTION_INTERVAL: Duration = Duration::from_secs(60);
/// At start so much of the newest partition is read ahead: a tenth of a second from any disk.
const WARM_BYTES_MAX: u64 = 64 << 20;
/// HTTP/2 windows: a few batches, compressed.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// An agent has one session, and asks what is known of it now and then.
const STREAMS_MAX: u32 = 16;
/// The last commit gets so long; less than the 90 s after which systemd kills.
const STOP_GRACE: Duration = Duration::from_secs(60);

/// Sockets that are bound, a folder that is ours.
pub struct Ready {
    config: Config,
    keyring: Keyring,
    gate: Gate,
    tls: Option<Arc<Tls>>,
    grpc: TcpListener,
    http: TcpListener,
    _lock: File,
}

impl Ready {
    /// Where gRPC and HTTP listen.
    pub fn addresses(&self) -> std::io::Result<(SocketAddr, SocketAddr)> {
        Ok((self.grpc.local_addr()?, self.http.local_addr()?))
    }
}

/// Binds and locks, before any work is done.
pub async fn prepare(config: Config) -> Result<Ready, ConfigError> {
    // First, so that `check` says what is wrong with them also while an aggregator has the folder.
    let tls = config.tls.clone().map(Tls::read).transpose().map_err(ConfigError::new)?.map(Arc::new);
    let lock = data_dir::lock(&config.data_dir)?;
    let (keyring, gate) = gate(&config, tls.as_deref())?;
    Ok(Ready {
        keyring,
        gate,
        tls,
        grpc: bind("grpc_listen", config.grpc_listen).await?,
        http: bind("http_listen", config.http_listen).await?,
        config,
        _lock: lock,
    })
}

/// All tokens and certificates, and what they lock; refused where others could reach what has no lock.
fn gate(config: &Config, tls: Option<&Tls>) -> Result<(Keyring, Gate), ConfigError> {
    let keyring = Keyring { data_dir: config.data_dir.clone(), configured: config.tokens.clone() };
    let (tokens, locks) = keyring.read().map_err(ConfigError::new)?;
    let door = Door::new(tokens, locks);
    if let Some(tls) = tls {
        tls.instruct(&door);
    }
    let reached = binding::check(config.grpc_listen, config.http_listen, door.locks(), config.insecure)?;
    door.lock(reached);
    let names = Names { address: config.http_listen, more: config.http_hosts.clone() };
    let door = Arc::new(door.with_uses(uses::read(&config.data_dir)));
    Ok((keyring, Gate { door, names: (!config.insecure).then_some(names), ..Gate::default() }))
}

async fn bind(key: &str, address: SocketAddr) -> Result<TcpListener, ConfigError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|error| ConfigError::new(format!("{key}: listen on {address}: {error}")))
}

/// Runs until `shutdown` is cancelled, then drains.
pub async fn run(ready: Ready, shutdown: CancellationToken) -> anyhow::Result<()> {
    let (grpc_address, http_address) = ready.addresses()?;
    let Ready { config, keyring, gate, tls, grpc, http, _lock } = ready;
    let gate = Arc::new(gate);
    tokio::spawn(keyring.watch(Arc::clone(&gate.door), shutdown.clone()));
    let mut metrics_registry = clew_service::metrics::Registry::default();
    let metrics = Arc::new(Metrics::register(&mut metrics_registry));
    let health = Arc::new(Health::default());
    let limits = retention::Limits { age: config.retention_age, bytes: config.retention_bytes };
    let (config, engine) = {
        let (metrics, health) = (Arc::clone(&metrics), Arc::clone(&health));
        let start = move || Engine::start(&config, &metrics, &health).map(|engine| (config, engine));
        tokio::task::spawn_blocking(start).await??
    };
    if tls.is_none() && !config.insecure && !binding::is_loopback(grpc_address) {
        tracing::warn!(
            "grpc_listen: lines and tokens go to {grpc_address} in the clear; [tls] in the configuration keeps them from others"
        );
    }
    if let Some(tls) = &tls {
        let (tls, door) = (Arc::clone(tls), Arc::clone(&gate.door));
        tokio::spawn(tls::watch(tls, door, Arc::clone(&health), Arc::clone(&metrics), shutdown.clone()));
    }
    let https = config.tls_http;
    let entrance = Entrance { gate: Arc::clone(&gate), metrics: Arc::clone(&metrics), limits: config.crowd };
    let grpc = entrance.open(gate::GRPC, grpc, terms(tls.clone(), Tls::grpc), &shutdown);
    let http = entrance.open(gate::HTTP, http, terms(tls.filter(|_| https), Tls::http), &shutdown);
    let backup = last::Watch {
        data_dir: config.data_dir.clone(),
        max_lag: config.backup_max_lag,
        health: Arc::clone(&health),
        metrics: Arc::clone(&metrics),
    };
    tokio::spawn(control::serve(control::listen(&config.data_dir)?, engine.snapshots.clone()));
    let keeper = Keeper {
        store: engine.store.clone(),
        catalog: Arc::clone(&engine.catalog),
        root: data_dir::partitions(&config.data_dir),
        limits,
        metrics: Arc::clone(&metrics),
        backup: backup.clone(),
    };
    tokio::spawn(keeper.run(shutdown.clone()));
    let sessions = Sessions {
        journal: engine.journal.clone(),
        registry: Arc::clone(&engine.store.registry),
        health: Arc::clone(&health),
        metrics: Arc::clone(&metrics),
        gate: Arc::clone(&gate),
        catalog: Arc::clone(&engine.catalog),
        credit_bytes: config.credit_bytes,
        shutdown: shutdown.clone(),
    };
    let supervised = (engine.store.clone(), Arc::clone(&health));
    let api = Api {
        gate,
        store: engine.store.clone(),
        deletions: Arc::clone(&engine.deletions),
        health,
        metrics,
        backup,
        registry: Arc::new(metrics_registry),
        search_timeout: config.search_timeout,
        wal_dir: data_dir::wal(&config.data_dir),
        data_dir: config.data_dir,
    };
    tracing::info!("listening grpc={grpc_address} http={http_address}");
    let grpc = tokio::spawn(serve_grpc(grpc, sessions, shutdown.clone()));
    let http = tokio::spawn(serve::serve(http, router::build(api), shutdown.clone()));
    tokio::spawn(supervise(Notifier::from_env(), supervised.0, supervised.1, shutdown.clone()));
    // A server that ends by itself ends the program.
    let outcome = tokio::select! {
        ended = grpc => ended?,
        ended = http => Ok(ended?),
        () = shutdown.cancelled() => Ok(()),
    };
    shutdown.cancel();
    let stop = tokio::task::spawn_blocking(move || engine.stop());
    match tokio::time::timeout(STOP_GRACE, stop).await {
        Ok(stopped) => stopped??,
        Err(_) => {
            anyhow::bail!("stopped without a last commit, it did not succeed in time; the wal holds what is missing")
        }
    }
    tracing::info!("stopped: everything is committed");
    outcome
}

/// What both doors share.
struct Entrance {
    gate: Arc<Gate>,
    metrics: Arc<Metrics>,
    limits: crowd::Limits,
}

impl Entrance {
    fn open(
        &self,
        door: &'static str,
        listener: TcpListener,
        terms: Terms,
        shutdown: &CancellationToken,
    ) -> tokio::sync::mpsc::Receiver<Connection> {
        let doorman = Doorman {
            door,
            crowd: Crowd::new(self.limits),
            terms,
            gate: Arc::clone(&self.gate),
            metrics: Arc::clone(&self.metrics),
        };
        doorman.open(listener, shutdown.clone())
    }
}

/// By `tls`, if there is any, as it is when somebody comes.
fn terms(tls: Option<Arc<Tls>>, of: fn(&Tls) -> Handshake) -> Terms {
    Arc::new(move || tls.as_deref().map(of))
}

async fn serve_grpc(
    connections: tokio::sync::mpsc::Receiver<Connection>,
    sessions: Sessions,
    shutdown: CancellationToken,
) -> anyhow::Result<()> {
    let ingest = IngestServer::new(sessions)
        .max_decoding_message_size(MESSAGE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_BYTES_MAX);
    tonic::transport::Server::builder()
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_concurrent_streams(STREAMS_MAX)
        .http2_keepalive_interval(Some(Duration::from_secs(20)))
        .add_service(ingest)
        .serve_with_incoming_shutdown(
            ReceiverStream::new(connections).map(Ok::<_, std::io::Error>),
            shutdown.cancelled(),
        )
        .await?;
    Ok(())
}

/// What is seen to from time to time.
#[derive(Clone)]
struct Keeper {
    store: Store,
    catalog: Arc<CatalogStore>,
    root: PathBuf,
    limits: retention::Limits,
    metrics: Arc<Metrics>,
    backup: last::Watch,
}

impl Keeper {
    async fn run(self, shutdown: CancellationToken) {
        let mut retention = tokio::time::interval(RETENTION_INTERVAL);
        let mut agents = tokio::time::interval(AGENTS_INTERVAL);
        loop {
            let keeper = self.clone();
            let work: Box<dyn FnOnce() + Send> = tokio::select! {
                () = shutdown.cancelled() => return,
                _ = retention.tick() => Box::new(move || keeper.look()),
                _ = agents.tick() => Box::new(move || keeper.save_agents()),
            };
            let _ = tokio::task::spawn_blocking(work).await;
        }
    }

    fn look(&self) {
        retention::apply(&self.store, &self.catalog, &self.root, self.limits, &self.metrics);
        self.backup.look();
    }

    fn save_agents(&self) {
        if let Err(error) = self.catalog.save_agents(&self.store.registry) {
            tracing::warn!("what agents said is not saved: {error}");
        }
    }
}

/// Brings the index to where the WAL ends, as a start and a clean stop do, without serving anybody. The caller has the folder's lock.
pub fn settle(config: &Config) -> anyhow::Result<()> {
    let metrics = Arc::new(Metrics::register(&mut clew_service::metrics::Registry::default()));
    Engine::start(config, &metrics, &Arc::new(Health::default()))?.stop()
}

/// The threads behind the servers.
struct Engine {
    store: Store,
    catalog: Arc<CatalogStore>,
    journal: mpsc::SyncSender<crate::receive::journal::Request>,
    stopping: CancellationToken,
    wal_dir: PathBuf,
    journal_thread: JoinHandle<u64>,
    head_thread: JoinHandle<()>,
    deletions: Arc<Deletions>,
    /// To the head: who asks for an image.
    snapshots: mpsc::Sender<SnapshotReply>,
    indexer_thread: JoinHandle<Arc<CatalogStore>>,
}

impl Engine {
    /// Opens what is on disk, replays the WAL, and starts the threads.
    fn start(config: &Config, metrics: &Arc<Metrics>, health: &Arc<Health>) -> anyhow::Result<Self> {
        let registry = Arc::new(Registry::default());
        let catalog = Arc::new(CatalogStore::open(&config.data_dir)?);
        let deletions = Arc::new(Deletions::load(Arc::clone(&catalog))?);
        let cache = Arc::new(BlockCache::new(config.block_cache_bytes));
        let tallies = Arc::new(TallyCache::new(config.list_cache_bytes));
        let cataloged = catalog.load(&registry)?;
        let (head, committed) = open_partitions(&data_dir::partitions(&config.data_dir))?;
        {
            let mut state = registry.write();
            state.days_aside = Partition::days_aside(&data_dir::partitions(&config.data_dir))?;
            state.absences = absence::read(&config.data_dir)?;
        }
        let wal_dir = data_dir::wal(&config.data_dir);
        let (work, work_receiver) = mpsc::channel();
        let indexer = Indexer {
            data_dir: config.data_dir.clone(),
            root: data_dir::partitions(&config.data_dir),
            wal: wal_dir.clone(),
            head: Arc::clone(&head),
            registry: Arc::clone(&registry),
            store: Arc::clone(&catalog),
            deletions: Arc::clone(&deletions),
            cache: Arc::clone(&cache),
            health: Arc::clone(health),
            metrics: Arc::clone(metrics),
        };
        let indexer_thread = thread("indexer", move || indexer.run(&work_receiver))?;
        let mut appender = Appender::new(Arc::clone(&head), config.head, work);
        let recovered = replay(&wal_dir, cataloged, committed, &registry, &mut appender)?;
        let (durable, durable_receiver) = mpsc::sync_channel(HEAD_QUEUE);
        let (journal, requests) = mpsc::sync_channel(JOURNAL_QUEUE);
        let stopping = CancellationToken::new();
        let journal_loop = Journal {
            wal: Writer::open(&wal_dir, &recovered, config.wal_segment_bytes)?,
            registry: Arc::clone(&registry),
            head: durable,
            health: Arc::clone(health),
            metrics: Arc::clone(metrics),
            data_dir: config.data_dir.clone(),
            disk_free_min: config.disk_free_min,
            space_checked: None,
            last_ns: 0,
            stopping: stopping.clone(),
        };
        let watermarks = Arc::clone(&registry);
        let tail = Arc::new(Tail::new(config.tail_bytes));
        let followed = Arc::clone(&tail);
        let wanted = Arc::clone(&deletions);
        let (snapshots, asked) = mpsc::channel();
        Ok(Self {
            store: Store::new(head, registry, cache, tallies, tail)?,
            catalog,
            journal,
            stopping,
            wal_dir,
            deletions,
            snapshots,
            head_thread: thread("head", move || {
                fill_head(appender, &watermarks, &followed, &wanted, &asked, &durable_receiver);
            })?,
            journal_thread: thread("journal", move || journal_loop.run(&requests))?,
            indexer_thread,
        })
    }

    /// Ends the threads in the order in which data flows: each one empties its queue first. After the last commit nothing
    /// in the WAL is needed any more.
    fn stop(self) -> anyhow::Result<()> {
        let ended = |name: &'static str| move |_| anyhow::anyhow!("thread {name} panicked");
        self.stopping.cancel();
        let wal_end = self.journal_thread.join().map_err(ended("journal"))?;
        self.head_thread.join().map_err(ended("head"))?;
        let catalog = self.indexer_thread.join().map_err(ended("indexer"))?;
        catalog.save(&self.store.registry, wal_end)?;
        segment::remove_all(&self.wal_dir)?;
        Ok(())
    }
}

fn thread<T: Send + 'static>(name: &str, body: impl FnOnce() -> T + Send + 'static) -> std::io::Result<JoinHandle<T>> {
    std::thread::Builder::new().name(name.into()).spawn(body)
}

/// Opens every partition. Returns the head over them, and the WAL position up to which they hold everything.
fn open_partitions(root: &Path) -> anyhow::Result<(Arc<Head>, u64)> {
    let mut committed = Vec::new();
    let mut position = 0;
    Partition::sweep(root)?;
    let days = Partition::days(root)?;
    // One takes some milliseconds, most of which it waits for the disk.
    let opened: Vec<_> = days.par_iter().map(|day| open_partition(root, *day)).collect();
    for (day, opened) in days.iter().zip(opened) {
        match opened {
            Ok((partition, wal_position)) => {
                position = position.max(wal_position);
                committed.push(Arc::new(partition));
            }
            // The others go on without it. What the WAL still holds of it is indexed once more.
            Err(error) if error.is_damage() => {
                let aside = Partition::set_aside(root, *day)?;
                tracing::error!(
                    "{error}; it is damaged and set aside as {}, its records are not found",
                    aside.display()
                );
            }
            Err(error) => return Err(error.into()),
        }
    }
    // The newest day is what is asked for most: its first answer after a restart shall be as fast as the others.
    if let Some(newest) = committed.last()
        && let Err(error) = newest.partition.warm(WARM_BYTES_MAX)
    {
        tracing::warn!("warm {}: {error}", newest.partition.path.display());
    }
    Ok((Arc::new(Head::new(committed)), position))
}

fn open_partition(root: &Path, day: i64) -> Result<(Committed, u64), PartitionError> {
    let partition = Arc::new(Partition::open(root, day)?);
    let wal_position = partition.wal_position()?;
    Ok((Committed::newest(&partition)?, wal_position))
}

/// Brings registry and head to where the WAL ends.
fn replay(
    dir: &Path,
    cataloged: u64,
    committed: u64,
    registry: &Registry,
    appender: &mut Appender,
) -> anyhow::Result<recovery::Recovered> {
    let started = Instant::now();
    let mut unzstd = zstd::bulk::Decompressor::new()?;
    let mut records = 0;
    let mut failure = None;
    let mut recovered = recovery::recover(dir, cataloged.min(committed), |end, payload| {
        let replayed = replay_entry(end, payload, committed, registry, appender, &mut unzstd);
        match replayed {
            Ok(count) => records += count,
            Err(error) => failure = failure.take().or(Some(error)),
        }
    })?;
    if let Some(error) = failure {
        return Err(error);
    }
    if recovered.newest.is_none() {
        // A clean stop leaves no segment: both stores know everything up to the later of their positions.
        recovered.end = recovered.end.max(cataloged).max(committed);
    }
    if recovered.torn_bytes > 0 {
        tracing::warn!(
            "wal: {} bytes of a torn tail were cut off; they had not been acknowledged",
            recovered.torn_bytes
        );
    }
    tracing::info!("wal replayed: {records} records in {:.1} s", started.elapsed().as_secs_f64());
    Ok(recovered)
}

fn replay_entry(
    end: u64,
    payload: Vec<u8>,
    committed: u64,
    registry: &Registry,
    appender: &mut Appender,
    unzstd: &mut zstd::bulk::Decompressor<'_>,
) -> anyhow::Result<usize> {
    let entry = Entry::decode(bytes::Bytes::from(payload))?;
    let Some(event) = entry.event else { return Ok(0) };
    registry.write().apply(&event, entry.received_ns);
    let Event::Batch(record) = event else { return Ok(0) };
    if end <= committed {
        return Ok(0);
    }
    let source = uuid(&record.source).and_then(|id| Some(Arc::clone(&registry.read().sources.get(&id)?.source)));
    let source = source.ok_or_else(|| anyhow::anyhow!("wal: batch of an unknown source at position {end}"))?;
    let mut batch = Batch::decode(record.begin, record.end, record.records, &record.columns, unzstd)?;
    batch.trim(record.taken_from)?;
    appender.append(&source, &batch, entry.received_ns, end);
    Ok(batch.records())
}

/// The head's thread: appends, gives credit back, commits for age.
fn fill_head(
    mut appender: Appender,
    registry: &Registry,
    tail: &Tail,
    deletions: &Deletions,
    snapshots: &Receiver<SnapshotReply>,
    handed: &Receiver<Handed>,
) {
    /// So often it is looked whether something is to be deleted, or an image to be made.
    const IDLE: Duration = Duration::from_secs(1);
    loop {
        let wait = appender.due().map_or(IDLE, |due| due.saturating_duration_since(Instant::now()).min(IDLE));
        match handed.recv_timeout(wait) {
            Ok(Handed::Batch(Durable { source, batch, received_ns, wal_end, peer, credit })) => {
                appender.append(&source, &batch, received_ns, wal_end);
                tail.push(&source, batch, received_ns);
                peer.credit(credit);
            }
            Ok(Handed::Watermark { agent, watermark }) => {
                registry.write().watermark(agent, &watermark);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return appender.finish(),
        }
        if deletions.take_new() {
            appender.delete();
        }
        if let Ok(reply) = snapshots.try_recv() {
            appender.snapshot(reply);
        }
        if appender.due().is_some_and(|due| due <= Instant::now()) {
            appender.commit();
        }
    }
}
