//! Appends groups; syncs before it says that they are there.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::recovery::Recovered;
use super::{frame, segment};

/// Why a group is not durable.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The group was not written and the log is as it was before: it may be tried again, when there is space for instance.
    #[error("write wal {path}: {error}")]
    Refused {
        /// The segment.
        path: PathBuf,
        /// What the file system said.
        error: io::Error,
    },
    /// A sync failed, now or before: what the disk holds is unknown, and nothing is written until a restart has read it.
    #[error("sync of wal {path} failed ({reason}): nothing more is acknowledged until a restart")]
    Poisoned {
        /// The segment.
        path: PathBuf,
        /// What the file system said.
        reason: String,
    },
}

/// The log's end.
pub struct Writer {
    dir: PathBuf,
    segment_bytes: u64,
    current: Option<Segment>,
    /// Position after the last durable frame.
    synced: u64,
    /// Frames of the open group.
    group: Vec<u8>,
    poisoned: Option<String>,
}

struct Segment {
    file: File,
    begin: u64,
}

/// A group buffer is kept for the next group up to this size.
const GROUP_BYTES_KEPT: usize = 4 << 20;

impl Writer {
    /// Goes on behind what `recovered` says. Segments are begun anew when they are past `segment_bytes`.
    pub fn open(dir: &Path, recovered: &Recovered, segment_bytes: u64) -> io::Result<Self> {
        let current = match recovered.newest {
            Some(begin) => {
                let file = File::options().read(true).write(true).open(segment::path(dir, begin))?;
                Some(Segment { file, begin })
            }
            None => None,
        };
        Ok(Self { dir: dir.into(), segment_bytes, current, synced: recovered.end, group: Vec::new(), poisoned: None })
    }

    /// Position after the last durable frame.
    pub fn end(&self) -> u64 {
        self.synced
    }

    /// Adds a frame to the open group. Returns the position after it.
    pub fn append(&mut self, payload: &[u8]) -> u64 {
        let position = self.synced + self.group.len() as u64;
        frame::put(&mut self.group, position, self.synced, payload);
        self.synced + self.group.len() as u64
    }

    /// Forgets the open group.
    pub fn discard(&mut self) {
        self.group.clear();
    }

    /// Makes the open group durable: all of it, or nothing.
    pub fn commit(&mut self) -> Result<(), WriteError> {
        let outcome = self.write_group();
        self.group.clear();
        self.group.shrink_to(GROUP_BYTES_KEPT);
        outcome
    }

    fn write_group(&mut self) -> Result<(), WriteError> {
        if let Some(reason) = &self.poisoned {
            return Err(WriteError::Poisoned { path: self.path(), reason: reason.clone() });
        }
        if self.group.is_empty() {
            return Ok(());
        }
        self.roll().map_err(|error| WriteError::Refused { path: self.dir.clone(), error })?;
        let segment = self.current.as_ref().expect("rolled");
        let offset = segment::HEADER_BYTES + self.synced - segment.begin;
        if let Err(error) = segment.file.write_all_at(&self.group, offset) {
            // Cut off what was written of it, so that no later crash can take half a group for a whole one.
            return match segment.file.set_len(offset) {
                Ok(()) => Err(WriteError::Refused { path: self.path(), error }),
                Err(error) => Err(self.poison(&error)),
            };
        }
        if let Err(error) = segment.file.sync_data() {
            return Err(self.poison(&error));
        }
        self.synced += self.group.len() as u64;
        Ok(())
    }

    /// Begins a new segment when the current one is full.
    fn roll(&mut self) -> io::Result<()> {
        let full = self.current.as_ref().is_none_or(|segment| self.synced - segment.begin >= self.segment_bytes);
        if full {
            let file = segment::create(&self.dir, self.synced, self.segment_bytes)?;
            self.current = Some(Segment { file, begin: self.synced });
        }
        Ok(())
    }

    fn poison(&mut self, error: &io::Error) -> WriteError {
        self.poisoned = Some(error.to_string());
        WriteError::Poisoned { path: self.path(), reason: error.to_string() }
    }

    fn path(&self) -> PathBuf {
        self.current.as_ref().map_or(self.dir.clone(), |segment| segment::path(&self.dir, segment.begin))
    }
}
