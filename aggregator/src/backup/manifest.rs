//! What one backup consists of: `backups/<id>.json`, a line of JSON and a line with its SHA-256.
//!
//! It is written last and at once, so that what has one is whole.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Version of the form. Another one is refused.
const FORMAT: u32 = 1;

/// Why a manifest cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// Its bytes are not those that were written.
    #[error("backup {0}: its manifest is damaged: take another backup, and remove backups/{0}.json from the target")]
    Damaged(String),
    /// Another version wrote it.
    #[error("backup {id} has format {found}, this program reads format {FORMAT}: use the version that wrote it")]
    Format {
        /// The backup.
        id: String,
        /// Its format.
        found: u32,
    },
    /// It names a file that lies elsewhere.
    #[error("backup {id}: {path:?} is no name of a file below data_dir; take another backup")]
    Path {
        /// The backup.
        id: String,
        /// The name.
        path: String,
    },
}

/// One backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    /// Time of the image, `20261128T043512.250Z`: later ones sort behind earlier ones.
    pub id: String,
    /// Whose backup it is; see `create`.
    pub store_id: String,
    /// Version of the program that made it.
    pub version: String,
    /// What was acknowledged before is in it, nanoseconds since the epoch.
    pub taken_ns: i64,
    /// How long it took, nanoseconds.
    pub duration_ns: u64,
    /// Bytes of the objects that were not there before.
    pub bytes_written: u64,
    /// Days that have a partition, rising: `2026-11-27`.
    pub days: Vec<String>,
    /// All files, by their paths.
    pub files: Vec<File>,
}

/// One file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Below `data_dir`.
    pub path: String,
    /// Its size.
    pub bytes: u64,
    /// Of its content, 64 hex digits; its object is so called.
    pub sha256: String,
}

#[derive(Deserialize)]
struct Version {
    format: u32,
}

impl Manifest {
    /// Of an image taken at `taken_ns`, with nothing in it yet.
    pub fn new(taken_ns: i64, store_id: String) -> Self {
        Self {
            format: FORMAT,
            id: id(taken_ns),
            store_id,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            taken_ns,
            duration_ns: 0,
            bytes_written: 0,
            days: Vec::new(),
            files: Vec::new(),
        }
    }

    /// Bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.bytes).sum()
    }

    /// As it is written.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec(self).expect("a manifest is JSON");
        let sum = hex(&Sha256::digest(&text));
        text.extend_from_slice(format!("\n{sum}\n").as_bytes());
        text
    }

    /// Reads what `encode` wrote under this `id`.
    pub fn decode(id: &str, bytes: &[u8]) -> Result<Self, ManifestError> {
        let damaged = || ManifestError::Damaged(id.to_owned());
        let mut lines = bytes.split(|byte| *byte == b'\n');
        let (text, sum) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        if sum != hex(&Sha256::digest(text)).as_bytes() {
            return Err(damaged());
        }
        let Version { format } = serde_json::from_slice(text).map_err(|_| damaged())?;
        if format != FORMAT {
            return Err(ManifestError::Format { id: id.to_owned(), found: format });
        }
        let manifest: Self = serde_json::from_slice(text).map_err(|_| damaged())?;
        if manifest.id != id {
            return Err(damaged());
        }
        match manifest.files.iter().find(|file| !is_below(&file.path)) {
            Some(file) => Err(ManifestError::Path { id: id.to_owned(), path: file.path.clone() }),
            None => Ok(manifest),
        }
    }
}

impl File {
    /// The day whose partition it belongs to.
    pub fn day(&self) -> Option<&str> {
        self.path.strip_prefix("partitions/")?.split_once('/').map(|(day, _)| day)
    }
}

/// The ID of a backup whose image was taken at `taken_ns`.
fn id(taken_ns: i64) -> String {
    let time = jiff::Timestamp::from_nanosecond(i128::from(taken_ns)).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%Y%m%dT%H%M%S.%3fZ").to_string()
}

fn is_below(path: &str) -> bool {
    !path.is_empty() && Path::new(path).components().all(|part| matches!(part, Component::Normal(_)))
}

/// Hex digits of a hash.
pub fn hex(hash: &[u8]) -> String {
    use std::fmt::Write;
    hash.iter().fold(String::with_capacity(hash.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        let mut manifest = Manifest::new(1_795_840_512_250_000_000, "s".into());
        manifest.days = vec!["2026-11-27".into()];
        manifest.files.push(File { path: "partitions/2026-11-27/a.store".into(), bytes: 3, sha256: "00".into() });
        manifest
    }

    #[test]
    fn it_comes_back_and_its_id_is_its_time() {
        let manifest = manifest();
        assert_eq!(manifest.id, "20261128T043512.250Z");
        assert_eq!(Manifest::decode(&manifest.id, &manifest.encode()).unwrap(), manifest);
        assert_eq!(manifest.files[0].day(), Some("2026-11-27"));
        assert_eq!(File { path: "catalog.redb".into(), ..manifest.files[0].clone() }.day(), None);
    }

    #[test]
    fn every_byte_counts() {
        let manifest = manifest();
        let text = manifest.encode();
        for at in 0..text.len() - 1 {
            let mut damaged = text.clone();
            damaged[at] ^= 1;
            assert!(Manifest::decode(&manifest.id, &damaged).is_err(), "byte {at}");
            assert!(Manifest::decode(&manifest.id, &text[..at]).is_err(), "cut at {at}");
        }
        assert!(Manifest::decode("20270101T000000.000Z", &text).is_err(), "it is another one");
    }

    #[test]
    fn newer_forms_and_files_elsewhere_are_refused() {
        let newer = Manifest { format: 2, ..manifest() };
        let error = Manifest::decode(&newer.id, &newer.encode()).unwrap_err().to_string();
        assert!(error.contains("has format 2, this program reads format 1: use the version that wrote it"), "{error}");
        for path in ["../a", "/etc/passwd", "a/../../b", "", "./a"] {
            let mut manifest = manifest();
            manifest.files[0].path = path.into();
            let error = Manifest::decode(&manifest.id, &manifest.encode()).unwrap_err().to_string();
            assert!(error.contains("no name of a file below data_dir"), "{path}: {error}");
        }
    }
}
