//! `DIR/issued`: every certificate that was issued, one JSON object on each line, for its owner's eyes alone, replaced
//! as a whole.
//!
//! ```json
//! {"serial":"4f…","kind":"agent","names":["web-1"],"not_before":1795909700,"not_after":1830210800,"revoked":null}
//! ```
//!
//! Times are seconds since the epoch. What is not in it cannot be revoked by its name, so one that is gone is an error.

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::files::{self, PRIVATE};
use super::serial::Serial;

const NAME: &str = "issued";
const REMEDY: &str = "put back a copy of the file: it knows what is revoked";

/// What a certificate is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// The aggregator shows it to agents.
    Server,
    /// An agent shows it to the aggregator.
    Agent,
}

/// Whether a certificate opens anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It does.
    Good,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

/// A certificate that was issued.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issued {
    /// Its number.
    pub serial: Serial,
    /// What it is for.
    pub kind: Kind,
    /// Whom it is for: DNS names and addresses.
    pub names: Vec<String>,
    /// It is good from then on.
    #[serde(rename = "not_before")]
    pub not_before_s: i64,
    /// It is good until then.
    #[serde(rename = "not_after")]
    pub not_after_s: i64,
    /// When it was taken back.
    #[serde(rename = "revoked")]
    pub revoked_s: Option<i64>,
}

impl Issued {
    /// How it stands now.
    pub fn state(&self, now_s: i64) -> State {
        match self.revoked_s {
            Some(_) => State::Revoked,
            None if self.is_over(now_s) => State::Expired,
            None => State::Good,
        }
    }

    /// Its time is over, whether it was revoked or not.
    pub fn is_over(&self, now_s: i64) -> bool {
        now_s > self.not_after_s
    }
}

impl Display for Kind {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Kind::Server => "server",
            Kind::Agent => "agent",
        })
    }
}

impl Display for State {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            State::Good => "good",
            State::Expired => "expired",
            State::Revoked => "revoked",
        })
    }
}

/// Where it lies.
pub fn path(dir: &Path) -> PathBuf {
    dir.join(NAME)
}

/// All that was issued, the first first.
pub fn read(dir: &Path) -> anyhow::Result<Vec<Issued>> {
    let path = path(dir);
    let text = files::read(&path).map_err(|error| anyhow::anyhow!("{error:#}; {REMEDY}"))?;
    let lines = text.lines().enumerate().map(|(index, line)| {
        serde_json::from_str(line)
            .map_err(|error| anyhow::anyhow!("{}, line {}: {error}; {REMEDY}", path.display(), index + 1))
    });
    lines.collect()
}

/// Replaces all of it. Only with the lock.
pub fn write(dir: &Path, issued: &[Issued]) -> anyhow::Result<()> {
    let mut text = String::new();
    for certificate in issued {
        text += &serde_json::to_string(certificate)?;
        text.push('\n');
    }
    files::write(&path(dir), PRIVATE, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(not_after_s: i64, revoked_s: Option<i64>) -> Issued {
        let names = vec!["web-1".to_owned(), "10.0.0.5".to_owned()];
        let serial = Serial::random().unwrap();
        Issued { serial, kind: Kind::Agent, names, not_before_s: 100, not_after_s, revoked_s }
    }

    #[test]
    fn what_was_written_is_read_and_what_was_damaged_or_lost_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let said = format!("{:#}", read(dir.path()).unwrap_err());
        assert!(said.contains("put back a copy") && said.contains("issued"), "{said}");
        let all = [issued(200, None), issued(300, Some(150))];
        for all in [&all[..0], &all[..]] {
            write(dir.path(), all).unwrap();
            assert_eq!(read(dir.path()).unwrap(), all);
        }
        let text = std::fs::read_to_string(path(dir.path())).unwrap();
        assert_eq!(text.lines().count(), 2);
        assert!(text.contains(r#""kind":"agent","names":["web-1","10.0.0.5"],"not_before":100"#), "{text}");
        std::fs::write(path(dir.path()), &text[..text.len() - 5]).unwrap();
        let said = format!("{:#}", read(dir.path()).unwrap_err());
        assert!(said.contains("issued, line 2"), "{said}");
    }

    #[test]
    fn a_certificate_is_good_until_it_ends_or_is_revoked() {
        assert_eq!([200, 201].map(|now_s| issued(200, None).state(now_s)), [State::Good, State::Expired]);
        assert_eq!([200, 201].map(|now_s| issued(200, Some(150)).state(now_s)), [State::Revoked; 2]);
    }
}
