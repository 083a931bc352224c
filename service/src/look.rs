//! Whether a file has changed since it was looked at: it was replaced, or written to.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// What tells one state of a file from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    size: u64,
}

/// Looks; links are followed. None: it is not there.
pub fn look(path: &Path) -> Option<Look> {
    let metadata = path.metadata().ok()?;
    Some(Look {
        device: metadata.dev(),
        inode: metadata.ino(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        size: metadata.size(),
    })
}
