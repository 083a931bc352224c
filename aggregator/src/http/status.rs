//! `/api/v1/status/*`: who ships what and how far; what the store holds.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer;
use super::api::Api;
use super::arguments::{self, Arguments};
use super::problem::Problem;
use crate::backup::last::{self, Last};
use crate::catalog::registry::{self, Agent, SourceEntry};
use crate::clock::{self, rfc3339};
use crate::index::partition::Partition;
use crate::space;

/// `/api/v1/status/agents`.
pub async fn agents(State(api): State<Api>) -> Json<Value> {
    let _timer = api.timer("/api/v1/status/agents");
    let now = clock::now_ns();
    let state = api.store.registry.read();
    let mut agents: Vec<_> = state.agents.iter().collect();
    agents.sort_by(|(left_id, left), (right_id, right)| left.host.cmp(&right.host).then(left_id.cmp(right_id)));
    let agents: Vec<_> = agents.into_iter().map(|(id, agent)| self::agent(&state, *id, agent, now)).collect();
    Json(json!({ "agents": agents }))
}

/// `/api/v1/admin/agents/{id}/retire`: it will not come back, and no answer shall wait for it. What it had shipped stays.
pub async fn retire(
    State(api): State<Api>,
    id: Result<Path<Uuid>, PathRejection>,
    headers: HeaderMap,
    arguments: Arguments,
) -> Result<Json<Value>, Problem> {
    let _timer = api.timer("/api/v1/admin/agents/{id}/retire");
    arguments::require_json(&headers)?;
    arguments.read::<Value>(&[])?;
    let Path(id) = id.map_err(|error| Problem::BadParameter { name: "id", detail: error.body_text() })?;
    let now = clock::now_ns();
    tokio::task::spawn_blocking(move || {
        let retired = api.store.registry.write().retire(id, now);
        match retired {
            None => Err(Problem::Unknown { what: "agent", name: id.to_string() }),
            Some(false) => Err(Problem::Conflict { detail: format!("agent {id} is connected: stop it first") }),
            Some(true) => Ok(Json(json!({"agent_id": id, "retired": rfc3339(now)}))),
        }
    })
    .await
    .map_err(|_| Problem::Stopping)?
}

fn agent(state: &registry::State, id: uuid::Uuid, agent: &Agent, now: i64) -> Value {
    let mut sources: Vec<_> = state.sources.values().filter(|entry| entry.source.agent == id).collect();
    sources.sort_by(|left, right| {
        (&left.source.service, &left.source.path).cmp(&(&right.source.service, &right.source.path))
    });
    let watermark = agent.watermark();
    json!({
        "agent_id": id,
        "host": agent.host,
        "version": agent.version,
        "connected": agent.sessions > 0,
        "last_seen": rfc3339(agent.last_seen_ns),
        "watermark": watermark.map(rfc3339),
        "behind_ns": watermark.map(|watermark| now.saturating_sub(watermark).max(0)),
        "unread_bytes": agent.unread_bytes,
        "clock_offset_ns": agent.clock_offset_ns,
        "clock_uncertainty_ns": agent.clock_uncertainty_ns,
        "clock_spells": agent.clock.spells().len(),
        "owner": agent.owner.as_ref().map(ToString::to_string),
        "retired": (agent.retired_ns > 0).then(|| rfc3339(agent.retired_ns)),
        "sources": sources.into_iter().map(source).collect::<Vec<_>>(),
    })
}

fn source(entry: &SourceEntry) -> Value {
    json!({
        "source_id": entry.source.id.simple().to_string(),
        "service": entry.source.service,
        "file": entry.source.file(),
        "labels": answer::labels(&entry.source),
        "begin": entry.begin,
        "frontier": entry.frontier,
        "records": entry.counts.records,
        "stored_bytes": entry.counts.stored_bytes,
        "skipped_bytes": {
            "dropped": entry.counts.dropped_bytes,
            "sampled": entry.counts.sampled_bytes,
            "nuls": entry.counts.nuls_bytes,
        },
        "gap_bytes": entry.counts.gap_bytes,
        "open": entry.open,
        "last": rfc3339(entry.last_ns),
        "gaps": entry.gaps.iter().map(answer::gap).collect::<Vec<_>>(),
    })
}

fn backup(last: Option<&Last>) -> Value {
    last.map_or(Value::Null, |last| {
        json!({
            "id": last.id,
            "taken": rfc3339(last.taken_ns),
            "age_ns": last::age_ns(last, clock::now_ns()),
            "duration_ns": last.duration_ns,
            "bytes": last.bytes,
            "bytes_written": last.bytes_written,
        })
    })
}

/// `/api/v1/status/storage`.
pub async fn storage(State(api): State<Api>) -> Result<Json<Value>, Problem> {
    let _timer = api.timer("/api/v1/status/storage");
    tokio::task::spawn_blocking(move || {
        let (head, partitions) = api.store.consistent_volume();
        let records: u64 = head.records + partitions.iter().map(|partition| partition.records).sum::<u64>();
        let partitions: Vec<_> = partitions
            .into_iter()
            .map(|partition| {
                json!({
                    "day": partition.day,
                    "documents": partition.documents,
                    "segments": partition.segments,
                    "records": partition.records,
                    "bytes": partition.bytes,
                })
            })
            .collect();
        let aside = Partition::aside(&api.data_dir.join("partitions")).unwrap_or_default();
        let aside: Vec<_> = aside
            .iter()
            .map(|path| json!({"path": path.display().to_string(), "bytes": space::used_bytes(path).unwrap_or(0)}))
            .collect();
        let bytes = |dir: &std::path::Path| space::used_bytes(dir).unwrap_or(0);
        Json(json!({
            "records": records,
            "head": {"records": head.records, "raw_bytes": head.raw_bytes, "blocks": head.blocks},
            "wal_bytes": bytes(&api.wal_dir),
            "partitions": partitions,
            "set_aside": aside,
            "disk_bytes": bytes(&api.data_dir),
            "backup": backup(api.backup.look().as_ref()),
            "healthy": api.troubles().is_empty(),
        }))
    })
    .await
    .map_err(|_| Problem::Stopping)
}
