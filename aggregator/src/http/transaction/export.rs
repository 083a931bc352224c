//! `/api/v1/transactions/{id}/export`: a transaction as a file, to keep or to send to a colleague.
//!
//! | `format` | the file |
//! | --- | --- |
//! | `ndjson` | a record a line, as the API shows it |
//! | `text` | the verdict, and a line a record: time by our clock, host, service, level, the line as it was |
//! | `otlp` | OTLP/JSON (`ExportLogsServiceRequest`, opentelemetry-proto 1.x), for anything that takes OpenTelemetry logs |
//! | `html` | a page of its own, without scripts and without anything from elsewhere |

use std::collections::BTreeMap;
use std::fmt::Write;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::answer;
use super::super::api::Api;
use super::super::arguments::Arguments;
use super::super::problem::Problem;
use super::asked::{Asked, Shown};
use super::{html, reasons, shown};
use crate::clock::rfc3339;
use crate::id::Canonical;
use crate::record::Record;
use crate::trace::assemble::Whole;
use crate::words;
use clew_proto::v1::{IdKind, Severity};

/// Names of the route's parameters.
pub const PARAMETERS: &[&str] = &["format", "bridge", "service", "level"];

/// Parameters of the route.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Parameters {
    format: Option<String>,
    bridge: Option<String>,
    service: Option<String>,
    level: Option<String>,
}

#[derive(Clone, Copy)]
enum Format {
    Ndjson,
    Text,
    Otlp,
    Html,
}

/// The handler.
pub async fn export(
    State(api): State<Api>,
    id: Result<Path<String>, PathRejection>,
    arguments: Arguments,
) -> Result<Response, Problem> {
    let _timer = api.timer("/api/v1/transactions/{id}/export");
    let parameters: Parameters = arguments.read(PARAMETERS)?;
    let asked = Asked::new(id, parameters.bridge.as_deref(), None)?;
    let shown = Shown::new(parameters.service.as_deref(), parameters.level.as_deref())?;
    let format = format(parameters.format.as_deref())?;
    let answer = api.store.answer(move |store| {
        let whole = asked.find(store)?;
        Ok(file(&whole, &shown.of(&whole), &asked.canonical(), format))
    });
    answer.await.ok_or(Problem::Stopping)?
}

fn format(text: Option<&str>) -> Result<Format, Problem> {
    match text {
        None | Some("ndjson") => Ok(Format::Ndjson),
        Some("text") => Ok(Format::Text),
        Some("otlp") => Ok(Format::Otlp),
        Some("html") => Ok(Format::Html),
        Some(other) => Err(Problem::BadParameter {
            name: "format",
            detail: format!("{other:?} is no format; they are ndjson, text, otlp, html"),
        }),
    }
}

fn file(whole: &Whole, indices: &[usize], id: &str, format: Format) -> Response {
    let (ending, content_type, content) = match format {
        Format::Ndjson => ("ndjson", "application/x-ndjson", ndjson(whole, indices)),
        Format::Text => ("txt", "text/plain; charset=utf-8", text(whole, indices, id)),
        Format::Otlp => ("otlp.json", "application/json", otlp(whole, indices).to_string().into_bytes()),
        Format::Html => ("html", "text/html; charset=utf-8", html::page(whole, indices, id).into_bytes()),
    };
    let name: String = id.chars().filter(|letter| letter.is_ascii_alphanumeric() || "-_.".contains(*letter)).collect();
    let disposition = format!("attachment; filename=\"transaction-{name}.{ending}\"");
    let headers = [
        (header::CONTENT_TYPE, content_type.to_owned()),
        (header::CONTENT_DISPOSITION, disposition),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff".to_owned()),
        (header::CONTENT_SECURITY_POLICY, html::POLICY.to_owned()),
    ];
    (headers, content).into_response()
}

fn ndjson(whole: &Whole, indices: &[usize]) -> Vec<u8> {
    let mut out = Vec::new();
    for index in indices {
        serde_json::to_writer(&mut out, &shown::record(whole, *index)).expect("a record is JSON");
        out.push(b'\n');
    }
    out
}

