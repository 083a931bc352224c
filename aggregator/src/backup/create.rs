//! Writes what a target lacks of an image, and the manifest last.
//!
//! A file of an index never changes under its name: where the newest backup has one of the same name and size, nothing of it is read
//! again. A target belongs to one store: `data_dir/store_id` goes along with every image, and a target with another one is refused.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use tokio::task::JoinSet;

use super::manifest::{File, Manifest, ManifestError};
use super::repository::{self, Repository, RepositoryError};
use super::snapshot::STORE_ID;
use super::target::Target;

/// So many objects are written at a time; each holds a part in memory.
const WRITES_MAX: usize = 4;

/// Why no backup was made. The ones before are as they were.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// Target or image could not be read or written.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
    /// The target is another aggregator's.
    #[error(
        "{target} holds backups of another aggregator ({theirs}, this is {ours}): give each its own folder or prefix"
    )]
    OtherStore {
        /// Where.
        target: String,
        /// The store that it belongs to.
        theirs: String,
        /// This one.
        ours: String,
    },
}

/// Makes a backup of the image at `image`, which was taken at `taken_ns` by a command that began at `started`.
pub async fn create(target: &Target, image: &Path, taken_ns: i64, started: Instant) -> Result<Manifest, CreateError> {
    let io = |what: &'static str, path: &Path| {
        let path = path.to_owned();
        move |error| RepositoryError::Io { what, path, error }
    };
    target.sweep().map_err(io("sweep", Path::new(&target.name)))?;
    let repository = Repository::new(target);
    let store_id = image.join(STORE_ID);
    let store_id = std::fs::read_to_string(&store_id).map_err(io("read", &store_id))?;
    let mut manifest = Manifest::new(taken_ns, store_id);
    let before = newest_readable(&repository).await?;
    if let Some(before) = &before
        && before.store_id != manifest.store_id
    {
        let (target, theirs) = (target.name.clone(), before.store_id.clone());
        return Err(CreateError::OtherStore { target, theirs, ours: manifest.store_id });
    }
    let known: HashMap<&str, &File> =
        before.iter().flat_map(|before| &before.files).map(|file| (file.path.as_str(), file)).collect();
    let mut there: HashSet<(String, u64)> = repository.objects().await?.into_iter().collect();
    let mut writes: JoinSet<Result<(), RepositoryError>> = JoinSet::new();
    for relative in files(image).map_err(io("list", image))? {
        let path = image.join(&relative);
        let name = relative.to_string_lossy().into_owned();
        let file = match known.get(name.as_str()) {
            Some(known) if never_changes(&name) && path.metadata().is_ok_and(|meta| meta.len() == known.bytes) => {
                (*known).clone()
            }
            _ => {
                let (sha256, bytes) = repository::hash(path.clone()).await.map_err(io("read", &path))?;
                File { path: name, bytes, sha256 }
            }
        };
        if there.insert((file.sha256.clone(), file.bytes)) {
            while writes.len() >= WRITES_MAX {
                written(writes.join_next().await)?;
            }
            manifest.bytes_written += file.bytes;
            let (repository, file) = (repository.clone(), file.clone());
            writes.spawn(async move { repository.put(&file, &path).await });
        }
        manifest.files.push(file);
    }
    while let Some(write) = writes.join_next().await {
        written(Some(write))?;
    }
    manifest.days = manifest.files.iter().filter_map(|file| Some(file.day()?.to_owned())).collect();
    manifest.days.dedup();
    manifest.duration_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    repository.put_manifest(&manifest).await?;
    Ok(manifest)
}

fn written(write: Option<Result<Result<(), RepositoryError>, tokio::task::JoinError>>) -> Result<(), RepositoryError> {
    write.map_or(Ok(()), |write| write.expect("no write panics or is cancelled"))
}

/// The newest backup whose manifest is whole. A newer form is no damage: nothing is written beside it.
async fn newest_readable(repository: &Repository) -> Result<Option<Manifest>, RepositoryError> {
    for id in repository.ids().await?.iter().rev() {
        match repository.manifest(id).await {
            Err(RepositoryError::Manifest(error @ ManifestError::Damaged(_))) => tracing::warn!("{error}"),
            manifest => return manifest.map(Some),
        }
    }
    Ok(None)
}

