//! `[[source.drop]]` and `[[source.sample]]`: which records are shipped. Pure.
//!
//! Invariant: a decision depends on the record, its IDs and its position alone. The share of transactions that is kept is the
//! same on every host, however each spells their IDs: a transaction is kept as a whole, or not at all. Errors are kept anyway.
//!
//! A record with the flag `CONTINUES` is not asked about: it follows the decision on the record that it continues.

use regex::bytes::Regex;
use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::pattern::{compile, severity};
use crate::record::Severity;
use crate::transaction::is_xray;

/// One `[[source.drop]]` as it is written: what meets all of its conditions is not shipped.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawDrop {
    /// Less severe than this. A record whose severity is not known is never below.
    pub below: Option<String>,
    /// It matches this regular expression.
    pub pattern: Option<String>,
    /// It does not match this one.
    pub unless: Option<String>,
}

/// One `[[source.sample]]` as it is written: of what meets all of its conditions a share is shipped.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RawSample {
    /// The share that is kept, 0 to 1.
    pub rate: f64,
    pub below: Option<String>,
    pub pattern: Option<String>,
    /// Errors are kept, whatever the share. True unless set.
    pub keep_errors: Option<bool>,
}

/// What becomes of a record. The number is that of the rule in its list, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    Keep,
    Dropped(usize),
    Sampled(usize),
}

/// The rules of one source.
#[derive(Debug)]
pub struct Keep {
    drops: Vec<Conditions>,
    samples: Vec<Sample>,
}

#[derive(Debug)]
struct Sample {
    conditions: Conditions,
    /// Hashes below are kept; 2^64 keeps all.
    limit: u128,
    keep_errors: bool,
}

#[derive(Debug)]
struct Conditions {
    below: Option<Severity>,
    pattern: Option<Regex>,
    unless: Option<Regex>,
}

impl Keep {
    /// Checks the rules; the error names the rule.
    pub fn new(drops: &[RawDrop], samples: &[RawSample]) -> Result<Self, String> {
        let drops = drops
            .iter()
            .enumerate()
            .map(|(index, raw)| drop_rule(raw).map_err(|error| format!("drop rule {}: {error}", index + 1)));
        let samples = samples
            .iter()
            .enumerate()
            .map(|(index, raw)| sample_rule(raw).map_err(|error| format!("sample rule {}: {error}", index + 1)));
        Ok(Self { drops: drops.collect::<Result<_, _>>()?, samples: samples.collect::<Result<_, _>>()? })
    }

    /// Whether there is no rule.
    pub fn is_empty(&self) -> bool {
        self.drops.is_empty() && self.samples.is_empty()
    }

    /// Decides on a record. The first rule whose conditions hold decides, drops before samples. Of several IDs the one with the
    /// smallest hash does; without any, `fallback`: [`position_hash`] of where the record stands.
    pub fn decide<'a>(
        &self,
        content: &[u8],
        severity: Severity,
        ids: impl Iterator<Item = &'a [u8]>,
        fallback: u64,
    ) -> Decision {
        if let Some(rule) = self.drops.iter().position(|rule| rule.hold(content, severity)) {
            return Decision::Dropped(rule);
        }
        let Some(rule) = self.samples.iter().position(|rule| rule.conditions.hold(content, severity)) else {
            return Decision::Keep;
        };
        let sample = &self.samples[rule];
        if sample.keep_errors && severity >= Severity::Error {
            return Decision::Keep;
        }
        let hash = ids.map(id_hash).min().unwrap_or(fallback);
        if u128::from(hash) < sample.limit { Decision::Keep } else { Decision::Sampled(rule) }
    }
}

impl Conditions {
    fn hold(&self, content: &[u8], severity: Severity) -> bool {
        self.below.is_none_or(|below| severity != Severity::Unknown && severity < below)
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(content))
            && !self.unless.as_ref().is_some_and(|unless| unless.is_match(content))
    }
}

/// Part of the meaning of a share: with another seed, hosts of two versions would keep different transactions.
const SEED: u64 = 0x636c_6577;

/// IDs are not longer (`transaction`); of a longer one, this much counts.
const ID_BYTES_MAX: usize = 128;

/// The hash of an ID, the same for all spellings: in lower case, without dashes, leading zeros, and the version of an X-Ray ID.
/// A trace ID that one service writes in decimal and another in hexadecimal has two.
pub fn id_hash(id: &[u8]) -> u64 {
    let id = if is_xray(id) { &id[2..] } else { id };
    let mut canonical = [0u8; ID_BYTES_MAX];
    let letters = id.iter().filter(|byte| **byte != b'-').skip_while(|byte| **byte == b'0');
    let length = canonical.iter_mut().zip(letters).map(|(to, from)| *to = from.to_ascii_lowercase()).count();
    xxh3_64_with_seed(&canonical[..length], SEED)
}

/// The hash of a record without an ID: where it stands does not change when it is read again.
pub fn position_hash(source_id: &[u8; 16], position: u64) -> u64 {
    let mut place = [0u8; 24];
    place[..16].copy_from_slice(source_id);
    place[16..].copy_from_slice(&position.to_be_bytes());
    xxh3_64_with_seed(&place, SEED)
}

fn drop_rule(raw: &RawDrop) -> Result<Conditions, String> {
    if raw.below.is_none() && raw.pattern.is_none() {
        return Err("it needs `below` or `pattern`, or nothing would be shipped".into());
    }
    conditions(raw.below.as_deref(), raw.pattern.as_deref(), raw.unless.as_deref())
}

