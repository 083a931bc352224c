//! Is this file the one that we know? Device and inode say so, and a hash of its first bytes, and a hash of the bytes just
//! before the position that was reached: the inode alone is used again by file systems, and a file can be overwritten in place.

use std::io;

use xxhash_rust::xxh3::xxh3_64;

use crate::tail::file::LogFile;

/// The prefix grows up to this many bytes.
pub const PREFIX_BYTES_MAX: usize = 1024;
/// The guard covers at most this many bytes.
pub const GUARD_BYTES_MAX: usize = 256;

/// The hash (xxh3-64, seed 0) of `length` bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    pub length: u32,
    pub hash: u64,
}

impl Fingerprint {
    /// Of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { length: bytes.len() as u32, hash: xxh3_64(bytes) }
    }

    /// The guard of the position where `bytes` ends.
    pub fn guard(bytes: &[u8]) -> Self {
        Self::of(&bytes[bytes.len().saturating_sub(GUARD_BYTES_MAX)..])
    }

    /// Nothing to compare with: everything agrees.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }
}

/// The prefix of a file as it is now.
pub fn prefix(file: &LogFile) -> io::Result<Fingerprint> {
    let mut bytes = [0; PREFIX_BYTES_MAX];
    let length = file.read_at(0, &mut bytes)?;
    Ok(Fingerprint::of(&bytes[..length]))
}

/// The prefix of a file as it is now; none when it does not begin with what `known` was taken of: the file was overwritten.
pub fn grown_prefix(file: &LogFile, known: Fingerprint) -> io::Result<Option<Fingerprint>> {
    let mut bytes = [0; PREFIX_BYTES_MAX];
    let length = file.read_at(0, &mut bytes)?;
    let begins = bytes[..length].get(..known.length as usize);
    let is_same = begins.is_some_and(|begins| known.is_empty() || Fingerprint::of(begins) == known);
    Ok(is_same.then(|| Fingerprint::of(&bytes[..length])))
}

/// The guard of `frontier` in a file as it is now.
pub fn guard(file: &LogFile, frontier: u64) -> io::Result<Fingerprint> {
    let mut bytes = [0; GUARD_BYTES_MAX];
    let length = frontier.min(GUARD_BYTES_MAX as u64);
    let read = file.read_at(frontier - length, &mut bytes[..length as usize])?;
    Ok(Fingerprint::of(&bytes[..read]))
}

/// Whether the file begins with what `prefix` was taken of.
pub fn prefix_agrees(file: &LogFile, prefix: Fingerprint) -> io::Result<bool> {
    agrees(file, 0, prefix)
}

/// Whether the file is the one of which this was shipped: it begins with `prefix`, and holds `guard` before the `frontier`.
pub fn goes_on(file: &LogFile, prefix: Fingerprint, frontier: u64, guard: Fingerprint) -> bool {
    prefix_agrees(file, prefix).unwrap_or(false) && guard_agrees(file, frontier, guard).unwrap_or(false)
}

/// Whether the bytes before `frontier` are those that `guard` was taken of, and the file reaches up to it.
pub fn guard_agrees(file: &LogFile, frontier: u64, guard: Fingerprint) -> io::Result<bool> {
    if file.status()?.size < frontier {
        return Ok(false);
    }
    match frontier.checked_sub(u64::from(guard.length)) {
        Some(begin) => agrees(file, begin, guard),
        None => Ok(false),
    }
}

fn agrees(file: &LogFile, begin: u64, fingerprint: Fingerprint) -> io::Result<bool> {
    if fingerprint.length as usize > PREFIX_BYTES_MAX.max(GUARD_BYTES_MAX) {
        return Ok(false);
    }
    let mut bytes = [0; PREFIX_BYTES_MAX];
    let length = file.read_at(begin, &mut bytes[..fingerprint.length as usize])?;
    Ok(fingerprint.is_empty() || Fingerprint::of(&bytes[..length]) == fingerprint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_agrees_with_itself_as_it_grows() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        std::fs::write(&path, b"first line\n").unwrap();
        let (file, _) = LogFile::open(&path).unwrap();
        let (prefix, guard) = (prefix(&file).unwrap(), Fingerprint::guard(b"first line\n"));
        std::fs::write(&path, b"first line\nsecond\n").unwrap();
        assert!(prefix_agrees(&file, prefix).unwrap() && guard_agrees(&file, 11, guard).unwrap());
        assert!(!guard_agrees(&file, 12, guard).unwrap());
        assert!(!guard_agrees(&file, 100, guard).unwrap());
        assert!(!guard_agrees(&file, 3, guard).unwrap());
        std::fs::write(&path, b"other line\nsecond\n").unwrap();
        assert!(!prefix_agrees(&file, prefix).unwrap() && !guard_agrees(&file, 11, guard).unwrap());
        assert!(prefix_agrees(&file, Fingerprint::default()).unwrap());
        // What stands there now is another file's prefix, however much longer it is.
        assert_eq!(grown_prefix(&file, prefix).unwrap(), None);
        std::fs::write(&path, b"first line\nsecond\n").unwrap();
        assert_eq!(grown_prefix(&file, prefix).unwrap(), Some(Fingerprint::of(b"first line\nsecond\n")));
        std::fs::write(&path, b"first").unwrap();
        assert_eq!(grown_prefix(&file, prefix).unwrap(), None);
    }

    #[test]
    fn what_is_no_regular_file_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::fs::write(folder.path().join("a"), b"").unwrap();
        std::os::unix::fs::symlink(folder.path().join("a"), &link).unwrap();
        for path in [link.as_path(), folder.path(), std::path::Path::new("/dev/null")] {
            assert!(matches!(LogFile::open(path), Err(crate::tail::file::OpenError::NotRegular)), "{path:?}");
        }
    }
}
