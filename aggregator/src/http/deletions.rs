//! `/api/v1/admin/deletions`: takes records out for good, as a job.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::arguments::{self, Arguments};
use super::parameters::{self, Asked};
use super::problem::Problem;
use crate::clock::{self, rfc3339};
use crate::deletion::job::Deletion;
use crate::query::language::ast::{FieldName, Query, Span, Test, What};
use crate::query::language::parser;
use crate::search::facets::Facets;
use crate::search::scan::Order;

/// Names of the parameters of a request for a deletion.
pub const PARAMETERS: &[&str] = &["q", "from", "to", "timeout", "txn", "dry_run"];

/// Parameters of a request for a deletion.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    #[serde(flatten)]
    asked: Asked,
    txn: Option<String>,
    dry_run: Option<String>,
}

/// `POST /api/v1/admin/deletions`.
pub async fn create(State(api): State<Api>, headers: HeaderMap, arguments: Arguments) -> Result<Response, Problem> {
    arguments::require_json(&headers)?;
    let parameters: Parameters = arguments.read(PARAMETERS)?;
    let now = clock::now_ns();
    let query = query(&parameters)?;
    let asked = Asked { q: query.clone(), ..parameters.asked };
    let wanted = asked.wanted(Order::Newest, now)?;
    let times = wanted.times;
    let deadline = asked.deadline(api.search_timeout)?;
    if is_dry(parameters.dry_run.as_deref())? {
        let searched = api.store.search(wanted, Facets::new(Vec::new()), Some(deadline)).await;
        let searched = searched.ok_or(Problem::Stopping)??;
        let progress = searched.scan.progress();
        let warnings: Vec<String> = parameters::damage(progress).into_iter().collect();
        return Ok(Json(json!({
            "dry_run": true,
            "query": query,
            "matched": searched.collector.records,
            "meta": {"partial": searched.is_late, "warnings": warnings},
        }))
        .into_response());
    }
    let deletions = Arc::clone(&api.deletions);
    let job = tokio::task::spawn_blocking(move || deletions.add(query, times, now)).await;
    let job = job.map_err(|_| Problem::Stopping)?.map_err(|error| Problem::Catalog { detail: error.to_string() })?;
    // Without its query: what has to go is not for our own log.
    tracing::info!("deletion {} is taken on", job.id);
    Ok((StatusCode::ACCEPTED, Json(answer(&job))).into_response())
}

/// What is no clear yes or no deletes nothing.
fn is_dry(text: Option<&str>) -> Result<bool, Problem> {
    match text {
        Some("true" | "1") => Ok(true),
        None | Some("false" | "0") => Ok(false),
        Some(other) => {
            let detail = format!("{other:?} is neither true nor false");
            Err(Problem::BadParameter { name: "dry_run", detail })
        }
    }
}

/// The query as it is written down: canonical, and never all there is.
fn query(parameters: &Parameters) -> Result<String, Problem> {
    let parsed = parser::parse(&parameters.asked.q)
        .map_err(|error| Problem::Query { query: parameters.asked.q.clone(), error })?;
    let txn = parameters.txn.as_ref().map(|id| {
        Query::Test(Test { field: Some(FieldName::Txn), what: What::Phrase(id.clone()), span: Span::default() })
    });
    let query = Query::and(txn.into_iter().chain((parsed != Query::All).then_some(parsed)).collect());
    if query == Query::All {
        return Err(Problem::BadParameter {
            name: "q",
            detail:
                "it names every record; say which ones with q or txn (old ones go by themselves: retention.max_age)"
                    .into(),
        });
    }
    Ok(query.to_string())
}

/// `GET /api/v1/admin/deletions`.
pub async fn list(State(api): State<Api>) -> Json<Value> {
    Json(json!({"deletions": api.deletions.all().iter().map(answer).collect::<Vec<_>>()}))
}

/// `GET /api/v1/admin/deletions/{id}`.
pub async fn get(State(api): State<Api>, id: Result<Path<String>, PathRejection>) -> Result<Json<Value>, Problem> {
    let Path(id) = id.map_err(|error| Problem::BadParameter { name: "id", detail: error.body_text() })?;
    let job = id.parse().ok().and_then(|id| api.deletions.get(id));
    job.map(|job| Json(answer(&job))).ok_or(Problem::Unknown { what: "deletion", name: id })
}

fn answer(job: &Deletion) -> Value {
    let time = |time: i64, open: i64| (time != open).then(|| rfc3339(time));
    json!({
        "id": job.id,
        "query": job.query,
        "from": time(job.times.0, i64::MIN),
        "to": time(job.times.1, i64::MAX),
        "requested": rfc3339(job.requested_ns),
        "state": job.state,
        "deleted": job.deleted,
        "blocks_rewritten": job.blocks_rewritten,
        "transactions_deleted": job.transactions_deleted,
        "partitions": job.partitions,
        "finished": job.finished_ns.map(rfc3339),
        "remaining": job.remaining,
        "error": job.error,
    })
}
