//! `/api/v1/logs/histogram`, `/facets`, `/stats` and `/api/v1/fields`: what a query's records have in common.
//!
//! All of them look at every record that fulfils the query. When the time is up before, the answer says so and holds what was counted
//! until then, from the newest blocks to older ones.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use clew_service::units::Span;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer;
use super::api::Api;
use super::arguments::Arguments;
use super::parameters::{self, Asked};
use super::problem::Problem;
use crate::clock::{self, rfc3339};
use crate::query::dimension::Dimension;
use crate::search::facets::{Discovery, Facets, VALUES_MAX};
use crate::search::histogram::Histogram;
use crate::search::scan::{Collector, Order};
use crate::search::statistics::{self, GROUPS_MAX, Group, GroupKey, PERCENTILE_ERROR, Statistics};
use crate::store::Searched;

/// Buckets of an answer at most.
const BUCKETS_MAX: i64 = 10_000;
/// Buckets that an interval is chosen for when none is asked for.
const BUCKETS_USUAL: i64 = 120;
/// Fields of an answer.
const FIELDS_MAX: usize = 20;
/// Values of a field.
const VALUES_DEFAULT: usize = 10;
const VALUES_SHOWN_MAX: usize = 1_000;
/// Groups of an answer, unless asked otherwise.
const GROUPS_DEFAULT: usize = 100;
/// Records that are looked at to find out which fields there are.
const SAMPLE_DEFAULT: usize = 2_000;
const SAMPLE_MAX: usize = 100_000;
/// Fields that are discovered for facets when none is asked for.
const FACETS_DISCOVERED: usize = 8;
/// Intervals that people think in, seconds.
const INTERVALS_S: [i64; 18] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400];

/// Names of the histogram's parameters.
pub const HISTOGRAM: &[&str] = &["q", "from", "to", "timeout", "interval", "by"];

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
    let parameters: HistogramParameters = arguments.read(HISTOGRAM)?;
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
    let Some(text) = text else {
        let wanted = width / BUCKETS_USUAL / 1_000_000_000;
        let days = || wanted.div_euclid(86_400) + 1;
        let seconds = INTERVALS_S.into_iter().find(|interval| *interval >= wanted);
        return Ok(seconds.unwrap_or_else(|| days() * 86_400) * 1_000_000_000);
    };
    let interval = parse_interval(text)?;
    if width / interval >= BUCKETS_MAX {
        let detail =
            format!("{text} makes more than {BUCKETS_MAX} buckets of that time; take a longer one, or less time");
        return Err(Problem::BadParameter { name: "interval", detail });
    }
    Ok(interval)
}

fn parse_interval(text: &str) -> Result<i64, Problem> {
    let span = text.parse::<Span>().ok().map(|span| span.0);
    let interval = span.filter(|span| *span >= Duration::from_millis(1));
    interval.and_then(|span| i64::try_from(span.as_nanos()).ok()).ok_or_else(|| Problem::BadParameter {
        name: "interval",
        detail: format!("{text:?} is no interval of at least 1ms; write it like 10s, 5m, 1h or 1d"),
    })
}

fn dimension(parameter: &'static str, name: &str) -> Result<Dimension, Problem> {
    Dimension::parse(name).map_err(|detail| Problem::BadParameter { name: parameter, detail })
}

/// Names of fields between commas.
fn dimensions(parameter: &'static str, text: &str) -> Result<Vec<Dimension>, Problem> {
    let names: Vec<&str> = text.split(',').map(str::trim).filter(|name| !name.is_empty()).collect();
    if names.len() > FIELDS_MAX {
        return Err(Problem::BadParameter {
            name: parameter,
            detail: format!("at most {FIELDS_MAX} fields at a time"),
        });
    }
    names.into_iter().map(|name| dimension(parameter, name)).collect()
}

