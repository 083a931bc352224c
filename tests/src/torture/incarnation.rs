//! One logical content of a file: what was written from its creation or truncation on, whatever it was called meanwhile.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What a failure has to tell of it. Times are since the test began.
#[derive(Debug)]
pub struct Incarnation {
    /// When its first bytes were written; before that, when its file was created.
    pub created: Duration,
    /// Every path that led to it, the temporary ones of compression left out.
    pub names: Vec<PathBuf>,
    /// Bytes written.
    pub end: u64,
    /// No copy is left.
    pub destroyed: Option<Destroyed>,
    history: Vec<Event>,
}

/// Its end.
#[derive(Clone, Copy, Debug)]
pub struct Destroyed {
    pub at: Duration,
    /// The agent was down, or had no time to see it: it may never have known that there was anything.
    pub perhaps_unseen: bool,
}

#[derive(Debug)]
struct Event {
    at: Duration,
    /// Whether agent and aggregator ran.
    up: Up,
    what: What,
}

/// Which of the programs run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Up {
    pub agent: bool,
    pub aggregator: bool,
}

#[derive(Debug)]
enum What {
    /// Several writes in a row are one event, up to this time.
    Wrote {
        until: Duration,
        lines: usize,
    },
    Said(String),
}

impl Incarnation {
    /// Nothing is written yet.
    pub fn new(created: Duration) -> Self {
        Self { created, names: Vec::new(), end: 0, destroyed: None, history: Vec::new() }
    }

    /// It has one more name.
    pub fn named(&mut self, path: &Path) {
        if !self.names.iter().any(|name| name == path) {
            self.names.push(path.to_owned());
        }
    }

    /// Some operation other than a write.
    pub fn tell(&mut self, at: Duration, up: Up, what: String) {
        self.history.push(Event { at, up, what: What::Said(what) });
    }

    /// `bytes` more, with so many lines.
    pub fn wrote(&mut self, at: Duration, up: Up, lines: usize, bytes: u64) {
        if self.end == 0 {
            self.created = at;
        }
        self.end += bytes;
        if let Some(Event { up: before, what: What::Wrote { until, lines: count }, .. }) = self.history.last_mut()
            && *before == up
        {
            (*until, *count) = (at, *count + lines);
            return;
        }
        self.history.push(Event { at, up, what: What::Wrote { until: at, lines } });
    }

    /// Its story, one event a line.
    pub fn story(&self) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "    begun at {:.3} s, {} bytes in all", self.created.as_secs_f64(), self.end);
        for Event { at, up, what } in &self.history {
            let down = match (up.agent, up.aggregator) {
                (true, true) => "",
                (false, true) => " [agent down]",
                (true, false) => " [aggregator down]",
                (false, false) => " [both down]",
            };
            let at = at.as_secs_f64();
            let _ = match what {
                What::Wrote { until, lines } => {
                    writeln!(text, "    {at:.3} s{down}: {lines} lines written, until {:.3} s", until.as_secs_f64())
                }
                What::Said(what) => writeln!(text, "    {at:.3} s{down}: {what}"),
            };
        }
        text
    }
}
