//! All the fields of a line, each with its path.

use super::json::{self, Reader};
use super::line::Parts;
use super::logfmt;
use super::scalar::Scalar;

/// A line gives no more fields than this: what has more is a table, not a record.
pub const FIELDS_MAX: usize = 512;

/// A longer key is passed over, with all that is below it: it is data in the place of a name.
pub const KEY_BYTES_MAX: usize = 256;

/// Calls `each(path, scalar)` for every scalar field of the line, from front to back, the first [`FIELDS_MAX`]. The path is
/// that of the keys, joined by dots; elements of an array stand under the array's path. A key that is no UTF-8 cannot be
/// asked for, and is passed over.
pub fn each(line: &[u8], mut each: impl FnMut(&str, &Scalar<'_>)) {
    let Parts { text, object } = Parts::of(line);
    let pairs = logfmt::pairs(text).filter_map(|pair| Some((name(pair.key)?, pair)));
    let mut count = 0;
    for (key, pair) in pairs.take(FIELDS_MAX) {
        each(key, &pair.scalar());
        count += 1;
    }
    if !object.is_empty() && count < FIELDS_MAX {
        let mut list = List { each, path: String::new(), left: FIELDS_MAX - count };
        json::read(object, &mut list, Some(0));
    }
}

/// A key as text, if it is one that is listed.
fn name(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key).ok().filter(|key| key.len() <= KEY_BYTES_MAX)
}

struct List<F> {
    each: F,
    /// The keys that lead to where reading is, each with a dot before it, and perhaps some of a path that was left.
    path: String,
    left: usize,
}

impl<F: FnMut(&str, &Scalar<'_>)> Reader for List<F> {
    /// So long is the path.
    type Place = usize;

    fn is_over(&mut self, _: usize, _: usize) -> bool {
        false
    }

    fn key(&mut self, object: usize, key: &[u8]) -> Option<usize> {
        let name = name(key)?;
        self.path.truncate(object);
        self.path.push('.');
        self.path.push_str(name);
        Some(self.path.len())
    }

    fn container(&mut self, _: usize) -> bool {
        false
    }

    fn scalar(&mut self, place: usize, scalar: &Scalar<'_>) -> bool {
        (self.each)(&self.path[1..place], scalar);
        self.left -= 1;
        self.left == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(line: &[u8]) -> Vec<String> {
        let mut listed = Vec::new();
        each(line, |path, scalar| listed.push(format!("{path}={}", String::from_utf8_lossy(scalar.text()))));
        listed
    }

    #[test]
    fn fields_of_a_line() {
        for (line, expected) in [
            ("nothing", &[][..]),
            ("a=1 b=x", &["a=1", "b=x"]),
            (r#"{"a":1,"b":{"c":true,"d":{"e":null}},"f":"x"}"#, &["a=1", "b.c=true", "b.d.e=null", "f=x"]),
            (r#"{"a":[1,{"b":2},[3]],"c":4}"#, &["a=1", "a.b=2", "a=3", "c=4"]),
            (r#"{"a.b":{"c":1},"":{"":2},"":3}"#, &["a.b.c=1", ".=2", "=3"]),
            (r#"{"a":{},"b":[]}"#, &[]),
            (r#"x=1 {"a":"\u0041"}"#, &["x=1", "a=A"]),
            (r#"{"a":1,"b":{"c":2,"d":"cut of"#, &["a=1", "b.c=2"]),
        ] {
            assert_eq!(listed(line.as_bytes()), expected, "{line}");
        }
        assert_eq!(listed(b"{\"\xff\":{\"a\":1},\"b\":2}"), ["b=2"]);
        assert_eq!(listed(b"\xff=1 b=2"), ["b=2"]);
    }

    #[test]
    fn limits() {
        let many: Vec<_> = (0..FIELDS_MAX + 100).map(|number| format!("k{number}=1")).collect();
        assert_eq!(listed(many.join(" ").as_bytes()).len(), FIELDS_MAX);
        let object = format!(r#"{{"a":[{}]}}"#, vec!["1"; 2 * FIELDS_MAX].join(","));
        assert_eq!(listed(object.as_bytes()).len(), FIELDS_MAX);
        assert_eq!(listed(format!("a=1 b=2 {object}").as_bytes()).len(), FIELDS_MAX);

        let (fits, too_long) = ("k".repeat(KEY_BYTES_MAX), "k".repeat(KEY_BYTES_MAX + 1));
        assert_eq!(listed(format!("{fits}=1 {too_long}=2").as_bytes()), [format!("{fits}=1")]);
        let object = format!(r#"{{"{too_long}":{{"a":1}},"{fits}":{{"a":2}}}}"#);
        assert_eq!(listed(object.as_bytes()), [format!("{fits}.a=2")]);
    }
}
