//! `/api/v1/services`: which services there are, how much they log, and how what comes in at them fares; `/api/v1/services/graph`:
//! who calls whom, as far as recent transactions show it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::answer;
use super::api::Api;
use super::arguments::Arguments;
use super::parameters::{self, Asked};
use super::problem::Problem;
use super::transaction::others::{self, Others, Parameters, Recent};
use crate::clock::{self, rfc3339};
use crate::query::dimension::Dimension;
use crate::query::language::level;
use crate::search::histogram::{Histogram, OTHERS, usual_interval};
use crate::search::scan::Order;
use crate::trace::graph::{self, Evidence, First, Seen};
use crate::trace::lanes;
use crate::trace::order::Ordered;
use crate::transactions::filter::Filter;
use crate::transactions::list::Wanted;
use crate::transactions::summary::Group;
use crate::transactions::top::Sort;

/// Without a time: the last hour.
const USUAL_NS: i64 = 3_600_000_000_000;
/// Transactions that a graph is made of, unless asked otherwise.
const GRAPH_LIMIT_DEFAULT: usize = 200;
/// At most so many.
const GRAPH_LIMIT_MAX: usize = 1_000;

/// Names of the parameters of `services`.
pub const PARAMETERS: &[&str] = &["from", "to", "timeout"];
/// Names of the parameters of `graph`.
pub const GRAPH_PARAMETERS: &[&str] = &["from", "to", "timeout", "limit"];

/// Which times are asked for, and when the answer has to be there.
fn of_times(parameters: &Parameters, api: &Api) -> Result<((i64, i64), Instant), Problem> {
    let now = clock::now_ns();
    let asked = Asked {
        q: String::new(),
        from: parameters.from.clone(),
        to: parameters.to.clone(),
        timeout: parameters.timeout.clone(),
    };
    let (from, to) = asked.times(now)?;
    let to = to.min(now);
    let from = if asked.from.is_some() { from } else { to.saturating_sub(USUAL_NS) };
    // Of times that are still to come there is nothing.
    Ok(((from.min(to), to), asked.deadline(api.search_timeout)?))
}

/// Records and errors of a service by time.
#[derive(Default)]
struct Counted {
    records: u64,
    errors: u64,
    by_time: BTreeMap<i64, (u64, u64)>,
}

/// `/api/v1/services`.
pub async fn services(State(api): State<Api>, arguments: Arguments) -> Result<Json<Value>, Problem> {
    let _timer = api.timer("/api/v1/services");
    let started = Instant::now();
    let parameters: Parameters = arguments.read(PARAMETERS)?;
    let (times, deadline) = of_times(&parameters, &api)?;
    let interval = usual_interval(times.1.saturating_sub(times.0));
    let mut counted: BTreeMap<String, Counted> = BTreeMap::new();
    let mut is_partial = false;
    for (q, is_errors) in [(String::new(), false), (format!("level:>={}", level::NAMES[6]), true)] {
        let by = Dimension::parse("service").map_err(|detail| Problem::BadParameter { name: "by", detail })?;
        let asked = Asked { q, ..Asked::default() };
        let mut wanted = asked.wanted(Order::Newest, clock::now_ns())?;
        wanted.times = times;
        let searched = api.store.search(wanted, Histogram::new(interval, Some(by)), Some(deadline)).await;
        let searched = searched.ok_or(Problem::Stopping)??;
        is_partial |= searched.is_late;
        for (time, series) in &searched.collector.buckets {
            for (name, records) in series.iter().filter(|(name, _)| *name != OTHERS) {
                let service = counted.entry(answer::lossy(name)).or_default();
                let at = service.by_time.entry(*time).or_default();
                if is_errors {
                    (service.errors, at.1) = (service.errors + records, at.1 + records);
                } else {
                    (service.records, at.0) = (service.records + records, at.0 + records);
                }
            }
        }
    }
    let filter = Filter { times, services: Vec::new(), entries: Vec::new(), durations: (0, u64::MAX), errors: None };
    let wanted = Wanted { filter, ids: None, sort: Sort::Newest, limit: 1, after: None };
    let (listed, is_late) = api.store.list(wanted, Some(deadline)).await.ok_or(Problem::Stopping)??;
    is_partial |= is_late;
    let entries: BTreeMap<Arc<str>, Group> = listed.summary.by_entry.into_iter().collect();
    let hosts = hosts(&api);
    let seconds = (times.1.saturating_sub(times.0)) as f64 / 1e9;
    let shown = counted.iter().map(|(name, service)| {
        let mut value = json!({
            "service": name,
            "records": service.records,
            "errors": service.errors,
            "records_per_s": if seconds > 0.0 { service.records as f64 / seconds } else { 0.0 },
            "hosts": hosts.get(name),
            "by_time": service.by_time.iter().map(|(time, (records, errors))| json!([time, records, errors])).collect::<Vec<_>>(),
            "entries": 0,
        });
        if let Some(group) = entries.get(name.as_str()) {
            value["entries"] = json!(group.transactions);
            value["entries_with_errors"] = json!(group.with_errors);
            let percentiles = group.durations.percentiles([0.5, 0.95]);
            value["p50_ns"] = json!(percentiles.map(|[p50, _]| p50));
            value["p95_ns"] = json!(percentiles.map(|[_, p95]| p95));
        }
        value
    });
    Ok(Json(json!({
        "services": shown.collect::<Vec<_>>(),
        "from": rfc3339(times.0),
        "to": rfc3339(times.1),
        "interval_ns": interval,
        "meta": meta(started, is_partial),
    })))
}

