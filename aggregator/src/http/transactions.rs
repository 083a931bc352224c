//! `/api/v1/transactions`: transactions, the newest first or in another order, and what all of them come to.
//!
//! Without a time, it is about everything that is kept. The summary is about all that fulfil the parameters, the page about some of them;
//! every page has it. Counts are exact, percentiles at most 1.6 % off.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use hashbrown::HashSet;
use serde::Deserialize;
use serde_json::{Value, json};

use super::api::Api;
use super::arguments::Arguments;
use super::parameters::{self, Asked};
use super::problem::Problem;
use crate::block::transactions::share::Share;
use crate::clock::{self, rfc3339};
use crate::id::Canonical;
use crate::query::predicate::Predicate;
use crate::search::scan::{self, Order};
use crate::transactions::carrying::{Carrying, IDS_MAX};
use crate::transactions::filter::Filter;
use crate::transactions::joined::JOINED_MAX;
use crate::transactions::list::{Listed, Wanted};
use crate::transactions::summary::Group;
use crate::transactions::top::{Key, Sort};

/// Transactions of a page, unless asked otherwise.
const LIMIT_DEFAULT: usize = 50;
/// Transactions of a page at most.
const LIMIT_MAX: usize = 1_000;
/// Names in one parameter.
const NAMES_MAX: usize = 100;

/// Names of the route's parameters.
pub const PARAMETERS: &[&str] = &[
    "q",
    "from",
    "to",
    "timeout",
    "service",
    "entry",
    "min_duration",
    "max_duration",
    "errors",
    "sort",
    "limit",
    "cursor",
];

/// Parameters of the route.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    #[serde(flatten)]
    asked: Asked,
    service: Option<String>,
    entry: Option<String>,
    min_duration: Option<String>,
    max_duration: Option<String>,
    errors: Option<String>,
    sort: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

/// The handler.
pub async fn list(State(api): State<Api>, arguments: Arguments) -> Result<Json<Value>, Problem> {
    let _timer = api.timer("/api/v1/transactions");
    let parameters: Parameters = arguments.read(PARAMETERS)?;
    let (started, now) = (Instant::now(), clock::now_ns());
    let searched = parameters.asked.wanted(Order::Newest, now)?;
    let deadline = parameters.asked.deadline(api.search_timeout)?;
    let mut wanted = parameters.wanted(searched.times)?;
    let sort = wanted.sort;
    let mut warnings = Vec::new();
    let mut is_partial = false;
    if !matches!(*searched.predicate, Predicate::All) {
        let carried = carried(&api, searched, deadline, &mut warnings).await?;
        is_partial = !warnings.is_empty();
        wanted.ids = Some(Arc::new(carried));
    }
    let limit = wanted.limit;
    let (listed, is_late) = api.store.list(wanted, Some(deadline)).await.ok_or(Problem::Stopping)??;
    is_partial |= is_late || listed.is_cut;
    warnings.extend(remarks(&listed, is_late, limit));
    // What a page leaves out of what was not looked at, no later page has: then there is none.
    let next = listed.next.as_ref().filter(|_| !is_late).map(|next| next.cursor(sort));
    Ok(Json(json!({
        "transactions": listed.transactions.iter().map(transaction).collect::<Vec<_>>(),
        "next_cursor": next,
        "summary": summary(&listed),
        "meta": {
            "took_ms": started.elapsed().as_secs_f64() * 1000.0,
            "partial": is_partial,
            "warnings": warnings,
            "documents": listed.progress.documents,
            "documents_scanned": listed.progress.documents_scanned,
            "documents_damaged": listed.progress.documents_damaged,
        },
    })))
}

impl Parameters {
    fn wanted(&self, times: (i64, i64)) -> Result<Wanted, Problem> {
        let sort = sort(self.sort.as_deref())?;
        let least = parameters::duration_ns("min_duration", self.min_duration.as_deref())?.unwrap_or(0);
        let most = parameters::duration_ns("max_duration", self.max_duration.as_deref())?.unwrap_or(u64::MAX);
        if least > most {
            let detail = "it is longer than `max_duration`: nothing lies between them".to_owned();
            return Err(Problem::BadParameter { name: "min_duration", detail });
        }
        let filter = Filter {
            times,
            services: names("service", self.service.as_deref())?,
            entries: names("entry", self.entry.as_deref())?,
            durations: (least, most),
            errors: errors(self.errors.as_deref())?,
        };
        let limit = parameters::number("limit", self.limit.as_deref(), LIMIT_DEFAULT, LIMIT_MAX)?;
        Ok(Wanted { filter, ids: None, sort, limit, after: after(self.cursor.as_deref(), sort)? })
    }
}

fn sort(text: Option<&str>) -> Result<Sort, Problem> {
    let Some(text) = text else { return Ok(Sort::Newest) };
    let known = Sort::NAMES.into_iter().find(|(name, _)| *name == text);
    known.map(|(_, sort)| sort).ok_or_else(|| {
        let names = Sort::NAMES.map(|(name, _)| name).join(", ");
        Problem::BadParameter { name: "sort", detail: format!("{text:?} is no order; there are {names}") }
    })
}

fn errors(text: Option<&str>) -> Result<Option<bool>, Problem> {
    match text {
        None => Ok(None),
        Some("true" | "1") => Ok(Some(true)),
        Some("false" | "0") => Ok(Some(false)),
        Some(other) => {
            let detail = format!("{other:?} is neither true (with errors) nor false (without)");
            Err(Problem::BadParameter { name: "errors", detail })
        }
    }
}

