//! What all handlers share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clew_service::metrics::Registry;
use prometheus_client::metrics::histogram::Histogram;

use crate::access::gate::Gate;
use crate::backup::last;
use crate::deletion::job::Deletions;
use crate::health::{Health, Part};
use crate::metrics::{Metrics, RouteLabel};
use crate::store::Store;

/// Handed to every handler.
#[derive(Clone)]
pub struct Api {
    /// Who may ask.
    pub gate: Arc<Gate>,
    /// Records, agents and sources.
    pub store: Store,
    /// What is to be taken out.
    pub deletions: Arc<Deletions>,
    /// What does not work.
    pub health: Arc<Health>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// The last good backup.
    pub backup: last::Watch,
    /// Where the counts are registered.
    pub registry: Arc<Registry>,
    /// How long a search may take, unless it is asked to take another time.
    pub search_timeout: Duration,
    /// Everything durable.
    pub data_dir: PathBuf,
    /// The WAL's part of it.
    pub wal_dir: PathBuf,
}

impl Api {
    /// Every part that does not work, and why.
    pub fn troubles(&self) -> Vec<(Part, String)> {
        Part::ALL.into_iter().filter_map(|part| Some((part, self.health.of(part)?))).collect()
    }

    /// Observes how long a request of `route` takes, until it is dropped.
    pub fn timer(&self, route: &'static str) -> Timer {
        Timer {
            started: Instant::now(),
            histogram: self.metrics.http_seconds.get_or_create(&RouteLabel { route }).clone(),
        }
    }
}

/// See [`Api::timer`].
pub struct Timer {
    started: Instant,
    histogram: Histogram,
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.histogram.observe(self.started.elapsed().as_secs_f64());
    }
}
