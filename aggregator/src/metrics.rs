//! What the aggregator counts. Names in the registry get the prefix `clew_aggregator_`.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use clew_service::metrics::Registry;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};

/// Counters and gauges; shared by all parts.
pub struct Metrics {
    /// Records taken.
    pub records: Counter,
    /// Raw bytes taken.
    pub raw_bytes: Counter,
    /// Batches taken.
    pub batches: Counter,
    /// Batches that were held already, whole or in part.
    pub batches_behind: Counter,
    /// Batches that lay ahead of the frontier.
    pub batches_ahead: Counter,
    /// Messages that broke the contract.
    pub malformed: Counter,
    /// Gaps declared.
    pub gaps: Counter,
    /// Sessions that were told of a higher epoch.
    pub fenced: Counter,
    /// Open sessions.
    pub sessions: Gauge,
    /// Groups made durable.
    pub wal_groups: Counter,
    /// Bytes written to the WAL.
    pub wal_bytes: Counter,
    /// Seconds of a group's write and sync.
    pub wal_seconds: Histogram,
    /// Groups that could not be made durable.
    pub wal_failures: Counter,
    /// Commits.
    pub commits: Counter,
    /// Commits that failed and were tried again.
    pub commit_failures: Counter,
    /// Records in the head.
    pub head_records: Gauge,
    /// Raw bytes in the head.
    pub head_raw_bytes: Gauge,
    /// Free bytes of the file system of `data_dir`.
    pub disk_free_bytes: Gauge<u64, AtomicU64>,
    /// 1 for a part that does not work.
    pub trouble: Family<PartLabel, Gauge>,
    /// Seconds of a request, by route.
    pub http_seconds: Family<RouteLabel, Histogram, fn() -> Histogram>,
    /// Partitions removed because of age or disk.
    pub partitions_removed: Counter,
    /// Who was not let in, by door and reason.
    pub refused: Family<RefusedLabel, Counter>,
    /// Connections that were turned away before anything was asked, by door and reason.
    pub turned_away: Family<RefusedLabel, Counter>,
    /// Times that a client was too fast, by door.
    pub paced: Family<DoorLabel, Counter>,
    /// When the certificate that is shown ends, seconds since the epoch; NaN: none is.
    pub tls_expires: Gauge<f64, AtomicU64>,
    /// Of the last good backup.
    backup: BackupMetrics,
}

/// Seconds are NaN while there is no backup.
struct BackupMetrics {
    age_seconds: Gauge<f64, AtomicU64>,
    duration_seconds: Gauge<f64, AtomicU64>,
    bytes: Gauge<u64, AtomicU64>,
    written_bytes: Gauge<u64, AtomicU64>,
}

impl Default for BackupMetrics {
    fn default() -> Self {
        let backup = Self {
            age_seconds: Gauge::default(),
            duration_seconds: Gauge::default(),
            bytes: Gauge::default(),
            written_bytes: Gauge::default(),
        };
        backup.age_seconds.set(f64::NAN);
        backup.duration_seconds.set(f64::NAN);
        backup
    }
}

/// Names why somebody was not let in.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RefusedLabel {
    /// `http` or `grpc`.
    pub door: &'static str,
    /// See `access::door::Refused::reason`; `throttled`: nobody looked any more. Of connections: `tls`, or the limit that was reached.
    pub reason: &'static str,
}

/// Names a door.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct DoorLabel {
    /// `http` or `grpc`.
    pub door: &'static str,
}

/// Names a part of the program.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct PartLabel {
    /// See `health::Part::name`.
    pub part: &'static str,
}

/// Names a route.
#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
pub struct RouteLabel {
    /// Its pattern.
    pub route: &'static str,
}

fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 4.0, 9))
}

