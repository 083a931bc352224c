//! The values of one field in a line.

use super::json::{self, Reader};
use super::line::{self, Parts};
use super::logfmt;
use super::needle::{Needle, Outlook};
use super::scalar::Scalar;

/// A compiled path: the keys that lead to a field. They are compared joined by dots, so that `http.status` leads to
/// `{"http":{"status":1}}`, to `{"http.status":1}` and to `http.status=1` alike. Arrays are transparent.
#[derive(Clone, Debug)]
pub struct Path {
    dotted: String,
    needle: Needle,
}

impl Path {
    pub fn new(segments: &[String]) -> Self {
        let dotted = segments.join(".");
        Self { needle: Needle::new(&dotted), dotted }
    }

    /// The keys, joined by dots.
    pub fn dotted(&self) -> &str {
        &self.dotted
    }

    /// Calls `found` for every scalar under this path in `line`; stops and returns true when `found` returns true.
    pub fn any(&self, line: &[u8], mut found: impl FnMut(&Scalar<'_>) -> bool) -> bool {
        self.any_value(line, |value| match value {
            Value::Scalar(scalar) => found(scalar),
            Value::Container => false,
        })
    }

    /// Whether the path leads to anything in `line` that is not null: an object, an array and an empty string count.
    pub fn exists(&self, line: &[u8]) -> bool {
        self.any_value(line, |value| !matches!(value, Value::Scalar(Scalar::Null)))
    }

    fn any_value(&self, line: &[u8], mut found: impl FnMut(Value<'_>) -> bool) -> bool {
        let mut outlook = self.needle.outlook(line, line::begins_with_object(line));
        if outlook.is_over(0) {
            return false;
        }
        let Parts { text, object } = Parts::of(line);
        let mut pairs = logfmt::pairs(text);
        while let Some(pair) = pairs.next() {
            if pair.key == self.dotted.as_bytes() && found(Value::Scalar(&pair.scalar())) {
                return true;
            }
            if outlook.is_over(pairs.position()) {
                return false;
            }
        }
        let begin = line.len() - object.len();
        if outlook.is_over(begin) {
            return false;
        }
        let mut search = Search { dotted: self.dotted.as_bytes(), outlook, begin, found, is_found: false };
        json::read(object, &mut search, Some(Place::On { matched: 0 }));
        search.is_found
    }
}

enum Value<'a> {
    Scalar(&'a Scalar<'a>),
    Container,
}

struct Search<'a, F> {
    dotted: &'a [u8],
    outlook: Outlook<'a>,
    /// Where the object begins in the line.
    begin: usize,
    found: F,
    is_found: bool,
}

