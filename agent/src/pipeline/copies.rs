//! Copies: what logrotate's `copytruncate` leaves beside a live file.
//!
//! A rotated file that nobody saw before may be a copy of what was shipped already. It is held open, and announced only when
//! it has been quiet for a moment: then it is compared with the file of its live name, and with what that name had before it
//! was truncated. What is the same is not shipped again.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::Pipeline;
use super::source::{Id, Mark};
use crate::discover::rotated::live_names;
use crate::identity::{self, Fingerprint};
use crate::tail::file::LogFile;

/// A copy that still grows is not compared.
const QUIET: Duration = Duration::from_secs(2);
/// So many ended incarnations are remembered, the newest.
const ENDED_MAX: usize = 256;
/// Less than this in common says nothing: files begin alike.
const COMMON_BYTES_MIN: u64 = 64;

/// How far an incarnation was read that a truncation ended.
#[derive(Debug)]
pub struct Ended {
    pub path: PathBuf,
    pub prefix: Fingerprint,
    pub mark: Mark,
}

impl Pipeline {
    /// The incarnation in `path` was truncated.
    pub(super) fn remember_ended(&mut self, ended: Ended) {
        if self.ended.len() == ENDED_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(ended);
    }

    /// Decides about a rotated file that is new to us. False: it is too early.
    pub(super) fn decide_copy(&mut self, id: Id, now: Instant) -> bool {
        let Some(source) = self.table.get(id) else { return true };
        if now.saturating_duration_since(source.grown_at) < QUIET && self.draining.is_none() {
            return false;
        }
        let mark = source.file.as_ref().and_then(|file| self.common_with_live(&source.path, file, source.size));
        let Some(source) = self.table.get_mut(id) else { return true };
        source.may_be_copy = false;
        if let Some((prefix, mark)) = mark {
            tracing::debug!("{} is a copy of what was read, up to {}", source.path.display(), mark.position);
            source.prefix = prefix;
            source.fresh = false;
            source.start_at(mark);
            self.unsaved = true;
        }
        true
    }

    /// Up to where `file` is what its live name holds, or held before it was truncated.
    fn common_with_live(&self, path: &Path, file: &LogFile, size: u64) -> Option<(Fingerprint, Mark)> {
        let (folder, name) = (path.parent()?, path.file_name()?);
        live_names(name.as_encoded_bytes()).find_map(|live| {
            let live = folder.join(OsStr::from_bytes(live));
            let held = self.ended.iter().rev().filter(|ended| ended.path == live);
            let held = held.map(|ended| (ended.prefix, ended.mark)).find(|(prefix, mark)| {
                mark.position >= COMMON_BYTES_MIN
                    && mark.position <= size
                    && !mark.guard.is_empty()
                    && identity::prefix_agrees(file, *prefix).unwrap_or(false)
                    && identity::guard_agrees(file, mark.position, mark.guard).unwrap_or(false)
            });
            held.or_else(|| {
                // Not truncated yet: the live file will deliver everything that the copy holds.
                let source = self.table.get(self.table.of_path(&live)?)?;
                let live = source.file.as_ref()?;
                let guard = identity::guard(file, size).ok()?;
                let prefix = identity::prefix(file).ok()?;
                let same = size >= COMMON_BYTES_MIN
                    && identity::prefix_agrees(live, prefix).unwrap_or(false)
                    && identity::guard_agrees(live, size, guard).unwrap_or(false);
                same.then_some((prefix, Mark { position: size, guard, last_time_ns: None }))
            })
        })
    }
}
