//! Records and verdicts as JSON.
//!
//! A line that is not valid UTF-8 is shown with replacement characters, and once more byte for byte in base64.

use std::time::Instant;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clew_proto::v1::{GapReason, IdKind, RecordFlag, RecordMark, Severity};
use serde::Serialize;
use serde_json::{Value, json};

use crate::block::spelling::SpelledId;
use crate::catalog::absence::Absence;
use crate::clock::rfc3339;
use crate::index::partition;
use crate::record::Record;
use crate::search::scan::Progress;
use crate::source::Source;
use crate::trace::completeness::{Behind, Completeness, GapAt, Verdict};
use crate::wal::entry::GapRecord;

/// One record.
#[derive(Serialize)]
pub struct RecordAnswer<'a> {
    time: String,
    time_origin: &'static str,
    severity: &'static str,
    service: &'a str,
    host: &'a str,
    file: String,
    source_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    labels: Option<Value>,
    position: u64,
    length: u32,
    ids: Vec<IdAnswer>,
    flags: Vec<&'static str>,
    line: std::borrow::Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line_base64: Option<String>,
}

/// One ID.
#[derive(Serialize)]
pub struct IdAnswer {
    value: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    attached: bool,
}

impl<'a> From<&'a Record> for RecordAnswer<'a> {
    fn from(record: &'a Record) -> Self {
        let line = String::from_utf8_lossy(&record.line);
        let line_base64 = matches!(line, std::borrow::Cow::Owned(_)).then(|| STANDARD.encode(&record.line));
        Self {
            time: rfc3339(record.time),
            time_origin: time_origin(record.flags),
            severity: severity(record.severity),
            service: &record.source.service,
            host: &record.source.host,
            file: record.source.file(),
            source_id: record.source.id.simple().to_string(),
            labels: labels(&record.source),
            position: record.position,
            length: record.length,
            ids: record.ids.iter().map(IdAnswer::from).collect(),
            flags: flags(record.flags, record.marks),
            line,
            line_base64,
        }
    }
}

impl From<&SpelledId> for IdAnswer {
    fn from(id: &SpelledId) -> Self {
        Self { value: lossy(&id.spelling()), kind: kind(id.kind), attached: id.attached }
    }
}

/// `answer` with its `records`, which are written straight into the text: they are nearly all of it.
pub fn with_records(answer: &Value, records: &[Record]) -> Response {
    let shown: Vec<_> = records.iter().map(RecordAnswer::from).collect();
    with_list(answer, &shown)
}

/// The same with records that are ready to be shown.
pub fn with_list<T: Serialize>(answer: &Value, records: &[T]) -> Response {
    let mut text = answer.to_string();
    text.pop();
    text.push_str(",\"records\":");
    text.push_str(&serde_json::to_string(records).expect("records are JSON"));
    text.push('}');
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// What every answer of a search says of itself.
pub fn meta(progress: Progress, started: Instant, is_partial: bool, warnings: &[String]) -> Value {
    json!({
        "took_ms": started.elapsed().as_secs_f64() * 1000.0,
        "partial": is_partial,
        "warnings": warnings,
        "blocks": progress.blocks,
        "blocks_scanned": progress.blocks_scanned,
        "blocks_damaged": progress.blocks_damaged,
        "records_scanned": progress.records_scanned,
        "bytes_scanned": progress.bytes_scanned,
    })
}

/// A source's labels as an object; none when it has none.
pub fn labels(source: &Source) -> Option<Value> {
    let labels = || source.labels.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str()))).collect();
    (!source.labels.is_empty()).then(|| Value::Object(labels()))
}

/// Bytes as text.
pub fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Name of a `v1::IdKind`.
pub fn kind(kind: u8) -> &'static str {
    match IdKind::try_from(i32::from(kind)) {
        Ok(IdKind::Trace) => "trace",
        Ok(IdKind::Request) => "request",
        Ok(IdKind::Correlation) => "correlation",
        Ok(IdKind::Transaction) => "transaction",
        Ok(IdKind::Other) | Err(_) => "other",
    }
}

