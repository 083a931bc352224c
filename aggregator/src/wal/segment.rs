//! One file of frames: `<position of its first frame, 20 digits>.wal`.
//!
//! ```text
//! "CLEWWAL" version:u8 position:u64 crc32c of the 16 bytes before it:u32      20 bytes, little-endian; then frames
//! ```

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use rustix::fs::FallocateFlags;

/// Bytes before the first frame.
pub const HEADER_BYTES: u64 = 20;
const MAGIC: &[u8; 7] = b"CLEWWAL";
/// Version of the format. A reader refuses any other.
pub const VERSION: u8 = 1;
const SUFFIX: &str = "wal";

/// Creates the segment whose first frame stands at `position`, with room for `bytes` set aside, durably.
pub fn create(dir: &Path, position: u64, bytes: u64) -> io::Result<File> {
    let path = path(dir, position);
    let file = File::options().read(true).write(true).create(true).truncate(true).open(&path)?;
    let made = set_aside(&file, bytes)
        .and_then(|()| file.write_all_at(&header(position), 0))
        .and_then(|()| file.sync_all())
        .and_then(|()| sync_dir(dir));
    if made.is_err() {
        let _ = std::fs::remove_file(&path);
    }
    made.map(|()| file)
}

/// With the room set aside, a full disk shows when a segment is made and not in the middle of a sync. File systems that
/// cannot do it are used without.
fn set_aside(file: &File, bytes: u64) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes) {
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) | Ok(()) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// Makes the names in `dir` durable.
pub fn sync_dir(dir: &Path) -> io::Result<()> {
    File::open(dir)?.sync_all()
}

/// Where the segment that begins at `position` is.
pub fn path(dir: &Path, position: u64) -> PathBuf {
    dir.join(format!("{position:020}.{SUFFIX}"))
}

/// The positions of all segments in `dir`, rising.
pub fn list(dir: &Path) -> io::Result<Vec<u64>> {
    let mut positions = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|suffix| suffix == SUFFIX)
            && let Some(position) = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok())
        {
            positions.push(position);
        }
    }
    positions.sort_unstable();
    Ok(positions)
}

/// Removes the segments that end at or before `before`. The newest one always stays.
pub fn remove_before(dir: &Path, before: u64) -> io::Result<usize> {
    let positions = list(dir)?;
    let done = positions.windows(2).take_while(|pair| pair[1] <= before).count();
    for position in &positions[..done] {
        std::fs::remove_file(path(dir, *position))?;
    }
    if done > 0 {
        sync_dir(dir)?;
    }
    Ok(done)
}

/// Removes every segment: nothing in them is needed any more, and nobody writes.
pub fn remove_all(dir: &Path) -> io::Result<()> {
    for position in list(dir)? {
        std::fs::remove_file(path(dir, position))?;
    }
    sync_dir(dir)
}

fn header(position: u64) -> [u8; HEADER_BYTES as usize] {
    let mut header = [0; HEADER_BYTES as usize];
    header[..7].copy_from_slice(MAGIC);
    header[7] = VERSION;
    header[8..16].copy_from_slice(&position.to_le_bytes());
    let sum = crc32c::crc32c(&header[..16]);
    header[16..].copy_from_slice(&sum.to_le_bytes());
    header
}

/// What the first bytes of a segment say.
#[derive(Debug, PartialEq, Eq)]
pub enum HeaderState {
    /// A segment of this version that begins at the position in its name.
    Valid,
    /// A segment of another version.
    Version(u8),
    /// No header, or that of another position.
    Invalid,
}

/// Checks the header of the segment named after `position`.
pub fn check_header(bytes: &[u8], position: u64) -> HeaderState {
    match bytes.get(..HEADER_BYTES as usize) {
        Some(found) if *found == header(position) => HeaderState::Valid,
        Some(found) if found.starts_with(MAGIC) && found[7] != VERSION => HeaderState::Version(found[7]),
        _ => HeaderState::Invalid,
    }
}
