//! A text that is looked for in lines: whole words, in any case.
//!
//! The text has to occur as it stands, letters in any case; where it begins or ends with a letter, digit or `_`, the line must not go
//! on with another one there. So `reset` is not found in `presets`, and `"connection reset"` is one search and not two.

use memchr::memmem::Finder;
use regex::bytes::{Regex, RegexBuilder};

use crate::block::overlay::{Hidden, is_filler};
use crate::block::tokens::is_word_byte;

/// Each thread that searches has such a cache for each text of other scripts, and a query may have a thousand of these.
const FOLDED_CACHE_BYTES: usize = 32 << 10;

/// See the module.
#[derive(Debug)]
pub struct Needle {
    /// Lower case where it is ASCII.
    text: Vec<u8>,
    finder: Box<Finder<'static>>,
    /// The line must not go on in front of it, or behind it.
    bound: (bool, bool),
    /// For text of other scripts, whose letters have cases as well.
    folded: Option<Regex>,
}

impl Needle {
    /// Whole words.
    pub fn words(text: &str) -> Self {
        Self::new(text, true)
    }

    /// Words of which the last one may go on.
    pub fn prefix(text: &str) -> Self {
        Self::new(text, false)
    }

    fn new(text: &str, ends: bool) -> Self {
        let lower = text.to_ascii_lowercase().into_bytes();
        let is_word = |byte: Option<&u8>| byte.is_some_and(|byte| is_word_byte(*byte));
        let folded = (!text.is_ascii()).then(|| {
            // An ASCII letter is matched by ASCII alone, as everywhere; `(?i)` would take the Kelvin sign for a k.
            let folded = text.chars().map(|letter| match letter {
                'a'..='z' | 'A'..='Z' => format!("[{}{}]", letter.to_ascii_lowercase(), letter.to_ascii_uppercase()),
                other => format!("(?i:{})", regex::escape(other.encode_utf8(&mut [0; 4]))),
            });
            let pattern: String = folded.collect();
            RegexBuilder::new(&pattern).dfa_size_limit(FOLDED_CACHE_BYTES).build().expect("an escaped text is a regex")
        });
        Self {
            finder: Box::new(Finder::new(&lower).into_owned()),
            bound: (is_word(lower.first()), ends && is_word(lower.last())),
            text: lower,
            folded,
        }
    }

    /// The text, in lower case where it is ASCII, and whether its last word may go on.
    pub fn parts(&self) -> (&[u8], bool) {
        let ends = self.bound.1 || !self.text.last().is_some_and(|byte| is_word_byte(*byte));
        (&self.text, !ends)
    }

    /// The first place at or behind `from` where it stands in `line`, begin and end. `lower` is `line` in lower case (ASCII only).
    pub fn find(&self, line: &[u8], lower: &[u8], from: usize) -> Option<(usize, usize)> {
        let mut from = from;
        loop {
            let (begin, end) = match &self.folded {
                None => {
                    let begin = from + self.finder.find(lower.get(from..)?)?;
                    (begin, begin + self.text.len())
                }
                Some(folded) => folded.find_at(line, from).map(|found| (found.start(), found.end()))?,
            };
            if self.stands_alone(lower, begin, end) {
                return Some((begin, end));
            }
            from = begin + 1;
        }
    }

    /// The first place at or behind `from` where its text stands in `text`, alone or not.
    pub fn find_anywhere(&self, text: &[u8], lower: &[u8], from: usize) -> Option<usize> {
        match &self.folded {
            None => Some(from + self.finder.find(lower.get(from..)?)?),
            Some(folded) => folded.find_at(text, from).map(|found| found.start()),
        }
    }

    /// Of a line of overlaid text in which it was found: whether it stands beside hidden bytes wherever it does. Those were letters
    /// or digits, so that only the restored text says whether it stands alone.
    pub fn is_beside_hidden(&self, line: &[u8], lower: &[u8]) -> bool {
        let mut from = 0;
        while let Some((begin, end)) = self.find(line, lower, from) {
            let before = self.bound.0 && lower[..begin].last().is_some_and(|byte| is_filler(*byte));
            let behind = self.bound.1 && lower.get(end).is_some_and(|byte| is_filler(*byte));
            if !before && !behind {
                return false;
            }
            from = begin + 1;
        }
        true
    }

    /// Whether it stands in `line`.
    pub fn is_in(&self, line: &[u8], lower: &[u8]) -> bool {
        self.find(line, lower, 0).is_some()
    }

    /// Whether it is all of `text`, or with `prefix` its beginning.
    pub fn is_all_of(&self, text: &[u8], prefix: bool) -> bool {
        match &self.folded {
            Some(folded) => {
                folded.find(text).is_some_and(|found| found.start() == 0 && (prefix || found.end() == text.len()))
            }
            None => {
                let begins = text.get(..self.text.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(&self.text));
                begins && (prefix || text.len() == self.text.len())
            }
        }
    }

