//! The API's answers, as far as they are printed. Fields that may be missing in an older aggregator have defaults.

use base64::Engine;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::json::Json;
use crate::words;

/// `GET /api/v1/transactions/{id}`: one page. Event `state` of its stream has no records.
#[derive(Deserialize)]
pub struct Transaction {
    pub id: String,
    pub ids: Vec<Id>,
    #[serde(default)]
    pub bridges: Bridges,
    pub summary: Summary,
    pub completeness: Completeness,
    #[serde(default)]
    pub lanes: Vec<Lane>,
    #[serde(default)]
    pub silences: Vec<Silence>,
    #[serde(default)]
    pub folds: Vec<Fold>,
    #[serde(default)]
    pub records: Vec<Record>,
    #[serde(default)]
    pub next_cursor: Option<String>,
    #[serde(default)]
    pub meta: Meta,
}

/// `GET /api/v1/transactions`: one page, and the summary of all.
#[derive(Deserialize)]
pub struct Transactions {
    pub transactions: Vec<TransactionRow>,
    pub summary: TransactionsSummary,
    pub meta: TransactionsMeta,
}

#[derive(Deserialize)]
pub struct TransactionRow {
    pub id: String,
    pub time_min: String,
    pub duration_ns: u64,
    pub records: u64,
    pub errors: u64,
    pub services: Vec<String>,
}

#[derive(Deserialize)]
pub struct TransactionsSummary {
    pub transactions: u64,
    pub with_errors: u64,
    pub duration_ns: Percentiles,
}

/// None when there is nothing that they would be of.
#[derive(Deserialize)]
pub struct Percentiles {
    pub p50: Option<u64>,
    pub p95: Option<u64>,
}

#[derive(Deserialize)]
pub struct TransactionsMeta {
    #[serde(default)]
    pub took_ms: f64,
    #[serde(default)]
    pub partial: bool,
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// One of the IDs that a transaction or a record carries.
#[derive(Deserialize)]
pub struct Id {
    pub value: String,
    pub kind: String,
}

/// Other IDs that a record carries together with this one.
#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Bridges {
    pub joined: Vec<Joined>,
    pub not_followed: Vec<NotFollowed>,
}

#[derive(Deserialize)]
pub struct Joined {
    pub id: String,
    /// Records that it brought into the answer.
    #[serde(default)]
    pub records: u64,
    /// Records that carry both.
    #[serde(default)]
    pub support: u64,
    /// The first of them.
    pub by: Option<JoinedBy>,
}

#[derive(Deserialize)]
pub struct JoinedBy {
    pub service: String,
}

#[derive(Deserialize)]
pub struct NotFollowed {
    pub id: String,
    pub kind: String,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub detail: String,
}

/// What one service did on one host.
#[derive(Deserialize)]
pub struct Lane {
    pub service: String,
    #[serde(default)]
    pub host: String,
    pub first: String,
    pub last: String,
    pub duration_ns: i64,
    pub records: u64,
    pub errors: u64,
    /// The lane that called it.
    pub caller: Option<usize>,
    /// Bin, records, errors; 200 bins over all lanes.
    #[serde(default)]
    pub activity: Vec<(usize, u64, u64)>,
}

/// Nothing was written for long.
#[derive(Deserialize)]
pub struct Silence {
    /// Index of the record before it.
    pub after: u64,
    /// Index of the record behind it.
    pub before: u64,
    pub duration_ns: i64,
    #[serde(default)]
    pub uncertainty_ns: i64,
    pub from_lane: usize,
    pub to_lane: usize,
}

/// A run of alike records, by their indexes.
#[derive(Deserialize)]
pub struct Fold {
    pub begin: u64,
    pub end: u64,
}

#[derive(Deserialize)]
pub struct Summary {
    pub time_min: String,
    pub duration_ns: i64,
    pub records: u64,
    pub errors: u64,
    pub services: Vec<String>,
    pub hosts: Vec<String>,
    /// Index of a record.
    pub first_error: Option<u64>,
}

#[derive(Deserialize)]
pub struct Completeness {
    /// `settled`, `open`, `gapped`, `expired`, or one that a later aggregator knows.
    pub state: String,
    /// It holds for what was written until then.
    #[serde(alias = "as_of")]
    pub complete_to: Option<String>,
    /// Sentences.
    #[serde(default)]
    pub reasons: Vec<String>,
    #[serde(default)]
    pub agents_behind: Vec<AgentBehind>,
    /// Not waited for any more.
    #[serde(default)]
    pub agents_gone: Vec<AgentGone>,
    #[serde(default)]
    pub gaps: Vec<Json>,
    /// What was received before is held no more.
    pub removed_before: Option<String>,
}

