//! Which lines are joined to the record before them: by the built-in rules, by a source's own patterns, or none.
//!
//! Invariant: what is decided about a line depends on the record it may belong to and on what follows, never on other records.

use regex::bytes::Regex;
use serde::Deserialize;

use super::trace::Place;
use super::{Belongs, line};
use crate::parse::id_pattern::last_line;

/// As it is written in a config.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct RawJoining {
    /// False: every line is a record.
    pub enabled: Option<bool>,
    /// A line that this pattern finds something in begins a record.
    pub start: Option<String>,
    /// A line that this pattern finds something in belongs to the record before it.
    pub continuation: Option<String>,
}

/// The rules of one source.
#[derive(Clone, Debug, Default)]
pub enum Joining {
    /// Stack traces of the usual languages.
    #[default]
    BuiltIn,
    /// At least one of the two is there.
    Patterns {
        start: Option<Regex>,
        continuation: Option<Regex>,
    },
    Off,
}

impl Joining {
    /// Patterns replace the built-in rules.
    pub fn new(raw: &RawJoining) -> Result<Self, String> {
        if raw.enabled == Some(false) {
            return Ok(Self::Off);
        }
        let start = compile("start", raw.start.as_deref())?;
        let continuation = compile("continuation", raw.continuation.as_deref())?;
        Ok(match (&start, &continuation) {
            (None, None) => Self::BuiltIn,
            _ => Self::Patterns { start, continuation },
        })
    }

    /// Whether anything may be joined to a record that begins with `first`; `joinable` is what its parser says.
    pub(super) fn may_follow(&self, first: &[u8], joinable: bool) -> bool {
        match self {
            Self::BuiltIn => joinable && !first.is_empty(),
            Self::Patterns { .. } => true,
            Self::Off => false,
        }
    }

    pub(super) fn first_place(&self, first: &[u8]) -> Place {
        match self {
            Self::BuiltIn => Place::first(without_return(first)),
            _ => Place::Message,
        }
    }

    /// Whether a record that begins with `first` ends before a line that begins with a digit, whatever the line is.
    pub(super) fn ends_before_digit(&self, first: &[u8]) -> bool {
        matches!(self, Self::BuiltIn) && Place::ends_before_digit(without_return(first))
    }

    pub(super) fn belongs(&self, place: &mut Place, text: &[u8], behind: &[u8]) -> Belongs {
        match self {
            Self::BuiltIn => place.belongs(without_return(text), behind),
            _ if self.is_continuation(text) => Belongs::Yes { behind: 0 },
            _ => Belongs::No,
        }
    }

    /// Whether a line looks like the rest of a record, whichever record that is.
    pub(super) fn is_continuation(&self, text: &[u8]) -> bool {
        let text = without_return(text);
        match self {
            Self::BuiltIn => line::is_continuation(text),
            Self::Patterns { start, continuation } => {
                start.as_ref().is_none_or(|start| !start.is_match(text))
                    && continuation.as_ref().is_none_or(|continuation| continuation.is_match(text))
            }
            Self::Off => false,
        }
    }

    /// Whether the record ends before `rest`, a line that is not whole yet.
    pub(super) fn ends_before(&self, place: Place, rest: &[u8]) -> bool {
        matches!(self, Self::BuiltIn) && place == Place::Message && !line::may_become_continuation(rest)
    }
}

fn compile(name: &str, pattern: Option<&str>) -> Result<Option<Regex>, String> {
    let compile =
        |pattern| Regex::new(pattern).map_err(|error| format!("joining.{name}: {}", last_line(&error.to_string())));
    pattern.map(compile).transpose()
}

fn without_return(text: &[u8]) -> &[u8] {
    text.strip_suffix(b"\r").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_checked() {
        let raw = RawJoining { start: Some("[".into()), ..RawJoining::default() };
        assert!(Joining::new(&raw).is_err_and(|error| error == "joining.start: unclosed character class"));
        let raw = RawJoining { start: Some("^a".into()), enabled: Some(false), ..RawJoining::default() };
        assert!(matches!(Joining::new(&raw), Ok(Joining::Off)));
        assert!(matches!(Joining::new(&RawJoining::default()), Ok(Joining::BuiltIn)));
    }
}
