//! The image of `data_dir` as of one moment: hard links and small copies below `data_dir/snapshot`.
//!
//! | what | how |
//! | --- | --- |
//! | `partitions/<day>/` | links to the files of the newest commit, its `meta.json`, and a `.managed.json` that names just these |
//! | `catalog.redb` | copied table by table in one transaction |
//! | `wal/` | links to full segments; of the newest one, the frames that are whole |
//! | `tokens`, `absences`, `store_id` | copied |
//!
//! In this order, by the one thread that commits or on a `data_dir` that nobody has open. So no commit comes between, the log reaches
//! back to where replay begins, and it holds everything that the catalog knows of. Merges and retention go on meanwhile: a partition
//! whose list changes while it is linked is linked anew, one that is removed is left out.

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalog::absence::{self, Absence, AbsenceError};
use crate::catalog::store::{Store, StoreError};
use crate::data_dir::own;
use crate::index::partition::{self, Partition, PartitionError};
use crate::wal::image;

/// Where it lies below `data_dir`, while a backup is under way.
pub const FOLDER: &str = "snapshot";
/// The file that says whose backups are whose: a UUID, made with the first one.
pub const STORE_ID: &str = "store_id";
/// Merges change a partition's list that often while it is linked only when something is wrong.
const ATTEMPTS_MAX: usize = 100;

/// Why there is no image.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The file system refuses.
    #[error("snapshot: {what} {path}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What came of it.
        error: io::Error,
    },
    /// A partition cannot be read.
    #[error("snapshot: {0}")]
    Partition(#[from] PartitionError),
    /// The catalog cannot be read, or its copy written.
    #[error("snapshot: {0}")]
    Catalog(#[from] StoreError),
    /// What is known to be missing cannot be read.
    #[error("snapshot: {0}")]
    Absence(#[from] AbsenceError),
    /// A partition's list changes all the time.
    #[error("snapshot: partition {0} changes faster than it can be linked: try again")]
    Restless(PathBuf),
}

/// Makes the image; what was left of an earlier one goes. Returns where it is.
pub fn take(data_dir: &Path, partitions: &[Arc<Partition>], catalog: &Store) -> Result<PathBuf, SnapshotError> {
    let into = data_dir.join(FOLDER);
    remove(&into)?;
    make(&into)?;
    let root = into.join("partitions");
    make(&root)?;
    for partition in partitions {
        link_partition(partition, &root.join(partition::name(partition.day)))?;
    }
    catalog.copy_to(&into.join("catalog.redb"))?;
    let log = into.join("wal");
    make(&log)?;
    image::copy(&data_dir.join("wal"), &log).map_err(io("copy the log to", &log))?;
    copy_small(data_dir, &into)?;
    Ok(into)
}

/// Removes an image.
pub fn remove(path: &Path) -> Result<(), SnapshotError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(io("remove", path)(error)),
        _ => Ok(()),
    }
}

fn link_partition(partition: &Partition, into: &Path) -> Result<(), SnapshotError> {
    for _ in 0..ATTEMPTS_MAX {
        let linked = partition.commit().and_then(|commit| {
            std::fs::create_dir(into)?;
            let mut names = BTreeSet::from(["meta.json".to_owned()]);
            for name in commit.files {
                std::fs::hard_link(partition.path.join(&name), into.join(&name))?;
                names.insert(name);
            }
            std::fs::write(into.join("meta.json"), &commit.list)?;
            std::fs::write(into.join(".managed.json"), serde_json::to_vec(&names)?)?;
            // While the list is the same none of its files goes.
            Ok(partition.list()? == commit.list)
        });
        match linked {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(io("link", &partition.path)(error)),
        }
        remove(into)?;
        if !partition.path.exists() {
            return Ok(());
        }
    }
    Err(SnapshotError::Restless(partition.path.clone()))
}

fn copy_small(data_dir: &Path, into: &Path) -> Result<(), SnapshotError> {
    if !data_dir.join(STORE_ID).exists() {
        let id = uuid::Uuid::new_v4().to_string();
        own::write(data_dir, STORE_ID, id.as_bytes()).map_err(io("write", &data_dir.join(STORE_ID)))?;
    }
    for name in [STORE_ID, "tokens"] {
        match std::fs::copy(data_dir.join(name), into.join(name)) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(io("copy", &data_dir.join(name))(error)),
            _ => {}
        }
    }
    // What is damaged and set aside stays here; that it is missing goes along.
    let root = data_dir.join("partitions");
    let aside = Partition::days_aside(&root).map_err(io("list", &root))?;
    let mut absences = absence::read(data_dir)?;
    absences.extend(aside.into_iter().map(Absence::of_day_aside));
    Ok(absence::write(into, &absences)?)
}

fn make(path: &Path) -> Result<(), SnapshotError> {
    std::fs::create_dir(path).map_err(io("make", path))
}

fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SnapshotError + use<> {
    let path = path.to_owned();
    move |error| SnapshotError::Io { what, path, error }
}
