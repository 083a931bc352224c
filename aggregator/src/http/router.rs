//! The routes, and what all handlers share.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use axum::Router;
use axum::routing::get;
use clew_service::metrics::Registry;
use prometheus_client::metrics::histogram::Histogram;

use super::problem::Problem;
use super::{process, status, transactions};
use crate::health::{Health, Part};
use crate::metrics::{Metrics, RouteLabel};
use crate::store::Store;

/// What all handlers share.
#[derive(Clone)]
pub struct Api {
    /// Records, agents and sources.
    pub store: Store,
    /// What does not work.
    pub health: Arc<Health>,
    /// Counts.
    pub metrics: Arc<Metrics>,
    /// Where the counts are registered.
    pub registry: Arc<Registry>,
    /// Everything durable.
    pub data_dir: PathBuf,
    /// The WAL's part of it.
    pub wal_dir: PathBuf,
}

/// All routes.
pub fn build(api: Api) -> Router {
    Router::new()
        .route("/livez", get(process::livez))
        .route("/readyz", get(process::readyz))
        .route("/metrics", get(process::metrics))
        .route("/api/v1/transactions/{id}", get(transactions::get))
        .route("/api/v1/status/agents", get(status::agents))
        .route("/api/v1/status/storage", get(status::storage))
        .fallback(async || Problem::NoRoute)
        .method_not_allowed_fallback(async || Problem::Method)
        .with_state(api)
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
