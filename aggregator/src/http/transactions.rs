//! `/api/v1/transactions/{id}`: everything that carries an ID, in order.

use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer::{self, RecordAnswer};
use super::api::Api;
use super::arguments::Arguments;
use super::cursor;
use super::parameters;
use super::problem::Problem;
use crate::clock::{self, rfc3339};
use crate::head::view::Carriers;
use crate::record::Record;
use crate::search::scan::Progress;
use crate::store::Store;
use crate::trace::completeness::Said;
use crate::trace::order::Key;
use crate::trace::{completeness, order, summary};

/// Records of a page, unless asked otherwise.
const LIMIT_DEFAULT: usize = 500;
/// Records of a page at most. NDJSON has no cap.
const LIMIT_MAX: usize = 10_000;
/// Longest ID that is looked for.
const ID_BYTES_MAX: usize = 1024;
/// Records per chunk of an NDJSON answer.
const CHUNK_RECORDS: usize = 256;

/// Names of the route's parameters.
pub const PARAMETERS: &[&str] = &["limit", "cursor"];

/// Parameters of the route.
#[derive(Deserialize)]
pub struct Parameters {
    limit: Option<String>,
    cursor: Option<String>,
}

/// The handler.
pub async fn get(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    arguments: Arguments,
) -> Result<Response, Problem> {
    let _timer = api.timer("/api/v1/transactions/{id}");
    let Path(id) = id.map_err(|error| Problem::BadParameter { name: "id", detail: error.body_text() })?;
    let parameters: Parameters = arguments.read(PARAMETERS)?;
    let limit = limit(parameters.limit.as_deref())?;
    let after = cursor::parameter(parameters.cursor.as_deref())?;
    if id.len() > ID_BYTES_MAX || id.trim().is_empty() {
        let detail = format!("an ID has 1 to {ID_BYTES_MAX} bytes");
        return Err(Problem::BadParameter { name: "id", detail });
    }
    let lines =
        headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"application/x-ndjson"));
    let answer = api.store.answer(move |store| {
        let started = Instant::now();
        let said = Said::now(&store.registry.read(), clock::now_ns());
        let Carriers { mut records, blocks_damaged } = store.find(id.as_bytes())?;
        let keys = order::sort(&mut records);
        let damage = parameters::damage(Progress { blocks_damaged, ..Progress::default() });
        if let Some(damage) = damage.as_ref().filter(|_| records.is_empty()) {
            return Err(Problem::Damaged { detail: damage.clone() });
        }
        if records.is_empty() {
            return Err(unknown(store, &said, id));
        }
        if lines {
            return Ok(ndjson(&records));
        }
        let wanted = Wanted { limit, after: after.as_ref(), damage, started };
        Ok(page(&said, &id, &records, &keys, wanted))
    });
    answer.await.ok_or(Problem::Stopping)?
}

fn limit(text: Option<&str>) -> Result<usize, Problem> {
    let Some(text) = text else { return Ok(LIMIT_DEFAULT) };
    let limit = text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
    limit.ok_or_else(|| Problem::BadParameter {
        name: "limit",
        detail: format!(
            "{text:?} is no number from 1 to {LIMIT_MAX}; NDJSON (Accept: application/x-ndjson) has no limit"
        ),
    })
}

/// Which page of the records.
struct Wanted<'a> {
    limit: usize,
    after: Option<&'a Key>,
    /// What is to be said of damaged blocks.
    damage: Option<String>,
    started: Instant,
}

fn page(said: &Said, id: &str, records: &[Record], keys: &[Key], wanted: Wanted<'_>) -> Response {
    let Wanted { limit, after, damage, started } = wanted;
    let summary = summary::of(records).expect("there are records");
    let completeness = completeness::of(said, summary.time_min, summary.time_max, summary.received_max);
    let begin = after.map_or(0, |after| first_after(records, keys, after));
    let end = records.len().min(begin + limit);
    let truncated = end < records.len();
    let ids: Vec<_> = summary
        .ids
        .iter()
        .map(|(value, kind, records)| json!({"value": answer::lossy(value), "kind": answer::kind(*kind), "records": records}))
        .collect();
    let more =
        truncated.then(|| format!("{} of {} records shown; next_cursor has the next ones", end - begin, records.len()));
    let warnings: Vec<String> = damage.into_iter().chain(more).collect();
    let body = json!({
        "id": crate::id::Canonical::parse(id.as_bytes()).to_string(),
        "ids": ids,
        "summary": {
            "time_min": rfc3339(summary.time_min),
            "time_max": rfc3339(summary.time_max),
            "duration_ns": summary.time_max.abs_diff(summary.time_min),
            "records": summary.records,
            "errors": summary.errors,
            "entry_service": summary.services.first(),
            "services": summary.services,
            "hosts": summary.hosts,
        },
        "completeness": answer::completeness(&completeness),
        "next_cursor": truncated.then(|| cursor::encode(&keys[end - 1])),
        "meta": {
            "took_ms": started.elapsed().as_secs_f64() * 1000.0,
            "truncated": truncated,
            "warnings": warnings,
        },
    });
    answer::with_records(&body, &records[begin..end])
}

/// Index of the first record behind `after`. The order is that of `order::sort`: by time, then host, source, position.
fn first_after(records: &[Record], keys: &[Key], after: &Key) -> usize {
    if let Some(index) = keys.iter().position(|key| key == after) {
        return index + 1;
    }
    // The record's key has changed (an earlier one of its file has come in): go on at its time, rather twice than never.
    debug_assert_eq!(records.len(), keys.len());
    keys.partition_point(|key| key.time < after.time)
}

fn ndjson(records: &[Record]) -> Response {
    let chunks: Vec<Result<Bytes, std::io::Error>> = records
        .chunks(CHUNK_RECORDS)
        .map(|records| {
            let mut chunk = Vec::new();
            for record in records {
                serde_json::to_writer(&mut chunk, &RecordAnswer::from(record))?;
                chunk.push(b'\n');
            }
            Ok(chunk.into())
        })
        .collect();
    let body = Body::from_stream(tokio_stream::iter(chunks));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}

/// Where the ID was looked for, and who may still bring it.
fn unknown(store: &Store, said: &Said, id: String) -> Problem {
    let now = clock::now_ns();
    let partitions = store.partitions();
    let records: u64 = partitions.iter().map(|partition| partition.records).sum();
    let from = partitions.first().map(|partition| format!("{}T00:00:00Z", partition.day));
    let behind = completeness::behind(said, now.saturating_sub(FRESH_NS));
    let mut members = Map::new();
    members.insert(
        "searched".into(),
        json!({
            "partitions": partitions.len(),
            "records": records + store.head_volume().records,
            "from": from.map_or(Value::Null, Value::String),
            "to": rfc3339(now),
        }),
    );
    members.insert("agents_behind".into(), answer::agents_behind(&behind));
    Problem::UnknownTransaction { id, members }
}

/// An agent whose watermark is no older than this counts as not behind: it states one every second.
const FRESH_NS: i64 = 5_000_000_000;
