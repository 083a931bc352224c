//! Free space under `data_dir`: below the limit nothing more is acknowledged, so that commits, which give space back by
//! cutting the WAL, always have room.

use std::io;
use std::path::Path;

/// Bytes that may still be written by an ordinary user.
pub fn free_bytes(dir: &Path) -> io::Result<u64> {
    let stat = rustix::fs::statvfs(dir)?;
    Ok(stat.f_bavail * stat.f_frsize)
}

/// Bytes that the files below `dir` take on disk. Files that vanish meanwhile count nothing.
pub fn used_bytes(dir: &Path) -> io::Result<u64> {
    use std::os::unix::fs::MetadataExt;
    let mut used = 0;
    let mut dirs = vec![dir.to_path_buf()];
    while let Some(dir) = dirs.pop() {
        let entries = match std::fs::read_dir(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            match entry.metadata() {
                Ok(metadata) if metadata.is_dir() => dirs.push(entry.path()),
                Ok(metadata) => used += metadata.blocks() * 512,
                Err(_) => {}
            }
        }
    }
    Ok(used)
}
