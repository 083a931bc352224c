//! `/api/v1/transactions/{id}`: everything that carries an ID, or one bridged to it, in order; by pages, or as NDJSON without a cap.

use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;

use super::super::answer;
use super::super::api::Api;
use super::super::arguments::Arguments;
use super::super::cursor;
use super::super::parameters;
use super::super::problem::Problem;
use super::asked::{Asked, Shown};
use super::{reasons, shown};
use crate::search::scan::Progress;
use crate::trace::assemble::Whole;
use crate::trace::order::Key;

/// Records of a page, unless asked otherwise.
const LIMIT_DEFAULT: usize = 500;
/// Records of a page at most. NDJSON has no cap.
const LIMIT_MAX: usize = 10_000;
/// Records per chunk of an NDJSON answer.
const CHUNK_RECORDS: usize = 256;

/// Names of the route's parameters.
pub const PARAMETERS: &[&str] = &["limit", "cursor", "bridge", "service", "level", "silence"];

/// Parameters of the route.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Parameters {
    limit: Option<String>,
    cursor: Option<String>,
    bridge: Option<String>,
    service: Option<String>,
    level: Option<String>,
    silence: Option<String>,
}

/// The handler.
pub async fn get(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
    arguments: Arguments,
) -> Result<Response, Problem> {
    let _timer = api.timer("/api/v1/transactions/{id}");
    let parameters: Parameters = arguments.read(PARAMETERS)?;
    let asked = Asked::new(id, parameters.bridge.as_deref(), parameters.silence.as_deref())?;
    let shown = Shown::new(parameters.service.as_deref(), parameters.level.as_deref())?;
    let limit = limit(parameters.limit.as_deref())?;
    let after = cursor::parameter(parameters.cursor.as_deref())?;
    let lines =
        headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"application/x-ndjson"));
    let answer = api.store.answer(move |store| {
        let started = Instant::now();
        let whole = asked.find(store)?;
        let indices = shown.of(&whole);
        Ok(match lines {
            true => ndjson(&whole, &indices),
            false => page(&whole, &indices, &asked, &Wanted { limit, after, started }),
        })
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
struct Wanted {
    limit: usize,
    after: Option<Key>,
    started: Instant,
}

fn page(whole: &Whole, indices: &[usize], asked: &Asked, wanted: &Wanted) -> Response {
    let begin = wanted.after.as_ref().map_or(0, |after| first_after(whole, indices, after));
    let end = indices.len().min(begin + wanted.limit);
    let truncated = end < indices.len();
    let damage = Progress { blocks_damaged: whole.completeness.blocks_damaged, ..Progress::default() };
    let more =
        truncated.then(|| format!("{} of {} records shown; next_cursor has the next ones", end - begin, indices.len()));
    let warnings: Vec<String> =
        parameters::damage(damage).into_iter().chain(reasons::warnings(whole)).chain(more).collect();
    let mut body = shown::transaction(whole, &asked.canonical());
    body["next_cursor"] = json!(truncated.then(|| cursor::encode(&whole.ordered.key(indices[end - 1]))));
    body["meta"] = json!({
        "took_ms": wanted.started.elapsed().as_secs_f64() * 1000.0,
        "truncated": truncated,
        "warnings": warnings,
    });
    let records: Vec<_> = indices[begin..end].iter().map(|index| shown::record(whole, *index)).collect();
    answer::with_list(&body, &records)
}

/// Where the first record behind `after` stands in `indices`. The order is that of `trace::order`.
fn first_after(whole: &Whole, indices: &[usize], after: &Key) -> usize {
    if let Some(place) = indices.iter().position(|index| whole.ordered.key(*index) == *after) {
        return place + 1;
    }
    // The record's key has changed (an earlier one of its file has come in): go on at its time, rather twice than never.
    indices.iter().position(|index| whole.ordered.places[*index].at >= after.time).unwrap_or(indices.len())
}

fn ndjson(whole: &Whole, indices: &[usize]) -> Response {
    let chunks: Vec<Result<Bytes, std::io::Error>> = indices
        .chunks(CHUNK_RECORDS)
        .map(|indices| {
            let mut chunk = Vec::new();
            for index in indices {
                serde_json::to_writer(&mut chunk, &shown::record(whole, *index))?;
                chunk.push(b'\n');
            }
            Ok(chunk.into())
        })
        .collect();
    let body = Body::from_stream(tokio_stream::iter(chunks));
    ([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response()
}
