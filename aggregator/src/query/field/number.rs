//! How a number is written: as JSON has it (RFC 8259, section 6). So `007`, `+1`, `1.`, `0x10`, `NaN` are none.

/// The length in bytes of the number at the front of `bytes`; none when there stands no number.
pub fn length(bytes: &[u8]) -> Option<usize> {
    let integer = integer_length(bytes)?;
    let mut end = integer;
    if bytes.get(end) == Some(&b'.') {
        let fraction = digits(&bytes[end + 1..]);
        if fraction > 0 {
            end += 1 + fraction;
        }
    }
    if let Some(b'e' | b'E') = bytes.get(end) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(&bytes[end + 1 + sign..]);
        if exponent > 0 {
            end += 1 + sign + exponent;
        }
    }
    Some(end)
}

/// Whether all of `bytes` is one number.
pub fn is_number(bytes: &[u8]) -> bool {
    length(bytes) == Some(bytes.len())
}

/// Whether all of `bytes` is one number without fraction and exponent.
pub fn is_integer(bytes: &[u8]) -> bool {
    integer_length(bytes) == Some(bytes.len())
}

fn integer_length(bytes: &[u8]) -> Option<usize> {
    let sign = usize::from(bytes.first() == Some(&b'-'));
    match bytes.get(sign)? {
        b'0' => Some(sign + 1),
        b'1'..=b'9' => Some(sign + digits(&bytes[sign..])),
        _ => None,
    }
}

fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_at_the_front() {
        for (written, expected) in [
            ("0", Some(1)),
            ("-0", Some(2)),
            ("12,", Some(2)),
            ("1e5", Some(3)),
            ("-1.25E+10}", Some(9)),
            ("0.5", Some(3)),
            ("007", Some(1)),
            ("1.", Some(1)),
            ("1.e5", Some(1)),
            ("1e", Some(1)),
            ("1e+", Some(1)),
            ("10.0.0.1", Some(4)),
            ("", None),
            ("-", None),
            ("+1", None),
            (".5", None),
            ("NaN", None),
        ] {
            assert_eq!(length(written.as_bytes()), expected, "{written}");
        }
        assert!(is_integer(b"-12") && !is_integer(b"12.0") && !is_integer(b"1e3") && !is_integer(b"01"));
    }

    proptest! {
        #[test]
        fn as_serde_says(written in "-?[0-9]{0,3}(\\.[0-9]{0,2})?([eE][+-]?[0-9]{0,2})?") {
            let number: Result<serde_json::Number, _> = serde_json::from_str(&written);
            // serde_json refuses what overflows, which is a number nevertheless; two digits of an exponent cannot.
            prop_assert_eq!(is_number(written.as_bytes()), number.is_ok());
        }
    }
}
