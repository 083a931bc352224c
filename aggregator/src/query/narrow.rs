//! What the index can say about a query: which blocks cannot hold a record that fulfils it.
//!
//! A [`Narrow`] is weaker than its predicate: every block with a record that fulfils the predicate passes. What the index does not
//! know passes everything. Words come from the overlaid text (`block::overlay`), so a word that may be part of a hidden time or ID
//! says nothing.

use std::borrow::Cow;

use super::predicate::{Leaf, Predicate};
use super::value::{NameTest, ValueTest};
use crate::block::tokens::{WORD_BYTES_MAX, is_word_byte};
use crate::id::Canonical;

/// See the module. It borrows from the predicate.
#[derive(Debug)]
pub enum Narrow<'a> {
    All,
    /// The block holds this word.
    Word(String),
    /// It holds a word that begins so.
    WordPrefix(String),
    /// It holds one of these IDs.
    Ids(Cow<'a, [Canonical]>),
    Service(&'a NameTest),
    Host(&'a NameTest),
    /// It holds a record of one of these severities.
    Levels(u16),
    /// It reaches into this time.
    Time(i64, i64),
    And(Vec<Narrow<'a>>),
    Or(Vec<Narrow<'a>>),
}

impl<'a> Narrow<'a> {
    /// Of a predicate.
    pub fn of(predicate: &'a Predicate) -> Self {
        match predicate {
            // A block that has what is excluded may have other records.
            Predicate::All | Predicate::Not(_) => Self::All,
            Predicate::Leaf(leaf) => Self::of_leaf(leaf),
            Predicate::And(parts) => Self::and(parts.iter().map(Self::of)),
            Predicate::Or(parts) => {
                let parts: Vec<_> = parts.iter().map(Self::of).collect();
                if parts.iter().any(|part| matches!(part, Self::All)) { Self::All } else { Self::Or(parts) }
            }
        }
    }

    fn and(parts: impl Iterator<Item = Self>) -> Self {
        let mut parts: Vec<_> = parts.filter(|part| !matches!(part, Self::All)).collect();
        if parts.len() > 1 { Self::And(parts) } else { parts.pop().unwrap_or(Self::All) }
    }

    fn of_leaf(leaf: &'a Leaf) -> Self {
        match leaf {
            Leaf::Line(needle) => {
                let (text, open) = needle.parts();
                let words = Self::and(words_of(text, open).filter(Word::is_indexed).map(Word::narrow));
                match whole_id(text) {
                    // Where the ID was taken for one it is hidden and in the column of IDs.
                    Some(ids) => {
                        let stands = Self::and(words_of(text, open).map(Word::narrow));
                        Self::Or(vec![Self::Ids(ids.into()), stands])
                    }
                    None => words,
                }
            }
            Leaf::Key(path, test) => {
                let value = match test {
                    // A number is found however it is written: its own words say nothing.
                    ValueTest::Words { number: Some(_), .. } => Self::All,
                    ValueTest::Words { needle, .. } | ValueTest::Prefix(needle) => {
                        let (text, open) = needle.parts();
                        Self::of_value(text, open)
                    }
                    ValueTest::Exact(text) => Self::of_value(text.to_ascii_lowercase().as_bytes(), false),
                    ValueTest::Regex(_) | ValueTest::Between { .. } => Self::All,
                };
                Self::and([Self::of_key(path.dotted().as_bytes()), value].into_iter())
            }
            Leaf::KeyExists(path) => Self::of_key(path.dotted().as_bytes()),
            Leaf::LineRegex(_) | Leaf::File(_) | Leaf::Source(_) | Leaf::Label(..) | Leaf::TxnSpelling(_) => Self::All,
            Leaf::Service(test) => Self::Service(test),
            Leaf::Host(test) => Self::Host(test),
            Leaf::Level(levels) => Self::Levels(*levels),
            Leaf::Txn(ids) => Self::Ids(ids.into()),
            Leaf::Time(from, to) => Self::Time(*from, *to),
        }
    }

    /// A key stands in the line as it is: nobody escapes letters.
    fn of_key(path: &[u8]) -> Self {
        let lower = path.to_ascii_lowercase();
        let words = words_of(&lower, false).filter(|word| word.is_indexed() && word.bytes.is_ascii());
        Self::and(words.map(Word::narrow))
    }

    /// A value may stand in the line with escapes: what they stand for separates words, but they end in a letter or digit, which
    /// the index takes for the beginning of the word behind them.
    fn of_value(text: &[u8], open: bool) -> Self {
        let words = words_of(text, open).filter(|word| word.is_indexed() && word.bytes.is_ascii());
        let escaped = words.map(|word| {
            let escapes = "nrtbf".chars().map(String::from).chain(separators().map(|byte| format!("u{byte:04x}")));
            let behind = escapes.map(|escape| {
                let bytes = [escape.as_bytes(), word.bytes].concat();
                Word { bytes: &bytes, open: word.open }.narrow()
            });
            Self::Or(std::iter::once(word.narrow()).chain(behind).collect())
        });
        Self::and(escaped)
    }
}

/// ASCII that separates words.
fn separators() -> impl Iterator<Item = u8> {
    (0..0x80).filter(|byte| !is_word_byte(*byte))
}

/// A word of a text.
#[derive(Clone, Copy)]
struct Word<'t> {
    /// In lower case.
    bytes: &'t [u8],
    /// It may go on.
    open: bool,
}

impl Word<'_> {
    fn narrow<'a>(self) -> Narrow<'a> {
        let cut = self.bytes.get(..WORD_BYTES_MAX);
        let text = String::from_utf8_lossy(cut.unwrap_or(self.bytes)).into_owned();
        if self.open && cut.is_none() { Narrow::WordPrefix(text) } else { Narrow::Word(text) }
    }

    /// Whether the index knows it wherever it stands: it is no part of a time or of an ID (digits; in a UUID four hex digits and more),
    /// and has no letters whose cases the index tells apart.
    fn is_indexed(&self) -> bool {
        let is_hex_letter = |byte: &u8| matches!(byte, b'a'..=b'f');
        let may_be_hex = self.bytes.split(|byte| !is_hex_letter(byte)).any(|run| run.len() >= 4)
            || self.open && self.bytes.iter().all(is_hex_letter);
        self.bytes.is_ascii() && !may_be_hex && !self.bytes.iter().any(u8::is_ascii_digit)
    }
}

fn words_of(text: &[u8], open: bool) -> impl Iterator<Item = Word<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let begin = at + text[at..].iter().position(|byte| is_word_byte(*byte))?;
        let length = text[begin..].iter().position(|byte| !is_word_byte(*byte)).unwrap_or(text.len() - begin);
        at = begin + length;
        Some(Word { bytes: &text[begin..at], open: open && at == text.len() })
    })
}