    fn stands_alone(&self, lower: &[u8], begin: usize, end: usize) -> bool {
        let goes_on_before = || begin > 0 && is_word_byte(lower[begin - 1]);
        let goes_on_behind = || lower.get(end).is_some_and(|byte| is_word_byte(*byte));
        !(self.bound.0 && goes_on_before() || self.bound.1 && goes_on_behind())
    }

    /// Whether it is looked for in the lower-case text; if not, any text does in its place.
    pub fn needs_lower(&self) -> bool {
        self.folded.is_none() && self.text.iter().any(u8::is_ascii_alphabetic)
    }

    /// Whether it may stand where a block's text hides a time or an ID (see `block::overlay`): then the text must be restored first.
    /// Hidden are digits of times, and IDs with the dashes in them.
    pub fn may_be_hidden(&self, hidden: Hidden) -> bool {
        if hidden == Hidden::Nothing {
            return false;
        }
        let is_hideable = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
        let edges = [self.text.first(), self.text.last()];
        let (_, open) = self.parts();
        let mut words = self.text.split(|byte| !is_word_byte(*byte));
        // A last word that goes on may be a part of anything that is hidden in the rest of it.
        let goes_on = words.clone().next_back().filter(|_| open);
        self.folded.is_some()
            || words.any(|word| hidden.may_be_part_of(word))
            || edges.into_iter().flatten().any(|byte| *byte == b'-')
            || goes_on.is_some_and(|word| Hidden::Anywhere.may_be_part_of(word))
            || open && self.text.last().is_some_and(is_hideable)
            || self.text.iter().any(|byte| is_filler(*byte))
            || self.text.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_in(needle: &Needle, line: &str) -> bool {
        needle.is_in(line.as_bytes(), &line.as_bytes().to_ascii_lowercase())
    }

    #[test]
    fn whole_words_in_any_case() {
        let cases = [
            ("reset", "connection RESET by peer", true),
            ("reset", "presets", false),
            ("reset", "presets reset", true),
            ("reset", "reset", true),
            ("reset", "reset_at=1", false),
            ("connection reset", "Connection reset", true),
            ("connection reset", "connection  reset", false),
            ("/api/v1", "GET /api/v1/users", true),
            ("user_id=4", "user_id=42", false),
            ("user_id=", "user_id=42", true),
            ("ÜBERweisung", "die Überweisung", true),
            ("über", "die Überweisung", false),
            ("ber", "Über", false),
            ("a", "ba a", true),
        ];
        for (text, line, expected) in cases {
            assert_eq!(is_in(&Needle::words(text), line), expected, "{text:?} in {line:?}");
        }
        assert!(is_in(&Needle::prefix("con"), "reconnect, connect") && !is_in(&Needle::prefix("con"), "reconnect"));
        assert!(is_in(&Needle::prefix("Übe"), "überweisung"));
    }

    #[test]
    fn what_stands_beside_something_hidden_is_in_doubt() {
        for (text, line, expected) in [
            ("t", "\u{2}\u{2}t\u{2}\u{2}", true),
            ("t", "\u{2}\u{2}t\u{2}\u{2} t", false),
            ("req_", "req_\u{1}\u{1}", true),
            ("id=", "id=\u{1}\u{1}", false),
        ] {
            assert_eq!(
                Needle::words(text).is_beside_hidden(line.as_bytes(), line.as_bytes()),
                expected,
                "{text} {line}"
            );
        }
        assert!(!Needle::prefix("req_").is_beside_hidden(b"req_\x01", b"req_\x01"));
    }

    #[test]
    fn what_has_no_cases_is_found_in_any_text() {
        assert!(Needle::words("a1").needs_lower() && !Needle::words("10:15").needs_lower());
        for (text, line, expected) in
            [("10", "A10", false), ("10", "A 10_B", false), ("-10", "A-10 B", true), ("über", "ÜBER", true)]
        {
            let needle = Needle::words(text);
            assert!(!needle.needs_lower());
            assert_eq!(needle.is_in(line.as_bytes(), line.as_bytes()), expected, "{text:?} in {line:?}");
        }
    }

    #[test]
    fn what_may_stand_in_a_hidden_place() {
        let may_be = |needle: Needle| [Hidden::Anywhere, Hidden::Apart].map(|hidden| needle.may_be_hidden(hidden));
        for text in ["500", "feed", "a-b-", "trace 4", "-x", "Ü", "\u{1}", "x\u{5}y", "23T12", "00Z", "year2026"] {
            assert_eq!(may_be(Needle::words(text)), [true, true], "{text}");
        }
        for text in ["facade x", "v1", "user_42", "http2 error", "84739284736", "9.v3"] {
            assert_eq!(may_be(Needle::words(text)), [true, text.starts_with('9')], "{text}");
        }
        for text in ["timeout", "connection reset", "bad", "a-z"] {
            assert_eq!(may_be(Needle::words(text)), [false, false], "{text}");
        }
        assert_eq!([may_be(Needle::prefix("f")), may_be(Needle::prefix("fx"))], [[true; 2], [false; 2]]);
        assert_eq!(may_be(Needle::prefix("84739284736")), [true, true]);
        assert!(!Needle::words("500").may_be_hidden(Hidden::Nothing));
    }
}