impl<F: FnMut(Value<'_>) -> bool> Search<'_, F> {
    fn value(&mut self, place: Place, value: Value<'_>) -> bool {
        self.is_found = matches!(place, Place::End) && (self.found)(value);
        self.is_found
    }
}

#[derive(Clone, Copy)]
enum Place {
    /// On the way: so many bytes of the path are matched, with the dot behind them.
    On { matched: usize },
    /// At the end of the path.
    End,
}

impl<F: FnMut(Value<'_>) -> bool> Reader for Search<'_, F> {
    type Place = Place;

    #[inline]
    fn is_over(&mut self, object: Place, at: usize) -> bool {
        // Further down, the part of the path that is looked for may stand in front.
        matches!(object, Place::On { matched: 0 }) && self.outlook.is_over(self.begin + at)
    }

    #[inline]
    fn key(&mut self, object: Place, key: &[u8]) -> Option<Place> {
        // What is in an object at the end of the path belongs to longer paths.
        let Place::On { matched } = object else { return None };
        let behind = self.dotted[matched..].strip_prefix(key)?;
        match behind.first() {
            None => Some(Place::End),
            Some(b'.') => Some(Place::On { matched: matched + key.len() + 1 }),
            Some(_) => None,
        }
    }

    #[inline]
    fn container(&mut self, place: Place) -> bool {
        self.value(place, Value::Container)
    }

    #[inline]
    fn scalar(&mut self, place: Place, scalar: &Scalar<'_>) -> bool {
        self.value(place, Value::Scalar(scalar))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(segments: &str) -> Path {
        Path::new(&segments.split('|').map(String::from).collect::<Vec<_>>())
    }

    fn values(path: &Path, line: &[u8]) -> Vec<String> {
        let mut values = Vec::new();
        let stopped = path.any(line, |scalar| {
            values.push(String::from_utf8_lossy(scalar.text()).into_owned());
            false
        });
        assert!(!stopped);
        values
    }

    #[test]
    fn values_under_a_path() {
        for (segments, line, expected) in [
            ("a", r#"{"a":1}"#, &["1"][..]),
            ("a", r#"{"A":1}"#, &[]),
            ("a", r#"{"b":{"a":1}}"#, &[]),
            ("a", r#"{"a":1,"a":"2","b":3,"a":null}"#, &["1", "2", "null"]),
            ("a", r#"{"a":{"a":1}}"#, &[]),
            ("a", r#"{"a":[1,[2,{"a":9}],"3",true]}"#, &["1", "2", "3", "true"]),
            ("http|status", r#"{"http":{"status":1}}"#, &["1"]),
            ("http|status", r#"{"http.status":1}"#, &["1"]),
            ("http.status", r#"{"http":{"status":1}}"#, &["1"]),
            ("http|status", r#"{"http":"status","status":1}"#, &[]),
            ("http|status", r#"{"http":[{"status":1},{"status":[2]},"x",[{"status":3}]]}"#, &["1", "2", "3"]),
            ("a|b|c", r#"{"a.b":{"c":1},"a":{"b.c":2,"b":{"c":3}},"a.b.c":4,"a.bc":5}"#, &["1", "2", "3", "4"]),
            ("a|b", r#"{"a.":{"b":1},"a":{".b":2},"a..b":3}"#, &[]),
            ("|a", r#"{"":{"a":1},".a":2,"a":3}"#, &["1", "2"]),
            ("", r#"{"":{"":1},"":2}"#, &["2"]),
            ("a", r#"{"\u0061":1}"#, &["1"]),
            ("a\"/", r#"{"\u0061\"\/":1}"#, &["1"]),
            ("a", r#"{"b":"\n"}{"a":1}"#, &[]),
            ("a", r#"{"a":1,"b":oops,"a":2}"#, &["1"]),
            ("a", r#"  {"a":1}   trailing a=2"#, &["1"]),
            ("a", r#"{"a":1,"msg":"cut of"#, &["1"]),
            ("a", "INFO a=1 (a=2) {\"a\":3}\n", &["1", "2", "3"]),
            ("a", r#"INFO a=1 {"a":3} done"#, &["1"]),
            ("http|status", "took 3 ms http.status=200", &["200"]),
            ("a", "", &[]),
        ] {
            assert_eq!(values(&path(segments), line.as_bytes()), expected, "{segments} in {line}");
        }
        assert_eq!(values(&path("a"), b"{\"\xff\":1,\"a\":\"\xfe\"}"), ["\u{fffd}"]);
    }

    #[test]
    fn stops_when_found() {
        for line in [r#"{"a":1,"a":2,"a":3}"#, "a=1 a=2 a=3", r#"a=1 {"a":2,"a":3}"#] {
            let mut seen = 0;
            let found = path("a").any(line.as_bytes(), |scalar| {
                seen += 1;
                scalar.number() == Some(2.0)
            });
            assert_eq!((found, seen), (true, 2), "{line}");
        }
    }

    #[test]
    fn what_exists() {
        for (segments, line, expected) in [
            ("a", r#"{"a":""}"#, true),
            ("a", r#"{"a":false}"#, true),
            ("a", r#"{"a":{}}"#, true),
            ("a", r#"{"a":[null]}"#, true),
            ("a", r#"{"a":null}"#, false),
            ("a", r#"{"a":null,"a":1}"#, true),
            ("a", r#"{"a.b":1}"#, false),
            ("a", r#"{"a":{"b":1}}"#, true),
            ("a|b", r#"{"a":[]}"#, false),
            ("a|b", r#"{"a":[{"b":null}]}"#, false),
            ("a|b", r#"{"a":[{"b":{}}]}"#, true),
            ("a", "a=", true),
            ("a", "a=null", false),
            ("a", "b=1", false),
        ] {
            assert_eq!(path(segments).exists(line.as_bytes()), expected, "{segments} in {line}");
        }
    }
}
