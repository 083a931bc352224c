//! Tells by a substring search that a line cannot hold a field, or holds it no more: most lines do not, and are not read.
//!
//! Every stretch of the dotted path that holds no dot stands within one key, so it stands in the line as it is, unless an
//! escape spells a part of it. Exact in that direction: what is rejected here holds no such field.

use memchr::memmem::Finder;

use super::quoted;

#[derive(Clone, Debug)]
pub struct Needle {
    piece: Vec<u8>,
    anywhere: Finder<'static>,
    /// In a line that begins with an object: with the quotes that the piece must have on its outer sides.
    in_object: Finder<'static>,
    unicode_escape: Finder<'static>,
    /// The piece holds something that can be escaped in another way than by its code.
    has_short_escape: bool,
}

impl Needle {
    /// For a path whose keys are joined by dots.
    pub fn new(dotted: &str) -> Self {
        // The longest piece is the rarest one; of equals the last, which says more than where it stands.
        let (index, piece) =
            dotted.split('.').enumerate().max_by_key(|(_, piece)| piece.len()).expect("split yields one");
        let is_last = index == dotted.split('.').count() - 1;
        let quote = |is_outer: bool| if is_outer { "\"" } else { "" };
        let in_object = format!("{}{piece}{}", quote(index == 0), quote(is_last));
        Self {
            anywhere: Finder::new(piece).into_owned(),
            in_object: Finder::new(&in_object).into_owned(),
            unicode_escape: Finder::new(b"\\u").into_owned(),
            has_short_escape: piece.bytes().any(|byte| byte.is_ascii_control() || matches!(byte, b'"' | b'\\' | b'/')),
            piece: piece.as_bytes().to_vec(),
        }
    }

    /// For one reading of `line`, which begins with an object or does not.
    pub fn outlook<'a>(&'a self, line: &'a [u8], is_object: bool) -> Outlook<'a> {
        let finder = if is_object { &self.in_object } else { &self.anywhere };
        Outlook { needle: self, finder, line, open_until: 0 }
    }

    /// Whether some escape in `line` may spell some of the piece.
    fn may_be_escaped(&self, line: &[u8]) -> bool {
        // Most lines hold no backslash, and looking for one byte costs half of what looking for two does.
        let Some(first) = memchr::memchr(b'\\', line) else { return false };
        if self.has_short_escape {
            return true;
        }
        // Anything else is spelled by its code. Encoders that write `\u003c` for `<` are common, so the code is looked at.
        let line = &line[first..];
        self.unicode_escape.find_iter(line).any(|at| match quoted::code_unit(&line[at..]) {
            Some(unit @ 0..0x80) => self.piece.contains(&(unit as u8)),
            Some(_) => !self.piece.is_ascii(),
            None => false,
        })
    }
}

/// Whether there is still anything to look for, while a line is read from front to back.
pub struct Outlook<'a> {
    needle: &'a Needle,
    finder: &'a Finder<'static>,
    line: &'a [u8],
    /// In front of this position nothing needs to be searched: something that may be the field stands right before it.
    open_until: usize,
}

impl Outlook<'_> {
    /// Whether no field begins at `at` or behind it. It is asked with positions that grow, and costs no more than one search
    /// over the line in all.
    #[inline]
    pub fn is_over(&mut self, at: usize) -> bool {
        at >= self.open_until && self.is_over_behind(at)
    }

    fn is_over_behind(&mut self, at: usize) -> bool {
        let rest = &self.line[at..];
        match self.finder.find(rest) {
            Some(found) => {
                self.open_until = at + found + 1;
                false
            }
            None => {
                self.open_until = usize::MAX;
                !self.needle.may_be_escaped(rest)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_a_field() {
        for (dotted, line, expected) in [
            ("status", r#"{"status":1}"#, true),
            ("status", r#"{"msg":"status"}"#, true), // not worth a second look: it is read and not found
            ("status", r#"{"msg":"a status"}"#, false),
            ("status", r#"{"exit_status":1}"#, false),
            ("status", r#"{"st\u0061tus":1}"#, true),
            ("status", r#"{"msg":"\u003cbr\u003e\n\"x\" C:\\users"}"#, false),
            ("status", "exit_status=1", true),
            ("http.status", r#"{"http.status":1}"#, true),
            ("http.status", r#"{"http":{"status":1}}"#, true),
            ("request.id", r#"{"request":{"id":1}}"#, true),
            ("request.id", r#"{"a_request":{"id":1}}"#, false),
            ("a.request.id", r#"{"a.request.id":1}"#, true),
            ("größe", r#"{"gr\u00f6\u00dfe":1}"#, true),
            ("größe", r#"{"msg":"\u003c"}"#, false),
            ("a/b", r#"{"a\/b":1}"#, true),
            ("a/b", r#"{"ab":1}"#, false),
            ("", r#"{"":1}"#, true),
            ("", r#"{"a":1}"#, false),
        ] {
            let needle = Needle::new(dotted);
            let is_over = needle.outlook(line.as_bytes(), line.starts_with('{')).is_over(0);
            assert_eq!(!is_over, expected, "{dotted} {line}");
        }
    }
}
