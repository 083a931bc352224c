//! Where things lie below `data_dir`, and the lock that keeps a second process out; in `own`, small files that commands write there.

pub mod own;

use std::fs::File;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use clew_service::exit::ConfigError;

/// Of a folder that is made: what is in it is for no other account of the machine.
const FOLDER_MODE: u32 = 0o700;

/// What a restore writes, until it is whole.
pub const RESTORING: &str = "restoring";

const LOCK: &str = "lock";

/// The log.
pub fn wal(data_dir: &Path) -> PathBuf {
    data_dir.join("wal")
}

/// The days.
pub fn partitions(data_dir: &Path) -> PathBuf {
    data_dir.join("partitions")
}

/// Makes the folder and takes its lock. What a restore has left half done is not opened.
pub fn lock(data_dir: &Path) -> Result<File, ConfigError> {
    let held = || ConfigError::new(format!("data_dir: {} is held by another process", lock_path(data_dir).display()));
    let file = try_lock(data_dir)?.ok_or_else(held)?;
    let restoring = data_dir.join(RESTORING);
    if restoring.exists() {
        return Err(ConfigError::new(format!(
            "data_dir: a restore was broken off, {} is left of it: run `clew-aggregator restore` again",
            restoring.display()
        )));
    }
    make(data_dir)?;
    Ok(file)
}

/// Makes the folder, if need be, and takes its lock; none: another process has it.
pub fn try_lock(data_dir: &Path) -> Result<Option<File>, ConfigError> {
    make_folder(data_dir)?;
    let path = lock_path(data_dir);
    let file = own::open_lock(data_dir, LOCK).map_err(|error| failed("open", &path, &error))?;
    match rustix::fs::flock(&file, rustix::fs::FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(failed("lock", &path, &error.into())),
    }
}

/// Makes the folder and those in it.
pub fn make(data_dir: &Path) -> Result<(), ConfigError> {
    for dir in [data_dir.to_path_buf(), wal(data_dir), partitions(data_dir)] {
        make_folder(&dir)?;
    }
    Ok(())
}

/// Takes back what [`lock`] made, as long as nothing else is in it; with the lock in hand.
pub fn unmake(data_dir: &Path) {
    let removed = [partitions(data_dir), wal(data_dir)].iter().try_for_each(std::fs::remove_dir);
    let removed = removed.and_then(|()| std::fs::remove_file(lock_path(data_dir)));
    if let Err(error) = removed.and_then(|()| std::fs::remove_dir(data_dir)) {
        tracing::debug!("{} stays: {error}", data_dir.display());
    }
}

fn make_folder(dir: &Path) -> Result<(), ConfigError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(dir);
    made.map_err(|error| failed("make folder", dir, &error))
}

fn lock_path(data_dir: &Path) -> PathBuf {
    data_dir.join(LOCK)
}

fn failed(what: &str, path: &Path, error: &io::Error) -> ConfigError {
    ConfigError::new(format!("data_dir: {what} {}: {error}", path.display()))
}
