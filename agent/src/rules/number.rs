//! Payment cards and IBANs: numbers that prove themselves by a checksum. Pure.
//!
//! Both ask for a boundary on either side, so that digits inside a hexadecimal ID or a UUID stay. What still can be hit is a
//! decimal ID of 13 to 19 digits that begins like a card and passes the check, one in ten of those: its text is redacted, the
//! ID itself was found before.

use std::ops::Range;

/// The shortest card number.
const CARD_DIGITS_MIN: usize = 13;
const CARD_DIGITS_MAX: usize = 19;

/// The next card number in `text` at or behind `from`: 13 to 19 digits in one piece, or a group of four and further groups of
/// two to seven, all parted by one space or all by one dash (ISO/IEC 7812).
pub fn card(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    // Nothing of this many bytes is a card whose last byte is neither digit nor separator: most lines are read in such steps.
    while let Some(last) = text.get(at + CARD_DIGITS_MIN - 1) {
        if !is_card_byte(*last) {
            at += CARD_DIGITS_MIN;
        } else if !text[at].is_ascii_digit() || (at > 0 && text[at - 1].is_ascii_digit()) {
            at += 1;
        } else if let Some(end) = card_end(text, from, at) {
            return Some(at..end);
        } else {
            at += 1;
        }
    }
    None
}

fn is_card_byte(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b' ' || byte == b'-'
}

