//! `[source.attach]`: records between a begin and an end that carry no ID get one. Pure; the open windows are in `window`.
//!
//! Only what the source's owner asks for: nothing is guessed. An ID that was found in a record is never joined by an attached one.
//! The patterns are looked for in each line of the file, without a container's framing; a record has the ID of its first line.

use std::time::Duration;

use clew_service::units::Span;
use regex::bytes::Regex;
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_128;

use super::pattern::{Group, compile, compile_group, kind};
use crate::record::IdKind;

/// `[source.attach]` as it is written.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawAttach {
    /// A line that matches opens a window.
    pub begin: String,
    /// A line that matches is the last one of its window. Without it the next begin ends the window.
    pub end: Option<String>,
    /// Its group `key`, or its first one, says which thread, process or connection a line belongs to. Without it one window is
    /// open at a time.
    pub key: Option<String>,
    /// How long after its begin a window ends without an end. 1 minute unless set.
    pub timeout: Option<Span>,
    /// `transaction` unless set; or `trace`, `request`, `correlation`, `other`.
    pub kind: Option<String>,
}

const TIMEOUT: Duration = Duration::from_mins(1);

/// A longer window would hold back where reading starts again after a restart.
const TIMEOUT_MAX: Duration = Duration::from_hours(24);

/// The rule of one source.
#[derive(Debug)]
pub struct Attach {
    begin: Regex,
    end: Option<Regex>,
    key: Option<Group>,
    timeout_ns: i64,
    kind: IdKind,
}

/// What a line means to the windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Role {
    pub begins: bool,
    pub ends: bool,
    /// The hash of its key; absent when it has none.
    pub key: Option<u128>,
}

impl Attach {
    /// Checks the rule.
    pub fn new(raw: &RawAttach) -> Result<Self, String> {
        let timeout = raw.timeout.map_or(TIMEOUT, |span| span.0);
        if timeout.is_zero() || timeout > TIMEOUT_MAX {
            return Err("attach.timeout must lie between 1ms and 24h".into());
        }
        Ok(Self {
            begin: compile("attach.begin", &raw.begin)?,
            end: raw.end.as_deref().map(|text| compile("attach.end", text)).transpose()?,
            key: raw.key.as_deref().map(|text| compile_group("attach.key", "key", text)).transpose()?,
            timeout_ns: timeout.as_nanos() as i64,
            kind: raw.kind.as_deref().map_or(Ok(IdKind::Transaction), |word| kind("attach.kind", word))?,
        })
    }

    /// The kind of the IDs that it attaches.
    pub fn kind(&self) -> IdKind {
        self.kind
    }

    pub(super) fn timeout_ns(&self) -> i64 {
        self.timeout_ns
    }

    /// Whether a second begin is in doubt: with an end, the first window should have seen it.
    pub(super) fn has_end(&self) -> bool {
        self.end.is_some()
    }

    pub(super) fn role(&self, line: &[u8]) -> Role {
        let key = match &self.key {
            None => Some(0),
            Some(group) => group.find(line).map(xxh3_128),
        };
        Role { begins: self.begin.is_match(line), ends: self.end.as_ref().is_some_and(|end| end.is_match(line)), key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attach(text: &str) -> Result<Attach, String> {
        clew_service::config::parse::<RawAttach>(text, "agent.toml")
            .map_err(|error| error.to_string())
            .and_then(|raw| Attach::new(&raw))
    }

    #[test]
    fn roles() {
        let attach = attach("begin='start'\nend='done'\nkey='\\[(\\d+)\\]'\nkind='request'").unwrap();
        let role = |record: &str| attach.role(record.as_bytes());
        assert_eq!(role("[7] start"), Role { begins: true, ends: false, key: Some(xxh3_128(b"7")) });
        assert_eq!(role("[8] start done"), Role { begins: true, ends: true, key: Some(xxh3_128(b"8")) });
        assert_eq!(role("done"), Role { begins: false, ends: true, key: None });
        assert_eq!(attach.kind(), IdKind::Request);
    }

    #[test]
    fn what_is_wrong_is_told_in_one_line() {
        for (text, error) in [
            ("begin='('", "attach.begin \"(\" is no regular expression: unclosed group"),
            ("begin='a'\nkey='b'", "attach.key \"b\" has no group; put the part to take into parentheses"),
            ("begin='a'\ntimeout='25h'", "attach.timeout must lie between 1ms and 24h"),
            (
                "begin='a'\nkind='span'",
                "attach.kind \"span\" is no kind of ID; write trace, request, correlation, transaction or other",
            ),
        ] {
            assert_eq!(attach(text).unwrap_err(), error);
        }
    }
}
