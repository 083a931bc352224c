//! `/livez`, `/readyz`, `/metrics`.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::api::Api;
use crate::health::Part;
use crate::metrics::PartLabel;

/// The process answers.
pub async fn livez() -> &'static str {
    "ok\n"
}

/// Batches are made durable and indexed. A backup that is late is told as well, and keeps nobody away.
pub async fn readyz(State(api): State<Api>) -> Response {
    api.backup.look();
    let troubles = api.troubles();
    let checks: Vec<_> = Part::ALL
        .iter()
        .map(|part| {
            let trouble = troubles.iter().find(|(troubled, _)| troubled == part);
            let detail = trouble.map_or("", |(_, detail)| detail);
            json!({"name": part.name(), "ok": trouble.is_none(), "detail": detail})
        })
        .collect();
    let ready = troubles.iter().all(|(part, _)| !part.is_needed());
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": ready, "checks": checks}))).into_response()
}

/// OpenMetrics text.
pub async fn metrics(State(api): State<Api>) -> Response {
    let volume = api.store.head_volume();
    api.metrics.head_records.set(i64::try_from(volume.records).unwrap_or(i64::MAX));
    api.metrics.head_raw_bytes.set(i64::try_from(volume.raw_bytes).unwrap_or(i64::MAX));
    api.backup.look();
    for part in Part::ALL {
        let troubled = i64::from(api.health.of(part).is_some());
        api.metrics.trouble.get_or_create(&PartLabel { part: part.name() }).set(troubled);
    }
    let text = clew_service::metrics::encode(&api.registry);
    ([(header::CONTENT_TYPE, clew_service::metrics::CONTENT_TYPE)], text).into_response()
}
