//! Reads a range: `[a TO b]`, `{a TO b}`, or mixed.

use super::ast::{Bound, What};
use super::error::{SyntaxError, excerpt};
use super::unit::{unescape, units};
use super::value::{OR_QUOTE, Reader};

impl<'a> Reader<'a> {
    /// The range whose opening bracket stands here.
    pub fn range(&mut self) -> Result<What, SyntaxError> {
        let begin = self.at;
        let from_included = self.peek() == Some('[');
        self.at += 1;
        let from_quoted = self.after_space() == Some('"');
        let from = self.end_of_range(begin)?;
        if !from_quoted && from.as_deref() == Some("TO") {
            let message = "the range has nothing before its `TO`";
            return Err(SyntaxError::new(self.since(begin), message).with_hint("write `[* TO b]` for no lower end"));
        }
        self.to(begin)?;
        if matches!(self.after_space(), Some(']' | '}')) {
            let message = "the range has nothing behind its `TO`";
            return Err(SyntaxError::new(self.since(begin), message).with_hint("write `[a TO *]` for no upper end"));
        }
        let to = self.end_of_range(begin)?;
        let to_included = match self.after_space() {
            Some(']') => true,
            Some('}') => false,
            _ => {
                let hint = "close it with `]`, or with `}` to leave out the upper end; quote ends that hold spaces";
                return Err(SyntaxError::new(self.since(begin), "the range is not closed").with_hint(hint));
            }
        };
        self.at += 1;
        Ok(What::Range { from: bound(from, from_included), to: bound(to, to_included) })
    }

    fn after_space(&mut self) -> Option<char> {
        self.skip_space();
        self.peek()
    }

    /// One end of the range; `None`: a star.
    fn end_of_range(&mut self, begin: usize) -> Result<Option<String>, SyntaxError> {
        if self.after_space() == Some('"') {
            return self.quoted().map(Some);
        }
        let raw = self.run_in_range();
        if raw == "*" {
            return Ok(None);
        }
        if units(raw).any(|unit| unit.is('*')) {
            let message = format!("`{}` has a star, which no range takes", excerpt(raw));
            return Err(
                SyntaxError::new(self.since(begin), message).with_hint("write a whole value, `*` alone, or `\\*`")
            );
        }
        Ok(Some(unescape(raw)))
    }

    fn to(&mut self, begin: usize) -> Result<(), SyntaxError> {
        let error = |span, message| {
            let hint = format!("write `field:[a TO b]`, with `TO` in capitals, {OR_QUOTE}");
            Err(SyntaxError::new(span, message).with_hint(hint))
        };
        match self.after_space() {
            None => error(self.since(begin), "the range is not closed"),
            _ if self.run_in_range() == "TO" => Ok(()),
            _ => error(self.since(begin), "the range has no `TO`"),
        }
    }

    fn run_in_range(&mut self) -> &'a str {
        let rest = self.rest();
        let end = units(rest)
            .find(|unit| unit.bare && (unit.character.is_whitespace() || matches!(unit.character, ']' | '}' | '"')));
        let raw = &rest[..end.map_or(rest.len(), |end| end.at)];
        self.at += raw.len();
        raw
    }
}

fn bound(text: Option<String>, included: bool) -> Bound {
    match text {
        None => Bound::Open,
        Some(text) if included => Bound::Including(text),
        Some(text) => Bound::Excluding(text),
    }
}
