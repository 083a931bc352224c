//! Objects and manifests in a target.
//!
//! ```text
//! objects/<first 2 digits>/<SHA-256, 64 digits>     the bytes of a file, whoever needs them
//! backups/<id>.json                                  a manifest: names its objects
//! ```
//!
//! An object is never changed: what is there under its name and has its size is not written again. A manifest is written when all of
//! its objects are there, and objects go only when no manifest names them.

use std::collections::{HashMap, HashSet};
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path as Name;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload};
use sha2::{Digest, Sha256};
use tokio_stream::StreamExt;

use super::manifest::{File, Manifest, ManifestError, hex};
use super::target::Target;

/// A larger file goes up in parts of this size, and every object comes back in such parts: what is held of it in memory.
const PART_BYTES: u64 = 8 << 20;
/// Read at a time to be hashed.
const HASHED_BYTES: usize = 256 << 10;
/// S3 takes 10,000.
const PARTS_MAX: u64 = 9_000;

/// Why something could not be kept or had.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// The target refuses.
    #[error("{what} {name} in {target}: {error}")]
    Store {
        /// What was tried.
        what: &'static str,
        /// With which object.
        name: String,
        /// Where.
        target: String,
        /// What it said.
        error: Box<object_store::Error>,
    },
    /// The file system refuses.
    #[error("{what} {path}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What came of it.
        error: io::Error,
    },
    /// A manifest cannot be used.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The target holds no backup, or not this one.
    #[error("{target} holds no backup{}: `clew-aggregator backup {target} --list` names those that it holds", .id.as_ref().map(|id| format!(" {id}")).unwrap_or_default())]
    NoBackup {
        /// Where.
        target: String,
        /// Which.
        id: Option<String>,
    },
}

/// What is wrong with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It is not there.
    Missing,
    /// It has another size.
    Size(u64),
    /// It has another content, with this SHA-256.
    Content(String),
}

impl std::fmt::Display for Damage {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing => write!(out, "it is not there"),
            Self::Size(bytes) => write!(out, "it has {bytes} bytes"),
            Self::Content(found) => write!(out, "its SHA-256 is {found}"),
        }
    }
}

/// See the module.
#[derive(Clone)]
pub struct Repository {
    store: Arc<dyn ObjectStore>,
    target: String,
}

impl Repository {
    /// In `target`.
    pub fn new(target: &Target) -> Self {
        Self { store: Arc::clone(&target.store), target: target.name.clone() }
    }

    /// The target, as it was written.
    pub fn target(&self) -> &str {
        &self.target
    }

    fn failed(&self, what: &'static str, name: &Name) -> impl FnOnce(object_store::Error) -> RepositoryError + use<> {
        let (name, target) = (name.to_string(), self.target.clone());
        move |error| RepositoryError::Store { what, name, target, error: Box::new(error) }
    }

