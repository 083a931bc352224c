//! `/api/v1/logs/search`: the records that fulfil a query, newest first.
//!
//! A page ends at `limit`; `next_cursor` goes on behind its last record, whatever has come in meanwhile. As NDJSON the answer has no
//! cap: it is put together page by page, and only as fast as the client takes it.

use std::sync::Arc;
use std::time::Instant;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tokio_stream::wrappers::ReceiverStream;

use super::answer::{self, RecordAnswer};
use super::api::Api;
use super::arguments::Arguments;
use super::cursor;
use super::parameters::{self, Asked};
use super::problem::Problem;
use crate::clock;
use crate::record::Record;
use crate::search::newest::{Newest, Page};
use crate::search::scan::{Order, Progress, Wanted};
use crate::trace::order::Key;

/// Records of a page, unless asked otherwise.
const LIMIT_DEFAULT: usize = 100;
/// Records of a page at most. NDJSON has no cap.
const LIMIT_MAX: usize = 10_000;
/// Records that an NDJSON answer is made of at a time.
const STREAM_PAGE_RECORDS: usize = 5_000;
/// Pages that wait for a slow client.
const STREAM_PAGES_WAITING: usize = 2;

/// Parameters of the route.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Parameters {
    #[serde(flatten)]
    asked: Asked,
    limit: Option<String>,
    order: Option<String>,
    cursor: Option<String>,
}

/// Names of the route's parameters.
pub const PARAMETERS: &[&str] = &["q", "from", "to", "order", "limit", "cursor", "timeout"];

/// What is to be searched, once the parameters are understood.
struct Search {
    wanted: Wanted,
    after: Option<Key>,
}

/// The handler.
pub async fn search(State(api): State<Api>, headers: HeaderMap, arguments: Arguments) -> Result<Response, Problem> {
    let timer = api.timer("/api/v1/logs/search");
    let parameters: Parameters = arguments.read(PARAMETERS)?;
    let order = match parameters.order.as_deref() {
        None | Some("newest") => Order::Newest,
        Some("oldest") => Order::Oldest,
        Some(other) => {
            let detail = format!("{other:?} is no order; there are newest and oldest");
            return Err(Problem::BadParameter { name: "order", detail });
        }
    };
    let search = Search {
        wanted: parameters.asked.wanted(order, clock::now_ns())?,
        after: cursor::parameter(parameters.cursor.as_deref())?,
    };
    let limit = parameters::number("limit", parameters.limit.as_deref(), LIMIT_DEFAULT, LIMIT_MAX)?;
    let deadline = parameters.asked.deadline(api.search_timeout)?;
    if accepts_lines(&headers) {
        let limit = parameters.limit.is_some().then_some(limit);
        return stream(api, search, limit).await;
    }
    let started = Instant::now();
    let (page, progress, is_late) = page(&api, &search, limit, Some(deadline)).await?;
    drop(timer);
    Ok(page_answer(&page, progress, is_late, started))
}

/// Whether the client wants NDJSON.
pub fn accepts_lines(headers: &HeaderMap) -> bool {
    headers.get(header::ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"application/x-ndjson"))
}

async fn page(
    api: &Api,
    search: &Search,
    limit: usize,
    deadline: Option<Instant>,
) -> Result<(Page, Progress, bool), Problem> {
    let newest = Newest::new(search.wanted.order, limit, search.after.clone());
    let mut wanted = search.wanted.clone();
    // Behind a cursor nothing outside of its time has to be looked at.
    match (&search.after, wanted.order) {
        (None, _) => {}
        (Some(after), Order::Newest) => wanted.times.1 = wanted.times.1.min(after.time.saturating_add(1)),
        (Some(after), Order::Oldest) => wanted.times.0 = wanted.times.0.max(after.time),
    }
    let searched = api.store.search(wanted, newest, deadline).await.ok_or(Problem::Stopping)??;
    let progress = searched.scan.progress();
    let unseen = searched.scan.next().filter(|_| searched.is_late);
    Ok((searched.collector.finish(unseen), progress, searched.is_late))
}

fn page_answer(page: &Page, progress: Progress, is_late: bool, started: Instant) -> Response {
    let mut warnings = Vec::new();
    if is_late {
        warnings.push(format!(
            "the time was up after {} of {} blocks; next_cursor goes on there, or ask with a longer timeout",
            progress.blocks_scanned, progress.blocks
        ));
    } else if page.next.is_some() {
        warnings.push(format!("{} records shown; next_cursor has the next ones", page.records.len()));
    }
    warnings.extend(parameters::damage(progress));
    let mut meta = answer::meta(progress, started, is_late, &warnings);
    meta["truncated"] = json!(page.next.is_some());
    let body = json!({"next_cursor": page.next.as_ref().map(cursor::encode), "meta": meta});
    answer::with_records(&body, &page.records)
}

/// The first page decides about the status; then pages follow as they are taken. Who leaves ends it.
async fn stream(api: Api, mut search: Search, limit: Option<usize>) -> Result<Response, Problem> {
    let Ok(permit) = Arc::clone(&api.store.streams).try_acquire_owned() else {
        return Err(Problem::TooMany { what: "NDJSON answers", max: crate::store::STREAMS_MAX });
    };
    let mut left = limit.unwrap_or(usize::MAX);
    let (mut current, ..) = page(&api, &search, left.min(STREAM_PAGE_RECORDS), None).await?;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, std::io::Error>>(STREAM_PAGES_WAITING);
    tokio::spawn(async move {
        let _permit = permit;
        loop {
            left = left.saturating_sub(current.records.len());
            if sender.send(lines(&current.records)).await.is_err() {
                return;
            }
            if left == 0 || current.next.is_none() {
                return;
            }
            search.after = current.next;
            current = match page(&api, &search, left.min(STREAM_PAGE_RECORDS), None).await {
                Ok((page, ..)) => page,
                Err(problem) => {
                    // The connection breaks off, so that nobody takes this for the end.
                    let _ = sender.send(Err(std::io::Error::other(problem.to_string()))).await;
                    return;
                }
            };
        }
    });
    let body = Body::from_stream(ReceiverStream::new(receiver));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], body).into_response())
}

fn lines(records: &[Record]) -> Result<Bytes, std::io::Error> {
    let mut chunk = Vec::new();
    for record in records {
        serde_json::to_writer(&mut chunk, &RecordAnswer::from(record))?;
        chunk.push(b'\n');
    }
    Ok(chunk.into())
}
