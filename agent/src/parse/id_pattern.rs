//! IDs by a pattern of the operator's, for programs that write them in a way of their own. Pure.
//!
//! The group named `id` is the ID, else the first group. It has to pass as an ID like any other: placeholders are refused.

use regex::bytes::Regex;
use serde::Deserialize;

use crate::record::{IdKind, Ids};
use crate::transaction;

/// As it stands in the configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawIdPattern {
    /// A regular expression with a group.
    pub pattern: String,
    /// `trace`, `request`, `correlation`, `transaction` or `other`, which it is by default.
    pub kind: Option<String>,
}

/// A pattern that can be used.
#[derive(Clone, Debug)]
pub struct IdPattern {
    pattern: Regex,
    group: usize,
    kind: IdKind,
}

/// The kinds as a configuration writes them.
pub const KINDS: [(&str, IdKind); 5] = [
    ("trace", IdKind::Trace),
    ("request", IdKind::Request),
    ("correlation", IdKind::Correlation),
    ("transaction", IdKind::Transaction),
    ("other", IdKind::Other),
];

impl IdPattern {
    /// Checks the pattern and the kind; the error says what is wrong and what would be right.
    pub fn new(raw: &RawIdPattern) -> Result<Self, String> {
        let pattern = Regex::new(&raw.pattern)
            .map_err(|error| format!("id pattern {:?}: {}", raw.pattern, last_line(&error.to_string())))?;
        if pattern.captures_len() < 2 {
            return Err(format!(
                "id pattern {:?}: no group: put the id in one, as in order=(?<id>[0-9]+)",
                raw.pattern
            ));
        }
        let group = pattern.capture_names().position(|name| name == Some("id")).unwrap_or(1);
        let kind = match &raw.kind {
            None => IdKind::Other,
            Some(name) => {
                KINDS.iter().find(|(known, _)| known == name).map(|(_, kind)| *kind).ok_or_else(|| {
                    format!("id kind {name:?}: use one of {}", KINDS.map(|(known, _)| known).join(", "))
                })?
            }
        };
        Ok(Self { pattern, group, kind })
    }

    /// Puts every ID of `record` that the pattern finds into `ids`.
    pub fn find(&self, record: &[u8], ids: &mut Ids) {
        for captures in self.pattern.captures_iter(record) {
            if let Some(id) = captures.get(self.group)
                && transaction::is_id(id.as_bytes())
            {
                ids.push(self.kind, id.as_bytes(), "pattern");
            }
        }
    }
}

/// The parser of patterns draws what it says over several lines; what is wrong stands in the last one.
pub fn last_line(error: &str) -> &str {
    let line = error.trim_end().rsplit('\n').next().unwrap_or(error);
    line.strip_prefix("error: ").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(pattern: &str, kind: Option<&str>) -> Result<IdPattern, String> {
        IdPattern::new(&RawIdPattern { pattern: pattern.into(), kind: kind.map(Into::into) })
    }

    #[test]
    fn the_group_named_id_or_the_first() {
        for (text, kind, expected) in [
            ("order ([0-9]+)", None, IdKind::Other),
            ("(order|parcel) (?<id>[0-9]+)", Some("transaction"), IdKind::Transaction),
        ] {
            let mut ids = Ids::default();
            pattern(text, kind).unwrap().find(b"order 471199 came, order 0000, order 471200, order 17", &mut ids);
            let found: Vec<_> = ids.iter().collect();
            assert_eq!(found, [(expected, &b"471199"[..]), (expected, b"471200")], "{text}");
            assert!(ids.iter_why().all(|found| found.why == "pattern" && !found.attached));
        }
    }

    #[test]
    fn errors_say_what_would_be_right() {
        for (text, kind, part) in [
            ("order [0-9]+", None, "no group"),
            ("order ([0-9]+", None, "unclosed group"),
            ("order ([0-9]+)", Some("span"), "use one of trace, request, correlation, transaction, other"),
        ] {
            let error = pattern(text, kind).unwrap_err();
            assert!(error.contains(part), "{error}");
        }
    }
}
