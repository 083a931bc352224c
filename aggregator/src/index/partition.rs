//! One UTC day of receipt: one directory, one Tantivy index.

use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tantivy::directory::error::OpenReadError;
use tantivy::index::SegmentId;
use tantivy::store::Compressor;
use tantivy::{Index, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, Searcher, TantivyError};

use super::directory::PartitionDirectory;
use super::document::IndexDocument;
use super::schema::{self, Fields};

/// Version of schema and payloads, as it is written. A newer one is refused.
const FORMAT: u32 = 3;
/// The oldest one that is read: its rows of transactions have another form (`block::transactions::earlier`).
const FORMAT_MIN: u32 = 2;
/// Memory of Tantivy's arena: a full head fits, so that a commit is one segment.
const WRITER_MEMORY_BYTES: usize = 160 << 20;

/// A partition that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PartitionError {
    /// Tantivy says so.
    #[error("partition {path}: {error}")]
    Tantivy {
        /// Its directory.
        path: PathBuf,
        /// What Tantivy said.
        error: tantivy::TantivyError,
    },
    /// The file system says so.
    #[error("partition {path}: {error}")]
    Io {
        /// Its directory.
        path: PathBuf,
        /// What came of it.
        error: std::io::Error,
    },
    /// Another version wrote it.
    #[error(
        "partition {path} has format {found}, this program reads formats {FORMAT_MIN} to {FORMAT}: run the version that wrote it"
    )]
    Format {
        /// Its directory.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// There are files of an index, and not the one that lists them.
    #[error("partition {path}: meta.json is missing")]
    NoList {
        /// Its directory.
        path: PathBuf,
    },
    /// The commit says nothing that we understand.
    #[error("partition {path}: commit payload {payload:?} is malformed")]
    Payload {
        /// Its directory.
        path: PathBuf,
        /// What it says.
        payload: String,
    },
}

/// The skip list of a store takes some ten bytes per block.
const STORE_END_BYTES: u64 = 256 << 10;
/// The files that [`Partition::warm`] reads, in this order, and how much of their ends.
const WARMED: [(&str, u64); 4] =
    [("term", u64::MAX), ("store", STORE_END_BYTES), ("fast", u64::MAX), ("idx", u64::MAX)];

/// Behind the name of a directory that is being removed.
const REMOVED: &str = ".removed";

/// Behind the name of a directory that is set aside.
const DAMAGED: &str = ".damaged";

impl PartitionError {
    /// Whether the bytes on disk are not those that were written. Otherwise the file system, or another version, has to be seen to.
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Tantivy { error, .. } => !matches!(
                error,
                TantivyError::IoError(_)
                    | TantivyError::LockFailure(..)
                    | TantivyError::OpenDirectoryError(_)
                    | TantivyError::OpenReadError(OpenReadError::IoError { .. })
                    | TantivyError::OpenReadError(OpenReadError::IncompatibleIndex(_))
                    | TantivyError::IncompatibleIndex(_)
            ),
            Self::NoList { .. } | Self::Payload { .. } => true,
            Self::Io { .. } | Self::Format { .. } => false,
        }
    }
}

/// What a commit says besides its documents.
#[derive(Debug, Deserialize, Serialize)]
pub struct CommitPayload {
    format: u32,
    /// Every record up to here in the WAL is in this partition or an earlier one.
    pub wal_position: u64,
}

impl CommitPayload {
    /// For a commit now.
    pub fn new(wal_position: u64) -> Self {
        Self { format: FORMAT, wal_position }
    }

    /// As Tantivy keeps it.
    pub fn text(&self) -> String {
        serde_json::to_string(self).expect("two numbers are JSON")
    }
}

/// A commit as files.
pub struct CommitFiles {
    /// What `meta.json` holds.
    pub list: Vec<u8>,
    /// Names of the files that it lists, in the partition's directory.
    pub files: Vec<String>,
}

/// An open partition.
pub struct Partition {
    /// Days since the epoch.
    pub day: i64,
    /// Its directory.
    pub path: PathBuf,
    /// The schema's fields.
    pub fields: Fields,
    index: Index,
    reader: IndexReader,
}

