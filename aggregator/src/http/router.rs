//! The routes.

use axum::Router;
use axum::routing::get;

use super::api::Api;
use super::problem::Problem;
use super::{analysis, context, deletions, process, search, status, tail, transactions};

/// All routes.
pub fn build(api: Api) -> Router {
    Router::new()
        .route("/livez", get(process::livez))
        .route("/readyz", get(process::readyz))
        .route("/metrics", get(process::metrics))
        .route("/api/v1/transactions/{id}", get(transactions::get))
        .route("/api/v1/logs/search", get(search::search).post(search::search))
        .route("/api/v1/logs/histogram", get(analysis::histogram).post(analysis::histogram))
        .route("/api/v1/logs/facets", get(analysis::facets).post(analysis::facets))
        .route("/api/v1/logs/stats", get(analysis::stats).post(analysis::stats))
        .route("/api/v1/logs/tail", get(tail::tail))
        .route("/api/v1/logs/context", get(context::context).post(context::context))
        .route("/api/v1/fields", get(analysis::fields).post(analysis::fields))
        .route("/api/v1/admin/deletions", get(deletions::list).post(deletions::create))
        .route("/api/v1/admin/deletions/{id}", get(deletions::get))
        .route("/api/v1/status/agents", get(status::agents))
        .route("/api/v1/status/storage", get(status::storage))
        .fallback(async || Problem::NoRoute)
        .method_not_allowed_fallback(async || Problem::Method)
        .with_state(api)
}