/// The lines are as they were, byte for byte; what belongs to a line and not to the one before it begins with a time.
fn text(whole: &Whole, indices: &[usize], id: &str) -> Vec<u8> {
    let mut head = String::new();
    let state = &answer::completeness(&whole.completeness, &[])["state"];
    let _ = writeln!(head, "# transaction {id}: {}", state.as_str().unwrap_or_default());
    for reason in reasons::of(&whole.completeness) {
        let _ = writeln!(head, "# {reason}");
    }
    let count = |number: usize, what: &str| format!("{number} {what}{}", if number == 1 { "" } else { "s" });
    let errors = whole.lanes.lanes.iter().map(|lane| lane.errors).sum::<u64>() as usize;
    let _ = writeln!(
        head,
        "# {} of {}, {}, {}; times by the aggregator's clock, ~ where the order is not certain",
        indices.len(),
        count(whole.ordered.records.len(), "record"),
        count(errors, "error"),
        words::duration(shown::duration_ns(whole)),
    );
    let mut out = head.into_bytes();
    for index in indices {
        let (record, place) = (&whole.ordered.records[*index], &whole.ordered.places[*index]);
        let mark = if place.is_uncertain { '~' } else { ' ' };
        let (host, service) = (&record.source.host, &record.source.service);
        let level = answer::severity(record.severity);
        out.extend_from_slice(format!("{}{mark} {host} {service} {level} ", rfc3339(place.at)).as_bytes());
        out.extend_from_slice(&record.line);
        out.push(b'\n');
    }
    out
}

/// Numbers of OpenTelemetry's log data model, by ours.
fn severity_number(severity: u8) -> u8 {
    match Severity::try_from(i32::from(severity)) {
        Ok(Severity::Trace) => 1,
        Ok(Severity::Debug) => 5,
        Ok(Severity::Info) => 9,
        Ok(Severity::Notice) => 10,
        Ok(Severity::Warn) => 13,
        Ok(Severity::Error) => 17,
        Ok(Severity::Fatal) => 21,
        Ok(Severity::Unknown) | Err(_) => 0,
    }
}

fn otlp(whole: &Whole, indices: &[usize]) -> Value {
    let mut sources: BTreeMap<Uuid, (usize, Vec<Value>)> = BTreeMap::new();
    for index in indices {
        let source = whole.ordered.records[*index].source.id;
        let (_, records) = sources.entry(source).or_insert((*index, Vec::new()));
        records.push(otlp_record(whole, *index));
    }
    let resource = |index: usize| {
        let source = &whole.ordered.records[index].source;
        let own = [("service.name", source.service.clone()), ("host.name", source.host.clone())];
        let labels = source.labels.iter().map(|(name, value)| attribute(name, value));
        own.iter().map(|(name, value)| attribute(name, value)).chain(labels).collect::<Vec<_>>()
    };
    let logs = sources.into_values().map(|(index, records)| {
        json!({
            "resource": {"attributes": resource(index)},
            "scopeLogs": [{"scope": {"name": "clew", "version": env!("CARGO_PKG_VERSION")}, "logRecords": records}],
        })
    });
    json!({"resourceLogs": logs.collect::<Vec<_>>()})
}

fn attribute(name: &str, value: &str) -> Value {
    json!({"key": name, "value": {"stringValue": value}})
}

fn otlp_record(whole: &Whole, index: usize) -> Value {
    let (record, spans) = (&whole.ordered.records[index], &whole.ordered.spans[index]);
    let mut value = json!({
        "timeUnixNano": record.time.to_string(),
        "observedTimeUnixNano": record.received_ns.to_string(),
        "severityNumber": severity_number(record.severity),
        "severityText": answer::severity(record.severity),
        "body": {"stringValue": answer::lossy(&record.line)},
        "attributes": [
            attribute("log.file.path", &record.source.file()),
            {"key": "log.file.position", "value": {"intValue": record.position.to_string()}},
        ],
    });
    if let Some(trace) = trace_id(record) {
        value["traceId"] = json!(format!("{trace:032x}"));
    }
    if let Some(span) = spans.span {
        value["spanId"] = json!(format!("{span:016x}"));
    }
    value
}

fn trace_id(record: &Record) -> Option<u128> {
    record.ids.iter().filter(|id| id.kind == IdKind::Trace as u8).find_map(|id| match id.canonical {
        Canonical::Number(number) => Some(number),
        Canonical::Text(_) => None,
    })
}
