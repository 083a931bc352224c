//! Reads one value: a word, a prefix, a phrase, a comparison; ranges and regexes stand in files of their own.

use super::ast::{Comparison, Span, What};
use super::error::{SyntaxError, excerpt};
use super::regex::{REGEX_SIGNS, Slashes};
use super::unit::{run, unescape, units};

/// Words that are operators unless a backslash stands before them.
pub const OPERATORS: [&str; 3] = ["AND", "OR", "NOT"];

pub const OR_QUOTE: &str = "or put it in quotes to search for the text";

/// A place in the query's text.
pub struct Reader<'a> {
    pub text: &'a str,
    pub at: usize,
    /// How the last search for a closing slash ended; every search up to there would end the same way.
    pub slashes: Option<Slashes>,
}

impl<'a> Reader<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { text, at: 0, slashes: None }
    }

    /// What has not been read yet.
    pub fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    /// Steps over white space.
    pub fn skip_space(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start().len();
    }

    /// From `begin` to here.
    pub fn since(&self, begin: usize) -> Span {
        Span::new(begin, self.at)
    }

    /// The value that stands here. A star alone is [`What::Exists`], with a field or not.
    pub fn value(&mut self, fielded: bool) -> Result<What, SyntaxError> {
        match self.peek() {
            Some('[' | '{') if fielded => self.range(),
            Some('<' | '>' | '=') if fielded => self.comparison(),
            _ => self.plain(fielded),
        }
    }

    fn plain(&mut self, fielded: bool) -> Result<What, SyntaxError> {
        match self.peek() {
            Some('"') => self.phrase().map(What::Phrase),
            Some('/') => match self.regex(fielded)? {
                Some(regex) => Ok(What::Regex(regex)),
                None => self.word(fielded),
            },
            _ => self.word(fielded),
        }
    }

    /// A quoted text with nothing behind it that Lucene would read as a part of it.
    pub fn phrase(&mut self) -> Result<String, SyntaxError> {
        let begin = self.at;
        let text = self.quoted()?;
        if self.rest().starts_with('*') {
            self.at += 1;
            let message = "a star behind a quote matches nothing";
            let hint =
                format!("write `word*` for words that begin so, or a regex: {}", suggest_regex(&text, true, false));
            return Err(SyntaxError::new(self.since(begin), message).with_hint(hint));
        }
        let run = run(self.rest()).raw;
        if let Some(at) = tuning(run)
            && at == 0
        {
            self.at += run.len();
            return Err(no_tuning(self.since(begin), &run[..1]));
        }
        Ok(text)
    }

    /// What stands between the quotes. `\"`, `\\`, `\n` and `\t` are a quote, a backslash, a line feed and a tab; any other
    /// backslash is itself.
    pub fn quoted(&mut self) -> Result<String, SyntaxError> {
        let begin = self.at;
        let mut text = String::new();
        let mut characters = self.text[begin..].char_indices().skip(1);
        while let Some((at, character)) = characters.next() {
            match character {
                '"' => {
                    self.at = begin + at + 1;
                    return Ok(text);
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('"' | '\\'))) => text.push(escaped),
                    Some((_, 'n')) => text.push('\n'),
                    Some((_, 't')) => text.push('\t'),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => text.push('\\'),
                },
                other => text.push(other),
            }
        }
        self.at = self.text.len();
        let hint = "close it with `\"`; to search for a quote itself, write `\\\"`";
        Err(SyntaxError::new(self.since(begin), "the quote is not closed").with_hint(hint))
    }

    fn word(&mut self, fielded: bool) -> Result<What, SyntaxError> {
        let begin = self.at;
        let raw = run(self.rest()).raw;
        self.at += raw.len();
        let span = self.since(begin);
        if !fielded && is_comparison(raw) {
            let message = format!("`{}` compares no field", excerpt(raw));
            let hint = format!("write the field before it, as in `status:{}`, {OR_QUOTE}", excerpt(raw));
            return Err(SyntaxError::new(span, message).with_hint(hint));
        }
        // `~5` alone is an amount.
        if let Some(at) = tuning(raw).filter(|at| *at > 0) {
            return Err(no_tuning(span, &raw[at..at + 1]));
        }
        if raw == "*" {
            return Ok(What::Exists);
        }
        let star = units(raw).find(|unit| unit.is('*'));
        match star {
            None => Ok(What::Word(word_text(raw))),
            Some(star) if star.at + 1 == raw.len() => Ok(What::Prefix(unescape(&raw[..star.at]))),
            Some(_) => {
                let message = format!("a star may only end a word, as in `word*`, not stand within `{}`", excerpt(raw));
                let regex = suggest_regex(raw, false, fielded);
                let hint = format!("write a regex: {regex}, or `\\*` for the star itself");
                Err(SyntaxError::new(span, message).with_hint(hint))
            }
        }
    }

    fn comparison(&mut self) -> Result<What, SyntaxError> {
        let begin = self.at;
        let comparison = match self.rest().as_bytes() {
            [b'>', b'=', ..] => Some((Comparison::GreaterEqual, 2)),
            [b'>', ..] => Some((Comparison::Greater, 1)),
            [b'<', b'=', ..] => Some((Comparison::LessEqual, 2)),
            [b'<', ..] => Some((Comparison::Less, 1)),
            _ => None,
        };
        self.at += comparison.map_or(1, |(_, length)| length);
        let sign = &self.text[begin..self.at];
        match self.peek() {
            Some('<' | '>' | '=') => {
                self.at += 1;
                let message = format!("`{}` is no comparison", &self.text[begin..self.at]);
                let hint = "write `>`, `>=`, `<` or `<=`, or put the value in quotes";
                Err(SyntaxError::new(self.since(begin), message).with_hint(hint))
            }
            None | Some('(' | ')') => Err(self.no_operand(begin, sign)),
            Some(space) if space.is_whitespace() => Err(self.no_operand(begin, sign)),
            _ => match comparison {
                Some((comparison, _)) => Ok(What::Compare(comparison, self.operand(begin)?)),
                None => self.plain(true),
            },
        }
    }

    fn no_operand(&self, begin: usize, sign: &str) -> SyntaxError {
        SyntaxError::new(self.since(begin), format!("`{sign}` has no value behind it"))
            .with_hint(format!("write the value directly behind it, as in `status:{sign}500`"))
    }

    fn operand(&mut self, begin: usize) -> Result<String, SyntaxError> {
        if self.peek() == Some('"') {
            return self.phrase();
        }
        let raw = run(self.rest()).raw;
        self.at += raw.len();
        if units(raw).any(|unit| unit.is('*')) {
            let message = format!("`{}` has a star, which no comparison takes", excerpt(raw));
            return Err(SyntaxError::new(self.since(begin), message).with_hint("write a whole value, or `\\*`"));
        }
        Ok(unescape(raw))
    }
}