/// Whether a file of this name has the same content for ever.
fn never_changes(path: &str) -> bool {
    path.starts_with("partitions/") && !path.ends_with(".json") && !path.ends_with(".del")
}

/// All files below `root`, relative to it, in order.
fn files(root: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if let Ok(relative) = entry.path().strip_prefix(root) {
                found.push(relative.to_owned());
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(store_id: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, content) in files.iter().chain([&(STORE_ID, store_id)]) {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        dir
    }

    async fn back_up(target: &Target, image: &tempfile::TempDir, second: i64) -> Result<Manifest, CreateError> {
        create(target, image.path(), second * 1_000_000_000, Instant::now()).await
    }

    #[tokio::test]
    async fn only_what_is_new_is_written() {
        let target = Target::in_memory();
        let first =
            image("one", &[("partitions/2026-11-27/a.store", "block"), ("partitions/2026-11-27/meta.json", "1")]);
        let manifest = back_up(&target, &first, 1).await.unwrap();
        assert_eq!((manifest.bytes(), manifest.bytes_written), (9, 9));
        assert_eq!(manifest.days, ["2026-11-27"]);
        let second = image(
            "one",
            &[
                ("partitions/2026-11-27/a.store", "block"),
                ("partitions/2026-11-27/meta.json", "2"),
                ("partitions/2026-11-28/b.store", "other"),
                ("wal/00000000000000000000.wal", "block"),
            ],
        );
        let manifest = back_up(&target, &second, 2).await.unwrap();
        // What a segment of the log holds is there already under its content.
        assert_eq!((manifest.bytes(), manifest.bytes_written), (19, 6));
        assert_eq!(manifest.days, ["2026-11-27", "2026-11-28"]);
        let repository = Repository::new(&target);
        assert_eq!(repository.ids().await.unwrap().len(), 2);
        for file in &manifest.files {
            assert_eq!(repository.fetch(file, None).await.unwrap(), None, "{}", file.path);
        }
    }

    #[tokio::test]
    async fn an_object_that_got_lost_is_written_again_and_one_that_changes_is_read_again() {
        let target = Target::in_memory();
        let first = image("one", &[("partitions/d/a.store", "block"), ("partitions/d/a.7.del", "old")]);
        let manifest = back_up(&target, &first, 1).await.unwrap();
        let store = manifest.files.iter().find(|file| file.path.ends_with(".store")).unwrap();
        object_store::ObjectStoreExt::delete(&*target.store, &repository::object_name(&store.sha256)).await.unwrap();
        let second = image("one", &[("partitions/d/a.store", "block"), ("partitions/d/a.7.del", "new")]);
        let manifest = back_up(&target, &second, 2).await.unwrap();
        assert_eq!(manifest.bytes_written, 8);
    }

    #[tokio::test]
    async fn a_damaged_manifest_is_passed_over_and_a_newer_one_is_not() {
        let target = Target::in_memory();
        let image = image("one", &[("partitions/d/a.store", "block")]);
        back_up(&target, &image, 1).await.unwrap();
        let newest = object_store::path::Path::from("backups/29990101T000000.000Z.json");
        object_store::ObjectStoreExt::put(&*target.store, &newest, b"half".as_slice().into()).await.unwrap();
        assert_eq!(back_up(&target, &image, 2).await.unwrap().bytes_written, 0);
        let text = String::from_utf8(Manifest::new(3_000_000_000, "one".into()).encode()).unwrap();
        let text = text.lines().next().unwrap().replace("\"format\":1", "\"format\":9");
        let sum = super::super::manifest::hex(&<sha2::Sha256 as sha2::Digest>::digest(&text));
        object_store::ObjectStoreExt::put(&*target.store, &newest, format!("{text}\n{sum}\n").into_bytes().into())
            .await
            .unwrap();
        let error = back_up(&target, &image, 4).await.unwrap_err().to_string();
        assert!(error.contains("has format 9"), "{error}");
    }

    #[tokio::test]
    async fn a_target_belongs_to_one_store() {
        let target = Target::in_memory();
        back_up(&target, &image("one", &[]), 1).await.unwrap();
        let error = back_up(&target, &image("two", &[]), 2).await.unwrap_err().to_string();
        assert!(error.contains("memory holds backups of another aggregator (one, this is two)"), "{error}");
    }
}
