//! A query made ready: regexes compiled, times resolved, names understood.

use clew_proto::v1::Severity;
use regex::bytes::Regex;

use super::field::path::Path;
use super::language::ast::{Bound, Comparison, FieldName, Query, Span, Test, What};
use super::language::error::SyntaxError;
use super::language::level;
use super::language::time::When;
use super::line_regex::{self, LineRegex};
use super::needle::Needle;
use super::value::{Decimal, Edge, NameTest, Operand, ValueTest, edges};
use crate::block::overlay::Hidden;
use crate::id::Canonical;

/// Each thread that searches has a cache of its own for each of them.
const REGEXES_MAX: usize = 32;

/// What a record has to fulfil.
#[derive(Debug)]
pub enum Predicate {
    All,
    Leaf(Box<Leaf>),
    Not(Box<Predicate>),
    And(Vec<Predicate>),
    Or(Vec<Predicate>),
}

/// One test.
#[derive(Debug)]
pub enum Leaf {
    /// The text stands in the line.
    Line(Needle),
    /// The regex is found in the line.
    LineRegex(LineRegex),
    /// A value of the key passes.
    Key(Path, ValueTest),
    /// The key leads to something.
    KeyExists(Path),
    Service(NameTest),
    Host(NameTest),
    File(NameTest),
    Source(NameTest),
    Label(String, NameTest),
    /// A bit per `v1::Severity` value.
    Level(u16),
    /// It carries one of these.
    Txn(Vec<Canonical>),
    /// It carries an ID.
    TxnExists,
    /// Nanoseconds since the epoch, from the first to before the second.
    Time(i64, i64),
}

/// Makes `query` ready; `now_ns` is what its relative times are relative to.
pub fn compile(query: &Query, now_ns: i64) -> Result<Predicate, SyntaxError> {
    let mut regexes = 0;
    if let Some(test) = one_regex_too_many(query, &mut regexes) {
        let error = SyntaxError::new(test.span, format!("a query has at most {REGEXES_MAX} regexes"));
        return Err(error.with_hint("join some of them: `/one|two/`"));
    }
    ready(query, now_ns)
}

fn one_regex_too_many<'q>(query: &'q Query, regexes: &mut usize) -> Option<&'q Test> {
    match query {
        Query::All => None,
        Query::Test(test) => {
            *regexes += usize::from(matches!(test.what, What::Regex(_)));
            (*regexes > REGEXES_MAX).then_some(test)
        }
        Query::Not(part) => one_regex_too_many(part, regexes),
        Query::And(parts) | Query::Or(parts) => parts.iter().find_map(|part| one_regex_too_many(part, regexes)),
    }
}

fn ready(query: &Query, now_ns: i64) -> Result<Predicate, SyntaxError> {
    let all = |parts: &[Query]| parts.iter().map(|part| ready(part, now_ns)).collect::<Result<Vec<_>, _>>();
    Ok(match query {
        Query::All => Predicate::All,
        Query::Test(test) => Predicate::Leaf(Box::new(leaf(test, now_ns)?)),
        Query::Not(part) => Predicate::Not(Box::new(ready(part, now_ns)?)),
        Query::And(parts) => {
            let mut parts = all(parts)?;
            // What is cheap to decide goes first: the rest looks at fewer records.
            parts.sort_by_key(cost);
            Predicate::And(parts)
        }
        Query::Or(parts) => Predicate::Or(all(parts)?),
    })
}

/// Rising with the work that a test makes.
fn cost(predicate: &Predicate) -> u32 {
    match predicate {
        Predicate::All => 0,
        Predicate::Leaf(leaf) => match leaf.as_ref() {
            Leaf::Service(_) | Leaf::Host(_) | Leaf::File(_) | Leaf::Source(_) | Leaf::Label(..) => 1,
            Leaf::Level(_) | Leaf::Time(..) => 2,
            Leaf::Txn(_) => 3,
            Leaf::TxnExists => 4,
            Leaf::Line(needle) if !needle.may_be_hidden(Hidden::Apart) => 5,
            Leaf::Line(_) => 6,
            Leaf::Key(..) | Leaf::KeyExists(_) => 8,
            Leaf::LineRegex(_) => 9,
        },
        Predicate::Not(part) => cost(part),
        Predicate::And(parts) => parts.iter().map(cost).min().unwrap_or(0),
        Predicate::Or(parts) => parts.iter().map(cost).max().unwrap_or(0),
    }
}

