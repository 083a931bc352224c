//! The partition's directory: memory maps, but for single blocks of a store.
//!
//! A look into a dictionary and its postings touches single pages far from each other: their maps are without the kernel's read-ahead, which
//! would read megabytes around each.
//!
//! A block's payload is some 30 KB at a random place. Through a memory map that is either a page fault per 4 KB or, with the
//! kernel's read-ahead, megabytes for each; a `pread` on a descriptor without read-ahead is one request of the right size.
//! Long ranges (a merge copies whole stores) still go through the map.

use std::fmt;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tantivy::HasLen;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    Advice, Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, OwnedBytes, WatchCallback, WatchHandle, WritePtr,
};

use super::descriptors::Descriptor;

/// A longer range is read through the map.
const PREAD_BYTES_MAX: usize = 1 << 20;

/// See the module.
#[derive(Clone, Debug)]
pub struct PartitionDirectory {
    mapped: MmapDirectory,
    /// The same directory; its maps are read here and there.
    mapped_random: MmapDirectory,
    root: PathBuf,
}

impl PartitionDirectory {
    /// Opens the directory at `root`.
    pub fn open(root: &Path) -> tantivy::Result<Self> {
        Ok(Self {
            mapped: MmapDirectory::open(root)?,
            mapped_random: MmapDirectory::open_with_madvice(root, Advice::Random)?,
            root: root.into(),
        })
    }
}

impl Directory for PartitionDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        match path.extension().and_then(|kind| kind.to_str()) {
            Some("store") => {
                let mapped = self.mapped.get_file_handle(path)?;
                Ok(Arc::new(StoreFile { mapped, descriptor: Descriptor::new(self.root.join(path)) }))
            }
            Some("term" | "idx") => self.mapped_random.get_file_handle(path),
            _ => self.mapped.get_file_handle(path),
        }
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.mapped.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.mapped.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.mapped.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.mapped.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.mapped.atomic_write(path, data)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.mapped.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.mapped.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.mapped.watch(callback)
    }
}

struct StoreFile {
    mapped: Arc<dyn FileHandle>,
    descriptor: Descriptor,
}

impl fmt::Debug for StoreFile {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.mapped.fmt(out)
    }
}

impl HasLen for StoreFile {
    fn len(&self) -> usize {
        self.mapped.len()
    }
}

impl FileHandle for StoreFile {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        if range.len() > PREAD_BYTES_MAX {
            return self.mapped.read_bytes(range);
        }
        let file = match self.descriptor.file() {
            Ok(file) => file,
            // Its segment was merged into another one: whoever reads it still has the map.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return self.mapped.read_bytes(range),
            Err(error) => return Err(error),
        };
        let mut bytes = vec![0; range.len()];
        file.read_exact_at(&mut bytes, range.start as u64)?;
        Ok(OwnedBytes::new(bytes))
    }
}