/// Names between commas.
fn names(parameter: &'static str, text: Option<&str>) -> Result<Vec<String>, Problem> {
    let Some(text) = text else { return Ok(Vec::new()) };
    let names: Vec<String> =
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let detail = match names.len() {
        0 => "it names no service; write it like shop or shop,payments".to_owned(),
        1..=NAMES_MAX => return Ok(names),
        _ => format!("at most {NAMES_MAX} services at a time"),
    };
    Err(Problem::BadParameter { name: parameter, detail })
}

fn after(text: Option<&str>, sort: Sort) -> Result<Option<Key>, Problem> {
    let Some(text) = text else { return Ok(None) };
    Key::of_cursor(text, sort).map(Some).ok_or_else(|| Problem::BadParameter {
        name: "cursor",
        detail: "not a cursor that this API gave for this order; leave it out to begin at the first transaction".into(),
    })
}

/// The IDs of the records that fulfil the query. A transaction goes on after `to`, and began before none of its records.
async fn carried(
    api: &Api,
    mut searched: scan::Wanted,
    deadline: Instant,
    warnings: &mut Vec<String>,
) -> Result<HashSet<Canonical, foldhash::fast::RandomState>, Problem> {
    searched.times.1 = i64::MAX;
    let found = api.store.search(searched, Carrying::default(), Some(deadline)).await.ok_or(Problem::Stopping)??;
    let progress = found.scan.progress();
    if found.is_late {
        warnings.push(format!(
            "the time was up after the records of {} of {} blocks had been looked at, the newest ones: only transactions of these are here; \
             ask with a longer timeout or for less time",
            progress.blocks_scanned, progress.blocks
        ));
    }
    if found.collector.is_cut {
        warnings.push(format!(
            "more than {IDS_MAX} transactions have records that fulfil q: only those of the newest such records are here; ask for less time, \
             or for less with q"
        ));
    }
    warnings.extend(parameters::damage(progress));
    Ok(found.collector.ids)
}

fn remarks(listed: &Listed, is_late: bool, limit: usize) -> Vec<String> {
    let mut warnings = Vec::new();
    let progress = listed.progress;
    if is_late {
        warnings.push(format!(
            "the time was up after {} of {} documents: everything here is of these alone; ask with a longer timeout or for less time",
            progress.documents_scanned, progress.documents
        ));
    } else if listed.next.is_some() {
        warnings.push(format!("{limit} transactions shown; next_cursor has the next ones"));
    }
    if listed.is_cut {
        warnings.push(format!(
            "more than {JOINED_MAX} transactions are not committed yet or go on over several commits: some are missing here, or are without \
             some of their records; ask for less time"
        ));
    }
    if progress.documents_damaged > 0 {
        warnings.push(format!(
            "{} documents are damaged and could not be read: their transactions are missing here; `clew-aggregator verify` names them",
            progress.documents_damaged
        ));
    }
    warnings
}

fn transaction((id, share): &(Canonical, Share)) -> Value {
    json!({
        "id": id.to_string(),
        "time_min": rfc3339(share.time_min),
        "time_max": rfc3339(share.time_max),
        "duration_ns": share.duration(),
        "records": share.records,
        "errors": share.errors,
        "entry_service": share.entry_service().as_ref(),
        "services": share.services.iter().map(|touched| touched.service.as_ref()).collect::<Vec<&str>>(),
    })
}

fn summary(listed: &Listed) -> Value {
    let told = &listed.summary;
    let [p50, p90, p95, p99] = percentiles(&told.all, [0.5, 0.9, 0.95, 0.99]);
    let all = &told.all;
    let by_entry = told.by_entry.iter().map(|(service, group)| {
        let [p50, p95, p99] = percentiles(group, [0.5, 0.95, 0.99]);
        json!({
            "entry_service": service.as_ref(),
            "transactions": group.transactions,
            "with_errors": group.with_errors,
            "duration_ns": {"p50": p50, "p95": p95, "p99": p99},
        })
    });
    let by_time = told.by_time.iter().map(|(time, group)| {
        let [p50, p95] = percentiles(group, [0.5, 0.95]);
        json!({
            "time": rfc3339(*time),
            "transactions": group.transactions,
            "with_errors": group.with_errors,
            "p50_ns": p50,
            "p95_ns": p95,
        })
    });
    json!({
        "transactions": all.transactions,
        "with_errors": all.with_errors,
        "error_rate": (all.transactions > 0).then(|| all.with_errors as f64 / all.transactions as f64),
        "duration_ns": {
            "p50": p50,
            "p90": p90,
            "p95": p95,
            "p99": p99,
            "max": (all.transactions > 0).then_some(all.duration_max),
        },
        "by_entry": by_entry.collect::<Vec<_>>(),
        "by_time": by_time.collect::<Vec<_>>(),
        "interval_ns": listed.interval_ns,
    })
}

/// None of an empty group. The longest is known exactly, and nothing is told to be longer.
fn percentiles<const N: usize>(group: &Group, shares: [f64; N]) -> [Option<u64>; N] {
    let found = group.durations.percentiles(shares);
    found.map_or([None; N], |found| found.map(|ns| Some(ns.min(group.duration_max))))
}