fn leaf(test: &Test, now_ns: i64) -> Result<Leaf, SyntaxError> {
    let Some(field) = &test.field else {
        return Ok(match &test.what {
            What::Word(text) | What::Phrase(text) => Leaf::Line(Needle::words(text)),
            What::Prefix(text) => Leaf::Line(Needle::prefix(text)),
            What::Regex(pattern) => {
                Leaf::LineRegex(LineRegex::new(pattern).map_err(|error| malformed(&error, test.span))?)
            }
            What::Exists | What::Compare(..) | What::Range { .. } => {
                return Err(SyntaxError::new(test.span, "a comparison needs a field").with_hint("write `field:>=500`"));
            }
        });
    };
    Ok(match field {
        FieldName::Key(segments) => {
            let path = Path::new(segments);
            match value_test(test)? {
                None => Leaf::KeyExists(path),
                Some(value) => Leaf::Key(path, value),
            }
        }
        FieldName::Service => Leaf::Service(name_test(test)?),
        FieldName::Host => Leaf::Host(name_test(test)?),
        FieldName::Source => Leaf::Source(name_test(test)?),
        FieldName::Label(name) => Leaf::Label(name.clone(), name_test(test)?),
        FieldName::File => Leaf::File(match &test.what {
            What::Word(text) => NameTest::PathEnd(Needle::words(text)),
            _ => name_test(test)?,
        }),
        FieldName::Level => Leaf::Level(levels(test)?),
        FieldName::Txn => match &test.what {
            What::Word(text) | What::Phrase(text) => Leaf::Txn(Canonical::candidates(text.as_bytes())),
            What::Exists => Leaf::TxnExists,
            _ => {
                let error = SyntaxError::new(test.span, "an ID is found whole, in any spelling");
                return Err(error.with_hint("write `txn:4bf92f3577b34da6a3ce929d0e0e4736`"));
            }
        },
        FieldName::Time => {
            let (from, to) = times(test, now_ns)?;
            Leaf::Time(from, to)
        }
    })
}

fn regex(pattern: &str, span: Span) -> Result<Regex, SyntaxError> {
    line_regex::compile(pattern).map_err(|error| malformed(&error, span))
}

fn malformed(error: &regex::Error, span: Span) -> SyntaxError {
    let why = match error {
        regex::Error::CompiledTooBig(_) => "the regex is too big once compiled".to_owned(),
        // The last line says what is wrong, those before it draw the pattern.
        error => format!("the regex cannot be read: {}", error.to_string().lines().last().unwrap_or_default().trim()),
    };
    SyntaxError::new(span, why).with_hint("look-around and back-references are not supported; `\\/` is a slash")
}

/// None: any value.
fn value_test(test: &Test) -> Result<Option<ValueTest>, SyntaxError> {
    Ok(Some(match &test.what {
        What::Exists => return Ok(None),
        What::Word(text) => {
            ValueTest::Words { needle: Needle::words(text), number: Decimal::new(text.as_bytes()), exact: text.clone() }
        }
        What::Prefix(text) => ValueTest::Prefix(Needle::prefix(text)),
        What::Phrase(text) => ValueTest::Exact(text.clone()),
        What::Regex(pattern) => ValueTest::Regex(regex(pattern, test.span)?),
        What::Compare(comparison, operand) => {
            let (from, to) = edges(*comparison, Operand::new(operand));
            ValueTest::Between { from, to }
        }
        What::Range { from, to } => {
            let (from, to) = range(from, to);
            ValueTest::Between { from, to }
        }
    }))
}

fn range(from: &Bound, to: &Bound) -> (Edge, Edge) {
    let edge = |bound: &Bound| match bound {
        Bound::Open => Edge::Open,
        Bound::Including(text) => Edge::Including(Operand::new(text)),
        Bound::Excluding(text) => Edge::Excluding(Operand::new(text)),
    };
    (edge(from), edge(to))
}

