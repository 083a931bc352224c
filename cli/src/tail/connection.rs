//! The connection of a tail: lost, and found again where it stopped.

use std::io;
use std::time::{Duration, Instant};

use ureq::BodyReader;

use super::ended_by_reader;
use crate::client::{Client, Failure};
use crate::terminal::remark;

/// Before the first attempt; each further one waits twice as long.
const WAIT_MIN: Duration = Duration::from_millis(250);
const WAIT_MAX: Duration = Duration::from_secs(10);
/// How often a wait looks whether anybody still reads.
const LOOK: Duration = Duration::from_millis(250);

pub struct Connection<'a> {
    client: &'a Client,
    path: String,
    /// Nothing has come for so long: the connection is lost.
    pub silence: Duration,
    /// Of the last event; the aggregator goes on behind it.
    pub last_id: Option<String>,
    /// When there was one the last time.
    opened: Instant,
    /// Since there was one for long.
    attempts: u32,
}

impl<'a> Connection<'a> {
    pub fn new(client: &'a Client, path: String, silence: Duration) -> Self {
        Self { client, path, silence, last_id: None, opened: Instant::now(), attempts: 0 }
    }

    pub fn open(&mut self) -> Result<BodyReader<'static>, Failure> {
        let id = self.last_id.as_deref();
        let stream = self.client.stream(&self.path, "text/event-stream", id, Some(self.silence))?;
        self.opened = Instant::now();
        Ok(stream)
    }

    /// Tries until it succeeds, or the aggregator says that it never will. A new reason is told.
    pub fn open_again(&mut self) -> anyhow::Result<BodyReader<'static>> {
        let mut told = String::new();
        // One that is lost as soon as it is there must not be asked for all the time.
        if self.opened.elapsed() > WAIT_MAX {
            self.attempts = 0;
        }
        loop {
            wait(WAIT_MIN.saturating_mul(1 << self.attempts.min(16)).min(WAIT_MAX))?;
            self.attempts += 1;
            match self.open() {
                Ok(stream) => return Ok(stream),
                Err(Failure::Server(why)) => {
                    if why != told {
                        remark(&format!("{why}; trying on"));
                        told = why;
                    }
                }
                Err(failure) => return Err(failure.into()),
            }
        }
    }
}

fn wait(whole: Duration) -> io::Result<()> {
    let end = Instant::now() + whole;
    loop {
        ended_by_reader()?;
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        std::thread::sleep(left.min(LOOK));
    }
}
