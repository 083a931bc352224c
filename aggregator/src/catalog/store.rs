//! The registry's snapshot in redb: `catalog.redb`.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `meta` | `format`, `wal_position` | number |
//! | `agents` | agent ID | `AgentRecord` (protobuf) |
//! | `sources` | source ID | `SourceRecord` (protobuf) |
//! | `deletions` | number | `Deletion` (JSON) |

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use prost::Message;
use redb::{Database, ReadableDatabase, ReadableTable, TableDefinition};

use super::registry::{Agent, Registry};
use crate::wal::entry::{SourceRecord, uuid};

const META: TableDefinition<&str, u64> = TableDefinition::new("meta");
const AGENTS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("agents");
const SOURCES: TableDefinition<&[u8], &[u8]> = TableDefinition::new("sources");
const DELETIONS: TableDefinition<u64, &[u8]> = TableDefinition::new("deletions");
/// Version of the tables and their values. Another one is refused.
const FORMAT: u64 = 1;
/// redb's page cache; the tables are small and read once.
const CACHE_BYTES: usize = 4 << 20;

/// The catalog cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// redb says so.
    #[error("catalog: {0}")]
    Database(#[from] redb::Error),
    /// Another version wrote it.
    #[error("catalog has format {0}, this program reads format {FORMAT}: run the version that wrote it")]
    Format(u64),
    /// A value makes no sense.
    #[error("catalog: a value of table {0} is malformed")]
    Malformed(&'static str),
}

/// The snapshot. redb refuses everything after a write that failed: it is then opened again before the next one.
pub struct Store {
    path: PathBuf,
    database: Mutex<Option<Database>>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct AgentRecord {
    #[prost(string, tag = "1")]
    host: String,
    #[prost(string, tag = "2")]
    version: String,
    #[prost(uint64, tag = "3")]
    epoch: u64,
    #[prost(int64, tag = "4")]
    last_seen_ns: i64,
    #[prost(int64, tag = "5")]
    watermark_ns: i64,
    #[prost(int64, tag = "6")]
    clock_offset_ns: i64,
    #[prost(uint64, tag = "7")]
    clock_uncertainty_ns: u64,
}

impl Store {
    /// Opens or creates `catalog.redb` in `dir`.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join("catalog.redb");
        let database = Mutex::new(Some(open(&path)?));
        Ok(Self { path, database })
    }

    fn with_database<T>(&self, work: impl FnOnce(&Database) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut slot = self.database.lock().expect("no thread panics with the catalog in hand");
        let database = match slot.take() {
            Some(database) => database,
            None => open(&self.path)?,
        };
        let outcome = work(&database);
        if outcome.is_ok() {
            *slot = Some(database);
        }
        outcome
    }

    /// Fills an empty registry. Returns the WAL position up to which the snapshot knows everything.
    pub fn load(&self, registry: &Registry) -> Result<u64, StoreError> {
        self.with_database(|database| read(database, registry))
    }

    /// All deletions that are remembered, rising by their numbers, as they were saved.
    pub fn deletions(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        self.with_database(|database| {
            let transaction = database.begin_read().map_err(redb::Error::from)?;
            let table = transaction.open_table(DELETIONS).map_err(redb::Error::from)?;
            let rows = table.iter().map_err(redb::Error::from)?.map(|row| {
                let (_, job) = row.map_err(redb::Error::from)?;
                Ok(job.value().to_vec())
            });
            rows.collect()
        })
    }

    /// Writes one down, and forgets others.
    pub fn save_deletion(&self, id: u64, deletion: &[u8], forgotten: &[u64]) -> Result<(), StoreError> {
        self.with_database(|database| {
            let transaction = database.begin_write().map_err(redb::Error::from)?;
            {
                let mut table = transaction.open_table(DELETIONS).map_err(redb::Error::from)?;
                table.insert(id, deletion).map_err(redb::Error::from)?;
                for id in forgotten {
                    table.remove(id).map_err(redb::Error::from)?;
                }
            }
            Ok(transaction.commit().map_err(redb::Error::from)?)
        })
    }

    /// Writes what changed, durably, and that it covers the WAL up to `wal_position`.
    pub fn save(&self, registry: &Registry, wal_position: u64) -> Result<(), StoreError> {
        let (agents, sources) = changed(registry);
        let written = self.with_database(|database| write(database, &agents, &sources, wal_position));
        if written.is_err() {
            mark_changed(registry, &agents, &sources);
        }
        written
    }
}

fn open(path: &Path) -> Result<Database, StoreError> {
    let database = Database::builder().set_cache_size(CACHE_BYTES).create(path).map_err(redb::Error::from)?;
    let transaction = database.begin_write().map_err(redb::Error::from)?;
    {
        let mut meta = transaction.open_table(META).map_err(redb::Error::from)?;
        let format = meta.get("format").map_err(redb::Error::from)?.map(|format| format.value());
        match format {
            Some(FORMAT) => {}
            Some(other) => return Err(StoreError::Format(other)),
            None => {
                meta.insert("format", FORMAT).map_err(redb::Error::from)?;
            }
        }
        transaction.open_table(AGENTS).map_err(redb::Error::from)?;
        transaction.open_table(SOURCES).map_err(redb::Error::from)?;
        transaction.open_table(DELETIONS).map_err(redb::Error::from)?;
    }
    transaction.commit().map_err(redb::Error::from)?;
    Ok(database)
}

fn read(database: &Database, registry: &Registry) -> Result<u64, StoreError> {
    let transaction = database.begin_read().map_err(redb::Error::from)?;
    let mut state = registry.write();
    let agents = transaction.open_table(AGENTS).map_err(redb::Error::from)?;
    for row in agents.iter().map_err(redb::Error::from)? {
        let (id, record) = row.map_err(redb::Error::from)?;
        let malformed = || StoreError::Malformed("agents");
        let record = AgentRecord::decode(record.value()).map_err(|_| malformed())?;
        state.agents.insert(uuid(id.value()).ok_or_else(malformed)?, record.into());
    }
    let sources = transaction.open_table(SOURCES).map_err(redb::Error::from)?;
    for row in sources.iter().map_err(redb::Error::from)? {
        let (_, record) = row.map_err(redb::Error::from)?;
        let malformed = || StoreError::Malformed("sources");
        let record = SourceRecord::decode(record.value()).map_err(|_| malformed())?;
        state.insert(&record).ok_or_else(malformed)?.dirty = false;
    }
    let meta = transaction.open_table(META).map_err(redb::Error::from)?;
    let position = meta.get("wal_position").map_err(redb::Error::from)?;
    Ok(position.map_or(0, |position| position.value()))
}

fn write(
    database: &Database,
    agents: &[(Vec<u8>, AgentRecord)],
    sources: &[SourceRecord],
    position: u64,
) -> Result<(), StoreError> {
    let transaction = database.begin_write().map_err(redb::Error::from)?;
    {
        let mut table = transaction.open_table(AGENTS).map_err(redb::Error::from)?;
        for (id, record) in agents {
            table.insert(&id[..], &record.encode_to_vec()[..]).map_err(redb::Error::from)?;
        }
        let mut table = transaction.open_table(SOURCES).map_err(redb::Error::from)?;
        for record in sources {
            table.insert(&record.source[..], &record.encode_to_vec()[..]).map_err(redb::Error::from)?;
        }
        let mut meta = transaction.open_table(META).map_err(redb::Error::from)?;
        meta.insert("wal_position", position).map_err(redb::Error::from)?;
    }
    transaction.commit().map_err(redb::Error::from)?;
    Ok(())
}

/// What could not be written is to be written the next time.
fn mark_changed(registry: &Registry, agents: &[(Vec<u8>, AgentRecord)], sources: &[SourceRecord]) {
    let mut state = registry.write();
    for (id, _) in agents {
        if let Some(agent) = uuid(id).and_then(|id| state.agents.get_mut(&id)) {
            agent.dirty = true;
        }
    }
    for record in sources {
        if let Some(entry) = uuid(&record.source).and_then(|id| state.sources.get_mut(&id)) {
            entry.dirty = true;
        }
    }
}

fn changed(registry: &Registry) -> (Vec<(Vec<u8>, AgentRecord)>, Vec<SourceRecord>) {
    let mut state = registry.write();
    let agents = state.agents.iter_mut().filter(|(_, agent)| agent.dirty);
    let agents = agents
        .map(|(id, agent)| {
            agent.dirty = false;
            (id.into_bytes().to_vec(), AgentRecord::from(&*agent))
        })
        .collect();
    let sources = state.sources.values_mut().filter(|entry| entry.dirty);
    let sources = sources
        .map(|entry| {
            entry.dirty = false;
            entry.record()
        })
        .collect();
    (agents, sources)
}

impl From<AgentRecord> for Agent {
    fn from(record: AgentRecord) -> Self {
        Self {
            host: record.host,
            version: record.version,
            epoch: record.epoch,
            last_seen_ns: record.last_seen_ns,
            watermark_ns: record.watermark_ns,
            clock_offset_ns: record.clock_offset_ns,
            clock_uncertainty_ns: record.clock_uncertainty_ns,
            ..Self::default()
        }
    }
}

impl From<&Agent> for AgentRecord {
    fn from(agent: &Agent) -> Self {
        Self {
            host: agent.host.clone(),
            version: agent.version.clone(),
            epoch: agent.epoch,
            last_seen_ns: agent.last_seen_ns,
            watermark_ns: agent.watermark_ns,
            clock_offset_ns: agent.clock_offset_ns,
            clock_uncertainty_ns: agent.clock_uncertainty_ns,
        }
    }
}

#[cfg(test)]
mod tests {
    use clew_proto::v1;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_snapshot_comes_back() {
        let dir = tempfile::tempdir().unwrap();
        let registry = Registry::default();
        let agent = Uuid::from_u128(1);
        let open = v1::OpenSource {
            source_id: Uuid::from_u128(2).into_bytes().to_vec().into(),
            service: "a".into(),
            begin: 44,
            ..Default::default()
        };
        {
            let mut state = registry.write();
            state.hello(agent, &v1::Hello { host: "h".into(), epoch: 3, ..Default::default() }, 9).unwrap();
            state.open(agent, &open, 9).unwrap();
        }
        Store::open(dir.path()).unwrap().save(&registry, 77).unwrap();
        let loaded = Registry::default();
        assert_eq!(Store::open(dir.path()).unwrap().load(&loaded).unwrap(), 77);
        let state = loaded.read();
        assert_eq!((state.agents[&agent].host.as_str(), state.agents[&agent].epoch), ("h", 3));
        assert_eq!(state.sources[&Uuid::from_u128(2)].frontier, 44);
    }
}
