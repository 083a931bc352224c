//! When the last good backup was made, and whether that is too long ago: `data_dir/backup.last`, JSON, written by the command and read by
//! the aggregator. What it says is for metrics and people; without it, or with one of another form, no backup is known.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::manifest::Manifest;
use crate::clock;
use crate::data_dir::own;
use crate::health::{Health, Part};
use crate::metrics::Metrics;
use crate::words;

const NAME: &str = "backup.last";

/// The last good backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// Its ID.
    pub id: String,
    /// What was acknowledged before is in it, nanoseconds since the epoch.
    pub taken_ns: i64,
    /// How long it took, nanoseconds.
    pub duration_ns: u64,
    /// Bytes of all files.
    pub bytes: u64,
    /// Bytes of what was not in the target before.
    pub bytes_written: u64,
}

impl From<&Manifest> for Last {
    fn from(manifest: &Manifest) -> Self {
        Self {
            id: manifest.id.clone(),
            taken_ns: manifest.taken_ns,
            duration_ns: manifest.duration_ns,
            bytes: manifest.bytes(),
            bytes_written: manifest.bytes_written,
        }
    }
}

/// Writes down that it was made.
pub fn write(data_dir: &Path, last: &Last) -> io::Result<()> {
    own::write(data_dir, NAME, &serde_json::to_vec(last).expect("numbers are JSON"))
}

/// The last one that is known.
pub fn read(data_dir: &Path) -> Option<Last> {
    serde_json::from_slice(&std::fs::read(data_dir.join(NAME)).ok()?).ok()
}

/// Looks at it for metrics and health.
#[derive(Clone)]
pub struct Watch {
    /// Where it is written down.
    pub data_dir: PathBuf,
    /// An older one is trouble; none: no age is.
    pub max_lag: Option<Duration>,
    /// Told of trouble.
    pub health: Arc<Health>,
    /// Told of age, duration and bytes.
    pub metrics: Arc<Metrics>,
}

impl Watch {
    /// Tells health and metrics how things are now.
    pub fn look(&self) -> Option<Last> {
        let (last, now_ns) = (read(&self.data_dir), clock::now_ns());
        if let Some(last) = &last {
            let (age, took) = (Duration::from_nanos(age_ns(last, now_ns)), Duration::from_nanos(last.duration_ns));
            self.metrics.backup_made(age, took, last.bytes, last.bytes_written);
        }
        match self.max_lag.and_then(|max_lag| late(last.as_ref(), max_lag, now_ns)) {
            Some(why) => self.health.trouble(Part::Backup, why),
            None => self.health.well(Part::Backup),
        }
        last
    }
}

/// Nanoseconds since it was taken.
pub fn age_ns(last: &Last, now_ns: i64) -> u64 {
    now_ns.saturating_sub(last.taken_ns).max(0).cast_unsigned()
}

/// Why it is too late. The same words for as long as it is the same backup: each is logged once.
fn late(last: Option<&Last>, max_lag: Duration, now_ns: i64) -> Option<String> {
    let allowed = words::duration(u64::try_from(max_lag.as_nanos()).unwrap_or(u64::MAX));
    match last {
        None => Some(format!("no backup was made yet (backup.max_lag is {allowed}): run `clew-aggregator backup`")),
        Some(last) if u128::from(age_ns(last, now_ns)) > max_lag.as_nanos() => Some(format!(
            "the last good backup is {} (backup.max_lag is {allowed}): see why there is no later one",
            last.id
        )),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_is_what_is_older_than_allowed_or_was_never_made() {
        let dir = tempfile::tempdir().unwrap();
        let (health, metrics) = (Arc::new(Health::default()), Arc::new(Metrics::default()));
        let hour = Duration::from_secs(3600);
        let watch = |max_lag| Watch {
            data_dir: dir.path().into(),
            max_lag,
            health: Arc::clone(&health),
            metrics: Arc::clone(&metrics),
        };
        assert_eq!(watch(None).look(), None);
        assert_eq!(health.of(Part::Backup), None);
        watch(Some(hour)).look();
        assert!(health.of(Part::Backup).unwrap().contains("no backup was made yet (backup.max_lag is 60 min)"));
        let mut last = Last::from(&Manifest::new(clock::now_ns() - 1_000_000_000, "s".into()));
        write(dir.path(), &last).unwrap();
        assert_eq!(watch(Some(hour)).look().as_ref(), Some(&last));
        assert_eq!(health.of(Part::Backup), None);
        last.taken_ns -= 3_600_000_000_000;
        write(dir.path(), &last).unwrap();
        watch(Some(hour)).look();
        assert!(health.of(Part::Backup).unwrap().contains(&last.id));
        std::fs::write(dir.path().join(NAME), "{}").unwrap();
        assert_eq!(watch(Some(hour)).look(), None);
    }
}
