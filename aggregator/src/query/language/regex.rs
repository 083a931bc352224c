//! Tells a regex from a path, which begins with a slash as well.
//!
//! It is a regex if a slash closes it, that is, if white space, `)` or the end follows; and without a field only if it holds one
//! of [`REGEX_SIGNS`] as well, so that `/api/v1/` stays a path. The first slash behind white space decides, so that
//! `/healthz path:/x?/` is two terms: a regex with white space in it has its slashes escaped.

use super::error::SyntaxError;
use super::unit::units;
use super::value::Reader;

/// The longest regex, in bytes between its slashes: a compiled one is many times as long.
pub const REGEX_BYTES_MAX: usize = 1 << 10;
/// What no plain path holds.
pub const REGEX_SIGNS: [char; 13] = ['(', ')', '[', ']', '{', '}', '+', '?', '|', '^', '$', '\\', '*'];

/// How a search for a closing slash ended.
#[derive(Clone, Copy)]
pub struct Slashes {
    /// The slash that decided, or the end of the text.
    end: usize,
    closed: bool,
    /// There is nothing of [`REGEX_SIGNS`] before it.
    plain: bool,
}

impl Reader<'_> {
    /// The regex that stands here, unless it is a path.
    pub fn regex(&mut self, fielded: bool) -> Result<Option<String>, SyntaxError> {
        let begin = self.at;
        // `//` opens a comment or a host, and an empty regex matches everything.
        if self.rest().starts_with("//") {
            return Ok(None);
        }
        let slashes = match self.slashes {
            Some(known) if begin < known.end => known,
            _ => self.find_slash(),
        };
        self.slashes = Some(slashes);
        if !slashes.closed || slashes.plain && !fielded {
            return Ok(None);
        }
        let raw = &self.text[begin + 1..slashes.end];
        self.at = slashes.end + 1;
        if raw.len() > REGEX_BYTES_MAX {
            let message = format!("the regex has {} bytes, the limit is {REGEX_BYTES_MAX}", raw.len());
            return Err(SyntaxError::new(self.since(begin), message).with_hint("split it into several terms"));
        }
        Ok(Some(unescape_slashes(raw)))
    }

    fn find_slash(&self) -> Slashes {
        let begin = self.at + 1;
        let mut space = false;
        for unit in units(&self.text[begin..]) {
            let end = begin + unit.at;
            space |= unit.bare && unit.character.is_whitespace();
            if !unit.is('/') {
                continue;
            }
            let closed = self.text[end + 1..].chars().next().is_none_or(|next| next.is_whitespace() || next == ')');
            if closed || space {
                let plain = !self.text[begin..end].contains(REGEX_SIGNS);
                return Slashes { end, closed, plain };
            }
        }
        Slashes { end: self.text.len(), closed: false, plain: false }
    }
}

/// `\/` is a slash; any other backslash is the regex's own.
fn unescape_slashes(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut characters = raw.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => match characters.next() {
                Some('/') => text.push('/'),
                Some(other) => text.extend(['\\', other]),
                None => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Searches for closing slashes share what they find, so that together they read the text but once; that must not show.
        #[test]
        fn a_known_slash_is_the_one_that_would_be_found(text in "[/a ()\"\\\\?:]{0,60}", fielded: bool) {
            let mut sharing = Reader::new(&text);
            loop {
                sharing.at += sharing.rest().find(|c: char| !c.is_whitespace() && !"()".contains(c)).unwrap_or(sharing.rest().len());
                if sharing.rest().is_empty() {
                    break;
                }
                let mut alone = Reader { at: sharing.at, ..Reader::new(&text) };
                let found = sharing.value(fielded);
                prop_assert_eq!(&found, &alone.value(fielded));
                if found.is_err() {
                    break;
                }
            }
        }
    }
}
