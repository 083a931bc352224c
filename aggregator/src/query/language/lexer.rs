//! From text to tokens: parentheses, operators, and tests with their fields.
//!
//! The field of a group (`field:(a b)`) is handed to every test within, so that the parser sees plain groups. Parentheses are
//! counted here as well: every token list has them in pairs, nested no deeper than [`DEPTH_MAX`].

use super::ast::{FieldName, Span, Test, What};
use super::check::check;
use super::error::{SyntaxError, excerpt};
use super::name;
use super::unit::{Run, run};
use super::value::{OPERATORS, Reader};

/// The longest text of a query, in bytes.
pub const QUERY_BYTES_MAX: usize = 16 << 10;
/// How deep parentheses nest; the parser recurses once for each.
pub const DEPTH_MAX: usize = 64;
/// The most tests in one query: each one is put to every record that is looked at.
pub const TESTS_MAX: usize = 1_024;
/// The longest field name, in bytes as written: a group copies it for each of its tests.
pub const FIELD_NAME_BYTES_MAX: usize = 256;

/// What a query is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub span: Span,
}

/// See [`Token`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    Open,
    Close,
    And,
    Or,
    Not,
    /// `*` without a field.
    All,
    Test(Test),
}

/// All tokens of a query.
pub fn tokens(text: &str) -> Result<Vec<Token>, SyntaxError> {
    if text.len() > QUERY_BYTES_MAX {
        let span = Span::new(text.floor_char_boundary(QUERY_BYTES_MAX), text.len());
        let message = format!("the query has {} bytes, the limit is {QUERY_BYTES_MAX}", text.len());
        return Err(SyntaxError::new(span, message).with_hint("split it into several queries"));
    }
    let mut lexer = Lexer { reader: Reader::new(text), groups: Vec::new(), tokens: Vec::new(), tests: 0 };
    loop {
        lexer.reader.skip_space();
        match lexer.reader.peek() {
            Some(first) => lexer.token(first)?,
            None => break,
        }
    }
    match lexer.groups.pop() {
        None => Ok(lexer.tokens),
        Some(group) => Err(SyntaxError::new(group.span, "the parenthesis is not closed")
            .with_hint("close it with `)`; to search for the parenthesis itself, write `\\(` or put it in quotes")),
    }
}

struct Lexer<'a> {
    reader: Reader<'a>,
    /// The groups that are open here.
    groups: Vec<Group>,
    tokens: Vec<Token>,
    tests: usize,
}

struct Group {
    /// Of every test within.
    field: Option<FieldName>,
    /// Its parenthesis.
    span: Span,
}