/// Name of a `v1::Severity`.
pub fn severity(severity: u8) -> &'static str {
    match Severity::try_from(i32::from(severity)) {
        Ok(Severity::Trace) => "trace",
        Ok(Severity::Debug) => "debug",
        Ok(Severity::Info) => "info",
        Ok(Severity::Notice) => "notice",
        Ok(Severity::Warn) => "warn",
        Ok(Severity::Error) => "error",
        Ok(Severity::Fatal) => "fatal",
        Ok(Severity::Unknown) | Err(_) => "unknown",
    }
}

fn has(flags: u8, flag: RecordFlag) -> bool {
    flags & flag as u8 != 0
}

fn time_origin(flags: u8) -> &'static str {
    if has(flags, RecordFlag::TimeInherited) {
        "inherited"
    } else if has(flags, RecordFlag::TimeOfReading) {
        "reading"
    } else {
        "record"
    }
}

/// Names of a record's flags and marks.
fn flags(flags: u8, marks: u8) -> Vec<&'static str> {
    let flags = [
        (RecordFlag::Joined, "joined"),
        (RecordFlag::Unterminated, "unterminated"),
        (RecordFlag::Continues, "continues"),
        (RecordFlag::Cut, "cut"),
    ]
    .into_iter()
    .filter(|(flag, _)| has(flags, *flag))
    .map(|(_, name)| name);
    let marks = [
        (RecordMark::Stderr, "stderr"),
        (RecordMark::Unwrapped, "unwrapped"),
        (RecordMark::Transcoded, "transcoded"),
        (RecordMark::Redacted, "redacted"),
        (RecordMark::Withheld, "withheld"),
        (RecordMark::IdsLeftOut, "ids_left_out"),
    ]
    .into_iter()
    .filter(|(mark, _)| marks & *mark as u8 != 0)
    .map(|(_, name)| name);
    flags.chain(marks).collect()
}

/// A verdict with its reasons, once as data and once in sentences.
pub fn completeness(completeness: &Completeness, reasons: &[String]) -> Value {
    let state = match completeness.verdict {
        Verdict::Open => "open",
        Verdict::Settled => "settled",
        Verdict::Gapped => "gapped",
        Verdict::Expired => "expired",
    };
    json!({
        "state": state,
        "complete_to": completeness.complete_to_ns.map(rfc3339),
        "agents_behind": agents_behind(&completeness.behind),
        "agents_gone": agents_behind(&completeness.gone),
        "gaps": completeness.gaps.iter().map(gap_at).collect::<Vec<_>>(),
        "removed_before": completeness.removed_before_ns.map(rfc3339),
        "days_set_aside": completeness.days_aside.iter().map(|day| partition::name(*day)).collect::<Vec<_>>(),
        "absences": completeness.absences.iter().map(absence).collect::<Vec<_>>(),
        "blocks_damaged": completeness.blocks_damaged,
        "reasons": reasons,
    })
}

fn absence(absence: &Absence) -> Value {
    json!({"from": rfc3339(absence.from_ns), "to": rfc3339(absence.to_ns), "why": absence.why.name()})
}

/// Agents that are behind.
pub fn agents_behind(behind: &[Behind]) -> Value {
    let agents = behind.iter().map(|agent| {
        json!({
            "agent_id": agent.agent,
            "host": agent.host,
            "watermark": agent.watermark_ns.map(rfc3339),
            "behind_ns": agent.behind_ns,
            "connected": agent.connected,
            "last_seen": rfc3339(agent.last_seen_ns),
            "retired": agent.is_retired,
        })
    });
    agents.collect()
}

fn gap_at(gap: &GapAt) -> Value {
    let mut value = self::gap(&gap.gap);
    value["host"] = json!(gap.host);
    value["service"] = json!(gap.service);
    value["file"] = json!(gap.file);
    value
}

/// A gap.
pub fn gap(gap: &GapRecord) -> Value {
    let reason = match GapReason::try_from(gap.reason) {
        Ok(GapReason::Truncated) => "truncated",
        Ok(GapReason::Deleted) => "deleted",
        Ok(GapReason::Unreadable) => "unreadable",
        Ok(GapReason::Vanished) => "vanished",
        Ok(GapReason::Unknown) | Err(_) => "unknown",
    };
    json!({
        "begin": gap.begin,
        "end": gap.end,
        "open_ended": gap.open_ended,
        "reason": reason,
        "declared": rfc3339(gap.declared_ns),
    })
}
