//! The roots of the patterns, each opened once in one pass over many directories.
//!
//! They are not held longer: an open directory keeps its file system from being unmounted.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use crate::tail::beneath::{Root, parts};
use crate::tail::file::Status;

#[derive(Debug, Default)]
pub struct Roots(HashMap<PathBuf, Option<Root>>);

impl Roots {
    /// Opens the directory at `path`, whose first `root_bytes` are its root. None: it cannot be opened, or a link leads there.
    pub fn open(&mut self, path: &Path, root_bytes: usize, flags: OFlags) -> Option<OwnedFd> {
        let (root, relative) = parts(path, root_bytes);
        if !self.0.contains_key(root) {
            self.0.insert(root.to_owned(), Root::open(root).ok());
        }
        self.0.get(root)?.as_ref()?.open_beneath(relative, flags | OFlags::DIRECTORY).ok()
    }

    /// When the entries of the directory at `path` changed last.
    pub fn modified_ns(&mut self, path: &Path, root_bytes: usize) -> Option<i128> {
        let directory = self.open(path, root_bytes, OFlags::PATH)?;
        Some(Status::of(&rustix::fs::fstat(directory).ok()?).modified_ns)
    }
}