async fn searched<C: Collector + 'static>(
    api: &Api,
    wanted: crate::search::scan::Wanted,
    collector: C,
    deadline: Instant,
) -> Result<Searched<C>, Problem> {
    Ok(api.store.search(wanted, collector, Some(deadline)).await.ok_or(Problem::Stopping)??)
}

fn meta<C>(searched: &Searched<C>, started: Instant, mut warnings: Vec<String>) -> Value {
    let progress = searched.scan.progress();
    warnings.extend(parameters::damage(progress));
    if searched.is_late {
        warnings.insert(0, format!(
            "the time was up after {} of {} blocks, the newest ones: everything here is of these alone; ask with a longer timeout or for less time",
            progress.blocks_scanned, progress.blocks
        ));
    }
    json!({
        "took_ms": started.elapsed().as_secs_f64() * 1000.0,
        "partial": searched.is_late,
        "warnings": warnings,
        "blocks": progress.blocks,
        "blocks_scanned": progress.blocks_scanned,
        "blocks_damaged": progress.blocks_damaged,
        "records_scanned": progress.records_scanned,
        "bytes_scanned": progress.bytes_scanned,
    })
}

/// Names of the facets' parameters.
pub const FACETS: &[&str] = &["q", "from", "to", "timeout", "fields", "limit"];

/// Parameters of the facets.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FacetParameters {
    #[serde(flatten)]
    asked: Asked,
    fields: Option<String>,
    limit: Option<String>,
}

/// `/api/v1/logs/facets`.
pub async fn facets(State(api): State<Api>, arguments: Arguments) -> Result<Json<Value>, Problem> {
    let _timer = api.timer("/api/v1/logs/facets");
    let parameters: FacetParameters = arguments.read(FACETS)?;
    let (started, now) = (Instant::now(), clock::now_ns());
    let wanted = parameters.asked.wanted(Order::Newest, now)?;
    let deadline = parameters.asked.deadline(api.search_timeout)?;
    let limit = parameters::number("limit", parameters.limit.as_deref(), VALUES_DEFAULT, VALUES_SHOWN_MAX)?;
    let fields = match &parameters.fields {
        Some(fields) => dimensions("fields", fields)?,
        None => {
            let mut names: Vec<String> = ["service", "level", "host"].map(String::from).into();
            let discovery = Discovery::new(SAMPLE_DEFAULT as u64);
            let found = searched(&api, wanted.clone(), discovery, deadline).await?;
            let found = found.collector.fields().into_iter().map(|(name, _)| name.to_owned());
            // A key is asked for with a dot in front, whatever it is called.
            names.extend(found.take(FACETS_DISCOVERED).map(|name| format!(".{name}")));
            names.iter().filter_map(|name| Dimension::parse(name).ok()).collect()
        }
    };
    let searched = searched(&api, wanted, Facets::new(fields), deadline).await?;
    let facets = &searched.collector;
    let shown: Vec<Value> = facets
        .fields
        .iter()
        .map(|facet| {
            let values: Vec<Value> = facet
                .top(limit)
                .into_iter()
                .map(|(value, records)| json!({"value": answer::lossy(value), "records": records}))
                .collect();
            json!({
                "field": facet.dimension.name,
                "records": facet.records,
                "distinct": facet.distinct(),
                "exact": facet.beyond == 0 && !searched.is_late,
                "values": values,
            })
        })
        .collect();
    let beyond = facets.fields.iter().filter(|facet| facet.beyond > 0);
    let warnings = beyond.map(|facet| {
        format!(
            "{} has more than {VALUES_MAX} different values; {} of them are not counted",
            facet.dimension.name, facet.beyond
        )
    });
    let meta = meta(&searched, started, warnings.collect());
    Ok(Json(json!({"records": facets.records, "facets": shown, "meta": meta})))
}

/// Parameters of the statistics.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct StatisticsParameters {
    #[serde(flatten)]
    asked: Asked,
    field: Option<String>,
    distinct: Option<String>,
    by: Option<String>,
    interval: Option<String>,
    percentiles: Option<String>,
    sort: Option<String>,
    limit: Option<String>,
}