impl Partition {
    /// Opens the partition of `day` below `root`, and makes it when it is not there.
    pub fn open(root: &Path, day: i64) -> Result<Self, PartitionError> {
        let path = root.join(name(day));
        let io = |error| PartitionError::Io { path: path.clone(), error };
        let tantivy = |error| PartitionError::Tantivy { path: path.clone(), error };
        std::fs::create_dir_all(&path).map_err(io)?;
        // A new index would be made in the place of one that lost its list.
        if !path.join("meta.json").exists() && has_segments(&path).map_err(io)? {
            return Err(PartitionError::NoList { path });
        }
        let directory = PartitionDirectory::open(&path).map_err(tantivy)?;
        let (schema, fields) = schema::build();
        let settings = IndexSettings {
            docstore_compression: Compressor::None,
            docstore_compress_dedicated_thread: false,
            ..IndexSettings::default()
        };
        let index = Index::builder().schema(schema).settings(settings).open_or_create(directory).map_err(tantivy)?;
        schema::register(index.tokenizers());
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .doc_store_cache_num_blocks(0)
            .try_into()
            .map_err(tantivy)?;
        crate::wal::segment::sync_dir(root).map_err(io)?;
        let partition = Self { day, fields, index, reader, path: path.clone() };
        partition.wal_position()?;
        Ok(partition)
    }

    /// Removes a partition's directory. The name goes first, and durably, so that a crash in the middle leaves nothing that
    /// looks like a partition.
    pub fn remove(&self, root: &Path) -> std::io::Result<()> {
        let doomed = root.join(format!("{}{REMOVED}", name(self.day)));
        std::fs::rename(&self.path, &doomed)?;
        crate::wal::segment::sync_dir(root)?;
        std::fs::remove_dir_all(doomed)
    }

    /// Sets a damaged partition aside: what it holds is not found any more, and stays for who wants to look at it. Returns where it is.
    pub fn set_aside(root: &Path, day: i64) -> std::io::Result<PathBuf> {
        let path = root.join(name(day));
        let names = (0..).map(|number| match number {
            0 => root.join(format!("{}{DAMAGED}", name(day))),
            number => root.join(format!("{}{DAMAGED}.{number}", name(day))),
        });
        let aside = names.into_iter().find(|aside| !aside.exists()).expect("there are endless names");
        std::fs::rename(&path, &aside)?;
        crate::wal::segment::sync_dir(root)?;
        Ok(aside)
    }

    /// The directories of partitions that were set aside.
    pub fn aside(root: &Path) -> std::io::Result<Vec<PathBuf>> {
        let paths = std::fs::read_dir(root)?.map(|entry| entry.map(|entry| entry.path()));
        let mut paths = paths.collect::<std::io::Result<Vec<_>>>()?;
        paths.retain(|path| path.to_str().is_some_and(|path| path.contains(DAMAGED)));
        paths.sort();
        Ok(paths)
    }

    /// The days whose partitions were set aside, rising.
    pub fn days_aside(root: &Path) -> std::io::Result<Vec<i64>> {
        let aside = Self::aside(root)?;
        let names = aside.iter().filter_map(|path| path.file_name()?.to_str()?.split_once(DAMAGED));
        let mut days: Vec<i64> = names.filter_map(|(day, _)| day_of(day)).collect();
        days.dedup();
        Ok(days)
    }

    /// Finishes removals that a crash interrupted.
    pub fn sweep(root: &Path) -> std::io::Result<()> {
        for entry in std::fs::read_dir(root)? {
            let path = entry?.path();
            if path.as_os_str().as_encoded_bytes().ends_with(REMOVED.as_bytes()) {
                std::fs::remove_dir_all(path)?;
            }
        }
        Ok(())
    }

    /// The days that have a partition below `root`, rising. Other names are passed over.
    pub fn days(root: &Path) -> std::io::Result<Vec<i64>> {
        let names = std::fs::read_dir(root)?.map(|entry| entry.map(|entry| entry.file_name()));
        let mut days = Vec::new();
        for name in names {
            days.extend(name?.to_str().and_then(day_of));
        }
        days.sort_unstable();
        Ok(days)
    }

    /// Every record up to here in the WAL is committed.
    pub fn wal_position(&self) -> Result<u64, PartitionError> {
        let metas = self.index.load_metas().map_err(|error| self.error(error))?;
        let Some(payload) = metas.payload else { return Ok(0) };
        match serde_json::from_str::<CommitPayload>(&payload) {
            Ok(CommitPayload { format: FORMAT_MIN..=FORMAT, wal_position }) => Ok(wal_position),
            Ok(CommitPayload { format, .. }) => Err(PartitionError::Format { path: self.path.clone(), found: format }),
            Err(_) => Err(PartitionError::Payload { path: self.path.clone(), payload }),
        }
    }