/// Where the longest card number that begins at `begin` ends. What stands before `from` has been replaced.
fn card_end(text: &[u8], from: usize, begin: usize) -> Option<usize> {
    if !has_boundary_before(text, begin) || is_fraction(&text[from..begin]) {
        return None;
    }
    let mut digits = [0u8; CARD_DIGITS_MAX];
    let (mut count, mut groups, mut separator, mut at, mut end) = (0, 0, None, begin, None);
    loop {
        let group = text[at..].iter().take(CARD_DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
        let fits = match groups {
            0 => group == 4 || (CARD_DIGITS_MIN..=CARD_DIGITS_MAX).contains(&group),
            _ => (2..=7).contains(&group) && count + group <= CARD_DIGITS_MAX,
        };
        if !fits {
            return end;
        }
        for (to, from) in digits[count..].iter_mut().zip(&text[at..at + group]) {
            *to = from - b'0';
        }
        (count, groups, at) = (count + group, groups + 1, at + group);
        if count >= CARD_DIGITS_MIN && has_boundary_behind(text, at) && is_issued(&digits) && luhn(&digits[..count]) {
            end = Some(at);
        }
        match (text.get(at), separator) {
            (Some(b' ' | b'-'), None) => separator = text.get(at).copied(),
            (Some(byte), Some(separator)) if *byte == separator => {}
            _ => return end,
        }
        at += 1;
    }
}

/// Cards begin with 3 to 6, or with 22 to 27; times since the epoch and years do not.
fn is_issued(digits: &[u8]) -> bool {
    match digits[0] {
        3..=6 => true,
        2 => (2..=7).contains(&digits[1]),
        _ => false,
    }
}

/// From the right, every second digit counts twice; the sum of all digits is a multiple of ten (ISO/IEC 7812-1, annex B).
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(place, digit)| match (place % 2, u32::from(*digit)) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

/// The decimal places of a measurement are no card.
fn is_fraction(before: &[u8]) -> bool {
    matches!(before, [.., b'0'..=b'9', b'.'])
}

/// What each country's IBANs are long (ISO 13616, the registry of SWIFT): two letters, two digits.
const IBAN_LENGTHS: &[u8] = b"AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24\
FI18FK18FO18FR27GB22GE22GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22\
MK19MN20MR27MT31MU30NI28NL18NO15OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29\
VA22VG24XK20YE30";

/// The next IBAN in `text` at or behind `from`, in one piece or with single spaces or dashes in it.
pub fn iban(text: &[u8], from: usize) -> Option<Range<usize>> {
    let mut at = from;
    // The digit first: fewer bytes of a line are digits than letters.
    while at + 15 <= text.len() {
        if text[at + 2].is_ascii_digit()
            && text[at + 3].is_ascii_digit()
            && text[at].is_ascii_uppercase()
            && let Some(end) = iban_end(text, at)
        {
            return Some(at..end);
        }
        at += 1;
    }
    None
}

fn iban_end(text: &[u8], begin: usize) -> Option<usize> {
    let country = &text[begin..begin + 2];
    let entry = IBAN_LENGTHS.chunks_exact(4).find(|entry| &entry[..2] == country)?;
    let length = usize::from(entry[2] - b'0') * 10 + usize::from(entry[3] - b'0');
    let (mut letters, mut count, mut at) = ([0u8; 34], 0, begin);
    while count < length {
        let byte = *text.get(at)?;
        match byte {
            b'A'..=b'Z' | b'0'..=b'9' => {
                letters[count] = byte;
                count += 1;
            }
            b' ' | b'-' if !matches!(text[at - 1], b' ' | b'-') => {}
            _ => return None,
        }
        at += 1;
    }
    // The first four go to the end, letters count as 10 to 35, the whole leaves 1 when divided by 97 (ISO/IEC 7064).
    let remainder = letters[4..length].iter().chain(&letters[..4]).fold(0u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    (remainder == 1 && has_boundary_before(text, begin) && has_boundary_behind(text, at)).then_some(at)
}

/// Whether no word runs into `at`. The letter of a JSON escape (`\n4111…`) is no word.
fn has_boundary_before(text: &[u8], at: usize) -> bool {
    match text[..at] {
        [.., b'\\', b'n' | b't' | b'r' | b'b' | b'f'] => true,
        [.., byte] => !byte.is_ascii_alphanumeric(),
        [] => true,
    }
}

fn has_boundary_behind(text: &[u8], at: usize) -> bool {
    !text.get(at).is_some_and(u8::is_ascii_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(find: impl Fn(&[u8], usize) -> Option<Range<usize>>, text: &str) -> Option<&str> {
        find(text.as_bytes(), 0).map(|range| &text[range])
    }

    #[test]
    fn cards() {
        for (text, card_number) in [
            ("4111111111111111", Some("4111111111111111")),
            ("paid with 4111 1111 1111 1111 on", Some("4111 1111 1111 1111")),
            ("pan=3782-822463-10005,", Some("3782-822463-10005")),
            ("{\"m\":\"\\n5555555555554444\"}", Some("5555555555554444")),
            ("2026-11-25 4111111111111111", Some("4111111111111111")),
            ("2026-11-25 4111-1111-1111-1111", Some("4111-1111-1111-1111")),
            ("qty 2 4222222222222", Some("4222222222222")),
            ("4111111111111111 17", Some("4111111111111111")),
            ("4111111111111112", None),
            ("0.4111111111111111", None),
            ("1764072000000000000", None),
            ("a4111111111111111", None),
            ("4111111111111111f", None),
            ("411111111111", None),
            ("45320151-1283-4036-8111-111111111111", None),
        ] {
            assert_eq!(found(card, text), card_number, "{text}");
        }
    }

    #[test]
    fn ibans() {
        for (text, number) in [
            ("to DE89370400440532013000.", Some("DE89370400440532013000")),
            ("to DE89 3704 0044 0532 0130 00 PAID", Some("DE89 3704 0044 0532 0130 00")),
            ("GB82-WEST-1234-5698-7654-32", Some("GB82-WEST-1234-5698-7654-32")),
            ("NO9386011117947", Some("NO9386011117947")),
            ("DE88370400440532013000", None),
            ("XDE89370400440532013000", None),
            ("DE893704004405320130001", None),
            ("ZZ89370400440532013000", None),
        ] {
            assert_eq!(found(iban, text), number, "{text}");
        }
    }
}