/// Names of the statistics' parameters.
pub const STATISTICS: &[&str] =
    &["q", "from", "to", "timeout", "field", "distinct", "by", "interval", "percentiles", "sort", "limit"];
/// What is told unless asked otherwise.
const PERCENTILES_USUAL: &str = "50,90,95,99";

/// `/api/v1/logs/stats`.
pub async fn stats(State(api): State<Api>, arguments: Arguments) -> Result<Json<Value>, Problem> {
    let _timer = api.timer("/api/v1/logs/stats");
    let parameters: StatisticsParameters = arguments.read(STATISTICS)?;
    let (started, now) = (Instant::now(), clock::now_ns());
    let wanted = parameters.asked.wanted(Order::Newest, now)?;
    let deadline = parameters.asked.deadline(api.search_timeout)?;
    let limit = parameters::number("limit", parameters.limit.as_deref(), GROUPS_DEFAULT, GROUPS_MAX)?;
    let percentiles = percentiles(parameters.percentiles.as_deref().unwrap_or(PERCENTILES_USUAL))?;
    let by = dimensions("by", parameters.by.as_deref().unwrap_or_default())?;
    let names: Vec<String> = by.iter().map(|by| by.name.clone()).collect();
    let sort = sort(parameters.sort.as_deref(), &percentiles)?;
    let statistics = Statistics::new(statistics::Asked {
        field: parameters.field.as_deref().map(|name| numeric("field", name)).transpose()?,
        distinct: parameters.distinct.as_deref().map(|name| dimension("distinct", name)).transpose()?,
        by,
        interval_ns: parameters.interval.as_deref().map(parse_interval).transpose()?,
        percentiles: parameters.field.is_some() && !percentiles.is_empty(),
    });
    let searched = searched(&api, wanted, statistics, deadline).await?;
    let statistics = &searched.collector;
    let mut groups: Vec<(&GroupKey, &Group)> = statistics.groups.iter().collect();
    groups.sort_by(|(left_key, left), (right_key, right)| {
        left_key
            .0
            .cmp(&right_key.0)
            .then_with(|| sort(right).total_cmp(&sort(left)))
            .then_with(|| left_key.cmp(right_key))
    });
    let mut warnings = Vec::new();
    if groups.len() > limit {
        warnings.push(format!("{limit} of {} groups shown; ask with a higher limit for more", groups.len()));
        groups.truncate(limit);
    }
    if statistics.beyond > 0 {
        warnings.push(format!(
            "there are more than {GROUPS_MAX} groups; {} records belong to further ones and are not counted",
            statistics.beyond
        ));
    }
    let groups: Vec<Value> =
        groups.into_iter().map(|(key, group)| group_answer(&names, key, group, &percentiles)).collect();
    let mut meta = meta(&searched, started, warnings);
    meta["percentile_error"] = json!(PERCENTILE_ERROR);
    Ok(Json(json!({"groups": groups, "meta": meta})))
}

/// A key of the line: other fields have no numbers.
fn numeric(parameter: &'static str, name: &str) -> Result<Dimension, Problem> {
    let dimension = dimension(parameter, name)?;
    if dimension.is_key() {
        return Ok(dimension);
    }
    let detail = format!(
        "{name} has no numbers; name a key of the line, like duration_ms (or .{name} for a key that is called so)"
    );
    Err(Problem::BadParameter { name: parameter, detail })
}

fn percentiles(text: &str) -> Result<Vec<f64>, Problem> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let parsed = parts.map(|part| part.parse().ok().filter(|percent| (0.0..=100.0).contains(percent)));
    parsed.collect::<Option<Vec<f64>>>().filter(|percentiles| percentiles.len() <= FIELDS_MAX).ok_or_else(|| {
        let detail = format!("{text:?} are no numbers from 0 to 100 between commas, {FIELDS_MAX} at most");
        Problem::BadParameter { name: "percentiles", detail }
    })
}