fn name_test(test: &Test) -> Result<NameTest, SyntaxError> {
    Ok(match &test.what {
        What::Exists => NameTest::Exists,
        What::Word(text) => NameTest::Whole(Needle::words(text)),
        What::Prefix(text) => NameTest::Begins(Needle::prefix(text)),
        What::Phrase(text) => NameTest::Exact(text.clone()),
        What::Regex(pattern) => NameTest::Regex(regex(pattern, test.span)?),
        What::Compare(comparison, operand) => {
            let (from, to) = edges(*comparison, Operand::new(operand));
            NameTest::Between { from, to }
        }
        What::Range { from, to } => {
            let (from, to) = range(from, to);
            NameTest::Between { from, to }
        }
    })
}

/// How many severities there are.
const SEVERITIES: u32 = Severity::Fatal as u32 + 1;

fn levels(test: &Test) -> Result<u16, SyntaxError> {
    let named = |text: &str| {
        level::parse(text).map(u32::from).ok_or_else(|| SyntaxError::new(test.span, format!("`{text}` is no level")))
    };
    let all = (1u16 << SEVERITIES) - 1;
    let unknown = 1u16 << Severity::Unknown as u32;
    let at_least = |level: u32| all & !((1 << level) - 1) & !unknown;
    let bounds = |comparison: Comparison, level: u32| match comparison {
        Comparison::GreaterEqual => at_least(level),
        Comparison::Greater => at_least(level + 1),
        Comparison::Less => !at_least(level) & all & !unknown,
        Comparison::LessEqual => !at_least(level + 1) & all & !unknown,
    };
    Ok(match &test.what {
        What::Exists => all & !unknown,
        What::Word(text) | What::Phrase(text) => 1 << named(text)?,
        What::Compare(comparison, text) => bounds(*comparison, named(text)?),
        What::Range { from, to } => {
            let edge = |bound: &Bound, including, excluding| match bound {
                Bound::Open => Ok(all & !unknown),
                Bound::Including(text) => named(text).map(|level| bounds(including, level)),
                Bound::Excluding(text) => named(text).map(|level| bounds(excluding, level)),
            };
            edge(from, Comparison::GreaterEqual, Comparison::Greater)?
                & edge(to, Comparison::LessEqual, Comparison::Less)?
        }
        What::Prefix(_) | What::Regex(_) => {
            return Err(SyntaxError::new(test.span, "a level is compared by name").with_hint("write `level:>=warn`"));
        }
    })
}

/// From the first to before the second.
fn times(test: &Test, now_ns: i64) -> Result<(i64, i64), SyntaxError> {
    let at = |text: &str| match When::parse(text) {
        Ok(when) => Ok(when.resolve(now_ns)),
        Err(why) => Err(SyntaxError::new(test.span, why)),
    };
    let behind = |time: i64| time.saturating_add(1);
    Ok(match &test.what {
        What::Exists => (i64::MIN, i64::MAX),
        What::Word(text) | What::Phrase(text) => (at(text)?, behind(at(text)?)),
        What::Compare(Comparison::Less, text) => (i64::MIN, at(text)?),
        What::Compare(Comparison::LessEqual, text) => (i64::MIN, behind(at(text)?)),
        What::Compare(Comparison::Greater, text) => (behind(at(text)?), i64::MAX),
        What::Compare(Comparison::GreaterEqual, text) => (at(text)?, i64::MAX),
        What::Range { from, to } => {
            let from = match from {
                Bound::Open => i64::MIN,
                Bound::Including(text) => at(text)?,
                Bound::Excluding(text) => behind(at(text)?),
            };
            let to = match to {
                Bound::Open => i64::MAX,
                Bound::Including(text) => behind(at(text)?),
                Bound::Excluding(text) => at(text)?,
            };
            (from, to)
        }
        What::Prefix(_) | What::Regex(_) => {
            return Err(SyntaxError::new(test.span, "a time is compared").with_hint("write `time:>=-15m`"));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::language::parser;

    #[test]
    fn regexes_are_counted() {
        let query = |count: usize| parser::parse(&vec!["a:/x+/"; count].join(" -")).unwrap();
        assert!(compile(&query(REGEXES_MAX), 0).is_ok());
        let error = compile(&query(REGEXES_MAX + 1), 0).unwrap_err();
        assert!(error.message.contains("at most 32 regexes") && error.span.begin > 0, "{error:?}");
    }
}
