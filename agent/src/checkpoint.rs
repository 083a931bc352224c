//! What the agent knows about its files, on disk: a cache of what the aggregator knows, so that a restart is a handshake.
//!
//! `state_dir/checkpoint`: magic (8 bytes), version (u32), length of the body (u64), CRC-32C of the body (u32), all little
//! endian, then the body (protobuf). Written to a temporary file, synced, renamed, the folder synced; the generation before it
//! is kept as `checkpoint.prev`. **A corrupt one never stops the agent**: it is set aside, and the one before it is taken.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use prost::Message;
use rustix::fs::FlockOperation;

use crate::identity::Fingerprint;
use crate::tail::file::FileKey;
use crate::tail::inflate::Compression;

const MAGIC: &[u8; 8] = b"CLEWAGNT";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 24;
const NS_PER_S: i128 = 1_000_000_000;

/// One source, as it is remembered.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    pub source_id: [u8; 16],
    pub key: FileKey,
    pub path: PathBuf,
    pub frontier: u64,
    /// Where it was begun: what lies before was never to be shipped as this source.
    pub origin: u64,
    pub prefix: Fingerprint,
    pub guard: Fingerprint,
    /// Of a compressed file that may be a copy: the guard of its end.
    pub tail: Fingerprint,
    pub last_time_ns: Option<i64>,
    /// When its file was last seen, in seconds since the epoch.
    pub seen_s: u64,
    pub service: String,
    /// How far its file was known to reach.
    pub size: u64,
    /// All of it is durable and nothing more is expected: that it is gone says nothing.
    pub complete: bool,
    /// Its bytes were cut off or overwritten; what of them is not durable may still be found in a copy.
    pub ended: bool,
    pub compression: Option<Compression>,
    /// It was not announced yet: the aggregator may know its file under another id.
    pub fresh: bool,
    /// It may be a copy of what another source holds; that was not decided yet.
    pub may_be_copy: bool,
    /// Where the lines have to be read again from, and the time that the first of them inherits, when records get the IDs of windows.
    pub windows_from: Option<(u64, Option<i64>)>,
}

/// A file that holds nothing but what another source delivered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Covered {
    pub key: FileKey,
    /// As the directory says: of a compressed file, its compressed bytes.
    pub size: u64,
    pub modified_ns: i128,
}

/// All of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// The last session epoch that was used.
    pub epoch: u64,
    pub sources: Vec<Remembered>,
    pub covered: Vec<Covered>,
    /// Hashes of the includes whose files were looked at before: what turns up in them now is new.
    pub started: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct BodyCovered {
    #[prost(uint64, tag = "1")]
    device: u64,
    #[prost(uint64, tag = "2")]
    inode: u64,
    #[prost(uint64, tag = "3")]
    size: u64,
    #[prost(int64, tag = "4")]
    modified_s: i64,
    #[prost(uint32, tag = "5")]
    modified_nanos: u32,
}

#[derive(Clone, PartialEq, Message)]
struct Body {
    #[prost(uint64, tag = "1")]
    epoch: u64,
    #[prost(message, repeated, tag = "2")]
    sources: Vec<BodySource>,
    #[prost(message, repeated, tag = "3")]
    covered: Vec<BodyCovered>,
    #[prost(fixed64, repeated, tag = "4")]
    started: Vec<u64>,
}