    /// IDs of all backups, the oldest first.
    pub async fn ids(&self) -> Result<Vec<String>, RepositoryError> {
        let listed = self.list("backups").await?;
        let mut ids: Vec<String> = listed
            .into_iter()
            .filter_map(|(name, _)| Some(name.filename()?.strip_suffix(".json")?.to_owned()))
            .collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// A backup's manifest.
    pub async fn manifest(&self, id: &str) -> Result<Manifest, RepositoryError> {
        let name = manifest_name(id);
        let bytes = match self.store.get(&name).await {
            Ok(found) => found.bytes().await,
            Err(object_store::Error::NotFound { .. }) => {
                return Err(RepositoryError::NoBackup { target: self.target.clone(), id: Some(id.to_owned()) });
            }
            Err(error) => Err(error),
        };
        Ok(Manifest::decode(id, &bytes.map_err(self.failed("read", &name))?)?)
    }

    /// The newest backup.
    pub async fn newest(&self) -> Result<Manifest, RepositoryError> {
        match self.ids().await?.last() {
            Some(id) => self.manifest(id).await,
            None => Err(RepositoryError::NoBackup { target: self.target.clone(), id: None }),
        }
    }

    /// Sizes of all objects, by their SHA-256.
    pub async fn objects(&self) -> Result<HashMap<String, u64>, RepositoryError> {
        let listed = self.list("objects").await?;
        Ok(listed.into_iter().filter_map(|(name, bytes)| Some((name.filename()?.to_owned(), bytes))).collect())
    }

    async fn list(&self, folder: &str) -> Result<Vec<(Name, u64)>, RepositoryError> {
        let folder = Name::from(folder);
        let mut listed = self.store.list(Some(&folder));
        let mut found = Vec::new();
        while let Some(meta) = listed.next().await {
            let meta = meta.map_err(self.failed("list", &folder))?;
            found.push((meta.location, meta.size));
        }
        Ok(found)
    }

    /// Keeps the content of the file at `path` as the object that `file` names.
    pub async fn put(&self, file: &File, path: &Path) -> Result<(), RepositoryError> {
        let name = object_name(&file.sha256);
        let io = |what| move |error| RepositoryError::Io { what, path: path.to_owned(), error };
        let opened = Arc::new(std::fs::File::open(path).map_err(io("open"))?);
        if file.bytes <= PART_BYTES {
            let payload = read_part(&opened, 0, file.bytes).await.map_err(io("read"))?;
            self.store.put(&name, payload.into()).await.map_err(self.failed("write", &name))?;
            return Ok(());
        }
        let mut upload = self.store.put_multipart(&name).await.map_err(self.failed("write", &name))?;
        let outcome = self.put_parts(&mut *upload, &name, &opened, file.bytes, path).await;
        if outcome.is_err() {
            // What is left of it is swept, or expires; the first error is what counts.
            let _ = upload.abort().await;
        }
        outcome
    }

    async fn put_parts(
        &self,
        upload: &mut dyn MultipartUpload,
        name: &Name,
        opened: &Arc<std::fs::File>,
        bytes: u64,
        path: &Path,
    ) -> Result<(), RepositoryError> {
        let part_bytes = PART_BYTES.max(bytes.div_ceil(PARTS_MAX));
        let mut at = 0;
        while at < bytes {
            let part = read_part(opened, at, part_bytes.min(bytes - at)).await;
            let part = part.map_err(|error| RepositoryError::Io { what: "read", path: path.to_owned(), error })?;
            at += part.len() as u64;
            upload.put_part(PutPayload::from(part)).await.map_err(self.failed("write", name))?;
        }
        upload.complete().await.map_err(self.failed("write", name))?;
        Ok(())
    }

    /// Writes the manifest: from now on the backup is there.
    pub async fn put_manifest(&self, manifest: &Manifest) -> Result<(), RepositoryError> {
        let name = manifest_name(&manifest.id);
        self.store.put(&name, manifest.encode().into()).await.map_err(self.failed("write", &name))?;
        Ok(())
    }

    /// Reads the object of `file`, part by part, and says what is wrong with it. With `into` the content is written there, durably.
    pub async fn fetch(&self, file: &File, into: Option<&Path>) -> Result<Option<Damage>, RepositoryError> {
        let name = object_name(&file.sha256);
        let meta = match self.store.head(&name).await {
            Ok(meta) => meta,
            Err(object_store::Error::NotFound { .. }) => return Ok(Some(Damage::Missing)),
            Err(error) => return Err(self.failed("read", &name)(error)),
        };
        if meta.size != file.bytes {
            return Ok(Some(Damage::Size(meta.size)));
        }
        let io =
            |what| move |error| RepositoryError::Io { what, path: into.unwrap_or(Path::new("")).to_owned(), error };
        let mut output = match into {
            Some(path) => Some(std::fs::File::create_new(path).map_err(io("make"))?),
            None => None,
        };
        let mut hash = Sha256::new();
        let mut at = 0;
        while at < file.bytes {
            let end = file.bytes.min(at + PART_BYTES);
            let part = self.store.get_range(&name, at..end).await.map_err(self.failed("read", &name))?;
            (hash, output) = blocking(move || {
                hash.update(&part);
                if let Some(output) = &output {
                    output.write_all_at(&part, at)?;
                }
                Ok((hash, output))
            })
            .await
            .map_err(io("write"))?;
            at = end;
        }
        if let Some(output) = output {
            blocking(move || output.sync_all()).await.map_err(io("sync"))?;
        }
        let found = hex(&hash.finalize());
        Ok((found != file.sha256).then_some(Damage::Content(found)))
    }

    /// Removes all but the newest `keep` backups, and the objects that none of those names. Returns how many backups and objects went.
    pub async fn prune(&self, keep: usize) -> Result<(usize, usize), RepositoryError> {
        let ids = self.ids().await?;
        let (old, kept) = ids.split_at(ids.len().saturating_sub(keep));
        // All of them are read before anything goes: what a damaged one names cannot be known.
        let mut named = HashSet::new();
        for id in kept {
            named.extend(self.manifest(id).await?.files.into_iter().map(|file| file.sha256));
        }
        for id in old {
            self.remove(&manifest_name(id)).await?;
        }
        let objects = self.objects().await?;
        let unnamed: Vec<&String> = objects.keys().filter(|object| !named.contains(*object)).collect();
        for object in &unnamed {
            self.remove(&object_name(object)).await?;
        }
        Ok((old.len(), unnamed.len()))
    }

    async fn remove(&self, name: &Name) -> Result<(), RepositoryError> {
        match self.store.delete(name).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.failed("remove", name)(error)),
        }
    }
}

fn manifest_name(id: &str) -> Name {
    Name::from(format!("backups/{id}.json"))
}

/// Where an object lies, relative to the target.
pub fn object_name(sha256: &str) -> Name {
    Name::from(format!("objects/{}/{sha256}", sha256.get(..2).unwrap_or_default()))
}

async fn read_part(file: &Arc<std::fs::File>, at: u64, bytes: u64) -> io::Result<Bytes> {
    let file = Arc::clone(file);
    blocking(move || {
        let mut part = vec![0; bytes as usize];
        file.read_exact_at(&mut part, at)?;
        Ok(part.into())
    })
    .await
}

