//! Small files of `data_dir` that a command of root may write as well: they belong to the folder's owner, who has to read them.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, lchown};
use std::path::Path;

use crate::wal::segment::sync_dir;

const MODE: u32 = 0o600;

/// Replaces `dir/name` as a whole, durably.
pub fn write(dir: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let new = dir.join(format!("{name}.new"));
    let mut file = File::options().write(true).create(true).truncate(true).mode(MODE).open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    hand_over(&new, dir)?;
    std::fs::rename(&new, dir.join(name))?;
    sync_dir(dir)
}

/// Opens `dir/name` to be locked, and makes it when it is not there.
pub fn open_lock(dir: &Path, name: &str) -> io::Result<File> {
    let path = dir.join(name);
    let file = File::options().read(true).write(true).create(true).truncate(false).mode(MODE).open(&path)?;
    hand_over(&path, dir)?;
    Ok(file)
}

/// Gives `path`, and all below it, to the owner of `dir`.
pub fn hand_over(path: &Path, dir: &Path) -> io::Result<()> {
    let (owner, own) = (dir.metadata()?, path.symlink_metadata()?);
    if (own.uid(), own.gid()) != (owner.uid(), owner.gid()) && rustix::process::geteuid().is_root() {
        lchown(path, Some(owner.uid()), Some(owner.gid()))?;
    }
    if own.is_dir() {
        for entry in std::fs::read_dir(path)? {
            hand_over(&entry?.path(), dir)?;
        }
    }
    Ok(())
}
