//! `/api/v1/transactions/{id}/compare`: one transaction against recent ones that came in at the same service.

use std::collections::BTreeSet;
use std::time::Instant;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::super::api::Api;
use super::super::arguments::Arguments;
use super::super::parameters::{self, Asked as AskedTimes};
use super::super::problem::Problem;
use super::asked::Asked;
use super::others::{self, Others, Parameters, Recent};
use crate::clock::{self, rfc3339};
use crate::trace::assemble::Whole;
use crate::trace::compare::profile::Profile;
use crate::trace::compare::{self, Finding, Kind, OTHERS_MIN};
use crate::trace::order::Ordered;
use crate::trace::template::{Miner, Templates};

/// Others that it is compared with, unless asked otherwise.
const LIMIT_DEFAULT: usize = 100;
/// At most so many.
const LIMIT_MAX: usize = 200;
/// Records so soon after the first one may have been the first one.
const SOON_NS: i64 = 5_000_000;
/// Without a time: those of the day before it began.
const BEFORE_NS: i64 = 86_400_000_000_000;

/// Names of the route's parameters.
pub const PARAMETERS: &[&str] = &["from", "to", "timeout", "limit"];

/// The handler.
pub async fn compare(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    arguments: Arguments,
) -> Result<Json<Value>, Problem> {
    let _timer = api.timer("/api/v1/transactions/{id}/compare");
    let started = Instant::now();
    let parameters: Parameters = arguments.read(PARAMETERS)?;
    let limit = parameters::number("limit", parameters.limit.as_deref(), LIMIT_DEFAULT, LIMIT_MAX)?;
    let asked_times =
        AskedTimes { from: parameters.from, to: parameters.to, timeout: parameters.timeout, ..AskedTimes::default() };
    let times = asked_times.times(clock::now_ns())?;
    let deadline = asked_times.deadline(api.search_timeout)?;
    // Compared is what carries the ID alone, as of the others.
    let asked = Asked::new(id, Some("off"), None)?;
    let name = asked.canonical();
    let whole = api.store.answer(move |store| asked.find(store)).await.ok_or(Problem::Stopping)??;
    let (first, last) = ends(&whole);
    let times = match times {
        (i64::MIN, to) => {
            (first.saturating_sub(BEFORE_NS), if to == i64::MAX { last.saturating_add(BEFORE_NS) } else { to })
        }
        times => times,
    };
    let entries = entries(&whole);
    let own: Vec<_> =
        whole.ordered.records.iter().flat_map(|record| &record.ids).map(|id| id.canonical.clone()).collect();
    let services: BTreeSet<String> = whole.ordered.records.iter().map(|record| record.source.service.clone()).collect();
    let recent = Recent { times, entries: entries.clone(), like: services, limit };
    let others = others::find(&api, recent, deadline, &own).await?;
    let answer = api.store.answer(move |_| findings(&whole, &others, &name, &entries, times, started));
    answer.await.map(Json).ok_or(Problem::Stopping)
}

fn ends(whole: &Whole) -> (i64, i64) {
    let times = || whole.ordered.records.iter().map(|record| record.time);
    (times().min().unwrap_or(0), times().max().unwrap_or(0))
}

/// Where it came in: by its spans, or by its earliest record; and where the others may have come in, if it is not certain which record is
/// the earliest: a list knows times alone.
fn entries(whole: &Whole) -> Vec<String> {
    let by_spans = whole.lanes.entry.map(|lane| whole.lanes.lanes[lane as usize].service.clone());
    let times = || whole.ordered.records.iter().map(|record| record.time);
    let soon = times().min().unwrap_or(0).saturating_add(SOON_NS);
    let early = whole.ordered.records.iter().filter(|record| record.time <= soon);
    let mut entries: Vec<String> = Vec::new();
    for service in by_spans.into_iter().chain(early.map(|record| record.source.service.clone())) {
        if !entries.contains(&service) {
            entries.push(service);
        }
    }
    entries
}

fn findings(
    whole: &Whole,
    others: &Others,
    id: &str,
    entries: &[String],
    times: (i64, i64),
    started: Instant,
) -> Value {
    // One miner sees all lines, so that what varies among transactions is a variable in each of them.
    let mut miner = Miner::default();
    let mut mine =
        |ordered: &Ordered| ordered.records.iter().map(|record| miner.line(&record.line)).collect::<Vec<_>>();
    let here = mine(&whole.ordered);
    let there: Vec<_> = others.transactions.iter().map(|(_, ordered)| mine(ordered)).collect();
    let templates = miner.finish();
    let profile = |ordered: &Ordered, texts: Vec<_>| profile(ordered, texts.into_iter(), &templates);
    let here = profile(&whole.ordered, here);
    let rows = others.transactions.iter().map(|(_, ordered)| ordered);
    let profiles: Vec<Profile> = rows.zip(there).map(|(ordered, texts)| profile(ordered, texts)).collect();
    let shown: Vec<Value> = compare::of(&here, &profiles).iter().map(finding).collect();
    let listed = others.transactions.iter().map(|((id, share), _)| {
        json!({
            "id": id.to_string(),
            "time_min": rfc3339(share.time_min),
            "duration_ns": share.duration(),
            "records": share.records,
            "errors": share.errors,
        })
    });
    let mut warnings = Vec::new();
    if others.is_partial {
        warnings.push("the time was up before all others had been looked at; ask with a longer `timeout`".to_owned());
    }
    if profiles.len() < OTHERS_MIN {
        warnings.push(format!(
            "{} others came in at {} then: fewer than {OTHERS_MIN} say nothing of what is usual",
            profiles.len(),
            entries.join(" or ")
        ));
    }
    json!({
        "id": id,
        "entry_service": entries.first(),
        "compared": profiles.len(),
        "from": rfc3339(times.0),
        "to": rfc3339(times.1),
        "findings": shown,
        "others": listed.collect::<Vec<_>>(),
        "meta": {
            "took_ms": started.elapsed().as_secs_f64() * 1000.0,
            "partial": others.is_partial,
            "warnings": warnings,
        },
    })
}

fn profile(
    ordered: &Ordered,
    texts: impl Iterator<Item = crate::trace::template::Text>,
    templates: &Templates,
) -> Profile {
    let template_of: Vec<u32> = texts.map(|text| templates.of(text)).collect();
    Profile::of(&ordered.events(&template_of), |template| templates.text(template))
}

fn finding(finding: &Finding) -> Value {
    let kind = match finding.kind {
        Kind::MissingService => "missing_service",
        Kind::NewService => "new_service",
        Kind::MissingTemplate => "missing_template",
        Kind::NewTemplate => "new_template",
        Kind::Slow => "slow",
        Kind::SlowSilence => "slow_silence",
        Kind::MoreErrors => "more_errors",
        Kind::MoreRecords => "more_records",
    };
    json!({
        "kind": kind,
        "service": finding.service,
        "to": finding.to,
        "template": finding.template,
        "text": finding.text,
        "here": finding.here,
        "p50": finding.p50,
        "p95": finding.p95,
        "seen_in": finding.seen_in,
        "of": finding.of,
    })
}
