//! File systems that go away and come back: NFS, above all. What was opened there may lead nowhere any more, and the same files may be seen
//! through another mount, where they have other keys.

use std::path::Path;
use std::time::Instant;

use clew_proto::v1::GapReason;

use super::source::{Ending, Id, Source};
use super::{GREW_LATELY, Pipeline};
use crate::checkpoint::Remembered;
use crate::identity;
use crate::tail::file::{FileKey, LogFile};

/// So much of a file in common tells that it is the same one, also under another name.
const PREFIX_BYTES_MIN: u32 = 64;

impl Pipeline {
    /// What was opened leads nowhere: another host removed the file, or its file system was exported anew. It is opened once more if it is where
    /// it was; otherwise nobody has what was not read of it, unless a copy has.
    pub(super) fn lose_sight(&mut self, id: Id, now: Instant) {
        let Some(source) = self.table.get_mut(id) else { return };
        let (prefix, acked, key) = (source.prefix, source.acked, source.key);
        let same = LogFile::open_at(&source.location).ok().filter(|(file, _)| {
            source.compression.is_none()
                && file.key() == key
                && identity::goes_on(file, prefix, acked.position, acked.guard)
        });
        if let Some((file, _)) = same {
            source.file = Some(file);
            return;
        }
        tracing::warn!("{} is not there any more, with what was not read of it", source.path.display());
        source.file = None;
        let end = source.size.max(source.read.position);
        let grew_lately = now.saturating_duration_since(source.grown_at) < GREW_LATELY;
        source.ended = Some(Ending {
            end,
            at: now,
            reason: GapReason::Vanished,
            open_ended: grew_lately || end > source.read.position,
            awaits_copy: source.copies_are_read,
            declared: false,
        });
        if !source.copies_are_read && !self.finish_if_over(id) {
            self.announce.push_back(id);
        }
        self.unsaved = true;
    }

    /// The source whose file this is, seen through another mount: the same inode with the same bytes, where the one before is not at its place
    /// any more.
    pub(super) fn of_other_mount(&self, file: &LogFile, path: &Path) -> Option<Id> {
        let is_same = |source: &Source| {
            source.compression.is_none()
                && (source.path == path || source.prefix.length >= PREFIX_BYTES_MIN)
                && !source.is_at_its_place()
                && identity::goes_on(file, source.prefix, source.acked.position, source.acked.guard)
        };
        self.table.of_inode_elsewhere(file.key()).find(|(_, source)| is_same(source)).map(|(id, _)| id)
    }

    /// The same of a source that the checkpoint remembers.
    pub(super) fn remembered_of_other_mount(&mut self, source: &Source) -> Option<Remembered> {
        let others = self.remembered_devices.iter().filter(|device| **device != source.key.device);
        let key = others.map(|device| FileKey { device: *device, ..source.key }).find(|key| {
            self.remembered.get(key).is_some_and(|remembered| {
                let is_there = || rustix::fs::lstat(&remembered.path).is_ok_and(|stat| FileKey::of(&stat) == *key);
                source.is_remembered_as(remembered)
                    && source.compression.is_none()
                    && (source.path == remembered.path || remembered.prefix.length >= PREFIX_BYTES_MIN)
                    && !is_there()
            })
        })?;
        let remembered = self.remembered.remove(&key)?;
        Some(Remembered { key: source.key, ..remembered })
    }
}