/// The IDs that `text` may be a usual spelling of: 16 or 32 hex digits, or a UUID.
fn whole_id(text: &[u8]) -> Option<Vec<Canonical>> {
    let digits = text.iter().filter(|byte| **byte != b'-').count();
    let is_id = matches!(digits, 16 | 32) && text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
    is_id.then(|| Canonical::candidates(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::language::parser;
    use crate::query::predicate;

    fn narrow(query: &str) -> String {
        let predicate = predicate::compile(&parser::parse(query).unwrap(), 0).unwrap();
        let text = format!("{:?}", Narrow::of(&predicate));
        text.replace("\"", "'")
    }

    #[test]
    fn words_narrow_unless_they_may_be_hidden() {
        let cases = [
            ("timeout", "Word('timeout')"),
            ("\"Connection reset\"", "And([Word('connection'), Word('reset')])"),
            ("conn*", "WordPrefix('conn')"),
            ("\"reset by\" 500", "And([Word('reset'), Word('by')])"),
            ("500", "All"),
            ("added", "All"),
            ("be*", "All"),
            ("-timeout", "All"),
            ("timeout OR 500", "All"),
            ("timeout OR reset", "Or([Word('timeout'), Word('reset')])"),
            ("/time(out)/", "All"),
            ("status:500", "Word('status')"),
            ("http.status:>=500", "And([Word('http'), Word('status')])"),
            ("level:error", "Levels(64)"),
        ];
        for (query, expected) in cases {
            assert_eq!(narrow(query), expected, "{query}");
        }
        let value = narrow("msg:timeout");
        assert!(value.contains("Word('ntimeout')") && value.contains("Word('u003ctimeout')"), "{value}");
        let id = narrow("4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(id.starts_with("Or([Ids(") && id.contains("Word('4bf92f3577b34da6a3ce929d0e0e4736')"), "{id}");
    }
}
