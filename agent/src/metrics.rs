//! What the agent counts, and the small server that shows it.

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use clew_service::metrics::{CONTENT_TYPE, Registry, encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Count = Counter<u64, AtomicU64>;
type Level = Gauge<i64, AtomicI64>;

/// A scrape that takes longer is ended.
const SCRAPE_TIME_MAX: Duration = Duration::from_secs(5);
const REQUEST_BYTES_MAX: usize = 8 << 10;

macro_rules! metrics {
    ($($name:ident: $kind:ty, $label:literal, $help:literal;)*) => {
        /// Shared by all stages.
        #[derive(Debug, Default)]
        pub struct Metrics { $(#[doc = $help] pub $name: $kind,)* }

        impl Metrics {
            fn register(&self, registry: &mut Registry) {
                $(registry.register($label, $help, self.$name.clone());)*
            }
        }
    };
}

metrics! {
    bytes_read: Count, "clew_agent_read_bytes", "Bytes of log files that were shipped, again ones included";
    records: Count, "clew_agent_records", "Records that were shipped, again ones included";
    batches: Count, "clew_agent_batches", "Batches that were shipped, again ones included";
    batches_resent: Count, "clew_agent_batches_resent", "Batches that were in flight when a session ended or a batch was refused";
    records_cut: Count, "clew_agent_records_cut", "Records that were cut at the length limit";
    records_without_time: Count, "clew_agent_records_without_time", "Records that have no time of their own";
    records_without_id: Count, "clew_agent_records_without_id", "Records in which no transaction ID was found";
    records_dropped: Count, "clew_agent_records_dropped", "Records that a drop rule left out";
    records_sampled: Count, "clew_agent_records_sampled", "Records that a sample rule left out";
    records_redacted: Count, "clew_agent_records_redacted", "Records in which something was replaced";
    records_withheld: Count, "clew_agent_records_withheld", "Records that were withheld because redacting them failed";
    records_ids_left_out: Count, "clew_agent_records_ids_left_out", "Records with more IDs than are kept";
    attached: Count, "clew_agent_records_attached", "Records without an ID of their own that got one from attach or join";
    windows_opened: Count, "clew_agent_attach_windows", "Windows that attach opened";
    windows_ambiguous: Count, "clew_agent_attach_ambiguous", "Second begins in a window, which gives no ID from there on";
    windows_timed_out: Count, "clew_agent_attach_timed_out", "Windows that ended without an end";
    windows_evicted: Count, "clew_agent_attach_evicted", "Windows that were given up because too many were open";
    windows_without_key: Count, "clew_agent_attach_without_key", "Begins in which no key was found";
    windows_lost: Count, "clew_agent_attach_not_rebuilt", "Times that windows were not rebuilt, because that would have meant to read too much again";
    join_unknown: Count, "clew_agent_join_unknown", "Records of error logs whose request the access log does not name";
    join_ambiguous: Count, "clew_agent_join_ambiguous", "Records of error logs that more than one request may have written";
    join_forgotten: Count, "clew_agent_join_forgotten", "Requests that were forgotten because there were too many";
    nul_bytes: Count, "clew_agent_nul_bytes", "NUL bytes that were passed over: holes in files";
    copies: Count, "clew_agent_copies", "Files that were found to hold what another file holds or held: rotated by copying, compressed";
    gaps: Count, "clew_agent_gaps", "Byte ranges that could not be read any more";
    gap_bytes: Count, "clew_agent_gap_bytes", "Bytes in those ranges";
    deleted_open_bytes: Level, "clew_agent_deleted_open_bytes", "Bytes of deleted files that are held open until they are shipped";
    hints_lost: Count, "clew_agent_hints_lost", "Times that the kernel dropped file system notifications";
    directories_unwatched: Level, "clew_agent_directories_unwatched", "Directories without notifications, looked at periodically instead";
    open_errors: Count, "clew_agent_open_errors", "Files that could not be opened or read";
    files_open: Level, "clew_agent_files_open", "Files that are held open";
    sources: Level, "clew_agent_sources", "Files that are followed";
    unread_bytes: Level, "clew_agent_unread_bytes", "Bytes in the files that the aggregator has not acknowledged yet";
    credit_bytes: Level, "clew_agent_credit_bytes", "Bytes that may be shipped before more credit comes";
    connected: Level, "clew_agent_connected", "Whether there is a session with the aggregator";
    reconnects: Count, "clew_agent_reconnects", "Sessions that ended or did not come about";
    control_requests: Count, "clew_agent_control_requests", "Questions that came through the control socket";
    reloads: Count, "clew_agent_reloads", "Times that the configuration was read again and taken";
    reload_errors: Count, "clew_agent_reload_errors", "Times that the configuration was read again and not taken";
    checkpoint_errors: Count, "clew_agent_checkpoint_errors", "Checkpoints that could not be written or read";
}

/// Answers `/metrics`, `/livez` and `/readyz` until the task is dropped.
pub async fn serve(listener: TcpListener, metrics: std::sync::Arc<Metrics>) {
    let mut registry = Registry::default();
    metrics.register(&mut registry);
    loop {
        // One scrape at a time: there is one scraper, and it waits its turn.
        match listener.accept().await {
            Ok((stream, _)) => {
                let _ = tokio::time::timeout(SCRAPE_TIME_MAX, answer(stream, &registry, &metrics)).await;
            }
            Err(error) => {
                tracing::warn!("accept on metrics_listen: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn answer(mut stream: TcpStream, registry: &Registry, metrics: &Metrics) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        if request.len() > REQUEST_BYTES_MAX || stream.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let path = request.split(|byte| *byte == b' ').nth(1).unwrap_or_default();
    let (status, kind, body) = match path {
        b"/metrics" => ("200 OK", CONTENT_TYPE, encode(registry)),
        b"/livez" => ("200 OK", "text/plain", "ok".to_owned()),
        b"/readyz" if metrics.connected.get() > 0 => ("200 OK", "text/plain", "ok".to_owned()),
        b"/readyz" => ("503 Service Unavailable", "text/plain", "there is no session with the aggregator\n".to_owned()),
        _ => ("404 Not Found", "text/plain", "there is /metrics, /livez and /readyz here\n".to_owned()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}
