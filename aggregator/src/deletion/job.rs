//! What there is to be deleted, and how far that is. Kept in the catalog.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use serde::{Deserialize, Serialize};

use crate::catalog::store::{Store, StoreError};
use crate::query::language::error::SyntaxError;
use crate::query::language::parser;
use crate::query::predicate::{self, Predicate};

/// Jobs that are remembered; the oldest ones that are over make room.
const REMEMBERED_MAX: usize = 1_000;

/// One deletion.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Deletion {
    pub id: u64,
    /// In the query language; relative times are relative to `requested_ns`.
    pub query: String,
    /// Nanoseconds since the epoch, from the first to before the second.
    pub times: (i64, i64),
    pub requested_ns: i64,
    pub state: State,
    /// Records that were taken out.
    pub deleted: u64,
    pub blocks_rewritten: u64,
    /// Rows of transactions that had no record left.
    pub transactions_deleted: u64,
    /// Days that were rewritten.
    pub partitions: Vec<String>,
    pub finished_ns: Option<i64>,
    /// Records that the query found afterwards.
    pub remaining: Option<u64>,
    /// Why it failed, or was put off.
    pub error: Option<String>,
}

/// How far a deletion is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Waiting,
    Running,
    Done,
    Failed,
}

impl Deletion {
    /// What it takes out.
    pub fn predicate(&self) -> Result<Predicate, SyntaxError> {
        parser::parse(&self.query).and_then(|query| predicate::compile(&query, self.requested_ns))
    }

    /// Whether nothing is left to be done.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Done | State::Failed)
    }
}

/// All of them; shared by the API, the head and the indexer.
pub struct Deletions {
    store: Arc<Store>,
    jobs: Mutex<BTreeMap<u64, Deletion>>,
    /// There is one that the head does not know of.
    is_new: AtomicBool,
}

impl Deletions {
    /// Those that are remembered. One that was under way begins anew.
    pub fn load(store: Arc<Store>) -> Result<Self, StoreError> {
        let read = |text: &Vec<u8>| -> Result<(u64, Deletion), StoreError> {
            let job: Deletion = serde_json::from_slice(text).map_err(|_| StoreError::Malformed("deletions"))?;
            Ok((job.id, job))
        };
        let jobs: BTreeMap<u64, Deletion> = store.deletions()?.iter().map(read).collect::<Result<_, _>>()?;
        let is_new = AtomicBool::new(jobs.values().any(|job| !job.is_over()));
        Ok(Self { store, jobs: Mutex::new(jobs), is_new })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Deletion>> {
        self.jobs.lock().expect("no thread panics with the deletions in hand")
    }

    /// Takes one on, durably. It gets a number.
    pub fn add(&self, query: String, times: (i64, i64), now_ns: i64) -> Result<Deletion, StoreError> {
        let mut jobs = self.lock();
        let id = jobs.last_key_value().map_or(1, |(id, _)| id + 1);
        let job = Deletion {
            id,
            query,
            times,
            requested_ns: now_ns,
            state: State::Waiting,
            deleted: 0,
            blocks_rewritten: 0,
            transactions_deleted: 0,
            partitions: Vec::new(),
            finished_ns: None,
            remaining: None,
            error: None,
        };
        let over = jobs.values().filter(|job| job.is_over()).map(|job| job.id);
        let forgotten: Vec<u64> = over.take((jobs.len() + 1).saturating_sub(REMEMBERED_MAX)).collect();
        self.save(&job, &forgotten)?;
        forgotten.iter().for_each(|id| drop(jobs.remove(id)));
        jobs.insert(id, job.clone());
        self.is_new.store(true, Ordering::Release);
        Ok(job)
    }

    fn save(&self, job: &Deletion, forgotten: &[u64]) -> Result<(), StoreError> {
        let text = serde_json::to_vec(job).expect("a deletion is JSON");
        self.store.save_deletion(job.id, &text, forgotten)
    }

    /// The newest first.
    pub fn all(&self) -> Vec<Deletion> {
        self.lock().values().rev().cloned().collect()
    }

    pub fn get(&self, id: u64) -> Option<Deletion> {
        self.lock().get(&id).cloned()
    }

    /// The next one that is not over.
    pub fn next(&self) -> Option<Deletion> {
        self.lock().values().find(|job| !job.is_over()).cloned()
    }

    /// Whether there is a new one; once.
    pub fn take_new(&self) -> bool {
        self.is_new.swap(false, Ordering::AcqRel)
    }

    /// It is further now.
    pub fn update(&self, job: &Deletion) -> Result<(), StoreError> {
        self.lock().insert(job.id, job.clone());
        self.save(job, &[])
    }
}
