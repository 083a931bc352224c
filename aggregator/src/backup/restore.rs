//! Brings a backup back into an empty `data_dir`: all of it, or some days.
//!
//! Everything is written below `data_dir/restoring`, each object held against its checksum; then the aggregator's own start and stop
//! replay the log into the index there, what was not asked for goes, and the files take their places. An aggregator does not start while
//! the folder is there, and a restore that was broken off begins anew.
//!
//! Frontiers are those of the whole backup, also when only some days come back: nothing of the others is shipped again. `absences` says
//! which times of receipt something is missing of.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tokio::task::JoinSet;

use super::last;
use super::manifest::{File, Manifest};
use super::repository::{Damage, Repository, RepositoryError, object_name};
use super::snapshot::STORE_ID;
use crate::catalog::absence::{self, Absence, AbsenceError, Why};
use crate::clock;
use crate::data_dir::{self, RESTORING, own};
use crate::index::partition::{self, Partition};
use crate::wal::segment::sync_dir;

/// So many objects are read at a time; each holds a part in memory.
const READS_MAX: usize = 4;
/// What makes a `data_dir` other than empty, in the order in which it takes its place: the catalog last.
const PARTS: [&str; 6] = ["partitions", "wal", "tokens", STORE_ID, "absences", "catalog.redb"];

/// Why nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// There is something already.
    #[error(
        "data_dir: {data_dir} is not empty, it holds {part}: stop clew-aggregator and move away what is there, or name another folder"
    )]
    NotEmpty {
        /// The folder.
        data_dir: PathBuf,
        /// What is there.
        part: &'static str,
    },
    /// The backup lacks a day.
    #[error("backup {id} has no day {day}; it has {days}")]
    NoDay {
        /// The backup.
        id: String,
        /// The day.
        day: String,
        /// Those that it has.
        days: String,
    },
    /// An object is not what was written.
    #[error(
        "{object} is damaged, {damage}; it holds {path} of backup {id}: restore another backup, or with --day the days that are whole"
    )]
    Damaged {
        /// The object, and in which target.
        object: String,
        /// What is wrong.
        damage: Damage,
        /// Which file it is.
        path: String,
        /// Of which backup.
        id: String,
    },
    /// The target cannot be read, or a file of `data_dir` not be written.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// What is missing cannot be written down.
    #[error(transparent)]
    Absence(#[from] AbsenceError),
    /// What was restored cannot be opened.
    #[error("open what was restored: {0:#}")]
    Opening(anyhow::Error),
}

/// Restores `manifest` from `repository` into `data_dir`, whose lock the caller has. With `days`, only these. `settle` opens a `data_dir`,
/// replays its log into the index, and closes it. Returns the days that are there now.
pub async fn restore(
    repository: &Repository,
    manifest: &Manifest,
    data_dir: &Path,
    days: &[String],
    settle: impl FnOnce(&Path) -> anyhow::Result<()> + Send + 'static,
) -> Result<Vec<String>, RestoreError> {
    let into = data_dir.join(RESTORING);
    clear(data_dir, &into)?;
    let has_log = manifest.files.iter().any(|file| file.path.starts_with("wal/"));
    // What the log holds may be all of its day: that shows in the end.
    if let Some(day) = days.iter().find(|day| !has_log && !manifest.days.contains(day)) {
        return Err(no_day(manifest, day));
    }
    data_dir::make(&into).map_err(|error| RestoreError::Opening(error.into()))?;
    let is_wanted =
        |file: &&File| file.day().is_none_or(|day| days.is_empty() || days.iter().any(|wanted| wanted == day));
    fetch(repository, manifest, manifest.files.iter().filter(is_wanted), &into).await?;
    sync(&into)?;
    let settled = into.clone();
    let settling = tokio::task::spawn_blocking(move || settle(&settled)).await;
    settling.map_err(anyhow::Error::from).and_then(|settled| settled).map_err(RestoreError::Opening)?;
    let there = leave_out(manifest, days, &into)?;
    last::write(&into, &manifest.into()).map_err(io_error("write into", &into))?;
    own::hand_over(&into, data_dir).map_err(io_error("give to the owner of data_dir", &into))?;
    take_place(&into, data_dir)?;
    Ok(there)
}

