//! Whether a record fulfils a query, after the page about the language and nothing else: character by character, value by value.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::LazyLock;

use clew_aggregator::id::Canonical;
use clew_aggregator::query::language::ast::{Bound, Comparison, FieldName, Query, Test, What};
use clew_aggregator::query::language::level;
use clew_aggregator::query::language::time::When;
use regex::bytes::Regex;

use super::fields::Value;
use super::logs::{Entry, NOON_NS};

/// Remembers compiled regexes.
#[derive(Default)]
pub struct Naive {
    regexes: HashMap<String, Regex>,
}

impl Naive {
    pub fn fulfils(&mut self, query: &Query, entry: &Entry) -> bool {
        match query {
            Query::All => true,
            Query::Not(part) => !self.fulfils(part, entry),
            Query::And(parts) => parts.iter().all(|part| self.fulfils(part, entry)),
            Query::Or(parts) => parts.iter().any(|part| self.fulfils(part, entry)),
            Query::Test(test) => self.passes(test, entry),
        }
    }

    fn passes(&mut self, test: &Test, entry: &Entry) -> bool {
        let source = &entry.source;
        match &test.field {
            None => self.line(&test.what, &entry.line),
            Some(FieldName::Service) => self.name(&test.what, source.service.as_bytes()),
            Some(FieldName::Host) => self.name(&test.what, source.host.as_bytes()),
            Some(FieldName::Source) => self.name(&test.what, source.id.simple().to_string().as_bytes()),
            Some(FieldName::Label(name)) => {
                source.labels.iter().any(|(known, value)| known == name && self.name(&test.what, value.as_bytes()))
            }
            Some(FieldName::File) => match &test.what {
                What::Word(text) => {
                    let path = String::from_utf8(source.path.clone()).expect("paths are text here");
                    let slashes = path.match_indices('/').map(|(at, _)| at + 1);
                    slashes.chain([0]).any(|at| same_in_any_case(&path[at..], text))
                }
                what => self.name(what, &source.path),
            },
            Some(FieldName::Level) => is_level(&test.what, entry.severity),
            Some(FieldName::Time) => is_time(&test.what, entry.time),
            Some(FieldName::Txn) => match &test.what {
                What::Word(id) | What::Phrase(id) => {
                    let wanted = Canonical::candidates(id.as_bytes());
                    entry.ids.iter().any(|id| wanted.iter().any(|wanted| wanted.same(id)))
                }
                _ => !entry.ids.is_empty(),
            },
            Some(FieldName::Key(path)) => {
                let path = path.join(".");
                entry.fields.iter().any(|(found, value)| found == path.as_bytes() && self.value(&test.what, value))
            }
        }
    }

    fn line(&mut self, what: &What, line: &[u8]) -> bool {
        match what {
            What::Word(text) | What::Phrase(text) => stands_in(text, false, line),
            What::Prefix(text) => stands_in(text, true, line),
            What::Regex(pattern) => self.regex(pattern).is_match(line),
            _ => unreachable!("no query compares the line"),
        }
    }

    fn name(&mut self, what: &What, name: &[u8]) -> bool {
        let text = String::from_utf8(name.to_vec()).expect("names are text here");
        match what {
            What::Exists => !name.is_empty(),
            What::Word(wanted) => same_in_any_case(&text, wanted),
            What::Prefix(wanted) => begins_in_any_case(&text, wanted),
            What::Phrase(wanted) => text == *wanted,
            What::Regex(pattern) => self.regex(pattern).is_match(name),
            what => lies_in(what, &Value::Text(name.to_vec())),
        }
    }

    fn value(&mut self, what: &What, value: &Value) -> bool {
        match (what, value) {
            (What::Exists, value) => *value != Value::Null,
            (_, Value::Container) => false,
            (What::Word(text), Value::Number(written)) => {
                written == text || decimal(text).is_some_and(|wanted| decimal(written) == Some(wanted))
            }
            (What::Word(text), value) => stands_in(text, false, &value.text()),
            (What::Prefix(text), value) => stands_in(text, true, &value.text()),
            (What::Phrase(text), value) => value.text() == text.as_bytes(),
            (What::Regex(pattern), value) => self.regex(pattern).is_match(&value.text()),
            (what, value) => lies_in(what, value),
        }
    }

    fn regex(&mut self, pattern: &str) -> &Regex {
        self.regexes.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).expect("queries have valid ones"))
    }
}

fn is_word(byte: u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | 0x80..)
}

/// Whether `text` stands in `line`, in any case, with no word going on at its ends; with `open`, at its beginning.
fn stands_in(text: &str, open: bool, line: &[u8]) -> bool {
    let first = text.bytes().next().is_some_and(is_word);
    let last = !open && text.bytes().last().is_some_and(is_word);
    (0..line.len()).any(|begin| {
        match_at(text, &line[begin..]).is_some_and(|length| {
            let before = begin.checked_sub(1).map(|at| line[at]);
            let behind = line.get(begin + length).copied();
            !(first && before.is_some_and(is_word) || last && behind.is_some_and(is_word))
        })
    })
}

