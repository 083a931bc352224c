//! Tests of one value: of a key in the line, or of what is known of the record.

use std::cmp::Ordering;

use regex::bytes::Regex;

use super::field::scalar::Scalar;
use super::language::ast::Comparison;
use super::needle::Needle;

/// What a value of a key in the line has to be.
#[derive(Debug)]
pub enum ValueTest {
    /// Contains these words; a number is this number.
    Words { needle: Needle, number: Option<Decimal>, exact: String },
    /// A word in it begins so; a number does.
    Prefix(Needle),
    /// Is exactly this text.
    Exact(String),
    /// The regex is found in it.
    Regex(Regex),
    /// Lies between these.
    Between { from: Edge, to: Edge },
}

/// One end of a range of values.
#[derive(Clone, Debug, PartialEq)]
pub enum Edge {
    Open,
    Including(Operand),
    Excluding(Operand),
}

/// What a value is compared with.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    Integer(i128),
    Number(f64),
    /// By its bytes; numbers are not compared with it.
    Text(String),
}

impl Operand {
    /// A number when `text` is one.
    pub fn new(text: &str) -> Self {
        let scalar = Scalar::Text(text.as_bytes().into());
        match (scalar.integer(), scalar.number()) {
            (Some(integer), _) => Self::Integer(integer),
            (None, Some(number)) => Self::Number(number),
            (None, None) => Self::Text(text.into()),
        }
    }

    /// How `value` stands to it; none when the two cannot be compared.
    fn compare(&self, value: &Scalar<'_>) -> Option<Ordering> {
        match self {
            Self::Integer(operand) => match value.integer() {
                Some(value) => Some(value.cmp(operand)),
                None => value.number()?.partial_cmp(&(*operand as f64)),
            },
            Self::Number(operand) => value.number()?.partial_cmp(operand),
            Self::Text(operand) => match value {
                Scalar::Text(text) => Some(text[..].cmp(operand.as_bytes())),
                _ => None,
            },
        }
    }
}

/// The edges of a comparison.
pub fn edges(comparison: Comparison, operand: Operand) -> (Edge, Edge) {
    match comparison {
        Comparison::Less => (Edge::Open, Edge::Excluding(operand)),
        Comparison::LessEqual => (Edge::Open, Edge::Including(operand)),
        Comparison::Greater => (Edge::Excluding(operand), Edge::Open),
        Comparison::GreaterEqual => (Edge::Including(operand), Edge::Open),
    }
}

/// A number without an exponent: sign, digits before and behind the point without idle zeros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    whole: Vec<u8>,
    fraction: Vec<u8>,
}

impl Decimal {
    /// None: it is no number, or one with an exponent.
    pub fn new(text: &[u8]) -> Option<Self> {
        let (negative, digits) = match text.strip_prefix(b"-") {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match memchr::memchr(b'.', digits) {
            Some(point) => (&digits[..point], &digits[point + 1..]),
            None => (digits, &b"0"[..]),
        };
        let are_digits = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
        if !are_digits(whole) || !are_digits(fraction) {
            return None;
        }
        let idle = |byte: &&u8| **byte == b'0';
        let whole = whole[whole.iter().take_while(idle).count()..].to_vec();
        let fraction = fraction[..fraction.len() - fraction.iter().rev().take_while(idle).count()].to_vec();
        let is_zero = whole.is_empty() && fraction.is_empty();
        Some(Self { negative: negative && !is_zero, whole, fraction })
    }
}

impl ValueTest {
    /// Whether `value` passes.
    pub fn passes(&self, value: &Scalar<'_>) -> bool {
        match self {
            Self::Words { needle, number, exact } => match value {
                Scalar::Number(written) => {
                    *written == exact.as_bytes() || number.is_some() && Decimal::new(written) == *number
                }
                _ => stands_in(needle, value.text()),
            },
            Self::Prefix(needle) => stands_in(needle, value.text()),
            Self::Exact(text) => value.text() == text.as_bytes(),
            Self::Regex(regex) => regex.is_match(value.text()),
            Self::Between { from, to } => lies_between(value, from, to),
        }
    }
}

fn lies_between(value: &Scalar<'_>, from: &Edge, to: &Edge) -> bool {
    let above = match from {
        Edge::Open => true,
        Edge::Including(edge) => edge.compare(value).is_some_and(Ordering::is_ge),
        Edge::Excluding(edge) => edge.compare(value).is_some_and(Ordering::is_gt),
    };
    above
        && match to {
            Edge::Open => true,
            Edge::Including(edge) => edge.compare(value).is_some_and(Ordering::is_le),
            Edge::Excluding(edge) => edge.compare(value).is_some_and(Ordering::is_lt),
        }
}

fn stands_in(needle: &Needle, text: &[u8]) -> bool {
    needle.is_in(text, &text.to_ascii_lowercase())
}

/// What a service, host, file, label or source has to be called.
#[derive(Debug)]
pub enum NameTest {
    /// There is one.
    Exists,
    /// So, in any case.
    Whole(Needle),
    /// Begins so, in any case.
    Begins(Needle),
    /// Exactly so.
    Exact(String),
    Regex(Regex),
    /// By its bytes.
    Between {
        from: Edge,
        to: Edge,
    },
    /// A path, or its end behind a slash, in any case.
    PathEnd(Needle),
}

impl NameTest {
    /// Whether `name` passes.
    pub fn passes(&self, name: &[u8]) -> bool {
        match self {
            Self::Exists => !name.is_empty(),
            Self::Whole(needle) => needle.is_all_of(name, false),
            Self::Begins(needle) => needle.is_all_of(name, true),
            Self::Exact(text) => name == text.as_bytes(),
            Self::Regex(regex) => regex.is_match(name),
            Self::Between { from, to } => lies_between(&Scalar::Text(name.into()), from, to),
            Self::PathEnd(needle) => {
                let ends = memchr::memchr_iter(b'/', name).map(|slash| &name[slash + 1..]);
                std::iter::once(name).chain(ends).any(|end| needle.is_all_of(end, false))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_number_however_it_is_written() {
        let same = |left: &str, right: &str| Decimal::new(left.as_bytes()) == Decimal::new(right.as_bytes());
        assert!(same("12.50", "12.5") && same("-0", "0") && same("007", "7") && same("1", "1.000"));
        assert!(!same("12", "12.5") && !same("-1", "1"));
        for text in ["1e5", "", "-", ".", "1.", "0x1f", "1 "] {
            assert_eq!(Decimal::new(text.as_bytes()), None, "{text}");
        }
    }
}
