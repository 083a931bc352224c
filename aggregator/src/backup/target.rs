//! Where backups are kept: a folder, or a bucket of an S3-compatible store.

use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use object_store::ObjectStore;
use object_store::aws::AmazonS3Builder;
use object_store::local::LocalFileSystem;
use object_store::prefix::PrefixStore;

use crate::data_dir::own;

/// Of a folder that is made: what is in it is for no other account of the machine.
const FOLDER_MODE: u32 = 0o700;

/// Why a target cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It is spelled in no known way.
    #[error("target {0:?}: write a folder (/backup/clew, file:///backup/clew) or a bucket (s3://bucket/prefix)")]
    Spelling(String),
    /// The file system refuses.
    #[error("target {path}: {error}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What came of it.
        error: std::io::Error,
    },
    /// It is somebody else's, or the aggregator's own.
    #[error("target {0}")]
    Place(String),
    /// The store's client refuses.
    #[error("target {name}: {error}")]
    Store {
        /// The target.
        name: String,
        /// What it said.
        error: Box<object_store::Error>,
    },
}

/// A place for backups.
pub struct Target {
    /// As it was written.
    pub name: String,
    /// All names are relative to the target.
    pub store: Arc<dyn ObjectStore>,
    /// Its path, if it is a folder.
    folder: Option<PathBuf>,
}

impl Target {
    /// What `text` names. A folder has to be there, unless `is_made`: then it is made.
    pub fn open(text: &str, is_made: bool) -> Result<Self, TargetError> {
        match text.split_once("://") {
            Some(("s3", place)) => Self::bucket(text, place),
            Some(("file", path)) if path.starts_with('/') => Self::folder(text, Path::new(path), is_made),
            None if !text.is_empty() => Self::folder(text, Path::new(text), is_made),
            _ => Err(TargetError::Spelling(text.to_owned())),
        }
    }

    /// Credentials, region and endpoint come from the environment: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`,
    /// `AWS_ENDPOINT`, `AWS_ALLOW_HTTP`.
    fn bucket(name: &str, place: &str) -> Result<Self, TargetError> {
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        if bucket.is_empty() {
            return Err(TargetError::Spelling(name.to_owned()));
        }
        // Another part of the process may have chosen already; it is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let built = AmazonS3Builder::from_env().with_bucket_name(bucket).build();
        let bucket = built.map_err(|error| TargetError::Store { name: name.to_owned(), error: error.into() })?;
        let store: Arc<dyn ObjectStore> = match prefix.trim_matches('/') {
            "" => Arc::new(bucket),
            prefix => Arc::new(PrefixStore::new(bucket, prefix)),
        };
        Ok(Self { name: name.to_owned(), store, folder: None })
    }

    fn folder(name: &str, path: &Path, is_made: bool) -> Result<Self, TargetError> {
        let io = |error| TargetError::Folder { path: path.to_owned(), error };
        if is_made {
            std::fs::DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(path).map_err(io)?;
        }
        let path = path.canonicalize().map_err(io)?;
        let store = LocalFileSystem::new_with_prefix(&path);
        let store = store.map_err(|error| TargetError::Store { name: name.to_owned(), error: error.into() })?;
        Ok(Self { name: name.to_owned(), store: Arc::new(store.with_fsync(true)), folder: Some(path) })
    }

    /// Refuses a folder in which a backup of `data_dir` would be no use: in `data_dir` itself, or out of its owner's reach.
    pub fn is_fit(&self, data_dir: &Path) -> Result<(), TargetError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        if data_dir.canonicalize().is_ok_and(|data_dir| folder.starts_with(data_dir)) {
            return Err(TargetError::Place(format!(
                "{}: it lies in data_dir, and goes where that goes",
                folder.display()
            )));
        }
        own::refuse_root(folder).map_err(TargetError::Place)
    }

    /// Removes what a run that was killed left half written in a folder; a bucket keeps nothing of that kind under a name.
    pub fn sweep(&self) -> std::io::Result<()> {
        let mut folders: Vec<PathBuf> = self.folder.iter().cloned().collect();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder)? {
                let entry = entry?;
                if entry.file_type()?.is_dir() {
                    folders.push(entry.path());
                } else if entry.file_name().as_encoded_bytes().contains(&b'#') {
                    std::fs::remove_file(entry.path())?;
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
impl Target {
    /// One that is gone with the test.
    pub fn in_memory() -> Self {
        Self { name: "memory".into(), store: Arc::new(object_store::memory::InMemory::new()), folder: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_target_is_refused_with_the_spellings() {
        for text in ["", "s3://", "s3:///prefix", "ftp://host/path", "file://host/path"] {
            let error = Target::open(text, false).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("s3://bucket/prefix"), "{text:?}: {error}");
        }
        let error = Target::open("/not/there", false).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("target /not/there: "), "{error}");
    }

    #[test]
    fn what_was_left_half_written_goes_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let target = Target::open(dir.path().join("a/b").to_str().unwrap(), true).unwrap();
        let folder = dir.path().join("a/b/objects/ab");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("abcd#1"), "half").unwrap();
        std::fs::write(folder.join("abcd"), "whole").unwrap();
        target.sweep().unwrap();
        let names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["abcd"]);
    }
}
