//! What the index can say about a query: which blocks cannot hold a record that fulfils it.
//!
//! A [`Narrow`] is weaker than its predicate: every block with a record that fulfils the predicate passes. What the index does not
//! know passes everything. Words come from the overlaid text (`block::overlay`), so a word of which something hidden may be a part
//! says nothing. What that is differs: blocks of the first version did not keep hidden times apart from other digits.

use std::borrow::Cow;

use super::predicate::{Leaf, Predicate};
use super::value::{NameTest, ValueTest};
use crate::block::overlay::Hidden;
use crate::block::tokens::{WORD_BYTES_MAX, is_word_byte};
use crate::id::Canonical;

/// See the module. It borrows from the predicate.
#[derive(Debug)]
pub enum Narrow<'a> {
    All,
    /// The block holds this word.
    Word(String),
    /// It holds this word, or is of the first version.
    WordIfApart(String),
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
                match whole_id(text).filter(|_| !open) {
                    // Where the ID was taken for one it is hidden and in the column of IDs.
                    Some(ids) => {
                        let stands = Self::and(words_of(text, open).map(Word::narrow));
                        Self::Or(vec![Self::Ids(ids.into()), stands])
                    }
                    None => Self::and(words_of(text, open).map(Word::narrow_if_indexed)),
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
            Leaf::LineRegex(_) | Leaf::File(_) | Leaf::Source(_) | Leaf::Label(..) | Leaf::TxnExists => Self::All,
            Leaf::Service(test) => Self::Service(test),
            Leaf::Host(test) => Self::Host(test),
            Leaf::Level(levels) => Self::Levels(*levels),
            Leaf::Txn(ids) => Self::Ids(ids.into()),
            Leaf::Time(from, to) => Self::Time(*from, *to),
        }
    }

    /// A key stands in the line as it is, but for what encoders escape: a word behind such a character is one of a value.
    fn of_key(path: &[u8]) -> Self {
        let lower = path.to_ascii_lowercase();
        Self::and(words_of(&lower, false).map(|word| match word.before {
            None | Some(b'.' | b'-' | b' ') => word.narrow_if_indexed(),
            Some(_) => word.narrow_in_value(),
        }))
    }

    /// A value may stand in the line with escapes: what they stand for separates words, but they end in a letter or digit, which
    /// the index takes for the beginning of the word behind them. An ASCII letter or digit that is itself written as an escape
    /// (`\u0061`) is not reckoned with, here or in a key: no encoder writes it so.
    fn of_value(text: &[u8], open: bool) -> Self {
        Self::and(words_of(text, open).map(Word::narrow_in_value))
    }
}

fn is_hex_letter(byte: &u8) -> bool {
    matches!(byte, b'a'..=b'f')
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
    /// What stands in front of it in the text.
    before: Option<u8>,
}

impl Word<'_> {
    fn narrow<'a>(self) -> Narrow<'a> {
        let cut = self.bytes.get(..WORD_BYTES_MAX);
        let text = String::from_utf8_lossy(cut.unwrap_or(self.bytes)).into_owned();
        if !self.open || cut.is_some() {
            return Narrow::Word(text);
        }
        // An ID may begin in it and be hidden: then what stands before that is the whole word.
        let hidden = self.bytes.iter().rev().take_while(|byte| is_hex_letter(byte)).count();
        let rests = (self.bytes.len() - hidden..self.bytes.len()).map(|end| Narrow::Word(text[..end].to_owned()));
        if hidden == 0 {
            Narrow::WordPrefix(text)
        } else {
            Narrow::Or(rests.chain([Narrow::WordPrefix(text.clone())]).collect())
        }
    }

    /// Nothing, where the index may not know it.
    fn narrow_if_indexed<'a>(self) -> Narrow<'a> {
        if !self.bytes.is_ascii() {
            // It has letters whose cases the index tells apart.
            return Narrow::All;
        }
        if !self.may_be_hidden(Hidden::Anywhere) {
            return self.narrow();
        }
        if self.open || self.may_be_hidden(Hidden::Apart) {
            return Narrow::All;
        }
        match self.narrow() {
            Narrow::Word(word) => Narrow::WordIfApart(word),
            _ => unreachable!("a word that does not go on"),
        }
    }

    /// As a word of a value, perhaps behind an escape.
    fn narrow_in_value<'a>(self) -> Narrow<'a> {
        let here = self.narrow_if_indexed();
        if matches!(here, Narrow::All) {
            return here;
        }
        let escapes = "nrtbf".chars().map(String::from).chain(separators().map(|byte| format!("u{byte:04x}")));
        let mut found = vec![here];
        for escape in escapes {
            let bytes = [escape.as_bytes(), self.bytes].concat();
            let behind = Word { bytes: &bytes, ..self };
            // The escape's own digits are in the line: that they are a part of an ID takes the rest of it.
            found.push(if self.may_be_hidden(Hidden::Anywhere) { behind.narrow_if_indexed() } else { behind.narrow() });
        }
        if found.iter().any(|part| matches!(part, Narrow::All)) { Narrow::All } else { Narrow::Or(found) }
    }

    /// Whether a part of it may be hidden.
    fn may_be_hidden(&self, hidden: Hidden) -> bool {
        hidden.may_be_part_of(self.bytes) || self.open && self.bytes.iter().all(is_hex_letter)
    }
}

fn words_of(text: &[u8], open: bool) -> impl Iterator<Item = Word<'_>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let begin = at + text[at..].iter().position(|byte| is_word_byte(*byte))?;
        let length = text[begin..].iter().position(|byte| !is_word_byte(*byte)).unwrap_or(text.len() - begin);
        at = begin + length;
        let before = text[..begin].last().copied();
        Some(Word { bytes: &text[begin..at], open: open && at == text.len(), before })
    })
}

/// Digits between the dashes of a UUID.
const UUID_GROUPS: [usize; 5] = [8, 4, 4, 4, 12];

/// The IDs that `text` may be a usual spelling of: 16 or 32 hex digits, or a UUID.
fn whole_id(text: &[u8]) -> Option<Vec<Canonical>> {
    let groups = text.split(|byte| *byte == b'-').map(<[u8]>::len);
    let is_spelled = UUID_GROUPS.into_iter().eq(groups) || matches!(text.len(), 16 | 32) && !text.contains(&b'-');
    let is_id = is_spelled && text.iter().all(|byte| byte.is_ascii_hexdigit() || *byte == b'-');
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
            ("user_42", "WordIfApart('user_42')"),
            ("\"order 84739284736\"", "And([Word('order'), WordIfApart('84739284736')])"),
            ("84739284736*", "All"),
            ("v1.2", "WordIfApart('v1')"),
            ("added", "WordIfApart('added')"),
            ("face", "All"),
            ("be*", "All"),
            ("time*", "Or([Word('tim'), WordPrefix('time')])"),
            ("4bf92f35-77b3-4da6", "All"),
            ("4bf92f3577b34da6*", "All"),
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
        let key = narrow("\"a<status\":*");
        assert!(key.contains("Word('u003cstatus')"), "{key}");
        let value = narrow("msg:timeout");
        assert!(value.contains("Word('ntimeout')") && value.contains("Word('u003ctimeout')"), "{value}");
        let id = narrow("4bf92f3577b34da6a3ce929d0e0e4736");
        assert!(id.starts_with("Or([Ids(") && id.contains("Word('4bf92f3577b34da6a3ce929d0e0e4736')"), "{id}");
    }
}