#[derive(Deserialize)]
pub struct AgentGone {
    pub host: String,
    pub watermark: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct AgentBehind {
    pub agent_id: String,
    pub host: String,
    pub watermark: Option<String>,
    pub behind_ns: Option<i64>,
    #[serde(default)]
    pub connected: bool,
}

#[derive(Default, Deserialize)]
pub struct Record {
    pub time: String,
    /// The same by a clock that all hosts share.
    pub at: Option<String>,
    /// Where it stands in the transaction.
    pub index: Option<u64>,
    /// Clocks leave open whether it stands there.
    #[serde(default)]
    pub order_uncertain: bool,
    #[serde(default)]
    pub source_id: String,
    #[serde(default)]
    pub position: u64,
    #[serde(default)]
    pub file: String,
    #[serde(default)]
    pub time_origin: String,
    pub severity: String,
    pub service: String,
    pub host: String,
    #[serde(default)]
    pub ids: Vec<Id>,
    #[serde(default)]
    pub flags: Vec<String>,
    pub line: String,
    /// Only when the line is not valid UTF-8.
    pub line_base64: Option<String>,
}

/// `GET /api/v1/logs/search`: one page.
#[derive(Deserialize)]
pub struct Page {
    /// As they came; what is to be read of them is a [`Record`].
    pub records: Vec<Box<RawValue>>,
    pub next_cursor: Option<String>,
    #[serde(default)]
    pub meta: Meta,
}

/// `GET /api/v1/logs/context`.
#[derive(Deserialize)]
pub struct Context {
    pub records: Vec<Record>,
    #[serde(default)]
    pub meta: Meta,
}

/// `event: records` of `GET /api/v1/transactions/{id}/stream`: as they came; what is to be read of them is a [`Record`].
#[derive(Deserialize)]
pub struct Arrived {
    pub records: Vec<Box<RawValue>>,
}

/// `event: dropped` of `GET /api/v1/logs/tail`: records that arrived and could not be looked at for this reader.
#[derive(Deserialize)]
pub struct Dropped {
    /// None when nobody knows how many.
    pub records: Option<u64>,
    #[serde(default)]
    pub reason: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub struct Meta {
    pub took_ms: f64,
    pub truncated: bool,
    /// The time was up before everything was searched.
    pub partial: bool,
    pub warnings: Vec<String>,
    pub blocks: u64,
    pub blocks_scanned: u64,
}

/// The problem that answers an ID of which nothing is held.
#[derive(Debug, Deserialize)]
pub struct Unknown {
    pub searched: Searched,
    #[serde(default)]
    pub agents_behind: Vec<AgentBehind>,
}

#[derive(Debug, Deserialize)]
pub struct Searched {
    pub partitions: u64,
    pub records: u64,
    pub from: Option<String>,
    pub to: Option<String>,
}

/// RFC 9457.
#[derive(Debug, Deserialize)]
pub struct Problem {
    pub title: String,
    pub detail: Option<String>,
    /// Of the request, when one of them is to blame.
    pub parameter: Option<String>,
    /// Where a query cannot be read.
    pub position: Option<Position>,
    pub hint: Option<String>,
}

/// Bytes of a query.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct Position {
    pub begin: usize,
    pub end: usize,
}

/// `GET /api/v1/status/agents`.
#[derive(Deserialize)]
pub struct Agents {
    pub agents: Vec<Agent>,
}

#[derive(Deserialize)]
pub struct Agent {
    pub agent_id: String,
    pub host: String,
    pub version: String,
    pub connected: bool,
    pub last_seen: Option<String>,
    pub behind_ns: Option<i64>,
    pub unread_bytes: Option<u64>,
    pub clock_offset_ns: Option<i64>,
    pub clock_uncertainty_ns: Option<i64>,
    pub sources: Vec<Source>,
}

#[derive(Deserialize)]
pub struct Source {
    pub service: String,
    pub file: String,
    pub frontier: u64,
    #[serde(default)]
    pub open: bool,
    #[serde(default)]
    pub gaps: Vec<Gap>,
}

#[derive(Deserialize)]
pub struct Gap {
    pub begin: u64,
    pub end: u64,
    pub reason: String,
}

impl Record {
    /// The line as it was written, whatever its bytes are.
    pub fn bytes(&self) -> Vec<u8> {
        let encoded = self.line_base64.as_ref();
        let decoded = encoded.and_then(|text| base64::engine::general_purpose::STANDARD.decode(text).ok());
        decoded.unwrap_or_else(|| self.line.clone().into_bytes())
    }
}

impl AgentBehind {
    /// "web-2 is 3.2s behind", with what there is to know about it.
    pub fn sentence(&self) -> String {
        let who = if self.host.is_empty() { &self.agent_id } else { &self.host };
        let away = if self.connected { "" } else { ", not connected" };
        match (self.behind_ns, &self.watermark) {
            (Some(behind), _) if behind > 0 => format!("{who} is {} behind{away}", words::duration(behind.into())),
            (_, Some(watermark)) => format!("{who} has shipped all up to {}{away}", words::time(watermark)),
            _ => format!("{who} has not caught up yet{away}"),
        }
    }
}

impl Problem {
    /// The title, and the detail when it says more.
    pub fn one_line(&self) -> String {
        let text = match &self.detail {
            Some(detail) if !detail.is_empty() => detail,
            _ => &self.title,
        };
        crate::terminal::escape(text)
    }
}
