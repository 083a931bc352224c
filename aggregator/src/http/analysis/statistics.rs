//! `/api/v1/logs/stats`: numbers, by groups and by time.

use std::time::Instant;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::{FIELDS_MAX, dimension, dimensions, meta, parse_interval, searched};
use crate::clock::{self, rfc3339};
use crate::http::answer;
use crate::http::api::Api;
use crate::http::arguments::Arguments;
use crate::http::parameters::{self, Asked};
use crate::http::problem::Problem;
use crate::query::dimension::Dimension;
use crate::search::scan::Order;
use crate::search::statistics::{self, GROUPS_MAX, Group, GroupKey, PERCENTILE_ERROR, Statistics};

/// Groups of an answer, unless asked otherwise.
const GROUPS_DEFAULT: usize = 100;

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
pub const PARAMETERS: &[&str] =
    &["q", "from", "to", "timeout", "field", "distinct", "by", "interval", "percentiles", "sort", "limit"];
/// What is told unless asked otherwise.
const PERCENTILES_USUAL: &str = "50,90,95,99";

/// `/api/v1/logs/stats`.
pub async fn stats(State(api): State<Api>, arguments: Arguments) -> Result<Json<Value>, Problem> {
    let _timer = api.timer("/api/v1/logs/stats");
    let parameters: StatisticsParameters = arguments.read(PARAMETERS)?;
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