fn word_text(raw: &str) -> String {
    match raw.strip_prefix('\\') {
        Some(operator) if OPERATORS.contains(&operator) => operator.to_owned(),
        _ => unescape(raw),
    }
}

/// `>500`, which somebody wrote for a field; `<init>`, `<34>` and `>>` are words.
fn is_comparison(raw: &str) -> bool {
    let Some(operand) = raw.strip_prefix(['<', '>']) else { return false };
    let operand = operand.strip_prefix('=').unwrap_or(operand);
    let digits = operand.strip_prefix('-').unwrap_or(operand);
    digits.starts_with(|first: char| first.is_ascii_digit()) && !digits.contains(['<', '>'])
}

/// Where Lucene's fuzziness (`word~2`) or boost (`word^1.5`) begins.
fn tuning(raw: &str) -> Option<usize> {
    let number = raw.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    let sign = number.len().checked_sub(1)?;
    let digits = raw[number.len()..].starts_with(|first: char| first.is_ascii_digit());
    let bare = units(raw).any(|unit| unit.at == sign && (unit.is('~') || unit.is('^')));
    (digits && bare).then_some(sign)
}

fn no_tuning(span: Span, sign: &str) -> SyntaxError {
    let message = match sign {
        "~" => "`~` for similar words is not supported",
        _ => "`^` for the weight of a word is not supported: answers are in the order of time",
    };
    SyntaxError::new(span, message).with_hint(format!("leave it out, or write `\\{sign}` for the character itself"))
}

/// A regex for what somebody hoped the stars in `text` would do.
fn suggest_regex(text: &str, literal: bool, fielded: bool) -> String {
    let text = excerpt(text);
    let any = if fielded { ".*" } else { r"\S*" };
    let mut regex = String::from("`/(?i)");
    for unit in units(&text) {
        match unit.character {
            '*' if unit.bare && !literal => regex.push_str(any),
            '/' => regex.push_str(r"\/"),
            '.' => regex.push_str(r"\."),
            sign if REGEX_SIGNS.contains(&sign) => regex.extend(['\\', sign]),
            other => regex.push(other),
        }
    }
    regex.push_str("/`");
    regex
}
