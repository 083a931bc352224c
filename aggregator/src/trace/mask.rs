//! A message with its variables masked: what two lines that one statement wrote have in common.
//!
//! A word that holds a digit is a variable, for it is a number, a duration, a date, an ID, an address or a segment of a path; so
//! are hexadecimal digits from eight on, mail addresses, queries of URLs and what is quoted and holds a digit. Each is written
//! [`VARIABLE`], whatever it is: an ID that has digits alone by chance must not look different from the others. What stands
//! before an equals sign is a name. Blanks are one blank.
//!
//! One pass over the bytes, and no allocation but for the text that is written.

use super::message::Message;

/// What stands in the place of a variable.
pub const VARIABLE: &[u8] = b"<*>";

/// Words that hold a digit and are none the less always the same.
const CONSTANTS: [&[u8]; 24] = [
    b"utf8", b"utf-8", b"sha1", b"sha256", b"sha-256", b"sha512", b"md5", b"base64", b"ipv4", b"ipv6", b"http1",
    b"http2", b"http3", b"h2", b"h2c", b"oauth2", b"s3", b"ec2", b"k8s", b"l4", b"l7", b"p2p", b"b2b", b"i18n",
];
const CONSTANT_BYTES_MAX: usize = 8;

/// What may stand behind a number, with a blank between them.
const UNITS: [&[u8]; 24] = [
    b"ns",
    b"us",
    "µs".as_bytes(),
    b"ms",
    b"s",
    b"sec",
    b"secs",
    b"second",
    b"seconds",
    b"millis",
    b"m",
    b"min",
    b"mins",
    b"minutes",
    b"h",
    b"B",
    b"kB",
    b"KB",
    b"MB",
    b"GB",
    b"KiB",
    b"MiB",
    b"GiB",
    b"%",
];
const UNIT_BYTES_MAX: usize = 7;

/// So few hexadecimal digits without a decimal one among them may be a word.
const HEX_BYTES_MIN: usize = 8;

/// Appends the template of a message to `out`.
pub fn put(message: &Message<'_>, out: &mut Vec<u8>) {
    match message {
        Message::Text(text) => put_text(text, out),
        Message::Access { method, path, status } => {
            out.extend_from_slice(method);
            out.push(b' ');
            put_text(path, out);
            if !status.is_empty() {
                out.push(b' ');
                out.extend_from_slice(status);
            }
        }
    }
}

/// Appends a text with its variables masked to `out`.
pub fn put_text(text: &[u8], out: &mut Vec<u8>) {
    Masker { text, at: 0, kept: 0, out, is_masked: false }.run();
}

/// What bytes are: all but blanks and separators are part of a word.
const DIGIT: u8 = 1;
/// A hexadecimal digit that is a letter.
const HEX: u8 = 2;
/// A letter that is no hexadecimal digit, or another byte of a word.
const OTHER: u8 = 4;
const AT: u8 = 8;
const SEPARATOR: u8 = 64;
const BLANK: u8 = 128;

static CLASS: [u8; 256] = {
    let mut class = [OTHER; 256];
    let mut byte = 0;
    while byte < 256 {
        class[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT,
            b'a'..=b'f' | b'A'..=b'F' => HEX,
            b'@' => AT,
            b' ' | b'\t' | b'\n' | b'\r' => BLANK,
            b'=' | b':' | b',' | b';' | b'(' | b')' | b'[' | b']' | b'{' | b'}' | b'<' | b'>' | b'"' | b'\'' | b'`'
            | b'|' | b'/' | b'\\' | b'?' | b'&' | b'!' | b'*' | b'^' => SEPARATOR,
            _ => OTHER,
        };
        byte += 1;
    }
    class
};

struct Masker<'t, 'o> {
    text: &'t [u8],
    at: usize,
    /// What stands between here and `at` is to be written as it is.
    kept: usize,
    out: &'o mut Vec<u8>,
    /// Whether the last that was written is a variable.
    is_masked: bool,
}

impl Masker<'_, '_> {
    fn run(mut self) {
        let begin = self.out.len();
        while let Some(byte) = self.text.get(self.at) {
            match CLASS[usize::from(*byte)] {
                BLANK => self.blanks(),
                SEPARATOR => self.separator(*byte),
                _ => self.word(),
            }
        }
        self.write_kept(self.at);
        if self.out.len() > begin && self.out.last() == Some(&b' ') {
            self.out.pop();
        }
    }

