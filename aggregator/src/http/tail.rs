//! `/api/v1/logs/tail`: records as they come in, as server-sent events.
//!
//! `record` events carry an ID, with which a client that lost its connection goes on (`Last-Event-ID`) without missing or repeating
//! one, as long as the ring holds what came in meanwhile (`head::tail`). What it does not hold any more is told by a `dropped` event:
//! a slow client loses records, and learns how many; it slows down nobody else. Now and then a `position` event carries an ID alone.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{self, Sender};
use tokio_stream::wrappers::ReceiverStream;

use super::answer::RecordAnswer;
use super::api::Api;
use super::arguments::Arguments;
use super::parameters::Asked;
use super::problem::Problem;
use crate::block::mask::Mask;
use crate::block::view::View;
use crate::clock;
use crate::head::tail::Arrivals;
use crate::index::find::FindError;
use crate::query::evaluate::evaluate;
use crate::record::Record;
use crate::search::scan::{Order, Wanted};

/// Events that wait for a client.
const EVENTS_WAITING: usize = 64;
/// Batches that are looked at in one go.
const BATCHES_MAX: usize = 64;
/// So long more is waited for when something came in: fewer, larger steps.
const GATHER: Duration = Duration::from_millis(50);
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Names of the route's parameters.
pub const PARAMETERS: &[&str] = &["q"];

/// Parameters of the route.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct Parameters {
    q: String,
}

/// The handler.
pub async fn tail(State(api): State<Api>, headers: HeaderMap, arguments: Arguments) -> Result<Response, Problem> {
    let parameters: Parameters = arguments.read(PARAMETERS)?;
    let asked = Asked { q: parameters.q, ..Asked::default() };
    let wanted = asked.wanted(Order::Oldest, clock::now_ns())?;
    let Ok(permit) = api.store.tails.clone().try_acquire_owned() else {
        return Err(Problem::TooMany { what: "tails", max: crate::store::TAILS_MAX });
    };
    let end = api.store.tail.end();
    let last = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default().to_owned());
    let begin = match last.as_deref().map(|id| position(&api, id)) {
        None => Begin { next: end, missed: None },
        Some(Some(next)) if next <= end => Begin { next, missed: None },
        // Of another run of this program, or of none.
        Some(_) => Begin { next: end, missed: Some("restart") },
    };
    let (sender, receiver) = mpsc::channel(EVENTS_WAITING);
    tokio::spawn(follow(api, wanted, begin, sender, permit));
    let events = Sse::new(ReceiverStream::new(receiver));
    Ok(events.keep_alive(KeepAlive::new().interval(HEARTBEAT).text("heartbeat")).into_response())
}

struct Begin {
    /// The ordinal of the first record that is looked at.
    next: u64,
    /// Why what came before is not known.
    missed: Option<&'static str>,
}

/// The ordinal behind the record with this event ID; none when it is not of this run.
fn position(api: &Api, id: &str) -> Option<u64> {
    let (run, ordinal) = id.split_once('.')?;
    (*run == *api.store.run).then(|| ordinal.parse::<u64>().ok()?.checked_add(1)).flatten()
}

async fn follow(
    api: Api,
    wanted: Wanted,
    begin: Begin,
    sender: Sender<Result<Event, Infallible>>,
    _permit: OwnedSemaphorePermit,
) {
    if let Some(reason) = begin.missed
        && sender.send(Ok(dropped(None, reason))).await.is_err()
    {
        return;
    }
    let mut changes = api.store.tail.watch();
    let mut next = begin.next;
    let mut told = Instant::now();
    loop {
        let arrivals = api.store.tail.from(next, BATCHES_MAX);
        if arrivals.missed > 0 && sender.send(Ok(dropped(Some(arrivals.missed), "slow reader"))).await.is_err() {
            return;
        }
        if arrivals.arrivals.is_empty() {
            // Who left is noticed when there is nothing to send as well.
            tokio::select! {
                changed = changes.changed() => if changed.is_err() { return },
                () = sender.closed() => return,
            }
            tokio::time::sleep(GATHER).await;
            continue;
        }
        let end = arrivals.arrivals.last().map_or(next, |arrival| arrival.end());
        let wanted = wanted.clone();
        let found = api.store.answer_tail(move || look(&wanted, &arrivals, next)).await;
        let records = match found {
            Some(Ok(records)) => records,
            Some(Err(error)) => return tracing::error!("tail: {error}"),
            None => return,
        };
        // Where nothing is found for long, a client that comes back shall not begin at what was found last.
        if !records.is_empty() {
            told = Instant::now();
        } else if told.elapsed() >= HEARTBEAT && end > 0 {
            told = Instant::now();
            let position = Event::default().event("position").id(format!("{}.{}", api.store.run, end - 1)).data("{}");
            if sender.send(Ok(position)).await.is_err() {
                return;
            }
        }
        for (ordinal, record) in records {
            let data = serde_json::to_string(&RecordAnswer::from(&record)).expect("a record is JSON");
            let event = Event::default().event("record").id(format!("{}.{ordinal}", api.store.run)).data(data);
            if sender.send(Ok(event)).await.is_err() {
                return;
            }
        }
        next = end;
    }
}

/// The records from the ordinal `next` on that fulfil the query.
fn look(wanted: &Wanted, arrivals: &Arrivals, next: u64) -> Result<Vec<(u64, Record)>, FindError> {
    let mut found = Vec::new();
    for arrival in &arrivals.arrivals {
        let columns = arrival.columns();
        let mut among = Mask::all(columns.records());
        among.retain(|record| arrival.begin + record as u64 >= next);
        let mask = evaluate(&wanted.predicate, &View::decoded(columns), among)?;
        let indexes: Vec<u32> = mask.iter().map(|record| record as u32).collect();
        let ordinals = indexes.iter().map(|record| arrival.begin + u64::from(*record)).collect::<Vec<_>>();
        found.extend(ordinals.into_iter().zip(columns.materialise(&indexes)));
    }
    Ok(found)
}

fn dropped(records: Option<u64>, reason: &str) -> Event {
    Event::default().event("dropped").data(json!({"records": records, "reason": reason}).to_string())
}
