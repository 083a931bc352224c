//! Transaction IDs: how a spelling becomes the canonical form under which all spellings of one ID find each other.
//!
//! | spelling | canonical |
//! | --- | --- |
//! | up to 32 hex digits (W3C, B3, nginx), any case, leading zeros cut or not | the number, 128 bits |
//! | UUID with dashes, with or without braces | the number |
//! | `traceparent` (`00-<32 hex>-<16 hex>-<2 hex>`) | its trace ID's number |
//! | X-Ray (`1-<8 hex>-<24 hex>`, `Root=…`) | both parts joined, the number |
//! | decimal of 64 bits that cannot be a full-width hex ID | the number |
//! | anything else | the text in lower case |
//!
//! Both sides go through [`Canonical::parse`]: what is stored and what is asked for. A string of digits alone may mean a
//! decimal or a hex number; it is stored under one of them and looked up under both ([`Canonical::candidates`]).

use std::fmt;

/// The longest text that is taken as an ID, in bytes; longer ones are cut there on both sides.
pub const TEXT_BYTES_MAX: usize = 128;

/// What all spellings of one ID have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Canonical {
    /// A 128-bit number: hex, UUID, X-Ray, decimal.
    Number(u128),
    /// Any other ID, in lower case.
    Text(Box<[u8]>),
}

impl Canonical {
    /// The canonical form of a spelling.
    pub fn parse(spelling: &[u8]) -> Self {
        let spelling = trim(spelling);
        match number(spelling) {
            Some(number) => Self::Number(number),
            None => Self::text(spelling),
        }
    }

    /// Every form under which an ID that is spelled so may be stored, the likeliest first.
    pub fn candidates(spelling: &[u8]) -> Vec<Self> {
        let trimmed = trim(spelling);
        let mut candidates = vec![Self::parse(trimmed)];
        let mut add = |candidate: Option<u128>| {
            if let Some(candidate) = candidate.map(Self::Number)
                && !candidates.contains(&candidate)
            {
                candidates.push(candidate);
            }
        };
        add(hex(trimmed));
        add(decimal(trimmed));
        candidates
    }

    /// The Tantivy term: a tag, then the number in big-endian order or the text.
    pub fn term(&self) -> Vec<u8> {
        match self {
            Self::Number(number) => {
                let mut term = vec![0];
                term.extend_from_slice(&number.to_be_bytes());
                term
            }
            Self::Text(text) => {
                let mut term = vec![1];
                term.extend_from_slice(text);
                term
            }
        }
    }

    /// The reverse of [`Self::term`].
    pub fn from_term(term: &[u8]) -> Option<Self> {
        match term.split_first()? {
            (0, number) => Some(Self::Number(u128::from_be_bytes(number.try_into().ok()?))),
            (1, text) => Some(Self::Text(text.into())),
            _ => None,
        }
    }

    fn text(spelling: &[u8]) -> Self {
        Self::Text(spelling[..spelling.len().min(TEXT_BYTES_MAX)].to_ascii_lowercase().into())
    }
}

impl fmt::Display for Canonical {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(out, "{number:032x}"),
            Self::Text(text) => write!(out, "{}", String::from_utf8_lossy(text)),
        }
    }
}

/// Cuts what people paste around an ID.
fn trim(mut spelling: &[u8]) -> &[u8] {
    const AROUND: &[u8] = b" \t\r\n\"'`{}()[]<>,;";
    while let [first, rest @ ..] = spelling
        && AROUND.contains(first)
    {
        spelling = rest;
    }
    while let [rest @ .., last] = spelling
        && AROUND.contains(last)
    {
        spelling = rest;
    }
    spelling
}

fn number(spelling: &[u8]) -> Option<u128> {
    let digits_alone = spelling.iter().all(u8::is_ascii_digit);
    if digits_alone && !matches!(spelling.len(), 16 | 32) {
        return decimal(spelling).or_else(|| hex(spelling));
    }
    hex(spelling).or_else(|| dashed(spelling))
}

