//! The registry's snapshot in redb: `catalog.redb`.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `meta` | `format`, `wal_position`, `removed_before` | number |
//! | `agents` | agent ID | `AgentRecord` (protobuf) |
//! | `sources` | source ID | `SourceRecord` (protobuf) |
//! | `deletions` | number | `Deletion` (JSON) |

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use prost::Message;
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable, TableDefinition, WriteTransaction};

use super::host_clock::{HostClock, Spell};
use super::registry::{Agent, Registry};
use crate::access::principal::Owner;
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
    #[prost(int64, tag = "6")]
    clock_offset_ns: i64,
    #[prost(uint64, tag = "7")]
    clock_uncertainty_ns: u64,
    /// By our clock; tag 5 was by the agent's.
    #[prost(int64, tag = "8")]
    watermark_ns: i64,
    #[prost(message, repeated, tag = "9")]
    spells: Vec<SpellRecord>,
    #[prost(int64, tag = "10")]
    retired_ns: i64,
    #[prost(bool, tag = "11")]
    has_left: bool,
    /// As `access::principal::Owner` is written; empty: nobody's.
    #[prost(string, tag = "12")]
    owner: String,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct SpellRecord {
    #[prost(int64, tag = "1")]
    begin_ns: i64,
    #[prost(int64, tag = "2")]
    end_ns: i64,
    #[prost(int64, tag = "3")]
    offset_min_ns: i64,
    #[prost(int64, tag = "4")]
    offset_max_ns: i64,
    #[prost(bool, tag = "5")]
    is_joined: bool,
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
        let changed = Changed { agents: changed_agents(registry), sources: changed_sources(registry) };
        self.write(registry, &changed, Some(wal_position))
    }

    /// Writes what stands in no WAL: what agents said, and how far retention has come.
    pub fn save_agents(&self, registry: &Registry) -> Result<(), StoreError> {
        self.write(registry, &Changed { agents: changed_agents(registry), sources: Vec::new() }, None)
    }

    /// Copies what was saved last into a new database at `path`.
    pub fn copy_to(&self, path: &Path) -> Result<(), StoreError> {
        self.with_database(|database| copy(database, path))
    }

    fn write(&self, registry: &Registry, changed: &Changed, wal_position: Option<u64>) -> Result<(), StoreError> {
        let removed_before_ns = registry.read().removed_before_ns;
        let written = self.with_database(|database| write(database, changed, removed_before_ns, wal_position));
        if written.is_err() {
            mark_changed(registry, changed);
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

/// All tables in one transaction. What is copied has the version that `open` has checked.
fn copy(database: &Database, path: &Path) -> Result<(), StoreError> {
    let (from, into) = (database.begin_read().map_err(redb::Error::from)?, open(path)?);
    let transaction = into.begin_write().map_err(redb::Error::from)?;
    copy_table(&from, &transaction, META)?;
    copy_table(&from, &transaction, AGENTS)?;
    copy_table(&from, &transaction, SOURCES)?;
    copy_table(&from, &transaction, DELETIONS)?;
    Ok(transaction.commit().map_err(redb::Error::from)?)
}

fn copy_table<K: redb::Key + 'static, V: redb::Value + 'static>(
    from: &ReadTransaction,
    into: &WriteTransaction,
    table: TableDefinition<'_, K, V>,
) -> Result<(), StoreError> {
    let (from, mut into) =
        (from.open_table(table).map_err(redb::Error::from)?, into.open_table(table).map_err(redb::Error::from)?);
    for row in from.iter().map_err(redb::Error::from)? {
        let (key, value) = row.map_err(redb::Error::from)?;
        into.insert(key.value(), value.value()).map_err(redb::Error::from)?;
    }
    Ok(())
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
    let number = |name: &str| -> Result<u64, StoreError> {
        Ok(meta.get(name).map_err(redb::Error::from)?.map_or(0, |number| number.value()))
    };
    state.removed_before_ns = i64::try_from(number("removed_before")?).unwrap_or(i64::MAX);
    number("wal_position")
}

/// What is not in the snapshot yet.
struct Changed {
    agents: Vec<(Vec<u8>, AgentRecord)>,
    sources: Vec<SourceRecord>,
}

fn write(
    database: &Database,
    changed: &Changed,
    removed_before_ns: i64,
    wal_position: Option<u64>,
) -> Result<(), StoreError> {
    let transaction = database.begin_write().map_err(redb::Error::from)?;
    {
        let mut table = transaction.open_table(AGENTS).map_err(redb::Error::from)?;
        for (id, record) in &changed.agents {
            table.insert(&id[..], &record.encode_to_vec()[..]).map_err(redb::Error::from)?;
        }
        let mut table = transaction.open_table(SOURCES).map_err(redb::Error::from)?;
        for record in &changed.sources {
            table.insert(&record.source[..], &record.encode_to_vec()[..]).map_err(redb::Error::from)?;
        }
        let mut meta = transaction.open_table(META).map_err(redb::Error::from)?;
        if let Some(position) = wal_position {
            meta.insert("wal_position", position).map_err(redb::Error::from)?;
        }
        meta.insert("removed_before", removed_before_ns.max(0).cast_unsigned()).map_err(redb::Error::from)?;
    }
    transaction.commit().map_err(redb::Error::from)?;
    Ok(())
}

/// What could not be written is to be written the next time.
fn mark_changed(registry: &Registry, changed: &Changed) {
    let mut state = registry.write();
    for (id, _) in &changed.agents {
        if let Some(agent) = uuid(id).and_then(|id| state.agents.get_mut(&id)) {
            agent.dirty = true;
        }
    }
    for record in &changed.sources {
        if let Some(entry) = uuid(&record.source).and_then(|id| state.sources.get_mut(&id)) {
            entry.dirty = true;
        }
    }
}

fn changed_agents(registry: &Registry) -> Vec<(Vec<u8>, AgentRecord)> {
    let mut state = registry.write();
    let agents = state.agents.iter_mut().filter_map(|(id, agent)| {
        std::mem::take(&mut agent.dirty).then(|| (id.into_bytes().to_vec(), AgentRecord::from(&*agent)))
    });
    agents.collect()
}

fn changed_sources(registry: &Registry) -> Vec<SourceRecord> {
    let mut state = registry.write();
    let sources =
        state.sources.values_mut().filter_map(|entry| std::mem::take(&mut entry.dirty).then(|| entry.record()));
    sources.collect()
}

impl From<AgentRecord> for Agent {
    fn from(record: AgentRecord) -> Self {
        let spell = |spell: &SpellRecord| Spell {
            begin_ns: spell.begin_ns,
            end_ns: spell.end_ns,
            offset_min_ns: spell.offset_min_ns,
            offset_max_ns: spell.offset_max_ns,
            is_joined: spell.is_joined,
        };
        Self {
            epoch: record.epoch,
            last_seen_ns: record.last_seen_ns,
            watermark_ns: record.watermark_ns,
            clock_offset_ns: record.clock_offset_ns,
            clock_uncertainty_ns: record.clock_uncertainty_ns,
            clock: Arc::new(HostClock::new(record.spells.iter().map(spell).collect())),
            retired_ns: record.retired_ns,
            has_left: record.has_left,
            owner: record.owner.parse().ok(),
            host: record.host,
            version: record.version,
            ..Self::default()
        }
    }
}

impl From<&Agent> for AgentRecord {
    fn from(agent: &Agent) -> Self {
        let spell = |spell: &Spell| SpellRecord {
            begin_ns: spell.begin_ns,
            end_ns: spell.end_ns,
            offset_min_ns: spell.offset_min_ns,
            offset_max_ns: spell.offset_max_ns,
            is_joined: spell.is_joined,
        };
        Self {
            host: agent.host.clone(),
            version: agent.version.clone(),
            epoch: agent.epoch,
            last_seen_ns: agent.last_seen_ns,
            watermark_ns: agent.watermark_ns,
            clock_offset_ns: agent.clock_offset_ns,
            clock_uncertainty_ns: agent.clock_uncertainty_ns,
            spells: agent.clock.spells().iter().map(spell).collect(),
            retired_ns: agent.retired_ns,
            has_left: agent.has_left,
            owner: agent.owner.as_ref().map(Owner::to_string).unwrap_or_default(),
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
            state.removed_before_ns = 70;
            let agent = state.agents.get_mut(&agent).unwrap();
            agent.measured(100, 7_000_000_000, 1000, 0);
            agent.measured(200, -5, 1000, 0);
            (agent.watermark_ns, agent.retired_ns) = (150, 160);
            agent.owner = Some(Owner::Token("web".into()));
        }
        Store::open(dir.path()).unwrap().save(&registry, 77).unwrap();
        let loaded = Registry::default();
        assert_eq!(Store::open(dir.path()).unwrap().load(&loaded).unwrap(), 77);
        let state = loaded.read();
        assert_eq!((state.agents[&agent].host.as_str(), state.agents[&agent].epoch), ("h", 3));
        assert_eq!(state.sources[&Uuid::from_u128(2)].frontier, 44);
        let saved = registry.read();
        assert_eq!(state.agents[&agent].clock, saved.agents[&agent].clock);
        assert_eq!(state.agents[&agent].clock.spells().len(), 2);
        assert_eq!((state.agents[&agent].watermark(), state.agents[&agent].retired_ns), (Some(150), 160));
        assert_eq!(state.agents[&agent].owner, Some(Owner::Token("web".into())));
        assert_eq!(state.removed_before_ns, 70);
    }

    #[test]
    fn another_version_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path()).unwrap());
        let database = Database::open(dir.path().join("catalog.redb")).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(META).unwrap().insert("format", 2).unwrap();
        transaction.commit().unwrap();
        drop(database);
        let error = Store::open(dir.path()).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("has format 2, this program reads format 1: run the version that wrote it"), "{error}");
    }

    #[test]
    fn a_copy_is_a_snapshot_of_its_own() {
        let (dir, registry) = (tempfile::tempdir().unwrap(), Registry::default());
        let agent = Uuid::from_u128(1);
        let open = |id: u128| v1::OpenSource {
            source_id: Uuid::from_u128(id).into_bytes().to_vec().into(),
            begin: 44,
            ..Default::default()
        };
        registry.write().open(agent, &open(2), 9).unwrap();
        let store = Store::open(dir.path()).unwrap();
        store.save(&registry, 77).unwrap();
        store.save_deletion(5, b"{}", &[]).unwrap();
        std::fs::create_dir(dir.path().join("copy")).unwrap();
        store.copy_to(&dir.path().join("copy/catalog.redb")).unwrap();
        registry.write().open(agent, &open(3), 10).unwrap();
        store.save(&registry, 99).unwrap();
        let (copy, loaded) = (Store::open(&dir.path().join("copy")).unwrap(), Registry::default());
        assert_eq!(copy.load(&loaded).unwrap(), 77);
        assert_eq!(copy.deletions().unwrap(), [b"{}"]);
        let state = loaded.read();
        assert_eq!((state.sources.len(), state.sources[&Uuid::from_u128(2)].frontier), (1, 44));
        assert!(state.agents.contains_key(&agent));
    }
}
