//! Transaction IDs: how a spelling becomes the canonical form under which all spellings of one ID find each other.
//!
//! | spelling | canonical |
//! | --- | --- |
//! | up to 32 hex digits (W3C, B3, nginx), any case, leading zeros cut or not | the number, 128 bits |
//! | UUID with dashes, with or without braces | the number |
//! | `traceparent` (`00-<32 hex>-<16 hex>-<2 hex>`) | its trace ID's number |
//! | X-Ray (`1-<8 hex>-<24 hex>`, `Root=…`) | both parts joined, the number |
//! | base64 of 16 bytes with its padding (`…==`, OTLP in JSON) | the number |
//! | decimal of 64 bits that cannot be a full-width hex ID | the number |
//! | anything else | the text in lower case |
//!
//! Both sides go through [`Canonical::parse`]: what is stored and what is asked for. A string of digits alone may mean a
//! decimal or a hex number; it is stored under one of them and looked up under both ([`Canonical::candidates`]).
//!
//! Some programs pass on an ID with a part of it lost or changed: 64-bit B3 and Datadog keep the low half alone, Envoy writes its
//! sampling decision over the version of a UUID. What such IDs share is the low half, so it comes first in the term: all that may
//! be one ID stand side by side in the dictionary, and [`Canonical::same`] decides. Nothing more is stored for that.

use std::fmt;

/// The longest text that is taken as an ID, in bytes; longer ones are cut there on both sides.
pub const TEXT_BYTES_MAX: usize = 128;

/// A low half below this says too little: such numbers are counters, and only equal ones are one ID.
const LOW_HALF_MIN: u64 = 1 << 32;
/// Where a UUID's version stands in the high half.
const VERSION_SHIFT: u32 = 12;
/// Version 4, and what Envoy makes of it: traced by sampling, by force, by the client (`UuidRequestIdConfig`).
const ENVOY_VERSIONS: [u64; 4] = [0x4, 0x9, 0xa, 0xb];

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

    /// Whether both stand for one ID: they are equal, or their low halves are and what differs in the high halves is known to get
    /// lost on the way. It goes both ways, but not from one to the next: a 64-bit ID is the same as two 128-bit ones.
    pub fn same(&self, other: &Self) -> bool {
        let (Self::Number(left), Self::Number(right)) = (self, other) else { return self == other };
        if left == right {
            return true;
        }
        let (left_high, right_high) = (high_half(*left), high_half(*right));
        low_half(*left) == low_half(*right)
            && low_half(*left) >= LOW_HALF_MIN
            && (left_high == 0 || right_high == 0 || differ_as_envoy_does(left_high, right_high))
    }

    /// What two IDs have in common whenever [`Self::same`] holds for them; to hash.
    pub fn family(&self) -> Family<'_> {
        match self {
            Self::Number(number) => Family::LowHalf(low_half(*number)),
            Self::Text(text) => Family::Text(text),
        }
    }

    /// The Tantivy term: a tag, then the number's low half and high half in big-endian order, or the text.
    pub fn term(&self) -> Vec<u8> {
        match self {
            Self::Number(number) => number_term(*number).to_vec(),
            Self::Text(text) => {
                let mut term = vec![TAG_TEXT];
                term.extend_from_slice(text);
                term
            }
        }
    }

    /// The first and the last term that may be the same ID.
    pub fn term_range(&self) -> (Vec<u8>, Vec<u8>) {
        match self {
            Self::Number(number) if low_half(*number) >= LOW_HALF_MIN => {
                let low_half = u128::from(low_half(*number));
                (number_term(low_half).to_vec(), number_term(u128::from(u64::MAX) << 64 | low_half).to_vec())
            }
            _ => (self.term(), self.term()),
        }
    }

    /// The reverse of [`Self::term`].
    pub fn from_term(term: &[u8]) -> Option<Self> {
        match term.split_first()? {
            (&TAG_NUMBER, number) => {
                Some(Self::Number(u128::from_be_bytes(number.try_into().ok()?).rotate_right(u64::BITS)))
            }
            (&TAG_TEXT, text) => Some(Self::Text(text.into())),
            _ => None,
        }
    }

    fn text(spelling: &[u8]) -> Self {
        Self::Text(spelling[..spelling.len().min(TEXT_BYTES_MAX)].to_ascii_lowercase().into())
    }
}

/// See [`Canonical::family`].
#[derive(PartialEq, Eq, Hash)]
pub enum Family<'a> {
    /// Of a number.
    LowHalf(u64),
    /// All of a text.
    Text(&'a [u8]),
}

const TAG_NUMBER: u8 = 0;
const TAG_TEXT: u8 = 1;

/// The term of a number, in place.
pub fn number_term(number: u128) -> [u8; 17] {
    let mut term = [TAG_NUMBER; 17];
    term[1..].copy_from_slice(&number.rotate_left(u64::BITS).to_be_bytes());
    term
}

fn low_half(number: u128) -> u64 {
    number as u64
}

fn high_half(number: u128) -> u64 {
    (number >> u64::BITS) as u64
}

fn differ_as_envoy_does(left: u64, right: u64) -> bool {
    let is_envoys = |high: u64| ENVOY_VERSIONS.contains(&(high >> VERSION_SHIFT & 0xf));
    (left ^ right) & !(0xf << VERSION_SHIFT) == 0 && is_envoys(left) && is_envoys(right)
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
    hex(spelling).or_else(|| dashed(spelling)).or_else(|| base64(spelling))
}