/// Bytes of `line` that are `text` in any case.
fn match_at(text: &str, line: &[u8]) -> Option<usize> {
    let mut at = 0;
    for wanted in text.chars() {
        let character = first_character(&line[at..])?;
        if !is_same(wanted, character) {
            return None;
        }
        at += character.len_utf8();
    }
    Some(at)
}

fn first_character(bytes: &[u8]) -> Option<char> {
    (1..=4).find_map(|length| std::str::from_utf8(bytes.get(..length)?).ok()?.chars().next())
}

/// An ASCII letter of a query is ASCII alone; others are compared as Unicode compares them.
fn is_same(wanted: char, found: char) -> bool {
    if wanted.is_ascii() {
        return wanted.eq_ignore_ascii_case(&found);
    }
    wanted == found || wanted.to_lowercase().eq(found.to_lowercase()) || wanted.to_uppercase().eq(found.to_uppercase())
}

fn same_in_any_case(text: &str, wanted: &str) -> bool {
    match_at(wanted, text.as_bytes()) == Some(text.len())
}

fn begins_in_any_case(text: &str, wanted: &str) -> bool {
    match_at(wanted, text.as_bytes()).is_some()
}

/// Sign, digits before and behind the point, without idle zeros.
fn decimal(text: &str) -> Option<(bool, String, String)> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    let are_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let (whole, fraction) = (whole.trim_start_matches('0').to_owned(), fraction.trim_end_matches('0').to_owned());
    let is_zero = whole.is_empty() && fraction.is_empty();
    Some((text.starts_with('-') && !is_zero, whole, fraction))
}

/// Whether it is a number as JSON writes them.
fn number(text: &str) -> Option<f64> {
    static NUMBER: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?$").expect("a constant"));
    NUMBER.is_match(text.as_bytes()).then(|| text.parse().expect("a number of JSON is one of Rust"))
}

fn integer(text: &str) -> Option<i128> {
    number(text)?;
    text.parse().ok()
}

fn compare(value: &Value, operand: &str) -> Option<Ordering> {
    let written = match value {
        Value::Text(text) => text.clone(),
        Value::Number(written) => written.clone().into_bytes(),
        _ => return None,
    };
    let Some(wanted) = number(operand) else {
        return matches!(value, Value::Text(_)).then(|| written.as_slice().cmp(operand.as_bytes()));
    };
    let written = std::str::from_utf8(&written).ok()?;
    match (integer(written), integer(operand)) {
        (Some(value), Some(operand)) => Some(value.cmp(&operand)),
        _ => number(written)?.partial_cmp(&wanted),
    }
}

fn holds(comparison: Comparison, ordering: Ordering) -> bool {
    match comparison {
        Comparison::Less => ordering.is_lt(),
        Comparison::LessEqual => ordering.is_le(),
        Comparison::Greater => ordering.is_gt(),
        Comparison::GreaterEqual => ordering.is_ge(),
    }
}

/// The comparisons that a comparison or a range comes to.
fn comparisons(what: &What) -> Vec<(Comparison, &str)> {
    match what {
        What::Compare(comparison, operand) => vec![(*comparison, operand)],
        What::Range { from, to } => {
            let end = |bound: &'_ Bound, including, excluding| match bound {
                Bound::Open => None,
                Bound::Including(_) => Some(including),
                Bound::Excluding(_) => Some(excluding),
            };
            let from = end(from, Comparison::GreaterEqual, Comparison::Greater).zip(text_of(from));
            let to = end(to, Comparison::LessEqual, Comparison::Less).zip(text_of(to));
            from.into_iter().chain(to).collect()
        }
        _ => unreachable!("what compares nothing is looked at elsewhere"),
    }
}

fn text_of(bound: &Bound) -> Option<&str> {
    match bound {
        Bound::Open => None,
        Bound::Including(text) | Bound::Excluding(text) => Some(text),
    }
}

fn lies_in(what: &What, value: &Value) -> bool {
    comparisons(what)
        .into_iter()
        .all(|(comparison, operand)| compare(value, operand).is_some_and(|ordering| holds(comparison, ordering)))
}

/// An unknown level is found by its name alone.
fn is_level(what: &What, severity: u8) -> bool {
    let named = |name: &str| level::parse(name).expect("queries have known levels");
    match what {
        What::Exists => severity > 0,
        What::Word(name) | What::Phrase(name) => severity == named(name),
        what => {
            severity > 0
                && comparisons(what).into_iter().all(|(comparison, name)| holds(comparison, severity.cmp(&named(name))))
        }
    }
}

fn is_time(what: &What, time: i64) -> bool {
    if *what == What::Exists {
        return true;
    }
    let at = |text: &str| When::parse(text).expect("queries have valid times").resolve(NOON_NS);
    comparisons(what).into_iter().all(|(comparison, text)| holds(comparison, time.cmp(&at(text))))
}
