//! Files that are or were called alike: a live file and its rotated and compressed siblings. Pure.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use xxhash_rust::xxh3::Xxh3;

use crate::discover::rotated::live_names;

/// A folder and the live name that a file of it was rotated from, by their hash (xxh3-128).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Family(u128);

impl Family {
    /// That of the file at `path`. None: the path names no file.
    pub fn of(path: &Path) -> Option<Self> {
        let (folder, name) = (path.parent()?, path.file_name()?);
        // The oldest name that the file may have had.
        let live = live_names(name.as_bytes()).last().map_or(name, OsStr::from_bytes);
        let mut hash = Xxh3::new();
        hash.update(folder.as_os_str().as_bytes());
        hash.update(b"\0");
        hash.update(live.as_bytes());
        Some(Self(hash.digest128()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rotated_files_belong_to_their_live_one() {
        let of = |path: &str| Family::of(Path::new(path)).unwrap();
        for path in ["/a/x.log.1", "/a/x.log.2.gz", "/a/x.log-20261125", "/a/x.log-20261125.zst"] {
            assert_eq!(of(path), of("/a/x.log"), "{path}");
        }
        for path in ["/b/x.log", "/a/y.log", "/a/x", "/ax.log"] {
            assert_ne!(of(path), of("/a/x.log"), "{path}");
        }
        assert_eq!(Family::of(Path::new("/")), None);
    }
}