    /// Reads what finding an ID touches besides the records themselves into the page cache, up to `bytes_max`: dictionaries first, of
    /// which each is looked into, then the ends of the stores (their skip lists), fast fields, and postings.
    pub fn warm(&self, bytes_max: u64) -> std::io::Result<()> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let path = entry?.path();
            let rank = path.extension().and_then(|kind| WARMED.iter().position(|(warmed, _)| kind == *warmed));
            files.extend(rank.map(|rank| (rank, path)));
        }
        files.sort_unstable();
        let mut left = bytes_max;
        for (rank, path) in files {
            let mut file = std::fs::File::open(&path)?;
            let size = file.metadata()?.len();
            let wanted = left.min(WARMED[rank].1);
            file.seek(SeekFrom::Start(size.saturating_sub(wanted)))?;
            left -= std::io::copy(&mut file.take(wanted), &mut std::io::sink())?;
        }
        Ok(())
    }

    /// Files whose checksum does not match, or that are missing, relative to its directory.
    pub fn damaged_files(&self) -> Result<Vec<PathBuf>, PartitionError> {
        let damaged = self.index.validate_checksum().map_err(|error| self.error(error))?;
        let mut damaged: Vec<PathBuf> = damaged.into_iter().collect();
        damaged.sort();
        Ok(damaged)
    }

    /// `meta.json` as it stands there.
    pub fn list(&self) -> std::io::Result<Vec<u8>> {
        std::fs::read(self.path.join("meta.json"))
    }

    /// The newest commit as files. Merges go on meanwhile: what is done with them counts only if the list is the same afterwards.
    pub fn commit(&self) -> std::io::Result<CommitFiles> {
        let list = self.list()?;
        let metas = self.index.load_metas().map_err(std::io::Error::other)?;
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            let name = entry?.file_name().to_string_lossy().into_owned();
            let Some((id, kind)) = name.split_once('.') else { continue };
            let Some(segment) = metas.segments.iter().find(|segment| segment.id().uuid_string() == id) else {
                continue;
            };
            let is_needed = match kind.strip_suffix(".del") {
                Some(opstamp) => segment.delete_opstamp().is_some_and(|needed| opstamp == needed.to_string()),
                None => !kind.ends_with("temp"),
            };
            files.extend(is_needed.then_some(name));
        }
        Ok(CommitFiles { list, files })
    }

    /// The segments of the newest commit.
    pub fn segments(&self) -> Result<Vec<SegmentId>, PartitionError> {
        self.index.searchable_segment_ids().map_err(|error| self.error(error))
    }

    /// A writer with so much memory.
    pub fn writer_with(&self, memory_bytes: usize) -> Result<IndexWriter<IndexDocument>, PartitionError> {
        self.index.writer_with_num_threads(1, memory_bytes).map_err(|error| self.error(error))
    }

    /// The one writer.
    pub fn writer(&self) -> Result<IndexWriter<IndexDocument>, PartitionError> {
        self.writer_with(WRITER_MEMORY_BYTES)
    }

    /// The newest commit, merged or not.
    pub fn searcher(&self) -> Result<Searcher, PartitionError> {
        self.reader.reload().map_err(|error| self.error(error))?;
        Ok(self.reader.searcher())
    }

    fn error(&self, error: tantivy::TantivyError) -> PartitionError {
        PartitionError::Tantivy { path: self.path.clone(), error }
    }
}

fn has_segments(path: &Path) -> std::io::Result<bool> {
    for entry in std::fs::read_dir(path)? {
        if entry?.path().extension().is_some_and(|kind| kind == "store") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The directory of a day: `2026-11-23`.
pub fn name(day: i64) -> String {
    let epoch = jiff::civil::date(1970, 1, 1);
    let date = epoch.checked_add(jiff::Span::new().days(day)).unwrap_or(jiff::civil::Date::MAX);
    date.to_string()
}

/// The day, since the epoch, of a directory's name.
pub fn day_of(name: &str) -> Option<i64> {
    let date: jiff::civil::Date = name.parse().ok()?;
    let days = date.since((jiff::Unit::Day, jiff::civil::date(1970, 1, 1))).ok()?;
    Some(i64::from(days.get_days()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_names() {
        for (day, text) in [(0, "1970-01-01"), (20_780, "2026-11-23"), (19_782, "2024-02-29")] {
            assert_eq!(name(day), text);
            assert_eq!(day_of(text), Some(day));
        }
        assert_eq!(day_of("lost+found"), None);
    }
}