fn sample_rule(raw: &RawSample) -> Result<Sample, String> {
    if !(0.0..=1.0).contains(&raw.rate) {
        return Err(format!("rate {} must lie between 0 and 1", raw.rate));
    }
    Ok(Sample {
        conditions: conditions(raw.below.as_deref(), raw.pattern.as_deref(), None)?,
        limit: (raw.rate * 2f64.powi(64)) as u128,
        keep_errors: raw.keep_errors.unwrap_or(true),
    })
}

fn conditions(below: Option<&str>, pattern: Option<&str>, unless: Option<&str>) -> Result<Conditions, String> {
    Ok(Conditions {
        below: below.map(|word| severity("below", word)).transpose()?,
        pattern: pattern.map(|text| compile("pattern", text)).transpose()?,
        unless: unless.map(|text| compile("unless", text)).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keep(text: &str) -> Result<Keep, String> {
        #[derive(Deserialize)]
        struct Rules {
            #[serde(default)]
            drop: Vec<RawDrop>,
            #[serde(default)]
            sample: Vec<RawSample>,
        }
        let raw = clew_service::config::parse::<Rules>(text, "agent.toml").map_err(|error| error.to_string())?;
        Keep::new(&raw.drop, &raw.sample)
    }

    #[test]
    fn all_conditions_of_a_rule_hold() {
        let rules = "[[drop]]\nbelow='info'\n[[drop]]\npattern='GET /health'\nunless=' 5\\d\\d '\n\
                     [[sample]]\nrate=0\nbelow='warn'\n[[sample]]\nrate=0\npattern='noisy'\nkeep_errors=false";
        let rules = keep(rules).unwrap();
        for (content, severity, decision) in [
            ("a", Severity::Debug, Decision::Dropped(0)),
            ("a", Severity::Unknown, Decision::Keep),
            ("GET /health 200 ", Severity::Unknown, Decision::Dropped(1)),
            ("GET /health 503 ", Severity::Error, Decision::Keep),
            ("a", Severity::Info, Decision::Sampled(0)),
            ("a", Severity::Warn, Decision::Keep),
            ("noisy", Severity::Fatal, Decision::Sampled(1)),
            ("noisy", Severity::Unknown, Decision::Sampled(1)),
        ] {
            assert_eq!(
                rules.decide(content.as_bytes(), severity, [].into_iter(), 0),
                decision,
                "{content} {severity:?}"
            );
        }
        assert!(keep("").unwrap().is_empty() && !rules.is_empty());
    }

    #[test]
    fn errors_are_kept_unless_told_otherwise() {
        for (more, decision) in [("", Decision::Keep), ("keep_errors=false", Decision::Sampled(0))] {
            let rules = keep(&format!("[[sample]]\nrate=0\n{more}")).unwrap();
            assert_eq!(rules.decide(b"a", Severity::Error, [].into_iter(), 0), decision);
        }
    }

    #[test]
    fn what_is_wrong_is_told_in_one_line() {
        for (text, error) in [
            ("[[drop]]", "drop rule 1: it needs `below` or `pattern`, or nothing would be shipped"),
            ("[[drop]]\nunless='a'", "drop rule 1: it needs `below` or `pattern`, or nothing would be shipped"),
            (
                "[[drop]]\nbelow='info'\n[[drop]]\npattern='('",
                "drop rule 2: pattern \"(\" is no regular expression: unclosed group",
            ),
            ("[[sample]]\nrate=10", "sample rule 1: rate 10 must lie between 0 and 1"),
        ] {
            assert_eq!(keep(text).unwrap_err(), error);
        }
    }

    #[test]
    fn all_spellings_of_an_id_are_one() {
        for (one, other) in [
            ("4BF92F35-77B3-4DA6-A3CE-929D0E0E4736", "4bf92f3577b34da6a3ce929d0e0e4736"),
            ("0000000000000000a3ce929d0e0e4736", "a3ce929d0e0e4736"),
            ("1-67891233-abcdef012345678912345678", "67891233abcdef012345678912345678"),
        ] {
            assert_eq!(id_hash(one.as_bytes()), id_hash(other.as_bytes()), "{one}");
        }
        // Written down, because every version on every host has to agree.
        assert_eq!(id_hash(b"4bf92f3577b34da6a3ce929d0e0e4736"), 7_528_948_767_846_528_590);
    }

    #[test]
    fn the_share_is_what_was_asked_for() {
        for (rate, low, high) in [("0", 0, 0), ("0.1", 900, 1100), ("1", 10_000, 10_000)] {
            let rules = keep(&format!("[[sample]]\nrate={rate}")).unwrap();
            let kept = (0..10_000u64).filter(|at| {
                rules.decide(b"a", Severity::Info, [].into_iter(), position_hash(&[7; 16], *at)) == Decision::Keep
            });
            assert!((low..=high).contains(&kept.count()), "{rate}");
        }
        assert_eq!(
            keep("[[sample]]\nrate=1").unwrap().decide(b"a", Severity::Info, [].into_iter(), u64::MAX),
            Decision::Keep
        );
    }

    proptest! {
        #[test]
        fn the_order_and_the_spelling_of_ids_do_not_matter(mut ids in proptest::collection::vec("[0-9a-f]{8}-[0-9a-f]{8}", 1..5)) {
            let rules = keep("[[sample]]\nrate=0.5").unwrap();
            let decide = |ids: &[String]| rules.decide(b"a", Severity::Info, ids.iter().map(|id| id.as_bytes()), 1);
            let first = decide(&ids);
            ids.reverse();
            let upper: Vec<String> = ids.iter().map(|id| id.to_uppercase().replace('-', "")).collect();
            prop_assert_eq!(decide(&ids), first);
            prop_assert_eq!(decide(&upper), first);
        }
    }
}