type Sort = Box<dyn Fn(&Group) -> f64 + Send>;

/// By what groups are sorted, the highest first.
fn sort(text: Option<&str>, percentiles: &[f64]) -> Result<Sort, Problem> {
    let percent = |text: &str| text.strip_prefix('p').and_then(|text| text.parse::<f64>().ok());
    Ok(match text.unwrap_or("count") {
        "count" => Box::new(|group| group.records as f64),
        "min" => Box::new(|group| group.min),
        "max" => Box::new(|group| group.max),
        "sum" => Box::new(|group| group.sum),
        "avg" => Box::new(|group| group.sum / group.values.max(1) as f64),
        "distinct" => Box::new(|group| group.distinct().unwrap_or(0) as f64),
        text => match percent(text).filter(|percent| percentiles.contains(percent)) {
            Some(percent) => Box::new(move |group| group.percentile(percent / 100.0).unwrap_or(f64::MIN)),
            None => {
                let detail =
                    format!("{text:?} is none of count, min, max, sum, avg, distinct and the percentiles, like p95");
                return Err(Problem::BadParameter { name: "sort", detail });
            }
        },
    })
}

fn group_answer(names: &[String], (time, values): &GroupKey, group: &Group, percentiles: &[f64]) -> Value {
    let by: Map<String, Value> = names
        .iter()
        .zip(values)
        .map(|(name, value)| (name.clone(), value.as_ref().map_or(Value::Null, |value| answer::lossy(value).into())))
        .collect();
    let mut answer = json!({"by": by, "count": group.records});
    if let Some(time) = time {
        answer["time"] = json!(rfc3339(*time));
    }
    if group.values > 0 {
        answer["values"] = json!(group.values);
        answer["min"] = json!(group.min);
        answer["max"] = json!(group.max);
        answer["sum"] = json!(group.sum);
        answer["avg"] = json!(group.sum / group.values as f64);
        let percentiles: Map<String, Value> = percentiles
            .iter()
            .filter_map(|percent| Some((format!("p{percent}"), json!(group.percentile(percent / 100.0)?))))
            .collect();
        answer["percentiles"] = Value::Object(percentiles);
    }
    if let Some(distinct) = group.distinct() {
        answer["distinct"] = json!(distinct);
    }
    answer
}

/// Names of the fields' parameters.
pub const FIELDS: &[&str] = &["q", "from", "to", "timeout", "sample"];

/// Parameters of the fields.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct FieldParameters {
    #[serde(flatten)]
    asked: Asked,
    sample: Option<String>,
}

/// `/api/v1/fields`.
pub async fn fields(State(api): State<Api>, arguments: Arguments) -> Result<Json<Value>, Problem> {
    let _timer = api.timer("/api/v1/fields");
    let parameters: FieldParameters = arguments.read(FIELDS)?;
    let (started, now) = (Instant::now(), clock::now_ns());
    let wanted = parameters.asked.wanted(Order::Newest, now)?;
    let deadline = parameters.asked.deadline(api.search_timeout)?;
    let sample = parameters::number("sample", parameters.sample.as_deref(), SAMPLE_DEFAULT, SAMPLE_MAX)?;
    let searched = searched(&api, wanted, Discovery::new(sample as u64), deadline).await?;
    let discovery = &searched.collector;
    let mut warnings = vec![format!("from a sample of {} records of the newest blocks", discovery.records)];
    if discovery.beyond > 0 {
        warnings.push("there are more fields than are listed".into());
    }
    let fields: Vec<Value> = discovery
        .fields()
        .into_iter()
        .map(|(name, field)| {
            json!({"name": name, "types": field.types, "records": field.records, "samples": field.samples})
        })
        .collect();
    let built_in = ["service", "host", "file", "level", "txn", "time", "source", "label.NAME"];
    let meta = meta(&searched, started, warnings);
    Ok(Json(json!({"sampled_records": discovery.records, "built_in": built_in, "fields": fields, "meta": meta})))
}