impl Metrics {
    /// Makes them and enters them into `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            records: Counter::default(),
            raw_bytes: Counter::default(),
            batches: Counter::default(),
            batches_behind: Counter::default(),
            batches_ahead: Counter::default(),
            malformed: Counter::default(),
            gaps: Counter::default(),
            fenced: Counter::default(),
            sessions: Gauge::default(),
            wal_groups: Counter::default(),
            wal_bytes: Counter::default(),
            wal_seconds: seconds(),
            wal_failures: Counter::default(),
            commits: Counter::default(),
            commit_failures: Counter::default(),
            head_records: Gauge::default(),
            head_raw_bytes: Gauge::default(),
            disk_free_bytes: Gauge::default(),
            trouble: Family::default(),
            http_seconds: Family::new_with_constructor(seconds),
            partitions_removed: Counter::default(),
            refused: Family::default(),
            turned_away: Family::default(),
            paced: Family::default(),
            tls_expires: Gauge::default(),
            backup: BackupMetrics::default(),
        };
        metrics.tls_expires.set(f64::NAN);
        let registry = registry.sub_registry_with_prefix("clew_aggregator");
        let mut counter = |name, help, counter: &Counter| registry.register(name, help, counter.clone());
        counter("records", "Records taken", &metrics.records);
        counter("raw_bytes", "Raw bytes taken", &metrics.raw_bytes);
        counter("batches", "Batches taken", &metrics.batches);
        counter("batches_behind", "Batches that were held already, whole or in part", &metrics.batches_behind);
        counter("batches_ahead", "Batches refused because they lay ahead of the frontier", &metrics.batches_ahead);
        counter("malformed", "Messages that broke the contract", &metrics.malformed);
        counter("gaps", "Gaps declared by agents", &metrics.gaps);
        counter("fenced", "Sessions ended because of a higher epoch", &metrics.fenced);
        counter("wal_groups", "Groups made durable", &metrics.wal_groups);
        counter("wal_bytes", "Bytes written to the write-ahead log", &metrics.wal_bytes);
        counter("wal_failures", "Groups that could not be made durable", &metrics.wal_failures);
        counter("commits", "Commits", &metrics.commits);
        counter("commit_failures", "Commits that failed and were tried again", &metrics.commit_failures);
        counter("partitions_removed", "Partitions removed by retention", &metrics.partitions_removed);
        registry.register("sessions", "Open agent sessions", metrics.sessions.clone());
        registry.register("wal_seconds", "Write and sync of a group", metrics.wal_seconds.clone());
        registry.register("head_records", "Records in the head", metrics.head_records.clone());
        registry.register("head_raw_bytes", "Raw bytes in the head", metrics.head_raw_bytes.clone());
        registry.register("disk_free_bytes", "Free bytes under data_dir", metrics.disk_free_bytes.clone());
        registry.register("trouble", "1 for a part that does not work", metrics.trouble.clone());
        registry.register("refused", "Requests and sessions that were not let in", metrics.refused.clone());
        registry.register("turned_away", "Connections that were turned away", metrics.turned_away.clone());
        registry.register(
            "paced",
            "Times that a client sent faster than limits.client_bytes_per_second",
            metrics.paced.clone(),
        );
        let help = "When the certificate that is shown ends, seconds since the epoch";
        registry.register("tls_certificate_expires_seconds", help, metrics.tls_expires.clone());
        registry.register("http_seconds", "Requests by route", metrics.http_seconds.clone());
        let backup = &metrics.backup;
        registry.register("backup_age_seconds", "Since the last good backup was taken", backup.age_seconds.clone());
        registry.register("backup_duration_seconds", "What it took", backup.duration_seconds.clone());
        registry.register("backup_bytes", "What it holds", backup.bytes.clone());
        registry.register("backup_written_bytes", "What of it was new", backup.written_bytes.clone());
        metrics
    }

    /// There is a good backup of so many bytes, `written` of them new, that was taken so long ago and took so long.
    pub fn backup_made(&self, age: Duration, took: Duration, bytes: u64, written: u64) {
        self.backup.age_seconds.set(age.as_secs_f64());
        self.backup.duration_seconds.set(took.as_secs_f64());
        self.backup.bytes.set(bytes);
        self.backup.written_bytes.set(written);
    }
}

#[cfg(test)]
impl Default for Metrics {
    fn default() -> Self {
        Self::register(&mut Registry::default())
    }
}
