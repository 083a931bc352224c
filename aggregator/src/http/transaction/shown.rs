//! A transaction as JSON: everything but its records, and each of its records.

use serde::Serialize;
use serde_json::{Value, json};

use super::super::answer::{self, RecordAnswer};
use super::reasons;
use crate::clock::rfc3339;
use crate::trace::assemble::{HostReading, Whole};
use crate::trace::bridge::{Joined, Left, Reason};
use crate::trace::lanes::Lane;
use crate::trace::summary;

/// A record with its place in the transaction.
#[derive(Serialize)]
pub struct PlacedAnswer<'a> {
    #[serde(flatten)]
    record: RecordAnswer<'a>,
    index: usize,
    lane: u32,
    at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    at_uncertainty_ns: Option<u64>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    order_uncertain: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    span_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
}

/// The record at `index`.
pub fn record(whole: &Whole, index: usize) -> PlacedAnswer<'_> {
    let (place, spans) = (&whole.ordered.places[index], &whole.ordered.spans[index]);
    let span = |span: Option<u64>| span.map(|span| format!("{span:016x}"));
    PlacedAnswer {
        record: RecordAnswer::from(&whole.ordered.records[index]),
        index,
        lane: whole.lanes.of[index],
        at: rfc3339(place.at),
        at_uncertainty_ns: place.uncertainty_ns().filter(|_| !place.is_unmeasured),
        order_uncertain: place.is_uncertain,
        span_id: span(spans.span),
        parent_span_id: span(spans.parent),
    }
}

/// Everything but the records, the cursor, and what the answer says of itself.
pub fn transaction(whole: &Whole, id: &str) -> Value {
    let summary = summary::of(&whole.ordered.records).expect("a transaction has records");
    let ids: Vec<_> = summary
        .ids
        .iter()
        .map(|(value, kind, records)| json!({"value": answer::lossy(value), "kind": answer::kind(*kind), "records": records}))
        .collect();
    let service = |lane: Option<u32>| lane.map(|lane| whole.lanes.lanes[lane as usize].service.as_str());
    json!({
        "id": id,
        "ids": ids,
        "bridges": {
            "joined": whole.joined.iter().map(joined).collect::<Vec<_>>(),
            "not_followed": whole.left.iter().map(left).collect::<Vec<_>>(),
        },
        "summary": {
            "time_min": rfc3339(summary.time_min),
            "time_max": rfc3339(summary.time_max),
            "duration_ns": duration_ns(whole),
            "records": summary.records,
            "errors": summary.errors,
            "entry_service": service(whole.lanes.entry),
            "exit_service": service(whole.lanes.exit),
            "services": summary.services,
            "hosts": summary.hosts,
            "first_error": whole.lanes.first_error,
        },
        "completeness": answer::completeness(&whole.completeness, &reasons::of(&whole.completeness)),
        "clocks": whole.clocks.iter().map(clock).collect::<Vec<_>>(),
        "lanes": whole.lanes.lanes.iter().enumerate().map(|(number, lane)| self::lane(number, lane)).collect::<Vec<_>>(),
        "silences": silences(whole),
        "folds": folds(whole),
    })
}

/// From the first moment to the last, by our clock.
pub fn duration_ns(whole: &Whole) -> u64 {
    let moments = || whole.ordered.places.iter().map(|place| place.at);
    moments().max().unwrap_or(0).abs_diff(moments().min().unwrap_or(0))
}

fn joined(joined: &Joined) -> Value {
    json!({
        "id": joined.id.to_string(),
        "kind": answer::kind(joined.kind),
        "via": joined.via.to_string(),
        "records": joined.records,
        "support": joined.bridges,
        "by": {
            "time": rfc3339(joined.by.time),
            "service": joined.by.source.service,
            "host": joined.by.source.host,
            "file": joined.by.source.file(),
            "source_id": joined.by.source.id.simple().to_string(),
            "position": joined.by.position,
        },
    })
}

fn left(left: &Left) -> Value {
    let reason = match left.reason {
        Reason::HubOfIds(_) | Reason::HubOfBlocks(_) => "hub",
        Reason::Short => "short",
        Reason::Limit => "limit",
        Reason::OtherTime(_) => "other_time",
    };
    json!({
        "id": left.id.to_string(),
        "kind": answer::kind(left.kind),
        "via": left.via.to_string(),
        "reason": reason,
        "detail": reasons::not_followed(left),
    })
}

fn clock(clock: &HostReading) -> Value {
    json!({
        "agent_id": clock.agent,
        "host": clock.host,
        "offset_ns": clock.reading.offset_ns,
        "uncertainty_ns": clock.reading.uncertainty_ns,
        "measured": clock.reading.is_measured,
        "stepped": clock.reading.is_stepped,
    })
}

fn lane(number: usize, lane: &Lane) -> Value {
    let activity = lane.activity.iter().map(|bin| json!([bin.bin, bin.records, bin.errors]));
    json!({
        "lane": number,
        "service": lane.service,
        "host": lane.host,
        "first": rfc3339(lane.first_ns),
        "last": rfc3339(lane.last_ns),
        "duration_ns": lane.last_ns.abs_diff(lane.first_ns),
        "records": lane.records,
        "errors": lane.errors,
        "first_error": lane.first_error,
        "caller": lane.caller,
        "activity": activity.collect::<Vec<_>>(),
    })
}

fn silences(whole: &Whole) -> Value {
    let silences = whole.silences.longest.iter().map(|silence| {
        json!({
            "after": silence.after,
            "before": silence.before,
            "begin": rfc3339(whole.ordered.places[silence.after].at),
            "end": rfc3339(whole.ordered.places[silence.before].at),
            "duration_ns": silence.duration_ns,
            "uncertainty_ns": silence.uncertainty_ns,
            "from_lane": silence.from_lane,
            "to_lane": silence.to_lane,
        })
    });
    silences.collect()
}

fn folds(whole: &Whole) -> Value {
    let folds = whole.folds.iter().map(|fold| {
        json!({
            "begin": fold.begin,
            "end": fold.end,
            "records": fold.end - fold.begin,
            "lane": fold.lane,
            "template": whole.templates.text(fold.template),
        })
    });
    folds.collect()
}
