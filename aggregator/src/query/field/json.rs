//! A JSON object (RFC 8259), read from the front, once, and handed to a reader as it goes.
//!
//! What stands before a break counts, and nothing behind it. An object breaks where the grammar does; strings are read
//! leniently (see `quoted`). A number or a literal counts only when something behind it says that it ends there: the last
//! one of a truncated line may have lost its digits, as an unclosed string has lost its end.
//!
//! Nothing is checked of the bytes behind the object, and nothing but brackets and strings inside of what is nested deeper
//! than [`DEPTH_MAX`].

use super::{number, quoted::Quoted, scalar::Scalar};

/// What is nested deeper is passed over. It bounds the recursion; serde_json has the same limit.
pub const DEPTH_MAX: usize = 128;

/// What is done with an object's parts. An element of an array stands in the place of the array.
pub trait Reader {
    /// Where a value stands, in the reader's terms.
    type Place: Copy;

    /// A key begins at position `at`, in an object that stands at `object`. Returns whether there is nothing more to look
    /// for, and reading ends.
    fn is_over(&mut self, object: Self::Place, at: usize) -> bool;

    /// Where the value of `key` stands, in an object that stands at `object`; none when it is of no interest, nor anything
    /// below it.
    fn key(&mut self, object: Self::Place, key: &[u8]) -> Option<Self::Place>;

    /// An object or array begins. Returns whether that is enough, and reading ends.
    fn container(&mut self, place: Self::Place) -> bool;

    /// A scalar. Returns whether that is enough, and reading ends.
    fn scalar(&mut self, place: Self::Place, scalar: &Scalar<'_>) -> bool;
}

/// Why reading ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The object was closed.
    Closed,
    /// What stands there is no JSON, or the line ends.
    Broken,
    /// The reader had enough.
    Enough,
}

/// Reads the object whose brace is the first byte of `bytes`; returns why and where it ended. Without a `root` it is read,
/// and the reader is asked nothing.
pub fn read<R: Reader>(bytes: &[u8], reader: &mut R, root: Option<R::Place>) -> (End, usize) {
    let mut cursor = Cursor { bytes, at: 0 };
    let end = match cursor.object(reader, root, 1) {
        Ok(()) => End::Closed,
        Err(Stop::Broken) => End::Broken,
        Err(Stop::Enough) => End::Enough,
    };
    (end, cursor.at)
}

#[inline]
pub fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

enum Stop {
    Broken,
    Enough,
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Cursor<'_> {
    fn value<R: Reader>(&mut self, reader: &mut R, place: Option<R::Place>, depth: usize) -> Result<(), Stop> {
        match self.peek_behind_blanks() {
            Some(b'"') => {
                let string = self.string()?;
                stop_if(place.is_some_and(|place| reader.scalar(place, &Scalar::Text(string.meaning()))))
            }
            Some(bracket @ (b'{' | b'[')) => {
                stop_if(place.is_some_and(|place| reader.container(place)))?;
                if depth == DEPTH_MAX {
                    self.pass_container()
                } else if bracket == b'{' {
                    self.object(reader, place, depth + 1)
                } else {
                    self.array(reader, place, depth + 1)
                }
            }
            _ => {
                let scalar = self.bare()?;
                stop_if(place.is_some_and(|place| reader.scalar(place, &scalar)))
            }
        }
    }

    fn object<R: Reader>(&mut self, reader: &mut R, place: Option<R::Place>, depth: usize) -> Result<(), Stop> {
        self.take(b'{')?;
        if self.peek_behind_blanks() == Some(b'}') {
            return self.take(b'}');
        }
        loop {
            self.peek_behind_blanks();
            stop_if(place.is_some_and(|place| reader.is_over(place, self.at)))?;
            let key = self.string()?;
            let below = place.and_then(|place| reader.key(place, &key.meaning()));
            self.peek_behind_blanks();
            self.take(b':')?;
            self.value(reader, below, depth)?;
            if self.peek_behind_blanks() != Some(b',') {
                return self.take(b'}');
            }
            self.at += 1;
        }
    }

