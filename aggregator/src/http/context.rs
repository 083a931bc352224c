//! `/api/v1/logs/context`: the lines around one record, by their place in its file, and across its rotation.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::RecordAnswer;
use super::api::Api;
use super::arguments::Arguments;
use super::parameters::{self, Asked};
use super::problem::Problem;
use crate::catalog::registry::{self, SourceEntry};
use crate::clock;
use crate::query::predicate::{Leaf, Predicate};
use crate::query::value::NameTest;
use crate::search::around::Around;
use crate::search::scan::{Order, Wanted};

/// Lines on each side.
const LINES_DEFAULT: usize = 20;
const LINES_MAX: usize = 1_000;
/// Incarnations of the file on each side that are looked at.
const FILES_MAX: usize = 8;
/// Around the time of the record, if it is told, nanoseconds: most of the time its neighbours are near.
const WINDOWS_NS: [i64; 2] = [600_000_000_000, 21_600_000_000_000];

/// Names of the route's parameters.
pub const PARAMETERS: &[&str] = &["source", "position", "time", "before", "after", "timeout"];

/// Parameters of the route.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Parameters {
    source: String,
    position: String,
    time: Option<String>,
    before: Option<String>,
    after: Option<String>,
    timeout: Option<String>,
}

/// The handler.
pub async fn context(State(api): State<Api>, arguments: Arguments) -> Result<Json<Value>, Problem> {
    let _timer = api.timer("/api/v1/logs/context");
    let parameters: Parameters = arguments.read(PARAMETERS)?;
    let started = Instant::now();
    let source = Uuid::try_parse(&parameters.source).map_err(|_| Problem::BadParameter {
        name: "source",
        detail: format!("{:?} is no source_id as records have it", parameters.source),
    })?;
    let position: u64 = parameters.position.parse().map_err(|_| Problem::BadParameter {
        name: "position",
        detail: format!("{:?} is no position as records have it", parameters.position),
    })?;
    let lines = |name, text: Option<&str>| match text {
        Some("0") => Ok(0),
        text => parameters::number(name, text, LINES_DEFAULT, LINES_MAX),
    };
    let before = lines("before", parameters.before.as_deref())?;
    let after = lines("after", parameters.after.as_deref())?;
    let time = parameters::time("time", parameters.time.as_deref(), clock::now_ns())?;
    let asked = Asked { timeout: parameters.timeout.clone(), ..Asked::default() };
    let deadline = asked.deadline(api.search_timeout)?;

    let files = files(&api.store.registry.read(), source)
        .ok_or_else(|| Problem::Unknown { what: "source", name: parameters.source.clone() })?;
    let predicate = Arc::new(of_files(&files));
    let ids: Vec<Uuid> = files.iter().map(|file| file.id).collect();
    let target = (ids.iter().position(|id| *id == source).unwrap_or(0), position);
    let around =
        |window: i64| time.map(|time| (time.saturating_sub(window), time.saturating_add(window).saturating_add(1)));
    let windows = WINDOWS_NS.into_iter().filter_map(around).chain([(i64::MIN, i64::MAX)]);
    let mut answer = None;
    for times in windows {
        let wanted = Wanted { predicate: Arc::clone(&predicate), times, order: Order::Newest };
        let collector = Around::new(&ids, target, before, after);
        let searched = api.store.search(wanted, collector, Some(deadline)).await.ok_or(Problem::Stopping)??;
        let enough = searched.collector.is_gapless() || searched.is_late;
        answer = Some(searched);
        if enough {
            break;
        }
    }
    let searched = answer.expect("there is a window");
    if !searched.collector.has_target() && !searched.is_late {
        let name = format!("{} at {}", parameters.source, parameters.position);
        return Err(Problem::Unknown { what: "record", name });
    }
    let progress = searched.scan.progress();
    let mut warnings: Vec<String> = parameters::damage(progress).into_iter().collect();
    if searched.is_late {
        warnings.push(
            "the time was up: lines may be missing between those that are shown; ask with a longer timeout".into(),
        );
    }
    let is_late = searched.is_late;
    let records = searched.collector.into_records();
    let shown: Vec<_> = records.iter().map(RecordAnswer::from).collect();
    Ok(Json(json!({
        "source": parameters.source,
        "position": position,
        "records": shown,
        "meta": {
            "took_ms": started.elapsed().as_secs_f64() * 1000.0,
            "partial": is_late,
            "warnings": warnings,
            "blocks": progress.blocks,
            "blocks_scanned": progress.blocks_scanned,
            "blocks_damaged": progress.blocks_damaged,
            "records_scanned": progress.records_scanned,
            "bytes_scanned": progress.bytes_scanned,
        },
    })))
}

/// The incarnations of the file that `source` is one of, in the order in which they came in last. None: it is not known.
fn files(state: &registry::State, source: Uuid) -> Option<Vec<Arc<crate::source::Source>>> {
    let own = state.sources.get(&source)?;
    let stem = |entry: &SourceEntry| stem(&entry.source.path).to_vec();
    let own_stem = stem(own);
    let is_relative = |entry: &&SourceEntry| {
        entry.source.agent == own.source.agent
            && entry.source.service == own.source.service
            && (entry.source.id == source || stem(entry) == own_stem)
    };
    let mut files: Vec<&SourceEntry> = state.sources.values().filter(is_relative).collect();
    // Most of the time an incarnation gets its last record before the one behind it does; the records' times have the last word.
    files.sort_by_key(|entry| (entry.last_ns, entry.source.id));
    let place = files.iter().position(|entry| entry.source.id == source)?;
    let shown = &files[place.saturating_sub(FILES_MAX)..files.len().min(place + FILES_MAX + 1)];
    Some(shown.iter().map(|entry| Arc::clone(&entry.source)).collect())
}

/// The path without what rotation appends: `.1`, `-20261125`, `.gz`.
fn stem(path: &[u8]) -> &[u8] {
    let mut stem = path;
    loop {
        let digits = stem.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let shorter = stem
            .strip_suffix(b".gz")
            .or_else(|| stem.strip_suffix(b".zst"))
            .or_else(|| stem[..stem.len() - digits].strip_suffix(b".").filter(|_| digits > 0))
            .or_else(|| stem[..stem.len() - digits].strip_suffix(b"-").filter(|_| digits > 0));
        match shorter {
            Some(shorter) if !shorter.ends_with(b"/") => stem = shorter,
            _ => return stem,
        }
    }
}

fn of_files(files: &[Arc<crate::source::Source>]) -> Predicate {
    let exact = |name: &str| NameTest::Exact(name.to_owned());
    let leaf = |leaf: Leaf| Predicate::Leaf(Box::new(leaf));
    let first = &files[0];
    let ids = files.iter().map(|file| leaf(Leaf::Source(exact(&file.id.simple().to_string()))));
    Predicate::And(vec![
        leaf(Leaf::Service(exact(&first.service))),
        leaf(Leaf::Host(exact(&first.host))),
        Predicate::Or(ids.collect()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_files_have_one_stem() {
        for path in ["/l/a.log", "/l/a.log.1", "/l/a.log.12.gz", "/l/a.log-20261125", "/l/a.log-20261125.zst"] {
            assert_eq!(stem(path.as_bytes()), b"/l/a.log", "{path}");
        }
        assert_eq!(stem(b"/l/0.log"), b"/l/0.log");
        assert_eq!(stem(b"/l/.gz"), b"/l/.gz");
        assert_eq!(stem(b"/l/7"), b"/l/7");
    }
}
