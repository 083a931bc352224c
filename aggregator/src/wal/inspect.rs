//! Reads all segments without changing anything, and says which frames make no sense.

use std::io;
use std::path::Path;

use super::frame;
use super::segment::{self, HeaderState};

/// What was found.
#[derive(Debug, Default)]
pub struct Inspected {
    pub segments: usize,
    pub entries: u64,
    /// What is damaged, each with its file and byte.
    pub damaged: Vec<String>,
}

/// See the module. A torn tail of the newest segment, and room that was set aside in it, is no damage.
pub fn inspect(dir: &Path) -> io::Result<Inspected> {
    let mut inspected = Inspected::default();
    let positions = segment::list(dir)?;
    for (index, position) in positions.iter().enumerate() {
        let path = segment::path(dir, *position);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            // The aggregator committed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        inspected.segments += 1;
        let is_newest = index + 1 == positions.len();
        let header = bytes.get(..segment::HEADER_BYTES as usize).unwrap_or_default();
        if !matches!(segment::check_header(header, *position), HeaderState::Valid) {
            if !is_newest {
                inspected.damaged.push(format!("wal segment {}: its header", path.display()));
            }
            continue;
        }
        let (at, entries) = whole_frames(&bytes, *position);
        inspected.entries += entries;
        if at < bytes.len() && !is_newest {
            inspected.damaged.push(format!("wal segment {}: from byte {at} on", path.display()));
        }
    }
    Ok(inspected)
}

/// Where the whole frames of the segment that begins at `position` end, in bytes, header included.
pub fn whole_frames_end(bytes: &[u8], position: u64) -> usize {
    whole_frames(bytes, position).0
}

/// Where they end, and how many there are.
fn whole_frames(bytes: &[u8], position: u64) -> (usize, u64) {
    let (mut at, mut count) = (segment::HEADER_BYTES as usize, 0);
    while let Some(length) = whole_frame(&bytes[at..], position + (at as u64 - segment::HEADER_BYTES)) {
        at += length;
        count += 1;
    }
    (at, count)
}

/// The length of the frame that `bytes` begin with.
fn whole_frame(bytes: &[u8], position: u64) -> Option<usize> {
    let header = frame::header(bytes)?;
    let payload = bytes.get(frame::HEADER_BYTES..)?.get(..header.length)?;
    header.fits(position, payload).then_some(frame::HEADER_BYTES + header.length)
}
