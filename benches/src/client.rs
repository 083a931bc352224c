//! The aggregator's HTTP API, as far as it is measured. One keep-alive connection per client.

use std::time::Duration;

use anyhow::{Context, ensure};
use jiff::Timestamp;
use serde_json::Value;

const CALL_DEADLINE: Duration = Duration::from_secs(60);
const ANSWER_BYTES_MAX: u64 = 1 << 32;

/// A client.
pub struct Client {
    base: String,
    http: ureq::Agent,
}

impl Client {
    pub fn new(address: &str) -> Self {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(CALL_DEADLINE));
        Self { base: format!("http://{address}"), http: config.build().new_agent() }
    }

    /// Status and body.
    pub fn get(&self, path: &str, accept: &str) -> anyhow::Result<(u16, Vec<u8>)> {
        let url = format!("{}{path}", self.base);
        let mut response = self.http.get(&url).header("accept", accept).call().with_context(|| format!("GET {url}"))?;
        let body = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        Ok((response.status().as_u16(), body))
    }

    /// All records of a transaction as one JSON answer; `None` when the ID is unknown.
    pub fn transaction(&self, id: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let (status, body) = self.get(&format!("/api/v1/transactions/{id}?limit=10000"), "application/json")?;
        ensure!(matches!(status, 200 | 404), "transaction {id}: status {status}: {}", String::from_utf8_lossy(&body));
        Ok((status == 200).then_some(body))
    }

    /// The newest 100 records that fulfil a query, as one JSON answer.
    pub fn search(&self, query: &str) -> anyhow::Result<Vec<u8>> {
        self.answer(&format!("/api/v1/logs/search?limit=100&q={}", percent_encoded(query)))
    }

    /// How many records there are by minute and level; with `times`, from the first to before the second.
    pub fn histogram(&self, times: Option<(&str, &str)>) -> anyhow::Result<Vec<u8>> {
        let times = times.map(|(from, to)| format!("&from={from}&to={to}")).unwrap_or_default();
        self.answer(&format!("/api/v1/logs/histogram?by=level&interval=1m{times}"))
    }

    /// Whether it is ready to take and to answer.
    pub fn is_ready(&self) -> bool {
        self.get("/readyz", "text/plain").is_ok_and(|(status, _)| status == 200)
    }

    /// Records that the aggregator holds.
    pub fn records(&self) -> anyhow::Result<u64> {
        self.json("/api/v1/status/storage")?["records"].as_u64().context("status/storage has no records")
    }

    /// Bytes that agents have not shipped yet; `None` before they said so.
    pub fn unread_bytes(&self) -> anyhow::Result<Option<u64>> {
        let answer = self.json("/api/v1/status/agents")?;
        let agents = answer["agents"].as_array().context("status/agents has no agents")?;
        let said = agents.iter().all(|agent| agent["watermark"].is_string()) && !agents.is_empty();
        Ok(said.then(|| agents.iter().filter_map(|agent| agent["unread_bytes"].as_u64()).sum()))
    }

    /// The latest time up to which an agent says that it has shipped everything.
    pub fn watermark(&self) -> anyhow::Result<Option<Timestamp>> {
        let answer = self.json("/api/v1/status/agents")?;
        let agents = answer["agents"].as_array().context("status/agents has no agents")?;
        let times = agents.iter().filter_map(|agent| agent["watermark"].as_str()?.parse().ok());
        Ok(times.max())
    }

    fn json(&self, path: &str) -> anyhow::Result<Value> {
        serde_json::from_slice(&self.answer(path)?).with_context(|| format!("{path}: no JSON"))
    }

    fn answer(&self, path: &str) -> anyhow::Result<Vec<u8>> {
        let (status, body) = self.get(path, "application/json")?;
        ensure!(status == 200, "{path}: status {status}: {}", String::from_utf8_lossy(&body));
        Ok(body)
    }
}

fn percent_encoded(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    });
    encoded.collect()
}

/// How many records an answer of [`Client::transaction`] holds.
pub fn count_records(body: &[u8]) -> anyhow::Result<usize> {
    let answer: Value = serde_json::from_slice(body)?;
    Ok(answer["records"].as_array().context("no records in the answer")?.len())
}
