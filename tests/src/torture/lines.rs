//! The lines, each with one transaction ID and a number of its own, and the beginnings that files have in common.
//!
//! JSON and logfmt alone: behind them nothing is taken for a stack trace, so that a record is a line.

use fastrand::Rng;

use crate::line::{self, FORMATS};

/// Files may begin with this, all alike. No ID: it is not looked for.
const BANNER: &[u8] =
    b"{\"level\":\"INFO\",\"message\":\"service started, version 1.4.2, configuration read, listening\"}\n";
/// Smaller than any fingerprint, and alike.
const TINY: &[u8] = b"tiny\n";

/// Makes them.
pub struct Lines {
    random: Rng,
    ids: Vec<String>,
    number: u64,
}

impl Lines {
    pub fn new(random: Rng, ids: Vec<String>) -> Self {
        Self { random, ids, number: 0 }
    }

    /// `count` lines with the indexes of their IDs.
    pub fn take(&mut self, service: u32, count: usize) -> Vec<(usize, Vec<u8>)> {
        (0..count).map(|_| self.one(service)).collect()
    }

    fn one(&mut self, service: u32) -> (usize, Vec<u8>) {
        self.number += 1;
        let id = self.random.usize(..self.ids.len());
        let (hex, number) = (&self.ids[id], self.number);
        let bytes = if self.random.u8(..8) == 0 {
            // As short as a line with an ID can be: a file of one such line is smaller than any fingerprint.
            format!(r#"{{"trace_id":"{hex}","n":{number}}}"#).into_bytes()
        } else {
            let format = FORMATS[self.random.usize(..2)];
            line::line(&mut self.random, format, hex, service, number)
        };
        (id, bytes)
    }
}

/// How a file begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Start {
    pub bytes: &'static [u8],
    /// It is written when the file is created; otherwise together with the first line.
    pub alone: bool,
}

impl Start {
    /// With the first line.
    pub const NOTHING: Self = Self { bytes: b"", alone: false };

    /// Any beginning.
    pub fn random(random: &mut Rng) -> Self {
        match random.u8(..20) {
            0..=4 => Self { bytes: BANNER, alone: false },
            5 => Self { bytes: BANNER, alone: true },
            6..=7 => Self { bytes: TINY, alone: false },
            8..=9 => Self { bytes: TINY, alone: true },
            _ => Self::NOTHING,
        }
    }
}
