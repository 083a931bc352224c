//! Characters of a query, and what a backslash makes of them.
//!
//! A backslash takes the meaning from the character behind it, unless that is a letter or a digit, which have none to lose: there
//! it is an ordinary character, and so it is at the end of the text. `C:\Users\max` needs no escaping therefore, and `\"`, `\:`,
//! `\*`, `\ ` and `\\` are what one expects.

/// Characters of `text` with the backslashes resolved.
pub fn units(text: &str) -> Units<'_> {
    Units { text, at: 0 }
}

/// One character, or one and its backslash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Where it begins, its backslash included.
    pub at: usize,
    pub character: char,
    /// No backslash: the character means what it means.
    pub bare: bool,
}

impl Unit {
    /// Whether it is this character, without a backslash.
    pub fn is(self, character: char) -> bool {
        self.bare && self.character == character
    }
}

/// See [`units`].
pub struct Units<'a> {
    text: &'a str,
    at: usize,
}

impl Iterator for Units<'_> {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        let at = self.at;
        let mut characters = self.text[at..].chars();
        let character = characters.next()?;
        if character != '\\' {
            self.at += character.len_utf8();
            return Some(Unit { at, character, bare: true });
        }
        self.at += 1;
        match characters.next() {
            Some(escaped) if !escaped.is_alphanumeric() => {
                self.at += escaped.len_utf8();
                Some(Unit { at, character: escaped, bare: false })
            }
            _ => Some(Unit { at, character, bare: false }),
        }
    }
}

/// The text without its backslashes.
pub fn unescape(text: &str) -> String {
    units(text).map(|unit| unit.character).collect()
}

/// A run of characters up to white space, a parenthesis or a quote.
#[derive(Clone, Copy, Debug)]
pub struct Run<'a> {
    /// As it stands in the query.
    pub raw: &'a str,
    /// Where in it the first colon stands that is not escaped.
    pub colon: Option<usize>,
}

/// The run at the beginning of `text`; may be empty.
pub fn run(text: &str) -> Run<'_> {
    let mut colon = None;
    for unit in units(text) {
        if unit.bare && ends_run(unit.character) {
            return Run { raw: &text[..unit.at], colon };
        }
        if colon.is_none() && unit.is(':') {
            colon = Some(unit.at);
        }
    }
    Run { raw: text, colon }
}

fn ends_run(character: char) -> bool {
    character.is_whitespace() || matches!(character, '(' | ')' | '"')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backslashes() {
        for (text, wanted) in [
            ("plain", "plain"),
            (r#"a\"b\:c\*d\ e\\f\-"#, r#"a"b:c*d e\f-"#),
            (r"C:\Users\max", r"C:\Users\max"),
            (r"\d\é\9", r"\d\é\9"),
            (r"end\", r"end\"),
            ("\\\u{1f600}\\\n", "\u{1f600}\n"),
        ] {
            assert_eq!(unescape(text), wanted, "{text}");
        }
    }

    #[test]
    fn runs() {
        for (text, raw, colon) in [
            ("a:b c", "a:b", Some(1)),
            (r"a\:b:c)", r"a\:b:c", Some(4)),
            (r#"it"s"#, "it", None),
            (r"a\ b\(c(", r"a\ b\(c", None),
            ("a\u{a0}b", "a", None),
            ("", "", None),
        ] {
            let run = run(text);
            assert_eq!((run.raw, run.colon), (raw, colon), "{text}");
        }
    }
}
