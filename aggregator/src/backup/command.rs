//! `clew-aggregator backup TARGET` and `clew-aggregator restore TARGET`: work on the files of `data_dir`, the first also beside a running
//! aggregator.

use std::collections::BTreeMap;
use std::fs::File as LockFile;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use clap::Args;
use clew_service::exit::ConfigError;
use clew_service::units::Size;

use super::manifest::{File, Manifest};
use super::repository::{Repository, object_name};
use super::target::Target;
use super::{control, create, last, restore, snapshot};
use crate::catalog::store::Store;
use crate::clock::{self, rfc3339};
use crate::data_dir::{self, own};
use crate::index::partition::{self, Partition};
use crate::words;

/// Held by a backup, so that no second one takes its image away.
const LOCK: &str = "backup.lock";

/// What is to be backed up, and where to.
#[derive(Debug, Args)]
pub struct BackupArguments {
    /// A folder (/backup/clew, file:///backup/clew) or a bucket of an S3-compatible store (s3://bucket/prefix; credentials and endpoint in
    /// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT, AWS_ALLOW_HTTP).
    target: String,
    /// Afterwards remove all but the newest so many backups, and what only those needed [default: keep all].
    #[arg(long, value_name = "NUMBER", conflicts_with_all = ["list", "verify"])]
    keep: Option<NonZeroUsize>,
    /// Make none; list those that the target holds, the oldest first.
    #[arg(long, conflicts_with = "verify")]
    list: bool,
    /// Make none; read all that the target holds, and name what is damaged.
    #[arg(long)]
    verify: bool,
}

/// What is to be restored, and where from.
#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// As `clew-aggregator backup` takes it.
    target: String,
    /// Only what was received on this day (UTC), for instance 2026-11-27. May be repeated [default: all days].
    #[arg(long = "day", value_name = "DAY")]
    days: Vec<String>,
    /// Which backup, by its ID [default: the newest].
    #[arg(long, value_name = "ID")]
    backup: Option<String>,
}

/// Does what is asked for about backups of `data_dir`, and says what came of it.
pub async fn backup(arguments: &BackupArguments, data_dir: &Path, out: &mut impl Write) -> anyhow::Result<()> {
    let makes = !arguments.list && !arguments.verify;
    let target = Target::open(&arguments.target, makes).map_err(ConfigError::new)?;
    let repository = Repository::new(&target);
    if arguments.list {
        return list(&repository, out).await;
    }
    if arguments.verify {
        return verify(&repository, out).await;
    }
    target.is_fit(data_dir).map_err(ConfigError::new)?;
    let manifest = make(&target, data_dir).await?;
    writeln!(
        out,
        "backup {}: {} files of {} days, {}, of which {} were new, in {}",
        manifest.id,
        manifest.files.len(),
        manifest.days.len(),
        Size(manifest.bytes()),
        Size(manifest.bytes_written),
        words::duration(manifest.duration_ns)
    )?;
    if let Some(keep) = arguments.keep {
        let (backups, objects) = repository.prune(keep.get()).await?;
        writeln!(out, "{backups} older backups and {objects} objects that none needs are removed")?;
    }
    Ok(())
}

async fn make(target: &Target, data_dir: &Path) -> anyhow::Result<Manifest> {
    if !data_dir::partitions(data_dir).is_dir() {
        return Err(ConfigError::new(format!("data_dir: {} holds no data", data_dir.display())).into());
    }
    let lock = only_one(data_dir)?;
    let (started, taken_ns) = (Instant::now(), clock::now_ns());
    let image = Image { path: data_dir.join(snapshot::FOLDER), _lock: lock };
    match data_dir::try_lock(data_dir)? {
        // Nobody has it open.
        Some(unlocked) => {
            let data_dir = data_dir.to_owned();
            tokio::task::spawn_blocking(move || take_closed(&data_dir, &unlocked)).await??;
        }
        None => control::ask(data_dir).await?,
    }
    let manifest = create::create(target, &image.path, taken_ns, started).await?;
    last::write(data_dir, &last::Last::from(&manifest))
        .with_context(|| format!("note the backup in {}", data_dir.display()))?;
    Ok(manifest)
}

fn only_one(data_dir: &Path) -> anyhow::Result<LockFile> {
    let path = data_dir.join(LOCK);
    let lock = own::open_lock(data_dir, LOCK).with_context(|| format!("open {}", path.display()))?;
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::NonBlockingLockExclusive)
        .map_err(|_| anyhow::anyhow!("{} is held: another backup is under way", path.display()))?;
    Ok(lock)
}

