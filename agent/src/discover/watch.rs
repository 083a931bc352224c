//! Hints from the kernel that a directory or a file changed. They only make things faster: losing them loses no line.
//!
//! Hints coalesce: however many come, the pipeline is woken once and finds a set of paths. In a storm of writes the watcher's
//! thread naps, and the pipeline's own looking at active files takes over; what the kernel then drops is told as `lost`.
//!
//! One inotify instance, one watch per directory and none per file. A watch may be led astray by a symbolic link; then a hint is
//! wrong or missing, and the walk, which passes no link, still tells the truth.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{EventKind, ModifyKind};
use notify::{Config, ErrorKind, Event, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher};

/// More events than this within a window, and the thread naps.
const EVENTS_PER_WINDOW_MAX: u32 = 200;
const WINDOW: Duration = Duration::from_millis(100);
const NAP: Duration = Duration::from_millis(50);
/// After the kernel had no watch left it is asked again so much later.
const FULL_DELAY: Duration = Duration::from_secs(60);

/// What changed since the last look.
#[derive(Debug, Default)]
pub struct Hints {
    /// Files that were written to.
    pub written: HashSet<PathBuf>,
    /// Directories whose entries changed.
    pub listed: HashSet<PathBuf>,
    /// Events were dropped: anything may have changed.
    pub lost: bool,
}

impl Hints {
    fn is_empty(&self) -> bool {
        self.written.is_empty() && self.listed.is_empty() && !self.lost
    }
}

/// Watches directories.
pub struct Watch {
    watcher: Option<RecommendedWatcher>,
    watches_max: usize,
    watched: HashSet<PathBuf>,
    /// The kernel has no watch left; it is not asked before then.
    full_until: Option<Instant>,
    told_full: bool,
    hints: Arc<Mutex<Hints>>,
}

impl Watch {
    /// `wake` is called when there is a first hint. At most `watches_max` directories are watched; with 0, or without a watcher
    /// (no inotify instance left), there are just no hints.
    pub fn new(watches_max: Option<usize>, wake: impl Fn() + Send + 'static) -> Self {
        let hints = Arc::new(Mutex::new(Hints::default()));
        let watches_max = watches_max.unwrap_or(usize::MAX);
        let watcher = (watches_max > 0).then(|| watcher(hints.clone(), wake)).flatten();
        Self { watcher, watches_max, watched: HashSet::new(), full_until: None, told_full: false, hints }
    }

    /// Takes the hints that came since the last time.
    pub fn take(&self) -> Hints {
        std::mem::take(&mut *self.hints.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Watches exactly these directories. Answers how many of them are not watched.
    pub fn directories<'a>(&mut self, directories: impl Iterator<Item = &'a Path>) -> usize {
        let Some(watcher) = &mut self.watcher else { return directories.count() };
        let wanted: HashSet<&Path> = directories.collect();
        self.watched.retain(|path| {
            let keep = wanted.contains(path.as_path());
            if !keep {
                let _ = watcher.unwatch(path);
            }
            keep
        });
        if self.full_until.is_some_and(|until| until <= Instant::now()) {
            self.full_until = None;
        }
        for directory in &wanted {
            if self.full_until.is_some() || self.watched.len() >= self.watches_max {
                break;
            }
            if self.watched.contains(*directory) {
                continue;
            }
            match watcher.watch(directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(directory.to_path_buf());
                }
                Err(error) if matches!(error.kind, ErrorKind::MaxFilesWatch) => {
                    self.full_until = Some(Instant::now() + FULL_DELAY);
                    if !std::mem::replace(&mut self.told_full, true) {
                        tracing::warn!(
                            "the kernel has no watch left after {} directories, raise fs.inotify.max_user_watches; \
                             until then the others are only looked at from time to time",
                            self.watched.len()
                        );
                    }
                }
                Err(error) => tracing::debug!("cannot watch {}: {error}", directory.display()),
            }
        }
        wanted.len() - self.watched.len()
    }

    /// Forgets that a directory is watched: it was removed or replaced, and its watch with it.
    pub fn forget(&mut self, directory: &Path) {
        if self.watched.remove(directory)
            && let Some(watcher) = &mut self.watcher
        {
            let _ = watcher.unwatch(directory);
        }
    }
}

fn watcher(hints: Arc<Mutex<Hints>>, wake: impl Fn() + Send + 'static) -> Option<RecommendedWatcher> {
    let mut collect = Collect { hints, wake, window: Instant::now(), events: 0 };
    let kinds = EventKindMask::CREATE | EventKindMask::REMOVE | EventKindMask::MODIFY_DATA;
    let config = Config::default().with_event_kinds(kinds).with_follow_symlinks(false);
    RecommendedWatcher::new(move |event| collect.event(event), config)
        .inspect_err(|error| tracing::warn!("no file system notifications, looking at files instead: {error}"))
        .ok()
}

struct Collect<Wake> {
    hints: Arc<Mutex<Hints>>,
    wake: Wake,
    window: Instant,
    events: u32,
}

impl<Wake: Fn()> Collect<Wake> {
    fn event(&mut self, event: notify::Result<Event>) {
        let first = {
            let mut hints = self.hints.lock().unwrap_or_else(PoisonError::into_inner);
            let first = hints.is_empty();
            match event {
                Ok(event) if event.need_rescan() => hints.lost = true,
                Ok(Event { kind: EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Any), paths, .. }) => {
                    hints.written.extend(paths);
                }
                Ok(Event { kind: EventKind::Access(_), .. }) => {}
                Ok(event) => {
                    let parents = event.paths.iter().filter_map(|path| path.parent());
                    hints.listed.extend(parents.map(Path::to_owned));
                    hints.listed.extend(event.paths);
                }
                Err(_) => hints.lost = true,
            }
            first && !hints.is_empty()
        };
        if first {
            (self.wake)();
        }
        self.events += 1;
        if self.events >= EVENTS_PER_WINDOW_MAX {
            if self.window.elapsed() < WINDOW {
                std::thread::sleep(NAP);
            }
            self.window = Instant::now();
            self.events = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use super::*;

    const HINT_TIME_MAX: Duration = Duration::from_secs(10);

    #[test]
    fn no_more_watches_than_allowed() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| folder.path().join(name));
        for path in &paths {
            std::fs::create_dir(path).unwrap();
        }
        for (watches_max, unwatched) in [(Some(0), 2), (Some(1), 1), (Some(2), 0), (None, 0)] {
            let mut watch = Watch::new(watches_max, || {});
            assert_eq!(watch.directories(paths.iter().map(PathBuf::as_path)), unwatched, "{watches_max:?}");
            assert_eq!(watch.directories(paths.iter().map(PathBuf::as_path)), unwatched, "again {watches_max:?}");
        }
    }

    #[test]
    fn a_watch_that_is_free_again_goes_to_another_directory() {
        let folder = tempfile::tempdir().unwrap();
        let paths = ["a", "b"].map(|name| folder.path().join(name));
        for path in &paths {
            std::fs::create_dir(path).unwrap();
        }
        let (send, woken) = channel();
        let mut watch = Watch::new(Some(1), move || {
            let _ = send.send(());
        });
        for path in &paths {
            assert_eq!(watch.directories(std::iter::once(path.as_path())), 0);
        }
        std::fs::write(paths[1].join("x.log"), "x").unwrap();
        woken.recv_timeout(HINT_TIME_MAX).unwrap();
        assert!(watch.take().listed.contains(&paths[1]));
    }
}