/// SHA-256 of a file, and its size.
pub async fn hash(path: PathBuf) -> io::Result<(String, u64)> {
    blocking(move || {
        let (mut file, mut hash, mut bytes) = (std::fs::File::open(path)?, Sha256::new(), 0);
        let mut buffer = vec![0; HASHED_BYTES];
        loop {
            let read = file.read(&mut buffer)?;
            if read == 0 {
                return Ok((hex(&hash.finalize()), bytes));
            }
            hash.update(&buffer[..read]);
            bytes += read as u64;
        }
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with an object for each of `contents`, named by the manifest of a backup.
    async fn repository(contents: &[(&str, &[u8])]) -> (Repository, Manifest) {
        let repository = Repository::new(&Target::in_memory());
        let manifest = keep(&repository, 1_000_000_000, contents).await;
        (repository, manifest)
    }

    async fn keep(repository: &Repository, taken_ns: i64, contents: &[(&str, &[u8])]) -> Manifest {
        let dir = tempfile::tempdir().unwrap();
        let mut manifest = Manifest::new(taken_ns, "s".into());
        for (path, content) in contents {
            let at = dir.path().join("file");
            std::fs::write(&at, content).unwrap();
            let (sha256, bytes) = hash(at.clone()).await.unwrap();
            let file = File { path: (*path).to_owned(), bytes, sha256 };
            repository.put(&file, &at).await.unwrap();
            manifest.files.push(file);
        }
        repository.put_manifest(&manifest).await.unwrap();
        manifest
    }

    #[tokio::test]
    async fn what_was_kept_comes_back_also_in_parts() {
        let large: Vec<u8> = (0..PART_BYTES * 2 + 5).map(|at| ((at * 31) >> 8) as u8).collect();
        let (repository, manifest) = repository(&[("a", b"first"), ("b", &large), ("c", b"")]).await;
        assert_eq!(repository.newest().await.unwrap(), manifest);
        let dir = tempfile::tempdir().unwrap();
        for (file, content) in manifest.files.iter().zip([b"first".as_slice(), &large, b""]) {
            let path = dir.path().join(&file.path);
            assert_eq!(repository.fetch(file, Some(&path)).await.unwrap(), None);
            assert!(std::fs::read(path).unwrap() == content, "{}", file.path);
        }
    }

    #[tokio::test]
    async fn what_is_damaged_is_seen() {
        let (repository, manifest) = repository(&[("a", b"first")]).await;
        let (file, name) = (&manifest.files[0], object_name(&manifest.files[0].sha256));
        repository.store.put(&name, b"farst".as_slice().into()).await.unwrap();
        assert!(matches!(repository.fetch(file, None).await.unwrap(), Some(Damage::Content(_))));
        repository.store.put(&name, b"firs".as_slice().into()).await.unwrap();
        assert_eq!(repository.fetch(file, None).await.unwrap(), Some(Damage::Size(4)));
        repository.store.delete(&name).await.unwrap();
        assert_eq!(repository.fetch(file, None).await.unwrap(), Some(Damage::Missing));
    }

    #[tokio::test]
    async fn pruning_takes_what_nobody_names_and_nothing_else() {
        let (repository, _) = repository(&[("a", b"old"), ("b", b"both")]).await;
        let second = keep(&repository, 2_000_000_000, &[("a", b"new"), ("b", b"both")]).await;
        // What a run that was broken off left.
        repository.store.put(&object_name(&"ab".repeat(32)), b"orphan".as_slice().into()).await.unwrap();
        assert_eq!(repository.prune(2).await.unwrap(), (0, 1));
        assert_eq!(repository.objects().await.unwrap().len(), 3);
        assert_eq!(repository.prune(1).await.unwrap(), (1, 1));
        assert_eq!(repository.ids().await.unwrap(), [second.id.as_str()]);
        for file in &second.files {
            assert_eq!(repository.fetch(file, None).await.unwrap(), None, "{}", file.path);
        }
    }

    #[tokio::test]
    async fn nothing_is_pruned_while_a_manifest_cannot_be_read() {
        let (repository, first) = repository(&[("a", b"old")]).await;
        let second = keep(&repository, 2_000_000_000, &[("a", b"new")]).await;
        repository.store.put(&manifest_name(&second.id), b"{}\n".as_slice().into()).await.unwrap();
        let error = repository.prune(1).await.unwrap_err().to_string();
        assert!(error.contains(&second.id) && error.contains("damaged"), "{error}");
        assert_eq!(repository.ids().await.unwrap(), [first.id, second.id]);
        assert_eq!(repository.objects().await.unwrap().len(), 2);
    }

    #[tokio::test]
    async fn what_is_not_there_is_named() {
        let (repository, _) = repository(&[]).await;
        let error = repository.manifest("20270101T000000.000Z").await.unwrap_err().to_string();
        assert!(error.contains("memory holds no backup 20270101T000000.000Z"), "{error}");
    }
}