#[derive(Clone, PartialEq, Message)]
struct BodySource {
    #[prost(bytes = "vec", tag = "1")]
    source_id: Vec<u8>,
    #[prost(uint64, tag = "2")]
    device: u64,
    #[prost(uint64, tag = "3")]
    inode: u64,
    #[prost(bytes = "vec", tag = "4")]
    path: Vec<u8>,
    #[prost(uint64, tag = "5")]
    frontier: u64,
    #[prost(uint32, tag = "6")]
    prefix_length: u32,
    #[prost(fixed64, tag = "7")]
    prefix_hash: u64,
    #[prost(uint32, tag = "8")]
    guard_length: u32,
    #[prost(fixed64, tag = "9")]
    guard_hash: u64,
    #[prost(sint64, optional, tag = "10")]
    last_time_ns: Option<i64>,
    #[prost(uint64, tag = "11")]
    seen_s: u64,
    #[prost(string, tag = "12")]
    service: String,
    #[prost(uint64, tag = "13")]
    size: u64,
    #[prost(bool, tag = "14")]
    complete: bool,
    #[prost(bool, tag = "15")]
    ended: bool,
    #[prost(uint32, tag = "16")]
    compression: u32,
    #[prost(bool, tag = "17")]
    fresh: bool,
    #[prost(bool, tag = "18")]
    may_be_copy: bool,
    #[prost(uint64, optional, tag = "30")]
    windows_from: Option<u64>,
    #[prost(sint64, optional, tag = "31")]
    windows_time_ns: Option<i64>,
    /// Absent: an older version wrote this, and the frontier is all that is known.
    #[prost(uint64, optional, tag = "32")]
    origin: Option<u64>,
    #[prost(uint32, tag = "33")]
    tail_length: u32,
    #[prost(fixed64, tag = "34")]
    tail_hash: u64,
}

/// Why the folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("state_dir {0}: {1}")]
    Unusable(PathBuf, io::Error),
    #[error("state_dir {0} is in use by another clew-agent; give this one another state_dir")]
    Locked(PathBuf),
}

/// The folder, held by this process alone.
#[derive(Debug)]
pub struct StateDir {
    path: PathBuf,
    _lock: File,
}

impl StateDir {
    /// Makes the folder if it is not there, and locks it.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let unusable = |error| StateError::Unusable(path.to_owned(), error);
        std::fs::create_dir_all(path).map_err(unusable)?;
        let lock =
            File::options().create(true).truncate(false).write(true).open(path.join("lock")).map_err(unusable)?;
        match rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => {}
            Err(rustix::io::Errno::WOULDBLOCK) => return Err(StateError::Locked(path.to_owned())),
            Err(error) => return Err(unusable(error.into())),
        }
        // A folder that takes no file is found out now, not at the first checkpoint.
        let probe = path.join("checkpoint.tmp");
        File::create(&probe).and_then(|_| std::fs::remove_file(&probe)).map_err(unusable)?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Whether [`StateDir::open`] would work. Makes no folder: it would belong to whoever asks.
    pub fn probe(path: &Path) -> Result<(), StateError> {
        if path.exists() {
            return Self::open(path).map(drop);
        }
        let unusable = |error: rustix::io::Errno| StateError::Unusable(path.to_owned(), error.into());
        let nearest = path.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
        let access = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
        if !nearest.is_dir() {
            return Err(unusable(rustix::io::Errno::NOTDIR));
        }
        rustix::fs::access(nearest, access).map_err(unusable)
    }

    /// The newest checkpoint that is whole; what is not is set aside.
    pub fn load(&self) -> Checkpoint {
        for name in ["checkpoint", "checkpoint.prev"] {
            let path = self.path.join(name);
            let bytes = match std::fs::read(&path) {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => {
                    tracing::warn!("read checkpoint {}: {error}", path.display());
                    continue;
                }
            };
            match decode(&bytes) {
                Ok(checkpoint) => return checkpoint,
                Err(why) => self.set_aside(&path, why),
            }
        }
        Checkpoint::default()
    }

    fn set_aside(&self, path: &Path, why: &str) {
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let aside = self.path.join(format!("checkpoint.corrupt-{seconds}"));
        tracing::warn!("checkpoint {} is corrupt ({why}); set aside as {}", path.display(), aside.display());
        if let Err(error) = std::fs::rename(path, &aside) {
            tracing::warn!("set aside {}: {error}", path.display());
        }
    }

    /// Writes a new generation.
    pub fn store(&self, checkpoint: &Checkpoint) -> io::Result<()> {
        let (new, current, previous) =
            (self.path.join("checkpoint.tmp"), self.path.join("checkpoint"), self.path.join("checkpoint.prev"));
        let mut file = File::create(&new)?;
        file.write_all(&encode(checkpoint))?;
        file.sync_all()?;
        match std::fs::rename(&current, &previous) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        std::fs::rename(&new, &current)?;
        File::open(&self.path)?.sync_all()
    }
}