/// 1 to 32 hex digits.
fn hex(digits: &[u8]) -> Option<u128> {
    if digits.is_empty() || digits.len() > 32 {
        return None;
    }
    digits.iter().try_fold(0u128, |number, digit| Some(number << 4 | u128::from(hex_value(*digit)?)))
}

#[inline]
fn hex_value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// A decimal number of at most 64 bits, as Datadog writes trace IDs.
fn decimal(digits: &[u8]) -> Option<u128> {
    if digits.is_empty() || digits.len() > 20 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let number = digits.iter().fold(0u128, |number, digit| number * 10 + u128::from(digit - b'0'));
    (number <= u128::from(u64::MAX)).then_some(number)
}

/// UUID, traceparent and X-Ray.
fn dashed(spelling: &[u8]) -> Option<u128> {
    let spelling = spelling.strip_prefix(b"Root=").unwrap_or(spelling);
    let mut parts = [&b""[..]; 5];
    let mut count = 0;
    for part in spelling.split(|byte| *byte == b'-') {
        *parts.get_mut(count)? = part;
        count += 1;
    }
    let widths = parts.map(<[u8]>::len);
    match (count, widths) {
        (5, [8, 4, 4, 4, 12]) => join(&parts),
        (4, [2, 32, 16, 2, _]) => hex(parts[1]),
        (3, [1, 8, 24, ..]) if parts[0] == b"1" => join(&parts[1..3]),
        _ => None,
    }
}

fn join(parts: &[&[u8]]) -> Option<u128> {
    parts.iter().try_fold(0u128, |number, part| Some(number << (4 * part.len()) | hex(part)?))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn same(left: &str, right: &str) -> bool {
        let stored = Canonical::parse(left.as_bytes());
        Canonical::candidates(right.as_bytes()).contains(&stored)
    }

    #[test]
    fn all_spellings_of_one_id_find_each_other() {
        let spellings = [
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "4BF92F3577B34DA6A3CE929D0E0E4736",
            "4bf92f35-77b3-4da6-a3ce-929d0e0e4736",
            "{4BF92F35-77B3-4DA6-A3CE-929D0E0E4736}",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "1-4bf92f35-77b34da6a3ce929d0e0e4736",
            "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736",
            " \"4bf92f3577b34da6a3ce929d0e0e4736\",",
        ];
        for left in spellings {
            for right in spellings {
                assert!(same(left, right), "{left} and {right}");
            }
        }
    }

    #[test]
    fn leading_zeros_and_widths() {
        assert!(same("00000000000000000af7651916cd43dd", "af7651916cd43dd"));
        assert!(same("0af7651916cd43dd", "00000000000000000af7651916cd43dd"));
        assert!(same("790163212568445917", &format!("{:016x}", 790163212568445917u64)));
        assert!(same("1234567890123456", "1234567890123456"));
        assert!(same("12345", "12345"));
        assert!(same("00012345678901234567890123456789", "12345678901234567890123456789"));
    }

    #[test]
    fn texts_keep_apart_but_for_case() {
        assert!(same("REQ-abc-1", "req-ABC-1"));
        assert!(!same("req-abc-1", "req-abc-2"));
        assert!(!same("01ARZ3NDEKTSV4RRFFQ69G5FAV", "01ARZ3NDEKTSV4RRFFQ69G5FAW"));
    }

    proptest! {
        #[test]
        fn terms_round_trip(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let canonical = Canonical::parse(&bytes);
            prop_assert_eq!(Canonical::from_term(&canonical.term()), Some(canonical));
        }

        #[test]
        fn every_id_finds_itself(text in "[ -~]{1,140}") {
            prop_assert!(same(&text, &text));
        }

        #[test]
        fn hex_of_any_width(number in any::<u128>()) {
            let (hex, padded) = (format!("{number:x}"), format!("{number:032X}"));
            prop_assume!(hex.bytes().any(|digit| digit.is_ascii_alphabetic()));
            prop_assert!(same(&hex, &padded) && same(&padded, &hex));
        }
    }
}
