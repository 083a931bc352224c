//! One test's directory and seed. When the test fails, both are printed with the ends of all logs, and the directory is
//! kept.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// How much of each log a failure shows.
const LOG_LINES_SHOWN: usize = 40;

/// Where a test plays. Declare it first, so that it is dropped last.
pub struct Stage {
    folder: TempDir,
    /// Everything random in the test follows from it.
    pub seed: u64,
}

impl Stage {
    /// With `$CLEW_SEED`, or a random seed.
    pub fn new(name: &str) -> Self {
        let seed = std::env::var("CLEW_SEED").ok().map_or_else(
            || fastrand::u64(..1_000_000_000),
            |text| text.parse().unwrap_or_else(|_| panic!("CLEW_SEED={text} is no number")),
        );
        let folder = tempfile::Builder::new().prefix(&format!("clew-{name}-")).tempdir().expect("make a directory");
        println!("{name}: seed {seed}");
        Self { folder, seed }
    }

    /// The test's directory.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A folder in it, created.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(&path).expect("make a folder");
        path
    }

    /// Another stream of random numbers that follows from the seed.
    pub fn random(&self, stream: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(stream))
    }

    fn show_logs(&self) {
        let mut logs: Vec<PathBuf> = std::fs::read_dir(self.path())
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "stderr"))
            .collect();
        logs.sort();
        for log in logs {
            let text = String::from_utf8_lossy(&std::fs::read(&log).unwrap_or_default()).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            eprintln!("--- the end of {}", log.display());
            for line in &lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..] {
                eprintln!("{line}");
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.folder.disable_cleanup(true);
            self.show_logs();
            eprintln!("--- failed with CLEW_SEED={}; kept {}", self.seed, self.path().display());
        }
    }
}
