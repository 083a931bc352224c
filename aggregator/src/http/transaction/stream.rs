//! `/api/v1/transactions/{id}/stream`: a transaction as it grows, as server-sent events, until it is settled.
//!
//! | event | data |
//! | --- | --- |
//! | `records` | `{"records": […]}`: those that are new, or whose place in the order has changed |
//! | `state` | the transaction without its records, whenever it changed |
//! | `end` | `{"state": …}`: nothing more is to come, as far as anybody knows; the stream ends |
//!
//! Nothing is kept between two looks but which records the client has, and where they stood.

use std::collections::HashMap;
use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

use super::super::api::Api;
use super::super::arguments::Arguments;
use super::super::problem::Problem;
use super::asked::{Asked, Shown};
use super::shown;
use crate::store::TAILS_MAX;
use crate::trace::assemble::Whole;
use crate::trace::completeness::Verdict;

/// Events that wait for a client.
const EVENTS_WAITING: usize = 16;
/// Records of one event.
const CHUNK_RECORDS: usize = 256;
/// Between two looks, and so many times as long as the look took, so that a large transaction does not keep us busy.
const PAUSE: Duration = Duration::from_millis(500);
const PAUSE_LOOKS: u32 = 10;
/// After the agents have passed it, so long nothing new may come: then it ends.
const QUIET: Duration = Duration::from_secs(3);
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Names of the route's parameters.
pub const PARAMETERS: &[&str] = &["bridge", "service", "level", "silence"];

/// Parameters of the route.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Parameters {
    bridge: Option<String>,
    service: Option<String>,
    level: Option<String>,
    silence: Option<String>,
}

/// The handler.
pub async fn stream(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    arguments: Arguments,
) -> Result<Response, Problem> {
    let parameters: Parameters = arguments.read(PARAMETERS)?;
    let asked = Asked::new(id, parameters.bridge.as_deref(), parameters.silence.as_deref())?;
    let shown = Shown::new(parameters.service.as_deref(), parameters.level.as_deref())?;
    let Ok(permit) = api.store.tails.clone().try_acquire_owned() else {
        return Err(Problem::TooMany { what: "tails", max: TAILS_MAX });
    };
    // An ID that nobody knows is said at once, and with the status that it has elsewhere.
    let first = look(&api, &asked, &shown, Seen::default()).await?;
    let (sender, receiver) = mpsc::channel(EVENTS_WAITING);
    tokio::spawn(follow(api, asked, shown, first, sender, permit));
    let events = Sse::new(ReceiverStream::new(receiver));
    Ok(events.keep_alive(KeepAlive::new().interval(HEARTBEAT).text("heartbeat")).into_response())
}

/// Which records the client has, and the index of each; and the state that it was told.
#[derive(Default)]
struct Seen {
    indices: HashMap<(Uuid, u64), usize>,
    state: String,
}

/// What a look came to.
struct Look {
    seen: Seen,
    events: Vec<Event>,
    /// Records came in, or changed their places.
    has_moved: bool,
    is_open: bool,
    state: Value,
    took: Duration,
}

async fn look(api: &Api, asked: &Asked, shown: &Shown, seen: Seen) -> Result<Look, Problem> {
    let (asked, shown) = (asked.clone(), shown.clone());
    let look = api.store.answer(move |store| {
        let started = Instant::now();
        let whole = asked.find(store)?;
        let mut look = changes(&whole, &shown, &asked, seen);
        look.took = started.elapsed();
        Ok(look)
    });
    look.await.ok_or(Problem::Stopping)?
}

fn changes(whole: &Whole, shown: &Shown, asked: &Asked, mut seen: Seen) -> Look {
    let mut changed = Vec::new();
    for index in shown.of(whole) {
        let record = &whole.ordered.records[index];
        if seen.indices.insert((record.source.id, record.position), index) != Some(index) {
            changed.push(index);
        }
    }
    let mut events: Vec<Event> = changed
        .chunks(CHUNK_RECORDS)
        .map(|indices| {
            let records: Vec<_> = indices.iter().map(|index| shown::record(whole, *index)).collect();
            Event::default().event("records").data(json!({ "records": records }).to_string())
        })
        .collect();
    let mut state = shown::transaction(whole, &asked.canonical());
    let text = state.to_string();
    // This goes on with the time: it is told with the rest, and is no change.
    state["completeness"]["complete_to"] = Value::Null;
    let has_moved = !changed.is_empty();
    let lasting = state.to_string();
    if lasting != seen.state {
        events.push(Event::default().event("state").data(&text));
        seen.state = lasting;
    }
    let is_open = whole.completeness.verdict == Verdict::Open || !whole.completeness.behind.is_empty();
    Look { seen, events, has_moved, is_open, state: state["completeness"]["state"].clone(), took: Duration::ZERO }
}

async fn follow(
    api: Api,
    asked: Asked,
    shown: Shown,
    first: Look,
    sender: Sender<Result<Event, Infallible>>,
    _permit: OwnedSemaphorePermit,
) {
    let mut look = first;
    let mut changed = Instant::now();
    loop {
        if look.has_moved || look.is_open {
            changed = Instant::now();
        }
        for event in look.events.drain(..) {
            if sender.send(Ok(event)).await.is_err() {
                return;
            }
        }
        if changed.elapsed() >= QUIET {
            let end = Event::default().event("end").data(json!({ "state": look.state }).to_string());
            let _ = sender.send(Ok(end)).await;
            return;
        }
        let pause = PAUSE.max(look.took * PAUSE_LOOKS);
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = sender.closed() => return,
        }
        look = match self::look(&api, &asked, &shown, look.seen).await {
            Ok(look) => look,
            // It was deleted, or we stop.
            Err(problem) => return tracing::debug!("stream of {}: {problem}", asked.id),
        };
    }
}
