//! What does not work right now, by name; empty when all is well. Read by `/readyz`, metrics and the journal.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

/// A part of the program that can be in trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Space under `data_dir`.
    Disk,
    /// The write-ahead log.
    Wal,
    /// Tantivy commits.
    Index,
    /// The catalog's snapshots.
    Catalog,
    /// The last good backup is older than it may be.
    Backup,
    /// The certificate that is shown ends soon, or the files of TLS cannot be read.
    Tls,
}

impl Part {
    /// All of them.
    pub const ALL: [Self; 6] = [Self::Disk, Self::Wal, Self::Index, Self::Catalog, Self::Backup, Self::Tls];

    /// As answers and metrics name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Disk => "disk",
            Self::Wal => "wal",
            Self::Index => "index",
            Self::Catalog => "catalog",
            Self::Backup => "backup",
            Self::Tls => "tls",
        }
    }

    /// Whether lines can be taken and found without it. Nobody is to be kept away because a backup is late, or a certificate ends soon.
    pub fn is_needed(self) -> bool {
        !matches!(self, Self::Backup | Self::Tls)
    }
}

/// Shared by all parts.
#[derive(Default)]
pub struct Health {
    troubles: Mutex<BTreeMap<Part, String>>,
}

impl Health {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Part, String>> {
        self.troubles.lock().expect("no thread panics with the health in hand")
    }

    /// `part` does not work, and why. Logged when it is news.
    pub fn trouble(&self, part: Part, why: impl std::fmt::Display) {
        let why = why.to_string();
        let before = self.lock().insert(part, why.clone());
        if before.as_ref() != Some(&why) {
            tracing::error!("{}: {why}", part.name());
        }
    }

    /// `part` works. Logged when it is news.
    pub fn well(&self, part: Part) {
        if self.lock().remove(&part).is_some() {
            tracing::info!("{}: works again", part.name());
        }
    }

    /// What is wrong with `part`.
    pub fn of(&self, part: Part) -> Option<String> {
        self.lock().get(&part).cloned()
    }
}