    fn array<R: Reader>(&mut self, reader: &mut R, place: Option<R::Place>, depth: usize) -> Result<(), Stop> {
        self.take(b'[')?;
        if self.peek_behind_blanks() == Some(b']') {
            return self.take(b']');
        }
        loop {
            self.value(reader, place, depth)?;
            if self.peek_behind_blanks() != Some(b',') {
                return self.take(b']');
            }
            self.at += 1;
        }
    }

    /// A number, `true`, `false` or `null`, and something behind it.
    #[inline]
    fn bare(&mut self) -> Result<Scalar<'_>, Stop> {
        let rest = &self.bytes[self.at..];
        let (scalar, length) = match rest.first() {
            Some(b't') if rest.starts_with(b"true") => (Scalar::Bool(true), 4),
            Some(b'f') if rest.starts_with(b"false") => (Scalar::Bool(false), 5),
            Some(b'n') if rest.starts_with(b"null") => (Scalar::Null, 4),
            _ => {
                let length = number::length(rest).ok_or(Stop::Broken)?;
                (Scalar::Number(&rest[..length]), length)
            }
        };
        match rest.get(length) {
            Some(byte) if is_blank(*byte) || matches!(byte, b',' | b'}' | b']') => {
                self.at += length;
                Ok(scalar)
            }
            _ => Err(Stop::Broken),
        }
    }

    #[inline]
    fn string(&mut self) -> Result<Quoted<'_>, Stop> {
        self.take(b'"')?;
        let (string, end) = Quoted::take(self.bytes, self.at).ok_or(Stop::Broken)?;
        self.at = end;
        Ok(string)
    }

    /// Goes behind an object or array without looking at what is in it, and without recursion.
    fn pass_container(&mut self) -> Result<(), Stop> {
        let mut open = 0usize;
        loop {
            match self.bytes.get(self.at).ok_or(Stop::Broken)? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return Ok(());
            }
        }
    }

    /// Goes to the next byte that is not blank, and tells which it is.
    #[inline]
    fn peek_behind_blanks(&mut self) -> Option<u8> {
        loop {
            let byte = *self.bytes.get(self.at)?;
            if !is_blank(byte) {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    #[inline]
    fn take(&mut self, byte: u8) -> Result<(), Stop> {
        if self.bytes.get(self.at) == Some(&byte) {
            self.at += 1;
            Ok(())
        } else {
            Err(Stop::Broken)
        }
    }
}

fn stop_if(enough: bool) -> Result<(), Stop> {
    if enough { Err(Stop::Enough) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes down what it is told, with the number of keys that lead there.
    #[derive(Default)]
    struct Recorder {
        told: Vec<String>,
        enough_at: Option<&'static str>,
    }

    impl Reader for Recorder {
        type Place = usize;

        fn is_over(&mut self, _: usize, _: usize) -> bool {
            false
        }

        fn key(&mut self, object: usize, key: &[u8]) -> Option<usize> {
            self.told.push(format!("{object} {}:", String::from_utf8_lossy(key)));
            (key != b"ignored").then_some(object + 1)
        }

        fn container(&mut self, place: usize) -> bool {
            self.told.push(format!("{place} container"));
            self.enough_at == Some("container")
        }

        fn scalar(&mut self, place: usize, scalar: &Scalar<'_>) -> bool {
            let text = String::from_utf8_lossy(scalar.text()).into_owned();
            self.told.push(format!("{place} {text}"));
            self.enough_at == Some(&text)
        }
    }

    fn told(line: &str) -> (String, End, usize) {
        let mut recorder = Recorder::default();
        let (end, length) = read(line.as_bytes(), &mut recorder, Some(0));
        (recorder.told.join(", "), end, length)
    }

    #[test]
    fn whole_objects() {
        for (line, expected) in [
            ("{}", ""),
            ("{ \t\r\n}", ""),
            (r#"{"a":1,"b":"x"}"#, "0 a:, 1 1, 0 b:, 1 x"),
            (r#" { "a" : true , "b" : [ false , null ] } "#.trim(), "0 a:, 1 true, 0 b:, 1 container, 1 false, 1 null"),
            (r#"{"a":[],"b":{}}"#, "0 a:, 1 container, 0 b:, 1 container"),
            (r#"{"a":[[{"b":-0.5e1}]]}"#, "0 a:, 1 container, 1 container, 1 container, 1 b:, 2 -0.5e1"),
            (r#"{"ignored":{"a":[{"b":1}]},"c":2}"#, "0 ignored:, 0 c:, 1 2"),
            (r#"{"\u0061\"":"\n"}"#, "0 a\":, 1 \n"),
        ] {
            assert_eq!(told(line), (expected.to_owned(), End::Closed, line.len()), "{line}");
            assert_eq!(told(&format!("{line} }}{{")).2, line.len(), "{line}");
        }
    }

    #[test]
    fn what_stands_before_a_break_counts() {
        for (line, expected) in [
            ("{", ""),
            (r#"{"a"#, ""),
            (r#"{"a""#, "0 a:"),
            (r#"{"a":"#, "0 a:"),
            (r#"{"a":1,"b":"trunc"#, "0 a:, 1 1, 0 b:"),
            (r#"{"a":1,"b":20"#, "0 a:, 1 1, 0 b:"), // it may have been 200
            (r#"{"a":1,"b":tru"#, "0 a:, 1 1, 0 b:"),
            (r#"{"a":"whole""#, "0 a:, 1 whole"),
            (r#"{"a":1"b":2}"#, "0 a:"),
            (r#"{"a":"1""b":2}"#, "0 a:, 1 1"),
            (r#"{"a":1,}"#, "0 a:, 1 1"),
            (r#"{"a":1],"b":2}"#, "0 a:, 1 1"),
            (r#"{"a":[1,2}"#, "0 a:, 1 container, 1 1, 1 2"),
            (r#"{"a":007}"#, "0 a:"),
            (r#"{"a":NaN,"b":1}"#, "0 a:"),
            (r#"{"a":truex}"#, "0 a:"),
            (r#"{"ignored":[1,oops],"b":1}"#, "0 ignored:"),
            (r#"{a:1}"#, ""),
        ] {
            let (told, end, _) = told(line);
            assert_eq!((told, end), (expected.to_owned(), End::Broken), "{line}");
        }
    }

    #[test]
    fn reading_ends_when_the_reader_has_enough() {
        for (enough_at, expected) in [
            ("1", "0 a:, 1 1"),
            ("container", "0 a:, 1 1, 0 b:, 1 container"),
            ("2", "0 a:, 1 1, 0 b:, 1 container, 1 2"),
        ] {
            let mut recorder = Recorder { enough_at: Some(enough_at), ..Recorder::default() };
            let (end, _) = read(br#"{"a":1,"b":[2],"c":3}"#, &mut recorder, Some(0));
            assert_eq!((recorder.told.join(", "), end), (expected.to_owned(), End::Enough));
        }
    }

    #[test]
    fn what_is_nested_too_deeply_is_passed_over() {
        for (depth, is_read) in [(DEPTH_MAX - 1, true), (DEPTH_MAX, false), (100_000, false)] {
            let (opened, closed) = ("[".repeat(depth), "]".repeat(depth));
            let (told, end, _) = told(&format!(r#"{{"a":{opened}"]\"",7,{{}}{closed},"b":8}}"#));
            assert_eq!(
                (told.contains("1 7"), told.ends_with("0 b:, 1 8"), end),
                (is_read, true, End::Closed),
                "{depth}"
            );
        }
        assert_eq!(told(&format!(r#"{{"a":{}"#, "[{".repeat(100_000))).1, End::Broken);
    }
}