/// The newest checkpoint in `state_dir` that is whole, for somebody who does not hold the folder: nothing is changed in it.
pub fn peek(state_dir: &Path) -> io::Result<Checkpoint> {
    let mut last = None;
    for name in ["checkpoint", "checkpoint.prev"] {
        match std::fs::read(state_dir.join(name)).map(|bytes| decode(&bytes)) {
            Ok(Ok(checkpoint)) => return Ok(checkpoint),
            Ok(Err(why)) => last = Some(io::Error::new(io::ErrorKind::InvalidData, why)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => last = Some(error),
        }
    }
    last.map_or(Ok(Checkpoint::default()), Err)
}

/// The bytes of the file.
pub fn encode(checkpoint: &Checkpoint) -> Vec<u8> {
    let source = |source: &Remembered| BodySource {
        source_id: source.source_id.to_vec(),
        device: source.key.device,
        inode: source.key.inode,
        path: source.path.as_os_str().as_bytes().to_vec(),
        frontier: source.frontier,
        prefix_length: source.prefix.length,
        prefix_hash: source.prefix.hash,
        guard_length: source.guard.length,
        guard_hash: source.guard.hash,
        last_time_ns: source.last_time_ns,
        seen_s: source.seen_s,
        service: source.service.clone(),
        size: source.size,
        complete: source.complete,
        ended: source.ended,
        compression: match source.compression {
            None => 0,
            Some(Compression::Gzip) => 1,
            Some(Compression::Zstd) => 2,
        },
        fresh: source.fresh,
        may_be_copy: source.may_be_copy,
        windows_from: source.windows_from.map(|(position, _)| position),
        windows_time_ns: source.windows_from.and_then(|(_, time_ns)| time_ns),
        origin: Some(source.origin),
        tail_length: source.tail.length,
        tail_hash: source.tail.hash,
    };
    let covered = |covered: &Covered| BodyCovered {
        device: covered.key.device,
        inode: covered.key.inode,
        size: covered.size,
        modified_s: covered.modified_ns.div_euclid(NS_PER_S) as i64,
        modified_nanos: covered.modified_ns.rem_euclid(NS_PER_S) as u32,
    };
    let body = Body {
        epoch: checkpoint.epoch,
        sources: checkpoint.sources.iter().map(source).collect(),
        covered: checkpoint.covered.iter().map(covered).collect(),
        started: checkpoint.started.clone(),
    }
    .encode_to_vec();
    let mut bytes = Vec::with_capacity(HEAD_BYTES + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// The reverse of [`encode`]; or what is wrong with the bytes.
pub fn decode(bytes: &[u8]) -> Result<Checkpoint, &'static str> {
    let (head, body) = bytes.split_at_checked(HEAD_BYTES).ok_or("too short")?;
    if &head[..8] != MAGIC {
        return Err("no checkpoint of clew-agent");
    }
    if head[8..12] != VERSION.to_le_bytes() {
        return Err("unknown version");
    }
    if head[12..20] != (body.len() as u64).to_le_bytes() {
        return Err("wrong length");
    }
    if head[20..24] != crc32c::crc32c(body).to_le_bytes() {
        return Err("wrong checksum");
    }
    let body = Body::decode(body).map_err(|_| "no valid body")?;
    let source = |source: BodySource| -> Result<Remembered, &'static str> {
        Ok(Remembered {
            source_id: source.source_id.try_into().map_err(|_| "no valid source id")?,
            key: FileKey { device: source.device, inode: source.inode },
            path: std::ffi::OsStr::from_bytes(&source.path).into(),
            frontier: source.frontier,
            origin: source.origin.unwrap_or(source.frontier),
            prefix: Fingerprint { length: source.prefix_length, hash: source.prefix_hash },
            guard: Fingerprint { length: source.guard_length, hash: source.guard_hash },
            tail: Fingerprint { length: source.tail_length, hash: source.tail_hash },
            last_time_ns: source.last_time_ns,
            seen_s: source.seen_s,
            service: source.service,
            size: source.size.max(source.frontier),
            complete: source.complete,
            ended: source.ended,
            compression: match source.compression {
                1 => Some(Compression::Gzip),
                2 => Some(Compression::Zstd),
                _ => None,
            },
            fresh: source.fresh,
            may_be_copy: source.may_be_copy,
            windows_from: source.windows_from.map(|position| (position, source.windows_time_ns)),
        })
    };
    let covered = |covered: BodyCovered| Covered {
        key: FileKey { device: covered.device, inode: covered.inode },
        size: covered.size,
        modified_ns: i128::from(covered.modified_s) * NS_PER_S + i128::from(covered.modified_nanos),
    };
    Ok(Checkpoint {
        epoch: body.epoch,
        sources: body.sources.into_iter().map(source).collect::<Result<_, _>>()?,
        covered: body.covered.into_iter().map(covered).collect(),
        started: body.started,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint(epoch: u64) -> Checkpoint {
        let source = Remembered {
            source_id: [7; 16],
            key: FileKey { device: 1, inode: 2 },
            path: std::ffi::OsStr::from_bytes(b"/a/\xff.log").into(),
            frontier: 99,
            origin: 3,
            prefix: Fingerprint::of(b"prefix"),
            guard: Fingerprint::of(b"guard"),
            tail: Fingerprint::of(b"tail"),
            last_time_ns: Some(-5),
            seen_s: 4,
            service: "shop".into(),
            size: 100,
            complete: false,
            ended: true,
            compression: Some(Compression::Zstd),
            fresh: true,
            may_be_copy: true,
            windows_from: Some((7, Some(-9))),
        };
        let covered = Covered { key: FileKey { device: 3, inode: 4 }, size: 5, modified_ns: -1_500_000_000 };
        Checkpoint { epoch, sources: vec![source], covered: vec![covered], started: vec![9] }
    }

    #[test]
    fn what_an_older_version_wrote_says_no_origin() {
        let older = BodySource { frontier: 99, source_id: vec![7; 16], ..BodySource::default() };
        let body = Body { sources: vec![older], ..Body::default() }.encode_to_vec();
        let head = encode(&Checkpoint::default());
        let length = (body.len() as u64).to_le_bytes();
        let bytes = [&head[..12], &length, &crc32c::crc32c(&body).to_le_bytes(), &body].concat();
        assert_eq!(decode(&bytes).unwrap().sources[0].origin, 99);
    }

    #[test]
    fn the_newest_whole_generation_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateDir::open(folder.path()).unwrap();
        assert_eq!(state.load(), Checkpoint::default());
        state.store(&checkpoint(1)).unwrap();
        state.store(&checkpoint(2)).unwrap();
        assert_eq!(state.load(), checkpoint(2));
        // Every byte that is wrong is found, and every length that is too short.
        let good = std::fs::read(folder.path().join("checkpoint")).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x40;
            assert!(decode(&bad).is_err(), "byte {at}");
            assert!(decode(&good[..at]).is_err(), "length {at}");
        }
        std::fs::write(folder.path().join("checkpoint"), &good[..good.len() - 1]).unwrap();
        assert_eq!(state.load(), checkpoint(1));
        let aside = |name: &str| name.starts_with("checkpoint.corrupt-");
        let names =
            || std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert_eq!(names().filter(|name| aside(name)).count(), 1);
        std::fs::write(folder.path().join("checkpoint.prev"), vec![0; 4096]).unwrap();
        assert_eq!(state.load(), Checkpoint::default());
        state.store(&checkpoint(3)).unwrap();
        assert_eq!(state.load(), checkpoint(3));
    }

    #[test]
    fn one_agent_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let held = StateDir::open(folder.path()).unwrap();
        assert!(matches!(StateDir::open(folder.path()), Err(StateError::Locked(_))));
        drop(held);
        StateDir::open(folder.path()).unwrap();
        assert!(matches!(StateDir::open(Path::new("/dev/null/x")), Err(StateError::Unusable(..))));
    }
}