fn meta(started: Instant, is_partial: bool) -> Value {
    let warnings: Vec<&str> = is_partial
        .then_some("the time was up before all had been looked at; ask with a longer `timeout`")
        .into_iter()
        .collect();
    json!({"took_ms": started.elapsed().as_secs_f64() * 1000.0, "partial": is_partial, "warnings": warnings})
}

/// Where each service has files that are followed.
fn hosts(api: &Api) -> BTreeMap<String, BTreeSet<String>> {
    let state = api.store.registry.read();
    let mut hosts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in state.sources.values().filter(|entry| entry.open) {
        hosts.entry(entry.source.service.clone()).or_default().insert(entry.source.host.clone());
    }
    hosts
}

/// `/api/v1/services/graph`.
pub async fn graph(State(api): State<Api>, arguments: Arguments) -> Result<Json<Value>, Problem> {
    let _timer = api.timer("/api/v1/services/graph");
    let started = Instant::now();
    let parameters: Parameters = arguments.read(GRAPH_PARAMETERS)?;
    let limit = parameters::number("limit", parameters.limit.as_deref(), GRAPH_LIMIT_DEFAULT, GRAPH_LIMIT_MAX)?;
    let (times, deadline) = of_times(&parameters, &api)?;
    let others =
        others::find(&api, Recent { times, entries: Vec::new(), like: BTreeSet::new(), limit }, deadline, &[]).await?;
    let answer = api.store.answer(move |_| edges(&others, times, started));
    answer.await.map(Json).ok_or(Problem::Stopping)
}

fn edges(others: &Others, times: (i64, i64), started: Instant) -> Value {
    let seen: Vec<Seen> = others.transactions.iter().map(|(_, ordered)| self::seen(ordered)).collect();
    let services: BTreeSet<&String> = seen.iter().flat_map(|seen| seen.services.keys()).collect();
    let edges = graph::edges(&seen);
    let shown = edges.iter().map(|edge| {
        let evidence = match edge.evidence {
            Evidence::Spans => "spans",
            Evidence::Precedence => "precedence",
        };
        json!({
            "from": edge.from,
            "to": edge.to,
            "evidence": evidence,
            "support": edge.support,
            "against": edge.against,
        })
    });
    json!({
        "services": services,
        "edges": shown.collect::<Vec<_>>(),
        "transactions": seen.len(),
        "from": rfc3339(times.0),
        "to": rfc3339(times.1),
        "meta": meta(started, others.is_partial),
    })
}

/// What one transaction shows.
fn seen(ordered: &Ordered) -> Seen {
    let events = ordered.events(&vec![0; ordered.records.len()]);
    let lanes = lanes::of(&events);
    let mut seen = Seen::default();
    for event in &events {
        let first = First { at_ns: event.at_ns, uncertainty_ns: event.uncertainty_ns };
        seen.services.entry(event.service.to_owned()).or_insert(first);
    }
    let called = lanes.lanes.iter().filter_map(|lane| {
        let caller = &lanes.lanes[lane.caller? as usize];
        (caller.service != lane.service).then(|| (caller.service.clone(), lane.service.clone()))
    });
    seen.calls = called.collect();
    seen.calls.sort_unstable();
    seen.calls.dedup();
    seen
}