    fn blanks(&mut self) {
        // A number's unit may change with its size: `900 ms`, `1.2 s`.
        if self.is_masked && self.kept == self.at {
            let rest = &self.text[self.at + 1..];
            let length = rest.iter().take(UNIT_BYTES_MAX + 1).take_while(|byte| is_word(**byte)).count();
            if UNITS.contains(&&rest[..length]) {
                self.at += 1 + length;
                self.kept = self.at;
                return;
            }
        }
        let begin = self.at;
        while self.text.get(self.at).is_some_and(|byte| CLASS[usize::from(*byte)] == BLANK) {
            self.at += 1;
        }
        if self.at > begin + 1 || self.text[begin] != b' ' {
            self.write_kept(begin);
            self.out.push(b' ');
            (self.kept, self.is_masked) = (self.at, false);
        }
    }

    fn separator(&mut self, byte: u8) {
        match byte {
            b'"' | b'\'' | b'`' if self.quoted(byte) => {}
            b'?' if self.is_query() => {
                let end = self.end_of_query();
                self.mask(self.at + 1, end);
            }
            _ => self.at += 1,
        }
    }

    /// Masks what stands between these quotes, if it holds a digit.
    fn quoted(&mut self, quote: u8) -> bool {
        let stands_free = self.at == 0 || !is_word(self.text[self.at - 1]);
        if !stands_free {
            return false;
        }
        let begin = self.at + 1;
        let Some(length) = memchr::memchr(quote, &self.text[begin..]) else { return false };
        if !self.text[begin..begin + length].iter().any(u8::is_ascii_digit) {
            return false;
        }
        self.mask(begin, begin + length);
        self.at += 1;
        true
    }

    /// Whether a question mark stands behind a path.
    fn is_query(&self) -> bool {
        let mut word = self.text[..self.at].iter().rev().take_while(|byte| CLASS[usize::from(**byte)] != BLANK);
        self.text.get(self.at + 1).is_some_and(|next| is_word(*next)) && word.any(|byte| *byte == b'/')
    }

    fn end_of_query(&self) -> usize {
        let ends = |byte: &u8| {
            CLASS[usize::from(*byte)] == BLANK || matches!(byte, b'"' | b'\'' | b'`' | b')' | b']' | b'}' | b'>')
        };
        self.at + self.text[self.at..].iter().position(ends).unwrap_or(self.text.len() - self.at)
    }

    fn word(&mut self) {
        let begin = self.at;
        let mut classes = 0;
        let mut end = begin;
        while let Some(byte) = self.text.get(end) {
            let class = CLASS[usize::from(*byte)];
            if class >= SEPARATOR {
                break;
            }
            classes |= class;
            end += 1;
        }
        self.at = end;
        if classes & (DIGIT | AT) == 0 && classes != HEX {
            return;
        }
        let mut word = &self.text[begin..end];
        // The end of a sentence is none of a word.
        while let [rest @ .., b'.'] = word {
            word = rest;
        }
        let is_name = self.text.get(end) == Some(&b'=') && !word.first().is_some_and(u8::is_ascii_digit);
        if !is_name && is_variable(word, classes) {
            self.mask(begin, begin + word.len());
        }
    }

    /// Writes a variable in the place of what stands from `begin` to `end`, and goes on there. A time, an address with its
    /// port, or a list of numbers is one, however many parts it has.
    fn mask(&mut self, begin: usize, end: usize) {
        let joins = |byte: &u8| matches!(byte, b':' | b',');
        if !(self.is_masked && self.text[self.kept..begin].iter().all(joins)) {
            self.write_kept(begin);
            self.out.extend_from_slice(VARIABLE);
        }
        (self.at, self.kept, self.is_masked) = (end, end, true);
    }

    fn write_kept(&mut self, end: usize) {
        self.out.extend_from_slice(&self.text[self.kept..end]);
    }
}

fn is_word(byte: u8) -> bool {
    CLASS[usize::from(byte)] < SEPARATOR
}