/// 16 bytes in either alphabet. Without the padding it could be any other text of its length.
fn base64(spelling: &[u8]) -> Option<u128> {
    let digits = spelling.strip_suffix(b"==").filter(|digits| digits.len() == 22)?;
    let value = |digit: u8| {
        let value = match digit {
            b'A'..=b'Z' => digit - b'A',
            b'a'..=b'z' => digit - b'a' + 26,
            b'0'..=b'9' => digit - b'0' + 52,
            b'+' | b'-' => 62,
            b'/' | b'_' => 63,
            _ => return None,
        };
        Some(u128::from(value))
    };
    let (last, digits) = digits.split_last()?;
    let number = digits.iter().try_fold(0u128, |number, digit| Some(number << 6 | value(*digit)?))?;
    // Of the last digit only two bits are left; the others are zero in what an encoder writes.
    let last = value(*last).filter(|last| last & 0xf == 0)?;
    Some(number << 2 | last >> 4)
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
        Canonical::candidates(right.as_bytes()).iter().any(|wanted| wanted.same(&stored))
    }

    /// Numbers out of few halves, so that many of them are the same.
    fn related() -> impl Strategy<Value = Canonical> {
        let high =
            prop::sample::select(vec![0, 1, 0x4bf9_2f35_77b3_4da6, 0x4bf9_2f35_77b3_9da6, 0x4bf9_2f35_77b3_1da6]);
        let low = prop::sample::select(vec![0, 42, LOW_HALF_MIN - 1, LOW_HALF_MIN, 0xa3ce_929d_0e0e_4736, u64::MAX]);
        (high, low).prop_map(|(high, low): (u64, u64)| Canonical::Number(u128::from(high) << 64 | u128::from(low)))
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
            "S/kvNXezTaajzpKdDg5HNg==",
            "S_kvNXezTaajzpKdDg5HNg==",
            // The version as Envoy leaves it.
            "4bf92f35-77b3-9da6-a3ce-929d0e0e4736",
            "4bf92f35-77b3-ada6-a3ce-929d0e0e4736",
            "4bf92f3577b3bda6a3ce929d0e0e4736",
        ];
        for left in spellings {
            for right in spellings {
                assert!(same(left, right), "{left} and {right}");
            }
        }
    }

    #[test]
    fn the_low_half_alone_finds_the_whole() {
        const WHOLE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
        let decimal = 0xa3ce_929d_0e0e_4736_u64.to_string();
        for half in ["a3ce929d0e0e4736", "A3CE929D0E0E4736", "0000000000000000a3ce929d0e0e4736", &decimal] {
            assert!(same(WHOLE, half) && same(half, WHOLE), "{half}");
        }
    }

    #[test]
    fn other_ids_stay_others() {
        for (left, right) in [
            // Two traces with one low half.
            ("4bf92f3577b34da6a3ce929d0e0e4736", "5bf92f3577b34da6a3ce929d0e0e4736"),
            // The high half says nothing.
            ("4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6"),
            ("4bf92f3577b34da6a3ce929d0e0e4736", "4bf92f3577b34da6a3ce929d0e0e4737"),
            // No version that Envoy writes.
            ("4bf92f35-77b3-1da6-a3ce-929d0e0e4736", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"),
            ("4bf92f35-77b3-7da6-a3ce-929d0e0e4736", "4bf92f35-77b3-9da6-a3ce-929d0e0e4736"),
            // A version and one more digit.
            ("4bf92f35-77b3-9ea6-a3ce-929d0e0e4736", "4bf92f35-77b3-4da6-a3ce-929d0e0e4736"),
            // Low halves that are small numbers.
            ("4bf92f3577b34da60000000000000000", "0"),
            ("4bf92f3577b34da6000000000000002a", "42"),
            ("4bf92f3577b34da600000000ffffffff", "4294967295"),
            ("4bf92f3577b34da600000000ffffffff", "4bf92f3577b39da600000000ffffffff"),
            // Base64 of something else.
            ("S/kvNXezTaajzpKdDg5HNg", "4bf92f3577b34da6a3ce929d0e0e4736"),
            ("S/kvNXezTaajzpKdDg5HNh==", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ] {
            assert!(!same(left, right) && !same(right, left), "{left} and {right}");
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
        fn sameness_goes_both_ways(left in related(), right in related()) {
            prop_assert!(left.same(&left));
            prop_assert_eq!(left.same(&right), right.same(&left));
        }

        #[test]
        fn the_same_are_of_one_family_and_stand_in_the_range(left in related(), right in related()) {
            if left.same(&right) {
                prop_assert!(left.family() == right.family());
                let (first, last) = left.term_range();
                prop_assert!((first..=last).contains(&right.term()));
            }
        }

        #[test]
        fn between_two_terms_of_a_low_half_stand_only_others_of_it(
            low in any::<u64>(), first in any::<u64>(), last in any::<u64>(), other in any::<u128>(),
        ) {
            let of = |high: u64| Canonical::Number(u128::from(high) << 64 | u128::from(low)).term();
            let between = (of(first.min(last))..=of(first.max(last))).contains(&Canonical::Number(other).term());
            prop_assert!(!between || low_half(other) == low);
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
