//! Logfmt: the pairs `key=value` of a text, wherever they stand in it.
//!
//! * A key is a run of letters, digits, `_`, `.`, `-` and `@`; bytes from 0x80 on are letters of other scripts. It stands at
//!   the start of the text or behind a blank, `,`, `;` or an opening bracket, so that what looks like a pair inside a URL is
//!   none.
//! * A quoted value has the escapes of JSON. One that is not closed makes no pair, and pairs are looked for inside of it.
//! * Another value ends at a blank, `,`, `;`, or at a closing bracket that it did not open itself: `(a=1 b=f(x))` holds `1`
//!   and `f(x)`. It may be empty.
//! * `a==b` is a comparison, or the padding of Base64, and no pair.

use super::json::is_blank;
use super::quoted::Quoted;
use super::scalar::Scalar;

/// The pairs of `text`, from front to back.
pub fn pairs(text: &[u8]) -> Pairs<'_> {
    Pairs { text, at: 0 }
}

pub struct Pairs<'a> {
    text: &'a [u8],
    at: usize,
}

pub struct Pair<'a> {
    pub key: &'a [u8],
    value: Value<'a>,
}

enum Value<'a> {
    Quoted(Quoted<'a>),
    Bare(&'a [u8]),
}

impl<'a> Pair<'a> {
    /// Not worked out before it is asked for: of most pairs only the key is of interest.
    pub fn scalar(&self) -> Scalar<'a> {
        match self.value {
            Value::Quoted(quoted) => Scalar::Text(quoted.meaning()),
            Value::Bare(written) => Scalar::bare(written),
        }
    }
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Pair<'a>> {
        loop {
            let equals = self.at + memchr::memchr(b'=', &self.text[self.at..])?;
            let key = self.key_before(equals);
            self.at = equals + 1;
            if let Some(key) = key
                && let Some(value) = self.value()
            {
                return Some(Pair { key, value });
            }
        }
    }
}

impl<'a> Pairs<'a> {
    /// Where reading is: the next pair does not begin in front of it.
    pub fn position(&self) -> usize {
        self.at
    }

    /// The key that ends at `equals`, and does not begin in front of where the last pair ended.
    fn key_before(&self, equals: usize) -> Option<&'a [u8]> {
        let length = self.text[self.at..equals].iter().rev().take_while(|byte| is_key_byte(**byte)).count();
        let begin = equals - length;
        let stands_free = match begin.checked_sub(1) {
            Some(before) => {
                is_blank(self.text[before]) || matches!(self.text[before], b',' | b';' | b'(' | b'[' | b'{')
            }
            None => true,
        };
        (length > 0 && stands_free).then(|| &self.text[begin..equals])
    }

    /// The value that begins here.
    fn value(&mut self) -> Option<Value<'a>> {
        match self.text.get(self.at) {
            Some(b'=') => None,
            Some(b'"') => {
                let (quoted, end) = Quoted::take(self.text, self.at + 1)?;
                self.at = end;
                Some(Value::Quoted(quoted))
            }
            _ => {
                let rest = &self.text[self.at..];
                let written = &rest[..bare_length(rest)];
                self.at += written.len();
                Some(Value::Bare(written))
            }
        }
    }
}

fn is_key_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'@') || byte >= 0x80
}

fn bare_length(rest: &[u8]) -> usize {
    let mut open = 0usize;
    for (at, byte) in rest.iter().enumerate() {
        match byte {
            b',' | b';' => return at,
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' if open == 0 => return at,
            b')' | b']' | b'}' => open -= 1,
            _ if is_blank(*byte) => return at,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8]) -> Vec<(String, String)> {
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        pairs(text).map(|pair| (lossy(pair.key), lossy(pair.scalar().text()))).collect()
    }

    #[test]
    fn pairs_of_a_text() {
        for (text, expected) in [
            ("", &[][..]),
            ("no pair = here", &[]),
            ("a=1 b=x", &[("a", "1"), ("b", "x")]),
            ("a=1,b=x;c=y", &[("a", "1"), ("b", "x"), ("c", "y")]),
            ("INFO done http.status=200 @type=x a_b-c=d", &[("http.status", "200"), ("@type", "x"), ("a_b-c", "d")]),
            (r#"msg="two words, a=1 \"b=2\"" c=3"#, &[("msg", r#"two words, a=1 "b=2""#), ("c", "3")]),
            (r#"a="x"b=1 c=2"#, &[("a", "x"), ("c", "2")]),
            (r#"a="" b= c=,d="#, &[("a", ""), ("b", ""), ("c", ""), ("d", "")]),
            (r#"a="never closed b=2"#, &[("b", "2")]),
            ("User(name=Bob, id=5) [k=v] {x=y}", &[("name", "Bob"), ("id", "5"), ("k", "v"), ("x", "y")]),
            ("(a=1 b=f(x))", &[("a", "1"), ("b", "f(x)")]),
            ("url=http://h/p?a=1&b=2 c=3", &[("url", "http://h/p?a=1&b=2"), ("c", "3")]),
            ("GET http://h/p?a=1&b=2", &[]),
            ("if x==1 dG9rZW4== y=2", &[("y", "2")]),
            ("a=b=c", &[("a", "b=c")]),
            ("=1 a =2 \"b=3 /c=4", &[]),
            ("a=1\n\tat b=2\r\nc=3", &[("a", "1"), ("b", "2"), ("c", "3")]),
            ("größe=3", &[("größe", "3")]),
        ] {
            let expected: Vec<_> = expected.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
            assert_eq!(read(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn values_have_types() {
        let scalars: Vec<_> = pairs(br#"a=1 b=-1.5e3 c=true d=null e=1s f="1" g=007"#)
            .map(|pair| format!("{:?}", pair.scalar()))
            .collect();
        let text = |bytes: &'static [u8]| format!("{:?}", Scalar::Text(bytes.into()));
        let number = |bytes: &'static [u8]| format!("{:?}", Scalar::Number(bytes));
        assert_eq!(
            scalars,
            [
                number(b"1"),
                number(b"-1.5e3"),
                "Bool(true)".into(),
                "Null".into(),
                text(b"1s"),
                text(b"1"),
                text(b"007")
            ]
        );
    }

    proptest! {
        #[test]
        fn round_trip(written in proptest::collection::vec(("[a-zA-Z0-9_.@-]{1,8}|größe", any::<String>(), "[ ,;\n]{1,3}", "[a-z:() ]{0,5} "), 0..8)) {
            let mut text = String::new();
            let mut expected = Vec::new();
            for (key, value, separator, word) in written {
                // Whatever stands between two pairs, as long as it looks like none.
                text += &format!("{word}{key}={}{separator}", serde_json::to_string(&value).unwrap());
                expected.push((key, value));
            }
            prop_assert_eq!(read(text.as_bytes()), expected);
        }

        #[test]
        fn bare_values_as_well(written in proptest::collection::vec(("[a-z]{1,8}", "[a-zA-Z0-9./:?&#%äß'-]{0,12}"), 0..8)) {
            let text: Vec<_> = written.iter().map(|(key, value)| format!("{key}={value}")).collect();
            prop_assert_eq!(read(text.join(" ").as_bytes()), written);
        }
    }
}
