//! Strings in double quotes, with the escapes of JSON (RFC 8259, section 7); logfmt has the same.
//!
//! Lenient, because a log line is what it is: a string may hold any bytes, line breaks and invalid UTF-8 too, and ends at
//! its first quote that is not escaped. An escape that JSON does not know (`\x41`) stays as it is written, and half a
//! surrogate pair is U+FFFD.

use std::borrow::Cow;

/// A string as it stands in a line, without its quotes.
#[derive(Clone, Copy, Debug)]
pub struct Quoted<'a> {
    written: &'a [u8],
    escaped: bool,
}

impl<'a> Quoted<'a> {
    /// The string whose opening quote stands right before `begin`, and the position behind its closing quote; none when it
    /// is not closed.
    #[inline]
    pub fn take(bytes: &'a [u8], begin: usize) -> Option<(Self, usize)> {
        let mut at = begin;
        let mut escaped = false;
        loop {
            at += memchr::memchr2(b'"', b'\\', bytes.get(at..)?)?;
            if bytes[at] == b'"' {
                return Some((Self { written: &bytes[begin..at], escaped }, at + 1));
            }
            escaped = true;
            at += 2;
        }
    }

    /// What the string says; borrowed unless there are escapes.
    #[inline]
    pub fn meaning(self) -> Cow<'a, [u8]> {
        if self.escaped { Cow::Owned(unescape(self.written)) } else { Cow::Borrowed(self.written) }
    }
}

fn unescape(written: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(written.len());
    let mut rest = written;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[put_escape(&mut out, rest)..];
    }
    out.extend_from_slice(rest);
    out
}

/// Appends what the escape at the front of `written` stands for; returns how many bytes it has.
fn put_escape(out: &mut Vec<u8>, written: &[u8]) -> usize {
    let byte = match written.get(1) {
        Some(byte @ (b'"' | b'\\' | b'/')) => *byte,
        Some(b'b') => 0x08,
        Some(b'f') => 0x0c,
        Some(b'n') => b'\n',
        Some(b'r') => b'\r',
        Some(b't') => b'\t',
        Some(b'u') if let Some(unit) = code_unit(written) => return put_character(out, unit, &written[6..]),
        _ => {
            out.push(b'\\');
            return 1;
        }
    };
    out.push(byte);
    2
}

/// Appends the character whose first UTF-16 unit is `unit` and before `behind`; returns how many bytes are its escapes.
fn put_character(out: &mut Vec<u8>, unit: u16, behind: &[u8]) -> usize {
    let pair = code_unit(behind).and_then(|low| char::decode_utf16([unit, low]).next()?.ok());
    let alone = char::from_u32(u32::from(unit));
    // A first unit that stands for itself decodes with anything behind it: only a true pair is two escapes long.
    let (character, length) = match (alone, pair) {
        (Some(character), _) => (character, 6),
        (None, Some(character)) => (character, 12),
        (None, None) => (char::REPLACEMENT_CHARACTER, 6),
    };
    out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
    length
}

/// The UTF-16 unit of the escape `\u1234` at the front of `written`.
pub fn code_unit(written: &[u8]) -> Option<u16> {
    let digits = written.strip_prefix(b"\\u")?.first_chunk::<4>()?;
    digits.iter().try_fold(0, |unit, digit| Some(unit << 4 | char::from(*digit).to_digit(16)? as u16))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn meaning(written: &[u8]) -> Option<(Vec<u8>, usize)> {
        Quoted::take(written, 1).map(|(quoted, end)| (quoted.meaning().into_owned(), end))
    }

    #[test]
    fn strings_and_what_they_say() {
        for (written, expected) in [
            (r#""""#, ""),
            (r#""plain" behind"#, "plain"),
            (r#""a\"b\\" behind"#, r#"a"b\"#),
            (r#""\b\f\n\r\t\/""#, "\u{8}\u{c}\n\r\t/"),
            (r#""\u0061\u00fC\u20ac""#, "aü€"),
            (r#""\ud83d\ude00!""#, "😀!"),
            (r#""\ud83d!\ude00\ud83d\n\ud83d\u0061""#, "\u{fffd}!\u{fffd}\u{fffd}\n\u{fffd}a"),
            (r#""\x41\u12\u00g0\'""#, r"\x41\u12\u00g0\'"),
            ("\"two\nlines\"", "two\nlines"),
        ] {
            let end = written.rfind('"').unwrap() + 1;
            assert_eq!(meaning(written.as_bytes()), Some((expected.as_bytes().to_vec(), end)), "{written}");
        }
        for open in [r#"""#, r#""abc"#, r#""abc\"#, r#""abc\""#] {
            assert_eq!(meaning(open.as_bytes()), None, "{open}");
        }
        assert_eq!(meaning(b"\"\xff\""), Some((vec![0xff], 3)));
    }

    proptest! {
        #[test]
        fn as_serde_says(text in any::<String>()) {
            let written = serde_json::to_string(&text).unwrap();
            prop_assert_eq!(meaning(written.as_bytes()), Some((text.into_bytes(), written.len())));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(b'\\'), Just(b'u'), Just(b'd'), Just(b'8')], 0..60)) {
            let mut written = vec![b'"'];
            written.extend(bytes);
            let _ = meaning(&written);
            written.push(b'"');
            let _ = meaning(&written);
        }
    }
}
