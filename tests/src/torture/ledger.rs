//! All incarnations and the lines they hold. **A line is written down before it is written to its file.**

use std::path::Path;
use std::time::{Duration, Instant};

use super::incarnation::{Destroyed, Incarnation, Up};

/// An agent that ran for less than this while a file was there may not have seen it.
const SEEN_AFTER: Duration = Duration::from_secs(2);

/// A line with its place.
#[derive(Debug)]
pub struct Line {
    /// Index into the list of transaction IDs.
    pub id: usize,
    /// Index into the ledger's incarnations.
    pub incarnation: usize,
    /// Of its first byte in the incarnation.
    pub position: u64,
    /// Without its line feed.
    pub bytes: Vec<u8>,
}

/// The books.
pub struct Ledger {
    begin: Instant,
    pub incarnations: Vec<Incarnation>,
    pub lines: Vec<Line>,
    up: Up,
    agent_started: Duration,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            begin: Instant::now(),
            incarnations: Vec::new(),
            lines: Vec::new(),
            up: Up::default(),
            agent_started: Duration::ZERO,
        }
    }
}

impl Ledger {
    /// The agent runs from now on, or does not.
    pub fn agent_is(&mut self, up: bool) {
        self.up.agent = up;
        if up {
            self.agent_started = self.begin.elapsed();
        }
    }

    /// The aggregator runs from now on, or does not.
    pub fn aggregator_is(&mut self, up: bool) {
        self.up.aggregator = up;
    }

    /// A new incarnation, nothing written yet.
    pub fn created(&mut self, path: &Path, how: &str) -> usize {
        let now = self.begin.elapsed();
        let mut incarnation = Incarnation::new(now);
        incarnation.named(path);
        incarnation.tell(now, self.up, format!("{how} as {}", file_name(path)));
        self.incarnations.push(incarnation);
        self.incarnations.len() - 1
    }

    /// A line that is about to be written.
    pub fn owe(&mut self, incarnation: usize, id: usize, position: u64, bytes: Vec<u8>) {
        self.lines.push(Line { id, incarnation, position, bytes });
    }

    /// Bytes went to its file, with so many lines.
    pub fn wrote(&mut self, incarnation: usize, lines: usize, bytes: u64) {
        self.incarnations[incarnation].wrote(self.begin.elapsed(), self.up, lines, bytes);
    }

    /// It is found at another path now.
    pub fn moved(&mut self, incarnation: usize, how: &str, path: &Path) {
        let incarnation = &mut self.incarnations[incarnation];
        incarnation.named(path);
        incarnation.tell(self.begin.elapsed(), self.up, format!("{how} {}", file_name(path)));
    }

    /// Its last copy is gone.
    pub fn destroyed(&mut self, incarnation: usize, how: &str) {
        let now = self.begin.elapsed();
        let incarnation = &mut self.incarnations[incarnation];
        let seen_since = incarnation.created.max(self.agent_started);
        let perhaps_unseen = !self.up.agent || now.saturating_sub(seen_since) < SEEN_AFTER;
        incarnation.destroyed = Some(Destroyed { at: now, perhaps_unseen });
        incarnation.tell(now, self.up, how.to_owned());
    }
}

fn file_name(path: &Path) -> std::borrow::Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}
