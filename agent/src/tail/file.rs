//! An open log file: regular, not behind a symbolic link, read by position.
//!
//! Invariant: what is open is a regular file, and its key is that of the open file, not of whatever its path names by now.
//! Of a compressed one, size and positions are those of its decompressed bytes.

use std::cell::RefCell;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, StatxFlags};

use super::beneath::{Location, Root};
use super::inflate::{Compression, Inflate};

/// A file on this host, for as long as it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileKey {
    pub device: u64,
    pub inode: u64,
}

impl FileKey {
    /// Of what `stat` tells.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)] // the types differ between targets
    pub fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev as u64, inode: stat.st_ino as u64 }
    }
}

/// What a file is like now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    pub key: FileKey,
    pub size: u64,
    pub modified_ns: i128,
    /// No directory names it any more.
    pub unlinked: bool,
}

impl Status {
    /// Of what `stat` tells.
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast)]
    pub fn of(stat: &Stat) -> Self {
        Self {
            key: FileKey::of(stat),
            size: u64::try_from(stat.st_size).unwrap_or(0),
            modified_ns: i128::from(stat.st_mtime) * 1_000_000_000 + stat.st_mtime_nsec as i128,
            unlinked: stat.st_nlink == 0,
        }
    }
}

/// Whether the file system does not know what was opened any more, as NFS says it.
pub fn is_stale(error: &io::Error) -> bool {
    rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::STALE)
}

/// Why a file is not tailed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("not a regular file")]
    NotRegular,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// An open regular file.
#[derive(Debug)]
pub struct LogFile {
    file: OwnedFd,
    key: FileKey,
    /// Of a compressed file: its decoder, and how many bytes it was found to hold.
    inflate: Option<(RefCell<Inflate>, u64)>,
}

impl LogFile {
    /// Opens `path` without following a symbolic link at its end and without waiting (a FIFO would make it).
    pub fn open(path: &Path) -> Result<(Self, Status), OpenError> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        Self::of(rustix::fs::open(path, flags, Mode::empty()).map_err(io::Error::from))
    }

    /// Opens `relative` beneath `root` without following a symbolic link anywhere behind `root`, and without waiting.
    pub fn open_beneath(root: &Path, relative: &Path) -> Result<(Self, Status), OpenError> {
        Self::of(Root::open(root).and_then(|root| root.open_beneath(relative, OFlags::RDONLY)))
    }

    /// Opens what is at `location`, in the same way.
    pub fn open_at(location: &Location) -> Result<(Self, Status), OpenError> {
        let (root, relative) = location.parts();
        Self::open_beneath(root, relative)
    }

    fn of(opened: io::Result<OwnedFd>) -> Result<(Self, Status), OpenError> {
        let file = opened.map_err(|error| match rustix::io::Errno::from_io_error(&error) {
            // A symbolic link; a socket, or a device without a driver.
            Some(rustix::io::Errno::LOOP | rustix::io::Errno::NXIO | rustix::io::Errno::NODEV) => OpenError::NotRegular,
            _ => OpenError::Io(error),
        })?;
        let stat = rustix::fs::fstat(&file).map_err(io::Error::from)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(OpenError::NotRegular);
        }
        let status = Status::of(&stat);
        Ok((Self { file, key: status.key, inflate: None }, status))
    }

    /// Which file it is.
    pub fn key(&self) -> FileKey {
        self.key
    }

    /// Read as the `size` bytes that it decompresses to.
    pub fn inflated(mut self, compression: Compression, size: u64) -> io::Result<Self> {
        self.inflate = Some((RefCell::new(Inflate::new(self.file.try_clone()?, compression)), size));
        Ok(self)
    }

    /// A decoder of its own, for another thread.
    pub fn decoder(&self, compression: Compression) -> io::Result<Inflate> {
        Ok(Inflate::new(self.file.try_clone()?, compression))
    }

    /// Gives back what decoding needs, until something is read again.
    pub fn rest(&self) {
        if let Some((inflate, _)) = &self.inflate {
            inflate.borrow_mut().restart();
        }
    }

    /// Whether the kernel says that nobody has it open for writing. It says so, by granting a lease, only to who owns the file or may take any lease,
    /// and only on local file systems.
    pub fn has_no_writer(&self) -> bool {
        let lease = |kind: libc::c_int| {
            // SAFETY: the descriptor is open as long as `self.file`, and the command takes an integer.
            unsafe { libc::fcntl(self.file.as_raw_fd(), libc::F_SETLEASE, kind) == 0 }
        };
        // Held for an instant: a writer that opens the file meanwhile waits for its release.
        lease(libc::F_RDLCK) && lease(libc::F_UNLCK)
    }

    /// What it is like now.
    pub fn status(&self) -> io::Result<Status> {
        let mut status = Status::of(&rustix::fs::fstat(&self.file)?);
        if let Some((_, size)) = &self.inflate {
            status.size = *size;
        }
        Ok(status)
    }

    /// When it was made, nanoseconds since the epoch; not every file system knows.
    pub fn born_ns(&self) -> Option<i128> {
        let wanted = StatxFlags::BTIME;
        let stat = rustix::fs::statx(&self.file, "", AtFlags::EMPTY_PATH, wanted).ok()?;
        let known = stat.stx_mask & wanted.bits() != 0;
        known.then(|| i128::from(stat.stx_btime.tv_sec) * 1_000_000_000 + i128::from(stat.stx_btime.tv_nsec))
    }

    /// Fills `buffer` from `position` on. Answers how many bytes there were; fewer only at the file's end.
    pub fn read_at(&self, position: u64, buffer: &mut [u8]) -> io::Result<usize> {
        if let Some((inflate, size)) = &self.inflate {
            let most = usize::try_from(size.saturating_sub(position)).unwrap_or(usize::MAX).min(buffer.len());
            return inflate.borrow_mut().read_at(position, &mut buffer[..most]);
        }
        let mut end = 0;
        while end < buffer.len() {
            match rustix::io::pread(&self.file, &mut buffer[end..], position + end as u64) {
                Ok(0) => break,
                Ok(read) => end += read,
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(end)
    }
}