/// Of a word that holds a digit or an `@`, or is hexadecimal.
fn is_variable(word: &[u8], classes: u8) -> bool {
    if classes & DIGIT != 0 {
        return !is_constant(word);
    }
    if classes & AT != 0 {
        // `ann@example.org`, but neither `@timestamp` nor `@Transactional`.
        let at = memchr::memchr(b'@', word).unwrap_or(0);
        return at > 0 && word[at..].contains(&b'.');
    }
    word.len() >= HEX_BYTES_MIN
}

fn is_constant(word: &[u8]) -> bool {
    match word {
        // `v1`, an interface's version.
        [b'v' | b'V', digit] => digit.is_ascii_digit(),
        _ => word.len() <= CONSTANT_BYTES_MAX && CONSTANTS.iter().any(|constant| word.eq_ignore_ascii_case(constant)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::trace::message;

    fn masked(text: &str) -> String {
        let mut out = Vec::new();
        put_text(text.as_bytes(), &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn variables_are_masked_and_words_are_not() {
        for (text, expected) in [
            ("cart loaded", "cart loaded"),
            ("Cart c-7f3a has 3 items, total 41.90 EUR", "Cart <*> has <*> items, total <*> EUR"),
            ("took 900 ms", "took <*>"),
            ("took 1.2s.", "took <*>."),
            ("took 1.2 s and more", "took <*> and more"),
            ("used 45% of 3 GiB", "used <*> of <*>"),
            ("order 7b1e6f0a-5c1d-4a8e-9d53-0c8a3f2b1e77 saved", "order <*> saved"),
            ("key deadbeef or cafe or facade", "key <*> or cafe or facade"),
            ("at 2026-11-23T12:00:00.123+01:00 done", "at <*> done"),
            ("from 10.0.0.1:4711 to fe80::1", "from <*> to <*>"),
            ("mail ann.lee@example.org @Transactional", "mail <*> @Transactional"),
            ("GET /carts/42/items/tea-4?a=b&c=2 done", "GET /carts/<*>/items/<*>?<*> done"),
            ("really? /a? yes", "really? /a? yes"),
            (r#"unknown sku "blue tea 4" and "red tea""#, r#"unknown sku "<*>" and "red tea""#),
            ("don't mask 'a' or it's 4", "don't mask 'a' or it's <*>"),
            ("items=[1,2,3] x1=5 y2=up", "items=[<*>] x1=<*> y2=up"),
            ("v1 of sha256 over HTTP2, UTF-8", "v1 of sha256 over HTTP2, UTF-8"),
            ("Foo@1a2b3c #42 $7.50 -5 +3", "<*> <*> <*> <*> <*>"),
            ("two   blanks\tand a tab ", "two blanks and a tab"),
            ("a:1, b:2", "a:<*>, b:<*>"),
            ("straße 12 größer", "straße <*> größer"),
            ("", ""),
        ] {
            assert_eq!(masked(text), expected, "{text}");
        }
    }

    #[test]
    fn a_request_is_known_by_method_path_and_status() {
        let mut out = Vec::new();
        put(&message::of(br#"10.0.0.1 - - [x] "POST /carts/7/items?x=1 HTTP/1.1" 502 157 "-""#), &mut out);
        assert_eq!(out, b"POST /carts/<*>/items?<*> 502");
    }

    proptest! {
        #[test]
        fn numbers_and_ids_make_no_difference(
            left in (any::<u32>(), any::<u128>(), 0u32..1_000_000),
            right in (any::<u32>(), any::<u128>(), 0u32..1_000_000),
        ) {
            let line = |(number, id, micros): (u32, u128, u32)| {
                let uuid = uuid::Uuid::from_u128(id);
                format!("user {number} paid order {uuid} with key {id:032x} in {micros}us, /orders/{number}/x at 10.{}.0.1", number % 256)
            };
            // A hash of letters alone is masked as well as one of digits alone.
            prop_assert_eq!(masked(&line(left)), masked(&line(right)));
        }

        #[test]
        fn a_mask_is_masked_no_further(text in "[ -~]{0,60}") {
            let once = masked(&text);
            prop_assert!(!masked(&once).contains("<*><*>"));
        }

        #[test]
        fn arbitrary_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut out = b"kept".to_vec();
            put_text(&bytes, &mut out);
            prop_assert!(out.starts_with(b"kept"));
        }
    }
}
