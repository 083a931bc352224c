//! A copy of the log for a backup, while it grows: what a crash at this moment would leave, without a torn tail.
//!
//! Nothing may be cut off the log's begin meanwhile. Full segments are never written again and are linked; of the newest one the
//! frames that are whole are copied. A frame that is whole and not acknowledged yet does no harm: the agent sends it again.

use std::io;
use std::path::Path;

use super::inspect::whole_frames_end;
use super::segment::{self, HeaderState};

/// Copies the segments in `dir` into `into`, a folder of the same file system.
pub fn copy(dir: &Path, into: &Path) -> io::Result<()> {
    let positions = segment::list(dir)?;
    let Some((newest, full)) = positions.split_last() else { return Ok(()) };
    for position in full {
        std::fs::hard_link(segment::path(dir, *position), segment::path(into, *position))?;
    }
    let bytes = std::fs::read(segment::path(dir, *newest))?;
    let header = bytes.get(..segment::HEADER_BYTES as usize).unwrap_or_default();
    // One that is just being made holds nothing yet.
    if segment::check_header(header, *newest) == HeaderState::Valid {
        let end = whole_frames_end(&bytes, *newest);
        std::fs::write(segment::path(into, *newest), &bytes[..end])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wal::recovery::{Recovered, recover};
    use crate::wal::writer::Writer;

    fn payloads(dir: &Path) -> (Vec<Vec<u8>>, Recovered) {
        let mut payloads = Vec::new();
        let recovered = recover(dir, 0, |_, payload| payloads.push(payload)).unwrap();
        (payloads, recovered)
    }

    #[test]
    fn all_that_is_whole_is_in_it_and_what_comes_later_is_not() {
        let (dir, image) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let empty = recover(dir.path(), 0, |_, _| {}).unwrap();
        let mut writer = Writer::open(dir.path(), &empty, 64).unwrap();
        for number in 0..10_u8 {
            writer.append(&[number; 30]);
            writer.commit().unwrap();
        }
        // Half of a frame, as another thread may be writing it.
        let newest = segment::path(dir.path(), *segment::list(dir.path()).unwrap().last().unwrap());
        let whole = std::fs::read(&newest).unwrap();
        std::fs::write(&newest, [&whole[..], b"CWf1half"].concat()).unwrap();
        copy(dir.path(), image.path()).unwrap();
        std::fs::write(&newest, &whole).unwrap();
        let end = writer.end();
        for number in 10..20_u8 {
            writer.append(&[number; 30]);
            writer.commit().unwrap();
        }
        let (payloads, recovered) = payloads(image.path());
        assert_eq!(payloads, (0..10).map(|number| vec![number; 30]).collect::<Vec<_>>());
        assert_eq!((recovered.end, recovered.torn_bytes), (end, 0));
        assert!(segment::list(image.path()).unwrap().len() > 2);
    }

    #[test]
    fn a_segment_that_is_being_made_is_left_out() {
        let (dir, image) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        copy(dir.path(), image.path()).unwrap();
        std::fs::write(segment::path(dir.path(), 0), b"CLEWW").unwrap();
        copy(dir.path(), image.path()).unwrap();
        assert_eq!(segment::list(image.path()).unwrap(), Vec::<u64>::new());
    }
}
