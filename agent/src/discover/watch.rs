//! Hints from the kernel that a directory or a file changed. They only make things faster: losing them loses no line.
//!
//! Hints coalesce: however many come, the pipeline is woken once and finds a set of paths. In a storm of writes the watcher's
//! thread naps, and the pipeline's own looking at active files takes over; what the kernel then drops is told as `lost`.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use notify::event::{EventKind, ModifyKind};
use notify::{Config, Event, EventKindMask, RecommendedWatcher, RecursiveMode, Watcher};

/// More events than this within a window, and the thread naps.
const EVENTS_PER_WINDOW_MAX: u32 = 200;
const WINDOW: Duration = Duration::from_millis(100);
const NAP: Duration = Duration::from_millis(50);

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
    watched: HashSet<PathBuf>,
    hints: Arc<Mutex<Hints>>,
}

impl Watch {
    /// `wake` is called when there is a first hint. Without a watcher (no inotify instance left) there are just no hints.
    pub fn new(wake: impl Fn() + Send + 'static) -> Self {
        let hints = Arc::new(Mutex::new(Hints::default()));
        let mut collect = Collect { hints: hints.clone(), wake, window: Instant::now(), events: 0 };
        let kinds = EventKindMask::CREATE | EventKindMask::REMOVE | EventKindMask::MODIFY_DATA;
        let config = Config::default().with_event_kinds(kinds).with_follow_symlinks(false);
        let watcher = RecommendedWatcher::new(move |event| collect.event(event), config)
            .inspect_err(|error| tracing::warn!("no file system notifications, looking at files instead: {error}"))
            .ok();
        Self { watcher, watched: HashSet::new(), hints }
    }

    /// Takes the hints that came since the last time.
    pub fn take(&self) -> Hints {
        std::mem::take(&mut *self.hints.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Watches exactly these directories. Answers how many of them cannot be watched.
    pub fn directories<'a>(&mut self, directories: impl Iterator<Item = &'a Path>) -> usize {
        let Some(watcher) = &mut self.watcher else { return directories.count() };
        let mut failed = 0;
        let mut wanted = HashSet::new();
        for directory in directories {
            wanted.insert(directory);
            if self.watched.contains(directory) {
                continue;
            }
            match watcher.watch(directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(directory.to_owned());
                }
                Err(error) => {
                    tracing::debug!("cannot watch {}: {error}", directory.display());
                    failed += 1;
                }
            }
        }
        let gone: Vec<PathBuf> = self.watched.iter().filter(|path| !wanted.contains(path.as_path())).cloned().collect();
        for directory in gone {
            let _ = watcher.unwatch(&directory);
            self.watched.remove(&directory);
        }
        failed
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
