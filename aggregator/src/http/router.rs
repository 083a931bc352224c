//! The routes.

use axum::Router;
use axum::routing::get;

use super::api::Api;
use super::problem::Problem;
use super::{process, search, status, transactions};

/// All routes.
pub fn build(api: Api) -> Router {
    Router::new()
        .route("/livez", get(process::livez))
        .route("/readyz", get(process::readyz))
        .route("/metrics", get(process::metrics))
        .route("/api/v1/transactions/{id}", get(transactions::get))
        .route("/api/v1/logs/search", get(search::search).post(search::search))
        .route("/api/v1/status/agents", get(status::agents))
        .route("/api/v1/status/storage", get(status::storage))
        .fallback(async || Problem::NoRoute)
        .method_not_allowed_fallback(async || Problem::Method)
        .with_state(api)
}
