//! `/api/v1/logs/histogram`: how many records, by time and by a field.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{dimension, meta, parse_interval, searched};
use crate::clock::{self, rfc3339};
use crate::http::answer;
use crate::http::api::Api;
use crate::http::arguments::Arguments;
use crate::http::parameters::Asked;
use crate::http::problem::Problem;
use crate::search::histogram::{Histogram, usual_interval};
use crate::search::scan::Order;

/// Buckets of an answer at most.
const BUCKETS_MAX: i64 = 10_000;

/// Names of the histogram's parameters.
pub const PARAMETERS: &[&str] = &["q", "from", "to", "timeout", "interval", "by"];

/// Parameters of the histogram.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct HistogramParameters {
    #[serde(flatten)]
    asked: Asked,
    interval: Option<String>,
    by: Option<String>,
}

/// `/api/v1/logs/histogram`.
pub async fn histogram(State(api): State<Api>, arguments: Arguments) -> Result<Json<Value>, Problem> {
    let _timer = api.timer("/api/v1/logs/histogram");
    let parameters: HistogramParameters = arguments.read(PARAMETERS)?;
    let (started, now) = (Instant::now(), clock::now_ns());
    let mut wanted = parameters.asked.wanted(Order::Newest, now)?;
    let deadline = parameters.asked.deadline(api.search_timeout)?;
    let span = match wanted.times {
        (i64::MIN, _) | (_, i64::MAX) => {
            let store = api.store.clone();
            let (earliest, latest) = tokio::task::spawn_blocking(move || store.times())
                .await
                .map_err(|_| Problem::Stopping)??
                .unwrap_or((now, now));
            (wanted.times.0.max(earliest), wanted.times.1.min(latest.saturating_add(1)))
        }
        times => times,
    };
    let interval = interval(parameters.interval.as_deref(), span)?;
    wanted.times = (wanted.times.0.max(span.0), wanted.times.1.min(span.1.max(span.0.saturating_add(1))));
    let by = match parameters.by.as_deref() {
        None => Some(dimension("by", "level")?),
        Some("") => None,
        Some(name) => Some(dimension("by", name)?),
    };
    let searched = searched(&api, wanted, Histogram::new(interval, by), deadline).await?;
    let histogram = &searched.collector;
    let buckets: Vec<Value> = histogram
        .buckets
        .iter()
        .map(|(time, series)| {
            let by: Map<String, Value> =
                series.iter().map(|(name, records)| (answer::lossy(name), json!(records))).collect();
            let records: u64 = series.values().sum();
            json!({"time": rfc3339(*time), "records": records, "by": by})
        })
        .collect();
    let records: u64 = histogram.buckets.values().flat_map(|series| series.values()).sum();
    let mut meta = meta(&searched, started, Vec::new());
    meta["blocks_counted"] = json!(histogram.blocks_counted);
    Ok(Json(json!({
        "interval_ns": interval,
        "by": parameters.by.as_deref().unwrap_or("level"),
        "from": rfc3339(span.0),
        "to": rfc3339(span.1),
        "records": records,
        "buckets": buckets,
        "meta": meta,
    })))
}

/// As asked for, or one that gives a usual number of buckets.
fn interval(text: Option<&str>, (from, to): (i64, i64)) -> Result<i64, Problem> {
    let width = to.saturating_sub(from).max(1);
    let Some(text) = text else { return Ok(usual_interval(width)) };
    let interval = parse_interval(text)?;
    if width / interval >= BUCKETS_MAX {
        let detail =
            format!("{text} makes more than {BUCKETS_MAX} buckets of that time; take a longer one, or less time");
        return Err(Problem::BadParameter { name: "interval", detail });
    }
    Ok(interval)
}
