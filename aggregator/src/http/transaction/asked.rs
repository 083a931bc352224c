//! Which transaction is asked for, and how; and the transaction itself.

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use serde_json::{Map, Value, json};

use super::super::answer;
use super::super::parameters;
use super::super::problem::Problem;
use crate::clock::{self, rfc3339};
use crate::id::Canonical;
use crate::query::language::level;
use crate::search::scan::Progress;
use crate::store::Store;
use crate::trace::assemble::{self, Options, Whole};
use crate::trace::bridge::Carriers;
use crate::trace::completeness::{self, Said};

/// Longest ID that is looked for.
const ID_BYTES_MAX: usize = 1024;

/// Which transaction, put together how.
#[derive(Clone, Debug)]
pub struct Asked {
    /// As it came.
    pub id: String,
    options: Options,
}

/// Which of its records are shown.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    services: Vec<String>,
    severity_min: u8,
}

impl Asked {
    /// From the path and the parameters `bridge` and `silence`.
    pub fn new(
        id: Result<Path<String>, PathRejection>,
        bridge: Option<&str>,
        silence: Option<&str>,
    ) -> Result<Self, Problem> {
        let Path(id) = id.map_err(|error| Problem::BadParameter { name: "id", detail: error.body_text() })?;
        if id.len() > ID_BYTES_MAX || id.trim().is_empty() {
            let detail = format!("an ID has 1 to {ID_BYTES_MAX} bytes");
            return Err(Problem::BadParameter { name: "id", detail });
        }
        let bridges = match bridge {
            None | Some("on") => true,
            Some("off") => false,
            Some(other) => {
                let detail = format!("{other:?} is neither on nor off");
                return Err(Problem::BadParameter { name: "bridge", detail });
            }
        };
        let silence_ns = parameters::duration_ns("silence", silence)?;
        let silence_ns = silence_ns.map(|ns| i64::try_from(ns).unwrap_or(i64::MAX));
        Ok(Self { id, options: Options { bridges, silence_ns } })
    }

    /// The transaction. To be called inside `Store::answer`.
    pub fn find(&self, store: &Store) -> Result<Whole, Problem> {
        let said = Said::now(&store.registry.read());
        let mut carriers = store.carriers();
        let asked = Canonical::candidates(self.id.as_bytes());
        let whole = assemble::assemble(&asked, &said, &mut carriers, self.options)?;
        let damage = Progress { blocks_damaged: carriers.blocks_damaged(), ..Progress::default() };
        match (whole, parameters::damage(damage)) {
            (Some(whole), _) => Ok(whole),
            (None, Some(detail)) => Err(Problem::Damaged { detail }),
            (None, None) => Err(unknown(store, &said, &self.id)),
        }
    }

    /// The canonical form of the ID.
    pub fn canonical(&self) -> String {
        Canonical::parse(self.id.as_bytes()).to_string()
    }
}

impl Shown {
    /// From the parameters `service` and `level`.
    pub fn new(service: Option<&str>, severity: Option<&str>) -> Result<Self, Problem> {
        let services =
            service.map_or(Vec::new(), |names| names.split(',').map(|name| name.trim().to_owned()).collect());
        let severity_min = severity.map(|name| {
            level::parse(name).ok_or_else(|| Problem::BadParameter {
                name: "level",
                detail: format!("{name:?} is no level; they are {}", level::NAMES.join(", ")),
            })
        });
        Ok(Self { services, severity_min: severity_min.transpose()?.unwrap_or(0) })
    }

    /// The indices of a transaction's records that are shown.
    pub fn of(&self, whole: &Whole) -> Vec<usize> {
        let records = whole.ordered.records.iter().enumerate();
        let is_shown = |record: &crate::record::Record| {
            record.severity >= self.severity_min
                && (self.services.is_empty() || self.services.contains(&record.source.service))
        };
        records.filter(|(_, record)| is_shown(record)).map(|(index, _)| index).collect()
    }
}

/// Where the ID was looked for, and who may still bring it.
fn unknown(store: &Store, said: &Said, id: &str) -> Problem {
    let now = clock::now_ns();
    let partitions = store.partitions();
    let records: u64 = partitions.iter().map(|partition| partition.records).sum();
    let from = partitions.first().map(|partition| format!("{}T00:00:00Z", partition.day));
    let behind = completeness::behind(said, now.saturating_sub(FRESH_NS));
    let mut members = Map::new();
    members.insert(
        "searched".into(),
        json!({
            "partitions": partitions.len(),
            "records": records + store.head_volume().records,
            "from": from.map_or(Value::Null, Value::String),
            "to": rfc3339(now),
        }),
    );
    members.insert("agents_behind".into(), answer::agents_behind(&behind));
    Problem::UnknownTransaction { id: id.to_owned(), members }
}

/// An agent whose watermark is no older than this counts as not behind: it states one every second.
const FRESH_NS: i64 = 5_000_000_000;