/// An image that goes with its backup, be that done or broken off.
struct Image {
    path: PathBuf,
    _lock: LockFile,
}

impl Drop for Image {
    fn drop(&mut self) {
        if let Err(error) = snapshot::remove(&self.path) {
            tracing::warn!("{error}");
        }
    }
}

/// Of a `data_dir` whose lock is in hand.
fn take_closed(data_dir: &Path, _lock: &LockFile) -> anyhow::Result<()> {
    let restoring = data_dir.join(data_dir::RESTORING);
    anyhow::ensure!(!restoring.exists(), "a restore was broken off, {} is left of it", restoring.display());
    let root = data_dir::partitions(data_dir);
    let days = Partition::days(&root)?;
    let partitions: Vec<_> =
        days.into_iter().map(|day| Partition::open(&root, day).map(Arc::new)).collect::<Result<_, _>>()?;
    snapshot::take(data_dir, &partitions, &Store::open(data_dir)?)?;
    Ok(())
}

async fn list(repository: &Repository, out: &mut impl Write) -> anyhow::Result<()> {
    for id in repository.ids().await? {
        match repository.manifest(&id).await {
            Ok(manifest) => writeln!(
                out,
                "{id}  {} files, {}, of which {} were new, in {}; days: {}",
                manifest.files.len(),
                Size(manifest.bytes()),
                Size(manifest.bytes_written),
                words::duration(manifest.duration_ns),
                manifest.days.join(" ")
            )?,
            Err(error) => writeln!(out, "{id}  {error}")?,
        }
    }
    Ok(())
}

/// Each object is read once, whoever needs it.
async fn verify(repository: &Repository, out: &mut impl Write) -> anyhow::Result<()> {
    let mut damaged = 0;
    let mut objects: BTreeMap<String, (File, Vec<String>)> = BTreeMap::new();
    for id in repository.ids().await? {
        match repository.manifest(&id).await {
            Ok(manifest) => {
                for file in manifest.files {
                    objects.entry(file.sha256.clone()).or_insert_with(|| (file, Vec::new())).1.push(id.clone());
                }
            }
            Err(error) => {
                damaged += 1;
                writeln!(out, "DAMAGED {error}")?;
            }
        }
    }
    let mut bytes = 0;
    for (file, backups) in objects.values() {
        bytes += file.bytes;
        if let Some(damage) = repository.fetch(file, None).await? {
            damaged += 1;
            let (object, backups) = (object_name(&file.sha256), backups.join(" "));
            writeln!(out, "DAMAGED {object}: {damage}; it holds {} of {backups}", file.path)?;
        }
    }
    let state = if damaged == 0 { "ok" } else { "DAMAGED" };
    writeln!(out, "{state}: {} objects, {}, {damaged} damaged", objects.len(), Size(bytes))?;
    anyhow::ensure!(
        damaged == 0,
        "{damaged} damaged; remove the damaged objects, and the next backup writes anew what data_dir still has of them"
    );
    Ok(())
}

/// Restores into `data_dir`. `settle` opens a `data_dir`, replays its log into the index, and closes it.
pub async fn restore(
    arguments: &RestoreArguments,
    data_dir: &Path,
    settle: impl FnOnce(&Path) -> anyhow::Result<()> + Send + 'static,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    if let Some(day) = arguments.days.iter().find(|day| partition::day_of(day).is_none()) {
        return Err(ConfigError::new(format!("--day {day}: write a day like 2026-11-27")).into());
    }
    let target = Target::open(&arguments.target, false).map_err(ConfigError::new)?;
    let repository = Repository::new(&target);
    let manifest = match &arguments.backup {
        Some(id) => repository.manifest(id).await?,
        None => repository.newest().await?,
    };
    let held = || ConfigError::new(format!("data_dir: {} is held by a running clew-aggregator", data_dir.display()));
    let _lock = data_dir::try_lock(data_dir)?.ok_or_else(held)?;
    let days = restore::restore(&repository, &manifest, data_dir, &arguments.days, settle).await?;
    writeln!(
        out,
        "backup {} of {} is restored into {}: {} days ({})",
        manifest.id,
        rfc3339(manifest.taken_ns),
        data_dir.display(),
        days.len(),
        days.join(" ")
    )?;
    Ok(())
}
