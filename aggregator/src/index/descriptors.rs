//! Descriptors of store files, of which a process may have only so many: those that were read last are open, the others are opened when they
//! are read. Hundreds of days have thousands of segments.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use quick_cache::sync::Cache;
use rustix::fs::{Advice, fadvise};

/// So many are open at a time.
pub const DESCRIPTORS_MAX: usize = 512;

/// By the number of a [`Descriptor`]. They are the process's: what it may open is counted over all partitions.
static OPEN: LazyLock<Cache<u64, Arc<File>>> = LazyLock::new(|| Cache::new(DESCRIPTORS_MAX));
static NEXT: AtomicU64 = AtomicU64::new(0);

/// A file that is open when it was read a short while ago.
#[derive(Debug)]
pub struct Descriptor {
    number: u64,
    path: PathBuf,
}

impl Descriptor {
    /// Of the file at `path`, which never changes.
    pub fn new(path: PathBuf) -> Self {
        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), path }
    }

    /// Opens it if it is not open. A file that was deleted meanwhile is not found.
    pub fn file(&self) -> io::Result<Arc<File>> {
        OPEN.get_or_insert_with(&self.number, || {
            let file = File::open(&self.path)?;
            // Advice alone: where it is not taken, the kernel reads more than it must.
            let _ = fadvise(&file, 0, None, Advice::Random);
            Ok(Arc::new(file))
        })
    }
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        OPEN.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use super::*;

    /// How many of these are open.
    fn open(numbers: &[u64]) -> usize {
        numbers.iter().filter(|number| OPEN.peek(*number).is_some()).count()
    }

    #[test]
    fn a_thousand_files_take_a_few_hundred_descriptors() {
        let directory = tempfile::tempdir().unwrap();
        let files: Vec<Descriptor> = (0..2 * DESCRIPTORS_MAX)
            .map(|number| {
                let path = directory.path().join(number.to_string());
                std::fs::write(&path, number.to_string()).unwrap();
                Descriptor::new(path)
            })
            .collect();
        let numbers: Vec<u64> = files.iter().map(|descriptor| descriptor.number).collect();
        for _ in 0..2 {
            for (number, descriptor) in files.iter().enumerate() {
                let text = number.to_string();
                let mut read = vec![0; text.len()];
                descriptor.file().unwrap().read_exact_at(&mut read, 0).unwrap();
                assert_eq!(read, text.as_bytes());
            }
            assert!((1..=DESCRIPTORS_MAX).contains(&open(&numbers)), "{}", open(&numbers));
        }
        drop(files);
        assert_eq!(open(&numbers), 0, "nobody reads them any more");
    }

    #[test]
    fn a_file_that_is_gone_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let error = Descriptor::new(directory.path().join("0")).file().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
    }
}
