//! What the aggregator holds once everything settled.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::verdict::{Gap, Source};
use crate::api::{Api, Record};

/// Nothing changed for so long: longer than the agent waits for a copy to be quiet (2 s) and for one to turn up (4 s).
const STABLE_FOR: Duration = Duration::from_secs(8);
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Waits until nothing is unread and nothing changes any more. Otherwise, what was seen last; the caller still looks at the
/// records, because what is missing says more.
pub fn settle(api: &Api, deadline: Duration) -> Result<(), String> {
    let begin = Instant::now();
    let mut last = (state(api), Instant::now());
    while begin.elapsed() < deadline {
        std::thread::sleep(POLL_INTERVAL);
        let state = state(api);
        if state != last.0 {
            last = (state, Instant::now());
        } else if last.0.as_ref().is_ok_and(State::is_all_read) && last.1.elapsed() >= STABLE_FOR {
            return Ok(());
        }
    }
    Err(format!("not settled after {deadline:?}; last seen, for {:?}: {:?}", last.1.elapsed(), last.0))
}

/// All records of the transactions, each with the index of the ID under which it was found.
pub fn records(api: &Api, ids: &[String]) -> Result<Vec<(usize, Record)>, String> {
    let mut all = Vec::new();
    for (index, id) in ids.iter().enumerate() {
        all.extend(api.transaction(id)?.into_iter().map(|record| (index, record)));
    }
    Ok(all)
}

/// What is known of all sources.
pub fn sources(api: &Api) -> Vec<Source> {
    let agents = api.agents();
    agents.iter().flat_map(|agent| agent["sources"].as_array().into_iter().flatten()).map(source).collect()
}

/// What has to stand still.
#[derive(Debug, PartialEq, Eq)]
struct State {
    connected: bool,
    unread_bytes: u64,
    records: u64,
    sources: usize,
    frontiers: u64,
    gaps: usize,
}

impl State {
    fn is_all_read(&self) -> bool {
        self.connected && self.unread_bytes == 0
    }
}

fn state(api: &Api) -> Result<State, String> {
    let records = api.records()?;
    let answer = api.try_get("/api/v1/status/agents", "application/json")?;
    if answer.status != 200 {
        return Err(format!("status/agents says {}", answer.status));
    }
    let json = answer.json();
    let agents: Vec<&Value> = json["agents"].as_array().into_iter().flatten().collect();
    let sources: Vec<Source> =
        agents.iter().flat_map(|agent| agent["sources"].as_array().into_iter().flatten()).map(source).collect();
    Ok(State {
        connected: !agents.is_empty() && agents.iter().all(|agent| agent["connected"] == true),
        unread_bytes: agents.iter().map(|agent| agent["unread_bytes"].as_u64().unwrap_or(u64::MAX)).max().unwrap_or(0),
        records,
        sources: sources.len(),
        frontiers: sources.iter().map(|source| source.frontier).sum(),
        gaps: sources.iter().map(|source| source.gaps.len()).sum(),
    })
}

fn source(json: &Value) -> Source {
    let number = |value: &Value, name: &str| value[name].as_u64().unwrap_or_else(|| panic!("no {name} in {value}"));
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let skipped: u64 = json["skipped_bytes"].as_object().into_iter().flatten().filter_map(|(_, n)| n.as_u64()).sum();
    let begin = number(json, "begin");
    let account = json["stored_bytes"].as_u64().zip(json["gap_bytes"].as_u64());
    Source {
        id: text(json, "source_id"),
        file: text(json, "file"),
        begin,
        frontier: number(json, "frontier"),
        accounted: account.map(|(stored, gap)| begin + stored + skipped + gap),
        gaps: json["gaps"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|gap| Gap {
                begin: number(gap, "begin"),
                end: number(gap, "end"),
                open_ended: gap["open_ended"] == true,
                reason: text(gap, "reason"),
            })
            .collect(),
    }
}