/// What an earlier restore left goes; anything else is in the way.
fn clear(data_dir: &Path, into: &Path) -> Result<(), RestoreError> {
    let is_broken_off = into.exists();
    for part in PARTS {
        let path = data_dir.join(part);
        let is_there = match std::fs::read_dir(&path) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) => error.kind() != ErrorKind::NotFound,
        };
        if is_there && !is_broken_off {
            return Err(RestoreError::NotEmpty { data_dir: data_dir.to_owned(), part });
        }
        if is_there {
            let removed = if path.is_dir() { std::fs::remove_dir_all(&path) } else { std::fs::remove_file(&path) };
            removed.map_err(io_error("remove", &path))?;
        }
    }
    if is_broken_off {
        std::fs::remove_dir_all(into).map_err(io_error("remove", into))?;
    }
    Ok(())
}

async fn fetch<'a>(
    repository: &Repository,
    manifest: &Manifest,
    files: impl Iterator<Item = &'a File>,
    into: &Path,
) -> Result<(), RestoreError> {
    let mut reads = JoinSet::new();
    let read = |read: Option<Result<Result<(), RestoreError>, _>>| {
        read.map_or(Ok(()), |read| read.expect("no read panics or is cancelled"))
    };
    for file in files {
        while reads.len() >= READS_MAX {
            read(reads.join_next().await)?;
        }
        let path = into.join(&file.path);
        let folder = path.parent().unwrap_or(into);
        std::fs::create_dir_all(folder).map_err(io_error("make", folder))?;
        let (repository, file, id) = (repository.clone(), file.clone(), manifest.id.clone());
        reads.spawn(async move {
            match repository.fetch(&file, Some(&path)).await? {
                None => Ok(()),
                Some(damage) => Err(RestoreError::Damaged {
                    object: format!("{} in {}", object_name(&file.sha256), repository.target()),
                    damage,
                    path: file.path,
                    id,
                }),
            }
        });
    }
    while let Some(one) = reads.join_next().await {
        read(Some(one))?;
    }
    Ok(())
}

/// Removes the days that were not asked for, and writes down what is missing. Returns the days that stay.
fn leave_out(manifest: &Manifest, days: &[String], into: &Path) -> Result<Vec<String>, RestoreError> {
    let root = data_dir::partitions(into);
    let there = Partition::days(&root).map_err(io_error("list", &root))?;
    let there: BTreeSet<String> = there.into_iter().map(partition::name).collect();
    if let Some(day) = days.iter().find(|day| !there.contains(*day)) {
        return Err(no_day(manifest, day));
    }
    let mut absences = absence::read(into)?;
    absences.push(Absence { from_ns: manifest.taken_ns, to_ns: clock::now_ns(), why: Why::AfterBackup });
    let is_left_out = |day: &&String| !days.is_empty() && !days.contains(day);
    let known: BTreeSet<&String> = there.iter().chain(&manifest.days).collect();
    for day in known.into_iter().filter(is_left_out) {
        absences.extend(partition::day_of(day).map(Absence::of_day_left_out));
        let path = root.join(day);
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(io_error("remove", &path))?;
        }
    }
    absence::write(into, &absences)?;
    Ok(there.iter().filter(|day| !is_left_out(day)).cloned().collect())
}

fn take_place(into: &Path, data_dir: &Path) -> Result<(), RestoreError> {
    sync(into)?;
    let mut names = vec![];
    for entry in std::fs::read_dir(into).map_err(io_error("list", into))? {
        names.push(entry.map_err(io_error("list", into))?.file_name());
    }
    names.sort_by_key(|name| PARTS.iter().position(|part| name == part));
    for name in names {
        let (from, to) = (into.join(&name), data_dir.join(&name));
        std::fs::rename(&from, &to).map_err(io_error("move to its place", &from))?;
    }
    sync_dir(data_dir).map_err(io_error("sync", data_dir))?;
    std::fs::remove_dir(into).map_err(io_error("remove", into))?;
    sync_dir(data_dir).map_err(io_error("sync", data_dir))
}

/// Makes the names below `folder` durable; the files themselves are.
fn sync(folder: &Path) -> Result<(), RestoreError> {
    for entry in std::fs::read_dir(folder).map_err(io_error("list", folder))? {
        let path = entry.map_err(io_error("list", folder))?.path();
        if path.is_dir() {
            sync(&path)?;
        }
    }
    sync_dir(folder).map_err(io_error("sync", folder))
}

fn no_day(manifest: &Manifest, day: &str) -> RestoreError {
    RestoreError::NoDay { id: manifest.id.clone(), day: day.to_owned(), days: manifest.days.join(", ") }
}

fn io_error(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RestoreError + use<> {
    let path = path.to_owned();
    move |error| RepositoryError::Io { what, path, error }.into()
}