impl Lexer<'_> {
    fn token(&mut self, first: char) -> Result<(), SyntaxError> {
        let begin = self.reader.at;
        let mut rest = self.reader.rest().chars();
        let second = rest.nth(1);
        match first {
            '(' => self.open(self.field_of_group().cloned()),
            ')' => self.close(),
            '&' if second == Some('&') => self.operator(Kind::And, 2),
            '|' if second == Some('|') => self.operator(Kind::Or, 2),
            '!' if second != Some('=') => self.operator(Kind::Not, 1),
            '-' if stands_before_term(first, second) => self.operator(Kind::Not, 1),
            '+' if stands_before_term(first, second) => {
                self.reader.at += 1;
                Ok(())
            }
            '"' => self.quoted(begin),
            _ => self.unquoted(begin),
        }
    }

    fn push(&mut self, kind: Kind, begin: usize) {
        self.tokens.push(Token { kind, span: self.reader.since(begin) });
    }

    fn operator(&mut self, kind: Kind, length: usize) -> Result<(), SyntaxError> {
        let begin = self.reader.at;
        self.reader.at += length;
        self.push(kind, begin);
        Ok(())
    }

    fn field_of_group(&self) -> Option<&FieldName> {
        self.groups.last()?.field.as_ref()
    }

    fn open(&mut self, field: Option<FieldName>) -> Result<(), SyntaxError> {
        let begin = self.reader.at;
        self.reader.at += 1;
        let span = self.reader.since(begin);
        if self.groups.len() == DEPTH_MAX {
            let message = format!("parentheses are nested deeper than {DEPTH_MAX}");
            return Err(SyntaxError::new(span, message).with_hint("leave out those that are not needed"));
        }
        self.groups.push(Group { field, span });
        self.push(Kind::Open, begin);
        Ok(())
    }

    fn close(&mut self) -> Result<(), SyntaxError> {
        let begin = self.reader.at;
        self.reader.at += 1;
        if self.groups.pop().is_none() {
            let hint = "remove it; to search for the parenthesis itself, write `\\)` or put it in quotes";
            return Err(
                SyntaxError::new(self.reader.since(begin), "no parenthesis is open before this `)`").with_hint(hint)
            );
        }
        self.push(Kind::Close, begin);
        Ok(())
    }

    /// A phrase, or a field name in quotes: always one key of the line.
    fn quoted(&mut self, begin: usize) -> Result<(), SyntaxError> {
        let text = self.reader.phrase()?;
        if self.reader.peek() != Some(':') {
            return self.test(self.field_of_group().cloned(), What::Phrase(text), begin, begin);
        }
        self.reader.at += 1;
        if text.is_empty() {
            let hint = "write the key's name between the quotes";
            return Err(SyntaxError::new(self.reader.since(begin), "the field name is empty").with_hint(hint));
        }
        self.fielded(FieldName::Key(vec![text]), begin)
    }

    fn unquoted(&mut self, begin: usize) -> Result<(), SyntaxError> {
        let run = run(self.reader.rest());
        if let Some(colon) = field_colon(run, self.reader.rest()) {
            self.reader.at += colon + 1;
            let raw = &run.raw[..colon];
            if raw == name::EXISTS {
                return self.exists(begin);
            }
            // What is no name is an ordinary word.
            if let Some(field) = name::parse(raw) {
                return self.fielded(field, begin);
            }
            self.reader.at = begin;
        }
        match OPERATORS.iter().position(|operator| *operator == run.raw) {
            Some(0) => self.operator(Kind::And, run.raw.len()),
            Some(1) => self.operator(Kind::Or, run.raw.len()),
            Some(_) => self.operator(Kind::Not, run.raw.len()),
            None => {
                let field = self.field_of_group().cloned();
                let what = self.reader.value(field.is_some())?;
                self.test(field, what, begin, begin)
            }
        }
    }

    /// Behind `field:`.
    fn fielded(&mut self, field: FieldName, begin: usize) -> Result<(), SyntaxError> {
        let head = self.reader.since(begin);
        let written = &self.reader.text[head.range()];
        if let Some(outer) = self.field_of_group() {
            let hint = "close the group first; if it is a part of the value, put the value in quotes";
            return Err(SyntaxError::new(head, format!("`{}` stands within a group of `{outer}`", excerpt(written)))
                .with_hint(hint));
        }
        if written.len() > FIELD_NAME_BYTES_MAX {
            let message = format!("the field name has {} bytes, the limit is {FIELD_NAME_BYTES_MAX}", written.len());
            return Err(SyntaxError::new(head, message).with_hint("if it is text to search for, put it in quotes"));
        }
        if ends_value(self.reader.peek()) {
            return Err(no_value(head, written));
        }
        if self.reader.peek() == Some('(') {
            return self.open(Some(field));
        }
        let begin_of_value = self.reader.at;
        let what = self.reader.value(true)?;
        self.test(Some(field), what, begin, begin_of_value)
    }

    /// Behind `_exists_:`.
    fn exists(&mut self, begin: usize) -> Result<(), SyntaxError> {
        if ends_value(self.reader.peek()) {
            let head = self.reader.since(begin);
            return Err(no_value(head, "_exists_:"));
        }
        let field = if self.reader.peek() == Some('"') {
            let name = self.reader.phrase()?;
            (!name.is_empty()).then(|| FieldName::Key(vec![name]))
        } else {
            let raw = run(self.reader.rest()).raw;
            self.reader.at += raw.len();
            name::parse(raw)
        };
        match field {
            Some(field) if self.field_of_group().is_none() => self.test(Some(field), What::Exists, begin, begin),
            _ => Err(SyntaxError::new(self.reader.since(begin), "`_exists_:` takes a field's name")
                .with_hint("write `_exists_:user.id`, or `user.id:*`")),
        }
    }

    fn test(&mut self, field: Option<FieldName>, what: What, begin: usize, value: usize) -> Result<(), SyntaxError> {
        let span = self.reader.since(begin);
        match (&field, &what) {
            (None, What::Exists) => {
                self.push(Kind::All, begin);
                return Ok(());
            }
            (None, What::Phrase(text)) if text.is_empty() => {
                return Err(SyntaxError::new(span, "there is nothing between the quotes")
                    .with_hint("write the text to search for; `field:\"\"` finds empty values"));
            }
            (Some(field), what) => check(field, what, self.reader.since(value))?,
            _ => (),
        }
        self.tests += 1;
        if self.tests > TESTS_MAX {
            let message = format!("the query has more than {TESTS_MAX} terms");
            return Err(SyntaxError::new(span, message).with_hint("a regex with `|` may say the same in one term"));
        }
        self.push(Kind::Test(Test { field, what, span }), begin);
        Ok(())
    }
}

/// `-x` and `+x`; but `- x`, `--verbose` and `->` are words.
fn stands_before_term(sign: char, next: Option<char>) -> bool {
    !ends_value(next) && next != Some(sign) && next != Some('>')
}

fn ends_value(next: Option<char>) -> bool {
    next.is_none_or(|next| next.is_whitespace() || next == ')')
}

fn no_value(head: Span, written: &str) -> SyntaxError {
    let quoted = written.replace(['\\', '"'], "");
    SyntaxError::new(head, format!("`{written}` has no value behind it")).with_hint(format!(
        "write the value directly behind the colon, or `{written}*` for any; to search for the text, write `\"{quoted}\"`"
    ))
}

/// The colon that may end a field name. None in `http://x`, `std::sync`, `C:\x`.
fn field_colon(run: Run<'_>, rest: &str) -> Option<usize> {
    let colon = run.colon?;
    let value = &rest[colon + 1..];
    let letter_alone = colon == 1 && rest.starts_with(|first: char| first.is_ascii_alphabetic());
    let path = value.strip_prefix('\\').is_some_and(|path| path.starts_with(char::is_alphanumeric));
    let word = value.starts_with("//") || value.starts_with(':') || letter_alone && path;
    (!word).then_some(colon)
}
