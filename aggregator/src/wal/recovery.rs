//! Reads what is there, tells a torn tail from corruption.
//!
//! A crash may leave the last group in pieces: those bytes were never acknowledged and are cut off. Bytes that had been
//! durable and are damaged now are corruption: something acknowledged may be lost, so nothing is cut and the operator is
//! told. The difference: behind damage, a valid frame that says `synced` beyond it proves that it had been durable; and a
//! segment that is not the newest had been synced whole.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use super::frame;
use super::segment::{self, HeaderState};

/// Why a WAL cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file system refused.
    #[error("{what} {path}: {error}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// What came of it.
        error: io::Error,
    },
    /// Acknowledged bytes are damaged.
    #[error(
        "wal {path} is corrupt at byte {offset}: data that was acknowledged is damaged. Bring the file back from a copy of the \
         disk; or, to go on without what it and every later .wal file hold beyond the last commit, move them out of the folder"
    )]
    Corrupt {
        /// The segment.
        path: PathBuf,
        /// Where in the file.
        offset: u64,
    },
    /// Another version wrote it.
    #[error("wal {path} has format {version}, this program reads format {known}: run the version that wrote it", known = segment::VERSION)]
    Version {
        /// The segment.
        path: PathBuf,
        /// Its version.
        version: u8,
    },
    /// A segment is missing between two others.
    #[error("wal segment {path} is missing: put it back, or move every later .wal file out of the folder")]
    Missing {
        /// The one that is not there.
        path: PathBuf,
    },
}

/// What reading the WAL found.
#[derive(Debug, PartialEq, Eq)]
pub struct Recovered {
    /// First position that is still there.
    pub begin: u64,
    /// Position after the last frame.
    pub end: u64,
    /// Position of the newest segment, if there is one.
    pub newest: Option<u64>,
    /// Bytes of a torn tail that were cut off.
    pub torn_bytes: u64,
}

/// Reads all segments in `dir` in order and hands every frame that ends after `from` to `visit(end, payload)`. A torn tail
/// is cut off. With no segment at all, the log begins at `from`.
pub fn recover(dir: &Path, from: u64, mut visit: impl FnMut(u64, Vec<u8>)) -> Result<Recovered, OpenError> {
    let positions = segment::list(dir).map_err(|error| OpenError::Io { what: "list", path: dir.into(), error })?;
    let begin = positions.first().copied().unwrap_or(from);
    let mut recovered = Recovered { begin, end: begin, newest: None, torn_bytes: 0 };
    for (index, position) in positions.iter().enumerate() {
        let newest = index + 1 == positions.len();
        if *position != recovered.end {
            return Err(OpenError::Missing { path: segment::path(dir, recovered.end) });
        }
        if let Some((end, torn_bytes)) = read_segment(dir, *position, newest, from, &mut visit)? {
            recovered.end = end;
            recovered.torn_bytes += torn_bytes;
            recovered.newest = Some(*position);
        }
    }
    if recovered.end < from {
        // Everything here is in the store already (segments were moved away): go on where the store ends.
        for position in &positions {
            let path = segment::path(dir, *position);
            std::fs::remove_file(&path).map_err(|error| OpenError::Io { what: "remove", path, error })?;
        }
        return Ok(Recovered { begin: from, end: from, newest: None, torn_bytes: recovered.torn_bytes });
    }
    Ok(recovered)
}

/// Returns the position after its last frame and the bytes cut off; none when the segment was never finished being made
/// and has been removed.
fn read_segment(
    dir: &Path,
    position: u64,
    newest: bool,
    from: u64,
    visit: &mut impl FnMut(u64, Vec<u8>),
) -> Result<Option<(u64, u64)>, OpenError> {
    let path = segment::path(dir, position);
    let io = |what| {
        let path = path.clone();
        move |error| OpenError::Io { what, path, error }
    };
    let file = File::options().read(true).write(true).open(&path).map_err(io("open"))?;
    let size = file.metadata().map_err(io("stat"))?.len();
    let mut reader = BufReader::with_capacity(1 << 18, &file);
    let mut header = Vec::new();
    reader.by_ref().take(segment::HEADER_BYTES).read_to_end(&mut header).map_err(io("read"))?;
    match segment::check_header(&header, position) {
        HeaderState::Valid => {}
        HeaderState::Version(version) => return Err(OpenError::Version { path, version }),
        // Nothing is written behind a header that is not durable yet.
        HeaderState::Invalid if newest && size <= segment::HEADER_BYTES => {
            std::fs::remove_file(&path).map_err(io("remove"))?;
            return Ok(None);
        }
        HeaderState::Invalid => return Err(OpenError::Corrupt { path, offset: 0 }),
    }
    let mut at = position;
    while let Some(payload) = read_frame(&mut reader, at, size, position).map_err(io("read"))? {
        at += (frame::HEADER_BYTES + payload.len()) as u64;
        if at > from {
            visit(at, payload);
        }
    }
    let offset = segment::HEADER_BYTES + at - position;
    if offset == size {
        return Ok(Some((at, 0)));
    }
    if !newest || had_been_durable(&path, offset, at).map_err(io("read"))? {
        return Err(OpenError::Corrupt { path, offset });
    }
    file.set_len(offset).and_then(|()| file.sync_all()).map_err(io("cut the torn tail of"))?;
    Ok(Some((at, size - offset)))
}

/// The payload of the frame at position `at`; none when there is no valid frame.
fn read_frame(reader: &mut impl Read, at: u64, size: u64, segment: u64) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::with_capacity(frame::HEADER_BYTES);
    reader.by_ref().take(frame::HEADER_BYTES as u64).read_to_end(&mut head)?;
    let Some(header) = frame::header(&head) else { return Ok(None) };
    let end = segment::HEADER_BYTES + (at - segment) + header.frame_bytes();
    if end > size {
        return Ok(None);
    }
    let mut payload = vec![0; header.length];
    reader.read_exact(&mut payload)?;
    Ok(header.fits(at, &payload).then_some(payload))
}

/// Whether a valid frame behind the damage at `offset` (position `damage`) proves that it had been durable.
fn had_been_durable(path: &Path, offset: u64, damage: u64) -> io::Result<bool> {
    let bytes = std::fs::read(path)?;
    let rest = &bytes[offset as usize..];
    Ok(memchr::memmem::find_iter(rest, &frame::MAGIC).any(|at| {
        frame::header(&rest[at..]).is_some_and(|header| {
            header.synced > damage
                && rest[at + frame::HEADER_BYTES..]
                    .get(..header.length)
                    .is_some_and(|payload| header.fits(damage + at as u64, payload))
        })
    }))
}
